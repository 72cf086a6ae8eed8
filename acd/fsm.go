package acd

import (
	"slices"
	"time"

	"ullim/internal/contact"
)

// Slot is one contact that an agent has in hand.
type Slot struct {
	OfferID    string
	ContactID  string
	QueueID    string
	Channel    contact.Channel
	State      SlotState
	Since      time.Time     // when State was entered
	Started    time.Time     // when the offer was made
	Answered   bool          // OFFERED, and the agent has picked up
	Rung       bool          // the reservation is durable and the phone was told to ring
	Inbound    bool          // counts for TIME_SINCE_LAST_INBOUND
	ACWTimeout time.Duration // 0: until the agent clears it
	OnMiss     OnMiss        // of the queue
}

// AgentView is what Step knows of an agent. Slots is never changed in place.
type AgentView struct {
	StatusID     string
	StatusSince  time.Time
	NextStatusID string
	LastActivity time.Time
	LastInbound  time.Time
	Misses       int // in a row, of contacts of queues that count them
	Slots        []Slot
}

// EventKind is what can happen to an agent.
type EventKind int

// Events. All but the last four are about one slot, named by its offer.
const (
	EventOffered      EventKind = iota // Pick has chosen the agent; Slot is the new slot
	EventLost                          // the reservation failed or somebody else was faster
	EventAnswered                      // the agent picked up
	EventJoined                        // agent and customer talk
	EventMissed                        // rang for the whole ring time
	EventRejected                      // the agent refused
	EventDeviceGone                    // the device failed and cannot be reached any more
	EventDeviceFailed                  // the device failed, but is still registered
	EventCallerLeft                    // the caller has left
	EventAgentLeft                     // the agent picked up and was gone before the two were joined
	EventTaken                         // another agent, whose phone rang too, has answered
	EventDone                          // the agent's part in the contact is over
	EventACWOver                       // the time for after-contact work is over
	EventMissOver                      // the queue's time for a missed contact is over
	EventDismissed                     // the agent (or a supervisor) dismissed the contact
	EventStatusChosen                  // somebody chose StatusID
	EventDeviceBack                    // a device can be reached again
	EventAgentRemoved                  // the user was deleted
)

// Event is something that happened to an agent.
type Event struct {
	Kind     EventKind
	OfferID  string
	Slot     Slot   // of EventOffered
	StatusID string // of EventStatusChosen
	At       time.Time
}

// EffectKind is what the actor has to do.
type EffectKind int

// Effects.
const (
	EffectReserve    EffectKind = iota // make the offer durable, then ring
	EffectMove                         // store the slot's new state
	EffectEnd                          // remove the reservation
	EffectRequeue                      // the contact keeps its place and waits again
	EffectRefused                      // the agent is asked again for this contact only if nobody else is free
	EffectUnqueue                      // the contact waits no longer: it has its agent
	EffectBackoff                      // no offer to the agent for a moment
	EffectMissed                       // start the timer of a missed contact, if its queue has one
	EffectForgive                      // the device works: the next back-off is short again
	EffectACWStarted                   // write the start of after-contact work, start its timer
	EffectACWEnded                     // write its end
	EffectSave                         // store status, next status and activity times
)

// Effect is one thing to do; Slot is the slot it is about, as it is after the step (or was, if it is gone).
type Effect struct {
	Kind EffectKind
	Slot Slot
}

