package media_test

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"ullim/media"
	"ullim/media/sdp"
	"ullim/media/webrtc"
)

// dtlsPhone is a phone that speaks DTLS without ICE, from wherever it is bound.
type dtlsPhone struct {
	conn net.PacketConn
	a    *webrtc.Association
	wait sync.WaitGroup
	mu   sync.Mutex
	keys *webrtc.Keys
	rtp  int
}

func (r *rig) dtlsPhone(at, to netip.AddrPort, cert *webrtc.Certificate, theirs []webrtc.Fingerprint) *dtlsPhone {
	r.t.Helper()
	c, err := r.net.Listen(at)
	if err != nil {
		r.t.Fatal(err)
	}
	p := &dtlsPhone{conn: c}
	p.a = webrtc.Start(webrtc.Options{
		Certificate: cert, Client: true, Fingerprints: theirs, Local: at, Far: to,
		Send: func(b []byte) error {
			_, err := c.WriteTo(b, net.UDPAddrFromAddrPort(to))
			return err
		},
		Done: func(k webrtc.Keys, err error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if err == nil {
				p.keys = &k
			}
		},
	})
	p.wait.Go(func() {
		buf := make([]byte, 2000)
		for {
			n, _, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if webrtc.Classify(buf[:n]) == webrtc.DTLS {
				p.a.Feed(buf[:n])
				continue
			}
			p.mu.Lock()
			p.rtp++
			p.mu.Unlock()
		}
	})
	return p
}

func (p *dtlsPhone) close() {
	p.a.Close()
	<-p.a.Ended()
	_ = p.conn.Close()
	p.wait.Wait()
}

func (p *dtlsPhone) heard() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rtp
}

func TestR04AStrangerWhoShakesHandsFirstGetsNothing(t *testing.T) { // threats rows 9 and 10
	for name, port := range map[string]uint16{"from where the SDP says": 4000, "from behind NAT": 4321} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(r *rig) {
				right, err := webrtc.NewCertificate(time.Now())
				if err != nil {
					r.t.Fatal(err)
				}
				wrong, err := webrtc.NewCertificate(time.Now())
				if err != nil {
					r.t.Fatal(err)
				}
				s := r.open(media.SessionOptions{Encryption: "dtls", SignallingSource: phoneAddr})
				text, err := s.Answer(cryptoPhone(netip.AddrPortFrom(phoneAddr, 4000), "UDP/TLS/RTP/SAVP",
					"a=fingerprint:sha-256 "+right.Fingerprint, "a=setup:active"))
				if err != nil {
					r.t.Fatal(err)
				}
				to := addressIn(r.t, text)
				ours := []webrtc.Fingerprint{{Hash: "sha-256", Value: printIn(r.t, text)}}
				var strangers []*dtlsPhone
				for n := range 6 {
					at := netip.MustParseAddrPort(fmt.Sprintf("192.0.2.66:%d", 6000+n))
					strangers = append(strangers, r.dtlsPhone(at, to, wrong, ours))
				}
				time.Sleep(2 * time.Second)
				p := r.dtlsPhone(netip.AddrPortFrom(phoneAddr, port), to, right, ours)
				time.Sleep(3 * time.Second)
				before := p.heard()
				time.Sleep(time.Second)
				if n := p.heard() - before; n < 45 {
					r.t.Errorf("the phone heard %d packets; %s", n, s)
				}
				for _, x := range strangers {
					if n := x.heard(); n != 0 {
						r.t.Errorf("a stranger was sent %d packets", n)
					}
					x.close()
				}
				if q := s.Close(); q.Encryption == "" {
					r.t.Errorf("%+v", q)
				}
				p.close()
				time.Sleep(20 * time.Second)
			})
		})
	}
}

// printIn is the fingerprint of a description.
func printIn(t *testing.T, text []byte) string {
	t.Helper()
	d, err := sdp.Parse(text)
	if err != nil || len(d.Media[0].Fingerprints) != 1 {
		t.Fatalf("no fingerprint (%v) in\n%s", err, text)
	}
	return d.Media[0].Fingerprints[0].Value
}
