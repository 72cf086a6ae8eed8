package acd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// The worked example of cross-channel concurrency (A2.3) over voice, chat and task: a new contact is allowed only if every
// contact in hand allows other channels (its own needs no permission) and the slot of the new one's channel is free.
func TestCrossChannelConcurrencyAsInTheWorkedExample(t *testing.T) {
	channels := []contact.Channel{contact.Voice, contact.Chat, contact.Task}
	profile := CompileProfile(&RoutingProfile{
		Concurrencies: []Concurrency{
			{Channel: contact.Voice, Limit: 1, CrossChannel: CurrentChannelOnly},
			{Channel: contact.Chat, Limit: 2, CrossChannel: AnyChannel},
			{Channel: contact.Task, Limit: 3, CrossChannel: CurrentChannelOnly},
		},
		Queues: []ProfileQueue{
			{QueueID: "q", Channel: contact.Voice, Priority: 1},
			{QueueID: "q", Channel: contact.Chat, Priority: 1},
			{QueueID: "q", Channel: contact.Task, Priority: 1},
		},
	})
	for held, want := range map[string]string{
		"":                    "VOICE CHAT TASK",
		"VOICE":               "",
		"CHAT":                "VOICE CHAT TASK", // chats allow everything
		"CHAT CHAT":           "VOICE TASK",      // but two are the limit
		"TASK":                "TASK",            // tasks allow tasks
		"TASK TASK":           "TASK",
		"TASK TASK TASK":      "",
		"CHAT TASK":           "TASK", // the task forbids a second chat and a call
		"CHAT VOICE":          "",     // the call came beside the chat, and now it forbids everything else
		"CHAT CHAT TASK":      "TASK",
		"CHAT CHAT TASK TASK": "TASK",
	} {
		a := idle("a", profile, 1)
		for i, ch := range strings.Fields(held) {
			a.Slots = append(a.Slots, Slot{OfferID: fmt.Sprint(i), Channel: contact.Channel(ch), State: []SlotState{SlotConnected, SlotACW}[i%2]})
		}
		var got []string
		for _, ch := range channels {
			w := call("1", "q", 9)
			w.Channel = ch
			if len(Pick([]Waiting{w}, []Candidate{a}, t0)) > 0 {
				got = append(got, string(ch))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("with %q in hand an agent takes %q, want %q", held, got, want)
		}
	}
}

func TestContactPriorityHasTheWholeRange(t *testing.T) {
	p := voiceProfile("q 1 0")
	with := func(id string, priority int64) Waiting {
		w := call(id, "q", 60)
		w.Priority = priority
		return w
	}
	list := []Waiting{with("last", MaxContactPriority), with("default", 0), with("six", 6), with("first", 1), with("five", 5)}
	var order []string
	for len(list) > 0 {
		m := Pick(list, []Candidate{idle("a", p, 1)}, t0)[0]
		order = append(order, m.ContactID)
		list = slices.DeleteFunc(list, func(w Waiting) bool { return w.ContactID == m.ContactID })
	}
	if got := strings.Join(order, " "); got != "first default five six last" {
		t.Errorf("served as %q", got)
	}
}

func TestTheTwoTimersOfAvailability(t *testing.T) {
	for timer, want := range map[AvailabilityTimer]string{SinceLastActivity: "next-a", SinceLastInbound: "next-b"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 2, 0)
			w.edit(func(c *Config) {
				p := profileOf(contact.Voice, "q 1 0")
				p.AvailabilityTimer = timer
				c.Profiles["p"] = p
			})
			w.start()
			w.status("a", "available")
			w.status("b", "available")
			serve := func(id, agent string, m contact.InitiationMethod) {
				t.Helper()
				if err := w.c.Enqueue(t.Context(), Waiting{ContactID: id, QueueID: "q", Method: m}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				o := w.offered(id + "-" + agent)[0]
				w.talk(o)
				time.Sleep(time.Minute)
				w.done(o)
				w.status(agent, "available")
			}
			serve("one", "a", contact.Inbound)
			serve("two", "b", contact.Callback) // b was idle longer by both timers
			// Since activity a is available longer; since inbound b is, who has had none.
			w.enqueue("next", "q")
			w.offered(want)
		})
	}
}

func TestAnAgentQueueHasItsBoundsAndNoHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.start()
		for i := range 10 {
			w.enqueue(fmt.Sprint("c", i), AgentQueueID("a"))
		}
		err := w.c.Enqueue(t.Context(), Waiting{ContactID: "eleventh", QueueID: AgentQueueID("a")})
		if !errs.Is(err, errs.Limit) {
			t.Errorf("the eleventh: %v", err)
		}
		if err = w.c.Enqueue(t.Context(), Waiting{ContactID: "x", QueueID: AgentQueueID("nobody")}); !errs.Is(err, errs.NotFound) {
			t.Errorf("the queue of nobody: %v", err)
		}
		w.status("a", "available")
		w.offered("c0-a")
	})
}

