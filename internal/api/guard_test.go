package api_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"

	"ullim/internal/call"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/sip"
)

// guardOf is a real endpoint that is never started: its rules need no network.
func guardOf(t *testing.T) *sip.Endpoint {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	trunks, err := sip.NewTrunkTable([]*sip.Trunk{{
		Meta: resource.Meta{ID: "t1", InstanceID: ours, Name: "carrier"}, Addresses: []string{"192.0.2.10"}, Region: "KR",
	}, {
		Meta: resource.Meta{ID: "t2", InstanceID: theirs, Name: "secret"}, Addresses: []string{"192.0.2.20"}, Region: "KR",
	}})
	must(t, err)
	devices := sip.NewDeviceTable(nil)
	ep, err := sip.NewEndpoint(sip.Options{
		Packets: []net.PacketConn{conn}, Realm: "ullim",
		Trunks: func() *sip.TrunkTable { return trunks }, Devices: func() *sip.DeviceTable { return devices },
		Registrar: sip.NewRegistrar(sip.RegistrarOptions{}), Limits: sip.NewLimits(sip.LimitOptions{}), Admitter: nobody{}, Explainer: nobody{},
	})
	must(t, err)
	t.Cleanup(ep.Close)
	return ep
}

type nobody struct{}

func (nobody) Admit(context.Context, call.Inbound, call.Leg) (func(call.LegEvent), error) {
	return func(call.LegEvent) {}, nil
}

func (nobody) Explain(in call.Inbound) call.Explanation {
	return call.Explanation{Number: in.Called, FlowID: "f1", Steps: []call.ExplainedStep{{Rule: "number"}, {Rule: "flow"}}}
}

// waitingOf remembers nothing.
type waitingOf struct{}

func (waitingOf) Waiting(string) (fresh, old int) { return 3, 4 }
func (waitingOf) SetWaiting(string, int, int)     {}

func TestR21BansAreListedMadeAndEnded(t *testing.T) {
	w := newWorld(t)
	var made struct{ Address, Reason string }
	w.admin("admin", "POST", "/bans", `{"Address":"203.0.113.9","Reason":"noise","Seconds":60}`, &made)
	var list struct {
		Bans []struct {
			Address, Reason string
			Manual          bool
		}
	}
	w.admin("admin", "GET", "/bans", "", &list)
	if made.Address != "203.0.113.9/32" || len(list.Bans) != 1 || list.Bans[0].Reason != "noise" || !list.Bans[0].Manual {
		t.Errorf("%+v %+v", made, list)
	}
	w.admin("admin", "DELETE", "/bans?address=203.0.113.9", "", nil)
	w.admin("admin", "GET", "/bans", "", &list)
	if len(list.Bans) != 0 {
		t.Errorf("%+v", list)
	}
	for body, field := range map[string]string{
		`{"Address":"here"}`: "Address", `{"Address":"192.0.2.10"}`: "carrier", `{"Address":"203.0.113.9","Seconds":-1}`: "Seconds",
	} {
		if status, _, answer := w.do("admin", "POST", "/admin/v1/bans", body); status != 400 || !bytes.Contains(answer, []byte(field)) {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
}

func TestR21TheOutboundPolicyIsKept(t *testing.T) {
	w := newWorld(t)
	var p struct {
		Countries, Types []string
		User             struct{ Concurrent int }
		Rates            []struct {
			Prefix    string
			PerMinute float64
		}
	}
	w.admin("admin", "GET", "/outbound-policy", "", &p)
	for range 2 {
		w.admin("admin", "PUT", "/outbound-policy",
			`{"Countries":["JP"],"Types":["shared"],"User":{"Concurrent":2,"CallsPerMinute":-1,"MinutesPerDay":0,"SpendPerDay":9.5},"Rates":[{"Prefix":"+81","PerMinute":0.25}]}`, nil)
	}
	w.admin("admin", "GET", "/outbound-policy", "", &p)
	if len(p.Countries) != 1 || p.User.Concurrent != 2 || len(p.Rates) != 1 || p.Rates[0].PerMinute != 0.25 {
		t.Errorf("%+v", p)
	}
	if status, _, answer := w.do("admin", "PUT", "/admin/v1/outbound-policy", `{"Countries":["Japan"]}`); status != 400 || !bytes.Contains(answer, []byte("Countries[0]")) {
		t.Errorf("%d %s", status, answer)
	}
	w.admin("admin", "GET", "/outbound-usage", "", nil)
}

func TestR12AnInviteIsExplained(t *testing.T) {
	w := newWorld(t)
	invite := `INVITE sip:0212345678@x SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: <sip:01012345678@y>;tag=1\nTo: <sip:0212345678@x>\nCall-ID: c\nCSeq: 1 INVITE\nContact: <sip:a@192.0.2.10>\n\n`
	var a struct {
		Admitted                                             bool
		StatusCode                                           int
		FailedRule, Reason, TrunkName, Called, ContactFlowId string
	}
	w.admin("admin", "POST", "/explain-invite", `{"SourceAddress":"192.0.2.10:5060","Message":"`+invite+`"}`, &a)
	if !a.Admitted || a.TrunkName != "carrier" || a.Called != "+82212345678" || a.ContactFlowId != "f1" {
		t.Errorf("%+v", a)
	}
	a.TrunkName = ""
	w.admin("admin", "POST", "/explain-invite", `{"SourceAddress":"203.0.113.1","Message":"`+invite+`"}`, &a)
	if a.Admitted || a.StatusCode != 401 || a.FailedRule != "digest" || !strings.Contains(a.Reason, "nearest is trunk") {
		t.Errorf("%+v", a)
	}
	w.admin("admin", "POST", "/explain-invite", `{"SourceAddress":"192.0.2.20:5060","Message":"`+invite+`"}`, &a)
	if a.TrunkName != "" || !strings.Contains(a.Reason, "another instance") {
		t.Errorf("another instance's trunk is shown: %+v", a)
	}
	for _, bad := range []string{`{"SourceAddress":"x","Message":"` + invite + `"}`, `{"SourceAddress":"1.2.3.4","Message":"BYE"}`, `{"SourceAddress":"1.2.3.4","Transport":"SCTP","Message":"x"}`} {
		if status, _, answer := w.do("admin", "POST", "/admin/v1/explain-invite", bad); status != 400 {
			t.Errorf("%s: %d %s", bad, status, answer)
		}
	}
}

func TestWaitingMessagesOfAUser(t *testing.T) {
	w := newWorld(t)
	anna := w.person(ours, w.routing, "anna", w.profile[identity.ProfileAgent])
	var m struct{ New, Old int }
	w.admin("admin", "GET", "/users/"+anna.ID+"/waiting-messages", "", &m)
	if m.New != 3 || m.Old != 4 {
		t.Errorf("%+v", m)
	}
	w.admin("admin", "PUT", "/users/"+anna.ID+"/waiting-messages", `{"New":1,"Old":0}`, nil)
	if status, _, _ := w.do("admin", "PUT", "/admin/v1/users/"+anna.ID+"/waiting-messages", `{"New":-1,"Old":0}`); status != 400 {
		t.Errorf("a negative count: %d", status)
	}
}
