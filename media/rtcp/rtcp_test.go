package rtcp

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	pion "github.com/pion/rtcp"

	"github.com/google/go-cmp/cmp"
)

func full() Report {
	return Report{
		SSRC: 0x11223344, Sender: true, NTP: 0xE1234567_89ABCDEF, Stamp: 160000, Packets: 1000, Octets: 160000,
		HasBlock: true, Block: Block{SSRC: 0xAABBCCDD, Fraction: 25, Lost: -3, Highest: 0x1FFFF, Jitter: 42, LastSR: 7, DelaySR: 65536},
		CNAME: "leg-1@ullim", Bye: true,
	}
}

func TestWhatIsBuiltIsReadTheSameByUsAndByPion(t *testing.T) {
	for name, change := range map[string]func(r *Report){
		"all":         func(*Report) {},
		"no block":    func(r *Report) { r.HasBlock, r.Block = false, Block{} },
		"no sender":   func(r *Report) { r.Sender, r.NTP, r.Stamp, r.Packets, r.Octets = false, 0, 0, 0, 0 },
		"no farewell": func(r *Report) { r.Bye = false },
		"no name":     func(r *Report) { r.CNAME = "" },
		"much lost":   func(r *Report) { r.Block.Lost = 1<<23 - 1 },
		"name of 5":   func(r *Report) { r.CNAME = "abcde" },
		"name of 4":   func(r *Report) { r.CNAME = "abcd" },
	} {
		r := full()
		change(&r)
		buf := make([]byte, 300)
		n := Build(buf, &r)
		if n != r.Size() || n%4 != 0 || n == 0 {
			t.Fatalf("%s: %d bytes, want %d", name, n, r.Size())
		}
		if Build(buf[:n-1], &r) != 0 {
			t.Errorf("%s: written into a buffer that is too small", name)
		}
		var got Report
		if !Parse(buf[:n], 0xAABBCCDD, &got) {
			t.Fatalf("%s: %x refused", name, buf[:n])
		}
		want := r
		want.CNAME = ""
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		packets, err := pion.Unmarshal(buf[:n])
		if err != nil {
			t.Fatalf("%s: pion: %v", name, err)
		}
		compound := pion.CompoundPacket(packets)
		if !r.Bye {
			if err = compound.Validate(); err != nil {
				t.Errorf("%s: pion: %v", name, err)
			}
		}
		cname, err := compound.CNAME()
		if err != nil || cname != r.CNAME {
			t.Errorf("%s: name %q %v", name, cname, err)
		}
	}
}

func TestReportsOfOthersAreRead(t *testing.T) {
	packets := []pion.Packet{
		&pion.ReceiverReport{SSRC: 5, Reports: []pion.ReceptionReport{{SSRC: 1, FractionLost: 9}, {SSRC: 77, FractionLost: 128, TotalLost: 0xFFFFFE, Jitter: 8}}},
		&pion.SourceDescription{Chunks: []pion.SourceDescriptionChunk{{Source: 5, Items: []pion.SourceDescriptionItem{{Type: pion.SDESCNAME, Text: "x"}, {Type: pion.SDESTool, Text: "y"}}}}},
		&pion.PictureLossIndication{SenderSSRC: 5, MediaSSRC: 6},
		&pion.Goodbye{Sources: []uint32{5}, Reason: "bye"},
	}
	b, err := pion.Marshal(packets)
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	if !Parse(b, 77, &r) || r.SSRC != 5 || !r.HasBlock || r.Block.Fraction != 128 || r.Block.Lost != -2 || r.Block.Jitter != 8 || !r.Bye || r.Sender {
		t.Errorf("%+v", r)
	}
	if !Parse(b, 78, &r) || r.HasBlock {
		t.Errorf("a block about somebody else: %+v", r)
	}
}

func TestWhatIsNotRTCPIsRefused(t *testing.T) {
	r := full()
	good := make([]byte, r.Size())
	Build(good, &r)
	for name, change := range map[string]func(b []byte) []byte{
		"nothing":        func([]byte) []byte { return nil },
		"cut":            func(b []byte) []byte { return b[:len(b)-2] },
		"cut in a block": func(b []byte) []byte { return b[:40] },
		"version 1":      func(b []byte) []byte { b[0] = b[0]&^0xC0 | 0x40; return b },
		"more blocks":    func(b []byte) []byte { b[0] |= 31; return b },
		"too long":       func(b []byte) []byte { b[2] = 0xFF; return b },
		"padding inside": func(b []byte) []byte { b[0] |= paddingBit; return b },
		"padding of 0":   func(b []byte) []byte { b[len(b)-8] |= paddingBit; b[len(b)-1] = 0; return b },
	} {
		if b := change(bytes.Clone(good)); Parse(b, 0xAABBCCDD, &r) || r != (Report{}) {
			t.Errorf("%s: %x was read as %+v", name, b, r)
		}
	}
}

