package trace

import (
	"bytes"
	"fmt"
	"strings"
)

// hidden stands where something was that must not be kept.
const hidden = "<hidden>"

// Redact copies a SIP message without what must not be kept: digest responses, SRTP keys, ICE passwords, keys pressed, the
// texts of MESSAGE. What is longer than most bytes is cut.
func Redact(raw []byte, most int) []byte {
	head, body, found := cutBody(raw)
	var out bytes.Buffer
	out.Grow(min(len(raw), most) + 64)
	kind := ""
	var low lowered
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		line = bytes.TrimRight(line, "\r")
		name, value, isHeader := bytes.Cut(line, []byte(":"))
		known := low.of(bytes.TrimSpace(name))
		switch {
		case isHeader && secretHeader(known):
			fmt.Fprintf(&out, "%s: %s\r\n", name, credentials(value))
			continue
		case isHeader && (string(known) == "content-type" || string(known) == "c"):
			kind = strings.ToLower(strings.TrimSpace(string(value)))
		case len(line) > 0 && (line[0] == ' ' || line[0] == '\t') && bytes.Contains(line, []byte("=")):
			line = []byte(" " + hidden) // a folded header: rare, and it may be credentials
		}
		out.Write(line)
		out.WriteString("\r\n")
	}
	if found {
		out.WriteString("\r\n")
		hide(&out, kind, body)
	}
	if b := out.Bytes(); len(b) > most {
		return append(b[:most:most], []byte("\r\n...")...)
	}
	return out.Bytes()
}

// cutBody splits at the first empty line; the head has no line end behind it.
func cutBody(raw []byte) (head, body []byte, found bool) {
	if head, body, found = bytes.Cut(raw, []byte("\r\n\r\n")); found {
		return head, body, true
	}
	if head, body, found = bytes.Cut(raw, []byte("\n\n")); found {
		return head, body, true
	}
	return bytes.TrimRight(raw, "\r\n"), nil, false
}

func secretHeader(name []byte) bool {
	switch string(name) {
	case "authorization", "proxy-authorization", "authentication-info", "proxy-authentication-info", "cookie", "set-cookie":
		return true
	}
	return false
}

// credentials keeps who and where, and hides the proof.
func credentials(value []byte) string {
	var kept []string
	scheme, rest, _ := strings.Cut(strings.TrimSpace(clean(value)), " ")
	for part := range strings.SplitSeq(rest, ",") {
		name, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "username", "realm", "algorithm", "qop", "nc":
			if ok {
				kept = append(kept, strings.TrimSpace(name)+"="+cut(v, 80))
			}
		}
	}
	return cut(scheme, 16) + " " + strings.Join(append(kept, hidden), ", ")
}

// hide writes a body without its secrets.
func hide(out *bytes.Buffer, kind string, body []byte) {
	switch {
	case len(body) == 0:
	case strings.HasPrefix(kind, "application/sdp"):
		for line := range bytes.Lines(body) {
			out.Write(sdpLine(line))
		}
	case strings.HasPrefix(kind, "message/sipfrag"), strings.HasPrefix(kind, "application/simple-message-summary"):
		out.Write(body)
	default: // keys, texts, several parts: whatever it is, it is somebody's
		fmt.Fprintf(out, "<%d bytes of %s>", len(body), cut(clean([]byte(kind)), 60))
	}
}

// sdpLine is a line of SDP without keys (RFC 4568, RFC 8839, and k= of RFC 4566).
func sdpLine(line []byte) []byte {
	if !suspicious(line) { // nearly every line
		return line
	}
	text := strings.TrimRight(string(line), "\r\n")
	low := strings.ToLower(strings.TrimSpace(text))
	switch {
	case strings.HasPrefix(low, "a=crypto:"):
		fields := strings.Fields(text)
		return []byte(strings.Join(append(fields[:min(2, len(fields))], "inline:"+hidden), " ") + "\r\n")
	case strings.HasPrefix(low, "a=ice-pwd:"):
		return []byte("a=ice-pwd:" + hidden + "\r\n")
	case strings.HasPrefix(low, "k="), strings.HasPrefix(low, "a=key-mgmt:"), strings.Contains(low, "inline:"):
		return []byte(text[:min(2, len(text))] + hidden + "\r\n")
	}
	return line
}

// suspicious reports a line of SDP that may hold a key and has to be looked at closely: one that is not plain ASCII, that
// does not begin with a letter, or has the first letters of a word that leads to a key.
func suspicious(line []byte) bool {
	if len(line) < 2 || line[1] != '=' || line[0]|0x20 == 'k' {
		return true
	}
	attribute := line[0]|0x20 == 'a'
	for i, c := range line {
		switch {
		case c >= 0x80:
			return true
		case c|0x20 == 'i' && len(line) > i+1 && line[i+1]|0x20 == 'n': // inline:
			return true
		case i == 2 && attribute && (c|0x20 == 'c' || c|0x20 == 'i' || c|0x20 == 'k'): // crypto, ice-pwd, key-mgmt
			return true
		}
	}
	return false
}
