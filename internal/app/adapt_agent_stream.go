package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/internal/records"
	"ullim/internal/resource"
	"ullim/storage"
)

// agentStream makes items of the events of agents that the ACD has stored.
type agentStream struct {
	db  *storage.DB
	dir *directory
}

// items implements records.AgentSource.
func (s agentStream) items(ctx context.Context, instanceID string, behind int64, most int) ([]records.Item, int64, error) {
	events, err := s.db.AgentEvents(ctx, instanceID, behind, most)
	if err != nil || len(events) == 0 {
		return nil, behind, err
	}
	var ids []string
	for i := range events {
		for _, m := range []*acd.AgentMoment{&events[i].Before, &events[i].After} {
			for _, c := range m.Contacts {
				ids = append(ids, c.ContactID)
			}
		}
	}
	slices.Sort(ids)
	seen, err := s.db.Look(ctx, slices.Compact(ids))
	if err != nil {
		return nil, behind, err
	}
	t, err := s.dir.tenant(instanceID)
	if err != nil { // its instance is being deleted: ids are still told
		t = &tenant{}
	}
	v := agentView{instanceID: instanceID, t: t, contacts: seen}
	items := make([]records.Item, 0, len(events))
	for i := range events {
		e := &events[i]
		told := records.AgentEvent{EventID: e.EventID, EventType: string(e.Type), CurrentAgentSnapshot: v.snapshot(e.UserID, &e.After)}
		if e.Before.StatusType != "" { // there was one, and it is still kept
			told.PreviousAgentSnapshot = v.snapshot(e.UserID, &e.Before)
		}
		item, err := records.AgentItem(instanceID, e.UserID, e.Seq, e.At, &told)
		if err != nil {
			return nil, behind, err
		}
		items = append(items, item)
	}
	return items, events[len(events)-1].Seq, nil
}

// agentView is what the events of an instance are told with.
type agentView struct {
	instanceID string
	t          *tenant
	contacts   map[string]records.Seen
}

func (v agentView) arn(kind resource.Kind, id string) string {
	if id == "" {
		return ""
	}
	return resource.ARN(v.instanceID, kind, id)
}

func (v agentView) snapshot(userID string, m *acd.AgentMoment) *records.AgentSnapshot {
	out := &records.AgentSnapshot{Configuration: v.config(userID, m), Contacts: []*records.AgentContact{}}
	out.AgentStatus = &records.AgentStatus{
		ARN: v.arn(resource.KindAgentStatus, m.StatusID), Name: m.StatusName, StartTimestamp: records.Instant(m.StatusSince), Type: string(m.StatusType),
	}
	if m.NextStatusID != "" {
		out.NextAgentStatus = &records.NextStatus{ARN: v.arn(resource.KindAgentStatus, m.NextStatusID), Name: m.NextStatusName}
	}
	for _, c := range m.Contacts {
		out.Contacts = append(out.Contacts, v.contact(c))
	}
	return out
}

func (v agentView) config(userID string, m *acd.AgentMoment) *records.AgentConfig {
	out := &records.AgentConfig{Proficiencies: []records.Proficiency{}, RoutingProfile: v.profile(m)}
	if u := v.t.users[userID]; u != nil {
		out.Username, out.FirstName, out.LastName, out.AutoAccept = u.Name, u.FirstName, u.LastName, u.Phone.AutoAccept
		for _, p := range u.Proficiencies {
			out.Proficiencies = append(out.Proficiencies, records.Proficiency{Name: p.Name, Value: p.Value, Level: p.Level})
		}
	}
	for i, g := range m.HierarchyGroups {
		if out.AgentHierarchyGroups == nil {
			out.AgentHierarchyGroups = map[string]records.Line{}
		}
		out.AgentHierarchyGroups[fmt.Sprintf("Level%d", i+1)] = records.Line{ARN: v.arn(resource.KindHierarchyGroup, g.ID), Name: g.Name}
	}
	return out
}

func (v agentView) profile(m *acd.AgentMoment) *records.AgentProfile {
	if m.RoutingProfileID == "" {
		return nil
	}
	out := &records.AgentProfile{ARN: v.arn(resource.KindRoutingProfile, m.RoutingProfileID), Concurrency: []records.AgentSlots{}}
	p := v.t.config.Profiles[m.RoutingProfileID]
	if p == nil {
		return out
	}
	out.Name = p.Name
	for _, c := range p.Concurrencies {
		busy := 0
		for _, has := range m.Contacts {
			if has.Channel == c.Channel {
				busy++
			}
		}
		if c.Channel == contact.Voice && m.OnCall {
			busy++
		}
		out.Concurrency = append(out.Concurrency, records.AgentSlots{AvailableSlots: max(c.Limit-busy, 0), Channel: c.Channel, MaximumSlots: c.Limit})
	}
	if p.DefaultOutboundQueueID != "" {
		out.DefaultOutboundQueue = v.queue(p.DefaultOutboundQueueID)
		out.DefaultOutboundQueue.Channels = []contact.Channel{contact.Voice}
	}
	byID := map[string]*records.AgentQueue{}
	for _, line := range p.Queues {
		q := byID[line.QueueID]
		if q == nil {
			q = v.queue(line.QueueID)
			byID[line.QueueID] = q
			out.InboundQueues = append(out.InboundQueues, q)
		}
		q.Channels = append(q.Channels, line.Channel)
	}
	return out
}

func (v agentView) queue(id string) *records.AgentQueue {
	out := &records.AgentQueue{ARN: v.arn(resource.KindQueue, id)}
	if q := v.t.config.Queues[id]; q != nil {
		out.Name = q.Name
	}
	return out
}

func (v agentView) contact(c acd.AgentContact) *records.AgentContact {
	out := &records.AgentContact{
		ContactID: c.ContactID, Channel: c.Channel, State: connectState(c.State), StateStartTimestamp: records.Instant(c.Since),
		ConnectedToAgentTimestamp: records.Instant(c.Joined),
	}
	if c.QueueID != "" {
		q := v.queue(c.QueueID)
		out.Queue = &records.Line{ARN: q.ARN, Name: q.Name}
	}
	r := v.contacts[c.ContactID].Record
	if r == nil {
		return out
	}
	method, first := string(r.InitiationMethod), cmp.Or(r.InitialContactID, r.ID)
	out.InitiationMethod, out.InitialContactID = &method, &first
	if r.Queue != nil {
		out.QueueTimestamp = records.Instant(r.Queue.EnqueueTimestamp)
	}
	return out
}

// connectState is a state as Connect calls it.
func connectState(s acd.SlotState) string {
	switch s { //nolint:exhaustive // the others are called the same
	case acd.SlotOffered:
		return "CONNECTING"
	case acd.SlotACW:
		return "ENDED"
	default:
		return string(s)
	}
}
