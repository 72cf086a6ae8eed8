package call

import (
	"slices"
	"time"

	"ullim/internal/contact"
)

// hold is the time for which the customer waits on hold now; Since is zero if they do not.
type hold struct {
	Since   time.Time
	ByAgent bool
}

// States of contact.Transition.
const (
	silentMonitor = "SILENT_MONITOR"
	barge         = "BARGE"
)

// device notes which device of the agent's is used.
func (s *step) device() {
	a, p := s.Record.Agent, s.party(s.AgentGen)
	if a != nil && p != nil && a.DeviceID == "" && p.Device != "" && a.ID == p.Person.ID {
		s.edit().Agent.DeviceID = p.Device
	}
}

// onHold reports whether the customer waits for the agent, and whether the agent asked for it: by the API, by the phone
// that holds the call, or because they transfer it.
func (s *State) onHold() (waits, byAgent bool) {
	c, a := s.party(s.Customer), s.party(s.AgentGen)
	if s.Record.Agent == nil || c == nil || a == nil || c.Stage != partyUp || a.Stage != partyUp {
		return false, false
	}
	switch s.Phase { //nolint:exhaustive // nobody talks in the others
	case PhaseTalking:
		return c.OnHold || a.Held, !c.ByFlow || a.Held
	case PhaseTransferring:
		return true, true
	}
	return false, false
}

// holds counts the times on hold in the record of the segment.
func (s *step) holds() {
	waits, byAgent := s.onHold()
	switch {
	case waits && s.Hold.Since.IsZero():
		s.Hold = hold{Since: s.now, ByAgent: byAgent}
		s.edit().Agent.Holds.Count++
	case !waits && !s.Hold.Since.IsZero():
		s.endHold()
		s.save()
	}
}

// heldAtEnd notes that customer or agent has left while the customer was on hold: by a transfer nobody leaves.
func (s *step) heldAtEnd() {
	if !s.Hold.Since.IsZero() && s.Record.Agent != nil {
		s.edit().Agent.Holds.AtEnd = true
	}
}

// endHold adds the time on hold that is over, or whose segment is.
func (s *step) endHold() {
	h := s.Hold
	s.Hold = hold{}
	if h.Since.IsZero() || s.Record.Agent == nil {
		return
	}
	took, all := s.now.Sub(h.Since), &s.edit().Agent.Holds
	all.Duration += took
	all.Longest = max(all.Longest, took)
	if h.ByAgent {
		all.ByAgent += took
	}
}

// supervision notes in the record since when, and until when, somebody listens to the agent or has joined.
func (s *step) supervision() {
	a := s.Record.Agent
	supervised := func(p Party) bool { return p.Role == RoleSupervisor }
	if a == nil || s.Phase >= PhaseEnding || len(a.Transitions) == 0 && !slices.ContainsFunc(s.Parties, supervised) {
		return
	}
	a = s.edit().Agent
	active := make(map[[2]string]bool)
	for i := range s.Parties {
		p := &s.Parties[i]
		if p.Role != RoleSupervisor || p.Stage != partyUp {
			continue
		}
		state := silentMonitor
		if p.Hears == Speaker {
			state = barge
		}
		active[[2]string{p.Person.ID, state}] = true
	}
	changed := false
	for i := range a.Transitions {
		t := &a.Transitions[i]
		switch key := [2]string{t.UserID, t.State}; {
		case !t.End.IsZero():
		case active[key]:
			delete(active, key)
		default:
			t.End, changed = s.now, true
		}
	}
	for i := range s.Parties { // in the order of the parties
		p := &s.Parties[i]
		for _, state := range []string{silentMonitor, barge} {
			if key := [2]string{p.Person.ID, state}; active[key] {
				delete(active, key)
				a.Transitions = append(a.Transitions, contact.Transition{State: state, UserID: p.Person.ID, Start: s.now})
				changed = true
			}
		}
	}
	if changed {
		s.save()
	}
}

// endSupervision ends what is noted of supervisors: the segment is over.
func (s *step) endSupervision() {
	if s.Record.Agent == nil || len(s.Record.Agent.Transitions) == 0 {
		return
	}
	a := s.edit().Agent
	for i := range a.Transitions {
		if t := &a.Transitions[i]; t.End.IsZero() {
			t.End = s.now
		}
	}
}
