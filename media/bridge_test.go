package media_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/media"
	"ullim/media/g711"
	"ullim/media/mediatest"
)

// pair is two calls, joined.
type pair struct {
	a, b         *media.Session
	one, two     *mediatest.Phone
	toOne, toTwo netip.AddrPort // where the phones send to
	part         func()
}

func (r *rig) pair(formatsOne, moreOne, formatsTwo, moreTwo string) *pair {
	r.t.Helper()
	p := new(pair)
	p.a, p.one, p.toOne = r.call(4000, formatsOne, moreOne)
	p.b, p.two, p.toTwo = r.call(4002, formatsTwo, moreTwo)
	time.Sleep(50 * ms)
	var err error
	if p.part, err = media.Join(p.a, p.b); err != nil {
		r.t.Fatal(err)
	}
	p.one.Forget()
	p.two.Forget()
	return p
}

func (p *pair) close() {
	p.one.Close()
	p.two.Close()
}

// talk sends n frames of 20 ms whose bytes count from first.
func talk(p *mediatest.Phone, to netip.AddrPort, payload uint8, first byte, n, size int) {
	for i := range n {
		p.Send(to, payload, bytes.Repeat([]byte{first + byte(i)}, size))
		time.Sleep(time.Duration(size/8) * ms)
	}
}

func TestJoinedSessionsHearEachOther(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "0", "")
		defer p.close()
		var other sync.WaitGroup
		other.Go(func() { talk(p.two, p.toTwo, 0, 0x40, 50, 160) })
		talk(p.one, p.toOne, 0, 0x10, 50, 160)
		time.Sleep(20 * ms)
		other.Wait()
		for first, heard := range map[byte][]mediatest.Heard{0x10: p.two.Heard(), 0x40: p.one.Heard()} {
			continuous(t, heard)
			if len(heard) != 50 || !heard[0].Marker || heard[1].Marker {
				t.Fatalf("%d packets", len(heard))
			}
			for i, h := range heard {
				if h.Data[0] != first+byte(i) || len(h.Data) != 160 {
					t.Fatalf("packet %d has %d bytes of %#02x", i, len(h.Data), h.Data[0])
				}
			}
		}
		if d := p.two.Heard()[1].At.Sub(p.two.Heard()[0].At); d != 20*ms {
			t.Errorf("the pace became %v", d)
		}
		if got := p.a.String(); !strings.Contains(got, " -> customer "+p.b.String()[9:24]) || !strings.Contains(got, "joined") {
			t.Error(got)
		}
		p.one.Forget()
		p.part()
		p.part()
		talk(p.two, p.toTwo, 0, 0x40, 10, 160)
		heard := p.one.Heard()
		continuous(t, heard)
		if got := runs(heard); got != "ff*"+itoa(len(heard)) || len(heard) < 9 {
			t.Errorf("after parting: %s", got)
		}
	})
}

func TestTheStreamGoesOnAcrossSilencePromptAndJoin(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "0", "")
		defer p.close()
		talk(p.one, p.toOne, 0, 0x10, 5, 160)
		var whisper result
		p.b.Play([]media.Source{sound{0x99, 5}}, false, whisper.done)
		talk(p.one, p.toOne, 0, 0x20, 8, 160)
		whisper.is(t, "a whisper to a joined session", true)
		p.part()
		time.Sleep(60 * ms)
		heard := p.two.Heard()
		got := runs(heard)
		if !strings.HasPrefix(got, "10 11 12 13 14 99*5 ") || !strings.HasSuffix(got, "27 ff*3") {
			t.Error(got)
		}
		for i, h := range heard[1:] {
			ahead := h.Stamp - heard[i].Stamp
			if h.Sequence != heard[i].Sequence+1 || h.SSRC != heard[0].SSRC || ahead < 160 || ahead > 400 {
				t.Errorf("packet %d (%s): sequence %d after %d, %d samples later", i+1, got, h.Sequence, heard[i].Sequence, ahead)
			}
		}
	})
}

