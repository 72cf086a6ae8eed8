package sip

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/resource"
)

// phones is a stage with three devices of one user.
func phones(t *testing.T, f func(s *stage), change ...func(*Options)) {
	t.Helper()
	var list []*Device
	for i := range 3 {
		name := fmt.Sprint(deviceName, string(rune('a'+i)))
		m, h := HA1(name, realm, deviceWord)
		list = append(list, &Device{
			Meta: resource.Meta{ID: "dev-" + name, InstanceID: "inst-1", Name: name}, UserID: contactUser, HA1MD5: m, HA1SHA256: h,
			Profile: DeviceProfile{Codecs: []string{"PCMA"}, Digits: call.DigitsInfo},
		})
	}
	devices := NewDeviceTable(list)
	run(t, f, append(change, func(o *Options) { o.Devices = func() *DeviceTable { return devices } })...)
}

func (s *stage) bind(name string, edit func(*RegisterRequest)) {
	s.t.Helper()
	d, ok := s.ep.opt.Devices().ByName(name)
	if !ok {
		s.t.Fatal("no device " + name)
	}
	q := RegisterRequest{
		Device: d, CallID: "r-" + name, CSeq: 1, Transport: "UDP", Source: "203.0.113.5:5060",
		Contacts: []RegisterContact{{URI: "sip:" + name + "@203.0.113.5"}}, Now: time.Now(),
	}
	edit(&q)
	if r := s.reg.Register(s.t.Context(), q); r.Status != 200 {
		s.t.Fatalf("%+v", r)
	}
}

func TestR34OneInviteForEachPhone(t *testing.T) {
	phones(t, func(s *stage) {
		t := s.t
		a, b := deviceName+"a", deviceName+"b"
		who := call.Target{InstanceID: "inst-1", UserID: contactUser, FromNumber: "+8221234", FromName: "Kim"}
		if _, err := s.ep.planDevices(who); err == nil {
			t.Error("a plan without a registration")
		}
		// One phone with two flows, one with two contacts on one socket, one behind a proxy.
		for i, reg := range []string{"1", "2"} {
			s.bind(a, func(q *RegisterRequest) {
				q.Outbound, q.FirstHop, q.CSeq = true, true, uint32(i+1)
				q.Source = "203.0.113.5:4000" + reg
				q.Contacts = []RegisterContact{{URI: "sip:a@10.0.0.1", InstanceID: urn, RegID: reg}}
			})
			time.Sleep(time.Second)
		}
		s.bind(b, func(q *RegisterRequest) {
			q.Source, q.Contacts = "203.0.113.6:5060", contacts("sip:line1@203.0.113.6", "sip:line2@203.0.113.6")
		})
		time.Sleep(time.Second)
		s.bind(deviceName+"c", func(q *RegisterRequest) {
			q.Source, q.Path = "192.0.2.10:5060", []string{"sip:192.0.2.10:5070;lr", "sip:edge.example;lr"}
		})
		p, err := s.ep.planDevices(who)
		if err != nil || !p.together {
			t.Fatal(p, err)
		}
		var got []string
		for _, h := range p.hops {
			var routes []string
			for _, r := range h.routes {
				routes = append(routes, r.String())
			}
			got = append(got, fmt.Sprintf("%s %s %s to %s via %v flow %v", h.network, h.addr, h.target.String(), h.to.uri.User, routes, h.flow))
		}
		same(t, "hops", got, []string{
			"UDP 192.0.2.10:5070 sip:agent7c@203.0.113.5 to agent7c via [sip:192.0.2.10:5070;lr sip:edge.example;lr] flow false",
			"UDP 203.0.113.6:5060 sip:line1@203.0.113.6 to agent7b via [] flow true",
			"UDP 203.0.113.5:40002 sip:a@10.0.0.1 to agent7a via [] flow true",
		})
		same(t, "from", p.hops[0].from.uri.User, "+8221234")
		same(t, "profile", s.ep.Profile(who), call.Profile{Codecs: []string{"PCMA"}, Digits: call.DigitsInfo})
		p.release()
		p.release()
		who.InstanceID = "inst-2"
		if _, err = s.ep.planDevices(who); err == nil {
			t.Error("another instance's devices are called")
		}
	})
}

func TestR34ABrowserAndADeskPhoneDoNotGetOneOffer(t *testing.T) {
	phones(t, func(s *stage) {
		t := s.t
		who := call.Target{InstanceID: "inst-1", UserID: contactUser}
		s.bind(deviceName+"a", func(*RegisterRequest) {})
		time.Sleep(time.Second)
		s.bind(deviceName+"b", func(q *RegisterRequest) { q.Transport, q.Source = "WSS", "203.0.113.7:50000" })
		same(t, "profile", s.ep.Profile(who).Encryption, call.EncryptionWebRTC)
		same(t, "called", len(s.ep.reachable(who, time.Now())), 1)
		// Its connection is not there: the plan finds out, and the registration ends.
		if _, err := s.ep.planDevices(who); err == nil || !strings.Contains(err.Error(), "connection is gone") {
			t.Errorf("%v", err)
		}
		p, err := s.ep.planDevices(who)
		if err != nil || len(p.hops) != 1 || p.hops[0].network != "UDP" {
			t.Errorf("%+v, %v", p, err)
		}
		same(t, "profile of what is left", s.ep.Profile(who).Encryption, call.EncryptionNone)
	})
}

