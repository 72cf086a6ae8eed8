package sdp

import (
	"net/netip"
	"slices"
	"strings"

	"ullim/media/srtp"
)

const defaultPtime = 20 // RFC 3551 §4.5

// Local is our side of every description of one leg.
type Local struct {
	ID      uint64     // o= session id: fixed for the leg
	Version uint64     // o= version of the description to write
	Addr    netip.Addr // the address to announce
	Port    uint16
	Also    []netip.AddrPort // more addresses of the same socket, as candidates of ICE

	Codecs    []string  // what may be used, in our order of preference; empty: PCMU and PCMA, in an answer as they prefer
	Theirs    bool      // an answer takes the first of Codecs in the order of the offer
	Noise     bool      // comfort noise is taken
	Opus      string    // a=fmtp of opus, if there is more to say than usual
	Direction Direction // what we want: SendOnly holds the far end

	Policy  Policy
	Secrets Secrets // in force
	Next    Secrets // that an answer takes when theirs have changed

	Memory Memory // of what was agreed before; After keeps it
}

// Memory is what later descriptions of a leg must stick to.
type Memory struct {
	Numbers    []Payload      // what the payload numbers of the session mean
	Lines      []Line         // the m-lines of the session, in their order: their number never shrinks (RFC 3264 §8)
	At         int            // the one of them that is our audio
	Proto      string         // of it
	Remote     netip.AddrPort // where they were last; hold by 0.0.0.0 does not count
	Protection Protection
}

// Line is an m-line as it is refused.
type Line struct{ Kind, Proto, Format, Mid string }

// After is our side once s is in force.
func (l Local) After(s Session) Local {
	l.Memory, l.Secrets = s.Memory, s.Protection.Secrets
	return l
}

// Session is what an offer and its answer agreed on.
type Session struct {
	Codec      string         // what we send, by its RTP encoding name
	Clock      int            // of the timestamps of Codec
	Format     string         // their a=fmtp for Codec
	Remote     netip.AddrPort // where they listen; the address is invalid if they gave a name, unspecified for 0.0.0.0
	Host       string         // the name, if they gave one
	RTCP       netip.AddrPort // where they take RTCP: Remote if multiplexed
	Send       bool           // we may send
	Recv       bool           // they may send
	Payload    uint8          // of Codec, in what we send
	EventSend  int            // payload of telephone-event in what we send, or None
	EventClock int            // of its timestamps
	NoiseSend  int            // payload of comfort noise in what we send, or None
	Receive    []Payload      // what may come in
	Ptime      int            // ms in each packet we send: 10 to 60, a multiple of 10
	Strict     bool           // they asked for a packet time: what is forwarded to them is cut to it
	MaxPtime   int            // ms that they take in one packet, 0 if not said
	RTCPMux    bool
	Protection Protection
	Memory     Memory
}

// Answer decides on an offer and writes the answer. errs.Invalid: nothing in the offer can be taken (488).
func Answer(l Local, offer Description) ([]byte, Session, error) {
	at, by := l.choose(offer)
	if at < 0 {
		return nil, Session{}, invalid("no audio stream that can be taken: %s", l.wants(offer))
	}
	s := l.session(offer.Media[at], by, true)
	s.Memory.At = at
	s.Memory.Lines = l.lines(offer, at)
	s.Memory.Numbers = merge(numbers(offer.Media[at]), l.Memory.Numbers)
	return l.writeAnswer(offer, at, s), s, nil
}

// Check says why an offer would be refused by who takes these codecs and has this policy; nil: it would not. It is for a
// dry run: nothing is agreed, and no keys are needed.
func Check(codecs []string, policy Policy, offer []byte) error {
	d, err := Parse(offer)
	if err != nil {
		return err
	}
	l := Local{Addr: netip.IPv4Unspecified(), Port: 9, Codecs: codecs, Policy: policy}
	for _, suite := range srtp.Suites() {
		l.Secrets.Keys = append(l.Secrets.Keys, srtp.NewKey(suite))
	}
	l.Secrets.Fingerprint = Fingerprint{"sha-256", "00"}
	_, _, err = Answer(l, d)
	return err
}

