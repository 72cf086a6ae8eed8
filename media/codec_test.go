package media_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ullim/media"
	"ullim/media/mediatest"
	"ullim/media/opus"
)

const (
	g722Map = "a=rtpmap:9 G722/8000\r\n"
	opusMap = "a=rtpmap:111 opus/48000/2\r\n"
)

// callWith is a session with codecs of its own that has answered a phone's offer.
func (r *rig) callWith(o media.SessionOptions, port uint16, formats, more string) (*media.Session, *mediatest.Phone, netip.AddrPort) {
	r.t.Helper()
	p := r.phone(port)
	o.Peer = "customer"
	s := r.open(o)
	return s, p, answer(r.t, s, p.SDP(formats, more))
}

var everything = []string{"opus", "G722", "PCMU", "PCMA"}

func TestWideBandIsForwardedAsItIs(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		a, one, toOne := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "9 0", g722Map)
		b, two, _ := r.callWith(media.SessionOptions{Codecs: everything}, 4002, "9", g722Map)
		defer one.Close()
		defer two.Close()
		if a.Codec() != "G722" || b.Codec() != "G722" {
			t.Fatalf("%s and %s", a.Codec(), b.Codec())
		}
		if _, err := media.Join(a, b); err != nil {
			t.Fatal(err)
		}
		two.Forget()
		talk(one, toOne, 9, 0x10, 20, 160)
		heard := two.Heard()
		continuous(t, heard)
		for i, h := range heard {
			if h.Payload != 9 || h.Data[0] != 0x10+byte(i) || len(h.Data) != 160 {
				t.Fatalf("packet %d: payload %d, %d bytes of %#x", i, h.Payload, len(h.Data), h.Data[0])
			}
		}
	})
}

func TestOpusPassesBetweenThoseWhoSpeakIt(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		a, one, toOne := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "111", opusMap)
		b, two, _ := r.callWith(media.SessionOptions{Codecs: everything}, 4002, "96 101", "a=rtpmap:96 opus/48000/2\r\n"+event)
		defer one.Close()
		defer two.Close()
		time.Sleep(110 * ms)
		silent := two.Heard()
		if len(silent) < 4 || silent[1].Stamp-silent[0].Stamp != 960 || !bytes.Equal(silent[0].Data, []byte{0xF8, 0xFF, 0xFE}) {
			t.Errorf("silence: %+v", silent)
		}
		if _, err := media.Join(a, b); err != nil {
			t.Fatal(err)
		}
		two.Forget()
		for i := range 20 {
			one.SendEvent(toOne, 111, one.Stamp, append([]byte{0x78}, bytes.Repeat([]byte{byte(i)}, 30+i)...)) // CELT, 20 ms
			one.Stamp += 960
			time.Sleep(20 * ms)
		}
		heard := two.Heard()
		if len(heard) != 20 {
			t.Fatalf("%d packets", len(heard))
		}
		for i, h := range heard {
			if h.Payload != 96 || len(h.Data) != 31+i || i > 0 && (h.Stamp != heard[i-1].Stamp+960 || h.Sequence != heard[i-1].Sequence+1) {
				t.Errorf("packet %d: payload %d, %d bytes, timestamp %d", i, h.Payload, len(h.Data), h.Stamp)
			}
		}
	})
}

func TestOpusIsSilentToWhomCannotHearIt(t *testing.T) {
	if opus.Available() {
		t.Skip("this build can")
	}
	inBubble(t, nil, func(r *rig) {
		t := r.t
		a, one, toOne := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "111", opusMap)
		b, two, _ := r.callWith(media.SessionOptions{}, 4002, "0", "")
		defer one.Close()
		defer two.Close()
		if _, err := media.Join(a, b); err != nil {
			t.Fatal(err)
		}
		two.Forget()
		for range 50 {
			one.SendEvent(toOne, 111, one.Stamp, []byte{0x78, 1, 2, 3})
			one.Stamp += 960
			time.Sleep(20 * ms)
		}
		if got := runs(two.Heard()); !strings.HasPrefix(got, "ff*") || len(two.Heard()) < 39 {
			t.Error(got)
		}
	})
}

func TestAnyTwoCodecsAreTranslated(t *testing.T) {
	names := map[string]struct {
		formats, more string
		payload       uint8
	}{
		"PCMU": {"0", "", 0}, "PCMA": {"8", "", 8}, "G722": {"9", g722Map, 9},
	}
	for from, x := range names {
		for to, y := range names {
			inBubble(t, nil, func(r *rig) {
				t := r.t
				a, one, toOne := r.callWith(media.SessionOptions{Codecs: everything}, 4000, x.formats, x.more)
				b, two, toTwo := r.callWith(media.SessionOptions{Codecs: everything}, 4002, y.formats, y.more)
				defer one.Close()
				defer two.Close()
				if _, err := media.Join(a, b); err != nil {
					t.Fatal(err)
				}
				one.Forget()
				two.Forget()
				var other sync.WaitGroup
				other.Go(func() { hum(two, toTwo, y.payload, to, 600, 150) })
				hum(one, toOne, x.payload, from, 1000, 150)
				other.Wait()
				for _, c := range []struct {
					p     *mediatest.Phone
					codec string
					hertz int
				}{{two, to, 1000}, {one, from, 600}} {
					heard := c.p.Heard()
					continuous(t, heard)
					if len(heard) < 145 {
						t.Fatalf("%s to %s: %d packets", from, to, len(heard))
					}
					isTone(t, from+" to "+to, decoded(c.codec, heard)[8000:20000], c.hertz)
				}
			})
		}
	}
}

