package sip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/call"
	"ullim/sip/siptest"
)

// quiet is a world without faults whose owner answers at once.
func quiet(t *testing.T, seed int64, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed)
		defer w.closeAll()
		w.owner.onCall = func(c *ownedCall) {
			c.then = func(e call.LegEvent) { obey(c.leg, e) }
			c.leg.Answer([]byte(sdpAnswer))
		}
		f(w)
	})
}

// R1c: an ACK that comes late, but comes, is not answered by another 200.
func TestR01No200LeavesAfterItsAckWasReceived(tt *testing.T) {
	calls := min(10*worlds(), 10000)
	quiet(tt, 1, func(w *world) {
		t := w.t
		for i := range calls {
			c, err := w.carrier.Call(t.Context(), "+82212345678", "01012345678", siptest.CallOptions{
				Misbehave: &siptest.Misbehaviour{NoRTP: true, AckDelay: time.Duration(w.n(51)) * time.Millisecond},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.WaitConfirmed(t.Context()); err != nil {
				t.Fatal(i, err)
			}
			time.AfterFunc(100*time.Millisecond, c.Hangup)
			time.Sleep(time.Duration(1+w.n(120)) * time.Millisecond)
		}
		time.Sleep(time.Minute)
		same(t, "200s sent again", w.ep.Stats().Retransmits, 0)
		same(t, "legs", w.ep.Stats().Legs, 0)
		same(t, "calls", w.owner.count(), calls)
	})
}

// R2: CANCEL at every millisecond from 50 before to 50 after the 200, both ways.
func TestR02CancelAtEveryOffsetAroundThe200(tt *testing.T) {
	times, step := max(1, worlds()/100), 1
	if worlds() < worldsUnderTest || worldsUnderTest < 60 { // under the race detector
		step = 10
	}
	for n := range times {
		for offset := -50; offset <= 50; offset += step {
			quiet(tt, int64(n), func(w *world) {
				t := w.t
				const answer = 200 * time.Millisecond
				at := answer + time.Duration(offset)*time.Millisecond
				w.owner.onCall = func(c *ownedCall) {
					c.leg.Ring()
					time.AfterFunc(answer, func() { c.leg.Answer([]byte(sdpAnswer)) })
				}
				w.phones[0].SetAnswer(siptest.AnswerBehaviour{After: answer})
				w.phones[1].SetAnswer(siptest.AnswerBehaviour{After: answer})
				in, err := w.carrier.Call(t.Context(), "+82212345678", "01012345678", siptest.CallOptions{})
				if err != nil {
					t.Fatal(err)
				}
				w.keep(in)
				out := w.dial(false)
				time.AfterFunc(at, func() {
					in.Cancel()
					out.leg.Hangup("")
				})
				time.Sleep(time.Second)
				in.Hangup() // if the answer was quicker
				time.Sleep(64 * timerT1)
				same(t, "legs", w.ep.Stats().Legs, 0)
				w.finish()
			})
			if tt.Failed() {
				tt.Fatalf("offset %d ms", offset)
			}
		}
	}
}

// R19: both sides change the session within a millisecond, in either direction: both changes come to pass.
func TestR19GlareIsResolvedAndBothChangesComeToPass(tt *testing.T) {
	for seed := range worlds() {
		quiet(tt, int64(seed), func(w *world) {
			t := w.t
			rng := rand.New(rand.NewPCG(uint64(seed), 3))
			var leg call.Leg
			var log *eventLog
			var phone *siptest.Call
			if seed%2 == 0 {
				c, err := w.carrier.Call(t.Context(), "+82212345678", "01012345678", siptest.CallOptions{})
				if err != nil {
					t.Fatal(err)
				}
				w.keep(c)
				if err = c.WaitConfirmed(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				o := w.owner.call(t, 0)
				leg, log, phone = o.leg, &o.eventLog, c
			} else {
				w.phones[0].SetAnswer(siptest.AnswerBehaviour{})
				w.phones[1].SetAnswer(siptest.AnswerBehaviour{RingOnly: true})
				d := w.dial(false)
				time.Sleep(time.Second)
				leg, log, phone = d.leg, &d.eventLog, w.of(d.leg.CallID())
			}
			held := make(chan error, 1)
			time.AfterFunc(time.Duration(1+rng.IntN(1000))*time.Microsecond, func() { leg.Offer([]byte(sdpHold)) })
			time.AfterFunc(time.Duration(1+rng.IntN(1000))*time.Microsecond, func() { held <- phone.Hold(context.Background(), false) })
			time.Sleep(time.Minute)
			select {
			case err := <-held:
				if err != nil {
					t.Errorf("their change: %v", err)
				}
			default:
				t.Error("their change has no end")
			}
			changed, offers := 0, 0
			for _, e := range log.all() {
				switch e.Kind {
				case call.LegChanged:
					changed++
				case call.LegOffer:
					offers++
				default:
				}
			}
			same(t, "our changes", changed, 1)
			same(t, "their changes", offers, 1)
			ended, _ := log.ends()
			same(t, "ended", ended, 0)
			w.finish()
		})
		if tt.Failed() {
			tt.Fatalf("seed %d", seed)
		}
	}
}

// R15: with session timers of 90 s on both sides a call of an hour stays up, whoever refreshes; and it ends soon after one
// side is gone.
func TestR15SessionTimersKeepALongCallAndEndADeadOne(t *testing.T) {
	for _, who := range []string{"", "uac", "uas"} {
		for _, incoming := range []bool{true, false} {
			t.Run(fmt.Sprint(who, " incoming ", incoming), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1)
					defer w.closeAll()
					p, err := siptest.NewPhone(siptest.PhoneOptions{
						Local: "192.0.2.10:5099", Server: ourAddr, Listen: w.net.Listen, SessionExpires: 90 * time.Second, Refresher: who,
						Misbehave: siptest.Misbehaviour{NoRTP: true},
					})
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = p.Close() }()
					var log *eventLog
					var theirs *siptest.Call
					if incoming {
						w.owner.onCall = func(c *ownedCall) { c.leg.Answer([]byte(sdpAnswer)) }
						if theirs, err = p.Invite(t.Context(), "+82212345678", siptest.CallOptions{}); err != nil {
							t.Fatal(err)
						}
						time.Sleep(time.Second)
						log = &w.owner.call(t, 0).eventLog
					} else {
						old := w.gateways
						defer func() { w.gateways = old }()
						w.gateways = []*siptest.Phone{p}
						w.ep.opt.SessionExpires = 90 * time.Second
						log = &w.dial(true).eventLog
						theirs, _ = p.NextCall(t.Context())
					}
					time.Sleep(time.Hour)
					same(t, "phone", theirs.Status().State, siptest.Answered)
					ended, _ := log.ends()
					same(t, "ended", ended, 0)
					if r := theirs.Refreshes(); r.Ours+r.Theirs < 75 {
						t.Errorf("%+v in an hour, want about 80", r)
					} else if r.Ours > 5 && r.Theirs > 5 {
						t.Errorf("%+v: both sides refresh", r)
					}
					_ = p.Close() // the plug is pulled
					time.Sleep(3 * time.Minute)
					ended, _ = log.ends()
					same(t, "ended", ended, 1)
				})
			})
		}
	}
}

