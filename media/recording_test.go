package media_test

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/wav"
	"ullim/media"
	"ullim/media/record"
)

// file is a finished recording.
type file struct {
	contact.Recording
	err         error
	left, right []int16
}

func stopped(t *testing.T, rec *media.Recording, spool string) file {
	t.Helper()
	ended := make(chan file, 1)
	rec.Stop(func(c contact.Recording, err error) { ended <- file{Recording: c, err: err} })
	f := <-ended
	if f.err != nil {
		return f
	}
	r, err := os.Open(filepath.Join(spool, f.Spool))
	if err != nil {
		t.Error(err)
		return f
	}
	defer r.Close()
	s, err := wav.Decode(r, 1<<28)
	if err != nil {
		t.Error(err)
		return f
	}
	for i := 0; i+1 < len(s.PCM); i += 2 {
		f.left, f.right = append(f.left, s.PCM[i]), append(f.right, s.PCM[i+1])
	}
	return f
}

func TestR10ARecordingGoesThroughHoldTransferAndAnotherCodec(t *testing.T) {
	spool := t.TempDir()
	inBubble(t, func(o *media.Options) { o.SpoolDir = spool }, func(r *rig) {
		t := r.t
		customer, one, toOne := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "0", "")
		first, two, toTwo := r.callWith(media.SessionOptions{Codecs: everything}, 4002, "8", "")
		second, three, toThree := r.callWith(media.SessionOptions{Codecs: everything}, 4004, "9", g722Map)
		defer one.Close()
		defer two.Close()
		defer three.Close()
		rec, err := r.plane.Record(recordOf("c-1", "k.wav", customer, first))
		if err != nil {
			t.Error(err)
			return
		}
		go hum(two, toTwo, 8, "PCMA", 600, 100)
		hum(one, toOne, 0, "PCMU", 400, 100) // 0-2 s
		if _, err := customer.Answer(one.SDP("0", "a=inactive\r\n")); err != nil {
			t.Error(err)
		}
		if err := rec.Move([]*media.Session{customer}, []*media.Session{second}); err != nil {
			t.Error(err)
		}
		two.Close()
		first.Close()
		hum(three, toThree, 9, "G722", 1000, 50) // 2-3 s
		if _, err := customer.Answer(one.SDP("9", g722Map)); err != nil {
			t.Error(err)
		}
		go hum(three, toThree, 9, "G722", 1000, 100)
		hum(one, toOne, 9, "G722", 500, 100) // 3-5 s
		f := stopped(t, rec, spool)
		if f.err != nil || len(f.left) < 39_000 || len(f.left) > 41_000 {
			t.Errorf("%v, %d samples", f.err, len(f.left))
			return
		}
		part := func(pcm []int16, from, to int) []int16 { return pcm[from*8 : to*8] }
		isTone(t, "left, G.711", part(f.left, 200, 1900), 400)
		isTone(t, "right, the first agent", part(f.right, 200, 1900), 600)
		isTone(t, "right, the second agent", part(f.right, 2200, 2900), 1000)
		isTone(t, "left, G.722", part(f.left, 3200, 4900), 500)
		isTone(t, "right at the end", part(f.right, 3200, 4900), 1000)
		if l := loud(part(f.left, 2100, 2900)); l != 0 {
			t.Errorf("on hold the left side is %f loud", l)
		}
	})
}