func at(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }

func TestLossIsCountedAsTheRFCHasIt(t *testing.T) {
	var r Reception
	if _, ok := r.Block(at(0)); ok {
		t.Error("a report of nothing")
	}
	for i := range 100 { // from 65500 over the wrap; every tenth is lost
		if i%10 != 5 {
			r.Add(9, uint16(65500+i), uint32(i*160), 8000, at(i*20))
		}
	}
	b, _ := r.Block(at(2000))
	if b.SSRC != 9 || b.Lost != 10 || b.Fraction != 25 || b.Highest != 65536+63 || b.Jitter != 0 {
		t.Errorf("%+v", b)
	}
	for i := 100; i < 150; i++ { // none lost, and each twice: RFC 3550 §6.4.1, lost may fall
		r.Add(9, uint16(65500+i), uint32(i*160), 8000, at(i*20))
		r.Add(9, uint16(65500+i), uint32(i*160), 8000, at(i*20))
	}
	if b, _ = r.Block(at(3000)); b.Lost != -40 || b.Fraction != 0 {
		t.Errorf("%+v", b)
	}
	r.Add(10, 5, 0, 8000, at(3020)) // another source
	r.Add(10, 8, 480, 8000, at(3080))
	if b, _ = r.Block(at(3100)); b.SSRC != 10 || b.Lost != 2 || b.Fraction != 128 {
		t.Errorf("%+v", b)
	}
	if expected, lost, _ := r.Totals(); expected != 154 || lost != 0 {
		t.Errorf("%d expected, %d lost", expected, lost)
	}
}

func TestAJumpOfTheNumbersIsNoLossOfThousands(t *testing.T) {
	var r Reception
	for i := range 10 {
		r.Add(1, uint16(i), uint32(i*160), 8000, at(i*20))
	}
	for i := range 10 {
		r.Add(1, uint16(30000+i), uint32((10+i)*160), 8000, at(200+i*20))
	}
	r.Add(1, 60000, 0, 8000, at(401)) // a stray one
	if expected, lost, _ := r.Totals(); lost != 0 || expected != 19 {
		t.Errorf("%d expected, %d lost", expected, lost)
	}
}

func TestJitterIsThatOfTheRFC(t *testing.T) {
	var r Reception
	want, last := 0.0, 0
	for i := range 500 {
		late := rand.IntN(15)
		r.Add(1, uint16(i), uint32(i*160), 8000, at(i*20+late))
		if i > 0 {
			want += (math.Abs(float64(late-last))*8 - want) / 16
		}
		last = late
	}
	if _, _, got := r.Totals(); math.Abs(got.Seconds()*8000-want) > 1 {
		t.Errorf("%v, want %.1f ticks", got, want)
	}
	_, _, before := r.Totals()
	r.Add(1, 500, 1<<31, 8000, at(500*20)) // the timestamps jump
	if _, _, got := r.Totals(); got != before {
		t.Errorf("a jump changed the jitter from %v to %v", before, got)
	}
}

func TestTheRoundTripIsTheExampleOfTheRFC(t *testing.T) {
	// RFC 3550 §6.4.1, figure 2: 10 Nov 1995 11:33:25.125; the report comes back at :36.5 and says 5.25 s of delay.
	sent := time.Date(1995, 11, 10, 11, 33, 25, 125e6, time.UTC)
	if got := NTP(sent); got != 0xb44db705_20000000 {
		t.Errorf("NTP %x", got)
	}
	b := Block{LastSR: uint32(NTP(sent) >> 16), DelaySR: 0x54000}
	if got, ok := RoundTrip(&b, sent.Add(11375*time.Millisecond)); !ok || got != 6125*time.Millisecond {
		t.Errorf("%v %v", got, ok)
	}
	if _, ok := RoundTrip(&Block{}, sent); ok {
		t.Error("a round trip without a sender report")
	}
	if got, ok := RoundTrip(&b, sent.Add(5245*time.Millisecond)); !ok || got != 0 {
		t.Errorf("a little less than nothing: %v %v", got, ok)
	}
	if _, ok := RoundTrip(&b, sent.Add(time.Second)); ok {
		t.Error("a lie was believed")
	}
	var r Reception
	r.Add(1, 1, 0, 8000, sent)
	r.SenderReport(NTP(sent), sent)
	if got, _ := r.Block(sent.Add(5250 * time.Millisecond)); got.LastSR != b.LastSR || got.DelaySR != b.DelaySR {
		t.Errorf("%+v, want %+v", got, b)
	}
}

