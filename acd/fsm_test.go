package acd

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/contact"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// tableRows reads a table of Step's doc comment: the lines after the one that begins with head, cut at its columns.
func tableRows(t *testing.T, head string) [][]string {
	t.Helper()
	src, err := os.ReadFile("fsm.go")
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	var cols []int
	for line := range strings.Lines(string(src)) {
		line = strings.TrimRight(strings.TrimPrefix(line, "//\t"), "\n")
		switch {
		case cols == nil && strings.HasPrefix(line, head):
			cols = []int{}
		case cols != nil && len(cols) == 0:
			for i := range line {
				if line[i] == '-' && (i == 0 || line[i-1] == ' ') {
					cols = append(cols, i)
				}
			}
		case len(cols) > 0 && strings.HasPrefix(line, "//"):
			return rows
		case len(cols) > 0:
			row := make([]string, len(cols))
			for i, from := range cols {
				to := len(line)
				if i+1 < len(cols) {
					to = min(to, cols[i+1])
				}
				row[i] = strings.TrimSpace(line[min(from, len(line)):to])
			}
			rows = append(rows, row)
		}
	}
	t.Fatalf("no table %q", head)
	return nil
}

var eventNames = map[string]EventKind{
	"offered": EventOffered, "lost": EventLost, "answered": EventAnswered, "joined": EventJoined, "missed": EventMissed,
	"rejected": EventRejected, "device gone": EventDeviceGone, "device failed": EventDeviceFailed,
	"taken": EventTaken, "miss over": EventMissOver,
	"caller left": EventCallerLeft, "agent left": EventAgentLeft, "done": EventDone, "ACW over": EventACWOver,
	"dismissed": EventDismissed, "status chosen": EventStatusChosen, "device back": EventDeviceBack,
	"agent removed": EventAgentRemoved,
}

// cell says what a step did to the slot "o", in the words of the table.
func cell(before, after AgentView, effects []Effect) string {
	has := func(k EffectKind) bool {
		return slices.ContainsFunc(effects, func(f Effect) bool { return f.Kind == k })
	}
	find := func(v AgentView) *Slot {
		if i := slices.IndexFunc(v.Slots, func(s Slot) bool { return s.OfferID == "o" }); i >= 0 {
			return &v.Slots[i]
		}
		return nil
	}
	was, is := find(before), find(after)
	out := "="
	switch {
	case was != nil && is == nil:
		out = "free"
	case is != nil && was != nil && is.Answered && !was.Answered && is.State == SlotOffered:
		out = "OFFERED (ans.)"
	case is != nil && (was == nil || was.State != is.State):
		out = string(is.State)
	}
	if has(EffectRequeue) {
		out += " *"
	}
	if has(EffectRefused) {
		out += " r"
	}
	if has(EffectBackoff) {
		out += ", pause"
	}
	return out
}

func TestEverySlotStateAnswersEveryEventAsWritten(t *testing.T) {
	rows := tableRows(t, "event          no slot")
	if len(rows) != len(eventNames) {
		t.Fatalf("the table has %d rows for %d events", len(rows), len(eventNames))
	}
	columns := []SlotState{"", SlotOffered, SlotConnected, SlotACW, SlotMissed, SlotRejected, SlotError}
	for _, row := range rows {
		kind, ok := eventNames[row[0]]
		if !ok {
			t.Fatalf("unknown event %q", row[0])
		}
		for c, state := range columns {
			want := row[c+1]
			if want == "" {
				continue
			}
			for _, other := range []bool{false, true} { // another contact in hand changes nothing
				v := AgentView{StatusID: "available", StatusSince: t0}
				if other {
					v.Slots = append(v.Slots, Slot{OfferID: "other", ContactID: "co", Channel: contact.Chat, State: SlotConnected})
				}
				if state != "" {
					v.Slots = append(v.Slots, Slot{OfferID: "o", ContactID: "c", State: state, Since: t0})
				}
				e := Event{
					Kind: kind, OfferID: "o", StatusID: "available", At: t0.Add(time.Minute),
					Slot: Slot{OfferID: "o", ContactID: "c", Channel: contact.Voice},
				}
				saved := slices.Clone(v.Slots)
				after, effects := Step(v, e)
				if got := cell(v, after, effects); got != want {
					t.Errorf("%s in %q (another contact: %v): %q, the table says %q", row[0], state, other, got, want)
				}
				if !slices.Equal(v.Slots, saved) {
					t.Errorf("%s in %q changed the old view", row[0], state)
				}
				if after.StatusID != "available" || after.NextStatusID != "" {
					t.Errorf("%s in %q changed the status to %q/%q", row[0], state, after.StatusID, after.NextStatusID)
				}
			}
		}
	}
}

func TestAWaitingNextStatusClearsWhatWouldBlock(t *testing.T) {
	for _, kind := range []EventKind{EventMissed, EventRejected, EventDeviceGone} {
		v := AgentView{StatusID: "available", NextStatusID: "lunch", Slots: []Slot{{OfferID: "o", State: SlotOffered}}}
		after, effects := Step(v, Event{Kind: kind, OfferID: "o", At: t0})
		if got := cell(v, after, effects); got != "free * r" {
			t.Errorf("event %d: %q", kind, got)
		}
		if after.StatusID != "lunch" || after.NextStatusID != "" || !after.StatusSince.Equal(t0) {
			t.Errorf("event %d: status %q, next %q", kind, after.StatusID, after.NextStatusID)
		}
	}
}

