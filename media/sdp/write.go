package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	opusFormat = "minptime=10;useinbandfec=1" // RFC 7587 §6.1
	origin     = "v=0\r\no=- "                // how every description begins
)

// form is the shape of our offers.
type form struct {
	by     Means
	crypto bool // keys are offered that need not be taken
	ice    bool
	proto  string
	mid    string
}

// form is that of what was agreed, so that a later offer is protected as the first one was (R32), else that of the
// policy.
func (l Local) form() form {
	before := l.Memory
	if before.Protection.By != Plain {
		return form{
			by: before.Protection.By, crypto: before.Protection.By == SDES, ice: before.Protection.ICE, proto: before.Proto,
			mid: l.mid(),
		}
	}
	f := form{proto: "RTP/AVP", mid: l.mid()}
	if before.Proto != "" {
		f.proto = before.Proto
	}
	switch l.Policy {
	case PlainPolicy:
	case OptionalSRTP:
		f.crypto = true
	case RequireSDES:
		f.by, f.crypto, f.proto = SDES, true, "RTP/SAVP"
	case RequireDTLS:
		f.by, f.proto = DTLS, "UDP/TLS/RTP/SAVP"
	case Browser:
		f.by, f.ice, f.proto = DTLS, true, "UDP/TLS/RTP/SAVPF"
	}
	return f
}

// mid is the name of our line in our offers; empty: it has none.
func (l Local) mid() string {
	if len(l.Memory.Lines) > 0 {
		return l.Memory.Lines[l.Memory.At].Mid
	}
	if l.Policy == Browser {
		return "0"
	}
	return ""
}

// Offer is our offer, always complete: also the second and later ones of a call name every codec, both directions if we
// want them, and the protection that there is (RFC 6337 §5.2.5).
func Offer(l Local) []byte {
	var b strings.Builder
	f := l.form()
	l.head(&b, "0 0", f.ice)
	if f.mid != "" {
		fmt.Fprintf(&b, "a=group:BUNDLE %s\r\n", f.mid)
	}
	lines, at := l.Memory.Lines, l.Memory.At
	if len(lines) == 0 {
		lines, at = []Line{{}}, 0
	}
	for i, line := range lines {
		if i != at {
			refuse(&b, line)
			continue
		}
		l.offerLine(&b, f)
	}
	return []byte(b.String())
}

func (l Local) offerLine(b *strings.Builder, f form) {
	list := l.offered()
	l.mline(b, f.proto, list)
	fmt.Fprintf(b, "a=ptime:%d\r\na=%s\r\na=rtcp-mux\r\n", defaultPtime, l.Direction)
	if f.mid != "" {
		fmt.Fprintf(b, "a=mid:%s\r\n", f.mid)
	}
	if f.crypto {
		tag := 0
		for _, suite := range l.offeredSuites() {
			if key, ok := l.Secrets.key(suite); ok {
				tag++
				fmt.Fprintf(b, "a=crypto:%d %s inline:%s\r\n", tag, suite, key.Inline())
			}
		}
	}
	if f.by == DTLS {
		l.dtls(b, ActPass, l.Secrets) // RFC 5763 §5
	}
	if f.ice {
		l.ice(b, l.Secrets)
	}
}

// writeAnswer is the text of an answer: their lines in their order, ours where theirs is.
func (l Local) writeAnswer(offer Description, at int, s Session) []byte {
	var b strings.Builder
	m, p := offer.Media[at], s.Protection
	l.head(&b, offer.Time, p.ICE) // RFC 3264 §6: the t-line of the offer
	if m.Mid != "" && slices.Contains(offer.Bundle, m.Mid) {
		fmt.Fprintf(&b, "a=group:BUNDLE %s\r\n", m.Mid) // RFC 9143 §7.3: without what is refused
	}
	for i, other := range s.Memory.Lines {
		if i != at {
			refuse(&b, other)
			continue
		}
		list := []Payload{{s.Payload, s.Codec, s.Clock}} // RFC 3264 §6.1: the numbers of the offer
		if s.NoiseSend != None {
			list = append(list, Payload{uint8(s.NoiseSend), noise, s.Clock})
		}
		if s.EventSend != None {
			list = append(list, Payload{uint8(s.EventSend), events, s.EventClock})
		}
		l.mline(&b, m.Proto, list)
		fmt.Fprintf(&b, "a=ptime:%d\r\na=%s\r\n", defaultPtime, direction(s.Send, s.Recv))
		if s.RTCPMux {
			b.WriteString("a=rtcp-mux\r\n")
		}
		if m.Mid != "" {
			fmt.Fprintf(&b, "a=mid:%s\r\n", m.Mid)
		}
		switch p.By {
		case SDES:
			fmt.Fprintf(&b, "a=crypto:%d %s inline:%s\r\n", p.Tag, p.Send.Suite(), p.Send.Inline()) // RFC 4568 §5.1.2
		case DTLS:
			role := Passive
			if p.Client {
				role = Active
			}
			l.dtls(&b, role, p.Secrets)
		case Plain:
		}
		if p.ICE {
			l.ice(&b, p.Secrets)
		}
	}
	return []byte(b.String())
}

