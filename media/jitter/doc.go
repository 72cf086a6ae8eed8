// Package jitter makes an even stream of 20 ms frames out of packets that come late, doubled, out of order or not at all.
//
//	Receiver  the whole ear of a leg that is decoded (receiver.go):
//	   Buffer     packets in, payload of 20 ms out (buffer.go)
//	     network    what the network does: the least transit time, jitter, the delay that this asks for (network.go)
//	     store      the payload on its timeline (store.go)
//	   Decoder    G.711, G.722, Opus
//	   Concealer  what is played in the place of what was lost (conceal.go)
//	   stretcher  delay made less or more by taking out or putting in a period of the voice (stretch.go)
//	   Noise      comfort noise (noise.go)
//
// Everything is laid on the timeline of the RTP timestamps. The buffer knows the next tick to be played. Its delay is how far
// that is behind a packet that took the shortest way just now, and it is steered to the target: what 99% of the packets
// of the last seconds needed, and one frame. Clock skew needs no measuring: it shows as delay that grows or shrinks, and is
// corrected like any other wrong delay.
//
//	idle ── a packet ──> waiting for the target ──> playing ── nothing left ──> underrun: the position waits
//	  ^                                                ^                          │   │
//	  └──────────── 250 ms without a packet ───────────│──────────────────────────┘   │
//	                                                   └── a packet: late ones still find their place
//
// Nothing here has a clock, a goroutine or a lock, and nothing allocates after New.
package jitter

import "time"

// Options of a Buffer. Zero values mean the defaults.
type Options struct {
	Frame  int           // ticks of the RTP clock in 20 ms; default 160 (8,000 Hz); 960 for Opus
	Opaque bool          // a packet cannot be cut (Opus): it is handed out whole. Otherwise one byte is one tick (G.711, G.722)
	Start  time.Duration // first delay, default 40 ms
	Min    time.Duration // least delay, default 20 ms
	Max    time.Duration // greatest delay, default 200 ms, at most 400 ms
}

const (
	frameTime = 20 * time.Millisecond

	// dryTime is how long after the last packet nothing more is expected (a pause of the far end: hold, keys, silence).
	dryTime = 250 * time.Millisecond
	// longest is how many frames one packet may hold. 60 ms are usual, 100 have been seen.
	longest = 6
	// largest is how many bytes an opaque packet may hold (the greatest Opus frame is 1,275).
	largest = 1500
)

func (o Options) complete() Options {
	if o.Frame <= 0 {
		o.Frame = 160
	}
	if o.Max <= 0 {
		o.Max = 200 * time.Millisecond
	}
	o.Max = min(max(o.Max, 2*frameTime), 400*time.Millisecond)
	if o.Min <= 0 {
		o.Min = frameTime
	}
	o.Min = min(o.Min, o.Max)
	if o.Start <= 0 {
		o.Start = 2 * frameTime
	}
	o.Start = min(max(o.Start, o.Min), o.Max)
	return o
}

// State says what a frame is.
type State uint8

// States of a frame.
const (
	Idle     State = iota // nothing is expected: nothing came yet, or the far end stopped. Play silence or comfort noise
	Frame                 // the payload of 20 ms
	Missing               // lost: conceal it, what follows is here
	Underrun              // not here yet: conceal it, and it may still come
	Held                  // the packet handed out before covers this frame too (opaque packets of more than 20 ms)
)

// Stats are counters since New.
type Stats struct {
	Received, Late, Duplicate, Overflow, Unfit uint64 // packets; Unfit: of a size that nothing of 10-120 ms has
	Frames, Missing, Underrun                  uint64 // frames handed out, by state
	Resync, Shrunk, Grown                      uint64 // jumps of the stream; corrections of the delay
	Delay, Target, Jitter                      time.Duration
}
