package media_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pion "github.com/pion/srtp/v3"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/media"
	"ullim/media/sdp"
	"ullim/media/srtp"
)

// contextOf is a key as pion's own SRTP takes it.
func contextOf(t testing.TB, k srtp.Key) *pion.Context {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(k.Inline())
	if err != nil {
		t.Fatal(err)
	}
	profile := pion.ProtectionProfile(k.Suite())
	n, _ := profile.KeyLen()
	c, err := pion.CreateContext(raw[:n], raw[n:], profile, pion.SRTPReplayProtection(64))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sniffer looks at everything that is on the wire.
type sniffer struct {
	mu    sync.Mutex
	clear int // packets with sound in the clear: silence is a row of equal bytes
	all   int
}

func (s *sniffer) fate(p []byte, _, _ netip.AddrPort) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all++
	if len(p) > 60 && p[0] == 0x80 && bytes.Equal(p[12:50], bytes.Repeat(p[12:13], 38)) {
		s.clear++
	}
	return []time.Duration{0}
}

func (s *sniffer) seen() (clear, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear, all = s.clear, s.all
	s.clear, s.all = 0, 0
	return clear, all
}

// negotiate lets a offer and b answer.
func negotiate(t *testing.T, a, b *media.Session) error {
	t.Helper()
	offer, err := a.Offer()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := b.Answer(offer)
	if err != nil {
		return err
	}
	return a.Accept(answer)
}

func TestR32PoliciesAgainstEachOtherNeverFallBackToPlain(t *testing.T) {
	const gcm, refused = "AEAD_AES_128_GCM", "refused"
	inBubble(t, nil, func(r *rig) {
		wire := &sniffer{}
		r.net.SetFate(wire.fate)
		for _, c := range []struct{ offers, answers, want string }{
			{"", "", ""},
			{"", "optional", ""},
			{"", "sdes", refused},
			{"", "dtls", refused},
			{"", "webrtc", refused},
			{"optional", "", gcm},
			{"optional", "optional", gcm},
			{"optional", "sdes", gcm},
			{"sdes", "", gcm},
			{"sdes", "optional", gcm},
			{"sdes", "dtls", gcm},
			{"dtls", "", gcm},
			{"dtls", "sdes", gcm},
			{"dtls", "dtls", gcm},
			{"webrtc", "", gcm}, // two ends that are lite: without ICE
			{"webrtc", "webrtc", gcm},
		} {
			name := fmt.Sprintf("%q offers to %q", c.offers, c.answers)
			a, b := r.open(media.SessionOptions{Encryption: c.offers}), r.open(media.SessionOptions{Encryption: c.answers})
			err := negotiate(r.t, a, b)
			if c.want == refused {
				if !errs.Is(err, errs.Invalid) {
					r.t.Errorf("%s: %v", name, err)
				}
				a.Close()
				b.Close()
				continue
			}
			if err != nil {
				r.t.Errorf("%s: %v", name, err)
			}
			time.Sleep(2 * time.Second)
			ends := []contact.Quality{a.Close(), b.Close()} // first: the clock may be due at this very moment
			clear, _ := wire.seen()
			for _, q := range ends {
				if q.Encryption != c.want || q.Received < 45 || q.Sent < 45 || q.Refused != 0 || q.Lost != 0 {
					r.t.Errorf("%s: %+v", name, q)
				}
			}
			if (clear > 0) != (c.want == "") {
				r.t.Errorf("%s: %d packets in the clear", name, clear)
			}
		}
	})
}

