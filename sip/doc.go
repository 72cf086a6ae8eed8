// Package sip is ullim's signalling: trunks and devices on the outside, call.Leg on the inside, sipgo's parser,
// transports and transactions between them. sipgo's dialog types are not used: what a dialog is, is decided here.
//
// Layout, from the wire inwards:
//
//	guard.go, guard_stream.go   net.PacketConn, net.Listener and net.Conn in front of sipgo. Nothing reaches sipgo that
//	                            is not one whole, plausible SIP message; the rest is dropped or answered statelessly.
//	                            They see messages in wire order, which sipgo does not keep (it starts a goroutine for
//	                            each), so CANCEL and ACK are taken out here.
//	validate.go, tidy.go        the rules for one raw message, pure functions.
//	endpoint.go, index.go       the wiring, and which dialog or INVITE a message belongs to.
//	serve.go, admission.go      requests outside a dialog; who may call, and the one log line that says why not.
//	leg.go, leg_*.go, dialog.go one Leg for both directions: an actor with a mailbox.
//	digest.go, registrar*.go,
//	trunks.go, devices.go,
//	limits.go                   who is who, and how much of it.
//	trunk_*.go, route*.go       the outgoing side: carriers registers with and probes the trunks' places (trunk_register.go,
//	                            trunk_probe.go, trunk_health.go, trunk_dns.go), a call waits for a place (trunk_queue.go)
//	                            and becomes a plan of hops in the carrier's words (route_trunk.go, trunk_identity.go).
//
// States of a Leg:
//
//	incoming: proceeding -> answered (200 sent, no ACK yet) -> confirmed -> ending -> gone
//	outgoing: calling (INVITE sent) -> confirmed -> ending -> gone
//
// The owner hears LegEnded when a leg enters ending. From there the leg closes its transactions by itself: a CANCEL waits
// for its 487 or crosses a 200 (then ACK and BYE), a BYE is repeated until answered. A leg that is gone leaves a short
// note in the index, so that a BYE that crosses ours is still answered 200.
//
// Who calls whom: library callbacks and Leg methods only post to the leg's mailbox; the leg's goroutine alone touches its
// fields, sends through sipgo (whose sockets never block: see guard_stream.go) and calls the owner's event function.
// In-dialog requests are taken in the order of their CSeq; one that comes too early waits gapWait for its predecessor.
//
// Where requests go: to the address the peer's messages come from, or to its Contact or Route if that is an IP address
// that the peer could mean from where we are (see dialog.destination). Host names are never resolved here: a name in a
// Contact from the wire must not make this process ask a resolver. The names of configured gateways are, by trunk_dns.go.
package sip
