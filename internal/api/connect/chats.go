package connect

import (
	"cmp"
	"context"
	"slices"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/ivr"
)

// Chats begins and ends contacts without audio. *chat.Manager implements it.
type Chats interface {
	StartChat(ctx context.Context, r chat.StartChat) (chat.Started, error)
	StartTask(ctx context.Context, r chat.StartTask) (contactID string, err error)
	Stop(ctx context.Context, instanceID, contactID, detail string) error
	SetTimers(ctx context.Context, instanceID, contactID string, timers []chat.Timer) error
	AddParticipant(ctx context.Context, instanceID, contactID string, role chat.Role, name string) (chat.Credentials, error)
	Pause(ctx context.Context, instanceID, contactID string) error
	Continue(ctx context.Context, instanceID, contactID string) error
}

var _ Chats = (*chat.Manager)(nil)

// restrictTasks is the permission that takes a right away: who holds it starts no tasks.
const restrictTasks = "RestrictTaskCreation"

func (s *service) chats(t *rest.Table) {
	rest.Op(t, "StartChatContact", "PUT", "/contact/chat", identity.BasicAgentAccess, s.startChat)
	rest.Op(t, "StartTaskContact", "PUT", "/contact/task", identity.BasicAgentAccess, s.startTask)
	rest.Op(t, "StopContact", "POST", "/contact/stop", identity.RealTimeMetrics, s.stopContact)
	s.pauses(t)
	rest.Op(t, "CreateParticipant", "POST", "/contact/create-participant", identity.ManagerListenIn, s.createParticipant)
	rest.Op(t, "UpdateParticipantRoleConfig", "PUT", "/contact/participant-role-config/{InstanceId}/{ContactId}", identity.BasicAgentAccess,
		s.updateRoleConfig)
}

type participantDetails struct {
	DisplayName string `json:"DisplayName"`
}

type chatMessage struct {
	Content     string `json:"Content"`
	ContentType string `json:"ContentType"`
}

type persistentChat struct {
	RehydrationType string `json:"RehydrationType,omitempty"`
	SourceContactID string `json:"SourceContactId,omitempty" ref:"contact"`
}

type startChatInput struct {
	InstanceID                     string              `json:"InstanceId" ref:"instance"`
	ContactFlowID                  string              `json:"ContactFlowId" ref:"contact-flow"`
	ParticipantDetails             *participantDetails `json:"ParticipantDetails"`
	Attributes                     map[string]string   `json:"Attributes,omitempty"`
	InitialMessage                 *chatMessage        `json:"InitialMessage,omitempty"`
	ClientToken                    string              `json:"ClientToken,omitempty"`
	ChatDurationInMinutes          *int                `json:"ChatDurationInMinutes,omitempty"`
	SupportedMessagingContentTypes []string            `json:"SupportedMessagingContentTypes,omitempty"`
	PersistentChat                 *persistentChat     `json:"PersistentChat,omitempty"`
	RelatedContactID               string              `json:"RelatedContactId,omitempty" ref:"contact"`
	CustomerID                     string              `json:"CustomerId,omitempty"`
	DisconnectOnCustomerExit       []string            `json:"DisconnectOnCustomerExit,omitempty"`
	SegmentAttributes              rest.Unsupported    `json:"SegmentAttributes,omitzero"`
	ParticipantConfiguration       rest.Unsupported    `json:"ParticipantConfiguration,omitzero"`
}

type startChatOutput struct {
	ContactID              string `json:"ContactId"`
	ParticipantID          string `json:"ParticipantId"`
	ParticipantToken       string `json:"ParticipantToken"`
	ContinuedFromContactID string `json:"ContinuedFromContactId,omitempty"`
}

func (in *startChatInput) check() error {
	known := []string{chat.Plain, chat.Markdown, chat.JSON, chat.Interactive, chat.InteractiveResponse}
	for _, t := range in.SupportedMessagingContentTypes {
		if !slices.Contains(known, t) {
			return errs.Field("SupportedMessagingContentTypes", "must be among %v", known)
		}
	}
	if n := len(in.SupportedMessagingContentTypes); n > 0 && !slices.Contains(in.SupportedMessagingContentTypes, chat.Plain) {
		return errs.Field("SupportedMessagingContentTypes", "must have text/plain")
	}
	for _, who := range in.DisconnectOnCustomerExit {
		if who != "AGENT" {
			return errs.Field("DisconnectOnCustomerExit", "must be AGENT")
		}
	}
	if p := in.PersistentChat; p != nil && (p.SourceContactID == "" || p.RehydrationType != rehydrateAll && p.RehydrationType != rehydrateSegment) {
		return errs.Field("PersistentChat", "must have SourceContactId, and RehydrationType %s or %s", rehydrateAll, rehydrateSegment)
	}
	if d := in.ChatDurationInMinutes; d != nil && *d == 0 {
		return errs.Field("ChatDurationInMinutes", "must be 60 to 10080")
	}
	return nil
}