// manual lets profile p take from queue "list" only by hand.
func manual(w *world) {
	w.edit(func(c *Config) {
		q := &Queue{HoursID: "h", Status: QueueEnabled}
		q.ID, q.Name = "list", "list"
		c.Queues["list"] = q
		p := profileOf(contact.Voice, "q 1 0")
		p.Manual = []ManualQueue{{"list", contact.Chat}}
		c.Profiles["p"] = p
	})
}

func TestContactsOfAManualQueueAreTakenAndNotGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 0)
		manual(w)
		w.start()
		w.status("a", "available")
		for _, id := range []string{"1", "2", "3"} {
			if err := w.c.Enqueue(t.Context(), Waiting{ContactID: id, QueueID: "list", Channel: contact.Chat}); err != nil {
				t.Fatal(err)
			}
		}
		w.enqueue("call", "vip") // not in the profile
		time.Sleep(time.Hour)
		synctest.Wait()
		w.offered()
		if err := w.c.Take(t.Context(), "a", "2"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.talk(w.offered("2-a")[0])
		if err := w.c.Take(t.Context(), "b", "1"); err != nil { // offline: whatever the status
			t.Fatal(err)
		}
		synctest.Wait()
		w.offered("1-b")
		if err := w.c.Take(t.Context(), "a", "3"); err != nil { // two at once are the profile's limit
			t.Fatal(err)
		}
		synctest.Wait()
		w.talk(w.offered("3-a")[0])
		for name, row := range map[string]struct {
			user, contact string
			kind          errs.Kind
		}{
			"a queue that is not in the profile": {"a", "call", errs.Denied},
			"one who is being offered":           {"a", "1", errs.InvalidRequest},
			"nobody":                             {"nobody", "1", errs.NotFound},
			"a contact that is not there":        {"a", "9", errs.NotFound},
		} {
			if err := w.c.Take(t.Context(), row.user, row.contact); !errs.Is(err, row.kind) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestATakenContactNeedsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		manual(w)
		w.start()
		w.status("a", "available")
		w.enqueue("call", "q")
		w.talk(w.offered("call-a")[0])
		if err := w.c.Enqueue(t.Context(), Waiting{ContactID: "1", QueueID: "list", Channel: contact.Chat}); err != nil {
			t.Fatal(err)
		}
		if err := w.c.Take(t.Context(), "a", "1"); !errs.Is(err, errs.InvalidRequest) || !strings.Contains(err.Error(), string(WhyOtherChannel)) {
			t.Errorf("a chat beside a call: %v", err)
		}
	})
}

// modes sets the routing of queue q.
func (w *world) modes(r Routing) {
	w.edit(func(c *Config) {
		q := *c.Queues["q"]
		q.Routing = r
		c.Queues["q"] = &q
	})
}

func TestRingAllRingsSeveralAndTheFirstToAnswerHasTheContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 0)
		w.modes(Routing{Distribution: RingAll, RingAtOnce: 3})
		w.start()
		for _, id := range []string{"a", "b", "c"} {
			w.status(id, "available")
			time.Sleep(time.Second)
		}
		w.enqueue("1", "q")
		offers := w.offered("1-a", "1-b", "1-c")
		if !offers[0].Shared {
			t.Error("the phones are not told that others ring")
		}
		w.status("d", "available") // three are the most
		w.offered()
		w.result(offers[0], Missed)
		w.offered("1-d") // there is room again
		w.talk(offers[1])
		w.result(offers[2], Taken)
		for id, want := range map[string]string{"a": "available: 1 MISSED", "b": "available: 1 CONNECTED", "c": "available:", "d": "available:"} {
			w.agent(id, want)
		}
		w.line()
		if n := w.store.count(); n != 2 {
			t.Errorf("%d reservations", n)
		}
		w.enqueue("2", "q")
		w.offered("2-c", "2-d") // who lost the race is as before
	})
}

func TestACallerOfSeveralRingingPhonesWhoLeavesFreesThemAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 0)
		w.modes(Routing{Distribution: RingAll})
		w.start()
		w.status("a", "available")
		w.status("b", "available")
		w.enqueue("1", "q")
		w.offered("1-a", "1-b")
		w.c.Leave("1")
		synctest.Wait()
		w.agent("a", "available:")
		w.agent("b", "available:")
		if n := w.store.count(); n != 0 {
			t.Errorf("%d reservations are left", n)
		}
	})
}

func TestAllMissARingAllAndAreNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 0)
		w.modes(Routing{Distribution: RingAll})
		w.start()
		w.status("a", "available")
		w.status("b", "available")
		w.enqueue("1", "q")
		for _, o := range w.offered("1-a", "1-b") {
			w.result(o, Missed)
		}
		w.line("1")
		w.offered()
		w.status("c", "available")
		w.offered("1-c")
	})
}

