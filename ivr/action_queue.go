package ivr

import (
	"context"
	"errors"

	"ullim/internal/errs"
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
type targetQueue struct{ queue, agent value }

func (a *targetQueue) read(p *params) {
	a.queue, a.agent = p.whole("QueueId"), p.whole("AgentId")
	if a.queue.given() == a.agent.given() {
		p.problem("", "needs exactly one of QueueId and AgentId")
	}
}

func (a *targetQueue) rules() rules {
	return rules{flows: inboundAndTransfer(), next: true, errors: []string{errNoMatch}}
}

func (a *targetQueue) run(ctx context.Context, s *session) step {
	if a.agent.given() {
		return failedBy(errors.Join(errors.New("ivr: queues of single agents"), ErrNotSupported))
	}
	ref := s.text(a.queue)
	if ref == "" {
		return failedBy(errors.New("ivr: the attribute with the queue is empty"))
	}
	q, err := s.engine.Directory.Queue(ctx, s.info().InstanceID, ref)
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
	err := s.participant.Queue(ctx)
	switch {
	case err == nil:
		return ended(Queued)
	case errs.Is(err, errs.Limit):
		return step{errorType: errQueueAtCapacity, why: err}
	}
	return s.failure(ctx, err)
}
