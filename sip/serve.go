package sip

import (
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

const slogInfo = slog.LevelInfo

func callIDAttr(m sipgo.Message) slog.Attr { return slog.String("call_id", callIDOf(m)) }
func errAttr(err error) slog.Attr          { return slog.String("error", err.Error()) }

// onRequest is called by sipgo in a goroutine of its own for every request that begins a transaction. CANCEL never comes
// here, ACK only if its transaction is over.
func (ep *Endpoint) onRequest(req *sipgo.Request, tx *sipgo.ServerTx) {
	defer func() {
		if p := recover(); p != nil {
			ep.panicked(string(req.Method)+" "+callIDOf(req), p)
			if !req.IsAck() {
				ep.refuseWith(req, tx, 500, "Server Internal Error")
			}
		}
	}()
	if req.IsAck() {
		tx.Terminate()
		return
	}
	if req.IsInvite() {
		roomForCall(0)
	} else {
		roomToWork(0)
	}
	ep.count.transactions.Add(1)
	if !tx.OnTerminate(func(string, error) { ep.count.transactions.Add(-1) }) {
		ep.count.transactions.Add(-1)
		return
	}
	toTag := tagOf(req.To().Params)
	switch {
	case req.Method == sipgo.REGISTER:
		ep.onRegister(req, tx)
	case req.Method == sipgo.SUBSCRIBE:
		ep.onSubscribe(req, tx, toTag)
	case toTag != "":
		ep.inDialog(req, tx, toTag)
	case req.Method == sipgo.INVITE:
		ep.onInvite(req, tx)
	case req.Method == sipgo.OPTIONS:
		ep.onOptions(req, tx)
	case req.Method == sipgo.MESSAGE:
		ep.onMessage(req, tx)
	case req.Method == sipgo.REFER: // RFC 3515 allows it; nobody may make us call whom he likes
		ep.refuseWith(req, tx, 403, "Forbidden")
	default: // BYE, INFO, UPDATE: there is nothing without a dialog
		if mayBegin(req.Method) && !ep.mayAsk(req, tx) {
			return
		}
		ep.refuseWith(req, tx, 481, "Call/Transaction Does Not Exist")
	}
}

// roomToWork makes the stack of a goroutine that has just begun as large as a request needs, in one step. It would grow to
// that in three, and each copies what is there, deep down in the call: that was a fourteenth of what a call costs.
//
//go:noinline
func roomToWork(at int) byte {
	var room [10 << 10]byte
	return room[at]
}

// roomForCall is the same for an INVITE, with which a call is made.
//
//go:noinline
func roomForCall(at int) byte {
	var room [20 << 10]byte
	return room[at]
}

// mayBegin reports a method that can begin something outside of a dialog.
func mayBegin(m sipgo.RequestMethod) bool {
	switch m {
	case sipgo.MESSAGE, sipgo.PUBLISH, sipgo.REFER, sipgo.NOTIFY:
		return true
	default:
		return false
	}
}

// mayAsk reports whether a request outside of a dialog is from a trunk or from somebody with right credentials; others
// are challenged (threat 14).
func (ep *Endpoint) mayAsk(req *sipgo.Request, tx *sipgo.ServerTx) bool {
	if src, ok := parseAddrPort(req.Source()); ok && ep.trust.trusted(src) {
		return true
	}
	now := time.Now()
	who := ep.authenticate(req, now)
	if who.verdict != AuthOK {
		ep.challenge(req, tx, who, now)
		return false
	}
	ep.heardRight(req, now.Add(callTrust), now)
	return true
}

// inDialog finds the leg. RFC 3261 §12.2.2.
func (ep *Endpoint) inDialog(req *sipgo.Request, tx *sipgo.ServerTx, toTag string) {
	r := inRequest{req: req, tx: tx}
	if req.Method == sipgo.INVITE {
		r.in = ep.index.handOver(req)
		if !tx.OnTerminate(func(string, error) { ep.index.drop(r.in) }) {
			ep.index.drop(r.in)
			return
		}
	}
	if leg := ep.index.leg(callIDOf(req), toTag); leg != nil && leg.deliver(r) {
		return
	}
	if req.Method == sipgo.BYE && ep.index.wasThere(callIDOf(req), toTag, tagOf(req.From().Params)) {
		ep.refuseWith(req, tx, 200, "OK") // it crossed ours
		return
	}
	ep.refuseWith(req, tx, 481, "Call/Transaction Does Not Exist")
}

// onOptions answers a ping. RFC 3261 §11.2.
func (ep *Endpoint) onOptions(req *sipgo.Request, tx *sipgo.ServerTx) {
	if ep.draining.Load() {
		ep.refuseWith(req, tx, 503, "Service Unavailable", header("Retry-After", drainRetry))
		return
	}
	ep.refuseWith(req, tx, 200, "OK", ep.allow(), header("Accept", "application/sdp"), header("Supported", supported))
}

// onRegister is a REGISTER: who is it, and then it is the registrar's.
func (ep *Endpoint) onRegister(req *sipgo.Request, tx *sipgo.ServerTx) {
	now := time.Now()
	who := ep.authenticate(req, now)
	if who.verdict != AuthOK {
		ep.challenge(req, tx, who, now)
		return
	}
	// A trunk's user has no business here, and nobody may speak for another device.
	if who.device == nil || userPart(&req.To().Address) != who.device.Name {
		ep.logRegister(req, 403, "the credentials are not those of the device in To")
		ep.refuseWith(req, tx, 403, "Forbidden")
		return
	}
	in := RegisterRequest{
		Device: who.device, Expires: headerOf(req, "Expires"), CallID: callIDOf(req), CSeq: req.CSeq().SeqNo,
		Source: req.Source(), Transport: strings.ToUpper(req.Transport()), UserAgent: clip(headerOf(req, "User-Agent"), 200),
		Outbound: names(req, "Supported", "outbound"), FirstHop: len(req.GetHeaders("Via")) == 1, Path: pathOf(req), Now: now,
	}
	for _, h := range req.GetHeaders("Contact") {
		c, ok := h.(*sipgo.ContactHeader)
		switch {
		case !ok:
		case c.Address.Wildcard:
			in.Star = true
		default:
			expires, _ := c.Params.Get("expires")
			instance, _ := c.Params.Get("+sip.instance")
			regID, _ := c.Params.Get("reg-id")
			in.Contacts = append(in.Contacts, RegisterContact{
				URI: c.Address.String(), Expires: expires, InstanceID: instance, RegID: regID,
			})
		}
	}
	if in.Star && len(in.Contacts) > 0 {
		ep.refuseWith(req, tx, 400, "Bad Request")
		return
	}
	ctx, cancel := context.WithTimeout(ep.ctx, 10*time.Second)
	defer cancel()
	out := ep.opt.Registrar.Register(ctx, in)
	if out.Status == 200 {
		ep.follow(req)
	}
	ep.registered(req, out, now)
	ep.answerRegister(req, tx, in, out)
	if out.New {
		ep.waitingFor(who.device)
	}
}

// names reports whether a list of option tags has one.
func names(req *sipgo.Request, field, tag string) bool {
	for _, h := range req.GetHeaders(field) {
		for v := range strings.SplitSeq(h.Value(), ",") {
			if strings.EqualFold(strings.TrimSpace(v), tag) {
				return true
			}
		}
	}
	return false
}

// pathOf are the URIs of the Path of a REGISTER, the proxy next to us first. RFC 3327 §5.3. It is believed because the
// REGISTER is: whoever has the password may say where the calls go, and they go nowhere but to the host that it came
// from (viaPath).
func pathOf(req *sipgo.Request) []string {
	var list []string
	for _, h := range req.GetHeaders("Path") {
		rest := h.Value()
		for rest != "" && len(list) <= maxPath {
			v := firstValue(rest)
			rest = strings.TrimPrefix(rest[len(v):], ",")
			v = strings.TrimSpace(v)
			if open := strings.IndexByte(v, '<'); open >= 0 {
				v, _, _ = strings.Cut(v[open+1:], ">")
			}
			list = append(list, v)
		}
	}
	return list
}

// flowTimer is how long a phone that keeps its flow may be silent, in seconds. RFC 5626 §9.1.
const flowTimer = "120"

func (ep *Endpoint) answerRegister(req *sipgo.Request, tx *sipgo.ServerTx, in RegisterRequest, out RegisterResponse) {
	var hs []sipgo.Header
	reason := "OK"
	switch out.Status {
	case 200:
		for _, b := range out.Bindings {
			v := "<" + b.Contact + ">;expires=" + strconv.Itoa(b.Expires)
			if b.SIPInstance != "" {
				v += `;+sip.instance="<` + strings.Map(printable, strings.Trim(b.SIPInstance, `"<>`)) + `>"`
			}
			if b.RegID != 0 {
				v += ";reg-id=" + strconv.FormatUint(uint64(b.RegID), 10)
			}
			hs = append(hs, header("Contact", v))
		}
		for _, p := range in.Path { // RFC 3327 §5.3: the phone sees who stands on the way
			hs = append(hs, header("Path", "<"+p+">"))
		}
		if out.Outbound { // RFC 5626 §6
			hs = append(hs, header("Require", "outbound"))
			if streamed(in.Transport) {
				hs = append(hs, header("Flow-Timer", flowTimer))
			}
		}
		hs = append(hs, header("Date", time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")))
	case 423:
		reason = "Interval Too Brief"
		hs = append(hs, header("Min-Expires", strconv.Itoa(out.MinExpires)))
	case 400:
		reason = "Bad Request"
	case 439:
		reason = "First Hop Lacks Outbound Support"
	default:
		reason = "Server Internal Error"
	}
	if out.Status != 200 {
		ep.logRegister(req, out.Status, out.Why)
	}
	ep.refuseWith(req, tx, out.Status, reason, hs...)
}

func (ep *Endpoint) logRegister(req *sipgo.Request, code int, why string) {
	if ok, suppressed := ep.logRate.take(time.Now()); ok {
		ep.log.Info("register refused", "status", code, "reason", why, "call_id", callIDOf(req), "source", req.Source(),
			"to", clip(req.To().Address.String(), 200), "suppressed", suppressed)
	}
}

// refuseWith gives a request outside a leg its final answer.
func (ep *Endpoint) refuseWith(req *sipgo.Request, tx *sipgo.ServerTx, code int, reason string, hs ...sipgo.Header) {
	tag := tagOf(req.To().Params)
	if tag == "" {
		tag = newTag()
	}
	res := ep.response(req, code, reason, tag)
	for _, h := range hs {
		res.AppendHeader(h)
	}
	ep.respond(req, tx, res)
}

// response builds an answer. RFC 3261 §8.2.6.
func (ep *Endpoint) response(req *sipgo.Request, code int, reason, tag string) *sipgo.Response {
	res := sipgo.NewResponseFromRequest(req, code, reason, nil)
	if to := res.To(); to != nil && code != 100 {
		setTag(&to.Params, tag)
	}
	// RFC 3261 §18.2.1: where it came from, whatever the request claims.
	if via := res.Via(); via != nil {
		if src, err := netip.ParseAddrPort(req.Source()); err == nil {
			via.Params.Add("received", src.Addr().Unmap().String())
		}
	}
	res.AppendHeader(header("Server", ep.opt.UserAgent))
	return res
}

// respond sends an answer in its transaction.
func (ep *Endpoint) respond(req *sipgo.Request, tx *sipgo.ServerTx, res *sipgo.Response) {
	if res.StatusCode >= 200 {
		ep.opt.OnAnswer(string(req.Method), res.StatusCode)
	}
	if err := tx.Respond(res); err != nil {
		ep.log.Debug("answer not sent", "call_id", callIDOf(req), "status", res.StatusCode, "error", err)
	}
}
