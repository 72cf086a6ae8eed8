package sip

import (
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// maxOwed is how many ACKs a connection keeps; the oldest go first.
const maxOwed = 16

// owedAck is an ACK that went into a device's own connection. Nothing answers an ACK, so when the connection breaks soon
// after, nobody knows whether it arrived; and a browser does not ask by repeating its 200, because its transaction has
// ended with the connection. The call would be up, and hung up on for want of an ACK after 64*T1 (RFC 3261 §13.3.1.4).
type owedAck struct {
	ack *sipgo.Request
	at  time.Time
}

// owe keeps an ACK that was sent to a device, as long as the device may wait for it. A second copy does no harm.
func (ep *Endpoint) owe(ack *sipgo.Request) {
	peer, ok := destinationOf(ack)
	if !ok {
		return
	}
	network := sipgo.NetworkToUpper(ack.Transport())
	c := ep.streams.find(network, peer)
	if c == nil || c.pulse.ours {
		return
	}
	if _, registered, _ := ep.streams.successor(network, peer); !registered {
		return
	}
	c.owedMu.Lock()
	defer c.owedMu.Unlock()
	if len(c.owed) == maxOwed {
		c.owed = append(c.owed[:0], c.owed[1:]...)
	}
	c.owed = append(c.owed, owedAck{ack, time.Now()})
}

// settleOwed sends what a connection that is gone may have kept for itself over the one that the device registers from
// next.
func (ep *Endpoint) settleOwed(c *streamConn) {
	c.owedMu.Lock()
	owed := c.owed
	c.owed = nil
	c.owedMu.Unlock()
	for _, o := range owed {
		if time.Since(o.at) < timerB && ep.ctx.Err() == nil {
			ep.sendAck(o.ack)
		}
	}
}
