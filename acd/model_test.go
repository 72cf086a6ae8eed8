package acd

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
)

// model drives a Center with random events and checks the invariants of the package comment after each.
type model struct {
	*world
	r                           *rand.Rand
	n                           int // events so far
	next                        int // number of the next contact
	here                        map[string]bool
	want                        map[string]string       // last status chosen, by agent
	stored                      map[string]*atomic.Bool // whether that choice was confirmed
	offers                      []Offer
	handled                     map[string]bool // contacts that reached after-contact work
	left                        []string        // contacts that left while they waited, and may come again
	gone                        string          // the contact that the last event may have taken out
	log                         []string
	table                       map[string][]string // the written table of Step, by event
	failed                      error               // the first rule that was broken
	joined, lost, missed, taken uint64

	limited bool // queue vip sends who misses three of its contacts to lunch
}

func newModel(t *testing.T, seed uint64, failEvery int) *model {
	t.Helper()
	m := &model{
		world: newWorld(t, 6, 0), r: rand.New(rand.NewPCG(seed, 11)), here: map[string]bool{}, want: map[string]string{},
		stored: map[string]*atomic.Bool{}, handled: map[string]bool{}, table: map[string][]string{}, limited: seed%2 == 1,
	}
	for _, row := range tableRows(t, "event          no slot") {
		m.table[row[0]] = row
	}
	m.store.n = failEvery
	m.edit(func(c *Config) {
		mixed := profileOf(contact.Voice, "q 1 0", "vip 2 20")
		mixed.Queues = append(mixed.Queues, ProfileQueue{QueueID: "q", Channel: contact.Chat, Priority: 1})
		mixed.AvailabilityTimer = SinceLastInbound
		mixed.Manual = []ManualQueue{{"list", contact.Chat}}
		mixed.ID = "mixed"
		c.Profiles["mixed"] = mixed
		for _, v := range []struct {
			id string
			r  Routing
		}{
			{"q", Routing{Distribution: []Distribution{LongestAvailable, RoundRobin, Weighted}[seed%3], Weights: map[string]int{"a": 3}}},
			{"vip", Routing{Distribution: []Distribution{RingAll, LongestAvailable}[seed/3%2], RingAtOnce: 3, Missed: OnMiss{WaitSeconds: int(seed%4) * 7}}},
			{"list", Routing{}},
		} {
			q := &Queue{HoursID: "h", Status: QueueEnabled, Routing: v.r}
			q.ID, q.Name = v.id, v.id
			if m.limited && v.id == "vip" {
				q.Missed.Limit, q.Missed.StatusID = 3, "lunch"
			}
			c.Queues[v.id] = q
		}
		for i, id := range []string{"a", "b", "c", "d", "e", "f"} {
			a := c.Agents[id]
			a.ACWTimeout = time.Duration(i%3) * 15 * time.Second
			if i >= 3 {
				a.RoutingProfileID = "mixed"
			}
			if i%2 == 0 {
				a.Skills = map[Skill]float64{{"language", "ko"}: float64(1 + i)}
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
			m.broken("the index finds %v, Pick %v", got, want)
		}
	}
	m.c.stepped = m.asWritten
}

// asWritten compares a step of an agent with the written table.
func (m *model) asWritten(before AgentView, e Event, after AgentView, effects []Effect) {
	if e.Kind == EventOffered {
		return // its slot has no state before
	}
	name := ""
	for n, k := range eventNames {
		if k == e.Kind {
			name = n
		}
	}
	columns := []SlotState{"", SlotOffered, SlotConnected, SlotACW, SlotMissed, SlotRejected, SlotError}
	for _, s := range before.Slots {
		all := e.Kind == EventStatusChosen || e.Kind == EventDeviceBack || e.Kind == EventAgentRemoved
		if !all && s.OfferID != e.OfferID {
			continue
		}
		of := func(v AgentView) (out AgentView) {
			for _, o := range v.Slots {
				if o.OfferID == s.OfferID {
					o.OfferID = "o"
					out.Slots = append(out.Slots, o)
				}
			}
			return out
		}
		var mine []Effect
		for _, f := range effects {
			if f.Slot.OfferID == s.OfferID {
				mine = append(mine, f)
			}
		}
		want, got := m.table[name][1+slices.Index(columns, s.State)], cell(of(before), of(after), mine)
		limit := e.Kind == EventMissed && s.OnMiss.Limit > 0 && before.Misses+1 >= s.OnMiss.Limit
		if before.NextStatusID != "" || limit {
			for _, blocked := range []SlotState{SlotMissed, SlotRejected, SlotError} { // cleared in advance
				want = strings.Replace(want, string(blocked), "free", 1)
			}
		}
		if e.Kind == EventAnswered && s.Answered {
			want = "=" // told twice
		}
		if got != want {
			m.broken("%s in %s: %q, the table says %q", name, s.State, got, want)
		}
	}
}

// broken notes the first rule that was broken.
func (m *model) broken(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == nil {
		m.failed = fmt.Errorf("after %d events: "+format, append([]any{m.n}, args...)...)
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

func (m *model) fail(format string, args ...any) { m.broken(format, args...) }

// wrong is the first rule that was broken.
func (m *model) wrong() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
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
		for _, id := range m.anybody() {
			m.gone = id
			m.note("leave %s", id)
			if slices.ContainsFunc(m.c.Waiting(), func(w WaitingSnapshot) bool { return w.ContactID == id }) {
				m.left = append(m.left, id)
			}
			m.c.Leave(id)
		}
	case p < 30:
		m.reorderRandom()
	case p < 34:
		if ids := m.anybody(); len(ids) > 0 {
			m.note("take %s by %s", ids[0], agent)
			_ = m.c.Take(context.Background(), agent, ids[0])
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

// anybody is one of those who are here; nobody if nobody is.
func (m *model) anybody() []string {
	ids := slices.Sorted(maps.Keys(m.here))
	if len(ids) == 0 {
		return nil
	}
	return []string{ids[m.r.IntN(len(ids))]}
}

func (m *model) reorderRandom() {
	for _, id := range m.anybody() {
		o := Order{Priority: int64(m.r.IntN(9)), AgeAdjustment: time.Duration(m.r.IntN(90)-45) * time.Second}
		if m.r.IntN(2) == 0 {
			e, err := ParseExpression([]byte(`{"AttributeCondition":{"Name":"language","Value":"ko","ProficiencyLevel":3}}`))
			if err != nil {
				m.fail("%v", err)
			}
			o.Criteria = []CriteriaStep{{Expression: e, Expiry: time.Duration(1+m.r.IntN(40)) * time.Second}}
		}
		m.note("reorder %s: %d, %s, %d steps", id, o.Priority, o.AgeAdjustment, len(o.Criteria))
		m.c.Reorder(id, o)
	}
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
	switch m.r.IntN(9) {
	case 0, 1:
		w.Channel, w.QueueID = contact.Chat, "q"
	case 2:
		w.Channel, w.QueueID = contact.Chat, "list"
	case 3:
		w.QueueID = AgentQueueID(string(rune('a' + m.r.IntN(6))))
	case 4: // a caller takes the place of the callback that waited
		w.Since, w.Owed, w.Method = w.Since.Add(-time.Duration(m.r.IntN(100))*time.Second), true, contact.Callback
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
	what := m.r.IntN(10)
	if live && s.State == SlotOffered && m.r.IntN(2) == 0 {
		what = 6 // more calls succeed than fail
	}
	m.note("offer %s-%s (%s): %d", o.ContactID, o.Agent.UserID, s.State, what)
	if live && (s.State == SlotConnected || s.State == SlotOffered && Result(what) == CallerLeft) {
		m.gone = o.ContactID
	}
	if live && s.State == SlotConnected && (what == int(CallerLeft) || what == int(AgentLeft) || what == 7 || what == 8) {
		m.handled[o.ContactID] = true
	}
	switch {
	case what <= int(AgentLeft):
		m.c.OfferResult(o.ID, Result(what))
	case what == 6:
		m.c.OfferResult(o.ID, Answered)
		m.c.Joined(o.ID)
	case what == 9:
		if o.Shared { // another one was faster: the contact may still be with us
			m.c.OfferResult(o.ID, Taken)
		}
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

// count adds up what a Center has counted.
func (m *model) count() {
	n := m.c.Counts()
	m.joined += n.Joined.Load()
	m.lost += n.Lost.Load()
	m.missed += n.Missed.Load()
	m.taken += n.Taken.Load()
}

// restart kills the process: whoever waited or talked is gone.
func (m *model) restart() {
	m.note("restart")
	m.c.Stop()
	m.count()
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
	waits := make(map[string]*Waiting)
	present := make(map[string]bool)
	for _, w := range s.waiting {
		waits[w.ContactID] = w
		present[w.ContactID] = true
	}
	talks := make(map[string]bool)
	rings := make(map[string]int)
	agents := make([]Candidate, 0, len(s.agents))
	for _, g := range s.agents {
		agents = append(agents, g.candidate)
		ringing, held := 0, map[contact.Channel]int{}
		for _, sl := range g.view.Slots {
			held[sl.Channel]++
			switch sl.State {
			case SlotOffered:
				ringing++
				rings[sl.ContactID]++
				if waits[sl.ContactID] == nil {
					m.fail("%s rings for %s, who does not wait", g.UserID, sl.ContactID)
				}
			case SlotConnected:
				if talks[sl.ContactID] || waits[sl.ContactID] != nil {
					m.fail("contact %s is with two agents, or with one and in line", sl.ContactID)
				}
				talks[sl.ContactID], present[sl.ContactID] = true, true
			case SlotACW, SlotMissed, SlotRejected, SlotError:
			}
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
		if m.limited && status == "lunch" && g.view.Misses == 0 {
			m.want[g.UserID] = status // the queue's limit of misses
		}
		if status != m.want[g.UserID] || g.view.NextStatusID != "" && len(g.view.Slots) == 0 {
			m.fail("%s is %s>%s, chose %s", g.UserID, g.view.StatusID, g.view.NextStatusID, m.want[g.UserID])
		}
	}
	for id, w := range waits {
		if rings[id] != w.Ringing || w.Ringing > max(1, w.Width) {
			m.fail("%d agents ring for contact %s, which counts %d of %d", rings[id], id, w.Ringing, w.Width)
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
	if ms := Pick(values(s.waiting), agents, time.Now()); len(ms) > 0 {
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
	m.count()
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
