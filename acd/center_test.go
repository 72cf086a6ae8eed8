package acd

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

func TestACallIsOfferedJoinedAndWrappedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 10*time.Second)
		w.start()
		w.status("a", "available")
		w.enqueue("1", "q")
		o := w.offered("1-a")[0]
		if o.RingTime != DefaultRingTime || o.QueueName != "queue q" || o.RoutingProfileName != "profile" || o.ACWTimeout != 10*time.Second {
			t.Fatalf("offer %+v", o)
		}
		w.agent("a", "available: 1 OFFERED")
		w.line("1")
		w.talk(o)
		w.agent("a", "available: 1 CONNECTED")
		w.line()
		if r, ok := w.store.row(o.ID); !ok || r.State != SlotConnected {
			t.Fatalf("stored %v %v", r, ok)
		}
		time.Sleep(time.Minute)
		w.done(o)
		start := time.Now()
		w.agent("a", "available: 1 ACW")
		w.enqueue("2", "q")
		time.Sleep(10*time.Second - time.Nanosecond)
		synctest.Wait()
		w.offered()
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		w.offered("2-a")
		if got := w.store.work["1"]; !got.start.Equal(start) || !got.end.Equal(start.Add(10*time.Second)) {
			t.Fatalf("after-contact work %v to %v", got.start, got.end)
		}
	})
}

func TestAfterContactWorkWithoutLimitLastsUntilItIsCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.start()
		w.status("a", "available")
		w.enqueue("1", "q")
		o := w.offered("1-a")[0]
		w.talk(o)
		w.c.Leave("1") // the customer hung up: the agent's part is over as well
		w.done(o)
		w.enqueue("2", "q")
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		w.agent("a", "available: 1 ACW")
		if err := w.c.Dismiss(t.Context(), "a", "1"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.offered("2-a")
	})
}

func TestTheFourOutcomesOfAnOfferAreFour(t *testing.T) {
	tests := []struct {
		name   string
		result Result
		deaf   bool
		agent  string
		line   []string
		next   []string // offers to agent b
	}{
		{"missed", Missed, false, "available: 1 MISSED", []string{"1"}, []string{"1-b"}},
		{"rejected", Rejected, false, "available: 1 REJECTED", []string{"1"}, []string{"1-b"}},
		{"device failed, still registered", DeviceFailed, false, "available:", []string{"1"}, []string{"1-b"}},
		{"device failed, gone", DeviceFailed, true, "available: 1 ERROR", []string{"1"}, []string{"1-b"}},
		{"caller left", CallerLeft, false, "available:", nil, nil},
		{"agent left", AgentLeft, false, "available:", []string{"1"}, []string{"1-b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2, 0)
				w.start()
				w.status("a", "available")
				time.Sleep(time.Second)
				w.status("b", "available")
				w.enqueue("1", "q")
				o := w.offered("1-a")[0]
				before, _ := w.c.CurrentAgent("a")
				w.mu.Lock()
				w.deaf["a"] = tt.deaf
				w.mu.Unlock()
				time.Sleep(3 * time.Second)
				w.result(o, tt.result)
				w.agent("a", tt.agent)
				w.line(tt.line...)
				w.offered(tt.next...)
				if after, _ := w.c.CurrentAgent("a"); !after.AvailableSince.Equal(before.AvailableSince) {
					t.Errorf("available since %v, before %v", after.AvailableSince, before.AvailableSince)
				}
			})
		})
	}
}

func TestAMissedContactBlocksUntilDismissedOrAStatusIsChosen(t *testing.T) {
	for _, result := range []Result{Missed, Rejected} {
		for _, how := range []string{"dismiss", "status"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, 0)
				w.start()
				w.status("a", "available")
				w.enqueue("1", "q")
				w.result(w.offered("1-a")[0], result)
				w.enqueue("2", "vip")
				time.Sleep(time.Hour)
				synctest.Wait()
				w.offered()
				if how == "status" {
					w.status("a", "available")
				} else if err := w.c.Dismiss(t.Context(), "a", "1"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				w.offered("2-a")
			})
		}
	}
}

