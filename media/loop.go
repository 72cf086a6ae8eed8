package media

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// Frame is the step of the media clock.
const Frame = 20 * time.Millisecond

// MaxPacket is the largest packet that is handed on; what is larger is no telephone audio and is dropped.
const MaxPacket = 1500

// Room is how many bytes may be appended to a packet that is handed over, in its place: what SRTP adds.
const Room = 64

// LoopStats are counters since the start of a loop, and what is now.
type LoopStats struct {
	Ports   int     // now
	Tickers int     // now
	Busy    float64 // share of the last second that went into work; of the portable loop: not known, 0

	Late    uint64 // frames that were sent late or not at all
	Wakeups uint64 // passes over the sockets; of the portable loop: steps of its clock
	Packets uint64 // handed over; of the portable loop: not counted
	Steps   Lateness
}

// Lateness is how late the steps of a clock were: a histogram.
type Lateness struct {
	Steps uint64
	Sum   time.Duration
	Up    [5]uint64 // steps that were late by at most LatenessBounds
}

// LatenessBounds are the upper bounds of the first columns of a Lateness.
func LatenessBounds() [5]time.Duration {
	return [...]time.Duration{
		time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
	}
}

// lateness is a Lateness as it is counted.
type lateness struct {
	steps, sum atomic.Uint64
	up         [5]atomic.Uint64
}

func (l *lateness) add(d time.Duration) {
	l.steps.Add(1)
	l.sum.Add(uint64(max(d, 0)))
	for i, bound := range LatenessBounds() {
		if d <= bound {
			l.up[i].Add(1)
		}
	}
}

func (l *lateness) read() Lateness {
	r := Lateness{Steps: l.steps.Load(), Sum: time.Duration(l.sum.Load())}
	for i := range l.up {
		r.Up[i] = l.up[i].Load()
	}
	return r
}

// Loop owns the sockets of sessions and the clock of everything that must be sent on time. The seam is narrow so that a
// platform can bring a better one (epoll_linux.go); mediatest.Loop is the behaviour that all of them share:
//
//   - packets of one port are handed over one at a time, in the order they came;
//   - all tickers tick one after the other, each on a grid of Frame; a ticker that was slow or a machine that stood still is
//     told how many frames it owes, at most MaxOwed, and how many are lost for good;
//   - with no ticker there is no clock: an idle loop costs nothing;
//   - a handler or ticker may call anything here, also about itself, but Close.
type Loop interface {
	// Open starts to read conn, which the loop owns from now on, and hands its packets to h.
	Open(conn net.PacketConn, h Handler) (Port, error)
	// Add starts to tick t; adding it twice is adding it once.
	Add(t Ticker)
	// Remove stops to tick t. A step of the clock that has begun may still tick it.
	Remove(t Ticker)
	// Stats counts since the start.
	Stats() LoopStats
	// Close ends the clock, closes all ports and waits until no handler or ticker runs any more.
	Close() error
}

// Handler gets the packets of a port. The packet belongs to the handler until it returns; it may be changed. In front of
// it there is no room; behind it, in its capacity, there is Room.
type Handler interface {
	HandlePacket(packet []byte, from netip.AddrPort, now time.Time)
}

// Ticker is called once for each step of the clock, with owed frames to send now (1 to MaxOwed), and the number that came
// before them and were lost.
type Ticker interface {
	Tick(now time.Time, owed, lost int)
}

// Port sends from a socket of the loop.
type Port interface {
	// Send sends a packet; it does not keep it.
	Send(packet []byte, to netip.AddrPort) error
	// Addr is where the socket is bound.
	Addr() netip.AddrPort
	// Close closes the socket; a packet that is being handled may still be in work. It is safe twice.
	Close() error
}

// MaxOwed is how many frames are caught up with at once after the clock was late. What is older is lost: a far end is
// better served by a gap than by a burst.
const MaxOwed = 3

// owed says what is due at now on the grid whose next step is next: how many frames to send at once, how many are lost,
// and the next step after that.
func owed(next, now time.Time) (send, lost int, then time.Time) {
	if now.Before(next) {
		return 0, 0, next
	}
	due := 1 + int(now.Sub(next)/Frame)
	then = next.Add(time.Duration(due) * Frame)
	if due > MaxOwed { // hopeless: begin again with the frame of this moment
		return 1, due - 1, then
	}
	return due, 0, then
}

// Where a loop is full enough for the next to be used. Few busy loops are cheaper than many idle ones: what a wake-up costs
// is shared by all packets that it finds (docs/performance.md).
const (
	fullPorts = 1000
	fullBusy  = 0.5
)

// choose picks the loop for a new call: the first that is not full, and if all are, the least busy.
func choose(stats []LoopStats) int {
	best := 0
	for i, s := range stats {
		if s.Ports < fullPorts && s.Busy < fullBusy {
			return i
		}
		if b := stats[best]; s.Busy < b.Busy || s.Busy == b.Busy && s.Ports < b.Ports {
			best = i
		}
	}
	return best
}
