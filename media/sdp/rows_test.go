package sdp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/media/srtp"
)

// secrets are ours for a test: different ones for each n.
func secrets(n int) Secrets {
	s := Secrets{
		Fingerprint: Fingerprint{"sha-256", strings.TrimSuffix(strings.Repeat(fmt.Sprintf("%02X:", n), 32), ":")},
		Ufrag:       fmt.Sprintf("ours%d", n), Pwd: fmt.Sprintf("our-password-of-22-ch%02d", n),
	}
	for _, suite := range srtp.Suites() {
		s.Keys = append(s.Keys, srtp.NewKey(suite))
	}
	return s
}

func with(l Local, p Policy) Local {
	l.Policy, l.Secrets, l.Next = p, secrets(1), secrets(2)
	return l
}

func theirKey() string {
	k := srtp.NewKey(srtp.AES_CM_128_HMAC_SHA1_80)
	return "AES_CM_128_HMAC_SHA1_80 inline:" + k.Inline()
}

// mustAnswer gives text and session.
func mustAnswer(t *testing.T, l Local, offer string) (string, Session) {
	t.Helper()
	b, s, err := Answer(l, parse(t, offer))
	if err != nil {
		t.Fatal(err)
	}
	return string(b), s
}

// lines are the lines of a text that begin with one of the given words.
func lines(text string, words ...string) string {
	var kept []string
	for line := range strings.SplitSeq(text, "\r\n") {
		for _, w := range words {
			if strings.HasPrefix(line, w) {
				kept = append(kept, line)
			}
		}
	}
	return strings.Join(kept, " | ")
}

func has(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w+"\r\n") {
			t.Errorf("no line %q in\n%s", w, text)
		}
	}
}

const fingerprint = "a=fingerprint:SHA-256 ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab"

