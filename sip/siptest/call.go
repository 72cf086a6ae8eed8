package siptest

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/emiago/sipgo/sip"
)

// State is where a call stands.
type State int

// States of a call.
const (
	Calling  State = iota // the INVITE is sent or has come
	Ringing               // 180 or 183 was sent or has come
	Answered              // the 200 was sent or has come
	Over                  // see Ended
)

// String names the state.
func (s State) String() string {
	switch s {
	case Calling:
		return "calling"
	case Ringing:
		return "ringing"
	case Answered:
		return "answered"
	case Over:
		return "over"
	}
	return fmt.Sprintf("state %d", int(s))
}

// EndKind is how a call ended.
type EndKind int

// How calls end.
const (
	EndBye       EndKind = iota // after it was answered
	EndCancelled                // the caller gave up
	EndRejected                 // refused with Code
	EndTimeout                  // no answer to the INVITE, or no ACK
	EndClosed                   // Phone.Close
)

// String names the kind.
func (k EndKind) String() string {
	switch k {
	case EndBye:
		return "BYE"
	case EndCancelled:
		return "cancelled"
	case EndRejected:
		return "rejected"
	case EndTimeout:
		return "timed out"
	case EndClosed:
		return "closed"
	}
	return fmt.Sprintf("end %d", int(k))
}

// Ended is how and when a call ended. Code is the final status if it was never answered. Reason is the reason phrase,
// or the Reason header of a BYE or CANCEL.
type Ended struct {
	ByUs   bool
	Kind   EndKind
	Code   int
	Reason string
	At     time.Time
}

// String is one line for logs.
func (e Ended) String() string {
	who := "by them"
	if e.ByUs {
		who = "by us"
	}
	return fmt.Sprintf("%v %s %d %s", e.Kind, who, e.Code, e.Reason)
}

// Times are when a call came to each of its states; zero: not, or not yet. They are of the clock of this phone.
type Times struct {
	Invite      time.Time // first INVITE sent or received
	Provisional time.Time // first response of any kind
	Ringing     time.Time
	Answered    time.Time // the 200
	Confirmed   time.Time // the ACK
	Ended       time.Time
}

// Status is a snapshot of a call.
type Status struct {
	State  State
	Times  Times
	Ended  Ended
	Code   int  // the last status that was sent or received for the INVITE
	Hold   bool // held by us
	OnHold bool // held by them
}

// Call is one call of a Phone, in either direction.
type Call struct {
	p         *Phone
	incoming  bool
	misbehave Misbehaviour
	media     *media
	mediaID   uint64
	voice     Source

	// The rest is guarded by p.mu.
	id                string
	localTag, farTag  string
	local, far        string // From and To of our requests
	target            string // Request-URI of our requests in the dialog
	routes            []string
	hop               *net.UDPAddr
	localSeq, farSeq  uint32
	status            Status
	changed           chan struct{}
	version           uint64
	direction         string // what we last said about our media
	negotiated        bool
	headers           map[string]string
	bodyless          bool // the INVITE had no SDP
	ownSDP            []byte
	drops             int // ACKs still to be lost
	invite            *clientTx
	wantCancel        bool
	cancelSent        bool
	acks              map[uint32]*ackOf
	server            *serverTx
	waiting           *alarm
	confirm           *confirmation
	wantBye           bool // as soon as the ACK is there
	pending           bool // a re-INVITE of ours is under way
	keysByInfo        []byte
	talking, answered bool
	rel               reliable
	timer             sessionTimer
	refreshes         Refreshes
	notices           []string // NOTIFYs of a transfer of ours
	texts             []string
	ownAnswer         []byte // what we last answered to the INVITE
}

// ackOf is the ACK of one of our INVITEs.
type ackOf struct {
	raw []byte
	hop *net.UDPAddr
}

// confirmation is a 200 to an INVITE that waits for its ACK.
type confirmation struct {
	raw      []byte
	to       *net.UDPAddr
	seq      uint32
	offered  *session // the 200 carried our offer: the ACK brings the answer
	interval time.Duration
	again    *alarm
	giveUp   *alarm
}

// Incoming says whether the call came in.
func (c *Call) Incoming() bool { return c.incoming }

// CallID is the SIP Call-ID.
func (c *Call) CallID() string { return c.id }

// Header is a header of the INVITE that came in, or empty. Names are as in the RFC, such as "P-Asserted-Identity".
func (c *Call) Header(name string) string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.headers[sip.HeaderToLower(name)]
}

// Status is where the call stands.
func (c *Call) Status() Status {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.status
}

// Times are when the call came to its states.
func (c *Call) Times() Times { return c.Status().Times }

// WaitRinging waits until the call rings or is answered. ErrEnded if it ends before.
func (c *Call) WaitRinging(ctx context.Context) error {
	return c.wait(ctx, func() (bool, error) { return c.reached(!c.status.Times.Ringing.IsZero() || c.answered) })
}

// WaitAnswered waits for the answer. ErrEnded if the call ends before.
func (c *Call) WaitAnswered(ctx context.Context) error {
	return c.wait(ctx, func() (bool, error) { return c.reached(c.answered) })
}

