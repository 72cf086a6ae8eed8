package app

import (
	"context"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/ivr"
)

// destinations knows where calls can be transferred to: call.Places on the directory and the centers.
type destinations struct {
	dir     *directory
	centers *centers
}

var (
	_ call.Places     = destinations{}
	_ ivr.AgentCaller = voice{}
)

// Queue finds a queue that takes contacts, also the own one of a user.
func (d destinations) Queue(instanceID, id string) (call.TargetQueue, error) {
	q, err := d.dir.queue(instanceID, id)
	if err != nil {
		return call.TargetQueue{}, err
	}
	t, err := d.dir.tenant(instanceID)
	if err != nil {
		return call.TargetQueue{}, err
	}
	if own := t.config.Queues[q.ID]; own != nil && own.Status != acd.QueueEnabled {
		return call.TargetQueue{}, errs.New(errs.NotFound, "the queue %s is disabled", q.Name)
	}
	return call.TargetQueue{ID: q.ID, Name: q.Name}, nil
}

// OwnQueue is the queue of a user.
func (destinations) OwnQueue(p call.Person) call.TargetQueue {
	return call.TargetQueue{ID: acd.AgentQueueID(p.ID), Name: p.Username}
}

// Named is where the name of a quick connect, or of a queue, leads.
func (d destinations) Named(instanceID, name string) (call.Destination, error) {
	t, err := d.dir.tenant(instanceID)
	if err != nil {
		return call.Destination{}, err
	}
	if q := t.quick[name]; q != nil {
		return destinationOf(q), nil
	}
	if q := t.queues[name]; q != nil {
		return call.Destination{QueueID: q.ID}, nil
	}
	return call.Destination{}, errs.New(errs.NotFound, "no quick connect and no queue is called %q", name)
}

// destinationOf is where a quick connect leads.
func destinationOf(q *acd.QuickConnect) call.Destination {
	to := call.Destination{UserID: q.UserID, QueueID: q.QueueID, Number: q.Number}
	if q.Type == acd.QuickFlow {
		to.FlowID = q.FlowID
	} else {
		to.TransferFlowID = q.FlowID
	}
	return to
}

// Reach tells how a user can be reached. Who works as an agent and is free is offered the contact as an agent is; who is
// offline has a telephone on the desk, which rings. Who is busy, or on a break, is not disturbed.
func (d destinations) Reach(instanceID, userID string) (routed bool, err error) {
	center, err := d.centers.of(instanceID)
	if err != nil {
		return false, err
	}
	a, err := center.CurrentAgent(userID)
	if err != nil {
		return false, err
	}
	switch {
	case len(a.Slots) > 0 || d.centers.o.Calls().OnCall(userID):
		return false, errs.New(errs.Limit, "%s is busy", a.Username)
	case a.StatusType == acd.Offline:
		return false, nil
	case a.StatusType == acd.Routable && a.AvailableSlots[contact.Voice] > 0:
		return true, nil
	case a.StatusType == acd.Routable && !a.Reachable:
		return false, errs.New(errs.Limit, "no device of %s is there", a.Username)
	}
	return false, errs.New(errs.Limit, "%s is away: %s", a.Username, a.StatusName)
}

// Outbound is how a queue calls out.
func (d destinations) Outbound(instanceID, queueID string) (number, name, whisperFlow string, err error) {
	t, err := d.dir.tenant(instanceID)
	if err != nil {
		return "", "", "", err
	}
	q := t.config.Queues[queueID]
	if q == nil {
		return "", "", "", errs.New(errs.NotFound, "no queue %s", queueID)
	}
	for _, n := range t.byNumber {
		if n.ID == q.OutboundCallerNumber {
			number = n.Name
		}
	}
	return number, q.OutboundCallerIDName, q.OutboundFlowID, nil
}

// CallAgent hands the contact to the agent whom the transfer is for.
func (v voice) CallAgent(ctx context.Context) error { return left(v.c.CallAgent(ctx)) }
