package app

import (
	"context"
	"slices"
	"testing"
	"time"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/sip"
	"ullim/sip/siptest"
)

// callOut lets the carrier take calls, and gives the queue of the floor.
func (f *floor) callOut() ivr.QueueRef {
	f.t.Helper()
	addr := f.carrier.Addr()
	list, err := resource.All(f.t.Context(), f.app.stores.trunks, f.stage.id)
	f.must(err)
	_, err = resource.Edit(f.t.Context(), f.app.stores.trunks, f.stage.id, list[0].ID, func(t *sip.Trunk) error {
		t.Gateways = []sip.Gateway{{Host: addr.Addr().String(), Port: int(addr.Port())}}
		return nil
	})
	f.must(err)
	q, err := f.app.dir.queue(f.stage.id, f.act.queue)
	f.must(err)
	return q
}

func TestACustomerIsCalledBackWhenAnAgentIsThere(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 21}, func(ctx context.Context, f *floor) {
		q := f.callOut()
		f.carrier.SetAnswer(siptest.AnswerBehaviour{After: 3 * time.Second})
		f.phone("kim").SetAnswer(siptest.AnswerBehaviour{After: time.Second})
		f.must(f.stage.status(ctx, f.agents["kim"].userID, "Available"))
		asked := time.Now()
		f.must(f.app.engine.Callbacks.CreateCallback(ctx, ivr.Callback{
			InstanceID: f.stage.id, ContactID: "the-one-that-asked", Queue: q, Number: "+821012340009", Delay: 30 * time.Second, Attempts: 1,
			CallerNumber: "+8215880001", Attributes: map[string]string{"why": "broken"},
		}))
		agent, err := f.phone("kim").NextCall(ctx)
		f.must(err)
		if waited := time.Since(asked); waited < 30*time.Second {
			t.Errorf("the agent rang after %s", waited)
		}
		f.must(agent.WaitConfirmed(ctx))
		customer, err := f.carrier.NextCall(ctx)
		f.must(err)
		f.loud(agent, "agent, while the customer rings", true)
		f.must(customer.WaitConfirmed(ctx))
		time.Sleep(2 * time.Second)
		f.hears(agent, "agent", f.carrier.Voice(), true)
		f.hears(customer, "customer", f.phone("kim").Voice(), true)
		agent.Hangup()
		_, err = customer.WaitEnded(ctx)
		f.must(err)
		time.Sleep(5 * time.Minute) // nobody is called again
		rs := contactsOf(t, f.trial)
		if len(rs) != 1 {
			t.Fatalf("%d contacts", len(rs))
		}
		r := rs[0]
		if r.InitiationMethod != contact.Callback || r.Attributes["why"] != "broken" || r.PreviousContactID != "the-one-that-asked" ||
			r.Agent == nil || r.Agent.ConnectedToAgentTimestamp.IsZero() || r.AttemptTimestamp.IsZero() || r.Queue.DequeueTimestamp.IsZero() {
			t.Errorf("record %+v", r)
		}
		if alive, buried, err := f.app.db.Count(ctx, jobCallback); alive+buried != 0 || err != nil {
			t.Errorf("%d jobs alive, %d buried, %v", alive, buried, err)
		}
	})
}

func TestACallbackThatIsNotAnsweredIsTriedAsOftenAsAskedFor(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 22}, func(ctx context.Context, f *floor) {
		q := f.callOut()
		f.carrier.SetAnswer(siptest.AnswerBehaviour{Reject: 486, After: time.Second})
		f.phone("kim").SetAnswer(siptest.AnswerBehaviour{After: time.Second})
		f.must(f.stage.status(ctx, f.agents["kim"].userID, "Available"))
		f.must(f.app.engine.Callbacks.CreateCallback(ctx, ivr.Callback{
			InstanceID: f.stage.id, ContactID: "x", Queue: q, Number: "+821012340009", Attempts: 3, RetryDelay: 10 * time.Minute,
			CallerNumber: "+8215880001",
		}))
		time.Sleep(2 * time.Hour)
		rs := contactsOf(t, f.trial)
		slices.SortFunc(rs, func(a, b *contact.Record) int { return a.InitiationTimestamp.Compare(b.InitiationTimestamp) })
		if len(rs) != 3 {
			t.Fatalf("%d attempts, want 3", len(rs))
		}
		for i, r := range rs {
			if r.DisconnectReason != contact.OutboundAttemptFailed || r.AttemptTimestamp.IsZero() {
				t.Errorf("attempt %d: %s, %s", i, r.DisconnectReason, r.DisconnectDetail)
			}
			if i > 0 && r.InitiationTimestamp.Sub(rs[i-1].DisconnectTimestamp) < 10*time.Minute {
				t.Errorf("attempt %d came %s after the one before", i, r.InitiationTimestamp.Sub(rs[i-1].DisconnectTimestamp))
			}
		}
	})
}

