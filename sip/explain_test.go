package sip

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

// book is an owner of calls with rules, which it asks in both runs.
type book struct{ owner }

func (b *book) find(in call.Inbound) (steps []call.ExplainedStep) {
	fail := func(rule string, kind errs.Kind, text string) []call.ExplainedStep {
		return append(steps, call.ExplainedStep{Rule: rule, Err: errs.New(kind, "%s", text)})
	}
	switch in.Called {
	case "+82212345678":
	case "+82212345679":
		return fail("flow", errs.NotFound, "the number is not associated with a flow")
	case "+82212345670":
		return fail("flow", errs.NotFound, "flow f1 was never published")
	case "+82212345671":
		return fail("instance", errs.Denied, "the instance takes no calls")
	case "+82212345672":
		if in.TrunkID != "trunk-2" {
			return fail("number", errs.NotFound, "nobody has claimed it; nearest is the same number on trunk small")
		}
	case "+82212345673":
		return fail("call", errs.Unavailable, "no media port is free")
	default:
		return fail("number", errs.NotFound, "nobody has claimed the number "+in.Called+"; nearest is +82212345678")
	}
	steps = append(steps, call.ExplainedStep{Rule: "number"}, call.ExplainedStep{Rule: "flow"})
	if sdp := string(in.SDP); in.SDP != nil && (!strings.Contains(sdp, "RTP/AVP") || !strings.Contains(sdp, "AVP 0")) {
		return fail("media", errs.Invalid, "no common codec or transport")
	}
	return append(steps, call.ExplainedStep{Rule: "media"})
}

func (b *book) Admit(ctx context.Context, in call.Inbound, leg call.Leg) (func(call.LegEvent), error) {
	for _, s := range b.find(in) {
		if s.Err != nil {
			return nil, s.Err
		}
	}
	return b.owner.Admit(ctx, in, leg)
}

func (b *book) Explain(in call.Inbound) call.Explanation {
	return call.Explanation{Steps: b.find(in), Number: in.Called}
}

