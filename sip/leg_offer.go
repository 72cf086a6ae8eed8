package sip

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

const (
	maxProposals = 8                      // tries of one change
	maxRetryWait = 10 * time.Second       // for a Retry-After of theirs
	changeLimit  = 64*timerT1 + timerT2*4 // for the final answer to a re-INVITE that was answered provisionally
)

// proposal is a change of session that we want: by re-INVITE, or by UPDATE before the call is answered. RFC 3261 §14.1,
// RFC 3311 §5.1.
type proposal struct {
	sdp     []byte
	refresh bool // by the session timer: nobody waits to hear of it
	tries   int
	update  bool
	req     *sipgo.Request
	tx      *sipgo.ClientTx
	asked   challenges
	over    bool
	minSE   time.Duration

	mu  sync.Mutex
	ack *sipgo.Request // for every copy of the 2xx
}

// offer is Offer.
func (l *Leg) offer(sdp []byte) {
	if l.state >= legEnding || len(sdp) == 0 {
		return
	}
	l.wanted = &proposal{sdp: sdp}
	l.propose()
}

// propose sends the change that is wanted, if nothing is in its way.
func (l *Leg) propose() {
	p := l.wanted
	if p == nil || l.proposed != nil || l.retry != nil || l.pending != nil || len(l.unacked) > 0 {
		return
	}
	switch {
	case l.state == legConfirmed:
		p.update = false
	case l.earlyAgreed() && l.far.update: // RFC 3311 §5.1: not before the first offer was answered reliably
		p.update = true
	default:
		return
	}
	l.wanted, l.proposed = nil, p
	p.tries++
	l.sendProposal(p)
}

// earlyAgreed reports that the call is not answered yet, but the session is agreed.
func (l *Leg) earlyAgreed() bool {
	switch l.state {
	case legProceeding:
		return l.rel.agreed && l.rel.open == nil
	case legCalling:
		e := l.out.byTag[l.d.remoteTag]
		return e != nil && e.agreed
	default:
		return false
	}
}

func (l *Leg) sendProposal(p *proposal, more ...sipgo.Header) {
	method := sipgo.INVITE
	if p.update {
		method = sipgo.UPDATE
	}
	req := l.d.request(l.ep, method)
	req.AppendHeader(header("Supported", supported))
	l.refreshHeaders(req, p.minSE)
	for _, h := range more {
		req.AppendHeader(h)
	}
	setSDP(req, p.sdp)
	p.req, p.over, p.ack = req, false, nil
	if l.out != nil {
		l.out.spent(l.d.localSeq)
	}
	if p.update {
		l.queryAs(req, &p.asked, func(res *sipgo.Response) { l.onProposal(p, res) })
		return
	}
	tx, err := l.ep.transactions.NewClientTransaction(l.ep.ctx, req)
	if err == nil {
		p.tx = tx
		tx.OnRetransmission(func(res *sipgo.Response) { l.copyOfChange(p, res) })
		err = l.converse(tx, func(res *sipgo.Response) {
			if !res.IsProvisional() && tx == p.tx {
				l.onProposal(p, res)
			}
		}, func(error) {
			if tx == p.tx {
				l.onProposal(p, nil)
			}
		})
	}
	if err != nil {
		l.post(func() { l.onProposal(p, nil) })
		return
	}
	l.after(changeLimit, func() {
		if tx == p.tx && !p.over {
			tx.Terminate()
			l.onProposal(p, nil)
		}
	})
}

// copyOfChange acknowledges copies of a 2xx, also when the leg is long gone.
func (l *Leg) copyOfChange(p *proposal, _ *sipgo.Response) {
	p.mu.Lock()
	ack := p.ack
	p.mu.Unlock()
	if ack != nil {
		l.ep.sendAck(ack)
	}
}

