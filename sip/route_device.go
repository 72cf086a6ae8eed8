package sip

import (
	"net/netip"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/errs"
)

// planDevices is every registration of a user.
func (ep *Endpoint) planDevices(t call.Target) (plan, error) {
	p := plan{together: true, release: func() {}}
	for _, reg := range ep.opt.Registrar.All(t.UserID, time.Now()) {
		if reg.InstanceID != t.InstanceID {
			continue
		}
		source, err := netip.ParseAddrPort(reg.Source)
		if err != nil {
			continue
		}
		h := hop{
			network: strings.ToUpper(reg.Transport), addr: netip.AddrPortFrom(source.Addr().Unmap(), source.Port()), flow: true,
			from: caller(t),
		}
		if err := sipgo.ParseUri(reg.Contact, &h.target); err != nil {
			continue
		}
		name := h.target.User
		if dev, ok := ep.opt.Devices().ByID(reg.DeviceID); ok {
			name = dev.Name
		}
		h.to = party{uri: sipgo.Uri{Scheme: "sip", User: escapeUser(name)}}
		p.hops = append(p.hops, h)
	}
	if len(p.hops) == 0 {
		return p, errs.New(errs.NotFound, "no device is registered")
	}
	return p, nil
}

// caller is what the called device shows. The host is ours.
func caller(t call.Target) party {
	if t.FromNumber == "" || t.Anonymous {
		return party{name: "Anonymous", uri: sipgo.Uri{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"}}
	}
	return party{name: quotedText(t.FromName, 100), uri: sipgo.Uri{Scheme: "sip", User: escapeUser(t.FromNumber)}}
}
