package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Names of the codecs that are negotiated.
const (
	PCMU   = "PCMU"
	PCMA   = "PCMA"
	events = "telephone-event"
)

// None is a payload number that means "not agreed on".
const None = -1

const (
	defaultPtime = 20 // RFC 3551 §4.5
	offeredEvent = 101
	clock        = 8000
)

// Local is our side of every description of one leg.
type Local struct {
	ID      uint64     // o= session id: fixed for the leg
	Version uint64     // o= version of the description to write
	Addr    netip.Addr // the address to announce
	Port    uint16
	Codecs  []string // in our order of preference; empty means both, and an answer follows the order of the offer
}

// Session is what an offer and its answer agreed on.
type Session struct {
	Codec     string         // what we send: PCMU or PCMA
	Remote    netip.AddrPort // where they listen; the address is invalid if they gave a name, unspecified for 0.0.0.0
	Send      bool           // we may send
	Recv      bool           // they may send
	Payload   uint8          // of Codec, in what we send
	EventSend int            // payload of telephone-event in what we send, or None
	Receive   []Payload      // what may come in
	Ptime     int            // ms in each packet we send: 10 to 60, a multiple of 10
	Strict    bool           // they asked for a packet time: what is forwarded to them is cut to it
	MaxPtime  int            // ms that they take in one packet, 0 if not said
	RTCPMux   bool
}

// Payload is a payload number with its meaning; Codec is PCMU, PCMA or telephone-event.
type Payload struct {
	Number uint8
	Codec  string
}

// IsEvent reports whether the payload is telephone-event.
func (p Payload) IsEvent() bool { return p.Codec == events }

// allowed reports whether a codec of theirs is one that we take, and by which of our names.
func (l Local) allowed(c Codec) (string, bool) {
	name := strings.ToUpper(c.Name)
	if name != PCMU && name != PCMA || c.Clock != clock || c.Channels != 1 {
		return "", false
	}
	return name, len(l.Codecs) == 0 || slices.Contains(l.Codecs, name)
}

// codecs is what we offer.
func (l Local) codecs() []string {
	if len(l.Codecs) == 0 {
		return []string{PCMU, PCMA}
	}
	return l.Codecs
}

func static(codec string) uint8 {
	if codec == PCMA {
		return 8
	}
	return 0
}

// pick finds the codec and the event payload of a stream, both by name.
func (l Local) pick(m Media) (codec Codec, event Codec, ok bool) {
	event.Payload = 0xFF
	rank := len(m.Codecs) + len(l.Codecs) + 1
	for i, c := range m.Codecs {
		if strings.EqualFold(c.Name, events) && c.Clock == clock && event.Payload == 0xFF {
			event = c // only the one with the clock of the audio is ours
		}
		name, allowed := l.allowed(c)
		if !allowed {
			continue
		}
		r := i
		if len(l.Codecs) > 0 {
			r = slices.Index(l.Codecs, name)
		}
		if r < rank {
			codec, rank, ok = c, r, true
			codec.Name = name
		}
	}
	return codec, event, ok
}

// audio is the m-line that we take: the first audio stream over plain RTP that is not refused and has a codec of ours.
func (l Local) audio(d Description) int {
	return slices.IndexFunc(d.Media, func(m Media) bool {
		_, _, ok := l.pick(m)
		return ok && m.Kind == "audio" && m.Port != 0 && plain(m.Proto)
	})
}

func plain(proto string) bool {
	return strings.EqualFold(proto, "RTP/AVP") || strings.EqualFold(proto, "RTP/AVPF")
}

// Offer is our offer, always complete: also the second and later ones of a call name every codec and both directions
// (RFC 6337 §5.2.5).
func Offer(l Local) []byte {
	var b strings.Builder
	l.head(&b, "0 0")
	codecs := l.codecs()
	b.WriteString("m=audio " + fmt.Sprint(l.Port) + " RTP/AVP")
	for _, c := range codecs {
		fmt.Fprintf(&b, " %d", static(c))
	}
	fmt.Fprintf(&b, " %d\r\n", offeredEvent)
	for _, c := range codecs {
		rtpmap(&b, static(c), c)
	}
	rtpmap(&b, offeredEvent, events)
	b.WriteString("a=ptime:20\r\na=sendrecv\r\na=rtcp-mux\r\n")
	return []byte(b.String())
}

