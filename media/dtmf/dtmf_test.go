package dtmf

import (
	"testing"
	"time"
)

type packet struct {
	at       time.Duration
	event    byte
	end      bool
	stamp    uint32
	duration uint16
}

func run(packets []packet) string {
	var d Detector
	var got []byte
	start := time.Now()
	for _, p := range packets {
		now := start.Add(p.at)
		d.Tick(now)
		b := []byte{p.event, 10, byte(p.duration >> 8), byte(p.duration)}
		if p.end {
			b[1] |= endBit
		}
		if digit, ok := d.Packet(b, p.stamp, now); ok {
			got = append(got, digit)
		}
	}
	return string(got)
}

// press is a whole key press: a packet every 20 ms for 100 ms, then three ends.
func press(at time.Duration, event byte, stamp uint32) []packet {
	var out []packet
	for i := range 5 {
		out = append(out, packet{at: at + time.Duration(i)*20*time.Millisecond, event: event, stamp: stamp, duration: uint16(160 * (i + 1))})
	}
	for range 3 {
		out = append(out, packet{at: at + 100*time.Millisecond, event: event, end: true, stamp: stamp, duration: 800})
	}
	return out
}

func join(parts ...[]packet) []packet {
	var out []packet
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func TestM06EachKeyIsCountedOnce(t *testing.T) {
	const ms = time.Millisecond
	one, two := press(0, 1, 1000), press(500*ms, 2, 5000)
	long := make([]packet, 0, 1000)
	for i := range 600 { // 12 s under one key: segments of 65,535 samples
		segment, in := uint32(i*160/0xFFFF), uint16(i*160%0xFFFF+160)
		long = append(long, packet{at: time.Duration(i) * 20 * ms, event: 5, stamp: 1000 + segment*0xFFFF, duration: in})
	}
	wrap := press(0, 3, 0xFFFFFF00)
	slow := func(at time.Duration, event byte, stamp uint32) []packet { // a packet time of 100 ms: the repeats are few
		return []packet{
			{at: at, event: event, stamp: stamp, duration: 800},
			{at: at + 100*ms, event: event, end: true, stamp: stamp, duration: 1200},
			{at: at + 200*ms, event: event, end: true, stamp: stamp, duration: 1200},
		}
	}
	var full []packet // the first part says at its end that it is full, and counts 0x10000 samples
	for i := range 9 {
		full = append(full, packet{at: time.Duration(i) * 1000 * ms, event: 6, duration: uint16(160 + i*8000)})
	}
	full = append(full, packet{at: 8190 * ms, event: 6, duration: fullSpan}, packet{at: 8210 * ms, event: 6, stamp: 0x10000, duration: 160},
		packet{at: 8230 * ms, event: 6, stamp: 0x10000, duration: 320, end: true})
	for name, c := range map[string]struct {
		in   []packet
		want string
	}{
		"two keys":                        {join(one, two), "12"},
		"lost start":                      {join(one[3:], two[4:]), "12"},
		"lost all ends":                   {join(one[:5], two[:5]), "12"},
		"one end only":                    {join(one[:6], two[:6]), "12"},
		"only the ends arrive":            {join(one[5:], two[5:]), "12"},
		"a single end packet":             {one[7:], "1"},
		"ends reordered with packets":     {[]packet{one[0], one[5], one[1], one[6], one[2], one[7]}, "1"},
		"late packets of the earlier key": {join(one[:4], two[:2], one[4:], two[2:]), "12"},
		"same key twice, 40 ms apart":     {join(press(0, 7, 1000), press(140*ms, 7, 1000+800+320)), "77"},
		"same key twice, no ends":         {join(press(0, 7, 1000)[:5], press(140*ms, 7, 1000+800+320)[:5]), "77"},
		"1.6 s gap within one press":      {[]packet{one[0], one[1], {at: 1640 * ms, event: 1, stamp: 1000, duration: 13000}, {at: 1660 * ms, event: 1, end: true, stamp: 1000, duration: 13200}}, "1"},
		"packet time of 100 ms":           {join(slow(0, 8, 1000), slow(400*ms, 8, 4200), slow(800*ms, 9, 7400)), "889"},
		"a full part of 0x10000 samples":  {full, "6"},
		"the same key after a long one":   {join(full, press(9*time.Second, 6, 0x10000+4000)), "66"},
		"12 s under one key":              {long, "5"},
		"then the same key again":         {join(long, press(13*time.Second, 5, 1000+104_000)), "55"},
		"every key": {join(press(0, 0, 1e4), press(0, 9, 2e4), press(0, 10, 3e4), press(0, 11, 4e4), press(0, 12, 5e4),
			press(0, 13, 6e4), press(0, 14, 7e4), press(0, 15, 8e4)), "09*#ABCD"},
		"flash and tones are no keys":        {join(press(0, 16, 1000), press(0, 70, 3000)), ""},
		"timestamps that wrap":               {join(wrap, press(300*ms, 3, 2400-0x100)), "33"},
		"other key, same timestamp":          {join(press(0, 1, 1000), press(300*ms, 2, 1000)), "12"},
		"a stream that began anew far back":  {join(press(0, 1, 9_000_000), press(300*ms, 2, 1000)), "12"},
		"one segment later but ended before": {join(press(0, 4, 1000), press(9*time.Second, 4, 1000+0xFFFF)), "44"},
		"one segment later, end lost":        {join(press(0, 4, 1000)[:5], press(9*time.Second, 4, 1000+0xFFFF)), "44"},
	} {
		if got := run(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestM06ALostEndIsClosedByTheClock(t *testing.T) {
	var d Detector
	start := time.Now()
	d.Packet([]byte{1, 0, 0, 160}, 1000, start)
	if d.Tick(start.Add(Lost - 1)); !d.Active() {
		t.Error("closed too early")
	}
	if d.Tick(start.Add(Lost)); d.Active() {
		t.Error("still active")
	}
	if _, ok := d.Packet([]byte{1, 0x80, 3, 32}, 1000, start.Add(Lost+1)); ok {
		t.Error("a very late end was counted as another press")
	}
}

func TestResetForgetsTheStream(t *testing.T) {
	var d Detector
	d.Packet([]byte{1, 0x80, 0, 160}, 1000, time.Now())
	d.Reset()
	if digit, ok := d.Packet([]byte{1, 0x80, 0, 160}, 1000, time.Now()); !ok || digit != '1' {
		t.Errorf("%q %v", digit, ok)
	}
}

func FuzzPacket(f *testing.F) {
	f.Add([]byte{5, 0x8A, 3, 32}, uint32(1000), []byte{5, 0, 0, 0, 0}, uint32(66535))
	f.Add([]byte{}, uint32(0), []byte{255, 255, 255, 255}, uint32(1))
	f.Fuzz(func(t *testing.T, a []byte, sa uint32, b []byte, sb uint32) {
		var d Detector
		now := time.Now()
		for _, p := range [][]byte{a, b} {
			for _, s := range []uint32{sa, sb} {
				d.Packet(p, s, now)
				if _, ok := d.Packet(p, s, now); ok {
					t.Fatalf("the same packet %x was counted twice", p)
				}
			}
		}
	})
}
