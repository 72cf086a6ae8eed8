// Package ivr runs contact flows: documents in the flow language of Amazon Connect (version 2019-10-30) that say what a
// contact hears, which keys it presses and to which queue it goes.
//
//	document.go  content to Document: strict about shape, generous about scalars ("5", 5 and true are all taken)
//	path.go      data paths ($.Attributes.plan), alone or inside text; data.go answers them from the contact
//	condition.go operators
//	action.go    what an action is; action_*.go one small type for each, with its parameters, where it may be used, the
//	             branches it needs and what it does
//	validate.go  what must be right before a flow is published; drafts need only be JSON
//	session.go   the interpreter: one call of Engine.Run is one flow on one contact, until it ends
//	service.go   drafts, publishing, finding flows; defaults.go the flows that every instance starts with
//
// A flow is a script, so it is interpreted in blocking style against Participant, in the goroutine of whoever calls Run;
// the context is that of the contact, and whoever leaves ends it. Nothing here knows about calls, media or queues: the
// interfaces in ports.go are all that a flow can do.
//
// An action either succeeds, and its result chooses a condition or the next action, or fails with an error type, which
// chooses an error branch: the one of that type, else NoMatchingError. No branch ends the flow. What this version does
// not know takes NoMatchingError with a log line: an imported flow may be poorer here, never broken. A flow that goes
// round without ever waiting for its participant is stopped after MaxIdleActions; a panic ends its own session only.
package ivr
