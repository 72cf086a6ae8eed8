package app

import (
	"context"

	"ullim/acd"
	"ullim/internal/api/admin"
	"ullim/internal/api/connect"
	"ullim/internal/call"
	"ullim/internal/chat"
	"ullim/internal/errs"
)

// liveRouting is the live side of contacts in line, for the API.
type liveRouting struct {
	c     *centers
	calls *call.Manager
	chats *chat.Manager
}

var (
	_ connect.Routing = liveRouting{}
	_ admin.Routing   = liveRouting{}
)

// Route changes how a live contact is served.
func (l liveRouting) Route(ctx context.Context, instanceID, contactID string, r connect.RoutingChange) error {
	steps := make([]call.RoutingStep, 0, len(r.Steps))
	for _, s := range r.Steps {
		steps = append(steps, call.RoutingStep{Expression: s.Expression, Expiry: s.Expiry})
	}
	if _, err := criteriaOf(steps); err != nil {
		return err
	}
	err := l.calls.Route(instanceID, contactID, call.RoutingChange{Priority: r.Priority, AgeAdjustment: r.AgeAdjustment, Steps: steps})
	if !errs.Is(err, errs.NotFound) {
		return err
	}
	return l.chats.Route(ctx, instanceID, contactID, func(s *chat.Routing) {
		if r.Priority != nil {
			s.Priority = *r.Priority
		}
		if r.AgeAdjustment != nil {
			s.AgeAdjustment = *r.AgeAdjustment
		}
		if len(r.Steps) > 0 {
			s.Steps = nil
			for _, v := range r.Steps {
				s.Steps = append(s.Steps, chat.RoutingStep{Expression: v.Expression, Expiry: v.Expiry})
			}
		}
	})
}

// Assign offers a contact in line to one agent.
func (l liveRouting) Assign(ctx context.Context, instanceID, contactID, userID string) error {
	center, err := l.c.of(instanceID)
	if err != nil {
		return err
	}
	return center.Take(ctx, userID, contactID)
}

// Waiting are the contacts in line of an instance.
func (l liveRouting) Waiting(instanceID string) []acd.WaitingSnapshot {
	if center, err := l.c.of(instanceID); err == nil {
		return center.Waiting()
	}
	return nil
}

// Explain says for every agent why it does not get a contact now.
func (l liveRouting) Explain(instanceID, contactID string) []acd.Verdict {
	if center, err := l.c.of(instanceID); err == nil {
		return center.Explain(contactID)
	}
	return nil
}

// Decisions are the latest decisions on a contact.
func (l liveRouting) Decisions(ctx context.Context, instanceID, contactID string) ([]acd.Decision, error) {
	center, err := l.c.of(instanceID)
	if err != nil {
		return nil, err
	}
	return center.Decisions(ctx, contactID)
}
