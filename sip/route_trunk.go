package sip

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/phone"
)

// maxHops bounds the attempts of one call.
const maxHops = 16

// candidate is a trunk that may carry a call.
type candidate struct {
	*carrier
	trunk  *Trunk
	places []located
	dead   bool // nothing of it is known to be well
}

// planTrunk is every gateway of the trunk that carries the call, with a place on that trunk. Trunks are asked in the order
// of the routes; the first that has a place takes the call, and if none has, the call waits for the first.
func (ep *Endpoint) planTrunk(ctx context.Context, t call.Target) (plan, error) {
	if t.Number == "" {
		return plan{}, errs.Field("Number", "is required to call by a trunk")
	}
	ask := placeAsk{
		priority:  min(max(t.Priority, call.PriorityEmergency), call.PriorityCampaign),
		group:     t.InstanceID + "/" + t.Group,
		emergency: phone.IsEmergency(t.Number, ep.opt.Region(t.InstanceID)),
	}
	usable, err := ep.usableFor(ctx, t, ask.emergency)
	if err != nil {
		return plan{}, err
	}
	var wait *candidate
	var first error
	for i := range usable {
		p, perr := ep.planOn(t, &usable[i], func() (func(), error) {
			release, why := ep.opt.Limits.tryPlace(usable[i].trunk, ask)
			if why != "" {
				return nil, errs.New(errs.Throttled, "%s", why)
			}
			return release, nil
		})
		switch {
		case perr == nil:
			return p, nil
		case errs.Is(perr, errs.Denied): // by no trunk
			return plan{}, perr
		case errs.Is(perr, errs.Throttled) && wait == nil:
			wait = &usable[i]
		case first == nil:
			first = perr
		}
	}
	if wait == nil {
		return plan{}, first
	}
	p, err := ep.planOn(t, wait, func() (func(), error) { return ep.opt.Limits.waitPlace(ctx, wait.trunk, ask) })
	if err != nil {
		wait.counted(func(n *trunkCounts) { n.calls++; n.refused[classLimit]++ })
	}
	return p, err
}

// planOn takes what a call needs on one trunk: leave to call there, and a place.
func (ep *Endpoint) planOn(t call.Target, c *candidate, take func() (func(), error)) (plan, error) {
	allowed, err := ep.permitOutbound(t, c.trunk)
	if err != nil {
		return plan{}, err
	}
	release, err := take()
	if err != nil {
		allowed()
		return plan{}, err
	}
	return c.plan(t, func() { release(); allowed() }), nil
}

