package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"

	"ullim/acd"
	"ullim/internal/api"
	"ullim/internal/api/admin"
	"ullim/internal/api/apitest"
	"ullim/internal/api/connect"
	"ullim/internal/api/participant"
	"ullim/internal/calendar"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/recording"
	"ullim/internal/resource"
	"ullim/internal/stream"
	"ullim/internal/trace"
	"ullim/internal/view"
	"ullim/internal/webhook"
	"ullim/ivr"
	"ullim/prompts"
	"ullim/sip"
	"ullim/storage"
)

// Ids of the two tenants of every test.
const (
	ours   = "11111111-1111-4111-8111-111111111111"
	theirs = "22222222-2222-4222-8222-222222222222"
)

// world is the API over memory, with two instances. Each has an administrator.
type world struct {
	traces  *trace.Recorder
	t       *testing.T
	server  *httptest.Server
	handler *api.API
	o       api.Options
	log     *syncBuffer
	agents  *fakeAgents
	routes  *fakeRouting
	line    *fakeLine
	blobs   *fakeBlobs
	records *fakeContacts
	calls   *fakeCalls
	ready   error
	keys    map[string]*identity.NewKey // by username
	hours   string                      // ids of what ours begins with
	queue   string
	routing string
	status  string
	flow    string
	profile map[string]string // security profiles by name

	db          *storage.DB // of what tells of contacts
	refuse      error       // why a dead letter is not taken
	redelivered []string

	runs      []ivr.StoredRun // the run log of flows
	asked     ivr.RunQuery
	askedPage resource.Page
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, nil)
}

