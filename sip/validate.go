package sip

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// Bounds of one message.
const (
	maxMessage = 64 << 10 // bytes, head and body
	maxHead    = 32 << 10
	maxHeaders = 200
)

// allowed is what the Allow header says, and which methods are let through.
const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, UPDATE, PRACK, REFER"

// rawHeader is one header field, its name in lower case and long form, its value with folding undone.
type rawHeader struct{ name, value string }

// rawMessage is the head of a message as the guard sees it: every header field, so that a field that occurs twice is
// seen twice. It is what all decisions about the form of a message are made on, and what sipgo gets to parse.
type rawMessage struct {
	startLine string
	method    string // empty for a response
	uri       string
	version   string
	status    int // of a response
	headers   []rawHeader
	body      []byte
	headLen   int
	untidy    bool   // has to be written anew before sipgo may see it
	broken    string // why the head is not a SIP message's, for a 400
}

// refusal is a stateless answer. Code 0 is silence.
type refusal struct {
	code    int
	reason  string
	headers []string // complete lines
	why     string
}

// scanMessage reads the head of a message. ok is false if this is nothing to which an answer could be made: no start
// line of SIP, or no end of the head.
func scanMessage(data []byte) (m *rawMessage, ok bool) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 || end > maxHead {
		return nil, false
	}
	m = &rawMessage{headLen: end + 4, body: data[end+4:]}
	lines := string(data[:end])
	var rest string
	m.startLine, rest, _ = strings.Cut(lines, "\r\n")
	if !m.scanStartLine() {
		return nil, false
	}
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\r\n")
		m.scanHeader(line)
		if len(m.headers) > maxHeaders {
			m.broken = "too many header fields"
			return m, true
		}
	}
	return m, true
}

func (m *rawMessage) scanStartLine() bool {
	first, rest, _ := strings.Cut(m.startLine, " ")
	if first == "SIP/2.0" {
		code, _, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(code)
		if err != nil || len(code) != 3 || n < 100 || n > 699 {
			return false
		}
		m.status = n
		return true
	}
	i := strings.LastIndex(strings.TrimRight(rest, " \t"), " ")
	if i < 0 || !isTokenText(first) || !strings.HasPrefix(rest[i+1:], "SIP/") {
		return false
	}
	m.method, m.uri, m.version = first, rest[:i], rest[i+1:]
	switch {
	case strings.ContainsAny(m.uri, " \t<>\"") || m.uri == "":
		m.broken = "Request-URI is not a URI"
	case strings.TrimRight(m.version, " \t") != m.version:
		m.broken = "space after the SIP version"
	case hasControl(m.startLine):
		m.broken = "control character in the start line"
	}
	return true
}

func (m *rawMessage) scanHeader(line string) {
	if line == "" {
		return
	}
	if line[0] == ' ' || line[0] == '\t' { // RFC 3261 §7.3.1: folded
		if len(m.headers) == 0 {
			m.broken = "first header line is a continuation"
			return
		}
		last := &m.headers[len(m.headers)-1]
		last.value = strings.TrimSpace(last.value + " " + strings.Trim(line, " \t"))
		m.untidy = true
		return
	}
	name, value, colon := strings.Cut(line, ":")
	trimmed := strings.TrimRight(name, " \t")
	if !colon || !isTokenText(trimmed) {
		m.broken = "header line without a name"
		return
	}
	if trimmed != name {
		m.untidy = true
	}
	if hasControl(value) {
		m.broken = "control character in " + trimmed
	}
	m.headers = append(m.headers, rawHeader{name: longName(trimmed), value: strings.Trim(value, " \t")})
}

// longName gives a header's name in lower case, its compact form written out. RFC 3261 §7.3.3, §20.
func longName(name string) string {
	name = strings.ToLower(name)
	if len(name) != 1 {
		return name
	}
	switch name {
	case "i":
		return "call-id"
	case "m":
		return "contact"
	case "e":
		return "content-encoding"
	case "l":
		return "content-length"
	case "c":
		return "content-type"
	case "f":
		return "from"
	case "s":
		return "subject"
	case "k":
		return "supported"
	case "t":
		return "to"
	case "v":
		return "via"
	}
	return name
}

