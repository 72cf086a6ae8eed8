// Package agent is the channel of agents and supervisors, /agent/v1: what an agent's panel shows, and everything that it
// can do. docs/agents.md has the protocol.
//
//	ports.go      what the channel needs of routing, calls, chats, records and the configuration
//	state.go      State: what a panel shows, in parts; build.go makes the parts of an agent
//	hub.go        one hub for each agent who is looked at: the parts as they are, their numbered changes, the tabs
//	tab.go        one tab: a bounded queue of frames, cut when it is full
//	socket.go     the WebSocket; frames.go what goes over it
//	command.go    commands: checked, done once for each key, answered; commands_*.go what each does
//	journal.go    the keys of the commands of the last ten minutes
//	errors.go     errors with a code, in English and Korean
//	signin.go     sign-in, sign-out
//	handler.go    Face: paths, origins, who asks
//
// # State and events
//
// A panel's state is parts: the agent, the availability, the setup, and one part for each contact. A hub builds all parts
// from what routing, calls and chats say, compares the bytes with what it has, and tells the tabs what is different, with
// the next number. So an event is never composed by hand, and whoever folds the events into a snapshot has, by
// construction, the next snapshot. What wakes a hub is a hint: it looks again by itself every fifteen seconds.
//
// The last events stay in a ring for as long as the hub lives, thirty seconds after its last tab. A cursor names a hub's
// life and a number; who comes back with one that is in the ring gets what was missed, everybody else a snapshot. After a
// restart every cursor is of another life.
//
// # Who waits for whom
//
// Nobody: a hub puts frames into the queues of tabs, and cuts the tab whose queue is full, by number or by bytes. A tab's
// commands are done one after the other in a goroutine of its own, so that its heart goes on beating.
//
// # Commands
//
// Each has a key that the client made. The key is committed before anything is done and the answer after it; the same key
// again gives the first answer, also from another tab, also after a restart. If the process died in between the answer is
// OUTCOME_UNKNOWN: nothing is done twice on a guess.
package agent
