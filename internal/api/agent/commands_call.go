package agent

import (
	"context"
	"slices"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

// callCommands are about a contact that the agent has.
func callCommands() map[string]spec {
	tape := func(do call.TapeAction) spec {
		return spec{contact: true, safe: true, do: func(s *Service, ctx context.Context, a *asked) (any, error) { return s.tape(ctx, a, do) }}
	}
	return map[string]spec{
		"accept":            {contact: true, safe: true, do: (*Service).accept},
		"decline":           {contact: true, safe: true, do: (*Service).decline},
		"complete":          {contact: true, do: (*Service).complete},
		"hold":              {contact: true, safe: true, do: (*Service).holdOn},
		"resume":            {contact: true, safe: true, do: (*Service).holdOff},
		"mute":              {contact: true, safe: true, do: (*Service).muteOn},
		"unmute":            {contact: true, safe: true, do: (*Service).muteOff},
		"digits":            {contact: true, do: (*Service).digits},
		"remove":            {contact: true, safe: true, do: (*Service).remove},
		"start-recording":   tape(call.TapeStart),
		"stop-recording":    tape(call.TapeStop),
		"suspend-recording": tape(call.TapeSuspend),
		"resume-recording":  tape(call.TapeResume),
	}
}

// accept takes a chat or task. A call is answered where it rings: by the phone, or the browser that is the phone.
func (s *Service) accept(ctx context.Context, a *asked) (any, error) {
	if !textChannel(a.contact.Channel) {
		if a.contact.State != "CONNECTING" {
			return nil, fault(codeState, "the contact is %s", a.contact.State)
		}
		return nil, fault(codeOnDevice, "")
	}
	got, err := s.o.Chats.Accept(ctx, a.who.InstanceID, a.ContactID, a.who.UserID)
	if err != nil {
		return nil, err
	}
	return struct {
		ParticipantID    string `json:"participantId"`
		ParticipantToken string `json:"participantToken"` // for CreateParticipantConnection
		Expires          Time   `json:"expires"`
	}{got.ParticipantID, got.Token, at(got.Expires)}, nil
}

func (s *Service) decline(ctx context.Context, a *asked) (any, error) {
	if textChannel(a.contact.Channel) {
		return nil, s.o.Chats.Reject(ctx, a.who.InstanceID, a.ContactID, a.who.UserID)
	}
	return nil, s.o.Moves.Decline(ctx, a.who.InstanceID, a.ContactID, a.who.UserID)
}

// complete ends the agent's part: a task is done, a chat goes to its disconnect flow, a call is hung up.
func (s *Service) complete(ctx context.Context, a *asked) (any, error) {
	if textChannel(a.contact.Channel) {
		return nil, s.o.Chats.Complete(ctx, a.who.InstanceID, a.ContactID, a.who.UserID)
	}
	return nil, s.o.Moves.Leave(ctx, a.who.InstanceID, a.ContactID, a.who.UserID)
}

type participantArgs struct {
	Participant int    `json:"participant,omitempty"`
	Digits      string `json:"digits,omitempty"`
}

// speaks refuses those who only listen, and contacts without audio.
func (a *asked) speaks() error {
	switch {
	case textChannel(a.contact.Channel):
		return fault(codeState, "this is for calls; the contact is a %s", a.contact.Channel)
	case a.contact.Role == call.RoleSupervisor.String():
		return fault(codeDenied, "who listens to a contact does not steer it")
	}
	return nil
}

// customer is the participant whom the contact is about.
func (a *asked) customer() int {
	i := slices.IndexFunc(a.contact.Participants, func(p Participant) bool { return p.Role == call.RoleCustomer.String() })
	if i < 0 {
		return 0
	}
	return a.contact.Participants[i].ID
}

// participant reads whom a command is about; otherwise is who is meant when it says nothing.
func (a *asked) participant(otherwise int) (in participantArgs, err error) {
	if err = a.read(&in); err != nil {
		return in, err
	}
	if in.Participant == 0 {
		in.Participant = otherwise
	}
	if in.Participant == 0 {
		return in, fault(codeState, "nobody is in the call whom this could mean")
	}
	return in, a.speaks()
}

func (s *Service) holdOn(ctx context.Context, a *asked) (any, error) {
	return nil, s.hold(ctx, a, true)
}

func (s *Service) holdOff(ctx context.Context, a *asked) (any, error) {
	return nil, s.hold(ctx, a, false)
}

func (s *Service) hold(ctx context.Context, a *asked, on bool) error {
	in, err := a.participant(a.customer())
	if err != nil {
		return err
	}
	return s.o.Calls.Hold(ctx, a.who.InstanceID, a.ContactID, in.Participant, on)
}

func (s *Service) muteOn(ctx context.Context, a *asked) (any, error) {
	return nil, s.mute(ctx, a, true)
}

func (s *Service) muteOff(ctx context.Context, a *asked) (any, error) {
	return nil, s.mute(ctx, a, false)
}

func (s *Service) mute(ctx context.Context, a *asked, on bool) error {
	in, err := a.participant(a.contact.Me)
	if err != nil {
		return err
	}
	return s.o.Calls.Mute(ctx, a.who.InstanceID, a.ContactID, in.Participant, on)
}

// digits sends keys. They may be a card's: they are in no log.
func (s *Service) digits(_ context.Context, a *asked) (any, error) {
	in, err := a.participant(a.customer())
	if err != nil {
		return nil, err
	}
	return nil, s.o.Calls.SendDigits(a.who.InstanceID, a.ContactID, in.Participant, in.Digits)
}

// remove sends somebody out of the call.
func (s *Service) remove(ctx context.Context, a *asked) (any, error) {
	in, err := a.participant(0)
	if err != nil {
		return nil, err
	}
	return nil, s.o.Calls.Remove(ctx, a.who.InstanceID, a.ContactID, in.Participant)
}

func (s *Service) tape(ctx context.Context, a *asked, do call.TapeAction) (any, error) {
	if err := a.speaks(); err != nil {
		return nil, err
	}
	return nil, s.o.Calls.Tape(ctx, a.who.InstanceID, a.ContactID, do)
}

// monitor brings a supervisor into somebody's contact.
func (s *Service) monitor(ctx context.Context, a *asked) (any, error) {
	in := struct {
		Mode string `json:"mode"`
	}{"MONITOR"}
	if err := a.read(&in); err != nil {
		return nil, err
	}
	as, ok := map[string]call.Role{"MONITOR": call.Monitor, "COACH": call.Coach, "BARGE": call.Speaker}[in.Mode]
	if !ok {
		f := fault(codeInvalid, "must be MONITOR, COACH or BARGE")
		f.Field = "args.mode"
		return nil, f
	}
	if a.ContactID == "" {
		return nil, missing("contactId")
	}
	if c, mine := a.who.hub.has(a.ContactID); mine && c.Role != call.RoleSupervisor.String() {
		return nil, fault(codeState, "you are in this contact already")
	} else if mine && c.Hears != in.Mode {
		err := s.o.Moves.Supervise(ctx, a.who.InstanceID, a.ContactID, a.who.UserID, as)
		if !errs.Is(err, errs.Denied) {
			return nil, err
		}
		if err = s.o.Calls.Remove(ctx, a.who.InstanceID, a.ContactID, c.Me); err != nil { // they come back as what they may be now
			return nil, err
		}
	}
	return nil, s.o.Calls.Invite(ctx, a.who.InstanceID, a.ContactID, call.Invitation{
		By: a.who.UserID, UserID: a.who.UserID, Supervisor: true, Barges: true, Hears: as,
	})
}

// moveCommands are about calls that begin and change hands.
func moveCommands() map[string]spec {
	return map[string]spec{
		"transfer": {contact: true, do: (*Service).transfer},
		"consult":  {contact: true, do: (*Service).consult},
		"leave":    {contact: true, do: (*Service).leave},
		"invite":   {contact: true, do: (*Service).invite},
		"dial":     {permission: identity.OutboundCallAccess, do: (*Service).dial},
	}
}

type destinationArgs struct {
	QuickConnectID string `json:"quickConnectId,omitempty"`
	UserID         string `json:"userId,omitempty"`
	QueueID        string `json:"queueId,omitempty"`
	Number         string `json:"number,omitempty"`
	FlowID         string `json:"flowId,omitempty"`
	TransferFlowID string `json:"transferFlowId,omitempty"`
}

// destination reads where a contact is to go.
func (s *Service) destination(a *asked) (call.Destination, error) {
	var in destinationArgs
	to := call.Destination{}
	if err := a.read(&in); err != nil {
		return to, err
	}
	named := 0
	for _, text := range []string{in.QuickConnectID, in.UserID, in.QueueID, in.Number, in.FlowID} {
		if text != "" {
			named++
		}
	}
	if named != 1 {
		f := fault(codeInvalid, "must name one of quickConnectId, userId, queueId, number, flowId")
		f.Field = "args"
		return to, f
	}
	to = call.Destination{UserID: in.UserID, QueueID: in.QueueID, Number: in.Number, FlowID: in.FlowID, TransferFlowID: in.TransferFlowID}
	if in.QuickConnectID != "" {
		var err error
		if to, err = s.quickConnect(a, in.QuickConnectID); err != nil {
			return to, err
		}
	}
	if to.Number != "" && !a.who.Can(identity.OutboundCallAccess) {
		return to, fault(codeDenied, "calling a number needs the permission %s", identity.OutboundCallAccess)
	}
	return to, a.speaks()
}

// quickConnect finds one among those that the agent can see.
func (s *Service) quickConnect(a *asked, id string) (call.Destination, error) {
	setup, err := s.o.Directory.Setup(a.who.InstanceID, a.who.UserID)
	if err != nil {
		return call.Destination{}, err
	}
	for _, list := range setup.QuickConnects {
		for _, q := range list {
			if q.ID != id {
				continue
			}
			to := call.Destination{UserID: q.UserID, QueueID: q.Queue, Number: q.Number}
			if q.Type == "FLOW" {
				to.FlowID = q.FlowID
			} else {
				to.TransferFlowID = q.FlowID
			}
			return to, nil
		}
	}
	return call.Destination{}, fault(codeNotFound, "no quick connect %.64q in your queues", id)
}

func (s *Service) transfer(ctx context.Context, a *asked) (any, error) {
	to, err := s.destination(a)
	if err != nil {
		return nil, err
	}
	return nil, s.o.Moves.Transfer(ctx, a.who.InstanceID, a.ContactID, a.who.UserID, to)
}

func (s *Service) consult(ctx context.Context, a *asked) (any, error) {
	to, err := s.destination(a)
	if err != nil {
		return nil, err
	}
	return nil, s.o.Moves.Consult(ctx, a.who.InstanceID, a.ContactID, a.who.UserID, to)
}

// leave hangs up the agent's own leg: the others talk on.
func (s *Service) leave(ctx context.Context, a *asked) (any, error) {
	if textChannel(a.contact.Channel) {
		return nil, fault(codeState, "complete is for chats and tasks")
	}
	return nil, s.o.Moves.Leave(ctx, a.who.InstanceID, a.ContactID, a.who.UserID)
}

// invite brings a third party in beside the customer, who is not put on hold.
func (s *Service) invite(ctx context.Context, a *asked) (any, error) {
	to, err := s.destination(a)
	if err != nil {
		return nil, err
	}
	if to.UserID == "" && to.Number == "" {
		return nil, fault(codeInvalid, "a user or a number can be invited")
	}
	return nil, s.o.Calls.Invite(ctx, a.who.InstanceID, a.ContactID, call.Invitation{By: a.who.UserID, UserID: to.UserID, Number: to.Number})
}

// dial calls a number: the agent's device rings first.
func (s *Service) dial(ctx context.Context, a *asked) (any, error) {
	var in struct {
		Number  string `json:"number"`
		QueueID string `json:"queueId,omitempty"`
	}
	if err := a.read(&in); err != nil {
		return nil, err
	}
	if in.Number == "" || len(in.Number) > maxKey {
		return nil, missing("number")
	}
	id, err := s.o.Moves.Dial(ctx, a.who.InstanceID, a.who.UserID, call.Dial{Number: in.Number, QueueID: in.QueueID})
	if err != nil {
		return nil, err
	}
	return map[string]string{"contactId": id}, nil
}
