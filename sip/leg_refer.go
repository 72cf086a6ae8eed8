package sip

import (
	"fmt"
	"strconv"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

const (
	referAnswer = 10 * time.Second // for the owner to take or refuse a REFER
	referLife   = 3 * time.Minute  // for the transfer to come to an end; what Subscription-State says
)

// referral is a REFER of theirs and the subscription that it makes. RFC 3515 §2.4.4. It lives longer than the call if it
// has to: most phones hang up as soon as they are told that the transfer is on its way.
type referral struct {
	inRequest
	taken  bool
	silent bool // they want no NOTIFY: RFC 4488
	told   int  // the last status that was sent
	id     uint32
	line   []notice // to be sent one after the other
	busy   bool
	over   bool // the last one is in line
	until  time.Time
	stops  []func()
}

// notice is one NOTIFY.
type notice struct {
	status string // of the sipfrag
	state  string // Subscription-State
}

func (r *referral) stop() {
	for _, f := range r.stops {
		f()
	}
	r.stops = nil
}

// onRefer is a transfer that the peer asks for: the owner decides.
func (l *Leg) onRefer(r inRequest) {
	switch {
	case l.state != legConfirmed && l.state != legAnswered:
		l.respond(r, 500, "Server Internal Error", nil, retryAfter())
		return
	case !l.referable: // a carrier has no business to move our calls
		l.log.Warn("REFER of a trunk that may not transfer")
		l.respond(r, 603, "Decline", nil)
		return
	case l.refer != nil:
		l.respond(r, 491, "Request Pending", nil)
		return
	}
	to := r.req.GetHeaders("Refer-To")
	if len(to) == 0 {
		to = r.req.GetHeaders("r")
	}
	if len(to) != 1 { // RFC 3515 §2.4.1
		l.respond(r, 400, "Bad Request", nil, header("Warning", `399 ullim "exactly one Refer-To is needed"`))
		return
	}
	what, why := parseReferTo(to[0].Value(), func(user string) string { return l.ep.normalise(user, l.region) })
	if why == "" && l.ep.forged(what.Replaces) {
		why = "Replaces has not the tags of the call that it names"
	}
	if why != "" {
		l.respond(r, 400, "Bad Request", nil, header("Warning", `399 ullim "`+quotedText(why, 100)+`"`))
		return
	}
	what.By = plainText(clip(valueOf(r.req, "Referred-By", "b"), 300), 300)
	f := &referral{inRequest: r, id: r.req.CSeq().SeqNo, silent: valueOf(r.req, "Refer-Sub") == "false"}
	f.stops = append(f.stops, l.after(referAnswer, func() {
		l.log.Error("REFER was never answered by its owner")
		l.notify(503, "Service Unavailable")
	}))
	l.refer = f
	l.emit(call.LegEvent{Kind: call.LegRefer, Refer: &what})
}

// notify is Notify.
func (l *Leg) notify(code int, reason string) {
	f := l.refer
	if f == nil || f.over || code < 100 || code > 699 {
		return
	}
	reason = quotedText(reason, 100)
	if !f.taken {
		f.stop()
		if code >= 300 {
			l.refer = nil
			l.respond(f.inRequest, code, reason, nil)
			l.settle()
			return
		}
		f.taken = true
		if f.silent {
			l.respond(f.inRequest, 202, "Accepted", nil, header("Refer-Sub", "false"))
			l.refer = nil
			return
		}
		l.respond(f.inRequest, 202, "Accepted", nil)
		f.until = time.Now().Add(referLife)
		f.stops = append(f.stops, l.after(referLife, func() { l.concludeRefer("timeout") }))
		if l.state == legEnding {
			l.referOutlives()
		}
	}
	if code < 200 {
		f.told = code
		l.queueNotice(f, notice{
			status: fmt.Sprintf("SIP/2.0 %d %s", code, reason),
			state:  "active;expires=" + strconv.Itoa(max(1, int(time.Until(f.until)/time.Second))),
		})
		return
	}
	f.over = true
	l.queueNotice(f, notice{status: fmt.Sprintf("SIP/2.0 %d %s", code, reason), state: "terminated;reason=noresource"})
}

// concludeRefer ends a subscription whose transfer comes to no end.
func (l *Leg) concludeRefer(why string) {
	f := l.refer
	if f == nil || f.over || !f.taken {
		return
	}
	f.over = true
	l.queueNotice(f, notice{status: "SIP/2.0 503 Service Unavailable", state: "terminated;reason=" + why})
}

// queueNotice sends NOTIFYs one after the other, so that the last one arrives last.
func (l *Leg) queueNotice(f *referral, n notice) {
	if f.busy && len(f.line) > 0 && !f.over { // progress that was not told yet is old news
		f.line[len(f.line)-1] = n
	} else {
		f.line = append(f.line, n)
	}
	l.nextNotice(f)
}

func (l *Leg) nextNotice(f *referral) {
	if f.busy {
		return
	}
	if len(f.line) == 0 {
		if f.over {
			l.referOver(f)
		}
		return
	}
	n := f.line[0]
	f.line = f.line[1:]
	f.busy = true
	req := l.d.request(l.ep, sipgo.NOTIFY)
	req.AppendHeader(l.d.contact())
	req.AppendHeader(header("Event", "refer;id="+strconv.FormatUint(uint64(f.id), 10)))
	req.AppendHeader(header("Subscription-State", n.state))
	ct := sipgo.ContentTypeHeader("message/sipfrag;version=2.0")
	req.AppendHeader(&ct)
	req.SetBody([]byte(n.status + "\r\n"))
	l.queryAs(req, &challenges{}, func(res *sipgo.Response) {
		f.busy = false
		if res == nil || res.StatusCode == 481 || res.StatusCode == 408 { // RFC 5057 §4.1: nobody listens any more
			l.referOver(f)
			return
		}
		l.nextNotice(f)
	})
}

func (l *Leg) referOver(f *referral) {
	f.stop()
	f.over = true
	if l.refer == f {
		l.refer = nil
	}
	l.settle()
}

// referOutlives reports a subscription that has to be brought to its end although the call is over, and sees to it that
// there is one.
func (l *Leg) referOutlives() bool {
	f := l.refer
	if f == nil {
		return false
	}
	if !f.taken {
		if l.theyLeft { // some hang up without waiting for the 202: the owner may still take it
			return true
		}
		f.stop()
		l.refer = nil
		l.respond(f.inRequest, 481, "Call/Transaction Does Not Exist", nil)
		return false
	}
	if !l.lingers {
		l.lingers = true
		f.stops = append(f.stops, l.after(timerB, func() { l.concludeRefer("timeout") }))
	}
	return true
}
