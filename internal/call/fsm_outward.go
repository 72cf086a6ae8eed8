package call

import (
	"errors"
	"time"

	"ullim/internal/contact"
)

// Errors of Control.CallThirdParty.
var (
	ErrCallFailed = errors.New("call: the third party cannot be reached")
	ErrNoAnswer   = errors.New("call: the third party did not answer in time")
)

// Outcall is somebody outside with whom a flow has the customer joined.
type Outcall struct {
	Number               string // E.164
	FromNumber, FromName string // empty: the customer's own
	Limit                time.Duration
	Digits               string // pressed after the answer
	Resume               bool   // the flow goes on when the third party has left
}

// Outward is an Outcall in progress. The flow that asked waits for its outcome.
type Outward struct {
	To    int
	Back  Phase // where the customer was
	Call  Outcall
	Since time.Time // PhaseQueued: when it entered that queue
}

// comeback is a contact that gets back the place that it had in a queue. The flow that wanted something else is told
// then, and goes on.
type comeback struct {
	On  bool
	Err error
}

// outwardAsked calls the third party. Who waits in a queue leaves it meanwhile, and keeps the place.
func (s *step) outwardAsked(e outwardAsked) {
	if s.isTransferFlow(e.Gen) {
		s.transferOutward(e.Outcall)
		return
	}
	if e.Gen == 0 || e.Gen != s.Flow[ofCustomer] || s.Phase != PhaseFlow && s.Phase != PhaseRemaining && s.Phase != PhaseQueued {
		s.refuseFlow(e.Gen, errBusy("the contact is %s: its flow cannot call a third party now", s.Phase))
		return
	}
	o := Outward{Back: s.Phase, Call: e.Outcall}
	if s.Phase == PhaseQueued {
		o.Since = s.Place
		s.do(leaveQueue{ContactID: s.Record.ID})
	}
	c := Callee{Number: e.Outcall.Number, FromNumber: e.Outcall.FromNumber, FromName: e.Outcall.FromName}
	if c.FromNumber == "" {
		c.FromNumber, c.FromName = s.Record.CustomerEndpoint.Address, s.Record.CustomerEndpoint.DisplayName
	}
	s.Phase = PhaseOutward
	o.To = s.forward(c, s.Customer, "")
	s.Outward = o
	s.do(startTimer{Timer: TimerRing, Gen: o.To, After: max(e.Outcall.Limit, time.Second)})
	s.tell("third party", "%s is called", c.Number)
}

// outwardAnswered: they talk. Without Resume the flow is over, and the third party has the place of an agent.
func (s *step) outwardAnswered(p *Party) {
	o := s.Outward
	s.do(stopTimer{Timer: TimerRing, Gen: p.ID}, stopTimer{Timer: TimerEarly, Gen: p.ID})
	if o.Call.Digits != "" {
		s.do(sendKeys{Party: p.ID, Digits: o.Call.Digits})
	}
	s.tell("joined", "%s %s", p.Role, p.Address.Address)
	if o.Call.Resume {
		return
	}
	if o.Back == PhaseQueued {
		s.edit().Queue.DequeueTimestamp = s.now
	}
	s.Outward, s.Phase = Outward{}, PhaseTalking
	s.Flow[ofCustomer] = 0 // it is over when it has the answer
	to := p.Address
	s.becomesAgent(p.ID)
	r := s.edit()
	r.TransferCompletedTimestamp, r.TransferredTo = s.now, &to
	s.do(replyFlow{})
	s.startTape()
	s.save()
}

// outwardEnded: they have left again, or never came.
func (s *step) outwardEnded(p *Party, e LegEvent) {
	err := ErrCallFailed
	switch {
	case p.Stage == partyUp:
		err = nil
	case e.Cause == CauseTimeout:
		err = ErrNoAnswer
	}
	kind := "third party left"
	if err != nil {
		kind = "third party failed"
	}
	s.tell(kind, "%s: %s", p.Address.Address, e.Text)
	s.do(stopTimer{Timer: TimerRing, Gen: p.ID}, stopTimer{Timer: TimerEarly, Gen: p.ID})
	s.drop(p.ID, "")
	o := s.Outward
	s.Phase = o.Back
	if o.Back != PhaseQueued {
		s.Outward = Outward{}
		s.do(replyFlow{Err: err})
		return
	}
	s.Outward, s.Comeback = Outward{}, comeback{On: true, Err: err}
	was := s.Target
	s.Target = TargetQueue{ID: s.Record.Queue.ID, Name: s.Record.Queue.Name}
	s.takeQueue(o.Since, true)
	s.Target, s.Requeued = was, true
}

// backInLine answers the flow whose contact has its place in the queue again; false if it is another that has come.
func (s *step) backInLine() bool {
	if !s.Comeback.On {
		return false
	}
	s.do(replyFlow{Err: s.Comeback.Err})
	s.Comeback, s.Requeued = comeback{}, false
	return true
}

// wiredOutward: the customer hears the third party, before that the network's own audio, else the ringing tone.
func (s *State) wiredOutward() wiring {
	c, to := s.party(s.Customer), s.party(s.Outward.To)
	switch {
	case c == nil || c.Stage != partyUp || to == nil:
	case to.present() && c.present(), to.Stage != partyUp && to.Early && to.Flowing && c.present():
		return wiring{Bridge: []member{{Party: c.ID}, {Party: to.ID}}}
	case c.Held:
	case to.Stage == partyUp:
		return wiring{Sounds: []playing{{c.ID, SoundHold}}}
	default:
		return wiring{Sounds: []playing{{c.ID, SoundRing}}}
	}
	return wiring{}
}

// moveAsked: the customer queue flow wants another queue (DequeueContactAndTransferToQueue). That is a new segment. A
// queue that is full sends the contact back to where it waited, with its place.
func (s *step) moveAsked(e enqueueAsked) {
	switch {
	case e.Gen == 0 || e.Gen != s.Flow[ofCustomer] || s.Phase != PhaseQueued:
		s.refuseFlow(e.Gen, errBusy("the contact is %s: only one that waits in a queue can change it", s.Phase))
		return
	case s.Target.ID == "":
		s.refuseFlow(e.Gen, errBusy("no working queue is set"))
		return
	}
	q := s.edit().Queue
	s.Moving, s.WasSince = TargetQueue{ID: q.ID, Name: q.Name}, s.Place
	q.DequeueTimestamp = s.now
	s.do(leaveQueue{ContactID: s.Record.ID})
	s.tell("moved", "from %s to %s", q.Name, s.Target.Name)
	s.NextID = e.NewID
	s.Reason = contact.ContactFlowDisconnect
	s.nextSegment(segment{Method: contact.QueueTransfer, FlowID: s.Record.FlowID})
	s.takeQueue(s.now, false)
}

// moveRefused: the other queue does not take the contact, the one before has it back. Its flow goes on.
func (s *step) moveRefused(err error) {
	s.tell("move refused", "%s: back to %s", err, s.Moving.Name)
	was := s.Target
	s.Target = s.Moving
	s.Moving = TargetQueue{}
	s.Comeback = comeback{On: true, Err: err}
	s.takeQueue(s.WasSince, true)
	s.Target, s.Requeued = was, true
}