// Accept decides on the answer to our offer. errs.Invalid: they refused the stream, or answered what was not offered.
func Accept(l Local, answer Description) (Session, error) {
	f := l.form()
	secrets := l.Secrets
	l.Secrets = l.shown(f) // what was not offered cannot be taken
	at, by := l.choose(answer)
	if at < 0 {
		return Session{}, invalid("the answer takes no audio stream that was offered: %s", l.wants(answer))
	}
	if f.by != Plain && by == Plain {
		return Session{}, invalid("the answer leaves the audio unprotected") // R32
	}
	s := l.session(answer.Media[at], by, false)
	s.Protection.Secrets = secrets
	// We accept by our numbers, whatever theirs are (RFC 3264 §5.1); theirs too where they do not clash, because many
	// send with the numbers they receive with.
	s.Receive = merge(l.offered(), s.Receive)
	s.Memory.Numbers = merge(merge(l.offered(), l.Memory.Numbers), numbers(answer.Media[at]))
	s.Memory.Lines, s.Memory.At = l.Memory.Lines, l.Memory.At
	if len(s.Memory.Lines) == 0 {
		s.Memory.Lines, s.Memory.At = []Line{{"audio", f.proto, "0", f.mid}}, 0
	}
	s.Memory.Proto, s.Memory.Protection = f.proto, s.Protection
	return s, nil
}

// wants says why nothing was taken, for the log and the 488.
func (l Local) wants(d Description) string {
	audio := slices.ContainsFunc(d.Media, func(m Media) bool { return m.Kind == "audio" && m.Port != 0 && rtp(m.Proto) })
	common := slices.ContainsFunc(d.Media, func(m Media) bool {
		_, ok := l.pick(l.takes(m))
		return ok && m.Kind == "audio" && m.Port != 0
	})
	switch {
	case !audio:
		return "there is no audio over RTP"
	case !common:
		return "no codec in common with " + strings.Join(l.codecs(), ", ")
	case l.Policy.requires():
		return "encryption is required and not offered in a way that is known (" + string(l.Policy) + ")"
	}
	return "its protection is not known"
}

// session is what a stream of theirs means for us.
func (l Local) session(m Media, by Means, answering bool) Session {
	list := l.takes(m)
	codec, _ := l.pick(list)
	remote := netip.AddrPortFrom(m.Addr, uint16(m.Port))
	p := l.protect(m, by, answering, remote)
	// RFC 3264 §8.4: hold as it was before RFC 3264. With ICE it says only that the place is not known yet (RFC 8840 §4.1.1).
	nowhere := m.Addr.IsValid() && m.Addr.IsUnspecified() && !p.ICE
	s := Session{
		Codec: codec.Codec, Clock: codec.Clock, Payload: codec.Number, EventSend: None, NoiseSend: None,
		Remote:   remote,
		Host:     m.Host,
		Send:     m.Direction.receives() && l.Direction.sends() && !nowhere,
		Recv:     m.Direction.sends() && l.Direction.receives(),
		Receive:  list,
		RTCPMux:  m.RTCPMux,
		MaxPtime: m.MaxPtime,
	}
	for _, c := range m.Codecs {
		if c.Payload == codec.Number {
			s.Format = c.Format
			break
		}
	}
	s.Ptime, s.Strict = packetTime(m.Ptime, m.MaxPtime)
	if e, ok := event(list, codec.Clock); ok {
		s.EventSend, s.EventClock = int(e.Number), e.Clock
	}
	if n, ok := find(list, noise, codec.Clock); ok {
		s.NoiseSend = int(n.Number)
	}
	s.RTCP = rtcpOf(m, s.Remote)
	s.Protection = p
	s.Memory = Memory{Proto: m.Proto, Remote: s.Remote, Protection: s.Protection}
	if nowhere {
		s.Memory.Remote = l.Memory.Remote
	}
	return s
}

// rtcpOf is where a stream of theirs takes RTCP.
func rtcpOf(m Media, remote netip.AddrPort) netip.AddrPort {
	switch {
	case m.RTCPMux:
		return remote
	case m.RTCP.Port() != 0 && m.RTCP.Addr().IsValid():
		return m.RTCP
	case m.RTCP.Port() != 0:
		return netip.AddrPortFrom(remote.Addr(), m.RTCP.Port())
	}
	return netip.AddrPortFrom(remote.Addr(), remote.Port()+1) // RFC 3550 §11
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

// lines are the m-lines of the session after an offer of theirs.
func (l Local) lines(offer Description, at int) []Line {
	list := make([]Line, len(offer.Media))
	for i, m := range offer.Media {
		list[i] = Line{m.Kind, m.Proto, m.Formats[0], m.Mid}
	}
	list[at].Kind = "audio"
	return list
}

// numbers are the meanings of all payload numbers of a stream, also of codecs that we do not know.
func numbers(m Media) []Payload {
	list := make([]Payload, 0, len(m.Codecs))
	for _, c := range m.Codecs {
		p, ok := known(c)
		if !ok {
			p = Payload{c.Payload, c.Name, c.Clock}
		}
		list = append(list, p)
	}
	return merge(list[:0:0], list)
}
