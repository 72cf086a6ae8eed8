package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/sip/siptest"
)

// runsFlow takes an error branch, says something and hangs up.
const runsFlow = `{"Version":"2019-10-30","StartAction":"Queue","Actions":[
	{"Identifier":"Queue","Type":"UpdateContactTargetQueue","Parameters":{"QueueId":"$.Attributes.nowhere"},
	 "Transitions":{"NextAction":"Say","Errors":[{"NextAction":"Say","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Say","Type":"MessageParticipant","Parameters":{"Text":"Goodbye."},
	 "Transitions":{"NextAction":"Bye","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Bye","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`

func TestARealCallIsInTheRunLog(t *testing.T) {
	for name, all := range map[string]bool{"errors only": false, "everything, when the instance asks": true} {
		t.Run(name, func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 5}, func(ctx context.Context, f *floor) {
				_, err := resource.Edit(ctx, f.app.stores.instances, f.stage.id, f.stage.id, func(i *identity.Instance) error {
					i.FlowLogs = all
					return nil
				})
				f.must(err)
				f.answerWith(runsFlow)
				c, err := f.carrier.Call(ctx, f.act.number, f.act.from, siptest.CallOptions{Voice: siptest.Voice("caller")})
				f.must(err)
				_, err = c.WaitEnded(ctx)
				f.must(err)
				time.Sleep(3 * time.Second)
				runs, _, err := f.app.db.Runs(ctx, ivr.RunQuery{InstanceID: f.stage.id, ContactID: contactsOf(t, f.trial)[0].ID}, resource.Page{})
				f.must(err)
				want := []string{"Queue"}
				if all {
					want = []string{"Queue", "Say", "Bye"}
				}
				if len(runs) != len(want) {
					t.Fatalf("%d runs: %+v", len(runs), runs)
				}
				for i, r := range runs {
					if r.ActionID != want[i] || !strings.HasPrefix(r.FlowName, "tested ") || r.FlowVersion != 1 || r.FlowType != ivr.TypeInbound {
						t.Errorf("run %d: %+v", i, r)
					}
				}
				if runs[0].ErrorType != "NoMatchingError" || runs[0].Error == "" || runs[0].Next != "Say" {
					t.Errorf("the error: %+v", runs[0])
				}
				if all && (runs[1].Duration < 300*time.Millisecond || string(runs[2].Outcome) != "disconnected") {
					t.Errorf("the rest: %+v", runs[1:])
				}
			})
		})
	}
}