// Rehydration types.
const (
	rehydrateAll     = "ENTIRE_PAST_SESSION"
	rehydrateSegment = "FROM_SEGMENT"
)

// inboundFlow is the id of a flow that a contact can begin with.
func (s *service) inboundFlow(ctx context.Context, c *rest.Call, id string) (string, error) {
	f, err := s.Flows.Find(ctx, c.Instance(), id)
	switch {
	case err != nil:
		return "", err
	case f.Type != ivr.TypeInbound:
		return "", errs.Field("ContactFlowId", "must be a flow of the type CONTACT_FLOW; %q is a %s", f.Name, f.Type)
	case f.Published == "":
		return "", errs.Field("ContactFlowId", "must be a flow that was published; %q was not", f.Name)
	}
	return f.ID, nil
}

func (s *service) startChat(ctx context.Context, c *rest.Call, in *startChatInput) (*startChatOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	flow, err := s.inboundFlow(ctx, c, in.ContactFlowID)
	if err != nil {
		return nil, err
	}
	r := chat.StartChat{
		InstanceID: c.Instance(), FlowID: flow, DisplayName: in.ParticipantDetails.DisplayName, Attributes: in.Attributes,
		ClientToken: in.ClientToken, CustomerID: in.CustomerID, Related: in.RelatedContactID, Accepts: in.SupportedMessagingContentTypes,
	}
	if in.ChatDurationInMinutes != nil {
		r.Duration = time.Duration(*in.ChatDurationInMinutes) * time.Minute
	}
	if in.InitialMessage != nil {
		r.Initial = &chat.Message{Content: in.InitialMessage.Content, ContentType: in.InitialMessage.ContentType}
	}
	if p := in.PersistentChat; p != nil {
		r.Source, r.Entire = p.SourceContactID, p.RehydrationType == rehydrateAll
	}
	started, err := s.Chats.StartChat(ctx, r)
	if err != nil {
		return nil, err
	}
	c.Note("contact_id", started.ContactID)
	return &startChatOutput{started.ContactID, started.ParticipantID, started.Token, started.ContinuedFrom}, nil
}

type taskReference struct {
	Type  string `json:"Type"`
	Value string `json:"Value,omitempty"`
}

type startTaskInput struct {
	InstanceID        string                   `json:"InstanceId" ref:"instance"`
	ContactFlowID     string                   `json:"ContactFlowId" ref:"contact-flow"`
	Name              string                   `json:"Name"`
	Description       string                   `json:"Description,omitempty"`
	Attributes        map[string]string        `json:"Attributes,omitempty"`
	References        map[string]taskReference `json:"References,omitempty"`
	ClientToken       string                   `json:"ClientToken,omitempty"`
	ScheduledTime     rest.Time                `json:"ScheduledTime,omitzero"`
	PreviousContactID string                   `json:"PreviousContactId,omitempty" ref:"contact"`
	RelatedContactID  string                   `json:"RelatedContactId,omitempty" ref:"contact"`
	TaskTemplateID    rest.Unsupported         `json:"TaskTemplateId,omitzero"`
	QuickConnectID    rest.Unsupported         `json:"QuickConnectId,omitzero"`
	SegmentAttributes rest.Unsupported         `json:"SegmentAttributes,omitzero"`
	Attachments       rest.Unsupported         `json:"Attachments,omitzero"`
}

type startTaskOutput struct {
	ContactID string `json:"ContactId"`
}

func (s *service) startTask(ctx context.Context, c *rest.Call, in *startTaskInput) (*startTaskOutput, error) {
	if c.Principal.Can(restrictTasks) {
		return nil, errs.New(errs.Denied, "the permission %s keeps user %s from making tasks", restrictTasks, c.Principal.Username)
	}
	flow, err := s.inboundFlow(ctx, c, in.ContactFlowID)
	if err != nil {
		return nil, err
	}
	refs := make(map[string]contact.Reference, len(in.References))
	for name, r := range in.References {
		if !slices.Contains([]string{"URL", "NUMBER", "STRING", "DATE", "EMAIL", "ATTACHMENT"}, r.Type) {
			return nil, errs.Field("References", "must be of the type URL, NUMBER, STRING, DATE, EMAIL or ATTACHMENT; %q is not", name)
		}
		refs[name] = contact.Reference{Type: r.Type, Value: r.Value}
	}
	id, err := s.Chats.StartTask(ctx, chat.StartTask{
		InstanceID: c.Instance(), FlowID: flow, Name: in.Name, Description: in.Description, Attributes: in.Attributes, References: refs,
		ClientToken: in.ClientToken, At: in.ScheduledTime.Time, Previous: in.PreviousContactID, Related: in.RelatedContactID,
	})
	if err != nil {
		return nil, err
	}
	c.Note("contact_id", id)
	return &startTaskOutput{id}, nil
}

