package media

import (
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ullim/media/sdp"
	"ullim/media/srtp"
	"ullim/media/webrtc"
)

// guard is the shield of one session: SRTP with keys that came by SDES or by DTLS, and ICE.
//
// Three kinds of callers meet in it: the receive path, the send path, and the goroutine of a handshake that has ended.
// The two directions have a lock each; they are taken in the order in, out, and nothing is called under them that waits.
type guard struct {
	plane *Plane
	o     SessionOptions
	wire  wire
	by    sdp.Means

	refused atomic.Uint64
	suite   atomic.Uint32 // what is sealed with; 0: nothing yet
	gone    atomic.Bool   // ICE: the far end has withdrawn its consent by silence
	pending atomic.Bool   // the sealer has a key that the far end may not have yet

	in     sync.Mutex
	opener *srtp.Opener  // nil: no keys yet
	agent  *webrtc.Agent // nil: no ICE
	shake  *handshaker   // nil: no DTLS
	follow time.Time     // when the pending key is used at the latest

	out    sync.Mutex
	sealer *srtp.Sealer // nil: no keys yet
}

var _ shield = (*guard)(nil)

func newGuard(p *Plane, o SessionOptions, w wire, by sdp.Means) *guard {
	return &guard{plane: p, o: o, wire: w, by: by}
}

// take puts keys into force. A direction whose key has not changed goes on as it was (M8).
func (g *guard) take(k webrtc.Keys, now time.Time) error {
	g.in.Lock()
	defer g.in.Unlock()
	g.out.Lock()
	defer g.out.Unlock()
	if g.opener == nil || g.sealer == nil {
		opener, err := srtp.NewOpener(k.Recv)
		if err != nil {
			return err
		}
		sealer, err := srtp.NewSealer(k.Send)
		if err != nil {
			return err
		}
		g.opener, g.sealer = opener, sealer
	} else {
		if err := g.opener.Change(k.Recv, now); err != nil {
			return err
		}
		if err := g.sealer.Change(k.Send); err != nil {
			return err
		}
	}
	g.pending.Store(g.sealer.Pending())
	g.follow = now.Add(srtp.Overlap)
	g.suite.Store(uint32(k.Send.Suite()))
	return nil
}

// drop forgets the keys: whoever had them is not the far end any more.
func (g *guard) drop() {
	g.in.Lock()
	g.opener = nil
	g.in.Unlock()
	g.out.Lock()
	g.sealer = nil
	g.out.Unlock()
	g.pending.Store(false)
	g.suite.Store(0)
}

// Open implements shield.
func (g *guard) Open(packet []byte) (plain []byte, ok bool) {
	g.in.Lock()
	if g.opener != nil && !g.gone.Load() {
		plain, ok = g.opener.Open(packet)
	}
	fresh := ok && g.pending.Load() && g.opener.Fresh()
	g.in.Unlock()
	if !ok {
		g.refused.Add(1)
	}
	if fresh {
		g.useNext()
	}
	return plain, ok
}

// useNext seals with the new key from now on.
func (g *guard) useNext() {
	g.out.Lock()
	defer g.out.Unlock()
	if g.sealer != nil {
		g.sealer.Follow()
	}
	g.pending.Store(false)
}

// Seal implements shield.
func (g *guard) Seal(packet []byte) (sealed []byte, ok bool) {
	if g.gone.Load() {
		return nil, false
	}
	g.out.Lock()
	defer g.out.Unlock()
	if g.sealer == nil {
		return nil, false
	}
	return g.sealer.Seal(packet)
}

// Control implements shield.
func (g *guard) Control(packet []byte, from netip.AddrPort, now time.Time) {
	switch webrtc.Classify(packet) {
	case webrtc.STUN:
		if answer := g.check(packet, from, now); answer != nil {
			_ = g.wire.Send(answer, from) // lost on the way, as any packet may be
		}
	case webrtc.DTLS:
		if !g.feed(packet, from) {
			g.refused.Add(1)
		}
	case webrtc.RTP, webrtc.Unknown:
	}
}

