package chat

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/events"
)

// Bounds of how long contacts last.
const (
	MinDuration     = 60 * time.Minute
	MaxDuration     = 10080 * time.Minute
	DefaultDuration = 25 * time.Hour
	taskDuration    = 7 * 24 * time.Hour
	connectTime     = 5 * time.Minute
	maxAhead        = 6 * 24 * time.Hour // that a task may be scheduled
)

// Options are what a Manager needs. Closed, Events and Log may be nil; a limit of 0 is none.
type Options struct {
	Node      string
	Store     Store
	Flows     Flows
	Queues    Queues
	Blobs     Blobs
	Instances Instances
	Events    *events.Recorder
	Log       *slog.Logger
	NewID     func() string
	MaxChats  int // of an instance at once
	MaxTasks  int
	Closed    func(*contact.Record)
	// Process passes a message through the function of a Processor and gives what is to be said; nil: there are no functions.
	Process func(ctx context.Context, s *State, p Processor, message Item) (content, contentType string, err error)
}

// Counts grow with what happened since the start.
type Counts struct {
	Started, Messages, Sockets, SocketsSlow, Refused, Rejected, Panics atomic.Uint64
}

// Manager has all chats and tasks of this process. Its methods are safe from any goroutine.
type Manager struct {
	o       Options
	counts  Counts
	ctx     context.Context //nolint:containedctx // the life of the process, for actors that outlive requests
	cancel  context.CancelFunc
	uploads chan struct{} // as many files at once as have room in memory

	mu       sync.Mutex
	chats    map[string]*actor // by chat id
	segments map[string]*actor // by contact id of the present segment
	loaded   []*actor          // wait for Resume
	stopped  bool
	work     sync.WaitGroup
}

// maxUploads is how many files are read at once.
const maxUploads = 8

// NewManager makes a Manager; Load and Resume bring back what a process before has left.
func NewManager(o Options) *Manager {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Closed == nil {
		o.Closed = func(*contact.Record) {}
	}
	m := &Manager{
		o: o, chats: map[string]*actor{}, segments: map[string]*actor{}, uploads: make(chan struct{}, maxUploads),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Load reads the open chats of this node. They are known from then on (Keeps answers), and work after Resume.
func (m *Manager) Load(ctx context.Context) error {
	open, err := m.o.Store.OpenChats(ctx, m.o.Node)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range open {
		a := newActor(m, s)
		m.chats[s.ID], m.segments[s.Record.ID] = a, a
		m.loaded = append(m.loaded, a)
	}
	return nil
}

// Resume lets the loaded chats go on.
func (m *Manager) Resume() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.loaded {
		a.mail <- message{event: Event{Kind: EvResumed}} // it is empty yet
		m.work.Go(func() { a.run(m.ctx) })
	}
	if n := len(m.loaded); n > 0 {
		m.o.Log.Info("chats and tasks go on", "contacts", n)
	}
	m.loaded = nil
}

// Close ends all goroutines. The chats stay open, for the next start.
func (m *Manager) Close() {
	m.mu.Lock()
	m.stopped = true
	m.mu.Unlock()
	m.cancel()
	m.work.Wait()
}

// Counts are the counters, for metrics.
func (m *Manager) Counts() *Counts { return &m.counts }

// Live is how many contacts of a channel there are.
func (m *Manager) Live(c contact.Channel) int { return m.live("", c) }

func (m *Manager) live(instanceID string, c contact.Channel) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, a := range m.chats {
		if s := a.snap.Load(); s.Channel == c && (instanceID == "" || s.InstanceID == instanceID) {
			n++
		}
	}
	return n
}

// gone forgets an actor that has ended.
func (m *Manager) gone(a *actor) {
	s := a.snap.Load()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.chats, s.ID)
	for id, other := range m.segments {
		if other == a {
			delete(m.segments, id)
		}
	}
}

// moved notes the present segment of a chat. Earlier segments still lead to it: their offers come late.
func (m *Manager) moved(a *actor) { m.lead(a.snap.Load().Record.ID, a) }

// lead has offers for a contact find an actor.
func (m *Manager) lead(id string, a *actor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.segments[id] = a
}

