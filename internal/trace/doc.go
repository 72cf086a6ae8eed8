// Package trace keeps what calls looked like on the wire: for each call a ring of its SIP messages and what was decided
// about its media, both legs together, so that "why was there no sound" is answered by looking and not by a capture.
//
//	recorder.go  what is kept, for how long, and how the legs of one contact find each other
//	message.go   what is read of a message: just enough to name it
//	redact.go    what is never kept: credentials, SRTP keys, keys pressed, texts
//	ladder.go    a Trace as a ladder diagram in text
//	svg.go       the same as a picture
//	hep.go       HEP version 3, for a HOMER that collects from many
//
// The memory is bounded and shared: calls that became contacts are forgotten oldest first, and attempts of strangers can
// only push out each other.
package trace
