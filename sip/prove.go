package sip

import (
	"context"
	"net/netip"
	"strings"
	"time"
)

// How long what was heard from a phone proves that it is there, and how long an answer is waited for.
const (
	provenFor  = 20 * time.Second
	proveAgain = 400 * time.Millisecond
	proveTime  = 1200 * time.Millisecond
)

// ProveAlive reports whether a phone of a user is there, before somebody waits for it to ring: its connection is open, or
// it was heard of a moment ago, or it answers OPTIONS now, within a bit more than a second. A phone on UDP that has never
// answered one is given the benefit of the doubt: some do not, and ringing them is the proof.
func (ep *Endpoint) ProveAlive(ctx context.Context, userID string) bool {
	now := time.Now()
	var silent []Registration
	for _, reg := range ep.opt.Registrar.All(userID, now) {
		if streamed(strings.ToUpper(reg.Transport)) {
			if len(reg.Path) > 0 || ep.flowOpen(reg) {
				return true
			}
			continue
		}
		heard, answers := ep.opt.Registrar.heard(reg)
		if now.Sub(reg.Registered) < provenFor || now.Sub(heard) < provenFor {
			return true
		}
		if !answers {
			ep.ping(reg, now, nil) // for the next time
			return true
		}
		silent = append(silent, reg)
	}
	if len(silent) == 0 {
		return false
	}
	answered := make(chan struct{}, 1)
	over := time.NewTimer(proveTime)
	defer over.Stop()
	again := time.NewTicker(proveAgain)
	defer again.Stop()
	for {
		for _, reg := range silent {
			ep.ping(reg, time.Now(), answered)
		}
		select {
		case <-answered:
			return true
		case <-again.C:
		case <-over.C:
			return false
		case <-ctx.Done():
			return false
		case <-ep.ctx.Done():
			return false
		}
	}
}

// flowOpen reports whether the connection of a phone is there.
func (ep *Endpoint) flowOpen(reg Registration) bool {
	source, err := netip.ParseAddrPort(reg.Source)
	if err != nil {
		return false
	}
	return ep.streams.find(strings.ToUpper(reg.Transport), netip.AddrPortFrom(source.Addr().Unmap(), source.Port())) != nil
}

// heard is when a phone last answered OPTIONS, and whether it ever did.
func (r *Registrar) heard(reg Registration) (at time.Time, answers bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d := r.table.devices[reg.DeviceID]
	if i := indexOf(d, &reg); i >= 0 {
		at = d.list[i].heard
	}
	return at, !at.IsZero()
}

// ponged notes that a phone has answered OPTIONS.
func (r *Registrar) ponged(reg Registration, now time.Time) {
	r.Alive(reg)
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.table.devices[reg.DeviceID]
	if i := indexOf(d, &reg); i >= 0 {
		d.list[i].heard = now
	}
}
