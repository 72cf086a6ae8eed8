// Package sdp speaks the part of the Session Description Protocol (RFC 8866) that an audio call needs, and decides
// offers and answers (RFC 3264). It has no state, no clock and no sockets.
//
//	Parse      bytes -> Description        bounded before anything is kept; tolerant of LF and a missing last newline
//	Extract    multipart body -> the description in it
//	Local      what we are: address, port, codecs, direction, policy, keys, what was agreed before
//	Offer      Local -> bytes
//	Answer     Local, their offer -> bytes, Session
//	Accept     Local, their answer -> Session
//	Session    what both agreed on: where to send, which payload numbers each way, which directions, how it is protected
//	After      Local, Session -> the Local of the next description
//
// The rules in short. One audio stream is taken, the best by policy (policy.go), of equal ones the first; every other
// m-line is refused with port 0 in its place, and stays there in our own later offers. We send with their payload numbers
// and accept ours; both are called by name, and a number that had a meaning in the session never gets another one. The
// direction of an answer mirrors the offer, is never more than was asked or than we want, and says what will really
// happen: to 0.0.0.0 nothing is sent. Their ptime and maxptime are obeyed in what we send; what we receive may be cut as
// they like. What must be protected is refused rather than spoken in the clear (R32), and keys are kept for as long as
// theirs and their association are: an unchanged re-offer is answered by the same words.
package sdp