func TestACallbackIsNotBegunAgainForAnAttemptThatWasMade(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	p := callbackJob{Attempts: 2, Retry: time.Hour}
	for _, row := range []struct {
		name   string
		record contact.Record
		over   bool
		next   time.Duration
	}{
		{"the process ended while it waited", contact.Record{DisconnectReason: contact.Other}, false, callbackPutOff},
		{"somebody stopped it", contact.Record{DisconnectReason: contact.AgentDisconnect}, true, callbackPutOff},
		{"called, not answered", contact.Record{AttemptTimestamp: now, DisconnectReason: contact.OutboundAttemptFailed}, false, time.Hour},
		{"the process ended while it rang", contact.Record{AttemptTimestamp: now, DisconnectReason: contact.Other}, false, time.Hour},
		{"answered", contact.Record{AttemptTimestamp: now, ConnectedToSystemTimestamp: now}, true, -1},
	} {
		row.record.DisconnectTimestamp = now
		made := 0
		next, over := afterAttempt(&row.record, p, &made)
		if over != row.over || row.next >= 0 && next.Sub(now) != row.next {
			t.Errorf("%s: over %v, next after %s", row.name, over, next.Sub(now))
		}
	}
	made := 1
	if _, over := afterAttempt(&contact.Record{AttemptTimestamp: now}, p, &made); !over {
		t.Error("a third attempt would be made of two")
	}
}

// flow publishes a flow of the test and lets the floor's number answer with it.
func (f *floor) answerWith(content string) {
	f.t.Helper()
	flow := &ivr.Flow{Meta: f.stage.meta("tested"), Type: ivr.TypeInbound, Content: content}
	f.must(f.app.flows.Create(f.t.Context(), flow, ivr.Published))
	n, err := f.app.stores.numbers.GetByName(f.t.Context(), f.stage.id, f.act.number)
	f.must(err)
	_, err = resource.Edit(f.t.Context(), f.app.stores.numbers, f.stage.id, n.ID, func(n *call.Number) error {
		n.FlowID = flow.ID
		return nil
	})
	f.must(err)
}

// toThirdParty calls somebody outside; afterwards, and if that fails, the caller hears a word and is let go.
const toThirdParty = `{"Version":"2019-10-30","StartAction":"Out","Actions":[
	{"Identifier":"Out","Type":"TransferParticipantToThirdParty","Parameters":{"ThirdPartyPhoneNumber":"+821012340007",
	 "ThirdPartyConnectionTimeLimitSeconds":"20","ContinueFlowExecution":"True","ThirdPartyDTMFDigits":"12,3"},
	 "Transitions":{"NextAction":"Note","Errors":[{"NextAction":"Failed","ErrorType":"CallFailed"},
	 {"NextAction":"Late","ErrorType":"ConnectionTimeLimitExceeded"},{"NextAction":"Failed","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Note","Type":"UpdateContactAttributes","Parameters":{"Attributes":{"came":"back"}},
	 "Transitions":{"NextAction":"Bye","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Failed","Type":"UpdateContactAttributes","Parameters":{"Attributes":{"came":"refused"}},
	 "Transitions":{"NextAction":"Bye","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Late","Type":"UpdateContactAttributes","Parameters":{"Attributes":{"came":"late"}},
	 "Transitions":{"NextAction":"Bye","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Bye","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`

func TestAFlowHandsTheCallerToAThirdPartyByTheTrunkAndGoesOn(t *testing.T) {
	for want, answer := range map[string]siptest.AnswerBehaviour{
		"back": {After: 2 * time.Second}, "refused": {Reject: 486, After: time.Second}, "late": {RingOnly: true},
	} {
		t.Run(want, func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 23}, func(ctx context.Context, f *floor) {
				f.callOut()
				f.answerWith(toThirdParty)
				f.carrier.SetAnswer(answer)
				c, err := f.carrier.Call(ctx, f.act.number, f.act.from, siptest.CallOptions{Voice: siptest.Voice("caller")})
				f.must(err)
				third, err := f.carrier.NextCall(ctx)
				f.must(err)
				if want == "back" {
					f.must(third.WaitConfirmed(ctx))
					time.Sleep(5 * time.Second)
					f.hears(c, "caller", f.carrier.Voice(), true)
					f.hears(third, "third party", siptest.Voice("caller"), true)
					if got := third.ReceivedDigits(); got != "123" {
						t.Errorf("the third party was sent the keys %q", got)
					}
					third.Hangup()
				}
				_, err = c.WaitEnded(ctx)
				f.must(err)
				_, _ = third.WaitEnded(ctx)
				time.Sleep(time.Second)
				if r := contactsOf(t, f.trial)[0]; r.Attributes["came"] != want || r.DisconnectReason != contact.ContactFlowDisconnect {
					t.Errorf("record %+v", r)
				}
			})
		})
	}
}

