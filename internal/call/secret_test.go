package call

import (
	"slices"
	"testing"
	"time"
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
	s := &step{State: State{Phase: PhaseTalking, ToRecord: true, Alias: "acme", Secret: 4}}
	s.startTape()
	if got := names(s.effects); got != "startRecording pauseRecording" {
		t.Error(got)
	}
}
