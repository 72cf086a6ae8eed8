package sip

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
)

// drainRetry is the Retry-After of a node that goes down: by then another one has its place.
const drainRetry = "30"

// admitTime is how long the owner may take to admit a call.
const admitTime = 10 * time.Second

// refusedInvite is one log line.
type refusedInvite struct {
	code                     int
	rule, why                string
	err                      error // of the owner of calls
	callID, source, from, to string
}

// logRefused writes the one line that says why a call was refused: the first rule that failed.
func (ep *Endpoint) logRefused(r refusedInvite) {
	ep.opt.OnRefused(Refused{Status: r.code, Rule: r.rule, Err: r.err})
	if ok, suppressed := ep.logRate.take(time.Now()); ok {
		ep.log.Info("invite refused", "status", r.code, "rule", r.rule, "reason", r.why, "call_id", clip(r.callID, 200), "source", r.source,
			"from", clip(r.from, 200), "to", clip(r.to, 200), "suppressed", suppressed)
	}
}

func (ep *Endpoint) refuseInvite(req *sipgo.Request, tx *sipgo.ServerTx, d *Decision) {
	ep.count.refused.Add(1)
	ep.logRefused(refusedInvite{
		code: d.Code, rule: d.failed(), why: d.Why, callID: callIDOf(req), source: req.Source(),
		from: req.From().Address.String(), to: req.Recipient.String(),
	})
	ep.refuseWith(req, tx, d.Code, d.Phrase, d.headers...)
}

// full reports that no more legs may be made.
func (ep *Endpoint) full() bool { return ep.index.size() >= ep.opt.MaxCalls }

// onInvite is a new call. decide says what becomes of it; what is here acts on that.
func (ep *Endpoint) onInvite(req *sipgo.Request, tx *sipgo.ServerTx) {
	in := ep.index.handOver(req)
	if !tx.OnTerminate(func(_ string, err error) { ep.inviteOver(in, req, err) }) {
		ep.index.drop(in)
		return
	}
	now := time.Now()
	f := ep.factsOfInvite(req)
	f.merged = in.merged
	if f.own {
		ep.count.loops.Add(1)
	}
	d := decide(&f, ep.tables(req), ep.load(), func() peer { return ep.authenticate(req, now) })
	switch {
	case d.Code == 401 || d.Code == 400 && d.who.verdict == AuthMalformed && d.failed() == ruleDigest:
		ep.count.refused.Add(1)
		ep.logRefused(refusedInvite{
			code: d.Code, rule: d.failed(), why: d.Why, callID: callIDOf(req), source: req.Source(),
			from: req.From().Address.String(), to: req.Recipient.String(),
		})
		ep.challenge(req, tx, d.who, now)
		return
	case d.Code != 0:
		ep.refuseInvite(req, tx, &d)
		return
	}
	if d.who.verdict == AuthOK {
		ep.heardRight(req, now.Add(callTrust), now)
	}
	release, why, ok := ep.opt.Limits.AcquireChannel(d.who.trunk, now)
	if !ok { // another call was faster
		d.refuse(ruleChannels, channelsCode(d.who.trunk, ep.load()), why)
		ep.refuseInvite(req, tx, &d)
		return
	}
	ep.admit(req, tx, in, d.who, f.sdp, release)
}

// acceptsSDP reports whether an answer with SDP is welcome. RFC 3261 §20.1: without Accept it is.
func acceptsSDP(req *sipgo.Request) bool {
	hs := req.GetHeaders("Accept")
	for _, h := range hs {
		for kind := range strings.SplitSeq(h.Value(), ",") {
			kind, _, _ = strings.Cut(kind, ";")
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "application/sdp", "application/*", "*/*":
				return true
			}
		}
	}
	return len(hs) == 0
}

func (ep *Endpoint) inviteOver(in *invite, req *sipgo.Request, err error) {
	ep.index.drop(in)
	if errors.Is(err, sipgo.ErrTransactionTimeout) { // no ACK to our refusal: RFC 3261 §17.2.1
		if src, ok := parseAddrPort(req.Source()); ok {
			ep.offence(src, neverAcked, "no ACK")
		}
	}
	if l := ep.index.legOf(in); l != nil {
		l.transactionOver()
	}
}

