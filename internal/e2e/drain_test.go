package e2e

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// TestSIGTERMLetsCallsFinishAndRefusesNewOnes stops the engine with a call up.
func TestSIGTERMLetsCallsFinishAndRefusesNewOnes(t *testing.T) {
	t.Parallel()
	c := newCenter(t, "limits: {drain: 5m}")
	queueID, profileID := c.queue("Support")
	c.number("+8225550300", queueFlow(queueID))
	d := c.desk("yun", profileID)
	c.setAvailable(d.userID)
	carrier := c.carrier()
	caller := c.answered(carrier, "+8225550300", mobile(1))
	agent := c.ring(d)
	hears(t, agent, siptest.Voice(mobile(1)), "the caller")

	c.child.signal(syscall.SIGTERM)
	asked := time.Now()
	until(t, patience, "/readyz fails", func() bool { return c.status("/readyz") == http.StatusServiceUnavailable })
	if d := time.Since(asked); d > 2*time.Second { // one second is promised; the other is for a busy machine
		t.Errorf("/readyz failed after %s", d)
	}
	if n := c.status("/healthz"); n != http.StatusOK {
		t.Errorf("/healthz says %d: whoever restarts a process that drains ends its calls", n)
	}
	refused, retryAfter := c.refused("+8225550300")
	if refused.Code != http.StatusServiceUnavailable || !retryAfter {
		t.Errorf("a new call: %s, with Retry-After: %t", refused, retryAfter)
	}

	hears(t, caller, siptest.Voice("yun"), "the agent, while draining")
	hears(t, agent, siptest.Voice(mobile(1)), "the caller, while draining")
	select {
	case <-c.child.ended:
		t.Fatal("the engine went before the call did")
	default:
	}
	caller.Hangup()
	if code := c.child.wait(t, patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	c.start()
	r := c.closed(1)[0]
	if *r.DisconnectReason != "CUSTOMER_DISCONNECT" || r.AgentInfo == nil {
		t.Errorf("the contact ended by %s", *r.DisconnectReason)
	}
	said := r.DisconnectTimestamp.Sub(*r.AgentInfo.ConnectedToAgentTimestamp)
	if _, _, length := c.play(*r.Id, c.recordings(*r.Id)[0].Number); (said - length).Abs() > time.Second {
		t.Errorf("%s were recorded, they talked for %s", length, said)
	}
	if strings.Contains(c.log.String(), "closed after a crash") {
		t.Error("the record was not final when the engine ended")
	}
}

// TestASecondSIGTERMEndsEverythingAtOnce does not wait for a call that goes on.
func TestASecondSIGTERMEndsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	c := newCenter(t, "limits: {drain: 5m}")
	queueID, profileID := c.queue("Support")
	c.number("+8225550301", queueFlow(queueID))
	d := c.desk("seo", profileID)
	c.setAvailable(d.userID)
	caller := c.answered(c.carrier(), "+8225550301", mobile(2))
	agent := c.ring(d)
	hears(t, agent, siptest.Voice(mobile(2)), "the caller")

	c.child.signal(syscall.SIGTERM)
	until(t, patience, "/readyz fails", func() bool { return c.status("/readyz") == http.StatusServiceUnavailable })
	c.child.signal(syscall.SIGTERM)
	asked := time.Now()
	code := c.child.wait(t, patience)
	if d := time.Since(asked); d > 5*time.Second { // about two seconds on a machine with nothing else to do
		t.Errorf("it took %s", d)
	}
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	ctx, cancel := c.soon()
	defer cancel()
	for who, call := range map[string]*siptest.Call{"caller": caller, "agent": agent} {
		if ended, err := call.WaitEnded(ctx); err != nil || ended.ByUs || ended.Kind != siptest.EndBye {
			t.Errorf("the %s was not told: %v, %v", who, ended, err)
		}
	}
	c.start()
	r := c.closed(1)[0]
	c.recordings(*r.Id)
	if strings.Contains(c.log.String(), "closed after a crash") {
		t.Error("the record was not final when the engine ended")
	}
}

// refused places a call that is to be refused, and tells how, and whether the answer said when to come back.
func (c *center) refused(number string) (ended siptest.Ended, retryAfter bool) {
	c.t.Helper()
	var told atomic.Bool
	p, err := siptest.NewCarrier(siptest.PhoneOptions{
		Name: "another", Server: c.server, Local: "127.0.0.1:0",
		Trace: traceHeader(&told, "\r\nretry-after:"),
	})
	c.must(err)
	defer p.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	call, err := p.Call(ctx, number, mobile(99), siptest.CallOptions{})
	c.must(err)
	ended, err = call.WaitEnded(ctx)
	c.must(err)
	return ended, told.Load()
}
