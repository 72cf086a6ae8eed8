package admin

import (
	"context"
	"strconv"

	"ullim/internal/api/rest"
	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

// Calls is the live side of contacts. *call.Manager implements it. errs.NotFound: the contact is not live.
type Calls interface {
	Participants(instanceID, contactID string) ([]call.Participant, error)
	Invite(ctx context.Context, instanceID, contactID string, i call.Invitation) error
	Remove(ctx context.Context, instanceID, contactID string, participant int) error
	Hold(ctx context.Context, instanceID, contactID string, participant int, on bool) error
	Mute(ctx context.Context, instanceID, contactID string, participant int, on bool) error
	Supervise(ctx context.Context, instanceID, contactID, userID string, hears call.Role) error
}

var _ Calls = (*call.Manager)(nil)

func (s *service) participants(t *rest.Table) {
	const all = "/contacts/{ContactId}/participants"
	rest.Op(t, "ListParticipants", "GET", all, identity.RealTimeMetrics, s.listParticipants)
	rest.Op(t, "AddParticipant", "POST", all, identity.ManagerListenIn, s.addParticipant)
	rest.Op(t, "UpdateParticipant", "POST", all+"/{Number}", identity.RealTimeMetrics, s.updateParticipant)
	rest.Op(t, "RemoveParticipant", "DELETE", all+"/{Number}", identity.ManagerListenIn, s.removeParticipant)
}

type participant struct {
	Number  int    `json:"Number"` // names it in the other operations
	Role    string `json:"Role"`   // CUSTOMER, AGENT, THIRD_PARTY, MONITOR, COACH, BARGE
	State   string `json:"State"`
	UserID  string `json:"UserId,omitempty"`
	Address string `json:"Address,omitempty"`
	Held    bool   `json:"Held,omitempty"`   // they have put us on hold
	OnHold  bool   `json:"OnHold,omitempty"` // we have put them on hold
	Muted   bool   `json:"Muted,omitempty"`
}

type listParticipantsOutput struct {
	ContactID    string        `json:"ContactId"`
	Participants []participant `json:"Participants"`
}

func (s *service) listParticipants(_ context.Context, c *rest.Call, in *contactInput) (*listParticipantsOutput, error) {
	list, err := s.Calls.Participants(c.Instance(), in.ContactID)
	if err != nil {
		return nil, err
	}
	out := &listParticipantsOutput{ContactID: in.ContactID, Participants: make([]participant, 0, len(list))}
	for _, p := range list {
		out.Participants = append(out.Participants, participant{
			Number: p.ID, Role: roleName(p), State: p.State, UserID: p.UserID, Address: p.Address, Held: p.Held,
			OnHold: p.OnHold, Muted: p.Muted,
		})
	}
	return out, nil
}

// roleName is what a participant is by the words of this face: of a supervisor, what they do.
func roleName(p call.Participant) string {
	if p.Role != call.RoleSupervisor {
		return p.Role.String()
	}
	switch p.Hears {
	case call.Monitor:
		return "MONITOR"
	case call.Coach:
		return "COACH"
	case call.Speaker:
	}
	return "BARGE"
}

type addParticipantInput struct {
	ContactID   string `json:"-" path:"ContactId" ref:"contact"`
	Role        string `json:"Role"`                         // THIRD_PARTY, MONITOR, COACH or BARGE
	UserID      string `json:"UserId,omitempty" ref:"agent"` // whose phone rings
	PhoneNumber string `json:"PhoneNumber,omitempty"`        // or the number that is called, for a THIRD_PARTY
}

func (s *service) addParticipant(ctx context.Context, c *rest.Call, in *addParticipantInput) (*rest.Empty, error) {
	i := call.Invitation{By: c.Principal.UserID, UserID: in.UserID, Number: in.PhoneNumber, Supervisor: true, Barges: true}
	switch in.Role {
	case "THIRD_PARTY":
		i.Supervisor, i.Barges = false, false
	case "MONITOR":
		i.Hears = call.Monitor
	case "COACH":
		i.Hears = call.Coach
	case "BARGE":
	default:
		return nil, errs.Field("Role", "must be THIRD_PARTY, MONITOR, COACH or BARGE; is %q", in.Role)
	}
	switch {
	case (in.UserID == "") == (in.PhoneNumber == ""):
		return nil, errs.Field("UserId", "must be given, or PhoneNumber, and not both")
	case i.Supervisor && in.UserID == "":
		return nil, errs.Field("UserId", "is required: only a user's device can be %s", in.Role)
	case in.PhoneNumber != "" && !c.Principal.Can(identity.OutboundCallAccess):
		return nil, errs.New(errs.Denied, "this needs the permission %s", identity.OutboundCallAccess)
	}
	c.Note("contact_id", in.ContactID)
	c.Note("role", in.Role)
	return done(s.Calls.Invite(ctx, c.Instance(), in.ContactID, i))
}

type updateParticipantInput struct {
	ContactID string `json:"-" path:"ContactId" ref:"contact"`
	Number    string `json:"-" path:"Number"`
	OnHold    *bool  `json:"OnHold,omitempty"`
	Muted     *bool  `json:"Muted,omitempty"`
	Role      string `json:"Role,omitempty"` // of a supervisor: MONITOR, COACH or BARGE
}

func (s *service) updateParticipant(ctx context.Context, c *rest.Call, in *updateParticipantInput) (*rest.Empty, error) {
	if in.OnHold == nil && in.Muted == nil && in.Role == "" {
		return nil, errs.Field("OnHold", "must be given, or Muted, or Role")
	}
	n := numberOf(in.Number)
	c.Note("contact_id", in.ContactID)
	if in.Role != "" {
		if err := s.supervise(ctx, c, in.ContactID, n, in.Role); err != nil {
			return nil, err
		}
	}
	if in.OnHold != nil {
		if err := s.Calls.Hold(ctx, c.Instance(), in.ContactID, n, *in.OnHold); err != nil {
			return nil, err
		}
	}
	if in.Muted != nil {
		return done(s.Calls.Mute(ctx, c.Instance(), in.ContactID, n, *in.Muted))
	}
	return &rest.Empty{}, nil
}

// supervise changes what a supervisor does.
func (s *service) supervise(ctx context.Context, c *rest.Call, contactID string, number int, role string) error {
	hears, known := map[string]call.Role{"MONITOR": call.Monitor, "COACH": call.Coach, "BARGE": call.Speaker}[role]
	switch {
	case !known:
		return errs.Field("Role", "must be MONITOR, COACH or BARGE; is %q", role)
	case !c.Principal.Can(identity.ManagerListenIn):
		return errs.New(errs.Denied, "this needs the permission %s", identity.ManagerListenIn)
	}
	list, err := s.Calls.Participants(c.Instance(), contactID)
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.ID == number {
			return s.Calls.Supervise(ctx, c.Instance(), contactID, p.UserID, hears)
		}
	}
	return errs.New(errs.NotFound, "nobody with this number is in the call")
}

type participantInput struct {
	ContactID string `json:"-" path:"ContactId" ref:"contact"`
	Number    string `json:"-" path:"Number"`
}

func (s *service) removeParticipant(ctx context.Context, c *rest.Call, in *participantInput) (*rest.Empty, error) {
	n := numberOf(in.Number)
	c.Note("contact_id", in.ContactID)
	return done(s.Calls.Remove(ctx, c.Instance(), in.ContactID, n))
}

// numberOf is a participant's number; 0, which nobody has, for what is none.
func numberOf(label string) int {
	n, err := strconv.Atoi(label)
	if err != nil {
		return 0
	}
	return n
}
