package siptest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// inDialog makes a request within the dialog. p.mu is held.
func (c *Call) inDialog(method string) *request {
	c.localSeq++
	return &request{
		method: method, uri: c.target, branch: newBranch(), from: c.local, to: c.far, callID: c.id, seq: c.localSeq,
		routes: c.routes, hop: c.hop,
	}
}

// learn sets target and route of the dialog from a message that establishes or refreshes it. RFC 3261 §12.
func (c *Call) learn(m sip.Message, source string, routes bool) {
	if list := m.GetHeaders("contact"); len(list) > 0 {
		var contact sip.Uri
		var params sip.HeaderParams
		if _, err := sip.ParseAddressValue(list[0].Value(), &contact, &params); err == nil {
			c.target = contact.String()
			c.hop = hopOf(&contact)
		}
	}
	if routes {
		c.routes = nil
		for _, h := range m.GetHeaders("record-route") {
			if c.incoming {
				c.routes = append(c.routes, h.Value())
			} else {
				c.routes = append([]string{h.Value()}, c.routes...)
			}
		}
	}
	if len(c.routes) > 0 {
		var first sip.Uri
		var params sip.HeaderParams
		if _, err := sip.ParseAddressValue(c.routes[0], &first, &params); err == nil {
			c.hop = hopOf(&first)
		}
	}
	if c.hop == nil {
		if hop, err := resolve(source); err == nil {
			c.hop = hop
		}
	}
}

// bye ends an answered call. p.mu is held.
func (c *Call) bye() {
	if c.status.State == Over {
		return
	}
	c.sendBye()
	c.end(Ended{ByUs: true, Kind: EndBye})
}

func (c *Call) sendBye() {
	r := c.inDialog("BYE")
	c.challenged(r, nil)
}

// challenged sends a request within the dialog and answers a challenge to it. done hears the final response, nil for a
// time-out; done may be nil.
func (c *Call) challenged(r *request, done func(res *sip.Response)) {
	finish := func(res *sip.Response) {
		if done != nil {
			done(res)
		}
	}
	c.p.request(r, func(res *sip.Response) {
		if res.IsProvisional() {
			return
		}
		if res.StatusCode == 401 || res.StatusCode == 407 {
			if again, err := c.p.withCredentials(r, res, c.localSeq+1); err == nil {
				c.localSeq++
				c.challenged(again, done)
				return
			}
		}
		finish(res)
	}, func() { finish(nil) })
}

// SendInfoDigit sends a key by INFO, as application/dtmf-relay, and waits for the response.
func (c *Call) SendInfoDigit(ctx context.Context, key rune) error {
	if !strings.ContainsRune(keys, key) {
		return fmt.Errorf("siptest: %q is no key", key)
	}
	done := make(chan error, 1)
	c.p.mu.Lock()
	if !c.answered || c.status.State == Over {
		c.p.mu.Unlock()
		return ErrEnded
	}
	r := c.inDialog("INFO")
	r.bodyType, r.body = "application/dtmf-relay", fmt.Appendf(nil, "Signal=%c\r\nDuration=160\r\n", key)
	c.challenged(r, func(res *sip.Response) { done <- statusError(res) })
	c.p.mu.Unlock()
	return await(ctx, done)
}

// Hold holds the other side: they hear nothing more of us if they obey. inactive also asks them to be silent.
func (c *Call) Hold(ctx context.Context, inactive bool) error {
	if inactive {
		return c.reinvite(ctx, "inactive", nil)
	}
	return c.reinvite(ctx, "sendonly", nil)
}

// Resume ends Hold.
func (c *Call) Resume(ctx context.Context) error { return c.reinvite(ctx, "sendrecv", nil) }

// reinvite offers our media again in a direction, and waits for the answer. own changes the request before it is sent.
func (c *Call) reinvite(ctx context.Context, direction string, own func(*request)) error {
	done := make(chan error, 1)
	c.p.mu.Lock()
	switch {
	case c.status.State == Over:
		c.p.mu.Unlock()
		return ErrEnded
	case !c.answered || c.pending || c.confirm != nil:
		c.p.mu.Unlock()
		return errors.New("siptest: another INVITE of the call is under way")
	}
	c.pending = true
	offer := offerOf(c.media.local, c.p.o.Codecs, direction)
	r := c.inDialog(inviteM)
	r.bodyType, r.body = "application/sdp", c.write(offer)
	r.headers = append(r.headers, c.extensions()...)
	if own != nil {
		own(r)
	}
	c.sendReinvite(r, offer, done, 0)
	c.p.mu.Unlock()
	return await(ctx, done)
}

// maxGlare is how often a re-INVITE is tried again when both sides send one at once.
const maxGlare = 10