func TestM03LossAndSpikesAreHiddenWhereSoundIsDecoded(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		a, one, toOne := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "9", g722Map)
		b, two, _ := r.callWith(media.SessionOptions{}, 4002, "0", "")
		defer one.Close()
		defer two.Close()
		if _, err := media.Join(a, b); err != nil {
			t.Fatal(err)
		}
		count := 0
		r.net.SetFate(func(packet []byte, _, to netip.AddrPort) []time.Duration {
			if to != toOne {
				return []time.Duration{0}
			}
			switch count++; {
			case count%50 == 25: // 2 % are lost
				return nil
			case count%50 == 30: // twice
				return []time.Duration{0, 10 * ms}
			case count%50 == 40: // out of order
				return []time.Duration{30 * ms}
			case count%250 == 100: // a spike
				return []time.Duration{150 * ms}
			}
			return []time.Duration{time.Duration(count%7) * ms}
		})
		two.Forget()
		hum(one, toOne, 9, "G722", 440, 1000)
		heard := two.Heard()
		continuous(t, heard)
		if n := len(heard); n < 990 || n > 1010 {
			t.Errorf("%d packets of 1000", n)
		}
		pcm := decoded("PCMU", heard)[8000:]
		bad := 0
		for at := 0; at+160 <= len(pcm); at += 160 {
			if loud(pcm[at:at+160]) < 2000 {
				bad++
			}
		}
		if bad > 15 {
			t.Errorf("%d of %d frames are nearly silent", bad, len(pcm)/160)
		}
	})
}

// A sender whose clock is 300 ppm off for an hour: what is decoded is neither ever later nor full of holes.
func TestM03AWrongClockIsFollowedForAnHour(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of work")
	}
	for ppm, minutes := range map[int]int{300: long(60, 4), -300: long(10, 2)} {
		inBubble(t, func(o *media.Options) { o.Dead = media.DeadPolicy{NeverStarted: -1, Stopped: -1} }, func(r *rig) {
			t := r.t
			a, one, toOne := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "9", g722Map)
			b, two, _ := r.callWith(media.SessionOptions{}, 4002, "0", "")
			defer one.Close()
			defer two.Close()
			if _, err := media.Join(a, b); err != nil {
				t.Fatal(err)
			}
			m := mouth{codec: "G722"}
			var second [50][]byte
			for i := range second {
				second[i] = m.frame(450)
			}
			step := 20*ms - 20*ms*time.Duration(ppm)/1_000_000
			for minute := range minutes {
				two.Forget()
				for i := range int(time.Minute / step) {
					one.Send(toOne, 9, second[i%50])
					time.Sleep(step)
				}
				heard := two.Heard()
				if minute%10 != 9 && minute != minutes-1 {
					continue
				}
				quiet := 0
				pcm := decoded("PCMU", heard)
				for at := 0; at+160 <= len(pcm); at += 160 {
					if loud(pcm[at:at+160]) < 3000 {
						quiet++
					}
				}
				if quiet > 3 {
					t.Errorf("%d ppm, minute %d: %d frames of %d are nearly silent", ppm, minute, quiet, len(heard))
				}
			}
			if q := a.Stats(); q.Late > 5 {
				t.Errorf("%d ppm: %d packets came too late", ppm, q.Late)
			}
		})
	}
}

func TestO05TheSameCodecUnderOtherNumbersEachWay(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.phone(4000)
		defer p.Close()
		s := r.open(media.SessionOptions{Codecs: []string{"PCMA", "G722"}})
		offer, err := s.Offer()
		if err != nil {
			t.Fatal(err)
		}
		to := addressIn(t, offer)
		// We said 8 for PCMA and 101 for keys; they say 98 and 99.
		if err := s.Accept(p.SDP("98 99", "a=rtpmap:98 PCMA/8000\r\na=rtpmap:99 telephone-event/8000\r\n")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * ms)
		if h := p.Heard(); len(h) == 0 || h[0].Payload != 98 {
			t.Errorf("we send %+v", h)
		}
		p.Send(to, 8, make([]byte, 160))
		p.Press(to, 101, 4, 3)
		p.Send(to, 98, make([]byte, 160)) // many send with the numbers that they receive with
		p.Press(to, 99, 5, 3)
		time.Sleep(20 * ms)
		if q := s.Stats(); q.Received != 14 || r.pressed() != "45" {
			t.Errorf("%+v, pressed %q", q, r.pressed())
		}
	})
}

