package sip

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// TestT03R25FirstSRVTargetDeadSecond503ThirdAnswers: each 503 is acknowledged, the call is up within five seconds, and the
// next call does not try the bad ones first.
func TestT03R25FirstSRVTargetDeadSecond503ThirdAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t)
		defer s.close()
		s.dns.set(func(z *zone) {
			z.srv["_sip._udp.carrier.example"] = []*net.SRV{
				{Target: "dead.example.", Port: 5060, Priority: 1},
				{Target: "busy.example.", Port: 5060, Priority: 2},
				{Target: "good.example.", Port: 5060, Priority: 3},
			}
			z.addrs = map[string][]string{
				"dead.example": {"192.0.2.51"}, "busy.example": {"192.0.2.52"}, "good.example": {"192.0.2.53"}, "carrier.example": {"192.0.2.59"},
			}
		})
		busy := s.registrar("192.0.2.52:5060", sipgo.INVITE, func(_ int, req *sipgo.Request) *sipgo.Response {
			res := reply(req, 503, "Retry-After", "30")
			setTag(&res.To().Params, "busy")
			return res
		})
		good := s.registrar("192.0.2.53:5060", sipgo.INVITE, func(_ int, req *sipgo.Request) *sipgo.Response {
			res := reply(req, 200, "Contact", "<sip:far@192.0.2.53:5060>", "Content-Type", "application/sdp")
			setTag(&res.To().Params, "good")
			res.SetBody([]byte(sdpAnswer))
			return res
		})
		s.change(outTrunk("out", func(k *Trunk) { k.MaxChannels = 5 }, Gateway{Host: "carrier.example"}))
		began := time.Now()
		log := &eventLog{}
		answeredAfter := time.Duration(0)
		log.then = func(e call.LegEvent) {
			if e.Kind == call.LegAnswered {
				answeredAfter = time.Since(began)
			}
		}
		target := call.Target{InstanceID: "inst-1", Number: "+821012345678", FromNumber: "+82212345678"}
		leg := s.ep.Dial(target, []byte(sdpOffer), log.add)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if answeredAfter == 0 || answeredAfter >= 5*time.Second {
			t.Fatalf("answered after %s: %s", answeredAfter, log.kinds())
		}
		if n := len(busy.requests(sipgo.ACK)); n != 1 {
			t.Errorf("the 503 was acknowledged %d times", n)
		}
		if n := len(good.requests(sipgo.ACK)); n != 1 {
			t.Errorf("the 200 was acknowledged %d times", n)
		}
		if st := s.state("id-out"); st.Channels != 1 {
			t.Errorf("%d channels for one call that tried three places", st.Channels)
		}
		req, _ := good.request(t, 1)
		if got := req.Recipient.String(); got != "sip:+821012345678@carrier.example" {
			t.Errorf("Request-URI is %s", got)
		}
		second := &eventLog{}
		began = time.Now()
		other := s.ep.Dial(target, []byte(sdpOffer), second.add)
		synctest.Wait()
		if second.kinds() != "answered" || time.Since(began) != 0 || busy.count() != 1 {
			t.Errorf("the next call: %s after %s, %d INVITEs at the busy one", second.kinds(), time.Since(began), busy.count())
		}
		for _, g := range s.state("id-out").Gateways {
			if bad := !strings.HasPrefix(g.Address, "192.0.2.53"); bad != !g.AsideUntil.IsZero() {
				t.Errorf("gateway %+v", g)
			}
		}
		leg.Hangup("")
		other.Hangup("")
		time.Sleep(40 * time.Second)
		synctest.Wait()
		st := s.state("id-out")
		if st.Channels != 0 || st.Calls != 2 || st.Answered != 2 || st.Short != 2 || st.DelayCount != 2 {
			t.Errorf("after the calls: %+v", st)
		}
	})
}

