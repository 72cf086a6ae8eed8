package jitter

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ullim/media/g711"
)

const ms = time.Millisecond

// packet is one on its way.
type packet struct {
	sequence uint16
	stamp    uint32
	payload  []byte
	at       time.Duration // of its arrival
}

// talk is a far end: packets of a packet time in ticks, whose bytes are their own place modulo 251, from a stamp on.
func talk(from, length, ptime int, delay func(i int) time.Duration) []packet {
	var out []packet
	for i, at := 0, 0; at < length; i, at = i+1, at+ptime {
		p := packet{
			sequence: uint16(65530 + i), stamp: uint32(from + at), payload: make([]byte, ptime),
			at: time.Duration(at+ptime)*time.Second/8000 + delay(i),
		}
		for k := range p.payload {
			p.payload[k] = byte((at + k) % 251)
		}
		out = append(out, p)
	}
	return out
}

func steady(int) time.Duration { return 30 * ms }

func arrange(packets []packet) []packet {
	slices.SortStableFunc(packets, func(a, b packet) int { return int(a.at - b.at) })
	return packets
}

// listen plays a call: packets as they arrive, a Pull every 20 ms with some phase.
func listen(b *Buffer, packets []packet, length time.Duration, heard func(now time.Duration, payload []byte, s State)) {
	start := time.Now()
	for now := 7 * ms; now < length; now += 20 * ms {
		for len(packets) > 0 && packets[0].at <= now {
			p := packets[0]
			b.Put(p.sequence, p.stamp, p.payload, start.Add(p.at))
			packets = packets[1:]
		}
		payload, s := b.Pull(start.Add(now))
		heard(now, payload, s)
	}
}

func states(counts map[State]int) func(time.Duration, []byte, State) {
	return func(_ time.Duration, _ []byte, s State) { counts[s]++ }
}

func TestPacketsOfAnyLengthBecomeFramesOf20ms(t *testing.T) {
	for _, ptime := range []int{80, 160, 240, 320, 400, 480, 200, 184, 800} {
		for _, from := range []int{0, 1000, 0xFFFFFFFF - 3000} {
			b := New(Options{})
			var got []byte
			listen(b, talk(from, 80000, ptime, steady), 9900*ms, func(now time.Duration, payload []byte, s State) {
				if s != Frame && len(got) > 0 {
					t.Fatalf("ptime %d from %d: at %v state %d", ptime, from, now, s)
				}
				got = append(got, payload...)
			})
			if len(got) < 70000 {
				t.Errorf("ptime %d: only %d bytes", ptime, len(got))
			}
			// No byte is lost or doubled but where the first delay was corrected.
			breaks := 0
			for i := 1; i < len(got); i++ {
				if got[i] != byte((int(got[i-1])+1)%251) {
					breaks++
				}
			}
			if breaks > int(b.Stats().Shrunk) {
				t.Errorf("ptime %d from %d: %d breaks, %d corrections", ptime, from, breaks, b.Stats().Shrunk)
			}
		}
	}
}

