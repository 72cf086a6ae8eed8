package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/contact"
)

// Names of parts. A contact's part is named by contactPart and its id.
const (
	partAgent        = "agent"
	partAvailability = "availability"
	partSetup        = "setup"
	contactPart      = "contact:"
)

// part is a part as the JSON that panels get. arrived is when a contact came to the agent, as text that sorts.
type part struct {
	body    json.RawMessage
	arrived string
}

// parts is a panel's state.
type parts map[string]part

// put adds a part.
func (p parts) put(name string, v any, arrived Time) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	text := ""
	if strings.HasPrefix(name, contactPart) {
		text = arrived.String()
	}
	p[name] = part{body, text}
	return nil
}

// recordAge is how long what the store said of a contact that is no call any more is believed.
const recordAge = time.Second

// remembered is the last that a hub knew of a contact's record.
type remembered struct {
	record *contact.Record
	read   time.Time // from the store; zero: from the call
}

// written is what an agent has written about a contact that goes on: its call does not know of it.
type written struct{ disposition, notes string }

// memory is what a hub remembers of contacts from one look to the next.
type memory struct {
	known   map[string]remembered
	written map[string]written
}

func newMemory() *memory {
	return &memory{known: map[string]remembered{}, written: map[string]written{}}
}

// look is one look at an agent: it builds parts.
type look struct {
	s                  *Service
	instanceID, userID string
	*memory
	seen     map[string]bool // contacts of this look
	now      time.Time
	contacts []Contact
}

// setupParts are the two parts that change with the configuration alone.
func (s *Service) setupParts(instanceID, userID string) (parts, error) {
	setup, err := s.o.Directory.Setup(instanceID, userID)
	if err != nil {
		return nil, err
	}
	if setup.Statuses == nil {
		setup.Statuses = []Status{}
	}
	if setup.QuickConnects == nil {
		setup.QuickConnects = map[string][]QuickConnect{}
	}
	if setup.Dispositions == nil {
		setup.Dispositions = []Disposition{}
	}
	out := parts{}
	return out, errors.Join(out.put(partAgent, setup.Agent, Time{}), out.put(partSetup, setup, Time{}))
}

