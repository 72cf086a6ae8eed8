package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/ivr"
	"ullim/storage"
	"ullim/storage/blob"
)

// ChatOptions say how chats are reached.
type ChatOptions struct {
	Origins  []string // hosts of web pages that may use the participant service
	MaxChats int      // of an instance at once
	MaxTasks int
	KeepDays int // of what was written, after the end; 0: for ever
}

// openChats makes the manager of chats and tasks, and reads what a process before has left.
func (a *App) openChats(ctx context.Context) error {
	a.chats = chat.NewManager(chat.Options{
		Node: a.o.Node, Store: a.db, Flows: chatFlows{a}, Queues: chatQueues{a.centers}, Blobs: chatBlobs{a.blobs},
		Instances: aliases{a.dir}, Events: a.events, Log: a.log, NewID: uuid.NewString, MaxChats: a.o.Chat.MaxChats,
		MaxTasks: a.o.Chat.MaxTasks, Process: a.outside.processMessage,
		Closed: func(r *contact.Record) {
			a.metrics.ContactClosed(r.DisconnectReason)
			if len(r.Recordings) > 0 {
				a.keeping.runner.Wake()
			}
		},
	})
	a.engine.Tasks = tasks{a}
	a.centers.chats = a.chats
	a.life.onStopDo("chats", a.chats.Close)
	a.keepChats()
	return a.chats.Load(ctx)
}

// observeChats lets Prometheus read what is counted of chats and tasks.
func (a *App) observeChats() error {
	count := func(f func() uint64) func() float64 { return func() float64 { return float64(f()) } }
	n := a.chats.Counts()
	return errors.Join(
		a.metrics.GaugeFunc("ullim_chats_active", "Chats now.", func() float64 { return float64(a.chats.Live(contact.Chat)) }),
		a.metrics.GaugeFunc("ullim_tasks_active", "Tasks now, those that wait for their time included.",
			func() float64 { return float64(a.chats.Live(contact.Task)) }),
		a.metrics.CounterFunc("ullim_chats_started_total", "Chats and tasks started.", count(n.Started.Load)),
		a.metrics.CounterFunc("ullim_chats_refused_total", "Chats and tasks refused because the instance has as many as it may.",
			count(n.Refused.Load)),
		a.metrics.CounterFunc("ullim_chat_messages_total", "Messages and files in chats, those of flows included.", count(n.Messages.Load)),
		a.metrics.CounterFunc("ullim_chat_messages_rejected_total", "Messages that the function of a message processor did not let through.",
			count(n.Rejected.Load)),
		a.metrics.CounterFunc("ullim_chat_sockets_total", "WebSockets of chats opened.", count(n.Sockets.Load)),
		a.metrics.CounterFunc("ullim_chat_sockets_slow_total", "WebSockets of chats closed because they did not keep up.",
			count(n.SocketsSlow.Load)),
	)
}

// chatFlows runs contact flows against chats and tasks: chat.Flows on the ivr.Engine.
type chatFlows struct{ a *App }

var _ chat.Flows = chatFlows{}

// Run interprets the flow that the contact names, or the instance's default of that kind.
func (f chatFlows) Run(ctx context.Context, r chat.FlowRun) chat.FlowOutcome {
	record := r.Control.Snapshot().Record
	flow, err := f.find(ctx, record.InstanceID, r)
	if ctx.Err() != nil {
		return chat.FlowLeft
	}
	if err != nil {
		if !errs.Is(err, errs.NotFound) || r.FlowID != "" {
			f.a.log.Error("no flow to run", "contact_id", record.ID, "flow_id", r.FlowID, "error", err)
		}
		return chat.FlowFailed
	}
	memory, _ := r.Control.Keep(func() any { return ivr.NewMemory() }).(*ivr.Memory)
	out, err := f.a.engine.Run(ctx, ivr.Run{
		Flow: flow, Participant: reader{r.Control, f.a.stores.views}, Contact: chatContact{c: r.Control, dir: f.a.dir, related: relations(f)}, Memory: memory,
	})
	if err != nil {
		f.a.log.Warn("flow failed", "contact_id", record.ID, "flow", flow.Name, "error", err)
	}
	switch out {
	case ivr.Disconnected:
		return chat.FlowDisconnected
	case ivr.Queued:
		return chat.FlowQueued
	case ivr.Left:
		return chat.FlowLeft
	case ivr.Failed:
		return chat.FlowFailed
	case ivr.Ended, ivr.Transferred:
	}
	return chat.FlowEnded
}

func (f chatFlows) find(ctx context.Context, instanceID string, r chat.FlowRun) (*ivr.Flow, error) {
	if r.FlowID != "" {
		return f.a.flows.Published(ctx, instanceID, r.FlowID)
	}
	if r.Kind == chat.FlowCustomerQueue {
		return f.a.flows.Default(ctx, instanceID, ivr.TypeCustomerQueue)
	}
	return nil, errs.New(errs.NotFound, "no flow is set")
}

// chatQueues is the ACD for chats and tasks: chat.Queues on the centers.
type chatQueues struct{ c *centers }

var _ chat.Queues = chatQueues{}

// Enqueue puts a contact in line.
func (q chatQueues) Enqueue(ctx context.Context, e chat.Enqueue) error {
	center, err := q.c.of(e.InstanceID)
	if err != nil {
		return err
	}
	steps, err := criteriaOf(stepsOf(e.Routing))
	if err != nil {
		return err
	}
	w := acd.Waiting{
		ContactID: e.ContactID, QueueID: e.QueueID, Channel: e.Channel, Since: e.Since, Priority: e.Routing.Priority,
		AgeAdjustment: e.Routing.AgeAdjustment, Method: e.Method, Owed: e.Owed,
	}
	if len(steps) > 0 {
		w.Criteria = &acd.Criteria{Steps: steps}
	}
	return center.Enqueue(ctx, w)
}

