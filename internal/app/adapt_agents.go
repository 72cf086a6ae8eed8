package app

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"ullim/acd"
	"ullim/internal/api/agent"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/records"
	"ullim/storage"
)

// AgentOptions say how the channel of agents is reached.
type AgentOptions struct {
	Origins []string // hosts of web pages that may use it
}

var _ agent.Journal = (*storage.DB)(nil)

// openAgents makes the channel of agents.
func (a *App) openAgents(context.Context) error {
	sessions, err := identity.NewSessions(identity.SessionOptions{
		Store: a.db, Users: a.stores.users, Instance: a.dir.findInstance, Auth: a.auth, Log: a.log,
	})
	if err != nil {
		return err
	}
	channel, err := agent.New(agent.Options{
		Routing: agentRouting{a.centers}, Calls: a.calls, Moves: a.calls, Chats: a.chats, Contacts: a.db, Directory: agentDirectory{a},
		Sessions: sessions, Auth: a.auth, Journal: a.db, Paper: agentPaper{a}, Manual: agentManual{a}, Origins: a.o.Agent.Origins, Log: a.log,
	})
	if err != nil {
		return err
	}
	a.sessions = sessions
	a.channel.Store(channel)
	a.life.onStopDo("agent channel", channel.Close)
	return nil
}

// agentChanged tells the channel that something about a user may look different.
func (a *App) agentChanged(userID string) {
	if c := a.channel.Load(); c != nil {
		c.Wake(userID)
	}
}

// routed tells the channel that routing has published something.
func (a *App) routed(instanceID string) {
	if c := a.channel.Load(); c != nil {
		c.Routed(instanceID)
	}
}

// configured tells the channel that an instance's configuration has changed.
func (a *App) configured(instanceID string) {
	if c := a.channel.Load(); c != nil {
		c.Configured(instanceID)
	}
}

// observeAgents lets Prometheus read what the channel counts.
func (a *App) observeAgents() error {
	c := a.channel.Load()
	count := func(f func() uint64) func() float64 { return func() float64 { return float64(f()) } }
	n := c.Counts()
	return errors.Join(
		a.metrics.GaugeFunc("ullim_agent_sockets", "Open sockets of agents' panels.", func() float64 { return float64(c.Sockets()) }),
		a.metrics.GaugeFunc("ullim_agent_hubs", "Agents whose state is kept for a panel, also for a moment after it has gone.",
			func() float64 { return float64(c.Agents()) }),
		a.metrics.CounterFunc("ullim_agent_sockets_opened_total", "Sockets of panels that were opened.", count(n.Opened.Load)),
		a.metrics.CounterFunc("ullim_agent_resumed_total", "Panels that came back and got what they had missed.", count(n.Resumed.Load)),
		a.metrics.CounterFunc("ullim_agent_snapshots_total", "Panels that began with a snapshot.", count(n.Snapshots.Load)),
		a.metrics.CounterFunc("ullim_agent_events_total", "Changes of agents' states, each counted once whatever the number of tabs.", count(n.Events.Load)),
		a.metrics.CounterFunc("ullim_agent_sockets_slow_total", "Sockets that were cut because they did not keep up.", count(n.Slow.Load)),
		a.metrics.CounterFunc("ullim_agent_sockets_silent_total", "Sockets that were closed because the panel did not answer: a tab that sleeps, a network that is gone.",
			count(n.Silent.Load)),
		a.metrics.CounterFunc("ullim_agent_refused_total", "Requests to the channel without a good session, or of a page that may not.", count(n.Refused.Load)),
		a.metrics.CounterFunc("ullim_agent_commands_total", "Commands of agents.", count(n.Commands.Load)),
		a.metrics.CounterFunc("ullim_agent_commands_failed_total", "Commands of agents that came to nothing.", count(n.CommandsFailed.Load)),
		a.metrics.CounterFunc("ullim_agent_commands_repeated_total", "Commands that were asked for again and got the first answer.", count(n.Repeated.Load)),
		a.metrics.CounterFunc("ullim_agent_sign_ins_total", "Sign-ins with a password.", count(n.SignIns.Load)),
		a.metrics.CounterFunc("ullim_agent_sign_ins_failed_total", "Sign-ins that were refused.", count(n.SignInsFailed.Load)),
	)
}

