package media_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/media"
	"ullim/media/dtmf"
	"ullim/media/g711"
	"ullim/media/mediatest"
)

// press is packets of telephone-event, as a phone that is not ours may send them.
type press struct {
	event  byte
	stamp  uint32
	length int // in packets of 20 ms
	lost   func(i int) bool
	ends   int
	gap    time.Duration // in the middle
}

func (x press) send(p *mediatest.Phone, to netip.AddrPort, payload uint8) {
	for i := range x.length + x.ends {
		at, flags := i+1, byte(10)
		if i >= x.length {
			at, flags = x.length, 0x80|10
		}
		data := []byte{x.event, flags, byte(at * 160 >> 8), byte(at * 160)}
		if x.lost != nil && x.lost(i) {
			p.Sequence++
		} else {
			p.SendEvent(to, payload, x.stamp, data)
		}
		if i < x.length {
			time.Sleep(20 * ms)
		}
		if x.gap > 0 && i == x.length/2 {
			time.Sleep(x.gap)
		}
	}
}

func TestM06R08EachKeyIsHeardOnceHoweverItComes(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, to := r.call(4000, "0 101", event)
		defer p.Close()
		want := ""
		hear := func(what, keys string, f func(stamp uint32)) {
			t.Helper()
			p.Stamp += 16000
			f(p.Stamp)
			time.Sleep(4 * time.Second)
			if want += keys; r.pressed() != want {
				t.Errorf("%s: %q, want %q", what, r.pressed(), want)
				want = r.pressed()
			}
		}
		hear("no marker", "1", func(at uint32) { press{event: 1, stamp: at, length: 5, ends: 3}.send(p, to, 101) })
		hear("all ends lost", "2", func(at uint32) { press{event: 2, stamp: at, length: 5}.send(p, to, 101) })
		hear("the same key after it", "2", func(at uint32) { press{event: 2, stamp: at, length: 5}.send(p, to, 101) })
		hear("the beginning lost", "3", func(at uint32) {
			press{event: 3, stamp: at, length: 5, ends: 3, lost: func(i int) bool { return i < 4 }}.send(p, to, 101)
		})
		hear("one end only", "4", func(at uint32) {
			press{event: 4, stamp: at, length: 5, ends: 3, lost: func(i int) bool { return i != 7 }}.send(p, to, 101)
		})
		hear("a gap of 1.6 s", "5", func(at uint32) { press{event: 5, stamp: at, length: 10, ends: 3, gap: 1600 * ms}.send(p, to, 101) })
		hear("twice, 40 ms apart", "66", func(at uint32) {
			press{event: 6, stamp: at, length: 4, ends: 3}.send(p, to, 101)
			time.Sleep(40 * ms)
			press{event: 6, stamp: at + 160*6, length: 4, ends: 3}.send(p, to, 101)
		})
		hear("by INFO too", "7", func(at uint32) {
			press{event: 7, stamp: at, length: 5, ends: 3}.send(p, to, 101)
			s.Key('7')
		})
		hear("by INFO first", "8", func(at uint32) {
			s.Key('8')
			press{event: 8, stamp: at, length: 5, ends: 3}.send(p, to, 101)
		})
		hear("by INFO only, twice", "99", func(uint32) {
			s.Key('9')
			time.Sleep(time.Second)
			s.Key('9')
		})
	})
}

// dial says keys as tones.
func dial(p *mediatest.Phone, to netip.AddrPort, keys string) {
	pcm := dtmf.Tones(nil, keys, 8000)
	pcm = append(pcm, make([]int16, 1600)...)
	for len(pcm) >= 160 {
		b := make([]byte, 160)
		g711.EncodeULaw(b, pcm[:160])
		p.Send(to, 0, b)
		pcm = pcm[160:]
		time.Sleep(20 * ms)
	}
}

func TestR08TonesAreHeardWhereNothingElseWasAgreed(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		_, p, to := r.call(4000, "0", "")
		defer p.Close()
		dial(p, to, "123*0#")
		if got := r.pressed(); got != "123*0#" {
			t.Errorf("pressed %q", got)
		}
	})
}

