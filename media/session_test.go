package media_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/media"
	"ullim/media/mediatest"
)

func TestSilenceIsSentFromTheAnswerOn(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.phone(4000)
		defer p.Close()
		s := r.open(media.SessionOptions{Peer: "customer"})
		time.Sleep(time.Second)
		if len(p.Heard()) != 0 {
			t.Error("something was sent before anything was agreed")
		}
		answer(t, s, p.SDP("8 101", event))
		time.Sleep(time.Second + 10*ms)
		heard := p.Heard()
		continuous(t, heard)
		if got := runs(heard); got != "d5*50" || heard[0].Payload != 8 || !heard[0].Marker || heard[1].Marker {
			t.Errorf("%s, payload %d, marker %v", got, heard[0].Payload, heard[0].Marker)
		}
		for i, h := range heard[1:] {
			if d := h.At.Sub(heard[i].At); d != 20*ms {
				t.Fatalf("packet %d came after %v", i+1, d)
			}
		}
		if want := "customer 192.0.2.1:20000 <- 192.0.2.50:4000 (announced); silence -> PCMA/20ms -> 192.0.2.50:4000"; s.String() != want {
			t.Errorf("chain %q, want %q", s, want)
		}
		if q := s.Close(); q.Sent != 50 || q.Received != 0 || q != s.Close() {
			t.Errorf("%+v, then %+v", q, s.Close())
		}
		p.Forget()
		time.Sleep(time.Second)
		if len(p.Heard()) != 0 {
			t.Error("something was sent after Close")
		}
		if got := s.String(); !strings.Contains(got, "closed") {
			t.Error(got)
		}
	})
}

func TestAListIsPlayedOnceAndThenSilence(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, _ := r.call(4000, "0", "")
		defer p.Close()
		var end result
		start := time.Now()
		s.Play([]media.Source{sound{0x11, 3}, nil, sound{0x22, 0}, sound{0x33, 2}}, false, end.done)
		time.Sleep(100*ms + 10*ms)
		end.is(t, "before its end")
		time.Sleep(50 * ms)
		end.is(t, "after its end", true)
		if d := end.at[0].Sub(start); d != 120*ms {
			t.Errorf("five frames were done after %v", d)
		}
		heard := p.Heard()
		continuous(t, heard)
		if got := runs(heard); got != "11*3 33*2 ff*2" || !heard[0].Marker || heard[3].Marker {
			t.Error(got)
		}
		s.StopPlay()
		end.is(t, "stopped after its end", true)
	})
}

func TestALoopGoesOnUntilSomethingTakesItsPlace(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, _ := r.call(4000, "0", "")
		defer p.Close()
		var music, prompt, nothing, last result
		s.Play([]media.Source{sound{0x11, 2}, sound{0x22, 1}}, true, music.done)
		time.Sleep(7*20*ms + 10*ms)
		music.is(t, "a loop")
		s.Play([]media.Source{sound{0x33, 50}}, false, prompt.done)
		music.is(t, "a loop that was replaced", false)
		time.Sleep(60 * ms)
		s.StopPlay()
		prompt.is(t, "stopped", false)
		time.Sleep(40 * ms)
		s.Play([]media.Source{sound{0x11, 0}}, true, nothing.done) // a loop of nothing ends
		time.Sleep(20 * ms)
		nothing.is(t, "a loop of nothing", true)
		s.Play(nil, false, nil)
		time.Sleep(20 * ms)
		s.Play([]media.Source{sound{0x44, 50}}, true, last.done)
		time.Sleep(20 * ms)
		s.Close()
		last.is(t, "closed", false)
		s.Play([]media.Source{sound{0x55, 50}}, true, last.done)
		synctest.Wait()
		if len(last.got) != 2 || last.got[1] {
			t.Errorf("played after Close: %v", last.got)
		}
		time.Sleep(10 * ms)
		heard := p.Heard()
		continuous(t, heard)
		if got := runs(heard); got != "11*2 22 11*2 22 11 33*3 ff*4 44" {
			t.Error(got)
		}
	})
}

func TestAPromptBegunBeforeTheAnswerWaitsForIt(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.phone(4000)
		defer p.Close()
		s := r.open(media.SessionOptions{})
		var end result
		s.Play([]media.Source{sound{0x11, 3}}, false, end.done)
		time.Sleep(time.Minute)
		end.is(t, "before the answer")
		offer, err := s.Offer()
		if err != nil || !strings.Contains(string(offer), "RTP/AVP 0 8 101") {
			t.Fatalf("%v\n%s", err, offer)
		}
		if err := s.Accept(p.SDP("0", "")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(110 * ms)
		end.is(t, "after the answer", true)
		if got := runs(p.Heard()); got != "11*3 ff*2" {
			t.Error(got)
		}
	})
}

