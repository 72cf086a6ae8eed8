package media

import (
	"net/netip"
	"time"

	"ullim/media/sdp"
)

// shield protects the packets of one session on the wire: SRTP whose keys came by SDES or DTLS, and ICE where a browser
// wants it. What came in goes through it first, what goes out last:
//
//	wire ── RFC 7983 §7 ──┬─ STUN, DTLS (first byte 0-3, 20-63) ──> Control
//	                      └─ SRTP, SRTCP (128-191) ──> source policy ──> Open ──> sequence, keys, tap, link
//	clock, link, RTCP ──> Seal ──> wire
//
// Open, Control, Far, Knows and Tick are called one at a time, and so is Seal; the two kinds may run at the same time (they are
// the two directions, with keys of their own). None of them may block or call a method of Session. Open and Seal
// allocate nothing. RTCP is told from RTP by its second byte (isRTCP; RFC 5761 §4).
//
// A session without a shield speaks plain RTP. One that must be protected has a shield from its first negotiation on,
// also while the keys are not there yet: then Open and Seal refuse, and nothing leaves in the clear (R32).
type shield interface {
	// Open checks and decrypts an SRTP or SRTCP packet in place; plain is a part of packet. False: forged, replayed, or
	// the keys are not there yet; Open has counted it.
	Open(packet []byte) (plain []byte, ok bool)
	// Seal encrypts an RTP or RTCP packet in place: behind it, within its capacity, there is Room.
	// False: the keys are not there yet, and nothing is sent.
	Seal(packet []byte) (sealed []byte, ok bool)
	// Control takes a STUN or DTLS packet, from anybody; it does not keep it. What it answers it sends by the wire that
	// it was born with.
	Control(packet []byte, from netip.AddrPort, now time.Time)
	// Far is where the far end proved to be (the pair that ICE nominated, or the one it found first): where everything
	// is sent, and beside Knows the only source that is heard. Invalid: not known, or the session's own source policy
	// decides (SDES, DTLS without ICE).
	Far() netip.AddrPort
	// Knows reports whether the far end proved to be at an address as well: it may go over to another path before it
	// says so, and what comes from there is heard.
	Knows(from netip.AddrPort) bool
	// Tick is called on the media clock, for what is repeated (ICE consent, DTLS flights).
	Tick(now time.Time)
	// Refused counts the packets that did not authenticate or were replayed.
	Refused() uint64
	// String is the suite, as in Quality.Encryption ("AES_CM_128_HMAC_SHA1_80"); empty while there are no keys.
	String() string
}

// protection is one session's part in the negotiation of what protects it. Its methods are called with the negotiation
// lock held, one at a time.
type protection interface {
	// Describe completes our side of the next description (crypto lines, fingerprint, setup, ICE). offer is theirs
	// when it is an answer that is written, nil when it is an offer.
	Describe(l *sdp.Local, offer *sdp.Description) error
	// Agree gives the shield that is in force from this negotiation on; nil: plain RTP was agreed. When nothing about
	// the keys has changed it is the same shield, with its roll-over counters (M8); when only one direction has, the
	// other goes on as it was. On error what was agreed before stays in force.
	Agree(n sdp.Session) (shield, error)
	// Close ends what runs for it.
	Close()
}

// wire is how a protection reaches its far end by itself, without the session: for STUN and DTLS only. It may be used
// from any goroutine.
type wire interface {
	// Send sends a packet as it is.
	Send(packet []byte, to netip.AddrPort) error
	// Addr is where the session's socket is bound.
	Addr() netip.AddrPort
}

var _ wire = Port(nil)

// isControl tells STUN and DTLS from RTP on one port (RFC 7983 §7).
func isControl(p []byte) bool { return len(p) > 0 && (p[0] < 4 || p[0] >= 20 && p[0] < 64) }
