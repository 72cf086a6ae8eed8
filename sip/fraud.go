package sip

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/phone"
)

// What leaves on a trunk costs money, and a stolen password is worth exactly what may leave with it (threat 12, R21).
// Every outgoing call asks permitOutbound: is the number one that may be called at all, and is there room under the caps
// of the user on whose behalf it is, of the trunk, of the country and of the instance. Running calls count as they run,
// so a cap on minutes or money is met in the middle of a call: then the calls that count against it are cut off.
//
// Totals are kept for each day (UTC) and written every few seconds; a crash forgets those seconds.

// spender is whom a call counts against.
type spender struct{ instance, kind, id string }

// The kinds of spenders.
const (
	spendUser     = "user"
	spendTrunk    = "trunk"
	spendCountry  = "country"
	spendInstance = "instance"
)

// spending is what a spender has used.
type spending struct {
	caps    OutboundCaps
	live    map[*permit]struct{}
	begun   []time.Time // calls of the last minute
	day     int64       // days since 1970, UTC
	seconds float64     // of this day
	money   float64
	denied  int
	dirty   bool
	warned  time.Time
}

// permit is one call that may go on.
type permit struct {
	target  call.Target
	against []spender
	price   float64 // a minute
	settled time.Time
	free    bool // emergency: counted, never limited
	cut     bool
}

// ledger is all of it. Its methods may be called at the same time.
type ledger struct {
	mu       sync.Mutex
	spenders map[spender]*spending
	denied   map[string]uint64 // by rule, for the metric
	cuts     uint64
}

// maxSpenders bounds the table; those that are idle go first.
const maxSpenders = 1 << 17

func newLedger() *ledger {
	return &ledger{spenders: make(map[spender]*spending), denied: make(map[string]uint64)}
}

// permitOutbound asks whether a call may leave on a trunk, and takes its place under all caps. release gives the place
// back; it may be called more than once. errs.Denied: such numbers are not called; errs.Limit: a cap is reached. The
// error names the rule and what would allow the call.
func (ep *Endpoint) permitOutbound(t call.Target, trunk *Trunk) (release func(), err error) {
	policy := ep.opt.OutboundPolicy(t.InstanceID)
	region := ep.opt.Region(t.InstanceID)
	if policy == nil {
		policy = &OutboundPolicy{}
	}
	rule, why := "", ""
	class := phone.Classify(t.Number, region)
	free := class.Type == phone.Emergency || t.Priority == call.PriorityEmergency && len(t.Number) <= 6
	if !free {
		rule, why = forbidden(policy, t, class, region)
	}
	if why != "" {
		ep.deny(t, rule, why)
		return nil, errs.New(errs.Denied, "%s", why)
	}
	p := &permit{target: t, price: policy.rate(t.Number), settled: time.Now(), free: free}
	caps := map[spender]OutboundCaps{
		{t.InstanceID, spendInstance, t.InstanceID}: policy.Instance,
	}
	if t.OnBehalfOf != "" {
		caps[spender{t.InstanceID, spendUser, t.OnBehalfOf}] = policy.User.or(OutboundCaps{Concurrent: 5, CallsPerMinute: 20, MinutesPerDay: 1440})
	}
	if trunk != nil {
		caps[spender{t.InstanceID, spendTrunk, trunk.ID}] = policy.Trunk
	}
	if class.Country != region || class.Country == "" {
		caps[spender{t.InstanceID, spendCountry, cmp.Or(class.Country, "none")}] = policy.Country.or(OutboundCaps{Concurrent: 20, CallsPerMinute: 60, MinutesPerDay: 1440})
	}
	if rule, why = ep.fraud.begin(p, caps); why != "" {
		ep.deny(t, rule, why)
		return nil, errs.New(errs.Limit, "%s", why)
	}
	return sync.OnceFunc(func() { ep.fraud.end(p) }), nil
}

// forbidden is the part of the rules that needs no counting.
func forbidden(policy *OutboundPolicy, t call.Target, class phone.Class, region string) (rule, why string) {
	if most := cmp.Or(policy.MaxDiversions, 5); len(t.Diverted) > most {
		return "diversions", fmt.Sprintf("the call was diverted %d times already, which is more than %d", len(t.Diverted), most)
	}
	return "destination", policy.may(t.Number, class, region)
}

