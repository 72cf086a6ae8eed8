package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ullim/acd"
	"ullim/internal/api/agent/agenttest"
	"ullim/internal/call"
	"ullim/internal/contact"
)

// stir changes something about an agent, at random.
func (w *fakeWorld) stir(rng *rand.Rand, userID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.agents[userID]
	at := time.Unix(1_800_000_000+rng.Int64N(1000), 0)
	id := fmt.Sprint("c", rng.IntN(5))
	i := slices.IndexFunc(a.Slots, func(s acd.Slot) bool { return s.ContactID == id })
	a.Slots = slices.Clone(a.Slots)
	states := []acd.SlotState{acd.SlotOffered, acd.SlotConnected, acd.SlotACW, acd.SlotMissed, acd.SlotRejected, acd.SlotError}
	switch n := rng.IntN(10); {
	case n < 1:
		a.StatusID, a.StatusSince = fmt.Sprint("s", rng.IntN(3)), at
	case n < 2:
		a.NextStatusID, a.Reachable = fmt.Sprint("s", rng.IntN(3)), !a.Reachable
	case n < 5 && i < 0:
		a.Slots = append(a.Slots, acd.Slot{
			OfferID: fmt.Sprint("o", rng.Int()), ContactID: id, QueueID: "q1", Channel: contact.Voice, State: states[rng.IntN(2)], Since: at, Started: at,
		})
	case n < 5:
		a.Slots[i].State, a.Slots[i].Since = states[rng.IntN(len(states))], at
	case n < 6 && i >= 0:
		a.Slots = slices.Delete(a.Slots, i, i+1)
	case n < 8:
		w.live[id] = call.Live{
			Record: &contact.Record{ID: id, InstanceID: ours, InitiationTimestamp: at, Attributes: map[string]string{"n": fmt.Sprint(rng.IntN(9))}},
			Parties: []call.Participant{
				{ID: -1, Role: call.RoleCustomer, State: "CONNECTED", Customer: true, OnHold: rng.IntN(2) == 0},
				{ID: 1 + rng.IntN(3), Role: call.RoleAgent, State: "CONNECTED", UserID: userID, Muted: rng.IntN(2) == 0},
			},
			Tape: []call.TapeState{call.TapeOff, call.TapeOn, call.TapeSuspended}[rng.IntN(3)],
		}
	case n < 9:
		delete(w.live, id)
		w.records[id] = &contact.Record{ID: id, Notes: fmt.Sprint(rng.IntN(9))}
	default:
		w.own[userID] = []string{fmt.Sprint("c", rng.IntN(5)), fmt.Sprint("own", rng.IntN(3))}[:rng.IntN(3)]
		w.live["own0"] = call.Live{Record: &contact.Record{ID: "own0"}, Parties: []call.Participant{{ID: 1, UserID: userID, State: "RINGING"}}}
	}
	w.agents[userID] = a
}

// folder is a tab of the property test: it reads its queue now and then, or never.
type folder struct {
	t    *tab
	view agenttest.View
}

func (f *folder) drain(t *testing.T, some int) {
	t.Helper()
	for range some {
		select {
		case frame := <-f.t.out:
			f.t.taken(frame)
			var in agenttest.Frame
			if err := json.Unmarshal(frame, &in); err != nil {
				t.Fatal(err)
			}
			if err := f.view.Apply(&in); err != nil {
				t.Fatalf("%v, folding %s", err, frame)
			}
		default:
			return
		}
	}
}