func TestM08R32ALongCallRollsOverWithHoldAndResumeOnEachSide(t *testing.T) {
	minutes := 24 // more than 65,536 packets each way
	for _, way := range []string{"sdes", "dtls"} {
		inBubble(t, nil, func(r *rig) {
			wire := &sniffer{}
			r.net.SetFate(wire.fate)
			a, b := r.open(media.SessionOptions{Encryption: way}), r.open(media.SessionOptions{})
			again := func(x, y *media.Session) {
				if err := negotiate(r.t, x, y); err != nil {
					r.t.Fatalf("%s: %v", way, err)
				}
			}
			again(a, b)
			for m := range minutes {
				time.Sleep(time.Minute)
				x, y := a, b
				if m%2 == 1 {
					x, y = b, a
				}
				x.Hold(true)
				again(x, y)
				time.Sleep(3 * time.Second)
				x.Hold(false)
				again(x, y)
			}
			time.Sleep(time.Second)
			for _, q := range []contact.Quality{a.Close(), b.Close()} {
				if q.Received < 65_600 || q.Refused != 0 || q.Encryption == "" {
					r.t.Errorf("%s: %+v", way, q)
				}
			}
			if clear, all := wire.seen(); clear != 0 || all < 131_000 {
				r.t.Errorf("%s: %d of %d packets in the clear", way, clear, all)
			}
		})
	}
}

// cryptoPhone is the description of a phone with SDES.
func cryptoPhone(addr netip.AddrPort, proto string, lines ...string) []byte {
	return fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d %s 0\r\n%s",
		addr.Addr(), addr.Addr(), addr.Port(), proto, strings.Join(lines, "\r\n")+"\r\n")
}

func cryptoLine(tag int, k srtp.Key) string {
	return fmt.Sprintf("a=crypto:%d %s inline:%s", tag, k.Suite(), k.Inline())
}

// keyIn is the key of the first crypto line.
func keyIn(t *testing.T, text []byte) srtp.Key {
	t.Helper()
	d, err := sdp.Parse(text)
	if err != nil || len(d.Media) == 0 || len(d.Media[0].Crypto) == 0 {
		t.Fatalf("no key (%v) in\n%s", err, text)
	}
	return d.Media[0].Crypto[0].Key
}

func TestR32TheirNewKeyBringsOursAndNothingIsLost(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		p := r.phone(4000)
		defer p.Close()
		s := r.open(media.SessionOptions{Encryption: "sdes"})
		first, second := srtp.NewKey(srtp.AES_CM_128_HMAC_SHA1_80), srtp.NewKey(srtp.AES_CM_128_HMAC_SHA1_80)
		text, err := s.Answer(cryptoPhone(p.Addr(), "RTP/SAVP", cryptoLine(7, first)))
		if err != nil {
			r.t.Fatal(err)
		}
		if !strings.Contains(string(text), "a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:") || !strings.Contains(string(text), " RTP/SAVP 0\r\n") {
			r.t.Errorf("answer:\n%s", text)
		}
		to, ours := addressIn(r.t, text), keyIn(r.t, text)
		same, err := s.Answer(cryptoPhone(p.Addr(), "RTP/SAVP", cryptoLine(7, first)))
		if err != nil || !bytes.Equal(same, text) {
			r.t.Errorf("an identical re-offer got another answer: %v\n%s\n%s", err, text, same)
		}
		time.Sleep(time.Second)
		changed, err := s.Answer(cryptoPhone(p.Addr(), "RTP/SAVP", cryptoLine(1, second)))
		if err != nil {
			r.t.Fatal(err)
		}
		next := keyIn(r.t, changed)
		if next.Equal(ours) {
			r.t.Error("our key stays although theirs has changed")
		}
		seal := contextOf(r.t, first)
		send := func(c *pion.Context, n uint16) {
			raw := append([]byte{0x80, 0, byte(n >> 8), byte(n), 0, 0, byte(n), 0, 0, 0, 0, 9}, bytes.Repeat([]byte{0x33}, 160)...)
			b, err := c.EncryptRTP(nil, raw, nil)
			if err != nil {
				r.t.Fatal(err)
			}
			p.SendRaw(to, b)
			time.Sleep(20 * ms)
		}
		for n := range uint16(10) {
			send(seal, n)
		}
		p.Forget()
		fresh := contextOf(r.t, second)
		send(fresh, 10) // from here on they have ours
		send(seal, 11)  // and one came the long way
		for n := range uint16(10) {
			send(fresh, 12+n)
		}
		old, now := contextOf(r.t, ours), contextOf(r.t, next)
		oldOnes, newOnes := 0, 0
		for _, h := range p.Heard() {
			raw := append([]byte{0x80, h.Payload}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
			if h.Marker {
				raw[1] |= 0x80
			}
			raw[2], raw[3] = byte(h.Sequence>>8), byte(h.Sequence)
			for i := range 4 {
				raw[4+i], raw[8+i] = byte(h.Stamp>>(24-8*i)), byte(h.SSRC>>(24-8*i))
			}
			raw = append(raw, h.Data...)
			if _, err := old.DecryptRTP(nil, slices.Clone(raw), nil); err == nil {
				oldOnes++
			} else if _, err := now.DecryptRTP(nil, raw, nil); err == nil {
				newOnes++
			} else if h.Payload < 64 {
				r.t.Errorf("a packet opens with neither key: %v", err)
			}
		}
		if oldOnes > 3 || newOnes < 8 {
			r.t.Errorf("%d packets with the old key, %d with the new one", oldOnes, newOnes)
		}
		if q := s.Close(); q.Received != 22 || q.Refused != 0 {
			r.t.Errorf("%+v", q)
		}
	})
}

