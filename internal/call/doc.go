// Package call runs voice contacts: one actor per call, which alone owns the customer's leg, the agent's leg, their
// media, the flows that run against them and the contact record.
//
// # Layout
//
//   - ports.go: what a call needs of the world (Leg, Media, Dialer, Flows, Queues, Store), declared here, implemented
//     elsewhere and joined by internal/app.
//   - state.go, fsm.go, fsm_agent.go: State, Event, Effect and Step, the pure function that decides everything.
//   - actor.go: the loop that receives an event, steps, and performs the effects. It never blocks: what may block is
//     started in a goroutine and comes back as an event.
//   - control.go: the hand of a flow's goroutine on its call.
//   - manager.go: all calls of this process: Admit (an INVITE), Offer (the ACD), Drain.
//   - saver.go: writes the record behind the call, in order, the last one with its jobs in one transaction.
//
// # Phases
//
//	New ──ACK──▶ Flow ──TransferContactToQueue──▶ Enqueueing ──▶ Queued ◀───────────────────┐
//	                                                               │ offer                   │ missed, refused,
//	                                                               ▼                         │ agent left
//	                                                            Ringing ──▶ AgentWhisper ──▶ CustomerWhisper
//	                                                                                            │
//	     Remaining ◀── agent left, CustomerRemaining hook set ── Talking ◀─────────────────────┘
//	        │ TransferContactToQueue: a new segment (DISCONNECT) ──▶ Enqueueing
//	        ▼
//	     Ending (from anywhere: everything released, the recording and the record are being completed) ──▶ Ended
//
// The customer's leg and the contact live together: when the customer is gone, the contact ends, whatever its phase.
// Two flows may run at once, one for the customer (inbound, queue, whisper, disconnect) and one for the agent (agent
// whisper). Starting another flow for the same person ends the one before; its late words are recognised by their
// generation and ignored, as are late timers and late events of an agent's leg.
package call