// check answers a check of ICE.
func (g *guard) check(packet []byte, from netip.AddrPort, now time.Time) []byte {
	g.in.Lock()
	defer g.in.Unlock()
	if g.agent == nil {
		g.refused.Add(1)
		return nil
	}
	before := g.agent.Refused()
	answer := g.agent.Check(packet, from, now)
	g.refused.Add(g.agent.Refused() - before)
	g.gone.Store(!g.agent.Consents(now))
	return answer
}

// feed gives a DTLS packet to the handshake; false: it is nobody's.
func (g *guard) feed(packet []byte, from netip.AddrPort) bool {
	g.in.Lock()
	shake, agent := g.shake, g.agent
	valid := agent == nil || agent.Valid(from) // with ICE nobody else is listened to
	g.in.Unlock()
	return shake != nil && valid && shake.feed(packet, from)
}

// Far implements shield. It is known when ICE, or a handshake, and the keys are: before that nothing of theirs is proven.
func (g *guard) Far() netip.AddrPort {
	g.in.Lock()
	defer g.in.Unlock()
	switch {
	case g.opener == nil:
		return netip.AddrPort{}
	case g.agent != nil:
		return g.agent.Reach()
	case g.shake != nil:
		return g.shake.far()
	}
	return netip.AddrPort{}
}

// Knows implements shield. ICE may have found the far end at several places; all of them are proven.
func (g *guard) Knows(from netip.AddrPort) bool {
	g.in.Lock()
	defer g.in.Unlock()
	return g.opener != nil && g.agent != nil && g.agent.Valid(from)
}

// reach is where ICE has found the far end; invalid: nowhere yet.
func (g *guard) reach() netip.AddrPort {
	g.in.Lock()
	defer g.in.Unlock()
	if g.agent == nil {
		return netip.AddrPort{}
	}
	return g.agent.Reach()
}

// Tick implements shield.
func (g *guard) Tick(now time.Time) {
	g.in.Lock()
	if g.opener != nil {
		g.opener.Tick(now)
	}
	if g.agent != nil {
		g.gone.Store(!g.agent.Consents(now))
	}
	late := g.pending.Load() && !now.Before(g.follow)
	shake := g.shake
	g.in.Unlock()
	if late {
		g.useNext()
	}
	if shake != nil {
		shake.tick()
	}
}

// Refused implements shield.
func (g *guard) Refused() uint64 { return g.refused.Load() }

// String implements shield.
func (g *guard) String() string { return srtp.Suite(g.suite.Load()).String() }

// associate takes what was agreed about DTLS and ICE. A handshake begins only if it is a new association; until it has
// ended the old keys are good, unless they are somebody else's by now (RFC 8842 §4).
func (g *guard) associate(a sdp.Protection, remote netip.AddrPort, c *webrtc.Certificate) {
	g.in.Lock()
	switch ours := (webrtc.Credentials{Ufrag: a.Secrets.Ufrag, Pwd: a.Secrets.Pwd}); {
	case !a.ICE:
		g.agent = nil
	case g.agent == nil:
		g.agent = webrtc.NewAgent(ours, a.Far.Ufrag)
	default:
		g.agent.Restart(ours, a.Far.Ufrag)
	}
	old := g.shake
	if old != nil && old.number == a.Association {
		g.in.Unlock()
		return
	}
	g.shake = newHandshaker(g, a, remote, c)
	strange := old != nil && !sameFingerprints(old.fingerprints, g.shake.fingerprints)
	g.in.Unlock()
	if old != nil {
		old.close()
	}
	if strange {
		g.drop()
	}
}

func sameFingerprints(a, b []webrtc.Fingerprint) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// close ends what runs.
func (g *guard) close() {
	g.in.Lock()
	shake := g.shake
	g.shake = nil
	g.in.Unlock()
	if shake != nil {
		shake.close()
	}
}

// log is that of the leg. What it is given must not hold keys; the types see to that.
func (g *guard) log() *slog.Logger {
	return g.plane.o.Log.With("contact_id", g.o.ContactID, "peer", g.o.Peer)
}
