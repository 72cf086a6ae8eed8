package sip

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"ullim/internal/errs"
)

// offence is something that an honest phone does seldom or never. A first challenge, an old nonce and a number that does
// not exist are none.
type offence uint8

const (
	wrongPassword offence = iota // ten of them are a ban (R21)
	malformed                    // not SIP, or SIP that breaks its own rules
	neverAcked                   // an INVITE that was refused and whose ACK never came: the sender does not listen
	scanner                      // says so itself
	manyUsers                    // one source asked for many users and was none of them
)

// weights of the offences; banScore is a ban. Suspicion wears off by one point a minute.
const (
	banScore   = 10
	wearPerSec = 1.0 / 60
	banLongest = 24 * time.Hour
	// An unknown source may be challenged for this many different users without coming back as one of them, and for
	// manyUsersTime, so that a house full of phones that starts at once is not taken for a scanner.
	manyUsersMost = 24
	manyUsersTime = 5 * time.Second
)

func (o offence) weight() float32 {
	switch o {
	case wrongPassword:
		return 1
	case malformed:
		return 0.05
	case neverAcked:
		return 0.5
	default:
		return banScore
	}
}

// String is the reason of a ban.
func (o offence) String() string {
	switch o {
	case wrongPassword:
		return "wrong passwords"
	case malformed:
		return "malformed messages"
	case neverAcked:
		return "refused calls that were never acknowledged"
	case scanner:
		return "a scanner's messages"
	default:
		return "tried many users"
	}
}

// suspicion is what is held against an unknown source.
type suspicion struct {
	score   float32
	scored  int64
	since   int64 // the first challenge that was not followed
	tried   uint8
	success bool // somebody has authenticated from here within memory
	users   [manyUsersMost]uint32
}

func (s *suspicion) add(w float32, at int64) float32 {
	if d := at - s.scored; s.scored != 0 && d > 0 {
		s.score = max(0, s.score-float32(float64(d)*1e-9*wearPerSec))
	}
	s.scored = at
	s.score += w
	return s.score
}

// cleared forgets the challenges: one of those users was right.
func (s *suspicion) cleared(int64) { s.tried, s.since, s.success = 0, 0, true }

// challenged notes a challenge for a user and reports whether there were too many different ones.
func (s *suspicion) challenged(user uint32, at int64) bool {
	if s.success {
		return false
	}
	if slices.Contains(s.users[:s.tried], user) {
		return false
	}
	if s.since == 0 {
		s.since = at
	}
	if s.tried < manyUsersMost {
		s.users[s.tried] = user
		s.tried++
		return false
	}
	return at-s.since >= int64(manyUsersTime)
}

// Ban is a source that is not listened to.
type Ban struct {
	Prefix  netip.Prefix `json:"prefix"`
	Reason  string       `json:"reason"`
	Manual  bool         `json:"manual,omitempty"`
	Since   time.Time    `json:"since"`
	Until   time.Time    `json:"until,omitzero"` // zero: until it is removed
	Dropped uint64       `json:"-"`
	Times   int          `json:"times,omitempty"` // how often the source was banned within a day
}

// banEntry is a Ban as it is looked up.
type banEntry struct {
	Ban
	until   int64 // 0: no end
	manual  bool
	dropped uint64
}

// banList finds the ban of an address. Bans of single sources are in a map; wider ones, all made by hand, in a list.
type banList struct {
	most   int
	single map[[16]byte]*banEntry
	wide   []*banEntry
	past   map[[16]byte]pastBan // who was banned within a day
	dirty  map[netip.Prefix]bool
}

type pastBan struct {
	times int
	ended int64
}

func newBanList(most int) banList {
	return banList{
		most: most, single: make(map[[16]byte]*banEntry), past: make(map[[16]byte]pastBan), dirty: make(map[netip.Prefix]bool),
	}
}

func (l *banList) size() int { return len(l.single) + len(l.wide) }

// find gives the ban that holds for a source now.
func (l *banList) find(key [16]byte, addr netip.Addr, at int64) *banEntry {
	if e := l.single[key]; e != nil && (e.until == 0 || e.until > at) {
		return e
	}
	for _, e := range l.wide {
		if (e.until == 0 || e.until > at) && e.Prefix.Contains(addr.Unmap()) {
			return e
		}
	}
	return nil
}

