package call

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// A world that answers every effect at random, in any order, must always see the call end with everything released.
func TestWhateverHappensTheCallEndsOnceAndNothingStaysReserved(t *testing.T) {
	starts := []func() State{newState, outgoingState, flowCallState, whisperState, callbackState, ownCallState}
	reached := map[string]int{}
	for seed := range uint64(8000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newTestWorld(t, seed, rng, starts[seed%uint64(len(starts))]())
		for range 80 {
			w.turn()
			w.surprise()
		}
		w.calm = true
		w.pending = append(w.pending, stopAsked{Reason: contact.Other, Detail: "the world ends"})
		for range 400 {
			if len(w.pending) == 0 {
				break
			}
			w.turn()
		}
		w.check()
		for k, n := range w.reached {
			reached[k] += n
		}
		if t.Failed() {
			return
		}
	}
	for _, k := range []string{
		"transferred", "transfer failed", "lent", "adopted", "conference", "recorded twice", "flow transfer", "notified",
		"supervisor", "requeued", "third party", "third party left", "third party failed", "moved", "move refused", "outbound whisper", "calling back", "called back",
		"calling", "transfer flow", "aside queued", "in line", "aside offered", "consulting", "agent found", "warm drop", "beside", "turned", "missed", "supervisor listens", "barged", "held", "held at the end",
	} {
		if reached[k] < 3 {
			t.Errorf("the worlds came to %q only %d times: they prove nothing about it", k, reached[k])
		}
	}
}

// outgoingState is a call from a device, flowCallState one that the engine places.
func outgoingState() State {
	s := outgoing(Callee{Number: "+8225551234"}, Target{InstanceID: "i1"}, Party{
		ID: firstParty, Role: RoleAgent, Media: true, Person: Person{ID: "u1", Username: "kim"},
	})
	s.Caller, s.AgentGen, s.NextID, s.Alias, s.Record.ID = firstParty, firstParty, "n0", "acme", "c1"
	return s
}

// ownCallState is a number that an agent calls by the API: their device rings first.
func ownCallState() State {
	s := outgoingState()
	s.Parties[0].Stage, s.Parties[1].Stage, s.Parties[1].Media = partyDialled, partyPlanned, false
	s.Record.InitiationMethod, s.Record.Agent = contact.Outbound, &contact.AgentInfo{ID: "u1"}
	return s
}

// callbackState is a customer who is called back when an agent is there.
func callbackState() State {
	s := newState()
	s.Parties[0].Stage, s.Parties[0].Media = partyPlanned, false
	s.Target, s.Dial = TargetQueue{ID: "q", Name: "q"}, &Target{}
	s.Record.Queue = &contact.QueueInfo{ID: "q", Name: "q"}
	return s
}

// whisperState is a call from a device whose callee hears a flow before the talk.
func whisperState() State {
	s := outgoingState()
	s.Hooks = map[FlowKind]string{FlowOutboundWhisper: "w"}
	return s
}

func flowCallState() State {
	s := outgoing(Callee{Number: "+8225551234"}, Target{InstanceID: "i1"})
	s.NextID, s.Alias, s.Record.ID = "n0", "acme", "c1"
	return s
}

type testWorld struct {
	given   []Effect // of the last step
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	s       State
	calm    bool // nothing new happens any more
	pending []Event
	offers  map[string]string // id -> "live", "joined", "ended"
	nextID  int
	queued  map[string]bool // contacts in line
	taping  string
	medias  map[int]bool // open
	refers  map[int]int  // REFERs by a party that were taken and have no outcome yet
	closes  map[string]int
	opened  map[string]bool
	reached map[string]int
	asks    [places]int // of flows, not answered yet
}

