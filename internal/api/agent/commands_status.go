package agent

import (
	"context"
	"slices"
	"unicode/utf8"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/internal/identity"
)

// statusCommands are about the agent's own availability.
func statusCommands() map[string]spec {
	return map[string]spec{
		"set-status":   {safe: true, do: (*Service).setStatus},
		"dismiss":      {contact: true, safe: true, do: (*Service).dismiss},
		"end-acw":      {contact: true, safe: true, do: (*Service).endACW},
		"pick":         {do: (*Service).pick},
		"list-waiting": {safe: true, do: (*Service).listWaiting},
	}
}

type statusArgs struct {
	StatusID string `json:"statusId"`
	UserID   string `json:"userId,omitempty"` // of supervisors' commands
}

func (s *Service) setStatus(ctx context.Context, a *asked) (any, error) {
	var in statusArgs
	if err := a.read(&in); err != nil {
		return nil, err
	}
	if in.UserID != "" && in.UserID != a.who.UserID {
		return nil, fault(codeInvalid, "set-agent-status is for other agents")
	}
	if in.StatusID == "" {
		return nil, missing("statusId")
	}
	return nil, s.o.Routing.SetStatus(ctx, a.who.InstanceID, a.who.UserID, in.StatusID)
}

func (s *Service) dismiss(ctx context.Context, a *asked) (any, error) {
	return nil, s.o.Routing.Dismiss(ctx, a.who.InstanceID, a.who.UserID, a.ContactID)
}

func (s *Service) endACW(ctx context.Context, a *asked) (any, error) {
	if a.contact.State != acd.SlotACW.ConnectState() {
		return nil, fault(codeState, "the contact is %s: there is no after-contact work to end", a.contact.State)
	}
	return s.dismiss(ctx, a)
}

func (s *Service) pick(ctx context.Context, a *asked) (any, error) {
	if s.o.Manual == nil {
		return nil, fault(codeUnavailable, "contacts cannot be picked here")
	}
	if a.ContactID == "" {
		return nil, missing("contactId")
	}
	return nil, s.o.Manual.Pick(ctx, a.who.InstanceID, a.who.UserID, a.ContactID)
}

// maxWaiting is how many waiting contacts are listed.
const maxWaiting = 100

// waiting is a contact that an agent may pick.
type waiting struct {
	ContactID string          `json:"contactId"`
	Channel   contact.Channel `json:"channel"`
	Queue     Queue           `json:"queue"`
	Enqueued  Time            `json:"enqueued"`
	Position  int             `json:"position"`
}

func (s *Service) listWaiting(_ context.Context, a *asked) (any, error) {
	out := struct {
		Contacts []waiting `json:"contacts"`
	}{[]waiting{}}
	if s.o.Manual == nil {
		return out, nil
	}
	for _, w := range s.o.Manual.Pickable(a.who.InstanceID, a.who.UserID, maxWaiting) {
		out.Contacts = append(out.Contacts, waiting{w.ContactID, w.Channel, Queue{w.QueueID, w.QueueName}, at(w.Since), w.Position})
	}
	return out, nil
}

// paperCommands are about what an agent writes.
func paperCommands() map[string]spec {
	return map[string]spec{
		"set-disposition": {contact: true, safe: true, do: (*Service).setDisposition},
		"set-notes":       {contact: true, safe: true, do: (*Service).setNotes},
	}
}

// maxNotes is the longest note, in characters.
const maxNotes = 4096

// writes reports whether the agent may write about the contact: they serve it, or have just done so.
func (a *asked) writes() error {
	switch {
	case a.contact.Role == "SUPERVISOR":
		return fault(codeNotYours, "who listens does not write")
	case slices.Contains([]string{"CONNECTED", "CONNECTED_ONHOLD", "ENDED"}, a.contact.State):
		return nil
	}
	return fault(codeState, "the contact is %s", a.contact.State)
}

func (s *Service) setDisposition(ctx context.Context, a *asked) (any, error) {
	var in struct {
		Code string `json:"code"`
	}
	if err := a.read(&in); err != nil {
		return nil, err
	}
	if s.o.Paper == nil {
		return nil, fault(codeUnavailable, "there are no disposition codes here")
	}
	if err := a.writes(); err != nil {
		return nil, err
	}
	err := s.o.Paper.SetDisposition(ctx, a.who.InstanceID, a.ContactID, a.who.UserID, in.Code)
	if err == nil {
		a.who.hub.wrote(a.ContactID, func(w *written) { w.disposition = in.Code })
	}
	return nil, err
}

func (s *Service) setNotes(ctx context.Context, a *asked) (any, error) {
	var in struct {
		Notes string `json:"notes"`
	}
	if err := a.read(&in); err != nil {
		return nil, err
	}
	if s.o.Paper == nil {
		return nil, fault(codeUnavailable, "there are no notes here")
	}
	if n := utf8.RuneCountInString(in.Notes); n > maxNotes {
		f := fault(codeInvalid, "must have at most %d characters; has %d", maxNotes, n)
		f.Field = "args.notes"
		return nil, f
	}
	if err := a.writes(); err != nil {
		return nil, err
	}
	err := s.o.Paper.SetNotes(ctx, a.who.InstanceID, a.ContactID, a.who.UserID, in.Notes)
	if err == nil {
		a.who.hub.wrote(a.ContactID, func(w *written) { w.notes = in.Notes })
	}
	return nil, err
}

// supervisorCommands are about others.
func supervisorCommands() map[string]spec {
	return map[string]spec{
		"set-agent-status": {permission: identity.RealTimeMetrics, safe: true, do: (*Service).setAgentStatus},
		"sign-out-agent":   {permission: identity.UsersEdit, safe: true, do: (*Service).signOutAgent},
		"monitor":          {permission: identity.ManagerListenIn, do: (*Service).monitor},
	}
}

// setAgentStatus chooses a status for somebody else.
func (s *Service) setAgentStatus(ctx context.Context, a *asked) (any, error) {
	var in statusArgs
	if err := a.read(&in); err != nil {
		return nil, err
	}
	switch {
	case in.StatusID == "":
		return nil, missing("statusId")
	case in.UserID == "":
		return nil, missing("userId")
	}
	if _, err := s.o.Routing.Agent(a.who.InstanceID, in.UserID); err != nil {
		return nil, err
	}
	return nil, s.o.Routing.SetStatus(ctx, a.who.InstanceID, in.UserID, in.StatusID)
}

// signOutAgent ends all sessions of somebody else; statusId, if given, is chosen for them first.
func (s *Service) signOutAgent(ctx context.Context, a *asked) (any, error) {
	var in statusArgs
	if err := a.read(&in); err != nil {
		return nil, err
	}
	if in.UserID == "" {
		return nil, missing("userId")
	}
	if _, err := s.o.Routing.Agent(a.who.InstanceID, in.UserID); err != nil {
		return nil, err
	}
	if in.StatusID != "" {
		if err := s.o.Routing.SetStatus(ctx, a.who.InstanceID, in.UserID, in.StatusID); err != nil {
			return nil, err
		}
	}
	n, err := s.o.Sessions.SignOutUser(ctx, a.who.InstanceID, in.UserID)
	if err != nil {
		return nil, err
	}
	s.signedOut(in.UserID, "", "signed out by a supervisor")
	return map[string]int{"sessions": n}, nil
}

// textChannel reports whether a channel has no audio.
func textChannel(c contact.Channel) bool { return c != contact.Voice }
