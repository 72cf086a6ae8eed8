// Package media carries the sound of calls: RTP sockets, the clock that sends on time, playing, joining, recording.
//
//	Plane ── owns the ports (ports.go), the counters and the writer of recordings
//	  ├ Session ── one leg: one socket, one far end
//	  │    shield.go     the seam to what protects the packets (SRTP, DTLS, ICE: shield_*.go)
//	  │    receive.go    packet -> shield -> source policy (source.go) -> sequence (sequence.go) -> keys (keys.go) -> tap (record) -> link, seat
//	  │    send.go       clock -> keys (digits.go), what is played (play.go), what is joined, or silence -> shield -> packet
//	  │    bridge.go     the link: a packet received by one session is sent by the other, in the same pass
//	  │    transcode.go  or decoded for it, if the two speak different codecs (codec.go)
//	  │    listen.go     who hears the session beside those: 20 ms of µ-law of each direction on the clock; sound made while it is played
//	  │    report.go     RTCP, and the quality of the leg
//	  │    session.go    offers and answers (sdp), life and death
//	  │    dead.go       when missing media is worth a word
//	  ├ Conference ── several sessions, mixed (conference.go); each has a seat in it (seat.go)
//	  └ Recording ── taps that move from session to session (recording.go)
//	Loop ── owns the sockets and the clock (loop.go: the seam; netloop.go: the portable one)
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
// The two sides of a join are normally served by the same loop. Members of a conference may be served by any: they meet it
// in rings and never wait for each other.
//
// The packet path (receive, forward, transcode, play, conference) allocates nothing; a test proves it. A packet is forwarded in the
// buffer it was received in: the header is rewritten in front of the payload, and nothing is decoded unless the two sides
// speak different codecs.
package media