func newTestWorld(t *testing.T, seed uint64, rng *rand.Rand, s State) *testWorld {
	t.Helper()
	w := &testWorld{
		t: t, seed: seed, rng: rng, s: s, offers: map[string]string{}, medias: map[int]bool{}, queued: map[string]bool{}, refers: map[int]int{},
		closes: map[string]int{}, opened: map[string]bool{"c1": true}, reached: map[string]int{},
	}
	for _, p := range s.Parties {
		if p.Stage == partyComing { // the media of others is opened when they are dialled
			w.medias[p.ID] = true
		}
	}
	w.step(begun{})
	w.pending = append(w.pending, partyLeg{Party: s.Customer, LegEvent: answered})
	return w
}

func (w *testWorld) turn() {
	if len(w.pending) == 0 {
		return
	}
	i := w.rng.IntN(len(w.pending))
	e := w.pending[i]
	w.pending = slices.Delete(w.pending, i, i+1)
	w.step(e)
}

func (w *testWorld) step(e Event) {
	if w.s.NextID == "" && w.s.Phase >= PhaseTalking {
		w.nextID++
		w.s.NextID = fmt.Sprint("n", w.nextID)
	}
	before, was := w.s.Phase, w.s
	var effects []Effect
	shared := sharedRecords(&was, w.given)
	w.s, effects = Step(w.s, e, time.Now())
	for r, old := range shared {
		if !reflect.DeepEqual(r, old) {
			w.t.Errorf("seed %d: %T changed a record that others have:\n%+v\n%+v", w.seed, e, old, r)
		}
	}
	w.given = effects
	w.replies(was, e, effects)
	for _, eff := range effects {
		w.answer(eff)
	}
	w.audio(before, e)
}

// sharedRecords are the records of a state and of effects, each with a copy.
func sharedRecords(s *State, effects []Effect) map[*contact.Record]*contact.Record {
	rs := append([]*contact.Record{s.Record, s.Aside.Record}, s.Settling...)
	for _, f := range effects {
		switch f := f.(type) {
		case save:
			rs = append(rs, f.Record)
		case closeSegment:
			rs = append(rs, f.Record)
		case openSegment:
			rs = append(rs, f.Record)
		case openBeside:
			rs = append(rs, f.Record)
		case lend:
			rs = append(rs, f.Record)
		}
	}
	out := make(map[*contact.Record]*contact.Record)
	for _, r := range rs {
		if r != nil {
			out[r] = copyRecord(r)
			out[r].Offers, out[r].Criteria = slices.Clone(r.Offers), slices.Clone(r.Criteria)
		}
	}
	return out
}

// audio proves that whoever listens has something to hear, and from one source only.
func (w *testWorld) audio(before Phase, e Event) {
	if wired(&w.s).equal(w.s.Wired) == false {
		w.t.Errorf("seed %d: what is in force is not what the state says after %T", w.seed, e)
	}
	bridged := func(id int) bool {
		return slices.ContainsFunc(w.s.Wired.Bridge, func(m member) bool { return m.Party == id })
	}
	for _, p := range w.s.Parties {
		sources := 0
		if bridged(p.ID) {
			sources++
		}
		for _, x := range w.s.Wired.Sounds {
			if x.Party == p.ID {
				sources++
			}
		}
		if flows := w.s.hasFlow(p.ID) && w.s.Phase != PhaseOutward; sources > 0 && flows {
			sources++
		} else if flows {
			sources = 1
		}
		if sources > 1 {
			w.t.Errorf("seed %d: party %d hears %d things in %s after %T %+v", w.seed, p.ID, sources, w.s.Phase, e, w.s.Wired)
		}
		waits := w.s.Phase >= PhaseQueued && w.s.Phase < PhaseRemaining || w.s.Phase == PhaseEnqueueing && w.s.Requeued
		if p.ID == w.s.Customer && p.talks() && !p.Held && waits && sources == 0 && !w.s.parked(p.ID) {
			w.t.Errorf("seed %d: the customer hears nothing in %s, which was %s before %T", w.seed, w.s.Phase, before, e)
		}
	}
}

