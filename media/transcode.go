package media

import (
	"time"

	"ullim/media/jitter"
)

// ear hears one stream evenly: packets go in as they come, a Frame of samples comes out on the clock, whatever was lost, late,
// doubled or sent by a clock that is a little fast. Only where sound is decoded there is one: what is forwarded is evened
// out by the far end.
type ear struct {
	kind     kind
	receiver *jitter.Receiver
	pcm      [maxFrame]int16
	coder    coder
}

// newEar is for a codec; nil: this build cannot decode it.
func newEar(k kind) *ear {
	d := k.newDecoder()
	if d == nil {
		return nil
	}
	o := jitter.Options{Frame: k.clock() / 50, Opaque: k.opaque()}
	return &ear{kind: k, receiver: jitter.NewReceiver(o, k.rate(), d)}
}

// put takes a packet in.
func (e *ear) put(p *taken, payload []byte, now time.Time) {
	if p.kind == kindNoise {
		e.receiver.Noise(payload)
		return
	}
	e.receiver.Put(p.sequence, p.stamp, payload, now)
}

// listen gives the samples of the next Frame, at the rate of the codec.
func (e *ear) listen(now time.Time) []int16 {
	pcm := e.pcm[:e.kind.rate()/50]
	e.receiver.Next(pcm, now)
	return pcm
}

// next gives the next Frame in another codec.
func (e *ear) next(as kind, now time.Time) []byte {
	return e.coder.encode(as, e.listen(now), e.kind.rate())
}

// translate takes a packet of a joined session whose codec is not ours; false: it cannot be understood. The caller holds mu.
func (t *sender) translate(p *taken, payload []byte, now time.Time) bool {
	if p.kind == kindNoise {
		if t.hears != nil {
			t.hears.put(p, payload, now)
		}
		return t.hears != nil
	}
	if t.hears == nil || t.hears.kind != p.kind {
		e := t.spare
		if e == nil || e.kind != p.kind {
			if e = newEar(p.kind); e == nil || !e.coder.can(t.agreement.law) {
				return false
			}
		}
		t.hears, t.spare = e, t.hears
	}
	t.hears.put(p, payload, now)
	return true
}
