package chat_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/storage"
)

// world is a Manager on a real database, with flows and queues by hand, in virtual time.
type world struct {
	t      *testing.T
	m      *chat.Manager
	db     *storage.DB
	store  *flaky
	flows  *scripts
	queues *line
	blobs  *shelf
	n      atomic.Int64
}

// flaky is a store that is away while down is set.
type flaky struct {
	*storage.DB
	down atomic.Bool
}

func (f *flaky) SaveChat(ctx context.Context, c chat.Commit) error {
	if f.down.Load() {
		return errs.New(errs.Unavailable, "the database is away")
	}
	return f.DB.SaveChat(ctx, c)
}

// scripts are flows: one function for each kind. What has none waits until it is ended.
type scripts struct {
	mu sync.Mutex
	by map[chat.FlowKind]func(context.Context, *chat.Control) chat.FlowOutcome
	n  map[chat.FlowKind]int
}

func (f *scripts) Run(ctx context.Context, r chat.FlowRun) chat.FlowOutcome {
	f.mu.Lock()
	f.n[r.Kind]++
	do := f.by[r.Kind]
	f.mu.Unlock()
	if do == nil {
		<-ctx.Done()
		return chat.FlowLeft
	}
	return do(ctx, r.Control)
}

func (f *scripts) runs(k chat.FlowKind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n[k]
}

// line is the ACD: it remembers what it is told.
type line struct {
	mu      sync.Mutex
	waiting map[string]chat.Enqueue
	told    []string
	err     error
}

func (q *line) Enqueue(_ context.Context, e chat.Enqueue) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return q.err
	}
	q.waiting[e.ContactID] = e
	return nil
}

func (q *line) tell(what string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.told = append(q.told, what)
}

func (q *line) last() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.told) == 0 {
		return ""
	}
	return q.told[len(q.told)-1]
}

func (q *line) Leave(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, id)
}
func (q *line) Reorder(string, chat.Routing) {}
func (q *line) OfferResult(_, id string, r chat.OfferResult) {
	q.tell(fmt.Sprint("result ", id, " ", int(r)))
}
func (q *line) Joined(_, id string)    { q.tell("joined " + id) }
func (q *line) AgentDone(_, id string) { q.tell("done " + id) }

func (q *line) waits(id string) (chat.Enqueue, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, ok := q.waiting[id]
	return e, ok
}

// shelf keeps files in memory.
type shelf struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (b *shelf) Put(_ context.Context, key string, body io.Reader, _ int64, _ string) error {
	data, err := io.ReadAll(body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files[key] = data
	return err
}

func (b *shelf) Open(_ context.Context, key string) (io.ReadCloser, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, ok := b.files[key]
	if !ok {
		return nil, 0, os.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
}

type oneInstance struct{}

func (oneInstance) Alias(id string) (string, bool) { return "acme", id == "i" }

func inWorld(t *testing.T, f func(ctx context.Context, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, err := storage.Open(t.Context(), storage.Options{Driver: storage.SQLite, URL: storage.Memory, SyncOff: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{
			t: t, db: db, store: &flaky{DB: db}, blobs: &shelf{files: map[string][]byte{}},
			flows:  &scripts{by: map[chat.FlowKind]func(context.Context, *chat.Control) chat.FlowOutcome{}, n: map[chat.FlowKind]int{}},
			queues: &line{waiting: map[string]chat.Enqueue{}},
		}
		w.flows.by[chat.FlowInbound] = func(ctx context.Context, c *chat.Control) chat.FlowOutcome {
			if c.Queue(ctx, chat.Queue{ID: "q", Name: "Q"}) != nil {
				return chat.FlowFailed
			}
			return chat.FlowQueued
		}
		w.open()
		defer func() {
			w.m.Close()
			_ = db.Close()
		}()
		f(t.Context(), w)
	})
}

// open begins a process; what the one before left goes on.
func (w *world) open() {
	w.t.Helper()
	w.m = chat.NewManager(chat.Options{
		Node: "n", Store: w.store, Flows: w.flows, Queues: w.queues, Blobs: w.blobs, Instances: oneInstance{},
		NewID: func() string { return fmt.Sprint("id", w.n.Add(1)) }, MaxChats: 3,
	})
	w.must(w.m.Load(w.t.Context()))
	w.m.Resume()
	synctest.Wait()
}

// again ends the process and begins another.
func (w *world) again() {
	w.t.Helper()
	w.m.Close()
	w.queues.mu.Lock()
	clear(w.queues.waiting)
	w.queues.mu.Unlock()
	w.open()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// begin starts a chat.
func (w *world) begin(ctx context.Context) chat.Started {
	w.t.Helper()
	s, err := w.m.StartChat(ctx, chat.StartChat{InstanceID: "i", FlowID: "main", DisplayName: "Kim", Attributes: map[string]string{"a": "b"}})
	w.must(err)
	return s
}

// connect connects a participant, with a socket.
func (w *world) connect(ctx context.Context, token string) (chat.Who, *chat.Subscription) {
	w.t.Helper()
	c, err := w.m.Connect(ctx, token)
	w.must(err)
	who, err := w.m.Who(ctx, c.Token)
	w.must(err)
	sub, err := w.m.Open(ctx, c.SocketToken)
	w.must(err)
	synctest.Wait()
	return who, sub
}

// talk has a customer and an agent in a chat.
func (w *world) talk(ctx context.Context) (s chat.Started, customer, agent chat.Who) {
	w.t.Helper()
	s = w.begin(ctx)
	customer, _ = w.connect(ctx, s.Token)
	w.offer(s.ContactID, "o1")
	c, err := w.m.Accept(ctx, "i", s.ContactID, "lee")
	w.must(err)
	agent, _ = w.connect(ctx, c.Token)
	return s, customer, agent
}

func (w *world) offer(contactID, id string) {
	w.t.Helper()
	if _, ok := w.queues.waits(contactID); !ok {
		w.t.Fatalf("%s does not wait", contactID)
	}
	w.m.Offer("i", chat.Offer{ID: id, ContactID: contactID, Agent: contact.AgentInfo{ID: "lee", Username: "lee"}, Name: "Lee", RingTime: 20 * time.Second})
	synctest.Wait()
}

func (w *world) record(id string) *contact.Record {
	w.t.Helper()
	r, err := w.db.Contact(w.t.Context(), "i", id)
	w.must(err)
	return r
}

// texts is what was said, by the transcript of a participant.
func (w *world) texts(ctx context.Context, who chat.Who) []string {
	w.t.Helper()
	page, err := w.m.Page(ctx, who, chat.TranscriptQuery{Max: 100, Ascending: true})
	w.must(err)
	var list []string
	for _, it := range page.Items {
		if it.Type == chat.TypeMessage {
			list = append(list, it.Content)
		}
	}
	return list
}

func (w *world) say(ctx context.Context, who chat.Who, text string) error {
	_, err := w.m.Say(ctx, who, text, chat.Plain, "")
	return err
}
