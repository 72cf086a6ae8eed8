package storagetest

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/storage"
)

// full fills what a test does not care about.
func full(r acd.Reservation) acd.Reservation {
	r.InstanceID = cmp.Or(r.InstanceID, "i1")
	r.UserID = cmp.Or(r.UserID, "u1")
	r.ContactID = cmp.Or(r.ContactID, "c-"+r.OfferID)
	r.QueueID = cmp.Or(r.QueueID, "q1")
	r.Channel = cmp.Or(r.Channel, contact.Voice)
	r.State = cmp.Or(r.State, acd.SlotOffered)
	r.Node = cmp.Or(r.Node, "n1")
	if r.Since.IsZero() {
		r.Since = day()
	}
	return r
}

// reserve must be had; the agent has no row yet.
func reserve(t *testing.T, db *storage.DB, r acd.Reservation) acd.Reservation {
	t.Helper()
	r = full(r)
	version, ok, err := db.Reserve(t.Context(), r, 0, 1)
	must(t, err)
	if !ok || version != 1 {
		t.Fatalf("reservation %s: ok %v, version %d", r.OfferID, ok, version)
	}
	return r
}

func testAgents(t *testing.T, open Open) {
	t.Helper()
	t.Run("a status is compare-and-set", func(t *testing.T) { agentStates(t, open) })
	t.Run("an agent is reserved if all three conditions hold, else nothing changes", func(t *testing.T) { reserving(t, open) })
	t.Run("a contact that rings all has several offers and one agent", func(t *testing.T) { sharing(t, open) })
	t.Run("a reservation moves and ends", func(t *testing.T) { movingReservations(t, open) })
	t.Run("of many who reserve one agent at once, one wins", func(t *testing.T) { racingReservations(t, open) })
	t.Run("of many who offer one contact at once, one wins", func(t *testing.T) { racingContact(t, open) })
	t.Run("bad input", func(t *testing.T) { badAgents(t, open) })
}

func agentStates(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := acd.AgentState{
		InstanceID: "i1", UserID: "u1", StatusID: "available", StatusSince: day(), NextStatusID: "lunch",
		LastActivity: day().Add(time.Second), LastInbound: day().Add(2 * time.Second),
	}
	v, err := db.PutAgentState(ctx, s)
	must(t, err)
	if v != 1 {
		t.Fatalf("version %d", v)
	}
	_, err = db.PutAgentState(ctx, s) // somebody made the row
	wantKind(t, err, errs.Conflict)
	s.Version, s.StatusID, s.NextStatusID, s.LastInbound = v, "offline", "", time.Time{}
	v, err = db.PutAgentState(ctx, s)
	must(t, err)
	_, err = db.PutAgentState(ctx, s)
	wantKind(t, err, errs.Conflict)
	s.Version = v
	other := acd.AgentState{InstanceID: "i1", UserID: "u0", StatusID: "x", StatusSince: day()}
	_, err = db.PutAgentState(ctx, other)
	must(t, err)
	other.Version = 1
	elsewhere := acd.AgentState{InstanceID: "i2", UserID: "u1", StatusID: "x", StatusSince: day()}
	_, err = db.PutAgentState(ctx, elsewhere)
	must(t, err)
	want := func(list ...acd.AgentState) {
		t.Helper()
		got, listErr := db.AgentStates(ctx, "i1")
		must(t, listErr)
		if d := gocmp.Diff(list, got); d != "" {
			t.Errorf("states (-want +got):\n%s", d)
		}
	}
	want(other, s)
	unknown := s
	unknown.UserID = "nobody"
	_, err = db.PutAgentState(ctx, unknown)
	wantKind(t, err, errs.Conflict)

	users := things(db, resource.KindUser)
	u := newThing("i1", "agent")
	u.ID, u.kind = "u0", resource.KindUser
	must(t, users.Create(ctx, u))
	must(t, users.Delete(ctx, "i1", "u0")) // and with it the state
	want(s)
}

func sharing(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	try := func(offer, user string, shared, want bool) {
		t.Helper()
		_, ok, err := db.Reserve(ctx, full(acd.Reservation{OfferID: offer, UserID: user, ContactID: "c", Shared: shared}), 0, 1)
		must(t, err)
		if ok != want {
			t.Fatalf("offer %s: ok is %v", offer, ok)
		}
	}
	try("o1", "u1", true, true)
	try("o2", "u2", true, true)
	try("alone", "u3", false, false) // one that is not shared does not stand beside them
	list, err := db.Reservations(ctx, "i1")
	must(t, err)
	if len(list) != 2 || !list[0].Shared || list[0].State != acd.SlotOffered {
		t.Fatalf("stored as %+v", list)
	}
	must(t, db.MoveReservation(ctx, "o1", acd.SlotConnected, day()))
	try("o4", "u4", true, false) // somebody has answered
	wantKind(t, db.MoveReservation(ctx, "o2", acd.SlotConnected, day()), errs.Conflict)
	must(t, db.EndReservation(ctx, "o2"))
	must(t, db.EndReservation(ctx, "o1"))
	try("o5", "u5", false, true)
	try("o6", "u6", true, false) // nor the other way round
}

