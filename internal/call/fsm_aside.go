package call

import (
	"cmp"
	"slices"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// asideStage is where the contact beside the customer's is.
type asideStage int

const (
	asideNone    asideStage = iota
	asideAsking             // the ACD is asked for a place in line
	asideQueued             // it waits for an agent
	asideRinging            // one is offered it
	asideHears              // ... has accepted and hears the agent whisper
	asideGreets             // and the agent who consults hears the customer whisper (A1.4)
	asideTalks              // the two talk, and the customer waits
)

// Aside is a second contact of the call: what a transfer has put in line for an agent. If it comes to something, it is the
// contact of the next segment.
type Aside struct {
	Stage    asideStage
	Gen      int // of the transfer
	ID       string
	Queue    TargetQueue
	Since    time.Time
	Direct   bool // for one agent alone: refused is failed
	Offers   []contact.Offer
	OfferIDs []string // of Offers
	Offer    Offer
	To       int // the party of the agent
	Rang     time.Time
	Accepted time.Time
	Record   contact.Record // asideTalks
}

// putInLine asks the ACD for a place. direct: in the own queue of the agent whom the transfer is for, who has been found
// free.
func (s *step) putInLine(id string, direct bool) {
	s.Aside = Aside{Stage: asideAsking, Gen: s.Transfer.Gen, ID: id, Queue: s.Target, Since: s.now, Direct: direct}
	s.do(takeQueue{Enqueue: Enqueue{
		InstanceID: s.Record.InstanceID, ContactID: id, QueueID: s.Target.ID, Channel: contact.Voice, Since: s.now, Routing: s.Rank,
		Owed: direct,
	}})
}

// asideEnqueued: the ACD has answered.
func (s *step) asideEnqueued(err error) {
	t := &s.Transfer
	flow := t.Flow != 0 && t.Flow == s.Flow[ofAgent]
	if err != nil {
		s.Aside = Aside{}
		if flow { // it says so, and comes to its end
			s.do(replyFlow{For: ofAgent, Err: err})
			return
		}
		code := 480
		if errs.Is(err, errs.Limit) {
			code = 486
		}
		s.transferFailed(code, err.Error())
		return
	}
	s.Aside.Stage = asideQueued
	if flow {
		s.do(replyFlow{For: ofAgent})
		t.Flow = 0
	}
	by := s.party(t.By)
	switch {
	case s.Aside.Direct:
		s.do(startTimer{Timer: TimerTransfer, Gen: t.Gen, After: transferRing})
		s.release()
	case !t.Consult || by == nil || by.Stage != partyUp:
		s.joinLine()
	}
}

// joinLine: the customer waits in the queue, and whoever transferred leaves. A new segment begins.
func (s *step) joinLine() {
	a, t := s.Aside, s.Transfer
	s.inform(t, 200, "OK")
	s.endTransfer()
	s.Aside, s.Target = Aside{}, a.Queue
	s.stopTape()
	s.finishBy(t)
	s.resume()
	s.NextID = a.ID
	s.nextSegment(segment{Method: contact.Transfer, FlowID: s.Record.FlowID, Since: t.Since})
	s.Record.Queue = &contact.QueueInfo{ID: a.Queue.ID, Name: a.Queue.Name, EnqueueTimestamp: a.Since}
	s.Place = a.Since
	a.tellOffers(&s.Record)
	s.OfferIDs = a.OfferIDs
	s.noteOrder()
	s.Phase, s.AgentGen = PhaseQueued, 0
	s.tell("transferred", "to %s", t.Target)
	s.tell("QUEUED", "%s", a.Queue.Name)
	s.run(ofCustomer, FlowCustomerQueue, s.Hooks[FlowCustomerQueue])
	s.save()
}

// asideOffered rings the agent whom the ACD has reserved.
func (s *step) asideOffered(o Offer) {
	id := s.generation()
	a := &s.Aside
	a.Stage, a.Offer, a.To, a.Rang = asideRinging, o, id, s.now
	a.Offers = append(slices.Clone(a.Offers), contact.Offer{UserID: o.Agent.ID, Start: s.now})
	a.OfferIDs = append(slices.Clone(a.OfferIDs), o.ID)
	s.Transfer.To = id
	p := Party{
		ID: id, Role: RoleThird, Stage: partyDialled, Media: true, Person: Person{
			ID: o.Agent.ID, InstanceID: s.Record.InstanceID, Username: o.Agent.Username,
			RoutingProfileID: o.Agent.RoutingProfileID, RoutingProfileName: o.Agent.RoutingProfileName,
		},
		Address: contact.Endpoint{Type: contact.VoIP, Address: o.Agent.Username},
	}
	s.add(p)
	s.tell("offer", "%s rings", o.Agent.Username)
	customer := s.Record.CustomerEndpoint
	s.do(dial{Party: id, Near: s.Customer, Target: Target{
		InstanceID: s.Record.InstanceID, UserID: o.Agent.ID, Priority: PriorityAgent, FromNumber: customer.Address,
		FromName: customer.DisplayName, ContactID: a.ID, AutoAccept: o.AutoAccept,
	}}, startTimer{Timer: TimerRing, Gen: id, After: o.RingTime})
}

// asideAnswered: the agent is there and hears the whisper.
func (s *step) asideAnswered() {
	a := &s.Aside
	a.Stage, a.Accepted = asideHears, s.now
	a.outcome(OfferAnswered, s.now)
	s.tell("accepted", "%s", a.Offer.Agent.Username)
	s.do(stopTimer{Timer: TimerRing, Gen: a.To}, stopTimer{Timer: TimerTransfer, Gen: a.Gen},
		reportOffer{OfferID: a.Offer.ID, Result: OfferAnswered})
	s.run(ofAside, FlowAgentWhisper, s.Hooks[FlowAgentWhisper])
	s.do(startTimer{Timer: TimerWhisper, Gen: a.To, After: maxWhisper})
}

// asideWhispered: a whisper is over. The customer whisper is for the agent who consults.
func (s *step) asideWhispered(who int) {
	by := s.party(s.Transfer.By)
	if who == ofAside && s.Aside.Stage == asideHears && s.Transfer.Consult && by != nil && by.Stage == partyUp {
		s.Aside.Stage = asideGreets
		s.run(ofAgent, FlowCustomerWhisper, s.Hooks[FlowCustomerWhisper])
		s.do(startTimer{Timer: TimerWhisper, Gen: s.Aside.To, After: maxWhisper})
		return
	}
	if s.Aside.Stage == asideHears || s.Aside.Stage == asideGreets {
		s.joinAside()
	}
}

// asideWhisperOver: a whisper has lasted for two minutes.
func (s *step) asideWhisperOver() {
	switch s.Aside.Stage { //nolint:exhaustive // nobody whispers in the others
	case asideHears:
		s.asideBack(OfferAgentLeft, 480, "the agent whisper lasted too long")
	case asideGreets:
		s.joinAside()
	}
}

// joinAside: the agent who consults talks with whom the ACD has found; or the customer does, because nobody consults.
func (s *step) joinAside() {
	a, t := s.Aside, s.Transfer
	s.do(stopTimer{Timer: TimerWhisper, Gen: a.To}, reportJoined{OfferID: a.Offer.ID})
	by := s.party(t.By)
	consult := t.Consult && by != nil && by.Stage == partyUp
	s.stopFlow(ofAside)
	if consult {
		s.stopFlow(ofAgent)
	}
	s.inform(t, 200, "OK")
	s.endTransfer()
	s.Phase = PhaseTalking
	r := s.segmentAfter(segment{Method: contact.Transfer, FlowID: s.Record.FlowID, Since: t.Since}, a.ID)
	r.Queue = &contact.QueueInfo{ID: a.Queue.ID, Name: a.Queue.Name, EnqueueTimestamp: a.Since, DequeueTimestamp: s.now}
	a.tellOffers(&r)
	r.QueuePriority, r.QueueTimeAdjustment = cmp.Or(s.Rank.Priority, defaultQueuePriority), s.Rank.AgeAdjustment
	agent := a.Offer.Agent
	agent.RingStartTimestamp, agent.AcceptedByAgentTimestamp, agent.ConnectedToAgentTimestamp = a.Rang, a.Accepted, s.now
	agent.DeviceID = s.party(a.To).Device
	r.Agent = &agent
	s.do(openBeside{Record: copyRecord(r)})
	s.Aside.Stage, s.Aside.Record = asideTalks, r
	s.tell("CONNECTED_TO_AGENT", "%s", agent.Username)
	if consult {
		s.consults(t)
		return
	}
	s.stopTape()
	s.finishBy(t)
	s.becomesAside()
}

// warmDrop: the agent who consulted has left, and the customer talks with whom was consulted.
func (s *step) warmDrop() {
	to := s.party(s.Aside.To).Address
	s.tell("agent left", "the customer talks with %s", to.Address)
	s.stopTape()
	s.agentPartOver()
	s.Record.TransferCompletedTimestamp, s.Record.TransferredTo = s.now, &to
	s.becomesAside()
}

// becomesAside makes the contact beside the one that the call is about.
func (s *step) becomesAside() {
	a := s.Aside
	s.Aside = Aside{}
	s.settle(a.ID)
	s.Record = a.Record
	s.do(turnTo{ContactID: a.ID})
	s.resume()
	s.becomesAgent(a.To)
	s.Offer, s.Target, s.Place, s.OfferIDs = a.Offer, a.Queue, a.Since, a.OfferIDs
	s.tell("transferred", "to %s", a.Offer.Agent.Username)
	s.startTape()
	s.save()
}

// transferOver: the agent whom a transfer is for has not become free in time.
func (s *step) transferOver(gen int) {
	if s.Aside.Direct && s.Aside.Gen == gen && s.Aside.Stage == asideQueued {
		s.transferFailed(408, "the agent did not become free")
	}
}

// asideMissed: the phone has rung for the whole ring time.
func (s *step) asideMissed() {
	s.tell("missed", "%s did not answer within %s", s.Aside.Offer.Agent.Username, s.Aside.Offer.RingTime)
	s.asideBack(OfferMissed, 408, "no answer")
}

// asideRefused: the agent's leg is gone before the two talk.
func (s *step) asideRefused(e LegEvent) {
	if s.Aside.Stage != asideRinging {
		s.tell("agent left", "%s hung up before the call was joined", s.Aside.Offer.Agent.Username)
		s.asideBack(OfferAgentLeft, 480, "hung up before the call was joined")
		return
	}
	result, kind := refusal(e)
	s.tell(kind, "%s: %s", s.Aside.Offer.Agent.Username, e.Text)
	code, reason := failure(e)
	s.asideBack(result, code, reason)
}

// asideBack: the contact waits again; one that was for a single agent has failed.
func (s *step) asideBack(result OfferResult, code int, reason string) {
	a := &s.Aside
	id, to, direct := a.Offer.ID, a.To, a.Direct
	s.stopFlow(ofAside)
	if a.Stage == asideGreets {
		s.stopFlow(ofAgent)
	}
	s.do(stopTimer{Timer: TimerRing, Gen: to}, stopTimer{Timer: TimerWhisper, Gen: to})
	s.drop(to, reason)
	a.outcome(result, s.now)
	a.Stage, a.Offer, a.To = asideQueued, Offer{}, 0
	s.Transfer.To = 0
	s.do(reportOffer{OfferID: id, Result: result})
	by := s.party(s.Transfer.By)
	switch {
	case direct:
		s.transferFailed(code, reason)
	case !s.Transfer.Consult || by == nil || by.Stage != partyUp:
		s.joinLine()
	}
}

// outcome notes how the last offer came out.
func (a *Aside) outcome(result OfferResult, at time.Time) {
	if n := len(a.Offers); n > 0 {
		a.Offers = slices.Clone(a.Offers)
		a.Offers[n-1].Outcome, a.Offers[n-1].End = result.outcome(), at
	}
}

// tellOffers notes in the record of the next segment to whom it was offered.
func (a *Aside) tellOffers(r *contact.Record) {
	r.Offers, r.AgentConnectionAttempts = a.Offers, len(a.Offers)
}

// asideOver: whom the agent consulted has left.
func (s *step) asideOver(reason contact.DisconnectReason) {
	a := s.Aside
	s.Aside = Aside{}
	r := a.Record
	r.DisconnectTimestamp, r.DisconnectReason = s.now, reason
	r.Agent.AgentInteractionEndTimestamp = s.now
	s.Settling = append(s.Settling, r)
	s.do(reportDone{OfferID: a.Offer.ID})
}

// releaseAside ends the contact beside, whatever it is doing.
func (s *step) releaseAside(reason contact.DisconnectReason) {
	a := s.Aside
	switch a.Stage {
	case asideNone:
		return
	case asideTalks:
		p := s.party(a.To)
		if p != nil && p.Stage != partyGone {
			s.drop(a.To, "contact ended")
		}
		s.asideOver(reason)
		return
	case asideAsking: // the answer of the ACD finds nobody: see enqueueDone
	case asideQueued:
		s.do(leaveQueue{ContactID: a.ID})
	case asideRinging, asideHears, asideGreets:
		if a.Stage == asideGreets {
			s.stopFlow(ofAgent)
		}
		s.stopFlow(ofAside)
		s.do(stopTimer{Timer: TimerRing, Gen: a.To}, stopTimer{Timer: TimerWhisper, Gen: a.To})
		s.drop(a.To, "contact ended")
		s.do(reportOffer{OfferID: a.Offer.ID, Result: OfferCallerLeft}, leaveQueue{ContactID: a.ID})
	}
	s.do(stopTimer{Timer: TimerTransfer, Gen: a.Gen})
	s.Aside = Aside{}
}