func TestAContactKeepsItsPlaceWhileItIsOfferedAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 0)
		w.start()
		w.enqueue("1", "q")
		since := w.c.Waiting()[0].Since
		time.Sleep(time.Second)
		w.enqueue("2", "q")
		w.status("a", "available")
		w.result(w.offered("1-a")[0], Missed)
		if got := w.c.Waiting()[0]; got.ContactID != "1" || !got.Since.Equal(since) || got.Position != 1 {
			t.Fatalf("first in line: %+v", got)
		}
		// Contact 1 is still before contact 2, for the other agent and, when that one is busy, for the first.
		w.status("b", "available")
		w.result(w.offered("1-b")[0], Missed)
		w.status("a", "available")
		w.offered("1-a")
	})
}

func TestADeviceThatFailsPausesLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, time.Second)
		w.start()
		w.status("a", "available")
		w.enqueue("1", "q")
		o := w.offered("1-a")[0]
		for _, pause := range []time.Duration{5, 10, 20, 40, 60, 60} {
			w.result(o, DeviceFailed)
			time.Sleep(pause*time.Second - time.Nanosecond)
			synctest.Wait()
			w.offered()
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			o = w.offered("1-a")[0]
		}
		w.talk(o)
		w.done(o)
		time.Sleep(time.Second)
		w.enqueue("2", "q")
		w.result(w.offered("2-a")[0], DeviceFailed)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		w.offered("2-a")
	})
}

func TestAnErrorEndsWhenTheDeviceIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.start()
		w.status("a", "available")
		w.enqueue("1", "q")
		w.mu.Lock()
		w.deaf["a"] = true
		w.mu.Unlock()
		w.result(w.offered("1-a")[0], DeviceFailed)
		w.agent("a", "available: 1 ERROR")
		if v := w.c.Explain("1"); len(v) != 1 || v[0].Reason != WhyBlocked {
			t.Fatalf("explained as %v", v)
		}
		w.mu.Lock()
		delete(w.deaf, "a")
		w.mu.Unlock()
		w.c.DeviceChanged("a")
		synctest.Wait()
		w.offered("1-a")
	})
}

func TestAnAgentWhoIsOnACallOfTheirOwnIsNotRung(t *testing.T) {
	for _, late := range []bool{false, true} { // the hint that the call has begun
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, 0)
			w.start()
			w.status("a", "available")
			talks := func(on, told bool) {
				w.mu.Lock()
				w.talks["a"] = on
				w.mu.Unlock()
				if told {
					w.c.DeviceChanged("a")
				}
				synctest.Wait()
			}
			talks(true, !late)
			w.enqueue("1", "q")
			synctest.Wait()
			w.agent("a", "available:")
			if v := w.c.Explain("1"); len(v) != 1 || v[0].Reason != WhyOnCall {
				t.Fatalf("explained as %v", v)
			}
			talks(false, true)
			w.offered("1-a")
		})
	}
}

func TestAnAgentWithoutDeviceIsNotRung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 0)
		w.start()
		w.status("a", "available")
		time.Sleep(time.Second)
		w.status("b", "available")
		// Nobody tells that the phone of a is gone.
		w.mu.Lock()
		w.deaf["a"] = true
		w.mu.Unlock()
		w.enqueue("1", "q")
		w.offered("1-b")
		w.enqueue("2", "q")
		w.offered()
		// Nobody tells that it is back, either.
		w.mu.Lock()
		delete(w.deaf, "a")
		w.mu.Unlock()
		time.Sleep(devicePoll)
		synctest.Wait()
		w.offered("2-a")
	})
}

func TestAnOfferWithoutResultIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.start()
		w.status("a", "available")
		w.enqueue("1", "q")
		o := w.offered("1-a")[0]
		time.Sleep(o.RingTime + ringGrace - time.Nanosecond)
		synctest.Wait()
		w.agent("a", "available: 1 OFFERED")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		w.agent("a", "available: 1 MISSED")
		if w.c.Counts().Overdue.Load() != 1 {
			t.Error("not counted")
		}
		w.talk(o) // too late
		w.agent("a", "available: 1 MISSED")
		w.line("1")
	})
}

func TestTheCallerMayLeaveAtAnyMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.start()
		w.c.Leave("unknown")
		w.enqueue("1", "q")
		w.c.Leave("1")
		synctest.Wait()
		w.line()
		w.status("a", "available")
		// While the reservation is being stored: no phone may ring.
		w.store.set(func(s *fakeStore) { s.delay = 50 * time.Millisecond })
		w.enqueue("2", "q")
		w.c.Leave("2")
		time.Sleep(time.Second)
		synctest.Wait()
		w.offered()
		w.agent("a", "available:")
		// While it rings.
		w.enqueue("3", "q")
		time.Sleep(time.Second)
		o := w.offered("3-a")[0]
		w.c.Leave("3")
		w.c.OfferResult(o.ID, CallerLeft)
		time.Sleep(time.Second)
		synctest.Wait()
		w.agent("a", "available:")
		if n := w.store.count(); n != 0 {
			t.Fatalf("%d reservations left", n)
		}
		w.enqueue("4", "q")
		time.Sleep(time.Second)
		w.offered("4-a")
	})
}

func TestEnqueueRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.edit(func(c *Config) {
			q := *c.Queues["q"]
			q.MaxContacts = 2
			c.Queues["q"] = &q
			off := *c.Queues["vip"]
			off.Status = QueueDisabled
			c.Queues["vip"] = &off
		})
		w.start()
		enqueue := func(id, queue string, want errs.Kind) {
			t.Helper()
			if err := w.c.Enqueue(t.Context(), Waiting{ContactID: id, QueueID: queue}); errs.KindOf(err) != want || err == nil {
				t.Fatalf("%s in %s: %v, want %v", id, queue, err, want)
			}
		}
		enqueue("1", "none", errs.NotFound)
		enqueue("1", "vip", errs.NotFound)
		enqueue("", "q", errs.Invalid)
		w.enqueue("1", "q")
		w.enqueue("1", "q") // again: nothing happens
		w.enqueue("2", "q")
		enqueue("3", "q", errs.Limit)
		w.status("a", "available")
		o := w.offered("1-a")[0]
		enqueue("3", "q", errs.Limit) // an offered contact still waits
		enqueue("1", "q", errs.InvalidRequest)
		w.talk(o)
		enqueue("1", "q", errs.InvalidRequest)
		w.enqueue("3", "q")
		w.line("2", "3")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.c.Enqueue(ctx, Waiting{ContactID: "4", QueueID: "q"}); !errs.Is(err, errs.Unavailable) {
			t.Fatalf("a caller without patience: %v", err)
		}
	})
}

func TestAWaitingContactMovesToAnotherQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.start()
		w.enqueue("1", "q")
		w.enqueue("1", "vip")
		if l := w.c.Waiting(); len(l) != 1 || l[0].QueueID != "vip" {
			t.Fatalf("waiting: %+v", l)
		}
	})
}

func TestStatusChoicesAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.start()
		for _, tt := range []struct {
			user, status string
			want         errs.Kind
		}{{"x", "available", errs.NotFound}, {"a", "x", errs.NotFound}, {"a", "old", errs.InvalidRequest}} {
			if err := w.c.SetStatus(t.Context(), tt.user, tt.status, time.Now()); !errs.Is(err, tt.want) || err == nil {
				t.Errorf("%s %s: %v", tt.user, tt.status, err)
			}
		}
		if err := w.c.Dismiss(t.Context(), "x", "1"); !errs.Is(err, errs.NotFound) {
			t.Errorf("dismiss of a stranger: %v", err)
		}
		if err := w.c.Dismiss(t.Context(), "a", "1"); !errs.Is(err, errs.NotFound) {
			t.Errorf("dismiss of nothing: %v", err)
		}
		w.status("a", "available")
		w.enqueue("1", "q")
		o := w.offered("1-a")[0]
		if err := w.c.Dismiss(t.Context(), "a", "1"); !errs.Is(err, errs.InvalidRequest) {
			t.Errorf("dismiss of an offer: %v", err)
		}
		w.talk(o)
		w.status("a", "lunch")
		w.agent("a", "available>lunch: 1 CONNECTED")
		w.done(o)
		w.agent("a", "available>lunch: 1 ACW")
		w.status("a", "offline")
		w.agent("a", "offline:")
		if got := w.store.states["a"]; got.StatusID != "offline" || got.NextStatusID != "" {
			t.Errorf("stored: %+v", got)
		}
	})
}

