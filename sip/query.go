package sip

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// maxChallenges is how many challenges one request answers: a proxy's, a registrar's, and one nonce of each that was too
// old. Then it is refused (S21).
const maxChallenges = 4

// errNoWay is the end of a request whose peer cannot be reached any more.
var errNoWay = errors.New("sip: the peer cannot be reached")

// inquire sends a request in a transaction of its own. done gets the final answer, nil if none came, or what kept the
// request from being sent; it may be called from any goroutine.
func (ep *Endpoint) inquire(req *sipgo.Request, done func(res *sipgo.Response, err error)) {
	if ep.detour(req, func() { ep.inquire(req, done) }, func() { done(nil, errNoWay) }) {
		return
	}
	tx, err := ep.transactions.Request(context.WithoutCancel(ep.ctx), req)
	if err != nil {
		ep.log.Info("request not sent", "call_id", callIDOf(req), "method", string(req.Method), "error", err)
		done(nil, err)
		return
	}
	ok := ep.spawn(func() {
		for {
			select {
			case res := <-tx.Responses():
				if !res.IsProvisional() {
					done(res, nil)
					return // after a final answer the transaction passes nothing up
				}
			case <-tx.Done():
				if again := ep.again(req, tx.Err()); again != nil {
					ep.inquire(again, done)
					return
				}
				done(nil, nil)
				return
			}
		}
	})
	if !ok {
		tx.Terminate()
		done(nil, context.Canceled)
	}
}

// ask is inquire for whom the status is enough: 408 for no answer, 503 for a request that could not be sent.
func (ep *Endpoint) ask(req *sipgo.Request, done func(status int)) {
	ep.inquire(req, func(res *sipgo.Response, err error) {
		switch {
		case err != nil:
			done(503)
		case res == nil:
			done(408)
		default:
			done(res.StatusCode)
		}
	})
}

// challenges is what one request of ours has been asked for already.
type challenges struct {
	n    int
	last int                     // status of the last one
	open map[int]*sipgo.Response // by status: the server's and the proxy's
}

// credentials answers a challenge with what the trunk has given us. ok is false if there is nothing to answer with, the
// credentials were refused, or it is not the trunk that asks: threat 7.
func (l *Leg) credentials(req *sipgo.Request, res *sipgo.Response, c *challenges) (hs []sipgo.Header, ok bool) {
	login := l.hop.login
	if login == nil || res.StatusCode != 401 && res.StatusCode != 407 || c.n >= maxChallenges {
		return nil, false
	}
	if src, err := netip.ParseAddrPort(res.Source()); err != nil || src.Addr().Unmap() != l.hop.addr.Addr() {
		l.log.Warn("a challenge of somebody else than the trunk is not answered", "source", res.Source())
		return nil, false
	}
	if c.last == res.StatusCode && !stale(res) {
		return nil, false // the answer to the last one was wrong
	}
	if c.open == nil {
		c.open = make(map[int]*sipgo.Response)
	}
	c.n, c.last, c.open[res.StatusCode] = c.n+1, res.StatusCode, res
	for _, status := range []int{401, 407} {
		if c.open[status] == nil {
			continue
		}
		h, err := login.answer(req, c.open[status])
		if err != nil {
			l.log.Warn("challenge not answered", "status", status, "error", err)
			return nil, false
		}
		hs = append(hs, h)
	}
	return hs, true
}

// stale reports a challenge whose only complaint is the age of the nonce. RFC 7616 §3.3.
func stale(res *sipgo.Response) bool {
	for _, name := range []string{"WWW-Authenticate", "Proxy-Authenticate"} {
		for _, h := range res.GetHeaders(name) {
			v := strings.ToLower(strings.ReplaceAll(h.Value(), " ", ""))
			if strings.Contains(v, "stale=true") || strings.Contains(v, `stale="true"`) {
				return true
			}
		}
	}
	return false
}

// query sends a request inside the dialog, answers challenges, and calls done in the leg's goroutine with the final answer,
// nil if none came. Who answers 481 or not at all has no dialog with us any more: for that the leg ends here, unless it is
// ending anyway. RFC 3261 §12.2.1.2, RFC 5057 §5.1.
func (l *Leg) query(req *sipgo.Request, done func(res *sipgo.Response)) {
	l.queryAs(req, &challenges{}, func(res *sipgo.Response) {
		if why, gone := dialogGone(req, res); gone {
			l.lost(res, why)
		}
		done(res)
	})
}

// queryAs is query for whom the end of the dialog is nothing special.
func (l *Leg) queryAs(req *sipgo.Request, c *challenges, done func(res *sipgo.Response)) {
	l.ep.inquire(req, func(res *sipgo.Response, _ error) {
		l.post(func() {
			if res != nil && (res.StatusCode == 401 || res.StatusCode == 407) {
				if hs, ok := l.credentials(req, res, c); ok {
					l.queryAs(l.again(req, hs), c, done)
					return
				}
			}
			done(res)
		})
	})
}

// again is a request of the dialog once more, with what was missing.
func (l *Leg) again(req *sipgo.Request, hs []sipgo.Header) *sipgo.Request {
	c := req.Clone()
	c.RemoveHeader("Authorization")
	c.RemoveHeader("Proxy-Authorization")
	l.d.localSeq++
	c.CSeq().SeqNo = l.d.localSeq
	c.Via().Params.Add("branch", l.ep.prefix+newTag())
	for _, h := range hs {
		c.AppendHeader(h)
	}
	c.SetBody(req.Body())
	c.Laddr = req.Laddr
	c.SetTransport(req.Transport())
	c.SetDestination(req.Destination())
	return c
}

// dialogGone reports an answer that means that the peer has no such dialog.
func dialogGone(req *sipgo.Request, res *sipgo.Response) (why string, gone bool) {
	switch {
	case res == nil:
		return "no answer to our " + string(req.Method), true
	case res.StatusCode == 408, res.StatusCode == 481:
		return "our " + string(req.Method) + " was answered " + res.StartLine(), true
	}
	return "", false
}

// lost ends a leg whose peer has forgotten it.
func (l *Leg) lost(res *sipgo.Response, why string) {
	if l.state >= legEnding {
		return
	}
	cause, code := call.CauseTimeout, 408
	if res != nil && res.StatusCode == 481 {
		cause, code = call.CauseProtocol, 481
	}
	l.sayBye("SIP;cause=408;text=\"dialog lost\"")
	l.finish(cause, code, why)
	l.settle()
}
