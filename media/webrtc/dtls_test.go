package webrtc

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/errs"
	"ullim/media/srtp"
)

// pair is two associations, wired to each other.
type pair struct {
	t     *testing.T
	mu    sync.Mutex
	ends  [2]*Association
	drop  func(n int, packet []byte) bool // the n-th packet of all
	sent  int
	keys  [2]Keys
	errs  [2]error
	known [2]bool
}

func (p *pair) start(server, client Options) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, o := range []Options{server, client} {
		o.Client = i == 1
		o.Local, o.Far = netip.MustParseAddrPort("192.0.2.1:4000"), netip.MustParseAddrPort("192.0.2.2:4000")
		o.Send = func(packet []byte) error {
			p.mu.Lock()
			to := p.ends[1-i]
			p.sent++
			lost := p.drop != nil && p.drop(p.sent, packet)
			p.mu.Unlock()
			if !lost {
				to.Feed(packet)
			}
			return nil
		}
		o.Done = func(k Keys, err error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.keys[i], p.errs[i], p.known[i] = k, err, true
		}
		p.ends[i] = Start(o)
	}
}

func (p *pair) close() {
	for _, e := range p.ends {
		e.Close()
		<-e.Ended()
	}
}

func certificate(t *testing.T) *Certificate {
	t.Helper()
	c, err := NewCertificate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func of(c *Certificate) []Fingerprint {
	return []Fingerprint{{"sha-256", strings.ToLower(c.Fingerprint)}}
}

func (p *pair) agree() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range 2 {
		if !p.known[i] || p.errs[i] != nil {
			p.t.Fatalf("end %d: known %v, %v", i, p.known[i], p.errs[i])
		}
	}
	if !p.keys[0].Send.Equal(p.keys[1].Recv) || !p.keys[1].Send.Equal(p.keys[0].Recv) || p.keys[0].Send.Equal(p.keys[0].Recv) {
		p.t.Errorf("the keys do not fit: %v", p.keys)
	}
	if p.keys[0].Send.Suite() == srtp.None {
		p.t.Error("no suite")
	}
}

func TestAHandshakeEndsInKeysThatFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := certificate(t), certificate(t)
		p := &pair{t: t}
		p.start(Options{Certificate: a, Fingerprints: of(b)}, Options{Certificate: b, Fingerprints: of(a)})
		time.Sleep(time.Second)
		p.agree()
		p.close()
	})
}

func TestAHandshakeOutlivesLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := certificate(t), certificate(t)
		p := &pair{t: t, drop: func(n int, _ []byte) bool { return n%3 == 0 }}
		p.start(Options{Certificate: a, Fingerprints: of(b)}, Options{Certificate: b, Fingerprints: of(a)})
		time.Sleep(HandshakeTime)
		p.agree()
		p.close()
	})
}

func TestACertificateWithAnotherFingerprintGetsNoKeys(t *testing.T) { // RFC 5763 §5
	synctest.Test(t, func(t *testing.T) {
		a, b, c := certificate(t), certificate(t), certificate(t)
		p := &pair{t: t}
		p.start(Options{Certificate: a, Fingerprints: of(c)}, Options{Certificate: b, Fingerprints: of(a)})
		time.Sleep(HandshakeTime + time.Second)
		p.mu.Lock()
		if !p.known[0] || p.errs[0] == nil || p.keys[0].Send.Suite() != srtp.None {
			t.Errorf("the server took it: %v %v", p.keys[0], p.errs[0])
		}
		p.mu.Unlock()
		p.close()
	})
}

func TestAHandshakeThatNobodyAnswersEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := certificate(t), certificate(t)
		p := &pair{t: t, drop: func(int, []byte) bool { return true }}
		p.start(Options{Certificate: a, Fingerprints: of(b)}, Options{Certificate: b, Fingerprints: of(a)})
		time.Sleep(HandshakeTime - time.Millisecond)
		p.mu.Lock()
		if p.known[0] || p.known[1] {
			t.Error("it ended before its time")
		}
		sent := p.sent
		p.mu.Unlock()
		time.Sleep(time.Second)
		p.mu.Lock()
		if !p.known[0] || !p.known[1] || !errs.Is(p.errs[0], errs.Unavailable) || !errs.Is(p.errs[1], errs.Unavailable) {
			t.Errorf("%v %v", p.known, p.errs)
		}
		if sent > 20 {
			t.Errorf("%d packets were sent into the void", sent)
		}
		p.mu.Unlock()
		p.close()
	})
}

func TestWhatComesAfterTheHandshakeChangesNothing(t *testing.T) { // threats row 10
	synctest.Test(t, func(t *testing.T) {
		a, b := certificate(t), certificate(t)
		p := &pair{t: t}
		p.start(Options{Certificate: a, Fingerprints: of(b)}, Options{Certificate: b, Fingerprints: of(a)})
		time.Sleep(time.Second)
		p.agree()
		alert := []byte{21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 0} // in the clear: fatal, close
		for range 100 {
			p.ends[0].Feed(alert)
			p.ends[0].Feed([]byte{23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 1, 0, 2, 2, 0})
		}
		p.ends[1].Close() // says good-bye, authenticated
		time.Sleep(time.Second)
		select {
		case <-p.ends[0].Ended():
			t.Error("the association ended")
		default:
		}
		p.close()
	})
}

func FuzzFeed(f *testing.F) {
	f.Add([]byte{22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3})
	f.Add([]byte{21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 0})
	c, err := NewCertificate(time.Now())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		synctest.Test(t, func(t *testing.T) {
			a := Start(Options{
				Certificate: c, Fingerprints: of(c), Local: here, Far: here,
				Send: func([]byte) error { return nil },
				Done: func(_ Keys, err error) {
					if err == nil {
						t.Error("one packet is a handshake")
					}
				},
			})
			a.Feed(in)
			synctest.Wait()
			a.Close()
			<-a.Ended()
		})
	})
}
