// Package sdp speaks the part of the Session Description Protocol (RFC 8866) that an audio call needs, and decides
// offers and answers (RFC 3264). It has no state, no clock and no sockets.
//
//	Parse      bytes -> Description        bounded before anything is kept; tolerant of LF and a missing last newline
//	Local      what we are: address, port, codecs, our last version
//	Offer      Local -> bytes
//	Answer     Local, their offer -> bytes, Session
//	Accept     Local, their answer -> Session
//	Session    what both agreed on: where to send, which payload numbers each way, which directions
//
// The rules in short. One audio stream is taken, the first that can be; every other m-line is refused with port 0 in its
// place. We send with their payload numbers and accept ours; both are called by name, not by number. The direction of an
// answer mirrors the offer, and says what will really happen: to 0.0.0.0 nothing is sent. Their ptime and maxptime are
// obeyed in what we send; what we receive may be cut as they like.
package sdp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"ullim/internal/errs"
)

// Limits of a description, checked while reading and before anything is kept (threat: descriptions made to exhaust).
const (
	maxBytes   = 32 << 10
	maxLines   = 1000
	maxLine    = 4096
	maxMedia   = 16
	maxFormats = 64
)

// Direction of a stream, seen from whoever wrote the description.
type Direction int

// Directions.
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

// String is the attribute.
func (d Direction) String() string {
	switch d {
	case SendOnly:
		return "sendonly"
	case RecvOnly:
		return "recvonly"
	case Inactive:
		return "inactive"
	case SendRecv:
		return "sendrecv"
	}
	return "sendrecv"
}

// direction gives the pair of ways as a Direction.
func direction(send, recv bool) Direction {
	switch {
	case send && recv:
		return SendRecv
	case send:
		return SendOnly
	case recv:
		return RecvOnly
	}
	return Inactive
}

func (d Direction) sends() bool    { return d == SendRecv || d == SendOnly }
func (d Direction) receives() bool { return d == SendRecv || d == RecvOnly }

// Codec is one payload format of a stream.
type Codec struct {
	Payload  uint8
	Name     string // as written; compare without case
	Clock    int
	Channels int
}

// Media is one m-line with what belongs to it.
type Media struct {
	Kind      string // audio, video, image...
	Port      int
	Proto     string
	Formats   []string // as written
	Addr      netip.Addr
	Direction Direction
	Codecs    []Codec // only for RTP; in their order of preference
	Ptime     int     // ms, 0 if not said
	MaxPtime  int
	RTCPMux   bool
}

// Description is a parsed description.
type Description struct {
	Time  string // the first t= line's value
	Media []Media
}

// invalid is how every refusal reads.
func invalid(text string, args ...any) error { return errs.New(errs.Invalid, "SDP: "+text, args...) }

// parser holds the session level while the m-lines are read.
type parser struct {
	d         Description
	addr      netip.Addr
	direction Direction
	mux       bool
	media     *Media // nil at session level
	maps      map[uint8]Codec
}

// Parse reads a description. Lines that are not needed are skipped, lines that are needed must be right; errors are
// errs.Invalid and name the line.
func Parse(b []byte) (Description, error) {
	if len(b) > maxBytes {
		return Description{}, invalid("%d bytes, at most %d are read", len(b), maxBytes)
	}
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	if strings.Count(text, "\n") > maxLines {
		return Description{}, invalid("more than %d lines", maxLines)
	}
	lines := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	if lines[0] != "v=0" {
		return Description{}, invalid("does not begin with v=0")
	}
	p := &parser{d: Description{Time: "0 0"}}
	for i, line := range lines {
		if len(line) > maxLine {
			return Description{}, invalid("line %d has %d bytes, at most %d are read", i+1, len(line), maxLine)
		}
		if len(line) < 2 || line[1] != '=' || strings.ContainsAny(line, "\r\x00") {
			return Description{}, invalid("line %d is not of the form x=...", i+1)
		}
		if err := p.line(line[0], line[2:]); err != nil {
			return Description{}, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	p.finish()
	return p.d, nil
}

func (p *parser) line(kind byte, value string) error {
	switch kind {
	case 'm':
		p.finish()
		return p.mline(value)
	case 'c':
		p.connection(value)
	case 't':
		if f := strings.Fields(value); p.d.Time == "0 0" && len(f) == 2 && digits(f[0]) && digits(f[1]) {
			p.d.Time = f[0] + " " + f[1]
		}
	case 'a':
		return p.attribute(value)
	}
	return nil
}

func digits(s string) bool {
	return len(s) < 20 && strings.Trim(s, "0123456789") == "" && s != ""
}

// connection reads c=IN IP4 192.0.2.1[/ttl]. A name instead of an address is not looked up: where they are is then
// learned from what they send.
func (p *parser) connection(value string) {
	f := strings.Fields(value)
	if len(f) != 3 || !strings.EqualFold(f[0], "IN") {
		return
	}
	host, _, _ := strings.Cut(f[2], "/")
	addr, err := netip.ParseAddr(host)
	if err != nil {
		addr = netip.Addr{}
	}
	if p.media != nil {
		p.media.Addr = addr.Unmap()
		return
	}
	p.addr = addr.Unmap()
}

// mline reads <kind> <port>[/<count>] <proto> <format>...
func (p *parser) mline(value string) error {
	if len(p.d.Media) == maxMedia {
		return invalid("more than %d m-lines", maxMedia)
	}
	f := strings.Fields(value)
	if len(f) < 4 {
		return invalid("m-line with %d of at least 4 fields", len(f))
	}
	if len(f)-3 > maxFormats {
		return invalid("m-line with %d formats, at most %d are read", len(f)-3, maxFormats)
	}
	for _, s := range f {
		if !token(s) {
			return invalid("m-line with a field that is no token")
		}
	}
	number, _, _ := strings.Cut(f[1], "/")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return invalid("m-line with port %.20q", f[1])
	}
	p.d.Media = append(p.d.Media, Media{
		Kind: strings.ToLower(f[0]), Port: int(port), Proto: f[2], Formats: f[3:],
		Addr: p.addr, Direction: p.direction, RTCPMux: p.mux,
	})
	p.media, p.maps = &p.d.Media[len(p.d.Media)-1], map[uint8]Codec{}
	return nil
}

// token reports whether s may be sent back as it is.
func token(s string) bool {
	if len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7F {
			return false
		}
	}
	return s != ""
}