// liveParts are the parts that change with what happens.
func (s *Service) liveParts(ctx context.Context, instanceID, userID string, m *memory) (parts, error) {
	snap, err := s.o.Routing.Agent(instanceID, userID)
	if err != nil {
		return nil, err
	}
	l := &look{s: s, instanceID: instanceID, userID: userID, memory: m, seen: map[string]bool{}, now: time.Now()}
	for i := range snap.Slots {
		l.slot(ctx, &snap.Slots[i])
	}
	for _, id := range s.o.Calls.OwnContacts(userID) {
		l.own(id)
	}
	maps.DeleteFunc(m.known, func(id string, _ remembered) bool { return !l.seen[id] })
	maps.DeleteFunc(m.written, func(id string, _ written) bool { return !l.seen[id] })
	out := parts{}
	if err = out.put(partAvailability, availability(&snap), Time{}); err != nil {
		return nil, err
	}
	for i := range l.contacts {
		c := &l.contacts[i]
		if w, ok := m.written[c.ContactID]; ok {
			c.Disposition, c.Notes = w.disposition, w.notes
		}
		if err = out.put(contactPart+c.ContactID, c, c.Arrived); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func availability(s *acd.AgentSnapshot) Availability {
	v := Availability{
		Status: Status{s.StatusID, s.StatusName, string(s.StatusType)}, Since: at(s.StatusSince), Activity: string(s.Activity),
		Reachable: s.Reachable, Slots: map[contact.Channel]ChannelsSlots{},
	}
	if s.NextStatusID != "" {
		v.NextStatus = &Status{ID: s.NextStatusID, Name: s.NextStatusName}
	}
	for ch, n := range s.MaxSlots {
		v.Slots[ch] = ChannelsSlots{n, s.ActiveSlots[ch], s.AvailableSlots[ch]}
	}
	return v
}

// slot describes a contact that a queue gave.
func (l *look) slot(ctx context.Context, sl *acd.Slot) {
	if l.seen[sl.ContactID] { // one that comes again before the last was dismissed: the newer slot counts
		l.contacts = slices.DeleteFunc(l.contacts, func(c Contact) bool { return c.ContactID == sl.ContactID })
	}
	c := Contact{
		ContactID: sl.ContactID, Channel: sl.Channel, State: sl.State.ConnectState(), Since: at(sl.Since), Arrived: at(sl.Started),
		Role: call.RoleAgent.String(), Queue: &Queue{ID: sl.QueueID},
	}
	if sl.State == acd.SlotACW && sl.ACWTimeout > 0 {
		c.WrapUpBy = at(sl.Since.Add(sl.ACWTimeout))
	}
	l.seen[sl.ContactID] = true
	mine := sl.State == acd.SlotOffered || sl.State == acd.SlotConnected
	if sl.Channel == contact.Voice {
		l.voice(&c, mine, sl.State)
	} else {
		l.text(&c, mine)
	}
	k := l.known[sl.ContactID]
	if (k.record == nil || sl.State == acd.SlotACW) && l.now.Sub(k.read) >= recordAge {
		if r, err := l.s.o.Contacts.Contact(ctx, l.instanceID, sl.ContactID); err == nil {
			k = remembered{r, l.now}
			l.known[sl.ContactID] = k
		}
	}
	c.describe(k.record, sl.State)
	l.contacts = append(l.contacts, c)
}

// voice adds what the call says.
func (l *look) voice(c *Contact, mine bool, state acd.SlotState) {
	live, ok := l.s.o.Calls.Live(l.instanceID, c.ContactID)
	if !ok {
		return
	}
	if l.known[c.ContactID].read.IsZero() || mine {
		l.known[c.ContactID] = remembered{record: live.Record}
	}
	if !mine {
		return
	}
	c.seats(&live, l.userID)
	if state == acd.SlotOffered && live.Offer.RingTime > 0 {
		c.AcceptBy = at(c.Arrived.Add(live.Offer.RingTime))
	}
	if state == acd.SlotConnected && held(c.Participants) {
		c.State = "CONNECTED_ONHOLD"
	}
}

// text adds what a chat or task says.
func (l *look) text(c *Contact, mine bool) {
	if !mine {
		return
	}
	got, ok := l.s.o.Chats.Serving(l.instanceID, c.ContactID, l.userID)
	if !ok {
		return
	}
	c.ChatParticipantID, c.Name, c.Description = got.ParticipantID, got.Name, got.Description
	c.Attributes, c.References, c.InitialContactID = got.Attributes, got.References, got.InitialContactID
	if got.Offered {
		c.AcceptBy = at(got.Until)
	}
	if got.CustomerName != "" {
		c.Customer = &Endpoint{DisplayName: got.CustomerName}
	}
}

// own describes a call that no queue gave the agent: one that they placed, were called to, or listen to.
func (l *look) own(contactID string) {
	if l.seen[contactID] {
		return
	}
	live, ok := l.s.o.Calls.Live(l.instanceID, contactID)
	if !ok {
		return
	}
	l.seen[contactID] = true
	l.known[contactID] = remembered{record: live.Record}
	c := Contact{
		ContactID: contactID, Channel: contact.Voice, OwnCall: true, Arrived: at(live.Record.InitiationTimestamp), State: "CONNECTED",
		Role: call.RoleAgent.String(),
	}
	c.seats(&live, l.userID)
	for i := range live.Parties {
		if p := &live.Parties[i]; p.State != "CONNECTED" && (p.ID == c.Me || p.Customer) {
			c.State = "CONNECTING"
		}
	}
	if c.State == "CONNECTED" && held(c.Participants) {
		c.State = "CONNECTED_ONHOLD"
	}
	c.describe(live.Record, acd.SlotConnected)
	l.contacts = append(l.contacts, c)
}

// seats are who is in a call, and who of them the agent is.
func (c *Contact) seats(live *call.Live, userID string) {
	c.Recording, c.Ending = string(live.Tape), live.Ending
	for i := range live.Parties {
		p := &live.Parties[i]
		one := Participant{
			ID: p.ID, Role: p.Role.String(), State: p.State, UserID: p.UserID, Address: p.Address, OnHold: p.OnHold, Held: p.Held, Muted: p.Muted,
		}
		if p.Role == call.RoleSupervisor {
			one.Hears = hears(p.Hears)
		}
		if p.UserID == userID {
			c.Me, c.Role, c.Hears = p.ID, one.Role, one.Hears
		}
		c.Participants = append(c.Participants, one)
	}
}

// hears is how a supervisor is in a call.
func hears(r call.Role) string {
	switch r {
	case call.Monitor:
		return "MONITOR"
	case call.Coach:
		return "COACH"
	case call.Speaker:
	}
	return "BARGE"
}

// held reports whether the customer is on hold, by us.
func held(ps []Participant) bool {
	i := slices.IndexFunc(ps, func(p Participant) bool { return p.Role == call.RoleCustomer.String() })
	return i >= 0 && ps[i].OnHold
}

// describe adds what the record says. Who has let a contact go sees who it was and no more.
func (c *Contact) describe(r *contact.Record, state acd.SlotState) {
	if r == nil {
		return
	}
	c.InitialContactID = cmp.Or(r.InitialContactID, c.InitialContactID)
	c.PreviousContactID, c.RelatedContactID, c.InitiationMethod = r.PreviousContactID, r.RelatedContactID, r.InitiationMethod
	c.Initiated, c.System = at(r.InitiationTimestamp), endpoint(r.SystemEndpoint)
	if e := endpoint(r.CustomerEndpoint); e != nil {
		c.Customer = e
	}
	if q := r.Queue; q != nil && (c.Queue == nil || c.Queue.ID == q.ID) {
		c.Queue, c.Enqueued = &Queue{q.ID, q.Name}, at(q.EnqueueTimestamp)
	}
	if state == acd.SlotMissed || state == acd.SlotRejected || state == acd.SlotError {
		return
	}
	if c.Attributes == nil {
		c.Attributes = r.Attributes
	}
	if c.References == nil {
		c.References = r.References
	}
	c.Name, c.Description = cmp.Or(c.Name, r.Name), cmp.Or(c.Description, r.Description)
	c.Disposition, c.Notes = r.Disposition, r.Notes
	if r.Agent != nil {
		c.Connected = at(r.Agent.ConnectedToAgentTimestamp)
	}
	c.Disconnected, c.DisconnectReason = at(r.DisconnectTimestamp), r.DisconnectReason
}

func endpoint(e contact.Endpoint) *Endpoint {
	if e == (contact.Endpoint{}) {
		return nil
	}
	return &Endpoint{e.Type, e.Address, e.DisplayName}
}

// snapshot is the parts as one State, in JSON.
func (p parts) snapshot() (json.RawMessage, error) {
	var list []json.RawMessage
	for _, name := range p.contacts() {
		list = append(list, p[name].body)
	}
	if list == nil {
		list = []json.RawMessage{}
	}
	return json.Marshal(struct {
		Agent        json.RawMessage   `json:"agent"`
		Availability json.RawMessage   `json:"availability"`
		Setup        json.RawMessage   `json:"setup"`
		Contacts     []json.RawMessage `json:"contacts"`
	}{p[partAgent].body, p[partAvailability].body, p[partSetup].body, list})
}

// contacts are the names of the contacts' parts, in the order in which they came to the agent.
func (p parts) contacts() []string {
	var names []string
	for name := range p {
		if strings.HasPrefix(name, contactPart) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(p[a].arrived, p[b].arrived), cmp.Compare(a, b)) })
	return names
}