func TestO04R03ACodecChangeIsHeardInTheMiddleOfAPrompt(t *testing.T) { // O4, R3
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, _ := r.call(4000, "0 8", "")
		defer p.Close()
		s.Play([]media.Source{sound{0x11, 10}}, false, nil)
		time.Sleep(90 * ms)
		answer(t, s, p.SDP("8", ""))
		if _, err := s.Answer(p.SDP("18", "")); !errs.Is(err, errs.Invalid) { // and the old session stays
			t.Errorf("no common codec: %v", err)
		}
		time.Sleep(150 * ms)
		heard := p.Heard()
		continuous(t, heard)
		if got := runs(heard); got != "11*4 12*6 d5" || heard[3].Payload != 0 || heard[4].Payload != 8 {
			t.Error(got)
		}
	})
}

func TestO07WhatIsSentIsCutAsTheyWish(t *testing.T) { // O7
	for ptime, bytes := range map[string]int{"10": 80, "30": 240, "40": 320, "60": 480} {
		inBubble(t, nil, func(r *rig) {
			t := r.t
			s, p, _ := r.call(4000, "0", "a=ptime:"+ptime+"\r\n")
			defer p.Close()
			s.Play([]media.Source{sound{0x11, 50}}, false, nil)
			time.Sleep(time.Second + 10*ms)
			heard := p.Heard()
			continuous(t, heard)
			for _, h := range heard {
				if len(h.Data) != bytes {
					t.Fatalf("ptime %s: a packet of %d bytes", ptime, len(h.Data))
				}
			}
			if n := len(heard) * bytes; n < 8000-480 || n > 8000 {
				t.Errorf("ptime %s: %d samples in a second", ptime, n)
			}
		})
	}
}

func TestO03NothingIsSentToWhoeverHoldsUs(t *testing.T) { // O3
	for _, hold := range []string{"a=sendonly\r\n", "a=inactive\r\n", "c=IN IP4 0.0.0.0\r\n"} {
		inBubble(t, nil, func(r *rig) {
			t := r.t
			s, p, to := r.call(4000, "0", "")
			defer p.Close()
			time.Sleep(110 * ms)
			var end result
			s.Play([]media.Source{sound{0x11, 30}}, false, end.done)
			time.Sleep(100 * ms)
			p.Forget()
			if got := answer(t, s, p.SDP("0", hold)); got != to {
				t.Errorf("%q: our address changed to %s", hold, got)
			}
			time.Sleep(200 * ms)
			if n := len(p.Heard()); n != 0 {
				t.Errorf("%q: %d packets while held", hold, n)
			}
			answer(t, s, p.SDP("0", ""))
			time.Sleep(400 * ms)
			end.is(t, "time goes on while held", true)
			heard := p.Heard()
			continuous(t, heard)
			if got := runs(heard); got != "11*15 ff*5" || !heard[0].Marker {
				t.Errorf("%q: after it %s", hold, got)
			}
		})
	}
}

func TestTheVersionGoesUpWhenSomethingChanges(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.phone(4000)
		defer p.Close()
		s := r.open(media.SessionOptions{})
		origin := func(b []byte, err error) string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(b), "o=- ")
			line, _, _ := strings.Cut(rest, " IN")
			return line
		}
		session, _, _ := strings.Cut(origin(s.Offer()), " ")
		for i, c := range []struct {
			b       []byte
			version string
		}{
			{p.SDP("0", ""), "2"},
			{p.SDP("0", ""), "2"}, // a refresh
			{p.SDP("0", "a=sendonly\r\n"), "3"},
			{p.SDP("0", ""), "4"},
		} {
			if got := origin(s.Answer(c.b)); got != session+" "+c.version {
				t.Errorf("answer %d: o=- %s", i, got)
			}
		}
		if got := origin(s.Offer()); got != session+" 5" {
			t.Errorf("offer in a re-INVITE: o=- %s", got)
		}
	})
}

