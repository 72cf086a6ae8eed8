package sip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// The times of a registration (R16).
const (
	askedExpires  = 3600 * time.Second
	retryFirst    = 4 * time.Second // after a failure; doubled each time
	retryLast     = 2 * time.Minute // so this is how long after the carrier's return we are back at the latest
	refusedFirst  = 10 * time.Minute
	refusedLast   = time.Hour
	shortestGrant = 5 * time.Second
	registerWait  = 10 * time.Second // for one place
	moveCheck     = 15 * time.Second // whether the carrier or we have another address
)

// EnrolState is where the registration with a carrier stands.
type EnrolState string

// States of a registration with a carrier.
const (
	EnrolNone        EnrolState = ""             // the trunk does not register
	EnrolTrying      EnrolState = "trying"       // the first attempt is under way
	EnrolRegistered  EnrolState = "registered"   // the carrier has our Contact
	EnrolFailing     EnrolState = "failing"      // no answer, or an error that may pass; tried again soon
	EnrolRefused     EnrolState = "refused"      // password or account are wrong; tried again much later
	EnrolUnreachable EnrolState = "unresolvable" // the carrier's name is not found
)

// enrolment is our registration with a carrier. Only the goroutine that registers changes it, under carrier.mu.
type enrolment struct {
	state    EnrolState
	code     int    // of the last answer; 0: there was none
	why      string // of the last failure
	next     time.Time
	until    time.Time // the binding is good until then
	since    time.Time
	place    place // where
	contact  sipgo.Uri
	asked    time.Duration
	failures int
	refusals int
	callID   string
	tag      string
	seq      uint32
	stale    []sipgo.Uri // bindings of ours at addresses that we no longer have
	key      *login
}

// attempt is how one REGISTER ended.
type attempt struct {
	res     *sipgo.Response
	err     error
	face    sipgo.Uri
	refused bool // the password or the account is wrong: no other place will do better
}

// enrol keeps the trunk registered until it is gone.
func (c *carrier) enrol() {
	ctx, cancel := context.WithCancel(c.ep.ctx)
	defer cancel()
	for {
		changed := c.changes()
		var wait time.Duration
		if t := c.config(); t.Register.Enabled {
			wait = c.registerNow(ctx)
			c.mu.Lock()
			c.enrolled.next = time.Now().Add(wait)
			c.mu.Unlock()
		} else {
			c.unregister(ctx)
		}
		if !c.pause(ctx, changed, wait) {
			break
		}
	}
	if c.ep.ctx.Err() == nil {
		c.unregister(ctx)
	}
}

// pause waits for the next attempt; wait 0 is until something changes. False: the trunk is gone.
func (c *carrier) pause(ctx context.Context, changed <-chan struct{}, wait time.Duration) bool {
	var due <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		due = t.C
	}
	check := time.NewTicker(moveCheck)
	defer check.Stop()
	for {
		select {
		case <-c.stop:
			return false
		case <-ctx.Done():
			return false
		case <-changed:
			return true
		case <-due:
			return true
		case <-check.C:
			if wait > 0 && c.moved(ctx) {
				return true
			}
		}
	}
}

// registerNow tries the carrier's places in turn and says when to try again.
func (c *carrier) registerNow(ctx context.Context) time.Duration {
	c.mu.Lock()
	e := &c.enrolled
	if e.state == EnrolNone {
		e.state, e.asked = EnrolTrying, 0
	}
	if want := c.trunk.wantExpires(); e.asked < want {
		e.asked = want
	}
	broken, at := c.broken, e.place
	c.mu.Unlock()
	if broken != nil {
		return c.enrolFailed(EnrolRefused, 0, "password cannot be read: "+broken.Error(), 0)
	}
	list, err := c.locate(ctx, rand.IntN)
	if len(list) == 0 {
		why := "no address of a family that we have a socket for"
		if err != nil {
			why = err.Error()
		}
		return c.enrolFailed(EnrolUnreachable, 0, why, 0)
	}
	// It stays where it is registered as long as that place is well: calls come from there.
	slices.SortStableFunc(list, func(a, b located) int { return c.preference(a.place, at) - c.preference(b.place, at) })
	var last attempt
	for _, l := range list[:min(len(list), placesAtATry)] {
		if ctx.Err() != nil {
			break
		}
		last = c.registerAt(ctx, l)
		c.observe(l.place, func(h health) health { return h.called(outcomeOf(last.res, last.err), time.Now()) })
		switch {
		case last.res != nil && last.res.IsSuccess():
			return c.enrolledAt(l.place, last)
		case last.refused:
			return c.enrolFailed(EnrolRefused, last.code(), last.why(), 0)
		}
	}
	wait := time.Duration(0)
	if last.res != nil {
		wait = min(retryWait(last.res), retryMost)
	}
	return c.enrolFailed(EnrolFailing, last.code(), last.why(), wait)
}

