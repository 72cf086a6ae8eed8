package acd

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"ullim/internal/calendar"
	"ullim/internal/contact"
	"ullim/internal/resource"
)

// Config is what an operator has set up for one instance, by id: a private copy that nobody changes any more.
type Config struct {
	Queues   map[string]*Queue
	Hours    map[string]*Hours
	Profiles map[string]*RoutingProfile
	Statuses map[string]*AgentStatus
	Agents   map[string]Agent
}

// Profile is a routing profile made ready for Pick.
type Profile struct {
	*RoutingProfile
	lines    []ProfileQueue // by priority, then as written
	byKey    map[lineKey]ProfileQueue
	channels map[contact.Channel]Concurrency
}

// lineKey names a line of people: a queue has one for each channel.
type lineKey struct {
	queue   string
	channel contact.Channel
}

// CompileProfile makes p ready for Pick. p must not change afterwards.
func CompileProfile(p *RoutingProfile) *Profile {
	c := &Profile{
		RoutingProfile: p,
		lines:          slices.Clone(p.Queues),
		byKey:          make(map[lineKey]ProfileQueue, len(p.Queues)),
		channels:       make(map[contact.Channel]Concurrency, len(p.Concurrencies)),
	}
	slices.SortStableFunc(c.lines, func(a, b ProfileQueue) int { return cmp.Compare(a.Priority, b.Priority) })
	for _, q := range p.Queues {
		c.byKey[lineKey{q.QueueID, q.Channel}] = q
	}
	for _, m := range p.Concurrencies {
		c.channels[m.Channel] = m
	}
	return c
}

// Serves reports whether the profile has the queue, on any channel.
func (p *Profile) Serves(queueID string) bool {
	return slices.ContainsFunc(p.lines, func(q ProfileQueue) bool { return q.QueueID == queueID })
}

// silent reports whether the profile has channels that need no device: chats and tasks are offered to a panel.
func (p *Profile) silent() bool {
	return slices.ContainsFunc(p.lines, func(q ProfileQueue) bool { return q.Channel != contact.Voice })
}

// setup is Config made ready for the actor.
type setup struct {
	Config
	profiles  map[string]*Profile
	schedules map[string]*calendar.Schedule
	offline   string                      // id of the instance's OFFLINE status
	serving   map[lineKey][]server        // which profiles serve a line
	members   map[string]members          // the agents of a profile, by its id
	delays    map[lineKey][]time.Duration // after which it is eligible for somebody more
}

// prepare compiles a configuration. Hours that do not compile (stored by an older version, perhaps) are left out, and
// named in the result.
func prepare(c Config, old *setup) (*setup, []string) {
	s := &setup{
		Config:    c,
		profiles:  make(map[string]*Profile, len(c.Profiles)),
		schedules: make(map[string]*calendar.Schedule, len(c.Hours)),
		members:   countMembers(c.Agents),
		serving:   make(map[lineKey][]server), delays: make(map[lineKey][]time.Duration),
	}
	for id, p := range c.Profiles {
		if old != nil && sameVersion(old.Profiles[id], p) {
			s.profiles[id] = old.profiles[id]
		} else {
			s.profiles[id] = CompileProfile(p)
		}
		s.serve(s.profiles[id])
	}
	var bad []string
	for id, h := range c.Hours {
		compiled, err := CompileHours(h, func(id string) *Hours { return c.Hours[id] })
		if err != nil {
			bad = append(bad, id)
			continue
		}
		s.schedules[id] = compiled
	}
	for id, st := range c.Statuses {
		if st.Type == Offline && (s.offline == "" || id < s.offline) {
			s.offline = id
		}
	}
	return s, bad
}

// serve notes which lines a profile serves.
func (s *setup) serve(p *Profile) {
	for key, q := range p.byKey {
		s.serving[key] = append(s.serving[key], server{p, q})
		if d := time.Duration(q.Delay) * time.Second; d > 0 && !slices.Contains(s.delays[key], d) {
			s.delays[key] = append(s.delays[key], d)
		}
	}
}

// versioned is what has a version and a place in memory.
type versioned[T any] interface {
	*T
	Head() *resource.Meta
}

// sameVersion reports whether two pointers are to the same version of a resource.
func sameVersion[T any, P versioned[T]](a, b P) bool {
	if a == nil || b == nil {
		return false
	}
	return a == b || a.Head().Version != 0 && a.Head().ID == b.Head().ID && a.Head().Version == b.Head().Version
}

// sameMap reports whether two maps have the same versions of the same resources.
func sameMap[T any, P versioned[T]](a, b map[string]P) bool {
	if len(a) != len(b) {
		return false
	}
	for id, v := range a {
		if !sameVersion(v, b[id]) {
			return false
		}
	}
	return true
}

// routesLike reports whether nobody but the agents themselves has changed.
func (s *setup) routesLike(old *setup) bool {
	return old != nil && sameMap(s.Profiles, old.Profiles) && sameMap(s.Queues, old.Queues) && sameMap(s.Statuses, old.Statuses)
}

// same reports whether two agents are the same in everything that routing knows.
func (g Agent) same(o Agent) bool {
	skills, others := g.Skills, o.Skills
	g.Skills, o.Skills = nil, nil
	return reflect.DeepEqual(g, o) && maps.Equal(skills, others)
}

// routable reports whether agents in a status are offered contacts.
func (s *setup) routable(statusID string) bool {
	st := s.Statuses[statusID]
	return st != nil && st.Type == Routable
}

// ringTime is how long phones ring for a queue.
func (s *setup) ringTime(queueID string) time.Duration {
	if q := s.Queues[queueID]; q != nil && q.RingSeconds > 0 {
		return time.Duration(q.RingSeconds) * time.Second
	}
	return DefaultRingTime
}
