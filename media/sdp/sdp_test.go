package sdp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pion "github.com/pion/sdp/v3"

	"ullim/internal/errs"
)

func us(codecs ...string) Local {
	return Local{ID: 7, Version: 1, Addr: netip.MustParseAddr("198.51.100.1"), Port: 20000, Codecs: codecs}
}

// them is a description with the given lines below the session level; c=, o=, t= are as usual.
func them(lines ...string) string {
	return "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=x\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n" + strings.Join(lines, "\r\n") + "\r\n"
}

func parse(t *testing.T, text string) Description {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return d
}

// answer answers an offer, checks that the answer is well-formed for another parser too, and gives its m- and a-lines.
func answer(t *testing.T, l Local, offer string) (string, Session) {
	t.Helper()
	b, s, err := Answer(l, parse(t, offer))
	if err != nil {
		t.Fatal(err)
	}
	var other pion.SessionDescription
	if err := other.Unmarshal(b); err != nil && !strings.Contains(offer, "m=image") { // it knows no fax
		t.Errorf("another parser refuses the answer: %v\n%s", err, b)
	}
	if strings.Contains(string(b), "0.0.0.0") || !strings.Contains(string(b), "c=IN IP4 198.51.100.1\r\n") {
		t.Errorf("the answer does not announce our address:\n%s", b)
	}
	var kept []string
	for line := range strings.SplitSeq(string(b), "\r\n") {
		if strings.HasPrefix(line, "m=") || strings.HasPrefix(line, "a=") && !strings.HasPrefix(line, "a=ptime") {
			kept = append(kept, line[2:])
		}
	}
	return strings.Join(kept, " | "), s
}

const usual = "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16"

const (
	ulawLine  = "audio 20000 RTP/AVP 0 101 | rtpmap:0 PCMU/8000 | rtpmap:101 telephone-event/8000 | fmtp:101 0-15"
	plainLine = "audio 20000 RTP/AVP 0 | rtpmap:0 PCMU/8000"
)

func TestAnswerMirrorsTheDirection(t *testing.T) { // O3
	for name, c := range map[string]struct {
		session, media, want string
		send, recv           bool
	}{
		"nothing said":              {"", "", "sendrecv", true, true},
		"sendrecv":                  {"", "a=sendrecv", "sendrecv", true, true},
		"hold":                      {"", "a=sendonly", "recvonly", false, true},
		"listen only":               {"", "a=recvonly", "sendonly", true, false},
		"inactive":                  {"", "a=inactive", "inactive", false, false},
		"session level":             {"a=sendonly", "", "recvonly", false, true},
		"media level wins":          {"a=sendonly", "a=sendrecv", "sendrecv", true, true},
		"old hold":                  {"", "c=IN IP4 0.0.0.0", "recvonly", false, true},
		"old hold that is inactive": {"", "c=IN IP4 0.0.0.0\r\na=inactive", "inactive", false, false},
		"nowhere to send":           {"", "c=IN IP4 0.0.0.0\r\na=recvonly", "inactive", false, false},
		"held in IPv6":              {"", "c=IN IP6 ::\r\na=sendonly", "recvonly", false, true},
	} {
		lines := []string{usual}
		if c.session != "" {
			lines = []string{c.session, usual}
		}
		if c.media != "" {
			lines = append(lines, c.media)
		}
		got, s := answer(t, us(), them(lines...))
		if want := ulawLine + " | " + c.want; got != want || s.Send != c.send || s.Recv != c.recv {
			t.Errorf("%s: %s, send %v, recv %v; want %s", name, got, s.Send, s.Recv, want)
		}
	}
}