// findInstance finds an instance by its alias or id; by nothing if there is only one.
func (d *directory) findInstance(_ context.Context, ref string) (*identity.Instance, error) {
	tenants := d.snap.Load().tenants
	for id, t := range tenants {
		if id == ref || t.instance.Name == ref || ref == "" && len(tenants) == 1 {
			return t.instance, nil
		}
	}
	return nil, errs.New(errs.NotFound, "no such instance")
}

// agentRouting is agent.Routing on the centers.
type agentRouting struct{ c *centers }

var _ agent.Routing = agentRouting{}

// Agent is what an agent is doing.
func (r agentRouting) Agent(instanceID, userID string) (acd.AgentSnapshot, error) {
	center, err := r.c.of(instanceID)
	if err != nil {
		return acd.AgentSnapshot{}, err
	}
	return center.CurrentAgent(userID)
}

// SetStatus chooses a status for an agent.
func (r agentRouting) SetStatus(ctx context.Context, instanceID, userID, statusID string) error {
	return liveAgents(r).SetStatus(ctx, instanceID, userID, statusID)
}

// Dismiss clears a contact from an agent.
func (r agentRouting) Dismiss(ctx context.Context, instanceID, userID, contactID string) error {
	return liveAgents(r).Dismiss(ctx, instanceID, userID, contactID)
}

// agentDirectory is agent.Directory on the snapshot of the configuration.
type agentDirectory struct{ a *App }

var _ agent.Directory = agentDirectory{}

// Setup is what an agent works with.
func (d agentDirectory) Setup(instanceID, userID string) (agent.Setup, error) {
	var s agent.Setup
	t, err := d.a.dir.tenant(instanceID)
	if err != nil {
		return s, err
	}
	u := t.users[userID]
	if u == nil {
		return s, errs.New(errs.NotFound, "user %s does not exist", userID)
	}
	s.Agent = agent.Agent{
		UserID: u.ID, Username: u.Name, FirstName: u.FirstName, LastName: u.LastName, InstanceID: instanceID, Instance: t.instance.Name,
		PhoneType: u.Phone.PhoneType, AutoAccept: u.Phone.AutoAccept,
	}
	var statuses []*acd.AgentStatus
	for _, v := range t.config.Statuses {
		if !v.Disabled {
			statuses = append(statuses, v)
		}
	}
	slices.SortFunc(statuses, func(x, y *acd.AgentStatus) int {
		order := func(v *acd.AgentStatus) int { // without an order, behind those that have one
			return cmp.Or(v.DisplayOrder, acd.MaxDisplayOrder+1)
		}
		return cmp.Or(cmp.Compare(order(x), order(y)), cmp.Compare(x.Name, y.Name))
	})
	for _, v := range statuses {
		s.Statuses = append(s.Statuses, agent.Status{ID: v.ID, Name: v.Name, Type: string(v.Type)})
	}
	queue := func(id string) agent.Queue {
		q := agent.Queue{ID: id}
		if v := t.config.Queues[id]; v != nil {
			q.Name = v.Name
		}
		return q
	}
	s.RoutingProfile = agent.RoutingProfile{ID: u.RoutingProfileID, Queues: []agent.Queue{}}
	p := t.config.Profiles[u.RoutingProfileID]
	if p == nil {
		return s, nil
	}
	s.QuickConnects, s.Dispositions = t.quickConnects(p), t.choices()
	s.RoutingProfile.Name, s.RoutingProfile.DefaultOutboundQueue = p.Name, queue(p.DefaultOutboundQueueID)
	for _, line := range p.Queues {
		if q := queue(line.QueueID); !slices.Contains(s.RoutingProfile.Queues, q) {
			s.RoutingProfile.Queues = append(s.RoutingProfile.Queues, q)
		}
	}
	return s, nil
}