type disconnectReasonInput struct {
	Code string `json:"Code,omitempty"`
}

type stopContactInput struct {
	InstanceID       string                 `json:"InstanceId" ref:"instance"`
	ContactID        string                 `json:"ContactId" ref:"contact"`
	DisconnectReason *disconnectReasonInput `json:"DisconnectReason,omitempty"`
}

func (s *service) stopContact(ctx context.Context, c *rest.Call, in *stopContactInput) (*rest.Empty, error) {
	c.Note("contact_id", in.ContactID)
	detail := "stopped by " + c.Principal.Username
	if in.DisconnectReason != nil {
		if len(in.DisconnectReason.Code) > 100 {
			return nil, errs.Field("DisconnectReason.Code", "must have at most 100 characters")
		}
		detail = cmp.Or(in.DisconnectReason.Code, detail)
	}
	err := s.Chats.Stop(ctx, c.Instance(), in.ContactID, detail)
	if !errs.Is(err, errs.NotFound) {
		return done(err)
	}
	r, err := s.Contacts.Contact(ctx, c.Instance(), in.ContactID)
	if err != nil {
		return nil, err
	}
	if r.Channel == contact.Voice && r.DisconnectTimestamp.IsZero() && s.StopCall != nil && s.StopCall(r.ID, detail) {
		return &rest.Empty{}, nil
	}
	return nil, &rest.Fault{Status: 410, Code: "ContactNotFoundException", Message: "the contact is not active"}
}

type participantToAdd struct {
	ParticipantRole string `json:"ParticipantRole,omitempty"`
	DisplayName     string `json:"DisplayName,omitempty"`
}

type createParticipantInput struct {
	InstanceID         string            `json:"InstanceId" ref:"instance"`
	ContactID          string            `json:"ContactId" ref:"contact"`
	ParticipantDetails *participantToAdd `json:"ParticipantDetails"`
	ClientToken        string            `json:"ClientToken,omitempty"`
}

type tokenCredentials struct {
	ParticipantToken string    `json:"ParticipantToken"`
	Expiry           chat.Time `json:"Expiry"`
}

type createParticipantOutput struct {
	ParticipantCredentials tokenCredentials `json:"ParticipantCredentials"`
	ParticipantID          string           `json:"ParticipantId"`
}

func (s *service) createParticipant(ctx context.Context, c *rest.Call, in *createParticipantInput) (*createParticipantOutput, error) {
	c.Note("contact_id", in.ContactID)
	p := in.ParticipantDetails
	got, err := s.Chats.AddParticipant(ctx, c.Instance(), in.ContactID, chat.Role(p.ParticipantRole), cmp.Or(p.DisplayName, p.ParticipantRole))
	if err != nil {
		return nil, err
	}
	return &createParticipantOutput{tokenCredentials{got.Token, chat.Time{Time: got.Expires}}, got.ParticipantID}, nil
}

type timerValue struct {
	Action   string `json:"ParticipantTimerAction,omitempty"`
	Duration int    `json:"ParticipantTimerDurationInMinutes,omitempty"`
}

type timerConfig struct {
	ParticipantRole string      `json:"ParticipantRole"`
	TimerType       string      `json:"TimerType"`
	TimerValue      *timerValue `json:"TimerValue"`
}

type chatRoleConfig struct {
	Timers []timerConfig `json:"ParticipantTimerConfigList"`
}

type roleChannel struct {
	Chat *chatRoleConfig `json:"Chat"`
}

type updateRoleConfigInput struct {
	InstanceID           string       `json:"-" path:"InstanceId" ref:"instance"`
	ContactID            string       `json:"-" path:"ContactId" ref:"contact"`
	ChannelConfiguration *roleChannel `json:"ChannelConfiguration"`
}

func (s *service) updateRoleConfig(ctx context.Context, c *rest.Call, in *updateRoleConfigInput) (*rest.Empty, error) {
	var timers []chat.Timer
	for _, t := range in.ChannelConfiguration.Chat.Timers {
		v := t.TimerValue
		switch {
		case v.Action != "" && (v.Action != "Unset" || v.Duration != 0):
			return nil, errs.Field("ParticipantTimerAction", "must be Unset, without a duration")
		case v.Action == "" && v.Duration == 0:
			return nil, errs.Field("TimerValue", "must have ParticipantTimerAction or ParticipantTimerDurationInMinutes")
		}
		timers = append(timers, chat.Timer{
			Role: chat.Role(t.ParticipantRole), Type: chat.TimerType(t.TimerType), After: time.Duration(v.Duration) * time.Minute,
		})
	}
	return done(s.Chats.SetTimers(ctx, c.Instance(), in.ContactID, timers))
}
