package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// surveyFlow keeps a contact in a flow: it speaks, decides, notes attributes and asks again when nobody answers.
var surveyFlow = fmt.Sprintf(`{"Version": "2019-10-30", "StartAction": "Greet", "Metadata": {}, "Actions": [
	{"Identifier": "Greet", "Type": "MessageParticipant", "Parameters": {"Text": "Thank you for calling."},
		"Transitions": {"NextAction": "Note", "Errors": [{"ErrorType": "NoMatchingError", "NextAction": "End"}]}},
	{"Identifier": "Note", "Type": "UpdateContactAttributes", "Parameters": {"Attributes": {"from": "$.CustomerEndpoint.Address"}},
		"Transitions": {"NextAction": "Again", "Errors": [{"ErrorType": "NoMatchingError", "NextAction": "End"}]}},
	{"Identifier": "Again", "Type": "Loop", "Parameters": {"LoopCount": "100"}, "Transitions": {"NextAction": "End", "Conditions": [
		{"NextAction": "Who", "Condition": {"Operator": "Equals", "Operands": ["ContinueLooping"]}},
		{"NextAction": "End", "Condition": {"Operator": "Equals", "Operands": ["DoneLooping"]}}]}},
	{"Identifier": "Who", "Type": "Compare", "Parameters": {"ComparisonValue": "$.Attributes.from"}, "Transitions": {"NextAction": "Ask", "Conditions": [
		{"NextAction": "End", "Condition": {"Operator": "Equals", "Operands": ["+8215880000"]}}],
		"Errors": [{"ErrorType": "NoMatchingCondition", "NextAction": "Ask"}]}},
	{"Identifier": "Ask", "Type": "GetParticipantInput", "Parameters": {"Text": %q, "StoreInput": "False", "InputTimeLimitSeconds": "3"},
		"Transitions": {"NextAction": "Again", "Conditions": [{"NextAction": "End", "Condition": {"Operator": "Equals", "Operands": ["9"]}}],
		"Errors": [{"ErrorType": "InputTimeLimitExceeded", "NextAction": "Again"}, {"ErrorType": "NoMatchingCondition", "NextAction": "Again"},
			{"ErrorType": "NoMatchingError", "NextAction": "Again"}]}},
	{"Identifier": "End", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}]}`,
	strings.Repeat("How happy are you with us? Press a key from one to five. ", 2))

// BenchmarkFlows has many contacts in flows at once, who hear prompts and do not answer. ULLIM_BENCH_CONTACTS (1000) is their number.
func BenchmarkFlows(b *testing.B) {
	n := benchEnv("ULLIM_BENCH_CONTACTS", 1000)
	headline(b, fmt.Sprintf("Flows: %d contacts at once, each asked again and again", n))
	c := newBenchCenter(b)
	c.number("+8225550100", surveyFlow)
	c.place(b, newSink(b), load{target: c.server, calls: 10, rate: 10, hold: 2 * time.Second}) // what is spoken once is kept
	c.idle()
	const rate, window = 50, 10 * time.Second
	s := newSink(b)
	ramp := time.Duration(n/rate) * time.Second
	l := load{target: c.server, calls: n, rate: rate, hold: ramp + window + 3*time.Second}
	run := c.begin(b, s, l)
	time.Sleep(ramp + 2*time.Second) // all are in
	s.measure()
	actions := func() (sum float64) {
		for name, v := range c.metrics() {
			if strings.HasPrefix(name, "ullim_flow_actions_total") {
				sum += v
			}
		}
		return sum
	}
	before := actions()
	cost := costs(b, c.pid(), func() { time.Sleep(window) })
	ran := actions() - before
	r := run.wait()
	c.idle()
	minute := cost / 1000 * 60 / (window.Seconds() * float64(n))
	say("engine     %.4f CPU seconds per contact and minute, %.0f contacts a core; %.0f actions a second", minute, 60/minute, ran/window.Seconds())
	say("audio      %.2f of what came was sound; %s", s.sounding(), s.gaps())
	say("calls      %s", r)
	if !r.held(l) {
		say("NOT VALID  the machine was too busy to carry this")
	}
	if ran == 0 {
		b.Error("no action ran")
	}
	b.ReportMetric(minute, "CPU-s/contact-min")
	b.ReportMetric(0, "ns/op")
}
