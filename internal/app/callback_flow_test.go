package app

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/sip/siptest"
)

func TestACallbackBeginsWithItsFlow(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 31}, func(ctx context.Context, f *floor) {
		q := f.callOut()
		publish := func(name string, actions ...string) string {
			flow := &ivr.Flow{Meta: resource.Meta{InstanceID: f.stage.id, Name: name}, Type: ivr.TypeInbound}
			flow.Content = `{"Version":"2019-10-30","StartAction":"1","Metadata":{},"Actions":[` + strings.Join(actions, ",") + `]}`
			f.must(f.app.flows.Create(ctx, flow, ivr.Published))
			return flow.ID
		}
		bye := action("bye", "DisconnectParticipant", `{}`, "")
		creation := publish("creation",
			action("1", "MessageParticipant", `{"Text":"nobody hears this"}`, "bye", "2<-NoMatchingError"),
			action("2", "UpdateContactAttributes", `{"Attributes":{"flow":"$.InitiationMethod of $.Attributes.why","TargetContact":"x"}}`, "3", "bye<-NoMatchingError"),
			action("3", "UpdateContactRecordingBehavior", `{"RecordingBehavior":{"RecordedParticipants":["Agent","Customer"]}}`, "4"),
			action("4", "UpdateContactRoutingBehavior", `{"QueuePriority":"2"}`, "5"),
			action("5", "UpdateContactTargetQueue", fmt.Sprintf(`{"QueueId":%q}`, q.ID), "6", "bye<-NoMatchingError"),
			action("6", "TransferContactToQueue", `{}`, "", "bye<-QueueAtCapacity", "bye<-NoMatchingError"), bye)
		nothing := publish("nothing", action("1", "UpdateContactAttributes", `{"Attributes":{"a":"b"}}`, "bye", "bye<-NoMatchingError"), bye)
		f.carrier.SetAnswer(siptest.AnswerBehaviour{After: 2 * time.Second})
		f.phone("kim").SetAnswer(siptest.AnswerBehaviour{After: time.Second})
		f.must(f.stage.status(ctx, f.agents["kim"].userID, "Available"))
		back := ivr.Callback{
			InstanceID: f.stage.id, ContactID: "the-one-that-asked", Queue: q, Number: "+821012340009", Delay: time.Hour, Attempts: 1,
			CallerNumber: "+8215880001", Attributes: map[string]string{"why": "broken"}, FlowID: nothing,
		}
		f.must(f.app.engine.Callbacks.CreateCallback(ctx, back))
		time.Sleep(2 * time.Minute)
		if rs := contactsOf(t, f.trial); len(rs) != 0 {
			t.Fatalf("a callback whose flow hangs up became %+v", rs)
		}
		back.FlowID = creation
		f.must(f.app.engine.Callbacks.CreateCallback(ctx, back))
		asked := time.Now()
		agent, err := f.phone("kim").NextCall(ctx)
		f.must(err)
		if waited := time.Since(asked); waited > time.Minute {
			t.Errorf("the delay was counted: the agent rang after %s", waited)
		}
		f.must(agent.WaitConfirmed(ctx))
		customer, err := f.carrier.NextCall(ctx)
		f.must(err)
		f.must(customer.WaitConfirmed(ctx))
		time.Sleep(5 * time.Second)
		customer.Hangup()
		_, err = agent.WaitEnded(ctx)
		f.must(err)
		time.Sleep(5 * time.Minute)
		rs := contactsOf(t, f.trial)
		if len(rs) != 1 {
			t.Fatalf("%d contacts", len(rs))
		}
		r := rs[0]
		if r.InitiationMethod != contact.Callback || r.Attributes["flow"] != "CALLBACK of broken" || r.Attributes["why"] != "broken" || len(r.Recordings) != 1 {
			t.Errorf("the record is %+v", r)
		}
		for _, kind := range []string{jobCallback, jobCallbackFlow} {
			if alive, buried, err := f.app.db.Count(ctx, kind); alive+buried != 0 || err != nil {
				t.Errorf("%s: %d jobs alive, %d buried, %v", kind, alive, buried, err)
			}
		}
	})
}
