// Package media carries the sound of calls: RTP sockets, the clock that sends on time, playing, joining, recording.
//
//	Plane ── owns the ports (ports.go) and the counters
//	  └ Session ── one leg: one socket, one far end
//	       receive.go   packet -> source policy (source.go) -> sequence (sequence.go) -> keys (dtmf) -> tap (record) -> link
//	       send.go      clock -> what is played, or silence -> packet
//	       bridge.go    the link: a packet received by one session is sent by the other, in the same pass
//	       session.go   offers and answers (sdp), life and death
//	       dead.go      when missing media is worth a word
//	Loop ── owns the sockets and the clock (loop.go: the seam; epoll_linux.go: that of Linux; netloop.go: the portable one)
//
// Three kinds of callers meet in a Session: the receive path of its own socket, the clock, and whoever uses the API. What
// they share is small. What was negotiated is an immutable agreement behind an atomic pointer. The receive state has a
// lock of its own, and so has the send state. Locks are taken in the order negotiation, receive, send, never two sessions'
// at once, and no callback is made under one.
//
//	created ── Offer/Accept or Answer ──> agreed ── Close ──> closed
//	                                       │  sends without pause: what is played, what is joined, or silence
//	                                       └─ again and again: hold, resume, codec change, new address
//
// The packet path (receive, forward, transcode, play) allocates nothing; a test proves it. A packet is forwarded in the
// buffer it was received in: the header is rewritten in front of the payload, and nothing is decoded unless the two sides
// speak different codecs.
package media
