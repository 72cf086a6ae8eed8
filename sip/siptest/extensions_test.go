package siptest

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestReliableProvisionalsArePracked(t *testing.T) {
	for _, loss := range []float64{0, 0.3} {
		inBubble(t, NetworkOptions{Seed: 5, Loss: loss, Delay: 5 * time.Millisecond},
			PhoneOptions{Reliable: true}, PhoneOptions{Reliable: true, Answer: AnswerBehaviour{Early: true, After: 100 * time.Millisecond}},
			func(s phones) {
				out, in := s.call(s.t, CallOptions{})
				mustWait(s.t, "caller", out.WaitConfirmed)
				mustWait(s.t, "called", in.WaitConfirmed)
				s.b.mu.Lock()
				if in.rel.open || in.rel.seq == 0 {
					s.t.Errorf("the 183 was not acknowledged: %+v", in.rel)
				}
				s.b.mu.Unlock()
				out.Hangup()
			})
	}
	// Who never acknowledges gets no answer but a refusal.
	inBubble(t, NetworkOptions{}, PhoneOptions{Reliable: true, Misbehave: Misbehaviour{NoPrack: true}},
		PhoneOptions{Reliable: true, Answer: AnswerBehaviour{Early: true, After: 100 * time.Millisecond}},
		func(s phones) {
			out, _ := s.call(s.t, CallOptions{})
			ended, err := out.WaitEnded(s.t.Context())
			if err != nil || ended.Code != 504 {
				s.t.Errorf("ended %v, %v; want 504", ended, err)
			}
		})
}

func TestSessionTimersRefreshAndEnd(t *testing.T) {
	for _, who := range []string{"uac", "uas"} {
		inBubble(t, NetworkOptions{}, PhoneOptions{SessionExpires: 90 * time.Second, Refresher: who}, PhoneOptions{SessionExpires: 90 * time.Second},
			func(s phones) {
				out, in := s.call(s.t, CallOptions{})
				mustWait(s.t, "called", in.WaitConfirmed)
				time.Sleep(10 * time.Minute)
				a, b := out.Refreshes(), in.Refreshes()
				if out.Status().State != Answered || a.Ours+b.Ours < 12 || (a.Ours > 0) == (b.Ours > 0) {
					s.t.Errorf("%v: refreshes %+v and %+v", out.Status().State, a, b)
				}
				if who == "uac" {
					_ = s.a.Close()
				} else {
					_ = s.b.Close()
					in = out
				}
				if ended, err := in.WaitEnded(s.t.Context()); err != nil || ended.Kind != EndTimeout {
					s.t.Errorf("ended %v, %v; want a time-out", ended, err)
				}
			})
	}
}

func TestGlareBetweenPhonesIsResolved(t *testing.T) {
	inBubble(t, NetworkOptions{Delay: time.Millisecond}, PhoneOptions{}, PhoneOptions{}, func(s phones) {
		out, in := s.call(s.t, CallOptions{})
		mustWait(s.t, "called", in.WaitConfirmed)
		time.Sleep(time.Second)
		errs := make(chan error, 2)
		go func() { errs <- out.Hold(context.Background(), false) }()
		go func() { errs <- in.Hold(context.Background(), false) }()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if err := errors.Join(<-errs, <-errs); err != nil {
			s.t.Error(err)
		}
		if !out.Status().Hold || !in.Status().Hold {
			s.t.Error("one of the two changes was lost")
		}
		if err := out.Offer(s.t.Context(), nil); err != nil { // theirs, answered in the ACK
			s.t.Error(err)
		}
		out.Hangup()
	})
}

func TestForksAndRedirectionsOfThePhone(t *testing.T) {
	inBubble(t, NetworkOptions{}, PhoneOptions{}, PhoneOptions{Answer: AnswerBehaviour{Tags: 2, Answers: 1}}, func(s phones) {
		out, in := s.call(s.t, CallOptions{})
		mustWait(s.t, "called", in.WaitConfirmed)
		if strings.Contains(out.farTag, "fork") {
			s.t.Errorf("the call is with %q, want the first to answer", out.farTag)
		}
		out.Hangup()
	})
	var contact string
	a := PhoneOptions{Trace: func(sent bool, _ net.Addr, b []byte) {
		if !sent && strings.HasPrefix(string(b), "SIP/2.0 302") {
			contact = string(b)
		}
	}}
	inBubble(t, NetworkOptions{}, a, PhoneOptions{Answer: AnswerBehaviour{Reject: 302, Redirect: []string{"<sip:x@10.0.0.9>;q=0.5"}}}, func(s phones) {
		out, _ := s.call(s.t, CallOptions{})
		if ended, err := out.WaitEnded(s.t.Context()); err != nil || ended.Code != 302 {
			s.t.Errorf("ended %v, %v", ended, err)
		}
		if !strings.Contains(contact, "<sip:x@10.0.0.9>;q=0.5") {
			s.t.Errorf("302 is %q", contact)
		}
	})
}

func TestTransferNoticesAndOtherRequests(t *testing.T) {
	inBubble(t, NetworkOptions{}, PhoneOptions{}, PhoneOptions{}, func(s phones) {
		out, in := s.call(s.t, CallOptions{})
		mustWait(s.t, "called", in.WaitConfirmed)
		if err := out.Refer(s.t.Context(), "carl", nil); err == nil || !strings.Contains(err.Error(), "405") { // a phone is no transferee
			s.t.Errorf("REFER: %v, want 405", err)
		}
		for _, n := range []string{"active;expires=60", "terminated;reason=noresource"} {
			if _, err := in.Request(s.t.Context(), "NOTIFY", "message/sipfrag", []byte("SIP/2.0 200 OK\r\n"), "Event: refer", "Subscription-State: "+n); err != nil {
				s.t.Error(err)
			}
		}
		line, err := out.WaitTransferred(s.t.Context())
		if err != nil || line != "SIP/2.0 200 OK" || len(out.Transfer()) != 2 {
			s.t.Errorf("transfer %q, %v: %q", line, err, out.Transfer())
		}
		if res, err := out.Request(s.t.Context(), "MESSAGE", "text/plain", []byte("hello")); err != nil || res.StatusCode != 200 {
			s.t.Errorf("MESSAGE: %v", err)
		}
		if got := in.Texts(); !slices.Equal(got, []string{"hello"}) {
			s.t.Errorf("texts %q", got)
		}
		out.Hangup()
	})
}
