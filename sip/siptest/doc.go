// Package siptest tests telephony from outside: it brings a network, phones and a carrier, and proves what each side
// of a call heard. It knows nothing of the engine that it drives, so it tests any SIP system, and it is meant for
// users too: test your own contact flows with it before your customers do.
//
// # A test of a flow
//
//	carrier, err := siptest.NewCarrier(siptest.PhoneOptions{Local: "127.0.0.1:0", Server: "127.0.0.1:5060"})
//	...
//	defer carrier.Close()
//	agent, err := siptest.NewPhone(siptest.PhoneOptions{
//		Name: "alice", Password: "secret", Server: "127.0.0.1:5060",
//		Answer: siptest.AnswerBehaviour{After: 2 * time.Second},
//	})
//	...
//	defer agent.Close()
//	err = agent.Register(ctx)
//	call, err := carrier.Call(ctx, "+8225551234", "+821012345678", siptest.CallOptions{})
//	err = call.WaitAnswered(ctx)          // the flow answers
//	err = call.WaitHeard(ctx, 3*time.Second)
//	siptest.Contains(call.Heard(), greeting) // samples of the prompt, 8 kHz
//	err = call.SendDigits("1")
//	leg, err := agent.NextCall(ctx)       // the queue rings Alice
//	err = leg.WaitConfirmed(ctx)
//	err = leg.WaitHeard(ctx, 4*time.Second)
//	siptest.Contains(leg.Heard(), siptest.Voice("+821012345678")) // Alice heard the caller
//	call.Hangup()
//	ended, err := leg.WaitEnded(ctx)
//
// Every phone says a voice of its own (Voice), a noise as wide as speech that no other name has. Correlate finds it in
// what another phone heard, through both laws of G.711, lost packets and silence: so a test proves who heard whom,
// where counters only prove that packets went somewhere. Share tells how much of what was heard was a voice;
// Call.HeardBetween cuts out a part of the call.
//
// # Virtual time
//
// With PhoneOptions.Listen set to the Listen method of a Network, phones run without sockets, in a bubble of
// testing/synctest: an hour of waiting costs nothing and every timer fires at its instant. Give the engine under test
// the same Listen. A Network loses, doubles, delays and reorders by a seed; its Filter drops just the one message that
// the test is about. Network and phones must be closed inside the bubble.
//
//	synctest.Test(t, func(t *testing.T) {
//		network := siptest.NewNetwork(siptest.NetworkOptions{Seed: 1, Loss: 0.05, Delay: 20 * time.Millisecond})
//		defer network.Close()
//		phone, err := siptest.NewPhone(siptest.PhoneOptions{Local: "10.0.0.7:5060", Listen: network.Listen})
//		...
//	})
//
// # How it is made
//
// A Phone has a small transaction layer of its own (transaction.go) instead of that of a SIP library, because a test
// must be able to do wrong: Misbehaviour loses ACKs, cancels across the 200, hangs up too early. All state of a phone
// and its calls is behind one mutex that is never held while waiting; timers are alarms that run under it; what waits
// waits on channels and a context. A call has one socket for media, one goroutine that receives, and one that sends.
// Close ends every one of them.
//
// A phone can also be what far ends really are: Reliable for PRACK, SessionExpires for session timers, AnswerBehaviour for
// early media, forks and redirections, Call.Offer for any re-INVITE, Call.Refer for transfers, Call.Request for the rest.
//
// With PhoneOptions.Transport a phone speaks over TCP, TLS or WebSocket, on real sockets or on the streams of a Network
// (DialStream, ListenStream); DropConnections pulls its cable.
//
// Not there: RTCP, SRTP, names instead of addresses.
package siptest
