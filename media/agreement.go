package media

import (
	"time"

	"ullim/media/g711"
	"ullim/media/sdp"
)

// agreement is what was negotiated, made ready for the packet path. It is never changed.
type agreement struct {
	sdp.Session
	at      time.Time
	law     kind      // of what we send
	clock   int       // of its timestamps, a second
	tick    int       // of its timestamps, in a Frame
	frame   int       // bytes in each packet that we send of our own; an opaque codec is sent a Frame at a time
	kinds   [128]kind // of what comes in
	clocks  [128]int  // of its timestamps, for keys
	events  bool      // keys may come as RFC 4733 has it
	silence []byte    // of a Frame
}

func newAgreement(n sdp.Session, now time.Time) *agreement {
	law := kindOf(n.Codec)
	a := &agreement{Session: n, at: now, law: law, clock: law.clock(), frame: n.Ptime * samplesPerMs}
	a.tick = a.clock / 50
	a.kinds[comfortNoise] = kindNoise
	for _, p := range n.Receive {
		switch {
		case p.IsEvent():
			a.kinds[p.Number], a.events = kindEvent, true
			a.clocks[p.Number] = p.Clock
		case p.IsNoise():
			a.kinds[p.Number] = kindNoise
		default:
			a.kinds[p.Number] = kindOf(p.Codec)
		}
	}
	a.silence = silenceOf(law)
	return a
}

// silenceOf is the payload of a silent Frame.
func silenceOf(k kind) []byte {
	if k == kindOpus {
		return []byte(opusSilence)
	}
	out := make([]byte, frameSamples)
	switch k {
	case kindALaw:
		for i := range out {
			out[i] = g711.ALawSilence
		}
	case kindG722:
		var c coder
		quiet := make([]int16, wide/50)
		for range 10 { // until the encoder has settled
			copy(out, c.encode(kindG722, quiet, wide))
		}
	default:
		for i := range out {
			out[i] = g711.ULawSilence
		}
	}
	return out
}

// fits reports whether a payload may be sent as it is.
func (a *agreement) fits(n int) bool {
	switch {
	case a.law.opaque():
		return true
	case a.Strict:
		return n == a.frame
	}
	return a.MaxPtime == 0 || n <= a.MaxPtime*samplesPerMs
}

// lasts is how long so many ticks of the clock play.
func (a *agreement) lasts(ticks int) time.Duration {
	return time.Duration(ticks) * time.Second / time.Duration(a.clock)
}
