// Package srtp protects RTP and RTCP packets (RFC 3711) in place and without allocating.
//
//	Suite      what a transform is called in SDP (RFC 4568 §6.2, RFC 6188, RFC 7714) and in DTLS (RFC 5764 §4.1.2)
//	Key        a master key with its salt; it prints as "(secret)", and only Inline gives it away
//	Sealer     one direction out: Seal; Change takes a new key without a hole
//	Opener     one direction in: Open; Change takes a new key, the old one is good for another second
//	DTLSKeys   the two keys that a DTLS handshake exported
//
// The transforms are pion/srtp's. What is ours around them: roll-over counters that survive a negotiation which did not
// change the key (RFC 3711 §3.3.1), the overlap of an old and a new key, a bound on how many sources one key may speak
// for, and that a bad packet is an answer (false) and not an error that somebody might act on.
//
// A Sealer and an Opener belong to one caller at a time each.
package srtp
