package sip

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

// fraudBench is an endpoint that only counts.
type fraudBench struct {
	*Endpoint
	mu     sync.Mutex
	alarms []Alarm
}

func newFraudBench(p *OutboundPolicy) *fraudBench {
	b := &fraudBench{}
	b.Endpoint = &Endpoint{fraud: newLedger(), log: NewRegistrar(RegistrarOptions{}).opt.Log, opt: Options{
		Region: func(string) string { return "KR" }, OutboundPolicy: func(string) *OutboundPolicy { return p },
		OnAlarm: func(a Alarm) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.alarms = append(b.alarms, a)
		},
	}}
	return b
}

func carrierTrunk() *Trunk { return &Trunk{Meta: resource.Meta{ID: "trunk-1", Name: "carrier"}} }

func outgoing(number string) call.Target {
	return call.Target{InstanceID: "i", Number: number, OnBehalfOf: "anna", ContactID: "c1", Priority: call.PriorityAgent}
}

func TestR21DestinationsAreDeniedUnlessAllowed(t *testing.T) {
	open := &OutboundPolicy{Countries: []string{"US"}, Types: nil, Blocked: []string{"+8270"}}
	for _, tc := range []struct {
		number string
		policy *OutboundPolicy
		why    string // empty: permitted
	}{
		{"+821012345678", nil, ""},
		{"2001", nil, ""},
		{"+82801234567", nil, ""},
		{"+82602345678", nil, "premium numbers are not called"},
		{"+12125550123", nil, "calls from KR to US are not allowed"},
		{"+12125550123", open, ""},
		{"+19002530000", open, "premium numbers are not called"},
		{"+447400123456", open, "does not name GB"},
		{"+447400123456", &OutboundPolicy{Countries: []string{"*"}}, ""},
		{"+447012345678", &OutboundPolicy{Countries: []string{"*"}}, "personal numbers are not called"},
		{"+881612345678", &OutboundPolicy{Countries: []string{"*"}}, "global numbers are not called"},
		{"+82701234567", open, "begin with +8270 are blocked"},
		{"119", &OutboundPolicy{Blocked: []string{"1"}}, ""},
		{"112", nil, ""},
	} {
		b := newFraudBench(tc.policy)
		release, err := b.permitOutbound(outgoing(tc.number), carrierTrunk())
		switch {
		case tc.why == "" && err != nil:
			t.Errorf("%s: %v", tc.number, err)
		case tc.why != "" && (err == nil || !strings.Contains(err.Error(), tc.why) || !errs.Is(err, errs.Denied)):
			t.Errorf("%s: %v, want %q", tc.number, err, tc.why)
		}
		if err == nil {
			release()
			release()
		} else if len(b.alarms) != 1 || strings.Contains(b.alarms[0].Detail, tc.number) && len(tc.number) > 7 {
			t.Errorf("%s: alarms are %+v", tc.number, b.alarms)
		}
	}
}

func TestR21ATransferredCallCountsAgainstItsOriginator(t *testing.T) {
	b := newFraudBench(&OutboundPolicy{User: OutboundCaps{Concurrent: 1}})
	far := outgoing("+821012345678")
	far.Diverted = []string{"1", "2", "3", "4", "5", "6"}
	if _, err := b.permitOutbound(far, nil); err == nil || !strings.Contains(err.Error(), "diverted 6 times") {
		t.Errorf("%v", err)
	}
	far.Diverted = far.Diverted[:1]
	release, err := b.permitOutbound(far, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = b.permitOutbound(outgoing("+821087654321"), nil); !errs.Is(err, errs.Limit) || !strings.Contains(err.Error(), "user anna has 1 calls") {
		t.Errorf("%v", err)
	}
	if r, sosErr := b.permitOutbound(outgoing("119"), nil); sosErr != nil { // help is never over a limit
		t.Error(sosErr)
	} else {
		r()
	}
	release()
	if _, err = b.permitOutbound(outgoing("+821087654321"), nil); err != nil {
		t.Error(err)
	}
}

// A stolen account that does all it can: within a minute it gets nothing more, by every kind of cap.
func TestR21AStolenAccountIsStoppedWithin60Seconds(t *testing.T) {
	for _, tc := range []struct {
		name   string
		policy OutboundPolicy
		most   int // calls that may have begun in the first minute
		cut    bool
	}{
		{"no policy at all", OutboundPolicy{}, 5, false},
		{"calls per minute", OutboundPolicy{User: OutboundCaps{Concurrent: -1, CallsPerMinute: 8}}, 8, false},
		{"spend", OutboundPolicy{
			Countries: []string{"GB"}, User: OutboundCaps{Concurrent: -1, CallsPerMinute: -1, SpendPerDay: 10},
			Country: OutboundCaps{Concurrent: -1, CallsPerMinute: -1}, Rates: []OutboundRate{{"+44", 2}, {"+447", 30}},
		}, 20, true},
		{"minutes of a country", OutboundPolicy{
			Countries: []string{"GB"}, User: OutboundCaps{Concurrent: -1, CallsPerMinute: -1},
			Country: OutboundCaps{Concurrent: -1, CallsPerMinute: -1, MinutesPerDay: 2},
		}, 30, true},
		{"concurrent calls to a country", OutboundPolicy{
			Countries: []string{"GB"}, User: OutboundCaps{Concurrent: -1, CallsPerMinute: -1}, Country: OutboundCaps{Concurrent: 3},
		}, 3, false},
		{"a trunk", OutboundPolicy{User: OutboundCaps{Concurrent: -1, CallsPerMinute: -1}, Trunk: OutboundCaps{Concurrent: 4}}, 4, false},
		{"the instance", OutboundPolicy{User: OutboundCaps{Concurrent: -1, CallsPerMinute: -1}, Instance: OutboundCaps{CallsPerMinute: 6}}, 6, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFraudBench(&tc.policy)
				number := "+447400123456"
				if len(tc.policy.Countries) == 0 {
					number = "+821012345678"
				}
				begun, last := 0, time.Duration(0)
				start := time.Now()
				for range 3 * 60 { // a call every second, each for ever
					if _, err := b.permitOutbound(outgoing(number), carrierTrunk()); err == nil {
						begun++
						last = time.Since(start)
					}
					time.Sleep(time.Second)
					if int(time.Since(start).Seconds())%5 == 0 {
						b.fraud.cut(time.Now(), b.alarm)
					}
					if last > time.Minute && tc.policy.User.CallsPerMinute <= 0 && tc.policy.Instance.CallsPerMinute == 0 {
						t.Fatalf("a call began after %v", last)
					}
					if time.Since(start) == time.Minute && (begun == 0 || begun > tc.most) {
						t.Fatalf("%d calls began within a minute, at most %d may", begun, tc.most)
					}
				}
				cuts := 0
				for _, a := range b.alarms {
					if a.Kind == AlarmCut {
						cuts++
					}
				}
				if tc.cut != (cuts == begun && cuts > 0) {
					t.Errorf("%d of %d calls were cut", cuts, begun)
				}
				if len(b.alarms) == 0 || len(b.alarms) > begun+4 {
					t.Errorf("%d alarms", len(b.alarms))
				}
				denied, _ := b.fraud.snapshot()
				if len(denied) == 0 {
					t.Error("nothing is in the metric")
				}
			})
		})
	}
}