// sourcePrefix is the prefix that a source is banned by.
func sourcePrefix(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if !a.Is4() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// put adds or replaces a ban. A full list first forgets the ban that ends first; those made by hand stay.
func (l *banList) put(b Ban) {
	e := &banEntry{Ban: b, manual: b.Manual}
	if !b.Until.IsZero() {
		e.until = b.Until.UnixNano()
	}
	l.dirty[b.Prefix] = true
	if b.Prefix != sourcePrefix(b.Prefix.Addr()) {
		l.wide = slices.DeleteFunc(l.wide, func(o *banEntry) bool { return o.Prefix == b.Prefix })
		l.wide = append(l.wide, e)
		return
	}
	key := sourceKey(b.Prefix.Addr())
	if l.single[key] == nil && len(l.single) >= l.most {
		var first *banEntry
		for _, o := range l.single {
			if !o.manual && (first == nil || o.until < first.until) {
				first = o
			}
		}
		if first == nil {
			return
		}
		l.end(first)
	}
	l.single[key] = e
}

func (l *banList) end(e *banEntry) {
	key := sourceKey(e.Prefix.Addr())
	if l.single[key] == e {
		delete(l.single, key)
	}
	l.wide = slices.DeleteFunc(l.wide, func(o *banEntry) bool { return o == e })
	l.dirty[e.Prefix] = true
	if !e.manual && len(l.past) < l.most {
		l.past[key] = pastBan{times: e.Times, ended: e.until}
	}
}

func (l *banList) sweep(at int64) {
	for _, e := range l.single {
		if e.until != 0 && e.until <= at {
			l.end(e)
		}
	}
	for _, e := range slices.Clone(l.wide) {
		if e.until != 0 && e.until <= at {
			l.end(e)
		}
	}
	for key, p := range l.past {
		if at-p.ended > int64(banLongest) {
			delete(l.past, key)
		}
	}
}

// offended counts an offence of a source and gives the ban that it leads to, if it does. Trunks and the allow-list are
// beyond suspicion; a device is first made a stranger.
func (t *trust) offended(src netip.AddrPort, o offence, now time.Time) (Ban, bool) {
	if t.trusted(src) || isHere(src.Addr()) {
		return Ban{}, false
	}
	at := now.UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.expectedLocked(src.Addr(), at) {
		return Ban{}, false
	}
	if f := t.known[src]; f != nil && f.until > at {
		if f.score += o.weight(); f.score >= banScore {
			t.demoteLocked(src)
		}
		return Ban{}, false
	}
	if t.stranger(sourceKey(src.Addr()), at).add(o.weight(), at) < banScore-1e-3 {
		return Ban{}, false
	}
	return t.banLocked(src.Addr(), o, now), true
}

// challenged counts a challenge, which is no offence unless one source is challenged as very many users.
func (t *trust) challenged(src netip.AddrPort, user string, now time.Time) (Ban, bool) {
	if t.trusted(src) || isHere(src.Addr()) {
		return Ban{}, false
	}
	h := uint32(2166136261) // FNV-1a
	for i := range len(user) {
		h = (h ^ uint32(user[i])) * 16777619
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.known[src]; f != nil && f.until > now.UnixNano() {
		return Ban{}, false
	}
	if !t.stranger(sourceKey(src.Addr()), now.UnixNano()).challenged(h, now.UnixNano()) {
		return Ban{}, false
	}
	return t.banLocked(src.Addr(), manyUsers, now), true
}

// isHere reports the address that this machine has for itself: no stranger has it, and a ban of it would only hit a proxy
// or a tool of our own.
func isHere(a netip.Addr) bool {
	a = a.Unmap()
	return a == netip.IPv6Loopback() || a == netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

func (t *trust) banLocked(addr netip.Addr, o offence, now time.Time) Ban {
	key := sourceKey(addr)
	times := t.bans.past[key].times + 1
	life := min(t.opt.BanFor<<min(times-1, 16), banLongest)
	b := Ban{Prefix: sourcePrefix(addr), Reason: o.String(), Since: now, Until: now.Add(life), Times: times}
	t.bans.put(b)
	s := t.stranger(key, now.UnixNano())
	s.suspicion = suspicion{}
	return b
}

// banned reports whether new connections of a source are closed at once.
func (t *trust) banned(src netip.AddrPort, now time.Time) bool {
	if t.trusted(src) {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.expectedLocked(src.Addr(), now.UnixNano()) && t.bans.find(sourceKey(src.Addr()), src.Addr(), now.UnixNano()) != nil
}

// Bans lists the bans in force, the newest first.
func (ep *Endpoint) Bans() []Ban {
	t, at := ep.trust, time.Now().UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Ban
	add := func(e *banEntry) {
		if e.until == 0 || e.until > at {
			b := e.Ban
			b.Dropped = e.dropped
			out = append(out, b)
		}
	}
	for _, e := range t.bans.single {
		add(e)
	}
	for _, e := range t.bans.wide {
		add(e)
	}
	slices.SortFunc(out, func(a, b Ban) int {
		return cmp.Or(b.Since.Compare(a.Since), a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	return out
}

// AddBan bans an address or prefix by hand; life 0 has no end. errs.Invalid: a prefix that is too wide, or one that holds
// a trunk or trusted proxy.
func (ep *Endpoint) AddBan(prefix netip.Prefix, reason string, life time.Duration) (Ban, error) {
	if !prefix.IsValid() || prefix.Addr().Is4In6() {
		return Ban{}, errs.Field("Address", "must be an IP address or CIDR prefix")
	}
	if prefix.IsSingleIP() {
		prefix = sourcePrefix(prefix.Addr())
	}
	prefix = prefix.Masked()
	if least := map[bool]int{true: 8, false: 32}[prefix.Addr().Is4()]; prefix.Bits() < least {
		return Ban{}, errs.Field("Address", "must be a /%d or longer; got %s", least, prefix)
	}
	if !prefix.Addr().Is4() && prefix.Bits() > 64 {
		prefix = sourcePrefix(prefix.Addr())
	}
	t := ep.trust
	if name := t.holdsTrusted(prefix); name != "" {
		return Ban{}, errs.Field("Address", "%s holds %s, which is never banned: disable the trunk instead", prefix, name)
	}
	now := time.Now()
	b := Ban{Prefix: prefix, Reason: clip(reason, 200), Manual: true, Since: now}
	if life > 0 {
		b.Until = now.Add(life)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if prefix != sourcePrefix(prefix.Addr()) && len(t.bans.wide) >= 1000 {
		return Ban{}, errs.New(errs.Limit, "1000 prefixes are banned already: remove some")
	}
	t.bans.put(b)
	return b, nil
}

// RemoveBan ends a ban and forgets what was held against the source. errs.NotFound.
func (ep *Endpoint) RemoveBan(prefix netip.Prefix) error {
	if prefix.IsValid() && prefix.IsSingleIP() {
		prefix = sourcePrefix(prefix.Addr())
	}
	prefix = prefix.Masked()
	t := ep.trust
	t.mu.Lock()
	defer t.mu.Unlock()
	key := sourceKey(prefix.Addr())
	e := t.bans.single[key]
	for _, o := range t.bans.wide {
		if o.Prefix == prefix {
			e = o
		}
	}
	if e == nil || e.Prefix != prefix || e.until != 0 && e.until <= time.Now().UnixNano() {
		return errs.New(errs.NotFound, "%s is not banned", prefix)
	}
	t.bans.end(e)
	delete(t.bans.past, key)
	return nil
}

// holdsTrusted names a trunk or trusted address within a prefix.
func (t *trust) holdsTrusted(prefix netip.Prefix) string {
	for _, p := range t.opt.Allow {
		if p.Overlaps(prefix) {
			return "the trusted address " + p.String()
		}
	}
	if tt := t.trunks(); tt != nil {
		for _, e := range tt.sorted {
			if !e.trunk.Disabled && e.prefix.Overlaps(prefix) {
				return "trunk " + e.trunk.Name
			}
		}
	}
	return ""
}

// changes gives what is to be written of the bans, and forgets that it was to be.
func (t *trust) changes() []State {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []State
	for prefix := range t.bans.dirty {
		st := State{Kind: stateBan, Key: prefix.String()}
		e := t.bans.single[sourceKey(prefix.Addr())]
		if prefix != sourcePrefix(prefix.Addr()) {
			e = nil
			for _, o := range t.bans.wide {
				if o.Prefix == prefix {
					e = o
				}
			}
		}
		if e != nil {
			st.Body, _ = json.Marshal(e.Ban) // plain fields: cannot fail
			st.Until = e.Until
		}
		out = append(out, st)
	}
	clear(t.bans.dirty)
	return out
}

// restore puts a stored ban back.
func (t *trust) restore(st State, now time.Time) {
	var b Ban
	if json.Unmarshal(st.Body, &b) != nil || !b.Prefix.IsValid() || !b.Until.IsZero() && !b.Until.After(now) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bans.put(b)
	delete(t.bans.dirty, b.Prefix)
}