func TestR34RingsWithoutAnAnswerEndAContact(t *testing.T) {
	phones(t, func(s *stage) {
		t := s.t
		who := call.Target{InstanceID: "inst-1", UserID: contactUser}
		s.bind(deviceName+"a", func(*RegisterRequest) {})
		tell := func(o outcome) {
			t.Helper()
			p, err := s.ep.planDevices(who)
			if err != nil {
				t.Fatal(err)
			}
			p.hops[0].tell(o)
		}
		lost := outcome{err: fmt.Errorf("no answer")}
		for _, o := range []outcome{lost, lost, {status: 486}, lost, lost, {}, {status: 480}, lost, lost} {
			tell(o)
		}
		same(t, "still there", s.reg.Count(), 1)
		tell(lost)
		same(t, "dead", s.reg.Count(), 0)
		same(t, "metric", s.ep.Stats().DeadContacts, 1)
		s.bind(deviceName+"a", func(q *RegisterRequest) { q.CSeq = 2 })
		tell(outcome{status: 430})
		same(t, "a flow that failed", s.reg.Count(), 0)
	})
}

func TestThePathLeadsOnlyToWhoRegistered(t *testing.T) {
	source := netip.MustParseAddrPort("192.0.2.10:41000")
	for uri, want := range map[string]string{
		"sip:192.0.2.10:5070;lr": "192.0.2.10:5070", "sip:192.0.2.10;lr": "192.0.2.10:5060", "sip:10.0.0.1:22;lr": "192.0.2.10:41000",
		"sip:internal.example;lr": "192.0.2.10:41000",
	} {
		var u sipgo.Uri
		if err := sipgo.ParseUri(uri, &u); err != nil {
			t.Fatal(err)
		}
		same(t, uri, viaPath(source, &u).String(), want)
	}
}

// A phone behind a NAT is asked, and forgotten when it does not answer three times.
func TestR34PhonesBehindNATAreKeptAliveOrForgotten(t *testing.T) {
	phones(t, func(s *stage) {
		t := s.t
		p := s.phone("203.0.113.5:40001")
		var answer atomic.Bool
		answer.Store(true)
		p.on = func(m sipgo.Message) {
			if req, ok := m.(*sipgo.Request); ok && answer.Load() {
				res := sipgo.NewResponseFromRequest(req, 404, "Not Found", nil) // any answer is a sign of life
				p.send(res.String())
			}
		}
		s.bind(deviceName+"a", func(q *RegisterRequest) {
			q.Source, q.Contacts = "203.0.113.5:40001", contacts("sip:a@10.0.0.1 3600")
		})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := len(p.requests(sipgo.OPTIONS)); n < 9 || n > 11 {
			t.Errorf("%d pings in five minutes, want ten", n)
		}
		same(t, "alive", s.reg.Count(), 1)
		same(t, "dropped", s.ep.Stats().Dropped, 0)
		answer.Store(false)
		time.Sleep(75 * time.Second)
		same(t, "doubted", s.reg.Count(), 1)
		time.Sleep(45 * time.Second)
		synctest.Wait()
		same(t, "dead", s.reg.Count(), 0)
		n := len(p.requests(sipgo.OPTIONS))
		time.Sleep(5 * time.Minute)
		same(t, "pings after that", len(p.requests(sipgo.OPTIONS)), n)
	}, func(o *Options) { o.KeepAlive = 30 * time.Second })
}

func TestR34AClosedConnectionEndsItsRegistration(t *testing.T) {
	var in *pipes
	phones(t, func(s *stage) {
		t := s.t
		who := call.Target{InstanceID: "inst-1", UserID: contactUser}
		c := in.dial(t, "203.0.113.5:50000")
		if _, err := c.Write([]byte("\r\n\r\n")); err != nil { // the connection lives
			t.Fatal(err)
		}
		synctest.Wait()
		s.bind(deviceName+"a", func(q *RegisterRequest) { q.Transport, q.Source = "TCP", "203.0.113.5:50000" })
		p, err := s.ep.planDevices(who)
		if err != nil || len(p.hops) != 1 || !p.hops[0].flow || p.hops[0].network != "TCP" {
			t.Fatalf("%+v, %v", p, err)
		}
		_ = c.Close()
		synctest.Wait()
		same(t, "registrations", s.reg.Count(), 0)
	}, func(o *Options) { in = newPipes(); o.Listeners = []net.Listener{in} })
}

func TestR21ABannedSourceHasNoConnections(t *testing.T) {
	var in *pipes
	run(t, func(s *stage) {
		t := s.t
		if _, err := s.ep.AddBan(netip.MustParsePrefix("203.0.113.9/32"), "", 0); err != nil {
			t.Fatal(err)
		}
		bad, good := in.dial(t, "203.0.113.9:50000"), in.dial(t, "203.0.113.8:50000")
		synctest.Wait()
		select {
		case <-bad.eof:
		default:
			t.Error("a banned source has a connection")
		}
		same(t, "streams", s.ep.Stats().Streams, 1)
		_ = good.Close()
		synctest.Wait()
	}, func(o *Options) { in = newPipes(); o.Listeners = []net.Listener{in} })
}