func reserving(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	try := func(r acd.Reservation, version int64, limit int, want bool) int64 {
		t.Helper()
		v, ok, err := db.Reserve(ctx, full(r), version, limit)
		must(t, err)
		if ok != want {
			t.Fatalf("%+v at version %d, limit %d: ok is %v", r, version, limit, ok)
		}
		return v
	}
	must2 := func(_ int64, err error) { t.Helper(); must(t, err) }
	must2(db.PutAgentState(ctx, acd.AgentState{InstanceID: "i1", UserID: "u1", StatusID: "available", StatusSince: day()}))
	try(acd.Reservation{OfferID: "o1"}, 0, 1, false) // the row exists
	try(acd.Reservation{OfferID: "o1"}, 2, 1, false) // never had this version
	try(acd.Reservation{OfferID: "o1", UserID: "nobody"}, 3, 1, false)
	try(acd.Reservation{OfferID: "o1"}, 1, 0, false) // limit
	v := try(acd.Reservation{OfferID: "o1"}, 1, 1, true)
	if v != 2 {
		t.Fatalf("version %d", v)
	}
	try(acd.Reservation{OfferID: "o2"}, v, 1, false)                           // busy
	try(acd.Reservation{OfferID: "o2"}, 1, 2, false)                           // outdated
	try(acd.Reservation{OfferID: "o1", ContactID: "c2"}, v, 2, false)          // the offer's id is taken
	try(acd.Reservation{OfferID: "o3", ContactID: "c-o1"}, v, 2, false)        // the contact has a live one
	v = try(acd.Reservation{OfferID: "o4", Channel: "CHAT"}, v, 1, true)       // another channel counts for itself
	v = try(acd.Reservation{OfferID: "o5", Channel: contact.Chat}, v, 2, true) // and may take two
	try(acd.Reservation{OfferID: "o6", UserID: "u2"}, 0, 1, true)              // no row yet

	must(t, db.MoveReservation(ctx, "o1", acd.SlotConnected, day()))
	try(acd.Reservation{OfferID: "o7", UserID: "u3", ContactID: "c-o1"}, 0, 1, false) // still live
	must(t, db.MoveReservation(ctx, "o1", acd.SlotMissed, day()))
	try(acd.Reservation{OfferID: "o7"}, v, 1, false) // a missed one still takes the agent
	try(acd.Reservation{OfferID: "o7", UserID: "u3", ContactID: "c-o1"}, 0, 1, true)
	must(t, db.EndReservation(ctx, "o1"))
	try(acd.Reservation{OfferID: "o8"}, v, 1, true)

	got, err := db.AgentStates(ctx, "i1")
	must(t, err)
	versions := make(map[string]int64)
	for _, s := range got {
		versions[s.UserID] = s.Version
	}
	if d := gocmp.Diff(map[string]int64{"u1": v + 1, "u2": 1, "u3": 1}, versions); d != "" {
		t.Errorf("versions (-want +got):\n%s", d)
	}
	if got[0].StatusID != "available" {
		t.Errorf("status became %q", got[0].StatusID)
	}
	_, err = db.PutAgentState(ctx, acd.AgentState{InstanceID: "i1", UserID: "u1", StatusID: "x", Version: v})
	wantKind(t, err, errs.Conflict) // a reservation outdates the state
}