func TestR31M07DeadMediaIsReportedOnce(t *testing.T) { // R31, M7
	short := func(o *media.Options) {
		o.Dead = media.DeadPolicy{NeverStarted: 30 * time.Second, Stopped: 10 * time.Second}
	}
	const life = "\x81\xc8\x00\x01\x00\x00\x00\x01" // RTCP
	for name, c := range map[string]struct {
		do   func(r *rig, s *media.Session, p *mediatest.Phone, to netip.AddrPort)
		want string
		at   time.Duration
	}{
		"never came": {func(*rig, *media.Session, *mediatest.Phone, netip.AddrPort) {}, "no audio ever came", 30 * time.Second},
		"stopped": {func(_ *rig, _ *media.Session, p *mediatest.Phone, to netip.AddrPort) {
			time.Sleep(5*time.Second - 5*ms)
			p.Send(to, 0, make([]byte, 160))
		}, "audio stopped", 15 * time.Second},
		"comfort noise is life": {func(_ *rig, _ *media.Session, p *mediatest.Phone, to netip.AddrPort) {
			for range 10 {
				time.Sleep(5*time.Second - 5*ms)
				p.Send(to, 13, []byte{60})
				time.Sleep(5 * ms)
			}
		}, "audio stopped", 60 * time.Second},
		"RTCP is life": {func(_ *rig, _ *media.Session, p *mediatest.Phone, to netip.AddrPort) {
			for range 10 {
				time.Sleep(5*time.Second - 5*ms)
				p.SendRaw(to, []byte(life))
				time.Sleep(5 * ms)
			}
		}, "audio stopped", 60 * time.Second},
		"hold is no death": {func(r *rig, s *media.Session, p *mediatest.Phone, _ netip.AddrPort) {
			answer(r.t, s, p.SDP("0", "a=inactive\r\n"))
			time.Sleep(10 * time.Minute)
			answer(r.t, s, p.SDP("0", ""))
		}, "no audio ever came", 10*time.Minute + 30*time.Second},
	} {
		inBubble(t, short, func(r *rig) {
			t := r.t
			start := time.Now()
			s, p, to := r.call(4000, "0", "")
			defer p.Close()
			c.do(r, s, p, to)
			time.Sleep(time.Until(start.Add(c.at - 1)))
			if got := r.died(); len(got) != 0 {
				t.Errorf("%s: %v before its time", name, got)
			}
			time.Sleep(25 * ms)
			if got := r.died(); len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("%s: %v", name, got)
			}
			time.Sleep(2 * time.Minute)
			if got := r.died(); len(got) != 1 {
				t.Errorf("%s: reported %d times", name, len(got))
			}
		})
	}
}

func TestR08KeysAreReportedOnce(t *testing.T) { // R8
	for _, payload := range []string{"96", "100", "101", "127"} {
		inBubble(t, nil, func(r *rig) {
			t := r.t
			_, p, to := r.call(4000, "0 "+payload, "a=rtpmap:"+payload+" telephone-event/8000\r\n")
			defer p.Close()
			var number uint8
			for _, c := range payload {
				number = number*10 + uint8(c-'0')
			}
			for _, key := range []uint8{1, 1, 0, 11, 10} {
				p.Press(to, number, key, 5)
				time.Sleep(40 * ms)
				p.Stamp += 320
			}
			if got := r.pressed(); got != "110#*" {
				t.Errorf("payload %s: %q", payload, got)
			}
		})
	}
}

func TestR04M01StrangersAreNeitherHeardNorAnswered(t *testing.T) { // R4, M1
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, to := r.call(4000, "0 101", event)
		defer p.Close()
		p.Send(to, 0, make([]byte, 160))
		time.Sleep(20 * ms)
		c, err := r.net.Listen(netip.MustParseAddrPort("198.51.100.66:666"))
		if err != nil {
			t.Fatal(err)
		}
		stranger := mediatest.NewPhone(c)
		defer stranger.Close()
		for range 200 {
			stranger.SendEvent(to, 101, stranger.Stamp, []byte{5, 0x8A, 3, 32})
			stranger.Stamp += 800
			stranger.Send(to, 0, make([]byte, 160))
			time.Sleep(ms)
		}
		time.Sleep(time.Second)
		if n := len(stranger.Heard()); n != 0 {
			t.Errorf("%d packets went to a stranger", n)
		}
		if got := r.pressed(); got != "" {
			t.Errorf("a stranger pressed %q", got)
		}
		if q := s.Close(); q.Foreign != 400 || q.Received != 1 || r.plane.Stats().Foreign != 400 {
			t.Errorf("%+v %+v", q, r.plane.Stats())
		}
	})
}