// WaitConfirmed waits for the ACK, sent or received. ErrEnded if the call ends before.
func (c *Call) WaitConfirmed(ctx context.Context) error {
	return c.wait(ctx, func() (bool, error) { return c.reached(!c.status.Times.Confirmed.IsZero()) })
}

// WaitEnded waits for the end.
func (c *Call) WaitEnded(ctx context.Context) (Ended, error) {
	err := c.wait(ctx, func() (bool, error) { return c.status.State == Over, nil })
	return c.Status().Ended, err
}

// WaitHeard waits until the timeline of Heard is so long. ErrEnded if the call ends before.
func (c *Call) WaitHeard(ctx context.Context, d time.Duration) error {
	m := c.media
	m.mu.Lock()
	enough, ended := len(m.ear.heard) >= count(d), m.closed
	w := hearing{samples: count(d), done: make(chan struct{})}
	if !enough && !ended {
		m.ear.waits = append(m.ear.waits, w)
	}
	m.mu.Unlock()
	if enough {
		return nil
	}
	if !ended {
		select {
		case <-w.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ear.heard) >= count(d) {
		return nil
	}
	return fmt.Errorf("%w: %v heard", ErrEnded, samples(len(m.ear.heard)))
}

func (c *Call) reached(yes bool) (bool, error) {
	if !yes && c.status.State == Over {
		return false, fmt.Errorf("%w: %v", ErrEnded, c.status.Ended)
	}
	return yes, nil
}

func (c *Call) wait(ctx context.Context, ready func() (bool, error)) error {
	for {
		c.p.mu.Lock()
		ok, err := ready()
		changed := c.changed
		c.p.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// change tells everybody who waits. p.mu is held.
func (c *Call) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// end is the one end of a call. p.mu is held.
func (c *Call) end(e Ended) {
	if c.status.State == Over {
		return
	}
	e.At = time.Now()
	c.status.State, c.status.Ended, c.status.Times.Ended = Over, e, e.At
	c.waiting.stop()
	c.rel.again.stop()
	c.timer.refresh.stop()
	c.timer.end.stop()
	c.confirmed()
	c.media.close()
	// The dialog is remembered for what may still come: repeated 200s, a BYE that crossed ours.
	c.p.after(timerB, func() { delete(c.p.dialogs, dialogKey(c.id, c.localTag)) })
	c.p.o.Log.Info("call ended", "call_id", c.id, "phone", c.p.o.Name, "how", e.String())
	c.change()
}

// Hangup ends the call as its state needs: CANCEL, BYE, or 603 to an incoming call that was not answered. If an ACK is
// still awaited, BYE waits for it.
func (c *Call) Hangup() {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.hangup()
}

func (c *Call) hangup() {
	switch {
	case c.status.State == Over:
	case c.answered && c.confirm != nil && !c.misbehave.ByeBeforeACK:
		c.wantBye = true // RFC 3261 §15: no BYE before the ACK
	case c.answered:
		c.bye()
	case c.incoming:
		c.reject(603, "Decline")
	default:
		c.cancel()
	}
}

// Cancel sends CANCEL for an outgoing call that is not yet answered. It waits for a provisional response, unless
// EarlyCancel is set. If a 200 crosses it, the call is acknowledged and ended with BYE, as RFC 3261 §9.1 wants.
func (c *Call) Cancel() {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if !c.incoming {
		c.cancel()
	}
}

// SendDigits presses keys (0-9 * # A-D) one after the other, as RFC 4733 events. It returns at once.
func (c *Call) SendDigits(keys string, o ...DigitOptions) error {
	var options DigitOptions
	if len(o) > 0 {
		options = o[0]
	}
	list, err := parseDigits(keys, options)
	if err != nil {
		return err
	}
	return c.media.press(list)
}

// ReceivedDigits are the keys that came, as RFC 4733 events or by INFO.
func (c *Call) ReceivedDigits() string {
	c.p.mu.Lock()
	info := string(c.keysByInfo)
	c.p.mu.Unlock()
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return string(c.media.ear.keys) + info
}

// Heard is what was heard since the answer, at 8 kHz, silence where nothing came.
func (c *Call) Heard() []int16 {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return append([]int16(nil), c.media.ear.heard...)
}

// HeardBetween is a part of Heard, by the clock.
func (c *Call) HeardBetween(from, to time.Time) []int16 {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	e := &c.media.ear
	a := min(max(0, count(from.Sub(e.origin))), len(e.heard))
	b := min(max(a, count(to.Sub(e.origin))), len(e.heard))
	return append([]int16(nil), e.heard[a:b]...)
}

// Gaps tells how evenly audio arrived.
func (c *Call) Gaps() GapReport {
	c.media.mu.Lock()
	defer c.media.mu.Unlock()
	return c.media.ear.report()
}

// RTPStats counts the packets of the call.
func (c *Call) RTPStats() RTPStats {
	m := c.media
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.ear.stats
	s.Sent, s.SentEvents = m.sent, m.sentAll-m.sent
	s.Lost += m.ear.lost()
	s.Jitter = time.Duration(m.ear.jitter * float64(time.Second) / sampleRate)
	return s
}

// MediaAddr is where the call receives RTP.
func (c *Call) MediaAddr() net.UDPAddr { return *net.UDPAddrFromAddrPort(c.media.local) }
