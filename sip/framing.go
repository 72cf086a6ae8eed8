package sip

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

var (
	errFraming = errors.New("sip: no message boundary on the stream")
	errTooLong = errors.New("sip: message over 64 KiB")
)

// framer cuts a stream of bytes into messages. The zero value is ready. Feed it by appending to buf.
type framer struct {
	buf    []byte
	lone   bool // the last thing taken was a single CRLF: the half of a ping, or a pong
	pinged bool // what comes is an answer to our ping: two CRLFs in two reads are two pongs
}

// frame is the first whole message of what is there, nil if there is none yet, and how many pings came before it. With
// errFraming, head is what should be answered before the stream is closed. The slices are only valid until take.
func (f *framer) frame() (message []byte, pings int, head []byte, err error) {
	pings = f.keepAlives()
	end := bytes.Index(f.buf, []byte("\r\n\r\n"))
	if end > maxHead || end < 0 && len(f.buf) > maxHead {
		return nil, pings, nil, errTooLong
	}
	if end < 0 {
		return nil, pings, nil, nil
	}
	length, ok := contentLength(f.buf[:end])
	if !ok {
		// RFC 3261 §18.3: without it nobody knows where the next message begins.
		return nil, pings, f.buf[:end+4], errFraming
	}
	size := end + 4 + length
	if size > maxMessage {
		return nil, pings, nil, errTooLong
	}
	if size > len(f.buf) {
		return nil, pings, nil, nil
	}
	return f.buf[:size], pings, nil, nil
}

// keepAlives takes the CRLFs between messages. Two of them are a ping, however the network has cut them; one is a pong.
// RFC 5626 §3.5.1.
func (f *framer) keepAlives() (pings int) {
	for len(f.buf) >= 2 && f.buf[0] == '\r' && f.buf[1] == '\n' {
		f.buf = f.buf[2:]
		if len(f.buf) >= 2 && f.buf[0] == '\r' && f.buf[1] == '\n' {
			f.buf = f.buf[2:]
			pings, f.lone = pings+1, false
			continue
		}
		if f.lone && !f.pinged {
			pings, f.lone = pings+1, false
			continue
		}
		f.lone = true
	}
	return pings
}

// begun reports whether a message has begun and is not whole.
func (f *framer) begun() bool { return len(f.buf) > 1 || len(f.buf) == 1 && f.buf[0] != '\r' }

// take removes a message of n bytes.
func (f *framer) take(n int) {
	f.buf = append(f.buf[:0], f.buf[n:]...)
	f.lone = false
}

// contentLength finds the one Content-Length of a head.
func contentLength(head []byte) (int, bool) {
	found, length := false, 0
	unfolded := strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(string(head)) // RFC 3261 §7.3.1
	for line := range strings.SplitSeq(unfolded, "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || longName(strings.TrimRight(name, " \t")) != "content-length" {
			continue
		}
		n, err := strconv.ParseUint(strings.Trim(value, " \t"), 10, 31)
		if err != nil || found {
			return 0, false
		}
		found, length = true, int(n)
	}
	return length, found
}
