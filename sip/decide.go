package sip

import (
	"fmt"
	"net/netip"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// Whether an INVITE is admitted is decided here, by a pure function over what it says, what is configured and how much is
// in use. The live path acts on the decision; the log line is made of it; the dry run (explain.go) shows it.

// The rules, in the order in which they are asked. The first that fails is the answer. After them come those of the owner
// of calls: number, flow, instance, media (call.Explanation).
const (
	ruleBan       = "ban"       // the source is banned
	ruleForm      = "form"      // it is a well-formed request
	ruleScanner   = "scanner"   // it is not from a scanner
	ruleLoop      = "loop"      // it is not our own, and not a copy
	ruleDraining  = "draining"  // the node takes calls
	ruleLegs      = "legs"      // there is room for another leg
	ruleBody      = "body"      // the body is SDP, if there is one
	ruleAccept    = "accept"    // an answer with SDP is welcome
	ruleContact   = "contact"   // there is a Contact
	ruleSource    = "source"    // a trunk sends from this address
	ruleDigest    = "digest"    // or the credentials are right
	ruleEntitled  = "entitled"  // who has authenticated may call from there
	ruleSession   = "session"   // the session timer is not too short
	ruleReplaces  = "replaces"  // and what it replaces can be read
	ruleChannels  = "channels"  // a channel is free, and the trunk has calls left in this second
	ruleCancelled = "cancelled" // the caller is still there
	ruleOwner     = "call"      // whatever else the owner of calls says
)

// Rule is one rule that was asked.
type Rule struct {
	Name   string
	OK     bool
	Detail string // what it found
}

// Decision is what becomes of an INVITE, and why.
type Decision struct {
	Rules   []Rule
	Code    int    // SIP status of the refusal; 0: admitted
	Phrase  string // of the status
	Why     string // the first rule that failed, in words
	Nearest string // what would have matched, if something nearly did

	who     peer
	headers []sipgo.Header
}

// Failed is the rule that failed.
func (d *Decision) Failed() string { return d.failed() }

// failed is Failed.
func (d *Decision) failed() string {
	if n := len(d.Rules); n > 0 && !d.Rules[n-1].OK {
		return d.Rules[n-1].Name
	}
	return ""
}

func (d *Decision) pass(rule, detail string) {
	d.Rules = append(d.Rules, Rule{Name: rule, OK: true, Detail: detail})
}

// refuse ends the decision.
func (d *Decision) refuse(rule string, code int, why string) {
	d.Rules = append(d.Rules, Rule{Name: rule, Detail: why})
	d.Code, d.Why, d.Phrase = code, why, phraseOf(code)
	switch {
	case code == 415:
		d.headers = append(d.headers, header("Accept", "application/sdp"))
	case code == 503 && rule == ruleDraining:
		d.headers = append(d.headers, header("Retry-After", drainRetry))
	case code == 503 && rule == ruleLegs:
		d.headers = append(d.headers, header("Retry-After", "5"))
	case code == 503:
		d.headers = append(d.headers, header("Retry-After", "1"))
	}
}

func refusedAs(rule string, code int, why string) Decision {
	var d Decision
	d.refuse(rule, code, why)
	return d
}

func phraseOf(code int) string {
	switch code {
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 406:
		return "Not Acceptable"
	case 422:
		return "Session Interval Too Small"
	case 415:
		return "Unsupported Media Type"
	case 482:
		return "Loop Detected"
	case 486:
		return "Busy Here"
	case 487:
		return "Request Terminated"
	case 488:
		return "Not Acceptable Here"
	case 503:
		return "Service Unavailable"
	default:
		return "Server Internal Error"
	}
}

// inviteFacts is what an INVITE says, as far as it matters here.
type inviteFacts struct {
	source  netip.AddrPort
	browser bool // over WebSocket
	own     bool // our own, back again
	merged  bool // a copy of one that is being handled
	sdp     []byte
	body    string // the type of a body that is not SDP
	accepts bool
	contact bool
	minSE   sipgo.Header // the session timer is too short: what to say to that; nil: it is not
	garbled bool         // Replaces cannot be read
}

// tables are what is configured.
type tables struct {
	trunks  *TrunkTable
	devices *DeviceTable
	// registered finds the trunk that calls by its registration; why is what MatchSource said. May be nil.
	registered func(src netip.AddrPort, why string) (*Trunk, string)
}

// load is how much is in use.
type load struct {
	draining       bool
	legs, mostLegs int
	limits         *Limits
	at             time.Time
}

func (ep *Endpoint) factsOfInvite(req *sipgo.Request) inviteFacts {
	f := inviteFacts{accepts: acceptsSDP(req), contact: req.Contact() != nil && !req.Contact().Address.Wildcard}
	f.source, _ = netip.ParseAddrPort(req.Source())
	f.browser = overWebSocket(req)
	f.own = ep.index.leg(callIDOf(req), tagOf(req.From().Params)) != nil
	var ok bool
	if ep.tooBrief(req) {
		f.minSE = ep.minSE()
	}
	_, readable := replacesOf(req)
	f.garbled = !readable
	if f.sdp, ok = sdpOf(req); !ok {
		f.body = contentType(req)
	}
	return f
}

func (ep *Endpoint) tables(req *sipgo.Request) tables {
	trunks := ep.opt.Trunks()
	return tables{trunks, ep.opt.Devices(), func(src netip.AddrPort, why string) (*Trunk, string) {
		return ep.carriers.matchRegistered(trunks, req, src, why)
	}}
}

func (ep *Endpoint) load() load {
	return load{draining: ep.draining.Load(), legs: ep.index.size(), mostLegs: ep.opt.MaxCalls, limits: ep.opt.Limits, at: time.Now()}
}

// decide asks the rules. authenticate judges the credentials; it is asked only if the source alone does not say who
// calls.
func decide(f *inviteFacts, tab tables, use load, authenticate func() peer) Decision {
	d := Decision{Rules: make([]Rule, 0, 12)}
	switch {
	case f.own: // RFC 3261 §16.3
		d.refuse(ruleLoop, 482, "our own INVITE came back")
		return d
	case f.merged: // RFC 3261 §8.2.2.2
		d.refuse(ruleLoop, 482, "another copy of an INVITE that is being handled")
		return d
	}
	d.pass(ruleLoop, "")
	if use.draining {
		d.refuse(ruleDraining, 503, "draining")
		return d
	}
	d.pass(ruleDraining, "")
	if use.legs >= use.mostLegs {
		d.refuse(ruleLegs, 503, fmt.Sprintf("all %d legs are in use", use.mostLegs))
		return d
	}
	d.pass(ruleLegs, "")
	if f.body != "" {
		d.refuse(ruleBody, 415, "body is "+clip(f.body, 100))
		return d
	}
	d.pass(ruleBody, "")
	if !f.accepts { // RFC 3261 §20.1
		d.refuse(ruleAccept, 406, "Accept names no application/sdp")
		return d
	}
	d.pass(ruleAccept, "")
	if !f.contact { // RFC 3261 §8.1.1.8
		d.refuse(ruleContact, 400, "INVITE without a Contact")
		return d
	}
	d.pass(ruleContact, "")
	if d.identify(f, tab, authenticate); d.Code != 0 {
		return d
	}
	if f.minSE != nil { // RFC 4028 §9
		d.refuse(ruleSession, 422, "Session-Expires is too short: Min-SE is "+f.minSE.Value())
		d.headers = append(d.headers, f.minSE)
		return d
	}
	if f.garbled { // RFC 3891 §3
		d.refuse(ruleReplaces, 400, "Replaces cannot be read")
		return d
	}
	d.channels(use)
	return d
}

// identify finds the caller by source address, else by digest.
func (d *Decision) identify(f *inviteFacts, tab tables, authenticate func() peer) {
	t, why := tab.trunks.MatchSource(f.source)
	if f.browser && t != nil { // no carrier is a page; the address is that of a proxy that the carrier shares
		t, why = nil, "trunk "+t.Name+" has this address, but nobody is a trunk over WebSocket"
	}
	if t == nil && !f.browser && tab.registered != nil { // a carrier that we register with calls our registered Contact
		t, why = tab.registered(f.source, why)
	}
	if t != nil && t.Username == "" {
		d.who = peer{trunk: t}
		d.pass(ruleSource, "trunk "+t.Name+" sends from here")
		return
	}
	who := authenticate()
	d.who = who
	if t == nil {
		d.Rules = append(d.Rules, Rule{Name: ruleSource, OK: true, Detail: why + ": credentials decide"})
	} else {
		d.pass(ruleSource, "trunk "+t.Name+" sends from here, and must authenticate")
	}
	if who.verdict == AuthOK {
		d.pass(ruleDigest, "credentials of "+who.username+" are right")
		d.entitled(f, tab, t)
		return
	}
	switch {
	case t != nil:
		why = "trunk " + t.Name + " must authenticate: " + who.why
	case !who.tried && tab.trunks.offAt(f.source):
		d.refuse(ruleSource, 403, why)
		return
	case !who.tried:
		why += "; " + who.why
	default:
		why = who.why
		if dev := tab.devices.off[who.username]; dev != nil {
			d.Nearest = "device " + dev.Name + " exists but is disabled"
		}
	}
	d.who.why = why
	code := 401
	if who.verdict == AuthMalformed {
		code = 400
	}
	d.refuse(ruleDigest, code, why)
}

// entitled checks that who has authenticated may call from this address: a device from anywhere but a trunk's address, a
// trunk from its own addresses. The password was right, so there is nothing to hide.
func (d *Decision) entitled(f *inviteFacts, tab tables, t *Trunk) {
	switch who := &d.who; {
	case who.device != nil && t == nil, who.trunk != nil && tab.trunks.Allows(who.trunk, f.source):
		d.pass(ruleEntitled, "")
	case who.device != nil:
		d.refuse(ruleEntitled, 403, "user "+who.username+" may not call from this address: it is trunk "+t.Name+"'s")
	default:
		d.Nearest = "trunk " + who.trunk.Name + " may send from other addresses only"
		d.refuse(ruleEntitled, 403, "user "+who.username+" may not call from this address")
	}
}

// channels checks that there is room; taking it is the caller's.
func (d *Decision) channels(use load) {
	l := use.limits
	if why := l.wouldRefuse(d.who.trunk, use.at); why != "" {
		d.refuse(ruleChannels, channelsCode(d.who.trunk, use), why)
		return
	}
	d.pass(ruleChannels, "")
}

// channelsCode tells a trunk that uses all it may (486) from a node or a second that is full (503).
func channelsCode(t *Trunk, use load) int {
	if t != nil && t.MaxChannels > 0 && use.limits.Channels(t.ID) >= t.MaxChannels {
		return 486
	}
	return 503
}

// offAt reports whether only a disabled trunk has the address.
func (tt *TrunkTable) offAt(src netip.AddrPort) bool {
	addr := src.Addr().Unmap().WithZone("")
	for _, e := range tt.sorted {
		if e.trunk.Disabled && e.prefix.Contains(addr) && (e.port == 0 || e.port == src.Port()) {
			return true
		}
	}
	return false
}