func TestR32AReofferWithoutEncryptionIsRefusedAndTheCallGoesOn(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		wire := &sniffer{}
		r.net.SetFate(wire.fate)
		for _, way := range []string{"sdes", "dtls", "webrtc"} {
			a, b := r.open(media.SessionOptions{Encryption: way}), r.open(media.SessionOptions{Encryption: way})
			if err := negotiate(r.t, a, b); err != nil {
				r.t.Fatal(err)
			}
			time.Sleep(time.Second)
			plain := cryptoPhone(netip.MustParseAddrPort("192.0.2.99:4000"), "RTP/AVP")
			if _, err := a.Answer(plain); !errs.Is(err, errs.Invalid) {
				r.t.Errorf("%s: a plain re-offer: %v", way, err)
			}
			// R32: an offer-less re-INVITE gets the offer that there was, and its answer must protect as well.
			first, err := a.Offer()
			if err != nil || !strings.Contains(string(first), "SAVP") {
				r.t.Errorf("%s: %v\n%s", way, err, first)
			}
			if err := a.Accept(plain); !errs.Is(err, errs.Invalid) {
				r.t.Errorf("%s: a plain answer: %v", way, err)
			}
			time.Sleep(time.Second)
			if q := a.Close(); q.Received < 95 || q.Refused != 0 {
				r.t.Errorf("%s: %+v", way, q)
			}
			b.Close()
			if clear, _ := wire.seen(); clear != 0 {
				r.t.Errorf("%s: %d packets in the clear", way, clear)
			}
		}
	})
}

func TestBadPacketsAreCountedAndEndNothing(t *testing.T) { // threats row 10
	inBubble(t, nil, func(r *rig) {
		for _, way := range []string{"sdes", "dtls"} {
			a, b := r.open(media.SessionOptions{Encryption: way}), r.open(media.SessionOptions{Encryption: way})
			offer, err := a.Offer()
			if err != nil {
				r.t.Fatal(err)
			}
			text, err := b.Answer(offer)
			if err != nil {
				r.t.Fatal(err)
			}
			if err := a.Accept(text); err != nil {
				r.t.Fatal(err)
			}
			stranger := r.phone(4000)
			to := addressIn(r.t, text)
			for i := range 500 { // also in the middle of the handshake
				stranger.SendRaw(to, []byte{21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, byte(i), 0, 2, 2, 0})
				stranger.SendRaw(to, append([]byte{22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, byte(i), 0, 20, 1}, make([]byte, 40)...))
				stranger.SendRaw(to, []byte{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
				stranger.SendRaw(to, append([]byte{0x80, 0, 1, byte(i)}, make([]byte, 170)...))
				time.Sleep(4 * ms)
			}
			if len(stranger.Heard()) > 100 {
				r.t.Errorf("%s: a stranger was told %d packets", way, len(stranger.Heard()))
			}
			stranger.Close()
			time.Sleep(time.Second)
			qa, qb := a.Close(), b.Close()
			if qa.Received < 140 || qb.Received < 140 || qa.Encryption == "" || qb.Refused+qb.Foreign < 1000 {
				r.t.Errorf("%s: %+v %+v", way, qa, qb)
			}
			if died := r.died(); len(died) != 0 {
				r.t.Errorf("%s: %v", way, died)
			}
			time.Sleep(20 * time.Second)
		}
	})
}

func TestEncryptionMustBeKnown(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		if _, err := r.plane.Open(media.SessionOptions{Encryption: "zrtp"}); !errs.Is(err, errs.Invalid) {
			r.t.Error(err)
		}
	})
}

