package connect

import (
	"context"
	"slices"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) agents(t *rest.Table) {
	rest.Op(t, "PutUserStatus", "PUT", "/users/{InstanceId}/{UserId}/status", "", s.putUserStatus)
	rest.Op(t, "DismissUserContact", "POST", "/users/{InstanceId}/{UserId}/contact", "", s.dismissUserContact)
	rest.Op(t, "GetCurrentUserData", "POST", "/metrics/userdata/{InstanceId}", identity.RealTimeMetrics,
		s.getCurrentUserData, rest.ReadOnly)
}

// mayControl lets agents act for themselves, and for others those who watch them on the real-time pages.
func mayControl(c *rest.Call, userID string) error {
	need := identity.RealTimeMetrics
	if userID == c.Principal.UserID {
		need = identity.BasicAgentAccess
	}
	if !c.Principal.Can(need) {
		return errs.New(errs.Denied, "this needs the permission %s", need)
	}
	return nil
}

type putUserStatusInput struct {
	InstanceID    string `json:"-" path:"InstanceId" ref:"instance"`
	UserID        string `json:"-" path:"UserId" ref:"agent"`
	AgentStatusID string `json:"AgentStatusId" ref:"agent-state"`
}

func (s *service) putUserStatus(ctx context.Context, c *rest.Call, in *putUserStatusInput) (*rest.Empty, error) {
	if err := mayControl(c, in.UserID); err != nil {
		return nil, err
	}
	if _, err := s.Users.Get(ctx, c.Instance(), in.UserID); err != nil {
		return nil, err
	}
	status, err := s.AgentStatuses.Get(ctx, c.Instance(), in.AgentStatusID)
	if err != nil {
		return nil, err
	}
	if status.Disabled {
		return nil, errs.New(errs.InvalidRequest, "status %s is disabled", status.Name)
	}
	c.Note("status", status.Name)
	return done(s.Agents.SetStatus(ctx, c.Instance(), in.UserID, in.AgentStatusID))
}

type dismissUserContactInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	UserID     string `json:"-" path:"UserId" ref:"agent"`
	ContactID  string `json:"ContactId" ref:"contact"`
}

func (s *service) dismissUserContact(ctx context.Context, c *rest.Call, in *dismissUserContactInput) (*rest.Empty, error) {
	if err := mayControl(c, in.UserID); err != nil {
		return nil, err
	}
	if _, err := s.Users.Get(ctx, c.Instance(), in.UserID); err != nil {
		return nil, err
	}
	c.Note("contact_id", in.ContactID)
	return done(s.Agents.Dismiss(ctx, c.Instance(), in.UserID, in.ContactID))
}

// profilesServing are the routing profiles that have one of the queues.
func (s *service) profilesServing(ctx context.Context, c *rest.Call, queueIDs []string) ([]string, error) {
	all, err := resource.All(ctx, s.RoutingProfiles, c.Instance())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, p := range all {
		if slices.ContainsFunc(p.Queues, func(q acd.ProfileQueue) bool { return slices.Contains(queueIDs, q.QueueID) }) {
			ids = append(ids, p.ID)
		}
	}
	return ids, nil
}

// contactStateOf is a slot's state by its name in the Connect API.
func contactStateOf(state acd.SlotState) string {
	switch state {
	case acd.SlotOffered:
		return "CONNECTING"
	case acd.SlotACW:
		return "ENDED"
	case acd.SlotConnected, acd.SlotMissed, acd.SlotRejected, acd.SlotError:
		return string(state)
	default:
		return string(state)
	}
}
