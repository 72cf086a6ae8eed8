package siptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pair is a caller and a called phone on one network.
type phones struct {
	t    *testing.T
	n    *Network
	a, b *Phone
}

func newPhone(t *testing.T, o PhoneOptions) *Phone {
	t.Helper()
	p, err := NewPhone(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// inBubble runs a test with two phones, and checks that nothing is left of them.
func inBubble(t *testing.T, no NetworkOptions, a, b PhoneOptions, f func(s phones)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(no)
		a.Name, a.Local, a.Listen, a.Server = "anna", "10.0.0.1:5060", n.Listen, "10.0.0.2:5060"
		b.Name, b.Local, b.Listen = "bert", "10.0.0.2:5060", n.Listen
		s := phones{t, n, newPhone(t, a), newPhone(t, b)}
		f(s)
		if err := errors.Join(s.a.Close(), s.b.Close(), s.a.Close()); err != nil {
			t.Error(err)
		}
		if left := n.Listening(); left != 0 {
			t.Errorf("%d sockets are left", left)
		}
		_ = n.Close()
	})
}

func (s phones) call(t *testing.T, o CallOptions) (out, in *Call) {
	t.Helper()
	out, err := s.a.Invite(t.Context(), "bert", o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if in, err = s.b.NextCall(ctx); err != nil {
		t.Fatal(err)
	}
	return out, in
}

func mustWait(t *testing.T, what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := f(ctx); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func mustEnd(t *testing.T, c *Call) Ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	e, err := c.WaitEnded(ctx)
	if err != nil {
		t.Fatalf("the call did not end: %v", err)
	}
	return e
}

// hears checks that a call heard one voice and not another.
func hears(t *testing.T, who string, c *Call, voice, not Source) {
	t.Helper()
	heard := c.Heard()
	if k, _ := Correlate(heard, voice); k < 0.9 {
		t.Errorf("%s heard the other only with %.2f", who, k)
	}
	if k, _ := Correlate(heard, not); k > 0.3 {
		t.Errorf("%s heard a stranger with %.2f", who, k)
	}
}

func TestTwoPhonesTalkAndHearEachOther(t *testing.T) {
	for _, codecs := range [][]string{{"PCMU"}, {"PCMA", "PCMU"}} {
		t.Run(codecs[0], func(t *testing.T) {
			inBubble(t, NetworkOptions{Delay: 10 * time.Millisecond}, PhoneOptions{Codecs: codecs},
				PhoneOptions{Answer: AnswerBehaviour{After: 3 * time.Second}}, func(s phones) {
					t := s.t
					out, in := s.call(t, CallOptions{})
					mustWait(t, "ringing", out.WaitRinging)
					if st := out.Status(); st.State != Ringing || st.Times.Ringing.Sub(st.Times.Invite) != 20*time.Millisecond {
						t.Errorf("%+v", st)
					}
					mustWait(t, "answer", out.WaitAnswered)
					mustWait(t, "confirmation", in.WaitConfirmed)
					time.Sleep(6 * time.Second)
					out.Hangup()
					if e := mustEnd(t, in); e.ByUs || e.Kind != EndBye {
						t.Error(e)
					}
					if e := mustEnd(t, out); !e.ByUs || e.Kind != EndBye {
						t.Error(e)
					}
					hears(t, "anna", out, s.b.Voice(), s.a.Voice())
					hears(t, "bert", in, s.a.Voice(), s.b.Voice())
					at := out.Times()
					if d := at.Answered.Sub(at.Invite); d != 3020*time.Millisecond {
						t.Errorf("answered after %v", d)
					}
					st, g := out.RTPStats(), out.Gaps()
					if st.Received < 295 || st.Received > 305 || st.Lost+st.Duplicates+st.Strangers+st.WrongPayload != 0 ||
						st.Jitter > time.Millisecond || st.SSRCs != 1 {
						t.Errorf("%+v", st)
					}
					if g.P50 != 20*time.Millisecond || g.Max != 20*time.Millisecond || len(g.Gaps) != 0 {
						t.Errorf("%+v", g)
					}
				})
		})
	}
}

func TestCallsSurviveABadNetwork(t *testing.T) {
	for seed := range int64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			no := NetworkOptions{
				Seed: seed, Loss: 0.2, Duplicate: 0.1, Reorder: 0.1, Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond,
			}
			inBubble(t, no, PhoneOptions{}, PhoneOptions{Answer: AnswerBehaviour{After: time.Second}},
				func(s phones) {
					t := s.t
					out, in := s.call(t, CallOptions{})
					mustWait(t, "answer", out.WaitAnswered)
					mustWait(t, "confirmation", in.WaitConfirmed)
					time.Sleep(6 * time.Second)
					ender, other := out, in
					if seed%2 == 1 {
						ender, other = in, out
					}
					ender.Hangup()
					mustEnd(t, ender)
					if e := mustEnd(t, other); e.ByUs || e.Kind != EndBye {
						t.Error(e)
					}
					if seed < 3 { // the correlation is the dear part
						hears(t, "anna", out, s.b.Voice(), s.a.Voice())
						hears(t, "bert", in, s.a.Voice(), s.b.Voice())
					}
					st, g := in.RTPStats(), in.Gaps()
					if st.Lost == 0 || st.Duplicates == 0 || st.Reordered == 0 || len(g.Gaps) == 0 || g.Max <= gapLimit {
						t.Errorf("the network left no trace: %+v %+v", st, g)
					}
				})
		})
	}
}

