package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// ask sends an out-of-dialog request of the device twice: without and with credentials.
func (p *farEnd) ask(method, callID string, extra ...string) *dlg {
	p.s.t.Helper()
	d := p.dialog(callID)
	d.uri = "sip:198.51.100.1"
	text := func(seq int, more ...string) string {
		m := d.text(method, seq, callID+fmt.Sprint(seq), "", append(more, extra...)...)
		m = strings.Replace(m, "To: <sip:+82212345678@198.51.100.1>", "To: <sip:"+deviceName+"@198.51.100.1>", 1)
		return strings.Replace(m, "sip:01012345678@192.0.2.10", "sip:"+deviceName+"@198.51.100.1", 1)
	}
	p.send(text(1))
	p.settle()
	res := p.response("1 "+method, 401)
	p.send(text(2, credentials(p.s.t, res, method, d.uri, deviceName, deviceWord)))
	p.settle()
	return d
}

func (p *farEnd) answersRequests() {
	p.on = func(m sipgo.Message) {
		if req, ok := m.(*sipgo.Request); ok {
			p.send(sipgo.NewResponseFromRequest(req, 200, "OK", nil).String())
		}
	}
}

func bodies(reqs []*sipgo.Request) []string {
	var out []string
	for _, r := range reqs {
		state, _, _ := strings.Cut(r.GetHeader("Subscription-State").Value(), ";")
		_, voice, _ := strings.Cut(string(r.Body()), "Voice-Message: ")
		out = append(out, state+" "+strings.TrimSpace(voice))
	}
	return out
}

func TestWaitingMessagesAreTold(t *testing.T) {
	state := &memoryStates{}
	run(t, func(s *stage) {
		p := s.phone(deviceAddr)
		p.answersRequests()
		contact := "Contact: <sip:" + deviceName + "@" + deviceAddr + ">"
		s.ep.SetWaiting(contactUser, 1, 0)
		d := p.ask("SUBSCRIBE", "sub", contact, "Event: message-summary", "Expires: 600")
		d.learnFrom(p.response("2 SUBSCRIBE", 200))
		same(s.t, "expires", p.response("2 SUBSCRIBE", 200).GetHeader("Expires").Value(), "600")
		s.ep.SetWaiting(contactUser, 2, 8)
		s.ep.SetWaiting(contactUser, 2, 8)
		synctest.Wait()
		same(s.t, "told", bodies(p.requests(sipgo.NOTIFY)), []string{"active 1/0", "active 2/8"})
		first := p.requests(sipgo.NOTIFY)[0]
		same(s.t, "body", string(first.Body()), "Messages-Waiting: yes\r\nMessage-Account: sip:agent7@198.51.100.1\r\nVoice-Message: 1/0\r\n")
		same(s.t, "dialog", callIDOf(first)+tagOf(first.To().Params), "sub"+d.from)
		same(s.t, "event", first.GetHeader("Event").Value(), "message-summary")
		time.Sleep(10*time.Minute + keepEvery)
		synctest.Wait()
		same(s.t, "the end", bodies(p.requests(sipgo.NOTIFY))[2:], []string{"terminated 2/8"})
		same(s.t, "subscriptions", s.ep.mwi.size(), 0)
		s.ep.SetWaiting(contactUser, 3, 3)
		synctest.Wait()
		same(s.t, "after the end", len(p.requests(sipgo.NOTIFY)), 3)
		time.Sleep(keepEvery + 1)
		same(s.t, "stored", string(state.of(stateWaiting, contactUser)), `{"new":3,"old":3}`)
	}, func(o *Options) { o.State = state })
	run(t, func(s *stage) { // after a restart
		fresh, old := s.ep.Waiting(contactUser)
		same(s.t, "messages", []int{fresh, old}, []int{3, 3})
	}, func(o *Options) { o.State = state })
}

func (d *dlg) learnFrom(res *sipgo.Response) { d.to = tagOf(res.To().Params) }

func TestAPhoneThatDoesNotSubscribeIsToldIfItsDeviceSaysSo(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, _ := s.ep.opt.Devices().ByName(deviceName)
		d.NotifyWaiting = true
		p := s.phone(deviceAddr)
		p.answersRequests()
		s.ep.SetWaiting(contactUser, 1, 0)
		p.ask("REGISTER", "reg", "Contact: <sip:"+deviceName+"@"+deviceAddr+">")
		same(t, "after registering", bodies(p.requests(sipgo.NOTIFY)), []string{"active 1/0"})
		s.ep.SetWaiting(contactUser, 0, 1)
		synctest.Wait()
		same(t, "after a change", bodies(p.requests(sipgo.NOTIFY))[1:], []string{"active 0/1"})
	})
}

func TestSubscriptionsToAnythingElseAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		extra []string
		code  int
	}{
		{"another package", []string{"Event: presence"}, 489},
		{"no package", nil, 489},
		{"another body", []string{"Event: message-summary", "Accept: application/pidf+xml"}, 406},
		{"too short", []string{"Event: message-summary", "Expires: 5"}, 423},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, func(s *stage) {
				p := s.phone(deviceAddr)
				p.ask("SUBSCRIBE", "sub", append(tc.extra, "Contact: <sip:a@"+deviceAddr+">")...)
				same(s.t, "answers", p.responses("2 SUBSCRIBE"), []int{tc.code})
				same(s.t, "subscriptions", s.ep.mwi.size(), 0)
				if tc.code == 489 {
					same(s.t, "Allow-Events", p.response("2 SUBSCRIBE", 489).GetHeader("Allow-Events").Value(), "message-summary")
				}
			})
		})
	}
}

func TestASubscriberWhoIsGoneIsForgotten(t *testing.T) {
	run(t, func(s *stage) {
		p := s.phone(deviceAddr)
		p.ask("SUBSCRIBE", "sub", "Contact: <sip:a@"+deviceAddr+">", "Event: message-summary")
		same(s.t, "subscriptions", s.ep.mwi.size(), 1)
		time.Sleep(time.Minute) // its NOTIFY is never answered
		synctest.Wait()
		same(s.t, "subscriptions later", s.ep.mwi.size(), 0)
	})
}

// Threat 14: nothing begins without credentials, and strangers do not even learn what there is.
func TestThreat14EverythingOutsideADialogIsAuthenticated(t *testing.T) {
	run(t, func(s *stage) {
		p := s.phone("203.0.113.77:5060")
		for i, method := range []string{"SUBSCRIBE", "REGISTER", "INVITE"} {
			p.send(p.dialog(fmt.Sprint("x", i)).text(method, 1, fmt.Sprint("x", i), "", "Event: presence"))
			p.settle()
			same(s.t, method, p.responses("1 "+method), []int{401})
		}
	})
}

// Threat 13: a known and an unknown user get the same from every door, header by header.
func TestThreat13KnownAndUnknownUsersGetTheSame(t *testing.T) {
	for _, method := range []string{"INVITE", "REGISTER", "SUBSCRIBE"} {
		run(t, func(s *stage) {
			t := s.t
			shape := func(user, addr, word string) (out []string) {
				p, seq := s.phone(addr), 1
				d := p.dialog(method + user)
				text := func(n int, extra ...string) string {
					m := d.text(method, n, fmt.Sprint(method, user, n), "", append(extra, "Contact: <sip:a@"+addr+">")...)
					if method == "INVITE" {
						m = strings.Replace(m, "Contact: <sip:a@"+addr+">\r\n", "", 1)
					}
					return strings.ReplaceAll(m, "To: <sip:+82212345678@", "To: <sip:"+user+"@")
				}
				p.send(text(seq))
				p.settle()
				first := p.response(fmt.Sprint(seq, " ", method), 401)
				p.send(text(seq+1, credentials(t, first, method, d.uri, user, word)))
				p.settle()
				for _, res := range []*sipgo.Response{first, p.response(fmt.Sprint(seq+1, " ", method), 401)} {
					out = append(out, fmt.Sprint(res.StatusCode, res.Reason))
					for _, h := range res.Headers() {
						out = append(out, h.Name())
						if h.Name() == "WWW-Authenticate" {
							out = append(out, fmt.Sprint(len(h.Value()), strings.Contains(h.Value(), "stale")))
						}
					}
				}
				return out
			}
			same(t, method, shape(deviceName, "203.0.113.5:40000", "wrong"), shape("nobody", "203.0.113.6:40000", "wrong"))
		})
	}
}

func TestR34RegisterOverTheWireWithOutboundAndPath(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		p := s.phone(deviceAddr)
		p.ask("REGISTER", "direct", "Supported: path, outbound",
			`Contact: <sip:agent7@10.0.0.1>;reg-id=1;+sip.instance="<urn:uuid:1>"`)
		res := p.response("2 REGISTER", 200)
		same(t, "Require", res.GetHeader("Require").Value(), "outbound")
		if v := res.GetHeader("Contact").Value(); !strings.Contains(v, "reg-id=1") || !strings.Contains(v, "urn:uuid:1") || strings.Contains(v, "gruu") {
			t.Errorf("Contact is %s", v)
		}
		same(t, "trusted", s.ep.trust.level(netip.MustParseAddrPort(deviceAddr), time.Now()), trustRegistered)
		q := s.phone("203.0.113.6:5060")
		q.ask("REGISTER", "path", "Path: <sip:203.0.113.6;lr>, <sip:edge.example;lr;ob>", "Contact: <sip:agent7@10.0.0.2>")
		res = q.response("2 REGISTER", 200)
		same(t, "Path", len(res.GetHeaders("Path")), 2)
		for _, reg := range s.reg.All(contactUser, time.Now()) {
			if reg.Contact == "sip:agent7@10.0.0.2" {
				same(t, "stored", reg.Path, []string{"sip:203.0.113.6;lr", "sip:edge.example;lr;ob"})
			}
		}
		same(t, "bindings", s.reg.Count(), 2)
	})
}
