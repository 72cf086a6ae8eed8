package acd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/contact"
)

// diary keeps agent events in memory, and fails when it is told to.
type diary struct {
	mu     sync.Mutex
	events []AgentEvent
	ended  map[string]time.Time
	down   bool
}

func (d *diary) PutAgentEvents(_ context.Context, events []AgentEvent) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return errors.New("the database is away")
	}
	d.events = append(d.events, events...)
	return nil
}

func (d *diary) LastAgentEvents(context.Context, string) ([]AgentEvent, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := map[string]AgentEvent{}
	for _, e := range d.events {
		last[e.UserID] = e
	}
	var out []AgentEvent
	for _, e := range last {
		out = append(out, e)
	}
	return out, nil
}

func (d *diary) ContactsEnded(context.Context, []string) (map[string]time.Time, error) {
	return d.ended, nil
}

// lines are the events of an agent as people read them: seconds since a moment, type, status, contacts.
func (d *diary) lines(t *testing.T, user string, since time.Time) []string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	var before AgentMoment
	for _, e := range d.events {
		if e.UserID != user {
			continue
		}
		if len(out) > 0 && !before.same(&e.Before) {
			t.Errorf("event %d does not begin where the one before it ended", len(out))
		}
		before = e.After
		out = append(out, fmt.Sprintf("%g %s %s", e.At.Sub(since).Seconds(), e.Type, said(&e.After)))
	}
	return out
}

func said(m *AgentMoment) string {
	list := []string{m.StatusID}
	for _, c := range m.Contacts {
		list = append(list, c.ContactID+":"+string(c.State))
	}
	if m.OnCall {
		list = append(list, "on call")
	}
	return strings.Join(list, " ")
}

// withDiary gives a world's center a diary.
func (w *world) withDiary(d *diary) (told func() []AgentEvent) {
	var mu sync.Mutex
	var list []AgentEvent
	w.c.o.AgentEvents = d
	w.c.o.OnAgentEvent = func(e AgentEvent) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, e)
	}
	return func() []AgentEvent {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

func TestEveryChangeOfAnAgentIsAnEventAndQuietIsAHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := newWorld(t, 1, 10*time.Second), &diary{}
		told := w.withDiary(d)
		w.start()
		begin := time.Now()
		w.status("a", "available")
		time.Sleep(HeartbeatAfter - time.Nanosecond)
		synctest.Wait()
		if n := len(told()); n != 1 {
			t.Fatalf("%d events before the heartbeat is due", n)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n := len(told()); n != 2 || told()[1].Type != AgentHeartbeat {
			t.Fatalf("%d events when the heartbeat is due", n)
		}
		time.Sleep(30 * time.Second)
		w.enqueue("1", "q")
		o := w.offered("1-a")[0]
		time.Sleep(5 * time.Second)
		w.talk(o)
		time.Sleep(20 * time.Second)
		w.done(o)
		time.Sleep(11 * time.Second)
		w.status("a", "offline")
		time.Sleep(time.Hour) // who is offline has no heartbeat
		synctest.Wait()
		want := []string{
			"0 LOGIN available", "120 HEART_BEAT available", "150 STATE_CHANGE available 1:OFFERED", "155 STATE_CHANGE available 1:CONNECTED",
			"175 STATE_CHANGE available 1:ACW", "185 STATE_CHANGE available", "186 LOGOUT offline",
		}
		if diff := cmp.Diff(want, d.lines(t, "a", begin)); diff != "" {
			t.Error(diff)
		}
		acw := d.events[4].After.Contacts[0]
		if !acw.Joined.Equal(begin.Add(155*time.Second)) || acw.QueueID != "q" || acw.Channel != contact.Voice {
			t.Errorf("the contact in after-contact work: %+v", acw)
		}
	})
}

func TestEventsAreWrittenInOrderWhenTheDatabaseIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := newWorld(t, 2, time.Second), &diary{down: true}
		w.withDiary(d)
		w.start()
		begin := time.Now()
		for range 5 { // routing goes on
			w.status("a", "available")
			time.Sleep(time.Second)
			w.status("a", "offline")
			time.Sleep(time.Second)
		}
		if len(d.events) != 0 {
			t.Fatal("stored while the database is away")
		}
		d.mu.Lock()
		d.down = false
		d.mu.Unlock()
		time.Sleep(2 * maxStoreBackoff)
		synctest.Wait()
		lines := d.lines(t, "a", begin)
		if len(lines) != 10 || !strings.HasPrefix(lines[0], "0 LOGIN") || !strings.HasPrefix(lines[9], "9 LOGOUT") {
			t.Errorf("events: %q", lines)
		}
		w.status("a", "available")
		w.c.Stop() // what is left is written
		if n := len(d.lines(t, "a", begin)); n != 11 {
			t.Errorf("%d events after the end", n)
		}
	})
}

