// Package stream sends the sound of a call to a program over a WebSocket, and lets a program talk, in the messages of
// Twilio Media Streams, which telephony bot servers already speak.
//
//	message.go      the messages: what we write, and Parse for what comes back
//	outbox.go       what waits to be sent: the newest five seconds of sound, and words; putting something in never waits
//	playout.go      what the program said and is not played yet: bounded, with marks, and clear
//	link.go         one connection: a reader, a writer, a heartbeat
//	stream.go       Stream: sound goes out while the call goes on; a lost connection is made again
//	bot.go          Converse: a program talks with a person until it has finished
//	destination.go  the resource: where sound goes, and how we show who we are
//	stats.go        what is counted
//
// Sound comes from the media clock and goes to it:
//
//	media clock ── Frame ──> outbox ── writer ──> program          a slow program loses the oldest sound, and knows by chunk
//	media clock <── fill ── playout <── reader <── program         a fast one is kept up to 60 s, and loses the newest
//
// Neither waits for the network: both only take a lock that nobody holds while waiting. A program that does not read for
// five seconds, does not answer pings, or speaks nonsense is given up, so that whoever waits for it goes on.
package stream
