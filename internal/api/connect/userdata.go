package connect

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

// maxUserFilter is how many of a kind GetCurrentUserData may be asked for.
const maxUserFilter = 100

type contactFilter struct {
	ContactStates []string `json:"ContactStates,omitempty"`
}

type userDataFilters struct {
	Agents              []string       `json:"Agents,omitempty" ref:"agent"`
	Queues              []string       `json:"Queues,omitempty" ref:"queue"`
	RoutingProfiles     []string       `json:"RoutingProfiles,omitempty" ref:"routing-profile"`
	UserHierarchyGroups []string       `json:"UserHierarchyGroups,omitempty" ref:"agent-group"`
	ContactFilter       *contactFilter `json:"ContactFilter,omitempty"`
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
	ContactID                 string                   `json:"ContactId"`
	Channel                   contact.Channel          `json:"Channel"`
	InitiationMethod          contact.InitiationMethod `json:"InitiationMethod,omitempty"`
	AgentContactState         string                   `json:"AgentContactState"`
	StateStartTimestamp       rest.Time                `json:"StateStartTimestamp,omitzero"`
	ConnectedToAgentTimestamp rest.Time                `json:"ConnectedToAgentTimestamp,omitzero"`
	Queue                     *reference               `json:"Queue,omitempty"`
}

type userHierarchy struct {
	LevelOne   *reference `json:"LevelOne,omitempty"`
	LevelTwo   *reference `json:"LevelTwo,omitempty"`
	LevelThree *reference `json:"LevelThree,omitempty"`
	LevelFour  *reference `json:"LevelFour,omitempty"`
	LevelFive  *reference `json:"LevelFive,omitempty"`
}

type userData struct {
	User                    reference               `json:"User"`
	RoutingProfile          reference               `json:"RoutingProfile"`
	HierarchyPath           *userHierarchy          `json:"HierarchyPath,omitempty"`
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

// contactStates are the states of contacts as the Connect API names them.
func contactStates() []string {
	return []string{"INCOMING", "PENDING", "CONNECTING", "CONNECTED", "CONNECTED_ONHOLD", "MISSED", "ERROR", "ENDED", "REJECTED"}
}

func (f *userDataFilters) check() error {
	kinds := 0
	for _, l := range []struct {
		field string
		n     int
	}{{"Agents", len(f.Agents)}, {"Queues", len(f.Queues)}, {"RoutingProfiles", len(f.RoutingProfiles)}, {"UserHierarchyGroups", len(f.UserHierarchyGroups)}} {
		if l.n > maxUserFilter {
			return errs.Field("Filters."+l.field, "must be at most %d; are %d", maxUserFilter, l.n)
		}
		kinds += min(l.n, 1)
	}
	switch {
	case kinds == 0:
		return errs.Field("Filters", "must name agents, queues, routing profiles or hierarchy groups")
	case len(f.UserHierarchyGroups) > 1:
		return errs.Field("Filters.UserHierarchyGroups", "must be at most one; are %d", len(f.UserHierarchyGroups))
	case f.ContactFilter == nil:
		return nil
	}
	for i, state := range f.ContactFilter.ContactStates {
		if !slices.Contains(contactStates(), state) {
			return errs.Field(fmt.Sprintf("Filters.ContactFilter.ContactStates[%d]", i), "%q is not a state of contacts", state)
		}
	}
	return nil
}

func (s *service) getCurrentUserData(ctx context.Context, c *rest.Call, in *getCurrentUserDataInput) (*getCurrentUserDataOutput, error) {
	pg, err := pageOf(in.MaxResults, 100, "")
	if err != nil {
		return nil, err
	}
	f := in.Filters
	if err = f.check(); err != nil {
		return nil, err
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
		inGroup := slices.ContainsFunc(a.HierarchyGroups, func(g contact.Group) bool { return slices.Contains(f.UserHierarchyGroups, g.ID) })
		if inGroup || slices.Contains(f.Agents, a.UserID) || slices.Contains(profiles, a.RoutingProfileID) {
			if showsContacts(&a, f.ContactFilter) {
				found = append(found, a)
			}
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
		d, err := s.userDataOf(ctx, c.Instance(), &found[i], f.ContactFilter)
		if err != nil {
			return nil, err
		}
		out.UserDataList = append(out.UserDataList, d)
	}
	return out, nil
}

// showsContacts reports whether an agent has a contact in one of the states that are asked for.
func showsContacts(a *acd.AgentSnapshot, filter *contactFilter) bool {
	return filter == nil || len(filter.ContactStates) == 0 ||
		slices.ContainsFunc(a.Slots, func(s acd.Slot) bool { return slices.Contains(filter.ContactStates, contactStateOf(s.State)) })
}

func (s *service) userDataOf(ctx context.Context, instanceID string, a *acd.AgentSnapshot, filter *contactFilter) (userData, error) {
	ref := func(kind resource.Kind, id string) reference {
		return reference{ID: id, ARN: resource.ARN(instanceID, kind, id)}
	}
	d := userData{
		User: ref(resource.KindUser, a.UserID), RoutingProfile: ref(resource.KindRoutingProfile, a.RoutingProfileID),
		NextStatus: a.NextStatusName, AvailableSlotsByChannel: a.AvailableSlots, MaxSlotsByChannel: a.MaxSlots,
		ActiveSlotsByChannel: a.ActiveSlots, Contacts: []agentContactReference{},
	}
	if len(a.HierarchyGroups) > 0 {
		d.HierarchyPath = &userHierarchy{}
		for i, level := range []**reference{
			&d.HierarchyPath.LevelOne, &d.HierarchyPath.LevelTwo, &d.HierarchyPath.LevelThree, &d.HierarchyPath.LevelFour, &d.HierarchyPath.LevelFive,
		} {
			if i < len(a.HierarchyGroups) {
				g := ref(resource.KindHierarchyGroup, a.HierarchyGroups[i].ID)
				*level = &g
			}
		}
	}
	if a.StatusID != "" {
		d.Status = &statusReference{
			StatusStartTimestamp: rest.At(a.StatusSince), StatusName: a.StatusName,
			StatusARN: resource.ARN(instanceID, resource.KindAgentStatus, a.StatusID),
		}
	}
	for _, slot := range a.Slots {
		state := contactStateOf(slot.State)
		if filter != nil && len(filter.ContactStates) > 0 && !slices.Contains(filter.ContactStates, state) {
			continue
		}
		line := agentContactReference{
			ContactID: slot.ContactID, Channel: slot.Channel, AgentContactState: state, StateStartTimestamp: rest.At(slot.Since),
		}
		if slot.QueueID != "" {
			q := ref(resource.KindQueue, slot.QueueID)
			line.Queue = &q
		}
		r, err := s.Contacts.Contact(ctx, instanceID, slot.ContactID)
		switch {
		case err == nil:
			line.InitiationMethod = r.InitiationMethod
			if r.Agent != nil && r.Agent.ID == a.UserID {
				line.ConnectedToAgentTimestamp = rest.At(r.Agent.ConnectedToAgentTimestamp)
			}
		case !errs.Is(err, errs.NotFound):
			return d, err
		}
		if line.ConnectedToAgentTimestamp.IsZero() && slot.State == acd.SlotConnected {
			line.ConnectedToAgentTimestamp = rest.At(slot.Since)
		}
		d.Contacts = append(d.Contacts, line)
	}
	return d, nil
}