func TestJoinEndsWhatIsPlayedAndRefusesNonsense(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		a, one, _ := r.call(4000, "0", "")
		b, two, _ := r.call(4002, "0", "")
		c, three, _ := r.call(4004, "0", "")
		defer one.Close()
		defer two.Close()
		defer three.Close()
		var music result
		a.Play([]media.Source{sound{0x11, 5}}, true, music.done)
		time.Sleep(50 * ms)
		part, err := media.Join(a, b)
		if err != nil {
			t.Fatal(err)
		}
		music.is(t, "joined", false)
		if _, err := media.Join(b, c); !errs.Is(err, errs.Conflict) {
			t.Errorf("joined twice: %v", err)
		}
		if _, err := media.Join(c, c); !errs.Is(err, errs.InvalidRequest) {
			t.Errorf("joined with itself: %v", err)
		}
		b.Close()
		part()
		if _, err := media.Join(a, b); !errs.Is(err, errs.InvalidRequest) {
			t.Errorf("joined with one that left: %v", err)
		}
		if _, err := media.Join(a, c); err != nil {
			t.Errorf("after the other left: %v", err)
		}
		part() // of the old link: it does not cut the new one
		if got := a.String(); !strings.Contains(got, "joined") {
			t.Error(got)
		}
		if n := len(two.Heard()); n == 0 {
			t.Error("nothing was heard before it left")
		}
	})
}

func TestCodecsAreTranslatedBetweenTheSides(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "97", "a=rtpmap:97 PCMA/8000\r\n")
		defer p.close()
		ulaw := make([]byte, 160)
		for i := range ulaw {
			ulaw[i] = byte(i)
		}
		p.one.Send(p.toOne, 0, ulaw)
		alaw := bytes.Clone(ulaw)
		p.two.Send(p.toTwo, 97, alaw)
		time.Sleep(20 * ms)
		want := bytes.Clone(ulaw)
		g711.ULawToALaw(want)
		if h := p.two.Heard(); len(h) != 1 || h[0].Payload != 97 || cmp.Diff(want, h[0].Data) != "" {
			t.Errorf("A-law: %+v", h)
		}
		want = bytes.Clone(alaw)
		g711.ALawToULaw(want)
		if h := p.one.Heard(); len(h) != 1 || h[0].Payload != 0 || cmp.Diff(want, h[0].Data) != "" {
			t.Errorf("µ-law: %+v", h)
		}
	})
}

func TestO07PacketsAreCutAgainWhenTheSidesWantOtherTimes(t *testing.T) { // O7
	for _, c := range []struct {
		wish           string
		in, out, count int
	}{
		{"a=ptime:30\r\n", 160, 240, 40},
		{"a=ptime:10\r\n", 160, 80, 120},
		{"a=ptime:20\r\n", 240, 160, 60},
		{"a=ptime:40\r\n", 480, 320, 30},
		{"a=maxptime:20\r\n", 480, 160, 60},
		{"", 480, 480, 20}, // no wish: as it comes
	} {
		inBubble(t, nil, func(r *rig) {
			t := r.t
			p := r.pair("0", "", "0", c.wish)
			defer p.close()
			talk(p.one, p.toOne, 0, 0x10, 9600/c.in, c.in)
			heard := p.two.Heard()
			continuous(t, heard)
			total := 0
			for _, h := range heard {
				if len(h.Data) != c.out {
					t.Fatalf("%q: a packet of %d bytes", c.wish, len(h.Data))
				}
				for _, b := range h.Data {
					if b == 0xFF && total == 0 { // the silence that was waiting for its packet to be full
						continue
					}
					if want := 0x10 + byte(total/c.in); b != want {
						t.Fatalf("%q: sample %d is %#02x, want %#02x", c.wish, total, b, want)
					}
					total++
				}
			}
			if len(heard) != c.count {
				t.Errorf("%q: %d packets, want %d", c.wish, len(heard), c.count)
			}
		})
	}
}

func TestKeysAreRelayedWithTheirNumbersAndReported(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0 96", "a=rtpmap:96 telephone-event/8000\r\n", "0 101", event)
		defer p.close()
		talk(p.one, p.toOne, 0, 0x10, 3, 160)
		stamp := p.one.Stamp
		p.one.Press(p.toOne, 96, 5, 400) // 8 s: the timestamp stays that of the beginning
		talk(p.one, p.toOne, 0, 0x20, 3, 160)
		if got := r.pressed(); got != "5" {
			t.Errorf("pressed %q", got)
		}
		heard := p.two.Heard()
		if len(heard) != 3+403+3 {
			t.Fatalf("%d packets", len(heard))
		}
		offset := heard[0].Stamp - 5000
		for i, h := range heard {
			if h.Sequence != heard[0].Sequence+uint16(i) {
				t.Fatalf("packet %d has sequence %d", i, h.Sequence)
			}
			if i >= 3 && i < 406 && (h.Payload != 101 || h.Stamp != stamp+offset || h.Data[0] != 5) {
				t.Fatalf("key packet %d: payload %d, timestamp %d, want %d", i, h.Payload, h.Stamp, stamp+offset)
			}
		}
		if h := heard[406]; h.Payload != 0 || h.Stamp != stamp+offset+400*160 {
			t.Errorf("audio after the key: payload %d, timestamp %d", h.Payload, h.Stamp)
		}
	})
}