func TestReportsAreFiveSecondsApartOnAverage(t *testing.T) {
	var sum time.Duration
	const n = 10000
	for range n {
		d := Interval(false, rand.Float64())
		if d < 2*time.Second || d > 6200*time.Millisecond {
			t.Fatalf("%v", d)
		}
		sum += d
	}
	if mean := sum / n; mean < 4*time.Second || mean > 4300*time.Millisecond { // 5 s / 1.218: RFC 3550 §6.3.1
		t.Errorf("%v on average", mean)
	}
	if Interval(true, 0.5) != Interval(false, 0.5)/2 {
		t.Error("the first one is not earlier")
	}
}

func TestTheScoreIsThatOfTheRecommendations(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		q   Quality
		r   float64
		mos float64
	}{
		{Quality{}, 93.2, 4.41},                                 // G.107: the default connection
		{Quality{Delay: 150 * ms}, 93.2, 4.41},                  // G.114: hardly noticed
		{Quality{Delay: 200 * ms}, 90.2, 4.35},                  // Idd(200 ms) = 3.0
		{Quality{Delay: 400 * ms}, 69.2, 3.56},                  // Idd(400 ms) = 24.0
		{Quality{Loss: 0.01}, 89.6, 4.33},                       // 95 / 26.1 = 3.6
		{Quality{Loss: 0.05}, 77.4, 3.93},                       // 95 * 5 / 30.1 = 15.8
		{Quality{Loss: 0.05, Burst: 2}, 76.0, 3.87},             // 95 * 5 / 27.6 = 17.2
		{Quality{Loss: 0.2}, 51.1, 2.63},                        // 95 * 20 / 45.1 = 42.1
		{Quality{Delay: 100 * ms, Jitter: 50 * ms}, 90.2, 4.35}, // as 200 ms
		{Quality{Codec: G722}, 116, 4.5},
		{Quality{Codec: G722, Loss: 0.1}, 80.3, 4.04},
		{Quality{Codec: Opus, Loss: 0.1}, 86.8, 4.25},
	} {
		if got := c.q.R(); math.Abs(got-c.r) > 0.6 {
			t.Errorf("%+v: R %.1f, want %.1f", c.q, got, c.r)
		}
		if got := c.q.MOS(); math.Abs(got-c.mos) > 0.03 {
			t.Errorf("%+v: MOS %.2f, want %.2f", c.q, got, c.mos)
		}
	}
	// G.107 Annex B: R of 90, 80, 70, 60, 50 is a MOS of 4.34, 4.03, 3.60, 3.10, 2.58.
	for loss := 0.0; loss <= 1; loss += 0.01 {
		if m := (Quality{Loss: loss, Delay: time.Second}).MOS(); m < 1 || m > 4.5 {
			t.Errorf("loss of %.2f: MOS %.2f", loss, m)
		}
	}
}

func TestBurstsAreToldFromRandomLoss(t *testing.T) {
	var random, bursts Reception
	source := rand.New(rand.NewPCG(3, 4))
	for i := range 20000 {
		if source.IntN(20) > 0 {
			random.Add(1, uint16(i), uint32(i*160), 8000, at(i*20))
		}
		if i%100 >= 5 {
			bursts.Add(1, uint16(i), uint32(i*160), 8000, at(i*20))
		}
	}
	if b := random.Burst(); b > 1.1 {
		t.Errorf("random: %.2f", b)
	}
	if b := bursts.Burst(); b < 4 || b > 5 {
		t.Errorf("bursts of five: %.2f", b)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	var rx Reception
	r, buf, now, i := full(), make([]byte, 300), at(0), 0
	var got Report
	if n := testing.AllocsPerRun(200, func() {
		i++
		rx.Add(1, uint16(i), uint32(i*160), 8000, now)
		r.Block, r.HasBlock = rx.Block(now)
		Parse(buf[:Build(buf, &r)], 1, &got)
		RoundTrip(&got.Block, now)
		_ = Quality{Loss: 0.1}.MOS()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	r := full()
	b := make([]byte, r.Size())
	Build(b, &r)
	f.Add(b)
	f.Add([]byte{0x80, 201, 0, 1, 0, 0, 0, 5, 0x81, 203, 0, 1, 0, 0, 0, 5})
	f.Add([]byte{0xA0, 201, 0, 2, 0, 0, 0, 5, 0, 0, 0, 4})
	f.Fuzz(func(t *testing.T, p []byte) {
		var r Report
		if !Parse(p, 0xAABBCCDD, &r) {
			if r != (Report{}) {
				t.Fatal("refused, and kept")
			}
			return
		}
		buf := make([]byte, r.Size())
		var again Report
		if Build(buf, &r) != len(buf) || !Parse(buf, 0xAABBCCDD, &again) || again != r {
			t.Fatalf("%+v became %+v", r, again)
		}
	})
}

func BenchmarkReport(b *testing.B) {
	r, buf := full(), make([]byte, 300)
	var got Report
	for b.Loop() {
		Parse(buf[:Build(buf, &r)], 1, &got)
	}
}