func TestALostACKIsRepeatedWithThe200(t *testing.T) {
	inBubble(t, NetworkOptions{}, PhoneOptions{Misbehave: Misbehaviour{DropACK: 2}}, PhoneOptions{},
		func(s phones) {
			t := s.t
			_, in := s.call(t, CallOptions{})
			mustWait(t, "confirmation", in.WaitConfirmed)
			at := in.Times() // 200s at 0, 0.5 and 1.5 s
			if d := at.Confirmed.Sub(at.Answered); d != 1500*time.Millisecond {
				t.Errorf("confirmed after %v", d)
			}
		})
}

func TestACallThatIsNeverAcknowledgedEnds(t *testing.T) {
	inBubble(t, NetworkOptions{}, PhoneOptions{Misbehave: Misbehaviour{NeverACK: true}}, PhoneOptions{},
		func(s phones) {
			t := s.t
			out, in := s.call(t, CallOptions{})
			e := mustEnd(t, in)
			if e.Kind != EndTimeout || e.At.Sub(in.Times().Answered) != 32*time.Second {
				t.Error(e, e.At.Sub(in.Times().Answered))
			}
			if e = mustEnd(t, out); e.Kind != EndBye || e.ByUs {
				t.Error(e)
			}
		})
}

func TestAFilterLosesTheFirstACKOnTheWire(t *testing.T) {
	inBubble(t, NetworkOptions{}, PhoneOptions{}, PhoneOptions{}, func(s phones) {
		t := s.t
		dropped := 0
		s.n.SetFilter(func(_, _ net.Addr, b []byte) Verdict {
			if bytes.HasPrefix(b, []byte("ACK ")) && dropped == 0 {
				dropped++
				return Verdict{Drop: true}
			}
			return Verdict{}
		})
		_, in := s.call(t, CallOptions{})
		mustWait(t, "confirmation", in.WaitConfirmed)
		if d := in.Times().Confirmed.Sub(in.Times().Answered); d != 500*time.Millisecond {
			t.Errorf("confirmed after %v", d)
		}
	})
}

func TestACancelAtAnyOffsetAroundThe200EndsBothSides(t *testing.T) {
	for ms := 965; ms <= 1105; ms += 10 { // never both at the same instant
		t.Run(fmt.Sprint(ms), func(t *testing.T) {
			a := PhoneOptions{Misbehave: Misbehaviour{CancelOn: OnInvite, CancelAfter: time.Duration(ms) * time.Millisecond}}
			b := PhoneOptions{Answer: AnswerBehaviour{After: time.Second}}
			inBubble(t, NetworkOptions{Delay: 30 * time.Millisecond}, a, b, func(s phones) {
				t := s.t
				out, in := s.call(t, CallOptions{})
				if ms >= 1060 { // the 200 is there before
					mustWait(t, "answer", out.WaitAnswered)
					time.Sleep(time.Second)
					if out.Status().State != Answered {
						t.Error(out.Status())
					}
					return
				}
				e, f := mustEnd(t, out), mustEnd(t, in)
				want := EndCancelled // the CANCEL needs 30 ms and must be there by 1030, when they answer
				if ms > 1000 {
					want = EndBye
				}
				if e.Kind != EndCancelled || !e.ByUs || f.Kind != want || f.ByUs {
					t.Error(e, f)
				}
			})
		})
	}
}

