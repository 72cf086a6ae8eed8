package acd

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

func TestAStatusIsChosenOnceItIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.start()
		w.enqueue("1", "q")
		w.store.set(func(s *fakeStore) { s.down = true })
		if err := w.c.SetStatus(t.Context(), "a", "available", time.Now()); !errs.Is(err, errs.Unavailable) {
			t.Fatalf("with the database away: %v", err)
		}
		w.agent("a", "available:")
		w.offered() // not before it is durable
		w.store.set(func(s *fakeStore) { s.down = false })
		time.Sleep(maxStoreBackoff)
		synctest.Wait()
		w.offered("1-a")
		if w.store.states["a"].StatusID != "available" {
			t.Fatal("not stored")
		}
	})
}

func TestAnAgentWhoIsBeingStoredHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 0)
		w.start()
		w.status("a", "available")
		time.Sleep(time.Second)
		w.status("b", "available")
		w.store.set(func(s *fakeStore) { s.stuck = "a" })
		go func() { _ = w.c.SetStatus(context.Background(), "a", "available", time.Now()) }()
		synctest.Wait()
		w.enqueue("1", "q") // a is available longer, but nobody knows for how long the store hangs
		w.offered("1-b")
		w.store.set(func(s *fakeStore) { s.stuck = "" })
		w.enqueue("2", "q")
		time.Sleep(opTimeout + storeBackoff)
		synctest.Wait()
		w.offered("2-a")
	})
}

func TestALostReservationKeepsTheContactInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.start()
		w.status("a", "available")
		// Another node changes the agent behind our back: our version is old.
		w.store.set(func(s *fakeStore) {
			v := s.states["a"]
			v.Version += 5
			s.states["a"] = v
		})
		w.enqueue("1", "q")
		w.offered()
		w.line("1")
		w.agent("a", "available:")
		time.Sleep(storeBackoff)
		synctest.Wait()
		w.offered("1-a")
		if got := w.c.Counts().Lost.Load(); got != 1 {
			t.Errorf("lost %d", got)
		}
	})
}

func TestAForgottenReservationOfOursIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.start()
		w.status("a", "available")
		w.store.set(func(s *fakeStore) {
			s.rows["ghost"] = Reservation{OfferID: "ghost", UserID: "a", ContactID: "g", Channel: contact.Voice, State: SlotConnected, Node: "n"}
		})
		w.enqueue("1", "q")
		time.Sleep(storeBackoff)
		synctest.Wait()
		w.offered("1-a")
	})
}

func TestARestartFreesEverybodyAndKeepsTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 0)
		w.start()
		for _, id := range []string{"a", "b", "c"} {
			w.status(id, "available")
		}
		w.enqueue("1", "q")
		w.enqueue("2", "q")
		os := w.offered("1-a", "2-b")
		w.talk(os[0])
		w.status("a", "lunch")
		w.status("c", "offline")
		w.c.Stop()
		if w.store.count() != 2 {
			t.Fatalf("%d reservations", w.store.count())
		}
		w.store.set(func(s *fakeStore) {
			s.rows["other"] = Reservation{OfferID: "other", UserID: "z", ContactID: "z", Node: "another node"}
			s.down = true
		})
		w.c = w.center()
		w.start()
		if len(w.c.CurrentAgents()) != 0 {
			t.Fatal("started without its store")
		}
		// What is asked while it starts waits.
		asked := make(chan error, 1)
		go func() { asked <- w.c.Enqueue(context.Background(), Waiting{ContactID: "3", QueueID: "q"}) }()
		time.Sleep(10 * time.Second)
		w.store.set(func(s *fakeStore) { s.down = false })
		<-w.c.Ready()
		if err := <-asked; err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.agent("a", "lunch:") // the next status, as nothing is left to wait for
		w.agent("c", "offline:")
		w.offered("3-b")
		if _, ok := w.store.row("other"); !ok || w.store.count() != 2 {
			t.Error("the other node's reservation was touched, or one of ours is left")
		}
	})
}

func TestConfigurationChangesTakeEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.start()
		w.status("a", "available")
		// A failed read keeps the old configuration.
		w.mu.Lock()
		w.cfgErr = errStore
		w.mu.Unlock()
		w.c.ConfigChanged()
		synctest.Wait()
		w.agent("a", "available:")
		w.mu.Lock()
		w.cfgErr = nil
		w.mu.Unlock()
		w.edit(func(c *Config) {
			q := &Queue{HoursID: "h", Status: QueueEnabled, RingSeconds: 7}
			q.ID, q.Name = "new", "new"
			c.Queues["new"] = q
			c.Profiles["p2"] = profileOf(contact.Voice, "new 1 3")
			c.Agents["n"] = Agent{UserID: "n", RoutingProfileID: "p2"}
		})
		w.c.ConfigChanged()
		synctest.Wait()
		w.status("n", "available")
		w.enqueue("1", "new")
		w.offered()
		time.Sleep(3 * time.Second) // the delay of the profile's line
		synctest.Wait()
		o := w.offered("1-n")[0]
		if o.RingTime != 7*time.Second {
			t.Errorf("rings for %v", o.RingTime)
		}
		// The user is deleted while the phone rings.
		w.edit(func(c *Config) { delete(c.Agents, "n") })
		w.c.ConfigChanged()
		synctest.Wait()
		w.talk(o)
		w.done(o)
		time.Sleep(configPoll)
		synctest.Wait()
		if _, err := w.c.CurrentAgent("n"); !errs.Is(err, errs.NotFound) {
			t.Errorf("a deleted user is still there: %v", err)
		}
		if w.store.count() != 0 {
			t.Error("and reserved")
		}
	})
}

// A Ringer that asks the Center while the Center rings must not hold up either.
func TestARingerMayCallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.onRing = func(o Offer) {
			if err := w.c.Enqueue(context.Background(), Waiting{ContactID: "from ring", QueueID: "q"}); err != nil {
				t.Error(err)
			}
			w.c.OfferResult(o.ID, Answered)
			w.c.Joined(o.ID)
		}
		w.start()
		w.status("a", "available")
		w.enqueue("1", "q")
		w.agent("a", "available: 1 CONNECTED")
		w.line("from ring")
	})
}

func TestStopIsSafeAtAnyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := newWorld(t, 1, 0)
		never.c.Stop()
		never.c.Stop()
		never.c.Start()
		if err := never.c.Enqueue(t.Context(), Waiting{ContactID: "1", QueueID: "q"}); !errs.Is(err, errs.Unavailable) {
			t.Errorf("never started: %v", err)
		}
		w := newWorld(t, 1, 0)
		w.store.set(func(s *fakeStore) { s.down = true })
		w.c.Start()
		w.c.Start()
		time.Sleep(time.Second)
		w.c.Stop() // while it cannot load
		w.c.Stop()
		if err := w.c.SetStatus(t.Context(), "a", "available", time.Now()); !errs.Is(err, errs.Unavailable) {
			t.Errorf("after the end: %v", err)
		}
		w.c.Leave("1")
		slow := newWorld(t, 1, 0)
		slow.start()
		slow.store.set(func(s *fakeStore) { s.delay = time.Hour })
		go func() { _ = slow.c.SetStatus(context.Background(), "a", "available", time.Now()) }()
		synctest.Wait()
		slow.c.Stop() // while the store hangs
	})
}

func TestAPanicInAPartEndsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 0)
		w.onRing = func(o Offer) {
			if o.Agent.UserID == "a" {
				panic("a fault in the ringer")
			}
		}
		w.start()
		w.status("a", "available")
		time.Sleep(time.Second)
		w.status("b", "available")
		w.enqueue("1", "q")
		w.offered("1-a")
		w.c.mail.put(func(*actor, time.Time) { panic("a fault in the actor") })
		w.enqueue("2", "q")
		w.offered("2-b")
		if got := w.c.Counts().Panics.Load(); got != 2 {
			t.Errorf("counted %d", got)
		}
	})
}