func TestAnswerPicksACodecOfTheOffer(t *testing.T) { // O4, O5
	for name, c := range map[string]struct {
		local Local
		offer string
		want  string
		codec string
		send  uint8
		event int
	}{
		"their order":           {us(), "m=audio 4 RTP/AVP 8 0", "audio 20000 RTP/AVP 8 | rtpmap:8 PCMA/8000", PCMA, 8, None},
		"our order, if we care": {us(PCMU, PCMA), "m=audio 4 RTP/AVP 8 0", plainLine, PCMU, 0, None},
		"only one of ours":      {us(PCMU), "m=audio 4 RTP/AVP 9 8 0", plainLine, PCMU, 0, None},
		"a dynamic number": {
			us(), "m=audio 4 RTP/AVP 111 96\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:96 pcma/8000/1",
			"audio 20000 RTP/AVP 96 | rtpmap:96 PCMA/8000", PCMA, 96, None,
		},
		"rtpmap before it is needed": {
			us(), "m=audio 4 RTP/AVP 0 100\r\na=rtpmap:100 telephone-event/8000",
			"audio 20000 RTP/AVP 0 100 | rtpmap:0 PCMU/8000 | rtpmap:100 telephone-event/8000 | fmtp:100 0-15", PCMU, 0, 100,
		},
		"events with two clocks": {
			us(), "m=audio 4 RTP/AVP 96 0 127\r\na=rtpmap:96 telephone-event/48000\r\na=rtpmap:127 telephone-event/8000",
			"audio 20000 RTP/AVP 0 127 | rtpmap:0 PCMU/8000 | rtpmap:127 telephone-event/8000 | fmtp:127 0-15", PCMU, 0, 127,
		},
		"static number renamed":  {us(), "m=audio 4 RTP/AVP 0 8\r\na=rtpmap:0 G726-32/8000", "audio 20000 RTP/AVP 8 | rtpmap:8 PCMA/8000", PCMA, 8, None},
		"wideband of the name":   {us(), "m=audio 4 RTP/AVP 97 8\r\na=rtpmap:97 PCMU/16000", "audio 20000 RTP/AVP 8 | rtpmap:8 PCMA/8000", PCMA, 8, None},
		"stereo of the name":     {us(), "m=audio 4 RTP/AVP 97 8\r\na=rtpmap:97 PCMU/8000/2", "audio 20000 RTP/AVP 8 | rtpmap:8 PCMA/8000", PCMA, 8, None},
		"feedback profile, mux":  {us(), "m=audio 4 RTP/AVPF 0\r\na=rtcp-mux", "audio 20000 RTP/AVPF 0 | rtpmap:0 PCMU/8000", PCMU, 0, None},
		"a range of ports":       {us(), "m=audio 4/2 RTP/AVP 0", plainLine, PCMU, 0, None},
		"numbers out of range":   {us(), "m=audio 4 RTP/AVP 300 0 x", plainLine, PCMU, 0, None},
		"old numbers, re-mapped": {us(), "m=audio 4 RTP/AVP 102 99\r\na=rtpmap:102 PCMU/8000\r\na=rtpmap:99 telephone-event/8000", "audio 20000 RTP/AVP 102 99 | rtpmap:102 PCMU/8000 | rtpmap:99 telephone-event/8000 | fmtp:99 0-15", PCMU, 102, 99},
	} {
		got, s := answer(t, c.local, them(c.offer))
		want := c.want + " | sendrecv"
		if s.RTCPMux {
			want += " | rtcp-mux"
		}
		if got != want || s.Codec != c.codec || s.Payload != c.send || s.EventSend != c.event {
			t.Errorf("%s:\n got %s (%+v)\nwant %s", name, got, s, want)
		}
	}
}

