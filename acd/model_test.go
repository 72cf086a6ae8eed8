package acd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
)

// model drives a Center with random events and checks the invariants of the package comment after each.
type model struct {
	*world
	r       *rand.Rand
	n       int // events so far
	next    int // number of the next contact
	here    map[string]bool
	want    map[string]string       // last status chosen, by agent
	stored  map[string]*atomic.Bool // whether that choice was confirmed
	offers  []Offer
	handled map[string]bool // contacts that reached after-contact work
	left    []string        // contacts that left while they waited, and may come again
	gone    string          // the contact that the last event may have taken out
	log     []string
}

func newModel(t *testing.T, seed uint64, failEvery int) *model {
	t.Helper()
	m := &model{
		world: newWorld(t, 6, 0), r: rand.New(rand.NewPCG(seed, 11)), here: map[string]bool{}, want: map[string]string{},
		stored: map[string]*atomic.Bool{}, handled: map[string]bool{},
	}
	m.store.n = failEvery
	m.edit(func(c *Config) {
		mixed := profileOf(contact.Voice, "q 1 0", "vip 2 20")
		mixed.Queues = append(mixed.Queues, ProfileQueue{QueueID: "q", Channel: contact.Chat, Priority: 1})
		mixed.AvailabilityTimer = SinceLastInbound
		c.Profiles["mixed"] = mixed
		for i, id := range []string{"a", "b", "c", "d", "e", "f"} {
			a := c.Agents[id]
			a.ACWTimeout = time.Duration(i%3) * 15 * time.Second
			if i >= 3 {
				a.RoutingProfileID = "mixed"
			}
			c.Agents[id] = a
			m.want[id] = "offline"
		}
	})
	m.begin()
	return m
}

// begin makes a Center whose every decision is compared with Pick over everything.
func (m *model) begin() {
	m.c = m.center()
	m.c.witness = func(a *actor, got []Match, now time.Time) {
		agents := make([]Candidate, 0, len(a.listed))
		for _, s := range a.listed {
			agents = append(agents, s.candidate)
		}
		if want := Pick(values(a.shown), agents, now); !slices.Equal(got, want) {
			m.t.Errorf("after %d events the index finds %v, Pick %v", m.n, got, want)
		}
	}
}

// offer is a random offer, mostly a recent one.
func (m *model) offer() (o Offer, ok bool) {
	m.mu.Lock()
	m.offers = append(m.offers, m.rung...)
	m.rung = nil
	m.mu.Unlock()
	if len(m.offers) > 40 {
		m.offers = slices.Delete(m.offers, 0, len(m.offers)-40)
	}
	if len(m.offers) == 0 {
		return Offer{}, false
	}
	if m.r.IntN(3) > 0 {
		return m.offers[len(m.offers)-1-m.r.IntN(min(4, len(m.offers)))], true
	}
	return m.offers[m.r.IntN(len(m.offers))], true
}

func (m *model) note(format string, args ...any) {
	if m.log = append(m.log, fmt.Sprintf(format, args...)); len(m.log) > 25 {
		m.log = slices.Delete(m.log, 0, 1)
	}
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	for _, l := range m.log {
		m.t.Log(l)
	}
	m.t.Fatalf("after %d events: "+format, append([]any{m.n}, args...)...)
}

// event lets one random thing happen.
func (m *model) event() {
	m.n++
	m.gone = ""
	agent := string(rune('a' + m.r.IntN(6)))
	switch p := m.r.IntN(100); {
	case p < 22:
		m.enqueueRandom()
	case p < 28:
		for id := range m.here { // any one: the order does not matter to the rules
			m.gone = id
			m.note("leave %s", id)
			if slices.ContainsFunc(m.c.Waiting(), func(w WaitingSnapshot) bool { return w.ContactID == id }) {
				m.left = append(m.left, id)
			}
			m.c.Leave(id)
			break
		}
	case p < 62:
		m.phone()
	case p < 74:
		m.choose(agent, []string{"available", "available", "available", "lunch", "offline"}[m.r.IntN(5)])
	case p < 82:
		v, err := m.c.CurrentAgent(agent)
		if err == nil && len(v.Slots) > 0 {
			m.note("dismiss %s %s", agent, v.Slots[0].ContactID)
			_ = m.c.Dismiss(context.Background(), agent, v.Slots[0].ContactID)
		}
	case p < 88:
		m.mu.Lock()
		m.deaf[agent] = m.r.IntN(3) == 0
		m.talks[agent] = m.r.IntN(3) == 0
		m.mu.Unlock()
		m.note("device of %s: deaf %v, talks %v", agent, m.deaf[agent], m.talks[agent])
		if m.r.IntN(5) > 0 {
			m.c.DeviceChanged(agent)
		}
	case p < 99:
		d := time.Duration(m.r.IntN(20_000)) * time.Millisecond
		m.note("sleep %v", d)
		time.Sleep(d)
	default:
		m.c.ConfigChanged()
	}
	synctest.Wait()
}

