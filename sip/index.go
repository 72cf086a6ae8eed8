package sip

import (
	"net/netip"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// How long and how much is remembered of what is over or not yet there.
const (
	strayLife   = 5 * time.Second // a CANCEL that overtook its INVITE
	goneLife    = 32 * time.Second
	invitesLife = 32 * time.Second // an INVITE that sipgo never handed over
	maxStrays   = 4096
	maxRefusals = 1 << 14
	maxOwedAcks = 16 // for copies of a refusal that come while the leg looks at the first
	offerLife   = time.Hour
	maxOffered  = 1 << 14
	maxGone     = 1 << 16
)

// index knows which dialog or INVITE a message belongs to. Everything in it is bounded: legs and INVITEs by the calls
// that are admitted, the rest by time and number.
type index struct {
	mu      sync.Mutex
	byTag   map[dialogKey]*Leg
	all     map[*Leg]struct{}
	invites map[string]*invite
	merge   map[mergeKey]string // to the transaction that came first
	unborn  []*invite           // not yet handed over by sipgo, oldest first

	offered  expiring[string, struct{}] // who was offered SHA-256 and has not answered with it
	strays   expiring[string, struct{}]
	refusals expiring[string, *refusedInvitation] // by the branch of an INVITE of ours
	gone     expiring[dialogKey, string]          // to the remote tag
}

// refusedInvitation is an INVITE of ours that was refused.
type refusedInvitation struct {
	ack  *sipgo.Request // nil: not yet made
	owed int            // copies of the refusal that came before it was made
}

// dialogKey is our half of a dialog's identity: the tag is random, so the other half only needs to be compared.
type dialogKey struct{ callID, localTag string }

// mergeKey is what copies of one request that came different ways have in common. RFC 3261 §8.2.2.2.
type mergeKey struct {
	callID, fromTag string
	seq             uint32
}

// invite is one INVITE server transaction, from its first packet on.
type invite struct {
	key       string
	merge     mergeKey
	source    netip.AddrPort
	born      time.Time
	leg       *legRef
	seq       uint32
	cancelled bool // before there was a leg
	merged    bool // a copy of another one
	handed    bool // sipgo has made a transaction
}

// legRef is how an INVITE knows its leg. It is emptied when the leg is gone: a transaction stays for half a minute after
// its answer, and must not hold a whole call in memory that long. The index's lock guards it.
type legRef struct {
	leg *Leg
	tag string // ours, for the answer to a CANCEL that comes too late
}

// owner is the leg of an INVITE, nil if there is none any more. The caller holds the index's lock.
func (in *invite) owner() *Leg {
	if in.leg == nil {
		return nil
	}
	return in.leg.leg
}

func newIndex() *index {
	return &index{
		byTag: make(map[dialogKey]*Leg), all: make(map[*Leg]struct{}), invites: make(map[string]*invite),
		merge: make(map[mergeKey]string),
	}
}

// txKey names a server transaction, the same for an INVITE, its CANCEL and the ACK of its refusal. RFC 3261 §17.2.3.
func txKey(req *sipgo.Request) string {
	via := req.Via()
	if branch, _ := via.Params.Get("branch"); len(branch) > len(branchCookie) && branch[:len(branchCookie)] == branchCookie {
		return branch + "|" + via.SentBy()
	}
	return callIDOf(req) + "|" + tagOf(req.From().Params) + "|" + via.Value() + "|" +
		req.CSeq().Value()[:len(req.CSeq().Value())-len(req.CSeq().MethodName)]
}

// noteInvite remembers an INVITE when it arrives, so that a CANCEL right behind it finds it. For a copy of one that is
// known already it gives the leg, if there is one.
func (x *index) noteInvite(req *sipgo.Request, source netip.AddrPort) *Leg {
	key, now := txKey(req), time.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	if in, known := x.invites[key]; known {
		return in.owner()
	}
	for len(x.unborn) > 0 && (x.unborn[0].handed || now.Sub(x.unborn[0].born) > invitesLife) {
		if in := x.unborn[0]; !in.handed {
			x.dropLocked(in)
		}
		x.unborn[0] = nil
		x.unborn = x.unborn[1:]
	}
	in := &invite{key: key, source: source, born: now, seq: req.CSeq().SeqNo}
	_, in.cancelled = x.strays.take(key, now)
	if tagOf(req.To().Params) == "" {
		in.merge = mergeKey{callIDOf(req), tagOf(req.From().Params), in.seq}
		if _, in.merged = x.merge[in.merge]; !in.merged {
			x.merge[in.merge] = key
		}
	}
	x.invites[key] = in
	x.unborn = append(x.unborn, in)
	return nil
}

// handOver gives the INVITE that sipgo has made a transaction of.
func (x *index) handOver(req *sipgo.Request) *invite {
	key := txKey(req)
	x.mu.Lock()
	defer x.mu.Unlock()
	in := x.invites[key]
	if in == nil {
		in = &invite{key: key, born: time.Now(), seq: req.CSeq().SeqNo}
		x.invites[key] = in
	}
	in.handed = true
	return in
}

// drop forgets an INVITE whose transaction is over.
func (x *index) drop(in *invite) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropLocked(in)
}

func (x *index) dropLocked(in *invite) {
	if x.invites[in.key] == in {
		delete(x.invites, in.key)
	}
	if x.merge[in.merge] == in.key {
		delete(x.merge, in.merge)
	}
}