// usableFor are the trunks that can carry a call now, in order; those whose every gateway is dead come last.
func (ep *Endpoint) usableFor(ctx context.Context, t call.Target, emergency bool) ([]candidate, error) {
	list, err := ep.trunksFor(t, emergency)
	if err != nil {
		return nil, err
	}
	var first error
	usable := list[:0]
	for _, c := range list {
		places, lerr := c.locate(ctx, rand.IntN)
		now := time.Now()
		until, rests := c.resting(places, now)
		switch {
		case len(places) == 0 && lerr == nil:
			lerr = errs.New(errs.Unavailable, "trunk %q: no gateway has an address that we can send to", c.trunk.Name)
		case len(places) == 0:
			lerr = errs.Wrap(lerr, errs.Unavailable, "trunk %q: no gateway is found", c.trunk.Name)
		case rests && !emergency:
			c.counted(func(n *trunkCounts) { n.calls++; n.refused[classCarrier]++ })
			lerr = errs.New(errs.Throttled, "trunk %q: the carrier takes no calls for %s more (503)",
				c.trunk.Name, until.Sub(now).Round(time.Second))
		default:
			c.mu.Lock()
			c.dead = c.health[places[0].place].rank(now) >= 2
			c.mu.Unlock()
			c.places = places
			usable = append(usable, c)
			continue
		}
		if first == nil {
			first = lerr
		}
	}
	slices.SortStableFunc(usable, func(a, b candidate) int { return boolInt(a.dead) - boolInt(b.dead) })
	if len(usable) == 0 {
		return nil, first
	}
	return usable, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// trunksFor are the trunks of an instance for a number: those with the longest matching prefix first, then by priority,
// and by weight among equals. An emergency call may use any, those that fit first.
func (ep *Endpoint) trunksFor(t call.Target, emergency bool) ([]candidate, error) {
	type match struct {
		trunk                   *Trunk
		score, priority, weight int
	}
	var found []match
	for _, k := range ep.opt.Trunks().Outgoing() {
		if k.InstanceID != t.InstanceID || t.TrunkID != "" && k.ID != t.TrunkID && !emergency {
			continue
		}
		score, r := k.matches(t.Number)
		if t.TrunkID == k.ID { // named: whatever its routes say
			score = max(score, 100)
		}
		if score < 0 && !emergency {
			continue
		}
		found = append(found, match{k, score, r.Priority, max(1, r.Weight)})
	}
	if len(found) == 0 && t.TrunkID != "" {
		return nil, errs.New(errs.NotFound, "trunk %s is not there, is disabled, or has no gateway", t.TrunkID)
	}
	if len(found) == 0 {
		return nil, errs.New(errs.NotFound, "no trunk carries the number %s", clip(t.Number, 40))
	}
	// Score and priority as one number for byWeight: a better score is a lower priority.
	found = byWeight(found, func(m match) (int, int) { return (200-m.score)<<17 + m.priority, m.weight }, rand.IntN)
	if allEqual := !slices.ContainsFunc(found, func(m match) bool { return m.score != 0 }); allEqual { // no routes: by name
		slices.SortStableFunc(found, func(a, b match) int {
			return cmp.Or(a.priority-b.priority, strings.Compare(a.trunk.Name, b.trunk.Name))
		})
	}
	out := make([]candidate, 0, len(found))
	for _, m := range found {
		if c := ep.carriers.of(m.trunk.ID); c != nil {
			out = append(out, candidate{carrier: c, trunk: m.trunk})
		}
	}
	if len(out) == 0 {
		return nil, errs.New(errs.Unavailable, "endpoint is closed")
	}
	return out, nil
}

// matches is how well a trunk's routes fit a number: 0 without routes, -1 not at all.
func (t *Trunk) matches(number string) (score int, best Route) {
	if len(t.Routes) == 0 {
		return 0, Route{}
	}
	country, known := "", false
	score = -1
	for _, r := range t.Routes {
		s := 0
		switch {
		case r.Prefix != "":
			if !strings.HasPrefix(number, r.Prefix) {
				continue
			}
			s = 2 + len(r.Prefix)
		case r.Country != "":
			if !known {
				country, known = phone.Country(number), true
			}
			if country != r.Country {
				continue
			}
			s = 2
		default:
			s = 1
		}
		if s > score || s == score && r.Priority < best.Priority {
			score, best = s, r
		}
	}
	return score, best
}

// plan writes the hops of a call on this trunk. give gives back what was taken.
func (c *candidate) plan(t call.Target, give func()) plan {
	call := c.begin()
	p := plan{release: call.over(give)}
	trunk := c.withRedirects()
	for _, l := range c.places[:min(len(c.places), maxHops)] {
		at := sipgo.Uri{Host: uriHostOf(l.gateway.Host), Port: l.gateway.Port}
		if l.network != "UDP" {
			at.UriParams = sipgo.HeaderParams{{K: "transport", V: strings.ToLower(l.network)}}
		}
		who := c.trunk.present(t, at, c.ourDomain(l.place))
		h := c.hopTo(l.place)
		h.target, h.routes, h.from, h.to, h.headers = who.target, c.trunk.proxyRoute(), who.from, who.to, who.headers
		h.login, h.trunk = c.login(), trunk
		h.rang = call.rang
		h.tell = func(o outcome) {
			c.observe(l.place, func(h health) health { return h.called(o, time.Now()) })
			call.told(o)
		}
		p.hops = append(p.hops, h)
	}
	return p
}

// ourDomain is the host of From: the carrier's own where we have an account that is registered, else ours.
func (c *candidate) ourDomain(p place) string {
	if c.trunk.Register.Enabled {
		return c.trunk.domain()
	}
	return c.ep.localHost(p)
}

// localHost is how a place sees us.
func (ep *Endpoint) localHost(p place) string {
	if ep.host != "" {
		return ep.host
	}
	if g := ep.packetFor(p.addr.Addr()); g != nil {
		return ep.face(g.local, p.addr).Host
	}
	return uriHost(towards(ep.ctx, p.addr, p.addr.Addr()))
}

// withRedirects is the trunk with its own places among the hosts to which it may send a call on, if it may at all.
func (c *candidate) withRedirects() *Trunk {
	if !c.trunk.FollowRedirects {
		return c.trunk
	}
	t := *c.trunk
	t.RedirectHosts = slices.Clone(t.RedirectHosts)
	for _, l := range c.places {
		for _, h := range []string{l.gateway.Host, l.addr.Addr().String()} {
			if !slices.Contains(t.RedirectHosts, h) {
				t.RedirectHosts = append(t.RedirectHosts, h)
			}
		}
	}
	return &t
}

// Profile is what our offer to a target should look like.
func (ep *Endpoint) Profile(t call.Target) call.Profile {
	if t.UserID != "" {
		return ep.deviceProfile(t)
	}
	if t.Number == "" {
		return call.Profile{}
	}
	list, err := ep.trunksFor(t, phone.IsEmergency(t.Number, ep.opt.Region(t.InstanceID)))
	if err != nil {
		return call.Profile{}
	}
	return list[0].trunk.profile()
}
