package sip

import (
	"net/netip"
	"slices"
	"time"
)

// needsPing reports a binding that a ping keeps alive: a phone on UDP that is somewhere else than its Contact says, so
// behind a NAT whose mapping ends when nothing is said. Phones that keep their flow themselves do that better.
func needsPing(reg *Registration) bool {
	if reg.Transport != "UDP" || len(reg.Path) > 0 {
		return false
	}
	source, err := netip.ParseAddrPort(reg.Source)
	if err != nil {
		return false
	}
	return !contactIs(reg.Contact, netip.AddrPortFrom(source.Addr().Unmap(), source.Port()))
}

// Failed notes that a ring or a ping at a binding was not answered. After MaxFailures in a row, or at once if its
// connection is known to be gone, the binding is forgotten; dead says so.
func (r *Registrar) Failed(reg Registration, gone bool) (dead bool) {
	r.mu.Lock()
	d := r.table.devices[reg.DeviceID]
	i := indexOf(d, &reg)
	if i < 0 {
		r.mu.Unlock()
		return false
	}
	d.list[i].failed++
	if dead = gone || int(d.list[i].failed) >= r.opt.MaxFailures; dead {
		r.forgetLocked(reg.DeviceID, func(b *kept) bool { return sameBut(&b.Registration, &reg) })
	}
	r.mu.Unlock()
	if dead {
		r.nudge()
		r.deliver()
	}
	return dead
}

// Alive notes that a binding has answered.
func (r *Registrar) Alive(reg Registration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.table.devices[reg.DeviceID]
	if i := indexOf(d, &reg); i >= 0 {
		d.list[i].failed = 0
	}
}

func indexOf(d *deviceBindings, reg *Registration) int {
	if d == nil {
		return -1
	}
	return slices.IndexFunc(d.list, func(b kept) bool { return sameBut(&b.Registration, reg) })
}

// FlowClosed forgets every binding whose connection from source has closed: nothing can be sent there any more, and a
// phone that is alive comes back by itself. RFC 5626 §5.3.
func (r *Registrar) FlowClosed(source netip.AddrPort) {
	key := source.String()
	r.mu.Lock()
	devices := slices.Clone(r.table.flows[key])
	for _, deviceID := range devices {
		r.forgetLocked(deviceID, func(b *kept) bool {
			return streamed(b.Transport) && b.Source == key && len(b.Path) == 0 // a proxy may open another one
		})
	}
	r.mu.Unlock()
	if len(devices) > 0 {
		r.nudge()
		r.deliver()
	}
}

// forgetLocked takes bindings away at once; the store hears of it with the next Flush.
func (r *Registrar) forgetLocked(deviceID string, which func(*kept) bool) {
	d := r.table.devices[deviceID]
	if d == nil {
		return
	}
	left := slices.DeleteFunc(slices.Clone(d.list), func(b kept) bool { return which(&b) })
	if len(left) == len(d.list) {
		return
	}
	r.changes = append(r.changes, r.table.set(deviceID, left)...)
	r.table.rewrite[deviceID] = struct{}{}
	r.soonLocked()
}

// Pinged gives the live bindings of one slot that need a ping.
func (r *Registrar) pingedIn(slot int, now time.Time) []Registration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var out []Registration
	for deviceID := range r.table.pinged[slot] {
		for _, b := range r.table.devices[deviceID].list {
			if b.Expires.After(now) && needsPing(&b.Registration) {
				out = append(out, b.Registration)
			}
		}
	}
	return out
}

// sources calls f with where each live binding comes from, for whoever must know the phones after a restart.
func (r *Registrar) sources(now time.Time, f func(source string, until time.Time)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, d := range r.table.devices {
		for i := range d.list {
			if b := &d.list[i]; b.Expires.After(now) {
				f(b.Source, b.Expires)
			}
		}
	}
}

// contactIs reports whether a Contact URI names this address and port.
func contactIs(uri string, source netip.AddrPort) bool {
	host := contactHost(uri)
	if ap, err := netip.ParseAddrPort(host); err == nil {
		return ap == source
	}
	a, ok := hostAddr(host)
	return ok && a == source.Addr() && source.Port() == 5060
}
