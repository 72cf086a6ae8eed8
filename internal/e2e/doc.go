// Package e2e holds no code of the engine, only tests that run the real binary as a child process and meet it as the
// world does: phones and carriers (SIPp, baresip, and sip/siptest on real sockets) by SIP and RTP, customers' programs by
// the unmodified AWS SDK for Go and by plain HTTP, operators by signals, exit codes, /readyz and /metrics. What they find
// cannot be found by tests that link the engine: flags and files, signals, a process that is killed, another program's
// idea of SIP.
//
//	engine_test.go     builds the binary once, starts and stops `ullim serve`, keeps its log for a test that fails
//	ports_test.go      blocks of ports outside the system's own range, so that tests may run side by side
//	center_test.go     a contact centre, made through the API only; looking records and recordings up
//	phones_test.go     agents and callers of siptest on real sockets
//	sipp_test.go       SIPp: load, lost ACKs, CANCEL, OPTIONS, TCP; its scenarios are in testdata
//	scenario_test.go   the templates that the scenarios of testdata/sipp are written in
//	rows_test.go       the rows S and O of the checklist of races, SIPp as caller and as called; where each other row is proved
//	slow_rows_test.go  those of them that wait for a timer of an RFC
//	leak_test.go       thousands of calls that end in every way, and what is left of them: nothing
//	flood_test.go      5,000 bad requests a second while a hundred calls go on
//	baresip_test.go    baresip as caller and as agent: who heard whom, live and in the recording
//	matrix_test.go     baresip over every transport, with every codec and every encryption, both directions
//	nat_test.go        baresip in a network namespace behind a router that translates addresses
//	kamailio_test.go   kamailio as record-routing proxy with Path, and as a HOMER that hears our HEP
//	browser_test.go    JsSIP in Chromium over WSS: calls both ways, keys, hold; _rig_ drives it, _lost_ takes its network away
//	chromium_test.go   a Chromium with a page of its own is answered and rung
//	chat_test.go       ChatJS and the AWS SDK in Node: a customer and an agent, a lost network, kill -9, tasks
//	crash_test.go      kill -9 in the middle of recorded calls, and the start after it
//	drain_test.go      SIGTERM with calls up
//	s3_test.go         recordings in a bucket, also when the server comes late
//	recordings_test.go twenty recordings, a bucket that is away, kill -9; a whole centre (ULLIM_CENTRE=10m)
//	strangers_test.go  those who have no business here
//	commands_test.go   check, doctor, try, migrate, user, version
//	bench_*_test.go    what calls cost the real binary (`make bench`)
//
// Everything is on loopback: the engine, carriers and agents at 127.0.0.1, strangers at 127.0.0.9, a flood from 127.0.1.0/24;
// only the test of NAT gives lo three addresses of 198.51.100.0/24 while it runs, and says SKIPPED without root. The tests wait for
// conditions, never for a time to pass, so that a slow machine makes them slower and not red.
//
// They need sipp (Debian: sip-tester), baresip (baresip-core), kamailio, chromium, node with the packages of browser/ (`make
// browser`), espeak-ng, and versitygw from tools/ (`make tools`).
// ULLIM_BIN names a binary to be tested instead of the one that is built; ULLIM_TEST_LOG=1 shows the engine's log.
// ULLIM_LONG=1 makes 50,000 calls of the 2,000 of leak_test.go (half an hour) and the flood longer.
package e2e
