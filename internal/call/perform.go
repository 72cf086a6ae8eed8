package call

import (
	"time"

	"ullim/internal/contact"
)

// perform does one effect. Nothing here waits.
func (a *actor) perform(e Effect) {
	switch e := e.(type) {
	case negotiate:
		a.negotiate(e)
	case hangupCustomer:
		a.customer.Hangup(e.Cause)
	case hangupAgent:
		if a.agent != nil {
			a.agent.Hangup(e.Cause)
			a.agent = nil
		}
	case dialAgent:
		a.dialAgent(e)
	case closeMedia:
		a.closeMedia(e.Agent)
	case join:
		a.join()
	case part:
		if a.part != nil {
			a.part()
			a.part = nil
		}
	case startRecording:
		a.startRecording(e)
	case stopRecording:
		if a.recording != nil {
			a.recording.Stop(func(r contact.Recording, err error) { a.deliver(recordingDone{Recording: r, Err: err}) })
			a.recording = nil
		}
	case startFlow:
		a.startFlow(e)
	case stopFlow:
		a.stopFlow(e.For)
	case startTimer, stopTimer:
		a.setTimer(e)
	case takeQueue, replyQueue, leaveQueue, reportOffer, reportJoined, reportDone:
		a.performQueue(e)
	case save:
		a.saver.save(e.Record)
	case openSegment:
		a.saver.create(e.Record)
		a.m.o.Opened(e.Record.ID, e.Record.CallID)
		a.m.rename(a, e.Record.ID)
		a.log = a.m.logFor(e.Record.ID, e.Record.CallID)
	case closeSegment:
		done := func() {}
		if e.Last {
			done = func() { a.deliver(stored{}) }
		}
		a.saver.close(e.Record, done)
		a.m.closed(&e.Record)
	case tell:
		a.tell(e.Kind, e.Detail)
	}
}

// performQueue tells the ACD.
func (a *actor) performQueue(e Effect) {
	q := a.m.o.Queues
	switch e := e.(type) {
	case takeQueue:
		go func() {
			a.saver.flush() // the segment is on disk before anybody is offered it
			err := q.Enqueue(a.m.ctx, e.Enqueue)
			if !a.post(enqueueDone{Err: err}) && err == nil {
				q.Leave(e.Enqueue.ContactID)
			}
		}()
	case replyQueue:
		if a.queueReply != nil {
			a.queueReply <- e.Err
			a.queueReply = nil
		}
	case leaveQueue:
		q.Leave(e.ContactID)
	case reportOffer:
		q.OfferResult(e.OfferID, e.Result)
	case reportJoined:
		q.Joined(e.OfferID)
	case reportDone:
		q.AgentDone(e.OfferID)
	}
}

// stopFlow ends a flow and what it plays.
func (a *actor) stopFlow(who int) {
	a.endFlow(who)
	switch {
	case who == ofCustomer:
		a.customerMedia.StopPlay()
	case a.agentMedia != nil:
		a.agentMedia.StopPlay()
	}
}

// negotiate applies SDP. A refused offer leaves the session as it was; a bad answer ends the leg.
func (a *actor) negotiate(e negotiate) {
	leg, media := a.customer, a.customerMedia
	if e.Agent {
		leg, media = a.agent, a.agentMedia
	}
	if leg == nil || media == nil {
		return
	}
	if e.Host.IsValid() {
		media.SetHost(e.Host)
	}
	if !e.Offer {
		if err := media.Accept(e.SDP); err != nil {
			ended := LegEvent{Kind: LegEnded, Cause: CauseProtocol, Text: "their SDP answer cannot be used: " + err.Error()}
			leg.Hangup("bad SDP answer")
			if e.Agent {
				a.local = append(a.local, agentLeg{Gen: a.state.AgentGen, LegEvent: ended})
			} else {
				a.local = append(a.local, customerLeg{ended})
			}
		}
		return
	}
	var sdp []byte
	var err error
	if e.SDP == nil {
		sdp, err = media.Offer()
	} else {
		sdp, err = media.Answer(e.SDP)
	}
	if err != nil {
		a.log.Warn("session change refused", "agent", e.Agent, "error", err)
		sdp = nil
	}
	leg.AnswerOffer(sdp)
}

func (a *actor) dialAgent(e dialAgent) {
	fail := func(text string) {
		a.local = append(a.local, agentLeg{Gen: e.Gen, LegEvent: LegEvent{
			Kind: LegEnded, Cause: CauseRejected, Code: 503, Text: text,
		}})
	}
	media, err := a.m.o.Media.Open(MediaOptions{
		ContactID: a.state.Record.ID, Peer: "agent", OnDigit: func(byte) {}, First: a.customerMedia.Codec(), Near: a.customerMedia,
		OnDead: func(why string) { a.post(mediaDead{Agent: true, Gen: e.Gen, Why: why}) },
	})
	if err != nil {
		fail("no media for the agent: " + err.Error())
		return
	}
	a.agentMedia = media
	offer, err := media.Offer()
	if err != nil {
		fail("no SDP offer: " + err.Error())
		return
	}
	customer := a.state.Record.CustomerEndpoint
	a.agent = a.m.o.Dialer.Dial(Target{
		InstanceID: a.state.Record.InstanceID, UserID: e.Offer.Agent.ID, FromNumber: customer.Address,
		FromName: customer.DisplayName, ContactID: a.state.Record.ID, AutoAccept: e.Offer.AutoAccept,
	}, offer, func(ev LegEvent) { a.post(agentLeg{Gen: e.Gen, LegEvent: ev}) })
}

func (a *actor) closeMedia(agent bool) {
	media := a.customerMedia
	if agent {
		media, a.agentMedia = a.agentMedia, nil
	}
	var q contact.Quality
	if media != nil {
		q = media.Close()
	}
	a.local = append(a.local, qualityKnown{Agent: agent, Quality: q})
}

func (a *actor) join() {
	part, err := a.m.o.Media.Join(a.customerMedia, a.agentMedia)
	if err != nil {
		a.local = append(a.local, stopAsked{Reason: contact.TelecomProblem, Detail: "the two legs cannot be joined: " + err.Error()})
		return
	}
	a.part = part
}

func (a *actor) startRecording(e startRecording) {
	if a.agentMedia == nil {
		a.local = append(a.local, recordingDone{Err: ErrLeft})
		return
	}
	rec, err := a.m.o.Media.Record(a.state.Record.ID, e.Key, a.customerMedia, a.agentMedia)
	if err != nil { // the call goes on: M10
		a.local = append(a.local, recordingDone{Err: err})
		return
	}
	a.recording = rec
}

func (a *actor) setTimer(e Effect) {
	switch e := e.(type) {
	case startTimer:
		a.stopTimer(e.Timer)
		a.timers[e.Timer] = time.AfterFunc(e.After, func() { a.post(timerFired{Timer: e.Timer, Gen: e.Gen}) })
	case stopTimer:
		a.stopTimer(e.Timer)
	}
}

func (a *actor) stopTimer(t Timer) {
	if a.timers[t] != nil {
		a.timers[t].Stop()
		a.timers[t] = nil
	}
}
