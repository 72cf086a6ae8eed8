package sip

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/phone"
)

// deviceCall is a confirmed call to the device, and the dialog as the device sees it.
func (s *stage) deviceCall() (*dialed, *dlg) {
	s.t.Helper()
	c := s.dial()
	c.ok("dt")
	c.phone.settle()
	return c, &dlg{
		p: c.phone, callID: c.leg.CallID(), from: "dt", to: tagOf(c.invite().From().Params), uri: "sip:ullim@198.51.100.1",
	}
}

// notices are the NOTIFYs that the phone got: state and body.
func (c *dialed) notices() (list []string) {
	for _, r := range c.phone.distinct(sipgo.NOTIFY) {
		state, _, _ := strings.Cut(r.GetHeader("Subscription-State").Value(), ";")
		list = append(list, state+" "+strings.TrimSpace(string(r.Body())))
	}
	return list
}

// obedient makes the phone answer what comes inside the dialog.
func (c *dialed) obedient() {
	c.phone.hear(func(m sipgo.Message) {
		if req, ok := m.(*sipgo.Request); ok && (req.Method == sipgo.BYE || req.Method == sipgo.NOTIFY) {
			c.phone.answer(req, 200, "OK", "")
		}
	})
}

func TestR20BlindTransferIsToldToItsEnd(t *testing.T) {
	for _, tc := range []struct {
		name string
		code int
		text string
	}{{"connected", 200, "OK"}, {"busy", 486, "Busy Here"}, {"no answer", 480, "Temporarily Unavailable"}, {"declined", 603, "Decline"}} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, func(s *stage) {
				t := s.t
				c, d := s.deviceCall()
				c.obedient()
				d.send("REFER", 20, "", "Refer-To: <sip:02-123-4567@198.51.100.1?Subject=x>", "Referred-By: <sip:agent7@test.example>")
				c.phone.settle()
				same(t, "events", c.kinds(), "answered refer(021234567)")
				same(t, "refer", *c.all()[1].Refer, call.Refer{
					URI: "sip:02-123-4567@198.51.100.1", Target: "021234567", By: "<sip:agent7@test.example>",
				})
				same(t, "no answer before the owner's", c.phone.responses("20 REFER"), nil)
				c.leg.Notify(100, "Trying")
				c.phone.settle()
				same(t, "answer", c.phone.responses("20 REFER"), []int{202})
				c.leg.Notify(180, "Ringing")
				c.phone.settle()
				c.leg.Notify(tc.code, tc.text)
				c.leg.Notify(200, "too late")
				c.phone.settle()
				same(t, "NOTIFYs", c.notices(), []string{
					"active SIP/2.0 100 Trying", "active SIP/2.0 180 Ringing", "terminated SIP/2.0 " + responseLine(tc.code, tc.text),
				})
				same(t, "Event", c.phone.last(sipgo.NOTIFY).GetHeader("Event").Value(), "refer;id=20")
				d.send("BYE", 21, "")
				time.Sleep(time.Second)
				same(t, "events", c.kinds(), "answered refer(021234567) ended(bye)")
				same(t, "legs", s.ep.Stats().Legs, 0)
			})
		})
	}
}

func responseLine(code int, text string) string { return strconv.Itoa(code) + " " + text }

