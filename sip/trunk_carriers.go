package sip

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// Bounds of what is remembered of one carrier.
const (
	maxPlaces    = 64
	knownFor     = time.Hour // an address stays the carrier's that long after the DNS has dropped it
	leaveGrace   = 5 * time.Second
	placesAtATry = 4
)

// carriers is the outgoing side of all trunks of this node: one carrier for each enabled trunk with gateways.
type carriers struct {
	ep    *Endpoint
	names *lookups
	key   []byte // of the tokens

	mu     sync.Mutex
	table  *TrunkTable
	all    map[string]*carrier // by trunk id
	tokens map[string]*carrier // by user part of the registered Contact
	closed bool
	leave  sync.WaitGroup
}

func newCarriers(ep *Endpoint) *carriers {
	key := ep.opt.Secret
	if len(key) == 0 {
		key = ep.secret
	}
	return &carriers{
		ep: ep, names: newLookups(ep.ctx, ep.opt.Resolver, ep.spawn), key: key, all: make(map[string]*carrier), tokens: make(map[string]*carrier),
	}
}

// sync brings the carriers in line with the configuration: new ones begin to register and to be probed, those that are
// gone unregister. It is cheap when nothing has changed.
func (x *carriers) sync(table *TrunkTable) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if table == nil || table == x.table || x.closed {
		return
	}
	x.table = table
	stays := make(map[string]bool)
	for _, t := range table.Outgoing() {
		stays[t.ID] = true
		c := x.all[t.ID]
		if c == nil {
			c = &carrier{
				ep: x.ep, names: x.names, token: x.makeToken(t.ID), health: make(map[place]health),
				known: make(map[netip.Addr]time.Time), stop: make(chan struct{}),
			}
			c.enrolled.callID, c.enrolled.tag = newTag(), newTag()
			x.all[t.ID], x.tokens[c.token] = c, c
		} else if sameTrunk(c.config(), t) {
			continue
		}
		c.configure(t)
	}
	for id, c := range x.all {
		if !stays[id] {
			delete(x.all, id)
			delete(x.tokens, c.token)
			if t, ok := table.ByID(id); ok && len(t.Gateways) > 0 { // disabled, maybe with a new password to leave with
				c.adopt(t)
			}
			close(c.stop)
			x.ep.opt.Limits.forget(id)
		}
	}
}

// sameTrunk reports trunks with the same configuration.
func sameTrunk(a, b *Trunk) bool {
	x, y := *a, *b
	x.Version, y.Version, x.ModifiedAt, y.ModifiedAt, x.Tags, y.Tags = 0, 0, time.Time{}, time.Time{}, nil, nil
	return reflect.DeepEqual(x, y)
}

// makeToken is the user part of a registered Contact: nobody can guess it, and it is the same after a restart, so that
// calls to a binding from before are known.
func (x *carriers) makeToken(trunkID string) string {
	m := hmac.New(sha256.New, x.key)
	_, _ = m.Write([]byte("trunk contact\x00" + trunkID)) // a hash takes everything
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(m.Sum(nil)[:16]))
}

// of is the carrier of a trunk; nil if it has no outgoing side.
func (x *carriers) of(trunkID string) *carrier {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.all[trunkID]
}

// token is the user part of a trunk's registered Contact; empty if it does not register.
func (x *carriers) token(trunkID string) string {
	if c := x.of(trunkID); c != nil && c.config().Register.Enabled {
		return c.token
	}
	return ""
}

// matchRegistered finds the trunk whose registered Contact is called from an address of its carrier.
func (x *carriers) matchRegistered(table *TrunkTable, req *sipgo.Request, source netip.AddrPort, why string) (*Trunk, string) {
	x.mu.Lock()
	c := x.tokens[userPart(&req.Recipient)]
	x.mu.Unlock()
	if c == nil {
		return nil, why
	}
	t, ok := table.ByID(c.config().ID)
	switch {
	case !ok || t.Disabled || !t.Register.Enabled:
		return nil, why
	case !c.isKnown(source.Addr()):
		return nil, "the registered Contact of trunk " + t.Name + " was called from an address that is not its carrier's"
	default:
		return t, ""
	}
}

// isKnown reports an address of any carrier that we have found by DNS.
func (x *carriers) isKnown(a netip.Addr) bool {
	x.mu.Lock()
	list := slices.Collect(maps.Values(x.all))
	x.mu.Unlock()
	return slices.ContainsFunc(list, func(c *carrier) bool { return c.config().Register.Enabled && c.isKnown(a) })
}

// close unregisters everywhere and waits for the answers, for a moment.
func (x *carriers) close(grace time.Duration) {
	x.mu.Lock()
	if !x.closed {
		x.closed = true
		for _, c := range x.all {
			close(c.stop)
		}
	}
	x.mu.Unlock()
	gone := make(chan struct{})
	go func() { x.leave.Wait(); close(gone) }()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-gone:
	case <-t.C:
	}
}

// SyncTrunks puts a changed configuration of the trunks into force.
func (ep *Endpoint) SyncTrunks() { ep.carriers.sync(ep.opt.Trunks()) }

// KnownCarrier reports an address of a carrier that we register with, as the DNS gave it.
func (ep *Endpoint) KnownCarrier(a netip.Addr) bool { return ep.carriers.isKnown(a.Unmap()) }