// admit makes the leg and offers it to the Admitter.
func (ep *Endpoint) admit(req *sipgo.Request, tx *sipgo.ServerTx, in *invite, who peer, sdp []byte, release func()) {
	l := newLeg(ep, callIDOf(req), newTag())
	l.d = dialogOfInvite(req, l.localTag)
	l.d.heard(req.Source())
	l.d.behind = who.device != nil
	local, _ := addrPort(tx.Connection().LocalAddr())
	l.d.laddr, l.d.via = local, ep.face(local, l.d.source)
	l.release = release
	l.first = &serverInvite{seq: req.CSeq().SeqNo, noOffer: sdp == nil}
	l.first.inRequest = inRequest{req: req, tx: tx, in: in}
	inbound := ep.inbound(req, who, sdp)
	l.introduce(req, who, inbound)
	if ep.index.bind(in, l) { // the CANCEL was quicker
		release()
		d := refusedAs(ruleCancelled, 487, "cancelled before it was admitted")
		ep.refuseInvite(req, tx, &d)
		return
	}
	if !l.run() {
		release()
		d := refusedAs(ruleDraining, 503, "endpoint is closed")
		ep.refuseInvite(req, tx, &d)
		return
	}
	ctx, cancel := context.WithTimeout(ep.ctx, admitTime)
	defer cancel()
	var events func(call.LegEvent)
	err := errs.New(errs.NotFound, "Replaces has not the tags of the call that it names")
	if !ep.forged(inbound.Replaces) {
		events, err = ep.askAdmitter(ctx, inbound, l)
	}
	if err != nil {
		code, reason, wait := statusOf(err)
		if inbound.Replaces != nil && code == 404 { // RFC 3891 §3
			code, reason = 481, "Call/Transaction Does Not Exist"
		}
		ep.count.refused.Add(1)
		ep.logRefused(refusedInvite{
			code: code, rule: ep.ownerRule(inbound), why: err.Error(), err: err, callID: l.callID, source: req.Source(),
			from: inbound.From.Address, to: inbound.Called,
		})
		l.Reject(code, reason, wait)
		return
	}
	ep.count.admitted.Add(1)
	l.log.Info("invite admitted", "trunk", inbound.TrunkID, "user", inbound.DeviceUser, "source", req.Source(),
		"from", inbound.From.Address, "to", inbound.Called)
	l.attach(events)
}

// askAdmitter turns a panic of the owner into an error of this call.
func (ep *Endpoint) askAdmitter(ctx context.Context, in call.Inbound, l *Leg) (events func(call.LegEvent), err error) {
	defer func() {
		if p := recover(); p != nil {
			ep.panicked("admit "+in.CallID, p)
			events, err = nil, errs.New(errs.Internal, "admission panicked")
		}
	}()
	events, err = ep.opt.Admitter.Admit(ctx, in, l)
	if err == nil && events == nil {
		err = errs.New(errs.Internal, "admitted without an event function")
	}
	return events, err
}

// statusOf is the SIP face of an error.
func statusOf(err error) (code int, reason string, retry time.Duration) {
	switch errs.KindOf(err) {
	case errs.NotFound:
		return 404, "Not Found", 0
	case errs.Limit:
		return 486, "Busy Here", 0
	case errs.Unavailable, errs.Throttled:
		return 503, "Service Unavailable", 10 * time.Second
	case errs.InvalidRequest, errs.Invalid:
		return 488, "Not Acceptable Here", 0
	case errs.Denied, errs.Unauthenticated:
		return 403, "Forbidden", 0
	default:
		return 500, "Server Internal Error", 0
	}
}

// peer is who sent a request: a trunk or a device.
type peer struct {
	trunk    *Trunk
	device   *Device
	verdict  AuthVerdict
	username string
	why      string
	tried    bool // there were credentials
}

// authenticate checks the credentials of a request against devices and trunks.
func (ep *Endpoint) authenticate(req *sipgo.Request, now time.Time) peer {
	return ep.authenticateAs(req, now, false)
}

// authenticateAs is authenticate, or the same without remembering anything: for a dry run.
func (ep *Endpoint) authenticateAs(req *sipgo.Request, now time.Time, dry bool) peer {
	var who peer
	value := ""
	for _, h := range req.GetHeaders("Authorization") {
		if !who.tried || strings.Contains(h.Value(), `"`+ep.auth.Realm()+`"`) { // of several, the one for our realm
			value = h.Value()
		}
		who.tried = true
	}
	if !who.tried {
		who.verdict, who.why = AuthStale, "no credentials"
		return who
	}
	c := Credentials{Method: string(req.Method), RequestURI: req.Recipient.String(), Header: value, Source: req.Source()}
	var device *Device
	var trunk *Trunk
	who.username, who.verdict, who.why = ep.auth.check(c, func(username string) (string, string, bool) {
		// Both are looked up, whoever it is: known and unknown users cost the same.
		d, isDevice := ep.opt.Devices().ByName(username)
		t, isTrunk := ep.opt.Trunks().ByUsername(username)
		switch {
		case isDevice:
			device = d
			return d.HA1MD5, d.HA1SHA256, true
		case isTrunk:
			trunk = t
			return t.HA1MD5, t.HA1SHA256, true
		}
		return "", "", false
	}, now, dry)
	if who.verdict == AuthOK {
		who.device, who.trunk = device, trunk
		if !dry && strings.Contains(strings.ToUpper(value), "SHA-256") {
			ep.index.speaksSHA256(challengeKey(req))
		}
	}
	return who
}

