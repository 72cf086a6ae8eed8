package ivr

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestDataPathsInsideText(t *testing.T) {
	answers := map[string]string{
		"Attributes/name": "Kim", "Attributes/a b": "AB", "Channel": "VOICE", "Attributes/x": "ex",
		"Media/Sip/Headers/P-Asserted-Identity": "pai",
	}
	lookup := func(path []string) (string, bool) {
		v, ok := answers[strings.Join(path, "/")]
		return v, ok
	}
	tests := []struct{ raw, want string }{
		{"", ""},
		{"no path", "no path"},
		{"$.Attributes.name", "Kim"},
		{"Hello $.Attributes.name.", "Hello Kim."},
		{"Hello $.Attributes.name, on $.Channel!", "Hello Kim, on VOICE!"},
		{"$.Attributes.name님, 안녕하세요", "Kim님, 안녕하세요"},
		{"$.Attributes.['a b'] and $.Attributes['a b'] and $.Attributes.[\"a b\"]", "AB and AB and AB"},
		{"$.Attributes.x$.Attributes.x", "exex"},
		{"$.Media.Sip.Headers.P-Asserted-Identity;", "pai;"},
		{"gone: <$.Attributes.nothing>", "gone: <>"},
		{"it costs $5, or $", "it costs $5, or $"},
		{"https://x/$.Attributes.name.wav?c=$.Channel.", "https://x/Kim.wav?c=VOICE."},
		{"$.Attributes.name.Attributes.x", ""},
		{"Attributes_name, MyAttributes_name, my Attributes_name", "Kim, MyAttributes_name, my Kim"},
		{"$.", "$."},
		{"$. Attributes", "$. Attributes"},
		{"$.['open", "$.['open"},
	}
	for _, tt := range tests {
		if got := parseValue(tt.raw).resolve(lookup, nil); got != tt.want {
			t.Errorf("%q gives %q, want %q", tt.raw, got, tt.want)
		}
	}
}

func TestWholePathsMayHaveKeysInAnyAlphabet(t *testing.T) {
	tests := []struct {
		raw        string
		path       []string
		static, ok bool // ok: one path and nothing else
	}{
		{raw: "$.Attributes.고객등급", path: []string{"Attributes", "고객등급"}, ok: true},
		{raw: "$.Queue.OutboundCallerId.Address", path: []string{"Queue", "OutboundCallerId", "Address"}, ok: true},
		{raw: "$.Attributes.['it is 100%']", path: []string{"Attributes", "it is 100%"}, ok: true},
		{raw: "arn:aws:connect:us-east-1:1:instance/x", static: true},
		{raw: "$.Attributes.a b"},
		{raw: "x$.Attributes.a"},
		{raw: "$", static: true},
	}
	for _, tt := range tests {
		v := parseWhole(tt.raw)
		if v.isPath() != tt.ok || v.isStatic() != tt.static {
			t.Errorf("%q: path %t, static %t", tt.raw, v.isPath(), v.isStatic())
		}
		if tt.ok {
			check(t, tt.path, v.parts[0].path)
		}
	}
}

func TestPathsThatCannotMeanAnythingAreTold(t *testing.T) {
	for path, want := range map[string]bool{
		"$.Attributes.x": true, "$.Attributes": false, "$.Attributes.x.y": false, "$.Attribute.x": false,
		"$.Tags.x": true, "$.Tags": false, "$.References.a.Value": true, "$.References.a.b": false, "$.Task.ContactId": true, "$.Task.x": false,
		"Attributes_Name": true, "$.External.a[0].b": true,
		"$.ContactId": true, "$.ContactId.x": false, "$.Queue.Name": true, "$.Queue.name": false,
		"$.Queue.OutboundCallerId.Type": true, "$.Agent.FirstName": true, "$.External.a.b": true, "$.Lex.Slots.x": true,
		"$.Media.Sip.Headers.From": true, "$.StoredCustomerInput": true, "$.FlowAttributes.x": true, "$.50": false,
	} {
		v := parseWhole(path)
		if !v.isPath() {
			t.Errorf("%s is not read as a path", path)
			continue
		}
		if got := knownPath(v.parts[0].path); got != want {
			t.Errorf("%s: known %t", path, got)
		}
	}
}