// S24: BYE of the transferor at every point after the 202.
func TestS24ByeOfTheTransferorDoesNotStopTheTransfer(t *testing.T) {
	for _, when := range []time.Duration{0, 10 * time.Millisecond, 3 * time.Second} {
		t.Run(when.String(), func(t *testing.T) {
			run(t, func(s *stage) {
				t := s.t
				c, d := s.deviceCall()
				c.obedient()
				d.send("REFER", 20, "", "Refer-To: <sip:100@198.51.100.1>")
				c.phone.settle()
				c.leg.Notify(100, "Trying")
				if when > 0 {
					time.Sleep(when)
				}
				d.send("BYE", 21, "")
				c.phone.settle()
				same(t, "BYE", c.phone.responses("21 BYE"), []int{200})
				same(t, "events", c.kinds(), "answered refer(100) ended(bye)")
				same(t, "the leg stays for its last word", s.ep.Stats().Legs, 1)
				time.Sleep(5 * time.Second)
				c.leg.Notify(200, "OK")
				c.phone.settle()
				same(t, "NOTIFYs", c.notices(), []string{"active SIP/2.0 100 Trying", "terminated SIP/2.0 200 OK"})
				same(t, "legs", s.ep.Stats().Legs, 0)
			})
		})
	}
	t.Run("nobody says how it went", func(t *testing.T) {
		run(t, func(s *stage) {
			t := s.t
			c, d := s.deviceCall()
			c.obedient()
			d.send("REFER", 20, "", "Refer-To: <sip:100@198.51.100.1>")
			c.phone.settle()
			c.leg.Notify(100, "Trying")
			d.send("BYE", 21, "")
			time.Sleep(33 * time.Second)
			same(t, "NOTIFYs", c.notices(), []string{"active SIP/2.0 100 Trying", "terminated SIP/2.0 503 Service Unavailable"})
			same(t, "legs", s.ep.Stats().Legs, 0)
		})
	})
	t.Run("we hang up while it goes on", func(t *testing.T) {
		run(t, func(s *stage) {
			t := s.t
			c, d := s.deviceCall()
			c.obedient()
			d.send("REFER", 20, "", "Refer-To: <sip:100@198.51.100.1>")
			c.phone.settle()
			c.leg.Notify(100, "Trying")
			c.leg.Hangup("")
			c.leg.Notify(200, "OK")
			c.phone.settle()
			same(t, "NOTIFYs", c.notices(), []string{"active SIP/2.0 100 Trying", "terminated SIP/2.0 200 OK"})
			same(t, "legs", s.ep.Stats().Legs, 0)
		})
	})
	t.Run("the last NOTIFY is lost", func(t *testing.T) {
		run(t, func(s *stage) {
			t := s.t
			c, d := s.deviceCall()
			c.obedient()
			lost := 0
			s.net.lose = func(_, _ string, data []byte) bool {
				if strings.HasPrefix(string(data), "NOTIFY") && lost < 3 {
					lost++
					return true
				}
				return false
			}
			d.send("REFER", 20, "", "Refer-To: <sip:100@198.51.100.1>")
			c.phone.settle()
			c.leg.Notify(200, "OK")
			d.send("BYE", 21, "")
			time.Sleep(20 * time.Second)
			same(t, "NOTIFYs", c.notices(), []string{"terminated SIP/2.0 200 OK"})
			same(t, "legs", s.ep.Stats().Legs, 0)
		})
	})
}

func TestR20RefusedTransferIsNoSubscription(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		c, d := s.deviceCall()
		c.obedient()
		d.send("REFER", 20, "", "Refer-To: <sip:100@198.51.100.1>")
		c.phone.settle()
		d.send("REFER", 21, "", "Refer-To: <sip:101@198.51.100.1>") // while the first is undecided
		c.phone.settle()
		same(t, "second", c.phone.responses("21 REFER"), []int{491})
		c.leg.Notify(603, "Decline")
		c.leg.Notify(200, "OK")
		c.phone.settle()
		same(t, "answer", c.phone.responses("20 REFER"), []int{603})

		d.send("REFER", 22, "", "Refer-To: <sip:102@198.51.100.1>", "Refer-Sub: false", "Supported: norefersub")
		c.phone.settle()
		c.leg.Notify(100, "Trying")
		c.leg.Notify(200, "OK")
		c.phone.settle()
		same(t, "Refer-Sub", c.phone.response("22 REFER", 202).GetHeader("Refer-Sub").Value(), "false")
		same(t, "NOTIFYs", len(c.phone.requests(sipgo.NOTIFY)), 0)

		for i, bad := range []string{
			"Refer-To: <mailto:a@b.example>", "Refer-To: <sip:100@h;method=BYE>", "Refer-To: <sip:100@h?Replaces=nonsense>", "X-None: 1",
			"Refer-To: <sip:100@h?Replaces=" + c.leg.CallID() + "%3Bto-tag%3Da%3Bfrom-tag%3Db>",
		} {
			d.send("REFER", 23+i, "", bad)
			c.phone.settle()
			same(t, bad, c.phone.responses(strings.Replace("2X REFER", "X", string(rune('3'+i)), 1)), []int{400})
		}
		d.send("REFER", 28, "", "Refer-To: <sip:100@198.51.100.1>") // the owner forgets it
		time.Sleep(11 * time.Second)
		same(t, "forgotten", c.phone.responses("28 REFER"), []int{503})
		d.send("REFER", 29, "", "Refer-To: <sip:100@198.51.100.1>") // the call ends before the decision
		c.phone.settle()
		c.leg.Hangup("")
		time.Sleep(time.Second)
		same(t, "call over", c.phone.responses("29 REFER"), []int{481})
		same(t, "legs", s.ep.Stats().Legs, 0)
	})
}