func (m *model) enqueueRandom() {
	if len(m.here) > 20 {
		return
	}
	m.next++
	w := Waiting{
		ContactID: fmt.Sprint("c", m.next), QueueID: []string{"q", "vip"}[m.r.IntN(2)], Since: time.Now(),
		Priority: int64(m.r.IntN(3)),
	}
	if len(m.left) > 0 && m.r.IntN(3) == 0 {
		w.ContactID, m.left = m.left[0], m.left[1:]
	}
	if m.r.IntN(3) == 0 {
		w.Channel = contact.Chat
		w.QueueID = "q"
	}
	m.note("enqueue %s %s %s", w.ContactID, w.QueueID, w.Channel)
	if err := m.c.Enqueue(context.Background(), w); err != nil {
		m.fail("enqueue: %v", err)
	}
	m.here[w.ContactID] = true
}

// phone lets a call say something about an offer: mostly what fits, sometimes something late or impossible.
func (m *model) phone() {
	o, ok := m.offer()
	if !ok {
		return
	}
	s, live := Slot{}, false
	if v, err := m.c.CurrentAgent(o.Agent.UserID); err == nil {
		if i := slices.IndexFunc(v.Slots, func(s Slot) bool { return s.OfferID == o.ID }); i >= 0 {
			s, live = v.Slots[i], true
		}
	}
	what := m.r.IntN(9)
	if live && s.State == SlotOffered && m.r.IntN(2) == 0 {
		what = 6 // more calls succeed than fail
	}
	m.note("offer %s-%s (%s): %d", o.ContactID, o.Agent.UserID, s.State, what)
	if live && (s.State == SlotConnected || s.State == SlotOffered && Result(what) == CallerLeft) {
		m.gone = o.ContactID
	}
	if live && s.State == SlotConnected && (what == int(CallerLeft) || what == int(AgentLeft) || what >= 7) {
		m.handled[o.ContactID] = true
	}
	switch {
	case what <= int(AgentLeft):
		m.c.OfferResult(o.ID, Result(what))
	case what == 6:
		m.c.OfferResult(o.ID, Answered)
		m.c.Joined(o.ID)
	default:
		m.c.AgentDone(o.ID)
	}
}

func (m *model) choose(agent, status string) {
	m.note("status %s %s", agent, status)
	m.want[agent] = status
	confirmed := new(atomic.Bool)
	m.stored[agent] = confirmed
	go func() {
		confirmed.Store(m.c.SetStatus(context.Background(), agent, status, time.Now()) == nil)
	}()
}

// restart kills the process: whoever waited or talked is gone.
func (m *model) restart() {
	m.note("restart")
	m.c.Stop()
	m.here = map[string]bool{}
	m.handled = map[string]bool{}
	m.mu.Lock()
	m.rung, m.offers = nil, nil
	m.mu.Unlock()
	m.begin()
	m.c.Start()
	<-m.c.Ready()
	synctest.Wait()
	for _, v := range m.c.CurrentAgents() {
		if ok := m.stored[v.UserID]; ok == nil || !ok.Load() {
			m.want[v.UserID] = v.StatusID // a choice that was not confirmed may be lost
		}
		if v.NextStatusID != "" || len(v.Slots) > 0 {
			m.fail("agent %s after a restart: %+v", v.UserID, v)
		}
	}
}

// check looks at everything that must hold at any moment.
func (m *model) check() {
	m.t.Helper()
	s := m.c.snapshot.Load()
	waits := make(map[string]string) // contact: live offer
	present := make(map[string]bool)
	for _, w := range s.waiting {
		waits[w.ContactID] = w.OfferID
		present[w.ContactID] = true
	}
	live := make(map[string]bool)
	agents := make([]Candidate, 0, len(s.agents))
	for _, g := range s.agents {
		agents = append(agents, g.candidate)
		ringing, held := 0, map[contact.Channel]int{}
		for _, sl := range g.view.Slots {
			held[sl.Channel]++
			switch sl.State {
			case SlotOffered:
				ringing++
				if waits[sl.ContactID] != sl.OfferID {
					m.fail("%s rings for %s, whose offer is %q", g.UserID, sl.ContactID, waits[sl.ContactID])
				}
			case SlotConnected:
				present[sl.ContactID] = true
			case SlotACW, SlotMissed, SlotRejected, SlotError:
				continue
			}
			if live[sl.ContactID] {
				m.fail("contact %s is with two agents", sl.ContactID)
			}
			live[sl.ContactID] = true
		}
		for ch, n := range held {
			if limit := s.setup.profiles[g.RoutingProfileID].channels[ch].Limit; n > limit {
				m.fail("%s has %d contacts of %s", g.UserID, n, ch)
			}
		}
		if ringing > 1 {
			m.fail("%s has %d offers", g.UserID, ringing)
		}
		status := g.view.NextStatusID
		if status == "" {
			status = g.view.StatusID
		}
		if status != m.want[g.UserID] || g.view.NextStatusID != "" && len(g.view.Slots) == 0 {
			m.fail("%s is %s>%s, chose %s", g.UserID, g.view.StatusID, g.view.NextStatusID, m.want[g.UserID])
		}
	}
	for id, offer := range waits {
		if offer != "" && !live[id] {
			m.fail("contact %s waits for an offer that nobody has", id)
		}
	}
	for id := range m.here {
		if !present[id] && id != m.gone {
			m.fail("contact %s is lost", id)
		}
	}
	for id := range present {
		if !m.here[id] {
			m.fail("contact %s is a ghost", id)
		}
	}
	m.here = present
	if ms := slowPick(values(s.waiting), agents, time.Now()); len(ms) > 0 {
		m.fail("no offer was started for %v", ms)
	}
}