// carrier is the outgoing side of one trunk: which of its places are well, and whether we are registered. Two goroutines
// work for it, one that registers and one that probes; everything they share is behind mu.
type carrier struct {
	ep    *Endpoint
	names *lookups
	token string
	pin   realmPin
	stop  chan struct{} // closed when the trunk is gone

	mu       sync.Mutex
	trunk    *Trunk
	password string
	broken   error         // the password cannot be read
	changed  chan struct{} // closed when the configuration changes
	running  bool
	health   map[place]health
	places   []place // as located last
	known    map[netip.Addr]time.Time
	enrolled enrolment
	counts   trunkCounts
}

func (c *carrier) config() *Trunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trunk
}

// configure sets the configuration and starts the work, or tells it of the change.
func (c *carrier) configure(t *Trunk) {
	c.adopt(t)
	if t.TLSInsecure {
		c.ep.log.Warn("certificates of a trunk are not checked", "trunk", t.Name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed != nil {
		close(c.changed)
	}
	c.changed = make(chan struct{})
	if !c.running {
		c.running = true
		x := c.ep.carriers
		x.leave.Add(1)
		if !c.ep.spawn(func() { defer x.leave.Done(); c.enrol() }) {
			x.leave.Done()
		}
		c.ep.spawn(c.probe)
	}
}

// adopt takes a configuration, with its password, and tells nobody.
func (c *carrier) adopt(t *Trunk) {
	password, err := "", error(nil)
	if t.Login.Username != "" {
		if c.ep.opt.OpenSecret == nil {
			err = errors.New("there is no key to read the password with")
		} else if password, err = c.ep.opt.OpenSecret(t); err != nil {
			c.ep.log.Error("password of a trunk cannot be read", "trunk", t.Name, "error", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trunk != nil && c.trunk.Login.Realm != t.Login.Realm {
		c.pin = realmPin{}
	}
	c.trunk, c.password, c.broken = t, password, err
}

// login is a fresh hand of the trunk's credentials; nil if there are none.
func (c *carrier) login() *login {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trunk.Login.Username == "" || c.broken != nil {
		return nil
	}
	return &login{username: c.trunk.Login.Username, password: c.password, realm: c.trunk.Login.Realm, pin: &c.pin}
}

func (c *carrier) changes() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// located is a place, and the gateway that it belongs to.
type located struct {
	place
	gateway Gateway
}

// locate finds the trunk's places: all of a gateway before the next one, gateways by priority and weight, or those of the
// outbound proxy for each gateway. Then the well ones come first. The error is that of the first gateway, if none is found.
func (c *carrier) locate(ctx context.Context, intn func(int) int) ([]located, error) {
	t := c.config()
	var list []located
	var firstErr error
	for _, g := range byWeight(t.Gateways, func(g Gateway) (int, int) { return g.Priority, max(1, g.Weight) }, intn) {
		by := g
		if t.OutboundProxy != nil {
			by = *t.OutboundProxy
		}
		ps, err := c.names.locate(ctx, by)
		if err != nil {
			if firstErr == nil {
				firstErr = err
			}
			continue
		}
		for _, p := range ps {
			if p.network == "UDP" && c.ep.packetFor(p.addr.Addr()) == nil { // an address family that we do not speak
				continue
			}
			c.ep.trust.expect(p.addr.Addr(), time.Now()) // its answers are not those of a stranger
			list = append(list, located{p, g})
		}
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(list) > maxPlaces {
		list = list[:maxPlaces]
	}
	if len(list) > 0 {
		c.learn(list, now)
	}
	slices.SortStableFunc(list, func(a, b located) int { return c.health[a.place].rank(now) - c.health[b.place].rank(now) })
	return list, firstErr
}

// learn remembers the carrier's addresses and forgets old ones. c.mu is held.
func (c *carrier) learn(list []located, now time.Time) {
	c.places = c.places[:0]
	there := make(map[place]bool, len(list))
	for _, l := range list {
		if !there[l.place] {
			c.places = append(c.places, l.place)
		}
		there[l.place] = true
		c.known[l.addr.Addr()] = now
	}
	maps.DeleteFunc(c.health, func(p place, _ health) bool { return !there[p] })
	maps.DeleteFunc(c.known, func(_ netip.Addr, at time.Time) bool { return now.Sub(at) > knownFor })
}

func (c *carrier) isKnown(a netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.known[a.Unmap()]
	return ok && time.Since(at) <= knownFor
}

// observe notes how a place did.
func (c *carrier) observe(p place, change func(health) health) {
	c.mu.Lock()
	before := c.health[p]
	after := change(before)
	if len(c.health) < maxPlaces || before != (health{}) {
		c.health[p] = after
	}
	name := c.trunk.Name
	c.mu.Unlock()
	if before.down != after.down {
		if after.down {
			c.ep.log.Warn("gateway is down", "trunk", name, "gateway", p.String(), "reason", after.why)
		} else {
			c.ep.log.Info("gateway is up", "trunk", name, "gateway", p.String())
		}
	}
}

// resting reports that every place has asked to be left alone, and until when the first of them does.
func (c *carrier) resting(list []located, now time.Time) (until time.Time, yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range list {
		h := c.health[l.place]
		if !h.rest.After(now) {
			return time.Time{}, false
		}
		if until.IsZero() || h.rest.Before(until) {
			until = h.rest
		}
	}
	return until, len(list) > 0
}