// bind gives an INVITE its leg. cancelled says that the CANCEL was quicker.
func (x *index) bind(in *invite, l *Leg) (cancelled bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	in.leg = l.self
	return in.cancelled
}

func (x *index) legOf(in *invite) *Leg {
	x.mu.Lock()
	defer x.mu.Unlock()
	return in.owner()
}

func (x *index) knowsInvite(key string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.invites[key] != nil
}

// cancel finds what a CANCEL from source is for. found without a leg: the INVITE is not admitted yet, and will not be.
// Not found: it is remembered, in case it was quicker than its INVITE.
func (x *index) cancel(key string, source netip.AddrPort) (l *Leg, toTag string, found bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	in := x.invites[key]
	if in == nil {
		x.strays.put(key, struct{}{}, time.Now(), strayLife, maxStrays)
		return nil, "", false
	}
	if in.source.Addr() != source.Addr() {
		return nil, "", false
	}
	in.cancelled = true
	if in.leg != nil {
		toTag = in.leg.tag
	}
	return in.owner(), toTag, true
}

// add makes a leg findable.
func (x *index) add(l *Leg) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.byTag[dialogKey{l.callID, l.localTag}] = l
	x.all[l] = struct{}{}
}

// remove forgets a leg, but for a note that its dialog was there.
func (x *index) remove(l *Leg, remoteTag string) {
	key := dialogKey{l.callID, l.localTag}
	x.mu.Lock()
	defer x.mu.Unlock()
	l.self.leg = nil
	if _, there := x.all[l]; !there {
		return
	}
	delete(x.all, l)
	delete(x.byTag, key)
	x.gone.put(key, remoteTag, time.Now(), goneLife, maxGone)
}

// leg finds the leg of a dialog by our tag.
func (x *index) leg(callID, localTag string) *Leg {
	if localTag == "" {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.byTag[dialogKey{callID, localTag}]
}

// wasThere reports whether a dialog ended a short while ago.
func (x *index) wasThere(callID, localTag, remoteTag string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	tag, ok := x.gone.get(dialogKey{callID, localTag}, time.Now())
	return ok && tag == remoteTag
}

func (x *index) legs() []*Leg {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := make([]*Leg, 0, len(x.all))
	for l := range x.all {
		list = append(list, l)
	}
	return list
}

func (x *index) size() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.all)
}

// challenged notes that somebody is offered SHA-256, and reports whether that was so before without success.
func (x *index) challenged(key string, now time.Time) (before bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, before = x.offered.get(key, now); !before {
		x.offered.put(key, struct{}{}, now, offerLife, maxOffered)
	}
	return before
}

// speaksSHA256 notes that somebody has answered with it.
func (x *index) speaksSHA256(key string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.offered.take(key, time.Now())
}

// refusal notes that a final refusal of an INVITE of ours came; again is set if it had come before, with its ACK. If that
// is not made yet, the copy gets it when it is (keepAck).
func (x *index) refusal(branch string) (ack *sipgo.Request, again bool) {
	now := time.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	r, again := x.refusals.get(branch, now)
	switch {
	case !again:
		x.refusals.put(branch, new(refusedInvitation), now, goneLife, maxRefusals)
		return nil, false
	case r.ack == nil && r.owed < maxOwedAcks:
		r.owed++
	}
	return r.ack, true
}

// keepAck keeps the ACK of a refusal for copies of it, and gives how many have come meanwhile.
func (x *index) keepAck(branch string, ack *sipgo.Request) (owed int) {
	now := time.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	if r, known := x.refusals.get(branch, now); known {
		r.ack, owed, r.owed = ack, r.owed, 0
		return owed
	}
	x.refusals.put(branch, &refusedInvitation{ack: ack}, now, goneLife, maxRefusals)
	return 0
}

// expiring is a small table whose entries live for a fixed time; it needs no goroutine, because every use looks at the
// oldest entries first.
type expiring[K comparable, V any] struct {
	m     map[K]expiringEntry[V]
	order []expiringKey[K]
}

type expiringEntry[V any] struct {
	v     V
	until time.Time
}

type expiringKey[K comparable] struct {
	k     K
	until time.Time
}

func (e *expiring[K, V]) purge(now time.Time, room int) {
	n := 0
	for n < len(e.order) && (!e.order[n].until.After(now) || len(e.order)-n > room) {
		if k := e.order[n]; e.m[k.k].until.Equal(k.until) {
			delete(e.m, k.k)
		}
		n++
	}
	if n > 0 {
		e.order = e.order[n:] // append moves what is left when it grows
	}
}

func (e *expiring[K, V]) put(k K, v V, now time.Time, life time.Duration, room int) {
	if e.m == nil {
		e.m = make(map[K]expiringEntry[V])
	}
	e.purge(now, room-1)
	until := now.Add(life)
	e.m[k] = expiringEntry[V]{v, until}
	e.order = append(e.order, expiringKey[K]{k, until})
}

func (e *expiring[K, V]) get(k K, now time.Time) (V, bool) {
	v, ok := e.m[k]
	if !ok || !v.until.After(now) {
		var none V
		return none, false
	}
	return v.v, true
}

func (e *expiring[K, V]) take(k K, now time.Time) (V, bool) {
	v, ok := e.get(k, now)
	if ok {
		delete(e.m, k)
	}
	return v, ok
}
