// Package call runs voice contacts: one actor per call, which alone owns the legs of its parties, their media, the flows
// that run against them and the contact record.
//
// # Layout
//
//   - ports.go: what a call needs of the world (Leg, Media, Dialer, Flows, Queues, Store, People), declared here,
//     implemented elsewhere and joined by internal/app.
//   - state.go, party.go, effects.go: State, Party, Event, Effect.
//   - fsm.go and fsm_*.go: Step, the pure function that decides everything. fsm_agent.go: offers and agents; fsm_queue.go:
//     the queue, segments of a contact; fsm_calling.go: calls that we place, fsm_dial.go: for an agent whose device rings first; fsm_transfer.go: REFER and
//     Replaces; fsm_handover.go: transfers with their flows, consultations; fsm_aside.go: a second contact of the call;
//     fsm_holds.go: what records tell of holds and supervisors;
//     fsm_tape.go: recording; fsm_asked.go: what the API wants; fsm_outward.go: a third party outside, or another queue,
//     because a flow asks; fsm_data.go: what flows note.
//   - wiring.go: who hears what, computed from the state after every event; bridge.go brings that about.
//   - actor.go: receives an event, steps, and performs the effects (perform.go). It never blocks: what may block is
//     started in a goroutine and comes back as an event.
//   - mailbox.go: what waits for the call, and who works for it: it has no goroutine of its own, who brings an event and
//     finds nobody at work takes the step there.
//   - line.go: a leg with its media, which may move from one call to another.
//   - secret.go: keys that nobody else may learn, and what flows of a call share.
//   - control.go: the hand of a flow's goroutine on its call. asks.go, asks_transfer.go: the hand of the API.
//   - manager.go, admit.go: all calls of this process: Admit (an INVITE), Originate, Offer (the ACD), Drain.
//   - saver.go: writes the record behind the call, in order, the last one with its jobs in one transaction, which it may
//     share with others.
//
// # Parties
//
// A call has up to six parties, and five supervisors beside them. One is the customer, whom the contact is about; one may be the agent, who serves the
// customer (of the queue, or who placed the call from a device, or who has taken either's place by a transfer); others
// are third parties and supervisors. A party has an id that is never used twice: late events of a leg, of a timer or of
// media find nobody and are ignored. An ordinary call has two parties and pays for no more.
//
//	stage     its leg                                     may become
//	Coming    called us, not answered                     Up, Gone
//	Dialled   we call it                                  Ringing, Up, Gone
//	Ringing   18x                                         Up, Gone
//	Up        answered                                    Lent, Gone
//	Lent      on its way to another call of ours          Up (it was not taken); removed (it was)
//	Gone      over; its media is being closed             removed, when the quality is known
//
// # Phases
//
//	New ──ACK──▶ Flow ──TransferContactToQueue──▶ Enqueueing ──▶ Queued ◀───────────────────┐
//	              ▲                                                │ offer                   │ missed, refused,
//	              │ no caller                                      ▼                         │ agent left
//	           Calling                                          Ringing ──▶ AgentWhisper ──▶ CustomerWhisper
//	              │ answered                                                                    │
//	              ├── OutboundWhisper ──▶ Talking
//	              └──────────────────────────▶ Talking ◀───────────────────────────────────────┘
//	                                           │   ▲
//	                                     REFER │   │ answered: a new segment; refused: as before
//	                                           ▼   │
//	                                        Transferring ── a number of ours: a new segment ──▶ Flow
//
//	     Remaining ◀── Talking: agent left, CustomerRemaining hook set
//	        │ TransferContactToQueue: a new segment (DISCONNECT) ──▶ Enqueueing
//	        ▼
//	     Ending (from anywhere: everything released, the recordings and the records are being completed) ──▶ Ended
//
// The customer's leg and the contact live together: when the customer is gone, the contact ends, whatever its phase.
// Two flows may run at once, one for the customer (inbound, queue, whisper, disconnect, hold) and one for the agent
// (whisper, hold). Starting another flow for the same person ends the one before; its late words are recognised by their
// generation and ignored.
//
// A flow that asks for somebody outside (TransferParticipantToThirdParty) waits while the call is Outward: the third party
// rings, then talks with the customer. With Resume the flow goes on afterwards where it was; without, the answer ends the
// flow and the third party has the place of an agent. Who waits in a queue leaves it meanwhile, and keeps the place. A
// customer queue flow that moves the contact to another queue that is full has the old place back, whatever its capacity.
//
// # What happens when
//
// Rows are events, columns phases; "-" is nothing. Every leg may change its session (LegOffer, LegChanged) at any time.
//
//	                       New, Flow    Queued,       Calling            Talking                  Transferring
//	                       Remaining    Ringing, whispers
//	customer's BYE         end          end           (callee refuses)   end                      487 to the transferor, end
//	                                                  caller: its code
//	agent's leg over       -            Queued        end (caller)       others talk on, else     transferor: it goes on;
//	                                                                     disconnect flow, else    else 487, as Talking
//	                                                                     end (BYE) or queue (fault)
//	third's leg over       -            -             -                  removed                  removed; target: failed
//	REFER of a user        491          491           491                Transferring             491
//	REFER of another       403          403           403                403                      403
//	takeOver of customer   replaced     replaced      ringing callee:    replaced                 403
//	                                                  pick-up
//	takeOver of agent      -            ringing: 403  481                replaced                 403
//	offer                  left         rings         left               left                     left
//	hold, mute by us       refused      refused       refused            done                     refused
//	invite                 refused      refused       refused            rings                    refused
//	recording              refused      refused       refused            done                     stop, suspend, resume
//	media dead (Up)        end          customer: end -                  customer: end;           as a leg that is over
//	                                    agent: Queued                    agent: fault
//
// # Transfers
//
// From the first 100 on, the outcome of a REFER is owed to whoever sent it: 200 when the other end has answered, else its
// real code; also after their BYE, also when the call ends (487). Whoever is transferred hears music until the other end
// rings, then the ringing tone or the network's own audio. If it fails, the transferor has the party back; if they have
// hung up, the customer gets the disconnect flow, else goes back to the front of the queue they came from, else the call
// ends. An attended transfer lends the party's line to the call that the Replaces names: that one takes it in the place
// of the leg named, or gives it back. A line on its way belongs to nobody; what comes from it waits. If the other end of that
// call still rings, the party comes back and hears the ringing tone, and goes when there is an answer.
//
// A transfer to a queue or a user of the instance begins with a flow for whoever transfers, which decides; the customer
// waits on hold. What it puts in line is a contact of its own (Aside), beside the one that the call is about, because the
// ACD, agents and records know contacts and not calls:
//
//	Asking ──▶ Queued ◀──┐                     (the ACD has it)
//	             │ offer │ missed, refused
//	             ▼       │
//	          Ringing ───┘──▶ Hears ──▶ Greets ──▶ Talks
//	                     answered  │ agent whisper     customer whisper, for whoever consults
//
// A blind transfer to a queue ends at Queued: the Aside becomes the contact, in the phase Queued. One to an agent ends after
// Hears: it becomes the contact, in the phase Talking; refused, missed or waited for too long, it has failed. A consultation
// comes to Talks, in the phase Talking, with the customer on hold: if the agent leaves, the Aside becomes the contact; if the
// other leaves, it is over. An agent who hangs up on the way has made a blind transfer of it.
//
//	                  transfer flow         asking    queued, ringing, whispers      talks
//	customer's BYE    end                   end       end, offer withdrawn           end
//	agent's BYE       decides at once       goes on   to a queue: in line; goes on   Aside becomes the contact
//	flow's end        agent has customer    -         -                              -
//	other's BYE       -                     -         waits again; agent's: failed   over, agent and customer stay
//	hold off          agent has customer (a consultation)                            conference
//	another transfer  refused               refused   refused                        refused
//
// # Segments
//
// A transfer, and a customer who queues again, begin a new segment: a record of its own, linked with the one before. The
// old one is closed when its recording and the qualities of its legs are known; nothing waits for that.
package call
