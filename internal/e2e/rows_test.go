package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"ullim/sip/siptest"
)

// The rows S and O of the checklist, with SIPp at the other end: here, and those that take half a minute or more, because
// a timer of an RFC has to run off, in slow_rows_test.go. What is sent under O07 is seen by the tests of media; here is only
// what is agreed. Every row also runs in virtual time, and over seeds of loss, doubling and reordering (sip, world_test.go).

// row is a scenario of SIPp and what is to be seen in its messages beside its own checks.
type row struct {
	name, scenario string
	flow           string // number that is called: says (hangs up soon), talks (goes on)
	calls          int
	check          func(t *testing.T, m messages)
	args           []string
}

const (
	says  = "+8225550700"
	talks = "+8225550701"
)

var callerRows = []row{
	{name: "S01_repeated_invite", scenario: "s01_repeated_invite", flow: talks, calls: 5, args: patient},
	{name: "S03_ack_at_once", scenario: "s03_ack_at_once", flow: talks, calls: 10, check: noRepeated200},
	{name: "S07_cancel_after_200", scenario: "s07_cancel_after_200", flow: talks, calls: 5},
	{name: "S09_bye_before_ack", scenario: "s09_bye_before_ack", flow: talks, calls: 5, check: noRepeated200},
	{name: "S10_bye_from_both", scenario: "s10_bye_from_both", flow: says, calls: 5},
	{name: "S11_bye_in_reinvite", scenario: "s11_bye_in_reinvite", flow: talks, calls: 5, args: patient, check: bothAnswered(`2 INVITE`, `3 BYE`)},
	{name: "S12_reinvite_before_ack", scenario: "s12_reinvite_before_ack", flow: talks, calls: 5},
	{name: "S13_ack_and_reinvite", scenario: "s13_ack_and_reinvite", flow: talks, calls: 5},
	{name: "S15_update_and_reinvite", scenario: "s15_update_and_reinvite", flow: talks, calls: 5, args: patient, check: bothAnswered(`2 INVITE`, `3 UPDATE`)},
	{name: "S17_bye_481", scenario: "s17_bye_481", flow: says, calls: 5},
	{name: "S20_prack_caller", scenario: "s20_prack_caller", flow: talks, calls: 5},
	{name: "O01_late_offer", scenario: "o01_late_offer", flow: talks, calls: 5},
	{name: "O01_no_answer_in_ack", scenario: "o01_no_answer_in_ack", flow: talks, calls: 3},
	{name: "O02_offerless_reinvite", scenario: "o02_offerless_reinvite", flow: talks, calls: 5},
	{name: "O03_hold", scenario: "o03_hold", flow: talks, calls: 5},
	{name: "O03_hold_TCP", scenario: "o03_hold", flow: talks, calls: 5, args: []string{"-t", "t1"}},
	{name: "O04_codec_change", scenario: "o04_codec_change", flow: talks, calls: 5},
	{name: "O05_payload_numbers", scenario: "o05_payload_numbers", flow: talks, calls: 5},
	{name: "O07_packet_times", scenario: "o07_packet_times", flow: talks, calls: 5},
	{name: "O08_extra_media", scenario: "o08_extra_media", flow: talks, calls: 5},
	{name: "O09_multipart", scenario: "o09_multipart", flow: talks, calls: 5},
}

// calleeRow is a row in which SIPp is called, by a phone through a trunk.
type calleeRow struct {
	name, scenario string
	calls          int
	act            func(t *testing.T, call *siptest.Call, own siptest.Source) // what the caller does
	check          func(t *testing.T, m messages)
	args           []string
}

// patient lets SIPp go on when something comes that it does not wait for at that moment.
var patient = []string{"-default_behaviors", "all,-abortunexp"}

