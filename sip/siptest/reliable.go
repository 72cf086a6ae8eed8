package siptest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// reliable is a provisional answer of ours that waits for its PRACK, and what we have heard of theirs. RFC 3262.
type reliable struct {
	seq      uint32 // of our last one
	interval time.Duration
	again    *alarm
	open     bool
	then     func()            // what waits for the PRACK
	heard    map[string]uint32 // RSeq of theirs by To tag
}

func requires(m sip.Message, tag string) bool { return listed(m, "require", tag) }

func supports(m sip.Message, tag string) bool {
	return listed(m, "supported", tag) || listed(m, "k", tag) || requires(m, tag)
}

func listed(m sip.Message, name, tag string) bool {
	for _, h := range m.GetHeaders(name) {
		for t := range strings.SplitSeq(h.Value(), ",") {
			if strings.EqualFold(strings.TrimSpace(t), tag) {
				return true
			}
		}
	}
	return false
}

// provisional sends a 1xx, reliably if both sides can. p.mu is held.
func (c *Call) provisional(code int, reason string, body []byte) {
	if !c.p.o.Reliable || !supports(c.server.req, "100rel") || c.rel.open {
		c.server.respond(code, reason, body)
		return
	}
	if c.rel.seq == 0 {
		c.rel.seq = 100
	}
	c.rel.seq++
	c.rel.open, c.rel.interval = true, t1
	c.server.respond(code, reason, body, sip.NewHeader("Require", "100rel"), sip.NewHeader("RSeq", itoa(int(c.rel.seq))))
	raw, to := c.server.last, c.server.from
	var repeat func()
	repeat = func() {
		if !c.rel.open || c.answered || c.status.State == Over {
			return
		}
		c.p.send(raw, to)
		c.rel.interval *= 2
		if c.rel.interval > timerB { // RFC 3262 §3
			c.reject(504, "Server Time-out")
			return
		}
		c.rel.again = c.p.after(c.rel.interval, repeat)
	}
	c.rel.again = c.p.after(c.rel.interval, repeat)
}

// pracked takes a PRACK.
func (c *Call) pracked(tx *serverTx) {
	want := fmt.Sprintf("%d %d INVITE", c.rel.seq, c.server.req.CSeq().SeqNo)
	h := tx.req.GetHeader("rack")
	if h == nil || !c.rel.open || strings.Join(strings.Fields(h.Value()), " ") != want {
		tx.respond(481, "Call/Transaction Does Not Exist", nil)
		return
	}
	c.rel.open = false
	c.rel.again.stop()
	var body []byte
	if len(tx.req.Body()) > 0 {
		if c.bodyless { // the answer to the offer in our 183
			c.bodyless = false
		} else if reply, _, err := c.reply(tx.req.Body()); err == nil {
			body = reply
		}
	}
	tx.respond(200, "OK", body)
	if then := c.rel.then; then != nil {
		c.rel.then = nil
		then()
	}
}

// prack acknowledges a reliable provisional answer of theirs; repeated says that it was here before, or came too early.
func (c *Call) prack(res *sip.Response, seq uint32) (repeated bool) {
	if !c.p.o.Reliable || !requires(res, "100rel") || c.misbehave.NoPrack {
		return false
	}
	h := res.GetHeader("rseq")
	if h == nil {
		return false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
	tag := tagOf(res.To().Params)
	if last, known := c.rel.heard[tag]; err != nil || known && uint32(n) != last+1 {
		return true
	}
	if c.rel.heard == nil {
		c.rel.heard = map[string]uint32{}
	}
	c.rel.heard[tag] = uint32(n)
	c.learn(res, c.hop.String(), true)
	r := c.inDialog("PRACK")
	r.to = res.To().Value()
	r.headers = append(r.headers, fmt.Sprintf("RAck: %d %d INVITE", n, seq))
	c.p.request(r, func(*sip.Response) {}, nil)
	return false
}