func TestStatusChoicesFollowTheTable(t *testing.T) {
	at := t0.Add(time.Hour)
	offered, talking := Slot{OfferID: "o", State: SlotOffered}, Slot{OfferID: "t", State: SlotConnected}
	acw, missed := Slot{OfferID: "a", State: SlotACW}, Slot{OfferID: "m", State: SlotMissed}
	tests := []struct {
		name         string
		slots        []Slot
		next, choose string
		status       string
		wantNext     string
		slotsLeft    int
	}{
		{"idle: at once", nil, "", "lunch", "lunch", "", 0},
		{"idle, the same again", nil, "", "available", "available", "", 0},
		{"being offered: next", []Slot{offered}, "", "lunch", "available", "lunch", 1},
		{"talking: next", []Slot{talking}, "", "lunch", "available", "lunch", 1},
		{"talking, another choice replaces the first", []Slot{talking}, "lunch", "offline", "available", "offline", 1},
		{"talking, the present status again takes the next one back", []Slot{talking}, "lunch", "available", "available", "", 1},
		{"after-contact work is cleared at once", []Slot{acw}, "", "lunch", "lunch", "", 0},
		{"so is a missed contact", []Slot{missed}, "", "available", "available", "", 0},
		{"work cleared, call kept: next", []Slot{acw, talking, missed}, "", "lunch", "available", "lunch", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := AgentView{StatusID: "available", StatusSince: t0, NextStatusID: tt.next, Slots: tt.slots}
			after, effects := Step(v, Event{Kind: EventStatusChosen, StatusID: tt.choose, At: at})
			if after.StatusID != tt.status || after.NextStatusID != tt.wantNext || len(after.Slots) != tt.slotsLeft {
				t.Fatalf("status %q, next %q, %d slots", after.StatusID, after.NextStatusID, len(after.Slots))
			}
			if since := after.StatusSince; tt.status == "available" != since.Equal(t0) {
				t.Errorf("status since %v", since)
			}
			if last := effects[len(effects)-1]; last.Kind != EffectSave {
				t.Errorf("the choice is not stored: last effect %d", last.Kind)
			}
		})
	}
}

func TestTheNextStatusComesWhenTheLastContactIsCleared(t *testing.T) {
	v := AgentView{StatusID: "available", StatusSince: t0}
	at := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Second) }
	type want struct {
		status, next string
		slots        int
		last         time.Time
	}
	steps := []struct {
		e Event
		w want
	}{
		{Event{Kind: EventOffered, Slot: Slot{OfferID: "1", Inbound: true}, At: at(1)}, want{"available", "", 1, time.Time{}}},
		{Event{Kind: EventJoined, OfferID: "1", At: at(2)}, want{"available", "", 1, time.Time{}}},
		{Event{Kind: EventOffered, Slot: Slot{OfferID: "2"}, At: at(3)}, want{"available", "", 2, time.Time{}}},
		{Event{Kind: EventStatusChosen, StatusID: "lunch", At: at(4)}, want{"available", "lunch", 2, time.Time{}}},
		{Event{Kind: EventCallerLeft, OfferID: "2", At: at(5)}, want{"available", "lunch", 1, time.Time{}}},
		{Event{Kind: EventDone, OfferID: "1", At: at(6)}, want{"available", "lunch", 1, at(6)}},
		{Event{Kind: EventDone, OfferID: "1", At: at(7)}, want{"available", "lunch", 1, at(6)}},
		{Event{Kind: EventACWOver, OfferID: "1", At: at(8)}, want{"lunch", "", 0, at(8)}},
	}
	for i, s := range steps {
		v, _ = Step(v, s.e)
		got := want{v.StatusID, v.NextStatusID, len(v.Slots), v.LastActivity}
		if diff := cmp.Diff(s.w, got, cmp.AllowUnexported(want{})); diff != "" {
			t.Fatalf("step %d: %s", i, diff)
		}
	}
	if !v.LastInbound.Equal(at(8)) || !v.StatusSince.Equal(at(8)) {
		t.Fatalf("last inbound %v, status since %v", v.LastInbound, v.StatusSince)
	}
}

func TestAnOfferThatComesToNothingLeavesTheAgentAsBefore(t *testing.T) {
	before := AgentView{StatusID: "available", StatusSince: t0, LastActivity: t0, LastInbound: t0, Slots: []Slot{}}
	for _, kind := range []EventKind{EventLost, EventCallerLeft, EventDeviceFailed, EventAgentLeft, EventTaken} {
		v, _ := Step(before, Event{Kind: EventOffered, Slot: Slot{OfferID: "o", Inbound: true}, At: t0.Add(time.Minute)})
		v, _ = Step(v, Event{Kind: kind, OfferID: "o", At: t0.Add(2 * time.Minute)})
		if diff := cmp.Diff(before, v); diff != "" {
			t.Errorf("event %d: %s", kind, diff)
		}
	}
}