// head writes everything above the first m-line.
func (l Local) head(b *strings.Builder, times string) {
	family := "IP4"
	if l.Addr.Is6() {
		family = "IP6"
	}
	fmt.Fprintf(b, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=%s\r\n",
		l.ID, l.Version, family, l.Addr, family, l.Addr, times)
}

func rtpmap(b *strings.Builder, payload uint8, name string) {
	fmt.Fprintf(b, "a=rtpmap:%d %s/%d\r\n", payload, name, clock)
	if name == events {
		fmt.Fprintf(b, "a=fmtp:%d 0-15\r\n", payload)
	}
}

// Answer decides on an offer and writes the answer. errs.Invalid: nothing in the offer can be taken (488).
func Answer(l Local, offer Description) ([]byte, Session, error) {
	at := l.audio(offer)
	if at < 0 {
		return nil, Session{}, invalid("no audio stream over RTP/AVP with %s at 8000 Hz", strings.Join(l.codecs(), " or "))
	}
	s := l.session(offer.Media[at])
	var b strings.Builder
	l.head(&b, offer.Time) // RFC 3264 §6: the t-line of the offer
	for i, m := range offer.Media {
		if i != at { // RFC 3264 §6: refused, in its place
			fmt.Fprintf(&b, "m=%s 0 %s %s\r\n", m.Kind, m.Proto, m.Formats[0])
			continue
		}
		// RFC 3264 §6.1: the numbers of the offer.
		fmt.Fprintf(&b, "m=audio %d %s %d", l.Port, m.Proto, s.Payload)
		if s.EventSend != None {
			fmt.Fprintf(&b, " %d", s.EventSend)
		}
		b.WriteString("\r\n")
		rtpmap(&b, s.Payload, s.Codec)
		if s.EventSend != None {
			rtpmap(&b, uint8(s.EventSend), events)
		}
		fmt.Fprintf(&b, "a=ptime:20\r\na=%s\r\n", direction(s.Send, s.Recv))
		if s.RTCPMux {
			b.WriteString("a=rtcp-mux\r\n")
		}
	}
	return []byte(b.String()), s, nil
}

// Accept decides on the answer to our offer. errs.Invalid: they refused the stream, or answered what was not offered.
func Accept(l Local, answer Description) (Session, error) {
	at := l.audio(answer)
	if at < 0 {
		return Session{}, invalid("the answer takes no audio stream with %s at 8000 Hz", strings.Join(l.codecs(), " or "))
	}
	s := l.session(answer.Media[at])
	// We accept by our numbers, whatever theirs are (RFC 3264 §5.1); theirs too where they do not clash, because many
	// send with the numbers they receive with.
	ours := make([]Payload, 0, len(s.Receive)+3)
	for _, c := range l.codecs() {
		ours = append(ours, Payload{static(c), c})
	}
	ours = append(ours, Payload{offeredEvent, events})
	for _, p := range s.Receive {
		if !slices.ContainsFunc(ours, func(o Payload) bool { return o.Number == p.Number }) {
			ours = append(ours, p)
		}
	}
	s.Receive = ours
	return s, nil
}

// session is what a stream of theirs means for us.
func (l Local) session(m Media) Session {
	codec, event, _ := l.pick(m)
	nowhere := m.Addr.IsValid() && m.Addr.IsUnspecified() // RFC 3264 §8.4: hold as it was before RFC 3264
	s := Session{
		Codec: codec.Name, Payload: codec.Payload, EventSend: None,
		Remote:   netip.AddrPortFrom(m.Addr, uint16(m.Port)),
		Send:     m.Direction.receives() && !nowhere,
		Recv:     m.Direction.sends(),
		RTCPMux:  m.RTCPMux,
		MaxPtime: m.MaxPtime,
	}
	s.Ptime, s.Strict = packetTime(m.Ptime, m.MaxPtime)
	for _, c := range m.Codecs {
		if name, ok := l.allowed(c); ok {
			s.Receive = append(s.Receive, Payload{c.Payload, name})
		}
	}
	if event.Payload != 0xFF {
		s.EventSend = int(event.Payload)
		s.Receive = append(s.Receive, Payload{event.Payload, events})
	}
	return s
}

// packetTime is what we put into each packet for them: their wish, in steps of 10 ms from 10 to 60.
func packetTime(wish, limit int) (ms int, strict bool) {
	ms = defaultPtime
	if wish > 0 {
		ms, strict = wish, true
	}
	if limit > 0 && ms > limit {
		ms, strict = limit, true
	}
	return min(max(ms/10*10, 10), 60), strict
}
