// Package acd brings waiting contacts and agents together: queues, opening hours, routing profiles, agent statuses, and
// the offers that come of them.
//
// # Layout
//
//	types.go, config.go  what an operator configures, and the snapshot of it that routing works with
//	validate.go          the rules of each resource
//	pick.go, explain.go  who gets whom, and why not: pure; agentqueue.go: the queue that each agent has
//	fsm.go               what happens to an agent: a written table and Step, pure
//	center.go            Center, the API: one per instance
//	actor.go, offers.go  the actor: one goroutine that owns all waiting contacts and agents of an instance
//	ops.go, alarms.go    the actor's two hands: store operations and timers
//	snapshot.go          what everybody may read without asking the actor
//
// # An offer
//
// Pick matches a waiting contact with an agent. The agent's slot becomes OFFERED in memory, Store.Reserve makes it
// durable, and only then Ringer.Ring rings the phone. The call answers with OfferResult, then Joined, then AgentDone.
// A contact keeps its place (its Since) until Joined: whatever goes wrong before, it is offered to the next agent.
// Leave takes a contact out at any moment.
//
// # Who waits for whom
//
// The actor never blocks: store calls run in goroutines of their own and come back as messages; so does reading the
// configuration. Its mailbox has no bound, because a lost AgentDone would strand an agent; what is in it is bounded by
// the calls that are admitted. A Ringer is called from a goroutine of its own, so even a slow one holds nobody up. Reads
// (CurrentAgents, Waiting, Metrics, Explain) look at the last published snapshot.
//
// Store operations of one agent, and of one contact, run one after the other in the order in which they were decided.
// An agent or contact with an operation under way is not picked. Operations that free somebody are repeated until they
// succeed; a reservation that fails is given up, and the contact is picked again after a back-off.
//
// # Invariants
//
// The model test (model_test.go) drives 100,000 random events against a store that fails now and then, and checks:
//
//  1. An agent has at most one offer that is not answered, and never more contacts of a channel than its limit.
//  2. A contact has at most one live offer (OFFERED or CONNECTED).
//  3. No phone rings without a stored reservation.
//  4. With an eligible idle agent and a waiting contact, an offer starts at once.
//  5. A contact that was enqueued and has not left is waiting, offered or with an agent: never lost.
//  6. After everything has left, no reservation is stored and no slot taken.
//  7. The last status chosen by a person is the agent's status, or its next one.
//  8. Every slot has a timer or an owner: OFFERED the call (and a guard after the ring time), CONNECTED the call, ACW its
//     timer or the agent, MISSED and REJECTED the agent, ERROR the agent or the return of the device.
package acd
