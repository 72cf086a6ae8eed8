package siptest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// keys are the keys by their RFC 4733 event code.
const keys = "0123456789*#ABCD"

// DigitOptions say how keys are sent as RFC 4733 events, also in ways that real devices get wrong.
type DigitOptions struct {
	Duration time.Duration // how long a key is held, default 100 ms
	Gap      time.Duration // between keys, default 100 ms
	NoMarker bool          // the first packet of a key has no marker bit
	// LostStarts and LostEnds are how many packets of the beginning, and how many of the three of the end, are lost.
	LostStarts int
	LostEnds   int
}

// digit is a key being sent.
type digit struct {
	code     uint8
	o        DigitOptions
	ts       uint32
	packets  int
	duration uint32
	ends     int
	silent   int // ticks of gap that are left; counted once the key is done
}

// event is one packet of a key.
type event struct {
	code, flags uint8
	marker      bool
	lost        bool
	ts          uint32
	duration    uint16
}

func parseDigits(text string, o DigitOptions) ([]digit, error) {
	if o.Duration <= 0 {
		o.Duration = 100 * time.Millisecond
	}
	if o.Gap <= 0 {
		o.Gap = 100 * time.Millisecond
	}
	list := make([]digit, 0, len(text))
	for _, r := range strings.ToUpper(text) {
		code := strings.IndexRune(keys, r)
		if code < 0 {
			return nil, fmt.Errorf("siptest: %q is no key", r)
		}
		list = append(list, digit{code: uint8(code), o: o, silent: int(o.Gap / frameTime)})
	}
	return list, nil
}

func (m *media) press(list []digit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return ErrEnded
	case !m.hasEv:
		return errors.New("siptest: the other side takes no telephone-event")
	}
	m.digits = append(m.digits, list...)
	return nil
}

// nextEvent is the packet to send instead of audio in this tick, if a key is being pressed; m.mu is held.
//
//	 0                   1                   2                   3      RFC 4733 §2.3
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     event     |E|R| volume    |          duration             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
func (m *media) nextEvent(ts uint32) (event, bool) {
	if len(m.digits) == 0 {
		return event{}, false
	}
	const volume, end, endPackets = 10, 0x80, 3
	d := &m.digits[0]
	if d.ends == endPackets {
		if d.silent--; d.silent <= 0 {
			m.digits = m.digits[1:]
		}
		return event{}, false
	}
	if d.packets == 0 {
		d.ts = ts
	}
	d.packets++
	e := event{code: d.code, flags: volume, ts: d.ts, marker: d.packets == 1 && !d.o.NoMarker}
	e.lost = d.packets <= d.o.LostStarts
	if total := uint32(count(d.o.Duration)); d.duration+frameSamples < total {
		d.duration += frameSamples
	} else {
		d.duration = total
		d.ends++
		e.flags |= end
		e.lost = e.lost || d.ends <= d.o.LostEnds
	}
	e.duration = uint16(min(d.duration, 0xffff))
	return e, true
}
