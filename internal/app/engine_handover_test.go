package app

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/sip/siptest"
)

// desk is a second queue of the floor, which lee and park serve instead of the first.
func (f *floor) desk(ctx context.Context, open bool) (queueID string) {
	f.t.Helper()
	hours, err := f.stage.hours(ctx, "desk hours", open)
	f.must(err)
	profile, err := f.stage.queue(ctx, "Desk", hours, 20)
	f.must(err)
	for _, name := range []string{"lee", "park"} {
		_, err = resource.Edit(ctx, f.app.stores.users, f.stage.id, f.agents[name].userID, func(u *identity.User) error {
			u.RoutingProfileID = profile
			return nil
		})
		f.must(err)
	}
	q, err := f.app.stores.queues.GetByName(ctx, f.stage.id, "Desk")
	f.must(err)
	return q.ID
}

// corpus publishes a flow of the corpus.
func (f *floor) corpus(ctx context.Context, name string, t ivr.FlowType) (id string) {
	f.t.Helper()
	content, err := os.ReadFile("../../ivr/flowtest/corpus/" + name + ".json")
	f.must(err)
	flow := &ivr.Flow{Meta: f.stage.meta(name), Type: t, Content: string(content)}
	f.must(f.app.flows.Create(ctx, flow, ivr.Published))
	return flow.ID
}

// first and next are the two segments of the only call.
func (f *floor) segments() (first, next *contact.Record) {
	f.t.Helper()
	rs := contactsOf(f.t, f.trial)
	i := slices.IndexFunc(rs, func(r *contact.Record) bool { return r.PreviousContactID == "" })
	if len(rs) != 2 || i < 0 {
		f.t.Fatalf("%d records, want two segments: %+v", len(rs), rs)
	}
	return rs[i], rs[1-i]
}

// transferred proves what the records say of a transfer from kim to somebody.
func (f *floor) transferred(to string) (first, next *contact.Record) {
	f.t.Helper()
	first, next = f.segments()
	if first.NextContactID != next.ID || first.TransferCompletedTimestamp.IsZero() || first.TransferredTo == nil || first.Agent.Username != "kim" ||
		first.Agent.AgentInteractionEndTimestamp.IsZero() || first.Agent.DeviceID == "" {
		f.t.Errorf("the segment before: %+v, agent %+v, to %+v", first, first.Agent, first.TransferredTo)
	}
	if next.InitiationMethod != contact.Transfer || next.Agent == nil || next.Agent.Username != to || next.Agent.ConnectedToAgentTimestamp.IsZero() || next.Agent.DeviceID == "" ||
		next.InitiationTimestamp.After(first.TransferCompletedTimestamp) {
		f.t.Errorf("the segment after: %+v, agent %+v", next, next.Agent)
	}
	return first, next
}

// slot is what an agent does with a contact.
func (f *floor) slot(name string) acd.SlotState {
	f.t.Helper()
	center, err := f.app.centers.of(f.stage.id)
	f.must(err)
	a, err := center.CurrentAgent(f.agents[name].userID)
	f.must(err)
	if len(a.Slots) == 0 {
		return ""
	}
	return a.Slots[0].State
}

func (f *floor) id(name string) string { return f.agents[name].userID }