func (m *Manager) closed(r *contact.Record) { m.o.Closed(r) }

// chat finds a live chat by its id, nil if there is none.
func (m *Manager) chat(id string) *actor {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.chats[id]
}

// contact finds a live contact of an instance, by the id of any of its segments. errs.NotFound.
func (m *Manager) contact(instanceID, id string) (*actor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.segments[id]; a != nil && a.snap.Load().InstanceID == instanceID {
		return a, nil
	}
	return nil, errs.New(errs.NotFound, "contact %s is not live", id)
}

// Has reports whether a contact is a live chat or task.
func (m *Manager) Has(instanceID, contactID string) bool {
	_, err := m.contact(instanceID, contactID)
	return err == nil
}

// Message is the first message of a customer.
type Message struct{ Content, ContentType string }

// StartChat is a chat to be started.
type StartChat struct {
	InstanceID, FlowID, DisplayName, ClientToken, CustomerID, Related string
	Attributes                                                        map[string]string
	Initial                                                           *Message
	Duration                                                          time.Duration // 0: DefaultDuration
	Source                                                            string        // contact that it goes on from
	Entire                                                            bool          // with its whole past, not one segment
	Accepts                                                           []string      // content types that the client shows; empty: all
}

// Started is a chat that was started. Token is the customer's.
type Started struct {
	ContactID, ParticipantID, Token, ContinuedFrom string
}

// StartChat begins a chat. Started again with the same client token it gives the same chat, with a new token.
func (m *Manager) StartChat(ctx context.Context, r StartChat) (Started, error) {
	if err := r.check(); err != nil {
		return Started{}, err
	}
	if old, err := m.again(ctx, r.InstanceID, contact.Chat, r.ClientToken); err != nil || old != nil {
		return m.startedAgain(ctx, old, err)
	}
	if m.o.MaxChats > 0 && m.live(r.InstanceID, contact.Chat) >= m.o.MaxChats {
		m.counts.Refused.Add(1)
		return Started{}, errs.New(errs.Limit, "the instance has %d chats at once", m.o.MaxChats)
	}
	now := time.Now()
	s, err := m.fresh(r.InstanceID, contact.Chat, r.FlowID, r.ClientToken, now)
	if err != nil {
		return Started{}, err
	}
	s.Phase, s.ConnectBy, s.Expires = Waiting, now.Add(connectTime), now.Add(cmp.Or(r.Duration, DefaultDuration))
	s.Record.Attributes, s.Record.CustomerID, s.Related = maps.Clone(r.Attributes), r.CustomerID, r.Related
	s.Accepts, s.Record.RelatedContactID = r.Accepts, r.Related
	p := Participant{ID: m.o.NewID(), Role: Customer, DisplayName: r.DisplayName}
	s.Participants = []Participant{p}
	b := &machine{s: s, e: Event{At: now}, id: m.o.NewID}
	if r.Source != "" {
		if err = m.goOn(ctx, s, r); err != nil {
			return Started{}, err
		}
		b.note(eventRehydrated, nil)
	}
	if r.Initial != nil {
		b.count(Customer)
		b.put(Item{
			Type: TypeMessage, Content: r.Initial.Content, ContentType: r.Initial.ContentType, ParticipantID: p.ID,
			ParticipantRole: Customer, DisplayName: p.DisplayName,
		})
	}
	a, err := m.create(ctx, s, b.fx.Items)
	if errs.Is(err, errs.Duplicate) { // two at the same time
		old, againErr := m.again(ctx, r.InstanceID, contact.Chat, r.ClientToken)
		return m.startedAgain(ctx, old, againErr)
	}
	if err != nil {
		return Started{}, err
	}
	if r.Initial != nil {
		a.typed.put(Typed{r.Initial.Content, r.Initial.ContentType})
	}
	return m.customerToken(ctx, s)
}

func (r *StartChat) check() error {
	if err := checkName(r.DisplayName); err != nil {
		return err
	}
	if r.Duration != 0 && (r.Duration < MinDuration || r.Duration > MaxDuration) {
		return errs.Field("ChatDurationInMinutes", "must be 60 to 10080")
	}
	if err := checkStart(r.ClientToken, r.Attributes); err != nil {
		return err
	}
	if r.Initial != nil {
		return CheckMessage(r.Initial.ContentType, r.Initial.Content)
	}
	return nil
}

