package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

const lambda = "arn:aws:lambda:ap-northeast-2:123456789012:function:lookup"

func function(id, name, url string, arns ...string) *Function {
	return &Function{Meta: resource.Meta{ID: id, InstanceID: "i", Name: name}, URL: url, ARNs: arns}
}

func TestAFunctionIsFoundByWhateverAFlowNames(t *testing.T) {
	list := []*Function{
		function("f1", "lookup-crm", "https://a.example/crm", lambda),
		function("f2", "billing", "https://a.example/billing"),
		function("f3", "unmapped", "", "arn:aws:lambda:us-east-1:1:function:unmapped"),
	}
	pattern := function("f9", CatchAll, "https://hooks.example/{name}/run")
	rows := []struct {
		ref, without, with string // URL without the catch-all, and with it
	}{
		{lambda, "https://a.example/crm", ""},
		{lambda + ":live", "https://a.example/crm", ""},
		{"lookup-crm", "https://a.example/crm", ""},
		{"f2", "https://a.example/billing", ""},
		{resource.ARN("i", resource.KindFunction, "f2"), "https://a.example/billing", ""},
		{"arn:aws:lambda:eu-west-1:9:function:billing", "https://a.example/billing", ""}, // by its name
		{"https://a.example/billing", "https://a.example/billing", ""},
		{"https://other.example/x", "https://other.example/x", ""},
		{"arn:aws:lambda:us-east-1:1:function:unmapped", "", "https://hooks.example/unmapped/run"},
		{"arn:aws:lambda:us-east-1:1:function:new:3", "", "https://hooks.example/new/run"},
		{"free-name", "", "https://hooks.example/free-name/run"},
		{"../admin", "", "-"},
		{"*", "", "-"},
		{"", "", "-"},
		{resource.ARN("other", resource.KindFunction, "f2"), "", "-"},
		{"arn:aws:lambda:us-east-1:1:function:a/../b", "", "-"},
	}
	for _, all := range []bool{false, true} {
		x := NewIndex("i", list)
		if all {
			x = NewIndex("i", append(list, pattern))
		}
		for _, r := range rows {
			want := r.without
			if all && r.with != "" {
				want = strings.TrimPrefix(r.with, "-")
			}
			got, err := x.Find(r.ref)
			if got.URL != want || (err != nil) != (want == "") || err != nil && !errs.Is(err, errs.NotFound) {
				t.Errorf("%q (catch-all %v): %q, %v; want %q", r.ref, all, got.URL, err, want)
			}
		}
	}
	if got, _ := NewIndex("i", list).Find("https://a.example/billing"); got.Function == nil || got.Function.ID != "f2" {
		t.Error("a URL that a function has is not signed as its")
	}
}