func TestABrowserIsAnsweredAndRung(t *testing.T) {
	for name, we := range map[string]bool{"they offer": false, "we offer": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(r *rig) {
				wire := &sniffer{}
				r.net.SetFate(wire.fate)
				b := r.browser(5000)
				s := r.open(media.SessionOptions{Encryption: "webrtc", Codecs: []string{"PCMU", "PCMA"}})
				if we {
					offer, err := s.Offer()
					if err != nil {
						r.t.Fatal(err)
					}
					b.agree(offer, false)
					if err := s.Accept(b.description("active")); err != nil {
						r.t.Fatal(err)
					}
				} else {
					text, err := s.Answer(b.description("actpass"))
					if err != nil {
						r.t.Fatal(err)
					}
					b.agree(text, true)
				}
				time.Sleep(3 * time.Second)
				if heard, failed := b.ear(); len(heard) < 90 || failed != 0 {
					r.t.Fatalf("the browser heard %d packets, %d not opened; %s", len(heard), failed, s)
				}
				b.speak(100, 0, 0x44)
				s.Play([]media.Source{sound{0x55, 50}}, false, nil)
				time.Sleep(1500 * ms)
				heard, failed := b.ear()
				if bytes.Count(heard, []byte{0x55}) != 50 || failed != 0 {
					r.t.Errorf("the browser heard %d of 50 frames, %d not opened", bytes.Count(heard, []byte{0x55}), failed)
				}
				if q := s.Close(); q.Received < 100 || q.Refused != 0 || q.Encryption != "AEAD_AES_128_GCM" {
					r.t.Errorf("%+v", q)
				}
				if clear, _ := wire.seen(); clear != 0 {
					r.t.Errorf("%d packets in the clear", clear)
				}
				b.close()
			})
		})
	}
}

func TestM09TheDTLSRoleIsKeptOnReoffersAndANewFingerprintIsANewHandshake(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		b := r.browser(5000)
		s := r.open(media.SessionOptions{Encryption: "webrtc"})
		answer := func(setup string) {
			r.t.Helper()
			text, err := s.Answer(b.description(setup))
			if err != nil {
				r.t.Fatal(err)
			}
			b.agree(text, true)
		}
		fine := func(what string) {
			r.t.Helper()
			b.ear()
			time.Sleep(time.Second)
			if heard, failed := b.ear(); len(heard) < 45 || failed != 0 {
				r.t.Errorf("%s: the browser heard %d packets, %d not opened", what, len(heard), failed)
			}
		}
		answer("actpass")
		time.Sleep(2 * time.Second)
		fine("at first")
		answer("actpass")
		fine("re-offered")
		answer("active") // their role by its name
		fine("re-offered with the role")
		offer, err := s.Offer()
		if err != nil {
			r.t.Fatal(err)
		}
		b.agree(offer, false)
		if err := s.Accept(b.description("active")); err != nil {
			r.t.Fatal(err)
		}
		fine("we re-offered")
		if b.began != 1 {
			r.t.Errorf("%d handshakes", b.began)
		}
		b.restart(r)
		answer("actpass")
		time.Sleep(2 * time.Second)
		fine("with another certificate")
		b.close()
		if q := s.Close(); q.Encryption == "" {
			r.t.Errorf("%+v", q)
		}
	})
}