// newWorldWith is one with buckets for prompts.
func newWorldWith(t *testing.T, buckets connect.PromptBuckets) *world {
	t.Helper()
	mem := apitest.NewWorld()
	sealer, err := identity.NewSealer(bytes.Repeat([]byte{1}, 32))
	must(t, err)
	w := &world{
		traces: trace.New(trace.Options{}),
		t:      t, log: &syncBuffer{}, agents: &fakeAgents{}, routes: &fakeRouting{}, line: newFakeLine(), blobs: &fakeBlobs{files: map[string][]byte{}},
		records: &fakeContacts{}, calls: &fakeCalls{}, keys: map[string]*identity.NewKey{},
	}
	keys := apitest.NewStore(mem, func() *identity.AccessKey { return new(identity.AccessKey) })
	flowStore, moduleStore := apitest.NewFlowStore(mem, ivr.TypeInbound), apitest.NewFlowStore(mem, ivr.TypeModule)
	flows, modules := ivr.NewService(flowStore), ivr.NewModules(moduleStore)
	shelf := &prompts.Shelf{Store: apitest.NewStore(mem, func() *prompts.Prompt { return new(prompts.Prompt) }), Files: w.blobs, Log: slog.New(slog.DiscardHandler)}
	c := connect.Options{
		Instances:        apitest.NewStore(mem, func() *identity.Instance { return new(identity.Instance) }),
		Users:            apitest.NewStore(mem, func() *identity.User { return new(identity.User) }),
		Groups:           apitest.NewStore(mem, func() *identity.HierarchyGroup { return new(identity.HierarchyGroup) }),
		SecurityProfiles: apitest.NewStore(mem, func() *identity.SecurityProfile { return new(identity.SecurityProfile) }),
		AccessKeys:       keys,
		Devices:          apitest.NewStore(mem, func() *sip.Device { return new(sip.Device) }),
		Queues:           apitest.NewStore(mem, func() *acd.Queue { return new(acd.Queue) }),
		Hours:            apitest.NewStore(mem, func() *acd.Hours { return new(acd.Hours) }),
		RoutingProfiles:  apitest.NewStore(mem, func() *acd.RoutingProfile { return new(acd.RoutingProfile) }),
		AgentStatuses:    apitest.NewStore(mem, func() *acd.AgentStatus { return new(acd.AgentStatus) }),
		Prompts:          shelf.Store,
		Numbers:          apitest.NewStore(mem, func() *call.Number { return new(call.Number) }),
		Functions:        apitest.NewStore(mem, func() *webhook.Function { return new(webhook.Function) }),
		PromptBuckets:    buckets,
		Views:            apitest.NewStore(mem, func() *view.View { return new(view.View) }),
		Attributes:       apitest.NewStore(mem, func() *identity.PredefinedAttribute { return new(identity.PredefinedAttribute) }),
		QuickConnects:    apitest.NewStore(mem, func() *acd.QuickConnect { return new(acd.QuickConnect) }),
		StorageConfigs:   apitest.NewStore(mem, func() *recording.StorageConfig { return new(recording.StorageConfig) }),
		Places:           fakePlaces{},
		Flows:            flows,
		Modules:          modules,
		Agents:           w.agents,
		PromptFiles:      shelf,
		Contacts:         w.records,
		Calls:            w.calls,
	}
	flows.Finders = map[resource.Kind]ivr.Finder{
		resource.KindQueue:      ivr.FinderOf(c.Queues, resource.KindQueue),
		resource.KindFlow:       ivr.FinderOf[*ivr.Flow](flowStore, resource.KindFlow),
		resource.KindFlowModule: ivr.FinderOf[*ivr.Flow](moduleStore, resource.KindFlowModule),
	}
	modules.Finders = flows.Finders
	w.o = api.Options{
		Log:     slog.New(slog.NewJSONHandler(w.log, nil)),
		Connect: c,
		Admin: admin.Options{
			Instances: c.Instances, Users: c.Users, SecurityProfiles: c.SecurityProfiles, AccessKeys: keys,
			Trunks:  apitest.NewStore(mem, func() *sip.Trunk { return new(sip.Trunk) }),
			Devices: c.Devices, Numbers: c.Numbers, Prompts: c.Prompts, Sealer: sealer, Realm: "ullim",
			Flows:         ivr.Library{Flows: flows, Modules: modules},
			Registrations: w, Contacts: w.records, Calls: w.calls, Recordings: fakeRecordings{w.blobs, w.records}, PromptFiles: shelf, Traces: w.traces,
			Holds: &fakeHolds{contacts: w.records, held: map[string]*recording.Hold{}}, RetentionPolicies: apitest.NewStore(mem, func() *recording.Policy { return new(recording.Policy) }),
			OutboundPolicies: apitest.NewStore(mem, func() *sip.OutboundPolicy { return new(sip.OutboundPolicy) }),
			Guard:            guardOf(t), Waiting: waitingOf{}, Hours: c.Hours, FlowRuns: w,
			Functions:         c.Functions,
			AudioDestinations: apitest.NewStore(mem, func() *stream.Destination { return new(stream.Destination) }),
			CheckURL:          checkURL(t),
			System:            func(context.Context) admin.System { return admin.System{Version: "test", Node: "n1", Calls: 3} },
		},
		Ready: func() error { return w.ready },
		Metrics: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(rw, "ullim_up 1\n")
		}),
	}
	w.tellers(mem)
	chats := newChats(t, w.o.Log)
	w.o.Connect.Line, w.o.Connect.Reports = w.line, w.line
	w.o.Connect.Routing, w.o.Admin.Routing, w.o.Admin.Callbacks, w.o.Admin.Queues = w.routes, w.routes, w.routes, c.Queues
	w.o.Connect.Chats, w.o.Admin.AgentContacts, w.o.Participant = chats, chats, participant.Options{Chats: chats, Views: c.Views, Origins: []string{"www.example.com"}, Rate: 20, Burst: 60}
	w.o.Auth, err = identity.NewAuthenticator(identity.AuthOptions{
		Keys: keyFinder{keys}, Users: c.Users, Profiles: c.SecurityProfiles, Sealer: sealer, Log: w.o.Log,
	})
	must(t, err)
	w.handler, err = api.New(w.o)
	must(t, err)
	w.seed(ours, "acme", "admin")
	w.seed(theirs, "other", "boss")
	w.server = httptest.NewServer(w.handler)
	t.Cleanup(w.server.Close)
	return w
}