// Step is the state machine of an agent. It reads no clock and changes nothing: the view it gives replaces the old one.
//
// What happens to a slot. "free" removes the slot and its reservation, "=" ignores the event (it is late or doubled),
// "*" the contact waits again at its old place, "r" and this agent is asked again only if nobody else is free.
//
//	event          no slot   OFFERED          CONNECTED  ACW    MISSED  REJECTED  ERROR
//	-------------  --------  ---------------  ---------  -----  ------  --------  -----
//	offered        OFFERED   =                =          =      =       =         =
//	lost           =         free *           =          =      =       =         =
//	answered       =         OFFERED (ans.)   =          =      =       =         =
//	joined         =         CONNECTED        =          =      =       =         =
//	missed         =         MISSED * r       =          =      =       =         =
//	rejected       =         REJECTED * r     =          =      =       =         =
//	device gone    =         ERROR * r        =          =      =       =         =
//	device failed  =         free * r, pause  =          =      =       =         =
//	caller left    =         free             ACW        =      =       =         =
//	taken          =         free *           =          =      =       =         =
//	agent left     =         free * r, pause  ACW        =      =       =         =
//	done           =         free * r, pause  ACW        =      =       =         =
//	ACW over       =         =                =          free   =       =         =
//	miss over      =         =                =          =      free    =         =
//	dismissed      =         =                =          free   free    free      free
//	status chosen            =                =          free   free    free      free
//	device back              =                =          =      =       =         free
//	agent removed            =                =          free   free    free      free
//
// While a next status waits, MISSED, REJECTED and ERROR are "free" at once: the agent has said already that he is going,
// and nobody has to dismiss anything.
//
// "taken" is for one of several agents whose phones rang for the same contact: it is nobody's fault.
//
// What happens to the status, after the slots:
//
//	event          slots left        status           next status
//	-------------  ----------------  ---------------  -----------
//	status chosen  none              the chosen one   none
//	status chosen  some, another     as before        the chosen one
//	status chosen  some, same again  as before        none
//	limit missed   none              the queue's      none
//	limit missed   some              as before        the queue's, if none
//	any            none              next, if set     none
//	any            some              as before        as before
//
// "limit missed": the agent has missed as many contacts in a row as the queue allows (OnMiss.Limit); MISSED is "free"
// then. Joining a contact and choosing a status begin the count anew.
//
// So a choice always replaces the one before it, and without a limit of misses a status never changes but by a person's
// choice.
//
// LastActivity moves when the agent becomes available after having done something (a slot is freed that was CONNECTED,
// ACW, MISSED, REJECTED or ERROR, or the status changes), not when an offer comes to nothing without the agent's doing.
func Step(v AgentView, e Event) (AgentView, []Effect) {
	m := machine{v: v, e: e}
	m.v.Slots = slices.Clone(v.Slots)
	switch e.Kind {
	case EventOffered:
		m.offered()
	case EventStatusChosen, EventDeviceBack, EventAgentRemoved:
		for i := 0; i < len(m.v.Slots); {
			if m.cleared(m.v.Slots[i].State) {
				m.free(i)
			} else {
				i++
			}
		}
		if e.Kind == EventStatusChosen {
			m.choose()
		}
	case EventLost, EventAnswered, EventJoined, EventMissed, EventRejected, EventDeviceGone, EventDeviceFailed,
		EventCallerLeft, EventAgentLeft, EventTaken, EventDone, EventACWOver, EventMissOver, EventDismissed:
		if i := m.find(e.OfferID); i >= 0 {
			m.slot(i)
		}
	}
	if len(m.v.Slots) == 0 && m.v.NextStatusID != "" {
		m.status(m.v.NextStatusID)
	}
	if m.save {
		m.do(EffectSave, Slot{})
	}
	return m.v, m.effects
}

// machine is one step in progress.
type machine struct {
	v       AgentView
	e       Event
	effects []Effect
	save    bool
}

// do adds an effect.
func (m *machine) do(k EffectKind, s Slot) { m.effects = append(m.effects, Effect{k, s}) }

// find is the index of an offer's slot, -1 if it is gone.
func (m *machine) find(offerID string) int {
	return slices.IndexFunc(m.v.Slots, func(s Slot) bool { return s.OfferID == offerID })
}

// offered adds a slot.
func (m *machine) offered() {
	if m.find(m.e.Slot.OfferID) >= 0 {
		return
	}
	s := m.e.Slot
	s.State, s.Since, s.Started, s.Answered, s.Rung = SlotOffered, m.e.At, m.e.At, false, false
	m.v.Slots = append(m.v.Slots, s)
	m.do(EffectReserve, s)
}

// slot is the table of one slot.
func (m *machine) slot(i int) {
	switch m.v.Slots[i].State {
	case SlotOffered:
		m.whileOffered(i)
	case SlotConnected:
		m.whileConnected(i)
	case SlotACW:
		if m.e.Kind == EventACWOver || m.e.Kind == EventDismissed {
			m.free(i)
		}
	case SlotMissed, SlotRejected, SlotError:
		over := m.e.Kind == EventMissOver && m.v.Slots[i].State == SlotMissed
		if over || m.e.Kind == EventDismissed {
			m.free(i)
		}
	}
}

// whileOffered is the column OFFERED.
func (m *machine) whileOffered(i int) {
	s := &m.v.Slots[i]
	switch m.e.Kind {
	case EventLost, EventTaken:
		m.drop(i, EffectRequeue)
	case EventAnswered:
		s.Answered = true
	case EventJoined:
		s.State, s.Since, s.Answered, m.v.Misses = SlotConnected, m.e.At, true, 0
		m.do(EffectMove, *s)
		m.do(EffectUnqueue, *s)
		m.do(EffectForgive, *s)
	case EventMissed:
		m.missed(i)
	case EventRejected:
		m.block(i, SlotRejected)
	case EventDeviceGone:
		m.block(i, SlotError)
	case EventDeviceFailed, EventAgentLeft, EventDone:
		m.drop(i, EffectBackoff, EffectRefused, EffectRequeue)
	case EventCallerLeft:
		m.drop(i, EffectUnqueue)
	case EventOffered, EventACWOver, EventMissOver, EventDismissed, EventStatusChosen, EventDeviceBack, EventAgentRemoved:
	}
}