func (c *carrier) preference(p, at place) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	rank := 2 * c.health[p].rank(time.Now())
	if p != at {
		rank++
	}
	return rank
}

func (t *Trunk) wantExpires() time.Duration {
	if t.Register.Expires > 0 {
		return time.Duration(t.Register.Expires) * time.Second
	}
	return askedExpires
}

func (a attempt) code() int {
	if a.res == nil {
		return 0
	}
	return a.res.StatusCode
}

func (a attempt) why() string {
	switch {
	case a.err != nil:
		return clip(a.err.Error(), 200)
	case a.res != nil:
		return strconv.Itoa(a.res.StatusCode) + " " + plainText(a.res.Reason, 60)
	default:
		return "no answer"
	}
}

// registerAt sends REGISTER to one place until it is accepted or refused: challenges are answered, and too short a time is
// asked for again as long as they want it. RFC 3261 §10.2.
func (c *carrier) registerAt(ctx context.Context, l located) attempt {
	ctx, cancel := context.WithTimeout(ctx, registerWait)
	defer cancel()
	challenged, brief := false, false
	var creds []sipgo.Header
	if h := c.key().ahead(c.registerURI(l)); h != nil {
		creds = append(creds, h)
	}
	for range 6 {
		a, req := c.sendRegister(ctx, l, creds, c.expires())
		if a.res == nil {
			return a
		}
		switch code := a.res.StatusCode; {
		case a.res.IsSuccess():
			c.key().next(a.res)
			return a
		case code == 401 || code == 407:
			if challenged && !staleIn(a.res) {
				a.refused = true
				return a
			}
			challenged = true
			h, err := c.answer(req, a.res, l)
			if err != nil {
				a.refused, a.err = true, err
				return a
			}
			creds = []sipgo.Header{h}
		case code == 423 && !brief: // RFC 3261 §10.3: at least as long as they say
			brief = true
			if !c.longer(a.res) {
				return a
			}
			creds = nil
			if h := c.key().ahead(c.registerURI(l)); h != nil {
				creds = append(creds, h)
			}
		case code == 403 || code == 404 || code == 405 || code == 410 || code == 606 || code == 604:
			a.refused = true
			return a
		default:
			return a
		}
	}
	return attempt{err: fmt.Errorf("the carrier asks again and again")}
}

func (c *carrier) expires() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.enrolled.asked
}