func checkStart(clientToken string, attributes map[string]string) error {
	if len(clientToken) > 500 || !utf8.ValidString(clientToken) {
		return errs.Field("ClientToken", "must have at most 500 characters")
	}
	n := 0
	for k, v := range attributes {
		n += len(k) + len(v)
	}
	if n > contact.MaxAttributeBytes {
		return errs.Field("Attributes", "must have at most %d bytes", contact.MaxAttributeBytes)
	}
	return nil
}

// fresh is a contact that begins.
func (m *Manager) fresh(instanceID string, c contact.Channel, flowID, clientToken string, now time.Time) (*State, error) {
	alias, ok := m.o.Instances.Alias(instanceID)
	if !ok {
		return nil, errs.New(errs.NotFound, "no instance %s", instanceID)
	}
	id := m.o.NewID()
	return &State{
		ID: id, InstanceID: instanceID, Alias: alias, Node: m.o.Node, Channel: c, FlowID: flowID, ClientToken: clientToken, Version: 1,
		Record: contact.Record{
			ID: id, InstanceID: instanceID, InitialContactID: id, Node: m.o.Node, Channel: c, InitiationMethod: contact.API, FlowID: flowID,
			InitiationTimestamp: now, LastUpdateTimestamp: now,
		},
	}, nil
}

// create stores a new contact and brings it to life.
func (m *Manager) create(ctx context.Context, s *State, items []Item) (*actor, error) {
	record := cloneRecord(s.Record)
	if err := m.o.Store.CreateChat(ctx, Commit{State: s, Items: items, Create: &record}); err != nil {
		return nil, err
	}
	a := newActor(m, s)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped {
		return nil, errs.New(errs.Unavailable, "shutting down")
	}
	m.chats[s.ID], m.segments[s.Record.ID] = a, a
	m.work.Go(func() { a.run(m.ctx) })
	m.counts.Started.Add(1)
	m.o.Events.Record(events.Event{At: time.Now(), Kind: "INITIATED", InstanceID: s.InstanceID, ContactID: s.ID})
	return a, nil
}

// again finds what was started with a client token; nil if nothing was.
func (m *Manager) again(ctx context.Context, instanceID string, c contact.Channel, token string) (*State, error) {
	if token == "" {
		return nil, nil
	}
	s, err := m.o.Store.ChatByClientToken(ctx, instanceID, c, token)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	return s, err
}

func (m *Manager) startedAgain(ctx context.Context, s *State, err error) (Started, error) {
	if err != nil {
		return Started{}, err
	}
	return m.customerToken(ctx, s)
}

func (m *Manager) customerToken(ctx context.Context, s *State) (Started, error) {
	p := s.Participants[0]
	token, err := m.newToken(ctx, Token{Kind: TokenParticipant, ChatID: s.ID, ParticipantID: p.ID, Expires: s.Expires})
	return Started{ContactID: s.ID, ParticipantID: p.ID, Token: token, ContinuedFrom: s.ContinuedFrom}, err
}

// goOn lets a new chat show what was said in an earlier one, which must have ended.
func (m *Manager) goOn(ctx context.Context, s *State, r StartChat) error {
	old, err := m.o.Store.Contact(ctx, r.InstanceID, r.Source)
	if err != nil {
		return err
	}
	chatID := cmp.Or(old.InitialContactID, old.ID)
	past, err := m.o.Store.Chat(ctx, chatID)
	switch {
	case err != nil:
		return err
	case past.Channel != contact.Chat || past.Phase != Ended:
		return errs.New(errs.InvalidRequest, "contact %s is not a chat that has ended", r.Source)
	}
	if r.Entire {
		s.Sources = append(append([]string{}, past.Sources...), past.ID)
		if len(s.Sources) > maxSources {
			s.Sources = s.Sources[len(s.Sources)-maxSources:]
		}
	} else {
		s.Sources, s.SourceSegment = []string{past.ID}, old.ID
	}
	s.ContinuedFrom = old.ID
	return nil
}

// maxSources is how many past chats a transcript reaches back to.
const maxSources = 10
