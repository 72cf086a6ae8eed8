package call

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// exchange is a Manager with users kim, lee and park, whose legs and medias tell what was done with them.
type exchange struct {
	*Manager
	t     *testing.T
	store *fakeStore

	mu     sync.Mutex
	dialed []*tracedLeg
	medias []*tracedMedia
	flow   *Control // of the last flow that ran
	joined []string // who can hear whom, at any time
}

// tracedLeg is a leg of one dialog; events is where it reports.
type tracedLeg struct {
	fakeLeg
	id     string
	target Target
	events func(LegEvent)
	codes  []int
}

func (l *tracedLeg) CallID() string   { return l.id }
func (l *tracedLeg) Dialog() DialogID { return DialogID{CallID: l.id, OurTag: "tag-" + l.id} }

func (l *tracedLeg) Notify(code int, _ string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.codes = append(l.codes, code)
}

func (l *tracedLeg) Reject(code int, _ string, _ time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.codes = append(l.codes, code)
}

func (l *tracedLeg) told() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.codes)
}

type tracedMedia struct {
	fakeMedia
	e      *exchange
	n      int
	closed bool
}

func (m *tracedMedia) Close() contact.Quality {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	m.closed = true
	return contact.Quality{}
}

// exchange is a MediaPlane and a Dialer, People and NumberLookup.
func (e *exchange) Open(MediaOptions) (Media, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := &tracedMedia{e: e, n: len(e.medias)}
	e.medias = append(e.medias, m)
	return m, nil
}

func (e *exchange) Join(a, b Media) (func(), error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	pair := fmt.Sprintf("%d-%d", min(a.(*tracedMedia).n, b.(*tracedMedia).n), max(a.(*tracedMedia).n, b.(*tracedMedia).n))
	e.joined = append(e.joined, pair)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		i := slices.Index(e.joined, pair)
		e.joined = slices.Delete(e.joined, i, i+1)
	}, nil
}

func (*exchange) Record(_, _ string, _, _ Media) (Recording, error) {
	return nil, errs.New(errs.Unavailable, "no disk")
}
func (*exchange) Room() Room             { return nil }
func (*exchange) Profile(Target) Profile { return Profile{} }

func (e *exchange) Dial(t Target, _ []byte, events func(LegEvent)) Leg {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := &tracedLeg{id: fmt.Sprint("out", len(e.dialed)), target: t, events: events}
	e.dialed = append(e.dialed, l)
	return l
}

func (*exchange) User(id string) (Person, bool) {
	return Person{ID: id, InstanceID: "i1", Username: id}, strings.HasPrefix(id, "u-")
}

func (*exchange) Find(_, called string) (Callee, error) {
	switch {
	case strings.HasPrefix(called, "u-"):
		return Callee{Person: &Person{ID: called, InstanceID: "i1", Username: called}}, nil
	case called == "112":
		return Callee{Number: called, Emergency: true}, nil
	case strings.HasPrefix(called, "+"):
		return Callee{Number: called, FromNumber: "+8215880000"}, nil
	}
	return Callee{}, errs.New(errs.NotFound, "nobody")
}

// Lookup: 100 is a number with a flow.
func (*exchange) Lookup(_, called string) (Number, bool) {
	n := Number{FlowID: "f1"}
	n.InstanceID, n.Name = "i1", called
	return n, called == "100"
}

func newExchange(t *testing.T, outbound bool) *exchange {
	t.Helper()
	e := &exchange{t: t, store: &fakeStore{}}
	id := 0
	var ids sync.Mutex
	e.Manager = NewManager(Options{
		Node: "n1", Media: e, Dialer: e, Numbers: e, People: e, Queues: &fakeQueues{}, Store: e.store, Spill: e.store.spill,
		Flows: flowFunc(func(ctx context.Context, r FlowRun) FlowOutcome {
			e.mu.Lock()
			e.flow = r.Control
			e.mu.Unlock()
			<-ctx.Done()
			return FlowLeft
		}),
		Instances: func(id string) (Instance, bool) {
			return Instance{ID: id, Alias: "acme", Inbound: true, Outbound: outbound}, true
		},
		Log: slog.New(slog.DiscardHandler),
		NewID: func() string {
			ids.Lock()
			defer ids.Unlock()
			id++
			return fmt.Sprint("c", id)
		},
	})
	return e
}

