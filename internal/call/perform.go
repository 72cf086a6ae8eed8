package call

import (
	"slices"
	"sync"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// perform does one effect. Nothing here waits.
func (a *actor) perform(e Effect) {
	switch e := e.(type) {
	case negotiate, answer, ring, progress, reject, hangup, notify:
		a.performLeg(e)
	case dial:
		a.dial(e)
	case closeMedia:
		a.closeMedia(e.Party)
	case sendKeys:
		if l := a.line(e.Party); l != nil && l.media != nil && l.leg != nil {
			l.send(e.Digits)
		}
	case part:
		a.leave(e.wiring)
	case join:
		a.enter(e.wiring)
	case startRecording, moveRecording, stopRecording, pauseRecording:
		a.performTape(e)
	case startHeard, stopHeard, pauseHeard:
		a.performHeard(e)
	case startFlow:
		a.startFlow(e)
	case stopFlow:
		a.stopFlow(e)
	case reseat:
		if l := a.line(e.Party); l != nil && a.flows[e.For] != nil {
			a.flows[e.For].reseat(l.media)
		}
	case startTimer, stopTimer:
		a.setTimer(e)
	case takeQueue, replyFlow, leaveQueue, reorder, reportOffer, reportJoined, reportDone:
		a.performQueue(e)
	case resolve, findAgent, lend, adopt, refuse, reclaim, reply:
		a.performOutside(e)
	case save, openSegment, openBeside, turnTo, closeSegment, commit:
		a.performRecord(e)
	case tell:
		a.tell(e.Kind, e.Detail)
	}
}

// performLeg speaks to a leg.
func (a *actor) performLeg(e Effect) {
	switch e := e.(type) {
	case negotiate:
		a.negotiate(e)
	case answer:
		if l := a.line(e.Party); l != nil {
			l.leg.Answer(l.answer)
		}
	case ring:
		if l := a.line(e.Party); l != nil {
			l.leg.Ring()
		}
	case progress:
		if l := a.line(e.Party); l != nil {
			l.leg.Progress(l.answer)
		}
	case reject:
		if l := a.line(e.Party); l != nil {
			l.leg.Reject(e.Code, e.Reason, 0)
		}
	case hangup:
		if l := a.line(e.Party); l != nil && l.leg != nil {
			l.leg.Hangup(e.Cause)
		}
	case notify:
		a.notify(e)
	}
}

// notify tells how a transfer goes, also one who has hung up meanwhile.
func (a *actor) notify(e notify) {
	l := a.line(e.Party)
	if l == nil {
		l = a.referrer
	}
	if l == nil {
		return
	}
	l.leg.Notify(e.Code, e.Reason)
	switch {
	case e.Code == 100:
		a.m.stats.Transfers.Add(1)
		a.referrer = l
	case e.Code >= 200:
		a.referrer = nil
	}
}

// performQueue tells the ACD.
func (a *actor) performQueue(e Effect) {
	q := a.m.o.Queues
	switch e := e.(type) {
	case takeQueue:
		if e.Enqueue.ContactID != a.state.Record.ID {
			a.m.alias(a, e.Enqueue.ContactID)
		}
		go func() {
			a.saver.flush() // the segment is on disk before anybody is offered it
			err := q.Enqueue(a.m.ctx, e.Enqueue)
			if !a.post(enqueueDone{ContactID: e.Enqueue.ContactID, Err: err}) && err == nil {
				q.Leave(e.Enqueue.ContactID)
			}
		}()
	case replyFlow:
		if reply := a.flowReply[e.For]; reply != nil {
			reply <- e.Err
			a.flowReply[e.For] = nil
		}
	case leaveQueue:
		q.Leave(e.ContactID)
	case reorder:
		q.Reorder(e.ContactID, e.Routing)
	case reportOffer:
		q.OfferResult(e.OfferID, e.Result)
	case reportJoined:
		q.Joined(e.OfferID)
	case reportDone:
		q.AgentDone(e.OfferID)
	}
}

// performRecord writes records behind the call.
func (a *actor) performRecord(e Effect) {
	switch e := e.(type) {
	case save:
		a.saver.save(e.Record)
	case commit:
		go func() {
			a.saver.flush()
			a.post(committed{})
		}()
	case openSegment:
		a.saver.create(e.Record)
		a.m.o.Opened(e.Record.ID, e.Record.CallID)
		a.turnTo(e.Record.ID)
	case openBeside:
		a.saver.create(e.Record)
		a.m.o.Opened(e.Record.ID, e.Record.CallID)
		a.m.alias(a, e.Record.ID)
	case turnTo:
		a.turnTo(e.ContactID)
	case closeSegment:
		if e.Last {
			a.saver.closeLast(e.Record, func() { a.deliver(stored{}) })
		} else {
			a.saver.close(e.Record, func() {})
		}
		a.m.closed(e.Record)
	}
}

// performOutside reaches beyond this call.
func (a *actor) performOutside(e Effect) {
	switch e := e.(type) {
	case resolve:
		a.resolve(e)
	case findAgent:
		found := agentFound{Gen: e.Gen}
		if a.m.o.Places != nil {
			found.Routed, found.Err = a.m.o.Places.Reach(a.state.Record.InstanceID, e.UserID)
		}
		a.local = append(a.local, found)
	case lend:
		a.lend(e)
	case adopt:
		n := a.newcomer
		a.newcomer = nil
		n.line.id = e.Party
		a.addLine(n.line)
		n.line.give(a, e.Party)
		if n.From == nil { // who picks up is not answered yet
			n.line.leg.Answer(n.line.answer)
		}
		a.m.stats.Moved.Add(1)
		n.done(a.state.Record.ID, nil)
	case refuse:
		if a.newcomer != nil {
			a.newcomer.done("", e.Err)
			a.newcomer = nil
		}
	case reclaim:
		for i, l := range a.given {
			if l.was == e.Party {
				a.given = slices.Delete(a.given, i, i+1)
				l.id = e.Party
				a.addLine(l)
				l.give(a, e.Party)
				return
			}
		}
	case reply:
		if a.reply != nil {
			a.reply <- e.Err
			a.reply = nil
		}
	}
}

// turnTo gives the call the id of another contact.
func (a *actor) turnTo(contactID string) {
	a.m.rename(a, contactID)
	a.log = a.m.logFor(contactID, a.state.Record.CallID)
}

// resolve asks whom a REFER names.
func (a *actor) resolve(e resolve) {
	r := a.m.named(a.state.Record.InstanceID, e.UserID, e.Target)
	r.Gen = e.Gen
	a.local = append(a.local, r)
}

// lend offers a line to the call that has a dialog.
func (a *actor) lend(e lend) {
	l := a.line(e.Party)
	other, party := a.m.findDialog(e.Dialog)
	if l == nil || l.media == nil {
		a.local = append(a.local, moved{Gen: e.Gen, Err: errs.New(errs.NotFound, "nobody is left")})
		return
	}
	l.was = e.Party
	l.give(nil, 0)
	a.given = append(a.given, l)
	a.lines = slices.DeleteFunc(a.lines, func(x *line) bool { return x == l })
	if other == nil || other == a {
		a.local = append(a.local, moved{Gen: e.Gen, Err: errs.New(errs.NotFound, "no such call")})
		return
	}
	var once sync.Once
	ask := askTakeOver{
		takeOver: takeOver{Party: party, Newcomer: e.Newcomer, From: e.Record, ToRecord: e.ToRecord}, line: l,
		done: func(next string, err error) {
			once.Do(func() {
				back := askMoved{moved: moved{Gen: e.Gen, Next: next, Quality: l.media.Stats(), Err: err}, line: l}
				go func() {
					if !a.deliver(back) && err != nil {
						l.end("contact ended")
					}
				}()
			})
		},
	}
	ask.reached = func(code int) { a.deliver(reached{Gen: e.Gen, Code: code}) }
	go func() {
		if !other.deliver(ask) {
			ask.done("", errs.New(errs.NotFound, "the call has ended"))
		}
	}()
}

// stopFlow ends a flow and what it plays.
func (a *actor) stopFlow(e stopFlow) {
	a.endFlow(e.For)
	if l := a.line(e.Party); l != nil && l.media != nil {
		l.media.StopPlay()
	}
}

// negotiate applies SDP. A refused offer leaves the session as it was; a bad answer ends the leg.
func (a *actor) negotiate(e negotiate) {
	l := a.line(e.Party)
	if l == nil || l.leg == nil || l.media == nil {
		return
	}
	if e.Host.IsValid() {
		l.media.SetHost(e.Host)
	}
	if !e.Offer {
		err := l.media.Accept(e.SDP)
		switch {
		case err == nil:
			a.local = append(a.local, negotiated{Party: e.Party, Held: holds(e.SDP), Early: e.Early})
		case e.Early: // the answer that counts is still to come
			a.log.Warn("early media not used", "party", e.Party, "error", err)
		default:
			l.leg.Hangup("bad SDP answer")
			a.local = append(a.local, partyLeg{Party: e.Party, LegEvent: LegEvent{
				Kind: LegEnded, Cause: CauseProtocol, Text: "their SDP answer cannot be used: " + err.Error(),
			}})
		}
		return
	}
	var sdp []byte
	var err error
	if e.SDP == nil {
		sdp, err = l.media.Offer()
	} else {
		sdp, err = l.media.Answer(e.SDP)
	}
	switch {
	case err != nil:
		a.log.Warn("session change refused", "party", e.Party, "error", err)
		sdp = nil
	case e.SDP != nil:
		a.local = append(a.local, negotiated{Party: e.Party, Held: holds(e.SDP)})
	}
	l.leg.AnswerOffer(sdp)
}

func (a *actor) dial(e dial) {
	fail := func(text string) {
		a.local = append(a.local, partyLeg{Party: e.Party, LegEvent: LegEvent{
			Kind: LegEnded, Cause: CauseRejected, Code: 503, Text: text,
		}})
	}
	l := &line{id: e.Party, profile: a.m.o.Dialer.Profile(e.Target)}
	l.give(a, e.Party)
	o := MediaOptions{
		ContactID: a.state.Record.ID, Peer: "agent", Profile: l.profile, OnDigit: l.digit, OnDead: l.dead,
	}
	if near := a.line(e.Near); near != nil {
		o.Near, o.First = near.media, near.media.Codec()
	}
	if e.Party == a.state.Customer {
		o.Peer = "customer"
	}
	a.addLine(l)
	media, err := a.m.o.Media.Open(o)
	if err != nil {
		fail("no media: " + err.Error())
		return
	}
	l.media = media
	offer, err := media.Offer()
	if err != nil {
		fail("no SDP offer: " + err.Error())
		return
	}
	l.leg = a.m.o.Dialer.Dial(e.Target, offer, l.event)
}

func (a *actor) closeMedia(party int) {
	var q contact.Quality
	if l := a.line(party); l != nil {
		if l.media != nil {
			q = l.media.Close()
		}
		a.lines = slices.DeleteFunc(a.lines, func(x *line) bool { return x == l })
	}
	a.local = append(a.local, qualityKnown{Party: party, Quality: q})
}

// performTape works the recorder.
func (a *actor) performTape(e Effect) {
	switch e := e.(type) {
	case startRecording:
		a.stopHeard()
		a.startRecording(e)
	case moveRecording:
		if a.recording != nil {
			a.recording.Move(a.medias(e.Sides.Left), a.medias(e.Sides.Right))
		}
	case pauseRecording:
		switch {
		case a.recording == nil:
		case e.On:
			a.recording.Pause()
		default:
			a.recording.Resume()
		}
	case stopRecording:
		if rec := a.recording; rec != nil {
			a.recording = nil
			key := a.taping
			rec.Stop(func(r contact.Recording, err error) {
				go a.deliver(recordingDone{Key: key, Recording: r, Err: err}) // the recorder serves others too
			})
		}
	}
}

func (a *actor) medias(parties []int) []Media {
	var out []Media
	for _, id := range parties {
		if l := a.line(id); l != nil && l.media != nil {
			out = append(out, l.media)
		}
	}
	return out
}

func (a *actor) startRecording(e startRecording) {
	left, right := a.medias(e.Sides.Left), a.medias(e.Sides.Right)
	if len(left) == 0 || len(right) == 0 {
		a.local = append(a.local, recordingDone{Key: e.Key, Err: ErrLeft})
		return
	}
	rec, err := a.m.o.Media.Record(a.state.Record.ID, e.Key, left[0], right[0])
	if err != nil { // the call goes on: M10
		a.local = append(a.local, recordingDone{Key: e.Key, Err: err})
		return
	}
	a.recording, a.taping = rec, e.Key
	if len(left) > 1 || len(right) > 1 {
		rec.Move(left, right)
	}
}

func (a *actor) setTimer(e Effect) {
	switch e := e.(type) {
	case startTimer:
		a.stopTimer(timerKey{e.Timer, e.Gen})
		if a.timers == nil {
			a.timers = make(map[timerKey]*time.Timer)
		}
		a.timers[timerKey{e.Timer, e.Gen}] = time.AfterFunc(e.After, func() { a.do(timerFired{Timer: e.Timer, Gen: e.Gen}) })
	case stopTimer:
		a.stopTimer(timerKey{e.Timer, e.Gen})
	}
}

func (a *actor) stopTimer(k timerKey) {
	if t := a.timers[k]; t != nil {
		t.Stop()
		delete(a.timers, k)
	}
}

// relayKey sends a key by SIP INFO to whoever is joined with its party and takes it only so; the media sends it to others.
func (a *actor) relayKey(k keyed) {
	in := func(m member) bool { return m.Party == k.Party && m.Role == Speaker }
	if !slices.ContainsFunc(a.bridge.members, in) || len(a.bridge.members) != 2 {
		return
	}
	for _, m := range a.bridge.members {
		if l := a.line(m.Party); m.Party != k.Party && l != nil && l.leg != nil && l.profile.Digits == DigitsInfo {
			l.leg.Digit(k.Digit, infoDigit)
		}
	}
}
