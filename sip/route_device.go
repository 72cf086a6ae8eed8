package sip

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/errs"
)

// planDevices is every device that a user has registered, all at the same time. A phone gets one INVITE however many
// flows it keeps (RFC 5626 §5.3): the newest one. All get the same offer, so those that could not take it, because one is
// a browser and the other is not, are left out in favour of the one that registered last (see deviceProfile).
func (ep *Endpoint) planDevices(t call.Target) (plan, error) {
	now := time.Now()
	regs := ep.reachable(t, now)
	if len(regs) == 0 {
		return plan{}, errs.New(errs.NotFound, "no device is registered")
	}
	p := plan{together: true, release: func() {}}
	why := ""
	for _, reg := range regs {
		h, problem := ep.deviceHop(t, reg)
		if problem != "" {
			why = problem
			continue
		}
		p.hops = append(p.hops, h)
	}
	if len(p.hops) == 0 {
		return plan{}, errs.New(errs.NotFound, "no registered device can be reached: %s", why)
	}
	return p, nil
}

// reachable are the registrations that a target is called at, the newest first: one for each phone.
func (ep *Endpoint) reachable(t call.Target, now time.Time) []Registration {
	var out []Registration
	browser := false
	for _, reg := range ep.opt.Registrar.All(t.UserID, now) {
		if reg.InstanceID != t.InstanceID || slices.ContainsFunc(out, func(o Registration) bool { return samePhone(&o, &reg) }) {
			continue
		}
		is := ep.profileOf(&reg).Encryption == call.EncryptionWebRTC
		if len(out) == 0 {
			browser = is
		} else if is != browser {
			continue
		}
		out = append(out, reg)
	}
	return out
}

// samePhone reports two flows of one phone: the same instance, or the same socket without a proxy between.
func samePhone(a, b *Registration) bool {
	if a.DeviceID != b.DeviceID {
		return false
	}
	if a.SIPInstance != "" && a.SIPInstance == b.SIPInstance {
		return true
	}
	return len(a.Path)+len(b.Path) == 0 && a.Source == b.Source && a.Transport == b.Transport
}

// deviceHop is the way to one registration, or why there is none.
func (ep *Endpoint) deviceHop(t call.Target, reg Registration) (hop, string) {
	source, err := netip.ParseAddrPort(reg.Source)
	if err != nil {
		return hop{}, "the registration has no usable source address"
	}
	h := hop{
		network: strings.ToUpper(reg.Transport), addr: netip.AddrPortFrom(source.Addr().Unmap(), source.Port()),
		flow: len(reg.Path) == 0, from: caller(t), device: reg.DeviceID,
	}
	if err = sipgo.ParseUri(reg.Contact, &h.target); err != nil {
		return hop{}, "the registered Contact is not a URI"
	}
	for _, p := range reg.Path { // RFC 3327 §5.1: the Path is the route, the proxy next to us first
		var u sipgo.Uri
		if err = sipgo.ParseUri(p, &u); err != nil {
			return hop{}, "the registered Path is not a URI"
		}
		h.routes = append(h.routes, u)
	}
	if len(h.routes) > 0 {
		h.addr = viaPath(h.addr, &h.routes[0])
	}
	if h.flow && streamed(h.network) && ep.streams.find(h.network, h.addr) == nil {
		ep.opt.Registrar.Failed(reg, true) // a phone that is alive opens another one and registers
		return hop{}, "the device's connection is gone"
	}
	name := h.target.User
	if dev, ok := ep.opt.Devices().ByID(reg.DeviceID); ok {
		name = dev.Name
	}
	h.to = party{uri: sipgo.Uri{Scheme: "sip", User: escapeUser(name)}} // the host is filled in when we know how it sees us
	h.tell = func(o outcome) { ep.heardFrom(reg, o) }
	return h, ""
}

// viaPath is where the first proxy of a Path listens: at the host that the REGISTER came from, always; a phone could
// write any other address into it. The port is that of the Path if it names the same host.
func viaPath(source netip.AddrPort, first *sipgo.Uri) netip.AddrPort {
	host, ok := hostAddr(first.Host)
	if !ok || host != source.Addr() {
		return source
	}
	port := first.Port
	if port <= 0 || port > 65535 {
		port = sipgo.DefaultUdpPort
	}
	return netip.AddrPortFrom(host, uint16(port))
}

// heardFrom counts rings without an answer. Silence, a failed flow (430, RFC 5626 §11.5) and "gone" (410) speak against
// the contact, and so does a proxy's 408; any other answer proves that somebody is there.
func (ep *Endpoint) heardFrom(reg Registration, o outcome) {
	switch {
	case o.status == 0 && o.err == nil: // cancelled before anything came: says nothing
	case o.status == 0 || o.status == 408 || o.status == 410 || o.status == 430:
		if ep.opt.Registrar.Failed(reg, o.status == 410 || o.status == 430) {
			ep.count.deadContacts.Add(1)
			ep.log.Info("registration is dead", "device_id", reg.DeviceID, "source", reg.Source, "status", o.status)
		}
	default:
		ep.opt.Registrar.Alive(reg)
	}
}

// deviceProfile is what the media of a user's devices are like: those of the one that registered last.
func (ep *Endpoint) deviceProfile(t call.Target) call.Profile {
	for _, reg := range ep.opt.Registrar.All(t.UserID, time.Now()) {
		if reg.InstanceID == t.InstanceID {
			return ep.profileOf(&reg)
		}
	}
	return call.Profile{}
}

func (ep *Endpoint) profileOf(reg *Registration) call.Profile {
	d, _ := ep.opt.Devices().ByID(reg.DeviceID)
	return mediaOf(d, reg.Transport)
}

// mediaOf is the profile of a device's calls over a transport.
func mediaOf(d *Device, transport string) call.Profile {
	var p call.Profile
	if d != nil {
		p = call.Profile{Codecs: d.Profile.Codecs, Encryption: d.Profile.Encryption, Digits: d.Profile.Digits, Noise: d.Profile.Noise}
	}
	if p.Encryption == call.EncryptionNone && (strings.EqualFold(transport, "WS") || strings.EqualFold(transport, "WSS")) {
		p.Encryption = call.EncryptionWebRTC // RFC 8834: browsers know nothing else
	}
	return p
}

// caller is what the called device shows. The host is ours.
func caller(t call.Target) party {
	if t.FromNumber == "" || t.Anonymous {
		return party{name: "Anonymous", uri: sipgo.Uri{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"}}
	}
	return party{name: quotedText(t.FromName, 100), uri: sipgo.Uri{Scheme: "sip", User: escapeUser(t.FromNumber)}}
}
