package siptest

import (
	"net"
	"time"

	"github.com/emiago/sipgo/sip"
)

// The timers of RFC 3261 §17.1.1.1 for UDP.
const (
	t1      = 500 * time.Millisecond
	t2      = 4 * time.Second
	timerB  = 64 * t1 // and D, F, H, J, L
	inviteM = "INVITE"
)

// alarm is a timer whose function runs under the phone's lock, and not at all after the phone was closed.
type alarm struct {
	p   *Phone
	t   *time.Timer
	off bool
}

// after calls f in d, under p.mu. p.mu is held.
func (p *Phone) after(d time.Duration, f func()) *alarm {
	a := &alarm{p: p, off: p.closed}
	if a.off {
		return a
	}
	p.wg.Add(1)
	p.alarms[a] = struct{}{}
	a.t = time.AfterFunc(d, func() {
		defer p.wg.Done()
		p.mu.Lock()
		defer p.mu.Unlock()
		if a.off {
			return
		}
		a.off = true
		delete(p.alarms, a)
		f()
	})
	return a
}

// stop takes the alarm back; nil and a second time are fine. p.mu is held.
func (a *alarm) stop() {
	if a == nil || a.off {
		return
	}
	a.off = true
	delete(a.p.alarms, a)
	if a.t.Stop() {
		a.p.wg.Done()
	}
}

// clientTx is a request of ours until its final response. Its callbacks run under the phone's lock.
type clientTx struct {
	p          *Phone
	r          *request
	raw        []byte
	onResponse func(res *sip.Response)
	onTimeout  func()

	interval    time.Duration
	again       *alarm // Timer A or E
	giveUp      *alarm // Timer B or F, then D, K or M
	provisional bool
	final       bool
	ack         []byte // of a final response that is not a 2xx
}

func (p *Phone) request(r *request, onResponse func(*sip.Response), onTimeout func()) *clientTx {
	tx := &clientTx{p: p, r: r, raw: p.bytesOf(r), onResponse: onResponse, onTimeout: onTimeout, interval: t1}
	p.clients[r.branch+r.method] = tx
	p.send(tx.raw, r.hop)
	tx.again = p.after(tx.interval, tx.repeat)
	tx.giveUp = p.after(timerB, func() {
		tx.remove()
		if tx.onTimeout != nil {
			tx.onTimeout()
		}
	})
	return tx
}

// repeat sends the request again: an INVITE ever more rarely, others at least every four seconds. §17.1.1.2, §17.1.2.2.
func (tx *clientTx) repeat() {
	if tx.final || (tx.provisional && tx.r.method == inviteM) || tx.p.reliable() {
		return
	}
	tx.p.send(tx.raw, tx.r.hop)
	tx.interval *= 2
	if tx.r.method != inviteM {
		tx.interval = min(tx.interval, t2)
		if tx.provisional {
			tx.interval = t2
		}
	}
	tx.again = tx.p.after(tx.interval, tx.repeat)
}

func (tx *clientTx) response(res *sip.Response) {
	invite, success := tx.r.method == inviteM, res.IsSuccess()
	if tx.final {
		switch {
		case tx.ack != nil && !success && !res.IsProvisional():
			tx.p.sendACK(tx.ack, tx.r.hop)
		case invite && success: // a 200 again: the call repeats its ACK. RFC 6026 §7.2
			tx.onResponse(res)
		}
		return
	}
	if res.IsProvisional() {
		if invite && !tx.provisional {
			tx.again.stop()
			tx.giveUp.stop() // from now on the one who calls decides how long it rings
		}
		tx.provisional = true
		tx.onResponse(res)
		return
	}
	tx.final = true
	tx.again.stop()
	tx.giveUp.stop()
	if !invite {
		tx.remove()
	} else {
		if !success {
			tx.ack = tx.p.bytesOf(ackFor(tx.r, res))
			tx.p.sendACK(tx.ack, tx.r.hop)
		}
		tx.giveUp = tx.p.after(timerB, tx.remove)
	}
	tx.onResponse(res)
}

func (tx *clientTx) remove() {
	tx.again.stop()
	tx.giveUp.stop()
	delete(tx.p.clients, tx.r.branch+tx.r.method)
}

// serverTx is a request of theirs, kept so that its repetitions get the same answer.
type serverTx struct {
	p    *Phone
	key  string
	req  *sip.Request
	from *net.UDPAddr

	last     []byte
	final    bool
	call     *Call // of an INVITE
	interval time.Duration
	again    *alarm // Timer G
	giveUp   *alarm // Timer H or J
}

func serverKey(req *sip.Request, method string) string {
	via := req.Via()
	branch, _ := via.Params.Get("branch")
	return branch + "|" + via.SentBy() + "|" + method
}

// respond answers. A final answer to an INVITE other than 2xx is repeated until its ACK; 2xx are the call's affair.
func (tx *serverTx) respond(code int, reason string, body []byte, headers ...sip.Header) []byte {
	if tx.final {
		return nil
	}
	res := sip.NewResponseFromRequest(tx.req, code, reason, nil)
	dialog := tx.req.Method == sip.INVITE || tx.req.Method == sip.UPDATE
	if dialog && code > 100 && code < 300 {
		res.AppendHeader(sip.NewHeader("Contact", tx.p.contact()))
		res.AppendHeader(sip.NewHeader("Allow", allowed))
	}
	for _, h := range headers {
		res.AppendHeader(h)
	}
	if len(body) > 0 {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		res.SetBody(body)
	}
	tx.last = []byte(res.String())
	invite := tx.req.Method == sip.INVITE
	if code >= 200 {
		tx.final = true
		tx.giveUp = tx.p.after(timerB, tx.remove)
	}
	if invite && code >= 200 && code < 300 {
		ok := tx.last
		tx.last = nil // a repeated INVITE is swallowed: the call repeats its 200. RFC 6026 §7.1
		return ok
	}
	tx.p.send(tx.last, tx.from)
	if invite && tx.final && !tx.p.reliable() {
		tx.interval = t1
		tx.again = tx.p.after(tx.interval, tx.repeat)
	}
	return nil
}

func (tx *serverTx) repeat() {
	tx.p.send(tx.last, tx.from)
	tx.interval = min(2*tx.interval, t2)
	tx.again = tx.p.after(tx.interval, tx.repeat)
}

// repeated is the same request once more, or the ACK of its refusal.
func (tx *serverTx) repeated(req *sip.Request) {
	switch {
	case req.IsAck():
		tx.again.stop()
	case tx.last != nil:
		tx.p.send(tx.last, tx.from)
	}
}

func (tx *serverTx) remove() {
	tx.again.stop()
	tx.giveUp.stop()
	delete(tx.p.servers, tx.key)
}