func TestA1_4ATransferToAQueueRunsItsFlowForTheAgentAndReleasesThem(t *testing.T) {
	for _, how := range []string{"api", "refer", "quick connect"} {
		t.Run(how, func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 31}, func(ctx context.Context, f *floor) {
				queue := f.desk(ctx, true)
				customer, agent := f.talk(ctx)
				before := f.live()
				switch how {
				case "api":
					f.must(f.app.calls.Transfer(ctx, f.stage.id, before, f.id("kim"), call.Destination{QueueID: queue}))
				case "refer":
					f.must(agent.Refer(ctx, "Desk", nil))
				default:
					flow := f.corpus(ctx, "transfer-to-queue", ivr.TypeQueueTransfer)
					f.must(f.available(ctx, "park")) // it asks for staff
					f.must(f.app.stores.quick.Create(ctx, &acd.QuickConnect{
						Meta: f.stage.meta("help-desk"), Type: acd.QuickQueue, QueueID: queue, FlowID: flow,
					}))
					f.phone("park").SetAnswer(siptest.AnswerBehaviour{RingOnly: true})
					f.must(agent.Refer(ctx, "help-desk", nil))
				}
				from := time.Now()
				if _, err := agent.WaitEnded(ctx); err != nil {
					t.Fatal(err)
				}
				if how == "api" { // the flow says something to the agent, and not to the customer
					if rms := siptest.RMS(agent.HeardBetween(from.Add(100*time.Millisecond), time.Now().Add(-100*time.Millisecond))); rms < 100 {
						t.Errorf("the agent hears %.0f of the transfer flow", rms)
					}
				}
				if how == "refer" {
					last, err := agent.WaitTransferred(ctx)
					if err != nil || !strings.Contains(last, " 200 ") {
						t.Errorf("told %q, %v", last, err)
					}
				}
				f.loud(customer, "the customer in the second queue", true)
				f.must(f.available(ctx, "lee"))
				lee, err := f.phone("lee").NextCall(ctx)
				f.must(err)
				f.must(lee.WaitConfirmed(ctx))
				time.Sleep(time.Second)
				f.hears(customer, "customer", f.phone("lee").Voice(), true)
				f.hears(lee, "lee", siptest.Voice("caller call 1"), true)
				if s := f.slot("lee"); s != acd.SlotConnected {
					t.Errorf("lee is %s", s)
				}
				lee.Hangup()
				_, err = customer.WaitEnded(ctx)
				f.must(err)
				time.Sleep(2 * time.Second)
				_, next := f.transferred("lee")
				if next.Queue == nil || next.Queue.Name != "Desk" || next.Queue.DequeueTimestamp.IsZero() {
					t.Errorf("queue %+v", next.Queue)
				}
			})
		})
	}
}

func TestATransferFlowThatDoesNotTransferGivesTheCustomerBack(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 32}, func(ctx context.Context, f *floor) {
		queue := f.desk(ctx, false) // the flow looks at the hours
		flow := f.corpus(ctx, "transfer-to-queue", ivr.TypeQueueTransfer)
		customer, agent := f.talk(ctx)
		f.must(f.app.calls.Transfer(ctx, f.stage.id, f.live(), f.id("kim"), call.Destination{QueueID: queue, TransferFlowID: flow}))
		if err := f.app.calls.Transfer(ctx, f.stage.id, f.live(), f.id("kim"), call.Destination{QueueID: queue}); err == nil {
			t.Error("two transfers at once")
		}
		time.Sleep(200 * time.Millisecond)
		f.loud(agent, "kim, in the flow", true)
		f.must(f.act.await(ctx, "transfer failed"))
		f.hears(customer, "customer", f.phone("kim").Voice(), true)
		f.hears(agent, "kim", siptest.Voice("caller call 1"), true)
		customer.Hangup()
		_, err := agent.WaitEnded(ctx)
		f.must(err)
		time.Sleep(2 * time.Second)
		rs := contactsOf(t, f.trial)
		if len(rs) != 1 || rs[0].Agent.Holds.Count != 1 || rs[0].Agent.Holds.Duration < time.Second || rs[0].Agent.Holds.ByAgent != rs[0].Agent.Holds.Duration ||
			!rs[0].TransferCompletedTimestamp.IsZero() {
			t.Errorf("%d records, holds %+v", len(rs), rs[0].Agent.Holds)
		}
	})
}

func TestATransferToAnAgentIsAnOfferOfTheirOwnQueue(t *testing.T) {
	for _, how := range []string{"api", "refer"} {
		t.Run(how, func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 33}, func(ctx context.Context, f *floor) {
				flow := f.corpus(ctx, "transfer-to-agent", ivr.TypeAgentTransfer) // says the name of whom it is for
				customer, agent := f.talk(ctx)
				f.must(f.available(ctx, "lee"))
				f.phone("lee").SetAnswer(siptest.AnswerBehaviour{After: 6 * time.Second})
				if how == "api" {
					f.must(f.app.calls.Transfer(ctx, f.stage.id, f.live(), f.id("kim"), call.Destination{UserID: f.id("lee"), TransferFlowID: flow}))
				} else {
					f.must(agent.Refer(ctx, "lee", nil))
				}
				f.loud(customer, "customer, meanwhile", true)
				lee, err := f.phone("lee").NextCall(ctx)
				f.must(err)
				if s := f.slot("lee"); s != acd.SlotOffered {
					t.Errorf("lee is %q while the phone rings", s)
				}
				f.must(lee.WaitConfirmed(ctx))
				_, err = agent.WaitEnded(ctx)
				f.must(err)
				time.Sleep(time.Second)
				f.hears(customer, "customer", f.phone("lee").Voice(), true)
				f.hears(lee, "lee", siptest.Voice("caller call 1"), true)
				if s := f.slot("lee"); s != acd.SlotConnected {
					t.Errorf("lee is %q while they talk", s)
				}
				customer.Hangup()
				_, err = lee.WaitEnded(ctx)
				f.must(err)
				time.Sleep(500 * time.Millisecond)
				if s := f.slot("lee"); s != acd.SlotACW {
					t.Errorf("lee is %q afterwards", s)
				}
				f.transferred("lee")
			})
		})
	}
}

