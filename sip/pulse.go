package sip

import (
	"errors"
	"time"
)

// The times of a stream connection. Deadlines keep a stalled or hostile peer from holding anything for long; whoever has
// registered or has a call may be silent for as long as it likes, because the system's keep-alive finds out when it is
// gone.
const (
	streamFirst     = 10 * time.Second // for the first byte of a new connection
	streamHandshake = 10 * time.Second // of TLS
	streamMessage   = 10 * time.Second // for the rest of a message once it has begun
	streamIdle      = 2 * time.Minute  // of a stranger between messages
	streamIdleKnown = 24 * time.Hour
	streamWrite     = 10 * time.Second
	streamLinger    = 200 * time.Millisecond // after damage
	streamPing      = time.Minute            // between our keep-alives, RFC 5626 §4.4.1
	streamPong      = 10 * time.Second       // for the answer to one, RFC 5626 §4.4.1
	streamSilent    = 10 * time.Second       // without a byte after a request of ours: RFC 3261 §17.2.1 has 100 come after 200 ms
)

var (
	errFirst  = errors.New("sip: nothing was said on the connection")
	errHalf   = errors.New("sip: a message was not finished in time")
	errIdle   = errors.New("sip: the connection was idle")
	errSilent = errors.New("sip: the peer does not answer at all any more")
	errNoPong = errors.New("sip: the peer stopped answering keep-alives")
)

// pulse is what is known of the life in a connection.
type pulse struct {
	ours  bool // we opened it
	trunk bool // a trunk did
	pings bool // we send keep-alives
	pongs bool // the peer has answered one, so it has to answer every one
	known bool // registered, or with a call, or a trunk

	spoken bool // a whole message has come

	opened time.Time
	heard  time.Time // the last byte; zero: none yet
	begun  time.Time // a message has begun; zero: none is half
	asked  time.Time // we sent a request and nothing was heard since
	pinged time.Time // a keep-alive waits for its answer
	beat   time.Time // the last keep-alive
}

// hear notes that something has come.
func (p *pulse) hear(now time.Time) {
	p.heard, p.asked, p.pinged = now, time.Time{}, time.Time{}
}

// ask notes that a request has gone out. Trunks answer at once or are gone; a phone on a bad line may take its time.
func (p *pulse) ask(now time.Time) {
	if (p.ours || p.trunk) && p.asked.IsZero() {
		p.asked = now
	}
}

// due is what is to be done next if nothing happens: at a time, either a keep-alive (nil) or the end with an error.
func (p *pulse) due() (at time.Time, end error) {
	earliest := func(t time.Time, err error) {
		if at.IsZero() || t.Before(at) {
			at, end = t, err
		}
	}
	if !p.begun.IsZero() {
		earliest(p.begun.Add(streamMessage), errHalf)
	}
	last := p.heard
	if last.IsZero() {
		last = p.opened
	}
	if !p.asked.IsZero() {
		earliest(p.asked.Add(streamSilent), errSilent)
	}
	switch {
	case p.ours:
	case p.known:
		earliest(last.Add(streamIdleKnown), errIdle)
	case !p.spoken:
		earliest(p.opened.Add(streamFirst), errFirst)
	default:
		earliest(last.Add(streamIdle), errIdle)
	}
	if !p.pings {
		return at, end
	}
	if !p.pinged.IsZero() && p.pongs {
		earliest(p.pinged.Add(streamPong), errNoPong)
		return at, end
	}
	next := last
	if p.beat.After(next) {
		next = p.beat
	}
	earliest(next.Add(streamPing), nil)
	return at, end
}

// ping notes that a keep-alive goes out.
func (p *pulse) ping(now time.Time) {
	p.beat = now
	if p.pinged.IsZero() {
		p.pinged = now
	}
}
