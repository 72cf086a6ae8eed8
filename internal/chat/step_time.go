package chat

import (
	"slices"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Bounds of timers.
const (
	minTimer  = 2 * time.Minute
	maxTimer  = 480 * time.Minute
	maxTimers = 6
)

func zero() time.Time { return time.Time{} }

// timers sets rules for silence, or removes those whose time is 0.
func (m *machine) timers() error {
	if m.s.Channel != contact.Chat {
		return errs.New(errs.InvalidRequest, "only a chat has timers of this kind")
	}
	for i, t := range m.e.Timers {
		switch {
		case t.Role != Customer && t.Role != Agent:
			return errs.Field("ParticipantRole", "must be CUSTOMER or AGENT")
		case t.Type != TimerIdle && t.Type != TimerDisconnect:
			return errs.Field("TimerType", "must be IDLE or DISCONNECT_NONCUSTOMER")
		case t.After != 0 && (t.After < minTimer || t.After > maxTimer):
			return errs.Field("ParticipantTimerDurationInMinutes", "must be 2 to 480")
		case slices.ContainsFunc(m.e.Timers[:i], func(o Timer) bool { return o.Role == t.Role && o.Type == t.Type }):
			return errs.Field("ParticipantTimerConfigList", "must have each role and type once")
		}
		m.s.Timers = slices.DeleteFunc(m.s.Timers, func(o Timer) bool { return o.Role == t.Role && o.Type == t.Type })
		if t.After != 0 {
			m.s.Timers = append(m.s.Timers, t)
		}
	}
	if len(m.s.Timers) > maxTimers {
		return errs.New(errs.Limit, "a chat has at most %d timers", maxTimers)
	}
	return nil
}

// since begins to count a role's silence.
func (m *machine) since(r Role) {
	if m.s.Activity == nil {
		m.s.Activity = map[Role]time.Time{}
	}
	m.s.Activity[r] = m.e.At
}

// Deadline is when something is to be done next without anybody's doing; zero if nothing is.
func (s *State) Deadline() time.Time {
	if s.Phase == Ended {
		return time.Time{}
	}
	next := s.Expires
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	switch s.Phase {
	case Scheduled:
		sooner(s.StartAt)
	case Waiting:
		sooner(s.ConnectBy)
	case Offered:
		sooner(s.OfferUntil)
	case Talking:
		for _, t := range s.Timers {
			sooner(s.due(t))
		}
	case Enqueueing:
		sooner(s.RetryAt)
	case Flowing, Queued, Remaining, Ended:
	}
	return next
}

// due is when a timer runs out; zero if it has, or does not run.
func (s *State) due(t Timer) time.Time {
	from := s.Activity[t.Role]
	if from.IsZero() || t.Type == TimerIdle && s.Idle[t.Role] {
		return time.Time{}
	}
	return from.Add(t.After)
}

// tick does what is due. Each deadline that is met is gone afterwards.
func (m *machine) tick() {
	reached := func(t time.Time) bool { return !t.IsZero() && !t.After(m.e.At) }
	switch {
	case reached(m.s.Expires):
		reason := contact.Other
		if m.s.Channel == contact.Task {
			reason = contact.Expired
		}
		m.end(reason, "the contact has lasted as long as it may")
	case m.s.Phase == Scheduled && reached(m.s.StartAt):
		m.begin()
	case m.s.Phase == Waiting && reached(m.s.ConnectBy):
		m.end(contact.Other, "the customer did not connect in time")
	case m.s.Phase == Offered && reached(m.s.OfferUntil):
		m.notTaken(OfferMissed)
	case m.s.Phase == Enqueueing && reached(m.s.RetryAt):
		m.s.RetryAt = time.Time{}
		m.do(Action{Kind: DoEnqueue})
	case m.s.Phase == Talking:
		m.silence(reached)
	}
}

// silence sees to the timers of participants.
func (m *machine) silence(reached func(time.Time) bool) {
	for _, t := range m.s.Timers {
		if !reached(m.s.due(t)) {
			continue
		}
		p := m.present(t.Role)
		switch t.Type {
		case TimerIdle:
			if m.s.Idle == nil {
				m.s.Idle = map[Role]bool{}
			}
			m.s.Idle[t.Role] = true
			m.note(eventIdle, p)
		case TimerDisconnect:
			m.note(eventAutoDisconnect, p)
			delete(m.s.Activity, t.Role)
			for i := range m.s.Participants {
				if q := &m.s.Participants[i]; q.Present() && q.Role == Agent {
					m.agentGone(q)
					return // the phase is another one
				}
			}
		}
	}
}

// present is the first participant of a role who is there.
func (m *machine) present(r Role) *Participant {
	for i := range m.s.Participants {
		if p := &m.s.Participants[i]; p.Role == r && p.Present() {
			return p
		}
	}
	return nil
}
