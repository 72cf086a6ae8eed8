package sip

import "sync/atomic"

// Stats is a snapshot of what the endpoint has counted since it was made; the last four are as of now.
type Stats struct {
	Received        uint64 // messages that arrived, of any kind
	Dropped         uint64 // not SIP, or nothing that may be answered
	Malformed       uint64 // answered statelessly because of their form (400, 405, 416, 420, 483, 501, 505, 513)
	RateLimited     uint64 // requests from a source that sent too many
	Panics          uint64 // messages whose handling panicked; each was contained
	InvitesAdmitted uint64
	InvitesRefused  uint64
	Dialed          uint64
	Overflows       uint64 // legs ended because their mailbox was full
	Reaped          uint64 // stream connections closed by a deadline or a cap
	Strangers       uint64 // requests in a trunk's dialog from an address that is not the trunk's
	Loops           uint64 // INVITEs of our own that came back
	Retransmits     uint64 // 200 sent again because no ACK came
	Handshakes      uint64 // of TLS that failed
	DialsFailed     uint64 // connections to trunks that could not be opened
	Restored        uint64 // requests that found their peer over another connection than the one that was lost

	Legs         int // dialogs and attempts that are not gone
	Transactions int // of requests of others; one lives for half a minute
	Streams      int // open stream connections
	Draining     bool
}

// Connections is how many connections are open now, by transport: TCP, TLS, WS, WSS.
func (ep *Endpoint) Connections() map[string]int {
	m := make(map[string]int, 4)
	for _, network := range streamNetworks() {
		m[network] = 0
	}
	ep.streams.mu.Lock()
	defer ep.streams.mu.Unlock()
	for c := range ep.streams.open {
		m[c.network]++
	}
	return m
}

type counters struct {
	received, dropped, malformed, rateLimited, panics atomic.Uint64
	admitted, refused, dialed, overflows, reaped      atomic.Uint64
	retransmits, strangers, loops                     atomic.Uint64
	handshakes, dialFailed, restored                  atomic.Uint64
	streams, transactions                             atomic.Int64
}

// Stats reads the counters.
func (ep *Endpoint) Stats() Stats {
	c := &ep.count
	return Stats{
		Received: c.received.Load(), Dropped: c.dropped.Load(), Malformed: c.malformed.Load(),
		RateLimited: c.rateLimited.Load(), Panics: c.panics.Load(), InvitesAdmitted: c.admitted.Load(),
		InvitesRefused: c.refused.Load(), Dialed: c.dialed.Load(), Overflows: c.overflows.Load(),
		Reaped: c.reaped.Load(), Retransmits: c.retransmits.Load(), Legs: ep.index.size(),
		Strangers: c.strangers.Load(), Loops: c.loops.Load(),
		Handshakes: c.handshakes.Load(), DialsFailed: c.dialFailed.Load(), Restored: c.restored.Load(),
		Transactions: int(c.transactions.Load()),
		Streams:      int(c.streams.Load()), Draining: ep.draining.Load(),
	}
}