func TestATransferToAnAgentWhoIsNotAvailableGivesTheCustomerBack(t *testing.T) {
	for _, row := range []struct {
		name    string
		prepare func(ctx context.Context, f *floor)
	}{
		{"on a break", func(ctx context.Context, f *floor) {
			f.must(f.app.stores.statuses.Create(ctx, &acd.AgentStatus{Meta: f.stage.meta("Break"), Type: acd.Custom}))
			time.Sleep(time.Second)
			f.must(f.stage.status(ctx, f.id("lee"), "Break"))
		}},
		{"busy", func(ctx context.Context, f *floor) {
			f.phone("park").SetAnswer(siptest.AnswerBehaviour{})
			c, err := f.phone("lee").Invite(ctx, "park", siptest.CallOptions{})
			f.must(err)
			f.must(c.WaitAnswered(ctx))
		}},
		{"refuses", func(ctx context.Context, f *floor) {
			f.must(f.available(ctx, "lee"))
			f.phone("lee").SetAnswer(siptest.AnswerBehaviour{Reject: 603})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 34}, func(ctx context.Context, f *floor) {
				customer, agent := f.talk(ctx)
				row.prepare(ctx, f)
				f.must(agent.Refer(ctx, "lee", nil))
				last, err := agent.WaitTransferred(ctx)
				if err != nil || strings.Contains(last, " 200 ") {
					t.Errorf("told %q, %v", last, err)
				}
				f.hears(customer, "customer", f.phone("kim").Voice(), true)
				f.hears(agent, "kim", siptest.Voice("caller call 1"), true)
			})
		})
	}
}

func TestABlindTransferThatNobodyAnswersBringsTheCustomerToTheFrontOfTheQueue(t *testing.T) {
	for _, status := range []string{"Available", "Offline"} {
		t.Run(status, func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 35}, func(ctx context.Context, f *floor) {
				customer, agent := f.talk(ctx)
				f.must(f.stage.status(ctx, f.id("lee"), status))
				f.must(f.stage.status(ctx, f.id("kim"), "Offline")) // afterwards
				f.phone("lee").SetAnswer(siptest.AnswerBehaviour{RingOnly: true})
				f.must(f.app.calls.Transfer(ctx, f.stage.id, f.live(), f.id("kim"), call.Destination{UserID: f.id("lee")}))
				_, err := agent.WaitEnded(ctx)
				f.must(err)
				for len(contactsOf(t, f.trial)) < 2 && ctx.Err() == nil {
					time.Sleep(time.Second)
				}
				f.phone("park").SetAnswer(siptest.AnswerBehaviour{})
				f.must(f.available(ctx, "park"))
				park, err := f.phone("park").NextCall(ctx)
				f.must(err)
				f.must(park.WaitConfirmed(ctx))
				time.Sleep(time.Second)
				f.hears(customer, "customer", f.phone("park").Voice(), true)
				customer.Hangup()
				_, err = park.WaitEnded(ctx)
				f.must(err)
				time.Sleep(2 * time.Second)
				first, next := f.segments()
				if next.InitiationMethod != contact.QueueTransfer || next.Queue.ID != first.Queue.ID || next.Agent.Username != "park" ||
					first.AgentConnectionAttempts != 1 {
					t.Errorf("queued again: %+v, first %+v", next, first)
				}
			})
		})
	}
}

