package sip

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

const regAddr = "192.0.2.20:5060"

func registering(edit func(*Trunk)) *Trunk {
	return outTrunk("reg", func(k *Trunk) {
		k.Register = Register{Enabled: true, User: "acme"}
		if edit != nil {
			edit(k)
		}
	}, Gateway{Host: "sip.carrier.example"})
}

// registerStage is a stage whose carrier's name leads to regAddr.
func registerStage(t *testing.T) *trunkStage {
	t.Helper()
	s := newTrunkStage(t, outTrunk("none", nil, Gateway{Host: "192.0.2.99"}))
	s.dns.set(func(z *zone) { z.addrs["sip.carrier.example"] = []string{"192.0.2.20"} })
	return s
}

func TestT01R16GrantOfFiftyForAnHourIsRefreshedBefore45Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := registerStage(t)
		defer s.close()
		r := s.registrar(regAddr, sipgo.REGISTER, func(_ int, req *sipgo.Request) *sipgo.Response { return granted(req, 50) })
		s.change(registering(nil))
		synctest.Wait()
		first, at := r.request(t, 1)
		if v := headerOf(first, "Expires"); v != "3600" {
			t.Errorf("asked for %s, want 3600", v)
		}
		if got := first.Recipient.String(); got != "sip:sip.carrier.example" {
			t.Errorf("Request-URI is %s", got)
		}
		if got := first.To().Address.String(); got != "sip:acme@sip.carrier.example" {
			t.Errorf("address of record is %s", got)
		}
		if st := s.state("id-reg"); st.Registration != EnrolRegistered || st.LastCode != 200 || st.RegisteredAt != "UDP "+regAddr {
			t.Errorf("state is %+v", st)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := r.count(); n < 13 || n > 17 {
			t.Errorf("%d registrations in ten minutes", n)
		}
		for n := 2; n <= r.count(); n++ { // every life, not only the first
			req, next := r.request(t, n)
			if life := next.Sub(at); life >= 45*time.Second || life < 35*time.Second {
				t.Errorf("refresh %d came after %s", n, life)
			}
			if req.CallID().Value() != first.CallID().Value() || req.CSeq().SeqNo != first.CSeq().SeqNo+uint32(n)-1 {
				t.Error("Call-ID or CSeq do not go on: RFC 3261 §10.2.4")
			}
			at = next
		}
	})
}

func TestT01IntervalTooBriefIsAskedAgainWithMinExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := registerStage(t)
		defer s.close()
		r := s.registrar(regAddr, sipgo.REGISTER, func(_ int, req *sipgo.Request) *sipgo.Response {
			if headerOf(req, "Expires") == "60" {
				return reply(req, 423, "Min-Expires", "1800")
			}
			return granted(req, 1800)
		})
		s.change(registering(func(k *Trunk) { k.Register.Expires = 60 }))
		synctest.Wait()
		second, _ := r.request(t, 2)
		if v := headerOf(second, "Expires"); v != "1800" {
			t.Errorf("asked again for %s, want 1800", v)
		}
		if s.state("id-reg").Registration != EnrolRegistered {
			t.Errorf("state is %+v", s.state("id-reg"))
		}
		time.Sleep(1800 * time.Second)
		synctest.Wait()
		third, _ := r.request(t, 3)
		if v := headerOf(third, "Expires"); v != "1800" {
			t.Errorf("the refresh asks for %s: the 423 was forgotten", v)
		}
	})
}

