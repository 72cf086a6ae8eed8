package ivr

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"ullim/internal/contact"
)

// Metrics that checkMetric can look at.
const (
	metricAvailable = "NumberOfAgentsAvailable"
	metricStaffed   = "NumberOfAgentsStaffed"
	metricOnline    = "NumberOfAgentsOnline"
	metricOldest    = "OldestContactInQueueAgeSeconds"
	metricSize      = "NumberOfContactsInQueue"
)

// place names a queue, the queue of an agent, or neither: the target queue.
type place struct{ queue, agent value }

func readPlace(p *params) place {
	at := place{queue: p.whole("QueueId"), agent: p.whole("AgentId")}
	if at.queue.given() && at.agent.given() {
		p.problem("", "has both QueueId and AgentId: keep one")
	}
	return at
}

// find is the queue that is meant.
func (at place) find(ctx context.Context, s *session) (QueueRef, error) {
	info := s.info()
	queue, agent := s.text(at.queue), s.text(at.agent)
	switch {
	case at.queue.given() && queue == "":
		return QueueRef{}, errors.New("ivr: the attribute with the queue is empty")
	case at.agent.given() && agent == "":
		return QueueRef{}, errors.New("ivr: the attribute with the agent is empty")
	case at.queue.given():
		return s.engine.Directory.Queue(ctx, info.InstanceID, queue)
	case at.agent.given():
		return s.engine.Directory.AgentQueue(ctx, info.InstanceID, agent)
	case info.Queue == nil:
		return QueueRef{}, errors.New("ivr: no queue is named and none is chosen")
	}
	return *info.Queue, nil
}

// measure asks how the queue does.
func (at place) measure(ctx context.Context, s *session, channel contact.Channel) (measured, error) {
	if s.engine.Metrics == nil {
		return measured{}, ErrNotSupported
	}
	q, err := at.find(ctx, s)
	if err != nil {
		return measured{}, err
	}
	m, err := s.engine.Metrics.QueueMetrics(ctx, s.info().InstanceID, q.ID, q.AgentID, channel)
	out := measured{queue: q, QueueMetrics: m}
	if p, ok := s.engine.Metrics.(Places); ok {
		out.position, out.wait = p.Place(s.info().InstanceID, s.info().ContactID)
	}
	return out, err
}

// checkMetric gives a figure of a queue (Check staffing, Check queue status).
type checkMetric struct {
	at     place
	metric string
}

func (a *checkMetric) read(p *params) {
	a.at = readPlace(p)
	p.need("MetricType")
	a.metric = p.oneOf("MetricType", metricAvailable, metricStaffed, metricOnline, metricOldest, metricSize)
}

func (a *checkMetric) rules() rules {
	return rules{
		flows: inboundTransferQueue(), errors: []string{errNoMatch, errNoCondition},
		conditions: func(w *wiring) { w.figures(strings.HasPrefix(a.metric, "NumberOfAgents")) },
	}
}

func (a *checkMetric) run(ctx context.Context, s *session) step {
	m, err := a.at.measure(ctx, s, "")
	if err != nil {
		return s.failure(ctx, err)
	}
	n := 0
	switch a.metric {
	case metricAvailable:
		n = m.Available
	case metricStaffed:
		n = m.Staffed
	case metricOnline:
		n = m.Online
	case metricOldest:
		n = int(m.Oldest / time.Second)
	case metricSize:
		n = m.Size
	default:
		return failedBy(errors.New("ivr: MetricType is not one of those there are"))
	}
	return result(strconv.Itoa(n))
}

// figures allows Equals and Number conditions with numbers; of agents only whether there are any (A1.5).
func (w *wiring) figures(agents bool) {
	w.any()
	for i, c := range w.n.conditions {
		at := "Transitions.Conditions[" + strconv.Itoa(i) + "].Condition"
		op := c.when.Operator
		zero := len(c.when.Operands) == 1 && c.when.Operands[0].raw == "0"
		switch {
		case agents && (op != opGreater || !zero):
			w.problem(at, "must be NumberGreaterThan 0: only whether there are agents can be checked")
		case op != opEquals && !strings.HasPrefix(op, "Number"):
			w.problem(at+".Operator", "must be Equals or one of the Number operators for %s", w.n.Type)
		}
	}
}

// getMetrics makes the figures of a queue readable as $.Metrics (Get queue metrics).
type getMetrics struct {
	at      place
	channel value
}

func (a *getMetrics) read(p *params) {
	a.at, a.channel = readPlace(p), p.whole("QueueChannel")
	if a.channel.given() && a.channel.isStatic() {
		if _, ok := channelOf(a.channel.raw); !ok {
			p.problem("QueueChannel", "must be Voice, Chat or Task, or one data path")
		}
	}
}

func (a *getMetrics) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *getMetrics) run(ctx context.Context, s *session) step {
	channel, ok := channelOf(s.text(a.channel))
	if !ok {
		return failedBy(errors.New("ivr: QueueChannel is not a channel"))
	}
	m, err := a.at.measure(ctx, s, channel)
	if err != nil {
		return s.failure(ctx, err)
	}
	s.memory.measure(m)
	return done()
}

// channelOf reads a channel; empty is all of them.
func channelOf(name string) (contact.Channel, bool) {
	switch c := contact.Channel(strings.ToUpper(name)); c {
	case "", contact.Voice, contact.Chat, contact.Task:
		return c, true
	}
	return "", false
}

// callStatus tells what answered a call that we placed (Check call progress).
type callStatus struct{}

func (callStatus) read(*params) {}

func (callStatus) rules() rules {
	return rules{errors: []string{errNoMatch}, conditions: func(w *wiring) {
		w.amongst("CallAnswered", "VoicemailBeep", "VoicemailNoBeep", "NotDetected")
	}}
}

// run: without detection there is nothing to check, which is the error branch (A1.5).
func (callStatus) run(_ context.Context, s *session) step {
	info := s.info()
	if info.Channel != contact.Voice || info.CallProgress == "" {
		return failedBy(errors.New("ivr: nobody has looked for what answered"))
	}
	return result(info.CallProgress)
}
