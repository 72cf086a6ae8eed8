package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/sip/siptest"
)

// TestAfterKill9InFiftyRecordedCallsEverythingIsAccountedFor kills the engine while fifty callers and fifty agents talk.
// After the start: every recording plays and is as long as what was said, every contact is closed for a reason, every
// upload is done, and every agent can be offered contacts again.
func TestAfterKill9InFiftyRecordedCallsEverythingIsAccountedFor(t *testing.T) {
	t.Parallel()
	machine.Lock()
	defer machine.Unlock()
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
	pairs := c.joinAll(carrier, desks)
	agentOf := make(map[string]string)
	for _, p := range pairs {
		hears(t, p.leg, siptest.Voice(p.from), p.from)
		hears(t, p.call, siptest.Voice(p.desk.name), p.desk.name)
		agentOf[p.from] = p.desk.name
	}
	talk(t, 4*time.Second)

	c.child.kill()
	killed := time.Now()
	for _, p := range pairs { // both sides of the calls give up
		p.call.Hangup()
		p.leg.Hangup()
	}
	c.start()
	for _, r := range c.closed(calls) {
		c.wantRecovered(r, killed, agentOf[*r.CustomerEndpoint.Address])
	}
	if left, _ := filepath.Glob(filepath.Join(c.dir, "spool", "*")); len(left) != 0 {
		t.Errorf("left in the spool: %v", left)
	}
	c.atRest()
	c.wantFree(queueID, calls)
	again := c.joinAll(carrier, desks) // registrations are remembered, too
	hears(t, again[0].leg, siptest.Voice(again[0].from), "a caller after the crash")
	for _, p := range again {
		p.call.Hangup()
	}
	c.closed(2 * calls)
	c.atRest()
}

// wantRecovered checks what the start makes of a contact that was cut off.
func (c *center) wantRecovered(r *types.Contact, killed time.Time, agentName string) {
	c.t.Helper()
	id, caller, agent := *r.Id, siptest.Voice(*r.CustomerEndpoint.Address), siptest.Voice(agentName)
	if r.QueueInfo == nil || r.AgentInfo == nil || r.AgentInfo.ConnectedToAgentTimestamp == nil {
		c.t.Errorf("contact %s: the record knows no agent", id)
		return
	}
	if d := killed.Sub(*r.DisconnectTimestamp); d.Abs() > 5*time.Second {
		c.t.Errorf("contact %s ended %s before it was killed", id, d)
	}
	recs := c.recordings(id)
	if len(recs) != 1 {
		c.t.Errorf("contact %s has %d recordings", id, len(recs))
	}
	for _, rec := range recs {
		left, right, length := c.play(id, rec.Number)
		// What was said in the last second may not have been written.
		if said := killed.Sub(*r.AgentInfo.ConnectedToAgentTimestamp); (said - length).Abs() > 1500*time.Millisecond {
			c.t.Errorf("the recording of %s plays %s, they talked for %s", id, length, said)
		}
		wantVoice(c.t, "left of "+id, last(left, 3*time.Second), caller)
		wantVoice(c.t, "right of "+id, last(right, 3*time.Second), agent)
	}
}

// wantFree checks that so many agents are there and have nothing to do.
func (c *center) wantFree(queueID string, n int) {
	c.t.Helper()
	out, err := c.aws.GetCurrentUserData(c.t.Context(), &connect.GetCurrentUserDataInput{
		InstanceId: &c.instance, Filters: &types.UserDataFilters{Queues: []string{queueID}}, MaxResults: aws.Int32(100),
	})
	c.must(err)
	free := 0
	for i := range out.UserDataList {
		u := &out.UserDataList[i]
		if len(u.Contacts) == 0 && u.AvailableSlotsByChannel["VOICE"] == 1 && u.Status != nil && *u.Status.StatusName == "Available" {
			free++
		}
	}
	if free != n {
		c.t.Errorf("%d of %d agents are free", free, n)
	}
}

// pair is a caller and the agent who answered.
type pair struct {
	from string
	call *siptest.Call
	desk *desk
	leg  *siptest.Call
}

// joinAll calls once for every desk, and waits until all of them have answered.
func (c *center) joinAll(carrier *siptest.Carrier, desks []*desk) []pair {
	c.t.Helper()
	ctx, cancel := c.soon()
	defer cancel()
	calls := make(map[string]*siptest.Call)
	for i := range desks {
		call, err := carrier.Call(ctx, "+8225550200", mobile(i), siptest.CallOptions{})
		c.must(err)
		calls[mobile(i)] = call
		time.Sleep(50 * time.Millisecond) // 20 calls a second
	}
	out := make([]pair, 0, len(desks))
	for _, d := range desks {
		leg := c.ring(d)
		from := callerOf(leg)
		call, ok := calls[from]
		if !ok {
			c.t.Fatalf("agent %s is called by %q, %q, who does not call or was joined before", d.name, leg.Header("From"), leg.Header("P-Asserted-Identity"))
		}
		delete(calls, from)
		out = append(out, pair{from: from, call: call, desk: d, leg: leg})
	}
	return out
}

// callerOf is the number that an agent's phone shows.
func callerOf(leg *siptest.Call) string {
	return regexp.MustCompile(`\+[0-9]+`).FindString(leg.Header("P-Asserted-Identity") + leg.Header("From"))
}
