package e2e

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// TestAfterKill9InFiftyRecordedCallsEverythingIsAccountedFor kills the engine while fifty callers and fifty agents talk.
// After the start: every recording plays and is as long as what was said, every contact is closed for a reason, every
// upload is done, and every agent can be offered contacts again.
func TestAfterKill9InFiftyRecordedCallsEverythingIsAccountedFor(t *testing.T) {
	t.Parallel()
	const calls = 50
	c := newCenter(t)
	queueID, profileID := c.queue("Support")
	c.number("+8225550200", queueFlow(queueID))
	desks := make([]*desk, calls)
	for i := range desks {
		desks[i] = c.desk(fmt.Sprintf("agent%02d", i), profileID)
		c.setAvailable(desks[i].userID)
	}
	carrier := c.carrier()
	joined := c.joinAll(carrier, desks)
	said := time.Now() // from here everybody is heard by somebody
	until(t, patience, "some seconds of talk", func() bool { return time.Since(said) > 4*time.Second })

	c.child.kill()
	killed := time.Now()
	carrier.HangupAll()
	for _, d := range desks {
		d.phone.HangupAll()
	}
	c.start()
	if c.out.String() == "" || len(c.contacts()) != calls {
		t.Errorf("%d contacts, want %d", len(c.contacts()), calls)
	}
	for _, r := range c.closed(calls) {
		id := *r.Id
		if r.AgentInfo == nil || r.QueueInfo == nil || r.AgentInfo.ConnectedToAgentTimestamp == nil {
			t.Errorf("contact %s: the record knows no agent", id)
			continue
		}
		if r.DisconnectTimestamp.Before(said) || r.DisconnectTimestamp.After(killed.Add(time.Second)) {
			t.Errorf("contact %s ended at %s, but was killed at %s", id, r.DisconnectTimestamp, killed)
		}
		for _, rec := range c.recordings(id) {
			left, right, length := c.play(id, rec.Number)
			want := killed.Sub(*r.AgentInfo.ConnectedToAgentTimestamp)
			if math.Abs((length - want).Seconds()) > 2 {
				t.Errorf("recording of %s plays %s, talked for %s", id, length, want)
			}
			caller, agent := siptest.Voice(*r.CustomerEndpoint.Address), siptest.Voice(joined[*r.CustomerEndpoint.Address])
			wantVoice(t, "left of "+id, left, caller, agent)
			wantVoice(t, "right of "+id, right, agent, caller)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(c.dir, "spool", "*")); len(left) != 0 {
		t.Errorf("left in the spool: %v", left)
	}
	c.atRest()
	c.joinAll(carrier, desks) // the same agents once more: no reservation is left, and registrations are remembered
	carrier.HangupAll()
	c.closed(2 * calls)
	c.atRest()
}

// joinAll calls for every desk, and waits until every caller hears an agent and every agent a caller. It gives the agent
// of each caller.
func (c *center) joinAll(carrier *siptest.Carrier, desks []*desk) map[string]string {
	c.t.Helper()
	ctx, cancel := c.soon()
	defer cancel()
	callers := make(map[string]*siptest.Call)
	for i := range desks {
		time.Sleep(50 * time.Millisecond) // 20 calls a second
		call, err := carrier.Call(ctx, "+8225550200", mobile(i), siptest.CallOptions{})
		c.must(err)
		callers[mobile(i)] = call
	}
	agentOf := make(map[string]string)
	for _, d := range desks {
		leg := c.ring(d)
		from := callerOf(leg)
		if callers[from] == nil || agentOf[from] != "" {
			c.t.Fatalf("agent %s is called by %q, %q", d.name, leg.Header("From"), leg.Header("P-Asserted-Identity"))
		}
		agentOf[from] = d.name
		hears(c.t, leg, siptest.Voice(from), from)
		hears(c.t, callers[from], siptest.Voice(d.name), d.name)
	}
	return agentOf
}

// callerOf is the number that an agent's phone shows.
func callerOf(leg *siptest.Call) string {
	return regexp.MustCompile(`\+[0-9]+`).FindString(leg.Header("P-Asserted-Identity") + leg.Header("From"))
}
