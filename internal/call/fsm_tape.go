package call

import (
	"fmt"
	"slices"
	"time"

	"ullim/internal/contact"
)

// TapeAction is what can be done with the recording of a contact.
type TapeAction int

// Tape actions.
const (
	TapeStart TapeAction = iota
	TapeStop
	TapeSuspend // what is said is silence in the file, of the same length (R10)
	TapeResume
)

// sides is whom a recording has on its two channels: the agent right, everybody else left (A5).
type sides struct{ Left, Right []int }

func (a sides) equal(b sides) bool {
	return slices.Equal(a.Left, b.Left) && slices.Equal(a.Right, b.Right)
}

// sidesNow are the two sides of the talk. Where no agent is left, whoever took the agent's place is on the right. Those
// who only listen or coach are not recorded.
func (s *State) sidesNow() sides {
	var now sides
	for i := range s.Parties {
		p := &s.Parties[i]
		switch {
		case p.Stage != partyUp || p.Hears != Speaker:
		case p.Role == RoleAgent || p.Role == RoleSupervisor || p.ID == s.AgentGen:
			now.Right = append(now.Right, p.ID)
		default:
			now.Left = append(now.Left, p.ID)
		}
	}
	return now
}

// startTape begins a recording if one is wanted and none runs.
func (s *step) startTape() {
	if !s.ToRecord || s.Taping != "" || s.Phase != PhaseTalking {
		return
	}
	key := RecordingKey(s.Alias, s.Record.ID, s.now)
	if n := len(s.Record.Recordings); n > 0 { // two may begin in the same minute
		key = fmt.Sprintf("%s_%d.wav", key[:len(key)-len(".wav")], n+1)
	}
	s.Taping, s.Paused, s.Sides = key, false, s.sidesNow()
	s.Writing = append(s.Writing, key)
	r := s.edit()
	r.Recordings = append(r.Recordings, contact.Recording{
		Location: key, Start: s.now, Status: contact.RecordingSpooled,
	})
	s.do(startRecording{Key: key, Sides: s.Sides})
	if s.Secret != 0 {
		s.do(pauseRecording{On: true})
	}
}

// stopTape ends the recording that runs.
func (s *step) stopTape() {
	if s.Taping != "" {
		s.Taping = ""
		s.do(stopRecording{})
	}
}

// tape keeps the recording on those who talk.
func (s *step) tape() {
	if s.Taping == "" || s.Phase != PhaseTalking {
		return
	}
	if now := s.sidesNow(); !now.equal(s.Sides) {
		s.Sides = now
		s.do(moveRecording{Sides: now})
	}
}

func (s *step) recordingDone(e recordingDone) {
	s.Writing = slices.DeleteFunc(s.Writing, func(key string) bool { return key == e.Key })
	if s.Taping == e.Key { // it failed while it ran
		s.Taping = ""
	}
	for _, r := range append([]*contact.Record{s.edit()}, s.Settling...) {
		for i := range r.Recordings {
			if rec := &r.Recordings[i]; rec.Location == e.Key {
				rec.Stop, rec.Spool, rec.Bytes, rec.SHA256 = e.Recording.Stop, e.Recording.Spool, e.Recording.Bytes, e.Recording.SHA256
				if e.Err != nil {
					rec.Status, rec.Reason = contact.RecordingFailed, e.Err.Error()
					s.tell("recording", "failed: %v", e.Err)
				}
			}
		}
	}
}

// tapeAsked does what somebody wants with the recording.
func (s *step) tapeAsked(do TapeAction) error {
	if s.Phase != PhaseTalking && s.Phase != PhaseTransferring {
		return errBusy("nobody talks: recording is for a contact with an agent")
	}
	running := s.Taping != ""
	switch do {
	case TapeStart:
		if running {
			return errBusy("the contact is being recorded already")
		}
		if s.Phase == PhaseTransferring {
			return errBusy("the contact is being transferred")
		}
		s.ToRecord = true
		s.startTape()
	case TapeStop:
		if !running {
			return errBusy("the contact is not being recorded")
		}
		s.ToRecord = false
		s.stopTape()
	case TapeSuspend, TapeResume:
		if !running {
			return errBusy("the contact is not being recorded")
		}
		if on := do == TapeSuspend; s.Paused != on {
			s.Paused = on
			if s.Secret == 0 {
				s.do(pauseRecording{On: on})
			}
		}
	}
	s.tell("recording", "%s", [...]string{"started", "stopped", "suspended", "resumed"}[do])
	s.save()
	return nil
}

// RecordingKey is the key of a recording in the blob store, laid out as Amazon Connect does (A5).
func RecordingKey(alias, contactID string, at time.Time) string {
	at = at.UTC()
	return fmt.Sprintf("connect/%s/CallRecordings/%s/%s_%s_UTC.wav",
		alias, at.Format("2006/01/02"), contactID, at.Format("20060102T15:04"))
}