func mistakeTrunks(t *testing.T) *TrunkTable {
	t.Helper()
	md5Hex, shaHex := HA1("acme", realm, "carrier secret word")
	bmd5, bsha := HA1("bound", realm, "carrier secret word")
	tt, err := NewTrunkTable([]*Trunk{
		{Meta: resource.Meta{ID: "trunk-1", Name: "carrier"}, Addresses: []string{"192.0.2.10"}, MaxChannels: 100, Region: "KR"},
		{Meta: resource.Meta{ID: "trunk-2", Name: "small"}, Addresses: []string{"192.0.2.11"}, MaxChannels: 1, Region: "KR"},
		{Meta: resource.Meta{ID: "trunk-3", Name: "one-port"}, Addresses: []string{"192.0.2.20:5060"}, Region: "KR"},
		{Meta: resource.Meta{ID: "trunk-4", Name: "off"}, Addresses: []string{"192.0.2.30"}, Disabled: true},
		{Meta: resource.Meta{ID: "trunk-5", Name: "both"}, Addresses: []string{"192.0.2.40"}, Username: "acme", HA1MD5: md5Hex, HA1SHA256: shaHex, Region: "KR"},
		{Meta: resource.Meta{ID: "trunk-6", Name: "bound"}, Addresses: []string{"192.0.2.60"}, Username: "bound", HA1MD5: bmd5, HA1SHA256: bsha, Region: "KR"},
		{Meta: resource.Meta{ID: "trunk-7", Name: "slow"}, Addresses: []string{"192.0.2.70"}, MaxCPS: 1, Region: "KR"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tt
}

// mistake is a deliberate one: what is sent from where, and how it must be answered.
type mistake struct {
	name    string
	from    string // 192.0.2.10:5060 if empty
	edit    func(d *dlg, text string) string
	login   func(res *challengeOf) string // an Authorization line for a second try
	before  func(s *stage, d *dlg)
	code    int
	rule    string
	because string // in the reason or the nearest
}

// challengeOf makes credentials for the first challenge.
type challengeOf struct {
	s   *stage
	d   *dlg
	p   *farEnd
	uri string
}

func (c *challengeOf) as(user, word string) string {
	return credentials(c.s.t, c.p.response("1 INVITE", 401), "INVITE", c.uri, user, word)
}

func swap(old, with string) func(*dlg, string) string {
	return func(_ *dlg, text string) string { return strings.Replace(text, old, with, 1) }
}

func number(n string) func(*dlg, string) string {
	return func(_ *dlg, text string) string {
		return strings.Replace(text, "INVITE sip:+82212345678@", "INVITE sip:"+n+"@", 1)
	}
}

func mistakes() []mistake {
	const stranger = "203.0.113.9:5060"
	device := func(c *challengeOf) string { return c.as(deviceName, deviceWord) }
	return []mistake{
		{name: "no mistake", code: 0},
		{name: "unknown source", from: stranger, code: 401, rule: ruleDigest, because: "no trunk has address 203.0.113.9"},
		{name: "source IP one off", from: "192.0.2.12:5060", code: 401, rule: ruleDigest, because: `nearest is trunk "small"`},
		{name: "source port", from: "192.0.2.20:5062", code: 401, rule: ruleDigest, because: `wrong port: trunk "one-port"`},
		{name: "trunk is disabled", from: "192.0.2.30:5060", code: 403, rule: ruleSource, because: `trunk "off" has this address`},
		{name: "trunk must authenticate", from: "192.0.2.40:5060", code: 401, rule: ruleDigest, because: "trunk both must authenticate"},
		{name: "digest realm", from: stranger, login: func(c *challengeOf) string {
			return strings.Replace(device(c), realm, "other.example", 1)
		}, code: 401, rule: ruleDigest, because: "another realm"},
		{name: "password", from: stranger, login: func(c *challengeOf) string { return c.as(deviceName, "wrong") }, code: 401, rule: ruleDigest, because: "wrong password"},
		{name: "user", from: stranger, login: func(c *challengeOf) string { return c.as("agent8", deviceWord) }, code: 401, rule: ruleDigest, because: "no such user"},
		{name: "device is disabled", from: stranger, login: func(c *challengeOf) string { return c.as("parked", deviceWord) }, code: 401, rule: ruleDigest, because: "device parked exists but is disabled"},
		{name: "digest uri", from: stranger, login: func(c *challengeOf) string {
			return strings.Replace(device(c), `uri="sip:+82`, `uri="sip:+83`, 1)
		}, code: 400, rule: ruleDigest, because: "not the Request-URI"},
		{name: "digest without qop", from: stranger, login: func(c *challengeOf) string {
			return strings.Replace(device(c), "qop=auth", "qop=auth-int", 1)
		}, code: 400, rule: ruleDigest, because: "qop is not auth"},
		{name: "digest algorithm", from: stranger, login: func(c *challengeOf) string {
			return strings.Replace(device(c), "algorithm=SHA-256", "algorithm=SHA-512-256", 1)
		}, code: 400, rule: ruleDigest, because: "algorithm that was not offered"},
		{name: "trunk's user from another address", from: stranger, login: func(c *challengeOf) string {
			return c.as("bound", "carrier secret word")
		}, code: 403, rule: ruleEntitled, because: "trunk bound may send from other addresses only"},
		{name: "device at a trunk's address", from: "192.0.2.40:5060", login: device, code: 403, rule: ruleEntitled, because: "may not call from this address"},
		{name: "no Contact", edit: swap("Contact:", "X-Contact:"), code: 400, rule: ruleContact, because: "without a Contact"},
		{name: "wrong Accept", edit: swap("Max-Forwards", "Accept: text/html\r\nMax-Forwards"), code: 406, rule: ruleAccept, because: "application/sdp"},
		{name: "body is no SDP", edit: swap("application/sdp", "text/plain"), code: 415, rule: ruleBody, because: "text/plain"},
		{name: "draining", before: func(s *stage, _ *dlg) { s.ep.Drain() }, code: 503, rule: ruleDraining, because: "draining"},
		{name: "legs of the node", before: func(s *stage, _ *dlg) { s.up("other"); s.ep.opt.MaxCalls = 1 }, code: 503, rule: ruleLegs, because: "all 1 legs"},
		{name: "calls of the node", before: func(s *stage, _ *dlg) { s.up("other"); s.lim.opt.MaxCalls = 1 }, code: 503, rule: ruleChannels, because: "all 1 calls"},
		{name: "channels of the trunk", from: "192.0.2.11:5060", before: func(s *stage, d *dlg) {
			other := d.p.dialog("other")
			other.invite()
		}, code: 486, rule: ruleChannels, because: "all 1 channels"},
		{name: "calls per second of the trunk", from: "192.0.2.70:5060", before: func(s *stage, d *dlg) {
			other := d.p.dialog("other")
			other.invite()
		}, code: 503, rule: ruleChannels, because: "new calls of this second"},
		{name: "number nobody claimed", edit: number("+82299999999"), code: 404, rule: "number", because: "nearest is +82212345678"},
		{name: "number without + and country code", edit: number("2212345678"), code: 404, rule: "number", because: "nobody has claimed"},
		{name: "number without +", edit: number("82212345678"), code: 0},
		{name: "national number", edit: number("02-1234-5678"), code: 0},
		{name: "number of another trunk", edit: number("+82212345672"), code: 404, rule: "number", because: "trunk small"},
		{name: "number without flow", edit: number("+82212345679"), code: 404, rule: "flow", because: "not associated with a flow"},
		{name: "flow was never published", edit: number("+82212345670"), code: 404, rule: "flow", because: "never published"},
		{name: "instance takes no calls", edit: number("+82212345671"), code: 403, rule: "instance", because: "takes no calls"},
		{name: "no port left", edit: number("+82212345673"), code: 503, rule: "call", because: "no media port"},
		{name: "codec", edit: swap("RTP/AVP 0", "RTP/AVP 9"), code: 488, rule: "media", because: "no common codec"},
		{name: "SAVP required", edit: swap("RTP/AVP 0", "RTP/SAVP 0"), code: 488, rule: "media", because: "no common codec or transport"},
		{name: "hops used up", edit: swap("Max-Forwards: 70", "Max-Forwards: 0"), code: 483, rule: ruleForm},
		{name: "an extension that is not known", edit: swap("Max-Forwards", "Require: foo\r\nMax-Forwards"), code: 420, rule: ruleForm},
		{name: "scheme", edit: swap("INVITE sip:", "INVITE nobody:"), code: 416, rule: ruleForm},
		{name: "version", edit: swap("@198.51.100.1 SIP/2.0", "@198.51.100.1 SIP/7.0"), code: 505, rule: ruleForm},
		{name: "two From", edit: swap("Max-Forwards", "From: <sip:x@y>;tag=2\r\nMax-Forwards"), code: 400, rule: ruleForm},
	}
}

func TestR12EveryMistakeHasItsReasonLiveAndDry(t *testing.T) {
	list := mistakes()
	codes := map[int]bool{}
	if len(list) < 30 {
		t.Fatalf("%d mistakes", len(list))
	}
	for _, tc := range list {
		codes[tc.code] = true
		t.Run(tc.name, func(t *testing.T) {
			b := &book{}
			runOn(t, func(s *stage) {
				s.owner = &b.owner
				s.ep.opt.Admitter, s.ep.opt.Explainer = b, b
				oneMistake(s, tc)
			})
		})
	}
	for _, code := range []int{401, 403, 404, 488, 486, 503} {
		if !codes[code] {
			t.Errorf("no mistake gives %d", code)
		}
	}
}

func runOn(t *testing.T, f func(*stage)) {
	t.Helper()
	trunks := mistakeTrunks(t)
	md5Hex, shaHex := HA1(deviceName, realm, deviceWord)
	pm, ps := HA1("parked", realm, deviceWord)
	devices := NewDeviceTable([]*Device{
		{Meta: resource.Meta{ID: "device-7", InstanceID: "inst-1", Name: deviceName}, UserID: contactUser, HA1MD5: md5Hex, HA1SHA256: shaHex},
		{Meta: resource.Meta{ID: "device-8", InstanceID: "inst-1", Name: "parked"}, UserID: contactUser, HA1MD5: pm, HA1SHA256: ps, Disabled: true},
	})
	run(t, f, func(o *Options) {
		o.Trunks, o.Devices = func() *TrunkTable { return trunks }, func() *DeviceTable { return devices }
	})
}

func oneMistake(s *stage, tc mistake) {
	t := s.t
	p := s.trunk
	if tc.from != "" && tc.from != trunkAddr {
		p = s.phone(tc.from)
	}
	d := p.dialog("mistake")
	if tc.before != nil {
		tc.before(s, d)
	}
	seq, extra := 1, []string(nil)
	if tc.login != nil {
		d.invite()
		seq, extra = 2, []string{tc.login(&challengeOf{s: s, d: d, p: p, uri: d.uri})}
	}
	text := d.text("INVITE", seq, "mistake-x", sdpOffer, extra...)
	if tc.edit != nil {
		text = tc.edit(d, text)
	}
	calls, legs, bans := s.lim.Calls(), s.ep.Stats().Legs, len(s.ep.Bans())
	for range 3 { // asking thrice changes nothing
		a, err := s.ep.Explain(Question{Message: []byte(text), Source: netip.MustParseAddrPort(p.addr), Network: "UDP"})
		if err != nil {
			t.Fatal(err)
		}
		failed := a.failed()
		if a.Code != tc.code || failed != tc.rule || !strings.Contains(a.Why+" "+a.Nearest, tc.because) {
			t.Errorf("dry: %d %q %q nearest %q, want %d %q %q", a.Code, failed, a.Why, a.Nearest, tc.code, tc.rule, tc.because)
		}
	}
	if s.lim.Calls() != calls || s.ep.Stats().Legs != legs || len(s.ep.Bans()) != bans {
		t.Error("the dry run left something behind")
	}
	n := s.owner.count()
	p.send(text)
	p.settle()
	got := p.responses(fmt.Sprint(seq, " INVITE"))
	if tc.code == 0 {
		if s.owner.count() != n+1 {
			t.Fatalf("live: not admitted, answers are %v", got)
		}
		s.owner.call(t, n).leg.Reject(603, "Decline", 0)
	} else if len(got) == 0 || got[len(got)-1] != tc.code || slices.Contains(got[:len(got)-1], tc.code) {
		t.Errorf("live: answers are %v, want %d", got, tc.code)
	} else if tc.rule != ruleForm && s.log.with("invite refused", "call_id=mistake", "rule="+tc.rule) == "" {
		t.Errorf("live: no log line names rule %s", tc.rule)
	}
	for _, c := range s.owner.calls {
		c.leg.Hangup("")
	}
	p.settle()
	time.Sleep(time.Minute) // transactions end
}

func TestR12APastedMessageWithItsLineEndsLost(t *testing.T) {
	runOn(t, func(s *stage) {
		b := &book{}
		s.ep.opt.Explainer = b
		d := s.trunk.dialog("pasted")
		text := strings.ReplaceAll(d.text("INVITE", 1, "x", sdpOffer), "\r\n", "\n")
		q := Question{Message: []byte(text), Source: netip.MustParseAddrPort(trunkAddr)}
		a, err := s.ep.Explain(q)
		if err != nil || a.Code != 0 || a.Trunk == nil || a.Trunk.Name != "carrier" || a.Called != "+82212345678" {
			s.t.Errorf("%+v, %v", a, err)
		}
		q.Source, q.As = netip.MustParseAddrPort("203.0.113.9:1"), deviceName
		if a, err = s.ep.Explain(q); err != nil || a.Code != 0 || a.Device == nil || a.From != deviceName {
			s.t.Errorf("as a device: %+v, %v", a, err)
		}
		for _, bad := range []string{"", "hello", "SIP/2.0 200 OK\r\n\r\n", strings.Replace(text, "INVITE", "OPTIONS", 2)} {
			if _, err = s.ep.Explain(Question{Message: []byte(bad), Source: q.Source}); err == nil {
				s.t.Errorf("%q was explained", clip(bad, 30))
			}
		}
	})
}

// Whatever is pasted: an answer or an error, and no panic.
func FuzzExplain(f *testing.F) {
	ep := fuzzEndpoint(f)
	f.Add([]byte("INVITE sip:+82212345678@x SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: <sip:a@y>;tag=1\nTo: <sip:b@x>\nCall-ID: c\nCSeq: 1 INVITE\nContact: <sip:a@192.0.2.10>\n\nv=0\n"), "agent")
	f.Add([]byte("INVITE"), "")
	f.Fuzz(func(t *testing.T, text []byte, as string) {
		a, err := ep.Explain(Question{Message: text, Source: netip.MustParseAddrPort("192.0.2.10:5060"), As: as})
		if err == nil && len(a.Rules) == 0 {
			t.Errorf("no rule was asked of %q", text)
		}
		if a.Code != 0 && a.failed() == "" {
			t.Errorf("%d without a rule for %q", a.Code, text)
		}
	})
}