// phone is a call that a user's device begins.
func (e *exchange) phone(id, user, called string) (*tracedLeg, error) {
	l := &tracedLeg{id: id}
	events, err := e.Admit(e.t.Context(), Inbound{
		CallID: id, DeviceUser: user, Called: called, SDP: []byte("v=0"), Received: time.Now(),
		From: contact.Endpoint{Type: contact.VoIP, Address: user},
	}, l)
	l.events = events
	synctest.Wait()
	return l, err
}

// connect is a call from one user to another or a number, answered. Both legs are given.
func (e *exchange) connect(id, user, called string) (in, out *tracedLeg) {
	e.t.Helper()
	in, err := e.phone(id, user, called)
	if err != nil {
		e.t.Fatal(err)
	}
	e.mu.Lock()
	out = e.dialed[len(e.dialed)-1]
	e.mu.Unlock()
	out.events(LegEvent{Kind: LegAnswered, SDP: []byte("v=0")})
	synctest.Wait()
	in.events(LegEvent{Kind: LegAnswered})
	synctest.Wait()
	if in.count("answer") != 1 {
		e.t.Fatalf("%s calls %s: not answered", user, called)
	}
	return in, out
}

// over proves that nothing is left.
func (e *exchange) over(contacts int) {
	e.t.Helper()
	time.Sleep(time.Minute)
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.medias {
		if !m.closed {
			e.t.Errorf("media %d is open", m.n)
		}
	}
	if len(e.joined) > 0 || e.Count() > 0 || len(e.store.closed) != contacts {
		e.t.Errorf("joined %v, %d calls, closed %v", e.joined, e.Count(), e.store.closed)
	}
}

func (e *exchange) hearing() string {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.joined, " ")
}

func hangUp(l *tracedLeg) { l.events(LegEvent{Kind: LegEnded, Cause: CauseBye}) }

func (e *exchange) refer(by *tracedLeg, target string, replaces *DialogID) {
	by.events(LegEvent{Kind: LegRefer, Refer: &Refer{Target: target, Replaces: replaces}})
	synctest.Wait()
}

func TestR20AnAttendedTransferMovesALegBetweenCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, true)
		kim, customer := e.connect("a", "u-kim", "+8210") // medias 0 and 1
		consult, lee := e.connect("b", "u-kim", "u-lee")  // 2 and 3
		if got := e.hearing(); got != "0-1 2-3" {
			t.Fatalf("joined %s", got)
		}
		e.refer(kim, "u-lee", &DialogID{CallID: "b", OurTag: "tag-b"})
		if got := e.hearing(); got != "1-3" {
			t.Errorf("joined %s, want the customer with lee", got)
		}
		if got := kim.told(); !slices.Equal(got, []int{100, 200}) {
			t.Errorf("kim was told %v", got)
		}
		if kim.count("hangup") == 0 || consult.count("hangup") == 0 || customer.count("hangup")+lee.count("hangup") > 0 {
			t.Error("the wrong legs were ended")
		}
		if e.Count() != 1 {
			t.Errorf("%d calls are up", e.Count())
		}
		hangUp(customer) // is heard by the call that has it now
		e.over(2)
		a := e.store.closed["c1"]
		b := e.store.closed[a.NextContactID]
		if b == nil || b.PreviousContactID != "c1" || b.InitialContactID != "c1" || b.InitiationMethod != contact.Transfer ||
			b.DisconnectReason != contact.CustomerDisconnect || b.Agent.Username != "u-lee" || b.CustomerEndpoint.Address != "+8210" {
			t.Errorf("records\n%+v\n%+v", a, b)
		}
	})
}

