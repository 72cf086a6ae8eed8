package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"time"

	"ullim/ivr/flowtest"

	"ullim/acd"
	"ullim/internal/api"
	"ullim/internal/api/admin"
	"ullim/internal/api/connect"
	"ullim/internal/api/participant"
	"ullim/internal/api/rest"
	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/phone"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/prompts"
	"ullim/sip"
)

// handler is the HTTP side.
func (a *App) handler() (http.Handler, error) {
	shelf := &prompts.Shelf{Store: a.stores.prompts, Files: promptAudio{a}, Log: a.log}
	trunks := guarded[*sip.Trunk]{a.stores.trunks, a.trunkFits}
	numbers := guarded[*call.Number]{a.stores.numbers, a.numberFree}
	return api.New(api.Options{
		Log: a.log, Auth: a.auth, Metrics: a.metrics.Handler(), Trail: a.db,
		Ready: func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			return a.Ready(ctx)
		},
		Connect: connect.Options{
			Instances: a.stores.instances, Users: a.stores.users, Groups: a.stores.groups, SecurityProfiles: a.stores.profiles,
			AccessKeys: a.stores.keys, Devices: a.stores.devices, Queues: a.stores.queues, Hours: a.stores.hours,
			RoutingProfiles: a.stores.routing, AgentStatuses: a.stores.statuses, Prompts: a.stores.prompts, Numbers: numbers, Functions: a.stores.functions, QuickConnects: a.stores.quick,
			Flows: a.flows, Modules: a.modules, Agents: liveAgents{a.centers}, PromptFiles: shelf, Contacts: contacts{a}, Calls: a.calls,
			Chats: a.chats, StopCall: a.calls.Stop, PromptBuckets: a.o.PromptBuckets, Views: a.stores.views, Attributes: a.stores.skills,
			Line: liveLine{a.centers, a.db}, Reports: a.db, Routing: liveRouting{a.centers, a.calls, a.chats},
			StorageConfigs: a.stores.storage, Places: a.keeping.places,
		},
		Agent:       a.channel.Load(),
		Participant: participant.Options{Chats: a.chats, Views: a.stores.views, Origins: a.o.Chat.Origins},
		Admin: admin.Options{
			Instances: a.stores.instances, Users: a.stores.users, SecurityProfiles: a.stores.profiles,
			AccessKeys: a.stores.keys, Trunks: trunks, Devices: a.stores.devices, Numbers: numbers, Prompts: a.stores.prompts,
			Flows: ivr.Library{Flows: a.flows, Modules: a.modules}, Sealer: a.sealer, Realm: a.o.Realm, Registrations: a.db, Contacts: a.db, Calls: a.calls, Recordings: recordings{a},
			PromptFiles: shelf, System: a.system, NameFree: a.deviceNameFree, Traces: a.trace,
			OutboundPolicies: a.stores.outbound, Guard: a.sip, Waiting: a.sip,
			TrunkState: a.trunkState,
			Functions:  a.stores.functions, AudioDestinations: a.stores.audio, CheckURL: a.outside.client.Check,
			Hours:         a.stores.hours,
			FlowRuns:      a.db,
			Simulation:    flowtest.Backing{Flows: a.flows, Modules: a.modules, Queues: a.dir, Prompts: a.prompts, Open: a.dir.OpenAt},
			AgentContacts: a.chats,
			Callbacks:     a.callbacks,
			Queues:        a.stores.queues, Routing: liveRouting{a.centers, a.calls, a.chats},
			RecordStreams: a.stores.streams, Dispositions: a.stores.dispositions, Desk: a.desk, StreamLog: a.db, Redeliverer: a.records,
			AuditTrail: a.db,
			Holds:      a.db, RetentionPolicies: a.stores.retention,
		},
	})
}

func (a *App) system(ctx context.Context) admin.System {
	return admin.System{
		Version: Version(), Node: a.o.Node, Started: rest.Time{Time: a.started}, Ready: a.Ready(ctx) == nil, Calls: a.calls.Count(),
	}
}