// onProposal is the final answer to our change, nil if there is none.
func (l *Leg) onProposal(p *proposal, res *sipgo.Response) {
	if p.over {
		return
	}
	p.over = true
	if res != nil && res.IsSuccess() && !p.update { // RFC 3261 §13.2.2.4, whatever has happened since (S11)
		ack := l.d.build(l.ep, sipgo.ACK, p.req.CSeq().SeqNo)
		p.mu.Lock()
		p.ack = ack
		p.mu.Unlock()
		l.ep.sendAck(ack)
	}
	if res != nil && res.StatusCode >= 300 && !p.update {
		l.ep.refused(p.req, res)
	}
	l.proposed = nil
	if l.state >= legEnding {
		l.settle()
		return
	}
	l.judge(p, res)
	l.takeHeld(false)
	l.propose()
}

// judge decides what an answer to our change means.
func (l *Leg) judge(p *proposal, res *sipgo.Response) {
	if why, gone := dialogGone(p.req, res); gone { // RFC 5057 §5.1
		if l.state == legConfirmed {
			l.lost(res, why)
		} else { // the INVITE says how it ends
			l.unchanged(p, 408)
		}
		return
	}
	switch code := res.StatusCode; {
	case res.IsSuccess():
		l.agreed(p, res)
	case code == 491: // RFC 3261 §14.1
		l.proposeAgain(p, l.glareWait(), code)
	case (code == 500 || code == 503) && valueOf(res, "Retry-After") != "": // RFC 3261 §14.2, RFC 3311 §5.2
		l.proposeAgain(p, max(retryOf(res), 100*time.Millisecond), code)
	case code == 401 || code == 407:
		hs, ok := l.credentials(p.req, res, &p.asked)
		if !ok {
			l.unchanged(p, code)
			return
		}
		l.proposed = p
		l.sendProposal(p, hs...)
	case code == 422 && p.tries < maxProposals: // RFC 4028 §7.3
		least := seconds(valueOf(res, "Min-SE"))
		if least <= l.session.expires || least > maxSessionExpires {
			l.unchanged(p, code)
			return
		}
		l.session.expires, p.minSE = least, least
		p.tries++
		l.proposed = p
		l.sendProposal(p)
	default: // RFC 3261 §14.1: the session stays as it was
		l.unchanged(p, code)
	}
}

// agreed takes their answer.
func (l *Leg) agreed(p *proposal, res *sipgo.Response) {
	l.d.moved(res)
	l.know(res)
	sdp, ok := sdpOf(res)
	if !ok || sdp == nil {
		l.sayBye("SIP;cause=488;text=\"no answer to our offer\"")
		l.finish(call.CauseProtocol, 488, "no answer to our offer")
		l.settle()
		return
	}
	same := p.refresh && string(sdp) == string(l.remoteSDP)
	l.localSDP, l.remoteSDP = p.sdp, sdp
	l.timerOf2xx(res)
	if !same {
		l.emit(call.LegEvent{Kind: call.LegChanged, Code: res.StatusCode, SDP: sdp})
	}
}

func (l *Leg) unchanged(p *proposal, code int) {
	if !p.refresh {
		l.emit(call.LegEvent{Kind: call.LegUnchanged, Code: code})
	}
}

// proposeAgain tries again after a while, with what is wanted then.
func (l *Leg) proposeAgain(p *proposal, wait time.Duration, code int) {
	if p.tries >= maxProposals {
		l.unchanged(p, code)
		return
	}
	if l.wanted == nil || p.refresh && l.wanted.refresh {
		l.wanted = p
	} else {
		l.wanted.tries = p.tries
	}
	l.retry = l.after(max(wait, time.Nanosecond), func() {
		l.retry = nil
		l.propose()
	})
}

// glareWait is how long we wait after both have offered at once, in units of 10 ms: the owner of the Call-ID longer, so
// that the second try does not meet as well. RFC 3261 §14.1.
func (l *Leg) glareWait() time.Duration {
	if l.out != nil {
		return 2100*time.Millisecond + time.Duration(rand.IntN(191))*10*time.Millisecond
	}
	return time.Duration(rand.IntN(201)) * 10 * time.Millisecond
}

// retryOf is their Retry-After, within reason.
func retryOf(res *sipgo.Response) time.Duration {
	text, _, _ := strings.Cut(valueOf(res, "Retry-After"), ";")
	text, _, _ = strings.Cut(text, "(")
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if err != nil {
		return maxRetryWait
	}
	return min(time.Duration(n)*time.Second, maxRetryWait)
}