func TestAGapIsClosedByWhatIsKnown(t *testing.T) {
	at := func(s int) time.Time {
		return time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC).Add(time.Duration(s) * time.Second)
	}
	moment := func(contacts ...AgentContact) AgentMoment {
		return AgentMoment{StatusID: "available", StatusType: Routable, Contacts: contacts}
	}
	on := func(id string, s SlotState, since int) AgentContact {
		return AgentContact{ContactID: id, QueueID: "q", Channel: contact.Voice, State: s, Since: at(since)}
	}
	left := func(id string, s SlotState, since int) Reservation {
		return Reservation{OfferID: "o-" + id, ContactID: id, QueueID: "q", Channel: contact.Voice, State: s, Since: at(since)}
	}
	statuses := map[string]*AgentStatus{"lunch": {Type: Custom}}
	for name, test := range map[string]struct {
		gap  gap
		want []string
	}{
		"nothing happened": {gap{last: AgentEvent{At: at(100), After: moment()}}, nil},
		"a conversation ended with its record": {
			gap{last: AgentEvent{At: at(100), After: moment(on("c", SlotConnected, 50))}, left: []Reservation{left("c", SlotACW, 130)}, ended: map[string]time.Time{"c": at(130)}},
			[]string{"130 STATE_CHANGE available c:ACW", "130 STATE_CHANGE available"},
		},
		"a conversation whose event was lost": {
			gap{last: AgentEvent{At: at(100), After: moment()}, left: []Reservation{left("c", SlotACW, 160)}, ended: map[string]time.Time{"c": at(160)}},
			[]string{"160 STATE_CHANGE available c:ACW", "160 STATE_CHANGE available"},
		},
		"a conversation without a record ends at the last sign of life": {
			gap{last: AgentEvent{At: at(100), After: moment(on("c", SlotConnected, 50))}},
			[]string{"100 STATE_CHANGE available"},
		},
		"after-contact work ends at the last sign of life": {
			gap{last: AgentEvent{At: at(100), After: moment(on("c", SlotACW, 50))}, left: []Reservation{left("c", SlotACW, 50)}},
			[]string{"100 STATE_CHANGE available"},
		},
		"an offer and a missed one end": {
			gap{last: AgentEvent{At: at(100), After: moment(on("c", SlotOffered, 90), on("d", SlotMissed, 95))}},
			[]string{"100 STATE_CHANGE available", "100 STATE_CHANGE available"},
		},
		"a status that was stored and not told": {
			gap{last: AgentEvent{At: at(100), After: moment()}, state: AgentState{StatusID: "lunch", StatusSince: at(140)}, statuses: statuses},
			[]string{"140 STATE_CHANGE lunch"},
		},
		"a chat goes on": {
			gap{last: AgentEvent{At: at(100), After: moment(on("c", SlotConnected, 50))}, kept: map[string]bool{"c": true}}, nil,
		},
	} {
		n := 0
		var got []string
		before := test.gap.last.After
		for _, e := range test.gap.close(func() string { n++; return fmt.Sprint(n) }) {
			if !before.same(&e.Before) {
				t.Errorf("%s: the events do not join", name)
			}
			before = e.After
			got = append(got, fmt.Sprintf("%g %s %s", e.At.Sub(at(0)).Seconds(), e.Type, said(&e.After)))
		}
		if name == "an offer and a missed one end" { // in either order, and nothing is left
			if len(got) != 2 || len(before.Contacts) != 0 {
				t.Errorf("%s: %q", name, got)
			}
			continue
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestARestartGoesOnWhereTheTimelineWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := newWorld(t, 1, 0), &diary{ended: map[string]time.Time{}}
		w.withDiary(d)
		w.start()
		begin := time.Now()
		w.status("a", "available")
		w.enqueue("1", "q")
		w.talk(w.offered("1-a")[0])
		time.Sleep(10 * time.Second)
		synctest.Wait()
		w.c.Stop()
		d.ended["1"] = time.Now().Add(5 * time.Second)
		time.Sleep(time.Hour)
		w.c = w.center()
		w.withDiary(d)
		w.start()
		time.Sleep(time.Second)
		synctest.Wait()
		want := []string{
			"0 LOGIN available", "0 STATE_CHANGE available 1:OFFERED", "0 STATE_CHANGE available 1:CONNECTED", "15 STATE_CHANGE available",
			"3610 HEART_BEAT available", // a sign of life, at once
		}
		if diff := cmp.Diff(want, d.lines(t, "a", begin)); diff != "" {
			t.Error(diff)
		}
	})
}