func TestAnAgentConsultsAndLeavesTheTwoTogether(t *testing.T) {
	for _, row := range []struct{ to, status string }{{"user", "Available"}, {"user", "Offline"}, {"queue", "Available"}} {
		t.Run(row.to+" "+row.status, func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 36}, func(ctx context.Context, f *floor) {
				queue := f.desk(ctx, true)
				customer, agent := f.talk(ctx)
				f.must(f.stage.status(ctx, f.id("lee"), row.status))
				f.phone("lee").SetAnswer(siptest.AnswerBehaviour{After: 4 * time.Second})
				to := call.Destination{UserID: f.id("lee")}
				if row.to == "queue" {
					to = call.Destination{QueueID: queue}
				}
				kim, caller := f.phone("kim").Voice(), siptest.Voice("caller call 1")
				f.must(f.app.calls.Consult(ctx, f.stage.id, f.live(), f.id("kim"), to))
				f.loud(customer, "customer on hold", true)
				lee, err := f.phone("lee").NextCall(ctx)
				f.must(err)
				f.must(lee.WaitConfirmed(ctx))
				time.Sleep(time.Second)
				f.hears(agent, "kim, consulting", f.phone("lee").Voice(), true)
				f.hears(lee, "lee, consulted", kim, true)
				f.hears(customer, "customer on hold", kim, false)
				if s := f.slot("lee"); row.status == "Available" && s != acd.SlotConnected {
					t.Errorf("lee is %q", s)
				}
				f.must(f.app.calls.Leave(ctx, f.stage.id, f.first().ID, f.id("kim")))
				_, err = agent.WaitEnded(ctx)
				f.must(err)
				f.hears(customer, "customer", f.phone("lee").Voice(), true)
				f.hears(lee, "lee", caller, true)
				lee.Hangup()
				_, err = customer.WaitEnded(ctx)
				f.must(err)
				time.Sleep(2 * time.Second)
				first, next := f.transferred("lee")
				if h := first.Agent.Holds; h.Count != 1 || h.Longest < 6*time.Second || next.Agent.Holds.Count != 0 {
					t.Errorf("holds %+v, then %+v", h, next.Agent.Holds)
				}
				if len(first.Recordings) != 1 || len(next.Recordings) != 1 {
					t.Errorf("%d and %d recordings", len(first.Recordings), len(next.Recordings))
				}
			})
		})
	}
}

// first is the first segment of the only call.
func (f *floor) first() *contact.Record {
	f.t.Helper()
	rs := contactsOf(f.t, f.trial)
	return rs[slices.IndexFunc(rs, func(r *contact.Record) bool { return r.PreviousContactID == "" })]
}

func TestAConsultationBecomesAConferenceOrIsCalledOff(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 37}, func(ctx context.Context, f *floor) {
		f.desk(ctx, true)
		customer, agent := f.talk(ctx)
		kim, caller := f.phone("kim").Voice(), siptest.Voice("caller call 1")
		f.must(f.available(ctx, "lee"))
		f.phone("lee").SetAnswer(siptest.AnswerBehaviour{RingOnly: true})
		id := f.live()
		number := func(who func(p call.Participant) bool) int {
			list, err := f.app.calls.Participants(f.stage.id, id)
			f.must(err)
			return list[slices.IndexFunc(list, who)].ID
		}
		theCustomer := number(func(p call.Participant) bool { return p.Customer })
		f.must(f.app.calls.Consult(ctx, f.stage.id, id, f.id("kim"), call.Destination{UserID: f.id("lee")}))
		rings, err := f.phone("lee").NextCall(ctx)
		f.must(err)
		time.Sleep(time.Second)
		f.must(f.app.calls.Hold(ctx, f.stage.id, id, theCustomer, false)) // taken back
		_, err = rings.WaitEnded(ctx)
		f.must(err)
		f.hears(customer, "customer, taken back", kim, true)
		f.hears(agent, "kim", caller, true)

		f.phone("lee").SetAnswer(siptest.AnswerBehaviour{})
		f.must(f.app.calls.Consult(ctx, f.stage.id, id, f.id("kim"), call.Destination{UserID: f.id("lee")}))
		lee, err := f.phone("lee").NextCall(ctx)
		f.must(err)
		f.must(lee.WaitConfirmed(ctx))
		time.Sleep(2 * time.Second)
		f.must(f.app.calls.Hold(ctx, f.stage.id, id, theCustomer, false)) // all three
		from := time.Now()
		time.Sleep(4 * time.Second)
		for _, x := range []struct {
			who string
			c   *siptest.Call
			v   siptest.Source
		}{{"customer", customer, kim}, {"customer", customer, f.phone("lee").Voice()}, {"lee", lee, caller}, {"kim", agent, caller}} {
			if s := siptest.Share(x.c.HeardBetween(from.Add(500*time.Millisecond), time.Now()), x.v); s < 0.3 {
				t.Errorf("%s hears %.2f", x.who, s)
			}
		}
		f.must(f.app.calls.Remove(ctx, f.stage.id, id, number(func(p call.Participant) bool { return p.UserID == f.id("lee") })))
		_, err = lee.WaitEnded(ctx)
		f.must(err)
		time.Sleep(500 * time.Millisecond)
		if s := f.slot("lee"); s != acd.SlotACW {
			t.Errorf("lee is %q", s)
		}
		f.hears(customer, "customer, with kim alone", kim, true)
		customer.Hangup()
		_, err = agent.WaitEnded(ctx)
		f.must(err)
		time.Sleep(2 * time.Second)
		first, beside := f.segments()
		if first.NextContactID != "" || beside.PreviousContactID != first.ID || beside.Agent.Username != "lee" || beside.DisconnectReason != contact.AgentDisconnect {
			t.Errorf("first %+v, beside %+v", first, beside)
		}
		if h := first.Agent.Holds; h.Count != 2 {
			t.Errorf("holds %+v", h)
		}
	})
}