// Chromium goes over to another path first, and nominates it with one of its next checks.
func TestABrowserIsHeardByEveryPathThatItHasChecked(t *testing.T) { // RFC 8445 §12.1
	inBubble(t, nil, func(r *rig) {
		b := r.browser(5000)
		undecided := func(on bool) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.undecided = on
		}
		undecided(true)
		s := r.open(media.SessionOptions{Encryption: "webrtc"})
		text, err := s.Answer(b.description("actpass"))
		if err != nil {
			r.t.Fatal(err)
		}
		b.agree(text, true)
		time.Sleep(2 * time.Second)
		b.ear()
		b.speak(50, 0, 0x44)
		if heard, failed := b.ear(); len(heard) < 49 || failed != 0 {
			r.t.Errorf("before any nomination: %d packets, %d not opened", len(heard), failed)
		}
		if q := s.Stats(); q.Received != 50 || q.Foreign != 0 || q.Refused != 0 {
			r.t.Errorf("before any nomination: %+v", q)
		}
		undecided(false)
		time.Sleep(3 * time.Second)
		undecided(true)
		b.move(r, 5002)
		time.Sleep(3 * time.Second) // its checks are answered
		b.ear()
		b.speak(50, 0, 0x44)
		if heard, _ := b.ear(); len(heard) != 0 {
			r.t.Errorf("%d packets were sent to where nobody is nominated", len(heard))
		}
		if q := s.Stats(); q.Received != 100 || q.Lost != 0 || q.Foreign != 0 {
			r.t.Errorf("after the move: %+v", q)
		}
		undecided(false)
		time.Sleep(3 * time.Second)
		b.ear()
		b.speak(50, 0, 0x44)
		if heard, _ := b.ear(); len(heard) < 49 {
			r.t.Errorf("after the nomination: %d packets", len(heard))
		}
		if q := s.Close(); q.Received != 150 || q.Lost != 0 || q.Foreign != 0 {
			r.t.Errorf("in the end: %+v", q)
		}
		b.close()
	})
}

func TestABrowserThatMovesIsFollowedAndOneThatFallsSilentGetsNothing(t *testing.T) { // RFC 7675
	inBubble(t, nil, func(r *rig) {
		b := r.browser(5000)
		b.mu.Lock()
		b.controls = false // the conflict is theirs to solve
		b.mu.Unlock()
		s := r.open(media.SessionOptions{Encryption: "webrtc"})
		text, err := s.Answer(b.description("actpass"))
		if err != nil {
			r.t.Fatal(err)
		}
		b.agree(text, true)
		time.Sleep(2 * time.Second)
		if heard, _ := b.ear(); len(heard) < 40 || b.conflicts == 0 {
			r.t.Fatalf("%d packets, %d conflicts", len(heard), b.conflicts)
		}
		b.move(r, 5002)
		time.Sleep(3 * time.Second)
		b.ear()
		time.Sleep(time.Second)
		if heard, failed := b.ear(); len(heard) < 45 || failed != 0 {
			r.t.Errorf("after the move: %d packets, %d not opened", len(heard), failed)
		}
		b.mu.Lock()
		b.quiet = true
		b.mu.Unlock()
		time.Sleep(26 * time.Second)
		if heard, _ := b.ear(); len(heard) < 26*45 {
			r.t.Errorf("%d packets while there was consent", len(heard))
		}
		time.Sleep(5 * time.Second)
		b.ear()
		time.Sleep(5 * time.Second)
		if heard, _ := b.ear(); len(heard) != 0 {
			r.t.Errorf("%d packets without consent", len(heard))
		}
		time.Sleep(70 * time.Second)
		if died := r.died(); len(died) != 1 {
			r.t.Errorf("dead: %v", died)
		}
		b.close()
		s.Close()
	})
}