var calleeRows = []calleeRow{
	{name: "S04_many_200", scenario: "s04_many_200", act: talkAndHangUp, args: patient, check: want(20, `^ACK `, false)},
	{name: "S05_cancel_held", scenario: "s05_cancel_held", act: giveUp, args: patient, check: cancelAfterRinging},
	{name: "S06_200_crosses_cancel", scenario: "s06_200_crosses_cancel", act: giveUp, args: patient, check: want(1, `^BYE `, false)},
	{name: "S08_repeated_487", scenario: "s08_repeated_487", act: giveUp, args: patient, check: want(3, `^ACK `, false)},
	{name: "S17_481_to_bye", scenario: "s17_481_to_bye", act: talkAndHangUp},
	{name: "S18_two_200", scenario: "s18_two_200", act: echoAndHangUp, args: []string{"-rtp_echo"}},
	{name: "S19_another_tag", scenario: "s19_another_tag", act: echoAndHangUp, args: []string{"-rtp_echo"}},
	{name: "S20_reliable_183", scenario: "s20_reliable_183", act: echoAndHangUp, args: []string{"-rtp_echo"}},
	{name: "S21_challenges", scenario: "s21_challenges", act: talkAndHangUp},
	{name: "S21_wrong_password", scenario: "s21_wrong_password", act: refused},
	{name: "S22_redirect", scenario: "s22_redirect", act: talkAndHangUp},
	{name: "O03_called_holds", scenario: "o03_called_holds", act: echoAndHangUp, args: []string{"-rtp_echo"}},
	{name: "O06_200_differs", scenario: "o06_200_differs", act: echoAndHangUp, args: []string{"-rtp_echo"}},
}

// deviceRow is a row in which SIPp is a user's phone and calls another user, who answers after a while.
type deviceRow struct {
	name, scenario string
	answers        time.Duration
	check          func(t *testing.T, m messages)
}

var deviceRows = []deviceRow{
	{name: "S16_second_invite", scenario: "s16_second_invite", answers: time.Second},
	{name: "S20_prack_late", scenario: "s20_prack_late", answers: 3 * time.Second, check: reliable180s(2, 6)},
}

func TestSIPpRows(t *testing.T) {
	t.Parallel()
	b := ports.take(t)
	c := newCenterAt(t, b, "ULLIM_INSTANCE_REGION=KR") // calls abroad are not permitted
	c.number(says, messageFlow("Good bye."))
	c.number(talks, messageFlow(strings.Repeat("This message is longer than the caller's patience. ", 10)))
	places := make(chan int, 4)
	var phones [4]*siptest.Phone
	for i := range cap(places) {
		phones[i] = c.outside(i)
		places <- i
	}
	t.Run("callers", func(t *testing.T) {
		for i, r := range callerRows {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				place := <-places
				defer func() { places <- place }()
				args := append([]string{"-m", fmt.Sprint(r.calls), "-r", "5", "-key", "from", fmt.Sprintf("0105557%04d", i)}, r.args...)
				log := c.in(t).sipp(place, "sipp/"+r.scenario, r.flow, args...)
				if r.check != nil {
					r.check(t, parse(log))
				}
			})
		}
	})
	t.Run("records", func(t *testing.T) { c.in(t).oneRecordEach() })
	t.Run("called", func(t *testing.T) {
		for _, r := range calleeRows {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				place := <-places
				defer func() { places <- place }()
				c.in(t).called(place, phones[place], r)
			})
		}
	})
	t.Run("devices", func(t *testing.T) {
		for _, r := range deviceRows {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				place := <-places
				defer func() { places <- place }()
				c.in(t).fromDevice(place, r, "-m", "3", "-r", "5")
			})
		}
	})
	t.Run("S25_replaces", func(t *testing.T) { c.in(t).replaces(phones[0]) })
	t.Run("S23_our_own_invite", func(t *testing.T) { c.in(t).loop(phones[0]) })
	t.Run("S24_refer_then_bye", func(t *testing.T) { c.in(t).referThenBye() })
	t.Run("O09_line_ends", func(t *testing.T) { c.in(t).lineEnds() })
	c.atRest()
}

// oneRecordEach wants as many contacts from each row's caller as it has made calls, all closed, however they ended.
func (c *center) oneRecordEach() {
	records := map[string]int{}
	c.until("the contacts of all rows are closed", func() bool {
		clear(records)
		for _, s := range c.contacts() {
			if s.DisconnectTimestamp == nil {
				return false
			}
			if e := c.contact(*s.Id).CustomerEndpoint; e != nil {
				records[*e.Address]++
			}
		}
		return true
	})
	for i, r := range callerRows {
		if n := records[fmt.Sprintf("+82105557%04d", i)]; n != r.calls {
			c.t.Errorf("%s: %d contacts for %d calls", r.name, n, r.calls)
		}
	}
}

