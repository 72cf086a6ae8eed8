package record

// stampClock maps the RTP timestamps of one sender to the clock of this machine, in samples of Rate since the start. Packets come
// late by the jitter of the network and never early, so the least late of them tell where the sender's clock stands; jitter
// is absorbed, and a sender whose clock is a little fast or slow is followed one sample every few packets, which nobody
// hears. What is within the slack is left alone: on a busy machine even the least late packets come at uneven times, and a
// recording that bends with each of them is worse than one that is some milliseconds off.
type stampClock struct {
	begun  bool
	anew   bool   // the newest packet did not go on from the one before
	stamp  uint32 // of the newest packet, to unwrap
	wide   int64  // the same, unwrapped
	per    int64  // timestamps in a sample
	offset int64  // position = unwrapped stamp / per + offset

	packets int   // of the current look at the lateness
	least   int64 // lateness of the least late packet of it
	slew    int64 // samples still to be corrected, one every slewEvery packets
	until   int   // packets until the next
}

const (
	look      = 100             // packets in one look: 2 s
	slack     = Rate / 100      // 10 ms: closer is close enough
	slewEvery = 5               // packets: 0.12 %, faster than any clock is wrong
	farEarly  = Rate / 25       // 40 ms early: the mapping is wrong, not the clock
	farLate   = Rate * 35 / 100 // 350 ms late: the window is about to close, so it is what is heard that counts
)

// place gives the position of the first sample of a packet of n samples that arrived at a position: when it was whole. rate
// is that of its timestamps.
func (c *stampClock) place(stamp uint32, rate int64, n int, arrived int64) int64 {
	begins, per := arrived-int64(n), rate/Rate
	c.anew = false
	if !c.begun || per != c.per {
		*c = stampClock{begun: true, anew: true, stamp: stamp, wide: int64(stamp), per: per}
		c.anchor(begins)
		return begins
	}
	wide := c.wide + int64(int32(stamp-c.stamp))
	if wide > c.wide {
		c.stamp, c.wide = stamp, wide
	}
	late := begins - (wide/per + c.offset)
	if late < -farEarly || late > farLate {
		// Another stream (SSRC, transfer upstream), or a network that became much slower or faster.
		c.stamp, c.wide, c.anew = stamp, wide, true
		c.anchor(begins)
		return begins
	}
	c.follow(late)
	return wide/per + c.offset
}

// anchor begins anew: the newest packet is where it arrived.
func (c *stampClock) anchor(at int64) {
	c.offset = at - c.wide/c.per
	c.packets, c.least, c.slew = 0, 0, 0
}

// follow corrects the offset by what the lateness of the packets tells.
func (c *stampClock) follow(late int64) {
	if c.packets == 0 || late < c.least {
		c.least = late
	}
	if late < -slack { // earlier than can be: no need to look longer
		c.slew = late
	}
	if c.packets++; c.packets >= look {
		if c.least > slack {
			c.slew = c.least
		}
		c.packets = 0
	}
	if c.until--; c.until > 0 {
		return
	}
	c.until = slewEvery
	switch {
	case c.slew > 0:
		c.offset++
		c.slew--
	case c.slew < 0:
		c.offset--
		c.slew++
	}
}
