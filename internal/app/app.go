package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"ullim/internal/api/agent"
	"ullim/internal/call"
	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/egress"
	"ullim/internal/events"
	"ullim/internal/identity"
	"ullim/internal/jobs"
	"ullim/internal/records"
	"ullim/internal/resource"
	"ullim/internal/telemetry"
	"ullim/internal/trace"
	"ullim/ivr"
	"ullim/media"
	"ullim/prompts"
	"ullim/sip"
	"ullim/storage"
	"ullim/storage/blob"
)

// Options say what an App is made of. What is left out has a default that works on one machine.
type Options struct {
	Node     string // the same after a restart; default: "node-1"
	DataDir  string // database, spool, recordings; must be set
	Instance InstanceSpec
	Database storage.Options
	Blobs    blob.Store // default: files under DataDir/blobs
	// PromptBuckets are where prompts may be fetched from.
	PromptBuckets promptBuckets

	Recordings RecordingOptions

	Packets      []net.PacketConn // SIP on UDP, bound
	Listeners    []net.Listener   // SIP on TCP, bound
	Listening    listening        // SIP on TLS and WebSocket
	Advertise    string
	Realm        string
	Resolver     sip.Resolver // of carriers' names; default: the system's
	RequestRate  float64      // requests a second from one stranger
	MaxCalls     int
	MinExpires   time.Duration // of registrations
	MaxExpires   time.Duration
	MaxContacts  int           // registrations of one device
	SessionTimer time.Duration // Session-Expires that is asked for; 0: the usual
	KeepAlive    time.Duration // between pings of phones behind NAT on UDP; 0: none
	Trust        sip.TrustOptions
	RTPListen    func(netip.AddrPort) (net.PacketConn, error) // default: UDP
	RTPBind      netip.Addr
	RTPAdvertise netip.Addr
	RTPFirst     uint16
	RTPLast      uint16
	Dead         media.DeadPolicy

	Chat        ChatOptions
	Agent       AgentOptions
	Egress      egress.Options // of calls to addresses that tenants choose
	Trace       TraceOptions
	Synthesizer prompts.Synthesizer // default: espeak-ng
	Log         *slog.Logger

	people *telephony // in place of SIP and RTP; nil: the real thing
}

// telephony is what calls are made of, without a packet: days of a whole call centre are simulated with it.
type telephony struct {
	Media   call.MediaPlane
	Dialer  call.Dialer
	Present func(userID string) bool                      // a device of the user's can ring
	Alive   func(ctx context.Context, userID string) bool // nil: phones are not asked before they ring
}

// App is the running engine. New wires it, Start serves, Drain and Close end it.
type App struct {
	o         Options
	log       *slog.Logger
	names     *callNames
	life      lifecycle
	callbacks *callbacks
	db        *storage.DB
	stores    *stores
	dir       *directory
	sealer    *identity.Sealer
	events    *events.Recorder
	centers   *centers
	calls     *call.Manager
	chats     *chat.Manager
	sessions  *identity.Sessions
	channel   atomic.Pointer[agent.Service] // of agents; nil until it is there
	plane     *media.Plane
	sip       *sip.Endpoint
	limits    *sip.Limits
	registry  *sip.Registrar
	jobs      *jobs.Runner
	keeping   keeping
	runs      *ivr.RunLog
	blobs     blob.Store
	spool     string
	prompts   *prompts.Catalogue
	speaker   *prompts.Speaker
	flows     *ivr.Service
	modules   *ivr.ModuleService
	engine    *ivr.Engine
	outside   *outside
	records   *records.Service
	desk      *records.Desk
	metrics   *telemetry.Metrics
	auth      *identity.Authenticator
	trace     *trace.Recorder // nil: none is kept
	hep       *trace.Exporter // nil: nobody is told
	draining  atomic.Bool
	alarms    alarms

	recordFigures recordFigures
	started       time.Time

	// Created is what the first start shows once; nil on later starts.
	Created *Credentials
	// Instance is the instance that Options.Instance names.
	Instance *identity.Instance
}