// key is the registration's hand of the credentials: it lives as long as they do, so that nonces are counted on.
func (c *carrier) key() *login {
	fresh := c.login()
	if fresh == nil {
		fresh = &login{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.enrolled.key
	if k == nil || k.username != fresh.username || k.password != fresh.password || k.realm != fresh.realm {
		c.enrolled.key = fresh
	}
	return c.enrolled.key
}

// answer answers a challenge, of the carrier only: threat 7.
func (c *carrier) answer(req *sipgo.Request, res *sipgo.Response, l located) (sipgo.Header, error) {
	k := c.key()
	switch {
	case k.username == "":
		return nil, fmt.Errorf("the carrier asks for a password (%d) and the trunk has no Login", res.StatusCode)
	case !sourceIs(res, l.addr.Addr()):
		return nil, fmt.Errorf("somebody else than the carrier asks for the password")
	}
	return k.answer(req, res)
}

// staleIn reports a challenge whose only complaint is the age of the nonce. RFC 7616 §3.3.
func staleIn(res *sipgo.Response) bool {
	for _, name := range []string{"WWW-Authenticate", "Proxy-Authenticate"} {
		for _, h := range res.GetHeaders(name) {
			if ch, err := parseChallenge(h.Value()); err == nil && ch.stale {
				return true
			}
		}
	}
	return false
}

// longer takes Min-Expires. RFC 3261 §20.23.
func (c *carrier) longer(res *sipgo.Response) bool {
	h := res.GetHeader("Min-Expires")
	if h == nil {
		return false
	}
	d, ok := secondsIn(h.Value())
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok || d <= c.enrolled.asked || d > maxExpires*time.Second {
		return false
	}
	c.enrolled.asked = d
	return true
}

// registerURI is a request that is only good for its method and Request-URI.
func (c *carrier) registerURI(l located) *sipgo.Request {
	return sipgo.NewRequest(sipgo.REGISTER, registrarURI(c.config(), l))
}

// registrarURI is the domain that is registered with. RFC 3261 §10.2.
func registrarURI(t *Trunk, l located) sipgo.Uri {
	u := sipgo.Uri{Scheme: "sip", Host: t.domain()}
	if t.Register.Domain == "" {
		u.Host, u.Port = uriHostOf(l.gateway.Host), l.gateway.Port
	}
	return u
}

// domain is the carrier's: of the address of record.
func (t *Trunk) domain() string {
	if t.Register.Domain != "" {
		return uriHostOf(t.Register.Domain)
	}
	return uriHostOf(t.Gateways[0].Host)
}

// uriHostOf writes a configured host as a URI has it.
func uriHostOf(host string) string {
	if a, ok := hostAddr(host); ok {
		return uriHost(a)
	}
	return host
}

// sendRegister sends one REGISTER. expires 0 takes the binding back.
func (c *carrier) sendRegister(ctx context.Context, l located, creds []sipgo.Header, expires time.Duration) (attempt, *sipgo.Request) {
	t := c.config()
	user := t.Register.User
	if user == "" {
		user = t.Login.Username
	}
	aor := sipgo.Uri{Scheme: "sip", User: escapeUser(user), Host: t.domain()}
	c.mu.Lock()
	c.enrolled.seq++
	o := outside{
		method: sipgo.REGISTER, target: registrarURI(t, l), from: aor, to: aor, callID: c.enrolled.callID, tag: c.enrolled.tag,
		seq: c.enrolled.seq, contact: c.token, routes: t.proxyRoute(),
		headers: append([]sipgo.Header{header("Expires", strconv.Itoa(int(expires/time.Second)))}, creds...),
	}
	for _, u := range c.enrolled.stale {
		o.headers = append(o.headers, header("Contact", "<"+u.String()+">;expires=0"))
	}
	c.mu.Unlock()
	var a attempt
	a.res, a.face, a.err = c.ep.exchange(ctx, c.hopTo(l.place), o)
	return a, c.registerURI(l)
}

// proxyRoute is the Route of an outbound proxy.
func (t *Trunk) proxyRoute() []sipgo.Uri {
	p := t.OutboundProxy
	if p == nil {
		return nil
	}
	u := sipgo.Uri{Scheme: "sip", Host: uriHostOf(p.Host), Port: p.Port, UriParams: sipgo.HeaderParams{{K: "lr"}}}
	return []sipgo.Uri{u}
}

// enrolledAt notes a success and says when to refresh.
func (c *carrier) enrolledAt(p place, a attempt) time.Duration {
	now := time.Now()
	c.mu.Lock()
	e := &c.enrolled
	fresh := e.state != EnrolRegistered
	ours := sipgo.Uri{Scheme: "sip", User: c.token, Host: a.face.Host, Port: a.face.Port}
	granted, old := grantOf(a.res, ours, e.asked)
	again := len(old) > 0 && len(e.stale) == 0 // once: some registrars keep what they like
	e.state, e.code, e.why, e.failures, e.refusals = EnrolRegistered, a.res.StatusCode, "", 0, 0
	e.place, e.contact, e.stale, e.until = p, ours, old, now.Add(granted)
	if fresh {
		e.since = now
	}
	name := c.trunk.Name
	c.mu.Unlock()
	if fresh {
		c.ep.log.Info("trunk registered", "trunk", name, "gateway", p.String(), "granted", granted.String())
	}
	if again {
		return time.Second
	}
	return refreshAfter(granted, rand.Float64())
}

// grantOf is how long the binding holds: by the expires of our Contact, which the registrar may have written anew for a
// NAT, else by Expires, else as asked. old are bindings of ours at other addresses. RFC 3261 §10.2.4.
func grantOf(res *sipgo.Response, ours sipgo.Uri, asked time.Duration) (granted time.Duration, old []sipgo.Uri) {
	granted = asked
	if h := res.GetHeader("Expires"); h != nil {
		if d, ok := secondsIn(h.Value()); ok && d > 0 {
			granted = d
		}
	}
	var mine []*sipgo.ContactHeader
	all := res.GetHeaders("Contact")
	for _, h := range all {
		if ch, ok := h.(*sipgo.ContactHeader); ok && ch.Address.User == ours.User && len(mine) < 16 {
			mine = append(mine, ch)
		}
	}
	if len(mine) == 0 && len(all) == 1 {
		if ch, ok := all[0].(*sipgo.ContactHeader); ok {
			mine = append(mine, ch)
		}
	}
	best := 0
	for i, ch := range mine {
		if ch.Address.Host == ours.Host && ch.Address.Port == ours.Port {
			best = i
		}
	}
	for i, ch := range mine {
		if i == best {
			if v, ok := ch.Params.Get("expires"); ok {
				if d, good := secondsIn(v); good && d > 0 {
					granted = d
				}
			}
		} else if mine[best].Address.Host == ours.Host && mine[best].Address.Port == ours.Port {
			old = append(old, *ch.Address.Clone())
		}
	}
	return max(granted, shortestGrant), old
}

// refreshAfter is when a binding is renewed: at 75 to 85 % of its life, so that there is time for more than one attempt.
func refreshAfter(granted time.Duration, random float64) time.Duration {
	return time.Duration(float64(granted) * (0.75 + 0.1*random))
}

// enrolFailed notes a failure and says when to try again. A binding that we have stays ours until it ends.
func (c *carrier) enrolFailed(state EnrolState, code int, why string, least time.Duration) time.Duration {
	now := time.Now()
	c.mu.Lock()
	e := &c.enrolled
	before := e.state
	e.code, e.why = code, why
	var wait time.Duration
	if state == EnrolRefused {
		wait = backOff(refusedFirst, refusedLast, e.refusals, rand.Float64())
		e.refusals++
	} else {
		wait = backOff(retryFirst, retryLast, e.failures, rand.Float64())
		e.failures++
	}
	e.state = state
	if e.until.After(now) && state != EnrolRefused {
		e.state = EnrolRegistered
	}
	name := c.trunk.Name
	c.mu.Unlock()
	wait = max(wait, least)
	if before != state {
		c.ep.log.Warn("trunk not registered", "trunk", name, "status", code, "reason", why, "next", wait.String())
	}
	return wait
}

// backOff doubles the pause with each failure, and takes a random part of it between one and two halves, so that those
// who have failed together do not come back together. RFC 5626 §4.5.
func backOff(first, last time.Duration, failures int, random float64) time.Duration {
	d := min(first<<min(failures, 20), last)
	return time.Duration(float64(d) * (0.5 + 0.5*random))
}

// moved reports that the carrier has left the address where we are registered, or that we have another one.
func (c *carrier) moved(ctx context.Context) bool {
	c.mu.Lock()
	e := c.enrolled
	c.mu.Unlock()
	if e.state != EnrolRegistered {
		return false
	}
	list, err := c.locate(ctx, rand.IntN)
	if err == nil && len(list) > 0 && !slices.ContainsFunc(list, func(l located) bool { return l.place == e.place }) {
		c.ep.log.Info("carrier has moved", "trunk", c.config().Name, "from", e.place.String(), "to", list[0].String())
		return true
	}
	_, face, err := c.ep.reach(ctx, c.hopTo(e.place))
	if err == nil && (face.Host != e.contact.Host || face.Port != e.contact.Port) {
		c.mu.Lock()
		c.enrolled.stale = append(c.enrolled.stale[:min(len(c.enrolled.stale), 3)], e.contact)
		c.mu.Unlock()
		c.ep.log.Info("our address has changed", "trunk", c.config().Name, "from", e.contact.Host, "to", face.Host)
		return true
	}
	return false
}

func (c *carrier) hopTo(p place) hop {
	return hop{network: p.network, addr: p.addr, server: p.server, insecure: c.config().TLSInsecure}
}

// unregister takes the binding back, if there is one. RFC 3261 §10.2.2.
func (c *carrier) unregister(ctx context.Context) {
	c.mu.Lock()
	e := c.enrolled
	c.enrolled = enrolment{callID: e.callID, tag: e.tag, seq: e.seq, key: e.key}
	t := c.trunk
	c.mu.Unlock()
	if !e.until.After(time.Now()) || len(t.Gateways) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveGrace)
	defer cancel()
	l := located{e.place, t.Gateways[0]}
	var creds []sipgo.Header
	if h := c.key().ahead(c.registerURI(l)); h != nil {
		creds = append(creds, h)
	}
	for range 3 {
		a, req := c.sendRegister(ctx, l, creds, 0)
		if a.res == nil || a.res.StatusCode != 401 && a.res.StatusCode != 407 {
			break
		}
		h, err := c.answer(req, a.res, l)
		if err != nil {
			break
		}
		creds = []sipgo.Header{h}
	}
	c.ep.log.Info("trunk unregistered", "trunk", t.Name)
}
