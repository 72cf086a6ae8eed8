package siptest

import (
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"
)

// invited takes a new call. p.mu is held.
func (p *Phone) invited(tx *serverTx) {
	behaviour := p.answer
	if behaviour.NoAnswer {
		delete(p.servers, tx.key)
		return
	}
	req := tx.req
	c, err := p.newCall()
	if err != nil {
		p.o.Log.Warn("no media", "error", err)
		tx.respond(500, "No Media", nil)
		return
	}
	c.incoming, c.misbehave, c.server = true, p.misbehave, tx
	c.drops = c.misbehave.DropACK
	c.id, c.localTag, c.farTag = req.CallID().Value(), newTag(), tagOf(req.From().Params)
	req.To().Params.Add("tag", c.localTag)
	c.local, c.far = req.To().Value(), req.From().Value()
	c.farSeq = req.CSeq().SeqNo
	c.headers = map[string]string{}
	for _, h := range req.Headers() {
		name := sip.HeaderToLower(h.Name())
		if old, twice := c.headers[name]; twice {
			c.headers[name] = old + ", " + h.Value()
		} else {
			c.headers[name] = h.Value()
		}
	}
	c.headers["request-uri"] = req.Recipient.String()
	c.learn(req, tx.from.String(), true)
	now := time.Now()
	c.status.Times.Invite, c.status.Times.Provisional = now, now
	tx.call = c
	p.dialogs[dialogKey(c.id, c.localTag)] = c
	p.wg.Go(c.media.receive)
	select {
	case p.calls <- c:
	default:
		p.o.Log.Warn("nobody takes the calls of this phone", "phone", p.o.Name)
	}
	c.behave(behaviour)
}

// behave does what AnswerBehaviour says.
func (c *Call) behave(b AnswerBehaviour) {
	if b.Manual {
		c.server.respond(100, "Trying", nil)
		return
	}
	for i := range b.Tags {
		c.asFork(i, 180, "Ringing", nil)
	}
	switch {
	case b.Early:
		c.early()
	case !b.NoRing:
		c.ring()
	default:
		c.server.respond(100, "Trying", nil)
	}
	act := func() {
		c.accept()
		for i := range b.Answers {
			if !c.answered {
				break
			}
			c.asFork(i, 200, "OK", c.ownAnswer)
		}
	}
	switch {
	case len(b.Redirect) > 0:
		var hs []sip.Header
		for _, u := range b.Redirect {
			hs = append(hs, sip.NewHeader("Contact", u))
		}
		act = func() { c.redirect(b.Reject, hs) }
	case b.RingOnly:
		return
	case b.Reject > 0:
		act = func() { c.reject(b.Reject, phrase(b.Reject)) }
	}
	if b.After <= 0 {
		act()
		return
	}
	c.waiting = c.p.after(b.After, act)
}

// Ring sends 180 for an incoming call.
func (c *Call) Ring() {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.ring()
}

// Answer answers an incoming call.
func (c *Call) Answer() {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.accept()
}

// Reject refuses an incoming call with a status such as 486.
func (c *Call) Reject(code int) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.reject(code, phrase(code))
}

func (c *Call) open() bool { return c.incoming && !c.answered && c.status.State != Over }

func (c *Call) ring() {
	if !c.open() {
		return
	}
	c.status.Code = 180
	if c.status.State == Calling {
		c.status.State, c.status.Times.Ringing = Ringing, time.Now()
	}
	c.provisional(180, "Ringing", nil)
	c.change()
}

// Early sends 183 with our SDP for an incoming call: early media.
func (c *Call) Early() {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.early()
}

func (c *Call) early() {
	if !c.open() || len(c.server.req.Body()) == 0 {
		c.ring()
		return
	}
	body, _, err := c.reply(c.server.req.Body())
	if err != nil {
		c.ring()
		return
	}
	c.status.Code, c.ownAnswer = 183, body
	if c.status.State == Calling {
		c.status.State, c.status.Times.Ringing = Ringing, time.Now()
	}
	c.provisional(183, "Session Progress", body)
	c.change()
}

// asFork answers as another one whom a forking proxy has reached would: with a To tag of its own.
func (c *Call) asFork(i, code int, reason string, body []byte) {
	res := sip.NewResponseFromRequest(c.server.req, code, reason, nil)
	res.To().Params.Add("tag", fmt.Sprintf("%s-fork-%d", c.localTag, i))
	res.AppendHeader(sip.NewHeader("Contact", c.p.contact()))
	if len(body) > 0 {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		res.SetBody(body)
	}
	c.p.send([]byte(res.String()), c.server.from)
}

func (c *Call) redirect(code int, contacts []sip.Header) {
	if !c.open() {
		return
	}
	if code < 300 || code > 399 {
		code = 302
	}
	c.status.Code = code
	c.server.respond(code, phrase(302), nil, contacts...)
	c.end(Ended{ByUs: true, Kind: EndRejected, Code: code, Reason: phrase(302)})
}

func (c *Call) reject(code int, reason string) {
	if !c.open() {
		return
	}
	c.status.Code = code
	c.server.respond(code, reason, nil)
	c.end(Ended{ByUs: true, Kind: EndRejected, Code: code, Reason: reason})
}

func (c *Call) accept() {
	if !c.open() {
		return
	}
	c.waiting.stop()
	if c.rel.open { // RFC 3262 §3
		c.rel.then = c.accept
		return
	}
	body, offered, err := c.reply(c.server.req.Body())
	if err != nil {
		c.reject(488, "Not Acceptable Here")
		return
	}
	now := time.Now()
	c.answered = true
	c.status.State, c.status.Times.Answered, c.status.Code = Answered, now, 200
	c.media.answered(now, c.misbehave.StopRTPAfter)
	c.ownAnswer = body
	if ok := c.server.respond(200, "OK", body, c.timing(c.server.req)...); ok != nil {
		c.awaitACK(ok, c.server, offered)
	}
	if c.misbehave.ByeBeforeACK {
		c.bye()
		return
	}
	c.talk()
	c.change()
}

// phrase is the reason phrase of a status.
func phrase(code int) string {
	switch code {
	case 302:
		return "Moved Temporarily"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 408:
		return "Request Timeout"
	case 480:
		return "Temporarily Unavailable"
	case 486:
		return "Busy Here"
	case 488:
		return "Not Acceptable Here"
	case 500:
		return "Server Internal Error"
	case 503:
		return "Service Unavailable"
	case 600:
		return "Busy Everywhere"
	case 603:
		return "Decline"
	}
	return "Refused"
}