func TestAFunctionIsChecked(t *testing.T) {
	good := func() *Function { return function("f", "n", "https://x.example/", lambda) }
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*Function){
		"Name":               func(f *Function) { f.Name = "a b" },
		"Name ":              func(f *Function) { f.Name = "" },
		"Name  ":             func(f *Function) { f.Name = strings.Repeat("x", 65) },
		"FunctionArns":       func(f *Function) { f.ARNs = []string{"arn:aws:s3:::x"} },
		"FunctionArns ":      func(f *Function) { f.ARNs = []string{lambda, lambda} },
		"FunctionArns  ":     func(f *Function) { f.ARNs = make([]string, 21) },
		"Url":                func(f *Function) { f.URL = "https://x.example/{name}" },
		"Url ":               func(f *Function) { f.Name, f.ARNs, f.URL = CatchAll, nil, "" },
		"Url  ":              func(f *Function) { f.Name = CatchAll },
		"Url   ":             func(f *Function) { f.Name, f.ARNs, f.URL = CatchAll, nil, "https://x/{name}{name}" },
		"TimeoutSeconds":     func(f *Function) { f.Timeout = 9 * time.Second },
		"TimeoutSeconds low": func(f *Function) { f.Timeout = time.Millisecond },
		"Headers":            func(f *Function) { f.HeaderNames = make([]string, 17) },
		"HoldAudio":          func(f *Function) { f.HoldAudio = strings.Repeat("x", 300) },
		"Description":        func(f *Function) { f.Description = strings.Repeat("x", 300) },
	} {
		f := good()
		change(f)
		field, _, _ = strings.Cut(field, " ")
		if err := f.Validate(); !errs.Is(err, errs.Invalid) || !strings.HasPrefix(err.Error(), field+":") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestASignatureIsVerifiedAndAChangedOneIsNot(t *testing.T) {
	now, body := time.Unix(1_700_000_000, 0), []byte(`{"a":1}`)
	old, fresh := NewSecret(), NewSecret()
	h := Sign([]string{fresh, old}, now, body)
	for _, s := range []string{old, fresh} {
		if err := Verify(h, s, now.Add(time.Minute), 5*time.Minute, body); err != nil {
			t.Error(err)
		}
	}
	one := Sign([]string{fresh}, now, body)
	for name, try := range map[string]func() error{
		"another secret": func() error { return Verify(one, old, now, time.Minute, body) },
		"another body":   func() error { return Verify(one, fresh, now, time.Minute, []byte(`{"a":2}`)) },
		"too late":       func() error { return Verify(one, fresh, now.Add(6*time.Minute), 5*time.Minute, body) },
		"too early":      func() error { return Verify(one, fresh, now.Add(-6*time.Minute), 5*time.Minute, body) },
		"another time": func() error {
			return Verify(strings.Replace(one, "t=17", "t=18", 1), fresh, now.Add(1e17), 1e18, body)
		},
		"nothing":      func() error { return Verify("", fresh, now, time.Minute, body) },
		"half of it":   func() error { return Verify(one[:len(one)-2], fresh, now, time.Minute, body) },
		"no signature": func() error { return Verify("t=1700000000", fresh, now, time.Minute, body) },
	} {
		if err := try(); !errs.Is(err, errs.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if Sign(nil, now, body) != "" {
		t.Error("signed with nothing")
	}
	// The example of docs/webhooks.md, computed with Python.
	const known = "t=1700000000,v1=c4e750d5ab9a5bc6877b014a6f90f8b3b27dce73c6f7a443f70841310d281594"
	if got := Sign([]string{"whsec_0123456789abcdefghijklmnop"}, now, body); got != known {
		t.Errorf("signed %s", got)
	}
	if err := CheckSecret("short"); err == nil {
		t.Error("a short secret is taken")
	}
	if err := CheckSecret(fresh); err != nil {
		t.Error(err)
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := func(v string) http.Header { return http.Header{"Retry-After": {v}} }
	rows := []struct {
		name   string
		n      int
		a      attempt
		left   time.Duration
		chance float64
		wait   time.Duration
		ok     bool
	}{
		{"5xx", 1, attempt{ServerError, nil}, 3 * time.Second, 0, 50 * time.Millisecond, true},
		{"5xx, by chance longer", 1, attempt{ServerError, nil}, 3 * time.Second, 0.5, 100 * time.Millisecond, true},
		{"the third", 3, attempt{Unreachable, nil}, 3 * time.Second, 0, 200 * time.Millisecond, true},
		{"the fourth was the last", 4, attempt{ServerError, nil}, 3 * time.Second, 0, 0, false},
		{"429", 1, attempt{Throttled, after("1")}, 3 * time.Second, 0, time.Second, true},
		{"429 and no time", 1, attempt{Throttled, after("5")}, 3 * time.Second, 0, 5 * time.Second, false},
		{"a date", 1, attempt{ServerError, after(now.Add(2 * time.Second).Format(http.TimeFormat))}, 3 * time.Second, 0, 2 * time.Second, true},
		{"nonsense", 1, attempt{ServerError, after("soon")}, 3 * time.Second, 0, 50 * time.Millisecond, true},
		{"no time", 1, attempt{ServerError, nil}, 10 * time.Millisecond, 0, 50 * time.Millisecond, false},
		{"4xx", 1, attempt{ClientError, nil}, 3 * time.Second, 0, 0, false},
		{"timeout", 1, attempt{TimedOut, nil}, 3 * time.Second, 0, 0, false},
		{"refused", 1, attempt{Refused, nil}, 3 * time.Second, 0, 0, false},
		{"redirect", 1, attempt{Redirected, nil}, 3 * time.Second, 0, 0, false},
	}
	for _, r := range rows {
		if wait, ok := again(r.n, r.a, r.left, now, r.chance); wait != r.wait || ok != r.ok {
			t.Errorf("%s: %v %v, want %v %v", r.name, wait, ok, r.wait, r.ok)
		}
	}
}

func TestACircuitOpensRestsAndCloses(t *testing.T) {
	now := time.Unix(0, 0)
	var c circuit
	for range failuresToTrip - 1 {
		c.report(true, now)
	}
	if !c.allow(now) {
		t.Fatal("open too early")
	}
	c.report(true, now)
	at := func(d time.Duration) bool { return c.allow(now.Add(d)) }
	if at(0) || at(firstRest-1) {
		t.Error("not open")
	}
	if !at(firstRest) || at(firstRest) {
		t.Error("half-open lets one through, and one only")
	}
	if !at(firstRest + probeTime) {
		t.Error("a probe that was lost blocks for ever")
	}
	c.report(true, now)
	if at(2*firstRest-1) || !at(2*firstRest) {
		t.Error("the second rest is twice as long")
	}
	for range 20 {
		c.report(true, now)
	}
	if c.rest != longestRest {
		t.Errorf("rests %s", c.rest)
	}
	c.report(false, now)
	if d := cmp.Diff(circuit{}, c, cmp.AllowUnexported(circuit{})); d != "" || !at(0) {
		t.Error("not closed by a success")
	}
}

func TestCircuitsAreForgotten(t *testing.T) {
	c := circuits{list: map[string]*circuit{}}
	now := time.Unix(1000, 0)
	for i := range maxCircuits + 10 {
		c.report(strconv.Itoa(i), true, now)
		if len(c.list) > maxCircuits {
			t.Fatalf("%d are kept", len(c.list))
		}
	}
	if len(c.list) == 0 || len(c.list) > 20 { // those that had failed once were dropped to make room
		t.Errorf("%d are kept", len(c.list))
	}
	c.report("0x", true, now)
	c.report("0x", false, now)
	if c.list["0x"] != nil {
		t.Error("a success is remembered")
	}
}

func TestAnAnswerIsAnObject(t *testing.T) {
	for text, want := range map[string]Outcome{
		`{"a":"b"}`: Delivered, `{}`: Delivered, ` {"a":{"b":[1]}} `: Delivered,
		`[]`: BadAnswer, `null`: BadAnswer, `"x"`: BadAnswer, `1`: BadAnswer, ``: BadAnswer, `{`: BadAnswer, `{} {}`: BadAnswer, `<html>`: BadAnswer,
		`{"a":"` + strings.Repeat("x", MaxAnswer) + `"}`: TooLarge,
	} {
		if _, err := CheckAnswer([]byte(text), 200); OutcomeOf(err) != want {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if b, err := CheckAnswer(nil, http.StatusNoContent); err != nil || string(b) != "{}" {
		t.Errorf("204: %s, %v", b, err)
	}
}

func FuzzASignatureHeaderIsNeverTakenByChance(f *testing.F) {
	now, body := time.Unix(1_700_000_000, 0), []byte("x")
	f.Add(Sign([]string{"another"}, now, body))
	f.Add("t=1700000000,v1=")
	f.Add("t=1700000000,v1=00,v1=,,")
	f.Fuzz(func(t *testing.T, h string) {
		if Verify(h, "the secret that nobody knows", now, time.Hour, body) == nil {
			t.Errorf("%q is taken", h)
		}
	})
}