func TestR16LifetimesOfAnAnswer(t *testing.T) {
	ours := sipgo.Uri{Scheme: "sip", User: "tok", Host: "198.51.100.1", Port: 5060}
	for name, c := range map[string]struct {
		headers []string
		want    time.Duration
		old     int
	}{
		"expires of our Contact":       {[]string{"Contact", "<sip:tok@198.51.100.1:5060>;expires=50"}, 50 * time.Second, 0},
		"it beats Expires":             {[]string{"Expires", "3600", "Contact", "<sip:tok@198.51.100.1:5060>;expires=50"}, 50 * time.Second, 0},
		"Expires alone":                {[]string{"Expires", "120", "Contact", "<sip:tok@198.51.100.1:5060>"}, 120 * time.Second, 0},
		"nothing":                      {nil, time.Hour, 0},
		"rewritten for a NAT":          {[]string{"Contact", "<sip:tok@203.0.113.9:40000>;expires=70"}, 70 * time.Second, 0},
		"rewritten altogether":         {[]string{"Contact", "<sip:acme@203.0.113.9>;expires=80"}, 80 * time.Second, 0},
		"among those of others":        {[]string{"Contact", "<sip:x@1.1.1.1>;expires=9", "Contact", "<sip:tok@198.51.100.1:5060>;expires=90"}, 90 * time.Second, 0},
		"an old one of ours":           {[]string{"Contact", "<sip:tok@10.0.0.1:5060>;expires=3000", "Contact", "<sip:tok@198.51.100.1:5060>;expires=60"}, time.Minute, 1},
		"no number":                    {[]string{"Contact", "<sip:tok@198.51.100.1:5060>;expires=soon"}, time.Hour, 0},
		"nothing at all was granted":   {[]string{"Contact", "<sip:tok@198.51.100.1:5060>;expires=0"}, time.Hour, 0},
		"too short to be meant so":     {[]string{"Contact", "<sip:tok@198.51.100.1:5060>;expires=1"}, shortestGrant, 0},
		"more seconds than there are":  {[]string{"Expires", "99999999999999999999"}, time.Hour, 0},
		"parameters after the seconds": {[]string{"Expires", "30;x=y"}, 30 * time.Second, 0},
	} {
		text := "SIP/2.0 200 OK\r\n"
		for i := 0; i+1 < len(c.headers); i += 2 {
			text += c.headers[i] + ": " + c.headers[i+1] + "\r\n"
		}
		m, err := sipgo.ParseMessage([]byte(text + "Content-Length: 0\r\n\r\n"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		res := m.(*sipgo.Response)
		got, old := grantOf(res, ours, time.Hour)
		if got != c.want || len(old) != c.old {
			t.Errorf("%s: granted %s with %d old, want %s with %d", name, got, len(old), c.want, c.old)
		}
	}
	for _, x := range []float64{0, 0.5, 0.999} {
		if got := refreshAfter(50*time.Second, x); got >= 45*time.Second || got < 30*time.Second {
			t.Errorf("50 s are refreshed after %s", got)
		}
	}
}

func TestR16DeadRegistrarIsTriedWithJitterAndFoundAgainWithinOneStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := registerStage(t)
		defer s.close()
		var dead atomic.Bool
		dead.Store(true)
		r := s.registrar(regAddr, sipgo.REGISTER, func(_ int, req *sipgo.Request) *sipgo.Response {
			if dead.Load() {
				return nil
			}
			return granted(req, 3600)
		})
		began := time.Now()
		s.change(registering(nil))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if st := s.state("id-reg"); st.Registration != EnrolFailing || st.LastCode != 0 || st.Reason == "" || !st.NextAttempt.After(began) {
			t.Errorf("after ten dead minutes the state is %+v", st)
		}
		gaps := map[time.Duration]bool{}
		r.mu.Lock()
		n := len(r.at)
		for i := 1; i < n; i++ {
			gap := r.at[i].Sub(r.at[i-1])
			gaps[gap] = true
			if i > 6 && (gap < retryLast/2 || gap > retryLast+registerWait) {
				t.Errorf("attempt %d came after %s", i, gap)
			}
		}
		r.mu.Unlock()
		if n < 6 || n > 20 || len(gaps) < 4 {
			t.Errorf("%d attempts in ten minutes with %d different pauses", n, len(gaps))
		}
		dead.Store(false)
		back := time.Now()
		for s.state("id-reg").Registration != EnrolRegistered && time.Since(back) < time.Hour {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if took := time.Since(back); took > retryLast+time.Second {
			t.Errorf("back after %s, want one step of %s at most", took, retryLast)
		}
		if st := s.state("id-reg"); st.Reason != "" || st.LastCode != 200 {
			t.Errorf("the failure is still shown: %+v", st)
		}
	})
}

