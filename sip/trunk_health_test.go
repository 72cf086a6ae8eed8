package sip

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// TestR25HealthOfAPlace plays observations: p+ and p- are an OPTIONS answered and not, c+ and c- a call, 503 and 503/30 a
// call refused, without and with Retry-After. After each it says what is expected: up, down, aside, rest.
func TestR25HealthOfAPlace(t *testing.T) {
	dead := outcome{err: errors.New("no answer")}
	for name, script := range map[string]string{
		"one lost OPTIONS is no proof":            "p-:up p-:up p+:up p-:up p-:up",
		"three in a row are":                      "p-:up p-:up p-:down p-:down",
		"two answers bring it back":               "p- p- p-:down p+:down p+:up",
		"a miss between them does not count":      "p- p- p-:down p+:down p-:down p+:down p+:up",
		"a call brings it back at once":           "p- p- p-:down c+:up",
		"calls in between are proof":              "p- p- c+:up p- p-:up c+:up p- p-:up",
		"OPTIONS that never count again":          "p- p- p-:down c+:up p- p- p- p- p-:up",
		"until one is answered":                   "p- p- p-:down c+:up p- p- p-:up p+:up p- p- p-:down",
		"a dead call sets aside":                  "c-:aside 11s:up",
		"longer each time":                        "c-:aside 11s:up c-:aside 11s:aside 10s:up",
		"three dead calls":                        "c-:aside 11s c- 21s c-:down",
		"down by calls, back by OPTIONS":          "c- 11s c- 21s c-:down p+:down p+:up",
		"a refusal is an answer":                  "c- c4:up",
		"busy carrier":                            "503:aside 6s:up",
		"busy carrier that says how long":         "503/30:rest 29s:rest 2s:up",
		"and a call that goes through ends it":    "503/30:rest c+:up",
		"a call that fails while it is down":      "p- p- p-:down c-:down p+:down p+:up",
		"dead calls are no reason to distrust it": "p- p- c-:down c+:up p- p- p-:down",
		"Retry-After of a day":                    "503/86400:rest 16m:up",
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1_000_000, 0)
			var h health
			for step := range strings.FieldsSeq(script) {
				what, want, _ := strings.Cut(step, ":")
				switch what {
				case "p+":
					h = h.probed(outcome{status: 200}, now)
				case "p-":
					h = h.probed(dead, now)
				case "c+":
					h = h.called(outcome{status: 200}, now)
				case "c4":
					h = h.called(outcome{status: 404}, now)
				case "c-":
					h = h.called(dead, now)
				case "503":
					h = h.called(outcome{status: 503}, now)
				default:
					if secs, ok := strings.CutPrefix(what, "503/"); ok {
						d, _ := secondsIn(secs)
						h = h.called(outcome{status: 503, retryAfter: d}, now)
					} else if d, err := time.ParseDuration(what); err == nil {
						now = now.Add(d)
					} else {
						t.Fatalf("bad step %q", step)
					}
				}
				if got := [...]string{"up", "aside", "down", "rest"}[h.rank(now)]; want != "" && got != want {
					t.Fatalf("after %s it is %s, want %s (%+v)", step, got, want, h)
				}
			}
		})
	}
}

func TestR25ProbingNeedsThreeMissesAndTwoHits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t)
		defer s.close()
		var dead atomic.Bool
		r := s.registrar("192.0.2.40:5060", sipgo.OPTIONS, func(_ int, req *sipgo.Request) *sipgo.Response {
			if dead.Load() {
				return nil
			}
			return reply(req, 200)
		})
		s.change(outTrunk("out", func(k *Trunk) { k.ProbeSeconds = 30 }, Gateway{Host: "192.0.2.40"}))
		up := func() bool { synctest.Wait(); return s.state("id-out").Gateways[0].Up }
		time.Sleep(5 * time.Minute)
		if n := r.count(); !up() || n < 9 || n > 11 {
			t.Fatalf("%d probes in five minutes, up %v", n, up())
		}
		if req, _ := r.request(t, 1); req.Recipient.String() != "sip:192.0.2.40" || headerOf(req, "Max-Forwards") != "70" {
			t.Errorf("the probe is\n%s", req)
		}
		dead.Store(true)
		began, n := time.Now(), r.count()
		for up() && time.Since(began) < 10*time.Minute {
			time.Sleep(time.Second)
		}
		if misses := r.count() - n; misses != missesToDown {
			t.Errorf("down after %d misses", misses)
		}
		if g := s.state("id-out").Gateways[0]; !strings.Contains(g.Reason, "OPTIONS") || g.Since.IsZero() {
			t.Errorf("gateway is %+v", g)
		}
		dead.Store(false)
		began, n = time.Now(), r.count()
		for !up() && time.Since(began) < 10*time.Minute {
			time.Sleep(time.Second)
		}
		if hits := r.count() - n; hits != hitsToUp || time.Since(began) > 3*probeSoon {
			t.Errorf("up after %d hits in %s", hits, time.Since(began))
		}
		if s.log.with("gateway is down") == "" || s.log.with("gateway is up") == "" {
			t.Error("the log does not tell")
		}
	})
}