func TestKeysAreTonesForWhomTheyMeanNothing(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0 101", event, "0", "")
		defer p.close()
		talk(p.one, p.toOne, 0, 0x10, 3, 160)
		p.one.Press(p.toOne, 101, 7, 5)
		talk(p.one, p.toOne, 0, 0x20, 20, 160)
		heard := p.two.Heard()
		got := runs(heard)
		if !strings.HasPrefix(got, "10 11 12 ") || !strings.HasSuffix(got, " 2f 30 31 32 33") || r.pressed() != "7" || tonesIn("PCMU", heard) != "7" {
			t.Errorf("%s, pressed %q, heard as tones %q", got, r.pressed(), tonesIn("PCMU", heard))
		}
		for i, h := range heard[1:] {
			if gap := h.Sequence - heard[i].Sequence; gap != 1 {
				t.Errorf("at packet %d the key looks like %d lost packets", i+1, gap-1)
			}
		}
	})
}

func TestR31SilenceIsSentWhileTheOtherSideSaysNothing(t *testing.T) { // R31
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "8", "")
		defer p.close()
		time.Sleep(time.Second)
		heard := p.two.Heard()
		if got := runs(heard); !strings.HasPrefix(got, "d5*") || len(heard) < 40 {
			t.Errorf("%s", got)
		}
		talk(p.one, p.toOne, 0, 0x10, 10, 160)
		p.two.Forget()
		p.one.Stamp += 8000 // silence suppressed
		time.Sleep(time.Second)
		talk(p.one, p.toOne, 0, 0x10, 10, 160)
		heard = p.two.Heard()
		for i, h := range heard[1:] {
			if ahead := h.Stamp - heard[i].Stamp; h.Sequence != heard[i].Sequence+1 || ahead < 160 || ahead > 1800 {
				t.Errorf("packet %d: sequence %d after %d, %d samples later", i+1, h.Sequence, heard[i].Sequence, ahead)
			}
		}
		if first, last := heard[0], heard[len(heard)-1]; int(last.Stamp-first.Stamp)/8-int(last.At.Sub(first.At)/ms) > 60 {
			t.Errorf("%d samples in %v", last.Stamp-first.Stamp, last.At.Sub(first.At))
		}
	})
}

func TestO03TheHeldSideIsSentNothingAndTheOtherSilence(t *testing.T) { // O3
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "0", "")
		defer p.close()
		talk(p.one, p.toOne, 0, 0x10, 10, 160)
		answer(t, p.b, p.two.SDP("0", "a=inactive\r\n"))
		p.one.Forget()
		p.two.Forget()
		go talk(p.two, p.toTwo, 0, 0x77, 20, 160) // inactive, and yet it sends
		talk(p.one, p.toOne, 0, 0x10, 50, 160)
		if n := len(p.two.Heard()); n != 0 {
			t.Errorf("%d packets to a held phone", n)
		}
		if got := runs(p.one.Heard()); !strings.HasPrefix(got, "ff*") || strings.Contains(got, " ") {
			t.Errorf("the other side heard %s", got)
		}
		answer(t, p.b, p.two.SDP("0", ""))
		talk(p.one, p.toOne, 0, 0x10, 10, 160)
		if got := runs(p.two.Heard()); !strings.HasSuffix(got, "11 12 13 14 15 16 17 18 19") {
			t.Errorf("after resume: %s", got)
		}
	})
}

func TestM02AJumpUpstreamIsHeardAtOnce(t *testing.T) { // M2
	for name, jump := range map[string]func(p *mediatest.Phone){
		"everything":       func(p *mediatest.Phone) { p.SSRC, p.Sequence, p.Stamp = 0xBEEF, 61234, 0xFFFF0000 },
		"source only":      func(p *mediatest.Phone) { p.SSRC = 0xBEEF },
		"sequence ahead":   func(p *mediatest.Phone) { p.Sequence += 20000 },
		"sequence back":    func(p *mediatest.Phone) { p.Sequence -= 20000 },
		"timestamps ahead": func(p *mediatest.Phone) { p.Stamp += 1 << 30 },
		"timestamps back":  func(p *mediatest.Phone) { p.Stamp -= 1 << 30 },
	} {
		inBubble(t, nil, func(r *rig) {
			t := r.t
			p := r.pair("0", "", "0", "")
			defer p.close()
			talk(p.one, p.toOne, 0, 0x10, 10, 160)
			jump(p.one)
			talk(p.one, p.toOne, 0, 0x40, 10, 160)
			heard := p.two.Heard()
			if got := runs(heard); !strings.HasSuffix(got, "40 41 42 43 44 45 46 47 48 49") {
				t.Errorf("%s: %s", name, got)
			}
			for i, h := range heard[1:] {
				if ahead := h.Stamp - heard[i].Stamp; h.SSRC != heard[0].SSRC || h.Sequence != heard[i].Sequence+1 || ahead < 160 || ahead > 320 {
					t.Errorf("%s: packet %d: sequence %d after %d, %d samples later", name, i+1, h.Sequence, heard[i].Sequence, ahead)
				}
			}
		})
	}
}