// seed makes an instance with hours, a queue, a routing profile, statuses, security profiles and an administrator.
func (w *world) seed(instanceID, alias, admin string) {
	w.t.Helper()
	ctx, c := w.t.Context(), w.o.Connect
	meta := func(name string) resource.Meta { return resource.Meta{InstanceID: instanceID, Name: name} }
	instance := &identity.Instance{Meta: meta(alias), IdentityMode: identity.ConnectManaged, Region: "KR", InboundCallsEnabled: true}
	instance.ID = instanceID
	must(w.t, c.Instances.Create(ctx, instance))
	hours := &acd.Hours{Meta: meta("Basic Hours"), Hours: calendar.Hours{Zone: "Asia/Seoul", Slots: []calendar.Slot{
		{Day: "MONDAY", Start: calendar.Clock{Hour: 9}, End: calendar.Clock{Hour: 17}},
	}}}
	must(w.t, c.Hours.Create(ctx, hours))
	queue := &acd.Queue{Meta: meta("BasicQueue"), HoursID: hours.ID, Status: acd.QueueEnabled}
	must(w.t, c.Queues.Create(ctx, queue))
	routing := &acd.RoutingProfile{
		Meta: meta("Basic routing profile"), DefaultOutboundQueueID: queue.ID, AvailabilityTimer: acd.SinceLastActivity,
		Concurrencies: []acd.Concurrency{{Channel: contact.Voice, Limit: 1, CrossChannel: acd.CurrentChannelOnly}},
		Queues:        []acd.ProfileQueue{{QueueID: queue.ID, Channel: contact.Voice, Priority: 1}},
	}
	must(w.t, c.RoutingProfiles.Create(ctx, routing))
	status := &acd.AgentStatus{Meta: meta("Available"), Type: acd.Routable, DisplayOrder: 1}
	must(w.t, c.AgentStatuses.Create(ctx, status))
	must(w.t, c.AgentStatuses.Create(ctx, &acd.AgentStatus{Meta: meta("Offline"), Type: acd.Offline}))
	flow := &ivr.Flow{Meta: meta("Main"), Type: ivr.TypeInbound, Content: goodFlow}
	must(w.t, c.Flows.Create(ctx, flow, ivr.Published))
	profiles := map[string]string{}
	for _, p := range identity.DefaultSecurityProfiles(instanceID) {
		must(w.t, c.SecurityProfiles.Create(ctx, p))
		profiles[p.Name] = p.ID
	}
	if instanceID == ours {
		w.hours, w.queue, w.routing, w.status, w.flow = hours.ID, queue.ID, routing.ID, status.ID, flow.ID
		w.profile = profiles
	}
	w.person(instanceID, routing.ID, admin, profiles[identity.ProfileAdmin])
}

// person adds a user with an access key.
func (w *world) person(instanceID, routing, name string, profiles ...string) *identity.User {
	w.t.Helper()
	u := &identity.User{
		Meta: resource.Meta{InstanceID: instanceID, Name: name}, RoutingProfileID: routing, SecurityProfileIDs: profiles,
		Phone: identity.PhoneConfig{PhoneType: identity.SoftPhone},
	}
	must(w.t, w.o.Connect.Users.Create(w.t.Context(), u))
	k, err := identity.NewAccessKey(w.o.Admin.Sealer, instanceID, u.ID)
	must(w.t, err)
	must(w.t, w.o.Connect.AccessKeys.Create(w.t.Context(), k.Key))
	w.keys[name] = k
	return u
}

// client is the AWS SDK as it is, but for the endpoint.
func (w *world) client(username string) *awsconnect.Client { return w.clientAt(username, w.server.URL) }

func (w *world) clientAt(username, endpoint string) *awsconnect.Client {
	k := w.keys[username]
	return awsconnect.New(awsconnect.Options{
		BaseEndpoint: aws.String(endpoint), Region: "ap-northeast-2", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(k.ID, k.Secret, ""),
	})
}

// do sends a request with a bearer token and gives status, error name and body.
func (w *world) do(username, method, path, body string) (status int, errorType string, answer []byte) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	must(w.t, err)
	if username != "" {
		req.Header.Set("Authorization", "Bearer "+w.keys[username].Token)
	}
	resp, err := w.server.Client().Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	must(w.t, err)
	if resp.Header.Get("x-amzn-RequestId") == "" && !strings.HasPrefix(path, "/healthz") {
		w.t.Errorf("%s %s: no request id", method, path)
	}
	return resp.StatusCode, resp.Header.Get("x-amzn-ErrorType"), answer
}