// guarded is a store that asks, before it creates or updates, whether the rest of the house can live with it: what is
// shared by all instances cannot be seen by one kind's own rules.
type guarded[T resource.Object] struct {
	resource.Store[T]
	fits func(ctx context.Context, v T) error
}

// Create adds v if it fits.
func (g guarded[T]) Create(ctx context.Context, v T) error {
	if err := g.fits(ctx, v); err != nil {
		return err
	}
	return g.Store.Create(ctx, v)
}

// Update replaces v if it fits.
func (g guarded[T]) Update(ctx context.Context, v T) error {
	if err := g.fits(ctx, v); err != nil {
		return err
	}
	return g.Store.Update(ctx, v)
}

// trunkFits refuses a trunk that contradicts another: they would not be told apart when a call comes in.
func (a *App) trunkFits(ctx context.Context, t *sip.Trunk) error {
	if err := t.Validate(); err != nil {
		return err
	}
	all, err := everyOf[sip.Trunk](ctx, a.db)
	if err != nil {
		return err
	}
	others := []*sip.Trunk{t}
	for _, o := range all {
		if o.ID != t.ID {
			others = append(others, o)
		}
	}
	_, err = sip.NewTrunkTable(others)
	return err
}

// numberFree gives a number its one form, and refuses one that another instance has claimed.
func (a *App) numberFree(_ context.Context, n *call.Number) error {
	if normal, err := phone.Normalize(n.Name, a.dir.region(n.InstanceID)); err == nil {
		n.Name = normal
	}
	if other := a.dir.snap.Load().numbers[n.Name]; other != nil && other.InstanceID != n.InstanceID {
		return errs.New(errs.Duplicate, "the number %s is taken", n.Name)
	}
	return nil
}

// deviceNameFree refuses a device name that is taken: phones of all instances share one realm.
func (a *App) deviceNameFree(_ context.Context, name string) error {
	if _, taken := a.dir.devices().ByName(name); taken {
		return errs.New(errs.Duplicate, "a device is called %q already", name)
	}
	return nil
}

// liveAgents is the live side of users for the API.
type liveAgents struct{ c *centers }

// SetStatus chooses a status for an agent.
func (l liveAgents) SetStatus(ctx context.Context, instanceID, userID, statusID string) error {
	center, err := l.c.of(instanceID)
	if err != nil {
		return err
	}
	return center.SetStatus(ctx, userID, statusID, time.Now())
}

// Dismiss clears a contact from an agent.
func (l liveAgents) Dismiss(ctx context.Context, instanceID, userID, contactID string) error {
	center, err := l.c.of(instanceID)
	if err != nil {
		return err
	}
	return center.Dismiss(ctx, userID, contactID)
}

// CurrentUsers is what agents are doing.
func (l liveAgents) CurrentUsers(instanceID string) []acd.AgentSnapshot {
	center, err := l.c.of(instanceID)
	if err != nil {
		return nil
	}
	return center.CurrentAgents()
}

// promptAudio keeps uploaded prompts in the blob store.
type promptAudio struct{ a *App }

var _ prompts.Files = promptAudio{}

// PutAudio stores a file.
func (p promptAudio) PutAudio(ctx context.Context, key string, data []byte) error {
	sum := sha256.Sum256(data)
	return p.a.blobs.Put(ctx, key, bytes.NewReader(data), int64(len(data)), hex.EncodeToString(sum[:]))
}

// HasAudio tells whether a file is there.
func (p promptAudio) HasAudio(ctx context.Context, key string) (bool, error) {
	_, err := p.a.blobs.Stat(ctx, key)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// GetAudio reads a file.
func (p promptAudio) GetAudio(ctx context.Context, key string) ([]byte, error) {
	r, _, err := p.a.blobs.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(r, prompts.MaxUpload))
}

// DeleteAudio removes one.
func (p promptAudio) DeleteAudio(ctx context.Context, key string) error {
	return p.a.blobs.Delete(ctx, key)
}