// deny counts, and rings the alarm the first time and then once a minute for the same spender.
func (ep *Endpoint) deny(t call.Target, rule, why string) {
	if !ep.fraud.deny(spender{t.InstanceID, spendUser, cmp.Or(t.OnBehalfOf, "-")}, rule, time.Now()) {
		return
	}
	ep.alarm(Alarm{
		Kind: "fraud", InstanceID: t.InstanceID, UserID: t.OnBehalfOf, ContactID: t.ContactID,
		Detail: "outgoing call to " + masked(t.Number) + " not permitted: " + why,
	})
}

// masked leaves of a number what tells the destination, not the person.
func masked(number string) string {
	if len(number) <= 7 {
		return number
	}
	return number[:len(number)-4] + "****"
}

func (l *ledger) deny(s spender, rule string, now time.Time) (alarm bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.denied[rule]++
	sp := l.of(s, now)
	sp.denied++
	if alarm = now.Sub(sp.warned) >= time.Minute; alarm {
		sp.warned = now
	}
	return alarm
}

// of finds or makes the account of a spender, of today.
func (l *ledger) of(s spender, now time.Time) *spending {
	sp := l.spenders[s]
	if sp == nil {
		if len(l.spenders) >= maxSpenders {
			for k, o := range l.spenders {
				if len(o.live) == 0 && o.seconds == 0 {
					delete(l.spenders, k)
				}
			}
		}
		sp = &spending{live: make(map[*permit]struct{}), day: dayOf(now)}
		l.spenders[s] = sp
	}
	if d := dayOf(now); d != sp.day {
		sp.day, sp.seconds, sp.money, sp.denied, sp.dirty = d, 0, 0, 0, true
	}
	return sp
}

func dayOf(t time.Time) int64 { return t.Unix() / 86400 }

// settle adds what a live call has used since the last time.
func (l *ledger) settle(p *permit, now time.Time) {
	d := now.Sub(p.settled).Seconds()
	if d <= 0 {
		return
	}
	p.settled = now
	for _, s := range p.against {
		sp := l.of(s, now)
		sp.seconds += d
		sp.money += d / 60 * p.price
		sp.dirty = true
	}
}

// begin takes the places of a call, all or none. why names the first cap that is reached.
func (l *ledger) begin(p *permit, caps map[spender]OutboundCaps) (rule, why string) {
	now := p.settled
	l.mu.Lock()
	defer l.mu.Unlock()
	order := []string{spendUser, spendTrunk, spendCountry, spendInstance}
	for s := range caps {
		p.against = append(p.against, s)
	}
	slices.SortFunc(p.against, func(a, b spender) int {
		return cmp.Compare(slices.Index(order, a.kind), slices.Index(order, b.kind))
	})
	for _, s := range p.against {
		sp := l.of(s, now)
		sp.caps = caps[s]
		if sp.caps.MinutesPerDay > 0 || sp.caps.SpendPerDay > 0 { // else nobody asks, and cut does it every few seconds
			for o := range sp.live {
				l.settle(o, now)
			}
		}
		sp.begun = slices.DeleteFunc(sp.begun, func(at time.Time) bool { return now.Sub(at) >= time.Minute })
		if p.free {
			continue
		}
		if rule, why = sp.reached(s, true); why != "" {
			return rule, why
		}
	}
	for _, s := range p.against {
		sp := l.of(s, now)
		sp.live[p] = struct{}{}
		if sp.caps.CallsPerMinute > 0 {
			sp.begun = append(sp.begun, now)
		}
	}
	return "", ""
}

// reached names the cap that a spender has reached, for a new call or (only what grows while they last) for live ones.
func (sp *spending) reached(s spender, fresh bool) (rule, why string) {
	c := sp.caps
	name := s.kind + " " + s.id
	if fresh {
		if c.Concurrent > 0 && len(sp.live) >= c.Concurrent {
			return "concurrent", fmt.Sprintf("%s has %d calls at once, which is the limit of the outbound policy", name, c.Concurrent)
		}
		if c.CallsPerMinute > 0 && len(sp.begun) >= c.CallsPerMinute {
			return "calls-per-minute", fmt.Sprintf("%s has begun %d calls within a minute, which is the limit of the outbound policy", name, c.CallsPerMinute)
		}
	}
	if c.MinutesPerDay > 0 && sp.seconds >= float64(c.MinutesPerDay)*60 {
		return "minutes", fmt.Sprintf("%s has used the %d minutes of this day (UTC) of the outbound policy", name, c.MinutesPerDay)
	}
	if c.SpendPerDay > 0 && sp.money >= c.SpendPerDay {
		return "spend", fmt.Sprintf("%s has spent the %.2f of this day (UTC) of the outbound policy", name, c.SpendPerDay)
	}
	return "", ""
}

