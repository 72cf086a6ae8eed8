package flowtest

import (
	"os"
	"testing"
	"time"

	"ullim/ivr"
)

// A flow that goes round a hundred times through what costs no I/O.
const busyFlow = `{"Version":"2019-10-30","StartAction":"loop","Actions":[
 {"Identifier":"loop","Type":"Loop","Parameters":{"LoopCount":"100"},"Transitions":{"Errors":[],"Conditions":[
  {"NextAction":"compare","Condition":{"Operator":"Equals","Operands":["ContinueLooping"]}},
  {"NextAction":"bye","Condition":{"Operator":"Equals","Operands":["DoneLooping"]}}]}},
 {"Identifier":"compare","Type":"Compare","Parameters":{"ComparisonValue":"$.Attributes.plan"},"Transitions":{
  "Errors":[{"NextAction":"bye","ErrorType":"NoMatchingCondition"}],"Conditions":[
  {"NextAction":"bye","Condition":{"Operator":"Equals","Operands":["silver"]}},
  {"NextAction":"keep","Condition":{"Operator":"TextStartsWith","Operands":["go"]}}]}},
 {"Identifier":"keep","Type":"UpdateContactAttributes","Parameters":{"Attributes":{"who":"$.CustomerEndpoint.Address","lang":"$.LanguageCode"}},
  "Transitions":{"NextAction":"flow","Errors":[{"NextAction":"bye","ErrorType":"NoMatchingError"}],"Conditions":[]}},
 {"Identifier":"flow","Type":"UpdateFlowAttributes","Parameters":{"FlowAttributes":{"greeting":"Hello $.Attributes.who"}},
  "Transitions":{"NextAction":"percent","Errors":[{"NextAction":"bye","ErrorType":"NoMatchingError"}],"Conditions":[]}},
 {"Identifier":"percent","Type":"DistributeByPercentage","Parameters":{},"Transitions":{
  "Errors":[{"NextAction":"say","ErrorType":"NoMatchingCondition"}],"Conditions":[
  {"NextAction":"say","Condition":{"Operator":"NumberLessThan","Operands":["31"]}}]}},
 {"Identifier":"say","Type":"MessageParticipant","Parameters":{"Text":"$.FlowAttributes.greeting"},
  "Transitions":{"NextAction":"loop","Errors":[{"NextAction":"loop","ErrorType":"NoMatchingError"}],"Conditions":[]}},
 {"Identifier":"bye","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`

// BenchmarkActions is what the interpreter itself costs: actions a second on one core, with a participant who takes no
// time and a contact in memory.
func BenchmarkActions(b *testing.B) {
	if err := ivr.Check(busyFlow, ivr.TypeInbound); err != nil {
		b.Fatal(err)
	}
	flow := &ivr.Flow{Type: ivr.TypeInbound, Published: busyFlow, PublishedVersion: 1}
	flow.ID, flow.Name = "f", "busy"
	begun := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	w := &world{channel: "VOICE", begun: begun, clock: begun, end: begun.AddDate(1000, 0, 0), room: 1 << 60, hooks: map[string]string{}}
	w.info = w.infoOf(Contact{Attributes: map[string]string{"plan": "gold"}})
	h := &house{w}
	actions := 0
	e := &ivr.Engine{
		Flows: h, Directory: h, Speaker: h, Random: func(int) int { return 50 }, Clock: func() time.Time { return w.clock },
		Observe: func(string, string) { actions++ },
	}
	w.cancel = func() {}
	r := ivr.Run{Flow: flow, Participant: &voice{anyone{w}}, Contact: &person{w}}
	b.ReportAllocs()
	for b.Loop() {
		w.events = w.events[:0]
		if out, err := e.Run(b.Context(), r); err != nil || out != ivr.Disconnected {
			b.Fatal(out, err)
		}
	}
	b.ReportMetric(float64(actions)/b.Elapsed().Seconds(), "actions/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(actions), "ns/action")
}

// BenchmarkCorpus is what all tests of the corpus take: how fast flows are tried out.
func BenchmarkCorpus(b *testing.B) {
	var runners []Runner
	for _, file := range corpusFiles(b) {
		raw, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		s, err := Parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		runners = append(runners, Runner{Suite: s, Load: Beside(file)})
	}
	contacts := 0
	for b.Loop() {
		for i := range runners {
			results, err := runners[i].Run(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			contacts += len(results)
		}
	}
	b.ReportMetric(float64(contacts)/b.Elapsed().Seconds(), "contacts/s")
}
