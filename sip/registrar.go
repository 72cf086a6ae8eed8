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

// The registrar (RFC 3261 §10.3) keeps where the devices are. The rules are one pure function, rebind
// (registrar_rules.go); what is here gives it the device's bindings, commits its result to the store, and only then
// publishes it and answers. Writers of one device wait for each other while the store commits; readers never wait.

// RegistrarOptions configures a Registrar. Zero durations and counts have the default in brackets.
type RegistrarOptions struct {
	Store          RegistrationStore
	Log            *slog.Logger
	MinExpires     time.Duration // shorter wishes get 423 (60 s; at most 1 h, RFC 3261 §10.3)
	MaxExpires     time.Duration // longer wishes are cut (1 h)
	DefaultExpires time.Duration // without a wish (10 min)
	MaxContacts    int           // bindings of a device; the newest stay (5)

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
	Transport string // UDP, TCP
	UserAgent string
	Now       time.Time
}

// RegisterContact is one value of the Contact header.
type RegisterContact struct {
	URI        string
	Expires    string // value of the expires parameter, empty if there is none
	InstanceID string // value of +sip.instance, with or without quotes and angle brackets
}

// RegisterResponse is the answer. Status is 200 with all Bindings, 400, 423 with MinExpires, or 500.
type RegisterResponse struct {
	Status     int
	MinExpires int    // seconds, with 423
	Why        string // for the log, if not 200
	Bindings   []Binding
}

// Binding is a Contact of a 200, with the seconds that it has left.
type Binding struct {
	Contact     string
	Expires     int
	SIPInstance string
}

// Registrar keeps registrations. Its methods may be called at the same time.
type Registrar struct {
	opt   RegistrarOptions
	seed  maphash.Seed
	locks [64]sync.Mutex // by device: held while the store commits

	mu      sync.RWMutex
	devices map[string][]Registration // by device id; never empty
	users   map[string]map[string]int // by user id, then device id: how many bindings
	changes []change                  // to be told
	planned time.Time                 // when Run looks next

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
	return &Registrar{
		opt: opt, seed: maphash.MakeSeed(), devices: make(map[string][]Registration),
		users: make(map[string]map[string]int), wake: make(chan struct{}, 1),
	}
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
		r.publish(deviceID, regs)
	}
	return nil
}

// Register applies a REGISTER. When it returns 200, the result is committed.
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
		if err := r.opt.Store.PutRegistrations(ctx, req.Device.ID, next); err != nil {
			r.opt.Log.ErrorContext(ctx, "registration not stored", "device", req.Device.Name, "error", err)
			return RegisterResponse{Status: 500, Why: "the registration could not be stored"}
		}
		r.publish(req.Device.ID, next)
	}
	for _, reg := range slices.Backward(next) { // newest first
		left := reg.Expires.Sub(req.Now)
		resp.Bindings = append(resp.Bindings, Binding{
			Contact: reg.Contact, SIPInstance: reg.SIPInstance,
			Expires: int((left + time.Second - 1) / time.Second),
		})
	}
	return resp
}

// Drop forgets all bindings of a device: it was deleted, disabled or given to another user.
func (r *Registrar) Drop(ctx context.Context, deviceID string) error {
	lock := r.lockOf(deviceID)
	lock.Lock()
	defer lock.Unlock()
	if err := r.opt.Store.PutRegistrations(ctx, deviceID, nil); err != nil {
		return err
	}
	r.publish(deviceID, nil)
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
	for deviceID := range r.users[userID] {
		for _, reg := range r.devices[deviceID] {
			if reg.UserID == userID && reg.Expires.After(now) {
				out = append(out, reg)
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

// Count is how many bindings there are.
func (r *Registrar) Count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := 0
	for _, regs := range r.devices {
		n += len(regs)
	}
	return n
}

// NextExpiry is when the next binding ends; false if there is none.
func (r *Registrar) NextExpiry() (time.Time, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.next()
}

// next is NextExpiry with the lock held.
func (r *Registrar) next() (time.Time, bool) {
	var next time.Time
	for _, regs := range r.devices {
		for _, reg := range regs {
			if next.IsZero() || reg.Expires.Before(next) {
				next = reg.Expires
			}
		}
	}
	return next, !next.IsZero()
}

// Expire forgets what ended by now and tells OnChange. The store keeps the dead rows until the device registers again or
// Load drops them: a row says itself when it ends.
func (r *Registrar) Expire(now time.Time) {
	r.mu.Lock()
	for deviceID, regs := range r.devices {
		ended := func(reg Registration) bool { return !reg.Expires.After(now) }
		if slices.ContainsFunc(regs, ended) {
			r.swap(deviceID, slices.DeleteFunc(slices.Clone(regs), ended))
		}
	}
	r.mu.Unlock()
	r.deliver()
}

// Run calls Expire whenever a binding ends, until ctx is done.
func (r *Registrar) Run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(max(r.plan(time.Now()), time.Nanosecond))
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-timer.C:
			r.Expire(time.Now())
		}
	}
}

// plan notes when Run looks next, and gives how long that is. An hour is only a safety net.
func (r *Registrar) plan(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.planned = now.Add(time.Hour)
	if next, ok := r.next(); ok && next.Before(r.planned) {
		r.planned = next
	}
	return r.planned.Sub(now)
}

func (r *Registrar) lockOf(deviceID string) *sync.Mutex {
	return &r.locks[maphash.String(r.seed, deviceID)%uint64(len(r.locks))]
}

// bindings copies the live bindings of a device, the oldest first.
func (r *Registrar) bindings(deviceID string, now time.Time) []Registration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.DeleteFunc(slices.Clone(r.devices[deviceID]), func(reg Registration) bool { return !reg.Expires.After(now) })
}

// publish makes regs the bindings of a device and tells what that changed.
func (r *Registrar) publish(deviceID string, regs []Registration) {
	r.mu.Lock()
	r.swap(deviceID, regs)
	earlier := slices.ContainsFunc(regs, func(reg Registration) bool { return reg.Expires.Before(r.planned) })
	r.mu.Unlock()
	if earlier {
		select {
		case r.wake <- struct{}{}:
		default: // Run is awake already
		}
	}
	r.deliver()
}

// swap replaces the bindings of a device and notes which users it made reachable or not. The lock is held.
func (r *Registrar) swap(deviceID string, regs []Registration) {
	touched := make(map[string]bool) // user: was reachable
	for _, reg := range slices.Concat(r.devices[deviceID], regs) {
		touched[reg.UserID] = len(r.users[reg.UserID]) > 0
	}
	for userID := range touched {
		delete(r.users[userID], deviceID)
	}
	for _, reg := range regs {
		if r.users[reg.UserID] == nil {
			r.users[reg.UserID] = make(map[string]int)
		}
		r.users[reg.UserID][deviceID]++
	}
	r.devices[deviceID] = regs
	if len(regs) == 0 {
		delete(r.devices, deviceID)
	}
	for userID, was := range touched {
		is := len(r.users[userID]) > 0
		if !is {
			delete(r.users, userID)
		}
		if is != was {
			r.changes = append(r.changes, change{userID: userID, reachable: is})
		}
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
