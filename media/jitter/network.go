package jitter

import "time"

// network measures what the network does to packets. Times are ticks of the RTP clock, counted here since the first packet; a
// transit is the time of arrival less the timestamp, so only differences of transits mean anything.
type network struct {
	o      Options
	epoch  time.Time
	packet int // since the beginning

	// The shortest way: the least transit of two halves of a window that moves on.
	least, leastBefore int64
	turned             int64

	// How much later than that packets are: shares of the packets of the last seconds, in steps of half a frame.
	late   [64]float32
	last   int64 // transit of the last packet
	jitter float64
	target int64
}

const (
	windowTime = 4 * time.Second // half of the window of the shortest way
	forget     = 1.0 / 256       // of the shares, at each packet: about five seconds
	punctual   = 0.99            // the share of packets that must be in time
	enough     = 25              // packets before the first delay is given up for a measured one
	far        = int64(1) << 62
)

// begin starts a new timeline. What is known of the network still holds.
func (n *network) begin(now time.Time) {
	n.epoch, n.packet = now, 0
	n.least, n.leastBefore, n.turned = far, far, 0
}

func ticks(o Options, d time.Duration) int64 { return int64(d) * int64(o.Frame) / int64(frameTime) }

func span(o Options, t int64) time.Duration {
	return time.Duration(t * int64(frameTime) / int64(o.Frame))
}

// clock is a moment in ticks.
func (n *network) clock(now time.Time) int64 { return ticks(n.o, now.Sub(n.epoch)) }

// shortest is the least transit known.
func (n *network) shortest() int64 { return min(n.least, n.leastBefore) }

// heard takes a packet of the stream.
func (n *network) heard(stamp int64, now time.Time) {
	at := n.clock(now)
	transit := at - stamp
	if at-n.turned > ticks(n.o, windowTime) {
		n.turned, n.leastBefore, n.least = at, n.least, transit
	}
	n.least = min(n.least, transit)
	if n.packet > 0 {
		n.jitter += (float64(max(transit-n.last, n.last-transit)) - n.jitter) / 16 // RFC 3550 §6.4.1
	}
	n.last = transit
	n.packet++

	step := int64(n.o.Frame) / 2
	slot := min(max(transit-n.shortest(), 0)/step, int64(len(n.late)-1))
	for i := range n.late {
		n.late[i] -= n.late[i] * forget
	}
	n.late[slot] += forget
	if n.packet < enough {
		return
	}
	n.target = min(max(n.needed(), ticks(n.o, n.o.Min)), ticks(n.o, n.o.Max))
}

// needed is the delay in which nearly all packets would have been in time, and one frame: packets and frames do not come
// at the same moment.
func (n *network) needed() int64 {
	var all, sum float32
	for _, share := range n.late {
		all += share
	}
	slot := 0
	for i, share := range n.late {
		sum += share
		if slot = i; sum >= punctual*all {
			break
		}
	}
	step := int64(n.o.Frame) / 2
	return int64(slot)*step + int64(n.o.Frame)
}
