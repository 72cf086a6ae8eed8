package sdp

import (
	"slices"
	"strings"
)

// Names of the codecs that are negotiated.
const (
	PCMU   = "PCMU"
	PCMA   = "PCMA"
	G722   = "G722"
	Opus   = "opus"
	events = "telephone-event"
	noise  = "CN"
)

// None is a payload number that means "not agreed on".
const None = -1

const (
	narrow = 8000
	full   = 48000
)

// Payload is a payload number with its meaning; Codec is one of ours, telephone-event or CN.
type Payload struct {
	Number uint8
	Codec  string
	Clock  int // of its timestamps; 8000 for G722 too (RFC 3551 §4.5.2)
}

// IsEvent reports whether the payload is telephone-event (RFC 4733).
func (p Payload) IsEvent() bool { return p.Codec == events }

// IsNoise reports whether the payload is comfort noise (RFC 3389).
func (p Payload) IsNoise() bool { return p.Codec == noise }

// clockOf is the clock of a codec of ours, and how many channels its rtpmap names; 0 for what is none of ours.
func clockOf(codec string) (clock, channels int) {
	switch codec {
	case PCMU, PCMA, G722:
		return narrow, 1
	case Opus:
		return full, 2 // RFC 7587 §7: always written so
	}
	return 0, 0
}

// fixed are the numbers of RFC 3551 §6 that need no rtpmap.
func fixed(number uint8) (Codec, bool) {
	c := Codec{Payload: number, Clock: narrow, Channels: 1}
	switch number {
	case 0:
		c.Name = PCMU
	case 8:
		c.Name = PCMA
	case 9:
		c.Name = G722
	case 13:
		c.Name = noise
	default:
		return Codec{}, false
	}
	return c, true
}

// customary is the number that we give to a meaning, if it is free.
func customary(codec string, clock int) uint8 {
	switch codec {
	case PCMU:
		return 0
	case PCMA:
		return 8
	case G722:
		return 9
	case noise:
		return 13
	case Opus:
		return 111
	}
	if clock == full {
		return 110
	}
	return 101
}

// known gives one of our names to a codec of theirs: also to telephone-event and CN.
func known(c Codec) (Payload, bool) {
	p := Payload{Number: c.Payload, Clock: c.Clock}
	for _, name := range []string{PCMU, PCMA, G722, Opus} {
		clock, channels := clockOf(name)
		if strings.EqualFold(c.Name, name) && c.Clock == clock && c.Channels == channels {
			p.Codec = name
			return p, true
		}
	}
	switch {
	case strings.EqualFold(c.Name, events) && c.Channels == 1 && (c.Clock == narrow || c.Clock == full):
		p.Codec = events
	case strings.EqualFold(c.Name, noise) && c.Channels == 1 && c.Clock == narrow:
		p.Codec = noise
	default:
		return Payload{}, false
	}
	return p, true
}

// codecs is what we offer and take.
func (l Local) codecs() []string {
	if len(l.Codecs) == 0 {
		return []string{PCMU, PCMA}
	}
	return l.Codecs
}

// takes are the payloads of a stream of theirs that mean something to us, in their order.
func (l Local) takes(m Media) []Payload {
	var list []Payload
	for _, c := range m.Codecs {
		p, ok := known(c)
		if !ok || p.IsNoise() && !l.Noise || !p.IsEvent() && !p.IsNoise() && !slices.Contains(l.codecs(), p.Codec) {
			continue
		}
		if !slices.ContainsFunc(list, func(o Payload) bool { return o.Number == p.Number }) {
			list = append(list, p)
		}
	}
	return list
}

// pick finds the codec that is sent among the payloads of a stream: by our order if we have one, else by theirs.
func (l Local) pick(list []Payload) (codec Payload, ok bool) {
	best := 0
	for i, p := range list {
		if p.IsEvent() || p.IsNoise() {
			continue
		}
		rank := i
		if len(l.Codecs) > 0 && !l.Theirs {
			rank = slices.Index(l.Codecs, p.Codec)
		}
		if !ok || rank < best {
			codec, best, ok = p, rank, true
		}
	}
	return codec, ok
}

// find gives the first payload with a meaning.
func find(list []Payload, codec string, clock int) (Payload, bool) {
	i := slices.IndexFunc(list, func(p Payload) bool { return p.Codec == codec && p.Clock == clock })
	if i < 0 {
		return Payload{}, false
	}
	return list[i], true
}

// event is the telephone-event that goes with a codec: that of its own clock (RFC 4733 §2.1); another clock is better than
// none.
func event(list []Payload, clock int) (Payload, bool) {
	if p, ok := find(list, events, clock); ok {
		return p, true
	}
	i := slices.IndexFunc(list, Payload.IsEvent)
	if i < 0 {
		return Payload{}, false
	}
	return list[i], true
}

// merge is list with what of more does not clash with it: a number keeps its first meaning (RFC 3264 §8.3.2).
func merge(list, more []Payload) []Payload {
	out := slices.Clone(list)
	for _, p := range more {
		if !slices.ContainsFunc(out, func(o Payload) bool { return o.Number == p.Number }) {
			out = append(out, p)
		}
	}
	return out
}

// offered are the payloads of our offers, with the numbers that they have in this session already.
func (l Local) offered() []Payload {
	var wanted []Payload
	clocks := map[int]bool{}
	for _, c := range l.codecs() {
		clock, _ := clockOf(c)
		wanted = append(wanted, Payload{Codec: c, Clock: clock})
		clocks[clock] = true
	}
	if l.Noise && clocks[narrow] {
		wanted = append(wanted, Payload{Codec: noise, Clock: narrow})
	}
	for _, clock := range []int{narrow, full} {
		if clocks[clock] {
			wanted = append(wanted, Payload{Codec: events, Clock: clock})
		}
	}
	var list []Payload
	taken := func(n uint8) bool {
		has := func(p Payload) bool { return p.Number == n }
		return slices.ContainsFunc(list, has) || slices.ContainsFunc(l.Memory.Numbers, has)
	}
	for _, w := range wanted {
		if p, ok := find(l.Memory.Numbers, w.Codec, w.Clock); ok {
			list = append(list, p)
			continue
		}
		w.Number = customary(w.Codec, w.Clock)
		for n := uint8(127); taken(w.Number) && n >= 96; n-- {
			w.Number = n
		}
		list = append(list, w)
	}
	return list
}