// plans a call and tells how its hops did.
func (s *trunkStage) plan(target call.Target) (plan, error) {
	s.t.Helper()
	if target.InstanceID == "" {
		target.InstanceID = "inst-1"
	}
	return s.ep.planTrunk(s.t.Context(), target)
}

func hopsText(p plan) string {
	out := make([]string, 0, len(p.hops))
	for _, h := range p.hops {
		out = append(out, h.addr.String())
	}
	return strings.Join(out, " ")
}

func TestR25ProbeDownCallsFineIsImpossible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t)
		defer s.close()
		r := s.registrar("192.0.2.40:5060", sipgo.OPTIONS, func(int, *sipgo.Request) *sipgo.Response { return nil }) // answers no OPTIONS
		s.change(outTrunk("out", func(k *Trunk) { k.ProbeSeconds = 10 }, Gateway{Host: "192.0.2.40"}))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if g := s.state("id-out").Gateways[0]; g.Up {
			t.Fatalf("without any answer it is %+v", g)
		}
		p, err := s.plan(call.Target{Number: "+821012345678"}) // it is tried all the same: nobody is left out
		if err != nil || hopsText(p) != "192.0.2.40:5060" {
			t.Fatalf("%s, %v", hopsText(p), err)
		}
		p.hops[0].tell(outcome{status: 200})
		p.release()
		for range 60 {
			time.Sleep(time.Minute)
			synctest.Wait()
			if g := s.state("id-out").Gateways[0]; !g.Up || !g.Unprobed {
				t.Fatalf("calls go through, and it is %+v", g)
			}
		}
		if r.count() < 60 {
			t.Errorf("it was probed %d times only: an answer would be believed again", r.count())
		}
	})
}

func TestT03R25GatewaysInOrderAndTheBadOnesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t)
		defer s.close()
		s.change(outTrunk("out", nil, Gateway{Host: "192.0.2.1", Priority: 1}, Gateway{Host: "192.0.2.2", Priority: 2},
			Gateway{Host: "192.0.2.3", Priority: 3}))
		target := call.Target{Number: "+821012345678"}
		order := func(want string) plan {
			t.Helper()
			p, err := s.plan(target)
			if got := hopsText(p); err != nil || strings.ReplaceAll(strings.ReplaceAll(got, "192.0.2.", ""), ":5060", "") != want {
				t.Errorf("order is %q, %v; want %s", got, err, want)
			}
			p.release()
			return p
		}
		p := order("1 2 3")
		p.hops[0].tell(outcome{err: errors.New("no answer")})
		p.hops[1].tell(outcome{status: 503, retryAfter: 30 * time.Second})
		p.hops[2].tell(outcome{status: 200})
		order("3 1 2")
		time.Sleep(asideFirst + time.Second)
		order("1 3 2")
		time.Sleep(30 * time.Second)
		order("1 2 3")
	})
}