// outside makes a trunk to the SIPp at a place, for numbers of its own, and a phone that calls it.
func (c *center) outside(place int) *siptest.Phone {
	c.t.Helper()
	c.admin(http.MethodPost, "/trunks", map[string]any{
		"Name": fmt.Sprintf("place %d", place), "Region": "KR", "ProbeSeconds": -1,
		"Gateways": []map[string]any{{"Host": "127.0.0.1", "Port": c.ports.sipp(place)}},
		"Routes":   []map[string]any{{"Prefix": fmt.Sprintf("+827010%d", place)}},
		"Login":    map[string]any{"Username": "acme", "Password": "secret"}, "FollowRedirects": true, "RedirectHosts": []string{"127.0.0.1"},
	}, nil)
	name := fmt.Sprintf("caller%d", place)
	_, profileID := c.queue("Queue of " + name)
	_, d := c.agent(name, profileID)
	return c.abroad(name, d)
}

// abroad is a registered phone at an address that is not the carrier's: what comes from there is the user's.
func (c *center) abroad(name string, d device) *siptest.Phone {
	c.t.Helper()
	p, err := siptest.NewPhone(siptest.PhoneOptions{Name: d.Username, Password: d.Password, Server: c.server, Local: stranger, Voice: siptest.Voice(name)})
	c.must(err)
	c.t.Cleanup(func() { _ = p.Close() })
	ctx, cancel := c.soon()
	defer cancel()
	c.must(p.Register(ctx))
	return p
}

// answering starts a SIPp that is called. Its log comes when it has ended.
func (c *center) answering(place int, name string, args ...string) <-chan string {
	c.t.Helper()
	done, over := make(chan string, 1), make(chan struct{})
	c.t.Cleanup(func() { <-over }) // SIPp ends with the test's context
	go func() {
		defer close(over)
		defer close(done)
		if log, problem := c.runSIPp(place, name, "none", args...); problem != "" {
			c.t.Error(problem)
		} else {
			done <- log
		}
	}()
	c.until("SIPp listens", func() bool {
		l, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", c.ports.sipp(place)))
		if err == nil {
			_ = l.Close()
		}
		return err != nil
	})
	return done
}

// called runs a row: SIPp answers, the phone calls, one call after the other.
func (c *center) called(place int, phone *siptest.Phone, r calleeRow) {
	calls := r.calls
	if calls == 0 {
		calls = 2
	}
	done := c.answering(place, "sipp/"+r.scenario, append([]string{"-m", fmt.Sprint(calls)}, r.args...)...)
	for i := range calls {
		ctx, cancel := c.soon()
		call, err := phone.Invite(ctx, fmt.Sprintf("+827010%d%05d", place, i), siptest.CallOptions{})
		c.must(err)
		r.act(c.t.(*testing.T), call, siptest.Voice(fmt.Sprintf("caller%d", place)))
		if _, err = call.WaitEnded(ctx); err != nil {
			c.t.Errorf("the caller's call has not ended: %v", err)
		}
		cancel()
	}
	if log, ok := <-done; ok && r.check != nil {
		r.check(c.t.(*testing.T), parse(log))
	}
}

// fromDevice runs a row: SIPp is the phone of a user.
func (c *center) fromDevice(place int, r deviceRow, args ...string) {
	c.t.Helper()
	_, profileID := c.queue("Queue of " + r.name)
	_, own := c.agent(r.name+"-caller", profileID)
	_, other := c.agent(r.name+"-callee", profileID)
	c.abroad(r.name, other).SetAnswer(siptest.AnswerBehaviour{After: r.answers, RingOnly: r.answers == 0})
	host, _, err := net.SplitHostPort(stranger)
	c.must(err)
	log := c.sipp(place, "sipp/"+r.scenario, other.Username, append([]string{
		"-i", host, "-key", "from", own.Username, "-au", own.Username, "-ap", own.Password, "-auth_uri", other.Username + "@" + c.server,
	}, args...)...)
	if r.check != nil {
		r.check(c.t.(*testing.T), parse(log))
	}
}

func waitAnswered(t *testing.T, call *siptest.Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := call.WaitAnswered(ctx); err != nil {
		t.Fatalf("not answered: %v, %v", err, call.Status())
	}
}

func talkAndHangUp(t *testing.T, call *siptest.Call, _ siptest.Source) {
	t.Helper()
	waitAnswered(t, call)
	talk(t, 300*time.Millisecond)
	call.Hangup()
}

// echoAndHangUp hangs up when the caller has heard himself: SIPp sends back what it hears.
func echoAndHangUp(t *testing.T, call *siptest.Call, own siptest.Source) {
	t.Helper()
	waitAnswered(t, call)
	hears(t, call, own, "his own echo")
	call.Hangup()
}

