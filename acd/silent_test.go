package acd

import (
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
)

func (w *world) enqueueOn(id string, c contact.Channel) {
	w.t.Helper()
	if err := w.c.Enqueue(w.t.Context(), Waiting{ContactID: id, QueueID: "q", Channel: c, Since: time.Now()}); err != nil {
		w.t.Fatalf("enqueue %s: %v", id, err)
	}
	synctest.Wait()
}

func TestChatsNeedNoDeviceAndCallsDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.edit(func(c *Config) {
			p := profileOf(contact.Chat, "q 1 0")
			p.Queues = append(p.Queues, ProfileQueue{QueueID: "q", Channel: contact.Voice, Priority: 1})
			c.Profiles["p"] = p
		})
		w.deaf["a"] = true
		w.start()
		w.status("a", "available")
		w.enqueue("call", "q")
		w.enqueueOn("chat", contact.Chat)
		o := w.offered("chat-a")[0]
		if o.Channel != contact.Chat {
			t.Errorf("the offer is for %s", o.Channel)
		}
		for _, v := range w.c.Explain("call") {
			if v.Reason != WhyRinging {
				t.Errorf("why not the call: %s", v.Reason)
			}
		}
		w.talk(o)
		if v := w.c.Explain("call")[0]; v.Reason != WhyUnreachable {
			t.Errorf("why not the call: %s", v.Reason)
		}
		w.mu.Lock()
		delete(w.deaf, "a")
		w.mu.Unlock()
		w.c.DeviceChanged("a")
		synctest.Wait()
		w.offered("call-a") // the profile lets both channels be
	})
}

func TestAChatThatGoesOnKeepsItsAgentOverARestart(t *testing.T) {
	for _, state := range []SlotState{SlotConnected, SlotOffered} { // the process died before the reservation was moved
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, 10*time.Second)
			w.edit(func(c *Config) { c.Profiles["p"] = profileOf(contact.Chat, "q 1 0") })
			since := time.Now().Add(-time.Hour)
			w.store.set(func(s *fakeStore) {
				s.states["a"] = AgentState{UserID: "a", StatusID: "available", StatusSince: since, Version: 3}
				for _, r := range []Reservation{
					{OfferID: "keep", ContactID: "1", Channel: contact.Chat, State: state},
					{OfferID: "over", ContactID: "2", Channel: contact.Chat, State: SlotConnected},
					{OfferID: "call", ContactID: "3", Channel: contact.Voice, State: SlotConnected},
				} {
					r.UserID, r.QueueID, r.Node, r.Since = "a", "q", "n", since
					s.rows[r.OfferID] = r
				}
			})
			w.c = New(Options{
				InstanceID: "i", Node: "n", Store: w.store, Config: w.readConfig, Ringer: w, Devices: w,
				Keep: func(r Reservation) bool { return r.OfferID != "over" },
			})
			w.start()
			w.agent("a", "available: 1 CONNECTED")
			if n := w.store.count(); n != 1 {
				t.Errorf("%d reservations are left", n)
			}
			if r, ok := w.store.row("keep"); !ok || r.State != SlotConnected {
				t.Errorf("stored is %+v", r)
			}
			w.enqueueOn("4", contact.Chat)
			w.talk(w.offered("4-a")[0])
			w.c.AgentDone("keep")
			synctest.Wait()
			w.agent("a", "available: 1 ACW 4 CONNECTED")
			time.Sleep(10 * time.Second)
			synctest.Wait()
			w.agent("a", "available: 4 CONNECTED")
		})
	}
}