func TestACancelWaitsForAProvisionalResponse(t *testing.T) {
	for _, early := range []bool{false, true} {
		inBubble(t, NetworkOptions{Delay: 50 * time.Millisecond}, PhoneOptions{Misbehave: Misbehaviour{EarlyCancel: early}},
			PhoneOptions{Answer: AnswerBehaviour{RingOnly: true}}, func(s phones) {
				t := s.t
				start := time.Now()
				out, err := s.a.Invite(t.Context(), "bert", CallOptions{})
				if err != nil {
					t.Fatal(err)
				}
				out.Cancel()
				want := 200 * time.Millisecond // there and back, there and back
				if early {
					want = 100 * time.Millisecond
				}
				if e := mustEnd(t, out); e.Code != 487 || time.Since(start) != want {
					t.Error(e, time.Since(start))
				}
			})
	}
}

func TestCallsThatAreNotAnswered(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer AnswerBehaviour
		code   int
		kind   EndKind
		after  time.Duration
	}{
		{"busy", AnswerBehaviour{Reject: 486, After: 2 * time.Second}, 486, EndRejected, 2 * time.Second},
		{"declined at once", AnswerBehaviour{Reject: 603, NoRing: true}, 603, EndRejected, 0},
		{"switched off", AnswerBehaviour{NoAnswer: true}, 408, EndTimeout, 32 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, NetworkOptions{}, PhoneOptions{}, PhoneOptions{Answer: tc.answer}, func(s phones) {
				t := s.t
				out, err := s.a.Invite(t.Context(), "bert", CallOptions{})
				if err != nil {
					t.Fatal(err)
				}
				e := mustEnd(t, out)
				if e.Code != tc.code || e.Kind != tc.kind || e.At.Sub(out.Times().Invite) != tc.after {
					t.Error(e, e.At.Sub(out.Times().Invite))
				}
				if err = out.WaitAnswered(t.Context()); !errors.Is(err, ErrEnded) {
					t.Error(err)
				}
			})
		})
	}
}

func TestMisbehaviourAtTheAnswer(t *testing.T) {
	for _, tc := range []struct {
		name     string
		a, b     Misbehaviour
		ended    bool
		messages string // that must occur in this order on the wire
	}{
		{"first 200 lost", Misbehaviour{}, Misbehaviour{DropFirst200: true}, false, "INVITE 180 200 ACK"},
		{"200 four times", Misbehaviour{}, Misbehaviour{Repeat200: 3}, false, "INVITE 180 200 200 200 200 ACK ACK ACK ACK"},
		{"late ACK", Misbehaviour{AckDelay: 2 * time.Second}, Misbehaviour{}, false, "INVITE 180 200 200 200 ACK"},
		{"caller hangs up", Misbehaviour{ByeOnAnswer: true}, Misbehaviour{}, true, "INVITE 180 200 ACK BYE 200"},
		{"caller hangs up first", Misbehaviour{ByeBeforeACK: true}, Misbehaviour{}, true, "INVITE 180 200 BYE ACK 200"},
		{"called hangs up", Misbehaviour{}, Misbehaviour{ByeOnAnswer: true}, true, "INVITE 180 200 ACK BYE 200"},
		{"called hangs up first", Misbehaviour{}, Misbehaviour{ByeBeforeACK: true}, true, "INVITE 180 200 BYE ACK 200"},
		{"late CANCEL", Misbehaviour{CancelOn: OnAnswer}, Misbehaviour{}, true, "INVITE 180 200 ACK CANCEL BYE 200 200"},
		{"BYE unanswered", Misbehaviour{ByeOnAnswer: true}, Misbehaviour{IgnoreBye: true}, false, "INVITE 180 200 ACK BYE BYE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var mu sync.Mutex // each phone traces under a lock of its own
			var wire []string
			trace := func(sent bool, _ net.Addr, b []byte) {
				if sent {
					first := strings.TrimPrefix(string(b[:bytes.IndexByte(b, '\r')]), "SIP/2.0 ")
					mu.Lock()
					defer mu.Unlock()
					wire = append(wire, first[:strings.IndexByte(first, ' ')])
				}
			}
			inBubble(t, NetworkOptions{Delay: time.Millisecond}, PhoneOptions{Misbehave: tc.a, Trace: trace},
				PhoneOptions{Misbehave: tc.b, Trace: trace}, func(s phones) {
					out, in := s.call(s.t, CallOptions{})
					mustWait(s.t, "answer", out.WaitAnswered)
					time.Sleep(5 * time.Second)
					if over := in.Status().State == Over; over != tc.ended {
						s.t.Errorf("over %v, %v", over, in.Status())
					}
				})
			if got := strings.Join(wire, " "); !strings.HasPrefix(got, tc.messages) {
				t.Errorf("on the wire: %s", got)
			}
		})
	}
}