// A phone that does not wait for the answer of whom it consults.
func TestR20ATransferToACallThatStillRingsIsCompletedByTheAnswer(t *testing.T) {
	for _, r := range []struct {
		name   string
		then   func(e *exchange, kim, consult, lee *tracedLeg)
		told   []int
		heard  string
		closed int
	}{
		{"answered", func(_ *exchange, _, _, lee *tracedLeg) {
			lee.events(LegEvent{Kind: LegAnswered, SDP: []byte("v=0")})
		}, []int{100, 180, 200}, "1-3", 2},
		{"answered after the transferor has left", func(_ *exchange, kim, _, lee *tracedLeg) {
			hangUp(kim)
			lee.events(LegEvent{Kind: LegAnswered, SDP: []byte("v=0")})
		}, []int{100, 180, 200}, "1-3", 2},
		{"busy", func(_ *exchange, _, _, lee *tracedLeg) {
			lee.events(LegEvent{Kind: LegEnded, Cause: CauseRejected, Code: 486})
		}, []int{100, 180, 486}, "0-1", 2},
		{"given up", func(_ *exchange, _, consult, _ *tracedLeg) {
			consult.events(LegEvent{Kind: LegEnded, Cause: CauseCancelled})
		}, []int{100, 180, 487}, "0-1", 2},
	} {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newExchange(t, true)
				kim, customer := e.connect("a", "u-kim", "+8210") // medias 0 and 1
				consult, err := e.phone("b", "u-kim", "u-lee")    // 2 and 3
				if err != nil {
					t.Fatal(err)
				}
				lee := e.dialed[len(e.dialed)-1]
				lee.events(LegEvent{Kind: LegProgress, Code: 180})
				e.refer(kim, "u-lee", &DialogID{CallID: "b", OurTag: "tag-b"})
				if got := kim.told(); !slices.Equal(got, []int{100, 180}) {
					t.Errorf("kim was told %v while it rang", got)
				}
				r.then(e, kim, consult, lee)
				if got := e.hearing(); got != r.heard {
					t.Errorf("joined %q, want %q", got, r.heard)
				}
				if got := kim.told(); !slices.Equal(got, r.told) {
					t.Errorf("kim was told %v, want %v", got, r.told)
				}
				hangUp(customer)
				hangUp(lee)
				hangUp(kim)
				e.over(r.closed)
			})
		})
	}
}

func TestR20TheAnswerMayOvertakeThatItRings(t *testing.T) {
	for code, want := range map[int]string{0: "lend", 486: "notify:486"} {
		now := time.Now()
		s, _ := walk(t, newState(), now, toTalking()...)
		s, _ = walk(t, s, now, refer(3, "x", &DialogID{CallID: "y", OurTag: "z"}), reached{Gen: 6, Code: code})
		s, effects := walk(t, s, now, moved{Gen: 6, Err: errStillRings})
		if got := names(effects); !strings.Contains(got, "reclaim") || !strings.Contains(got, want) {
			t.Errorf("%d: %s, effects %s", code, s.Phase, got)
		}
		if s, effects = walk(t, s, now, reached{Gen: 6, Code: 480}); len(effects) != 0 {
			t.Errorf("%d: heard of twice, %s, effects %s", code, s.Phase, names(effects))
		}
	}
}

