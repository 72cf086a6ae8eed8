package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

// gateway is a carrier's machine and what the plan was told of it.
type gateway struct {
	*farEnd
	hop hop
	mu  sync.Mutex
	out []outcome
}

func (g *gateway) outcomes() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var words []string
	for _, o := range g.out {
		words = append(words, fmt.Sprint(o.status, " ", o.err != nil))
	}
	return strings.Join(words, ", ")
}

// gateway makes one at an address. answers are the final statuses that it gives, one for each INVITE; 0 is silence.
func (s *stage) gateway(addr string, answers ...int) *gateway {
	g := &gateway{farEnd: s.phone(addr)}
	g.hop = hop{
		network: "UDP", addr: netip.MustParseAddrPort(addr),
		target: sipgo.Uri{Scheme: "sip", User: "+82212345678", Host: "192.0.2.30"},
		from:   party{uri: sipgo.Uri{Scheme: "sip", User: "+8210"}}, to: party{uri: sipgo.Uri{Scheme: "sip", User: "+82212345678", Host: "carrier.example"}},
		trunk: &Trunk{Meta: resource.Meta{ID: "trunk-9", InstanceID: "inst-1"}},
		tell: func(o outcome) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.out = append(g.out, o)
		},
	}
	seen := map[string]bool{}
	g.hear(func(m sipgo.Message) {
		req, ok := m.(*sipgo.Request)
		if !ok || req.Method == sipgo.ACK || req.Method == sipgo.PRACK {
			return
		}
		if req.Method != sipgo.INVITE {
			g.answer(req, 200, "OK", "")
			return
		}
		branch, _ := req.Via().Params.Get("branch")
		if seen[branch] || len(answers) == 0 {
			return
		}
		seen[branch] = true
		code := answers[0]
		answers = answers[1:]
		switch {
		case code == 200:
			g.answer(req, 200, "OK", "gw"+addr, "Contact: <sip:gw@"+addr+">", sdpAnswer)
		case code > 0:
			g.answer(req, code, "Answer", "gw"+addr)
		}
	})
	return g
}

// call is an outgoing call by a plan of the test's own.
func (s *stage) call(p plan, err error) *dialed {
	c := &dialed{}
	c.leg = s.ep.dialBy(func(context.Context, call.Target) (plan, error) { return p, err }, call.Target{
		InstanceID: "inst-1", Number: "+82212345678", FromNumber: "+821012345678", ContactID: "contact-1",
	}, []byte(sdpOffer), c.add)
	s.trunk.settle()
	return c
}

func hops(gs ...*gateway) (p plan, released *int) {
	released = new(int)
	p.release = func() { *released++ }
	for _, g := range gs {
		p.hops = append(p.hops, g.hop)
	}
	return p, released
}