func TestAudioCanBeLeftOut(t *testing.T) {
	inBubble(t, NetworkOptions{}, PhoneOptions{Misbehave: Misbehaviour{NoRTP: true}},
		PhoneOptions{Misbehave: Misbehaviour{StopRTPAfter: 2 * time.Second}}, func(s phones) {
			t := s.t
			out, in := s.call(t, CallOptions{})
			mustWait(t, "answer", out.WaitAnswered)
			time.Sleep(5 * time.Second)
			if n := in.RTPStats().Received; n != 0 {
				t.Errorf("%d packets from a mute phone", n)
			}
			if d := samples(len(out.Heard())); d != 2*time.Second {
				t.Errorf("heard %v", d)
			}
		})
}

func TestOnRealSockets(t *testing.T) {
	before := runtime.NumGoroutine()
	b := newPhone(t, PhoneOptions{Name: "bert", Answer: AnswerBehaviour{After: 100 * time.Millisecond}})
	a := newPhone(t, PhoneOptions{Name: "anna", Server: b.Addr().String()})
	out, err := a.Invite(t.Context(), "bert", CallOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var in *Call
	mustWait(t, "call", func(ctx context.Context) error { in, err = b.NextCall(ctx); return err })
	if err = out.SendDigits("7"); err == nil {
		t.Error("a key was pressed before there was a session")
	}
	mustWait(t, "answer", out.WaitAnswered)
	if err = out.SendDigits("42#"); err != nil {
		t.Error(err)
	}
	mustWait(t, "audio", func(ctx context.Context) error { return out.WaitHeard(ctx, 1500*time.Millisecond) })
	mustWait(t, "audio", func(ctx context.Context) error { return in.WaitHeard(ctx, 1500*time.Millisecond) })
	out.Hangup()
	mustEnd(t, in)
	hears(t, "anna", out, b.Voice(), a.Voice())
	hears(t, "bert", in, a.Voice(), b.Voice())
	if got := in.ReceivedDigits(); got != "42#" {
		t.Errorf("keys %q", got)
	}
	if err = errors.Join(a.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	for range 1000 { // timers that were just firing end by themselves
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, before %d", n, before)
	}
}

func TestCloseEndsEverythingThatWaits(t *testing.T) {
	inBubble(t, NetworkOptions{}, PhoneOptions{}, PhoneOptions{Answer: AnswerBehaviour{RingOnly: true}},
		func(s phones) {
			t := s.t
			out, in := s.call(t, CallOptions{})
			s.n.SetFilter(func(_, _ net.Addr, b []byte) Verdict {
				return Verdict{Drop: bytes.HasPrefix(b, []byte("REGISTER "))}
			})
			var wg sync.WaitGroup
			var errs [4]error
			wg.Go(func() { errs[0] = out.WaitAnswered(t.Context()) })
			wg.Go(func() { errs[1] = out.WaitHeard(t.Context(), time.Second) })
			wg.Go(func() { _, errs[2] = s.a.NextCall(t.Context()) })
			wg.Go(func() { errs[3] = s.a.Register(t.Context()) })
			synctest.Wait()
			_ = s.a.Close()
			wg.Wait()
			for i, want := range []error{ErrEnded, ErrEnded, ErrClosed, ErrClosed} {
				if !errors.Is(errs[i], want) {
					t.Errorf("%d: %v", i, errs[i])
				}
			}
			if e := mustEnd(t, out); e.Kind != EndClosed {
				t.Error(e)
			}
			if _, err := s.a.Invite(t.Context(), "bert", CallOptions{}); !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := in.WaitEnded(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error("the other side knew at once", err)
			}
		})
}
