// Package rtcp is the arithmetic and the format of RTCP (RFC 3550 §6) for legs of one source each way: what was received, how
// well, when to say so, and what it means for the ear (MOS).
package rtcp

import "time"

// Block is a reception report (RFC 3550 §6.4.1).
type Block struct {
	SSRC     uint32
	Fraction uint8  // of packets lost since the last report, in 256ths
	Lost     int32  // since the beginning, 24 bits signed
	Highest  uint32 // extended highest sequence number
	Jitter   uint32 // ticks
	LastSR   uint32 // middle 32 bits of the NTP time of the last sender report
	DelaySR  uint32 // since then, in 65536ths of a second
}

// Report is what one compound packet says: of ours to build, of theirs as parsed.
type Report struct {
	SSRC     uint32
	Sender   bool // with the five fields that follow (SR), else RR
	NTP      uint64
	Stamp    uint32
	Packets  uint32
	Octets   uint32
	HasBlock bool // a reception report is there: theirs about us
	Block    Block
	CNAME    string // to build only; a parsed one is not kept
	Bye      bool
}

// Build writes a compound packet into dst and returns its length; 0 if it does not fit. It allocates nothing.
func Build(dst []byte, r *Report) int { return 0 }

// Parse reads a compound packet; about is our SSRC: the block about it is kept, any other is not. It allocates nothing.
func Parse(p []byte, about uint32, r *Report) bool { return false }

// Reception counts what is received of one source (RFC 3550 §6.4.1, A.3, A.8). The zero value is ready.
type Reception struct{}

// Add counts a packet of audio. now is any clock; rate is that of the RTP clock.
func (r *Reception) Add(ssrc uint32, sequence uint16, stamp uint32, rate int, now time.Time) {}

// SenderReport remembers when a sender report of theirs came, for LSR and DLSR.
func (r *Reception) SenderReport(ntp uint64, now time.Time) {}

// Block makes the next report; it begins the next interval of Fraction. False: nothing was received yet.
func (r *Reception) Block(now time.Time) (Block, bool) { return Block{}, false }

// Totals are the counts of the whole stream.
func (r *Reception) Totals() (expected, lost uint64, jitter time.Duration) { return 0, 0, 0 }

// NTP is a wall-clock time in the 64-bit format of RFC 3550 §4.
func NTP(t time.Time) uint64 { return 0 }

// RoundTrip is the time to the far end and back by its report about us (RFC 3550 §6.4.1); false: it cannot be known.
func RoundTrip(b *Block, now time.Time) (time.Duration, bool) { return 0, false }

// Interval is how long to wait for the next report (RFC 3550 §6.2, §6.3.1): five seconds, half of it for the first, and
// random between half and one and a half of that. random is from [0, 1).
func Interval(first bool, random float64) time.Duration { return 5 * time.Second }

// Codec is what the E-model must know of a codec.
type Codec uint8

// Codecs.
const (
	G711 Codec = iota
	G722
	Opus
)

// Quality is what the ear gets.
type Quality struct {
	Codec  Codec
	Loss   float64       // share lost or too late, 0 to 1
	Burst  float64       // burst ratio of ITU-T G.107: 1 random, more: in bursts; 0 means 1
	Delay  time.Duration // one way, mouth to ear
	Jitter time.Duration // what a jitter buffer must absorb; counts as delay, 0 if Delay has it
}

// R is the transmission rating of ITU-T G.107, 0 to 100.
func (q Quality) R() float64 { return 0 }

// MOS is the mean opinion score that belongs to R, 1 to 4.5.
func (q Quality) MOS() float64 { return 1 }