// TestR16R22CallByTheTrunkIsChallengedAndAnswered: the password is given to the carrier, by its realm, and a refusal of
// the carrier is told at once, with its class.
func TestR16R22CallByTheTrunkIsChallengedAndAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t)
		defer s.close()
		auth := NewAuthenticator("carrier.example", nil)
		md5Hex, shaHex := HA1("acme", "carrier.example", "open sesame")
		far := s.registrar("192.0.2.53:5060", sipgo.INVITE, func(_ int, req *sipgo.Request) *sipgo.Response {
			h := headerOf(req, "Proxy-Authorization")
			c := Credentials{Method: "INVITE", RequestURI: req.Recipient.String(), Header: h, Source: ourAddr}
			if _, v := auth.Check(c, func(string) (string, string, bool) { return md5Hex, shaHex, true }, time.Now()); h == "" || v != AuthOK {
				res := reply(req, 407, "Proxy-Authenticate", auth.Challenges(ourAddr, false, time.Now())[0])
				setTag(&res.To().Params, "x")
				return res
			}
			res := reply(req, 486)
			setTag(&res.To().Params, "y")
			return res
		})
		s.change(outTrunk("out", func(k *Trunk) {
			k.Login = Login{Username: "acme", Secret: "open sesame", Realm: "carrier.example"}
			k.Identity = IdentityProfile{Assert: IdentityPAI, Called: FormatNational}
		}, Gateway{Host: "192.0.2.53"}))
		began := time.Now()
		log := &eventLog{}
		s.ep.Dial(call.Target{InstanceID: "inst-1", Number: "+821012345678", FromNumber: "+82212345678"}, []byte(sdpOffer), log.add)
		synctest.Wait()
		if took := time.Since(began); took > 200*time.Millisecond || log.kinds() == "" || far.count() != 2 {
			t.Errorf("after %s: %q, %d INVITEs", took, log.kinds(), far.count())
		}
		req, _ := far.request(t, 2)
		if req.Recipient.User != "01012345678" || headerOf(req, "P-Asserted-Identity") != "<sip:+82212345678@198.51.100.1>" {
			t.Errorf("the INVITE is\n%s", req)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := s.state("id-out"); st.Refused["busy"] != 1 || st.Channels != 0 || !st.Gateways[0].Up {
			t.Errorf("state is %+v", st)
		}
	})
}

// TestT02CallsUnderWayStayWhereTheyAreWhenTheCarrierMoves: the name leads elsewhere, the registration follows, and the BYE
// goes to the old place all the same.
func TestT02CallsUnderWayStayWhereTheyAreWhenTheCarrierMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t)
		defer s.close()
		s.dns.set(func(z *zone) { z.addrs["sip.carrier.example"] = []string{"192.0.2.20"} })
		answer := func(addr string) *farEnd {
			p := s.phone(addr)
			p.on = func(m sipgo.Message) {
				req, ok := m.(*sipgo.Request)
				if !ok || req.Method == sipgo.ACK {
					return
				}
				var res *sipgo.Response
				switch req.Method {
				case sipgo.REGISTER:
					res = granted(req, 3600)
				case sipgo.INVITE:
					res = reply(req, 200, "Contact", "<sip:far@"+addr+">", "Content-Type", "application/sdp")
					setTag(&res.To().Params, "far")
					res.SetBody([]byte(sdpAnswer))
				default:
					res = reply(req, 200)
				}
				p.send(res.String())
			}
			return p
		}
		old, next := answer("192.0.2.20:5060"), answer("192.0.2.21:5060")
		s.change(registering(nil))
		log := &eventLog{}
		leg := s.ep.Dial(call.Target{InstanceID: "inst-1", Number: "+821012345678", FromNumber: "+82212345678"}, []byte(sdpOffer), log.add)
		synctest.Wait()
		if log.kinds() != "answered" {
			t.Fatalf("events are %q", log.kinds())
		}
		s.dns.set(func(z *zone) { z.addrs["sip.carrier.example"] = []string{"192.0.2.21"} })
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(next.requests(sipgo.REGISTER)) != 1 {
			t.Fatalf("the registration did not follow\n%s", next.dump())
		}
		leg.Hangup("")
		synctest.Wait()
		if len(old.requests(sipgo.BYE)) != 1 || len(next.requests(sipgo.BYE)) != 0 {
			t.Errorf("the BYE went elsewhere\n%s%s", old.dump(), next.dump())
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
	})
}