// admin calls /admin/v1 as a user, wants 200 and decodes the answer.
func (w *world) admin(username, method, path, body string, into any) {
	w.t.Helper()
	status, name, answer := w.do(username, method, "/admin/v1"+path, body)
	if status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s %s", method, path, status, name, answer)
	}
	if into != nil {
		must(w.t, json.Unmarshal(answer, into))
	}
}

// Registrations implements admin.Registrations.
func (w *world) Registrations(context.Context) ([]sip.Registration, error) {
	ds, _, err := w.o.Connect.Devices.List(w.t.Context(), ours, resource.Page{})
	var rs []sip.Registration
	for _, d := range ds {
		rs = append(rs, sip.Registration{
			DeviceID: d.ID, InstanceID: ours, Contact: "sip:x@192.0.2.1", Source: "192.0.2.1:5060", Transport: "UDP",
		})
	}
	return rs, err
}

// Runs implements ivr.RunReader: it shows what was asked.
func (w *world) Runs(_ context.Context, q ivr.RunQuery, p resource.Page) ([]ivr.StoredRun, string, error) {
	w.asked, w.askedPage = q, p
	return w.runs, "more", nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// goodFlow greets and hangs up.
const goodFlow = `{"Version":"2019-10-30","StartAction":"a","Actions":[
	{"Identifier":"a","Type":"MessageParticipant","Parameters":{"Text":"Hello"},
	 "Transitions":{"NextAction":"b","Errors":[{"NextAction":"b","ErrorType":"NoMatchingError"}],"Conditions":[]}},
	{"Identifier":"b","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`

type keyFinder struct {
	store *apitest.Store[*identity.AccessKey]
}

func (k keyFinder) find(ctx context.Context, match func(*identity.AccessKey) bool) (*identity.AccessKey, error) {
	for _, instance := range []string{ours, theirs} {
		all, err := resource.All(ctx, k.store, instance)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(all, match); i >= 0 {
			return all[i], nil
		}
	}
	return nil, errs.New(errs.NotFound, "no such key")
}

func (k keyFinder) FindAccessKey(ctx context.Context, id string) (*identity.AccessKey, error) {
	return k.find(ctx, func(a *identity.AccessKey) bool { return a.Name == id })
}

func (k keyFinder) FindByTokenHash(ctx context.Context, sum string) (*identity.AccessKey, error) {
	return k.find(ctx, func(a *identity.AccessKey) bool { return a.TokenSHA256 == sum })
}

// fakeAgents remembers what was asked of it.
type fakeAgents struct {
	mu    sync.Mutex
	asked []string
	err   error
	now   []acd.AgentSnapshot
}

func (f *fakeAgents) SetStatus(_ context.Context, instanceID, userID, statusID string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, "status "+instanceID+" "+userID+" "+statusID)
	return f.err
}

func (f *fakeAgents) Dismiss(_ context.Context, instanceID, userID, contactID string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, "dismiss "+instanceID+" "+userID+" "+contactID)
	return f.err
}

func (f *fakeAgents) CurrentUsers(instanceID string) []acd.AgentSnapshot {
	if instanceID != ours {
		return nil
	}
	return f.now
}

// fakeBlobs keeps audio.
type fakeBlobs struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (f *fakeBlobs) PutAudio(_ context.Context, key string, wav []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[key] = wav
	return nil
}

func (f *fakeBlobs) HasAudio(_ context.Context, key string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.files[key]
	return ok, nil
}

func (f *fakeBlobs) GetAudio(_ context.Context, key string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b, ok := f.files[key]; ok {
		return b, nil
	}
	return nil, errs.New(errs.NotFound, "no such file")
}

func (f *fakeBlobs) DeleteAudio(_ context.Context, key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.files, key)
	return nil
}

func (f *fakeBlobs) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.files)
}

// fakeContacts are contact records, newest first.
type fakeContacts struct{ records []*contact.Record }

func (f *fakeContacts) Contact(_ context.Context, instanceID, id string) (*contact.Record, error) {
	for _, r := range f.records {
		if r.InstanceID == instanceID && r.ID == id {
			return r, nil
		}
	}
	return nil, errs.New(errs.NotFound, "contact not found")
}

// syncBuffer is a log that a test may read while others write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
