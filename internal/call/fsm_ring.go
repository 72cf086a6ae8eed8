package call

import (
	"slices"
	"time"

	"ullim/internal/contact"
)

// completedElsewhere tells a phone that stops ringing why (RFC 3326, RFC 7462 §4.2): it shows no missed call.
const completedElsewhere = `SIP;cause=200;text="Call completed elsewhere"`

// rival is another agent who rings for the same contact, with a queue that rings all. The first of them is in
// State.Offer; when something happens to another one, the two change places, so that one set of rules does for all.
type rival struct {
	Offer Offer
	Gen   int
	Rang  time.Time
}

// alsoOffered: one more agent rings beside the one who does already, or comes too late.
func (s *step) alsoOffered(o Offer) {
	if s.Phase != PhaseRinging || !o.Shared || !s.Offer.Shared {
		result := OfferCallerLeft
		if o.Shared && s.Phase > PhaseRinging && s.Phase < PhaseEnding && s.Record.ID == o.ContactID {
			result = OfferTaken
		}
		s.do(reportOffer{OfferID: o.ID, Result: result})
		return
	}
	first := rival{s.Offer, s.AgentGen, s.Rang}
	s.ringAgent(o)
	s.Rivals = append(slices.Clone(s.Rivals), rival{s.Offer, s.AgentGen, s.Rang})
	s.Offer, s.AgentGen, s.Rang = first.Offer, first.Gen, first.Rang
}

// frontRival puts the agent whom an event is about in the first place.
func (s *step) frontRival(e Event) {
	if s.Phase != PhaseRinging || len(s.Rivals) == 0 {
		return
	}
	gen := 0
	switch e := e.(type) {
	case partyLeg:
		if e.Kind == LegAnswered || e.Kind == LegEnded {
			gen = e.Party
		}
	case timerFired:
		if e.Timer == TimerRing {
			gen = e.Gen
		}
	case mediaDead:
		gen = e.Party
	}
	i := slices.IndexFunc(s.Rivals, func(r rival) bool { return r.Gen == gen })
	if i < 0 {
		return
	}
	r := s.Rivals[i]
	s.Rivals = slices.Clone(s.Rivals)
	s.Rivals[i] = rival{s.Offer, s.AgentGen, s.Rang}
	s.Offer, s.AgentGen, s.Rang = r.Offer, r.Gen, r.Rang
}

// nextRival: the first of several agents rings no longer; the others do.
func (s *step) nextRival() {
	if len(s.Rivals) == 0 || s.Phase != PhaseQueued {
		return
	}
	r := s.Rivals[0]
	s.Rivals = slices.Clone(s.Rivals[1:])
	s.Phase, s.Offer, s.AgentGen, s.Rang = PhaseRinging, r.Offer, r.Gen, r.Rang
}

// rivalsOver: nobody but the first need ring any more.
func (s *step) rivalsOver(result OfferResult, cause string) {
	for _, r := range s.Rivals {
		s.do(stopTimer{Timer: TimerRing, Gen: r.Gen})
		s.drop(r.Gen, cause)
		s.do(reportOffer{OfferID: r.Offer.ID, Result: result})
	}
	s.Rivals = nil
}

// noteRouting writes what routing did in a step into the record: offers and how they came out, the order and the
// criteria by which the contact was served, and when the customer who is called began to ring.
func (s *step) noteRouting(e Event) {
	r := s.Record
	for _, f := range s.effects {
		switch f := f.(type) {
		case reportOffer:
			s.noteOutcome(f.OfferID, f.Result)
		case takeQueue:
			if f.Enqueue.ContactID == r.ID {
				s.noteOrder()
			}
		case reorder:
			s.noteOrder()
		case reportJoined:
			s.noteCriteria(true)
		}
	}
	if o, ok := e.(offered); ok && o.Offer.ContactID == r.ID && slices.ContainsFunc(s.effects, isDial) {
		s.OfferIDs = append(slices.Clone(s.OfferIDs), o.Offer.ID)
		r = s.edit()
		r.Offers = append(slices.Clone(r.Offers), contact.Offer{UserID: o.Offer.Agent.ID, Start: s.now})
	}
	if l, ok := e.(partyLeg); ok && l.Kind == LegProgress && l.Code >= 180 && l.Party == s.Customer && s.Phase == PhaseCalling &&
		r.RingStartTimestamp.IsZero() {
		s.edit().RingStartTimestamp = s.now
	}
	if s.Phase == PhaseEnding && len(r.Criteria) > 0 {
		s.noteCriteria(false)
	}
}

func isDial(f Effect) bool { _, ok := f.(dial); return ok }

// noteOutcome writes how an offer came out. One that was answered may still come to nothing.
func (s *step) noteOutcome(offerID string, result OfferResult) {
	i := slices.Index(s.OfferIDs, offerID)
	if n := len(s.Record.Offers); i < 0 || i >= n {
		return
	}
	r := s.edit()
	r.Offers = slices.Clone(r.Offers)
	o := &r.Offers[i]
	o.Outcome = result.outcome()
	if o.End.IsZero() {
		o.End = s.now
	}
}

// outcome is the word for a result in records.
func (r OfferResult) outcome() string {
	return map[OfferResult]string{
		OfferAnswered: "ANSWERED", OfferMissed: "MISSED", OfferRejected: "REJECTED", OfferDeviceFailed: "ERROR",
		OfferCallerLeft: "ABANDONED", OfferAgentLeft: "ERROR", OfferTaken: "ANSWERED_ELSEWHERE",
	}[r]
}

// noteOrder writes in which order the contact is served, and by whom.
func (s *step) noteOrder() {
	r := s.edit()
	if r.QueuePriority, r.QueueTimeAdjustment = s.Rank.Priority, s.Rank.AgeAdjustment; r.QueuePriority == 0 {
		r.QueuePriority = defaultQueuePriority
	}
	same := len(r.Criteria) == len(s.Rank.Steps)
	steps := make([]contact.Step, len(s.Rank.Steps))
	for i, v := range s.Rank.Steps {
		steps[i] = contact.Step{Expression: string(v.Expression), Expiry: v.Expiry, Status: "INACTIVE"}
		same = same && r.Criteria[i].Expression == steps[i].Expression && r.Criteria[i].Expiry == v.Expiry
	}
	if same {
		return
	}
	r.Criteria, s.StepsSince = steps, s.now
	if len(steps) > 0 {
		steps[0].Status = "ACTIVE"
	}
}

// defaultQueuePriority is the priority of a contact that has none of its own (A2.1).
const defaultQueuePriority = 5

// noteCriteria writes how far the steps have come; joined: by an agent.
func (s *step) noteCriteria(joined bool) {
	if len(s.Record.Criteria) == 0 || slices.ContainsFunc(s.Record.Criteria, func(c contact.Step) bool { return c.Status == "JOINED" }) {
		return
	}
	r := s.edit()
	r.Criteria = slices.Clone(r.Criteria)
	begins := s.StepsSince
	for i := range r.Criteria {
		c := &r.Criteria[i]
		switch ends := begins.Add(c.Expiry); {
		case begins.After(s.now):
			c.Status = "INACTIVE"
		case c.Expiry > 0 && !ends.After(s.now):
			c.Status, begins = "EXPIRED", ends
			continue
		case joined:
			c.Status = "JOINED"
		default:
			c.Status = "ACTIVE"
		}
		begins = s.now.Add(1) // those after it have not begun
	}
}
