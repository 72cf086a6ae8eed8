package media

import (
	"net/netip"
	"sync"

	"ullim/media/sdp"
	"ullim/media/webrtc"
)

// Limits of handshakes. Each attempt is bounded in time by itself.
const (
	maxStrangers = 2 // attempts at once from places that the SDP does not name
	maxFailures  = 8 // attempts of the far end that came to nothing, in one association
)

// handshaker makes one DTLS association come about. Anybody may try; whoever has the certificate that the SDP announced
// is the far end, and ends the attempts of all others. One who fails takes no more with him than his own attempt.
type handshaker struct {
	guard        *guard
	number       int // of the association
	certificate  *webrtc.Certificate
	client       bool
	ice          bool
	fingerprints []webrtc.Fingerprint
	announced    netip.AddrPort

	mu       sync.Mutex
	attempts map[netip.AddrPort]*webrtc.Association // by where they come from; with ICE only one, of the zero address
	proven   netip.AddrPort
	done     bool
	closed   bool
	failures int
}

func newHandshaker(g *guard, a sdp.Protection, remote netip.AddrPort, c *webrtc.Certificate) *handshaker {
	h := &handshaker{
		guard: g, number: a.Association, certificate: c, client: a.Client, ice: a.ICE, announced: remote,
		attempts: map[netip.AddrPort]*webrtc.Association{},
	}
	for _, f := range a.Far.Fingerprints {
		h.fingerprints = append(h.fingerprints, webrtc.Fingerprint{Hash: f.Hash, Value: f.Value})
	}
	return h
}

// far is who has ended the handshake with the right certificate.
func (h *handshaker) far() netip.AddrPort {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.proven
}

// feed takes a DTLS packet; false: it is nobody's.
func (h *handshaker) feed(packet []byte, from netip.AddrPort) bool {
	key := from
	if h.ice {
		key = netip.AddrPort{} // the path may change in the middle of it
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.attempts[key]
	if a == nil && !h.client && clientHello(packet) && h.mayTry(from) {
		a = h.start(key, from)
	}
	if a == nil {
		return false
	}
	a.Feed(packet)
	return true
}

// clientHello reports whether a packet begins a handshake: of type 22, epoch 0, message 1 (RFC 6347 §4.1, §4.2.2).
func clientHello(p []byte) bool {
	return len(p) > 13 && p[0] == 22 && p[3] == 0 && p[4] == 0 && p[13] == 1
}

// mayTry keeps the attempts bounded. Where the SDP or the signalling comes from there is always room.
func (h *handshaker) mayTry(from netip.AddrPort) bool {
	if h.done || h.closed || h.failures >= maxFailures {
		return false
	}
	if h.ice || from == h.announced {
		return true
	}
	strangers := 0
	for key := range h.attempts {
		if !h.trusted(key) {
			strangers++
		}
	}
	return len(h.attempts) < 2*maxStrangers && (h.trusted(from) || strangers < maxStrangers)
}

func (h *handshaker) trusted(from netip.AddrPort) bool {
	return from.Addr() == h.announced.Addr() || from.Addr() == h.guard.o.SignallingSource.Unmap()
}

// tick begins the handshake as a client, when it is known where to.
func (h *handshaker) tick() {
	if !h.client {
		return
	}
	key, to := h.announced, h.announced
	if h.ice {
		key, to = netip.AddrPort{}, h.guard.reach()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.attempts) > 0 || h.done || h.closed || h.failures >= maxFailures || !to.IsValid() || to.Addr().IsUnspecified() || to.Port() == 0 {
		return
	}
	h.start(key, to)
}

// start begins an attempt. The caller holds mu.
func (h *handshaker) start(key, far netip.AddrPort) *webrtc.Association {
	var a *webrtc.Association
	began := make(chan struct{}) // a is set
	a = webrtc.Start(webrtc.Options{
		Certificate: h.certificate, Client: h.client, Fingerprints: h.fingerprints, Local: h.guard.wire.Addr(), Far: far,
		Send: func(packet []byte) error {
			to := far
			if h.ice {
				to = h.guard.reach()
			}
			if !to.IsValid() {
				return nil
			}
			return h.guard.wire.Send(packet, to)
		},
		Done: func(k webrtc.Keys, err error) {
			<-began
			h.ended(key, far, a, k, err)
		},
	})
	close(began)
	h.attempts[key] = a
	return a
}

// ended takes the outcome of an attempt.
func (h *handshaker) ended(key, far netip.AddrPort, a *webrtc.Association, k webrtc.Keys, err error) {
	h.mu.Lock()
	if h.closed || h.done || h.attempts[key] != a {
		h.mu.Unlock()
		return
	}
	if err != nil {
		delete(h.attempts, key)
		ours := h.ice || h.client || h.trusted(key)
		if ours { // the attempts of strangers use nothing up
			h.failures++
		}
		h.mu.Unlock()
		if ours {
			h.guard.log().Warn("DTLS handshake failed", "with", far, "error", err)
		}
		return
	}
	h.done, h.proven = true, far
	for other, attempt := range h.attempts {
		if other != key {
			attempt.Close()
			delete(h.attempts, other)
		}
	}
	h.mu.Unlock()
	if err := h.guard.take(k, h.guard.plane.o.Now()); err != nil {
		h.guard.log().Warn("DTLS keys cannot be used", "error", err)
	}
}

// close ends all attempts.
func (h *handshaker) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for key, a := range h.attempts {
		a.Close()
		delete(h.attempts, key)
	}
}