func TestR20WhoIsOnTheWayBetweenCallsIsNotForgotten(t *testing.T) {
	for _, moment := range []string{"customer hangs up at once", "target hangs up at once", "both calls of kim hang up at once", "drain"} {
		t.Run(moment, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newExchange(t, true)
				kim, customer := e.connect("a", "u-kim", "+8210")
				consult, lee := e.connect("b", "u-kim", "u-lee")
				kim.events(LegEvent{Kind: LegRefer, Refer: &Refer{Target: "u-lee", Replaces: &DialogID{CallID: "b", OurTag: "tag-b"}}})
				switch moment { // without waiting: everything crosses
				case "customer hangs up at once":
					hangUp(customer)
				case "target hangs up at once":
					hangUp(lee)
				case "both calls of kim hang up at once":
					hangUp(kim)
					hangUp(consult)
				case "drain":
					ended, cancel := context.WithCancel(t.Context())
					cancel()
					go e.Drain(ended)
				}
				synctest.Wait()
				if got := kim.told(); len(got) != 2 || got[0] != 100 || got[1] < 200 {
					t.Errorf("kim was told %v", got)
				}
				hangUp(customer)
				hangUp(lee)
				hangUp(kim)
				e.over(2)
			})
		})
	}
}

func TestR20AnAttendedTransferToAFlowLetsTheFlowSpeakToTheCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, true)
		kim, customer := e.connect("a", "u-kim", "+8210") // medias 0 and 1
		consult, err := e.phone("b", "u-kim", "100")      // media 2
		if err != nil {
			t.Fatal(err)
		}
		consult.events(LegEvent{Kind: LegAnswered})
		synctest.Wait()
		flow := e.flow
		if flow.media != e.medias[2] {
			t.Fatal("the flow does not speak to kim")
		}
		e.refer(kim, "100", &DialogID{CallID: "b", OurTag: "tag-b"})
		if got := kim.told(); !slices.Equal(got, []int{100, 200}) {
			t.Errorf("kim was told %v", got)
		}
		if flow.media != e.medias[1] || flow.ctx.Err() != nil {
			t.Error("the flow does not speak to the customer")
		}
		if r := flow.Snapshot().Record; r.CustomerEndpoint.Address != "+8210" || r.InitiationMethod != contact.Transfer {
			t.Errorf("record %+v", r)
		}
		hangUp(customer)
		e.over(2)
	})
}

func TestS25AReplacesThatNamesNoCallGivesTheCustomerBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, true)
		kim, customer := e.connect("a", "u-kim", "+8210")
		e.refer(kim, "u-lee", &DialogID{CallID: "nowhere", OurTag: "x"})
		if got := kim.told(); !slices.Equal(got, []int{100, 481}) {
			t.Errorf("kim was told %v", got)
		}
		if got := e.hearing(); got != "0-1" {
			t.Errorf("joined %q", got)
		}
		hangUp(customer)
		e.over(1)
	})
}

func TestR20ANotifyIsSentAlsoToOneWhoHasHungUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, true)
		kim, customer := e.connect("a", "u-kim", "+8210")
		e.refer(kim, "u-lee", nil)
		hangUp(kim)
		synctest.Wait()
		lee := e.dialed[1]
		lee.events(LegEvent{Kind: LegProgress, Code: 180})
		lee.events(LegEvent{Kind: LegEnded, Cause: CauseRejected, Code: 603})
		synctest.Wait()
		if got := kim.told(); !slices.Equal(got, []int{100, 180, 603}) {
			t.Errorf("kim was told %v", got)
		}
		_ = customer // there is no queue that could have them back: the call is over
		e.over(1)
	})
}