func giveUp(t *testing.T, call *siptest.Call, _ siptest.Source) {
	t.Helper()
	talk(t, 300*time.Millisecond)
	call.Hangup()
}

func refused(t *testing.T, call *siptest.Call, _ siptest.Source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if e, err := call.WaitEnded(ctx); err != nil || e.Kind != siptest.EndRejected {
		t.Errorf("%v, %v", e, err)
	}
}

// want is a check: each call has n messages of a kind.
func want(n int, pattern string, sent bool) func(*testing.T, messages) {
	return func(t *testing.T, ms messages) {
		t.Helper()
		counts := ms.count(sent, pattern)
		if len(counts) == 0 {
			t.Errorf("no message %s", pattern)
		}
		for id, got := range counts {
			if got != n {
				t.Errorf("call %s: %d messages %s, want %d", id, got, pattern, n)
			}
		}
	}
}

// cancelAfterRinging wants no CANCEL before an answer of any kind (RFC 3261 §9.1).
func cancelAfterRinging(t *testing.T, ms messages) {
	t.Helper()
	rang := map[string]bool{}
	for _, m := range ms {
		if m.sent && strings.HasPrefix(m.text, "SIP/2.0 180") {
			rang[m.callID()] = true
		}
		if !m.sent && strings.HasPrefix(m.text, "CANCEL") && !rang[m.callID()] {
			t.Errorf("call %s: CANCEL before any answer", m.callID())
		}
	}
}

// replaces is row S25: a call that there is not cannot be taken over.
func (c *center) replaces(phone *siptest.Phone) {
	ctx, cancel := c.soon()
	defer cancel()
	call, err := phone.Invite(ctx, talks, siptest.CallOptions{Headers: map[string]string{"Replaces": "gone@example.net;to-tag=1;from-tag=2"}})
	c.must(err)
	if e, err := call.WaitEnded(ctx); err != nil || e.Code != 481 {
		c.t.Errorf("%v, %v", e, err)
	}
}

// loop is row S23: a trunk leads back to us.
func (c *center) loop(phone *siptest.Phone) {
	c.admin(http.MethodPost, "/trunks", map[string]any{
		"Name": "back to us", "Region": "KR", "ProbeSeconds": -1, "Gateways": []map[string]any{{"Host": "127.0.0.1", "Port": c.ports.sip()}},
		"Routes": []map[string]any{{"Prefix": "+8270109"}},
	}, nil)
	ctx, cancel := c.soon()
	defer cancel()
	before := c.metrics()["ullim_sip_invites_admitted_total"]
	call, err := phone.Invite(ctx, "+827010900000", siptest.CallOptions{})
	c.must(err)
	if e, err := call.WaitEnded(ctx); err != nil || e.Kind != siptest.EndRejected || e.Code < 480 {
		c.t.Errorf("%v, %v", e, err)
	}
	if n := c.metrics()["ullim_sip_invites_admitted_total"] - before; n > 1 {
		c.t.Errorf("%g calls were admitted for one", n)
	}
	c.until("a metric tells of the loop", func() bool { return c.metrics()[`ullim_sip_invites_refused_total{reason="loop"}`] > 0 })
	c.until("the log tells of the loop", func() bool { return strings.Contains(c.log.String(), "our own INVITE came back") })
}

// referThenBye is row S24: an agent transfers and hangs up at once.
func (c *center) referThenBye() {
	queueID, profileID := c.queue("Transfers")
	c.number("+8225550702", queueFlow(queueID))
	userID, d := c.agent("hasty", profileID)
	_, other := c.agent("target", profileID)
	target := c.abroad("target", other)
	p, err := siptest.NewPhone(siptest.PhoneOptions{ // registers SIPp's address
		Name: d.Username, Password: d.Password, Server: c.server, Local: fmt.Sprintf("127.0.0.1:%d", c.ports.sipp(1)),
	})
	c.must(err)
	ctx, cancel := c.soon()
	defer cancel()
	c.must(p.Register(ctx))
	c.must(p.Close())
	done := c.answering(1, "sipp/s24_refer_then_bye", "-m", "1", "-key", "target", other.Username, "-default_behaviors", "all,-abortunexp")
	c.setAvailable(userID)
	carrier := c.carrier()
	call := c.answered(carrier, "+8225550702", mobile(7))
	leg, err := target.NextCall(ctx)
	c.must(err)
	c.must(leg.WaitConfirmed(ctx))
	hears(c.t, call, siptest.Voice("target"), "the target")
	hears(c.t, leg, siptest.Voice(mobile(7)), "the customer")
	call.Hangup()
	if log, ok := <-done; ok {
		if n := parse(log).count(false, `(?s)^NOTIFY .*SIP/2.0 200`); len(n) != 1 {
			c.t.Error("no NOTIFY says 200")
		}
	}
}

