package connect

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/contact"
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

type contactFilter struct {
	ContactStates []string `json:"ContactStates,omitempty"`
}

type userDataFilters struct {
	Agents              []string         `json:"Agents,omitempty" ref:"agent"`
	Queues              []string         `json:"Queues,omitempty" ref:"queue"`
	RoutingProfiles     []string         `json:"RoutingProfiles,omitempty" ref:"routing-profile"`
	ContactFilter       *contactFilter   `json:"ContactFilter,omitempty"`
	UserHierarchyGroups rest.Unsupported `json:"UserHierarchyGroups,omitzero"`
}

type getCurrentUserDataInput struct {
	InstanceID string           `json:"-" path:"InstanceId" ref:"instance"`
	Filters    *userDataFilters `json:"Filters"`
	MaxResults int              `json:"MaxResults,omitempty"`
	NextToken  string           `json:"NextToken,omitempty"`
}

type reference struct {
	ID  string `json:"Id"`
	ARN string `json:"Arn"`
}

type statusReference struct {
	StatusStartTimestamp rest.Time `json:"StatusStartTimestamp,omitzero"`
	StatusARN            string    `json:"StatusArn"`
	StatusName           string    `json:"StatusName"`
}

type agentContactReference struct {
	ContactID                 string          `json:"ContactId"`
	Channel                   contact.Channel `json:"Channel"`
	AgentContactState         string          `json:"AgentContactState"`
	StateStartTimestamp       rest.Time       `json:"StateStartTimestamp,omitzero"`
	ConnectedToAgentTimestamp rest.Time       `json:"ConnectedToAgentTimestamp,omitzero"`
	Queue                     *reference      `json:"Queue,omitempty"`
}

type userData struct {
	User                    reference               `json:"User"`
	RoutingProfile          reference               `json:"RoutingProfile"`
	Status                  *statusReference        `json:"Status,omitempty"`
	NextStatus              string                  `json:"NextStatus,omitempty"`
	AvailableSlotsByChannel map[contact.Channel]int `json:"AvailableSlotsByChannel"`
	MaxSlotsByChannel       map[contact.Channel]int `json:"MaxSlotsByChannel"`
	ActiveSlotsByChannel    map[contact.Channel]int `json:"ActiveSlotsByChannel"`
	Contacts                []agentContactReference `json:"Contacts"`
}

type getCurrentUserDataOutput struct {
	UserDataList          []userData `json:"UserDataList"`
	NextToken             string     `json:"NextToken,omitempty"`
	ApproximateTotalCount int        `json:"ApproximateTotalCount"`
}

func (s *service) getCurrentUserData(
	ctx context.Context, c *rest.Call, in *getCurrentUserDataInput,
) (*getCurrentUserDataOutput, error) {
	pg, err := pageOf(in.MaxResults, 100, "")
	if err != nil {
		return nil, err
	}
	f := in.Filters
	if len(f.Agents)+len(f.Queues)+len(f.RoutingProfiles) == 0 {
		return nil, errs.Field("Filters", "must name agents, queues or routing profiles")
	}
	profiles := f.RoutingProfiles
	if len(f.Queues) > 0 {
		serving, perr := s.profilesServing(ctx, c, f.Queues)
		if perr != nil {
			return nil, perr
		}
		profiles = append(profiles, serving...)
	}
	var found []acd.AgentSnapshot
	for _, a := range s.Agents.CurrentUsers(c.Instance()) {
		if slices.Contains(f.Agents, a.UserID) || slices.Contains(profiles, a.RoutingProfileID) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b acd.AgentSnapshot) int { return cmp.Compare(a.UserID, b.UserID) })
	out := &getCurrentUserDataOutput{UserDataList: []userData{}, ApproximateTotalCount: len(found)}
	// The token is the last user shown: people may come and go between pages.
	found = slices.DeleteFunc(found, func(a acd.AgentSnapshot) bool { return a.UserID <= in.NextToken })
	if len(found) > pg.Max {
		found = found[:pg.Max]
		out.NextToken = found[pg.Max-1].UserID
	}
	for i := range found {
		out.UserDataList = append(out.UserDataList, userDataOf(c.Instance(), &found[i], f.ContactFilter))
	}
	return out, nil
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

func userDataOf(instanceID string, a *acd.AgentSnapshot, filter *contactFilter) userData {
	ref := func(kind resource.Kind, id string) reference {
		return reference{ID: id, ARN: resource.ARN(instanceID, kind, id)}
	}
	d := userData{
		User: ref(resource.KindUser, a.UserID), RoutingProfile: ref(resource.KindRoutingProfile, a.RoutingProfileID),
		NextStatus: a.NextStatusName, AvailableSlotsByChannel: a.AvailableSlots, MaxSlotsByChannel: a.MaxSlots,
		ActiveSlotsByChannel: a.ActiveSlots, Contacts: []agentContactReference{},
	}
	if a.StatusID != "" {
		d.Status = &statusReference{
			StatusStartTimestamp: rest.At(a.StatusSince), StatusName: a.StatusName,
			StatusARN: resource.ARN(instanceID, resource.KindAgentStatus, a.StatusID),
		}
	}
	for _, slot := range a.Slots {
		state := contactStateOf(slot.State)
		if filter != nil && len(filter.ContactStates) > 0 && !slices.ContainsFunc(filter.ContactStates,
			func(want string) bool { return strings.EqualFold(want, state) }) {
			continue
		}
		line := agentContactReference{
			ContactID: slot.ContactID, Channel: slot.Channel, AgentContactState: state,
			StateStartTimestamp: rest.At(slot.Since),
		}
		if slot.QueueID != "" {
			q := ref(resource.KindQueue, slot.QueueID)
			line.Queue = &q
		}
		d.Contacts = append(d.Contacts, line)
	}
	return d
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
