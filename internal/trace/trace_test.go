package trace

import (
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/errs"
)

var (
	local    = netip.MustParseAddrPort("10.0.0.1:5060")
	customer = netip.MustParseAddrPort("192.0.2.7:5060")
	agent    = netip.MustParseAddrPort("10.0.0.9:5062")
	start    = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
)

func text(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n")) }

func invite(callID, extra string) []byte {
	return text("INVITE sip:+8225551234@10.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK"+callID, "From: <sip:a@b>;tag=1",
		"To: <sip:c@d>", "Call-ID: "+callID, "CSeq: 1 INVITE", extra+"Content-Type: application/sdp", "Content-Length: 99", "",
		"v=0", "m=audio 4000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRETKEY", "a=ice-pwd:SECRETPWD", "")
}

func answer(callID, status string) []byte {
	return text("SIP/2.0 "+status, "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK"+callID, "To: <sip:c@d>;tag=2", "i: "+callID, "CSeq: 1 INVITE", "", "")
}

// aCall is a call of two legs as it would be seen.
func aCall(r *Recorder) {
	add := func(ms int, sent bool, remote netip.AddrPort, raw []byte) {
		r.Add(Message{At: start.Add(time.Duration(ms) * time.Millisecond), Sent: sent, Network: "UDP", Local: local, Remote: remote, Raw: raw})
	}
	add(0, false, customer, invite("a", ""))
	r.Bind("a", "contact-1")
	add(2, true, customer, answer("a", "200 OK"))
	add(502, true, customer, answer("a", "200 OK"))
	r.Note("contact-1", Fact{At: start.Add(600 * time.Millisecond), Peer: "customer", Text: "PCMU 20 ms with 192.0.2.7:4000"})
	add(1000, true, agent, invite("b", "X-Ullim-Contact-Id: contact-1\r\n"))
	add(1900, false, agent, answer("b", "486 Busy Here"))
}

func TestBothLegsOfACallAreOneTraceAndCopiesAreMarked(t *testing.T) {
	r := New(Options{})
	aCall(r)
	got, err := r.Contact("contact-1")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Dialogs) != 2 || len(got.Entries) != 5 || len(got.Facts) != 1 {
		t.Fatalf("%d dialogs, %d entries, %d facts", len(got.Dialogs), len(got.Entries), len(got.Facts))
	}
	want := []string{"INVITE (SDP)", "200 OK (INVITE)", "200 OK (INVITE)", "INVITE (SDP)", "486 Busy Here (INVITE)"}
	for i, e := range got.Entries {
		if e.Summary != want[i] || e.Repeated != (i == 2) {
			t.Errorf("entry %d: %q, repeated %v", i, e.Summary, e.Repeated)
		}
	}
	if r.ContactOf("b") != "contact-1" {
		t.Error("the agent's leg has not found its contact")
	}
}

