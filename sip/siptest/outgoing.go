package siptest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// CallOptions are what an outgoing call has of its own.
type CallOptions struct {
	From        string            // user part, or a whole "sip:" URI; default the phone's address of record
	DisplayName string            // beside From
	Headers     map[string]string // further headers of the INVITE
	SDP         []byte            // instead of our offer; the media still listens and speaks as agreed
	NoSDP       bool              // no offer: theirs comes with the 200, our answer goes with the ACK
	Voice       Source            // instead of the phone's
	Misbehave   *Misbehaviour     // instead of the phone's
}

// Invite calls somebody: a user part, which is called at the phone's domain, or a whole "sip:" URI. It returns when the
// INVITE was sent for the first time; ctx is for that only.
func (p *Phone) Invite(ctx context.Context, to string, o CallOptions) (*Call, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	target := p.uri(to)
	var u sip.Uri
	if err := sip.ParseUri(target, &u); err != nil {
		return nil, fmt.Errorf("siptest: %q: %w", to, err)
	}
	hop := p.server
	if hop == nil {
		if hop = hopOf(&u); hop == nil {
			return nil, fmt.Errorf("siptest: no address for %q", to)
		}
	}
	from := p.aor()
	if o.From != "" {
		from = p.uri(o.From)
	}
	if from = "<" + from + ">"; o.DisplayName != "" {
		from = fmt.Sprintf("%q %s", o.DisplayName, from)
	}
	c, err := p.newCall()
	if err != nil {
		return nil, err
	}
	c.id = sip.GenerateTagN(20) + "@" + p.host
	c.localTag = newTag()
	c.local, c.far, c.target, c.hop = from+";tag="+c.localTag, "<"+target+">", target, hop
	if len(o.Voice) > 0 {
		c.voice = o.Voice
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.media.close()
		return nil, ErrClosed
	}
	if c.misbehave = p.misbehave; o.Misbehave != nil {
		c.misbehave = *o.Misbehave
	}
	c.drops = c.misbehave.DropACK
	c.status.Times.Invite = time.Now()
	p.dialogs[dialogKey(c.id, c.localTag)] = c
	p.wg.Go(c.media.receive)
	r := c.inDialog(inviteM)
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		r.headers = append(r.headers, name+": "+o.Headers[name])
	}
	r.headers = append(r.headers, c.extensions()...)
	offer := offerOf(c.media.local, p.o.Codecs, "sendrecv")
	c.bodyless = o.NoSDP
	if !o.NoSDP {
		r.bodyType, r.body = "application/sdp", c.write(offer)
		if len(o.SDP) > 0 {
			r.body = o.SDP
		}
	}
	c.sendInvite(r, offer)
	c.cancelOn(OnInvite)
	return c, nil
}

// uri completes a user part.
func (p *Phone) uri(to string) string {
	if strings.Contains(to, ":") {
		return to
	}
	host := p.o.Domain
	if p.server != nil && p.server.Port != 5060 && host == p.server.IP.String() {
		host = p.server.String()
	}
	return "sip:" + to + "@" + host
}

// newCall makes a call with its media, in no dialog yet. p.mu is not held.
func (p *Phone) newCall() (*Call, error) {
	m, err := openMedia(p.o.Listen, p.host, p.o.KeepHeard)
	if err != nil {
		return nil, err
	}
	return &Call{
		p: p, media: m, mediaID: rand.Uint64() >> 12, voice: p.o.Voice, changed: make(chan struct{}),
		acks: map[uint32]*ackOf{}, direction: "sendrecv",
	}, nil
}

