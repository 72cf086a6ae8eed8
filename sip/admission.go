package sip

import (
	"context"
	"net/netip"
	"strconv"
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
	code                          int
	why, callID, source, from, to string
}

// logRefused writes the one line that says why a call was refused: the first rule that failed.
func (ep *Endpoint) logRefused(r refusedInvite) {
	ep.opt.OnRefused(r.code)
	if ok, suppressed := ep.logRate.take(time.Now()); ok {
		ep.log.Info("invite refused", "status", r.code, "reason", r.why, "call_id", clip(r.callID, 200), "source", r.source,
			"from", clip(r.from, 200), "to", clip(r.to, 200), "suppressed", suppressed)
	}
}

func (ep *Endpoint) refuseInvite(req *sipgo.Request, tx *sipgo.ServerTx, code int, reason, why string, hs ...sipgo.Header) {
	ep.count.refused.Add(1)
	ep.logRefused(refusedInvite{
		code: code, why: why, callID: callIDOf(req), source: req.Source(),
		from: req.From().Address.String(), to: req.Recipient.String(),
	})
	ep.refuseWith(req, tx, code, reason, hs...)
}

// full reports that no more legs may be made.
func (ep *Endpoint) full() bool { return ep.index.size() >= ep.opt.MaxCalls }

// onInvite is a new call. The rules are asked in this order, and the first that fails is the one in the log.
func (ep *Endpoint) onInvite(req *sipgo.Request, tx *sipgo.ServerTx) {
	in := ep.index.handOver(req)
	if !tx.OnTerminate(func(string, error) { ep.inviteOver(in) }) {
		ep.index.drop(in)
		return
	}
	now := time.Now()
	if ep.index.leg(callIDOf(req), tagOf(req.From().Params)) != nil { // RFC 3261 §16.3: our own, back again
		ep.count.loops.Add(1)
		ep.refuseInvite(req, tx, 482, "Loop Detected", "our own INVITE came back")
		return
	}
	if in.merged { // RFC 3261 §8.2.2.2
		ep.refuseInvite(req, tx, 482, "Loop Detected", "another copy of an INVITE that is being handled")
		return
	}
	if ep.draining.Load() {
		ep.refuseInvite(req, tx, 503, "Service Unavailable", "draining", header("Retry-After", drainRetry))
		return
	}
	if ep.full() {
		why := "all " + strconv.Itoa(ep.opt.MaxCalls) + " legs are in use"
		ep.refuseInvite(req, tx, 503, "Service Unavailable", why, header("Retry-After", "5"))
		return
	}
	sdp, ok := sdpOf(req)
	switch {
	case !ok:
		ep.refuseInvite(req, tx, 415, "Unsupported Media Type", "body is "+clip(contentType(req), 100),
			header("Accept", "application/sdp"))
		return
	case !acceptsSDP(req): // RFC 3261 §20.1
		ep.refuseInvite(req, tx, 406, "Not Acceptable", "Accept names no application/sdp")
		return
	case req.Contact() == nil || req.Contact().Address.Wildcard: // RFC 3261 §8.1.1.8
		ep.refuseInvite(req, tx, 400, "Bad Request", "INVITE without a Contact")
		return
	}
	who, ok := ep.identify(req, tx, now)
	if !ok {
		return
	}
	if ep.tooBrief(req) { // RFC 4028 §9
		ep.refuseInvite(req, tx, 422, "Session Interval Too Small", "Session-Expires is below "+ep.opt.MinSE.String(), ep.minSE())
		return
	}
	if _, good := replacesOf(req); !good { // RFC 3891 §3
		ep.refuseInvite(req, tx, 400, "Bad Request", "Replaces cannot be read")
		return
	}
	release, why, ok := ep.opt.Limits.AcquireChannel(who.trunk, now)
	if !ok {
		t := who.trunk
		if t != nil && t.MaxChannels > 0 && ep.opt.Limits.Channels(t.ID) >= t.MaxChannels {
			ep.refuseInvite(req, tx, 486, "Busy Here", why)
			return
		}
		ep.refuseInvite(req, tx, 503, "Service Unavailable", why, header("Retry-After", "1"))
		return
	}
	ep.admit(req, tx, in, who, sdp, release)
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

func (ep *Endpoint) inviteOver(in *invite) {
	ep.index.drop(in)
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
		ep.refuseInvite(req, tx, 487, "Request Terminated", "cancelled before it was admitted")
		return
	}
	if !l.run() {
		release()
		ep.refuseInvite(req, tx, 503, "Service Unavailable", "endpoint is closed", header("Retry-After", drainRetry))
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
			code: code, why: err.Error(), callID: l.callID, source: req.Source(), from: inbound.From.Address, to: inbound.Called,
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

// identify finds the caller by source address, else by digest, and answers if there is none.
func (ep *Endpoint) identify(req *sipgo.Request, tx *sipgo.ServerTx, now time.Time) (peer, bool) {
	trunks := ep.opt.Trunks()
	source, _ := netip.ParseAddrPort(req.Source())
	t, why := trunks.MatchSource(source)
	if t == nil { // a carrier that we register with calls our registered Contact, from where it is registered
		t, why = ep.carriers.matchRegistered(trunks, req, source, why)
	}
	if t != nil && t.Username == "" {
		return peer{trunk: t}, true
	}
	who := ep.authenticate(req, now)
	if who.verdict == AuthOK {
		switch {
		case who.device != nil && t == nil:
			return who, true
		case who.trunk != nil && trunks.Allows(who.trunk, source):
			return who, true
		}
		who.verdict, who.why = AuthWrong, "user "+who.username+" may not call from this address"
	}
	switch {
	case t != nil:
		who.why = "trunk " + t.Name + " must authenticate: " + who.why
	case !who.tried:
		who.why = why + "; " + who.why
	}
	ep.count.refused.Add(1)
	code := ep.challenge(req, tx, who, now)
	ep.logRefused(refusedInvite{
		code: code, why: who.why, callID: callIDOf(req), source: req.Source(),
		from: req.From().Address.String(), to: req.Recipient.String(),
	})
	return peer{}, false
}

// authenticate checks the credentials of a request against devices and trunks.
func (ep *Endpoint) authenticate(req *sipgo.Request, now time.Time) peer {
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
	who.username, who.verdict, who.why = ep.auth.CheckWhy(c, func(username string) (string, string, bool) {
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
	}, now)
	if who.verdict == AuthOK {
		who.device, who.trunk = device, trunk
		if strings.Contains(strings.ToUpper(value), "SHA-256") {
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
func (ep *Endpoint) challenge(req *sipgo.Request, tx *sipgo.ServerTx, who peer, now time.Time) int {
	switch who.verdict {
	case AuthMalformed:
		ep.refuseWith(req, tx, 400, "Bad Request")
		return 400
	case AuthOK:
		ep.refuseWith(req, tx, 403, "Forbidden")
		return 403
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
	return 401
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
	} else {
		// Whatever a device claims to be: threat 15.
		in.DeviceUser, region = who.device.UserID, ep.opt.Region(who.device.InstanceID)
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
