package sip

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// maxRedirectHosts a trunk may name.
const maxRedirectHosts = 100

// maxContacts of one 3xx are looked at.
const maxContacts = 10

// redirect follows a 3xx if the trunk is one that may send its calls elsewhere: to hosts that are named, at most
// maxRedirects times, never to the same place twice and never to ourselves. RFC 3261 §8.1.3.4. Without that a 3xx is a
// refusal: a stranger must not choose whom we call (R21).
func (f *fork) redirect(b *branch, e call.LegEvent) (followed bool) {
	if e.Cause != call.CauseRejected || e.Code < 300 || e.Code > 399 || b.hop.trunk == nil || len(b.hop.trunk.RedirectHosts) == 0 {
		return false
	}
	if f.redirections >= maxRedirects {
		f.log.Warn("redirected too often", "gateway", b.hop.addr.String())
		return false
	}
	f.visited[visitKey(&b.hop.target)] = struct{}{}
	var more []hop
	for _, c := range b.leg.out.contacts {
		h, why := f.redirected(b.hop, c)
		if why != "" {
			f.log.Warn("redirection not followed", "contact", clip(c.String(), 200), "reason", why)
			continue
		}
		f.visited[visitKey(&h.target)] = struct{}{}
		more = append(more, h)
	}
	if len(more) == 0 {
		return false
	}
	f.redirections++
	// What is left of the plan comes after what the carrier wants.
	f.plan.hops = slices.Concat(more[1:], f.plan.hops[min(f.next, len(f.plan.hops)):])
	f.next = 0
	f.log.Info("call redirected", "to", clip(more[0].target.String(), 200))
	return f.try(more[0])
}

// redirected is the hop of one Contact, or why it is not followed.
func (f *fork) redirected(from hop, target sipgo.Uri) (h hop, why string) {
	h = from
	if strings.ToLower(target.Scheme) != "sip" {
		return h, "scheme " + clip(target.Scheme, 20)
	}
	if !slices.ContainsFunc(from.trunk.RedirectHosts, func(host string) bool {
		return strings.EqualFold(strings.Trim(host, "[]"), strings.Trim(target.Host, "[]"))
	}) {
		return h, "the host is not one that this trunk may redirect to"
	}
	if _, again := f.visited[visitKey(&target)]; again {
		return h, "it has been there already"
	}
	addr, isAddr := hostAddr(target.Host)
	switch {
	case isAddr:
		port := target.Port
		if port <= 0 || port > 65535 {
			port = sipgo.DefaultUdpPort
		}
		h.addr = netip.AddrPortFrom(addr, uint16(port))
	case strings.EqualFold(target.Host, from.target.Host): // the name of the gateway itself
	default:
		return h, "the host is a name that was not looked up"
	}
	if f.ep.itself(h.addr) {
		return h, "it is ourselves"
	}
	if h.addr.Addr() != from.addr.Addr() {
		h.login = nil // what the carrier gave us is for the carrier
	}
	target.Headers = nil // RFC 3261 §19.1.5: not for us to obey
	h.target = target
	return h, ""
}

func visitKey(u *sipgo.Uri) string {
	return u.User + "@" + strings.ToLower(u.Host) + ":" + strconv.Itoa(u.Port)
}

// itself reports an address of ours.
func (ep *Endpoint) itself(to netip.AddrPort) bool {
	host, ok := hostAddr(ep.host)
	advertised := ok && host == to.Addr()
	for _, g := range ep.packets {
		if g.local == to || g.local.Addr().IsUnspecified() && g.local.Port() == to.Port() && to.Addr().IsLoopback() {
			return true
		}
		if advertised && ep.port == 0 && g.local.Port() == to.Port() { // without a port the name stands for that of the socket
			return true
		}
	}
	return advertised && ep.port == int(to.Port())
}

// contactsOf are the Contacts of a 3xx, the most wanted first. RFC 3261 §8.1.3.4.
func contactsOf(res *sipgo.Response) []sipgo.Uri {
	type wanted struct {
		uri sipgo.Uri
		q   float64
	}
	var list []wanted
	for _, h := range res.GetHeaders("Contact") {
		c, ok := h.(*sipgo.ContactHeader)
		if !ok || c.Address.Wildcard || len(list) >= maxContacts {
			continue
		}
		q := 1.0
		if text, ok := c.Params.Get("q"); ok {
			if v, err := strconv.ParseFloat(text, 64); err == nil && v >= 0 && v <= 1 {
				q = v
			}
		}
		list = append(list, wanted{*c.Address.Clone(), q})
	}
	slices.SortStableFunc(list, func(a, b wanted) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	uris := make([]sipgo.Uri, len(list))
	for i, w := range list {
		uris[i] = w.uri
	}
	return uris
}
