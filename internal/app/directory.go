package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ullim/acd"
	"ullim/internal/calendar"
	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/records"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/sip"
	"ullim/storage"
)

// directory is what is configured, of all instances, for those who must not wait for a database: one immutable snapshot,
// replaced as a whole after each change. A change is visible here before the API answers that it was made.
type directory struct {
	stores   *stores
	log      *slog.Logger
	snap     atomic.Pointer[snapshot]
	onChange func() // after a new snapshot is in place

	mu      sync.Mutex // one reload at a time
	asked   atomic.Uint64
	applied uint64
}

// snapshot is never changed after it was published.
type snapshot struct {
	tenants map[string]*tenant
	numbers map[string]*call.Number
	trunks  *sip.TrunkTable
	devices *sip.DeviceTable

	carriers []netip.Prefix // where trunks send from
}

// tenant is one instance's part.
type tenant struct {
	instance     *identity.Instance
	config       acd.Config
	users        map[string]*identity.User
	groups       map[string]*identity.HierarchyGroup
	schedules    map[string]*calendar.Schedule
	queues       map[string]*acd.Queue // by name
	hours        map[string]*acd.Hours // by name
	byNumber     map[string]*call.Number
	outbound     *sip.OutboundPolicy             // may be nil
	quick        map[string]*acd.QuickConnect    // by name
	dispositions map[string]*records.Disposition // by code
}

func newDirectory(s *stores, log *slog.Logger) *directory {
	d := &directory{stores: s, log: log, onChange: func() {}}
	d.snap.Store(&snapshot{tenants: map[string]*tenant{}, numbers: map[string]*call.Number{}, devices: sip.NewDeviceTable(nil)})
	return d
}