func TestR21TotalsOutliveARestartAndEndWithTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
		p := &OutboundPolicy{User: OutboundCaps{MinutesPerDay: 10}}
		b := newFraudBench(p)
		release, err := b.permitOutbound(outgoing("+821012345678"), carrierTrunk())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Minute)
		release()
		stored := b.fraud.changes(time.Now())
		again := newFraudBench(p)
		for _, st := range stored {
			again.fraud.restore(st, time.Now())
		}
		u := again.OutboundUsage("i")
		if len(u) != 3 || u[2].Kind != "user" || u[2].ID != "anna" || u[2].MinutesToday != 9 {
			t.Errorf("usage after a restart: %+v", u)
		}
		if release, err = again.permitOutbound(outgoing("+821012345678"), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		release()
		if _, err = again.permitOutbound(outgoing("+821012345678"), nil); err == nil || !strings.Contains(err.Error(), "10 minutes of this day") {
			t.Errorf("%v", err)
		}
		time.Sleep(24 * time.Hour)
		if release, err = again.permitOutbound(outgoing("+821012345678"), nil); err != nil {
			t.Error(err)
		}
		release()
		again.fraud.restore(stored[0], time.Now()) // of another day: of no use
		for _, v := range again.OutboundUsage("i") {
			if v.MinutesToday != 0 {
				t.Errorf("%+v", v)
			}
		}
	})
}

func TestOutboundPoliciesAreValidated(t *testing.T) {
	ok := func() *OutboundPolicy { return &OutboundPolicy{Meta: resource.Meta{Name: OutboundPolicyName}} }
	if err := ok().Validate(); err != nil {
		t.Error(err)
	}
	for field, edit := range map[string]func(*OutboundPolicy){
		"Name":          func(p *OutboundPolicy) { p.Name = "x" },
		"Countries[1]":  func(p *OutboundPolicy) { p.Countries = []string{"KR", "Korea"} },
		"Types[0]":      func(p *OutboundPolicy) { p.Types = append(p.Types, "all") },
		"Blocked[0]":    func(p *OutboundPolicy) { p.Blocked = []string{"+"} },
		"MaxDiversions": func(p *OutboundPolicy) { p.MaxDiversions = 21 },
		"Trunk":         func(p *OutboundPolicy) { p.Trunk.Concurrent = -2 },
		"Rates[0]":      func(p *OutboundPolicy) { p.Rates = []OutboundRate{{"44", -1}} },
	} {
		p := ok()
		edit(p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestManyCallersAtOnceNeverPassACap(t *testing.T) {
	b := newFraudBench(&OutboundPolicy{User: OutboundCaps{Concurrent: 7, CallsPerMinute: -1}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				release, err := b.permitOutbound(outgoing(fmt.Sprint("+8210123456", 10+i%90)), carrierTrunk())
				if err == nil {
					if n := b.OutboundUsage("i"); len(n) == 0 || n[len(n)-1].Concurrent > 7 {
						t.Errorf("%+v", n)
					}
					release()
				}
			}
		})
	}
	wg.Wait()
	for _, u := range b.OutboundUsage("i") {
		if u.Concurrent != 0 {
			t.Errorf("left over: %+v", u)
		}
	}
}