func movingReservations(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	want := func(list ...acd.Reservation) {
		t.Helper()
		got, err := db.Reservations(ctx, "i1")
		must(t, err)
		if d := gocmp.Diff(list, got); d != "" {
			t.Errorf("reservations (-want +got):\n%s", d)
		}
	}
	want()
	a := reserve(t, db, acd.Reservation{OfferID: "a", UserID: "u1"})
	b := reserve(t, db, acd.Reservation{OfferID: "b", UserID: "u2", Node: "n2"})
	c := reserve(t, db, acd.Reservation{OfferID: "c", UserID: "u3"})
	reserve(t, db, acd.Reservation{OfferID: "d", InstanceID: "i2"})
	want(a, b, c)
	a.State, a.Since = acd.SlotConnected, day().Add(time.Minute)
	must(t, db.MoveReservation(ctx, "a", a.State, a.Since))
	want(b, c, a)
	for range 2 {
		must(t, db.EndReservation(ctx, "b"))
	}
	wantKind(t, db.MoveReservation(ctx, "b", acd.SlotACW, day()), errs.NotFound)
	want(c, a)

	must(t, db.MoveReservation(ctx, "c", acd.SlotMissed, day()))
	reserve(t, db, acd.Reservation{OfferID: "e", UserID: "u5", ContactID: "c-c"})
	wantKind(t, db.MoveReservation(ctx, "c", acd.SlotOffered, day()), errs.Conflict) // a second live one

	reserve(t, db, acd.Reservation{OfferID: "f", UserID: "u6", Node: "n2"})
	n, err := db.EndReservationsOfNode(ctx, "n2")
	must(t, err)
	if n != 1 {
		t.Errorf("ended %d of node n2", n)
	}
	n, err = db.EndReservationsOfNode(ctx, "n1")
	must(t, err)
	if n != 4 { // of both instances
		t.Errorf("ended %d of node n1", n)
	}
	want()
}

func racingReservations(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for round := range 5 {
		user := fmt.Sprint("u", round)
		version := int64(0)
		if round%2 == 1 {
			v, err := db.PutAgentState(ctx, acd.AgentState{InstanceID: "i1", UserID: user, StatusID: "available"})
			must(t, err)
			version = v
		}
		var won atomic.Int32
		together(16, func(i int) {
			_, ok, err := db.Reserve(ctx, full(acd.Reservation{OfferID: fmt.Sprintf("%d-%d", round, i), UserID: user}), version, 1)
			if err != nil {
				t.Error(err)
			}
			if ok {
				won.Add(1)
			}
		})
		if won.Load() != 1 {
			t.Errorf("round %d: %d of 16 won", round, won.Load())
		}
	}
	// Also if everybody keeps up with the version: the limit holds.
	var mu sync.Mutex
	var won []string
	together(16, func(i int) {
		for range 40 {
			states, err := db.AgentStates(ctx, "i1")
			if err != nil {
				t.Error(err)
				return
			}
			version := int64(0)
			for _, s := range states {
				if s.UserID == "busy" {
					version = s.Version
				}
			}
			offer := fmt.Sprint("busy-", i)
			_, ok, err := db.Reserve(ctx, full(acd.Reservation{OfferID: offer, UserID: "busy"}), version, 3)
			if err != nil {
				t.Error(err)
			}
			if ok {
				mu.Lock()
				won = append(won, offer)
				mu.Unlock()
				return
			}
		}
	})
	if len(won) != 3 {
		t.Errorf("with a limit of 3, these won: %v", won)
	}
}

func racingContact(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for round := range 5 {
		var won atomic.Int32
		together(16, func(i int) {
			r := full(acd.Reservation{OfferID: fmt.Sprintf("%d-%d", round, i), UserID: fmt.Sprintf("%d-%d", round, i), ContactID: fmt.Sprint(round)})
			_, ok, err := db.Reserve(ctx, r, 0, 1)
			if err != nil {
				t.Error(err)
			}
			if ok {
				won.Add(1)
			}
		})
		if won.Load() != 1 {
			t.Errorf("round %d: %d of 16 won", round, won.Load())
		}
	}
	states, err := db.AgentStates(ctx, "i1")
	must(t, err)
	if len(states) != 5 {
		t.Errorf("%d agents have a row, want 5: losers left something", len(states))
	}
}

func badAgents(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for _, bad := range []string{"", "\x00", "\xff"} {
		_, err := db.PutAgentState(ctx, acd.AgentState{InstanceID: "i1", UserID: bad})
		wantKind(t, err, errs.Invalid)
		r := full(acd.Reservation{OfferID: "o1"})
		r.ContactID = bad
		_, _, err = db.Reserve(ctx, r, 0, 1)
		wantKind(t, err, errs.Invalid)
		must(t, db.EndReservation(ctx, bad))
		wantKind(t, db.MoveReservation(ctx, bad, acd.SlotACW, day()), errs.NotFound)
		n, err := db.EndReservationsOfNode(ctx, bad)
		must(t, err)
		states, err := db.AgentStates(ctx, bad)
		must(t, err)
		list, err := db.Reservations(ctx, bad)
		must(t, err)
		if n+len(states)+len(list) != 0 {
			t.Errorf("%q: %d ended, %v, %v", bad, n, states, list)
		}
	}
}