func TestO04TheStreamGoesOnAcrossCodecsAndClocks(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, _ := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "0", "")
		defer p.Close()
		for _, c := range [][2]string{{"9", g722Map}, {"111", opusMap}, {"8", ""}, {"0", "a=ptime:40\r\n"}} {
			time.Sleep(200 * ms)
			answer(t, s, p.SDP(c[0], c[1]))
		}
		time.Sleep(200 * ms)
		heard := p.Heard()
		var codecs []uint8
		for i, h := range heard {
			if !slices.Contains(codecs, h.Payload) || len(codecs) > 0 && codecs[len(codecs)-1] != h.Payload {
				codecs = append(codecs, h.Payload)
			}
			if i == 0 {
				continue
			}
			before := heard[i-1]
			if ahead := h.Stamp - before.Stamp; h.SSRC != before.SSRC || h.Sequence != before.Sequence+1 || ahead < 80 || ahead > 2000 {
				t.Errorf("packet %d (%d): sequence %d after %d, timestamp %d later", i, h.Payload, h.Sequence, before.Sequence, ahead)
			}
		}
		if !slices.Equal(codecs, []uint8{0, 9, 111, 8, 0}) {
			t.Errorf("codecs %v", codecs)
		}
	})
}

func TestAPromptIsHeardInWideBand(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, _ := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "9", g722Map)
		defer p.Close()
		var end result
		s.Play([]media.Source{tuned{}}, false, end.done)
		p.Forget()
		time.Sleep(time.Second + 30*ms)
		end.is(t, "a prompt", true)
		isTone(t, "prompt", decoded("G722", p.Heard())[800:7200], 700)
	})
}

// tuned is a second of a tone.
type tuned struct{}

func (tuned) Frames(codec string) (out [][]byte) {
	if codec == "opus" {
		return nil
	}
	m := mouth{codec: codec}
	for range 50 {
		out = append(out, m.frame(700))
	}
	return out
}

func TestM02AJumpUpstreamIsHeardAtOnceWhereSoundIsDecoded(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		a, one, toOne := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "9", g722Map)
		b, two, _ := r.callWith(media.SessionOptions{}, 4002, "0", "")
		defer one.Close()
		defer two.Close()
		if _, err := media.Join(a, b); err != nil {
			t.Error(err)
			return
		}
		for jump, change := range map[string]func(){
			"another stream": func() { one.SSRC++; one.Sequence += 30_000; one.Stamp += 1 << 30 },
			"the sequence":   func() { one.Sequence -= 20_000 },
			"the timestamps": func() { one.Stamp -= 1 << 29 },
		} {
			hum(one, toOne, 9, "G722", 450, 50)
			change()
			two.Forget()
			hum(one, toOne, 9, "G722", 900, 50)
			heard := two.Heard()
			continuous(t, heard)
			pcm := decoded("PCMU", heard)
			// The buffer still holds up to 100 ms of what was said before; then there are 100 ms to find the new stream.
			isTone(t, jump, pcm[1600:7200], 900)
		}
	})
}

// An Opus phone and one that speaks G.711, in a build that can translate; and a prompt, which is not kept in Opus.
func TestOpusIsTranslatedWhereTheBuildCan(t *testing.T) {
	if !opus.Available() {
		t.Skip("this build cannot")
	}
	inBubble(t, nil, func(r *rig) {
		t := r.t
		a, one, toOne := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "111", opusMap)
		b, two, toTwo := r.callWith(media.SessionOptions{}, 4002, "0", "")
		defer one.Close()
		defer two.Close()
		enc, err := opus.NewEncoder()
		if err != nil {
			t.Error(err)
			return
		}
		dec, err := opus.NewDecoder()
		if err != nil {
			t.Error(err)
			return
		}
		listen := func() (pcm []int16) {
			for _, h := range one.Heard() {
				var frame [1920]int16
				n := dec.Decode(frame[:], h.Data)
				for i := 0; i+1 < n; i += 2 {
					pcm = append(pcm, frame[i])
				}
			}
			return pcm
		}
		a.Play([]media.Source{tuned{}}, false, nil)
		time.Sleep(time.Second + 30*ms)
		isTone(t, "a prompt in Opus", listen()[1600:7200], 700)
		if _, err = media.Join(a, b); err != nil {
			t.Error(err)
			return
		}
		one.Forget()
		two.Forget()
		var other sync.WaitGroup
		other.Go(func() { hum(two, toTwo, 0, "PCMU", 600, 100) })
		for i := range 100 {
			data := make([]byte, 400)
			n := enc.Encode(data, sine(1000, 16000, 320*i, 320))
			one.SendEvent(toOne, 111, one.Stamp, data[:n])
			one.Stamp += 960
			time.Sleep(20 * ms)
		}
		other.Wait()
		isTone(t, "to G.711", decoded("PCMU", two.Heard())[4000:14_000], 1000)
		isTone(t, "to Opus", listen()[4000:14_000], 600)
	})
}
