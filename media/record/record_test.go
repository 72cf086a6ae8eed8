package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/wav"
	"ullim/media/g711"
)

const (
	ms  = time.Millisecond
	key = "connect/shop/CallRecordings/2027/01/02/c-1_20270102T03:04_UTC.wav"
)

// outcome is what Stop told.
type outcome struct {
	rec contact.Recording
	err error
}

func stop(t *testing.T, r *Recording) outcome {
	t.Helper()
	got := make(chan outcome, 2)
	r.Stop(func(rec contact.Recording, err error) { got <- outcome{rec, err} })
	o := <-got
	synctest.Wait()
	if len(got) != 0 {
		t.Error("done was called twice")
	}
	return o
}

// voice is a side that says one loud byte, 20 ms at a time.
type voice struct {
	tap   *Tap
	stamp uint32
	loud  byte
	aLaw  bool
}

func law(a bool) Codec {
	if a {
		return ALaw
	}
	return ULaw
}

func (v *voice) say() {
	v.tap.Put(time.Now(), v.stamp, law(v.aLaw), bytes.Repeat([]byte{v.loud}, 160))
	v.stamp += 160
}

// channels reads a file.
func read(t *testing.T, path string) (left, right []int16) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := wav.Decode(f, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if s.Rate != Rate || s.Channels != 2 {
		t.Fatalf("%d Hz, %d channels", s.Rate, s.Channels)
	}
	for i := 0; i < len(s.PCM); i += 2 {
		left, right = append(left, s.PCM[i]), append(right, s.PCM[i+1])
	}
	return left, right
}

// spans tells where a channel is not silent, in ms: "100-200 300-400".
func spans(pcm []int16) string {
	var b strings.Builder
	for i := 0; i < len(pcm); {
		n := i
		for n < len(pcm) && (pcm[n] == 0) == (pcm[i] == 0) {
			n++
		}
		if pcm[i] != 0 {
			fmt.Fprintf(&b, "%d-%d ", i/8, n/8)
		}
		i = n
	}
	return strings.TrimSpace(b.String())
}

func start(t *testing.T, change func(*Options)) *Recording {
	t.Helper()
	o := Options{Dir: t.TempDir(), ContactID: "c-1", Key: key}
	if change != nil {
		change(&o)
	}
	r, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBothSidesLieOnOneTimeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		one := voice{tap: r.Attach(Left), stamp: 1 << 31, loud: 0x10}
		two := voice{tap: r.Attach(Right), stamp: 77, loud: 0x30, aLaw: true}
		for i := range 250 { // 5 s
			time.Sleep(20 * ms)
			if i < 50 || i >= 200 { // left: the first and the last second
				one.say()
			} else {
				one.stamp += 160 // silence suppressed
			}
			if i >= 100 && i < 150 { // right: the third
				two.say()
			}
		}
		started := r.start
		o := stop(t, r)
		if o.err != nil {
			t.Fatal(o.err)
		}
		path := filepath.Join(r.o.Dir, o.rec.Spool)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256(b)
		want := contact.Recording{
			Location: key, Spool: "c-1~" + "connect%2Fshop%2FCallRecordings%2F2027%2F01%2F02%2Fc-1_20270102T03:04_UTC.wav",
			Start: started, Stop: started.Add(5 * time.Second), Status: contact.RecordingSpooled,
			Bytes: int64(len(b)), SHA256: hex.EncodeToString(digest[:]),
		}
		if o.rec != want {
			t.Errorf("%+v\nwant %+v", o.rec, want)
		}
		left, right := read(t, path)
		if len(left) != 5*Rate {
			t.Errorf("%d samples", len(left))
		}
		if got := spans(left); got != "0-1000 4000-5000" {
			t.Errorf("left %s", got)
		}
		if got := spans(right); got != "2000-3000" {
			t.Errorf("right %s", got)
		}
		var u, a [1]int16
		g711.DecodeULaw(u[:], []byte{0x10})
		g711.DecodeALaw(a[:], []byte{0x30})
		if left[100] != u[0] || right[20000] != a[0] {
			t.Errorf("left %d, right %d; want %d, %d", left[100], right[20000], u[0], a[0])
		}
		if again := stop(t, r); again != o {
			t.Errorf("a second Stop: %+v", again)
		}
	})
}

func TestJitterLossAndOrderLeaveNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		v := voice{tap: r.Attach(Left), loud: 0x10}
		random := rand.New(rand.NewPCG(1, 2))
		for i := range 500 {
			time.Sleep(20 * ms)
			stamp := v.stamp
			v.stamp += 160
			if i%10 == 3 {
				continue // lost: silence in its place
			}
			payload := bytes.Repeat([]byte{0x10}, 160)
			if d := time.Duration(random.IntN(100)) * ms; i > 0 && i < 490 {
				time.AfterFunc(d, func() { v.tap.Put(time.Now(), stamp, ULaw, payload) })
			} else {
				v.tap.Put(time.Now(), stamp, ULaw, payload)
			}
		}
		o := stop(t, r)
		left, _ := read(t, filepath.Join(r.o.Dir, o.rec.Spool))
		for i := range 500 {
			// A sample in the middle of the packet: the edges may be off by what the clock was followed.
			if silent := left[i*160+80] == 0; silent != (i%10 == 3) {
				t.Fatalf("packet %d: silent %v", i, silent)
			}
		}
	})
}

func TestR10SkewedClocksDoNotDriftApart(t *testing.T) { // R10: thirty minutes, 3 % loss, 200 ppm
	for _, c := range []struct {
		ppm   float64
		limit int64 // ms
	}{{0, 12}, {200, 15}, {-200, 15}, {1000, 40}, {-1000, 40}} {
		random := rand.New(rand.NewPCG(3, 4))
		var clock stampClock
		worst := int64(0)
		for i := range 90_000 {
			spoken := float64(i) * 160 * (1 - c.ppm/1e6) // on our clock
			if random.IntN(100) < 3 {
				continue
			}
			jitter := random.ExpFloat64() * 8 * 15 // 15 ms on average, 100 ms now and then
			at := clock.place(uint32(i*160), Rate, 160, int64(spoken+jitter)+160)
			if i > 500 { // the first packet may have been late; ten seconds mend it
				worst = max(worst, at-int64(spoken), int64(spoken)-at)
			}
		}
		if worst > c.limit*Rate/1000 {
			t.Errorf("%v ppm: off by up to %d ms, at most %d are wanted", c.ppm, worst*1000/Rate, c.limit)
		}
	}
}

// On a machine that stalls, packets come in bursts and even the least late are late by uneven times. What is recorded
// must be what was said: the distance between two samples must hardly ever change.
func TestStallsDoNotBendTheRecording(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var clock stampClock
	stall, bends, last := int64(0), 0, int64(0)
	for i := range 3000 { // a minute
		spoken := int64(i) * 160
		if random.IntN(25) == 0 { // twice a second: up to 150 ms
			stall = spoken + random.Int64N(1200)
		}
		at := clock.place(uint32(i*160), Rate, 160, max(spoken+random.Int64N(40), stall)+160)
		if i > 0 && at-last != 160 {
			bends++
		}
		last = at
	}
	if bends > 100 {
		t.Errorf("%d of 3000 packets are not where the one before ends", bends)
	}
}

func TestTheStampClockTakesAJumpAtItsWord(t *testing.T) {
	var c stampClock
	step := func(stamp uint32, arrived, want int64) {
		t.Helper()
		if got := c.place(stamp, Rate, 160, arrived); got != want {
			t.Errorf("stamp %d at %d placed at %d, want %d", stamp, arrived, got, want)
		}
	}
	step(1000, 160, 0)
	step(1160, 320, 160)
	step(1320, 480+80, 320)      // 10 ms of jitter
	step(1<<31, 640, 480)        // another stream
	step(1<<31+160, 800, 640)    //
	step(1<<31-160, 900, 320)    // late, still in its place
	step(1<<31+480, 5000, 4840)  // half a second of delay: what is heard counts
	step(1<<31+640, 4000, 3840)  // and back
	step(0xFFFFFFF0, 4160, 4000) //
	step(0x90, 4320, 4160)       // wraps
}

func TestACrashCostsLessThanASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		one, two := voice{tap: r.Attach(Left), loud: 0x10}, voice{tap: r.Attach(Right), loud: 0x30}
		crashed := t.TempDir()
		for i := range 500 {
			time.Sleep(20 * ms)
			one.say()
			two.say()
			if i == 410 { // 8.22 s: what the disk holds at this moment
				synctest.Wait()
				b, err := os.ReadFile(filepath.Join(r.o.Dir, r.name+part))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(crashed, r.name+part), b[:len(b)-3], 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		stop(t, r)
		for _, name := range []string{"notes.txt", "c-2~broken%2.wav", "~nobody.wav"} {
			if err := os.WriteFile(filepath.Join(crashed, name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(crashed, "c-3~k.wav"+part), []byte("RIFF"), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := Recover(crashed)
		if err != nil || len(found) != 2 {
			t.Fatalf("%v %v", found, err)
		}
		f := found[0]
		if f.ContactID != "c-1" || !f.CutOff || f.Location != key || f.Spool != r.name || f.Status != contact.RecordingSpooled || f.SHA256 == "" {
			t.Errorf("%+v", f)
		}
		left, right := read(t, filepath.Join(crashed, f.Spool))
		if s := float64(len(left)) / Rate; s < 7.22 || s > 8.22 {
			t.Errorf("%.2f s of 8.22 were kept", s)
		}
		if got := f.Stop.Sub(f.Start); got != time.Duration(len(left))*time.Second/Rate {
			t.Errorf("it says it lasted %v", got)
		}
		for i := range left {
			if left[i] == 0 || right[i] == 0 {
				t.Fatalf("silence at %d ms", i/8)
			}
		}
		if bad := found[1]; bad.ContactID != "c-3" || bad.Status != contact.RecordingFailed || bad.Reason == "" {
			t.Errorf("%+v", bad)
		}
		again, err := Recover(crashed) // complete ones are reported again: perhaps nobody uploaded them
		if err != nil || len(again) != 2 || again[0].CutOff || again[0].SHA256 != f.SHA256 {
			t.Errorf("%+v %v", again, err)
		}
	})
}

func TestRecoverOfNoFolderIsNothing(t *testing.T) {
	if found, err := Recover(filepath.Join(t.TempDir(), "none")); found != nil || err != nil {
		t.Errorf("%v %v", found, err)
	}
}

// full is a file on a disk with room for so many bytes.
type full struct {
	*os.File
	room int
}

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return f.File.Write(p)
}

func TestM10AFullDiskEndsTheRecordingAndNotTheCall(t *testing.T) { // M10
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 2)
		r := start(t, func(o *Options) {
			o.OnEnd = func(err error) { ended <- err }
			o.Create = func(path string) (File, error) {
				f, err := os.Create(path)
				return &full{f, 3 * 32_000}, err
			}
		})
		v := voice{tap: r.Attach(Left), loud: 0x10}
		for range 500 {
			time.Sleep(20 * ms)
			if !v.tap.Put(time.Now(), v.stamp, ULaw, []byte{1, 2, 3}) {
				t.Fatal("the packet path was told of it")
			}
			v.say()
		}
		if err := <-ended; len(ended) != 0 || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("ended with %v", err)
		}
		o := stop(t, r)
		if !errors.Is(o.err, syscall.ENOSPC) || !errs.Is(o.err, errs.Unavailable) || !strings.Contains(o.rec.Reason, "no space") {
			t.Errorf("%+v", o)
		}
		// The sizes could not be patched either; Recover does it once there is room.
		if o.rec.Status != contact.RecordingFailed {
			t.Errorf("%+v", o.rec)
		}
		found, err := Recover(r.o.Dir)
		if err != nil || len(found) != 1 || found[0].Status != contact.RecordingSpooled {
			t.Fatalf("%+v %v", found, err)
		}
		if left, _ := read(t, filepath.Join(r.o.Dir, found[0].Spool)); len(left) < 2*Rate {
			t.Errorf("%d samples were kept", len(left))
		}
	})
}

