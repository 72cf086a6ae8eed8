package media

import (
	"slices"
	"sync"
	"time"

	"ullim/internal/errs"
	"ullim/media/mix"
)

// MaxMembers is how many sessions a conference holds: six who talk, and five who supervise them.
const MaxMembers = 11

// Role is what a member of a conference hears, and who hears the member.
type Role int

// Roles.
const (
	Speaker Role = iota // hears everybody and is heard by everybody
	Monitor             // hears everybody, is heard by nobody
	Coach               // hears everybody, is heard by one member only
)

// Conference lets several sessions hear each other. It has a clock of its own on the loop of its first member. Each Frame
// it evens out what came from each member, mixes as few different sums as there are different things to hear, encodes each
// of them once for each codec, and hands the frames to the members' own clocks:
//
//	member ── seat.in ──> ear ──┐                     ┌──> seat.out ── member
//	member ── seat.in ──> ear ──┴─ mix ── sum × codec ┴──> seat.out ── member
//
// The mix is of 8,000 samples a second while all members speak G.711, else of 16,000.
type Conference struct {
	plane *Plane

	mu      sync.Mutex // never held together with a session's lock
	loop    Loop
	members [MaxMembers]*member
	closed  bool
	mixing
}

// member is a session in a conference. All but s and seat belong to the conference.
type member struct {
	s       *Session
	seat    *seat
	role    Role
	coached *Session
	kind    kind // of what the member is sent
	ear     *ear
	up      halves
	pcm     [maxFrame]int16
}

// mixing is the arithmetic of one step.
type mixing struct {
	room     *mix.Room
	rate     int
	in       [MaxMembers][]int16
	encoders [MaxMembers + 1][kinds]*coder // of each sum
	frames   [MaxMembers + 1][kinds][]byte // of this step
}

var _ Ticker = (*Conference)(nil)

// Conference makes a conference without members.
func (p *Plane) Conference() *Conference {
	c := &Conference{plane: p}
	p.stats.conferences.Add(1)
	return c
}

// Add lets a session in, and ends what is played to it; for a member it changes the role. coached is the member whom a Coach
// speaks to. errs.Limit: it is full;
// errs.Conflict: the session is joined or in a conference already; errs.InvalidRequest: closed, or a coach of nobody.
func (c *Conference) Add(s *Session, role Role, coached *Session) error {
	if s.plane != c.plane {
		return errs.New(errs.InvalidRequest, "a session of another plane cannot be in a conference")
	}
	if role < Speaker || role > Coach || (role == Coach) != (coached != nil) || coached == s {
		return errs.Field("Role", "must be Speaker, Monitor, or Coach of another member")
	}
	m := &member{s: s, seat: new(seat), role: role, coached: coached}
	at, err := c.admit(m)
	if err != nil || at < 0 {
		return err
	}
	if err := s.enter(c, m.seat); err != nil {
		c.mu.Lock()
		if c.members[at] == m {
			c.members[at] = nil
			c.arrange()
		}
		c.mu.Unlock()
		return err
	}
	return nil
}

// admit finds a place; -1: the session has one, and its role was changed.
func (c *Conference) admit(m *member) (at int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, errs.New(errs.InvalidRequest, "the conference is over")
	}
	if m.role == Coach && c.find(m.coached) < 0 {
		return 0, errs.New(errs.InvalidRequest, "whom the coach speaks to is not in the conference")
	}
	if is := c.find(m.s); is >= 0 {
		c.members[is].role, c.members[is].coached = m.role, m.coached
		c.arrange()
		return -1, nil
	}
	if at = slices.Index(c.members[:], nil); at < 0 {
		return 0, errs.New(errs.Limit, "at most %d can be in a conference", MaxMembers)
	}
	c.members[at] = m
	c.arrange()
	if c.loop == nil {
		c.loop = m.s.loop
		c.loop.Add(c)
	}
	return at, nil
}

// find is the place of a session, -1: it has none. The caller holds mu.
func (c *Conference) find(s *Session) int {
	for i, m := range c.members {
		if m != nil && m.s == s {
			return i
		}
	}
	return -1
}

// Remove lets a session out again; it gets silence. Whoever coached it is heard by nobody.
func (c *Conference) Remove(s *Session) {
	c.forget(s)
	s.leave(c)
}

