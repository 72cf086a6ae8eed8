package media

import (
	"net"
	"net/netip"
	"time"
)

// Frame is the step of the media clock.
const Frame = 20 * time.Millisecond

// MaxPacket is the largest packet that is handed on; what is larger is no telephone audio and is dropped.
const MaxPacket = 1500

// Loop owns the sockets of sessions and the clock of everything that must be sent on time. The seam is narrow so that a
// platform can bring a better one; mediatest.Loop is the behaviour that all of them share:
//
//   - packets of one port are handed over one at a time, in the order they came;
//   - all tickers tick one after the other, on one grid of Frame; a ticker that was slow or a machine that stood still is
//     told how many frames it owes, at most MaxOwed, and how many are lost for good;
//   - with no ticker there is no clock: an idle loop costs nothing;
//   - a handler or ticker may call anything here, also about itself, but Close.
type Loop interface {
	// Open starts to read conn, which the loop owns from now on, and hands its packets to h.
	Open(conn net.PacketConn, h Handler) (Port, error)
	// Add starts to tick t; adding it twice is adding it once.
	Add(t Ticker)
	// Remove stops to tick t. A tick that has begun may still be running.
	Remove(t Ticker)
	// Late is the number of frames since the start that were sent late or not at all.
	Late() uint64
	// Close ends the clock, closes all ports and waits until no handler or ticker runs any more.
	Close() error
}

// Handler gets the packets of a port. The packet belongs to the handler until it returns; it may be changed. In front of
// it there is no room; behind it neither.
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