// onlyMD5 decides whether SHA-256 is left out of a challenge. Some phones (libre up to 3.x, Twinkle) give up when they see
// an algorithm that they do not know, although RFC 8760 §2.4 tells them to take the one below. Whoever does not come back
// with credentials to a challenge that offers both is offered MD5 alone the next time.
func (ep *Endpoint) onlyMD5(req *sipgo.Request, who peer, now time.Time) bool {
	agent := strings.ToLower(headerOf(req, "User-Agent"))
	for _, known := range []string{"baresip v0", "baresip v1", "baresip v2", "baresip v3", "twinkle"} {
		if strings.HasPrefix(agent, known) {
			return true
		}
	}
	return !who.tried && ep.index.challenged(challengeKey(req), now)
}

// challengeKey tells phones behind one address apart.
func challengeKey(req *sipgo.Request) string {
	return hostOf(req).String() + " " + userPart(&req.From().Address)
}

// challenge refuses a request without (good) credentials, the same way for known and unknown users.
func (ep *Endpoint) challenge(req *sipgo.Request, tx *sipgo.ServerTx, who peer, now time.Time) {
	ep.suspect(req, who, now)
	switch who.verdict {
	case AuthMalformed:
		ep.refuseWith(req, tx, 400, "Bad Request")
		return
	case AuthOK:
		ep.refuseWith(req, tx, 403, "Forbidden")
		return
	case AuthStale, AuthWrong:
	}
	// A wrong password is challenged again and not forbidden: many phones never come back after a 403, and a typing
	// mistake would need a visit. The back-off of Authenticator is what stops guessing.
	stale := who.verdict == AuthStale && who.tried
	if req.Method == sipgo.REGISTER && who.verdict == AuthWrong {
		ep.logRegister(req, 401, who.why)
	}
	var hs []sipgo.Header
	challenges := ep.auth.Challenges(req.Source(), stale, now)
	if ep.onlyMD5(req, who, now) {
		challenges = challenges[1:]
	}
	for _, c := range challenges {
		hs = append(hs, header("WWW-Authenticate", c))
	}
	ep.refuseWith(req, tx, 401, "Unauthorized", hs...)
}

// inbound is what the owner of the call is told.
func (ep *Endpoint) inbound(req *sipgo.Request, who peer, sdp []byte) call.Inbound {
	in := call.Inbound{CallID: callIDOf(req), SDP: sdp, Received: time.Now(), Source: hostOf(req), Headers: factsOf(req, who.trunk != nil)}
	region := ""
	if who.trunk != nil {
		in.TrunkID = who.trunk.ID
		if region = who.trunk.Region; region == "" {
			region = ep.opt.Region(who.trunk.InstanceID)
		}
		in.Profile = who.trunk.profile()
		in.From = who.trunk.caller(req, func(user string) string { return ep.normalise(user, region) })
		in.Attested, in.Identity = who.trunk.attested(req), identities(req)
		in.Diverted = divertedBy(req, func(user string) string { return ep.normalise(user, region) })
	} else {
		// Whatever a device claims to be: threat 15.
		in.DeviceUser, in.DeviceID, region = who.device.UserID, who.device.ID, ep.opt.Region(who.device.InstanceID)
		in.Profile = mediaOf(who.device, req.Transport())
		in.From = contact.Endpoint{Type: contact.VoIP, Address: who.device.Name}
	}
	in.Replaces, _ = replacesOf(req)
	called := userPart(&req.Recipient)
	if called == "" || who.trunk != nil && called == ep.carriers.token(who.trunk.ID) { // the registered Contact is no number
		called = calledParty(req)
	}
	if called == "" {
		called = userPart(&req.To().Address)
	}
	in.Called = ep.normalise(called, region)
	return in
}

// normalise gives a number its one form; what is no number stays as it is.
func (ep *Endpoint) normalise(user, region string) string {
	if n, err := ep.numbers.Normalize(user, region); err == nil {
		return n
	}
	return clip(strings.Map(printable, user), 128)
}

// factsOf are the header fields that flows may read, bounded. What a device says about who it is is left out.
func factsOf(req *sipgo.Request, trusted bool) map[string]string {
	names := []string{"To", "Contact", "User-Agent", "Subject"}
	if trusted {
		names = append(names, "From", "P-Asserted-Identity", "Remote-Party-ID", "Privacy", "Diversion", "History-Info",
			"P-Charging-Vector", "User-to-User", "P-Called-Party-ID")
	}
	facts := map[string]string{"Request-URI": clip(req.Recipient.String(), 512)}
	for _, name := range names {
		if v := headerOf(req, name); v != "" {
			facts[name] = strings.Map(printable, clip(v, 512))
		}
	}
	for _, h := range req.Headers() {
		if len(facts) >= 32 {
			break
		}
		if name := h.Name(); strings.HasPrefix(name, "X-") && len(name) <= 64 {
			facts[name] = strings.Map(printable, clip(h.Value(), 512))
		}
	}
	return facts
}

// hostOf is the host that a request came from.
func hostOf(req *sipgo.Request) netip.Addr {
	source, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		return netip.Addr{}
	}
	return source.Addr().Unmap()
}