func TestLadderShowsCallersLeftAndCalledRight(t *testing.T) {
	r := New(Options{})
	aCall(r)
	got, _ := r.Contact("contact-1")
	const want = `contact contact-1

  seconds  192.0.2.7:5060                ullim                         10.0.0.9:5062
    0.000  |-- INVITE (SDP) ------------>|                             |
    0.002  |<- 200 OK (INVITE) ----------|                             |
    0.502  |<- 200 OK (INVITE) again ----|                             |
    0.600                                * customer: PCMU 20 ms with 192.0.2.7:4000
    1.000  |                             |-- INVITE (SDP) ------------>|
    1.900  |                             |<- 486 Busy Here (INVITE) ---|
`
	lines := strings.Split(got.Text(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	if text := strings.Join(lines, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestSVGIsWellFormedWhateverTheWireSays(t *testing.T) {
	r := New(Options{})
	aCall(r)
	evil := answer("a", `200 <script>alert(1)</script>&"'`)
	r.Add(Message{At: start, Local: local, Remote: customer, Raw: evil})
	got, _ := r.Contact("contact-1")
	svg := got.SVG()
	if strings.Contains(svg, "<script") {
		t.Error("what came from the wire is in the picture as it was")
	}
	for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSecretsAreNeverKept(t *testing.T) {
	raw := text("REGISTER sip:x SIP/2.0", "Call-ID: a",
		`Authorization: Digest username="bob", realm="r", nonce="SECRETNONCE", response="SECRETRESPONSE", cnonce="SECRETC"`,
		`Proxy-Authorization : Digest response="SECRET",`, ` username="bob", nonce="SECRETFOLDED"`, "", "")
	info := text("INFO sip:x SIP/2.0", "Call-ID: a", "Content-Type: application/dtmf-relay", "", "Signal=7", "Duration=160", "")
	message := text("MESSAGE sip:x SIP/2.0", "Call-ID: a", "c: text/plain", "", "SECRET text")
	for name, m := range map[string][]byte{"credentials": raw, "keys": info, "texts": message, "sdp": invite("a", "")} {
		got := string(Redact(m, 4096))
		if strings.Contains(got, "SECRET") || strings.Contains(got, "Signal") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
	if got := string(Redact(raw, 4096)); !strings.Contains(got, `username="bob"`) || !strings.Contains(got, `realm="r"`) {
		t.Errorf("who it was is gone, too:\n%s", got)
	}
	if got := Redact(invite("a", strings.Repeat("X: y\r\n", 2000)), 1000); len(got) > 1010 {
		t.Errorf("%d bytes are kept of a long message", len(got))
	}
}

func FuzzRedact(f *testing.F) {
	f.Add(invite("a", ""))
	f.Add([]byte("a\n\nb"))
	f.Add([]byte("x: y\n z\n\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		if got := Redact(raw, 4096); len(got) > 4096+16 {
			t.Errorf("%d bytes", len(got))
		}
		_, _ = read(raw)
		line := append([]byte("INVITE x SIP/2.0\r\nCall-ID: q\r\nCSeq: 1 INVITE\r\n\r\n"), raw...)
		if got := Redact(append(line, "\r\na=crypto:1 X inline:TOPSECRET\r\n"...), 1<<17); strings.Contains(string(got), "TOPSECRET") {
			t.Errorf("a key is kept: %q", got)
		}
	})
}

func TestRingKeepsTheBeginningAndTheEnd(t *testing.T) {
	r := New(Options{Messages: 8})
	r.Add(Message{Remote: customer, Raw: invite("a", "")})
	r.Bind("a", "c")
	for i := range 100 {
		r.Add(Message{At: start.Add(time.Duration(i) * time.Second), Remote: customer, Raw: answer("a", fmt.Sprintf("18%d Ringing %d", i%10, i))})
	}
	got, err := r.Contact("c")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Entries) != 8 || got.Dialogs[0].Skipped != 93 {
		t.Fatalf("%d entries, %d skipped", len(got.Entries), got.Dialogs[0].Skipped)
	}
	if got.Entries[0].Summary != "INVITE (SDP)" || got.Entries[7].Summary != "189 Ringing 99 (INVITE)" {
		t.Errorf("from %q to %q", got.Entries[0].Summary, got.Entries[7].Summary)
	}
}

func TestStrangersCannotPushOutContacts(t *testing.T) {
	r := New(Options{Memory: 1 << 20})
	aCall(r)
	for i := range 20_000 {
		r.Add(Message{Remote: customer, Raw: invite(fmt.Sprint("stranger", i), "")})
	}
	if _, err := r.Contact("contact-1"); err != nil {
		t.Error(err)
	}
	if s := r.Stats(); s.Bytes > 1<<20+8192 || s.Forgotten == 0 {
		t.Errorf("%+v", s)
	}
	for i := range 20_000 {
		id := fmt.Sprint("call", i)
		r.Add(Message{Remote: customer, Raw: invite(id, "")})
		r.Bind(id, "contact-"+id)
	}
	if _, err := r.Contact("contact-1"); !errs.Is(err, errs.NotFound) {
		t.Errorf("the oldest contact is still kept: %v", err)
	}
	if s := r.Stats(); s.Bytes > 1<<20+8192 || len(r.contacts) > s.Dialogs {
		t.Errorf("%+v, %d contacts", s, len(r.contacts))
	}
}

func TestMessagesOutsideCallsAreNotKept(t *testing.T) {
	r := New(Options{})
	r.Add(Message{Raw: text("OPTIONS sip:x SIP/2.0", "Call-ID: o", "CSeq: 1 OPTIONS", "", "")})
	r.Add(Message{Raw: text("SIP/2.0 200 OK", "CSeq: 1 INVITE", "", "")})
	r.Add(Message{})
	var none *Recorder
	none.Add(Message{Raw: invite("a", "")})
	none.Bind("a", "c")
	none.Note("c", Fact{})
	if s := r.Stats(); s.Dialogs != 0 {
		t.Errorf("%+v", s)
	}
}

func TestHEPIsWhatTheProtocolSays(t *testing.T) {
	m := Message{At: start.Add(1500 * time.Microsecond), Sent: true, Network: "UDP", Local: local, Remote: customer}
	b := HEP(m, []byte("payload"), 2001, "key", "contact-1")
	if string(b[:4]) != "HEP3" || int(binary.BigEndian.Uint16(b[4:])) != len(b) {
		t.Fatalf("% x", b[:6])
	}
	got := map[uint16]string{}
	for p := b[6:]; len(p) > 0; {
		size := binary.BigEndian.Uint16(p[4:])
		got[binary.BigEndian.Uint16(p[2:])] = string(p[6:size])
		p = p[size:]
	}
	for kind, want := range map[uint16]string{
		hepFamily: "\x02", hepProtocol: "\x11", hepSource4: "\x0a\x00\x00\x01", hepTarget4: "\xc0\x00\x02\x07",
		hepSourcePort: "\x13\xc4", hepTargetPort: "\x13\xc4", hepMicros: "\x00\x00\x05\xdc", hepKind: "\x01",
		hepAgent: "\x00\x00\x07\xd1", hepKey: "key", hepPayload: "payload", hepCorrelation: "contact-1",
	} {
		if got[kind] != want {
			t.Errorf("chunk %#x: %q, want %q", kind, got[kind], want)
		}
	}
	six := HEP(Message{At: start, Network: "TLS", Local: netip.MustParseAddrPort("[2001:db8::1]:5061"), Remote: customer}, nil, 1, "", "")
	if !strings.Contains(string(six), "\x00\x00\x00\x01\x00\x07\x0a") {
		t.Error("no family IPv6 for mixed addresses")
	}
}

func TestExporterSendsWithTheContactThatWasFoundMeanwhile(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	r := New(Options{})
	x, err := NewExporter(ExporterOptions{Address: conn.LocalAddr().String(), Agent: 7, Correlate: r.ContactOf, Hold: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	m := Message{At: time.Now(), Network: "UDP", Local: local, Remote: customer, Raw: invite("a", "")}
	r.Add(m)
	x.Add(m)
	r.Bind("a", "contact-1") // admitted a moment after its INVITE
	if err = conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 65536)
	n, _, err := conn.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(buf[:n]); !strings.Contains(got, "contact-1") || strings.Contains(got, "SECRETKEY") {
		t.Errorf("%q", got)
	}
}

func TestExporterNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, err := NewExporter(ExporterOptions{Address: "127.0.0.1:9", Queue: 10, Correlate: func(string) string { return "" }})
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			x.Add(Message{At: time.Now().Add(time.Hour), Raw: invite("a", "")})
		}
		if _, dropped := x.Stats(); dropped < 900 {
			t.Errorf("%d dropped", dropped)
		}
		x.Close()
	})
}
