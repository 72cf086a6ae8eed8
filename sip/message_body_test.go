package sip

import (
	"testing"

	sipgo "github.com/emiago/sipgo/sip"
)

func TestO09TheDescriptionIsFoundInAMultipartBody(t *testing.T) {
	const plain = "v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 4000 RTP/AVP 0" // line feeds, no last one
	wrapped := "--b\r\nContent-Type: application/isup\r\n\r\n\x01\r\n--b\r\nContent-Type: application/sdp\r\n\r\n" + plain + "\r\n--b--\r\n"
	for name, c := range map[string]struct {
		kind, body, want string
		ok               bool
	}{
		"none":             {"", "", "", true},
		"alone":            {"application/sdp", plain, plain, true},
		"with parameters":  {"Application/SDP; charset=utf-8", plain, plain, true},
		"with others":      {"multipart/mixed;boundary=b", wrapped, plain, true},
		"no type":          {"", plain, "", false},
		"another type":     {"text/plain", plain, "", false},
		"others only":      {"multipart/mixed;boundary=b", "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--", "", false},
		"without boundary": {"multipart/mixed", wrapped, "", false},
	} {
		req := sipgo.NewRequest(sipgo.INVITE, sipgo.Uri{Scheme: "sip", Host: "example.com"})
		req.SetBody([]byte(c.body))
		if c.kind != "" {
			kind := sipgo.ContentTypeHeader(c.kind)
			req.AppendHeader(&kind)
		}
		if got, ok := sdpOf(req); string(got) != c.want || ok != c.ok {
			t.Errorf("%s: %q %v", name, got, ok)
		}
	}
}