// TestWhateverIsDroppedAFoldedStateIsAFreshSnapshot is the promise of the channel: tabs come, go on from their cursors, are
// slow and are cut, in any order; whoever has read what was sent has the state that a newcomer is given.
func TestWhateverIsDroppedAFoldedStateIsAFreshSnapshot(t *testing.T) {
	for seed := range uint64(16) {
		rng := rand.New(rand.NewPCG(seed, 7))
		w := newFakeWorld("u1")
		s := w.service(t)
		h := newHub(s, ours, "u1", "life")
		if err := h.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		tabs := []*folder{}
		join := func(f *folder) {
			f.t = newTab("")
			if err := h.join(f.t, f.view.Cursor); err != nil {
				t.Fatal(err)
			}
			tabs = append(tabs, f)
		}
		for step := range 400 {
			switch n := rng.IntN(20); {
			case n < 12:
				w.stir(rng, "u1")
				if n < 9 { // some changes are seen together
					if err := h.look(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			case n < 14 && len(tabs) < 5:
				join(&folder{})
			case n < 15 && len(tabs) > 0: // cut, and back with the cursor, with or without what was on the way
				i := rng.IntN(len(tabs))
				f := tabs[i]
				tabs = slices.Delete(tabs, i, i+1)
				h.part(f.t)
				if rng.IntN(2) == 0 {
					f.drain(t, 1000)
				}
				for range rng.IntN(100) {
					w.stir(rng, "u1")
					if err := h.look(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				join(f)
			case n < 16 && len(tabs) > 0 && step%3 == 0:
				h.configChanged()
				w.change(func() { w.setups["u1"] = Setup{Agent: Agent{UserID: "u1", FirstName: fmt.Sprint(step)}} })
			case len(tabs) > 0:
				tabs[rng.IntN(len(tabs))].drain(t, rng.IntN(20))
			}
		}
		if err := h.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		newcomer := &folder{}
		join(newcomer)
		newcomer.drain(t, 1)
		want := newcomer.view.State()
		for i, f := range tabs {
			select {
			case <-f.t.cut: // it did not keep up, and comes back
				h.part(f.t)
				f.drain(t, 1000)
				if err := h.join(newRejoined(f), f.view.Cursor); err != nil {
					t.Fatal(err)
				}
			default:
			}
			f.drain(t, 1000)
			if got := f.view.State(); !bytes.Equal(got, want) {
				t.Fatalf("seed %d: tab %d has\n%s\na fresh snapshot is\n%s", seed, i, got, want)
			}
		}
		fresh, err := s.liveParts(t.Context(), ours, "u1", newMemory())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fresh[partAvailability].body, h.parts[partAvailability].body) {
			t.Fatalf("seed %d: the hub has %s, truth is %s", seed, h.parts[partAvailability].body, fresh[partAvailability].body)
		}
	}
}

func newRejoined(f *folder) *tab {
	f.t = newTab("")
	return f.t
}

func TestTheRingIsBoundedAndSoIsEveryQueue(t *testing.T) {
	w := newFakeWorld("u1")
	s := w.service(t)
	h := newHub(s, ours, "u1", "life")
	if err := h.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	slow := newTab("")
	if err := h.join(slow, ""); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3 * ringFrames {
		w.stir(rng, "u1")
		if err := h.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.ring) > ringFrames || h.bytes > ringBytes || len(h.ring) == 0 {
		t.Errorf("the ring has %d frames, %d bytes", len(h.ring), h.bytes)
	}
	total := 0
	for _, r := range h.ring {
		total += len(r.frame)
	}
	if total != h.bytes {
		t.Errorf("%d bytes are in the ring, it says %d", total, h.bytes)
	}
	select {
	case <-slow.cut:
		if slow.code != closeSlow || s.Counts().Slow.Load() != 1 || len(h.tabs) != 0 {
			t.Errorf("the slow tab: %d %s, %d counted, %d tabs", slow.code, slow.why, s.Counts().Slow.Load(), len(h.tabs))
		}
	default:
		t.Error("a tab that reads nothing was not cut")
	}
}

func TestATabWithManyBytesInItsQueueIsCut(t *testing.T) {
	one := newTab("")
	big := make([]byte, 400<<10)
	n := 0
	for one.offer(big) {
		n++
	}
	if n < 2 || n > 3 {
		t.Errorf("%d frames of 400 KiB were taken", n)
	}
	if whole := newTab(""); !whole.offer(make([]byte, 2*tabBytes)) {
		t.Error("one frame that is larger than everything must still pass")
	}
}
