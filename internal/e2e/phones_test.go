package e2e

import (
	"context"
	"fmt"
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

// wantVoice checks that what was heard is a voice and not another's.
func wantVoice(t testing.TB, what string, heard []int16, voice, other siptest.Source) {
	t.Helper()
	if share := share(heard, voice); share < 0.7 {
		t.Errorf("%s: %.2f of it is the right voice, of %.1f s that are silent at %v", what, share, float64(len(heard))/8000,
			siptest.Silence(heard, 20*time.Millisecond))
	}
	if share := share(heard, other); share > 0.1 {
		t.Errorf("%s: %.2f of it is the wrong voice", what, share)
	}
}

// share is how much of what was heard is a voice. Unlike siptest.Share it looks at short pieces, twice a second: on a busy
// machine phones are late, a recording follows their clock by a sample a packet, and half a second of it is then no longer
// the voice sample by sample, though nobody hears that.
func share(heard []int16, voice siptest.Source) float64 {
	const piece, step = 512, 4000
	alike, all := 0, 0
	for ; len(heard) >= piece; heard = heard[min(step, len(heard)):] {
		all++
		if c, _ := siptest.Correlate(heard[:piece], voice); c > 0.6 && siptest.RMS(heard[:piece]) > 300 {
			alike++
		}
	}
	return float64(alike) / float64(max(all, 1))
}

func mobile(i int) string { return fmt.Sprintf("+8210555%05d", i) }
