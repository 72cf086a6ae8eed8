package call

import (
	"fmt"
	"strings"

	"ullim/internal/contact"
)

// The recording of the part with flows (IVRRecordingBehavior): what the customer says on the left, what flows say to them on the
// right. It is a recording of its own, of one segment, and ends when an agent talks.

// HeardRecorder is what a MediaPlane can do besides, if it can.
type HeardRecorder interface {
	// RecordHeard spools what somebody says and what is said to them, in stereo.
	RecordHeard(contactID, key string, m Media) (Recording, error)
}

type (
	// heardSet: a flow wants the part with flows recorded, or not.
	heardSet struct{ On bool }

	// startHeard, stopHeard, pauseHeard work the recorder of that part.
	startHeard struct{ ContactID, Key string }
	stopHeard  struct{}
	pauseHeard struct{ On bool }
)

func (heardSet) isEvent()    {}
func (startHeard) isEffect() {}
func (stopHeard) isEffect()  {}
func (pauseHeard) isEffect() {}

// taped is the recording of the part with flows that runs. ContactID is empty: none does.
type taped struct{ ContactID, Key string }

// SetHeardRecording switches the recording of the part with flows on or off.
func (c *Control) SetHeardRecording(on bool) error { return c.change(heardSet{On: on}) }

// withFlow reports whether a flow speaks to the customer, or may.
func (s *State) withFlow() bool {
	switch s.Phase { //nolint:exhaustive // in the others nobody is there, or somebody talks
	case PhaseFlow, PhaseEnqueueing, PhaseQueued, PhaseRinging, PhaseAgentWhisper, PhaseCustomerWhisper, PhaseRemaining:
		p := s.party(s.Customer)
		return p != nil && p.Stage == partyUp
	}
	return false
}

// heard keeps the recording of the part with flows to that part, and to one segment.
func (s *step) heard() {
	want := s.HearsFlows && s.withFlow()
	if s.Heard.ContactID != "" && (!want || s.Heard.ContactID != s.Record.ID) {
		s.Heard = taped{}
		s.do(stopHeard{})
	}
	if !want || s.Heard.ContactID != "" {
		return
	}
	key := strings.Replace(RecordingKey(s.Alias, s.Record.ID, s.now), s.Record.ID+"_", s.Record.ID+"_ivr_", 1)
	if n := len(s.Record.Recordings); n > 0 { // two may begin in the same minute
		key = fmt.Sprintf("%s_%d.wav", strings.TrimSuffix(key, ".wav"), n+1)
	}
	s.Heard = taped{s.Record.ID, key}
	s.Writing = append(s.Writing, key)
	s.Record.Recordings = append(s.Record.Recordings, contact.Recording{
		Location: key, Start: s.now, Status: contact.RecordingSpooled, Media: contact.MediaIVR,
	})
	s.do(startHeard{ContactID: s.Record.ID, Key: key})
	if s.Secret != 0 {
		s.do(pauseHeard{On: true})
	}
	s.save()
}

// hearing is the recorder of the part with flows.
type hearing struct {
	rec Recording
	key string
}

// performHeard works it.
func (a *actor) performHeard(e Effect) {
	switch e := e.(type) {
	case startHeard:
		a.startHeard(e)
	case stopHeard:
		a.stopHeard()
	case pauseHeard:
		switch {
		case a.heard.rec == nil:
		case e.On:
			a.heard.rec.Pause()
		default:
			a.heard.rec.Resume()
		}
	}
}

func (a *actor) startHeard(e startHeard) {
	l := a.line(a.state.Customer)
	recorder, able := a.m.o.Media.(HeardRecorder)
	if l == nil || l.media == nil || !able {
		a.local = append(a.local, recordingDone{Key: e.Key, Err: ErrLeft})
		return
	}
	rec, err := recorder.RecordHeard(e.ContactID, e.Key, l.media)
	if err != nil { // the call goes on
		a.local = append(a.local, recordingDone{Key: e.Key, Err: err})
		return
	}
	a.heard = hearing{rec, e.Key}
}

// stopHeard ends the recording; also before that of a talk begins, which is of the same line.
func (a *actor) stopHeard() {
	h := a.heard
	if h.rec == nil {
		return
	}
	a.heard = hearing{}
	h.rec.Stop(func(r contact.Recording, err error) { go a.deliver(recordingDone{Key: h.key, Recording: r, Err: err}) })
}