func TestPacketsThatNobodyCanPlayAreCountedByReason(t *testing.T) {
	b := New(Options{})
	at := time.Now()
	put := func(sequence uint16, stamp uint32, n int) bool { return b.Put(sequence, stamp, make([]byte, n), at) }
	for i := range uint16(5) {
		if !put(i, uint32(i)*160, 160) {
			t.Fatalf("packet %d refused", i)
		}
	}
	if put(3, 480, 160) {
		t.Error("a duplicate was taken")
	}
	if put(9, 1440, 0) || put(9, 1440, 961) {
		t.Error("an impossible size was taken")
	}
	if put(9, 8000*3, 160) {
		t.Error("a packet of the far future was taken")
	}
	for range 5 {
		b.Pull(at)
	}
	if put(65535, 0xFFFFFFFF-159, 160) {
		t.Error("a packet of the past was taken")
	}
	want := Stats{Received: 10, Duplicate: 1, Unfit: 2, Overflow: 1, Late: 1}
	got := b.Stats()
	if got.Received != want.Received || got.Duplicate != want.Duplicate || got.Unfit != want.Unfit || got.Overflow != want.Overflow || got.Late != want.Late {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestALostPacketIsMissingAndAReorderedOneIsNot(t *testing.T) {
	packets := talk(5000, 16000, 160, steady)
	packets = slices.Delete(packets, 50, 51)
	packets[70].at, packets[71].at = packets[71].at, packets[70].at+ms
	counts := map[State]int{}
	listen(New(Options{}), arrange(packets), 1900*ms, states(counts))
	if counts[Missing] != 1 || counts[Underrun] != 0 || counts[Frame] < 85 {
		t.Errorf("%v", counts)
	}
}

func TestM02AStreamThatJumpsIsHeardAgainWithin100ms(t *testing.T) {
	for name, jump := range map[string]func(p *packet){
		"timestamps forward":      func(p *packet) { p.stamp += 1 << 30 },
		"timestamps back":         func(p *packet) { p.stamp -= 1 << 30 },
		"timestamps a bit back":   func(p *packet) { p.stamp -= 8000 },
		"timestamps 0.3 s back":   func(p *packet) { p.stamp -= 2400 },
		"timestamps 2 s forward":  func(p *packet) { p.stamp += 16000 },
		"timestamps 0.1 s ahead":  func(p *packet) { p.stamp += 800 },
		"sequence numbers":        func(p *packet) { p.sequence += 20000 },
		"sequence numbers back":   func(p *packet) { p.sequence -= 3000 },
		"both":                    func(p *packet) { p.sequence += 31234; p.stamp += 0x9ABCDEF0 },
		"stamps that do not move": func(p *packet) { p.stamp += 160 * 7 },
	} {
		for _, ptime := range []int{80, 160, 240, 480} {
			packets := talk(5000, 32000, ptime, steady)
			half := len(packets) / 2
			for i := half; i < len(packets); i++ {
				jump(&packets[i])
			}
			b := New(Options{})
			at, gap, last := packets[half].at, time.Duration(0), time.Duration(0)
			listen(b, packets, 3900*ms, func(now time.Duration, _ []byte, s State) {
				if s != Frame {
					return
				}
				if now > at-100*ms && last > 0 {
					gap = max(gap, now-last)
				}
				last = now
			})
			if gap > 140*ms { // 20 ms are the frame itself, 20 the delay
				t.Errorf("%s, ptime %d: %v of silence", name, ptime/8, gap)
			}
			if d := b.Stats().Delay; d > 120*ms {
				t.Errorf("%s, ptime %d: delay %v afterwards", name, ptime/8, d)
			}
		}
	}
}

func TestM03SpikesOf150msCostDelayAndNotWords(t *testing.T) {
	spike := func(i int) time.Duration { // every three seconds the network stands still for 150 ms
		if in := i % 150; in < 8 {
			return 30*ms + 150*ms - time.Duration(in)*20*ms
		}
		return 30*ms + time.Duration(rand.IntN(5))*ms
	}
	packets := arrange(talk(0, 8000*60, 160, spike))
	r := NewReceiver(Options{}, 8000, DecoderFunc(g711.DecodeULaw))
	counts := map[State]int{}
	start := time.Now()
	var dst [160]int16
	for now := 3 * ms; now < 59*time.Second; now += 20 * ms {
		for len(packets) > 0 && packets[0].at <= now {
			p := packets[0]
			r.Put(p.sequence, p.stamp, p.payload, start.Add(p.at))
			packets = packets[1:]
		}
		counts[r.Next(dst[:], start.Add(now))]++
		if d := r.Stats().Delay; d > 220*ms {
			t.Fatalf("at %v the delay is %v", now, d)
		}
	}
	s := r.Stats()
	if s.Late > 20 || s.Missing > 20 {
		t.Errorf("words were lost: %+v", s)
	}
	if counts[Underrun] > 40 {
		t.Errorf("%v: the delay does not learn from spikes: %+v", counts, s)
	}
}

func TestM03SpikesOf400msAreBoundedAndCounted(t *testing.T) {
	spike := func(i int) time.Duration {
		if in := i % 500; in >= 480 {
			return 30*ms + time.Duration(500-in)*20*ms
		}
		return 30 * ms
	}
	b := New(Options{})
	most := time.Duration(0)
	counts := map[State]int{}
	listen(b, arrange(talk(0, 8000*60, 160, spike)), 59*time.Second, func(_ time.Duration, _ []byte, s State) {
		counts[s]++
		most = max(most, b.Stats().Delay)
	})
	if most > 240*ms {
		t.Errorf("the delay grew to %v", most)
	}
	if counts[Frame] < 2700 {
		t.Errorf("%v: %+v", counts, b.Stats())
	}
}

// A sender whose clock is wrong by 300 ppm gains or loses 1.08 s in an hour.
func TestM03ASkewedClockIsFollowedForAnHourWithoutClicks(t *testing.T) {
	length := 60 * time.Minute
	if testing.Short() {
		length = 10 * time.Minute
	}
	for _, ppm := range []int64{300, -300} {
		r := NewReceiver(Options{}, 8000, DecoderFunc(g711.DecodeULaw))
		var dst [160]int16
		var last int16
		var sound [160]int16
		var payload [160]byte
		for k := range sound { // a voice of 200 Hz with an overtone: 20 ms are four periods
			x := 2 * math.Pi * 200 * float64(k) / 8000
			sound[k] = int16(6000*math.Sin(x) + 2000*math.Sin(3*x))
		}
		g711.EncodeULaw(payload[:], sound[:])
		counts := map[State]int{}
		start := time.Now()
		biggest, worst, sent := 0, time.Duration(0), 0
		for now := 20 * ms; now < length; now += 20 * ms {
			for {
				at := time.Duration(sent+1) * 20 * ms
				at += at*time.Duration(ppm)/1e6 + time.Duration(rand.IntN(6))*ms
				if at > now {
					break
				}
				r.Put(uint16(sent), uint32(sent*160), payload[:], start.Add(at))
				sent++
			}
			counts[r.Next(dst[:], start.Add(now))]++
			for _, v := range dst {
				biggest = max(biggest, int(v)-int(last), int(last)-int(v))
				last = v
			}
			if now > 5*time.Second {
				worst = max(worst, r.Stats().Delay)
			}
		}
		s := r.Stats()
		if counts[Missing]+counts[Underrun] > 2 || s.Late > 2 {
			t.Errorf("%d ppm: %v %+v", ppm, counts, s)
		}
		if worst > 100*ms {
			t.Errorf("%d ppm: the delay grew to %v", ppm, worst)
		}
		if biggest > 3000 { // the steepest step of the voice itself is 1,880
			t.Errorf("%d ppm: a click: a step of %d", ppm, biggest)
		}
		if corrected := s.Shrunk + s.Grown; corrected < uint64(length/time.Minute) {
			t.Errorf("%d ppm: only %d corrections", ppm, corrected)
		}
	}
}

func TestAPauseOfTheFarEndIsIdleAndTheDelayIsTheUsualAfterwards(t *testing.T) {
	first, second := talk(0, 8000, 160, steady), talk(8000*5, 8000, 160, steady)
	for i := range second { // four seconds later; the sequence numbers go on
		second[i].at += 5 * time.Second
		second[i].sequence += uint16(len(first))
	}
	b := New(Options{})
	counts := map[State]int{}
	var resumed time.Duration
	listen(b, append(first, second...), 6*time.Second, func(now time.Duration, _ []byte, s State) {
		counts[s]++
		if now > 3*time.Second && s == Frame && resumed == 0 {
			resumed = now
		}
	})
	if counts[Frame] < 95 || counts[Underrun] > 15 || counts[Missing] != 0 {
		t.Errorf("%v", counts)
	}
	if late := resumed - second[0].at; late > 65*ms || late < 20*ms {
		t.Errorf("heard again %v after the first packet", late)
	}
}

func TestAKeyPressOf120msLeavesAGapAndNoDelay(t *testing.T) {
	packets := talk(0, 16000, 160, steady)
	for i := range packets { // the sequence numbers of the gap belong to the events
		packets[i].sequence = uint16(i)
	}
	packets = slices.Delete(packets, 50, 56)
	b := New(Options{})
	var before, after time.Duration
	listen(b, packets, 1900*ms, func(now time.Duration, _ []byte, _ State) {
		if now < 900*ms {
			before = b.Stats().Delay
		}
		after = b.Stats().Delay
	})
	if d := after - before; d > 20*ms || d < -20*ms {
		t.Errorf("the delay was %v and is %v", before, after)
	}
}

func TestOpaquePacketsAreHandedOutWhole(t *testing.T) {
	for _, frames := range []int{1, 2, 3} {
		b := New(Options{Frame: 960, Opaque: true})
		start := time.Now()
		var got []byte
		counts := map[State]int{}
		sent := 0
		for now := 7 * ms; now < 4*time.Second; now += 20 * ms {
			for at := time.Duration((sent+1)*frames) * 20 * ms; at <= now; at = time.Duration((sent+1)*frames) * 20 * ms {
				if sent != 40 {
					b.Put(uint16(sent), uint32(sent*960*frames), []byte{byte(sent), 1, 2}, start.Add(at))
				}
				sent++
			}
			payload, s := b.Pull(start.Add(now))
			counts[s]++
			if s == Frame {
				got = append(got, payload[0])
			}
		}
		for i := 1; i < len(got); i++ {
			if got[i] != got[i-1]+1 && got[i] != got[i-1]+2 {
				t.Errorf("%d frames: packet %d after %d", frames, got[i], got[i-1])
			}
		}
		if counts[Missing]+counts[Underrun] > frames+1 || len(got) < 195/frames-5 || counts[Held] < len(got)*(frames-1)-frames {
			t.Errorf("%d frames: %d packets, %v %+v", frames, len(got), counts, b.Stats())
		}
	}
}

func TestNothingIsAllocatedAfterNew(t *testing.T) {
	r := NewReceiver(Options{}, 8000, DecoderFunc(g711.DecodeULaw))
	payload, dst := bytes.Repeat([]byte{0x55}, 160), make([]int16, 160)
	now, i := time.Now(), uint16(0)
	if n := testing.AllocsPerRun(500, func() {
		if i++; i%7 != 0 {
			r.Put(i, uint32(i)*160, payload, now)
		}
		r.Next(dst, now)
		now = now.Add(20 * ms)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func FuzzBuffer(f *testing.F) {
	f.Add([]byte{0, 0, 160, 20, 1, 1, 160, 20, 200, 9, 80, 255})
	f.Fuzz(func(t *testing.T, script []byte) {
		for _, o := range []Options{{}, {Frame: 960, Opaque: true}, {Max: 60 * ms}} {
			b := New(o)
			r := NewReceiver(o, 8000, DecoderFunc(g711.DecodeULaw))
			now := time.Unix(1e9, 0) // always the same, so that an input always takes the same way
			var stamp uint32
			var dst [160]int16
			var payload [1600]byte
			for script := script; len(script) >= 4; script = script[4:] {
				stamp += uint32(int32(int8(script[1])) * int32(script[2]))
				size := int(script[2]) * 4
				now = now.Add(time.Duration(script[3]) * ms)
				b.Put(uint16(script[0]), stamp, payload[:size], now)
				r.Put(uint16(script[0]), stamp, payload[:size], now)
				if p, s := b.Pull(now); (p != nil) != (s == Frame) {
					t.Fatalf("payload of %d bytes in state %d", len(p), s)
				}
				r.Next(dst[:], now)
			}
		}
	})
}

func BenchmarkReceiver20ms(b *testing.B) {
	r := NewReceiver(Options{}, 8000, DecoderFunc(g711.DecodeULaw))
	payload, dst := bytes.Repeat([]byte{0x55}, 160), make([]int16, 160)
	now := time.Now()
	for i := 0; b.Loop(); i++ {
		r.Put(uint16(i), uint32(i)*160, payload, now)
		r.Next(dst, now)
		now = now.Add(20 * ms)
	}
}