func TestM03LossOrderAndLatenessPassAsTheyAre(t *testing.T) { // M3
	random := rand.New(rand.NewPCG(1, 2))
	inBubble(t, nil, func(r *rig) {
		t := r.t
		r.net.SetFate(func(_ []byte, from, _ netip.AddrPort) []time.Duration {
			if from.Addr() != phoneAddr {
				return []time.Duration{0}
			}
			switch n := random.IntN(100); {
			case n >= 20:
				return []time.Duration{0}
			case n < 5:
				return nil // lost
			case n < 8:
				return []time.Duration{0, 10 * ms} // twice
			default:
				return []time.Duration{time.Duration(random.IntN(60)) * ms} // late, perhaps behind others
			}
		})
		p := r.pair("0", "", "0", "")
		defer p.close()
		for range 3000 {
			p.one.Send(p.toOne, 0, bytes.Repeat([]byte{byte(p.one.Sequence)}, 160))
			time.Sleep(20 * ms)
		}
		time.Sleep(100 * ms)
		heard := p.two.Heard()
		first := heard[0]
		for i, h := range heard {
			n := h.Sequence - first.Sequence
			if h.Data[0] != first.Data[0]+byte(n) || h.Stamp-first.Stamp != uint32(int32(int16(n))*160) {
				t.Fatalf("packet %d: sequence %d has sound %d", i, n, h.Data[0]-first.Data[0])
			}
		}
		if n := len(heard); n < 2800 || n > 2900 {
			t.Errorf("%d of 3000 packets passed", n)
		}
	})
}

func TestM03AHiccupAddsNoDelay(t *testing.T) { // M3: a spike is silence for a moment, and then all is as before
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "0", "")
		defer p.close()
		talk(p.one, p.toOne, 0, 0x10, 50, 160)
		before := p.two.Heard()[40]
		for range 20 {
			time.Sleep(300 * ms) // nothing, and then everything at once
			for range 15 {
				p.one.Send(p.toOne, 0, bytes.Repeat([]byte{0x77}, 160))
			}
			talk(p.one, p.toOne, 0, 0x10, 20, 160)
		}
		heard := p.two.Heard()
		after := heard[len(heard)-1]
		if drift := int(after.Stamp-before.Stamp)/8 - int(after.At.Sub(before.At)/ms); drift > 25 || drift < -25 {
			t.Errorf("after twenty hiccups the stream is %d ms off", drift)
		}
		for i, h := range heard[1:] {
			if h.Sequence != heard[i].Sequence+1 || int32(h.Stamp-heard[i].Stamp) < 160 {
				t.Fatalf("packet %d: sequence %d after %d, %d samples later", i+1, h.Sequence, heard[i].Sequence, int32(h.Stamp-heard[i].Stamp))
			}
		}
	})
}

func TestAStreamThatBecameSlowerForGoodIsHeardAgain(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "0", "")
		defer p.close()
		talk(p.one, p.toOne, 0, 0x10, 20, 160)
		time.Sleep(time.Second) // the path became a second longer
		talk(p.one, p.toOne, 0, 0x40, 50, 160)
		got := runs(p.two.Heard())
		if !strings.HasSuffix(got, "60 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e 6f 70 71") {
			t.Errorf("%s", got)
		}
	})
}

func TestClosingOneSideFreesTheOther(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0", "", "0", "")
		defer p.close()
		go talk(p.one, p.toOne, 0, 0x10, 50, 160)
		time.Sleep(510 * ms)
		p.b.Close()
		p.one.Forget()
		time.Sleep(510 * ms)
		synctest.Wait()
		if got := runs(p.one.Heard()); !strings.HasPrefix(got, "ff*2") {
			t.Errorf("the one who stayed heard %s", got)
		}
		p.part()
	})
}