func TestR08TonesAreNotListenedForWhereEventsWereAgreed(t *testing.T) { // unless it is asked for
	inBubble(t, nil, func(r *rig) {
		t := r.t
		_, p, to := r.call(4000, "0 101", event)
		_, two, toTwo := r.callWith(media.SessionOptions{HearTones: true}, 4002, "0 101", event)
		defer p.Close()
		defer two.Close()
		dial(p, to, "5")
		if got := r.pressed(); got != "" {
			t.Errorf("pressed %q", got)
		}
		dial(two, toTwo, "6")
		two.Press(toTwo, 101, 7, 5)
		if got := r.pressed(); got != "67" {
			t.Errorf("pressed %q", got)
		}
	})
}

// keysOf is what a phone heard as events: each press once.
func keysOf(heard []mediatest.Heard, payload uint8) string {
	var d dtmf.Detector
	var b strings.Builder
	for _, h := range heard {
		if h.Payload == payload {
			if digit, ok := d.Packet(h.Data, h.Stamp, h.At); ok {
				b.WriteByte(digit)
			}
		}
	}
	return b.String()
}

// tonesIn is what is heard as tones.
func tonesIn(codec string, heard []mediatest.Heard) string {
	var d dtmf.InBand
	return string(d.Feed(nil, decoded(codec, heard)))
}

func TestKeysAreSentAsAgreed(t *testing.T) {
	for _, c := range []struct {
		name, formats, more string
		o                   media.SessionOptions
		codec               string
	}{
		{name: "RFC 4733", formats: "0 100", more: "a=rtpmap:100 telephone-event/8000\r\n"},
		{name: "tones", formats: "8", codec: "PCMA"},
		{name: "tones in G.722", formats: "9", more: g722Map, codec: "G722", o: media.SessionOptions{Codecs: everything}},
		{name: "tones asked for", formats: "0 101", more: event, codec: "PCMU", o: media.SessionOptions{Tones: true}},
		{name: "while playing", formats: "0 100", more: "a=rtpmap:100 telephone-event/8000\r\n"},
		{name: "with 48000", formats: "111 110", more: opusMap + "a=rtpmap:110 telephone-event/48000\r\n", o: media.SessionOptions{Codecs: everything}},
	} {
		inBubble(t, nil, func(r *rig) {
			s, p, _ := r.callWith(c.o, 4000, c.formats, c.more)
			defer p.Close()
			var music result
			if c.name == "while playing" {
				s.Play([]media.Source{sound{0x44, 10}}, false, music.done)
			}
			time.Sleep(50 * ms)
			var end result
			if err := s.SendDigits("12#a", func() { end.done(true) }); err != nil {
				t.Error(err)
			}
			if err := s.SendDigits("99", nil); err != nil {
				t.Error(err)
			}
			time.Sleep(300 * ms)
			end.is(t, c.name+": in the middle")
			time.Sleep(2 * time.Second)
			end.is(t, c.name, true)
			heard := p.Heard()
			got := keysOf(heard, map[bool]uint8{true: 110, false: 100}[c.name == "with 48000"])
			if c.codec != "" {
				got = tonesIn(c.codec, heard)
			}
			if got != "12#A99" {
				t.Errorf("%s: %q was heard", c.name, got)
			}
			for i, h := range heard[1:] {
				if b := heard[i]; h.Sequence != b.Sequence+1 || h.SSRC != b.SSRC {
					t.Errorf("%s: sequence %d after %d", c.name, h.Sequence, b.Sequence)
				}
			}
			if c.name == "while playing" { // what is played waits, and nothing of it is lost
				music.is(t, c.name, true)
				if n := strings.Count(strings.ReplaceAll(runs(heard), "44*", ""), "44"); n > 2 {
					t.Error(runs(heard))
				}
				total := 0
				for _, h := range heard {
					if h.Payload == 0 && h.Data[0] == 0x44 {
						total++
					}
				}
				if total != 10 {
					t.Errorf("%d of 10 frames of the prompt were heard", total)
				}
			}
		})
	}
}

