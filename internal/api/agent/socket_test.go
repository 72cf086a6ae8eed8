package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ullim/acd"
	"ullim/internal/api/agent/agenttest"
	"ullim/internal/contact"
	"ullim/internal/identity"
)

// house is the channel behind a real HTTP server.
type house struct {
	t      *testing.T
	w      *fakeWorld
	s      *Service
	server *httptest.Server
}

func newHouse(t *testing.T, users ...string) *house {
	t.Helper()
	w := newFakeWorld(users...)
	w.signIn(users...)
	h := &house{t: t, w: w, s: w.service(t)}
	h.server = httptest.NewServer(h.s)
	t.Cleanup(h.server.Close)
	t.Cleanup(h.s.Close) // before the server, which waits for its requests
	return h
}

func (h *house) ctx() context.Context {
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	h.t.Cleanup(cancel)
	return ctx
}

func (h *house) open(o agenttest.Options) *agenttest.Panel {
	h.t.Helper()
	p, err := h.try(o)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func (h *house) try(o agenttest.Options) (*agenttest.Panel, error) {
	o.URL = h.server.URL
	if o.Token == "" {
		o.Token = "uls_u1"
	}
	p, err := agenttest.Open(h.ctx(), o)
	if err == nil {
		h.t.Cleanup(p.Drop)
	}
	return p, err
}

func (h *house) wait(p *agenttest.Panel, ok func(v *agenttest.View) bool) {
	h.t.Helper()
	if err := p.WaitView(h.ctx(), ok); err != nil {
		h.t.Fatal(err)
	}
}

// http sends a request and gives status and body.
func (h *house) http(method, path, body string, header ...string) (*http.Response, map[string]any) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.ctx(), method, h.server.URL+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := h.server.Client().Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err = json.NewDecoder(resp.Body).Decode(&out); err != nil && resp.StatusCode != http.StatusNoContent {
		h.t.Fatalf("%s %s: %d, %v", method, path, resp.StatusCode, err)
	}
	return resp, out
}

func codeOfAnswer(out map[string]any) string {
	e, _ := out["error"].(map[string]any)
	c, _ := e["code"].(string)
	return c
}

func TestATabSeesEverythingAndSeveralSeeTheSame(t *testing.T) {
	h := newHouse(t, "u1")
	h.w.talk("u1", "c1", acd.SlotOffered)
	one, two := h.open(agenttest.Options{}), h.open(agenttest.Options{})
	v, first := one.View()
	c := v.Contacts()["c1"]
	if first != "snapshot" || c.State != "CONNECTING" || c.Queue.Name != "Sales" || len(c.Participants) != 2 || c.Me != 2 {
		t.Errorf("a %s with %+v", first, c)
	}
	if a := v.Availability(); a.Status.Name != "Available" || a.Status.Type != "ROUTABLE" {
		t.Errorf("availability %+v", a)
	}
	h.w.change(func() {
		a := h.w.agents["u1"]
		a.Slots = []acd.Slot{a.Slots[0]}
		a.Slots[0].State = acd.SlotConnected
		h.w.agents["u1"] = a
	})
	h.s.Routed("another")
	h.s.Routed(ours)
	for _, p := range []*agenttest.Panel{one, two} {
		h.wait(p, func(v *agenttest.View) bool { return v.Contacts()["c1"].State == "CONNECTED" })
	}
	if _, err := two.Do(h.ctx(), "hold", "c1", nil); err != nil {
		t.Fatal(err)
	}
	h.wait(one, func(v *agenttest.View) bool { return v.Contacts()["c1"].State == "CONNECTED_ONHOLD" })
	if !bytes.Equal(one.State(), two.State()) {
		t.Errorf("one tab has %s, the other %s", one.State(), two.State())
	}
}

func TestWhoReconnectsGetsWhatWasMissed(t *testing.T) {
	h := newHouse(t, "u1")
	p := h.open(agenttest.Options{})
	v, _ := p.View()
	p.Drop()
	h.w.talk("u1", "c1", acd.SlotConnected)
	h.s.Wake("u1")
	h.w.change(func() { h.w.setups["u1"] = Setup{Agent: Agent{UserID: "u1", FirstName: "Min"}} })
	h.s.Configured(ours)
	back := h.open(agenttest.Options{Cursor: v.Cursor, View: &v})
	h.wait(back, func(v *agenttest.View) bool {
		return v.Contacts()["c1"].State == "CONNECTED" && bytes.Contains(v.State(), []byte(`"firstName":"Min"`))
	})
	if _, first := back.View(); first != "resumed" {
		t.Errorf("it began with a %s", first)
	}
	fresh := h.open(agenttest.Options{})
	if !bytes.Equal(fresh.State(), back.State()) {
		t.Errorf("folded:\n%s\nfresh:\n%s", back.State(), fresh.State())
	}
	// A cursor of another life, as after a restart, and one that is nonsense: a snapshot.
	for _, c := range []string{"other.3", "x", strings.Repeat("y", 300)} {
		if _, first := h.open(agenttest.Options{Cursor: c}).View(); first != "snapshot" {
			t.Errorf("%.20s gave a %s", c, first)
		}
	}
}

