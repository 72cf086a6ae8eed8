// Package webrtc is the part of WebRTC that a media leg needs on its own socket: telling packets apart, being found by
// ICE, and agreeing on keys by DTLS.
//
//	Classify      first byte -> STUN, DTLS, RTP or nothing (RFC 7983)
//	Agent         ICE-lite (RFC 8445 §2.5, §7.3): answers authenticated checks, and thereby learns where the far end is
//	Association   one DTLS handshake (RFC 5763, RFC 5764) over packets that somebody else reads and sends; ends in keys
//	Certificate   of the process: self-signed, known by its fingerprint in SDP
//
// Nothing here opens a socket. The agent is a state machine without clock and goroutines, for one caller at a time. An
// association has goroutines (those of pion/dtls and one of its own) which end with it. What strangers send is dropped and
// counted, and changes nothing: a check must carry our credentials, a certificate must have the fingerprint of the SDP,
// and a handshake that fails takes nothing with it but itself.
package webrtc

// Class is what a packet is, by its first byte.
type Class int

// Classes.
const (
	Unknown Class = iota
	STUN
	DTLS
	RTP // or RTCP, protected or not
)

// Classify tells the protocols of one port apart (RFC 7983 §7).
func Classify(packet []byte) Class {
	if len(packet) == 0 {
		return Unknown
	}
	switch b := packet[0]; {
	case b <= 3:
		return STUN
	case b >= 20 && b <= 63:
		return DTLS
	case b >= 128 && b <= 191:
		return RTP
	}
	return Unknown
}