// quickConnects are what the agents of a profile see, by queue.
func (t *tenant) quickConnects(p *acd.RoutingProfile) map[string][]agent.QuickConnect {
	byID := make(map[string]*acd.QuickConnect, len(t.quick))
	for _, q := range t.quick {
		byID[q.ID] = q
	}
	out := map[string][]agent.QuickConnect{}
	ids := []string{p.DefaultOutboundQueueID}
	for _, line := range p.Queues {
		ids = append(ids, line.QueueID)
	}
	for _, line := range p.Manual {
		ids = append(ids, line.QueueID)
	}
	for _, id := range ids {
		queue := t.config.Queues[id]
		if queue == nil || out[id] != nil {
			continue
		}
		for _, quickID := range queue.QuickConnects {
			if q := byID[quickID]; q != nil {
				out[id] = append(out[id], agent.QuickConnect{
					ID: q.ID, Name: q.Name, Type: string(q.Type), UserID: q.UserID, Queue: q.QueueID, Number: q.Number, FlowID: q.FlowID,
				})
			}
		}
		slices.SortFunc(out[id], func(a, b agent.QuickConnect) int { return cmp.Compare(a.Name, b.Name) })
	}
	return out
}

// choices are the disposition codes that are in use, in their order.
func (t *tenant) choices() []agent.Disposition {
	list := make([]*records.Disposition, 0, len(t.dispositions))
	for _, d := range t.dispositions {
		if !d.Archived {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *records.Disposition) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Name, b.Name))
	})
	out := make([]agent.Disposition, len(list))
	for i, d := range list {
		out[i] = agent.Disposition{Code: d.Name, Label: d.Label, QueueIDs: d.QueueIDs}
	}
	return out
}

// agentPaper is agent.Paper at the desk, which takes code and notes together.
type agentPaper struct{ a *App }

var _ agent.Paper = agentPaper{}

// SetDisposition chooses a code.
func (p agentPaper) SetDisposition(ctx context.Context, instanceID, contactID, userID, code string) error {
	r, err := p.a.db.Contact(ctx, instanceID, contactID)
	if err != nil {
		return err
	}
	return p.a.desk.SetDisposition(ctx, instanceID, contactID, userID, code, r.Notes)
}

// SetNotes replaces the notes.
func (p agentPaper) SetNotes(ctx context.Context, instanceID, contactID, userID, notes string) error {
	r, err := p.a.db.Contact(ctx, instanceID, contactID)
	if err != nil {
		return err
	}
	return p.a.desk.SetDisposition(ctx, instanceID, contactID, userID, r.Disposition, notes)
}

// agentManual is agent.Manual on the centers.
type agentManual struct{ a *App }

var _ agent.Manual = agentManual{}

// Pick offers a contact to an agent who has chosen it. What waits in a queue that is offered by itself is not picked.
func (m agentManual) Pick(ctx context.Context, instanceID, userID, contactID string) error {
	if !slices.ContainsFunc(m.Pickable(instanceID, userID, math.MaxInt), func(w acd.WaitingSnapshot) bool { return w.ContactID == contactID }) {
		return errs.New(errs.NotFound, "contact %s does not wait in a manual queue of yours", contactID)
	}
	center, err := m.a.centers.of(instanceID)
	if err != nil {
		return err
	}
	return center.Take(ctx, userID, contactID)
}

// Pickable are the contacts in the manual queues of an agent.
func (m agentManual) Pickable(instanceID, userID string, most int) []acd.WaitingSnapshot {
	t, err := m.a.dir.tenant(instanceID)
	if err != nil || t.users[userID] == nil {
		return nil
	}
	p := t.config.Profiles[t.users[userID].RoutingProfileID]
	center, err := m.a.centers.of(instanceID)
	if err != nil || p == nil || len(p.Manual) == 0 {
		return nil
	}
	out := slices.DeleteFunc(center.Waiting(), func(w acd.WaitingSnapshot) bool {
		return !slices.Contains(p.Manual, acd.ManualQueue{QueueID: w.QueueID, Channel: w.Channel})
	})
	slices.SortStableFunc(out, func(a, b acd.WaitingSnapshot) int { return a.Since.Compare(b.Since) })
	return out[:min(len(out), most)]
}
