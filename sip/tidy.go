package sip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// bytes gives the message as sipgo may see it: as it came if its form is plain, else written anew with folding undone and
// white space around separators gone, which sipgo's parser trips over (RFC 4475 §3.1.1.1).
func (m *rawMessage) bytes(data []byte) []byte {
	for i, h := range m.headers {
		if !structured(h.name) {
			continue
		}
		if v := tidyValue(h.value, h.name == "via"); v != h.value {
			m.headers[i].value, m.untidy = v, true
		}
	}
	if !m.untidy {
		return data[:m.headLen+len(m.body)]
	}
	var b strings.Builder
	b.Grow(m.headLen + len(m.body))
	b.WriteString(m.startLine)
	for _, h := range m.headers {
		b.WriteString("\r\n" + h.name + ": " + h.value)
	}
	b.WriteString("\r\n\r\n")
	b.Write(m.body)
	return []byte(b.String())
}

func structured(name string) bool {
	switch name {
	case "via", "from", "to", "contact", "cseq", "route", "record-route":
		return true
	}
	return false
}

// tidyValue takes away white space around ; = and , (and / in a Via) and shrinks the rest to one space, outside of quotes
// and angle brackets.
func tidyValue(v string, via bool) string {
	if !strings.ContainsAny(v, " \t") {
		return v
	}
	separators := ";=,"
	if via {
		separators = ";=,/"
	}
	var b strings.Builder
	b.Grow(len(v))
	quotes, bracket, space, joined := false, false, false, true // joined: what follows sticks to what was written
	for i := 0; i < len(v); i++ {
		c := v[i]
		if quotes || bracket {
			b.WriteByte(c)
			switch {
			case quotes && c == '\\' && i+1 < len(v):
				i++
				b.WriteByte(v[i])
			case quotes && c == '"':
				quotes = false
			case !quotes && c == '>':
				bracket = false
			}
			continue
		}
		switch {
		case c == ' ' || c == '\t':
			space = true
			continue
		case strings.IndexByte(separators, c) >= 0:
			b.WriteByte(c)
			space, joined = false, true
			continue
		case space && !joined:
			b.WriteByte(' ')
		}
		space, joined = false, false
		quotes, bracket = c == '"', c == '<'
		b.WriteByte(c)
	}
	return b.String()
}

// firstValue is the first of a comma-separated list.
func firstValue(v string) string {
	quotes := false
	for i := 0; i < len(v); i++ {
		switch {
		case quotes && v[i] == '\\':
			i++
		case v[i] == '"':
			quotes = !quotes
		case v[i] == ',' && !quotes:
			return v[:i]
		}
	}
	return v
}

// viaParam is a parameter of one Via value, empty if it is absent or has no value.
func viaParam(via, name string) string {
	v, _ := viaParamOK(via, name)
	return v
}

func viaParamOK(via, name string) (string, bool) {
	parts := strings.Split(via, ";")
	for _, p := range parts[1:] {
		k, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.Trim(k, " \t"), name) {
			return strings.Trim(v, " \t"), true
		}
	}
	return "", false
}

// viaPort is the port of a Via's sent-by, 5060 if it has none.
func viaPort(via string) uint16 {
	sentBy, _, _ := strings.Cut(via, ";")
	_, sentBy = cutSpace(strings.TrimSpace(sentBy[strings.LastIndexByte(sentBy, '/')+1:]))
	i := strings.LastIndexByte(sentBy, ':')
	if i < 0 || strings.HasSuffix(sentBy, "]") {
		return 5060
	}
	p, err := strconv.ParseUint(strings.TrimSpace(sentBy[i+1:]), 10, 16)
	if err != nil || p == 0 {
		return 5060
	}
	return uint16(p)
}

// answerVia is the top Via of an answer. RFC 3261 §18.2.1, RFC 3581 §4.
func answerVia(via string, src netip.AddrPort) string {
	first := firstValue(via)
	rest := via[len(first):]
	parts := strings.Split(first, ";")
	kept := parts[:1]
	for _, p := range parts[1:] {
		name, _, _ := strings.Cut(p, "=")
		switch strings.ToLower(strings.Trim(name, " \t")) {
		case "received": // only we know where it came from
		case "rport":
			kept = append(kept, "rport="+strconv.Itoa(int(src.Port())))
		default:
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, ";") + ";received=" + src.Addr().Unmap().String() + rest
}

// answerTo is where an answer over UDP goes: the source address, and its port if the peer asks for that. RFC 3581 §4.
func answerTo(via string, src netip.AddrPort) netip.AddrPort {
	first := firstValue(via)
	if _, ok := viaParamOK(first, "rport"); ok {
		return src
	}
	return netip.AddrPortFrom(src.Addr(), viaPort(first))
}

// answer writes a stateless answer with what the message has; nil if there is no Via to answer to. toTag is used if the
// To has none.
func (m *rawMessage) answer(r *refusal, toTag, agent string, src netip.AddrPort) []byte {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + strconv.Itoa(r.code) + " " + r.reason)
	written := make(map[string]bool, 8)
	for _, h := range m.headers {
		v := h.value
		switch h.name {
		case "via":
			if hasControl(v) {
				return nil
			}
			if !written["via"] {
				v = answerVia(v, src)
			}
			b.WriteString("\r\nVia: " + v)
			written["via"] = true
			continue
		case "to":
			if toTag != "" && !strings.Contains(strings.ToLower(v), "tag=") {
				v += ";tag=" + toTag
			}
		case "from", "call-id", "cseq":
		default:
			continue
		}
		if written[h.name] || hasControl(v) {
			continue
		}
		written[h.name] = true
		b.WriteString("\r\n" + answerName(h.name) + ": " + v)
	}
	if !written["via"] {
		return nil
	}
	for _, line := range r.headers {
		b.WriteString("\r\n" + line)
	}
	b.WriteString("\r\nServer: " + agent + "\r\nContent-Length: 0\r\n\r\n")
	return []byte(b.String())
}

func answerName(name string) string {
	switch name {
	case "to":
		return "To"
	case "from":
		return "From"
	case "call-id":
		return "Call-ID"
	}
	return "CSeq"
}

// statelessTag is the To tag of an answer that nothing is remembered of: the same for every copy of the request.
// RFC 3261 §8.2.7.
func statelessTag(secret []byte, m *rawMessage) string {
	mac := hmac.New(sha256.New, secret)
	for _, name := range []string{"via", "call-id", "from"} {
		v, _ := m.get(name)
		mac.Write([]byte(v))
		mac.Write([]byte{0})
	}
	return hex.EncodeToString(mac.Sum(nil)[:8])
}