func (p *parser) attribute(value string) error {
	name, rest, _ := strings.Cut(value, ":")
	switch name {
	case "sendrecv", "sendonly", "recvonly", "inactive":
		d := map[string]Direction{"sendrecv": SendRecv, "sendonly": SendOnly, "recvonly": RecvOnly, "inactive": Inactive}[name]
		if p.media == nil {
			p.direction = d
		} else {
			p.media.Direction = d
		}
	case "rtcp-mux":
		if p.media == nil {
			p.mux = true
		} else {
			p.media.RTCPMux = true
		}
	case "ptime", "maxptime":
		if p.media == nil {
			return nil
		}
		whole, _, _ := strings.Cut(strings.TrimSpace(rest), ".") // "20.0" is seen
		ms, err := strconv.ParseUint(whole, 10, 16)
		if err != nil {
			return nil //nolint:nilerr // a wish that cannot be read is no wish
		}
		if name == "ptime" {
			p.media.Ptime = int(ms)
		} else {
			p.media.MaxPtime = int(ms)
		}
	case "rtpmap":
		return p.rtpmap(rest)
	}
	return nil
}

// rtpmap reads <payload> <name>/<clock>[/<channels>].
func (p *parser) rtpmap(value string) error {
	if p.media == nil {
		return nil
	}
	number, format, _ := strings.Cut(strings.TrimSpace(value), " ")
	payload, err := strconv.ParseUint(number, 10, 64)
	if err != nil || payload > 127 {
		return invalid("rtpmap with payload %.20q", number)
	}
	parts := strings.Split(strings.TrimSpace(format), "/")
	if len(parts) < 2 || len(parts) > 3 || !token(parts[0]) {
		return invalid("rtpmap %d with %.40q", payload, format)
	}
	clock, err := strconv.ParseUint(parts[1], 10, 31)
	if err != nil {
		return invalid("rtpmap %d with clock %.20q", payload, parts[1])
	}
	channels := uint64(1)
	if len(parts) == 3 {
		if channels, err = strconv.ParseUint(parts[2], 10, 8); err != nil {
			return invalid("rtpmap %d with channels %.20q", payload, parts[2])
		}
	}
	if len(p.maps) <= maxFormats {
		p.maps[uint8(payload)] = Codec{Payload: uint8(payload), Name: parts[0], Clock: int(clock), Channels: int(channels)}
	}
	return nil
}

// finish joins the formats of the m-line just read with their rtpmaps, which may come in any order. The static numbers
// of RFC 3551 need none.
func (p *parser) finish() {
	if p.media == nil || !strings.HasPrefix(strings.ToUpper(p.media.Proto), "RTP/") {
		return
	}
	for _, f := range p.media.Formats {
		payload, err := strconv.ParseUint(f, 10, 64)
		if err != nil || payload > 127 {
			continue
		}
		c, ok := p.maps[uint8(payload)]
		switch {
		case ok:
		case payload == 0:
			c = Codec{Payload: 0, Name: "PCMU", Clock: 8000, Channels: 1}
		case payload == 8:
			c = Codec{Payload: 8, Name: "PCMA", Clock: 8000, Channels: 1}
		default:
			continue
		}
		p.media.Codecs = append(p.media.Codecs, c)
	}
}