// replies proves that a flow that asks is answered once at most.
func (w *testWorld) replies(before State, e Event, effects []Effect) {
	gen := 0
	switch e := e.(type) {
	case enqueueAsked:
		gen = e.Gen
	case outwardAsked:
		gen = e.Gen
	case agentAsked:
		gen = e.Gen
	default:
		gen = -1
	}
	if gen >= 0 {
		w.asks[max(slices.Index(before.Flow[:], gen), ofCustomer)]++
	}
	var started [places]bool
	for _, eff := range effects {
		switch eff := eff.(type) {
		case replyFlow:
			if w.asks[eff.For]--; w.asks[eff.For] < 0 {
				w.t.Errorf("seed %d: a flow at %d is answered that has not asked, after %T", w.seed, eff.For, e)
			}
		case startFlow:
			started[eff.For] = true
		case stopFlow:
			started[eff.For] = started[eff.For] || eff.For == ofAgent
		}
	}
	for who, yes := range started {
		if yes { // whoever asked is not there any more
			w.asks[who] = 0
		}
	}
}

func (w *testWorld) anybody() int {
	if len(w.s.Parties) == 0 {
		return 0
	}
	return w.s.Parties[w.rng.IntN(len(w.s.Parties))].ID
}

func (w *testWorld) post(es ...Event) { w.pending = append(w.pending, es...) }

func (w *testWorld) leg(id int, e LegEvent) { w.post(partyLeg{Party: id, LegEvent: e}) }

// offer reserves an agent for a contact.
func (w *testWorld) offer(contactID string) {
	w.nextID++
	o := offer
	o.ID, o.ContactID, o.Agent.ID = fmt.Sprint("o", w.nextID), contactID, fmt.Sprint("u1", w.nextID)
	w.offers[o.ID] = "live"
	w.post(offered{Offer: o})
}

