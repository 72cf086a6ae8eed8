package chat

import (
	"context"
	"slices"

	"ullim/internal/errs"
)

// Shown is a view that the customer was shown. Token is in the message; with it the client reads the view.
type Shown struct {
	Token   string `json:"token"`
	ViewID  string `json:"viewId"` // with its version, as view.Find takes it
	Version string `json:"version,omitempty"`
}

// maxShown is how many views of a chat can still be read.
const maxShown = 50

// hiddenContent stands in the transcript for an answer that is not for it.
const hiddenContent = `{"hidden":true}`

// Show shows a view by a message that has its token. hidden: what is filled in stays out of the transcript, until Answered.
func (c *Control) Show(ctx context.Context, v Shown, message string, hidden bool) error {
	if err := CheckMessage(Interactive, message); err != nil {
		return err
	}
	err := c.Update(ctx, func(s *State) error {
		s.Views = append(s.Views, v)
		if len(s.Views) > maxShown {
			s.Views = slices.Clone(s.Views[len(s.Views)-maxShown:])
		}
		s.Hidden = hidden
		return nil
	})
	if err != nil {
		return err
	}
	return c.Say(ctx, message, Interactive)
}

// Answered is the end of a view whose answer was hidden.
func (c *Control) Answered(ctx context.Context) error {
	if !c.Snapshot().Hidden {
		return nil
	}
	return c.Update(ctx, func(s *State) error {
		s.Hidden = false
		return nil
	})
}

// AcceptsType tells whether the customer's client shows a content type.
func (s *State) AcceptsType(contentType string) bool {
	return len(s.Accepts) == 0 || slices.Contains(s.Accepts, contentType)
}

// shown is what a message looks like to everybody but the flow.
func (m *machine) shown(p *Participant) string {
	if m.s.Hidden && p.Role == Customer && m.e.ContentType == InteractiveResponse {
		return hiddenContent
	}
	return m.e.Content
}

// View finds a view that was shown in a chat, by the token in its message.
func (m *Manager) View(ctx context.Context, w Who, token string) (instanceID string, v Shown, err error) {
	s, err := m.stateOf(ctx, w)
	if err != nil {
		return "", Shown{}, err
	}
	for _, v := range s.Views {
		if v.Token == token {
			return s.InstanceID, v, nil
		}
	}
	return "", Shown{}, errs.New(errs.NotFound, "no view of this chat has this token")
}