func TestO01OurOfferNamesEveryCodecWithItsClockAndItsKeys(t *testing.T) {
	l := us(Opus, G722, PCMU, PCMA)
	l.Noise = true
	text := string(Offer(l))
	has(t, text, "m=audio 20000 RTP/AVP 111 9 0 8 13 101 110", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1",
		"a=rtpmap:9 G722/8000", "a=rtpmap:13 CN/8000", "a=rtpmap:101 telephone-event/8000", "a=rtpmap:110 telephone-event/48000",
		"a=fmtp:110 0-15", "a=sendrecv")
	// The answer is read from the ACK, as any answer.
	s, err := Accept(l, parse(t, them("m=audio 5 RTP/AVP 111 110", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 stereo=1", "a=rtpmap:110 telephone-event/48000")))
	if err != nil || s.Codec != Opus || s.Clock != 48000 || s.EventSend != 110 || s.EventClock != 48000 || s.Format != "stereo=1" {
		t.Errorf("%+v %v", s, err)
	}
}

func TestO02ALaterOfferIsCompleteAndProtectedAsTheFirst(t *testing.T) { // R32
	for name, c := range map[string]struct {
		offer []string
		want  []string
	}{
		"plain": {[]string{"m=audio 4 RTP/AVP 8"}, []string{"m=audio 20000 RTP/AVP 0 8 101"}},
		"SDES": {
			[]string{"m=audio 4 RTP/SAVP 8", "a=crypto:3 " + theirKey()},
			[]string{"m=audio 20000 RTP/SAVP 0 8 101"},
		},
		"SDES in RTP/AVP": {
			[]string{"m=audio 4 RTP/AVP 8", "a=crypto:3 " + theirKey()},
			[]string{"m=audio 20000 RTP/AVP 0 8 101"},
		},
		"DTLS": {
			[]string{"m=audio 4 UDP/TLS/RTP/SAVPF 8", fingerprint, "a=setup:actpass", "a=mid:au"},
			[]string{"m=audio 20000 UDP/TLS/RTP/SAVPF 0 8 101", "a=mid:au", "a=setup:actpass"},
		},
	} {
		l := with(us(), PlainPolicy)
		text, s := mustAnswer(t, l, them(c.offer...))
		l = l.After(s)
		later := string(Offer(l))
		has(t, later, append(c.want, "a=sendrecv", "c=IN IP4 198.51.100.1")...)
		if first, again := lines(text, "a=crypto"), lines(later, "a=crypto"); s.Protection.By == SDES {
			_, key, _ := strings.Cut(first, " ")
			if key == "" || !strings.HasPrefix(again, "a=crypto:1 "+key) {
				t.Errorf("%s: the key changed\n%s\n%s", name, first, again)
			}
		}
		if plain := them("m=audio 4 RTP/AVP 8"); s.Protection.By != Plain {
			if _, err := Accept(l, parse(t, plain)); !errs.Is(err, errs.Invalid) {
				t.Errorf("%s: an unprotected answer: %v", name, err)
			}
		}
	}
}

func TestO03HoldFromBothSidesIsAnsweredTruthfully(t *testing.T) {
	for _, c := range []struct {
		ours       Direction
		theirs     string
		want       string
		send, recv bool
	}{
		{SendRecv, "a=sendrecv", "a=sendrecv", true, true},
		{SendRecv, "a=sendonly", "a=recvonly", false, true},
		{SendRecv, "a=recvonly", "a=sendonly", true, false},
		{SendRecv, "a=inactive", "a=inactive", false, false},
		{SendOnly, "a=sendrecv", "a=sendonly", true, false},
		{SendOnly, "a=sendonly", "a=inactive", false, false}, // both hold
		{SendOnly, "a=recvonly", "a=sendonly", true, false},
		{SendOnly, "a=inactive", "a=inactive", false, false},
		{SendOnly, "c=IN IP4 0.0.0.0", "a=inactive", false, false},
		{SendRecv, "c=IN IP4 0.0.0.0", "a=recvonly", false, true},
		{RecvOnly, "a=sendrecv", "a=recvonly", false, true},
		{RecvOnly, "a=recvonly", "a=inactive", false, false}, // never more than asked
		{Inactive, "a=sendrecv", "a=inactive", false, false},
	} {
		l := us()
		l.Direction = c.ours
		text, s := mustAnswer(t, l, them(usual, c.theirs))
		if got := lines(text, "a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"); got != c.want || s.Send != c.send || s.Recv != c.recv {
			t.Errorf("%v, %s: %s, send %v, recv %v", c.ours, c.theirs, got, s.Send, s.Recv)
		}
		has(t, string(Offer(l)), "a="+c.ours.String())
		n, err := Accept(l, parse(t, them(usual, c.theirs)))
		if err != nil || n.Send != c.send || n.Recv != c.recv {
			t.Errorf("as an answer to %v, %s: send %v, recv %v (%v)", c.ours, c.theirs, n.Send, n.Recv, err)
		}
	}
}

func TestO04AReofferWithoutTheCodecInUseSwitchesOrIsRefused(t *testing.T) {
	l := us(PCMU, PCMA, G722)
	_, s := mustAnswer(t, l, them("m=audio 4 RTP/AVP 0"))
	l = l.After(s)
	if _, s = mustAnswer(t, l, them("m=audio 4 RTP/AVP 9 8")); s.Codec != PCMA { // our order
		t.Errorf("switched to %s", s.Codec)
	}
	before := fmt.Sprintf("%+v", l.Memory)
	if _, _, err := Answer(l, parse(t, them("m=audio 4 RTP/AVP 18 4"))); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "no codec in common with PCMU, PCMA, G722") {
		t.Errorf("%v", err)
	}
	if fmt.Sprintf("%+v", l.Memory) != before {
		t.Error("a refused offer changed what was agreed")
	}
	l.Theirs = true
	if _, s = mustAnswer(t, l, them("m=audio 4 RTP/AVP 9 8")); s.Codec != G722 || s.Clock != 8000 { // their order; RFC 3551 §4.5.2
		t.Errorf("switched to %s", s.Codec)
	}
}

func TestO05NumbersKeepTheirMeaningAndAreTheirsOneWayAndOursTheOther(t *testing.T) {
	l := us(Opus, PCMU)
	answer := them("m=audio 4 RTP/AVP 96 97", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 telephone-event/48000")
	s, err := Accept(l, parse(t, answer))
	if err != nil || s.Payload != 96 || s.EventSend != 97 {
		t.Fatalf("%+v %v", s, err)
	}
	meaning := map[uint8]string{}
	for _, p := range s.Receive {
		meaning[p.Number] = fmt.Sprint(p.Codec, p.Clock)
	}
	for number, want := range map[uint8]string{111: "opus48000", 110: "telephone-event48000", 101: "telephone-event8000", 96: "opus48000"} {
		if meaning[number] != want {
			t.Errorf("%d is %q, want %q", number, meaning[number], want)
		}
	}
	l = l.After(s)
	has(t, string(Offer(l)), "m=audio 20000 RTP/AVP 111 0 101 110") // as in our first
	// They swap numbers, and 111 gets a meaning of theirs: ours must go elsewhere, and stay there.
	_, s = mustAnswer(t, l, them("m=audio 4 RTP/AVP 100 99 111", "a=rtpmap:100 opus/48000/2", "a=rtpmap:99 telephone-event/48000", "a=rtpmap:111 speex/16000"))
	if s.Payload != 100 || s.EventSend != 99 {
		t.Errorf("%+v", s)
	}
	l = l.After(s)
	has(t, string(Offer(l)), "m=audio 20000 RTP/AVP 100 0 101 99")
	// Nothing of ours is at a number that they use for something else.
	_, s = mustAnswer(t, us(PCMU, Opus), them("m=audio 4 RTP/AVP 0 111 101 110", "a=rtpmap:111 speex/16000", "a=rtpmap:101 speex/8000", "a=rtpmap:110 speex/32000"))
	l = us(PCMU, Opus).After(s)
	has(t, string(Offer(l)), "m=audio 20000 RTP/AVP 0 127 126 125")
}

func TestO06ALaterAnswerToTheSameOfferTakesItsPlace(t *testing.T) {
	l := with(us(), RequireSDES)
	first, second := them("m=audio 4 RTP/SAVP 0 101", "a=rtpmap:101 telephone-event/8000", "a=crypto:2 "+theirKey()),
		them("m=audio 9 RTP/SAVP 8", "a=crypto:2 "+theirKey())
	s, err := Accept(l, parse(t, first))
	if err != nil {
		t.Fatal(err)
	}
	before := s.Protection
	l = l.After(s)
	offer := string(Offer(l))
	s, err = Accept(l, parse(t, second))
	if err != nil || s.Codec != PCMA || s.Remote.Port() != 9 || s.Protection.Recv.Equal(before.Recv) || !s.Protection.Send.Equal(before.Send) {
		t.Errorf("%+v %v", s, err)
	}
	if again := string(Offer(l.After(s))); again != offer {
		t.Errorf("our offer changed\n%s\n%s", offer, again)
	}
}

func TestO07PacketTimes(t *testing.T) {
	for _, c := range []struct {
		lines  string
		ptime  int
		strict bool
		max    int
	}{
		{"a=ptime:10", 10, true, 0},
		{"a=ptime:30\r\na=maxptime:60", 30, true, 60},
		{"a=ptime:40", 40, true, 0},
		{"a=ptime:60", 60, true, 0},
		{"a=ptime:35", 30, true, 0},
		{"a=maxptime:10", 10, true, 10},
		{"a=maxptime:240", 20, false, 240},
		{"a=ptime:100", 60, true, 0},
	} {
		if _, s := mustAnswer(t, us(), them(usual, c.lines)); s.Ptime != c.ptime || s.Strict != c.strict || s.MaxPtime != c.max {
			t.Errorf("%q: %+v", c.lines, s)
		}
	}
}

func TestO08TheBestAudioIsTakenByPolicyAndLaterOffersKeepTheOrder(t *testing.T) {
	key := "a=crypto:1 " + theirKey()
	offer := them("m=video 5 RTP/AVP 31 32", "a=mid:v", "m=audio 6 RTP/AVP 0", "a=mid:a1", "m=image 7 udptl t38", "m=audio 8 RTP/SAVP 0", key, "a=mid:a2")
	for policy, want := range map[Policy][2]string{ // the answer, and our own offer later: the number of m-lines never shrinks
		PlainPolicy: {
			"m=video 0 RTP/AVP 31 | m=audio 20000 RTP/AVP 0 | m=image 0 udptl t38 | m=audio 0 RTP/SAVP 0",
			"m=video 0 RTP/AVP 31 | m=audio 20000 RTP/AVP 0 8 101 | m=image 0 udptl t38 | m=audio 0 RTP/SAVP 0",
		},
		OptionalSRTP: {
			"m=video 0 RTP/AVP 31 | m=audio 0 RTP/AVP 0 | m=image 0 udptl t38 | m=audio 20000 RTP/SAVP 0",
			"m=video 0 RTP/AVP 31 | m=audio 0 RTP/AVP 0 | m=image 0 udptl t38 | m=audio 20000 RTP/SAVP 0 8 101",
		},
		RequireSDES: {
			"m=video 0 RTP/AVP 31 | m=audio 0 RTP/AVP 0 | m=image 0 udptl t38 | m=audio 20000 RTP/SAVP 0",
			"m=video 0 RTP/AVP 31 | m=audio 0 RTP/AVP 0 | m=image 0 udptl t38 | m=audio 20000 RTP/SAVP 0 8 101",
		},
	} {
		l := with(us(), policy)
		text, s := mustAnswer(t, l, offer)
		later := string(Offer(l.After(s)))
		if d := cmp.Diff(want, [2]string{lines(text, "m="), lines(later, "m=")}); d != "" {
			t.Errorf("%q: %s", policy, d)
		}
		has(t, later, "a=mid:v", "a=mid:a1", "a=mid:a2")
		again, _ := mustAnswer(t, l.After(s), offer) // the stream that is in use stays
		if again != text {
			t.Errorf("%q: an identical re-offer got another answer\n%s\n%s", policy, text, again)
		}
	}
}

func TestO09BodiesAreFoundInWhateverTheyComeWrapped(t *testing.T) {
	offer := strings.TrimSuffix(strings.ReplaceAll(them(usual), "\r\n", "\n"), "\n")
	multipart := func(end string, parts ...string) []byte {
		return []byte("preamble" + end + "--xyz" + end + strings.Join(parts, end+"--xyz"+end) + end + "--xyz--" + end)
	}
	part := func(end, kind, text string) string { return "Content-Type: " + kind + end + end + text }
	for name, c := range map[string]struct {
		kind string
		body []byte
	}{
		"alone":        {"application/sdp", []byte(offer)},
		"odd case":     {"Application/SDP;charset=utf-8", []byte(offer)},
		"second":       {`multipart/mixed;boundary="xyz"`, multipart("\r\n", part("\r\n", "application/isup", "\x01\x02"), part("\r\n", "application/sdp", offer))},
		"line feeds":   {"multipart/mixed; boundary=xyz", multipart("\n", part("\n", "application/sdp", offer))},
		"in another":   {"multipart/mixed; boundary=abc", []byte("--abc\r\nContent-Type: multipart/alternative; boundary=xyz\r\n\r\n" + string(multipart("\r\n", part("\r\n", "application/sdp", offer))) + "\r\n--abc--")},
		"with a label": {"multipart/mixed; boundary=xyz", multipart("\r\n", "\r\nplain", "Content-Disposition: session\r\n"+part("\r\n", "application/sdp", offer))},
	} {
		b, err := Extract(c.kind, c.body)
		if err != nil || !bytes.Equal(bytes.TrimSpace(b), []byte(offer)) {
			t.Errorf("%s: %v %q", name, err, b)
			continue
		}
		if _, err := Parse(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for kind, body := range map[string]string{"text/plain": "hello", "application/sdp": "", "multipart/mixed; boundary=xyz": "--xyz\r\nContent-Type: text/plain\r\n\r\nx\r\n--xyz--"} {
		if b, err := Extract(kind, []byte(body)); b != nil || err != nil {
			t.Errorf("%s: %q %v", kind, b, err)
		}
	}
}

func TestT03BodiesMadeToHurtAreRefused(t *testing.T) { // threats row 3
	deep := "application/sdp"
	body := "v=0"
	for i := range 5 {
		body = fmt.Sprintf("--b%d\r\nContent-Type: %s\r\n\r\n%s\r\n--b%d--", i, deep, body, i)
		deep = fmt.Sprintf("multipart/mixed; boundary=b%d", i)
	}
	for name, c := range map[string]struct{ kind, body string }{
		"too deep":       {deep, body},
		"many parts":     {"multipart/mixed; boundary=x", strings.Repeat("--x\r\nContent-Type: text/plain\r\n\r\ny\r\n", 500) + "--x--"},
		"no boundary":    {"multipart/mixed", "--x"},
		"long boundary":  {"multipart/mixed; boundary=" + strings.Repeat("x", 100), "--x"},
		"never ends":     {"multipart/mixed; boundary=x", "--x\r\nContent-Type: application/sdp\r\n\r\nv=0"},
		"very large":     {"application/sdp", strings.Repeat("x", 1<<20)},
		"no type at all": {"", "v=0"},
	} {
		if b, err := Extract(c.kind, []byte(c.body)); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %.20q %v", name, b, err)
		}
	}
}

func TestTheVersionOfIdenticalAnswersIsTheCallersBecauseTheTextIsTheSame(t *testing.T) {
	for name, offer := range map[string]string{
		"plain": them(usual),
		"SDES":  them("m=audio 4 RTP/SAVP 0", "a=crypto:1 "+theirKey()),
		"DTLS":  them("m=audio 4 UDP/TLS/RTP/SAVP 0", fingerprint, "a=setup:actpass"),
		"browser": them("m=audio 9 UDP/TLS/RTP/SAVPF 0", fingerprint, "a=setup:actpass", "a=ice-ufrag:abcd",
			"a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=rtcp-mux"),
	} {
		l := with(us(), PlainPolicy)
		first, s := mustAnswer(t, l, offer)
		l = l.After(s)
		l.Next = secrets(3)
		if again, _ := mustAnswer(t, l, offer); again != first {
			t.Errorf("%s:\n%s\n%s", name, first, again)
		}
	}
}