func TestR04APhoneBehindNATIsAnsweredWhereItIs(t *testing.T) { // R4
	inBubble(t, nil, func(r *rig) {
		t := r.t
		p := r.phone(4000)
		defer p.Close()
		s := r.open(media.SessionOptions{SignallingSource: phoneAddr})
		private := bytes.ReplaceAll(p.SDP("0", ""), []byte(phoneAddr.String()), []byte("10.0.0.5"))
		to := answer(t, s, private)
		time.Sleep(time.Second)
		if len(p.Heard()) != 0 {
			t.Fatal("heard before it was learned")
		}
		p.Send(to, 0, make([]byte, 160))
		time.Sleep(110 * ms)
		if n := len(p.Heard()); n < 4 {
			t.Errorf("%d packets in 100 ms after the first", n)
		}
		if got := s.String(); !strings.Contains(got, "192.0.2.50:4000 (heard)") {
			t.Error(got)
		}
	})
}

func TestJunkIsCountedAndChangesNothing(t *testing.T) { // threats row 11
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, to := r.call(4000, "0", "")
		defer p.Close()
		c, err := r.net.Listen(netip.MustParseAddrPort("198.51.100.66:666"))
		if err != nil {
			t.Fatal(err)
		}
		other := mediatest.NewPhone(c)
		defer other.Close()
		for _, junk := range []string{"", "x", "\x00\x01\x00\x00!\x12\xa4\x42aaaaaaaaaaaa", "\x80\x00", "\x9f\x00aaaaaaaaaa", "\xa0\x00aaaaaaaaaa\xff"} {
			p.SendRaw(to, []byte(junk))
			other.SendRaw(to, []byte(junk)) // and nobody is learned by it
		}
		p.Send(to, 77, make([]byte, 160)) // a payload number that nobody agreed on
		other.Send(to, 77, make([]byte, 160))
		other.SendRaw(to, []byte("\x81\xc8\x00\x01\x00\x00\x00\x01"))
		time.Sleep(100 * ms)
		if q := s.Close(); q.Received != 0 {
			t.Errorf("%+v", q)
		}
		if st := r.plane.Stats(); st.Dropped != 14 || len(other.Heard()) != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestQualityCountsLossAndGaps(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, to := r.call(4000, "0", "")
		defer p.Close()
		for i := range 100 {
			if i%10 == 5 {
				p.Sequence++ // lost
			} else {
				p.Send(to, 0, make([]byte, 160))
			}
			time.Sleep(20 * ms)
		}
		time.Sleep(280 * ms)
		p.Send(to, 0, make([]byte, 160))
		p.Sequence--
		p.Send(to, 0, make([]byte, 160)) // twice
		time.Sleep(10 * ms)
		q := s.Close()
		want := contact.Quality{
			Codec: "PCMU", Sent: q.Sent, Received: 91, Lost: 10, MaxGap: 300 * ms,
			Jitter: q.Jitter, MaxJitter: q.MaxJitter, MOS: q.MOS,
		}
		if q != want || q.Sent < 113 || q.Sent > 115 {
			t.Errorf("%+v, want %+v", q, want)
		}
		if st := r.plane.Stats(); st.Lost != 10 {
			t.Errorf("%+v", st)
		}
	})
}

func TestM04M05AFullRangeIsAnErrorAndLeavesNothingBehind(t *testing.T) { // M4, M5
	few := func(o *media.Options) { o.PortMin, o.PortMax = 20000, 20003 }
	inBubble(t, few, func(r *rig) {
		t := r.t
		a, b := r.open(media.SessionOptions{}), r.open(media.SessionOptions{})
		if _, err := r.plane.Open(media.SessionOptions{}); !errs.Is(err, errs.Unavailable) {
			t.Errorf("a third: %v", err)
		}
		a.Close()
		if _, err := r.plane.Open(media.SessionOptions{}); !errs.Is(err, errs.Unavailable) {
			t.Errorf("on a port that rests: %v", err)
		}
		time.Sleep(2 * time.Second)
		r.open(media.SessionOptions{}).Close()
		b.Close()
		if st := r.plane.Stats(); st.PortsInUse != 0 || st.Sessions != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for name, o := range map[string]media.Options{
		"no address":          {},
		"nothing to announce": {Bind: netip.IPv4Unspecified()},
		"ports upside down":   {Bind: loopback, PortMin: 30000, PortMax: 20000},
	} {
		if _, err := media.New(o); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := media.New(media.Options{Bind: netip.IPv4Unspecified(), Advertise: loopback})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Open(media.SessionOptions{Codecs: []string{"G729"}}); !errs.Is(err, errs.Invalid) {
		t.Errorf("unknown codec: %v", err)
	}
	s, err := p.Open(media.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := s.Offer(); !strings.Contains(string(b), "c=IN IP4 127.0.0.1") {
		t.Errorf("%s", b)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.Open(media.SessionOptions{}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("open after close: %v", err)
	}
}
