package admin

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

// AgentContacts is what agents do with chats and tasks. *chat.Manager implements it.
type AgentContacts interface {
	AgentContacts(instanceID, userID string) []chat.AgentContact
	Accept(ctx context.Context, instanceID, contactID, userID string) (chat.Credentials, error)
	Reject(ctx context.Context, instanceID, contactID, userID string) error
	Complete(ctx context.Context, instanceID, contactID, userID string) error
}

var _ AgentContacts = (*chat.Manager)(nil)

func (s *service) agentContacts(t *rest.Table) {
	const all = "/agents/{UserId}/contacts"
	rest.Op(t, "ListAgentContacts", "GET", all, "", s.listAgentContacts)
	rest.Op(t, "AcceptContact", "POST", all+"/{ContactId}/accept", "", s.acceptContact)
	rest.Op(t, "RejectContact", "POST", all+"/{ContactId}/reject", "", s.rejectContact)
	rest.Op(t, "CompleteContact", "POST", all+"/{ContactId}/complete", "", s.completeContact)
}

// mayActAs lets agents act for themselves; for others those who may change users, since they could log in as them anyway.
func (s *service) mayActAs(ctx context.Context, c *rest.Call, userID string) error {
	need := identity.UsersEdit
	if userID == c.Principal.UserID {
		need = identity.BasicAgentAccess
	}
	if !c.Principal.Can(need) {
		return errs.New(errs.Denied, "this needs the permission %s", need)
	}
	_, err := s.Users.Get(ctx, c.Instance(), userID)
	return err
}

type agentInput struct {
	UserID string `json:"-" path:"UserId" ref:"agent"`
}

type agentContactInput struct {
	UserID    string `json:"-" path:"UserId" ref:"agent"`
	ContactID string `json:"-" path:"ContactId" ref:"contact"`
}

type contactReference struct {
	Type  string `json:"Type"`
	Value string `json:"Value"`
}

type agentContact struct {
	ContactID        string                      `json:"ContactId"`
	InitialContactID string                      `json:"InitialContactId"`
	Channel          contact.Channel             `json:"Channel"`
	State            string                      `json:"State"` // CONNECTING: offered; CONNECTED
	Since            rest.Time                   `json:"Since,omitzero"`
	AcceptBy         rest.Time                   `json:"AcceptBy,omitzero"` // of an offer
	QueueID          string                      `json:"QueueId,omitempty"`
	CustomerName     string                      `json:"CustomerName,omitempty"`
	Name             string                      `json:"Name,omitempty"`
	Description      string                      `json:"Description,omitempty"`
	ParticipantID    string                      `json:"ParticipantId,omitempty"`
	Attributes       map[string]string           `json:"Attributes,omitempty"`
	References       map[string]contactReference `json:"References,omitempty"`
}

type listAgentContactsOutput struct {
	Contacts []agentContact `json:"Contacts"`
}

func (s *service) listAgentContacts(ctx context.Context, c *rest.Call, in *agentInput) (*listAgentContactsOutput, error) {
	if err := s.mayActAs(ctx, c, in.UserID); err != nil {
		return nil, err
	}
	out := &listAgentContactsOutput{Contacts: []agentContact{}}
	for _, k := range s.AgentContacts.AgentContacts(c.Instance(), in.UserID) {
		line := agentContact{
			ContactID: k.ContactID, InitialContactID: k.InitialContactID, Channel: k.Channel, State: "CONNECTED", Since: rest.At(k.Since),
			QueueID: k.QueueID, CustomerName: k.CustomerName, Name: k.Name, Description: k.Description, ParticipantID: k.ParticipantID,
			Attributes: k.Attributes,
		}
		if k.Offered {
			line.State, line.AcceptBy = "CONNECTING", rest.At(k.Until)
		}
		for name, r := range k.References {
			if line.References == nil {
				line.References = map[string]contactReference{}
			}
			line.References[name] = contactReference{r.Type, r.Value}
		}
		out.Contacts = append(out.Contacts, line)
	}
	return out, nil
}

type acceptContactOutput struct {
	ContactID        string    `json:"ContactId"`
	ParticipantID    string    `json:"ParticipantId"`
	ParticipantToken string    `json:"ParticipantToken"` // for CreateParticipantConnection
	Expiry           rest.Time `json:"Expiry"`
}

func (s *service) acceptContact(ctx context.Context, c *rest.Call, in *agentContactInput) (*acceptContactOutput, error) {
	if err := s.mayActAs(ctx, c, in.UserID); err != nil {
		return nil, err
	}
	c.Note("contact_id", in.ContactID)
	got, err := s.AgentContacts.Accept(ctx, c.Instance(), in.ContactID, in.UserID)
	if err != nil {
		return nil, err
	}
	return &acceptContactOutput{in.ContactID, got.ParticipantID, got.Token, rest.At(got.Expires)}, nil
}

func (s *service) rejectContact(ctx context.Context, c *rest.Call, in *agentContactInput) (*rest.Empty, error) {
	if err := s.mayActAs(ctx, c, in.UserID); err != nil {
		return nil, err
	}
	c.Note("contact_id", in.ContactID)
	return done(s.AgentContacts.Reject(ctx, c.Instance(), in.ContactID, in.UserID))
}

func (s *service) completeContact(ctx context.Context, c *rest.Call, in *agentContactInput) (*rest.Empty, error) {
	if err := s.mayActAs(ctx, c, in.UserID); err != nil {
		return nil, err
	}
	c.Note("contact_id", in.ContactID)
	return done(s.AgentContacts.Complete(ctx, c.Instance(), in.ContactID, in.UserID))
}
