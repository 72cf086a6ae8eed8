package sip

import (
	"crypto/rand"
	"net"
	"net/netip"
	"strconv"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"

	description "ullim/media/sdp"
)

// tagOf is the tag parameter.
func tagOf(p sipgo.HeaderParams) string {
	if v, ok := p.Get("tag"); ok {
		return v
	}
	for _, kv := range p {
		if strings.EqualFold(kv.K, "tag") {
			return kv.V
		}
	}
	return ""
}

func setTag(p *sipgo.HeaderParams, tag string) {
	for i, kv := range *p {
		if strings.EqualFold(kv.K, "tag") {
			(*p)[i].V = tag
			return
		}
	}
	p.Add("tag", tag)
}

// newTag is a tag or the local part of a Call-ID: 128 bits that nobody can guess.
func newTag() string { return strings.ToLower(rand.Text()) }

func callIDOf(m sipgo.Message) string {
	if h := m.CallID(); h != nil {
		return h.Value()
	}
	return ""
}

// supported are the extensions that we have: RFC 3262, 4028, 3891 and 4488.
const supported = "100rel, timer, replaces, norefersub"

// valueOf is the value of the first header field that has one of the names: the long one, then the compact one.
func valueOf(m sipgo.Message, names ...string) string {
	for _, name := range names {
		if hs := m.GetHeaders(name); len(hs) > 0 {
			return hs[0].Value()
		}
	}
	return ""
}

// lists reports whether a header field of tokens, Supported or Require or Allow, has one of them. known is false if there
// is no such header field.
func lists(m sipgo.Message, token string, names ...string) (yes, known bool) {
	for _, name := range names {
		for _, h := range m.GetHeaders(name) {
			known = true
			for t := range strings.SplitSeq(h.Value(), ",") {
				if strings.EqualFold(strings.TrimSpace(t), token) {
					return true, true
				}
			}
		}
	}
	return false, known
}

func has(m sipgo.Message, token string, names ...string) bool {
	yes, _ := lists(m, token, names...)
	return yes
}

// setSDP gives a message a session description as its body.
func setSDP(m interface {
	AppendHeader(h sipgo.Header)
	SetBody(body []byte)
}, sdp []byte,
) {
	ct := sipgo.ContentTypeHeader("application/sdp")
	m.AppendHeader(&ct)
	m.SetBody(sdp)
}

// headerOf is the value of a header field, empty if there is none.
func headerOf(req *sipgo.Request, name string) string {
	if h := req.GetHeader(name); h != nil {
		return h.Value()
	}
	return ""
}

// contentType is the media type of a body in lower case without parameters.
func contentType(m interface {
	ContentType() *sipgo.ContentTypeHeader
},
) string {
	h := m.ContentType()
	if h == nil {
		return ""
	}
	t, _, _ := strings.Cut(h.Value(), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// sdpOf is the session description of a message, also as a part of a multipart body (RFC 5621 §3). ok is false if there is
// a body that is something else.
func sdpOf(m interface {
	Body() []byte
	ContentType() *sipgo.ContentTypeHeader
},
) (sdp []byte, ok bool) {
	body := m.Body()
	if len(body) == 0 {
		return nil, true
	}
	h := m.ContentType()
	if h == nil {
		return nil, false
	}
	found, err := description.Extract(h.Value(), body)
	return found, err == nil && found != nil
}

// userPart is who a URI names: the user of a sip URI without its parameters, or the number of a tel URI.
func userPart(u *sipgo.Uri) string {
	user := u.User
	if u.Scheme == "tel" {
		user = u.Raw()
	}
	user, _, _ = strings.Cut(user, ";") // 015112345;phone-context=+49, npdi, ...
	return unescape(user)
}

// unescape undoes %HH; what is not one stays.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil && n >= ' ' && n != 0x7f {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escapeUser writes a user part with everything escaped that has a meaning in a URI. RFC 3261 §25.1.
func escapeUser(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.!~*'()&=+$,/", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteString("%" + strings.ToUpper(strconv.FormatUint(0x100|uint64(c), 16)[1:]))
	}
	return b.String()
}

// quotedText makes text safe inside a quoted string: no control characters, quotes and backslashes escaped.
func quotedText(s string, most int) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			continue
		}
		if r == '"' || r == '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		if b.Len() >= most {
			break
		}
	}
	return b.String()
}

// plainText undoes quotedText, for a display name from the wire.
func plainText(s string, most int) string {
	var b strings.Builder
	escaped := false
	for _, r := range s {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		escaped = false
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			continue
		}
		b.WriteRune(r)
		if b.Len() >= most {
			break
		}
	}
	return b.String()
}

// reasonHeader is the Reason header of a BYE or CANCEL. RFC 3326 §2.
func reasonHeader(cause string) sipgo.Header {
	if strings.HasPrefix(cause, "SIP;") || strings.HasPrefix(cause, "Q.850;") {
		return sipgo.NewHeader("Reason", strings.Map(printable, clip(cause, 200)))
	}
	return sipgo.NewHeader("Reason", `SIP;text="`+quotedText(cause, 200)+`"`)
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// hostAddr is the IP address that a URI names, if it names one.
func hostAddr(host string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return a.Unmap(), err == nil
}

// uriHost writes an address as the host of a URI.
func uriHost(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// inner reports an address that means something only inside a network or host.
func inner(a netip.Addr) bool {
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10) // RFC 6598
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || shared.Contains(a)
}

// sipgoAddr is an address as sipgo wants it.
func sipgoAddr(ap netip.AddrPort) sipgo.Addr {
	return sipgo.Addr{IP: net.IP(ap.Addr().AsSlice()), Port: int(ap.Port())}
}