// Thirty minutes, 3 % loss, clocks 200 ppm apart: what both say at the same moment is at the same place of the file, within
// 40 ms, at the end too.
func TestR10BothSidesStayInStepForHalfAnHour(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of work")
	}
	spool := t.TempDir()
	inBubble(t, func(o *media.Options) { o.SpoolDir = spool }, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "8", "")
		defer p.close()
		fates := make(map[netip.AddrPort]*rand.Rand)
		r.net.SetFate(func(_ []byte, from, to netip.AddrPort) []time.Duration {
			random := fates[from]
			if random == nil {
				random = rand.New(rand.NewPCG(7, uint64(len(fates))))
				fates[from] = random
			}
			switch {
			case to.Addr() != engineAddr:
				return nil // what the phones hear is of no interest
			case random.IntN(100) < 3:
				return nil
			}
			return []time.Duration{time.Duration(random.ExpFloat64() * 4 * float64(ms))}
		})
		rec, err := r.plane.Record(recordOf("c-1", "k.wav", p.a, p.b))
		if err != nil {
			t.Error(err)
			return
		}
		begun, length := time.Now(), time.Duration(long(30, 5))*time.Minute
		// Both click at the same moments: 20 ms of noise at every tenth second, by the clock on the wall.
		say := func(send func(loud bool), step time.Duration) {
			for time.Since(begun) < length {
				at := time.Since(begun) % (10 * time.Second)
				send(at < 100*ms)
				time.Sleep(step)
			}
		}
		quiet, click := make([]byte, 160), make([]byte, 160)
		aquiet, aclick := make([]byte, 160), make([]byte, 160)
		for i := range 160 {
			quiet[i], click[i], aquiet[i], aclick[i] = 0xFF, 0x10, 0xD5, 0x30
		}
		var other sync.WaitGroup
		other.Go(func() {
			say(func(loud bool) { p.two.Send(p.toTwo, 8, map[bool][]byte{true: aclick, false: aquiet}[loud]) }, 20*ms+4*time.Microsecond)
		})
		say(func(loud bool) { p.one.Send(p.toOne, 0, map[bool][]byte{true: click, false: quiet}[loud]) }, 20*ms)
		other.Wait()
		f := stopped(t, rec, spool)
		if f.err != nil {
			t.Error(f.err)
			return
		}
		if got := time.Duration(len(f.left)) * time.Second / 8000; got < length-40*ms || got > length+40*ms {
			t.Errorf("it lasts %v", got)
		}
		worst := 0
		for second := 20; second < int(length.Seconds())-10; second += 10 {
			from, to := (second*1000-500)*8, (second*1000+1000)*8
			l, lok := onset(f.left[from:to])
			rr, rok := onset(f.right[from:to])
			if !lok || !rok {
				t.Errorf("no click at %d s", second)
				continue
			}
			worst = max(worst, l-rr, rr-l)
		}
		// A click is of five packets; the first one may be lost, and the clocks of the phones quantise by one more.
		if worst > (40+40)*8 {
			t.Errorf("the sides are up to %d ms apart", worst/8)
		}
		// The last click alone: over two of them a lost packet would move the middle by half a second.
		l, _ := middle(f.left[len(f.left)-8*15_000:])
		rr, _ := middle(f.right[len(f.right)-8*15_000:])
		if d := (l - rr) / 8; d > 40 || d < -40 {
			t.Errorf("at the end the sides are %d ms apart", d)
		}
	})
}

// onset is where it becomes loud.
func onset(pcm []int16) (int, bool) {
	for i, v := range pcm {
		if v > 1000 || v < -1000 {
			return i, true
		}
	}
	return 0, false
}

// middle is the mean place of what is loud in the last clicks.
func middle(pcm []int16) (int, bool) {
	sum, n := 0, 0
	for i, v := range pcm {
		if v > 1000 || v < -1000 {
			sum, n = sum+i, n+1
		}
	}
	return sum / max(n, 1), n > 0
}

func TestR10WhatIsSaidInAPauseIsNowhere(t *testing.T) {
	spool := t.TempDir()
	inBubble(t, func(o *media.Options) { o.SpoolDir = spool }, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "8", "")
		defer p.close()
		rec, err := r.plane.Record(recordOf("c-1", "k.wav", p.a, p.b))
		if err != nil {
			t.Error(err)
			return
		}
		hum(p.one, p.toOne, 0, "PCMU", 500, 50)
		rec.Pause()
		hum(p.one, p.toOne, 0, "PCMU", 1900, 50)
		rec.Resume()
		hum(p.one, p.toOne, 0, "PCMU", 500, 50)
		f := stopped(t, rec, spool)
		if f.err != nil || len(f.left) != 24_000 {
			t.Errorf("%v, %d samples", f.err, len(f.left))
			return
		}
		isTone(t, "before", f.left[800:7200], 500)
		isTone(t, "after", f.left[16_800:23_200], 500)
		for at := 0; at+160 <= len(f.left); at += 160 {
			if s := share(f.left[at:at+160], 1900); s > 0.3 && loud(f.left[at:at+160]) > 50 {
				t.Errorf("at %d ms %.2f of the power is what nobody should hear", at/8, s)
			}
		}
		if l := loud(f.left[8_100:16_000]); l != 0 {
			t.Errorf("the pause is %f loud", l)
		}
	})
}