// S24, R20: the transferor hangs up at every moment after the 202, on a network that loses: the last NOTIFY comes all the
// same.
func TestS24LastNotifyComesWheneverTheTransferorHangsUp(tt *testing.T) {
	for seed := range worlds() {
		quiet(tt, int64(seed), func(w *world) {
			t := w.t
			w.phones[0].SetAnswer(siptest.AnswerBehaviour{})
			w.phones[1].SetAnswer(siptest.AnswerBehaviour{Reject: 480})
			d := w.dial(false)
			time.Sleep(time.Second)
			phone := w.of(d.leg.CallID())
			w.net.SetFaults(siptest.NetworkOptions{
				Seed: int64(seed), Loss: w.rng.Float64() * 0.3, Reorder: 0.1, Duplicate: 0.1, Delay: 5 * time.Millisecond,
			})
			if err := phone.Refer(t.Context(), "100", nil); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(time.Duration(1+w.n(3000))*time.Millisecond, phone.Hangup)
			line, err := phone.WaitTransferred(t.Context())
			if err != nil || line != "SIP/2.0 200 OK" {
				t.Errorf("transfer: %q, %v; %q", line, err, phone.Transfer())
			}
			w.net.SetFaults(siptest.NetworkOptions{})
			w.finish()
		})
		if tt.Failed() {
			tt.Fatalf("seed %d", seed)
		}
	}
}

// R20: an agent consults somebody and then connects both: what Replaces names is the other call with us, with the tags as
// we have them.
func TestR20AttendedTransferNamesTheOtherCallAsWeSeeIt(tt *testing.T) {
	quiet(tt, 1, func(w *world) {
		t := w.t
		var calls []*siptest.Call
		for range 2 {
			c, err := w.phones[0].Invite(t.Context(), "+82212345678", siptest.CallOptions{})
			if err != nil {
				t.Fatal(err)
			}
			w.keep(c)
			if err = c.WaitConfirmed(t.Context()); err != nil {
				t.Fatal(err)
			}
			calls = append(calls, c)
		}
		time.Sleep(time.Second)
		if err := calls[0].Refer(t.Context(), "100", calls[1]); err != nil {
			t.Fatal(err)
		}
		calls[0].Hangup()
		line, err := calls[0].WaitTransferred(t.Context())
		if err != nil || line != "SIP/2.0 200 OK" {
			t.Errorf("transfer: %q, %v", line, err)
		}
		var got *call.DialogID
		for _, e := range w.owner.call(t, 0).all() {
			if e.Kind == call.LegRefer {
				got = e.Refer.Replaces
			}
		}
		other := w.owner.call(t, 1).leg.(*Leg)
		their, _ := other.theirTag.Load().(string)
		same(t, "Replaces", got, &call.DialogID{CallID: calls[1].CallID(), OurTag: other.localTag, TheirTag: their})
		w.finish()
	})
}
