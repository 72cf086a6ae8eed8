package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/call"
	"ullim/internal/egress"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/jobs"
	"ullim/internal/resource"
	"ullim/internal/stream"
	"ullim/internal/webhook"
	"ullim/ivr"
)

// outside is what reaches beyond this node because a tenant says so: functions and live audio. What it knows of the
// configuration is read when it is needed and forgotten when it changes.
type outside struct {
	client  *egress.Client
	hooks   *webhook.Caller
	stores  *stores
	sealer  *identity.Sealer
	queue   jobs.Store
	runner  *jobs.Runner
	prompts ivr.Prompts
	sounds  func(call.Sound) []call.Audio
	dir     *directory
	log     *slog.Logger

	mu        sync.Mutex
	epoch     uint64 // counts changes, so that what was read before one is not kept after it
	functions map[string]*webhook.Index
	places    map[string][]*stream.Destination
	live      map[any]*liveStream // by the customer's line

	outcomes map[webhook.Outcome]*atomic.Uint64 // never changed in place
	streams  stream.Stats
}

// openOutside makes it, and lets flows call functions.
func (a *App) openOutside(context.Context) error {
	o := a.o.Egress
	for _, addr := range []netip.Addr{a.o.RTPAdvertise, addrOf(a.o.Advertise)} {
		if addr.IsValid() && !addr.IsUnspecified() {
			o.Own = append(o.Own, addr)
		}
	}
	client, err := egress.New(o)
	if err != nil {
		return err
	}
	a.life.onStopDo("calls to outside", client.Close)
	out := &outside{
		client: client, hooks: webhook.NewCaller(client, nil), stores: a.stores, sealer: a.sealer, queue: a.db, prompts: a.prompts,
		sounds: sounds(), dir: a.dir, log: a.log, functions: map[string]*webhook.Index{}, places: map[string][]*stream.Destination{},
		live: map[any]*liveStream{}, outcomes: map[webhook.Outcome]*atomic.Uint64{},
	}
	for _, name := range webhook.Outcomes() {
		out.outcomes[name] = &atomic.Uint64{}
	}
	// Apart from the other jobs: slow services must not keep recordings from being uploaded.
	out.runner = jobs.New(jobs.Options{
		Store: a.db, Log: a.log, Workers: 8, Handlers: map[string]jobs.Handler{jobFunction: out.handle},
		Backoff: jobs.Backoff{First: 2 * time.Second, Most: 10 * time.Minute},
	})
	a.life.onStopDo("asynchronous functions", out.runner.Stop)
	a.life.onStopDo("live audio", out.stopStreams)
	a.engine.Functions = out
	a.outside = out
	return nil
}

// addrOf is an address, if the text is one.
func addrOf(text string) netip.Addr {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// changed forgets what is not true any more.
func (o *outside) changed(c resource.Change) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epoch++
	switch c.Kind {
	case resource.KindFunction:
		delete(o.functions, c.InstanceID)
	case resource.KindAudioDestination:
		delete(o.places, c.InstanceID)
	default:
	}
}

// keep reads what an instance has of a kind, once.
func keep[T any](o *outside, m map[string]T, instanceID string, read func() (T, error)) (T, error) {
	o.mu.Lock()
	have, ok := m[instanceID]
	epoch := o.epoch
	o.mu.Unlock()
	if ok {
		return have, nil
	}
	fresh, err := read()
	if err != nil {
		return fresh, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.epoch == epoch {
		m[instanceID] = fresh
	}
	return fresh, nil
}

func (o *outside) index(ctx context.Context, instanceID string) (*webhook.Index, error) {
	return keep(o, o.functions, instanceID, func() (*webhook.Index, error) {
		list, err := resource.All(ctx, o.stores.functions, instanceID)
		return webhook.NewIndex(instanceID, list), err
	})
}

// destination finds where live audio goes: by id, name or URL; without any, the one that is called "default". A URL that
// no destination has is called without secrets.
func (o *outside) destination(ctx context.Context, instanceID, ref string) (*stream.Destination, error) {
	list, err := keep(o, o.places, instanceID, func() ([]*stream.Destination, error) {
		return resource.All(ctx, o.stores.audio, instanceID)
	})
	if err != nil {
		return nil, err
	}
	if ref == "" {
		ref = stream.DefaultDestination
	}
	if id, ours := resource.IDInARN(instanceID, resource.KindAudioDestination, ref); ours {
		ref = id
	}
	for _, same := range []func(*stream.Destination) string{
		func(d *stream.Destination) string { return d.ID },
		func(d *stream.Destination) string { return d.Name },
		func(d *stream.Destination) string { return d.URL },
	} {
		for _, d := range list {
			if same(d) == ref {
				return d, nil
			}
		}
	}
	if isStreamURL(ref) {
		return &stream.Destination{URL: ref}, nil
	}
	return nil, errs.New(errs.NotFound, "no destination %q for live audio", ref)
}

// opened are the secrets that sign for a function, the newest first, and its headers.
func (o *outside) opened(f *webhook.Function) (secrets []string, header http.Header, err error) {
	header = http.Header{}
	if f == nil {
		return nil, header, nil
	}
	owner := webhook.SecretOwner(f.ID)
	sealed := []string{f.Secret}
	if time.Now().Before(f.PreviousUntil) {
		sealed = append(sealed, f.PreviousSecret)
	}
	for _, box := range sealed {
		if box == "" {
			continue
		}
		s, err := o.sealer.Open(owner, box)
		if err != nil {
			return nil, nil, err
		}
		secrets = append(secrets, s)
	}
	if f.HeaderValues != "" {
		text, err := o.sealer.Open(owner, f.HeaderValues)
		if err != nil {
			return nil, nil, err
		}
		values := map[string]string{}
		if err = json.Unmarshal([]byte(text), &values); err != nil {
			return nil, nil, err
		}
		for name, v := range values {
			header.Set(name, v)
		}
	}
	return secrets, header, nil
}