func TestTransfersToNumbersAndFlows(t *testing.T) {
	t.Run("number, blind", func(t *testing.T) {
		inFloor(t, siptest.NetworkOptions{Seed: 38}, func(ctx context.Context, f *floor) {
			f.callOut()
			customer, agent := f.talk(ctx)
			f.carrier.SetAnswer(siptest.AnswerBehaviour{After: 2 * time.Second})
			f.must(f.app.calls.Transfer(ctx, f.stage.id, f.live(), f.id("kim"), call.Destination{Number: "+82215778000"}))
			out, err := f.carrier.NextCall(ctx)
			f.must(err)
			_, err = agent.WaitEnded(ctx)
			f.must(err)
			f.must(out.WaitConfirmed(ctx))
			f.hears(customer, "customer", f.carrier.Voice(), true)
			customer.Hangup()
			_, err = out.WaitEnded(ctx)
			f.must(err)
			time.Sleep(2 * time.Second)
			if first, next := f.segments(); first.TransferredTo == nil || first.TransferredTo.Address != "+82215778000" || next.InitiationMethod != contact.Transfer {
				t.Errorf("%+v then %+v", first, next)
			}
		})
	})
	t.Run("number, consulted and busy", func(t *testing.T) {
		inFloor(t, siptest.NetworkOptions{Seed: 39}, func(ctx context.Context, f *floor) {
			f.callOut()
			customer, agent := f.talk(ctx)
			f.carrier.SetAnswer(siptest.AnswerBehaviour{Reject: 486, After: time.Second})
			f.must(f.app.calls.Consult(ctx, f.stage.id, f.live(), f.id("kim"), call.Destination{Number: "+82215778000"}))
			f.must(f.act.await(ctx, "transfer failed"))
			f.hears(customer, "customer", f.phone("kim").Voice(), true)
			f.hears(agent, "kim", siptest.Voice("caller call 1"), true)
		})
	})
	t.Run("flow", func(t *testing.T) {
		inFloor(t, siptest.NetworkOptions{Seed: 40}, func(ctx context.Context, f *floor) {
			customer, agent := f.talk(ctx)
			flow, err := f.app.flows.Default(ctx, f.stage.id, ivr.TypeInbound)
			f.must(err)
			if err = f.app.calls.Consult(ctx, f.stage.id, f.live(), f.id("kim"), call.Destination{FlowID: flow.ID}); err == nil {
				t.Error("a flow is consulted")
			}
			f.must(f.app.calls.Transfer(ctx, f.stage.id, f.live(), f.id("kim"), call.Destination{FlowID: flow.ID}))
			_, err = agent.WaitEnded(ctx)
			f.must(err)
			f.loud(customer, "customer in the flow", true)
			customer.Hangup()
			time.Sleep(2 * time.Second)
			if first, next := f.segments(); first.TransferredTo.Type != contact.ContactFlow || next.FlowID != flow.ID {
				t.Errorf("%+v then %+v", first, next)
			}
		})
	})
}