// isTokenText reports whether s is a token. RFC 3261 §25.1.
func isTokenText(s string) bool {
	for i := range len(s) {
		if !isToken(s[i]) {
			return false
		}
	}
	return s != ""
}

// hasControl reports a control character that is not escaped in a quoted string: one parser's whitespace is another
// one's header.
func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\t' || c == 0x7f) && (i == 0 || s[i-1] != '\\') {
			return true
		}
		if s[i] == '\r' || s[i] == '\n' {
			return true
		}
	}
	return false
}

// get is the first value of a header field, by its long name in lower case.
func (m *rawMessage) get(name string) (string, bool) {
	for _, h := range m.headers {
		if h.name == name {
			return h.value, true
		}
	}
	return "", false
}

// single are the header fields that hold one value and must not occur twice: two parsers that disagree on which one
// counts are a hole.
func single(name string) bool {
	switch name {
	case "to", "from", "call-id", "cseq", "content-length", "max-forwards", "content-type", "expires", "min-expires",
		"retry-after", "date", "event", "refer-to", "session-expires", "min-se":
		return true
	}
	return false
}

// check applies the rules that can be seen in the message alone, in the order in which they are named here. Over a stream
// of bytes Content-Length is the only end that a message has. nil is a good message.
func (m *rawMessage) check(in arrival) *refusal {
	r := m.checkForm(in.stream)
	if r == nil && m.method != "" {
		r = m.checkRequest(in.network == "TLS" || in.network == "WSS")
	}
	if r != nil && (m.method == "" || m.method == "ACK") {
		// A response or an ACK is never answered: two stacks that do can keep each other busy. RFC 3261 §17.1.1.3.
		return &refusal{why: r.why}
	}
	return r
}

func bad(why string) *refusal { return &refusal{code: 400, reason: "Bad Request", why: why} }

func (m *rawMessage) checkForm(stream bool) *refusal {
	if m.broken != "" {
		return bad(m.broken)
	}
	seen := make(map[string]bool, len(m.headers))
	for _, h := range m.headers {
		if seen[h.name] && single(h.name) {
			return bad("two header fields " + h.name)
		}
		seen[h.name] = true
	}
	for _, name := range []string{"via", "from", "to", "call-id", "cseq"} { // RFC 3261 §8.1.1
		if v, ok := m.get(name); !ok || v == "" {
			return bad("no header field " + name)
		}
	}
	for _, name := range []string{"from", "to"} {
		v, _ := m.get(name)
		if why := checkNameAddr(v); why != "" {
			return bad(name + ": " + why)
		}
	}
	return m.checkLength(stream)
}

// checkLength makes body what Content-Length says. RFC 3261 §18.3.
func (m *rawMessage) checkLength(stream bool) *refusal {
	v, ok := m.get("content-length")
	if !ok {
		if stream {
			return bad("no Content-Length on a stream")
		}
		return nil
	}
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil {
		return bad("Content-Length is not a number")
	}
	if n > uint64(len(m.body)) {
		return bad("Content-Length is larger than the message")
	}
	m.body = m.body[:n]
	return nil
}

