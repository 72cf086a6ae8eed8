package connect

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/identity"
)

func (s *service) pauses(t *rest.Table) {
	rest.Op(t, "PauseContact", "POST", "/contact/pause", identity.BasicAgentAccess, s.pauseContact)
	rest.Op(t, "ResumeContact", "POST", "/contact/resume", identity.BasicAgentAccess, s.resumeContact)
}

type pauseContactInput struct {
	InstanceID    string `json:"InstanceId" ref:"instance"`
	ContactID     string `json:"ContactId" ref:"contact"`
	ContactFlowID string `json:"ContactFlowId,omitempty" ref:"contact-flow"` // taken for the sake of clients: the task's event flow runs
}

// pauseContact puts a task aside.
func (s *service) pauseContact(ctx context.Context, c *rest.Call, in *pauseContactInput) (*rest.Empty, error) {
	c.Note("contact_id", in.ContactID)
	return done(s.Chats.Pause(ctx, c.Instance(), in.ContactID))
}

// resumeContact takes it up again.
func (s *service) resumeContact(ctx context.Context, c *rest.Call, in *pauseContactInput) (*rest.Empty, error) {
	c.Note("contact_id", in.ContactID)
	return done(s.Chats.Continue(ctx, c.Instance(), in.ContactID))
}
