package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

// long says that the tests that may take long do: ULLIM_LONG=1. Another number is how many calls the leak test makes.
func long() bool { return os.Getenv("ULLIM_LONG") != "" }

// burst is a SIPp that is one of many: no log, and its own pace.
type burst struct {
	scenario, number string
	calls, rate      int
	args             []string
}

// run runs the SIPp of a place to its end. How its calls went is its own business: what matters is what they leave. SIPp gets
// stuck at times, also behind its own timeout; then it is killed, and the test says so and goes on.
func (c *center) run(ctx context.Context, place int, l burst) {
	limit := time.Duration(2*l.calls/l.rate+45) * time.Second
	args := append([]string{
		c.server, "-sf", scenario(c.t, c.t.TempDir(), "sipp/"+l.scenario), "-s", l.number, "-i", "127.0.0.1", "-bind_local",
		"-p", fmt.Sprint(c.ports.sipp(place)), "-mp", fmt.Sprint(c.ports.sipp(place) + 2), "-nostdin", "-m", fmt.Sprint(l.calls), "-r", fmt.Sprint(l.rate),
		"-key", "from", "01055580000", "-l", "60", "-max_retrans", "6", "-recv_timeout", "20000",
		"-timeout", fmt.Sprintf("%.0fs", limit.Seconds()),
	}, l.args...)
	bounded, cancel := context.WithTimeout(ctx, limit+30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(bounded, program(c.t, "sipp", "sip-tester"), args...)
	cmd.Dir, cmd.Env = c.t.TempDir(), append(os.Environ(), "TERM=xterm")
	cmd.WaitDelay = 5 * time.Second
	_ = cmd.Run()
	if bounded.Err() != nil && ctx.Err() == nil {
		c.t.Logf("SIPp was stuck in %s and has been killed", l.scenario)
	}
}

// TestR05NothingLeaks makes calls of every kind end in every way, on a range of 200 ports at which somebody else takes ports at random.
// In the end there is no dialog, no media session and no port; descriptors, goroutines and memory, which is where transactions would be, are as before.
func TestR05NothingLeaks(t *testing.T) {
	t.Parallel()
	n := 2000
	if long() {
		n = 50_000
		if given, err := strconv.Atoi(os.Getenv("ULLIM_LONG")); err == nil && given > 1 {
			n = given
		}
	}
	b := ports.take(t)
	low, _ := b.rtp()
	c := newCenterAt(t, b, fmt.Sprintf("ULLIM_RTP_PORTS=%d-%d", low, low+199), "ULLIM_TRACE_MEMORY=65536")
	c.number(says, messageFlow("Good bye."))
	c.number(talks, messageFlow("One moment please. Somebody will be with you in a moment. One moment please. Somebody will be with you."))
	stop := squat(t, low, low+199)

	// A port rests for two seconds after its call, so the range is good for fifty calls a second: some of these are refused.
	mix := func(n int, abandoned bool) {
		var running sync.WaitGroup
		running.Go(func() { c.run(t.Context(), 0, burst{scenario: "leak_answered", number: talks, calls: n / 2, rate: 25}) })
		running.Go(func() {
			c.run(t.Context(), 1, burst{scenario: "leak_refused", number: "+8225559999", calls: n * 15 / 100, rate: 40})
			c.run(t.Context(), 1, burst{scenario: "leak_cancelled", number: talks, calls: n * 15 / 100, rate: 15})
		})
		running.Go(func() {
			c.run(t.Context(), 2, burst{scenario: "leak_bye_in_reinvite", number: talks, calls: n * 15 / 100, rate: 10})
		})
		running.Go(func() {
			if !abandoned {
				return
			}
			c.run(t.Context(), 3, burst{scenario: "leak_no_bye", number: says, calls: n * 4 / 100, rate: 10})
			c.run(t.Context(), 3, burst{scenario: "leak_no_ack", number: says, calls: n / 200, rate: 2})
			for range max(1, n/5000) { // killed in the middle of its calls
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				c.run(ctx, 3, burst{scenario: "leak_long", number: talks, calls: 10, rate: 10})
				cancel()
			}
		})
		running.Wait()
		c.quiet()
		if long() { // what is remembered of calls that are over, for copies that come late, is forgotten
			c.rest(100 * time.Second)
		}
	}
	mix(200, false) // caches fill, lazy things start
	before := c.measured()
	middle, second := before, float64(n)
	if long() {
		second /= 2
		mix(n/2, true)
		middle = c.measured()
	}
	mix(int(second), true)
	after := c.measured()
	stop()
	m := c.metrics()
	slope := (after.heap - middle.heap) / second
	t.Logf("%d calls, %g admitted, %g refused: goroutines %g -> %g, descriptors %g -> %g, heap %.0f -> %.0f -> %.0f kB (%.0f bytes a call, in the second half if it is long), resident %.0f -> %.0f MB",
		n, m["ullim_sip_invites_admitted_total"], m["ullim_sip_invites_refused_total"], before.goroutines, after.goroutines, before.files, after.files,
		before.heap/1000, middle.heap/1000, after.heap/1000, slope, before.rss/1e6, after.rss/1e6)
	if m["ullim_sip_invites_admitted_total"] < float64(n)/2 {
		t.Errorf("only %g of %d calls were admitted", m["ullim_sip_invites_admitted_total"], n)
	}
	for what, d := range map[string]float64{"goroutines": after.goroutines - before.goroutines, "descriptors": after.files - before.files} {
		if d < -5 || d > 5 {
			t.Errorf("%+g %s", d, what)
		}
	}
	if limit := 50.0; long() && slope > limit || slope > 100*limit { // a short run is noise, unless something big stays
		t.Errorf("%.0f bytes are kept for each call", slope)
	}
}

// quiet waits until nothing is left. Transactions are goroutines and memory, and are counted as such. What was not acknowledged, or whose caller is dead, takes 64*T1.
func (c *center) quiet() {
	c.t.Helper()
	var left map[string]float64
	until(c.t, 2*patience, "nothing is left of the calls", func() bool {
		m := c.metrics()
		left = map[string]float64{}
		for _, name := range []string{"ullim_calls_active", "ullim_sip_legs", "ullim_media_sessions", "ullim_media_ports_used"} {
			if v, known := m[name]; v != 0 {
				left[name] = v
			} else if !known {
				c.t.Fatalf("there is no metric %s", name)
			}
		}
		return len(left) == 0
	})
	if n := c.metrics()["ullim_panics_recovered_total"]; n != 0 {
		c.t.Errorf("%g panics were contained", n)
	}
}

// rest lets time pass.
func (c *center) rest(d time.Duration) {
	c.t.Helper()
	begun := time.Now()
	until(c.t, d+patience, "a rest", func() bool { return time.Since(begun) > d })
}

// measured is the footprint with no connection of ours but one.
func (c *center) measured() footprint {
	c.t.Helper()
	http.DefaultClient.CloseIdleConnections()
	return c.footprint(c.t)
}

// squat takes random ports of a range for a moment, ten at a time, as other programs do.
func squat(t *testing.T, low, high int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 10 {
		running.Go(func() {
			for ctx.Err() == nil {
				l, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", low+rand.IntN(high-low+1)))
				select {
				case <-ctx.Done():
				case <-time.After(time.Duration(20+rand.IntN(200)) * time.Millisecond):
				}
				if err == nil {
					_ = l.Close()
				}
			}
		})
	}
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}