func TestTheLastExplicitChoiceWins(t *testing.T) {
	h := newHouse(t, "u1")
	one, two := h.open(agenttest.Options{Keys: "a"}), h.open(agenttest.Options{Keys: "b"})
	for i, p := range []*agenttest.Panel{one, two, one, two, one} {
		if _, err := p.Do(h.ctx(), "set-status", "", map[string]string{"statusId": string(rune('a' + i))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []*agenttest.Panel{one, two} {
		h.wait(p, func(v *agenttest.View) bool { return v.Availability().Status.ID == "e" })
	}
}

func TestPagesOfElsewhereAreRefused(t *testing.T) {
	h := newHouse(t, "u1")
	for _, row := range []struct {
		origin string
		ok     bool
	}{
		{"https://evil.example.com", false}, {"null", false}, {"https://panel.example.com", true}, {h.server.URL, true}, {"", true},
	} {
		header := http.Header{}
		if row.origin != "" {
			header.Set("Origin", row.origin)
		}
		if _, err := h.try(agenttest.Options{Header: header}); (err == nil) != row.ok {
			t.Errorf("socket of %q: %v", row.origin, err)
		}
		headers := []string{"Content-Type", "application/json"}
		if row.origin != "" {
			headers = append(headers, "Origin", row.origin)
		}
		resp, out := h.http("POST", "/agent/v1/session", `{"username":"u1","password":"Passw0rd-ok"}`, headers...)
		if (resp.StatusCode == http.StatusOK) != row.ok || !row.ok && codeOfAnswer(out) != "ORIGIN_REFUSED" {
			t.Errorf("sign-in of %q: %d %v", row.origin, resp.StatusCode, out)
		}
		if got := resp.Header.Get("Access-Control-Allow-Origin"); row.ok && got != row.origin || !row.ok && got != "" {
			t.Errorf("%q may read: %q", row.origin, got)
		}
	}
}

func TestACookieIsForOurOwnPagesAlone(t *testing.T) {
	h := newHouse(t, "u1")
	resp, out := h.http("POST", "/agent/v1/session", `{"username":"u1","password":"Passw0rd-ok","cookie":true}`, "Content-Type", "application/json")
	cookies := resp.Cookies()
	if len(cookies) != 1 || out["token"] != nil {
		t.Fatalf("%v, %v", cookies, out)
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/agent/v1" || c.Secure {
		t.Errorf("cookie %+v", c)
	}
	sent := c.Name + "=" + c.Value
	command := `{"id":"1","name":"set-status","args":{"statusId":"s2"}}`
	for _, row := range []struct {
		method, path, body, origin string
		status                     int
	}{
		{"GET", "/agent/v1/session", "", "", 200},
		{"GET", "/agent/v1/state", "", "", 200},
		{"POST", "/agent/v1/commands", command, "", 403},
		{"POST", "/agent/v1/commands", command, "https://evil.example.com", 403},
		{"POST", "/agent/v1/commands", command, h.server.URL, 200},
		{"DELETE", "/agent/v1/session", "", "", 403},
		{"DELETE", "/agent/v1/session", "", h.server.URL, 204},
		{"GET", "/agent/v1/session", "", "", 401},
	} {
		headers := []string{"Cookie", sent, "Content-Type", "application/json"}
		if row.origin != "" {
			headers = append(headers, "Origin", row.origin)
		}
		if resp, out := h.http(row.method, row.path, row.body, headers...); resp.StatusCode != row.status {
			t.Errorf("%s %s from %q: %d %v, want %d", row.method, row.path, row.origin, resp.StatusCode, out, row.status)
		}
	}
	if _, err := h.try(agenttest.Options{Token: "-", Header: http.Header{"Cookie": {sent}}}); err == nil {
		t.Error("a socket with a cookie and no origin was opened")
	}
}

func TestSigningOutClosesTheTabsOfTheSession(t *testing.T) {
	h := newHouse(t, "u1")
	p := h.open(agenttest.Options{})
	keyed, err := agenttest.Open(h.ctx(), agenttest.Options{URL: h.server.URL, Header: http.Header{"Authorization": {"Bearer key_u1"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keyed.Drop)
	if resp, out := h.http("DELETE", "/agent/v1/session?statusId=off", "", "Authorization", "Bearer uls_u1"); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %v", resp.StatusCode, out)
	}
	if got, closeErr := p.Closed(h.ctx()); got != closeSignedOut || closeErr != nil {
		t.Errorf("closed with %d, %v", got, closeErr)
	}
	h.wait(keyed, func(v *agenttest.View) bool { return v.Availability().Status.ID == "off" })
	if _, err = h.try(agenttest.Options{}); err == nil {
		t.Error("the session is good still")
	}
}

func TestTakenPermissionsAndSessionsCountAtTheNextCommand(t *testing.T) {
	h := newHouse(t, "u1")
	p := h.open(agenttest.Options{})
	h.w.change(func() { delete(h.w.allowed["u1"], identity.OutboundCallAccess) })
	var e *agenttest.Error
	if _, err := p.Do(h.ctx(), "dial", "", map[string]string{"number": "+8215778000"}); !errors.As(err, &e) || e.Code != "DENIED" {
		t.Errorf("dialling is answered %v", err)
	}
	h.w.change(func() { clear(h.w.sessions) })
	if err := p.Send(h.ctx(), `{"type":"command","id":"last","name":"set-status","args":{"statusId":"s2"}}`); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Closed(h.ctx()); got != closeSignedOut || err != nil {
		t.Errorf("closed with %d, %v", got, err)
	}
	for _, note := range h.w.notes() {
		t.Errorf("it did %q", note)
	}
}

func TestSocketsAreBounded(t *testing.T) {
	h := newHouse(t, "u1", "u2")
	for range maxTabs {
		h.open(agenttest.Options{})
	}
	if _, err := h.try(agenttest.Options{}); err == nil {
		t.Error("one tab too many was let in")
	}
	h.open(agenttest.Options{Token: "uls_u2"})
	if got := h.s.Sockets(); got != maxTabs+1 {
		t.Errorf("%d sockets", got)
	}
	flood := h.open(agenttest.Options{Token: "uls_u2"})
	for range int(burst) + 50 {
		if flood.Send(h.ctx(), `{"type":"pong"}`) != nil {
			break
		}
	}
	if got, err := flood.Closed(h.ctx()); got != closeRefused && got != -1 || err != nil {
		t.Errorf("a flood is closed with %d, %v", got, err)
	}
	large := h.open(agenttest.Options{Token: "uls_u2"})
	if err := large.Send(h.ctx(), `{"type":"command","id":"`+strings.Repeat("x", 2*maxFrame)+`"}`); err != nil {
		t.Fatal(err)
	}
	if _, err := large.Closed(h.ctx()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoFrameIsAnsweredAndTheTabStays(t *testing.T) {
	h := newHouse(t, "u1")
	p := h.open(agenttest.Options{})
	for _, text := range []string{`{`, `{"type":"x","id":"k1"}`, `{"type":"command","id":"k2","name":"fly"}`, `{"type":"command","name":"hold"}`} {
		if err := p.Send(h.ctx(), text); err != nil {
			t.Fatal(err)
		}
	}
	f, err := p.DoKey(h.ctx(), "k3", "fly", "", nil)
	if err != nil || f.Error == nil || f.Error.Code != "UNKNOWN_COMMAND" || f.Error.Key != "agent.error.UNKNOWN_COMMAND" || f.Error.MessageKo == "" {
		t.Errorf("%+v, %v", f, err)
	}
	if err = p.Send(h.ctx(), `{"type":"refresh"}`); err != nil {
		t.Fatal(err)
	}
	if _, err = p.Do(h.ctx(), "set-status", "", map[string]string{"statusId": "s2"}); err != nil {
		t.Error(err)
	}
}

func TestTheChannelWithoutASocket(t *testing.T) {
	h := newHouse(t, "u1")
	bearer := []string{"Authorization", "Bearer uls_u1", "Content-Type", "application/json"}
	resp, out := h.http("GET", "/agent/v1/state", "", bearer...)
	if resp.StatusCode != 200 || out["type"] != "snapshot" || out["cursor"] == "" {
		t.Errorf("%d %v", resp.StatusCode, out)
	}
	for _, row := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "/agent/v1/commands", `{"id":"1","name":"set-status","args":{"statusId":"s2"}}`, 200, ""},
		{"POST", "/agent/v1/commands", `{"id":"2","name":"hold","contactId":"nobody's"}`, 403, "NOT_YOUR_CONTACT"},
		{"POST", "/agent/v1/commands", `{"id":"3","name":"fly"}`, 400, "UNKNOWN_COMMAND"},
		{"POST", "/agent/v1/commands", `{"id":"3","nome":"fly"}`, 400, "INVALID"},
		{"POST", "/agent/v1/commands", `{"id":"3"} x`, 400, "INVALID"},
		{"POST", "/agent/v1/commands", strings.Repeat("x", 2*maxBody), 400, "INVALID"},
		{"PUT", "/agent/v1/commands", "", 405, "INVALID"},
		{"GET", "/agent/v1/nothing", "", 404, "NOT_FOUND"},
		{"GET", "/agent/v1/socket", "", 400, "INVALID"},
	} {
		resp, out := h.http(row.method, row.path, row.body, bearer...)
		if resp.StatusCode != row.status || codeOfAnswer(out) != row.code {
			t.Errorf("%s %s %.40s: %d %v, want %d %s", row.method, row.path, row.body, resp.StatusCode, out, row.status, row.code)
		}
	}
	if resp, out := h.http("GET", "/agent/v1/state", ""); resp.StatusCode != 401 || codeOfAnswer(out) != "SIGNED_OUT" {
		t.Errorf("without a session: %d %v", resp.StatusCode, out)
	}
	h.w.change(func() { delete(h.w.allowed["u1"], identity.BasicAgentAccess) })
	if resp, out := h.http("GET", "/agent/v1/state", "", bearer...); resp.StatusCode != 403 || codeOfAnswer(out) != "DENIED" {
		t.Errorf("without BasicAgentAccess: %d %v", resp.StatusCode, out)
	}
}

func TestADeletedUserIsShownOut(t *testing.T) {
	h := newHouse(t, "u1")
	p := h.open(agenttest.Options{})
	h.w.change(func() { delete(h.w.agents, "u1") })
	h.s.Wake("u1")
	if got, err := p.Closed(h.ctx()); got != closeSignedOut || err != nil {
		t.Errorf("closed with %d, %v", got, err)
	}
}

func TestClosingTheServiceSendsTabsAwayAndLeavesNothing(t *testing.T) {
	h := newHouse(t, "u1", "u2")
	one, two := h.open(agenttest.Options{}), h.open(agenttest.Options{Token: "uls_u2"})
	h.s.Close()
	for _, p := range []*agenttest.Panel{one, two} {
		if got, err := p.Closed(h.ctx()); got != closeAway || err != nil {
			t.Errorf("closed with %d, %v", got, err)
		}
	}
	if _, err := h.try(agenttest.Options{}); err == nil {
		t.Error("a socket was opened after the end")
	}
}

func TestAChatIsSeenWithWhatItsAgentNeeds(t *testing.T) {
	h := newHouse(t, "u1")
	h.w.change(func() {
		a := h.w.agents["u1"]
		a.Slots = []acd.Slot{{OfferID: "o", ContactID: "chat1", QueueID: "q1", Channel: contact.Chat, State: acd.SlotOffered, Started: time.Unix(1_800_000_000, 0)}}
		h.w.agents["u1"] = a
		c := h.w.chats["chat1"]
		c.ContactID, c.Offered, c.CustomerName, c.Until = "chat1", true, "김철수", time.Unix(1_800_000_020, 0)
		h.w.chats["chat1"] = c
	})
	p := h.open(agenttest.Options{})
	v, _ := p.View()
	if c := v.Contacts()["chat1"]; c.State != "CONNECTING" || c.Customer.DisplayName != "김철수" || c.Channel != "CHAT" {
		t.Errorf("%+v", c)
	}
	if !bytes.Contains(p.State(), []byte(`"acceptBy":"2027-01-15T08:00:20.000Z"`)) {
		t.Errorf("no end of the offer in %s", p.State())
	}
	got, err := p.Do(h.ctx(), "accept", "chat1", nil)
	if err != nil || !bytes.Contains(got, []byte(`"participantToken":"secret"`)) {
		t.Errorf("%s, %v", got, err)
	}
}
