package sip

import (
	"fmt"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// maxKeys is how many keys may wait to be sent by INFO.
const maxKeys = 64

// keyPress is a key to be sent.
type keyPress struct {
	digit byte
	d     time.Duration
}

// press is Digit: one INFO after the other, because a phone takes them in the order in which they come.
func (l *Leg) press(k keyPress) {
	if l.state != legConfirmed || len(l.keys) >= maxKeys {
		return
	}
	if _, ok := digitOf(string(k.digit)); !ok {
		return
	}
	l.keys = append(l.keys, k)
	if len(l.keys) == 1 {
		l.sendKey()
	}
}

func (l *Leg) sendKey() {
	k := l.keys[0]
	ms := k.d.Milliseconds()
	if ms < 40 || ms > 5000 {
		ms = 160
	}
	req := l.d.request(l.ep, sipgo.INFO)
	ct := sipgo.ContentTypeHeader("application/dtmf-relay")
	req.AppendHeader(&ct)
	req.SetBody(fmt.Appendf(nil, "Signal=%c\r\nDuration=%d\r\n", k.digit, ms))
	l.query(req, func(*sipgo.Response) {
		l.keys = l.keys[1:]
		if len(l.keys) > 0 && l.state == legConfirmed {
			l.sendKey()
		}
	})
}