// surprise is something that happens from outside.
func (w *testWorld) surprise() {
	if p := w.s.partyOfUser("u8"); p != nil && p.Stage == partyDialled && w.rng.IntN(2) == 0 {
		w.leg(p.ID, answered)
	}
	switch { // what needs much to come to pass is helped on
	case w.s.Aside.Stage == asideQueued && w.rng.IntN(3) == 0:
		w.offer(w.s.Aside.ID)
	case w.s.Aside.To != 0 && w.s.Aside.Stage < asideTalks && w.rng.IntN(2) == 0:
		w.leg(w.s.Aside.To, answered)
	case (w.s.Aside.Stage == asideTalks || w.s.heir() != 0) && w.s.Phase == PhaseTalking && w.rng.IntN(8) == 0:
		w.post(leaveAsked{User: w.agent()})
	}
	switch w.rng.IntN(46) {
	case 0:
		w.nextID++
		w.post(targetSet{Target: TargetQueue{ID: "q", Name: "q"}},
			enqueueAsked{Gen: w.s.Flow[ofCustomer], NewID: fmt.Sprint("n", w.nextID)})
	case 1, 2:
		w.leg(w.s.AgentGen, answered)
	case 3:
		w.leg(w.anybody(), bye)
	case 4:
		w.post(recordingSet{On: w.rng.IntN(3) > 0})
	case 5:
		w.post(timerFired{Timer: Timer(w.rng.IntN(int(timers))), Gen: w.anybody(), Packets: w.rng.Uint64N(3)})
	case 6:
		w.post(hookSet{Kind: FlowDisconnect, FlowID: "f"})
	case 7:
		w.post(mediaDead{Party: w.anybody()})
	case 8, 9, 10:
		for _, id := range slices.Sorted(maps.Keys(w.queued)) {
			w.offer(id)
		}
	case 11, 12, 13:
		r := &Refer{Target: "x"}
		if w.rng.IntN(3) == 0 {
			r.Replaces = &DialogID{CallID: "y"}
		}
		by := w.s.AgentGen
		if w.rng.IntN(4) == 0 {
			by = w.anybody()
		}
		w.leg(by, LegEvent{Kind: LegRefer, Refer: r})
	case 14, 15:
		w.leg(w.s.Transfer.To, []LegEvent{
			answered,
			{Kind: LegEnded, Cause: CauseRejected, Code: 486},
			{Kind: LegProgress, Code: 180},
			answered,
			{Kind: LegProgress, Code: 183, SDP: []byte("v=0")},
			{Kind: LegEnded, Cause: CauseTimeout},
		}[w.rng.IntN(6)])
	case 16:
		w.post(negotiated{Party: w.anybody(), Held: w.rng.IntN(2) == 0, Early: w.rng.IntN(3) == 0})
	case 17, 18:
		c := Callee{Number: "+82255"}
		if w.rng.IntN(2) == 0 {
			c.Person = &Person{ID: "u9", Username: "yun"}
		}
		w.post(inviteAsked{Callee: c, Hears: Role(w.rng.IntN(3)), Monitor: w.rng.IntN(2) == 0})
	case 19, 20:
		w.leg(w.anybody(), answered)
	case 21:
		w.post(holdAsked{Party: w.anybody(), On: w.rng.IntN(2) == 0}, muteAsked{Party: w.anybody(), On: w.rng.IntN(2) == 0})
	case 22:
		w.post(removeAsked{Party: w.anybody()})
	case 23:
		w.post(tapeAsked{Do: TapeAction(w.rng.IntN(4))})
	case 24:
		e := takeOver{Party: w.anybody(), Newcomer: Party{Person: Person{ID: "u7", Username: "lee"}}}
		if w.rng.IntN(2) == 0 {
			e.Newcomer.Person, e.From = Person{}, &contact.Record{ID: "other", InitialContactID: "first"}
		}
		w.post(e)
	case 25:
		w.leg(w.s.Customer, LegEvent{Kind: LegProgress, Code: 180})
	case 26:
		w.leg(w.anybody(), LegEvent{Kind: LegEnded, Cause: CauseTransport})
	case 28, 29:
		w.post(outwardAsked{Gen: w.s.Flow[ofCustomer], Outcall: Outcall{Number: "+8225550000", Digits: "1,2", Resume: w.rng.IntN(2) == 0}})
	case 30:
		w.leg(w.s.Outward.To, []LegEvent{answered, answered, bye, {Kind: LegEnded, Cause: CauseTimeout}, {Kind: LegProgress, Code: 180}}[w.rng.IntN(5)])
	case 31, 32, 33:
		w.nextID++
		w.post(targetSet{Target: TargetQueue{ID: "q2", Name: "q2"}},
			enqueueAsked{Gen: w.s.Flow[ofCustomer], NewID: fmt.Sprint("n", w.nextID), Move: true})
	case 27:
		w.leg(w.s.Customer, LegEvent{Kind: LegProgress, Code: 183, SDP: []byte("v=0")})
	case 34, 35, 36:
		w.post(transferAsked{By: w.agent(), Goal: w.goal(), Consult: w.rng.IntN(3) > 0})
	case 37, 38:
		w.nextID++
		w.post([]Event{
			agentAsked{Gen: w.s.Flow[ofAgent], NewID: fmt.Sprint("n", w.nextID)},
			enqueueAsked{Gen: w.s.Flow[ofAgent], NewID: fmt.Sprint("n", w.nextID)},
			outwardAsked{Gen: w.s.Flow[ofAgent], Outcall: Outcall{Number: "+8225550000", Resume: w.rng.IntN(3) == 0}},
		}[w.rng.IntN(3)])
	case 39, 40:
		w.leg(w.s.Aside.To, []LegEvent{answered, answered, answered, bye, {Kind: LegEnded, Cause: CauseRejected, Code: 486}}[w.rng.IntN(5)])
	case 41:
		w.post([]Event{leaveAsked{User: w.agent()}, declineAsked{User: w.s.Offer.Agent.ID}, leaveAsked{User: "u1"}}[w.rng.IntN(3)])
	case 42:
		w.post(timerFired{Timer: TimerTransfer, Gen: w.s.Aside.Gen}, timerFired{Timer: TimerRing, Gen: w.s.Aside.To})
	case 43:
		w.post(superviseAsked{User: "u8", Hears: Role(w.rng.IntN(3))})
	case 44:
		w.post(inviteAsked{Callee: Callee{Person: &Person{ID: "u8", Username: "boss"}}, Monitor: true, Barges: w.rng.IntN(3) > 0, Hears: Role(w.rng.IntN(2))})
	case 45:
		w.post(holdAsked{Party: w.s.Customer, On: w.rng.IntN(2) == 0})
	}
}