// lineEnds is row O09: SDP with LF only, and without the last line end. SIPp cannot write that.
func (c *center) lineEnds() {
	carrier := c.carrier()
	for i, sdp := range []string{
		"v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 19998 RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=sendrecv\n",
		"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 19998 RTP/AVP 0\r\na=sendonly",
	} {
		ctx, cancel := c.soon()
		call, err := carrier.Call(ctx, talks, mobile(90+i), siptest.CallOptions{SDP: []byte(sdp)})
		c.must(err)
		if err = call.WaitAnswered(ctx); err != nil {
			c.t.Errorf("body %d: %v, %v", i, err, call.Status())
		}
		call.Hangup()
		cancel()
	}
}

// in is the same contact centre for a subtest.
func (c *center) in(t *testing.T) *center {
	t.Helper()
	e, out := *c.engine, *c
	e.t = t
	out.engine = &e
	return &out
}

// message is one of SIPp's log.
type message struct {
	sent bool
	text string
}

type messages []message

var messageHead = regexp.MustCompile(`(?m)^-+ \d{4}-\d\d-\d\d.*\n(?:UDP|TCP|TLS) message (sent|received) .*\n\n?`)

// parse takes a log of messages apart.
func parse(log string) messages {
	var out messages
	at := messageHead.FindAllStringSubmatchIndex(log, -1)
	for i, m := range at {
		end := len(log)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		out = append(out, message{sent: log[m[2]:m[3]] == "sent", text: log[m[1]:end]})
	}
	return out
}

// count is how many messages of a direction have something in them, by Call-ID.
func (ms messages) count(sent bool, pattern string) map[string]int {
	re, out := regexp.MustCompile(pattern), map[string]int{}
	for _, m := range ms {
		if m.sent == sent && re.MatchString(m.text) {
			out[m.callID()]++
		}
	}
	return out
}

var callIDHeader = regexp.MustCompile(`(?mi)^Call-ID: *(\S+)`)

func (m message) callID() string {
	if f := callIDHeader.FindStringSubmatch(m.text); f != nil {
		return f[1]
	}
	return ""
}

// noRepeated200 wants each 200 of an INVITE once.
func noRepeated200(t *testing.T, ms messages) {
	t.Helper()
	for id, n := range ms.count(false, `(?s)^SIP/2.0 200 .*\nCSeq: *1 INVITE`) {
		if n != 1 {
			t.Errorf("call %s: the 200 came %d times", id, n)
		}
	}
}

// reliable180s wants a reliable 180 from least to most times in every call, always the same.
func reliable180s(least, most int) func(*testing.T, messages) {
	return func(t *testing.T, ms messages) {
		t.Helper()
		for id := range ms.count(true, `^INVITE `) {
			seen := map[string]int{}
			for _, m := range ms {
				if f := rseqHeader.FindStringSubmatch(m.text); f != nil && !m.sent && m.callID() == id && strings.HasPrefix(m.text, "SIP/2.0 180") {
					seen[f[1]]++
				}
			}
			for rseq, n := range seen {
				if len(seen) != 1 || n < least || n > most {
					t.Errorf("call %s: the 180 of RSeq %s came %d times, of %d numbers", id, rseq, n, len(seen))
				}
			}
			if len(seen) == 0 {
				t.Errorf("call %s: no reliable 180", id)
			}
		}
	}
}

var rseqHeader = regexp.MustCompile(`(?mi)^RSeq: *(\d+)`)

// bothAnswered wants a final answer to each of two requests in every call.
func bothAnswered(requests ...string) func(*testing.T, messages) {
	return func(t *testing.T, ms messages) {
		t.Helper()
		for id := range ms.count(true, `^INVITE `) {
			for _, r := range requests {
				if ms.count(false, `(?s)^SIP/2.0 [2-6].*\nCSeq: *`+r)[id] == 0 {
					t.Errorf("call %s: no answer to %s", id, r)
				}
			}
		}
	}
}