func (c *Call) sendReinvite(r *request, offer session, done chan<- error, tries int) {
	finished := false
	finish := func(err error) {
		if !finished {
			finished, c.pending = true, false
			done <- err
		}
	}
	c.p.request(r, func(res *sip.Response) {
		switch {
		case res.IsProvisional():
		case res.IsSuccess():
			if c.acks[r.seq] == nil {
				c.learn(res, r.hop.String(), false)
				c.timed(res)
				if len(r.body) == 0 { // theirs is the offer, ours the answer
					answer, _, err := c.reply(res.Body())
					c.ack(r.seq, answer)
					finish(err)
					return
				}
				finish(c.agreed(offer, res.Body()))
				c.status.Hold = offer.direction != "sendrecv"
			}
			c.ack(r.seq, nil)
		case res.StatusCode == 401 || res.StatusCode == 407:
			again, err := c.p.withCredentials(r, res, c.localSeq+1)
			if err != nil {
				finish(statusError(res))
				return
			}
			c.localSeq++
			c.sendReinvite(again, offer, done, tries)
		case (res.StatusCode == 491 || res.StatusCode == 500) && tries < maxGlare && c.status.State != Over: // RFC 3261 §14.1
			c.pending = false
			c.p.after(c.glareWait(), func() { c.retry(r, offer, done, tries+1) })
		default:
			finish(statusError(res))
		}
	}, func() { finish(errors.New("siptest: no response")) })
}

// write is a session of ours as SDP, in a version of its own.
func (c *Call) write(s session) []byte {
	c.version++
	c.direction = s.direction
	return s.bytes(c.mediaID, c.version)
}

// agreed takes their answer to our offer.
func (c *Call) agreed(offer session, body []byte) error {
	answer, err := parseSession(body)
	if err != nil {
		return err
	}
	c.media.agree(offer, answer)
	c.negotiated = true
	c.status.OnHold = !sends(answer.direction) && sends(opposite(offer.direction))
	return nil
}

// ack acknowledges a 200 to our INVITE, or does so again. body is only used the first time. p.mu is held.
func (c *Call) ack(seq uint32, body []byte) {
	a := c.acks[seq]
	if a == nil {
		r := c.inDialog("ACK")
		c.localSeq-- // an ACK has the number of its INVITE
		r.seq, r.body, r.bodyType = seq, body, "application/sdp"
		a = &ackOf{raw: c.p.bytesOf(r), hop: r.hop}
		c.acks[seq] = a
		if c.misbehave.AckDelay > 0 {
			c.p.after(c.misbehave.AckDelay, func() { c.sendAck(a) })
			return
		}
	} else if c.misbehave.AckDelay > 0 && c.status.Times.Confirmed.IsZero() {
		return
	}
	c.sendAck(a)
}

func (c *Call) sendAck(a *ackOf) {
	switch {
	case c.misbehave.NeverACK:
		return
	case c.drops > 0:
		c.drops--
	default:
		c.p.send(a.raw, a.hop)
	}
	if c.status.Times.Confirmed.IsZero() {
		c.status.Times.Confirmed = time.Now()
		c.change()
	}
}

// requested handles a request within the dialog. p.mu is held.
func (c *Call) requested(tx *serverTx) {
	req := tx.req
	if seq := req.CSeq().SeqNo; seq < c.farSeq { // RFC 3261 §12.2.2
		tx.respond(500, "Out of Order", nil)
		return
	} else if !req.IsCancel() {
		c.farSeq = seq
	}
	if req.Method == sip.NOTIFY {
		c.notified(tx)
		return
	}
	if c.status.State == Over && req.Method != sip.BYE {
		tx.respond(481, "Call/Transaction Does Not Exist", nil)
		return
	}
	switch req.Method {
	case sip.BYE:
		tx.respond(200, "OK", nil)
		if c.incoming && !c.answered && c.server != nil {
			c.server.respond(487, "Request Terminated", nil)
		}
		c.end(Ended{Kind: EndBye, Reason: reasonOf(req)})
	case sip.INVITE:
		c.reinvited(tx)
	case sip.UPDATE:
		c.updated(tx)
	case sip.INFO:
		c.info(req.Body())
		tx.respond(200, "OK", nil)
	case sip.OPTIONS:
		tx.respond(200, "OK", nil, sip.NewHeader("Allow", allowed))
	case sip.PRACK:
		c.pracked(tx)
	case sip.MESSAGE:
		c.texts = append(c.texts, string(req.Body()))
		tx.respond(200, "OK", nil)
		c.change()
	default:
		tx.respond(405, "Method Not Allowed", nil, sip.NewHeader("Allow", allowed))
	}
}

func (c *Call) info(body []byte) {
	for line := range strings.Lines(string(body)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if value = strings.TrimSpace(value); ok && strings.EqualFold(name, "signal") && len(value) == 1 {
			c.keysByInfo = append(c.keysByInfo, value[0])
		}
	}
}

// reinvited answers a re-INVITE.
func (c *Call) reinvited(tx *serverTx) {
	if !c.answered || c.pending || c.confirm != nil { // RFC 3261 §14.2
		tx.respond(491, "Request Pending", nil)
		return
	}
	c.learn(tx.req, tx.from.String(), false)
	body, offered, err := c.reply(tx.req.Body())
	if err != nil {
		tx.respond(488, "Not Acceptable Here", nil)
		return
	}
	if ok := tx.respond(200, "OK", body, c.timing(tx.req)...); ok != nil {
		c.awaitACK(ok, tx, offered)
	}
	c.change()
}