// agent is the user who serves the customer.
func (w *testWorld) agent() string {
	if p := w.s.party(w.s.AgentGen); p != nil {
		return p.Person.ID
	}
	return "nobody"
}

// goal is whom a transfer may be for.
func (w *testWorld) goal() resolved {
	return []resolved{
		{Callee: Callee{Person: &Person{ID: "u6", Username: "han"}}, Queue: TargetQueue{ID: "agent/u6", Name: "han"}},
		{Callee: Callee{Person: &Person{ID: "u6", Username: "han"}}},
		{Queue: TargetQueue{ID: "q3", Name: "q3"}},
		{Queue: TargetQueue{ID: "q3", Name: "q3"}},
		{Callee: Callee{Number: "+8225550000"}},
		{FlowID: "f5"},
	}[w.rng.IntN(6)]
}

func (w *testWorld) answer(e Effect) {
	w.count(e)
	switch e := e.(type) {
	case startFlow:
		w.flow(e)
	case findAgent:
		f := agentFound{Gen: e.Gen, Routed: w.rng.IntN(3) > 0}
		if w.rng.IntN(4) == 0 {
			f.Err = errs.New(errs.Limit, "busy")
		}
		w.post(f)
	case takeQueue, leaveQueue, reportJoined, reportOffer, reportDone:
		w.queue(e)
	case dial:
		w.medias[e.Party] = true
	case adopt:
		w.medias[e.Party] = true
	case negotiate:
		w.post(negotiated{Party: e.Party, Early: e.Early})
	case closeMedia:
		if !w.medias[e.Party] {
			w.t.Errorf("seed %d: media %d closed twice, or never opened", w.seed, e.Party)
		}
		delete(w.medias, e.Party)
		w.later(qualityKnown{Party: e.Party})
	case startRecording:
		if w.taping != "" {
			w.t.Errorf("seed %d: two recordings at once", w.seed)
		}
		w.taping = e.Key
	case stopRecording:
		if w.taping == "" {
			w.t.Errorf("seed %d: a recording was stopped twice", w.seed)
		}
		w.post(recordingDone{Key: w.taping})
		w.taping = ""
	case resolve:
		r := resolved{Gen: e.Gen, Callee: Callee{Number: "+822"}}
		switch w.rng.IntN(5) {
		case 0:
			r.Err = errs.New(errs.NotFound, "nobody")
		case 1:
			r.FlowID, r.Number = "f2", "+8215"
		case 2:
			r.Callee.Person = &Person{ID: "u5", Username: "choi"}
		}
		w.post(r)
	case lend:
		m := moved{Gen: e.Gen, Next: "c9"}
		switch w.rng.IntN(4) {
		case 0:
			m.Err = errors.New("not there")
		case 1:
			m.Err = errStillRings
			r := reached{Gen: e.Gen, Code: []int{0, 486}[w.rng.IntN(2)]}
			if w.rng.IntN(3) == 0 {
				w.post(r, m) // it overtakes
				return
			}
			w.post(m, r)
			return
		default:
			delete(w.medias, e.Party)
		}
		w.post(m)
	case commit:
		w.post(committed{}, partyLeg{Party: w.s.Customer, LegEvent: answered})
	case notify:
		w.notified(e)
	case openSegment:
		w.open(e.Record.ID)
	case openBeside:
		w.open(e.Record.ID)
	case closeSegment:
		w.closes[e.Record.ID]++
		if e.Last {
			w.post(stored{})
		}
	}
}

