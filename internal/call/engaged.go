package call

import (
	"slices"
	"sync"
)

// engagements counts, for every user, the calls of their own that they are in: those that they placed or were called to by
// a colleague, consultations, supervision. What a queue has given them is not among them: the ACD knows of that itself. It
// is made of the live calls and of nothing else, so there is nothing to be put right after a crash.
type engagements struct {
	mu sync.Mutex
	by map[string][]*actor
}

// OnCall reports whether a user is in a call of their own, or is being called to one.
func (m *Manager) OnCall(userID string) bool {
	m.engaged.mu.Lock()
	defer m.engaged.mu.Unlock()
	return len(m.engaged.by[userID]) > 0
}

// OwnContacts are the contacts of the calls of a user's own, OnCall's reasons, oldest first.
func (m *Manager) OwnContacts(userID string) []string {
	m.engaged.mu.Lock()
	defer m.engaged.mu.Unlock()
	ids := make([]string, 0, len(m.engaged.by[userID]))
	for _, a := range m.engaged.by[userID] {
		if id := a.snapshot.Load().Record.ID; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// engage replaces the users of one call, and tells of those for whom that made a difference.
func (m *Manager) engage(a *actor, were, are []string) {
	if slices.Equal(were, are) {
		return
	}
	var changed []string
	m.engaged.mu.Lock()
	for _, id := range are {
		m.engaged.by[id] = append(m.engaged.by[id], a)
		if len(m.engaged.by[id]) == 1 {
			changed = append(changed, id)
		}
	}
	for _, id := range were {
		left := m.engaged.by[id]
		if i := slices.Index(left, a); i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
		if m.engaged.by[id] = left; len(left) == 0 {
			delete(m.engaged.by, id)
			changed = append(changed, id)
		}
	}
	m.engaged.mu.Unlock()
	for _, id := range were {
		m.o.Changed(id)
	}
	for _, id := range changed {
		m.o.Engaged(id)
	}
}

// ownUsers are the users of the instance who are in a call by themselves, in order.
func (s *State) ownUsers() (ids []string) {
	for i := range s.Parties {
		p := &s.Parties[i]
		if p.Person.ID == "" || p.Stage == partyGone || p.Stage == partyPlanned || p.ID == s.AgentGen && s.Offer.ID != "" || p.ID == s.Aside.To {
			continue
		}
		ids = append(ids, p.Person.ID)
	}
	slices.Sort(ids)
	return ids
}