func TestKeysPassBetweenEventsAndTones(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0 101", event, "8", "")
		defer p.close()
		talk(p.one, p.toOne, 0, 0x10, 5, 160)
		p.one.Press(p.toOne, 101, 7, 5)
		talk(p.one, p.toOne, 0, 0x20, 20, 160)
		if got := tonesIn("PCMA", p.two.Heard()); got != "7" {
			t.Errorf("the tone side heard %q", got)
		}
		dial2 := func() { // A-law tones
			pcm := append(dtmf.Tones(nil, "4", 8000), make([]int16, 1600)...)
			for len(pcm) >= 160 {
				b := make([]byte, 160)
				g711.EncodeALaw(b, pcm[:160])
				p.two.Send(p.toTwo, 8, b)
				pcm = pcm[160:]
				time.Sleep(20 * ms)
			}
		}
		dial2()
		time.Sleep(300 * ms)
		if got := keysOf(p.one.Heard(), 101); got != "4" || r.pressed() != "74" {
			t.Errorf("the event side heard %q, pressed %q", got, r.pressed())
		}
	})
}

func TestKeysPassUnderOtherNumbersAndFromINFO(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.pair("0 101", event, "0 96", "a=rtpmap:96 telephone-event/8000\r\n")
		defer p.close()
		p.a.Key('3')
		time.Sleep(300 * ms)
		p.one.Press(p.toOne, 101, 9, 5)
		time.Sleep(100 * ms)
		if got := keysOf(p.two.Heard(), 96); got != "39" {
			t.Errorf("heard %q", got)
		}
		p.a.Key('9') // the same press, by INFO too
		p.one.Press(p.toOne, 101, 8, 5)
		time.Sleep(300 * ms)
		if got := keysOf(p.two.Heard(), 96); got != "398" || r.pressed() != "398" {
			t.Errorf("heard %q, pressed %q", got, r.pressed())
		}
	})
}

// R08: a phone may send a key both ways, or one way now and the other way later.
func TestKeysByINFOPassOnceAlsoFromWhoPressesByRTP(t *testing.T) {
	for name, codec := range map[string]string{"forwarded": "0 101", "translated": "9 101"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(r *rig) {
				t := r.t
				maps := event
				if codec != "0 101" {
					maps = g722Map + event
				}
				a, one, toOne := r.callWith(media.SessionOptions{Codecs: everything}, 4000, codec, maps)
				b, two, _ := r.callWith(media.SessionOptions{}, 4002, "0 101", event)
				defer one.Close()
				defer two.Close()
				if _, err := media.Join(a, b); err != nil {
					t.Fatal(err)
				}
				want := ""
				hear := func(what, keys string) {
					t.Helper()
					time.Sleep(3 * time.Second)
					one.Stamp += 24_000
					if want += keys; keysOf(two.Heard(), 101) != want || r.pressed() != want {
						t.Errorf("%s: heard %q, pressed %q, want %q", what, keysOf(two.Heard(), 101), r.pressed(), want)
						want = r.pressed()
					}
				}
				one.Press(toOne, 101, 1, 5)
				hear("by RTP", "1")
				a.Key('2')
				hear("by INFO alone", "2")
				a.Key('3')
				time.Sleep(100 * ms)
				one.Press(toOne, 101, 3, 5)
				hear("by INFO, then by RTP", "3")
				one.Press(toOne, 101, 4, 5)
				a.Key('4')
				hear("by RTP, then by INFO", "4")
				a.Key('5')
				a.Key('5')
				a.Key('6')
				hear("three by INFO", "556")
			})
		})
	}
}

func TestKeysPassBetweenTwoCodecs(t *testing.T) { // the sound is decoded, the keys are made anew
	inBubble(t, nil, func(r *rig) {
		t := r.t
		a, one, toOne := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "9 101", g722Map+event)
		b, two, _ := r.callWith(media.SessionOptions{}, 4002, "0 101", event)
		defer one.Close()
		defer two.Close()
		if _, err := media.Join(a, b); err != nil {
			t.Error(err)
		}
		hum(one, toOne, 9, "G722", 440, 20)
		one.Press(toOne, 101, 5, 6)
		hum(one, toOne, 9, "G722", 440, 20)
		if got := keysOf(two.Heard(), 101); got != "5" {
			t.Errorf("heard %q", got)
		}
	})
}