func (w *testWorld) open(id string) {
	if w.opened[id] || id == "" {
		w.t.Errorf("seed %d: segment %q is opened again", w.seed, id)
	}
	w.opened[id] = true
}

// flow is a flow that runs; a transfer flow asks for something first, as a rule.
func (w *testWorld) flow(e startFlow) {
	switch e.Kind {
	case FlowInbound, FlowDisconnect:
		return
	case FlowAgentTransfer, FlowQueueTransfer:
		w.nextID++
		id := fmt.Sprint("n", w.nextID)
		switch w.rng.IntN(6) {
		case 0:
			w.post(flowDone{Gen: e.Gen, Kind: e.Kind, Outcome: FlowNone})
		case 1, 2:
			w.post(enqueueAsked{Gen: e.Gen, NewID: id})
		case 3, 4:
			w.post(agentAsked{Gen: e.Gen, NewID: id})
		}
		if w.rng.IntN(3) > 0 {
			return // it goes on for a while
		}
	}
	w.post(flowDone{
		Gen: e.Gen, Kind: e.Kind,
		Outcome: []FlowOutcome{FlowEnded, FlowFailed, FlowEnded, FlowQueued}[w.rng.IntN(4)],
	})
}

// later steps an event after what is being done now: as the actor does with what an effect gives at once.
func (w *testWorld) later(e Event) { w.post(e) }

func (w *testWorld) notified(e notify) {
	switch {
	case e.Code == 491 || e.Code == 403 && w.refers[e.Party] == 0: // a REFER that was not taken
	case e.Code == 100:
		w.refers[e.Party]++
	case e.Code >= 200 && w.refers[e.Party] > 0:
		w.refers[e.Party]--
		w.reached["notified"]++
	case e.Code < 200 && w.refers[e.Party] == 0:
		w.t.Errorf("seed %d: party %d hears of a transfer that is over: %d", w.seed, e.Party, e.Code)
	}
}

// queue is the ACD.
func (w *testWorld) queue(e Effect) {
	switch e := e.(type) {
	case takeQueue:
		id := e.Enqueue.ContactID
		if w.queued[id] || id == "" {
			w.t.Errorf("seed %d: %q is queued twice", w.seed, id)
		}
		if !e.Enqueue.Owed && w.rng.IntN(4) == 0 {
			w.post(enqueueDone{ContactID: id, Err: errs.New(errs.Limit, "full")})
			return
		}
		w.queued[id] = true
		w.post(enqueueDone{ContactID: id})
	case leaveQueue:
		delete(w.queued, e.ContactID)
	case reportJoined:
		w.offers[e.OfferID] = "joined"
		id := w.s.Record.ID
		if w.s.Aside.Stage == asideTalks && w.s.Aside.Offer.ID == e.OfferID {
			id = w.s.Aside.ID
		}
		if !w.queued[id] {
			w.t.Errorf("seed %d: joined and not in line: %q of %v", w.seed, id, w.queued)
		}
		delete(w.queued, id)
	case reportOffer:
		if e.Result != OfferAnswered {
			if w.offers[e.OfferID] != "live" {
				w.t.Errorf("seed %d: offer %s ended while %s", w.seed, e.OfferID, w.offers[e.OfferID])
			}
			w.offers[e.OfferID] = "ended"
		}
	case reportDone:
		if w.offers[e.OfferID] != "joined" {
			w.t.Errorf("seed %d: offer %s done while %s", w.seed, e.OfferID, w.offers[e.OfferID])
		}
		w.offers[e.OfferID] = "ended"
	}
}

