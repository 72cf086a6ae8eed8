// Package opus is Opus (RFC 6716) at 16 kHz mono for speech; in RTP its clock is 48,000 a second whatever the rate of the samples
// (RFC 7587 §4.1). It is libopus, so it is there only if the program was built with -tags opus,nolibopusfile; Available tells.
// Without it calls in Opus pass through the engine from phone to phone, but are not decoded.
package opus

// Rates of the samples and of the RTP clock, and how many ticks of it 20 ms are.
const (
	Rate  = 16000
	Clock = 48000
	Frame = 960
)