// Leave takes a contact out of line.
func (q chatQueues) Leave(contactID string) { q.c.Leave(contactID) }

// Reorder changes the order in which a contact is served.
func (q chatQueues) Reorder(contactID string, r chat.Routing) {
	q.c.Reorder(contactID, call.Routing{Priority: r.Priority, AgeAdjustment: r.AgeAdjustment, Steps: stepsOf(r)})
}

func stepsOf(r chat.Routing) []call.RoutingStep {
	var out []call.RoutingStep
	for _, s := range r.Steps {
		out = append(out, call.RoutingStep{Expression: s.Expression, Expiry: s.Expiry})
	}
	return out
}

func (q chatQueues) at(instanceID string, f func(*acd.Center)) {
	if center, err := q.c.of(instanceID); err == nil {
		f(center)
	}
}

// OfferResult tells how an offer came out.
func (q chatQueues) OfferResult(instanceID, offerID string, r chat.OfferResult) {
	results := map[chat.OfferResult]acd.Result{
		chat.OfferAnswered: acd.Answered, chat.OfferMissed: acd.Missed, chat.OfferRejected: acd.Rejected,
		chat.OfferCallerLeft: acd.CallerLeft,
	}
	q.at(instanceID, func(c *acd.Center) { c.OfferResult(offerID, results[r]) })
}

// Joined tells that agent and contact are together.
func (q chatQueues) Joined(instanceID, offerID string) {
	q.at(instanceID, func(c *acd.Center) { c.Joined(offerID) })
}

// AgentDone tells that the agent's part is over.
func (q chatQueues) AgentDone(instanceID, offerID string) {
	q.at(instanceID, func(c *acd.Center) { c.AgentDone(offerID) })
}

// offerChat hands an offer to the chat or task that waits.
func (c *centers) offerChat(instanceID string, o acd.Offer) {
	name := o.Agent.Username
	if who := c.o.Dir.agent(instanceID, o.Agent.UserID); who.FirstName != "" {
		name = who.FirstName
	}
	c.chats.Offer(instanceID, chat.Offer{
		ID: o.ID, ContactID: o.ContactID, RingTime: o.RingTime, AutoAccept: o.AutoAccept, Name: name,
		Agent: contact.AgentInfo{
			ID: o.Agent.UserID, Username: o.Agent.Username, RoutingProfileID: o.Agent.RoutingProfileID,
			RoutingProfileName: o.RoutingProfileName, HierarchyGroups: c.o.Dir.hierarchy(instanceID, o.Agent.UserID),
		},
	})
}

// keeps answers the ACD after a restart.
func (c *centers) keeps(r acd.Reservation) bool {
	return c.chats != nil && c.chats.Keeps(r.ContactID, r.OfferID)
}

// aliases is chat.Instances on the directory.
type aliases struct{ dir *directory }

// Alias is the name of an instance in keys of files.
func (d aliases) Alias(instanceID string) (string, bool) {
	i, ok := d.dir.Instance(instanceID)
	return i.Alias, ok
}

// chatBlobs is chat.Blobs on the blob store.
type chatBlobs struct{ blobs blob.Store }

var _ chat.Blobs = chatBlobs{}

// Put stores a file.
func (b chatBlobs) Put(ctx context.Context, key string, body io.Reader, size int64, sum string) error {
	return b.blobs.Put(ctx, key, body, size, sum)
}

// Open opens a file.
func (b chatBlobs) Open(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	body, info, err := b.blobs.Get(ctx, key)
	return body, info.Size, err
}

// tasks is ivr.Tasks on the chats.
type tasks struct{ a *App }

var _ ivr.Tasks = tasks{}

// CreateTask makes a task for a flow.
func (t tasks) CreateTask(ctx context.Context, k ivr.Task) (string, error) {
	flow, err := t.a.flows.Published(ctx, k.InstanceID, k.FlowID)
	if err != nil {
		return "", err
	}
	refs := make(map[string]contact.Reference, len(k.References))
	for name, r := range k.References {
		refs[name] = contact.Reference{Type: r.Type, Value: r.Value}
	}
	return t.a.chats.StartTask(ctx, chat.StartTask{
		InstanceID: k.InstanceID, FlowID: flow.ID, Name: k.Name, Description: k.Description, References: refs, Attributes: k.Attributes,
		At: k.At, Related: k.ContactID,
	})
}

// writeTranscript is the job that writes the transcript of a segment. It may run again after any failure.
func (a *App) writeTranscript(ctx context.Context, j jobs.Job) error {
	var p storage.TranscriptJob
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return jobs.Permanent(fmt.Errorf("payload: %w", err))
	}
	r, err := a.db.Contact(ctx, p.InstanceID, p.ContactID)
	if err != nil {
		return err
	}
	if p.Index >= len(r.Recordings) {
		return jobs.Permanent(errors.New("the contact has no such transcript"))
	}
	if r.Recordings[p.Index].Status != contact.RecordingSpooled {
		return nil // a crash came between the record and the end of the job
	}
	text, err := chat.Transcript(ctx, a.db, r)
	if err != nil {
		return err
	}
	return a.keeping.uploads.text(ctx, p, r.Recordings[p.Index], text)
}
