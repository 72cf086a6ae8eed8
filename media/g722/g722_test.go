package g722

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"testing"
)

// noise is a repeatable full-scale noise, made quieter by a shift.
func noise(seed uint32, n, shift int) []int16 {
	out := make([]int16, n)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = int16(seed>>16) >> shift
	}
	return out
}

func made(n int, f func(i int) int16) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func sum(pcm []int16) uint32 {
	b := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return crc32.ChecksumIEEE(b)
}

// The checksums were made once with spandsp 0.0.6 (the codec inside baresip, FreeSWITCH and others), fed with the same input.
// It lets decoded samples that are too loud wrap around, where the recommendation has them limited: no checksum for those.
func TestEveryBitIsThatOfAnotherImplementation(t *testing.T) {
	const n = 64000
	steps := noise(4, n, 1)
	for i := range steps {
		if i/3200%2 == 0 {
			steps[i] = 0
		}
	}
	for _, c := range []struct {
		name             string
		pcm              []int16
		encoded, decoded uint32
	}{
		{"noise", noise(1, n, 0), 0x90756631, 0},
		{"quiet", noise(2, n, 6), 0xfbc5a61f, 0x3ed9d6fa},
		{"mid", noise(3, n, 2), 0xc8a555ce, 0x3419ed35},
		{"square", made(n, func(i int) int16 { return int16(i/20%2*60000 - 30000) }), 0x787af9c1, 0},
		{"ramp", made(n, func(i int) int16 { return int16(i*37%65536 - 32768) }), 0xadc147e3, 0},
		{"half", noise(5, n, 1), 0xf1a3c11b, 0xde82ce39},
		{"halfsquare", made(n, func(i int) int16 { return int16(i/20%2*24000 - 12000) }), 0xceee02e1, 0x895c6944},
		{"silence", make([]int16, 8000), 0x903fb2d4, 0xc282d26b},
		{"steps", steps, 0xfff09645, 0x6b66cd82},
	} {
		var e Encoder
		var d Decoder
		data, pcm := make([]byte, len(c.pcm)/2), make([]int16, len(c.pcm))
		if got := e.Encode(data, c.pcm); got != len(data) {
			t.Fatalf("%s: %d bytes, want %d", c.name, got, len(data))
		}
		if got := d.Decode(pcm, data); got != len(pcm) {
			t.Fatalf("%s: %d samples, want %d", c.name, got, len(pcm))
		}
		if got := crc32.ChecksumIEEE(data); got != c.encoded {
			t.Errorf("%s: encoded %#08x, want %#08x", c.name, got, c.encoded)
		}
		if got := sum(pcm); c.decoded != 0 && got != c.decoded {
			t.Errorf("%s: decoded %#08x, want %#08x", c.name, got, c.decoded)
		}
	}
}

func tone(hertz, level float64, n int) []int16 {
	return made(n, func(i int) int16 { return int16(level * math.Sin(2*math.Pi*hertz*float64(i)/16000)) })
}

// through encodes and decodes in frames of 20 ms and cuts off the first 100 ms.
func through(pcm []int16) []int16 {
	var e Encoder
	var d Decoder
	out := make([]int16, len(pcm))
	var data [160]byte
	for i := 0; i+320 <= len(pcm); i += 320 {
		d.Decode(out[i:], data[:e.Encode(data[:], pcm[i:i+320])])
	}
	return out
}

// delayed is by how many samples the two mirror filters delay.
const delayed = 22

// Quality compares the sound before with the sound after the codec, in dB: signal to noise.
func quality(in, out []int16) float64 {
	var signal, noise float64
	for i := 1600; i < len(in)-delayed; i++ {
		x, y := float64(in[i]), float64(out[i+delayed])
		signal += x * x
		noise += (x - y) * (x - y)
	}
	return 10 * math.Log10(signal/(noise+1e-9))
}

func TestTonesOfTheWholeBandGoThrough(t *testing.T) {
	for hertz, least := range map[float64]float64{100: 30, 300: 35, 1000: 30, 2000: 25, 3000: 22, 5000: 12, 6500: 12} {
		in := tone(hertz, 10000, 16000)
		out := through(in)
		if got := quality(in, out); got < least {
			t.Errorf("%v Hz: signal to noise %.1f dB, want %.0f", hertz, got, least)
		}
		var power float64
		for _, v := range out[1600:] {
			power += float64(v) * float64(v)
		}
		if gain := 10 * math.Log10(power/float64(len(out)-1600)/(10000*10000/2)); math.Abs(gain) > 1 {
			t.Errorf("%v Hz: gain %.2f dB", hertz, gain)
		}
	}
}