// changed is called by storage after each committed change. It returns when a snapshot that has the change is in place.
func (d *directory) changed(c resource.Change) {
	readWhenNeeded := []resource.Kind{
		resource.KindFlow, resource.KindPrompt, resource.KindAccessKey, resource.KindSecurityProfile,
		resource.KindFunction, resource.KindAudioDestination, resource.KindView, resource.KindAttribute,
		resource.KindRecordStream, resource.KindDisposition, resource.KindStorageConfig, resource.KindRetentionPolicy,
	}
	if slices.Contains(readWhenNeeded, c.Kind) {
		return
	}
	mine := d.asked.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.applied >= mine { // a reload that began after this change has brought it
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := d.reloadLocked(ctx); err != nil {
		d.log.Error("configuration not reloaded: the one before stays in force", "error", err)
	}
}

// reload reads everything anew.
func (d *directory) reload(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reloadLocked(ctx)
}

func (d *directory) reloadLocked(ctx context.Context) error {
	upTo := d.asked.Load()
	next, err := d.read(ctx)
	if err != nil {
		return err
	}
	d.snap.Store(next)
	d.applied = upTo
	d.onChange()
	return nil
}

func (d *directory) read(ctx context.Context) (*snapshot, error) {
	next := &snapshot{tenants: map[string]*tenant{}, numbers: map[string]*call.Number{}}
	instances, err := d.stores.db.Instances(ctx)
	if err != nil {
		return nil, err
	}
	for _, inst := range instances {
		t, readErr := d.readTenant(ctx, inst)
		if readErr != nil {
			return nil, fmt.Errorf("instance %s: %w", inst.Name, readErr)
		}
		next.tenants[inst.ID] = t
		for name, n := range t.byNumber {
			if other, taken := next.numbers[name]; taken {
				d.log.Warn("number claimed twice", "number", name, "instance", inst.ID, "other", other.InstanceID)
				continue
			}
			next.numbers[name] = n
		}
	}
	trunks, err := everyOf[sip.Trunk](ctx, d.stores.db)
	if err != nil {
		return nil, err
	}
	if next.trunks, err = sip.NewTrunkTable(trunks); err != nil {
		d.log.Error("trunks contradict each other: those before stay in force", "error", err)
		next.trunks = d.snap.Load().trunks
	}
	for _, t := range trunks {
		for _, text := range t.Addresses {
			if p, ok := prefixOf(text); ok && !t.Disabled {
				next.carriers = append(next.carriers, p)
			}
		}
	}
	devices, err := everyOf[sip.Device](ctx, d.stores.db)
	if err != nil {
		return nil, err
	}
	next.devices = sip.NewDeviceTable(devices)
	return next, nil
}

// everyOf reads all resources of a kind, of all instances.
func everyOf[T any, P object[T]](ctx context.Context, db *storage.DB) ([]P, error) {
	return storage.EveryResource(ctx, db, P(new(T)).Kind(), func() P { return new(T) })
}

func (d *directory) readTenant(ctx context.Context, inst *identity.Instance) (*tenant, error) {
	t := &tenant{instance: inst, schedules: map[string]*calendar.Schedule{}}
	var err error
	if t.config.Queues, t.queues, err = index(ctx, d.stores.queues, inst.ID); err != nil {
		return nil, err
	}
	if t.config.Hours, t.hours, err = index(ctx, d.stores.hours, inst.ID); err != nil {
		return nil, err
	}
	if t.config.Profiles, _, err = index(ctx, d.stores.routing, inst.ID); err != nil {
		return nil, err
	}
	if t.config.Statuses, _, err = index(ctx, d.stores.statuses, inst.ID); err != nil {
		return nil, err
	}
	if _, t.byNumber, err = index(ctx, d.stores.numbers, inst.ID); err != nil {
		return nil, err
	}
	_, policies, err := index(ctx, d.stores.outbound, inst.ID)
	if err != nil {
		return nil, err
	}
	t.outbound = policies[sip.OutboundPolicyName]
	if _, t.dispositions, err = index(ctx, d.stores.dispositions, inst.ID); err != nil {
		return nil, err
	}
	if _, t.quick, err = index(ctx, d.stores.quick, inst.ID); err != nil {
		return nil, err
	}
	if t.users, _, err = index(ctx, d.stores.users, inst.ID); err != nil {
		return nil, err
	}
	if t.groups, _, err = index(ctx, d.stores.groups, inst.ID); err != nil {
		return nil, err
	}
	t.config.Agents = make(map[string]acd.Agent, len(t.users))
	for id, u := range t.users {
		t.config.Agents[id] = acd.Agent{
			UserID: id, Username: u.Name, RoutingProfileID: u.RoutingProfileID, AutoAccept: u.Phone.AutoAccept,
			ACWTimeout: time.Duration(u.Phone.AfterContactWorkTimeLimit) * time.Second, Skills: skillsOf(u),
			ACWTimeouts: acwOf(u), AutoAccepts: autoAcceptOf(u), HierarchyGroups: t.hierarchy(u),
		}
	}
	for id, h := range t.config.Hours {
		compiled, err := acd.CompileHours(h, func(id string) *acd.Hours { return t.config.Hours[id] })
		if err != nil {
			d.log.Error("hours of operation cannot be used", "hours", h.Name, "error", err)
			continue
		}
		t.schedules[id] = compiled
	}
	return t, nil
}

// index reads a kind whole, by id and by name.
func index[T resource.Object](ctx context.Context, s resource.Store[T], instanceID string) (byID, byName map[string]T, err error) {
	all, err := resource.All(ctx, s, instanceID)
	if err != nil {
		return nil, nil, err
	}
	byID, byName = make(map[string]T, len(all)), make(map[string]T, len(all))
	for _, v := range all {
		byID[v.Head().ID], byName[v.Head().Name] = v, v
	}
	return byID, byName, nil
}

func (d *directory) tenant(instanceID string) (*tenant, error) {
	if t := d.snap.Load().tenants[instanceID]; t != nil {
		return t, nil
	}
	return nil, errs.New(errs.NotFound, "no instance %s", instanceID)
}

// Lookup finds a claimed number: call.NumberLookup.
func (d *directory) Lookup(trunkID, called string) (call.Number, bool) {
	n := d.snap.Load().numbers[called]
	if n == nil || (n.TrunkID != "" && trunkID != "" && n.TrunkID != trunkID) {
		return call.Number{}, false
	}
	return *n, true
}

// Instance is what a call must know of its tenant.
func (d *directory) Instance(id string) (call.Instance, bool) {
	t, err := d.tenant(id)
	if err != nil {
		return call.Instance{}, false
	}
	return call.Instance{ID: id, Alias: t.instance.Name, Inbound: t.instance.InboundCallsEnabled, Outbound: t.instance.OutboundCallsEnabled}, true
}

// knownSource reports whether an address belongs to a carrier.
func (d *directory) knownSource(addr netip.Addr) bool {
	for _, p := range d.snap.Load().carriers {
		if p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// prefixOf is the network part of a trunk's address: IP or CIDR, perhaps with a port.
func prefixOf(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return netip.PrefixFrom(ap.Addr(), ap.Addr().BitLen()), true
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}

func (d *directory) instances() []string {
	return slices.Sorted(maps.Keys(d.snap.Load().tenants))
}

func (d *directory) trunks() *sip.TrunkTable   { return d.snap.Load().trunks }
func (d *directory) devices() *sip.DeviceTable { return d.snap.Load().devices }

// Config is an instance's part for its acd.Center.
func (d *directory) Config(_ context.Context, instanceID string) (acd.Config, error) {
	t, err := d.tenant(instanceID)
	if err != nil {
		return acd.Config{}, err
	}
	return t.config, nil
}

// Queue finds a queue for a flow, by ARN, id or name.
func (d *directory) Queue(_ context.Context, instanceID, ref string) (ivr.QueueRef, error) {
	return d.queue(instanceID, ref)
}

func (d *directory) queue(instanceID, ref string) (ivr.QueueRef, error) {
	t, err := d.tenant(instanceID)
	if err != nil {
		return ivr.QueueRef{}, err
	}
	if userID, own := acd.OfAgentQueue(ref); own {
		return d.AgentQueue(context.Background(), instanceID, userID)
	}
	q := find(t.config.Queues, t.queues, instanceID, resource.KindQueue, ref)
	if q == nil {
		return ivr.QueueRef{}, errs.New(errs.NotFound, "no queue %q", ref)
	}
	r := ivr.QueueRef{
		ID: q.ID, ARN: resource.ARN(instanceID, resource.KindQueue, q.ID), Name: q.Name, HoursID: q.HoursID, OutboundName: q.OutboundCallerIDName,
	}
	for _, n := range t.byNumber {
		if n.ID == q.OutboundCallerNumber {
			r.OutboundNumber = n.Name
		}
	}
	return r, nil
}

// Open tells a flow whether hours are open now.
func (d *directory) Open(ctx context.Context, instanceID, ref string) (bool, error) {
	return d.OpenAt(ctx, instanceID, ref, time.Now())
}

// OpenAt tells whether hours are open at a moment.
func (d *directory) OpenAt(_ context.Context, instanceID, ref string, at time.Time) (bool, error) {
	t, err := d.tenant(instanceID)
	if err != nil {
		return false, err
	}
	h := find(t.config.Hours, t.hours, instanceID, resource.KindHours, ref)
	if h == nil || t.schedules[h.ID] == nil {
		return false, errs.New(errs.NotFound, "no hours of operation %q", ref)
	}
	return t.schedules[h.ID].Open(at), nil
}

// find resolves an ARN of this instance, an id or a name.
func find[T any](byID, byName map[string]*T, instanceID string, kind resource.Kind, ref string) *T {
	if id, ok := resource.IDInARN(instanceID, kind, ref); ok {
		ref = id
	}
	if v := byID[ref]; v != nil {
		return v
	}
	return byName[ref]
}

func (d *directory) region(instanceID string) string {
	if t, err := d.tenant(instanceID); err == nil {
		return t.instance.Region
	}
	return ""
}

func (d *directory) language(instanceID string) string {
	if t, err := d.tenant(instanceID); err == nil && t.instance.Language != "" {
		return t.instance.Language
	}
	return "en-US"
}

func (d *directory) agent(instanceID, userID string) ivr.AgentRef {
	t, err := d.tenant(instanceID)
	if err != nil || t.users[userID] == nil {
		return ivr.AgentRef{ID: userID}
	}
	u := t.users[userID]
	return ivr.AgentRef{ID: u.ID, ARN: resource.ARN(instanceID, resource.KindUser, u.ID), Username: u.Name, FirstName: u.FirstName, LastName: u.LastName}
}
