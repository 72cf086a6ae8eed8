package trace

import (
	"bytes"
	"net/netip"
	"strings"
	"time"
)

// Message is a SIP message on the wire. Raw may be reused once Add has returned.
type Message struct {
	At            time.Time
	Sent          bool // by us
	Network       string
	Local, Remote netip.AddrPort
	Raw           []byte
}

// named is what is read of a message to file it and to write it down.
type named struct {
	callID  string
	contact string // X-Ullim-Contact-Id: a leg that we have made
	method  string // of CSeq
	summary string // INVITE (SDP), 200 OK (INVITE, SDP)
	key     string // the same for copies of one message
	first   bool   // an INVITE that makes a dialog
}

// lines gives the header lines of a message, continuation lines joined, until the empty one. It stops at maxHeader lines.
func lines(raw []byte, each func(name, value []byte) bool) (body []byte) {
	const maxHeader = 256
	_, rest, _ := bytes.Cut(raw, []byte("\n"))
	for range maxHeader {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		rest = after
		if len(line) == 0 || !found {
			return rest
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if ok && !each(bytes.TrimSpace(name), bytes.TrimSpace(value)) {
			return nil
		}
	}
	return nil
}

// read names a message; ok is false if it has no Call-ID.
func read(raw []byte) (n named, ok bool) {
	start, _, _ := bytes.Cut(raw, []byte("\n"))
	start = bytes.TrimRight(start, "\r")
	var branch, cseq, kind, toTag string
	var low lowered
	body := lines(raw, func(name, value []byte) bool {
		switch string(low.of(name)) {
		case "call-id", "i":
			n.callID = cut(string(value), 256)
		case "cseq":
			cseq = cut(string(value), 64)
		case "via", "v":
			if branch == "" {
				branch = param(string(value), "branch")
			}
		case "to", "t":
			toTag = param(string(value), "tag")
		case "content-type", "c":
			kind = strings.ToLower(string(value))
		case "x-ullim-contact-id":
			n.contact = cut(string(value), 100)
		}
		return true
	})
	if n.callID == "" {
		return n, false
	}
	_, n.method, _ = strings.Cut(cseq, " ")
	n.method = strings.TrimSpace(n.method)
	sdp := len(body) > 0 && strings.HasPrefix(kind, "application/sdp")
	if status, isAnswer := bytes.CutPrefix(start, []byte("SIP/2.0 ")); isAnswer {
		about := n.method
		if sdp {
			about += ", SDP"
		}
		n.summary = clean(status) + " (" + about + ")"
	} else {
		n.summary = cut(n.method, 32)
		if sdp {
			n.summary += " (SDP)"
		}
		n.first = n.method == "INVITE" && toTag == ""
	}
	n.summary = cut(n.summary, 80)
	n.key = branch + "|" + cseq + "|" + n.summary
	return n, true
}

// lowered is room for the name of a header in lower case: every header of every message is looked at, and none of that
// should be left for the garbage collector.
type lowered [32]byte

// of gives a name in lower case until the next call; nil if it is longer than any that we know.
func (l *lowered) of(name []byte) []byte {
	if len(name) > len(l) {
		return nil
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		l[i] = c
	}
	return l[:len(name)]
}

// param is a parameter of a header value, without regard to quoting: good enough to tell messages apart.
func param(value, name string) string {
	i := indexParam(value, name)
	if i < 0 {
		return ""
	}
	value = value[i+len(name)+2:]
	if end := strings.IndexAny(value, ";,> \t"); end >= 0 {
		value = value[:end]
	}
	return cut(value, 128)
}

// indexParam finds ";name=".
func indexParam(value, name string) int {
	for at := 0; ; {
		i := strings.IndexByte(value[at:], ';')
		if i < 0 {
			return -1
		}
		at += i
		end := at + 1 + len(name)
		if end < len(value) && value[end] == '=' && strings.EqualFold(value[at+1:end], name) {
			return at
		}
		at++
	}
}

// clean makes text from the wire fit for one line.
func clean(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b), "?"))
}

func cut(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}