func TestChatsAreOfferedOneAfterTheOtherUpToTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.edit(func(c *Config) { c.Profiles["p"] = profileOf(contact.Chat, "q 1 0") })
		w.start()
		w.status("a", "available")
		for _, id := range []string{"1", "2", "3"} {
			if err := w.c.Enqueue(t.Context(), Waiting{ContactID: id, QueueID: "q", Channel: contact.Chat, Since: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		w.talk(w.offered("1-a")[0])
		w.talk(w.offered("2-a")[0])
		w.offered()
		a, _ := w.c.CurrentAgent("a")
		if a.ActiveSlots[contact.Chat] != 2 || a.AvailableSlots[contact.Chat] != 0 || a.AvailableSlots[contact.Voice] != 1 {
			t.Errorf("slots: active %v, available %v", a.ActiveSlots, a.AvailableSlots)
		}
	})
}

func TestLongestAvailableCountsFromTheTimerOfTheProfile(t *testing.T) {
	for timer, want := range map[AvailabilityTimer]string{"": "9-a", SinceLastActivity: "9-a", SinceLastInbound: "9-b"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 2, time.Second)
			w.edit(func(c *Config) { c.Profiles["p"].AvailabilityTimer = timer })
			w.start()
			w.status("a", "available")
			time.Sleep(time.Second)
			w.status("b", "available")
			w.enqueue("1", "q")
			o := w.offered("1-a")[0] // inbound
			w.talk(o)
			w.done(o)
			time.Sleep(2 * time.Second)
			// A callback is an activity, but not an inbound contact.
			w.status("a", "lunch")
			callback := Waiting{ContactID: "2", QueueID: "q", Method: contact.Callback}
			if err := w.c.Enqueue(t.Context(), callback); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			o = w.offered("2-b")[0]
			w.status("a", "available")
			// The status began after the inbound contact: both timers of a count from there, which is before the end of
			// the callback, and after the moment when b became available.
			time.Sleep(time.Second)
			w.talk(o)
			w.done(o)
			time.Sleep(2 * time.Second)
			w.enqueue("9", "q")
			w.offered(want)
		})
	}
}

func TestMetricsCountWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 5, 0)
		w.start()
		for _, id := range []string{"a", "b", "c"} {
			w.status(id, "available")
			time.Sleep(time.Second)
		}
		w.status("d", "lunch")
		w.enqueue("1", "q")
		w.enqueue("2", "vip")
		os := w.offered("1-a", "2-b")
		w.talk(os[0])
		w.result(os[1], Missed)
		w.talk(w.offered("2-c")[0])
		w.enqueue("3", "q")
		time.Sleep(90 * time.Second)
		w.enqueue("4", "q")
		w.done(os[0])
		m := w.c.Metrics()
		q := m.Queues["q"]
		want := QueueMetrics{
			QueueID: "q", QueueName: "queue q", ContactsInQueue: 2, OldestSince: q.OldestSince, OldestAge: 90 * time.Second,
			AgentsOnline: 4, AgentsStaffed: 3, NonProductive: 1, AfterContactWork: 1, SlotsActive: 1,
		}
		if q != want {
			t.Errorf("queue q: %+v\nwant     %+v", q, want)
		}
		if v := m.Queues["vip"]; v.OnContact != 1 || v.Missed != 1 || v.ContactsInQueue != 0 {
			t.Errorf("queue vip: %+v", v)
		}
		if m.Total.AgentsOnline != 4 || m.Total.OnContact != 1 || m.Total.SlotsActive != 3 || m.Total.AgentsAvailable != 0 {
			t.Errorf("total: %+v", m.Total)
		}
		b, _ := w.c.CurrentAgent("b")
		if b.Activity != ActivityMissed || b.Slots[0].State.ConnectState() != "MISSED" || b.StatusName != "available" {
			t.Errorf("agent b: %+v", b)
		}
		monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
		if open, err := w.c.QueueIsOpen("q", monday); err != nil || !open {
			t.Errorf("queue open on Monday: %v %v", open, err)
		}
		if open, err := w.c.IsOpen("h", monday.Add(24*time.Hour)); err != nil || open {
			t.Errorf("hours open on Tuesday: %v %v", open, err)
		}
		if _, err := w.c.IsOpen("x", monday); !errs.Is(err, errs.NotFound) {
			t.Errorf("unknown hours: %v", err)
		}
	})
}