// speech is a buzz with formants that come and go: loud vowels, quiet hisses, pauses.
func speech(n int) []int16 {
	hiss := noise(77, n, 6)
	return made(n, func(i int) int16 {
		at := float64(i) / 16000
		var v float64
		for h := 1.0; h < 30; h++ {
			v += math.Sin(2*math.Pi*120*h*at+h*h) / (1 + h/3)
		}
		loud := max(0, math.Sin(2*math.Pi*2.5*at))
		return int16(2500*v*loud) + hiss[i]
	})
}

func TestSpeechStaysIntelligibleAndSilenceSilent(t *testing.T) {
	in := speech(48000)
	if got := quality(in, through(in)); got < 18 {
		t.Errorf("speech: signal to noise %.1f dB", got)
	}
	for i, v := range through(make([]int16, 16000)) {
		if v > 8 || v < -8 {
			t.Fatalf("silence: sample %d is %d", i, v)
		}
	}
}

func TestTheLoudestSoundIsLimitedAndDoesNotWrap(t *testing.T) {
	in := tone(400, 32767, 16000)
	out := through(in)
	for i := 1600; i < len(in)-delayed; i++ {
		if d := int(in[i]) - int(out[i+delayed]); d > 8000 || d < -8000 {
			t.Fatalf("sample %d: %d became %d", i, in[i], out[i+delayed])
		}
	}
}

func TestFramesOfAnySizeGiveTheSameStream(t *testing.T) {
	in := speech(16000)
	var whole, parts Encoder
	want, got := make([]byte, 8000), make([]byte, 0, 8000)
	whole.Encode(want, in)
	for at, size := 0, 2; at < len(in); at, size = at+size, size%640+2 {
		size = min(size, len(in)-at)
		var buf [640]byte
		got = append(got, buf[:parts.Encode(buf[:], in[at:at+size])]...)
	}
	if string(got) != string(want) {
		t.Error("the stream depends on how it is cut")
	}
	var a, b Decoder
	one, two := make([]int16, 16000), make([]int16, 0, 16000)
	a.Decode(one, want)
	for at, size := 0, 1; at < len(want); at, size = at+size, size%320+1 {
		size = min(size, len(want)-at)
		var buf [640]int16
		two = append(two, buf[:b.Decode(buf[:], want[at:at+size])]...)
	}
	if sum(one) != sum(two) {
		t.Error("what is heard depends on how it is cut")
	}
}

func TestShortSlicesAreFilledAndNoMore(t *testing.T) {
	var e Encoder
	var d Decoder
	if n := e.Encode(make([]byte, 10), make([]int16, 7)); n != 3 {
		t.Errorf("seven samples made %d bytes", n)
	}
	if n := e.Encode(make([]byte, 2), make([]int16, 320)); n != 2 {
		t.Errorf("a dst of 2 took %d bytes", n)
	}
	if n := d.Decode(make([]int16, 5), make([]byte, 160)); n != 4 {
		t.Errorf("a dst of 5 took %d samples", n)
	}
	if e.Encode(nil, nil)+d.Decode(nil, nil) != 0 {
		t.Error("nothing made something")
	}
}

func TestNothingIsAllocated(t *testing.T) {
	var e Encoder
	var d Decoder
	pcm, data := speech(320), make([]byte, 160)
	if n := testing.AllocsPerRun(100, func() {
		e.Encode(data, pcm)
		d.Decode(pcm, data)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// A decoder that is fed with anything finds its way back.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 255, 128, 63})
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Decoder
		pcm := make([]int16, 2*len(data))
		if n := d.Decode(pcm, data); n != len(pcm) {
			t.Fatalf("%d samples of %d bytes", n, len(data))
		}
	})
}

func BenchmarkEncode20ms(b *testing.B) {
	var e Encoder
	pcm, data := speech(16000), make([]byte, 160)
	for i := 0; b.Loop(); i++ {
		e.Encode(data, pcm[i%50*320:])
	}
}

func BenchmarkDecode20ms(b *testing.B) {
	var e Encoder
	var d Decoder
	data, pcm := make([]byte, 8000), make([]int16, 320)
	e.Encode(data, speech(16000))
	for i := 0; b.Loop(); i++ {
		d.Decode(pcm, data[i%50*160:])
	}
}
