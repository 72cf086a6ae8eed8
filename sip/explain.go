package sip

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/errs"
)

// Explainer tells what would become of an admitted call, without taking it (call.Manager implements it).
type Explainer interface {
	// Explain asks the rules that Admit would ask, in the same order, and changes nothing.
	Explain(in call.Inbound) call.Explanation
}

// Question is a dry run: this message, from there.
type Question struct {
	Message []byte
	Source  netip.AddrPort
	Network string // UDP, TCP, TLS, WS, WSS; empty: UDP
	// As, if set, is the name of a device or the user of a trunk whose credentials are taken as right: a pasted message
	// has old ones, or none.
	As string
}

// Answer is a Decision with what it was made of.
type Answer struct {
	Decision
	Trust  string // unknown, registered, trunk
	Trunk  *Trunk
	Device *Device
	From   string
	Called string
	Target call.Explanation // number, flow and instance
}

// Explain answers what would become of an INVITE, by the rules of the live path. No call is made, no limit is touched, no
// password counted. errs.InvalidRequest: it is no INVITE at all.
func (ep *Endpoint) Explain(q Question) (Answer, error) {
	var a Answer
	if q.Network == "" {
		q.Network = "UDP"
	}
	q.Source = netip.AddrPortFrom(q.Source.Addr().Unmap(), q.Source.Port())
	now := time.Now()
	a.Trust = [...]string{"unknown", "registered", "trunk"}[ep.trust.level(q.Source, now)]
	if ep.trust.banned(q.Source, now) {
		a.refuse(ruleBan, 0, "the source is banned: it gets no answer")
		return a, nil
	}
	a.pass(ruleBan, "")
	data := wireForm(q.Message)
	m, ok := scanMessage(data)
	if !ok || m.method != "INVITE" {
		return a, errs.Field("Message", "must be a whole INVITE, from its first line to its body")
	}
	if r := m.check(arrival{source: q.Source, network: q.Network, stream: q.Network == "TCP" || q.Network == "TLS"}); r != nil {
		a.refuse(ruleForm, r.code, r.why)
		a.Phrase = r.reason
		return a, nil
	}
	msg, err := ep.parser.ParseSIP(m.bytes(data))
	req, isRequest := msg.(*sipgo.Request)
	if err != nil || !isRequest {
		a.refuse(ruleForm, 400, "it cannot be parsed")
		return a, nil //nolint:nilerr // that it cannot be parsed is the answer
	}
	a.pass(ruleForm, "")
	if sign := scannerSign(m); sign != "" && a.Trust == "unknown" {
		a.refuse(ruleScanner, 0, sign+": it gets no answer, and a ban")
		return a, nil
	}
	a.pass(ruleScanner, "")
	req.SetSource(q.Source.String())
	req.SetTransport(q.Network)
	f := ep.factsOfInvite(req)
	d := decide(&f, ep.tables(req), ep.load(), func() peer { return ep.supposed(req, q.As, now) })
	d.Rules = append(a.Rules, d.Rules...)
	a.Decision = d
	a.Trunk, a.Device = d.who.trunk, d.who.device
	if a.Code != 0 {
		return a, nil
	}
	in := ep.inbound(req, d.who, f.sdp)
	a.From, a.Called = in.From.Address, in.Called
	if ep.opt.Explainer == nil {
		return a, nil
	}
	a.Target = ep.opt.Explainer.Explain(in)
	for _, s := range a.Target.Steps {
		if s.Err != nil {
			code, phrase, _ := statusOf(s.Err)
			a.refuse(s.Rule, code, s.Err.Error())
			a.Phrase = phrase
			a.Nearest = a.Target.Nearest
			break
		}
		a.pass(s.Rule, s.Detail)
	}
	return a, nil
}

// supposed judges credentials without counting them, or takes somebody's as right.
func (ep *Endpoint) supposed(req *sipgo.Request, as string, now time.Time) peer {
	if as == "" {
		return ep.authenticateAs(req, now, true)
	}
	who := peer{username: as, verdict: AuthOK, tried: true}
	if d, ok := ep.opt.Devices().ByName(as); ok {
		who.device = d
		return who
	}
	if t, ok := ep.opt.Trunks().ByUsername(as); ok {
		who.trunk = t
		return who
	}
	who.verdict, who.why = AuthWrong, "no device and no trunk has the user "+as
	return who
}

// wireForm gives pasted text the line ends of SIP, and its end if that was lost.
func wireForm(text []byte) []byte {
	if bytes.Contains(text, []byte("\r\n\r\n")) {
		return text
	}
	s := strings.ReplaceAll(strings.TrimLeft(string(text), " \t\r\n"), "\r\n", "\n")
	head, body, found := strings.Cut(s, "\n\n")
	head = strings.ReplaceAll(strings.TrimRight(head, "\n"), "\n", "\r\n")
	if !found {
		return []byte(head + "\r\n\r\n")
	}
	// The length in the message is that of the original body, whose line ends were lost with the pasting.
	body = strings.ReplaceAll(body, "\n", "\r\n")
	var kept []string
	for line := range strings.SplitSeq(head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		if longName(strings.TrimRight(name, " \t")) != "content-length" {
			kept = append(kept, line)
		}
	}
	kept = append(kept, "Content-Length: "+strconv.Itoa(len(body)))
	return []byte(strings.Join(kept, "\r\n") + "\r\n\r\n" + body)
}

// ownerRule is the rule by which the owner of calls has just refused one.
func (ep *Endpoint) ownerRule(in call.Inbound) string {
	if ep.opt.Explainer != nil {
		for _, s := range ep.opt.Explainer.Explain(in).Steps {
			if s.Err != nil {
				return s.Rule
			}
		}
	}
	return ruleOwner
}
