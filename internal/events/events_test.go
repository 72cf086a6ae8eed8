package events

import (
	"slices"
	"testing"
)

func TestATapSeesEveryEventInOrderUntilItIsStopped(t *testing.T) {
	var r Recorder
	var got, other []string
	stop := r.Tap(func(e Event) { got = append(got, e.Kind) })
	stopOther := r.Tap(func(e Event) { other = append(other, e.Kind) })
	feed, end := r.Subscribe(1)
	defer end()
	for _, kind := range []string{"INITIATED", "QUEUED"} { // the second finds the queue full, and the tap all the same
		r.Record(Event{Kind: kind})
	}
	stop()
	r.Record(Event{Kind: "DISCONNECTED"})
	stopOther()
	r.Record(Event{Kind: "late"})
	if want := []string{"INITIATED", "QUEUED"}; !slices.Equal(got, want) {
		t.Errorf("the first tap saw %v, want %v", got, want)
	}
	if want := []string{"INITIATED", "QUEUED", "DISCONNECTED"}; !slices.Equal(other, want) {
		t.Errorf("the other saw %v, want %v", other, want)
	}
	if e := <-feed; e.Kind != "INITIATED" || r.Dropped() != 3 {
		t.Errorf("the subscriber got %q, %d dropped; want INITIATED, 3", e.Kind, r.Dropped())
	}
}