func TestReferIsOfDevicesAndInsideCallsOnly(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d, c := s.up("trunkrefer")
		s.trunk.autoBye()
		d.send("REFER", 2, "", "Refer-To: <sip:100@198.51.100.1>")
		s.trunk.settle()
		same(t, "of a trunk", s.trunk.responses("2 REFER"), []int{603})
		same(t, "events", c.kinds(), "answered")
		out := s.trunk.dialog("outofdialog")
		out.send("REFER", 1, "", "Refer-To: <sip:100@198.51.100.1>")
		s.trunk.settle()
		same(t, "without a call", s.trunk.responses("1 REFER"), []int{403})
		c.leg.Hangup("")
		s.trunk.settle()
	})
}

func TestReferTo(t *testing.T) {
	for _, tc := range []struct {
		value string
		want  call.Refer
		why   string
	}{
		{"<sip:100@10.0.0.1>", call.Refer{URI: "sip:100@10.0.0.1", Target: "100"}, ""},
		{"sip:100@10.0.0.1", call.Refer{URI: "sip:100@10.0.0.1", Target: "100"}, ""},
		{"\"Kim\" <sip:02-312-3456@10.0.0.1;user=phone>", call.Refer{URI: "sip:02-312-3456@10.0.0.1;user=phone", Target: "+8223123456"}, ""},
		{
			"<sip:100@10.0.0.1?Replaces=abc%40h%3Bto-tag%3Dours%3Bfrom-tag%3Dtheirs%3Bearly-only&Subject=x>",
			call.Refer{
				URI: "sip:100@10.0.0.1", Target: "100",
				Replaces: &call.DialogID{CallID: "abc@h", OurTag: "ours", TheirTag: "theirs", EarlyOnly: true},
			},
			"",
		},
		{"<sip:100@10.0.0.1?Replaces=abc%3Bto-tag%3Da>", call.Refer{}, "Replaces in Refer-To is not one"},
		{"<sip:100@10.0.0.1?Replaces=a%3Bto-tag%3Da%3Bfrom-tag%3Db&Replaces=a%3Bto-tag%3Da%3Bfrom-tag%3Db>", call.Refer{}, "Refer-To has two Replaces"},
		{"<http://x.example/>", call.Refer{}, "Refer-To has the scheme http"},
		{"<sip:100@h;method=MESSAGE>", call.Refer{}, "Refer-To asks for MESSAGE"},
		{"<sip:h>", call.Refer{}, "Refer-To names nobody"},
		{"<sip:" + strings.Repeat("1", 2000) + "@h>", call.Refer{}, "Refer-To is too long"},
	} {
		got, why := parseReferTo(tc.value, inKorea)
		if why != tc.why {
			t.Errorf("%s: refused with %q, want %q", clip(tc.value, 60), why, tc.why)
		}
		if why == "" {
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", tc.value, d)
			}
		}
	}
}