// WithVersion is a description of ours that was written with version 0, as it is with another: nothing else in it depends on
// the version, so that who wants to know whether it says something new need not write it twice.
func WithVersion(bare []byte, l Local) []byte {
	id := strconv.AppendUint(make([]byte, 0, 40), l.ID, 10)
	at := len(origin) + len(id) + 1 // behind "v=0", "o=- ", the id and a space
	if at >= len(bare) || bare[at] != '0' {
		return bare
	}
	out := make([]byte, 0, len(bare)+20)
	out = append(out, bare[:at]...)
	out = strconv.AppendUint(out, l.Version, 10)
	return append(out, bare[at+1:]...)
}

// refuse writes an m-line that is not taken, in its place (RFC 3264 §6).
func refuse(b *strings.Builder, line Line) {
	fmt.Fprintf(b, "m=%s 0 %s %s\r\n", line.Kind, line.Proto, line.Format)
	if line.Mid != "" {
		fmt.Fprintf(b, "a=mid:%s\r\n", line.Mid)
	}
}

// head writes everything above the first m-line.
func (l Local) head(b *strings.Builder, times string, ice bool) {
	family := "IP4"
	if l.Addr.Is6() {
		family = "IP6"
	}
	addr := l.Addr.String()
	b.Grow(512)
	for _, s := range [...]string{
		origin, strconv.FormatUint(l.ID, 10), " ", strconv.FormatUint(l.Version, 10), " IN ", family, " ", addr,
		"\r\ns=-\r\nc=IN ", family, " ", addr, "\r\nt=", times, "\r\n",
	} {
		b.WriteString(s)
	}
	if ice {
		b.WriteString("a=ice-lite\r\n") // RFC 8839 §5.3
	}
}

// mline writes our m-line with the formats and what they mean.
func (l Local) mline(b *strings.Builder, proto string, list []Payload) {
	decimal := func(n int) {
		var digits [20]byte
		b.Write(strconv.AppendInt(digits[:0], int64(n), 10))
	}
	b.WriteString("m=audio ")
	decimal(int(l.Port))
	b.WriteString(" ")
	b.WriteString(proto)
	for _, p := range list {
		b.WriteString(" ")
		decimal(int(p.Number))
	}
	b.WriteString("\r\n")
	for _, p := range list {
		b.WriteString("a=rtpmap:")
		decimal(int(p.Number))
		b.WriteString(" ")
		b.WriteString(p.Codec)
		b.WriteString("/")
		decimal(p.Clock)
		if _, channels := clockOf(p.Codec); channels == 2 {
			b.WriteString("/2")
		}
		b.WriteString("\r\n")
		switch p.Codec {
		case events:
			fmt.Fprintf(b, "a=fmtp:%d 0-15\r\n", p.Number)
		case Opus:
			text := opusFormat
			if l.Opus != "" && !strings.ContainsAny(l.Opus, "\r\n") {
				text = l.Opus
			}
			fmt.Fprintf(b, "a=fmtp:%d %s\r\n", p.Number, text)
		}
	}
}

func (l Local) dtls(b *strings.Builder, role Setup, s Secrets) {
	fmt.Fprintf(b, "a=fingerprint:%s %s\r\na=setup:%s\r\n", s.Fingerprint.Hash, s.Fingerprint.Value, role)
}

// ice writes our candidates: all of one socket, of one component (RFC 8839 §5.1). The track has a name, so that a
// browser has a stream to play.
func (l Local) ice(b *strings.Builder, s Secrets) {
	fmt.Fprintf(b, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", s.Ufrag, s.Pwd)
	all := append([]netip.AddrPort{netip.AddrPortFrom(l.Addr, l.Port)}, l.Also...)
	for i, a := range all {
		priority := 126<<24 | (65535-i)<<8 | 255 // RFC 8445 §5.1.2.1
		fmt.Fprintf(b, "a=candidate:%d 1 UDP %d %s %d typ host\r\n", i+1, priority, a.Addr(), a.Port())
	}
	b.WriteString("a=end-of-candidates\r\na=msid:ullim audio\r\n")
}
