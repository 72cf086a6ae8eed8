//go:build opus

package opus

import (
	"math"
	"testing"
)

func TestSpeechGoesThrough(t *testing.T) {
	enc, err := NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	dec, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	if !Available() {
		t.Error("not available")
	}
	in := make([]int16, 32000)
	for i := range in {
		x := 2 * math.Pi * 180 * float64(i) / Rate
		in[i] = int16(5000*math.Sin(x) + 3000*math.Sin(2*x) + 1500*math.Sin(9*x))
	}
	out := make([]int16, 0, len(in))
	var data [1275]byte
	var pcm [Rate * 120 / 1000]int16
	bytes := 0
	for at := 0; at < len(in); at += 320 {
		n := enc.Encode(data[:], in[at:at+320])
		if n == 0 {
			t.Fatal("nothing encoded")
		}
		bytes += n
		m := dec.Decode(pcm[:], data[:n])
		if m != 320 {
			t.Fatalf("%d samples", m)
		}
		out = append(out, pcm[:m]...)
	}
	if bytes > 2*bitrate/8*3/2 {
		t.Errorf("%d bytes for two seconds", bytes)
	}
	best := 0.0 // likeness at the best delay
	for delay := range 400 {
		var xy, xx, yy float64
		for i := 8000; i < 30000; i++ {
			x, y := float64(in[i]), float64(out[i+delay])
			xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
		}
		best = max(best, xy/math.Sqrt(xx*yy))
	}
	if best < 0.8 { // it codes what is heard, not the wave
		t.Errorf("what is heard is %.2f like what was said", best)
	}
	if enc.Encode(data[:], in[:100]) != 0 || enc.Encode(nil, in[:320]) != 0 || dec.Decode(pcm[:], []byte{0xFF, 0xFF}) != 0 || dec.Decode(nil, data[:]) != 0 || dec.Decode(pcm[:], nil) != 0 {
		t.Error("something was made of nonsense")
	}
	if n := testing.AllocsPerRun(50, func() {
		n := enc.Encode(data[:], in[:320])
		dec.Decode(pcm[:], data[:n])
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x48, 1, 2, 3})
	f.Fuzz(func(_ *testing.T, data []byte) {
		dec, err := NewDecoder()
		if err != nil {
			return
		}
		var pcm [Rate * 120 / 1000]int16
		dec.Decode(pcm[:], data)
	})
}

func BenchmarkEncode20ms(b *testing.B) {
	enc, err := NewEncoder()
	if err != nil {
		b.Fatal(err)
	}
	in := make([]int16, 320)
	for i := range in {
		in[i] = int16(5000 * math.Sin(float64(i)/10))
	}
	var data [1275]byte
	for b.Loop() {
		enc.Encode(data[:], in)
	}
}
