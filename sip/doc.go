// Package sip is ullim's signalling: trunks and devices on the outside, call.Leg on the inside, sipgo's parser,
// transports and transactions between them. sipgo's dialog types are not used: what a dialog is, is decided here.
//
// Layout, from the wire inwards:
//
//	guard.go, guard_stream.go   net.PacketConn and net.Conn in front of sipgo. Nothing reaches sipgo that
//	                            is not one whole, plausible SIP message; the rest is dropped or answered statelessly.
//	                            They see messages in wire order, which sipgo does not keep (it starts a goroutine for
//	                            each), so CANCEL and ACK are taken out here.
//	listen.go, websocket.go,
//	reach.go                    where stream connections come from: TCP and TLS listeners, the web server, and us, to
//	                            trunks. Each is a streamConn with a pulse (pulse.go: deadlines, keep-alives), counted and
//	                            findable in streams.go, and enters sipgo by the door of its transport (doors.go).
//	send.go                     requests that cannot go the obvious way: the connection is gone, or too large for UDP.
//	owed.go                     ACKs that a device may not have got, sent again when it is back
//	validate.go, tidy.go        the rules for one raw message, pure functions.
//	endpoint.go, index.go       the wiring, and which dialog or INVITE a message belongs to.
//	trust*.go, bans.go,
//	scanner.go                  how much each source may send, asked before a packet is read; who is not listened to.
//	serve.go, admission.go      requests outside a dialog; who may call, and the one log line that says why not.
//	decide.go, explain.go       the rules of admission as one pure function, and the dry run of it.
//	dial.go, fork.go, route*.go how a target becomes a plan of places, and the call that tries them: together or in turn.
//	redirect.go                 3xx, for the trunks that may.
//	leg.go, leg_*.go, dialog.go one Leg for both directions: a mailbox, and no goroutine of its own. leg_in, leg_out: the INVITE of each;
//	                            leg_prack: reliable 1xx; leg_offer: changes of ours; leg_timer: session timers; leg_refer:
//	                            transfers; leg_info: keys; leg_dialog: what comes inside the dialog.
//	query.go                    requests of ours, and the answers to challenges.
//	text.go                     MESSAGE.
//	digest*.go, registrar*.go,
//	keepalive.go, mwi.go,
//	fraud.go, outbound_policy.go,
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
// for its 487 or crosses a 200 (then ACK and BYE), a BYE is repeated until answered, a late 2xx to a re-INVITE is
// acknowledged, and the subscription of a transfer (REFER) stays until its last NOTIFY or 64*T1. A leg that is gone leaves a
// short note in the index, so that a BYE that crosses ours is still answered 200.
//
// What Dial gives is a fork: one leg for each place that is tried, all with the Call-ID of the call and a tag of their own.
// The first to answer has the call, and the fork hands everything on; the others are cancelled, or acknowledged and hung up
// on. A gateway that says nothing for gatewayWait is left for the next one, but its late answer is still closed properly.
//
// While our INVITE is open there may be many early dialogs, one for each To tag: l.d is the one that spoke last (turnTo),
// and each keeps its SDP, its CSeq numbers and its RSeq. Offers take turns: one of ours waits (wanted) while one of theirs is
// open, a 200 of ours is not acknowledged, or the call is not answered and UPDATE is not possible; then it leaves (proposed).
// One that meets one of theirs is refused with 491 on both sides and tried again after a random while (RFC 3261 §14.1).
//
// What is not obvious in the events: the answer in a PRACK to our offer in a 183 is a LegChanged; the answer in the ACK of a
// re-INVITE without an offer is a second LegAnswered with SDP; LegChanged without an Offer means that the peer has answered
// the refresh of a session timer with another SDP than before.
//
// Who calls whom: everything that is for a leg goes into its mailbox, and one goroutine at a time works for it, alone
// touches its fields, sends through sipgo (whose sockets never block: see guard_stream.go) and calls the owner's event
// function. Who brings something and finds the leg idle works for it there and then (Leg.do: requests in a dialog, ACKs,
// timers, Answer) or, if it holds a lock or has an order to keep, has a goroutine do so (Leg.post: the library's callbacks,
// CANCEL, whose own answer goes first, and the other methods). So a packet wakes nobody on its way to the call.
//
// In-dialog requests are taken in the order of their CSeq; one that comes too early waits gapWait for its predecessor.
//
// What stays: a transaction lives for half a minute after its answer. It knows its leg by a legRef, which is emptied when
// the leg is gone, so that it does not hold a call, its media and its state in memory.
//
// Connections: those to trunks are ours to open (reach), those of phones and browsers never. sipgo can dial nobody, its
// accept loops see only what our doors hand them, and its WebSocket server only frames that wsFace makes of judged
// messages. A dialog with a device follows its registration to a new connection (follow, track); a request whose
// connection breaks under it goes out again over another one (detour, again).
//
// Where requests go: to the address the peer's messages come from, or to its Contact or Route if that is an IP address
// that the peer could mean from where we are (see dialog.destination). Host names are never resolved here: a name in a
// Contact from the wire must not make this process ask a resolver. The names of configured gateways are, by trunk_dns.go.
package sip
