package acd

import (
	"context"
	"time"

	"ullim/internal/contact"
)

// proofTime is how long a phone may take to prove that it is there.
const proofTime = 3 * time.Second

// prove has an agent's phone proven alive before it rings: a registration is a promise for an hour, and a caller should
// not pay with a ring time for a phone whose plug was pulled. Chats and tasks ring nothing.
func (a *actor) prove(g *agent, s Slot, now time.Time) {
	if s.Channel != contact.Voice {
		a.ring(g, s, now)
		return
	}
	a.proofs = append(a.proofs, s)
	// Whatever becomes of the proof, nobody is stranded.
	a.alarms.set(now.Add(2*proofTime), func(now time.Time) { a.proven(s, true, now) })
}

// startProofs asks the phones.
func (a *actor) startProofs(ctx context.Context) {
	for _, s := range a.proofs {
		g := a.offers[s.OfferID]
		if g == nil {
			continue
		}
		userID := g.UserID
		a.work.Go(func() {
			alive := true
			a.contain(func() {
				limited, cancel := context.WithTimeout(ctx, proofTime)
				defer cancel()
				alive = a.devices.Alive(limited, userID)
			})
			a.mail.put(func(a *actor, now time.Time) { a.proven(s, alive, now) })
		})
	}
	a.proofs = nil
}

// proven: the phone is there, and rings, or it is not, and the agent is left alone for a moment. The offer may be over.
func (a *actor) proven(s Slot, alive bool, now time.Time) {
	g := a.offers[s.OfferID]
	if g == nil {
		return
	}
	v, ok := g.slot(s.OfferID)
	switch {
	case !ok || v.State != SlotOffered || v.Rung || v.Answered:
	case alive:
		a.ring(g, s, now)
	default:
		a.counts.Unproven.Add(1)
		a.result(s.OfferID, DeviceFailed, now)
	}
}