func (c *Call) sendInvite(r *request, offer session) {
	c.invite = c.p.request(r, func(res *sip.Response) {
		c.status.Code = res.StatusCode
		now := time.Now()
		if c.status.Times.Provisional.IsZero() {
			c.status.Times.Provisional = now
		}
		switch {
		case res.IsProvisional():
			if !c.prack(res, r.seq) {
				c.progress(res, now)
			}
		case res.IsSuccess():
			c.accepted(r, offer, res, now)
		case (res.StatusCode == 401 || res.StatusCode == 407) && !c.wantCancel:
			again, err := c.p.withCredentials(r, res, c.localSeq+1)
			if err != nil {
				c.end(Ended{Kind: EndRejected, Code: res.StatusCode, Reason: err.Error()})
				return
			}
			c.localSeq++
			c.sendInvite(again, offer)
		case c.wantCancel:
			c.end(Ended{ByUs: true, Kind: EndCancelled, Code: res.StatusCode, Reason: res.Reason})
		default:
			c.end(Ended{Kind: EndRejected, Code: res.StatusCode, Reason: res.Reason})
		}
	}, func() {
		c.end(Ended{ByUs: true, Kind: EndTimeout, Code: 408, Reason: "no response to the INVITE"})
	})
}

// progress takes a provisional response.
func (c *Call) progress(res *sip.Response, now time.Time) {
	if c.status.State == Over {
		return
	}
	if c.wantCancel && !c.cancelSent {
		c.sendCancel()
	}
	if res.StatusCode > 100 && c.status.State == Calling {
		c.status.State, c.status.Times.Ringing = Ringing, now
	}
	c.cancelOn(OnProvisional)
	c.change()
}

// accepted takes the 200, the first time and again.
func (c *Call) accepted(r *request, offer session, res *sip.Response, now time.Time) {
	tag := tagOf(res.To().Params)
	if c.answered {
		if tag == c.farTag {
			c.ack(r.seq, nil)
		}
		return
	}
	if !c.wantCancel {
		c.timed(res)
	}
	late := c.status.State == Over // after a CANCEL that found no answer in time
	c.answered, c.farTag = true, tag
	c.far = res.To().Value()
	c.learn(res, r.hop.String(), true)
	if late || c.wantCancel { // RFC 3261 §9.1: the 200 crossed our CANCEL
		c.ack(r.seq, nil)
		c.sendBye()
		c.end(Ended{ByUs: true, Kind: EndCancelled, Code: res.StatusCode, Reason: "answered all the same"})
		return
	}
	c.status.State, c.status.Times.Answered = Answered, now
	body, err := c.settle(offer, res.Body())
	if err != nil {
		c.p.o.Log.Warn("no session", "call_id", c.id, "error", err)
	}
	c.media.answered(now, c.misbehave.StopRTPAfter)
	if c.misbehave.ByeBeforeACK {
		c.bye()
		c.ack(r.seq, body)
		return
	}
	c.talk()
	c.ack(r.seq, body)
	c.cancelOn(OnAnswer)
	if c.misbehave.ByeOnAnswer {
		c.bye()
	}
	c.change()
}

// settle takes the SDP of the 200; the result is for the ACK, if the 200 brought the offer.
func (c *Call) settle(offer session, body []byte) ([]byte, error) {
	if !c.bodyless {
		return nil, c.agreed(offer, body)
	}
	if len(body) == 0 {
		return nil, errors.New("siptest: no offer in the 200 to an INVITE without one")
	}
	answer, _, err := c.reply(body)
	return answer, err
}

// cancelOn starts the clock of CancelAfter if the moment is that of CancelOn, the first time it comes.
func (c *Call) cancelOn(m Moment) {
	if c.misbehave.CancelOn != m {
		return
	}
	c.misbehave.CancelOn = Never
	act := c.cancel
	if m == OnAnswer { // too late, but the other side has to bear it
		act = func() {
			c.sendCancel()
			c.hangup()
		}
	}
	if c.misbehave.CancelAfter <= 0 {
		act()
		return
	}
	c.p.after(c.misbehave.CancelAfter, act)
}

// cancel gives up an INVITE. p.mu is held.
func (c *Call) cancel() {
	if c.status.State == Over || c.answered || c.wantCancel {
		return
	}
	c.wantCancel = true
	if c.invite.provisional || c.misbehave.EarlyCancel { // RFC 3261 §9.1
		c.sendCancel()
	}
}

func (c *Call) sendCancel() {
	c.cancelSent = true
	c.p.request(cancelFor(c.invite.r), func(*sip.Response) {}, nil)
	c.p.after(timerB, func() { // RFC 3261 §9.1: they may never answer the INVITE
		if !c.answered {
			c.end(Ended{ByUs: true, Kind: EndCancelled, Reason: "no final response"})
		}
	})
}