// forget takes a session off the list.
func (c *Conference) forget(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.find(s); at >= 0 {
		c.members[at] = nil
		c.arrange()
	}
}

// Close lets everybody out.
func (c *Conference) Close() {
	c.mu.Lock()
	members, loop, first := c.members, c.loop, !c.closed
	c.members, c.closed = [MaxMembers]*member{}, true
	c.mu.Unlock()
	if loop != nil {
		loop.Remove(c)
	}
	for _, m := range members {
		if m != nil {
			m.s.leave(c)
		}
	}
	if first {
		c.plane.stats.conferences.Add(-1)
	}
}

// Members is how many are in it.
func (c *Conference) Members() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m != nil {
			n++
		}
	}
	return n
}

// arrange tells the mixer who is there. The caller holds mu.
func (c *Conference) arrange() {
	rate := narrow
	for _, m := range c.members {
		if m != nil && (m.kind.rate() == wide || m.ear != nil && m.ear.kind.rate() == wide) {
			rate = wide
		}
	}
	if c.room == nil || rate != c.rate {
		c.rate, c.room = rate, mix.NewRoom(rate/50)
	}
	for i, m := range c.members {
		if m == nil {
			c.room.Set(i, mix.Absent, 0)
			continue
		}
		role, coached := mix.Speaker, 0
		switch m.role {
		case Speaker:
		case Monitor:
			role = mix.Monitor
		case Coach:
			role = mix.Monitor // of somebody who has left: heard by nobody
			if at := c.find(m.coached); at >= 0 {
				role, coached = mix.Coach, at
			}
		}
		c.room.Set(i, role, coached)
	}
}

// Tick implements Ticker.
func (c *Conference) Tick(now time.Time, owed, _ int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	for range owed {
		c.step(now)
	}
}

// step mixes one Frame.
func (c *Conference) step(now time.Time) {
	changed := false
	for i, m := range c.members {
		c.in[i] = nil
		if m == nil {
			continue
		}
		if k := m.seat.speaks(); k != m.kind {
			m.kind, changed = k, true
		}
		changed = m.receive() || changed
	}
	if changed {
		c.arrange()
	}
	for i, m := range c.members {
		if m != nil && m.ear != nil {
			c.in[i] = m.samples(now, c.rate)
		}
	}
	hears := c.room.Mix(c.in[:])
	for i := range c.frames {
		clear(c.frames[i][:])
	}
	for i, m := range c.members {
		if m == nil || m.kind == kindNone || i >= len(hears) || hears[i] < 0 {
			if m != nil {
				m.seat.out.put(m.kind, nil)
			}
			continue
		}
		m.seat.out.put(m.kind, c.encoded(hears[i], m.kind))
	}
}

// encoded is a sum in a codec: encoded once, for all who hear it.
func (c *Conference) encoded(sum int, k kind) []byte {
	if sum >= len(c.frames) {
		return nil
	}
	if c.frames[sum][k] == nil {
		if c.encoders[sum][k] == nil {
			c.encoders[sum][k] = new(coder)
			c.encoders[sum][k].can(k)
		}
		c.frames[sum][k] = c.encoders[sum][k].encode(k, c.room.Sum(sum), c.rate)
	}
	return c.frames[sum][k]
}

// receive takes in what came from a member, and reports whether the codec is another one than before.
func (m *member) receive() (changed bool) {
	in := &m.seat.in
	for tail := in.tail.Load(); tail != in.head.Load(); tail++ {
		s := &in.ring[tail%inletSlots]
		payload := s.data[:s.size]
		if s.kind == kindNoise {
			if m.ear != nil {
				m.ear.receiver.Noise(payload)
			}
		} else {
			if m.ear == nil || m.ear.kind != s.kind {
				m.ear, changed = newEar(s.kind), true
			}
			if m.ear == nil || !m.ear.receiver.Put(s.sequence, s.stamp, payload, s.at) {
				m.s.late.Add(1)
			}
		}
		in.tail.Store(tail + 1)
	}
	return changed
}

// samples is the next Frame of a member, at the rate of the mix.
func (m *member) samples(now time.Time, rate int) []int16 {
	return m.up.to(rate, m.ear.kind.rate(), m.pcm[:], m.ear.listen(now))
}