func (l *ledger) end(p *permit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(p, time.Now())
	for _, s := range p.against {
		if sp := l.spenders[s]; sp != nil {
			delete(sp.live, p)
		}
	}
}

// cut settles all live calls and tells which of them are over a cap; each is told once.
func (l *ledger) cut(now time.Time, tell func(Alarm)) {
	var list []Alarm
	l.mu.Lock()
	for _, sp := range l.spenders {
		for p := range sp.live {
			l.settle(p, now)
		}
	}
	for s, sp := range l.spenders {
		_, why := sp.reached(s, false)
		if why == "" {
			continue
		}
		for p := range sp.live {
			if p.free || p.cut {
				continue
			}
			p.cut = true
			l.cuts++
			list = append(list, Alarm{
				Kind: AlarmCut, InstanceID: p.target.InstanceID, UserID: p.target.OnBehalfOf, ContactID: p.target.ContactID,
				Detail: "call to " + masked(p.target.Number) + " cut off: " + why,
			})
		}
	}
	l.mu.Unlock()
	for _, a := range list {
		tell(a)
	}
}

// AlarmCut is the kind of the alarm that asks the owner to end a contact: it is over a cap.
const AlarmCut = "cut"

// spent is a spending as it is stored.
type spent struct {
	Day     int64   `json:"day"`
	Seconds float64 `json:"seconds"`
	Money   float64 `json:"money"`
}

func (l *ledger) changes(now time.Time) []State {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []State
	for s, sp := range l.spenders {
		if !sp.dirty {
			if len(sp.live) == 0 && sp.day != dayOf(now) {
				delete(l.spenders, s)
			}
			continue
		}
		sp.dirty = false
		body, _ := json.Marshal(spent{sp.day, sp.seconds, sp.money}) // numbers: cannot fail
		out = append(out, State{
			Kind: stateSpent, Key: strings.Join([]string{s.instance, s.kind, s.id}, "|"), Body: body,
			Until: time.Unix((sp.day+1)*86400, 0),
		})
	}
	return out
}

func (l *ledger) restore(st State, now time.Time) {
	parts := strings.SplitN(st.Key, "|", 3)
	var v spent
	if len(parts) != 3 || json.Unmarshal(st.Body, &v) != nil || v.Day != dayOf(now) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	sp := l.of(spender{parts[0], parts[1], parts[2]}, now)
	sp.seconds, sp.money = v.Seconds, v.Money
}

// OutboundUsage is what somebody or something has used of its caps.
type OutboundUsage struct {
	Kind, ID       string // user, trunk, country, instance
	Concurrent     int
	CallsPerMinute int
	MinutesToday   float64
	SpentToday     float64
	DeniedToday    int
}

// OutboundUsage lists what an instance's spenders have used today.
func (ep *Endpoint) OutboundUsage(instanceID string) []OutboundUsage {
	l, now := ep.fraud, time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []OutboundUsage
	for s, sp := range l.spenders {
		if s.instance != instanceID || sp.day != dayOf(now) {
			continue
		}
		for p := range sp.live {
			l.settle(p, now)
		}
		u := OutboundUsage{
			Kind: s.kind, ID: s.id, Concurrent: len(sp.live), MinutesToday: sp.seconds / 60, SpentToday: sp.money, DeniedToday: sp.denied,
		}
		for _, at := range sp.begun {
			if now.Sub(at) < time.Minute {
				u.CallsPerMinute++
			}
		}
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b OutboundUsage) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return out
}

// snapshot is for metrics: denied calls by rule, and calls cut off.
func (l *ledger) snapshot() (denied map[string]uint64, cuts uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.denied), l.cuts
}