func newTrack(start time.Time) *track {
	t := new(track)
	t.start = start
	return t
}

func TestASlowDiskDropsAndCounts(t *testing.T) {
	begin := time.Now()
	tap := newTrack(begin)
	stored := 0
	for i := range 200 {
		if tap.Put(begin.Add(time.Duration(i)*20*ms), uint32(i*160), ULaw, make([]byte, 160)) {
			stored++
		}
	}
	if stored != slots || tap.dropped.Load() != 200-slots {
		t.Errorf("%d stored, %d dropped", stored, tap.dropped.Load())
	}
	tap.drain(new(workspace), nil, 0)
	if !tap.Put(begin.Add(4*time.Second), 32000, ULaw, make([]byte, 1000)) || tap.head.Load()-tap.tail.Load() != 5 {
		t.Errorf("a packet of 1000 bytes takes %d slots", tap.head.Load()-tap.tail.Load())
	}
	end := tap.line.end
	if tap.drain(new(workspace), nil, 0); tap.line.end < end+1000 || tap.tail.Load() != tap.head.Load() {
		t.Errorf("a packet of 1000 bytes is %d samples", tap.line.end-end)
	}
}

func TestNamesAreReadBack(t *testing.T) {
	for _, k := range []string{key, "a b/ü~%.wav", "x"} {
		name, err := spoolName("c-1", k)
		if err != nil || strings.ContainsAny(name, "/") {
			t.Errorf("%q: %q %v", k, name, err)
		}
		if id, back, ok := parseName(name); !ok || id != "c-1" || back != k {
			t.Errorf("%q came back as %q %q %v", k, id, back, ok)
		}
	}
	for _, c := range [][2]string{{"", key}, {"../x", key}, {"a~b", key}, {"c", ""}, {"c", strings.Repeat("k", 300)}, {"c", "x.part"}} {
		if name, err := spoolName(c[0], c[1]); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %q %v", c, name, err)
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		if _, err := Start(r.o); !errs.Is(err, errs.Duplicate) {
			t.Errorf("while it is made: %v", err)
		}
		if o := stop(t, r); o.err != nil {
			t.Fatal(o.err)
		}
		if _, err := Start(r.o); !errs.Is(err, errs.Duplicate) {
			t.Errorf("afterwards: %v", err)
		}
		o := r.o
		o.Dir = filepath.Join(o.Dir, "none")
		if _, err := Start(o); !errs.Is(err, errs.Unavailable) {
			t.Errorf("no folder: %v", err)
		}
		o = r.o
		o.ContactID = "c-9"
		gone, err := Start(o)
		if err != nil {
			t.Fatal(err)
		}
		gone.Discard()
		synctest.Wait()
		if found, err := Recover(r.o.Dir); err != nil || len(found) != 1 {
			t.Errorf("%+v %v", found, err)
		}
	})
}

func TestPutAllocatesNothing(t *testing.T) {
	payload, now, work := make([]byte, 160), time.Now(), new(workspace)
	tap := newTrack(now)
	stamp := uint32(0)
	if n := testing.AllocsPerRun(1000, func() {
		tap.Put(now, stamp, ULaw, payload)
		stamp += 160
		tap.drain(work, nil, 0)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func FuzzStampClock(f *testing.F) {
	f.Add(uint32(0), uint32(160), uint32(0xFFFFFFFF), int64(160), int64(320), int64(1e9))
	f.Fuzz(func(t *testing.T, a, b, c uint32, x, y, z int64) {
		var clock stampClock
		var line timeline
		pcm, from := make([]int16, 160), int64(0)
		for i, at := range []int64{x, y, z, x, y, z} {
			at &= 1<<40 - 1
			line.put(from, clock.place([]uint32{a, b, c, b, a, c}[i], []int64{8000, 48000}[i/4], 160, at), pcm)
			line.mixInto(make([]int16, 320), from)
			from += 160
		}
	})
}
