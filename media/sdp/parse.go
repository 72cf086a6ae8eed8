package sdp

import (
	"fmt"
	"net/netip"
	"slices"
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
	Format   string // a=fmtp, as written
}

// Media is one m-line with what belongs to it.
type Media struct {
	Kind      string // audio, video, image...
	Port      int
	Proto     string
	Formats   []string   // as written
	Addr      netip.Addr // invalid: a name was given
	Host      string     // the name that was given instead of an address; it is not looked up
	Direction Direction
	Codecs    []Codec // only for RTP; in their order of preference
	Ptime     int     // ms, 0 if not said
	MaxPtime  int
	RTCPMux   bool
	MuxOnly   bool           // a=rtcp-mux-only (RFC 8858)
	RTCP      netip.AddrPort // a=rtcp (RFC 3605); the address is invalid if only a port was given, both if nothing was
	Mid       string         // a=mid (RFC 5888)
	Crypto    []Crypto       // a=crypto that can be used (RFC 4568)
	Security
}

// Security is what DTLS-SRTP and ICE say of one end, at session or media level.
type Security struct {
	Fingerprints []Fingerprint // of its certificate (RFC 8122)
	Setup        Setup         // a=setup (RFC 4145, RFC 5763)
	TLSID        string        // a=tls-id (RFC 8842)
	Ufrag, Pwd   string        // a=ice-ufrag, a=ice-pwd (RFC 8839)
	Lite         bool          // a=ice-lite
}

// Description is a parsed description.
type Description struct {
	Time   string   // the first t= line's value
	Bundle []string // the mids of the first a=group:BUNDLE (RFC 9143)
	Media  []Media
}

// invalid is how every refusal reads.
func invalid(text string, args ...any) error { return errs.New(errs.Invalid, "SDP: "+text, args...) }

// parser holds the session level while the m-lines are read.
type parser struct {
	d       Description
	session Media  // what the session level says for every m-line
	media   *Media // nil at session level
	maps    map[uint8]Codec
	formats map[uint8]string
}

// level is where an attribute belongs.
func (p *parser) level() *Media {
	if p.media == nil {
		return &p.session
	}
	return p.media
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
	at := p.level()
	at.Addr, at.Host = netip.Addr{}, ""
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil:
		at.Addr = addr.Unmap().WithZone("")
	case token(host):
		at.Host = host
	}
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
	m := p.session
	m.Kind, m.Port, m.Proto, m.Formats = strings.ToLower(f[0]), int(port), f[2], f[3:]
	m.Fingerprints = slices.Clone(m.Fingerprints)
	p.d.Media = append(p.d.Media, m)
	p.media, p.maps, p.formats = &p.d.Media[len(p.d.Media)-1], map[uint8]Codec{}, map[uint8]string{}
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
	at := p.level()
	switch name {
	case "sendrecv":
		at.Direction = SendRecv
	case "sendonly":
		at.Direction = SendOnly
	case "recvonly":
		at.Direction = RecvOnly
	case "inactive":
		at.Direction = Inactive
	case "rtcp-mux":
		at.RTCPMux = true
	case "rtcp-mux-only": // RFC 8858 §3: it implies rtcp-mux
		at.RTCPMux, at.MuxOnly = true, true
	case "group":
		if f := strings.Fields(rest); p.media == nil && len(f) > 1 && f[0] == "BUNDLE" && len(f) <= maxMedia+1 && p.d.Bundle == nil {
			p.d.Bundle = f[1:]
		}
	case "ptime", "maxptime":
		p.packetTime(name, rest)
	case "rtpmap":
		return p.rtpmap(rest)
	case "fmtp":
		p.format(rest)
	case "rtcp":
		p.rtcp(rest)
	case "mid":
		if p.media != nil && token(rest) {
			p.media.Mid = rest
		}
	default:
		p.security(at, name, rest)
	}
	return nil
}

func (p *parser) packetTime(name, value string) {
	if p.media == nil {
		return
	}
	whole, _, _ := strings.Cut(strings.TrimSpace(value), ".") // "20.0" is seen
	ms, err := strconv.ParseUint(whole, 10, 16)
	switch {
	case err != nil: // a wish that cannot be read is no wish
	case name == "ptime":
		p.media.Ptime = int(ms)
	default:
		p.media.MaxPtime = int(ms)
	}
}

// rtcp reads <port> [IN IP4 <address>].
func (p *parser) rtcp(value string) {
	f := strings.Fields(value)
	if p.media == nil || len(f) == 0 {
		return
	}
	port, err := strconv.ParseUint(f[0], 10, 16)
	if err != nil {
		return
	}
	var addr netip.Addr
	if len(f) == 4 {
		addr, _ = netip.ParseAddr(f[3])
	}
	p.media.RTCP = netip.AddrPortFrom(addr.Unmap().WithZone(""), uint16(port))
}

// format reads <payload> <parameters> of a=fmtp.
func (p *parser) format(value string) {
	number, text, _ := strings.Cut(strings.TrimSpace(value), " ")
	payload, err := strconv.ParseUint(number, 10, 64)
	if p.media == nil || err != nil || payload > 127 || len(p.formats) > maxFormats {
		return
	}
	p.formats[uint8(payload)] = strings.TrimSpace(text)
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
	if p.media == nil || !rtp(p.media.Proto) {
		return
	}
	for _, f := range p.media.Formats {
		payload, err := strconv.ParseUint(f, 10, 64)
		if err != nil || payload > 127 {
			continue
		}
		number := uint8(payload)
		c, ok := p.maps[number]
		if !ok {
			if c, ok = fixed(number); !ok {
				continue
			}
		}
		c.Format = p.formats[number]
		p.media.Codecs = append(p.media.Codecs, c)
	}
}

// rtp reports whether a transport carries RTP, however protected.
func rtp(proto string) bool { return strings.Contains(strings.ToUpper(proto), "RTP/") }
