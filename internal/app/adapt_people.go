package app

import (
	"slices"
	"strings"
	"time"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/phone"
	"ullim/prompts"
)

// people knows the users of all instances for calls: call.People on the directory.
type people struct{ dir *directory }

var _ call.People = people{}

// User finds a user of any instance; ids are unique among them.
func (p people) User(id string) (call.Person, bool) {
	t, u := p.find(id)
	if u == nil {
		return call.Person{}, false
	}
	return person(t, u), true
}

func (p people) find(id string) (*tenant, *identity.User) {
	for _, t := range p.dir.snap.Load().tenants {
		if u := t.users[id]; u != nil {
			return t, u
		}
	}
	return nil, nil
}

func person(t *tenant, u *identity.User) call.Person {
	out := call.Person{
		ID: u.ID, InstanceID: t.instance.ID, Username: u.Name, RoutingProfileID: u.RoutingProfileID,
		DisplayName: strings.TrimSpace(u.FirstName + " " + u.LastName),
	}
	out.HierarchyGroups = t.hierarchy(u)
	if r := t.config.Profiles[u.RoutingProfileID]; r != nil {
		out.RoutingProfileName = r.Name
	}
	return out
}

// Find says whom a user reaches: the emergency services, the user whose device, username or desk phone has the name or
// the number, or a number outside.
func (p people) Find(userID, called string) (call.Callee, error) {
	t, u := p.find(userID)
	if u == nil {
		return call.Callee{}, errs.New(errs.Denied, "no user %s", userID)
	}
	from, name := t.callerID(u)
	if phone.IsEmergency(called, t.instance.Region) {
		return call.Callee{Number: called, FromNumber: from, FromName: name, Emergency: true}, nil
	}
	if other := p.userCalled(t, called); other != nil {
		if other.ID == u.ID {
			return call.Callee{}, errs.New(errs.Limit, "%s is the caller", called)
		}
		who := person(t, other)
		return call.Callee{Person: &who}, nil
	}
	if normal, err := phone.Normalize(called, t.instance.Region); err == nil {
		called = normal
	} else if len(called) < 2 || len(called) > 15 || strings.Trim(called, "0123456789") != "" {
		return call.Callee{}, errs.New(errs.NotFound, "nobody is called %q, and it is no telephone number", called)
	}
	return call.Callee{Number: called, FromNumber: from, FromName: name, WhisperFlow: t.outboundWhisper(u)}, nil
}

// userCalled finds a user by what people dial.
func (p people) userCalled(t *tenant, called string) *identity.User {
	if d, ok := p.dir.devices().ByName(called); ok && d.InstanceID == t.instance.ID && t.users[d.UserID] != nil {
		return t.users[d.UserID]
	}
	for _, u := range t.users {
		if u.Name == called || u.Phone.DeskPhoneNumber != "" && u.Phone.DeskPhoneNumber == called {
			return u
		}
	}
	return nil
}

// outboundWhisper is the flow that a customer hears whom a user has called: that of their default outbound queue.
func (t *tenant) outboundWhisper(u *identity.User) string {
	if r := t.config.Profiles[u.RoutingProfileID]; r != nil {
		if q := t.config.Queues[r.DefaultOutboundQueueID]; q != nil {
			return q.OutboundFlowID
		}
	}
	return ""
}

// callerID is what a number outside is shown of a user: the outbound number of their default outbound queue, else the
// instance's first number in E.164.
func (t *tenant) callerID(u *identity.User) (number, name string) {
	if r := t.config.Profiles[u.RoutingProfileID]; r != nil {
		if q := t.config.Queues[r.DefaultOutboundQueueID]; q != nil {
			name = q.OutboundCallerIDName
			for _, n := range t.byNumber {
				if n.ID == q.OutboundCallerNumber {
					return n.Name, name
				}
			}
		}
	}
	var all []string
	for n := range t.byNumber {
		if strings.HasPrefix(n, "+") {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return "", name
	}
	return slices.Min(all), name
}

// sounds are what those hear who wait: the hold music, and the ringing tone of Korea, the United States and most of the
// world's imitations (440 and 480 Hz), one second in three.
func sounds() func(call.Sound) []call.Audio {
	enc := encoders()
	music := prompts.NewAudio("hold", prompts.Music(), prompts.Rate, enc)
	const length = time.Second
	ring := prompts.Tone(440, length, -19)
	for i, v := range prompts.Tone(480, length, -19) {
		ring[i] += v
	}
	tone := prompts.NewAudio("ringing", append(ring, prompts.Silence(2*time.Second)...), prompts.Rate, enc)
	return func(s call.Sound) []call.Audio {
		switch s {
		case call.SoundHold:
			return []call.Audio{music}
		case call.SoundRing:
			return []call.Audio{tone}
		case call.SoundNone:
		}
		return nil
	}
}