func TestEveryDataPathIsAnswered(t *testing.T) {
	s := newScript(t)
	s.info.Agent = &AgentRef{ID: "a", ARN: "arn:a", Username: "lee", FirstName: "Ha", LastName: "Lee"}
	s.info.Queue = &QueueRef{Name: "Sales", ARN: "arn:q", OutboundNumber: "+8215880000"}
	s.info.Voice, s.info.PreviousContactID = "Joanna", "c-p"
	s.info.Attributes["k"] = "v"
	e := &session{contact: s, memory: NewMemory(), frame: frame{attributes: map[string]string{"f": "g"}}}
	e.memory.store("42")
	got := map[string]string{}
	for _, path := range []string{
		"$.CustomerEndpoint.Address", "$.CustomerEndpoint.Type", "$.SystemEndpoint.Address", "$.SystemEndpoint.Type",
		"$.ContactId", "$.InitialContactId", "$.PreviousContactId", "$.Channel", "$.InitiationMethod", "$.InstanceARN",
		"$.LanguageCode", "$.TextToSpeechVoiceId", "$.Queue.Name", "$.Queue.ARN", "$.Queue.OutboundCallerId.Address",
		"$.Queue.OutboundCallerId.Type", "$.Agent.UserName", "$.Agent.FirstName", "$.Agent.LastName", "$.Agent.ARN",
		"$.StoredCustomerInput", "$.CustomerCallbackNumber", "$.Attributes.k", "$.FlowAttributes.f",
		"$.Media.Sip.Headers.p-asserted-identity", "$.External.x", "$.Attributes.none",
	} {
		got[path] = e.text(parseWhole(path))
	}
	check(t, map[string]string{
		"$.CustomerEndpoint.Address": "+821012345678", "$.CustomerEndpoint.Type": "TELEPHONE_NUMBER",
		"$.SystemEndpoint.Address": "+8215881234", "$.SystemEndpoint.Type": "TELEPHONE_NUMBER", "$.ContactId": "c-1",
		"$.InitialContactId": "c-0", "$.PreviousContactId": "c-p", "$.Channel": "VOICE", "$.InitiationMethod": "INBOUND",
		"$.InstanceARN": "arn:aws:connect:local:1:instance/i-1", "$.LanguageCode": "en-US",
		"$.TextToSpeechVoiceId": "Joanna", "$.Queue.Name": "Sales", "$.Queue.ARN": "arn:q",
		"$.Queue.OutboundCallerId.Address": "+8215880000", "$.Queue.OutboundCallerId.Type": "TELEPHONE_NUMBER",
		"$.Agent.UserName": "lee", "$.Agent.FirstName": "Ha", "$.Agent.LastName": "Lee", "$.Agent.ARN": "arn:a",
		"$.StoredCustomerInput": "42", "$.CustomerCallbackNumber": "+821012345678", "$.Attributes.k": "v",
		"$.FlowAttributes.f": "g", "$.Media.Sip.Headers.p-asserted-identity": "<sip:alice@example.net>",
		"$.External.x": "", "$.Attributes.none": "",
	}, got)
	s.info.Agent, s.info.Queue = nil, nil
	e.snapshot = nil
	if v := e.text(parseValue("<$.Agent.FirstName$.Queue.Name>")); v != "<>" {
		t.Errorf("without agent and queue: %q", v)
	}
}

func FuzzValue(f *testing.F) {
	for _, s := range []string{"", "$.Attributes.name님", "$.Attributes.['a b']", "a$.b.c$.d", "$.['", "$.a['b']x", "\xff$.a\xff", "$.Attributes.고객"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, v := range []value{parseValue(raw), parseWhole(raw)} {
			// Whatever was read must be all of the input: with each path put back as it was written, nothing is lost.
			rest := raw
			for _, p := range v.parts {
				if p.path == nil {
					if !strings.HasPrefix(rest, p.text) {
						t.Fatalf("%q: text %q is not at %q", raw, p.text, rest)
					}
					rest = rest[len(p.text):]
					continue
				}
				path, n := scanInText(rest, rest == raw)
				if v.isPath() {
					path, n = scanPath(rest, true)
					if n != len(rest) {
						path, n = scanPath(rest, false)
					}
				}
				if cmp.Diff(p.path, path) != "" || n < 3 {
					t.Fatalf("%q: path %q is not at %q", raw, p.path, rest)
				}
				for _, key := range path {
					if key == "" || len(key) > maxPathKey {
						t.Fatalf("%q: key %q", raw, key)
					}
				}
				rest = rest[n:]
			}
			if rest != "" {
				t.Fatalf("%q: %q was lost", raw, rest)
			}
			same := v.resolve(func([]string) (string, bool) { return "", false }, nil)
			if v.isStatic() && same != raw || utf8.ValidString(raw) && !utf8.ValidString(same) {
				t.Fatalf("%q becomes %q", raw, same)
			}
		}
	})
}