// inKorea gives a number its one form.
func inKorea(user string) string {
	if n, err := phone.Normalize(user, "KR"); err == nil {
		return n
	}
	return user
}

func FuzzReferTo(f *testing.F) {
	for _, s := range []string{
		"<sip:100@10.0.0.1>", "<sip:100@h?Replaces=abc%40h%3Bto-tag%3Dours%3Bfrom-tag%3Dtheirs%3Bearly-only>", "tel:+8210", "\"a\" <sips:x@[::1]:5061;a=b?c=d>", "<sip:%@>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, why := parseReferTo(s, inKorea)
		if why == "" && (r.Target == "" || r.URI == "" || strings.ContainsAny(r.URI, "\r\n")) {
			t.Errorf("%q: %+v", s, r)
		}
		if r.Replaces != nil && why == "" && (r.Replaces.CallID == "" || r.Replaces.OurTag == "" || r.Replaces.TheirTag == "") {
			t.Errorf("%q: %+v", s, r.Replaces)
		}
		if id, ok := parseReplaces(s); ok && strings.ContainsAny(id.CallID+id.OurTag+id.TheirTag, ";,\r\n") {
			t.Errorf("%q: %+v", s, id)
		}
	})
}

// S25: what an INVITE replaces is told with the tags as we see them; whether it is there, the owner says.
func TestS25ReplacesOfACallThatHasEndedIs481(t *testing.T) {
	run(t, func(s *stage) {
		t := s.t
		d := s.trunk.dialog("replaces")
		d.inviteWith(sdpOffer, "Require: replaces", "Replaces: other@h;to-tag=ours;from-tag=theirs;early-only")
		c := s.owner.call(t, 0)
		same(t, "Replaces", *c.in.Replaces, call.DialogID{CallID: "other@h", OurTag: "ours", TheirTag: "theirs", EarlyOnly: true})
		c.leg.Hangup("")
		s.trunk.settle()

		s.owner.mu.Lock()
		s.owner.refuse = errs.New(errs.NotFound, "no such dialog")
		s.owner.mu.Unlock()
		d = s.trunk.dialog("replacesgone")
		d.inviteWith(sdpOffer, "Replaces: other@h;to-tag=ours;from-tag=theirs")
		same(t, "vanished", s.trunk.responses("1 INVITE")[1:], []int{481})
		d = s.trunk.dialog("plaingone")
		d.inviteWith(sdpOffer)
		same(t, "without Replaces", s.trunk.responses("1 INVITE")[2:], []int{404})
		s.owner.mu.Lock()
		s.owner.refuse = nil
		s.owner.mu.Unlock()
		up, there := s.up("there")
		n := s.owner.count()
		for i, tags := range []string{"to-tag=" + up.to + ";from-tag=guessed", "to-tag=guessed;from-tag=" + up.from} {
			forged := s.trunk.dialog("forged" + string(rune('a'+i)))
			forged.inviteWith(sdpOffer, "Replaces: there;"+tags)
			same(t, "forged", s.trunk.responses("1 INVITE")[len(s.trunk.responses("1 INVITE"))-1], 481)
		}
		same(t, "calls", s.owner.count(), n)
		right := s.trunk.dialog("right")
		right.inviteWith(sdpOffer, "Replaces: there;to-tag="+up.to+";from-tag="+up.from)
		same(t, "Replaces", s.owner.call(t, n).in.Replaces.CallID, "there")
		there.leg.Hangup("")
		s.owner.call(t, n).leg.Hangup("")
		s.trunk.settle()
		got := len(s.trunk.responses("1 INVITE"))
		d = s.trunk.dialog("badreplaces")
		d.inviteWith(sdpOffer, "Replaces: other@h;to-tag=ours")
		same(t, "unreadable", s.trunk.responses("1 INVITE")[got:], []int{400})
	})
}