// served counts who is offered how many of n contacts, each of which is dismissed at once.
func (w *world) served(n int) map[string]int {
	w.t.Helper()
	got := map[string]int{}
	for i := range n {
		w.enqueue(fmt.Sprint("c", i), "q")
		w.mu.Lock()
		list := w.rung
		w.rung = nil
		w.mu.Unlock()
		if len(list) != 1 {
			w.t.Fatalf("%d offers", len(list))
		}
		got[list[0].Agent.UserID]++
		w.c.Leave(list[0].ContactID)
		time.Sleep(time.Second)
		synctest.Wait()
	}
	return got
}

func TestRoundRobinGivesEachTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 0)
		w.modes(Routing{Distribution: RoundRobin})
		w.start()
		for _, id := range []string{"a", "b", "c"} {
			w.status(id, "available")
			time.Sleep(time.Hour) // the longest available one is a, always
		}
		if got := w.served(30); got["a"] != 10 || got["b"] != 10 || got["c"] != 10 {
			t.Errorf("served %v", got)
		}
	})
}

func TestWeightsAreSharesAndNewcomersDoNotCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 0)
		w.modes(Routing{Distribution: Weighted, Weights: map[string]int{"a": 3, "b": 2}})
		w.start()
		w.status("a", "available")
		w.status("b", "available")
		if got := w.served(50); got["a"] != 30 || got["b"] != 20 {
			t.Errorf("of 50: %v", got)
		}
		w.status("c", "available")
		if got := w.served(60); got["a"] < 29 || got["b"] < 19 || got["c"] > 11 {
			t.Errorf("of 60 with a newcomer: %v", got)
		}
	})
}

func TestAMissedContactMayBeDismissedByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.modes(Routing{Missed: OnMiss{WaitSeconds: 30}})
		w.start()
		w.status("a", "available")
		w.enqueue("1", "q")
		w.result(w.offered("1-a")[0], Missed)
		time.Sleep(30*time.Second - 1)
		synctest.Wait()
		w.agent("a", "available: 1 MISSED")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		w.offered("1-a")
	})
}

func TestWhoMissesTooManyIsSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0)
		w.modes(Routing{Missed: OnMiss{Limit: 2, StatusID: "lunch"}})
		w.start()
		w.status("a", "available")
		w.enqueue("1", "q")
		w.result(w.offered("1-a")[0], Missed)
		if err := w.c.Dismiss(t.Context(), "a", "1"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.talk(w.offered("1-a")[0]) // begins the count anew
		w.c.Leave("1")
		w.status("a", "available")
		w.enqueue("2", "q")
		for range 2 {
			w.result(w.offered("2-a")[0], Missed)
			_ = w.c.Dismiss(t.Context(), "a", "2")
			synctest.Wait()
		}
		w.agent("a", "lunch:")
		w.offered()
		w.status("a", "available")
		w.offered("2-a")
	})
}

func TestAfterContactWorkHasALimitForEachChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 10*time.Second)
		w.edit(func(c *Config) {
			p := profileOf(contact.Chat, "q 1 0")
			p.Queues = append(p.Queues, ProfileQueue{QueueID: "q", Channel: contact.Voice, Priority: 1})
			c.Profiles["p"] = p
			a := c.Agents["a"]
			a.ACWTimeouts = map[contact.Channel]time.Duration{contact.Chat: time.Minute}
			c.Agents["a"] = a
		})
		w.start()
		w.status("a", "available")
		for ch, limit := range map[contact.Channel]time.Duration{contact.Chat: time.Minute, contact.Voice: 10 * time.Second} {
			w.enqueueOn(string(ch), ch)
			o := w.offered(string(ch) + "-a")[0]
			w.talk(o)
			w.c.Leave(string(ch))
			w.done(o)
			time.Sleep(limit - 1)
			synctest.Wait()
			w.agent("a", "available: "+string(ch)+" ACW")
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			w.agent("a", "available:")
		}
	})
}

func TestEveryDecisionIsRememberedWithItsReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 0)
		w.start()
		w.enqueue("1", "q")
		w.status("b", "available")
		w.result(w.offered("1-b")[0], Rejected)
		w.status("a", "available")
		w.talk(w.offered("1-a")[0])
		list, err := w.c.Decisions(t.Context(), "1")
		if err != nil || len(list) < 3 {
			t.Fatalf("%v, %v", list, err)
		}
		first, last := list[0], list[len(list)-1]
		if first.Serving != 3 || first.Free != 0 || len(first.Winners) != 0 || len(first.Reasons) != 3 || first.Reasons[0] != (Verdict{"a", WhyNotRoutable}) {
			t.Errorf("first: %+v", first)
		}
		if !slices.Equal(last.Winners, []string{"a"}) || last.Free != 1 || last.Reasons[0] != (Verdict{"b", WhyBlocked}) {
			t.Errorf("last: %+v", last)
		}
		if _, err = w.c.Decisions(t.Context(), "never"); !errs.Is(err, errs.NotFound) {
			t.Errorf("of a contact that never was: %v", err)
		}
	})
}