func TestR16ChallengesStaleNonceWrongPasswordAnd403(t *testing.T) {
	login := func(k *Trunk) { k.Login = Login{Username: "acme", Secret: "open sesame"} }
	synctest.Test(t, func(t *testing.T) {
		s := registerStage(t)
		defer s.close()
		auth := NewAuthenticator("carrier.example", nil)
		md5Hex, shaHex := HA1("acme", "carrier.example", "open sesame")
		verdicts := []AuthVerdict{}
		r := s.registrar(regAddr, sipgo.REGISTER, func(_ int, req *sipgo.Request) *sipgo.Response {
			c := Credentials{Method: "REGISTER", RequestURI: req.Recipient.String(), Header: headerOf(req, "Authorization"), Source: ourAddr}
			v := AuthStale
			if c.Header != "" {
				_, v = auth.Check(c, func(string) (string, string, bool) { return md5Hex, shaHex, true }, time.Now())
				verdicts = append(verdicts, v)
			}
			if v == AuthOK {
				return granted(req, 600)
			}
			all := auth.Challenges(ourAddr, v == AuthStale && c.Header != "", time.Now())
			return reply(req, 401, "WWW-Authenticate", all[0], "WWW-Authenticate", all[1])
		})
		s.change(registering(login))
		synctest.Wait()
		if r.count() != 2 || s.state("id-reg").Registration != EnrolRegistered {
			t.Fatalf("%d requests, state %+v", r.count(), s.state("id-reg"))
		}
		req, _ := r.request(t, 2)
		if v := headerOf(req, "Authorization"); !strings.Contains(v, "algorithm=SHA-256") || strings.Contains(v, "open sesame") {
			t.Errorf("credentials are %s", v)
		}
		time.Sleep(10 * time.Minute) // the nonce is old by then: stale, and once more
		synctest.Wait()
		if fmt.Sprint(verdicts) != "[ok stale ok]" || r.count() != 4 || s.state("id-reg").Registration != EnrolRegistered {
			t.Errorf("verdicts %v, %d requests, state %+v", verdicts, r.count(), s.state("id-reg"))
		}
	})
	for name, c := range map[string]struct {
		edit   func(*Trunk)
		answer func(req *sipgo.Request) *sipgo.Response
		code   int
		most   int // requests
		state  EnrolState
	}{
		"wrong password": {login, func(req *sipgo.Request) *sipgo.Response {
			return reply(req, 401, "WWW-Authenticate", `Digest realm="c", nonce="`+newTag()+`", qop="auth"`)
		}, 401, 2, EnrolRefused},
		"stale for ever": {login, func(req *sipgo.Request) *sipgo.Response {
			return reply(req, 401, "WWW-Authenticate", `Digest realm="c", nonce="`+newTag()+`", stale=true, qop="auth"`)
		}, 0, 6, EnrolFailing},
		"no login": {nil, func(req *sipgo.Request) *sipgo.Response {
			return reply(req, 401, "WWW-Authenticate", `Digest realm="c", nonce="n", qop="auth"`)
		}, 401, 1, EnrolRefused},
		"another realm": {func(k *Trunk) { login(k); k.Login.Realm = "carrier.example" }, func(req *sipgo.Request) *sipgo.Response {
			return reply(req, 401, "WWW-Authenticate", `Digest realm="evil.example", nonce="n", qop="auth"`)
		}, 401, 1, EnrolRefused},
		"forbidden":   {nil, func(req *sipgo.Request) *sipgo.Response { return reply(req, 403) }, 403, 1, EnrolRefused},
		"unavailable": {nil, func(req *sipgo.Request) *sipgo.Response { return reply(req, 503, "Retry-After", "40") }, 503, 1, EnrolFailing},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := registerStage(t)
				defer s.close()
				r := s.registrar(regAddr, sipgo.REGISTER, func(_ int, req *sipgo.Request) *sipgo.Response { return c.answer(req) })
				began := time.Now()
				s.change(registering(c.edit))
				time.Sleep(time.Millisecond)
				synctest.Wait()
				st := s.state("id-reg")
				if st.Registration != c.state || st.LastCode != c.code || r.count() != c.most || st.Reason == "" {
					t.Errorf("%d requests, state %+v", r.count(), st)
				}
				pause := st.NextAttempt.Sub(began)
				switch {
				case c.state == EnrolRefused && (pause < refusedFirst/2 || pause > refusedFirst):
					t.Errorf("refused, and next after %s", pause)
				case c.code == 503 && pause < 40*time.Second:
					t.Errorf("Retry-After of 40 s, and next after %s", pause)
				}
			})
		})
	}
}

