package media_test

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	pion "github.com/pion/srtp/v3"
	"github.com/pion/stun/v3"

	"ullim/media/sdp"
	"ullim/media/srtp"
	"ullim/media/webrtc"
)

// browser is a far end as a browser is one: a full, controlling ICE agent with one candidate, DTLS-SRTP, everything on
// one port. It shares the DTLS of what it tests; ICE and SRTP are pion's own.
type browser struct {
	t     testing.TB
	conn  net.PacketConn
	cert  *webrtc.Certificate
	ufrag string
	pwd   string

	mu        sync.Mutex
	their     sdp.Media // what was agreed with them
	to        netip.AddrPort
	quiet     bool // no more checks
	undecided bool // nominates nothing
	controls  bool // false: sends ICE-CONTROLLED until told better
	checked   bool // a check was answered
	conflicts int
	dtls      *webrtc.Association
	began     int // handshakes
	client    bool
	suite     srtp.Suite
	send      *pion.Context
	recv      *pion.Context
	heard     []byte // the first byte of each payload
	failed    int    // packets that could not be opened
	sequence  uint16
	versions  int
	done      chan struct{}
	wait      sync.WaitGroup
}

func (r *rig) browser(port uint16) *browser {
	r.t.Helper()
	c, err := r.net.Listen(netip.AddrPortFrom(phoneAddr, port))
	if err != nil {
		r.t.Fatal(err)
	}
	cert, err := webrtc.NewCertificate(time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	b := &browser{
		t: r.t, conn: c, cert: cert, ufrag: "brow", pwd: "browser-password-22-chars", controls: true, done: make(chan struct{}), sequence: 65_000,
	}
	b.wait.Go(b.read)
	b.wait.Go(b.check)
	return b
}

func (b *browser) close() {
	close(b.done)
	_ = b.conn.Close()
	b.mu.Lock()
	d := b.dtls
	b.mu.Unlock()
	if d != nil {
		d.Close()
		<-d.Ended()
	}
	b.wait.Wait()
}

// description is as Chromium writes it, in short.
func (b *browser) description(setup string, more ...string) []byte {
	b.versions++
	return []byte(strings.Join(append([]string{
		"v=0", fmt.Sprintf("o=- 4611731400430051336 %d IN IP4 127.0.0.1", b.versions), "s=-", "t=0 0", "a=group:BUNDLE 0",
		"a=extmap-allow-mixed", "a=msid-semantic: WMS stream",
		"m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
		"a=ice-ufrag:" + b.ufrag, "a=ice-pwd:" + b.pwd, "a=ice-options:trickle",
		"a=fingerprint:sha-256 " + b.cert.Fingerprint, "a=setup:" + setup, "a=mid:0",
		"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", "a=sendrecv", "a=msid:stream track", "a=rtcp-mux", "a=rtcp-rsize",
		"a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc", "a=fmtp:111 minptime=10;useinbandfec=1", "a=rtpmap:63 red/48000/2",
		"a=fmtp:63 111/111", "a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:13 CN/8000",
		"a=rtpmap:110 telephone-event/48000", "a=rtpmap:126 telephone-event/8000",
		"a=ssrc:3735928559 cname:name", "a=ssrc:3735928559 msid:stream track", "",
	}, more...), "\r\n"))
}

// agree takes a description of theirs.
func (b *browser) agree(text []byte, answer bool) {
	b.t.Helper()
	d, err := sdp.Parse(text)
	if err != nil {
		b.t.Fatalf("%v in\n%s", err, text)
	}
	m := d.Media[0]
	for _, want := range []string{"a=ice-lite", "a=rtcp-mux", "a=mid:0", "a=group:BUNDLE 0", "UDP/TLS/RTP/SAVPF", "typ host"} {
		if !strings.Contains(string(text), want) {
			b.t.Errorf("no %q in\n%s", want, text)
		}
	}
	_, candidate, _ := strings.Cut(string(text), "a=candidate:")
	f := strings.Fields(candidate)
	port, _ := strconv.Atoi(f[5])
	b.mu.Lock()
	defer b.mu.Unlock()
	b.their = m
	b.to = netip.AddrPortFrom(netip.MustParseAddr(f[4]), uint16(port))
	client := b.client
	switch {
	case answer && m.Setup == sdp.Active:
		client = false
	case answer && m.Setup == sdp.Passive:
		client = true
	case answer:
		b.t.Errorf("setup %v in an answer", m.Setup)
	case m.Setup != sdp.ActPass:
		b.t.Errorf("setup %v in an offer", m.Setup)
	case b.dtls == nil:
		client = true // RFC 5763 §5: the answerer is active
	}
	if b.dtls != nil && client != b.client {
		b.t.Errorf("the role changed in a re-offer")
	}
	b.client = client
	if b.dtls == nil {
		b.shake()
	}
}

// shake begins a handshake. The caller holds mu.
func (b *browser) shake() {
	b.began++
	var prints []webrtc.Fingerprint
	for _, f := range b.their.Fingerprints {
		prints = append(prints, webrtc.Fingerprint(f))
	}
	b.dtls = webrtc.Start(webrtc.Options{
		Certificate: b.cert, Client: b.client, Fingerprints: prints, Local: addrOf(b.conn), Far: b.to,
		Send: func(p []byte) error {
			b.mu.Lock()
			to, ready := b.to, b.checked
			b.mu.Unlock()
			if ready { // ICE first
				_, _ = b.conn.WriteTo(p, net.UDPAddrFromAddrPort(to))
			}
			return nil
		},
		Done: func(k webrtc.Keys, err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if err != nil {
				return
			}
			b.suite = k.Send.Suite()
			b.send, b.recv = contextOf(b.t, k.Send), contextOf(b.t, k.Recv)
		},
	})
}

func addrOf(c net.PacketConn) netip.AddrPort {
	a, _ := netip.ParseAddrPort(c.LocalAddr().String())
	return a
}

func (b *browser) read() {
	buf := make([]byte, 2000)
	for {
		n, _, err := b.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		b.take(buf[:n])
	}
}

func (b *browser) take(p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch webrtc.Classify(p) {
	case webrtc.STUN:
		m := &stun.Message{Raw: append([]byte(nil), p...)}
		if m.Decode() != nil || stun.NewShortTermIntegrity(b.their.Pwd).Check(m) != nil {
			return
		}
		if m.Type == stun.BindingError { // 487: the other role
			b.conflicts++
			b.controls = true
			return
		}
		b.checked = m.Type == stun.BindingSuccess
	case webrtc.DTLS:
		if b.dtls != nil {
			b.dtls.Feed(p)
		}
	case webrtc.RTP:
		if b.recv == nil || p[1] >= 192 && p[1] <= 223 {
			return
		}
		plain, err := b.recv.DecryptRTP(nil, p, &rtp.Header{})
		if err != nil {
			b.failed++
			return
		}
		b.heard = append(b.heard, plain[12])
	case webrtc.Unknown:
	}
}

// check checks the one pair that there is, with nomination, often until it works and then now and then.
func (b *browser) check() {
	for {
		b.mu.Lock()
		wait := 50 * time.Millisecond
		if b.checked {
			wait = 2500 * time.Millisecond
		}
		to, pwd := b.to, b.their.Pwd
		ready, nominate := to.IsValid() && !b.quiet, !b.undecided
		role := stun.AttrICEControlling
		if !b.controls {
			role = stun.AttrICEControlled
		}
		name := b.their.Ufrag + ":" + b.ufrag
		b.mu.Unlock()
		if ready {
			b.probe(to, name, pwd, role, nominate)
		}
		select {
		case <-b.done:
			return
		case <-time.After(wait):
		}
	}
}

func (b *browser) probe(to netip.AddrPort, name, pwd string, role stun.AttrType, nominate bool) {
	setters := []stun.Setter{
		stun.TransactionID, stun.BindingRequest, stun.NewUsername(name),
		stun.RawAttribute{Type: role, Length: 8, Value: make([]byte, 8)},
		stun.RawAttribute{Type: stun.AttrPriority, Length: 4, Value: []byte{1, 2, 3, 4}},
	}
	if nominate && role == stun.AttrICEControlling {
		setters = append(setters, stun.RawAttribute{Type: stun.AttrUseCandidate})
	}
	m, err := stun.Build(append(setters, stun.NewShortTermIntegrity(pwd), stun.Fingerprint)...)
	if err != nil {
		b.t.Error(err)
		return
	}
	_, _ = b.conn.WriteTo(m.Raw, net.UDPAddrFromAddrPort(to))
}

// speak sends n packets of 20 ms.
func (b *browser) speak(n int, payload uint8, what byte) {
	for range n {
		b.mu.Lock()
		if b.send != nil {
			p := rtp.Packet{Header: rtp.Header{
				Version: 2, PayloadType: payload, SequenceNumber: b.sequence, Timestamp: 160 * uint32(b.sequence), SSRC: 3735928559,
			}}
			p.Payload = make([]byte, 160)
			for i := range p.Payload {
				p.Payload[i] = what
			}
			raw, err := p.Marshal()
			if err != nil {
				b.t.Error(err)
			}
			sealed, err := b.send.EncryptRTP(nil, raw, &rtp.Header{})
			if err != nil {
				b.t.Error(err)
			}
			b.sequence++
			_, _ = b.conn.WriteTo(sealed, net.UDPAddrFromAddrPort(b.to))
		}
		b.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
	}
}

// ear is what was heard since the last call.
func (b *browser) ear() (heard []byte, failed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	heard, failed = b.heard, b.failed
	b.heard, b.failed = nil, 0
	return heard, failed
}

// restart takes another certificate, as a page that was loaded again.
func (b *browser) restart(r *rig) {
	cert, err := webrtc.NewCertificate(time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	b.mu.Lock()
	old := b.dtls
	b.cert, b.dtls, b.send, b.recv = cert, nil, nil, nil
	b.mu.Unlock()
	old.Close()
	<-old.Ended()
}

// move goes to another port, as behind another network.
func (b *browser) move(r *rig, port uint16) {
	c, err := r.net.Listen(netip.AddrPortFrom(phoneAddr, port))
	if err != nil {
		r.t.Fatal(err)
	}
	b.mu.Lock()
	old := b.conn
	b.conn, b.checked = c, false
	b.mu.Unlock()
	_ = old.Close()
	b.wait.Go(b.read)
}
