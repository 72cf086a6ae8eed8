package ivr

import (
	"context"
	"errors"
)

// checkHours tells whether hours of operation are open: the ones named, or the target queue's (Check hours of operation).
type checkHours struct{ hours value }

func (a *checkHours) read(p *params) { a.hours = p.whole("HoursOfOperationId") }

func (a *checkHours) rules() rules {
	return rules{
		flows: inboundTransferQueue(), errors: []string{errNoMatch},
		conditions: func(w *wiring) { w.exactly("True", "False") },
	}
}

func (a *checkHours) run(ctx context.Context, s *session) step {
	info := s.info()
	ref := s.text(a.hours)
	switch {
	case a.hours.given() && ref == "":
		return failedBy(errors.New("ivr: the attribute with the hours of operation is empty"))
	case ref == "" && info.Queue == nil:
		return failedBy(errors.New("ivr: no hours of operation are named and no queue is chosen"))
	case ref == "" && info.Queue.HoursID == "":
		return failedBy(errors.New("ivr: the queue has no hours of operation"))
	case ref == "":
		ref = info.Queue.HoursID
	}
	open, err := s.engine.Directory.Open(ctx, info.InstanceID, ref)
	if err != nil {
		return s.failure(ctx, err)
	}
	if open {
		return result("True")
	}
	return result("False")
}

// targetQueue chooses the queue that the contact will wait in (Set working queue).
type targetQueue struct{ at place }

func (a *targetQueue) read(p *params) {
	a.at = place{queue: p.whole("QueueId"), agent: p.whole("AgentId")}
	if a.at.queue.given() == a.at.agent.given() {
		p.problem("", "needs exactly one of QueueId and AgentId")
	}
}

func (a *targetQueue) rules() rules {
	return rules{flows: inboundAndTransfer(), next: true, errors: []string{errNoMatch}}
}

func (a *targetQueue) run(ctx context.Context, s *session) step {
	q, err := a.at.find(ctx, s)
	if err != nil {
		return s.failure(ctx, err)
	}
	if err := s.contact.SetTargetQueue(ctx, q); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}

// transferToQueue puts the contact into its target queue, which ends the flow (Transfer to queue).
type transferToQueue struct{}

func (transferToQueue) read(*params) {}

func (transferToQueue) rules() rules {
	return rules{flows: inboundAndTransfer(), errors: []string{errQueueAtCapacity, errNoMatch}}
}

func (transferToQueue) run(ctx context.Context, s *session) step {
	return s.enqueue(ctx, func() error { return s.participant.Queue(ctx) })
}