func TestT02CarrierMovesAndSoDoWe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := registerStage(t)
		defer s.close()
		grant := func(_ int, req *sipgo.Request) *sipgo.Response { return granted(req, 3600) }
		old, next := s.registrar(regAddr, sipgo.REGISTER, grant), s.registrar("192.0.2.21:5060", sipgo.REGISTER, grant)
		s.change(registering(nil))
		synctest.Wait()
		if old.count() != 1 || next.count() != 0 {
			t.Fatalf("%d and %d registrations", old.count(), next.count())
		}
		s.dns.set(func(z *zone) { z.addrs["sip.carrier.example"] = []string{"192.0.2.21"} })
		moved := time.Now()
		time.Sleep(dnsGood + 3*moveCheck)
		synctest.Wait()
		if next.count() != 1 {
			t.Fatalf("%s after the carrier has moved it has %d registrations", time.Since(moved), next.count())
		}
		if st := s.state("id-reg"); st.RegisteredAt != "UDP 192.0.2.21:5060" {
			t.Errorf("registered at %s", st.RegisteredAt)
		}
		for _, a := range []string{"192.0.2.20", "192.0.2.21"} { // calls under way still come from the old one
			if !s.ep.carriers.isKnown(mustAddr(a)) {
				t.Errorf("%s is no longer the carrier's", a)
			}
		}
		first, _ := next.request(t, 1)
		c := s.ep.carriers.of("id-reg")
		c.mu.Lock()                // which whoever reads the host has just held
		s.ep.host = "203.0.113.77" // our line was dialled again
		c.mu.Unlock()
		time.Sleep(2 * moveCheck)
		synctest.Wait()
		second, _ := next.request(t, 2)
		cs := second.GetHeaders("Contact")
		if len(cs) != 2 || !strings.Contains(cs[0].Value(), "203.0.113.77") ||
			!strings.Contains(cs[1].Value(), first.Contact().Address.Host) || !strings.Contains(cs[1].Value(), "expires=0") {
			t.Errorf("after our address has changed: %v", cs)
		}
	})
}

