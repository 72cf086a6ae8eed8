package media_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"ullim/media"
)

// RFC 3389: who says nothing sends a description of the noise once, and then nothing.
func TestComfortNoiseIsPassedBetweenTwoWhoTakeIt(t *testing.T) {
	for name, c := range map[string]struct {
		noise   media.SessionOptions
		formats string
		passes  bool
	}{
		"both take it":          {media.SessionOptions{Noise: true}, "0 13", true},
		"the other does not":    {media.SessionOptions{}, "0", false},
		"the other's phone not": {media.SessionOptions{Noise: true}, "0", false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(r *rig) {
				t := r.t
				a, one, toOne := r.callWith(media.SessionOptions{Noise: true}, 4000, "0 13", "")
				b, two, _ := r.callWith(c.noise, 4002, c.formats, "")
				defer one.Close()
				defer two.Close()
				if _, err := media.Join(a, b); err != nil {
					t.Fatal(err)
				}
				say := func() {
					for range 10 {
						one.Send(toOne, 0, bytes.Repeat([]byte{0x10}, 160))
						time.Sleep(20 * ms)
					}
				}
				say()
				two.Forget()
				one.Send(toOne, 13, []byte{60, 1, 2})
				time.Sleep(3 * time.Second)
				one.Stamp += 24_000 - 3 // the time of the pause; the phone counts bytes
				say()
				time.Sleep(20 * ms)
				var noise, silence, sound int
				last := -1
				for _, h := range two.Heard() {
					if last >= 0 && h.Sequence != uint16(last+1) {
						t.Errorf("packet %d follows %d", h.Sequence, last)
					}
					last = int(h.Sequence)
					switch {
					case h.Payload == 13 && bytes.Equal(h.Data, []byte{60, 1, 2}):
						noise++
					case h.Payload == 0 && h.Data[0] == 0x10:
						sound++
					default:
						silence++
					}
				}
				if c.passes && (noise != 1 || silence != 0) || !c.passes && (noise != 0 || silence < 100) || sound < 9 {
					t.Errorf("heard %d of noise, %d of silence, %d of sound", noise, silence, sound)
				}
			})
		})
	}
}

func TestComfortNoiseIsOfferedWhereItIsTaken(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		for _, on := range []bool{false, true} {
			offer, err := r.open(media.SessionOptions{Noise: on}).Offer()
			if err != nil {
				r.t.Fatal(err)
			}
			if strings.Contains(string(offer), "CN/8000") != on {
				r.t.Errorf("noise %v:\n%s", on, offer)
			}
		}
	})
}

func TestR31AfterALongPauseThereIsSilenceToKeepTheWayOpen(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		a, one, toOne := r.callWith(media.SessionOptions{Noise: true}, 4000, "0 13", "")
		b, two, _ := r.callWith(media.SessionOptions{Noise: true}, 4002, "0 13", "")
		defer one.Close()
		defer two.Close()
		if _, err := media.Join(a, b); err != nil {
			r.t.Fatal(err)
		}
		one.Send(toOne, 0, bytes.Repeat([]byte{0x10}, 160))
		time.Sleep(20 * ms)
		one.Send(toOne, 13, []byte{60})
		time.Sleep(9 * time.Second)
		two.Forget()
		time.Sleep(900 * ms)
		if n := len(two.Heard()); n != 0 {
			r.t.Errorf("%d packets in the pause", n)
		}
		time.Sleep(2 * time.Second)
		if n := len(two.Heard()); n < 80 {
			r.t.Errorf("%d packets after it", n)
		}
	})
}
