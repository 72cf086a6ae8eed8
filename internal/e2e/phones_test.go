package e2e

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// desk is an agent at a phone.
type desk struct {
	name, userID string
	device       device
	phone        *siptest.Phone
}

// desk makes an agent who serves a queue, at a phone of siptest that is registered.
func (c *center) desk(name, profileID string) *desk {
	c.t.Helper()
	d := &desk{name: name}
	d.userID, d.device = c.agent(name, profileID)
	d.phone = c.phone(name, d.device)
	ctx, cancel := c.soon()
	defer cancel()
	if err := d.phone.Register(ctx); err != nil {
		c.t.Fatalf("%s does not get registered: %v", name, err)
	}
	return d
}

// phone sets a phone up for a device.
func (c *center) phone(name string, d device) *siptest.Phone {
	c.t.Helper()
	p, err := siptest.NewPhone(siptest.PhoneOptions{
		Name: d.Username, Password: d.Password, Server: c.server, Local: "127.0.0.1:0", Voice: siptest.Voice(name),
	})
	c.must(err)
	c.t.Cleanup(func() { _ = p.Close() })
	return p
}

// carrier is the trunk's other end.
func (c *center) carrier() *siptest.Carrier {
	c.t.Helper()
	p, err := siptest.NewCarrier(siptest.PhoneOptions{Name: "carrier", Server: c.server, Local: "127.0.0.1:0"})
	c.must(err)
	c.t.Cleanup(func() { _ = p.Close() })
	return p
}

// soon is a context for what should happen at once.
func (c *center) soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.t.Context(), patience)
}

// answered places a call and waits for the answer.
func (c *center) answered(carrier *siptest.Carrier, number, from string) *siptest.Call {
	c.t.Helper()
	ctx, cancel := c.soon()
	defer cancel()
	call, err := carrier.Call(ctx, number, from, siptest.CallOptions{})
	c.must(err)
	if err = call.WaitAnswered(ctx); err != nil {
		c.t.Fatalf("the call from %s is not answered: %v", from, err)
	}
	return call
}

// ring waits for the next call of an agent's phone, answered.
func (c *center) ring(d *desk) *siptest.Call {
	c.t.Helper()
	ctx, cancel := c.soon()
	defer cancel()
	leg, err := d.phone.NextCall(ctx)
	if err == nil {
		err = leg.WaitConfirmed(ctx)
	}
	if err != nil {
		c.t.Fatalf("no call for %s: %v", d.name, err)
	}
	return leg
}

// hears waits until a call hears a voice and nothing else, by the last second of it.
func hears(t testing.TB, call *siptest.Call, voice siptest.Source, whose string) {
	t.Helper()
	until(t, patience, "somebody hears "+whose, func() bool {
		now := time.Now()
		heard := call.HeardBetween(now.Add(-time.Second), now)
		return siptest.RMS(heard) > 500 && siptest.Share(heard, voice) > 0.9
	})
}

// talk lets a call go on for a while.
func talk(t testing.TB, d time.Duration) {
	t.Helper()
	begun := time.Now()
	until(t, patience, "some talk", func() bool { return time.Since(begun) > d })
}

// last is the end of something heard.
func last(pcm []int16, d time.Duration) []int16 { return pcm[max(0, len(pcm)-int(d.Seconds()*8000)):] }

// wantVoice checks that what was heard is a voice, nearly all the time and without anybody else in it.
func wantVoice(t testing.TB, what string, heard []int16, voice siptest.Source) {
	t.Helper()
	if share := follow(heard, voice); share < 0.6 {
		t.Errorf("%s: %.2f of %.1f s is the right voice; silent: %v", what, share, float64(len(heard))/8000, siptest.Silence(heard, 20*time.Millisecond))
	}
}

// follow is how much of what was heard is a voice. siptest.Correlate wants it sample by sample for half a second. But on a
// busy machine phones are late, and a recording follows their clock by a sample a packet, which nobody hears: here each
// piece of 5 ms may lie two samples off where the one before it lay. A piece counts if it correlates by 0.9, which leaves
// no room for somebody else.
func follow(heard []int16, voice siptest.Source) float64 {
	const (
		piece = 40
		seek  = 160
		lost  = 25 // pieces in a row
	)
	at, missed, alike, all := 0, lost, 0, 0
	for i := 0; i+seek <= len(heard); i += piece {
		all++
		if missed >= lost && i%(10*piece) == 0 {
			if c, offset := siptest.Correlate(heard[i:i+seek], voice); c > 0.8 {
				at, missed = -int(offset.Round(time.Second/8000)/(time.Second/8000))-i, 0
			}
		}
		if missed >= lost {
			continue
		}
		best, shift := 0.0, 0
		for d := -2; d <= 2; d++ {
			if c := alikeness(heard[i:i+piece], voice, at+i+d); c > best {
				best, shift = c, d
			}
		}
		if missed++; best > 0.9 {
			at, missed = at+shift, 0
			alike++
		}
	}
	return float64(alike) / float64(max(all, 1))
}

// alikeness is the correlation of a piece with the voice at a place, which goes round.
func alikeness(piece []int16, voice siptest.Source, at int) float64 {
	var xy, xx, yy float64
	for i, v := range piece {
		x, y := float64(v), float64(voice[((at+i)%len(voice)+len(voice))%len(voice)])
		xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
	}
	if xx < 100*100*float64(len(piece)) || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

func mobile(i int) string { return fmt.Sprintf("+8210555%05d", i) }