func TestR16UnregisteredWhenRemovedDisabledAndAtShutdown(t *testing.T) {
	for name, end := range map[string]func(s *trunkStage){
		"removed":  func(s *trunkStage) { s.change() },
		"disabled": func(s *trunkStage) { s.change(registering(func(k *Trunk) { k.Disabled = true })) },
		"switched": func(s *trunkStage) { s.change(registering(func(k *Trunk) { k.Register.Enabled = false })) },
		"shutdown": func(s *trunkStage) { s.ep.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := registerStage(t)
				defer s.close()
				r := s.registrar(regAddr, sipgo.REGISTER, func(n int, req *sipgo.Request) *sipgo.Response {
					if headerOf(req, "Expires") == "0" {
						return reply(req, 200)
					}
					return granted(req, 3600)
				})
				s.change(registering(nil))
				synctest.Wait()
				began := time.Now()
				end(s)
				synctest.Wait()
				last, _ := r.request(t, 2)
				if headerOf(last, "Expires") != "0" || last.Contact() == nil {
					t.Errorf("the last REGISTER is\n%s", last)
				}
				if took := time.Since(began); name == "shutdown" && took > 2*closeGrace {
					t.Errorf("shutdown took %s", took)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // a registrar that is dead does not hold up the shutdown
		s := registerStage(t)
		defer s.close()
		s.registrar(regAddr, sipgo.REGISTER, func(n int, req *sipgo.Request) *sipgo.Response {
			if n > 1 {
				return nil
			}
			return granted(req, 3600)
		})
		s.change(registering(nil))
		synctest.Wait()
		began := time.Now()
		s.ep.Close()
		if took := time.Since(began); took > 2*closeGrace {
			t.Errorf("shutdown took %s", took)
		}
	})
}

func TestR16NextGatewayRegistersWhenTheFirstIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := registerStage(t)
		defer s.close()
		var dead atomic.Bool
		first := s.registrar("192.0.2.31:5060", sipgo.REGISTER, func(_ int, req *sipgo.Request) *sipgo.Response {
			if dead.Load() {
				return nil
			}
			return granted(req, 600)
		})
		second := s.registrar("192.0.2.32:5060", sipgo.REGISTER, func(_ int, req *sipgo.Request) *sipgo.Response { return granted(req, 600) })
		s.change(outTrunk("reg", func(k *Trunk) { k.Register = Register{Enabled: true, User: "acme"} },
			Gateway{Host: "192.0.2.31", Priority: 1}, Gateway{Host: "192.0.2.32", Priority: 2}))
		synctest.Wait()
		if first.count() != 1 || second.count() != 0 {
			t.Fatalf("%d and %d", first.count(), second.count())
		}
		dead.Store(true)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if second.count() == 0 || s.state("id-reg").RegisteredAt != "UDP 192.0.2.32:5060" {
			t.Errorf("second has %d, state %+v", second.count(), s.state("id-reg"))
		}
	})
}

func TestR16CallsOfTheRegisteredCarrierAreItsTrunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := registerStage(t)
		defer s.close()
		r := s.registrar(regAddr, sipgo.REGISTER, func(_ int, req *sipgo.Request) *sipgo.Response { return granted(req, 3600) })
		s.change(registering(nil))
		synctest.Wait()
		req, _ := r.request(t, 1)
		binding := req.Contact().Address
		if len(binding.User) < 26 || binding.User == "acme" || strings.Contains(binding.User, "reg") {
			t.Errorf("the registered Contact %q could be guessed", binding.User)
		}
		stranger := s.phone("203.0.113.66:5060")
		for i, c := range []struct {
			from *farEnd
			uri  string
			want int
		}{
			{r.farEnd, binding.String(), 1},
			{r.farEnd, "sip:guess@198.51.100.1", 1}, // not the Contact
			{stranger, binding.String(), 1},         // not the carrier
		} {
			d := c.from.dialog(fmt.Sprintf("in-%d", i))
			d.uri = c.uri
			d.invite()
			if n := s.owner.count(); n != c.want {
				t.Errorf("case %d: %d calls admitted, want %d\n%s", i, n, c.want, c.from.dump())
			}
		}
		in := s.owner.call(t, 0).in
		if in.TrunkID != "id-reg" || in.Called != "+82212345678" {
			t.Errorf("admitted as %+v", in)
		}
		if s.log.with("registered Contact of trunk reg was called from an address") == "" {
			t.Error("nothing in the log says why the stranger was refused")
		}
		s.owner.call(t, 0).leg.Reject(486, "Busy Here", 0)
		synctest.Wait()
	})
}

func TestR16NameThatIsNotFoundIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := registerStage(t)
		defer s.close()
		s.dns.set(func(z *zone) { z.addrs = map[string][]string{}; z.srv = map[string][]*net.SRV{} })
		s.change(registering(nil))
		time.Sleep(time.Second)
		if st := s.state("id-reg"); st.Registration != EnrolUnreachable || !strings.Contains(st.Reason, "sip.carrier.example") {
			t.Errorf("state is %+v", st)
		}
		s.registrar(regAddr, sipgo.REGISTER, func(_ int, req *sipgo.Request) *sipgo.Response { return granted(req, 3600) })
		s.dns.set(func(z *zone) { z.addrs["sip.carrier.example"] = []string{"192.0.2.20"} })
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if st := s.state("id-reg"); st.Registration != EnrolRegistered {
			t.Errorf("state is %+v", st)
		}
	})
}
