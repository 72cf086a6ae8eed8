package record

import (
	"bytes"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"ullim/media/g711"
)

// double gives each byte as two samples: a stand-in for a wide-band codec.
type double struct{}

func (double) Decode(dst []int16, payload []byte) int {
	for i, b := range payload {
		dst[2*i], dst[2*i+1] = int16(b), int16(b)
	}
	return 2 * len(payload)
}

func TestR10HoldTransferAndCodecChangeAreOneTimeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(o *Options) {
			o.Decode = func(c Codec) Decoder {
				if c != Opus {
					return nil
				}
				return double{}
			}
		})
		customer := voice{tap: r.Attach(Left), loud: 0x10}
		first := voice{tap: r.Attach(Right), loud: 0x30}
		second, coach := voice{loud: 0x40}, voice{loud: 0x50, aLaw: true}
		opus := uint32(1 << 20)
		for i := range 300 { // 6 s
			time.Sleep(20 * ms)
			switch { // the customer: 2 s of G.711, 1 s of hold, another codec
			case i < 100:
				customer.say()
			case i >= 150:
				customer.tap.Put(time.Now(), opus, Opus, bytes.Repeat([]byte{77}, 80))
				opus += 960
			}
			switch i { // the agent transfers, and the second agent gets help
			case 120:
				r.Detach(first.tap)
				second.tap = r.Attach(Right)
			case 200:
				coach.tap = r.Attach(Right)
			case 250:
				r.Detach(coach.tap)
			}
			if i < 150 {
				first.say() // goes on to talk, to nobody
			}
			if i >= 150 {
				second.say()
			}
			if i >= 200 {
				coach.say()
			}
		}
		o := stop(t, r)
		if o.err != nil {
			t.Fatal(o.err)
		}
		left, right := read(t, filepath.Join(r.o.Dir, o.rec.Spool))
		if got := spans(left); got != "0-2000 3000-6000" || len(left) != 6*Rate {
			t.Errorf("left %s, %d samples", got, len(left))
		}
		if got := spans(right); got != "0-2400 3000-6000" {
			t.Errorf("right %s", got)
		}
		var b, c [1]int16
		g711.DecodeULaw(b[:], []byte{0x40})
		g711.DecodeALaw(c[:], []byte{0x50})
		mixed := saturated(int32(b[0]) + int32(c[0]))
		for at, want := range map[int]int16{3500: b[0], 4500: mixed, 5500: b[0]} {
			if got := right[at*8]; got != want {
				t.Errorf("right at %d ms: %d, want %d", at, got, want)
			}
		}
		if left[4000*8] != 77 {
			t.Errorf("the other codec is %d", left[4000*8])
		}
		if len(r.tracks) != 0 {
			t.Errorf("%d tracks are left", len(r.tracks))
		}
	})
}

func TestR10APauseIsSilenceAndNothingOfItIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		v := voice{tap: r.Attach(Left), loud: 0x10}
		other := voice{tap: r.Attach(Right), loud: 0x20}
		late := func(stamp uint32) { // said in the pause, arrives after it
			v.tap.Put(time.Now(), stamp, ULaw, bytes.Repeat([]byte{0x01}, 160))
		}
		var said uint32
		for i := range 250 {
			time.Sleep(20 * ms)
			switch i {
			case 100:
				r.Pause()
				r.Pause()
				v.loud = 0x01 // the secret
			case 149:
				said = v.stamp
				v.stamp += 160 // on its way
				continue
			case 150:
				r.Resume()
				r.Resume()
				late(said)
				v.loud = 0x10
			case 151:
				v.tap.Put(time.Now(), 1<<31, ULaw, bytes.Repeat([]byte{0x01}, 160)) // of a stream that nobody knows
			}
			v.say()
			if i < 100 || i >= 150 {
				other.say()
			} else {
				other.stamp += 160
			}
		}
		for i := range v.tap.ring {
			if v.tap.ring[i].data[0] == 0x01 && v.tap.ring[i].at < 2900*ms {
				t.Fatal("the ring holds something of the pause")
			}
		}
		o := stop(t, r)
		left, right := read(t, filepath.Join(r.o.Dir, o.rec.Spool))
		var secret [1]int16
		g711.DecodeULaw(secret[:], []byte{0x01})
		for i, s := range left {
			if s == secret[0] {
				t.Fatalf("the secret is heard at %d ms", i/8)
			}
		}
		if len(left) != 5*Rate || left[1990*8] == 0 || left[3200*8] == 0 {
			t.Errorf("%d samples, %s", len(left), spans(left))
		}
		for i := 2001 * 8; i < 3000*8; i++ {
			if left[i] != 0 || right[i] != 0 {
				t.Fatalf("not silent at %d ms", i/8)
			}
		}
	})
}

func TestOneWriterServesAllRecordings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWriter()
		var all []*Recording
		var voices []*voice
		for i := range 20 {
			r := start(t, func(o *Options) { o.Writer = w })
			all = append(all, r)
			voices = append(voices, &voice{tap: r.Attach(Left), loud: byte(i + 1)})
		}
		for range 100 {
			time.Sleep(20 * ms)
			for _, v := range voices {
				v.say()
			}
		}
		w.Close()
		if _, err := Start(Options{Dir: t.TempDir(), ContactID: "c", Key: "k", Writer: w}); err == nil {
			t.Error("a closed writer began a recording")
		}
		for i, r := range all {
			o := stop(t, r)
			if o.err != nil {
				t.Fatal(o.err)
			}
			left, _ := read(t, filepath.Join(r.o.Dir, o.rec.Spool))
			var want [1]int16
			g711.DecodeULaw(want[:], []byte{byte(i + 1)})
			if len(left) != 2*Rate || left[8000] != want[0] {
				t.Errorf("recording %d: %d samples of %d, want %d", i, len(left), left[8000], want[0])
			}
		}
	})
}