// R25: the first is dead, the second refuses, the third answers within 5 s.
func TestT03DeadAndRefusingGatewaysArePassedBy(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		dead, full, good := s.gateway("192.0.2.31:5060"), s.gateway("192.0.2.32:5060", 503), s.gateway("192.0.2.33:5060", 200)
		p, released := hops(dead, full, good)
		c := s.call(p, nil)
		time.Sleep(5 * time.Second)
		same(t, "events", c.kinds(), "answered")
		same(t, "ACKs of the 503", len(full.requests(sipgo.ACK)), 1)
		same(t, "ACKs of the 200", len(good.requests(sipgo.ACK)), 1)
		for _, g := range []*gateway{dead, full, good} {
			inv := g.last(sipgo.INVITE)
			same(t, "Call-ID", callIDOf(inv), c.leg.CallID())
			same(t, "offer", string(inv.Body()), sdpOffer)
		}
		same(t, "dead", dead.outcomes(), "0 true")
		same(t, "full", full.outcomes(), "503 false")
		same(t, "good", good.outcomes(), "200 false")
		same(t, "channel given back", *released, 0)

		// The dead one wakes up and answers: nobody pays for that call.
		dead.answer(dead.last(sipgo.INVITE), 200, "OK", "late", "Contact: <sip:gw@192.0.2.31:5060>", sdpAnswer)
		s.trunk.settle()
		same(t, "ACKs of the late 200", len(dead.requests(sipgo.ACK)), 1)
		same(t, "BYEs after it", len(dead.requests(sipgo.BYE)), 1)
		same(t, "events", c.kinds(), "answered")
		c.leg.Hangup("")
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered ended(local)")
		same(t, "channel given back", *released, 1)
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func TestR25WhatFailsOverAndWhatDoesNot(t *testing.T) {
	for _, tc := range []struct {
		first int
		tried bool
		want  string
		code  int
	}{
		{500, true, "answered", 0},
		{503, true, "answered", 0},
		{408, true, "answered", 0},
		{486, false, "ended(rejected)", 486},
		{404, false, "ended(rejected)", 404},
		{603, false, "ended(rejected)", 603},
		{302, false, "ended(rejected)", 302},
		{401, false, "ended(rejected)", 401},
	} {
		t.Run(fmt.Sprint(tc.first), func(t *testing.T) {
			run(t, func(s *stage) {
				t := s.t
				a, b := s.gateway("192.0.2.31:5060", tc.first), s.gateway("192.0.2.32:5060", 200)
				p, released := hops(a, b)
				c := s.call(p, nil)
				time.Sleep(time.Second)
				same(t, "events", c.kinds(), tc.want)
				same(t, "second gateway asked", len(b.requests(sipgo.INVITE)) > 0, tc.tried)
				if !tc.tried {
					same(t, "code", c.all()[0].Code, tc.code)
					same(t, "channel given back", *released, 1)
				}
				c.leg.Hangup("")
				s.trunk.settle()
			})
		})
	}
	t.Run("not after it rang", func(t *testing.T) {
		run(t, func(s *stage) {
			t := s.t
			a, b := s.gateway("192.0.2.31:5060"), s.gateway("192.0.2.32:5060", 200)
			p, _ := hops(a, b)
			c := s.call(p, nil)
			a.answer(a.last(sipgo.INVITE), 180, "Ringing", "x")
			time.Sleep(30 * time.Second)
			a.answer(a.last(sipgo.INVITE), 503, "Service Unavailable", "x")
			time.Sleep(time.Second)
			same(t, "events", c.kinds(), "progress(180) ended(rejected)")
			same(t, "second gateway", len(b.requests(sipgo.INVITE)), 0)
		})
	})
	t.Run("all fail", func(t *testing.T) {
		run(t, func(s *stage) {
			t := s.t
			a, b := s.gateway("192.0.2.31:5060", 503), s.gateway("192.0.2.32:5060", 500)
			p, released := hops(a, b)
			c := s.call(p, nil)
			time.Sleep(time.Second)
			same(t, "events", c.kinds(), "ended(rejected)")
			same(t, "code", c.all()[0].Code, 500)
			same(t, "channel given back", *released, 1)
		})
	})
	t.Run("100 is enough to be waited for", func(t *testing.T) {
		run(t, func(s *stage) {
			t := s.t
			a, b := s.gateway("192.0.2.31:5060", 100), s.gateway("192.0.2.32:5060", 200)
			p, _ := hops(a, b)
			c := s.call(p, nil)
			time.Sleep(20 * time.Second)
			same(t, "events", c.kinds(), "")
			same(t, "second gateway", len(b.requests(sipgo.INVITE)), 0)
			c.leg.Hangup("")
			s.trunk.settle()
			same(t, "CANCELs", len(a.requests(sipgo.CANCEL)), 1)
			a.answer(a.last(sipgo.INVITE), 487, "Request Terminated", "x")
			s.trunk.settle()
			same(t, "legs", s.ep.Stats().Legs, 0)
		})
	})
}

func TestPlanThatFailsIsAnEvent(t *testing.T) {
	for _, tc := range []struct {
		err  error
		code int
	}{
		{errs.New(errs.NotFound, "no"), 480},
		{errs.New(errs.Denied, "no"), 403},
		{errs.New(errs.Limit, "no"), 503},
		{errs.New(errs.Unavailable, "no"), 503},
		{errs.Field("Number", "no"), 484},
		{fmt.Errorf("no"), 500},
		{nil, 480},
	} {
		run(t, func(s *stage) {
			c := s.call(plan{}, tc.err)
			same(s.t, "events", c.kinds(), "ended(rejected)")
			same(s.t, "code", c.all()[0].Code, tc.code)
		})
	}
	run(t, func(s *stage) { // hung up while it is planned: what it took is given back
		released := 0
		woken := make(chan struct{})
		c := &dialed{}
		c.leg = s.ep.dialBy(func(ctx context.Context, _ call.Target) (plan, error) {
			<-ctx.Done()
			<-woken
			return plan{hops: []hop{{}}, release: func() { released++ }}, nil
		}, call.Target{}, []byte(sdpOffer), c.add)
		c.leg.Hangup("gone")
		s.trunk.settle()
		same(s.t, "events", c.kinds(), "ended(local)")
		close(woken)
		s.trunk.settle()
		same(s.t, "given back", released, 1)
	})
}

// together registers two phones of the user and calls them.
func (s *stage) together(a, b *gateway) *dialed {
	p, _ := hops(a, b)
	p.together = true
	return s.call(p, nil)
}

func TestQ02SeveralDevicesRingAndTheFirstHasTheCall(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		a, b := s.gateway("192.0.2.31:5060"), s.gateway("192.0.2.32:5060")
		c := s.together(a, b)
		ia, ib := a.last(sipgo.INVITE), b.last(sipgo.INVITE)
		same(t, "one Call-ID", callIDOf(ia), callIDOf(ib))
		if tagOf(ia.From().Params) == tagOf(ib.From().Params) {
			t.Error("both branches have the same tag")
		}
		a.answer(ia, 180, "Ringing", "a")
		b.answer(ib, 180, "Ringing", "b")
		s.trunk.settle()
		b.answer(ib, 200, "OK", "b", "Contact: <sip:b@192.0.2.32:5060>", sdpAnswer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "progress(180) progress(180) answered")
		cancels := a.requests(sipgo.CANCEL)
		same(t, "CANCELs", len(cancels), 1)
		same(t, "Reason", cancels[0].GetHeader("Reason").Value(), `SIP;cause=200;text="Call completed elsewhere"`)
		a.answer(ia, 487, "Request Terminated", "a")
		s.trunk.settle()
		same(t, "legs", s.ep.Stats().Legs, 1)
		c.leg.Hangup("")
		s.trunk.settle()
		same(t, "BYEs", len(b.requests(sipgo.BYE)), 1)
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func TestQ02TwoDevicesAnswerAtOnce(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		a, b := s.gateway("192.0.2.31:5060"), s.gateway("192.0.2.32:5060")
		c := s.together(a, b)
		ia, ib := a.last(sipgo.INVITE), b.last(sipgo.INVITE) // both ring before one of them answers
		a.answer(ia, 200, "OK", "a", "Contact: <sip:a@192.0.2.31:5060>", sdpAnswer)
		b.answer(ib, 200, "OK", "b", "Contact: <sip:b@192.0.2.32:5060>", sdpAnswer)
		time.Sleep(time.Second)
		same(t, "events", c.kinds(), "answered")
		same(t, "ACKs", len(a.requests(sipgo.ACK))+len(b.requests(sipgo.ACK)), 2)
		byes := append(a.requests(sipgo.BYE), b.requests(sipgo.BYE)...)
		same(t, "BYEs", len(byes), 1)
		same(t, "Reason", byes[0].GetHeader("Reason").Value(), `SIP;cause=200;text="Call completed elsewhere"`)
		c.leg.Hangup("")
		time.Sleep(time.Second)
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func TestDevicesThatFailLeaveTheOthersRinging(tt *testing.T) {
	run(tt, func(s *stage) {
		t := s.t
		a, b := s.gateway("192.0.2.31:5060", 486), s.gateway("192.0.2.32:5060")
		c := s.together(a, b)
		time.Sleep(time.Second)
		same(t, "events", c.kinds(), "")
		b.answer(b.last(sipgo.INVITE), 480, "Temporarily Unavailable", "b")
		s.trunk.settle()
		same(t, "events", c.kinds(), "ended(rejected)")
		same(t, "the refusal that says most", c.all()[0].Code, 486)
	})
	run(tt, func(s *stage) { // 603 is of the user, not of the phone
		t := s.t
		a, b := s.gateway("192.0.2.31:5060"), s.gateway("192.0.2.32:5060")
		b.hear(nil)
		p, _ := hops(b, a)
		p.together = true
		c := s.call(p, nil)
		b.answer(b.last(sipgo.INVITE), 180, "Ringing", "b")
		s.trunk.settle()
		a.answer(a.last(sipgo.INVITE), 603, "Decline", "a")
		s.trunk.settle()
		same(t, "events", c.kinds(), "progress(180) ended(rejected)")
		same(t, "code", c.all()[1].Code, 603)
		same(t, "CANCELs", len(b.requests(sipgo.CANCEL)), 1)
	})
}

// S21, threat 7.
func TestS21ChallengesAreAnsweredWithFreshCredentialsAndNotForEver(tt *testing.T) {
	const ask = `Digest realm="carrier.example", nonce="%s", algorithm=MD5, qop="auth"%s`
	challenge := func(g *gateway, code int, nonce, more string) {
		name := "WWW-Authenticate: "
		if code == 407 {
			name = "Proxy-Authenticate: "
		}
		g.answer(g.last(sipgo.INVITE), code, "Unauthorized", "x", name+fmt.Sprintf(ask, nonce, more))
		g.s.trunk.settle()
	}
	run(tt, func(s *stage) {
		t := s.t
		g := s.gateway("192.0.2.31:5060")
		g.hop.login = &login{username: "u", password: "p", realm: "carrier.example"}
		p, _ := hops(g)
		c := s.call(p, nil)
		challenge(g, 401, "n1", "")
		challenge(g, 401, "n2", ", stale=true")
		challenge(g, 407, "n3", "")
		challenge(g, 401, "n4", "")
		inv := g.distinct(sipgo.INVITE)
		same(t, "INVITEs", len(inv), 5)
		for i, r := range inv {
			same(t, "Call-ID", callIDOf(r), c.leg.CallID())
			same(t, "CSeq", r.CSeq().SeqNo, inv[0].CSeq().SeqNo+uint32(i))
			same(t, "To tag", tagOf(r.To().Params), "")
		}
		last := inv[4]
		if v := valueOf(last, "Authorization"); !strings.Contains(v, `nonce="n4"`) {
			t.Errorf("Authorization is %q", v)
		}
		if v := valueOf(last, "Proxy-Authorization"); !strings.Contains(v, `nonce="n3"`) {
			t.Errorf("Proxy-Authorization is %q", v)
		}
		challenge(g, 407, "n5", ", stale=true") // and now it is enough
		same(t, "events", c.kinds(), "ended(rejected)")
		same(t, "code", c.all()[0].Code, 407)
		same(t, "ACKs", len(g.requests(sipgo.ACK)), 5)
	})
	run(tt, func(s *stage) { // wrong password: asked once more, not answered once more
		g := s.gateway("192.0.2.31:5060")
		g.hop.login = &login{username: "u", password: "p"}
		p, _ := hops(g)
		c := s.call(p, nil)
		challenge(g, 401, "n1", "")
		challenge(g, 401, "n2", "")
		same(s.t, "events", c.kinds(), "ended(rejected)")
		same(s.t, "INVITEs", len(g.distinct(sipgo.INVITE)), 2)
	})
	run(tt, func(s *stage) { // another realm, and another's address
		t := s.t
		g := s.gateway("192.0.2.31:5060")
		g.hop.login = &login{username: "u", password: "p", realm: "other.example"}
		p, _ := hops(g)
		c := s.call(p, nil)
		challenge(g, 401, "n1", "")
		same(t, "events", c.kinds(), "ended(rejected)")

		g = s.gateway("192.0.2.32:5060", 200)
		g.hop.login = &login{username: "u", password: "p"}
		p, _ = hops(g)
		c = s.call(p, nil)
		thief := s.phone("192.0.2.66:5060")
		c.leg.Offer([]byte(sdpHold))
		s.trunk.settle()
		re := g.last(sipgo.INVITE)
		thief.answer(re, 401, "Unauthorized", "x", "WWW-Authenticate: "+fmt.Sprintf(ask, "n1", ""))
		s.trunk.settle()
		same(t, "INVITEs", len(g.distinct(sipgo.INVITE)), 2)
		same(t, "events", c.kinds(), "answered unchanged(401)")
		c.leg.Hangup("")
		s.trunk.settle()
	})
	run(tt, func(s *stage) { // the trunk asks inside the dialog as well
		t := s.t
		g := s.gateway("192.0.2.31:5060", 200)
		g.hop.login = &login{username: "u", password: "p"}
		p, _ := hops(g)
		c := s.call(p, nil)
		c.leg.Offer([]byte(sdpHold))
		s.trunk.settle()
		challenge(g, 401, "n1", "")
		g.okSDP(g.last(sipgo.INVITE), sdpAnswer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "answered changed")
		g.hear(nil)
		c.leg.Hangup("")
		s.trunk.settle()
		g.answer(g.last(sipgo.BYE), 407, "Proxy", "", "Proxy-Authenticate: "+fmt.Sprintf(ask, "n2", ""))
		s.trunk.settle()
		same(t, "BYEs", len(g.distinct(sipgo.BYE)), 2)
		g.answer(g.last(sipgo.BYE), 200, "OK", "")
		s.trunk.settle()
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

// S22.
func TestS22RedirectionIsFollowedForListedTrunksHostsAndDepth(t *testing.T) {
	contacts := func(list ...string) (lines []string) {
		for _, c := range list {
			lines = append(lines, "Contact: "+c)
		}
		return lines
	}
	moved := func(g *gateway, list ...string) {
		g.answer(g.last(sipgo.INVITE), 302, "Moved Temporarily", "x", contacts(list...)...)
		g.s.trunk.settle()
	}
	start := func(s *stage, listed bool) (a, b, d *gateway, c *dialed) {
		a, b, d = s.gateway("192.0.2.31:5060"), s.gateway("192.0.2.32:5060"), s.gateway("192.0.2.33:5060", 200)
		if listed {
			a.hop.trunk.RedirectHosts = []string{"192.0.2.31", "192.0.2.32", "192.0.2.33", "198.51.100.1"}
		}
		a.hop.login = &login{username: "u", password: "p"}
		p, _ := hops(a)
		return a, b, d, s.call(p, nil)
	}
	run(t, func(s *stage) { // q decides, and the next is tried if the best fails
		a, b, d, c := start(s, true)
		moved(a, "<sip:x@192.0.2.33>;q=0.2", "<sip:evil@203.0.113.66>;q=1.0", "<sip:x@192.0.2.32>;q=0.9", "<mailto:a@b>")
		same(s.t, "best first", b.last(sipgo.INVITE).Recipient.String(), "sip:x@192.0.2.32")
		b.answer(b.last(sipgo.INVITE), 401, "Unauthorized", "x", `WWW-Authenticate: Digest realm="r", nonce="n"`)
		s.trunk.settle()
		same(s.t, "credentials of the carrier at another host", len(b.distinct(sipgo.INVITE)), 1)
		same(s.t, "events", c.kinds(), "ended(rejected)")
		_ = d
	})
	run(t, func(s *stage) {
		a, b, d, c := start(s, true)
		moved(a, "<sip:x@192.0.2.32>;q=0.9", "<sip:x@192.0.2.33>;q=0.2")
		b.answer(b.last(sipgo.INVITE), 503, "Service Unavailable", "x")
		time.Sleep(time.Second)
		same(s.t, "events", c.kinds(), "answered")
		same(s.t, "answered by the second", len(d.requests(sipgo.ACK)), 1)
		c.leg.Hangup("")
		s.trunk.settle()
	})
	run(t, func(s *stage) { // loops: to itself, to us, back and forth
		a, b, _, c := start(s, true)
		moved(a, "<sip:+82212345678@192.0.2.30>", "<sip:y@198.51.100.1:5060>", "<sip:x@192.0.2.32>")
		moved(b, "<sip:x@192.0.2.32>", "<sip:+82212345678@192.0.2.30>")
		same(s.t, "events", c.kinds(), "ended(rejected)")
		same(s.t, "code", c.all()[0].Code, 302)
		same(s.t, "INVITEs", len(a.distinct(sipgo.INVITE))+len(b.distinct(sipgo.INVITE)), 2)
	})
	run(t, func(s *stage) { // depth
		a, _, _, c := start(s, true)
		for i := range 10 {
			if len(a.distinct(sipgo.INVITE)) == 0 || c.kinds() != "" {
				break
			}
			moved(a, fmt.Sprintf("<sip:x%d@192.0.2.31>", i))
		}
		same(s.t, "INVITEs", len(branches(a)), 1+maxRedirects)
		same(s.t, "events", c.kinds(), "ended(rejected)")
	})
	run(t, func(s *stage) { // not listed: a refusal
		a, b, _, c := start(s, false)
		moved(a, "<sip:x@192.0.2.32>")
		same(s.t, "events", c.kinds(), "ended(rejected)")
		same(s.t, "INVITEs", len(b.requests(sipgo.INVITE)), 0)
	})
}

func branches(g *gateway) map[string]bool {
	m := map[string]bool{}
	for _, r := range g.requests(sipgo.INVITE) {
		b, _ := r.Via().Params.Get("branch")
		m[b] = true
	}
	return m
}

// S23.
func TestS23OurOwnInviteThatComesBackIsALoop(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		g := s.gateway("192.0.2.10:5070", 100)
		p, _ := hops(g)
		c := s.call(p, nil)
		inv := g.last(sipgo.INVITE)
		back := inv.Clone()
		back.Via().Params.Add("branch", "z9hG4bK-back")
		back.Via().Host, back.Via().Port = "192.0.2.10", 5070
		back.SetBody(inv.Body())
		g.send(back.String())
		s.trunk.settle()
		same(t, "answer", g.response(inv.CSeq().Value(), 482).StatusCode, 482)
		same(t, "loops", s.ep.Stats().Loops, 1)
		d := s.trunk.dialog("hops")
		s.trunk.send(strings.Replace(d.text("INVITE", 1, "hops-1", sdpOffer), "Max-Forwards: 70", "Max-Forwards: 0", 1))
		s.trunk.settle()
		same(t, "too many hops", s.trunk.responses("1 INVITE"), []int{483})
		c.leg.Hangup("")
		s.trunk.settle()
		g.answer(inv, 487, "Request Terminated", "x")
		s.trunk.settle()
	})
}

// An offer that comes before anybody has answered is made to whoever does.
func TestOfferBeforeTheAnswerWaitsForIt(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		a, b := s.gateway("192.0.2.31:5060", 180), s.gateway("192.0.2.32:5060", 180)
		c := s.together(a, b)
		c.leg.Offer([]byte(sdpHold))
		s.trunk.settle()
		b.answer(b.last(sipgo.INVITE), 200, "OK", "b", "Contact: <sip:b@192.0.2.32:5060>", sdpAnswer)
		s.trunk.settle()
		same(t, "offer", string(b.last(sipgo.INVITE).Body()), sdpHold)
		b.okSDP(b.last(sipgo.INVITE), sdpAnswer)
		s.trunk.settle()
		same(t, "events", c.kinds(), "progress(180) progress(180) answered changed")
		a.answer(a.last(sipgo.INVITE), 487, "Request Terminated", "a")
		c.leg.Hangup("")
		s.trunk.settle()
	})
}