// toSkilled wants an agent who speaks Korean for half a minute.
const toSkilled = `{"Version":"2019-10-30","StartAction":"Choose","Actions":[
	{"Identifier":"Choose","Type":"UpdateContactTargetQueue","Parameters":{"QueueId":"Sales"},
	 "Transitions":{"NextAction":"Prefer","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Prefer","Type":"UpdateContactRoutingCriteria","Parameters":{"RoutingCriteria":{"Steps":[{"Expression":{"AttributeCondition":
	 {"Name":"language","Value":"ko","ProficiencyLevel":"3","ComparisonOperator":"NumberGreaterOrEqualTo"}},"Expiry":{"DurationInSeconds":"30"}}]}},
	 "Transitions":{"NextAction":"Wait","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Wait","Type":"TransferContactToQueue","Parameters":{},
	 "Transitions":{"Errors":[{"NextAction":"Bye","ErrorType":"QueueAtCapacity"},{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Bye","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`

func TestACallerWaitsForASkilledAgentAndThenForAnybody(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 25}, func(ctx context.Context, f *floor) {
		f.answerWith(toSkilled)
		f.must(f.stage.status(ctx, f.agents["kim"].userID, "Available"))
		c, err := f.carrier.Call(ctx, f.act.number, f.act.from, siptest.CallOptions{})
		f.must(err)
		f.must(c.WaitAnswered(ctx))
		begun := time.Now()
		agent, err := f.phone("kim").NextCall(ctx)
		f.must(err)
		if waited := time.Since(begun); waited < 29*time.Second || waited > 35*time.Second {
			t.Errorf("an agent without the skill rang after %s, want half a minute", waited)
		}
		agent.Hangup()
		c.Hangup()
		_, _ = c.WaitEnded(ctx)
		time.Sleep(30 * time.Second)
		f.must(f.stage.status(ctx, f.agents["kim"].userID, "Offline"))
		_, err = resource.Edit(ctx, f.app.stores.users, f.stage.id, f.agents["kim"].userID, func(u *identity.User) error {
			u.Proficiencies = []identity.Proficiency{{Name: "language", Value: "ko", Level: 4}}
			return nil
		})
		f.must(err)
		f.must(f.stage.status(ctx, f.agents["kim"].userID, "Available"))
		c, err = f.carrier.Call(ctx, f.act.number, f.act.from, siptest.CallOptions{})
		f.must(err)
		f.must(c.WaitAnswered(ctx))
		begun = time.Now()
		_, err = f.phone("kim").NextCall(ctx)
		f.must(err)
		if waited := time.Since(begun); waited > 5*time.Second {
			t.Errorf("the agent with the skill rang after %s", waited)
		}
		c.Hangup()
		_, _ = c.WaitEnded(ctx)
	})
}

// toAgent puts the caller into the queue of one agent.
const toAgent = `{"Version":"2019-10-30","StartAction":"Choose","Actions":[
	{"Identifier":"Choose","Type":"UpdateContactTargetQueue","Parameters":{"AgentId":"kim"},
	 "Transitions":{"NextAction":"Wait","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Wait","Type":"TransferContactToQueue","Parameters":{},
	 "Transitions":{"Errors":[{"NextAction":"Bye","ErrorType":"QueueAtCapacity"},{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Bye","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`

func TestACallerWaitsForOneAgentAlone(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 24}, func(ctx context.Context, f *floor) {
		f.answerWith(toAgent)
		f.must(f.stage.status(ctx, f.agents["lee"].userID, "Available")) // free, and not asked
		c, err := f.carrier.Call(ctx, f.act.number, f.act.from, siptest.CallOptions{Voice: siptest.Voice("caller")})
		f.must(err)
		f.must(c.WaitAnswered(ctx))
		time.Sleep(time.Minute)
		f.must(f.stage.status(ctx, f.agents["kim"].userID, "Available"))
		agent, err := f.phone("kim").NextCall(ctx)
		f.must(err)
		f.must(agent.WaitConfirmed(ctx))
		time.Sleep(8 * time.Second) // the whispers
		f.hears(c, "caller", f.phone("kim").Voice(), true)
		c.Hangup()
		_, err = agent.WaitEnded(ctx)
		f.must(err)
		time.Sleep(time.Second)
		if r := contactsOf(t, f.trial)[0]; r.Queue == nil || r.Queue.Name != "kim" || r.Agent == nil || r.AgentConnectionAttempts != 1 {
			t.Errorf("record %+v", r)
		}
	})
}