// full is a disk with room for so many bytes.
type full struct {
	*os.File
	room int
}

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(b)
}

func TestM10AFullDiskLeavesTheCallAlone(t *testing.T) {
	spool := t.TempDir()
	change := func(o *media.Options) {
		o.SpoolDir = spool
		o.CreateRecording = func(path string) (record.File, error) {
			f, err := os.Create(path)
			return &full{f, 3 * 32_000}, err
		}
	}
	inBubble(t, change, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "0", "")
		defer p.close()
		failed := make(chan error, 2)
		o := recordOf("c-1", "k.wav", p.a, p.b)
		o.OnFailed = func(err error) { failed <- err }
		rec, err := r.plane.Record(o)
		if err != nil {
			t.Error(err)
			return
		}
		talk(p.one, p.toOne, 0, 1, 250, 160)
		if why := <-failed; !errors.Is(why, syscall.ENOSPC) {
			t.Errorf("the event says %v", why)
		}
		talk(p.one, p.toOne, 0, 1, 50, 160)
		time.Sleep(20 * ms)
		heard := p.two.Heard()
		continuous(t, heard)
		if len(heard) != 300 {
			t.Errorf("the other side heard %d of 300 packets", len(heard))
		}
		if st := r.plane.Stats(); st.Recordings != 0 || st.RecordingsFailed != 1 || len(failed) != 0 {
			t.Errorf("%+v", st)
		}
		if f := stopped(t, rec, spool); f.err == nil || f.Reason == "" {
			t.Errorf("%+v", f.Recording)
		}
		again, err := r.plane.Record(recordOf("c-2", "k.wav", p.a, p.b))
		if err != nil {
			t.Errorf("the sessions are not free for another recording: %v", err)
			return
		}
		stopped(t, again, spool)
	})
}

// slow is a disk that takes ten seconds for each write.
type slow struct{ *os.File }

func (s slow) Write(b []byte) (int, error) {
	time.Sleep(10 * time.Second)
	return s.File.Write(b)
}

func TestM10ASlowDiskLeavesTheCallAlone(t *testing.T) {
	spool := t.TempDir()
	change := func(o *media.Options) {
		o.SpoolDir = spool
		o.CreateRecording = func(path string) (record.File, error) {
			f, err := os.Create(path)
			return slow{f}, err
		}
	}
	inBubble(t, change, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "0", "")
		defer p.close()
		rec, err := r.plane.Record(recordOf("c-1", "k.wav", p.a, p.b))
		if err != nil {
			t.Error(err)
			return
		}
		p.one.Forget()
		p.two.Forget()
		begun := time.Now()
		for i := range 1000 { // 20 s
			if i == 500 {
				rec.Pause()
				rec.Resume()
				if failed := rec.Move([]*media.Session{p.a}, nil); failed != nil {
					t.Error(failed)
				}
			}
			talk(p.one, p.toOne, 0, 1, 1, 160)
		}
		if took := time.Since(begun); took != 20*time.Second {
			t.Errorf("the caller of Pause and Move waited: %v", took)
		}
		time.Sleep(20 * ms)
		if heard := p.two.Heard(); len(heard) != 1000 {
			t.Errorf("the other side heard %d of 1000 packets", len(heard))
		}
		if st := r.plane.Stats(); st.RecordDropped == 0 || st.Recordings != 1 {
			t.Errorf("%+v", st)
		}
		if f := stopped(t, rec, spool); f.err != nil || len(f.left) < 19*8000 {
			t.Errorf("%v, %d samples", f.err, len(f.left))
		}
	})
}