// glareWait is how long we wait after both sides have offered at once. RFC 3261 §14.1.
func (c *Call) glareWait() time.Duration {
	if c.incoming {
		return time.Duration(1+rand.IntN(200)) * 10 * time.Millisecond
	}
	return 2100*time.Millisecond + time.Duration(rand.IntN(191))*10*time.Millisecond
}

// retry sends a re-INVITE that was refused for now once more, as soon as nothing is in its way.
func (c *Call) retry(r *request, offer session, done chan<- error, tries int) {
	switch {
	case c.status.State == Over:
		done <- ErrEnded
	case c.pending || c.confirm != nil:
		c.p.after(c.glareWait(), func() { c.retry(r, offer, done, tries) })
	default:
		c.pending = true
		c.localSeq++
		again := *r
		again.seq, again.branch, again.uri, again.hop = c.localSeq, newBranch(), c.target, c.hop
		c.sendReinvite(&again, offer, done, tries)
	}
}

func (c *Call) updated(tx *serverTx) {
	c.learn(tx.req, tx.from.String(), false)
	if len(tx.req.Body()) == 0 {
		tx.respond(200, "OK", nil, c.timing(tx.req)...)
		return
	}
	if c.pending || c.confirm != nil { // RFC 3311 §5.2
		tx.respond(491, "Request Pending", nil)
		return
	}
	body, _, err := c.reply(tx.req.Body())
	if err != nil {
		tx.respond(488, "Not Acceptable Here", nil)
		return
	}
	tx.respond(200, "OK", body, c.timing(tx.req)...)
	c.change()
}

// reply is our SDP to theirs: an answer, or an offer of our own if they sent none.
func (c *Call) reply(body []byte) (reply []byte, offered *session, err error) {
	if len(c.ownSDP) > 0 {
		return c.ownSDP, nil, nil
	}
	wish := "sendrecv"
	if c.status.Hold {
		wish = "sendonly"
	}
	if len(body) == 0 {
		offer := offerOf(c.media.local, c.p.o.Codecs, wish)
		return c.write(offer), &offer, nil
	}
	offer, err := parseSession(body)
	if err != nil {
		return nil, nil, err
	}
	answer, ok := answerTo(offer, c.media.local, c.p.o.Codecs, wish)
	if !ok {
		return nil, nil, errors.New("siptest: no codec in common")
	}
	c.media.agree(answer, offer)
	c.negotiated = true
	c.status.OnHold = !receives(offer.direction)
	return c.write(answer), nil, nil
}

// awaitACK repeats a 200 until its ACK. RFC 3261 §13.3.1.4.
func (c *Call) awaitACK(ok []byte, tx *serverTx, offered *session) {
	f := &confirmation{raw: ok, to: tx.from, seq: tx.req.CSeq().SeqNo, offered: offered, interval: t1}
	c.confirm = f
	var repeat func()
	repeat = func() {
		c.p.send(f.raw, f.to)
		f.interval = min(2*f.interval, t2)
		f.again = c.p.after(f.interval, repeat)
	}
	if c.misbehave.DropFirst200 {
		c.misbehave.DropFirst200 = false
	} else {
		for range 1 + max(0, c.misbehave.Repeat200) {
			c.p.send(f.raw, f.to)
		}
	}
	f.again = c.p.after(f.interval, repeat)
	f.giveUp = c.p.after(timerB, func() {
		c.sendBye()
		c.end(Ended{ByUs: true, Kind: EndTimeout, Reason: "no ACK"})
	})
}

// confirmed ends the repetition of a 200. p.mu is held.
func (c *Call) confirmed() {
	if f := c.confirm; f != nil {
		f.again.stop()
		f.giveUp.stop()
		c.confirm = nil
	}
}

// acknowledged takes the ACK of a 200. p.mu is held.
func (c *Call) acknowledged(req *sip.Request) {
	f := c.confirm
	if f == nil || req.CSeq().SeqNo != f.seq {
		return
	}
	c.confirmed()
	if f.offered != nil {
		if err := c.agreed(*f.offered, req.Body()); err != nil {
			c.p.o.Log.Warn("the ACK brought no answer", "call_id", c.id, "error", err)
		}
		c.talk()
	}
	if c.status.Times.Confirmed.IsZero() {
		c.status.Times.Confirmed = time.Now()
		c.wantBye = c.wantBye || c.misbehave.ByeOnAnswer
	}
	if c.wantBye {
		c.bye()
	}
	c.change()
}

// talk starts to speak, once, when there is a session. p.mu is held.
func (c *Call) talk() {
	if c.talking || !c.negotiated || c.misbehave.NoRTP || c.status.State == Over || c.p.closed {
		return
	}
	c.talking = true
	start := time.Now()
	c.p.wg.Go(func() { c.media.talk(c.voice, start) })
}

func statusError(res *sip.Response) error {
	switch {
	case res == nil:
		return errors.New("siptest: no response")
	case res.IsSuccess():
		return nil
	}
	return fmt.Errorf("siptest: %d %s", res.StatusCode, res.Reason)
}

func await(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
