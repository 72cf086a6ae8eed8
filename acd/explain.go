package acd

import (
	"cmp"
	"slices"
	"time"

	"ullim/internal/contact"
)

// Reason is why a contact and an agent do not come together. Empty: they could.
type Reason string

// Reasons, in the order in which they are looked for.
const (
	WhyContactOffered  Reason = "CONTACT_IS_OFFERED"        // the contact has a live offer
	WhyContactSettling Reason = "CONTACT_IS_BEING_STORED"   // a store operation for the contact is under way
	WhyContactBackoff  Reason = "CONTACT_BACK_OFF"          // a reservation of the contact failed a moment ago
	WhyNoProfile       Reason = "AGENT_HAS_NO_PROFILE"      // the routing profile does not exist
	WhyNotRoutable     Reason = "STATUS_NOT_ROUTABLE"       // the agent's status is not of type ROUTABLE
	WhyLeaving         Reason = "NEXT_STATUS_WAITS"         // the agent has chosen a next status
	WhyBlocked         Reason = "BLOCKED_BY_MISSED_CONTACT" // MISSED, REJECTED or ERROR, not dismissed yet
	WhyRinging         Reason = "AGENT_IS_BEING_OFFERED"    // one offer at a time
	WhyUnreachable     Reason = "NO_DEVICE"                 // no device is registered
	WhyAgentSettling   Reason = "AGENT_IS_BEING_STORED"     // a store operation for the agent is under way
	WhyAgentBackoff    Reason = "AGENT_BACK_OFF"            // the device failed a moment ago
	WhyNotInProfile    Reason = "QUEUE_NOT_IN_PROFILE"      // the profile does not serve queue and channel
	WhyDelay           Reason = "DELAY_NOT_REACHED"         // the contact is too young for the profile's line
	WhyOnCall          Reason = "ON_A_CALL"                 // the agent talks by a call of their own
	WhyFull            Reason = "NO_FREE_SLOT"              // the limit of the channel is reached
	WhySkills          Reason = "SKILLS_NOT_MATCHED"        // the routing criteria want somebody else now
	WhyOtherChannel    Reason = "BUSY_ON_ANOTHER_CHANNEL"   // a contact in hand does not allow another channel
	WhyRefused         Reason = "REFUSED_BEFORE"            // the agent refused it, and somebody else is free
	WhyOthersFirst     Reason = "ANOTHER_CONTACT_FIRST"     // both could, but the agent takes a better contact
	WhyOfferedNow      Reason = "MATCHED"                   // the two are matched by Pick right now
	WhyAnotherAgent    Reason = "LONGER_AVAILABLE_AGENT"    // the contact goes to an agent that is available longer
	WhyUnknownContact  Reason = "CONTACT_IS_NOT_WAITING"    // no such contact in line
)

// Verdict is the reason for one agent.
type Verdict struct {
	UserID string
	Reason Reason
}

// Explain says for every agent, in order of id, why it does not get a contact now.
func Explain(contactID string, waiting []Waiting, agents []Candidate, now time.Time) []Verdict {
	var w *Waiting
	for i := range waiting {
		if waiting[i].ContactID == contactID {
			w = &waiting[i]
		}
	}
	got, taker := "", ""
	matches := Pick(waiting, agents, now)
	for _, m := range matches {
		if m.ContactID == contactID {
			taker = m.UserID
		}
	}
	out := make([]Verdict, 0, len(agents))
	for i := range agents {
		a := &agents[i]
		got = ""
		for _, m := range matches {
			if m.UserID == a.UserID {
				got = m.ContactID
			}
		}
		out = append(out, Verdict{a.UserID, explain(w, a, got, taker, now)})
	}
	slices.SortFunc(out, func(a, b Verdict) int { return cmp.Compare(a.UserID, b.UserID) })
	return out
}

// explain is the reason for one pair; got is the contact that Pick gives the agent, taker the agent that gets w.
func explain(w *Waiting, a *Candidate, got, taker string, now time.Time) Reason {
	if w == nil {
		return WhyUnknownContact
	}
	if r := w.busy(now); r != "" && got != w.ContactID && !w.joinable(now) {
		return r
	}
	if r := against(w, a, now); r != "" {
		return r
	}
	switch {
	case got == w.ContactID:
		return WhyOfferedNow
	case got != "":
		return WhyOthersFirst
	case taker != "" && !slices.Contains(w.Refused, a.UserID):
		return WhyAnotherAgent
	default:
		return WhyRefused
	}
}

// busy is why w cannot be offered to anybody.
func (w *Waiting) busy(now time.Time) Reason {
	switch {
	case w.OfferID != "":
		return WhyContactOffered
	case w.Settling:
		return WhyContactSettling
	case w.NotBefore.After(now):
		return WhyContactBackoff
	}
	return ""
}

// busy is why a cannot be offered anything.
func (a *Candidate) busy(now time.Time) Reason {
	switch {
	case a.Profile == nil:
		return WhyNoProfile
	case !a.Routable:
		return WhyNotRoutable
	case a.Leaving:
		return WhyLeaving
	}
	for i := range a.Slots {
		switch a.Slots[i].State {
		case SlotMissed, SlotRejected, SlotError:
			return WhyBlocked
		case SlotOffered:
			return WhyRinging
		case SlotConnected, SlotACW:
		}
	}
	switch {
	case !a.Reachable && !a.Profile.silent():
		return WhyUnreachable
	case a.Settling:
		return WhyAgentSettling
	case a.NotBefore.After(now):
		return WhyAgentBackoff
	}
	return ""
}

// full is why a has no room for one more contact of a channel. Who talks by a call of their own has one mouth only. A new contact is allowed only if every contact in hand
// allows it and the slot of its channel is free (A2.3, cross-channel).
func (a *Candidate) full(c contact.Channel) Reason {
	if c == contact.Voice && !a.Reachable {
		return WhyUnreachable
	}
	if a.OnCall && c == contact.Voice {
		return WhyOnCall
	}
	held := 0
	for i := range a.Slots {
		if a.Slots[i].Channel == c {
			held++
		} else if a.Profile.channels[a.Slots[i].Channel].CrossChannel != AnyChannel {
			return WhyOtherChannel
		}
	}
	if held >= a.Profile.channels[c].Limit {
		return WhyFull
	}
	return ""
}

// against is why a cannot take w, apart from what w itself says (busy) and from who comes first.
func against(w *Waiting, a *Candidate, now time.Time) Reason {
	if r := a.busy(now); r != "" {
		return r
	}
	q, ok := a.line(w.QueueID, w.Channel)
	switch {
	case !ok:
		return WhyNotInProfile
	case !eligible(w, q, now):
		return WhyDelay
	case !w.wants(a, now):
		return WhySkills
	}
	return a.full(w.Channel)
}
