// Package flowtest runs contact flows without a telephone: somebody who follows a script stands in the place of the
// customer, time passes only when nobody has anything to do, and what the flow did is compared with what was expected.
//
// # How
//
// The flow runs in the real interpreter (ivr.Engine). Everything around it is a world, made from a test: a participant
// who presses keys or writes at the moments that the script says, a contact that writes down what is done to it, queues,
// hours, web services, modules. The world owns the clock. Whenever the flow waits - for speech to end, for a key, for a
// minute to pass - the clock is set to when that is over, or to what the script does before. So an hour in a queue takes
// microseconds, a test always gives the same result, and nothing of it needs virtual time of package testing: the same
// code serves go test, "ullim flow test" and the simulator of the API.
//
// # What it is not
//
// Speech has no sound: text takes SpeechPerRune for each character, prompts the seconds that the test gives them. Only
// one flow runs, with the flows and modules that it goes to; what follows in a contact's life (the queue flow after a
// transfer to a queue) is tried with a test of its own.
//
// # Bounds
//
// A run ends after its limits of actions and of time, and when it waits for ever for nothing that the script would do.
// Test files, documents, texts and lists are bounded, because they may come over the network.
//
// # Layout
//
//	suite.go   the test file: read, checked
//	world.go   the clock, and the script against it
//	person.go  the participant: voice and chat
//	contact.go the contact
//	house.go   the contact centre: flows, queues, hours, prompts, web services
//	run.go     one run, and its steps
//	expect.go  expectations
//	report.go  the report for people (TAP)
package flowtest