// values are the contacts that pointers point to.
func values(list []*Waiting) []Waiting {
	out := make([]Waiting, len(list))
	for i, w := range list {
		out[i] = *w
	}
	return out
}

// calm ends the faults and gives everybody a minute, then looks at what must hold in the end.
func (m *model) calm() {
	m.t.Helper()
	m.store.set(func(s *fakeStore) { s.n = 0 })
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	m.gone = ""
	m.check()
	s := m.c.snapshot.Load()
	slots := make(map[string]SlotState)
	for _, g := range s.agents {
		if g.candidate.Settling {
			m.fail("%s is still being stored", g.UserID)
		}
		for _, sl := range g.view.Slots {
			slots[sl.OfferID] = sl.State
		}
	}
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	if len(m.store.broken) > 0 {
		m.fail("%v", m.store.broken)
	}
	for id, r := range m.store.rows {
		if slots[id] != r.State {
			m.fail("reservation of %s for %s is %s, the slot %q", r.UserID, r.ContactID, r.State, slots[id])
		}
	}
	if len(slots) != len(m.store.rows) {
		m.fail("%d slots, %d reservations", len(slots), len(m.store.rows))
	}
	for _, g := range s.agents {
		if st := m.store.states[g.UserID]; st.Version > 0 && st.StatusID != "" &&
			(st.StatusID != g.view.StatusID || st.NextStatusID != g.view.NextStatusID) {
			m.fail("%s is stored as %s>%s, is %s>%s", g.UserID, st.StatusID, st.NextStatusID, g.view.StatusID, g.view.NextStatusID)
		}
	}
}

// end lets everybody go home: nothing may be left.
func (m *model) end() {
	m.t.Helper()
	for id := range m.here {
		m.c.Leave(id)
	}
	synctest.Wait()
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		m.choose(id, "offline")
		synctest.Wait()
	}
	time.Sleep(10 * time.Second)
	synctest.Wait()
	if n := m.store.count(); n != 0 {
		m.fail("%d reservations are left", n)
	}
	for _, v := range m.c.CurrentAgents() {
		if len(v.Slots) != 0 || v.StatusID != "offline" || v.NextStatusID != "" {
			m.fail("agent left as %+v", v)
		}
	}
	for id := range m.handled {
		if w := m.store.work[id]; w.start.IsZero() || w.end.Before(w.start) {
			m.fail("after-contact work of %s: %v to %v", id, w.start, w.end)
		}
	}
}

func TestAHundredThousandRandomEventsKeepTheInvariants(t *testing.T) {
	const perSeed = 5000
	var joined, lost, missed atomic.Uint64
	t.Run("seeds", func(t *testing.T) {
		for seed := range uint64(20) {
			failEvery := []int{0, 2, 3, 7, 50}[seed%5]
			t.Run(fmt.Sprintf("seed %d, 1 in %d fails", seed, failEvery), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := newModel(t, seed, failEvery)
					m.c.Start()
					defer func() { m.c.Stop() }()
					<-m.c.Ready()
					synctest.Wait()
					for n := range perSeed {
						m.event()
						m.check()
						if n%1000 == 999 {
							m.calm()
							m.store.set(func(s *fakeStore) { s.n = failEvery })
						}
						if n%1500 == 1499 {
							joined.Add(m.c.Counts().Joined.Load())
							lost.Add(m.c.Counts().Lost.Load())
							missed.Add(m.c.Counts().Missed.Load())
							m.restart()
						}
					}
					m.calm()
					m.end()
					if m.c.Counts().Panics.Load() > 0 {
						t.Error("the actor panicked")
					}
				})
			})
		}
	})
	t.Logf("%d joined, %d missed, %d reservations lost", joined.Load(), missed.Load(), lost.Load())
	if joined.Load() < 2000 || lost.Load() < 300 || missed.Load() < 500 {
		t.Error("too little happened to prove anything")
	}
}
