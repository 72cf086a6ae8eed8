package media_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/media"
	"ullim/media/g711"
)

// listener keeps what it hears.
type listener struct {
	mu    sync.Mutex
	heard [2][]int16
	ended int
}

func (l *listener) options(from, to bool) media.ListenOptions {
	return media.ListenOptions{From: from, To: to, Frame: l.frame, Ended: func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ended++
	}}
}

func (l *listener) frame(t media.Track, ulaw []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pcm := make([]int16, len(ulaw))
	g711.DecodeULaw(pcm, ulaw)
	l.heard[t] = append(l.heard[t], pcm...)
}

// take gives what was heard since the last time.
func (l *listener) take(t media.Track) []int16 {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.heard[t]
	l.heard[t] = nil
	return out
}

func TestAListenerHearsBothDirectionsInWhateverCodec(t *testing.T) {
	for payload, codec := range map[uint8]string{0: "PCMU", 8: "PCMA", 9: "G722"} {
		t.Run(codec, func(t *testing.T) {
			inBubble(t, nil, func(r *rig) {
				p := r.phone(4000)
				defer p.Close()
				s := r.open(media.SessionOptions{Peer: "customer", Codecs: []string{codec}})
				to := answer(t, s, p.SDP(itoa(int(payload)), ""))
				var l listener
				stop, err := s.Listen(l.options(true, true))
				if err != nil {
					t.Fatal(err)
				}
				at := 0
				s.PlayLive(func(frame []byte) int {
					at += 160
					return g711.EncodeULaw(frame, sine(1200, 8000, at, 160))
				}, nil)
				hum(p, to, payload, codec, 700, 100)
				for track, hertz := range map[media.Track]int{media.TrackFrom: 700, media.TrackTo: 1200} {
					pcm := l.take(track)
					if n := len(pcm) / 160; n < 98 || n > 102 {
						t.Errorf("track %d: %d frames in 2 s", track, n)
					}
					if got := share(pcm[4000:], hertz); got < 0.9 {
						t.Errorf("track %d: %.2f of it is the tone", track, got)
					}
				}
				if got := share(decoded(codec, p.Heard())[4000:], 1200); got < 0.9 {
					t.Errorf("the phone hears %.2f of what is made live", got)
				}
				stop()
				stop()
				synctest.Wait()
				l.take(media.TrackFrom)
				hum(p, to, payload, codec, 700, 5)
				if n := len(l.take(media.TrackFrom)); n > 0 {
					t.Errorf("%d samples after stop", n)
				}
				s.Close()
				synctest.Wait()
				if l.ended != 0 {
					t.Error("who stopped is told of the end")
				}
			})
		})
	}
}

func TestAListenerHearsAJoinAndItsPartners(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		customer, phone, to := r.call(4000, "0", "")
		agent, desk, toAgent := r.call(4002, "8", "")
		defer phone.Close()
		defer desk.Close()
		if _, err := media.Join(customer, agent); err != nil {
			t.Fatal(err)
		}
		var l listener
		if _, err := customer.Listen(l.options(true, true)); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { hum(phone, to, 0, "PCMU", 700, 100) })
		wg.Go(func() { hum(desk, toAgent, 8, "PCMA", 1200, 100) })
		wg.Wait()
		if got := share(l.take(media.TrackFrom)[4000:], 700); got < 0.9 {
			t.Errorf("from the customer %.2f", got)
		}
		if got := share(l.take(media.TrackTo)[4000:], 1200); got < 0.9 {
			t.Errorf("to the customer %.2f", got)
		}
		if got := share(decoded("PCMU", phone.Heard())[4000:], 1200); got < 0.9 {
			t.Errorf("the customer hears %.2f of the agent", got)
		}
		customer.Close()
		agent.Close()
		synctest.Wait()
		if l.ended != 1 {
			t.Errorf("told of the end %d times", l.ended)
		}
		if _, err := customer.Listen(l.options(true, true)); err == nil {
			t.Error("a closed session can be listened to")
		}
	})
}

func TestLiveSoundGivesWayLikeAnyOther(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		s, p, _ := r.call(4000, "0", "")
		defer p.Close()
		var live, next result
		s.PlayLive(func(frame []byte) int { frame[0] = 0x11; return 1 }, live.done)
		time.Sleep(100 * ms)
		s.Play([]media.Source{sound{0x22, 3}}, false, next.done)
		time.Sleep(100 * ms)
		live.is(t, "live", false)
		next.is(t, "next", true)
		var silent result
		s.PlayLive(func([]byte) int { return 0 }, silent.done)
		time.Sleep(100 * ms)
		silent.is(t, "silent")
		s.StopPlay()
		silent.is(t, "silent", false)
		heard := p.Heard()
		continuous(t, heard)
		for i, h := range heard {
			if h.Data[0] == 0x11 && (len(h.Data) != 160 || h.Data[1] != 0xff) {
				t.Errorf("packet %d: what is missing of a frame is %x", i, h.Data[1])
			}
		}
		s.Close()
	})
}

func TestFourListenersAreEnough(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		s, p, _ := r.call(4000, "0", "")
		defer p.Close()
		var l listener
		var stops []func()
		for range 4 {
			stop, err := s.Listen(l.options(true, false))
			if err != nil {
				t.Fatal(err)
			}
			stops = append(stops, stop)
		}
		if _, err := s.Listen(l.options(true, false)); err == nil {
			t.Error("a fifth was taken")
		}
		stops[0]()
		if _, err := s.Listen(l.options(true, false)); err != nil {
			t.Error(err)
		}
		s.Close()
	})
}