// count notes that the world came to something, so that the test proves something.
func (w *testWorld) count(e Effect) {
	switch e := e.(type) {
	case tell:
		w.reached[e.Kind]++
		if e.Kind == "transferred" && w.s.Phase == PhaseFlow {
			w.reached["flow transfer"]++
		}
	case startFlow:
		switch e.Kind {
		case FlowOutboundWhisper:
			w.reached["outbound whisper"]++
		case FlowAgentTransfer, FlowQueueTransfer:
			w.reached["transfer flow"]++
		}
	case openBeside:
		w.reached["beside"]++
	case turnTo:
		w.reached["turned"]++
	case findAgent:
		w.reached["agent found"]++
	case dial:
		if e.Party == w.s.Aside.To {
			w.reached["aside offered"]++
		}
	case save:
		w.record(e.Record)
	case closeSegment:
		w.record(e.Record)
	case reportJoined:
		if w.s.Caller == w.s.AgentGen && w.s.Caller != 0 {
			w.reached["called back"]++
		}
	case lend:
		w.reached["lent"]++
	case adopt:
		w.reached["adopted"]++
	case join:
		if len(e.Bridge) > 2 {
			w.reached["conference"]++
		}
		if slices.ContainsFunc(e.Bridge, func(m member) bool { return m.Role != Speaker }) {
			w.reached["supervisor"]++
		}
	case startRecording:
		if len(w.s.Record.Recordings) > 1 {
			w.reached["recorded twice"]++
		}
	case takeQueue:
		if w.s.Requeued {
			w.reached["requeued"]++
		}
		if w.s.Aside.Stage == asideAsking {
			w.reached["aside queued"]++
		}
	}
	if e, ok := e.(tell); ok {
		switch {
		case e.Kind == "agent left" && strings.Contains(e.Detail, "the customer talks with"):
			w.reached["warm drop"]++
		case e.Kind == "transferred" && w.s.Phase == PhaseQueued:
			w.reached["in line"]++
		}
	}
}

// record looks at what a record says of holds and supervisors.
func (w *testWorld) record(r *contact.Record) {
	if r.DisconnectReason == contact.Barged {
		w.reached["barged"]++
	}
	if r.Agent == nil {
		return
	}
	if r.Agent.Holds.AtEnd {
		w.reached["held at the end"]++
	}
	if h := r.Agent.Holds; h.Count > 0 || h.AtEnd {
		w.reached["held"]++
		if h.Longest > h.Duration || h.ByAgent > h.Duration || h.Count == 0 {
			w.t.Errorf("seed %d: holds %+v", w.seed, h)
		}
	}
	for _, x := range r.Agent.Transitions {
		if x.State == silentMonitor {
			w.reached["supervisor listens"]++
		}
		if !r.DisconnectTimestamp.IsZero() && x.End.IsZero() {
			w.t.Errorf("seed %d: a segment is over, and %+v is not", w.seed, x)
		}
	}
}

func (w *testWorld) check() {
	bad := func(format string, args ...any) {
		w.t.Helper()
		w.t.Errorf("seed %d: "+format, append([]any{w.seed}, args...)...)
	}
	if w.s.Phase != PhaseEnded {
		bad("the call hangs in %s: %+v", w.s.Phase, w.s)
	}
	if len(w.queued) > 0 {
		bad("still in the queue: %v", w.queued)
	}
	if w.taping != "" {
		bad("still recording")
	}
	for id, state := range w.offers {
		if state != "ended" {
			bad("offer %s is %s", id, state)
		}
	}
	for id := range w.opened {
		if w.closes[id] != 1 {
			bad("segment %s was closed %d times", id, w.closes[id])
		}
	}
	for id := range w.closes {
		if !w.opened[id] {
			bad("segment %s was closed and never opened", id)
		}
	}
	for id := range w.medias {
		bad("media of party %d is open", id)
	}
	for id, n := range w.refers {
		if n != 0 {
			bad("party %d was never told how the transfer went", id)
		}
	}
}
