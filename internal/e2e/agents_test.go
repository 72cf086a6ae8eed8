package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"ullim/internal/api/agent/agenttest"
)

// agentPassword is the password of every agent.
const agentPassword = "Correct-horse-battery-9"

// signIn gives the token of an agent's session.
func (c *center) signIn(name, password string) string {
	c.t.Helper()
	body, err := json.Marshal(map[string]string{"username": name, "password": password})
	c.must(err)
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+"/agent/v1/session", bytes.NewReader(body))
	c.must(err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	c.must(err)
	defer resp.Body.Close()
	var out struct{ Token string }
	c.must(json.NewDecoder(resp.Body).Decode(&out))
	if out.Token == "" {
		c.t.Fatalf("%s cannot sign in: %s", name, resp.Status)
	}
	return out.Token
}

// TestAfterKill9APanelComesBackToTheTruth kills the engine while an agent talks, with two tabs open. Both come back with their
// cursors and their session: what they show is what is so, not what was, and a command whose answer was lost is not done twice.
func TestAfterKill9APanelComesBackToTheTruth(t *testing.T) {
	t.Parallel()
	c := newCenter(t)
	queueID, profileID := c.queue("Support")
	c.number("+8225550200", queueFlow(queueID))
	d := c.desk("kim", profileID)
	c.setAvailable(d.userID)
	ctx, cancel := c.soon()
	defer cancel()
	token := c.signIn("kim", agentPassword)
	open := func(o agenttest.Options) *agenttest.Panel {
		t.Helper()
		o.URL, o.Token, o.Client = c.url, token, c.client
		p, err := agenttest.Open(ctx, o)
		c.must(err)
		t.Cleanup(p.Drop)
		return p
	}
	tabs := []*agenttest.Panel{open(agenttest.Options{}), open(agenttest.Options{})}
	pair := c.joinAll(c.carrier(), []*desk{d})[0]
	for _, tab := range tabs {
		c.must(tab.WaitView(ctx, func(v *agenttest.View) bool {
			for _, k := range v.Contacts() {
				return k.State == "CONNECTED"
			}
			return false
		}))
	}
	status := map[string]string{"statusId": c.available}
	first, err := tabs[0].DoKey(ctx, "before the crash", "set-status", "", status)
	if err != nil || !first.OK {
		t.Fatalf("%+v, %v", first, err)
	}
	c.child.kill()
	pair.call.Hangup()
	pair.leg.Hangup()
	c.start()
	for i, tab := range tabs {
		if _, err = tab.Closed(ctx); err != nil {
			t.Fatal(err)
		}
		v, _ := tab.View()
		back := open(agenttest.Options{Cursor: v.Cursor, View: &v})
		now, kind := back.View()
		if kind != "snapshot" || len(now.Contacts()) != 0 || now.Availability().Status.Name != "Available" || now.Availability().Activity != "" {
			t.Errorf("tab %d came back with a %s: %s", i, kind, back.State())
		}
		again, err := back.DoKey(ctx, "before the crash", "set-status", "", status)
		if err != nil || !again.OK || !again.Repeated {
			t.Errorf("the command of before is answered %+v, %v", again, err)
		}
		tabs[i] = back
	}
	if a, b := string(tabs[0].State()), string(tabs[1].State()); a != b || strings.Contains(a, `"contactId"`) {
		t.Errorf("one tab shows %s, the other %s", a, b)
	}
}