// New wires an App: opens the database, brings it up to date, recovers what a process that died has left, and makes
// the instance on the first start. On an error everything that was opened is closed again.
func New(ctx context.Context, o Options) (*App, error) {
	a := &App{o: o, log: o.Log, started: time.Now(), names: newCallNames(), events: &events.Recorder{}, metrics: telemetry.New()}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.log = a.names.correlate(a.log)
	if a.o.Node == "" {
		a.o.Node = "node-1"
	}
	a.life.log = a.log
	if err := a.wire(ctx); err != nil {
		return nil, errors.Join(err, a.life.stop())
	}
	return a, nil
}

func (a *App) wire(ctx context.Context) error {
	for _, part := range []struct {
		name string
		open func(context.Context) error
	}{
		{"storage", a.openStorage},
		{"identity", a.openIdentity},
		{"speech", a.openSpeech},
		{"outside", a.openOutside},
		{"media", a.openMedia},
		{"recovery", a.recover},
		{"traces", a.openTrace},
		{"recordings", a.openKeeping},
		{"calls", a.openCalls},
		{"chats", a.openChats},
		{"agent channel", a.openAgents},
		{"signalling", a.openSIP},
		{"jobs", a.openJobs},
	} {
		if err := part.open(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

func (a *App) openStorage(ctx context.Context) error {
	a.spool = filepath.Join(a.o.DataDir, "spool")
	if err := os.MkdirAll(a.spool, 0o750); err != nil {
		return err
	}
	o := a.o.Database
	o.Log, o.Observe = a.log, a.metrics.Commit
	if o.Driver == "" && o.URL == "" {
		o.URL = filepath.Join(a.o.DataDir, "ullim.db")
	}
	a.dir = newDirectory(nil, a.log)
	o.OnChange, o.Streams, o.Searchable = a.changed, a.streamed, a.searchable
	db, err := storage.Open(ctx, o)
	if err != nil {
		return err
	}
	a.life.onStop("database", db.Close)
	a.db, a.stores = db, newStores(db)
	a.dir.stores = a.stores
	if err = a.openRecords(ctx); err != nil { // before anything writes a contact
		return err
	}
	if a.blobs = a.o.Blobs; a.blobs == nil {
		files, err := blob.NewFiles(filepath.Join(a.o.DataDir, "blobs"))
		if err != nil {
			return err
		}
		a.life.onStop("blobs", files.Close)
		a.blobs = files
	}
	return nil
}

// changed puts a change of the configuration into force before the API answers that it was made.
func (a *App) changed(c resource.Change) {
	a.dir.changed(c)
	a.outside.changed(c)
	a.configured(c.InstanceID)
	if c.Kind == resource.KindRecordStream {
		a.syncRecords()
	}
	if a.flows != nil && a.modules != nil { // what an export calls by name may be there now, or no longer
		a.flows.Relink()
		a.modules.Relink()
	}
	if c.Kind != resource.KindDevice || a.registry == nil {
		return
	}
	if d, ok := a.dir.devices().ByID(c.ID); ok && !d.Disabled {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := a.registry.Drop(ctx, c.ID); err != nil {
		a.log.Error("registrations of a device that is gone were not ended", "device_id", c.ID, "error", err)
	}
}

// openIdentity makes the server's key and the instance.
func (a *App) openIdentity(ctx context.Context) error {
	if err := a.openSealer(); err != nil {
		return err
	}
	var err error
	a.flows, a.modules = ivr.NewService(a.stores.flows), ivr.NewModules(a.stores.modules)
	if a.Instance, a.Created, err = a.ensureInstance(ctx, a.o.Instance); err != nil {
		return err
	}
	a.flows.Finders = flowFinders(a.stores)
	a.modules.Finders = a.flows.Finders
	a.auth, err = identity.NewAuthenticator(identity.AuthOptions{
		Keys: a.db, Users: a.stores.users, Profiles: a.stores.profiles, Sealer: a.sealer, Log: a.log,
	})
	if err != nil {
		return err
	}
	return a.dir.reload(ctx)
}

func (a *App) openSealer() error {
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails: crypto/rand ends the program instead
	key, err := a.serverKey(fresh)
	if err != nil {
		return err
	}
	a.sealer, err = identity.NewSealer(key)
	return err
}

// serverKey reads the key that seals secrets from the data folder, beside the database and not in it: a stolen copy of
// the database opens nothing. The first start makes it.
func (a *App) serverKey(fresh []byte) ([]byte, error) {
	path := filepath.Join(a.o.DataDir, "server.key")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return os.ReadFile(path)
	}
	if err != nil {
		return nil, err
	}
	_, err = f.Write(fresh)
	return fresh, errors.Join(err, f.Sync(), f.Close())
}

func (a *App) openSpeech(context.Context) error {
	a.openVoices()
	a.engine = &ivr.Engine{
		Flows: a.flows, Modules: a.modules, Directory: a.dir, Prompts: a.prompts, Speaker: a.speaker, Log: a.log, Events: a.events,
		Observe: a.metrics.FlowAction, Ran: a.flowRan, Media: mediaFiles{dir: a.dir, prompts: a.prompts, speaker: a.speaker},
	}
	a.openRunLog()
	return nil
}

func (a *App) openCalls(ctx context.Context) error {
	with := a.o.people
	if with == nil {
		with = &telephony{
			Media: plane{a.plane, a.events, a.trace, a.keeping.guard.room}, Dialer: traced{dialer{a}, a},
			Present: func(userID string) bool {
				_, ok := a.registry.Lookup(userID, time.Now())
				return ok
			},
			Alive: func(ctx context.Context, userID string) bool { return a.sip == nil || a.sip.ProveAlive(ctx, userID) },
		}
	}
	a.centers = newCenters(centersOptions{
		Node: a.o.Node, Store: a.db, AgentEvents: a.db, Dir: a.dir, Calls: func() *call.Manager { return a.calls }, Events: a.events, Log: a.log, Routed: a.routed,
		Devices: with.Present, Alive: with.Alive,
	})
	a.engine.Metrics = a.centers
	a.calls = call.NewManager(call.Options{
		Node: a.o.Node, Media: with.Media, Dialer: with.Dialer,
		Flows:  &flows{engine: a.engine, source: a.flows, dir: a.dir, log: a.log, out: a.outside, related: relations{a}},
		Queues: a.centers, Numbers: a.dir, Instances: a.dir.Instance, Store: a.db, Spill: a.spill, Events: a.events,
		People: people{a.dir}, Places: destinations{a.dir, a.centers}, Sounds: sounds(), Opened: a.opened,
		Closed: func(r *contact.Record) {
			a.names.remove(r.ID)
			a.traceQuality(r)
			a.metrics.ContactClosed(r.DisconnectReason)
			if len(r.Recordings) > 0 { // only then is there an upload to do
				a.keeping.runner.Wake()
			}
		},
		Log: a.log, NewID: uuid.NewString, MaxCalls: a.o.MaxCalls, Engaged: func(userID string) { a.centers.deviceChanged(userID) },
		Changed: a.agentChanged, Nearest: a.dir.nearestNumber, FlowReady: a.flowReady, CheckOffer: checkOffer,
	})
	a.registry = sip.NewRegistrar(sip.RegistrarOptions{
		Store: a.db, Log: a.log, MinExpires: a.o.MinExpires, MaxExpires: a.o.MaxExpires, MaxContacts: a.o.MaxContacts,
		OnChange: func(userID string, _ bool) { a.centers.deviceChanged(userID) },
	})
	a.life.onStopDo("routing", a.centers.stop)
	return a.registry.Load(ctx)
}

// dialer reaches the endpoint, which is made after the calls that dial through it.
type dialer struct{ a *App }

// Dial places a leg to a device of ours.
func (d dialer) Dial(t call.Target, offer []byte, events func(call.LegEvent)) call.Leg {
	return d.a.sip.Dial(t, offer, events)
}

// Profile is what an offer to a target should look like.
func (d dialer) Profile(t call.Target) call.Profile { return d.a.sip.Profile(t) }

func (a *App) openSIP(ctx context.Context) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	secret, err := a.db.PutSettingOnce(ctx, "sip.nonce-key", secret)
	if err != nil {
		return err
	}
	a.limits = sip.NewLimits(sip.LimitOptions{
		RequestsPerSecond: a.o.RequestRate, MaxCalls: a.o.MaxCalls,
		Exempt: func(addr netip.Addr) bool { return a.dir.knownSource(addr) || a.sip != nil && a.sip.KnownCarrier(addr) },
	})
	o := sip.Options{
		Log: a.log, Packets: a.o.Packets, Listeners: a.o.Listeners, Advertise: a.o.Advertise, Realm: a.o.Realm,
		Secret: secret, Trunks: a.dir.trunks, Devices: a.dir.devices, Registrar: a.registry, Limits: a.limits,
		Admitter: a.calls, UserAgent: "ullim", MaxCalls: 2 * a.o.MaxCalls, Region: a.dir.region,
		OnAnswer: a.metrics.SIPRequest, OnRefused: a.refused, OnMessage: a.onMessage(),
		Explainer: a.calls, KeepAlive: a.o.KeepAlive, Trust: a.o.Trust, State: a.db, OutboundPolicy: a.dir.outboundPolicy, OnAlarm: a.alarm,
		OpenSecret: a.trunkSecret, Resolver: a.o.Resolver,
		SessionExpires: a.o.SessionTimer,
	}
	a.o.Listening.signalling(&o)
	if a.sip, err = sip.NewEndpoint(o); err != nil {
		return err
	}
	a.life.onStopDo("signalling", a.sip.Close)
	return nil
}

func (a *App) openJobs(context.Context) error {
	back := &callbacks{store: a.db, records: a.db, calls: a.calls, engine: a.engine, dir: a.dir, log: a.log, wake: func() { a.jobs.Wake() }}
	a.engine.Callbacks, a.callbacks, a.centers.claim = back, back, back.claim
	a.jobs = jobs.New(jobs.Options{
		Store: a.db, Log: a.log, Workers: 4, Handlers: map[string]jobs.Handler{
			jobCallback: back.handle, jobCallbackFlow: back.handleFlow,
		},
	})
	a.life.onStopDo("jobs", a.jobs.Stop)
	return errors.Join(a.observe(), a.observeGuard(), a.observeOutside(), a.observeChats(), a.observeAgents(), a.observeRecords(), a.metrics.ObserveTrunks(a.trunkReadings))
}

// Start begins to serve.
func (a *App) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.registry.Run(ctx) }()
	a.life.onStopDo("registrations", func() { cancel(); <-done })
	a.dir.onChange = func() {
		a.centers.sync(a.dir.instances())
		a.sip.SyncTrunks()
	}
	a.centers.sync(a.dir.instances())
	a.openReports()
	a.chats.Resume()
	a.watchCertificates()
	a.jobs.Start()
	a.startKeeping()
	a.outside.runner.Start()
	a.startRecords()
	a.sip.Start()
}

// Ready says whether new calls are taken; the error is for /readyz.
func (a *App) Ready(ctx context.Context) error {
	if a.draining.Load() {
		return errors.New("shutting down")
	}
	return errors.Join(a.db.Ping(ctx), a.keeping.guard.ready())
}

// Drain refuses new calls at once, lets the live ones finish until ctx ends, and then ends the rest. When it returns
// every contact record is final.
func (a *App) Drain(ctx context.Context) {
	a.draining.Store(true)
	a.sip.Drain()
	a.calls.Drain(ctx)
}

// Close stops everything. Recordings that are not uploaded yet stay in the spool, with their jobs.
func (a *App) Close() error {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	a.Drain(ended)
	return a.life.stop()
}
