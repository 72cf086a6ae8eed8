package sip

import (
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// maxText is the length of a text message that is taken. RFC 3428 §8: outside a dialog they are short.
const maxText = 4096

// Text is a SIP MESSAGE (RFC 3428) from a device of our own or a trunk.
type Text struct {
	CallID     string // of the dialog, if it was sent in a call
	InDialog   bool
	TrunkID    string
	DeviceUser string // user id of the device
	InstanceID string // of the device or trunk
	From, To   string // user parts
	Body       string
}

// allow is what our Allow says.
func (ep *Endpoint) allow() sipgo.Header {
	if ep.opt.OnText != nil {
		return header("Allow", allowed+", MESSAGE")
	}
	return header("Allow", allowed)
}

// introduce tells a leg who calls.
func (l *Leg) introduce(req *sipgo.Request, who peer, in call.Inbound) {
	l.know(req)
	l.theirTag.Store(l.d.remoteTag)
	l.rel.must = has(req, "100rel", "Require")
	l.rel.can = l.rel.must || has(req, "100rel", "Supported", "k")
	l.texter = Text{From: in.From.Address, To: in.Called, TrunkID: in.TrunkID, DeviceUser: in.DeviceUser}
	if who.trunk != nil {
		l.trunked, l.referable = true, who.trunk.AllowRefer
		l.texter.InstanceID, l.region = who.trunk.InstanceID, who.trunk.Region
	} else {
		l.referable, l.texter.InstanceID = true, who.device.InstanceID
	}
	if l.region == "" {
		l.region = l.ep.opt.Region(l.texter.InstanceID)
	}
}

// onMessage is a MESSAGE outside a dialog: only of those who may call us.
func (ep *Endpoint) onMessage(req *sipgo.Request, tx *sipgo.ServerTx) {
	if ep.opt.OnText == nil {
		ep.refuseWith(req, tx, 405, "Method Not Allowed", ep.allow())
		return
	}
	now := time.Now()
	who := ep.sender(req, now)
	if who.trunk == nil && who.device == nil {
		ep.challenge(req, tx, who, now)
		return
	}
	t := Text{CallID: callIDOf(req), From: userPart(&req.From().Address), To: userPart(&req.Recipient)}
	if who.trunk != nil {
		t.TrunkID, t.InstanceID = who.trunk.ID, who.trunk.InstanceID
	} else { // whatever it claims to be: threat 15
		t.DeviceUser, t.InstanceID, t.From = who.device.UserID, who.device.InstanceID, who.device.Name
	}
	code, reason, hs := ep.takeText(req, t)
	ep.refuseWith(req, tx, code, reason, hs...)
}

// sender is the trunk or device that a request outside a call is from; neither if it has to prove that first.
func (ep *Endpoint) sender(req *sipgo.Request, now time.Time) peer {
	trunks := ep.opt.Trunks()
	source, _ := netip.ParseAddrPort(req.Source())
	t, _ := trunks.MatchSource(source)
	if overWebSocket(req) {
		t = nil
	}
	if t != nil && t.Username == "" {
		return peer{trunk: t}
	}
	who := ep.authenticate(req, now)
	if who.verdict == AuthOK && (who.device != nil && t == nil || who.trunk != nil && trunks.Allows(who.trunk, source)) {
		return who
	}
	who.device, who.trunk = nil, nil
	return who
}

// takeText hands a message over, if it is one.
func (ep *Endpoint) takeText(req *sipgo.Request, t Text) (code int, reason string, hs []sipgo.Header) {
	switch {
	case ep.opt.OnText == nil:
		return 405, "Method Not Allowed", []sipgo.Header{ep.allow()}
	case contentType(req) != "text/plain" && len(req.Body()) > 0:
		return 415, "Unsupported Media Type", []sipgo.Header{header("Accept", "text/plain")}
	case len(req.Body()) > maxText:
		return 513, "Message Too Large", nil
	case !utf8.Valid(req.Body()):
		return 400, "Bad Request", nil
	}
	t.Body = strings.ReplaceAll(string(req.Body()), "\x00", "")
	ep.opt.OnText(t)
	return 200, "OK", nil
}
