package call

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
)

func TestARecordingIsSilentWhileAFlowAsksForSecretKeys(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	taped := newState()
	taped.Phase, taped.Taping = PhaseTalking, tape1(now)
	tests := []struct {
		name   string
		from   func(*State)
		events []Event
		want   string // effects of all events
	}{
		{"asked and done", nil, []Event{secretSet{Gen: 4, On: true}, secretSet{Gen: 4}}, "pauseRecording pauseRecording"},
		{"the next flow asks before the last is done", nil, []Event{secretSet{4, true}, secretSet{5, true}, secretSet{4, false}}, "pauseRecording"},
		{"somebody resumes meanwhile", func(s *State) { s.Paused = true }, []Event{secretSet{4, true}, tapeAsked{TapeResume}, secretSet{4, false}}, "save reply pauseRecording"},
		{"suspended all the time", func(s *State) { s.Paused = true }, []Event{secretSet{4, true}, secretSet{4, false}}, ""},
		{"nothing is recorded", func(s *State) { s.Taping = "" }, []Event{secretSet{4, true}, secretSet{4, false}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := taped
			s.Parties = slices.Clone(taped.Parties)
			s.Wired = wired(&s)
			if tt.from != nil {
				tt.from(&s)
			}
			var all []Effect
			for _, e := range tt.events {
				var es []Effect
				s, es = Step(s, e, now)
				for _, e := range es {
					if _, moves := e.(moveRecording); !moves {
						all = append(all, e)
					}
				}
			}
			if got := names(all); got != tt.want {
				t.Errorf("want %q, got %q", tt.want, got)
			}
		})
	}
}

func TestARecordingThatBeginsDuringSecretKeysBeginsSilent(t *testing.T) {
	s := &step{State: State{Phase: PhaseTalking, ToRecord: true, Alias: "acme", Secret: 4, Record: &contact.Record{}}}
	s.startTape()
	if got := names(s.effects); got != "startRecording pauseRecording" {
		t.Error(got)
	}
}

func TestFlowsOfACallShareWhatTheyKeepAndMayForgetKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		made, left := 0, -1
		var shared []any
		b.flow = func(ctx context.Context, r FlowRun) FlowOutcome {
			for range 2 {
				shared = append(shared, r.Control.Keep(func() any { made++; return new(int) }))
			}
			r.Control.DropDigits() // also when there are none
			if err := r.Control.SetSecret(true); err != nil || !r.Control.Snapshot().Secret {
				t.Error("not secret", err)
			}
			for _, d := range []byte("123") {
				r.Control.actor.press(r.Control.actor.digits, d)
			}
			r.Control.DropDigits()
			left = len(r.Control.Digits())
			if err := r.Control.SetSecret(false); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if r.Control.Snapshot().Secret {
				t.Error("secret for ever")
			}
			<-ctx.Done()
			if err := r.Control.SetSecret(true); err == nil {
				t.Error("a flow that is over asks for secret keys")
			}
			return FlowLeft
		}
		b.call(t)
		b.post(LegEvent{Kind: LegEnded, Cause: CauseBye})
		synctest.Wait()
		if made != 1 || len(shared) != 2 || shared[0] != shared[1] || left != 0 {
			t.Errorf("made %d, shared %v, keys left %d", made, shared, left)
		}
	})
}

func TestProgramsHearSilenceOfACustomerWhoPressesSecretKeys(t *testing.T) {
	var a actor
	var got []string
	frame := a.hushed(func(to bool, ulaw []byte) { got = append(got, fmt.Sprintf("%t %x", to, ulaw)) })
	for _, secret := range []bool{false, true, false} {
		a.snapshot.Store(&Snapshot{Secret: secret})
		frame(false, []byte{1, 2})
		frame(true, []byte{3})
	}
	want := []string{"false 0102", "true 03", "false ffff", "true 03", "false 0102", "true 03"}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
