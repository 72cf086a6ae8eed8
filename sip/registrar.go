package sip

import (
	"context"
	"hash/maphash"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// The registrar (RFC 3261 §10.3, RFC 5626, RFC 3327) keeps where the devices are.
//
//	registrar_rules.go   what a REGISTER makes of the bindings of its device: one pure function, rebind
//	registrar_table.go   the tables in memory, and whom a change makes reachable
//	registrar_flow.go    bindings that turn out to be dead: rings and pings without an answer, connections that close
//	registrar_store.go   what is written when: a new or changed binding is committed before it is answered; one that
//	                     only has new times is written with others a few seconds later
//
// Writers of one device wait for each other while the store commits; readers never wait.

// RegistrarOptions configures a Registrar. Zero durations and counts have the default in brackets.
type RegistrarOptions struct {
	Store          RegistrationStore
	Log            *slog.Logger
	MinExpires     time.Duration // shorter wishes get 423 (60 s; at most 1 h, RFC 3261 §10.3)
	MaxExpires     time.Duration // longer wishes are cut (1 h)
	DefaultExpires time.Duration // without a wish (10 min)
	MaxContacts    int           // bindings of a device; the newest stay (5)
	MaxFailures    int           // rings or pings in a row without an answer until a binding is dead (3)
	FlushEvery     time.Duration // how long a refresh may wait to be written (5 s)

	// OnChange, if set, is told when a user becomes reachable or stops being, in the order in which it happened. It may
	// call Lookup, but not Register, Drop or Expire.
	OnChange func(userID string, reachable bool)
}

// RegisterRequest is a REGISTER from an authenticated device.
type RegisterRequest struct {
	Device    *Device
	Contacts  []RegisterContact
	Star      bool   // Contact: *
	Expires   string // value of the Expires header, empty if there is none
	CallID    string
	CSeq      uint32
	Source    string // ip:port
	Transport string // UDP, TCP, TLS, WS, WSS
	UserAgent string
	Outbound  bool     // Supported: outbound (RFC 5626)
	FirstHop  bool     // no proxy between the phone and us
	Path      []string // URIs, the proxy next to us first (RFC 3327)
	Now       time.Time
}

// RegisterContact is one value of the Contact header.
type RegisterContact struct {
	URI        string
	Expires    string // value of the expires parameter, empty if there is none
	InstanceID string // value of +sip.instance, with or without quotes and angle brackets
	RegID      string // value of reg-id, empty if there is none
}

// RegisterResponse is the answer. Status is 200 with all Bindings, 400, 423 with MinExpires, 439, or 500.
type RegisterResponse struct {
	Status     int
	MinExpires int    // seconds, with 423
	Why        string // for the log, if not 200
	Outbound   bool   // the flow is the phone's to keep: Require: outbound
	New        bool   // something is other than its times
	Bindings   []Binding
}

// Binding is a Contact of a 200, with the seconds that it has left.
type Binding struct {
	Contact     string
	Expires     int
	SIPInstance string
	RegID       uint32
}

// Registrar keeps registrations. Its methods may be called at the same time.
type Registrar struct {
	opt   RegistrarOptions
	seed  maphash.Seed
	locks [64]sync.Mutex // by device: held while the store commits

	mu      sync.RWMutex
	table   regTable
	changes []change // to be told

	tell sync.Mutex // held while OnChange runs: keeps the order
	wake chan struct{}
}

type change struct {
	userID    string
	reachable bool
}

// NewRegistrar makes an empty registrar; Load fills it.
func NewRegistrar(opt RegistrarOptions) *Registrar {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.MinExpires <= 0 {
		opt.MinExpires = time.Minute
	}
	opt.MinExpires = min(opt.MinExpires, time.Hour)
	if opt.MaxExpires <= 0 {
		opt.MaxExpires = time.Hour
	}
	opt.MaxExpires = max(opt.MaxExpires, opt.MinExpires)
	if opt.DefaultExpires <= 0 {
		opt.DefaultExpires = 10 * time.Minute
	}
	opt.DefaultExpires = min(max(opt.DefaultExpires, opt.MinExpires), opt.MaxExpires)
	if opt.MaxContacts <= 0 {
		opt.MaxContacts = 5
	}
	if opt.MaxFailures <= 0 {
		opt.MaxFailures = 3
	}
	if opt.FlushEvery <= 0 {
		opt.FlushEvery = 5 * time.Second
	}
	return &Registrar{opt: opt, seed: maphash.MakeSeed(), table: newRegTable(), wake: make(chan struct{}, 1)}
}

// Load reads what was stored before a restart, without what has expired since. OnChange hears of every reachable user.
func (r *Registrar) Load(ctx context.Context) error {
	stored, err := r.opt.Store.Registrations(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	live := make(map[string][]Registration)
	for _, reg := range stored {
		if _, seen := live[reg.DeviceID]; !seen {
			live[reg.DeviceID] = nil
		}
		if reg.Expires.After(now) {
			live[reg.DeviceID] = append(live[reg.DeviceID], reg)
		}
	}
	for deviceID, regs := range live {
		if len(regs) == 0 {
			if err = r.opt.Store.PutRegistrations(ctx, deviceID, nil); err != nil {
				return err
			}
			continue
		}
		slices.SortStableFunc(regs, func(a, b Registration) int { return a.Registered.Compare(b.Registered) })
		r.publish(deviceID, regs, true)
	}
	return nil
}

// Register applies a REGISTER. When it returns 200, the result is committed, but for a refresh that changed nothing but
// times: that is written soon, and losing it to a crash costs the phone nothing before its next refresh.
func (r *Registrar) Register(ctx context.Context, req RegisterRequest) RegisterResponse {
	lock := r.lockOf(req.Device.ID)
	lock.Lock()
	defer lock.Unlock()

	old := r.bindings(req.Device.ID, req.Now)
	next, resp := rebind(old, &req, &r.opt)
	if resp.Status != 200 {
		return resp
	}
	if !req.query() {
		resp.New = !refreshed(old, next)
		if resp.New {
			if err := r.opt.Store.PutRegistrations(ctx, req.Device.ID, next); err != nil {
				r.opt.Log.ErrorContext(ctx, "registration not stored", "device", req.Device.Name, "error", err)
				return RegisterResponse{Status: 500, Why: "the registration could not be stored"}
			}
		}
		r.publish(req.Device.ID, next, resp.New)
	}
	for _, reg := range slices.Backward(next) { // newest first
		left := reg.Expires.Sub(req.Now)
		resp.Bindings = append(resp.Bindings, Binding{
			Contact: reg.Contact, SIPInstance: reg.SIPInstance, RegID: reg.RegID,
			Expires: int((left + time.Second - 1) / time.Second),
		})
	}
	return resp
}

// refreshed reports that next is old with new times, in whatever order.
func refreshed(old, next []Registration) bool {
	if len(old) != len(next) {
		return false
	}
	for i := range next {
		if !slices.ContainsFunc(old, func(o Registration) bool { return sameBut(&o, &next[i]) }) {
			return false
		}
	}
	return true
}

// Drop forgets all bindings of a device: it was deleted, disabled or given to another user.
func (r *Registrar) Drop(ctx context.Context, deviceID string) error {
	lock := r.lockOf(deviceID)
	lock.Lock()
	defer lock.Unlock()
	if err := r.opt.Store.PutRegistrations(ctx, deviceID, nil); err != nil {
		return err
	}
	r.publish(deviceID, nil, true)
	return nil
}

// Lookup gives the user's live registration that was confirmed last.
func (r *Registrar) Lookup(userID string, now time.Time) (Registration, bool) {
	all := r.All(userID, now)
	if len(all) == 0 {
		return Registration{}, false
	}
	return all[0], true
}

// All gives the user's live registrations, on all devices, the one confirmed last first.
func (r *Registrar) All(userID string, now time.Time) []Registration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var out []Registration
	for _, deviceID := range r.table.users[userID] {
		for _, b := range r.table.devices[deviceID].list {
			if b.UserID == userID && b.Expires.After(now) {
				out = append(out, b.Registration)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Registration) int {
		if c := b.Registered.Compare(a.Registered); c != 0 {
			return c
		}
		return strings.Compare(a.DeviceID+a.Contact, b.DeviceID+b.Contact)
	})
	return out
}

// Device gives the live registrations of one device, the oldest first.
func (r *Registrar) Device(deviceID string, now time.Time) []Registration {
	return r.bindings(deviceID, now)
}

// Count is how many bindings there are.
func (r *Registrar) Count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.table.count
}

// NextExpiry is when the next binding may end; false if there is none.
func (r *Registrar) NextExpiry() (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.table.next()
}

// Expire forgets what ended by now and tells OnChange. The store keeps the dead rows until the device registers again or
// Load drops them: a row says itself when it ends.
func (r *Registrar) Expire(now time.Time) {
	r.mu.Lock()
	for _, deviceID := range r.table.due(now) {
		live := slices.DeleteFunc(slices.Clone(r.table.devices[deviceID].list), func(b kept) bool { return !b.Expires.After(now) })
		r.changes = append(r.changes, r.table.set(deviceID, live)...)
	}
	r.mu.Unlock()
	r.deliver()
}

// Run calls Expire whenever a binding ends and writes refreshes, until ctx is done; what is left is then written.
func (r *Registrar) Run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(max(r.plan(time.Now()), time.Nanosecond))
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			r.Flush(last)
			cancel()
			return
		case <-r.wake:
		case <-timer.C:
			now := time.Now()
			r.Expire(now)
			if r.flushDue(now) {
				r.Flush(ctx)
			}
		}
	}
}