func TestAnswerRefusesOtherStreamsInTheirPlace(t *testing.T) { // O8
	offer := them("m=video 5 RTP/AVP 31 32", "m=audio 6 RTP/SAVP 0", usual, "m=image 7 udptl t38", "m=audio 8 RTP/AVP 0")
	got, _ := answer(t, us(), offer)
	want := "video 0 RTP/AVP 31 | audio 0 RTP/SAVP 0 | " + ulawLine + " | sendrecv | image 0 udptl t38 | audio 0 RTP/AVP 0"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAnswerRefusesWhatItCannotTake(t *testing.T) {
	for name, offer := range map[string]string{
		"no stream":        them(),
		"no common codec":  them("m=audio 4 RTP/AVP 9 18"),
		"only encrypted":   them("m=audio 4 RTP/SAVP 0"),
		"audio is off":     them("m=audio 0 RTP/AVP 0"),
		"fax":              them("m=image 4 udptl t38"),
		"only key presses": them("m=audio 4 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"),
	} {
		if _, _, err := Answer(us(), parse(t, offer)); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheirPacketTimeIsObeyed(t *testing.T) { // O7
	for _, c := range []struct {
		lines  string
		ptime  int
		strict bool
	}{
		{"", 20, false},
		{"a=ptime:20", 20, true},
		{"a=ptime:10", 10, true},
		{"a=ptime:30", 30, true},
		{"a=ptime:40", 40, true},
		{"a=ptime:60", 60, true},
		{"a=ptime:25", 20, true},
		{"a=ptime:5", 10, true},
		{"a=ptime:200", 60, true},
		{"a=ptime:0", 20, false},
		{"a=ptime:20.0", 20, true},
		{"a=ptime:much", 20, false},
		{"a=ptime:60\r\na=maxptime:30", 30, true},
		{"a=maxptime:10", 10, true},
		{"a=maxptime:150", 20, false},
		{"a=ptime:99999999999", 20, false},
	} {
		lines := []string{usual}
		if c.lines != "" {
			lines = append(lines, c.lines)
		}
		if _, s := answer(t, us(), them(lines...)); s.Ptime != c.ptime || s.Strict != c.strict {
			t.Errorf("%q: %d ms, strict %v", c.lines, s.Ptime, s.Strict)
		}
	}
}

func TestOddLineEndsAreRead(t *testing.T) { // O9
	text := them(usual, "a=sendonly")
	for name, in := range map[string]string{
		"line feeds":       strings.ReplaceAll(text, "\r\n", "\n"),
		"no last newline":  strings.TrimSuffix(text, "\r\n"),
		"both":             strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"),
		"empty lines last": text + "\r\n\r\n",
	} {
		if got, _ := answer(t, us(), in); !strings.HasSuffix(got, "recvonly") {
			t.Errorf("%s: the last line's direction was lost: %s", name, got)
		}
	}
}

func TestAnswerRepeatsTheTimeOfTheOffer(t *testing.T) {
	offer := strings.Replace(them(usual), "t=0 0", "t=3034423619 3042462419", 1)
	b, _, err := Answer(us(), parse(t, offer))
	if err != nil || !strings.Contains(string(b), "\r\nt=3034423619 3042462419\r\n") {
		t.Errorf("%v\n%s", err, b)
	}
}

func TestOfferIsCompleteAndReadableByOthers(t *testing.T) {
	b := Offer(us())
	want := "v=0\r\no=- 7 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0 8 101\r\n" +
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n" +
		"a=ptime:20\r\na=sendrecv\r\na=rtcp-mux\r\n"
	if d := cmp.Diff(want, string(b)); d != "" {
		t.Error(d)
	}
	var other pion.SessionDescription
	if err := other.Unmarshal(b); err != nil {
		t.Error(err)
	}
	six := us(PCMA)
	six.Addr = netip.MustParseAddr("2001:db8::1")
	if b := string(Offer(six)); !strings.Contains(b, "c=IN IP6 2001:db8::1\r\n") || !strings.Contains(b, "RTP/AVP 8 101\r\n") {
		t.Errorf("IPv6, A-law only:\n%s", b)
	}
}

func TestAcceptSendsWithTheirNumbersAndTakesOurs(t *testing.T) { // O5
	s, err := Accept(us(), parse(t, them("m=audio 4000 RTP/AVP 96 100", "a=rtpmap:96 PCMA/8000", "a=rtpmap:100 telephone-event/8000")))
	if err != nil {
		t.Fatal(err)
	}
	want := Session{
		Codec: PCMA, Remote: netip.MustParseAddrPort("192.0.2.9:4000"), Send: true, Recv: true, Payload: 96, EventSend: 100, Ptime: 20,
		Clock: 8000, RTCP: netip.MustParseAddrPort("192.0.2.9:4001"), EventClock: 8000, NoiseSend: None,
		Receive: []Payload{{0, PCMU, 8000}, {8, PCMA, 8000}, {101, events, 8000}, {96, PCMA, 8000}, {100, events, 8000}},
	}
	s.Memory = Memory{}
	if d := cmp.Diff(want, s, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

func TestAcceptRefusesAnAnswerThatTakesNothing(t *testing.T) {
	for name, text := range map[string]string{
		"refused":        them("m=audio 0 RTP/AVP 0"),
		"other codec":    them("m=audio 4 RTP/AVP 18"),
		"nothing at all": them(),
	} {
		if _, err := Accept(us(), parse(t, text)); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Accept(us(PCMA), parse(t, them("m=audio 4 RTP/AVP 0"))); !errs.Is(err, errs.Invalid) {
		t.Errorf("a codec that was not offered was accepted: %v", err)
	}
}

func TestANameInsteadOfAnAddressIsLearnedLater(t *testing.T) {
	_, s := answer(t, us(), strings.Replace(them(usual), "c=IN IP4 192.0.2.9", "c=IN IP4 phone.example", 1))
	if s.Remote.Addr().IsValid() || !s.Send {
		t.Errorf("%+v", s)
	}
}

func TestParseRefusesWhatIsMadeToHurt(t *testing.T) { // threats row 2
	for name, text := range map[string]string{
		"nothing":           "",
		"no version":        "o=- 1 1 IN IP4 192.0.2.9\r\n",
		"too large":         them(strings.Repeat("a=x:"+strings.Repeat("y", 1000)+"\r\n", 40)),
		"too many lines":    them(strings.Repeat("a=x\r\n", 1100)),
		"a very long line":  them("a=x:" + strings.Repeat("y", 5000)),
		"1000 m-lines":      them(strings.Repeat("m=audio 1 RTP/AVP 0\r\n", 900)),
		"1000 formats":      them("m=audio 1 RTP/AVP" + strings.Repeat(" 0", 1000)),
		"payload 2^32":      them("m=audio 1 RTP/AVP 0", "a=rtpmap:4294967296 PCMU/8000"),
		"payload below 0":   them("m=audio 1 RTP/AVP 0", "a=rtpmap:-1 PCMU/8000"),
		"rtpmap of nothing": them("m=audio 1 RTP/AVP 0", "a=rtpmap:96"),
		"clock 2^40":        them("m=audio 1 RTP/AVP 0", fmt.Sprintf("a=rtpmap:96 PCMU/%d", 1<<40)),
		"port 70000":        them("m=audio 70000 RTP/AVP 0"),
		"m-line cut off":    them("m=audio 4000"),
		"no line":           them("audio"),
		"lone returns":      them("a=x\ry"),
		"no token":          them("m=aud\x01io 4000 RTP/AVP 0"),
	} {
		if _, err := Parse([]byte(text)); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(them(usual)))
	f.Add([]byte(them("m=video 5 RTP/AVP 31", "m=audio 4/2 RTP/AVPF 96 127 0", "a=rtpmap:96 pcma/8000", "a=ptime:30", "c=IN IP6 ::1")))
	f.Add([]byte("v=0\nm=audio 1 RTP/AVP 8\na=inactive"))
	f.Add([]byte(them("m=audio 4 RTP/SAVP 0 111", "a=rtpmap:111 opus/48000/2", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4")))
	f.Add([]byte(them("a=group:BUNDLE 0", fingerprint, "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx", "m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0", "a=setup:actpass", "a=rtcp:9")))
	ours := []Local{us(), with(us(PCMU, PCMA, G722, Opus), OptionalSRTP), with(us(Opus, PCMU), RequireDTLS), with(us(), Browser)}
	f.Fuzz(func(t *testing.T, in []byte) {
		offer, err := Parse(in)
		if err != nil {
			return
		}
		for _, l := range ours {
			_, _ = Accept(l, offer)
			fuzzAnswer(t, l, offer)
		}
	})
}

func fuzzAnswer(t *testing.T, l Local, offer Description) {
	t.Helper()
	b, s, err := Answer(l, offer)
	if err != nil {
		return
	}
	text, err := Parse(b)
	if err != nil {
		t.Fatalf("our own answer cannot be read: %v\n%q", err, b)
	}
	if len(text.Media) != len(offer.Media) {
		t.Fatalf("%d m-lines answered with %d", len(offer.Media), len(text.Media))
	}
	if s.Ptime < 10 || s.Ptime > 60 || s.Ptime%10 != 0 || s.Codec == "" || s.Payload > 127 {
		t.Fatalf("%+v", s)
	}
	if l.Policy.requires() && s.Protection.By == Plain {
		t.Fatalf("%q was answered in the clear", l.Policy)
	}
	if s.Protection.By == SDES && !strings.Contains(string(b), s.Protection.Send.Inline()) || s.Protection.By == DTLS && !strings.Contains(string(b), "a=fingerprint:") {
		t.Fatalf("an answer without what protects it:\n%s", b)
	}
	l = l.After(s)
	again, _, err := Answer(l, offer)
	if err != nil || string(again) != string(b) {
		t.Fatalf("an identical offer got another answer: %v\n%q\n%q", err, b, again)
	}
	later := Offer(l)
	d, err := Parse(later)
	if err != nil || len(d.Media) != len(offer.Media) {
		t.Fatalf("our own later offer: %v\n%q", err, later)
	}
}

func TestAVersionIsAddedToWhatWasWrittenWithoutOne(t *testing.T) {
	for _, id := range []uint64{0, 7, 1 << 62} {
		for _, version := range []uint64{0, 1, 9, 12345} {
			l := Local{ID: id, Addr: netip.MustParseAddr("192.0.2.7"), Port: 4000}
			bare := Offer(l)
			l.Version = version
			if got, want := string(WithVersion(bare, l)), string(Offer(l)); got != want {
				t.Errorf("%d: %s\nwant %s", version, got, want)
			}
		}
	}
	if got := string(WithVersion([]byte("v=0\r\n"), Local{ID: 1, Version: 2})); got != "v=0\r\n" {
		t.Errorf("%q", got)
	}
}