func TestSendDigitsRefusesNonsenseAndEndsWithTheSession(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, _ := r.call(4000, "0 101", event)
		defer p.Close()
		if err := s.SendDigits("12x", nil); !errs.Is(err, errs.Invalid) {
			t.Errorf("a letter: %v", err)
		}
		if err := s.SendDigits(strings.Repeat("1", 65), nil); !errs.Is(err, errs.Limit) {
			t.Errorf("too many: %v", err)
		}
		var none, cut, late result
		if err := s.SendDigits("", func() { none.done(true) }); err != nil {
			t.Error(err)
		}
		none.is(t, "no keys", true)
		if err := s.SendDigits("123456", func() { cut.done(false) }); err != nil {
			t.Error(err)
		}
		time.Sleep(200 * ms)
		if got := s.String(); !strings.Contains(got, "keys") {
			t.Error(got)
		}
		s.Close()
		cut.is(t, "closed", false)
		if err := s.SendDigits("1", func() { late.done(false) }); err != nil {
			t.Error(err)
		}
		late.is(t, "after it", false)
	})
}

func TestM06R08KeysComeUnderAnyNumberAndBothClocks(t *testing.T) {
	for _, number := range []uint8{96, 100, 101, 127} {
		inBubble(t, nil, func(r *rig) {
			n := strconv.Itoa(int(number))
			_, p, to := r.call(4000, "0 "+n, "a=rtpmap:"+n+" telephone-event/8000\r\n")
			defer p.Close()
			p.Press(to, number, 4, 5)
			time.Sleep(100 * ms)
			if got := r.pressed(); got != "4" {
				t.Errorf("number %d: %q", number, got)
			}
		})
	}
	inBubble(t, nil, func(r *rig) { // two clocks are offered: what we send is that of the sound, what comes may be either
		const both = "a=rtpmap:110 telephone-event/48000\r\na=rtpmap:101 telephone-event/8000\r\n"
		s, p, to := r.callWith(media.SessionOptions{Codecs: everything}, 4000, "0 110 101", both)
		defer p.Close()
		p.Press(to, 101, 5, 5)
		time.Sleep(time.Second)
		p.Stamp += 48_000
		p.Press(to, 110, 6, 5)
		if err := s.SendDigits("7", nil); err != nil {
			t.Error(err)
		}
		time.Sleep(500 * ms)
		if got := r.pressed(); got != "56" {
			t.Errorf("two clocks: %q", got)
		}
		if got := keysOf(p.Heard(), 101); got != "7" {
			t.Errorf("sent %q under the number of 8000", got)
		}
	})
}

// A press longer than its 16-bit duration can say goes on under another timestamp; packets out of order are of the same press.
func TestM06R08ALongPressAndOneOutOfOrderAreOneKeyEach(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		_, p, to := r.call(4000, "0 101", event)
		defer p.Close()
		at := p.Stamp
		for _, start := range []uint32{0, 0xFFFF} {
			for d := 160; d < 0xFFFF; d += 16_000 {
				p.SendEvent(to, 101, at+start, []byte{1, 10, byte(d >> 8), byte(d)})
				time.Sleep(200 * ms)
			}
			if start == 0 {
				p.SendEvent(to, 101, at, []byte{1, 10, 0xFF, 0xFF})
			}
		}
		p.SendEvent(to, 101, at+0xFFFF, []byte{1, 0x8A, 0xFF, 0xFF})
		time.Sleep(time.Second)
		p.Stamp = at + 300_000
		first := p.Sequence
		for _, i := range []uint16{3, 1, 0, 2, 5, 4} {
			p.Sequence = first + i
			p.SendEvent(to, 101, p.Stamp, []byte{2, byte(i/4) << 7, 0, byte(160 * (i + 1) >> 4)})
			time.Sleep(20 * ms)
		}
		if got := r.pressed(); got != "12" {
			t.Errorf("pressed %q", got)
		}
	})
}