// plan notes when Run looks next, and gives how long that is. An hour is only a safety net.
func (r *Registrar) plan(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.table
	t.planned = now.Add(time.Hour)
	if next, ok := t.next(); ok && next.Before(t.planned) {
		t.planned = next
	}
	if !t.flushAt.IsZero() && t.flushAt.Before(t.planned) {
		t.planned = t.flushAt
	}
	return t.planned.Sub(now)
}

func (r *Registrar) lockOf(deviceID string) *sync.Mutex {
	return &r.locks[maphash.String(r.seed, deviceID)%uint64(len(r.locks))]
}

// bindings copies the live bindings of a device, the oldest first.
func (r *Registrar) bindings(deviceID string, now time.Time) []Registration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d := r.table.devices[deviceID]
	if d == nil {
		return nil
	}
	out := make([]Registration, 0, len(d.list))
	for _, b := range d.list {
		if b.Expires.After(now) {
			out = append(out, b.Registration)
		}
	}
	return out
}

// publish makes regs the bindings of a device and tells what that changed. stored says that the store has them so.
func (r *Registrar) publish(deviceID string, regs []Registration, stored bool) {
	r.mu.Lock()
	t := &r.table
	r.changes = append(r.changes, t.set(deviceID, t.bind(deviceID, regs, stored))...)
	if !stored {
		r.dirtyLocked(deviceID)
	}
	next, ok := t.next()
	if !t.flushAt.IsZero() && (!ok || t.flushAt.Before(next)) {
		next, ok = t.flushAt, true
	}
	earlier := ok && next.Before(t.planned)
	r.mu.Unlock()
	if earlier {
		r.nudge()
	}
	r.deliver()
}

// nudge lets Run plan anew.
func (r *Registrar) nudge() {
	select {
	case r.wake <- struct{}{}:
	default: // Run is awake already
	}
}

// deliver tells the noted changes, outside the lock of the tables and one at a time.
func (r *Registrar) deliver() {
	r.tell.Lock()
	defer r.tell.Unlock()
	r.mu.Lock()
	changes := r.changes
	r.changes = nil
	r.mu.Unlock()
	if r.opt.OnChange == nil {
		return
	}
	for _, c := range changes {
		r.opt.OnChange(c.userID, c.reachable)
	}
}