// whileConnected is the column CONNECTED.
func (m *machine) whileConnected(i int) {
	switch m.e.Kind {
	case EventCallerLeft, EventAgentLeft, EventDone:
		s := &m.v.Slots[i]
		s.State, s.Since = SlotACW, m.e.At
		m.active(*s)
		m.do(EffectMove, *s)
		m.do(EffectACWStarted, *s)
	case EventOffered, EventLost, EventAnswered, EventJoined, EventMissed, EventRejected, EventDeviceGone,
		EventDeviceFailed, EventTaken, EventACWOver, EventMissOver, EventDismissed, EventStatusChosen, EventDeviceBack, EventAgentRemoved:
	}
}

// block moves an offer to a state that the agent has to clear, unless a next status has cleared it in advance. The
// contact waits again.
func (m *machine) block(i int, to SlotState) {
	s := &m.v.Slots[i]
	s.State, s.Since = to, m.e.At
	m.do(EffectRefused, *s)
	m.do(EffectRequeue, *s)
	if m.v.NextStatusID != "" {
		m.free(i)
		return
	}
	m.do(EffectMove, *s)
}

// missed is block, and what the queue wants of agents who miss its contacts.
func (m *machine) missed(i int) {
	s, limit := m.v.Slots[i], m.v.Slots[i].OnMiss.Limit
	if limit > 0 {
		m.v.Misses++
	}
	reached := limit > 0 && m.v.Misses >= limit
	if reached {
		m.v.Misses = 0
		if m.v.NextStatusID == "" && s.OnMiss.StatusID != m.v.StatusID {
			m.v.NextStatusID = s.OnMiss.StatusID // and so the slot is cleared in advance
			m.save = true
		}
	}
	m.block(i, SlotMissed)
	if k := m.find(s.OfferID); k >= 0 && reached {
		m.free(k)
	} else if k >= 0 && s.OnMiss.WaitSeconds > 0 {
		m.do(EffectMissed, m.v.Slots[k])
	}
}

// drop removes an offer that came to nothing without the agent's doing.
func (m *machine) drop(i int, then ...EffectKind) {
	s := m.v.Slots[i]
	m.v.Slots = slices.Delete(m.v.Slots, i, i+1)
	m.do(EffectEnd, s)
	for _, k := range then {
		m.do(k, s)
	}
}

// free removes a slot that the agent had to do with.
func (m *machine) free(i int) {
	s := m.v.Slots[i]
	m.v.Slots = slices.Delete(m.v.Slots, i, i+1)
	m.do(EffectEnd, s)
	if s.State == SlotACW {
		m.do(EffectACWEnded, s)
	}
	m.active(s)
}

// active notes that the agent has just done something.
func (m *machine) active(s Slot) {
	m.v.LastActivity = m.e.At
	if s.Inbound && (s.State == SlotConnected || s.State == SlotACW) {
		m.v.LastInbound = m.e.At
	}
	m.save = true
}

// cleared reports whether an event about the whole agent frees a slot in a state.
func (m *machine) cleared(s SlotState) bool {
	switch s {
	case SlotOffered, SlotConnected:
		return false
	case SlotACW, SlotMissed, SlotRejected:
		return m.e.Kind != EventDeviceBack
	case SlotError:
	}
	return true
}

// choose is the status part of EventStatusChosen.
func (m *machine) choose() {
	m.save, m.v.Misses = true, 0
	switch {
	case len(m.v.Slots) == 0:
		m.status(m.e.StatusID)
	case m.e.StatusID == m.v.StatusID:
		m.v.NextStatusID = ""
	default:
		m.v.NextStatusID = m.e.StatusID
	}
}

// status enters a status. Choosing the present one again changes nothing: its time goes on.
func (m *machine) status(id string) {
	m.v.NextStatusID = ""
	m.save = true
	if id == m.v.StatusID {
		return
	}
	m.v.StatusID, m.v.StatusSince, m.v.LastActivity = id, m.e.At, m.e.At
}

// CanDismiss reports whether DismissUserContact is allowed in a slot state (A2.4).
func CanDismiss(s SlotState) bool {
	switch s {
	case SlotACW, SlotMissed, SlotRejected, SlotError:
		return true
	case SlotOffered, SlotConnected:
	}
	return false
}
