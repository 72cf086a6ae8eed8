package rtcp

import "time"

// Interval is how long to wait for the next report (RFC 3550 §6.2, §6.3.1): five seconds, half of it for the first, and
// random between half and one and a half of that. random is from [0, 1). Two parties never reach the limits that bandwidth sets.
func Interval(first bool, random float64) time.Duration {
	least := 5 * time.Second
	if first {
		least /= 2
	}
	const compensation = 2.71828 - 1.5 // RFC 3550 §6.3.1: e - 3/2
	return time.Duration(float64(least) * (0.5 + min(max(random, 0), 1)) / compensation)
}

// ntpEpoch is the seconds from 1900 to 1970.
const ntpEpoch = 2_208_988_800

// NTP is a wall-clock time in the 64-bit format of RFC 3550 §4.
func NTP(t time.Time) uint64 {
	return uint64(t.Unix()+ntpEpoch)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// RoundTrip is the time to the far end and back by its report about us (RFC 3550 §6.4.1); false: it cannot be known.
func RoundTrip(b *Block, now time.Time) (time.Duration, bool) {
	if b.LastSR == 0 {
		return 0, false
	}
	ticks := int32(uint32(NTP(now)>>16) - b.LastSR - b.DelaySR)
	if ticks < 0 { // a far end that counts its delay coarsely; anything more is a lie
		return 0, ticks > -65536/50
	}
	d := time.Duration(ticks) * time.Second / 65536
	return d, d < time.Minute
}
