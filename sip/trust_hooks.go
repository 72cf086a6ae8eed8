package sip

import (
	"net/netip"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// offence holds something against a source, and says so if that was one too many.
func (ep *Endpoint) offence(src netip.AddrPort, o offence, detail string) {
	if b, banned := ep.trust.offended(src, o, time.Now()); banned {
		ep.tellBan(b, detail)
	}
}

func (ep *Endpoint) tellBan(b Ban, detail string) {
	ep.count.bans.Add(1)
	ep.alarm(Alarm{
		Kind: "ban", Source: b.Prefix.String(),
		Detail: "banned until " + b.Until.UTC().Format(time.RFC3339) + ": " + b.Reason + " (" + clip(detail, 100) + ")",
	})
}

// suspect judges credentials that were not right. A stale nonce, and having none yet, is how every honest call begins.
func (ep *Endpoint) suspect(req *sipgo.Request, who peer, now time.Time) {
	src, ok := parseAddrPort(req.Source())
	if !ok {
		return
	}
	switch who.verdict {
	case AuthWrong, AuthMalformed:
		ep.offence(src, wrongPassword, who.why)
	case AuthStale:
		if who.tried {
			return
		}
		if b, banned := ep.trust.challenged(src, userPart(&req.To().Address), now); banned {
			ep.tellBan(b, "challenged as many users and answered as none")
		}
	case AuthOK:
	}
}

// heardRight trusts the socket of a request whose credentials were right.
func (ep *Endpoint) heardRight(req *sipgo.Request, until, now time.Time) {
	if src, ok := parseAddrPort(req.Source()); ok {
		ep.trust.promote(src, until, now)
	}
}

// callTrust is how long a socket is trusted that has made a call without being registered.
const callTrust = 10 * time.Minute

// registered trusts the socket of a device for as long as it is registered.
func (ep *Endpoint) registered(req *sipgo.Request, out RegisterResponse, now time.Time) {
	life := time.Minute
	for _, b := range out.Bindings {
		life = max(life, time.Duration(b.Expires)*time.Second)
	}
	ep.heardRight(req, now.Add(life), now)
}

func parseAddrPort(s string) (netip.AddrPort, bool) {
	ap, err := netip.ParseAddrPort(s)
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), err == nil
}