func TestRFC3891APickUpTakesThePlaceOfALeg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, true)
		in, err := e.phone("a", "u-kim", "u-lee") // rings
		if err != nil {
			t.Fatal(err)
		}
		ringing := e.dialed[0]
		pick := func(user string, d DialogID) (*tracedLeg, error) {
			l := &tracedLeg{id: "p-" + user}
			events, admitErr := e.Admit(t.Context(), Inbound{CallID: l.id, DeviceUser: user, Called: "x", SDP: []byte("v=0"), Replaces: &d}, l)
			l.events = events
			synctest.Wait()
			return l, admitErr
		}
		if _, err = pick("", ringing.Dialog()); !errs.Is(err, errs.Denied) {
			t.Errorf("a carrier picks up: %v", err)
		}
		if _, err = pick("u-park", DialogID{CallID: "gone", OurTag: "x"}); !errs.Is(err, errs.NotFound) {
			t.Errorf("no such call: %v", err)
		}
		park, err := pick("u-park", ringing.Dialog())
		if err != nil {
			t.Fatal(err)
		}
		if park.count("answer") != 1 || in.count("answer") != 1 || ringing.count("hangup") != 1 {
			t.Errorf("park %v, kim %v, lee %v", park.did, in.did, ringing.did)
		}
		d := park.Dialog()
		d.EarlyOnly = true
		if _, err = pick("u-choi", d); !errs.Is(err, errs.Limit) {
			t.Errorf("early-only on an answered call: %v", err)
		}
		hangUp(park)
		e.over(1)
	})
}

func TestR17WhatTheNetworkSaysReachesTheCaller(t *testing.T) {
	sdp := []byte("v=0")
	rows := []struct {
		name   string
		events []LegEvent
		did    string // what the caller's leg was told
	}{
		{"180, then 200", []LegEvent{{Kind: LegProgress, Code: 180}, {Kind: LegAnswered, SDP: sdp}}, "ring answer"},
		{"183 with sound, then 180, then 200", []LegEvent{
			{Kind: LegProgress, Code: 183, SDP: sdp}, {Kind: LegProgress, Code: 180}, {Kind: LegAnswered, SDP: sdp},
		}, "progress answer"},
		{"180, then 183 with sound", []LegEvent{{Kind: LegProgress, Code: 180}, {Kind: LegProgress, Code: 183, SDP: sdp}}, "ring progress"},
		{"183 twice, with another port", []LegEvent{
			{Kind: LegProgress, Code: 183, SDP: sdp}, {Kind: LegProgress, Code: 183, SDP: []byte("v=1")}, {Kind: LegAnswered, SDP: sdp},
		}, "progress answer"},
		{"200 at once", []LegEvent{{Kind: LegAnswered, SDP: sdp}}, "answer"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newExchange(t, true)
				in, err := e.phone("a", "u-kim", "+8210")
				if err != nil {
					t.Fatal(err)
				}
				for _, ev := range r.events {
					e.dialed[0].events(ev)
				}
				synctest.Wait()
				in.mu.Lock()
				if got := strings.Join(in.did, " "); got != r.did {
					t.Errorf("the caller's leg: %q, want %q", got, r.did)
				}
				in.mu.Unlock()
				hangUp(in)
				e.over(1)
			})
		})
	}
}

func TestCallsOutAreCheckedBeforeAnybodyIsDialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, false)
		for called, kind := range map[string]errs.Kind{"+8210": errs.Denied, "nobody": errs.NotFound} {
			if _, err := e.phone("a", "u-kim", called); !errs.Is(err, kind) {
				t.Errorf("%s: %v", called, err)
			}
		}
		if _, err := e.phone("b", "stranger", "u-lee"); !errs.Is(err, errs.Denied) {
			t.Errorf("a device of nobody: %v", err)
		}
		in, _ := e.connect("c", "u-kim", "u-lee") // inside the instance it may
		hangUp(in)
		e.over(1)
	})
}

func TestAnEmergencyCallAlwaysPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, false)
		keep, err := e.phone("k", "u-lee", "u-park")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		go e.Drain(ctx)
		synctest.Wait()
		e.store.set(fmt.Errorf("the database is away"))
		in, err := e.phone("a", "u-kim", "112")
		if err != nil {
			t.Fatal(err)
		}
		out := e.dialed[len(e.dialed)-1]
		if out.target.Number != "112" || out.target.Priority != PriorityEmergency || out.target.OnBehalfOf != "u-kim" {
			t.Errorf("dialled %+v", out.target)
		}
		e.store.set(nil)
		hangUp(in)
		hangUp(keep)
		e.over(2)
	})
}

