package app

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/sip/siptest"
)

// live is the id of the only contact in progress.
func (f *floor) live() string {
	f.t.Helper()
	for _, r := range contactsOf(f.t, f.trial) {
		if r.DisconnectTimestamp.IsZero() {
			return r.ID
		}
	}
	f.t.Fatal("no contact is in progress")
	return ""
}

func TestASupervisorListensCoachesAndBargesIn(t *testing.T) {
	for _, row := range []struct {
		role            call.Role
		agent, customer bool // hear the supervisor
	}{{call.Monitor, false, false}, {call.Coach, true, false}, {call.Speaker, true, true}} {
		t.Run(fmt.Sprint(row.role), func(t *testing.T) {
			inFloor(t, siptest.NetworkOptions{Seed: 9}, func(ctx context.Context, f *floor) {
				customer, agent := f.talk(ctx)
				kim, lee, caller := f.phone("kim").Voice(), f.phone("lee").Voice(), siptest.Voice("caller call 1")
				f.phone("lee").SetAnswer(siptest.AnswerBehaviour{})
				f.must(f.app.calls.Invite(ctx, f.stage.id, f.live(), call.Invitation{
					UserID: f.agents["lee"].userID, Supervisor: true, Hears: row.role,
				}))
				boss, err := f.phone("lee").NextCall(ctx)
				f.must(err)
				f.must(boss.WaitConfirmed(ctx))
				share := func(c *siptest.Call, from time.Time, v siptest.Source) float64 {
					return siptest.Share(c.HeardBetween(from.Add(500*time.Millisecond), time.Now()), v)
				}
				from := time.Now()
				time.Sleep(4 * time.Second)
				const some = 0.3 // of a voice among others
				for _, x := range []struct {
					who   string
					c     *siptest.Call
					voice siptest.Source
					yes   bool
				}{
					{"the supervisor the customer", boss, caller, true},
					{"the supervisor the agent", boss, kim, true},
					{"the agent the customer", agent, caller, true},
					{"the customer the agent", customer, kim, true},
					{"the agent the supervisor", agent, lee, row.agent},
					{"the customer the supervisor", customer, lee, row.customer},
				} {
					if s := share(x.c, from, x.voice); (s > some) != x.yes {
						t.Errorf("%s: %.2f heard, want it: %v", x.who, s, x.yes)
					}
				}
				boss.Hangup()
				time.Sleep(time.Second)
				f.hears(customer, "customer, alone with the agent again", kim, true)
				f.hears(agent, "agent", caller, true)
			})
		})
	}
}

func TestAThirdPartyTalksOnWhenTheAgentLeaves(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 10}, func(ctx context.Context, f *floor) {
		customer, agent := f.talk(ctx)
		f.must(f.app.calls.Invite(ctx, f.stage.id, f.live(), call.Invitation{UserID: f.agents["park"].userID}))
		third, err := f.phone("park").NextCall(ctx)
		f.must(err)
		f.must(third.WaitConfirmed(ctx))
		list, err := f.app.calls.Participants(f.stage.id, f.live())
		if err != nil || len(list) != 3 {
			t.Errorf("%+v, %v", list, err)
		}
		for _, p := range list {
			if p.Quality == nil || p.UserID != f.agents["park"].userID && (p.Quality.Received == 0 || p.Quality.Codec == "") {
				t.Errorf("%s: quality %+v", p.Role, p.Quality)
			}
		}
		time.Sleep(2 * time.Second)
		agent.Hangup()
		time.Sleep(time.Second)
		f.hears(customer, "customer", f.phone("park").Voice(), true)
		f.hears(third, "third", siptest.Voice("caller call 1"), true)
		third.Hangup()
		_, err = customer.WaitEnded(ctx)
		f.must(err)
		time.Sleep(2 * time.Second)
		if r := contactsOf(t, f.trial)[0]; len(r.Recordings) != 1 || r.Recordings[0].Status == contact.RecordingFailed {
			t.Errorf("record %+v", r)
		}
	})
}

func TestHoldAndMuteFromTheAPI(t *testing.T) {
	inFloor(t, siptest.NetworkOptions{Seed: 11}, func(ctx context.Context, f *floor) {
		customer, agent := f.talk(ctx)
		list, err := f.app.calls.Participants(f.stage.id, f.live())
		f.must(err)
		number := list[slices.IndexFunc(list, func(p call.Participant) bool { return p.Customer })].ID
		kim, caller := f.phone("kim").Voice(), siptest.Voice("caller call 1")
		f.must(f.app.calls.Hold(ctx, f.stage.id, f.live(), number, true))
		f.loud(customer, "customer on hold", true)
		f.hears(agent, "agent", caller, false)
		f.must(f.app.calls.Hold(ctx, f.stage.id, f.live(), number, false))
		f.hears(customer, "customer", kim, true)
		f.must(f.app.calls.Mute(ctx, f.stage.id, f.live(), number, true))
		f.hears(agent, "agent, the customer muted", caller, false)
		f.hears(customer, "muted customer", kim, true)
		f.must(f.app.calls.Mute(ctx, f.stage.id, f.live(), number, false))
		f.hears(agent, "agent", caller, true)
	})
}
