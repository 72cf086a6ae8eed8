// Package ivr runs contact flows: documents in the flow language of Amazon Connect (version 2019-10-30) that say what a
// contact hears, which keys it presses and to which queue it goes.
//
//	document.go  content to Document: strict about shape, generous about scalars ("5", 5 and true are all taken)
//	path.go      data paths ($.Attributes.plan), alone or inside text; data.go answers them from the contact, memory.go
//	             what flows of one contact leave for each other ($.External, $.StoredCustomerInput ...)
//	condition.go operators
//	action.go    what an action is, and which there are; action_*.go one small type for each, with its parameters, where it
//	             may be used, the branches it needs and what it does
//	secret.go    encryption of stored input
//	validate.go  what must be right before a flow is published; drafts need only be JSON
//	check.go     Inspect: validation, and what else is worth telling; check_*.go its rules; advice.go and advice.json the
//	             name of each rule, what to do about it, and the Korean for it
//	session.go   the interpreter: one call of Engine.Run is one flow on one contact, until it ends; report.go what is told
//	             of each action
//	service.go   drafts, publishing, finding flows; version.go every publication, kept; module.go modules and their
//	             aliases; cache.go what contacts run; defaults.go the flows that every instance starts with
//	finder.go    looking up what flows refer to, and linking what an export names by an ARN of elsewhere (names.go)
//	import.go    many flows in and out; bundle.go as a zip; diff.go what differs between two contents
//
// A flow is a script, so it is interpreted in blocking style against Participant, in the goroutine of whoever calls Run;
// the context is that of the contact, and whoever leaves ends it. Nothing here knows about calls, media or queues: the
// interfaces in ports*.go are all that a flow can do. What only some participants or contacts can do are interfaces of
// their own: an action looks whether its participant has them, and for what only one channel may do (A1.8), which
// channel it is.
//
// An action either succeeds, and its result chooses a condition or the next action, or fails with an error type, which
// chooses an error branch: the one of that type, else NoMatchingError. No branch ends the flow; in a module it makes
// whoever invoked it take the error branch. The few actions that Connect gives no error branch go on when they fail, with
// a line in the log. What this version does not know takes NoMatchingError with a log line: an imported flow may be
// poorer here, never broken. A flow that goes round without ever waiting for its participant is stopped after
// MaxIdleActions; a panic ends its own session only.
//
// # Keys pressed ahead
//
// A key pressed while nobody asks is kept for the next action that asks, across actions, modules and flows of a contact:
// messages are not interrupted by keys, and a prompt that asks is skipped when its answer is there already. Who asks for
// one key takes one, who stores a number takes as many as belong to it; the rest stays. Keys are forgotten
//
//   - when a menu has no branch for the key it got: what follows was meant for a menu that is not reached;
//   - when the contact is handed to a queue, or to another one: nobody answers what the queue will ask before hearing it;
//   - when a program begins to talk with the participant (Ullim.ConnectParticipantWithBot);
//   - when the flow says so (EnableDTMFBuffer False);
//   - beyond 64 of them, the latest first.
//
// On chat the same holds for messages.
//
// # What is typed
//
// What a contact types and what its attributes hold is in no log line, event or ActionRun. Stored input is kept in Memory
// alone, and with InputEncryption only as a JSON Web Encryption to the flow's public key (secret.go); while such input is
// asked for (Gather.Secret), recordings and streams of the contact are silent.
package ivr