func TestOriginateCallsTheCustomerAndRunsTheFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, true)
		id, err := e.Originate(t.Context(), Originate{
			InstanceID: "i1", Number: "+8210", FlowID: "f1", FromNumber: "+82158", Priority: PriorityCampaign, Group: "spring", Method: contact.Callback,
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		out := e.dialed[0]
		if out.target.Number != "+8210" || out.target.FromNumber != "+82158" || out.target.Priority != PriorityCampaign || out.target.Group != "spring" {
			t.Errorf("dialled %+v", out.target)
		}
		out.events(LegEvent{Kind: LegAnswered, SDP: []byte("v=0")})
		synctest.Wait()
		if s := e.find(id).snapshot.Load(); s.Phase != PhaseFlow || s.Record.InitiationMethod != contact.Callback {
			t.Errorf("%s, %+v", s.Phase, s.Record)
		}
		hangUp(out)
		e.over(1)
		if id, err = e.Originate(t.Context(), Originate{InstanceID: "i1", Number: "+8211"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		e.dialed[1].events(LegEvent{Kind: LegEnded, Cause: CauseRejected, Code: 404})
		e.over(2)
		if r := e.store.closed[id]; r.DisconnectReason != contact.OutboundDestinationError {
			t.Errorf("record %+v", r)
		}
	})
}

func TestHoldsIsReadFromSDP(t *testing.T) {
	for sdp, want := range map[string]bool{
		"v=0\r\nm=audio 1 RTP/AVP 0\r\na=sendonly\r\n":                             true,
		"v=0\r\na=inactive\r\nm=audio 1 RTP/AVP 0":                                 true,
		"v=0\na=inactive\nm=audio 1 RTP/AVP 0\na=sendrecv":                         false,
		"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 0\r\n":                       true,
		"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n": false,
		"v=0\r\nm=audio 1 RTP/AVP 0\r\na=recvonly\r\n":                             false,
		"v=0\r\nm=audio 1 RTP/AVP 0\r\nm=video 0 RTP/AVP 96\r\na=inactive\r\n":     false,
		"": false,
	} {
		if holds([]byte(sdp)) != want {
			t.Errorf("%q: want %v", sdp, want)
		}
	}
}

func TestWhoIsInACallOfTheirOwnIsKnownAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newExchange(t, true)
		var mu sync.Mutex
		var told []string
		e.o.Engaged = func(userID string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, userID)
		}
		want := func(what string, news []string, on ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(told)
			if !slices.Equal(told, news) {
				t.Errorf("%s: told of %v, want %v", what, told, news)
			}
			told = nil
			for _, id := range []string{"u-kim", "u-lee", "u-park"} {
				if e.OnCall(id) != slices.Contains(on, id) {
					t.Errorf("%s: %s is on a call: %v", what, id, e.OnCall(id))
				}
			}
		}
		first, err := e.phone("a", "u-kim", "u-lee")
		if err != nil {
			t.Fatal(err)
		}
		want("kim calls lee", []string{"u-kim", "u-lee"}, "u-kim", "u-lee")
		second, _ := e.connect("b", "u-kim", "+8210")
		want("kim calls somebody else beside it", nil, "u-kim", "u-lee")
		hangUp(first)
		want("the first is over", []string{"u-lee"}, "u-kim")
		hangUp(second)
		want("the second is over", []string{"u-kim"})
		e.over(2)
	})
}

func TestWhatAQueueHasGivenIsNoCallOfTheAgentsOwn(t *testing.T) {
	for phase, want := range map[string][]string{"Queued": nil, "Ringing": nil, "Talking": nil, "Calling": {"u-kim"}} {
		s := states(t)[phase]
		if phase == "Calling" {
			s.party(s.Caller).Person = Person{ID: "u-kim"}
		}
		if got := s.ownUsers(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", phase, got, want)
		}
	}
}