func (m *rawMessage) checkRequest(secure bool) *refusal {
	if !strings.EqualFold(m.version, "SIP/2.0") {
		return &refusal{code: 505, reason: "Version Not Supported", why: "version " + clip(m.version, 20)}
	}
	v, _ := m.get("cseq")
	number, method := cutSpace(v)
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || n > 1<<31-1 { // RFC 3261 §8.1.1.5
		return bad("CSeq is not a number below 2^31")
	}
	if method != m.method { // RFC 4475 §3.1.2.17
		return bad("CSeq method is not the method of the start line")
	}
	via, _ := m.get("via")
	from, _ := m.get("from")
	if !hasCookie(via) && !strings.Contains(strings.ToLower(from), "tag") {
		return bad("neither a branch nor a From tag to know the transaction by")
	}
	if r := m.checkMethod(); r != nil {
		return r
	}
	if r := checkScheme(m.uri, secure); r != nil {
		return r
	}
	if v, ok := m.get("max-forwards"); ok {
		hops, err := strconv.ParseUint(v, 10, 32)
		if err != nil {
			return bad("Max-Forwards is not a number")
		}
		// We are where the request ends, so 0 would do; but an INVITE that arrives with nothing left has been around
		// in circles, and a ping with Max-Forwards 0 asks for exactly this answer. RFC 3261 §16.3, §11.
		if hops == 0 && m.method != "ACK" && m.method != "CANCEL" && m.method != "BYE" {
			return &refusal{code: 483, reason: "Too Many Hops", why: "Max-Forwards is 0"}
		}
	}
	return m.checkRequire()
}

func (m *rawMessage) checkMethod() *refusal {
	if m.method == "MESSAGE" || slices.Contains(strings.Split(allowed, ", "), m.method) { // see text.go
		return nil
	}
	switch m.method {
	case "SUBSCRIBE", "NOTIFY", "PUBLISH":
		return &refusal{
			code: 405, reason: "Method Not Allowed", headers: []string{"Allow: " + allowed},
			why: "method " + m.method + " is not offered",
		}
	}
	return &refusal{
		code: 501, reason: "Not Implemented", headers: []string{"Allow: " + allowed},
		why: "method " + clip(m.method, 20) + " is unknown",
	}
}

func checkScheme(uri string, secure bool) *refusal {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || rest == "" {
		return bad("Request-URI has no scheme")
	}
	switch strings.ToLower(scheme) {
	case "sip", "tel":
		return nil
	case "sips": // RFC 3261 §8.2.2.1, §26.2.2: it must come over TLS
		if secure {
			return nil
		}
	}
	return &refusal{code: 416, reason: "Unsupported URI Scheme", why: "scheme " + clip(scheme, 20)}
}

// checkRequire refuses what the peer insists on and we do not have. RFC 3261 §8.2.2.3.
func (m *rawMessage) checkRequire() *refusal {
	if m.method == "ACK" || m.method == "CANCEL" {
		return nil
	}
	var lacking []string
	for _, h := range m.headers {
		if h.name != "require" {
			continue
		}
		for tag := range strings.SplitSeq(h.value, ",") {
			tag = strings.TrimSpace(tag)
			if slices.Contains(strings.Split(supported, ", "), strings.ToLower(tag)) {
				continue
			}
			if tag != "" && isTokenText(tag) {
				lacking = append(lacking, tag)
			}
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	list := clip(strings.Join(lacking, ", "), 500)
	return &refusal{code: 420, reason: "Bad Extension", headers: []string{"Unsupported: " + list}, why: "requires " + list}
}

// checkNameAddr refuses a From or To that two parsers could read in two ways.
func checkNameAddr(v string) string {
	tags, quotes, brackets := 0, false, 0
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case quotes && c == '\\':
			i++
		case c == '"':
			quotes = !quotes
		case quotes:
		case c == '<':
			brackets++
		case c == '>':
			brackets--
		case c == ',' && brackets == 0:
			return "more than one address"
		case c == ';' && brackets == 0:
			name, _, _ := strings.Cut(v[i+1:], "=")
			if strings.EqualFold(strings.Trim(name, " \t"), "tag") {
				tags++
			}
		}
	}
	switch {
	case quotes:
		return "a quote is not closed"
	case brackets != 0:
		return "a bracket is not closed"
	case tags > 1:
		return "two tags"
	}
	return ""
}

// hasCookie reports whether the first branch is one that a client of RFC 3261 made: unique.
func hasCookie(via string) bool {
	b := viaParam(firstValue(via), "branch")
	return strings.HasPrefix(b, branchCookie) && len(b) > len(branchCookie)
}

const branchCookie = "z9hG4bK"

// cutSpace splits at the first run of white space.
func cutSpace(s string) (before, after string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.Trim(s[i:], " \t")
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