func TestR22RetryAfterRestsTheWholeTrunkWhenThereIsNoOtherGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t)
		defer s.close()
		gate := Gateway{Host: "192.0.2.1"}
		s.change(outTrunk("a", nil, gate))
		target := call.Target{Number: "+821012345678"}
		p, err := s.plan(target)
		if err != nil {
			t.Fatal(err)
		}
		p.hops[0].tell(outcome{status: 503, retryAfter: 60 * time.Second})
		p.release()
		began := time.Now()
		if _, err = s.plan(target); err == nil || !strings.Contains(err.Error(), "takes no calls for 1m0s more") {
			t.Errorf("the carrier asked to be left alone: %v", err)
		}
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("the refusal took %s", took)
		}
		if p, err = s.plan(call.Target{Number: "119"}); err != nil { // an emergency goes out all the same
			t.Errorf("emergency: %v", err)
		} else {
			p.release()
		}
		s.change(outTrunk("a", nil, gate), outTrunk("b", nil, Gateway{Host: "192.0.2.2"}))
		if p, err = s.plan(target); err != nil || hopsText(p) != "192.0.2.2:5060" {
			t.Errorf("with another trunk: %s, %v", hopsText(p), err)
		}
		p.release()
		time.Sleep(61 * time.Second)
		if p, err = s.plan(target); err != nil || hopsText(p) != "192.0.2.1:5060" {
			t.Errorf("a minute later: %s, %v", hopsText(p), err)
		}
		p.release()
	})
}

func TestR25RoutesChooseTrunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t)
		defer s.close()
		gate := func(i int) Gateway { return Gateway{Host: fmt.Sprintf("192.0.2.%d", i)} }
		s.change(
			outTrunk("a any", nil, gate(1)),
			outTrunk("b korea", func(k *Trunk) { k.Routes = []Route{{Country: "KR"}} }, gate(2)),
			outTrunk("c seoul", func(k *Trunk) { k.Routes = []Route{{Prefix: "+822"}, {Prefix: "15", Priority: 7}} }, gate(3)),
			outTrunk("d korea too", func(k *Trunk) { k.Routes = []Route{{Country: "KR", Priority: 5}} }, gate(4)),
			outTrunk("e not ours", func(k *Trunk) { k.InstanceID = "inst-2" }, gate(5)),
			outTrunk("f disabled", func(k *Trunk) { k.Disabled = true }, gate(6)),
			outTrunk("g incoming only", func(k *Trunk) { k.Addresses, k.ProbeSeconds = []string{"192.0.2.77"}, 0 }),
		)
		for _, c := range []struct {
			number, trunk string
			want          string // names, first to last
		}{
			{"+82212345678", "", "c seoul, b korea, d korea too, a any"},
			{"+821012345678", "", "b korea, d korea too, a any"},
			{"+12025550123", "", "a any"},
			{"1588", "", "c seoul, a any"},
			{"+12025550123", "id-b korea", "b korea"},
			{"119", "", "a any, b korea, c seoul, d korea too"},
			{"119", "id-c seoul", "c seoul, a any, b korea, d korea too"},
		} {
			list, err := s.ep.trunksFor(call.Target{InstanceID: "inst-1", Number: c.number, TrunkID: c.trunk}, c.number == "119")
			var names []string
			for _, k := range list {
				names = append(names, k.trunk.Name)
			}
			if got := strings.Join(names, ", "); c.number == "119" {
				if len(list) != 4 || c.trunk != "" && names[0] != "c seoul" {
					t.Errorf("%s: %s", c.number, got)
				}
			} else if err != nil || got != c.want {
				t.Errorf("%s by %q: %s, %v; want %s", c.number, c.trunk, got, err, c.want)
			}
		}
		for _, c := range []call.Target{
			{InstanceID: "inst-3", Number: "+821012345678"},
			{InstanceID: "inst-1", Number: "+82212345678", TrunkID: "id-f disabled"},
			{InstanceID: "inst-2", Number: "+82212345678", TrunkID: "id-a any"},
		} {
			if _, err := s.plan(c); err == nil {
				t.Errorf("%+v has a plan", c)
			}
		}
	})
}

func TestR25TrunkWhoseGatewaysAreAllDeadComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t)
		defer s.close()
		s.change(outTrunk("a", nil, Gateway{Host: "192.0.2.1"}), outTrunk("b", nil, Gateway{Host: "192.0.2.2"}))
		target := call.Target{Number: "+821012345678"}
		for i, want := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"} {
			p, err := s.plan(target)
			if err != nil || hopsText(p) != want+":5060" {
				t.Errorf("call %d goes to %s, %v", i, hopsText(p), err)
			}
			p.hops[0].tell(outcome{err: errors.New("no answer")})
			p.release()
		}
	})
}
