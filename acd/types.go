package acd

import (
	"time"

	"ullim/internal/calendar"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

// DefaultRingTime is how long an agent's phone rings before the offer counts as missed (A2.4: 20 s).
const DefaultRingTime = 20 * time.Second

// QueueStatus is whether a queue takes contacts.
type QueueStatus string

// Queue statuses.
const (
	QueueEnabled  QueueStatus = "ENABLED"
	QueueDisabled QueueStatus = "DISABLED"
)

// Queue is a standard queue.
type Queue struct {
	resource.Meta
	Description          string      `json:"description,omitempty"` // at most 250 characters
	HoursID              string      `json:"hoursId"`
	MaxContacts          int         `json:"maxContacts,omitempty"` // 0: no limit of its own
	Status               QueueStatus `json:"status"`
	OutboundCallerIDName string      `json:"outboundCallerIdName,omitempty"`
	OutboundCallerNumber string      `json:"outboundCallerNumberId,omitempty"`
	OutboundFlowID       string      `json:"outboundFlowId,omitempty"`
	RingSeconds          int         `json:"ringSeconds,omitempty"`   // ours; 0: DefaultRingTime
	QuickConnects        []string    `json:"quickConnects,omitempty"` // ids of those that its agents see
	Routing
}

// Hours is when a queue or flow is open: weekly slots in an IANA zone, and what departs from them. Overrides and
// holidays of the parents are inherited.
type Hours struct {
	resource.Meta
	Description string         `json:"description,omitempty"`
	Hours       calendar.Hours `json:"hours"`
	Parents     []string       `json:"parents,omitempty"` // ids, in order of precedence
}

// CrossChannel says whether an agent busy on one channel takes contacts of another.
type CrossChannel string

// Cross-channel behaviours.
const (
	CurrentChannelOnly CrossChannel = "ROUTE_CURRENT_CHANNEL_ONLY"
	AnyChannel         CrossChannel = "ROUTE_ANY_CHANNEL"
)

// Concurrency is how many contacts of a channel an agent takes at once.
type Concurrency struct {
	Channel      contact.Channel `json:"channel"`
	Limit        int             `json:"limit"` // VOICE 1; others 1 to 10
	CrossChannel CrossChannel    `json:"crossChannel"`
}

// ProfileQueue is one line of a routing profile.
type ProfileQueue struct {
	QueueID  string          `json:"queueId"`
	Channel  contact.Channel `json:"channel"`
	Priority int             `json:"priority"` // 1 to 99, 1 first
	Delay    int             `json:"delay"`    // seconds, 0 to 9999
}

// AvailabilityTimer says what "longest available" counts from.
type AvailabilityTimer string

// Availability timers.
const (
	SinceLastActivity AvailabilityTimer = "TIME_SINCE_LAST_ACTIVITY"
	SinceLastInbound  AvailabilityTimer = "TIME_SINCE_LAST_INBOUND"
)

// RoutingProfile says which queues its agents serve, and how.
type RoutingProfile struct {
	resource.Meta
	Description            string            `json:"description,omitempty"`
	DefaultOutboundQueueID string            `json:"defaultOutboundQueueId"`
	Concurrencies          []Concurrency     `json:"concurrencies"`
	Queues                 []ProfileQueue    `json:"queues"`
	Manual                 []ManualQueue     `json:"manualQueues,omitempty"`
	AvailabilityTimer      AvailabilityTimer `json:"availabilityTimer"`
}

// StatusType says whether an agent in a status is offered contacts.
type StatusType string

// Status types.
const (
	Routable StatusType = "ROUTABLE"
	Custom   StatusType = "CUSTOM"
	Offline  StatusType = "OFFLINE"
)

// AgentStatus is a status that agents choose: Available, Offline, or one of the instance's own.
type AgentStatus struct {
	resource.Meta
	Description  string     `json:"description,omitempty"`
	Type         StatusType `json:"type"`
	DisplayOrder int        `json:"displayOrder,omitempty"` // 1 to 50
	Disabled     bool       `json:"disabled,omitempty"`
}

// Agent is what routing knows of a user.
type Agent struct {
	UserID           string
	Username         string
	RoutingProfileID string
	AutoAccept       bool
	ACWTimeout       time.Duration                     // 0: until the agent clears it
	ACWTimeouts      map[contact.Channel]time.Duration // by channel, where it differs
	AutoAccepts      map[contact.Channel]bool          // by channel, where it differs from AutoAccept
	Skills           map[Skill]float64
	HierarchyGroups  []contact.Group // where the agent stands, level 1 first
}

// AgentState is an agent's chosen status, as stored. Version grows with every change and every reservation.
type AgentState struct {
	InstanceID   string    `json:"instanceId"`
	UserID       string    `json:"userId"`
	StatusID     string    `json:"statusId"`
	StatusSince  time.Time `json:"statusSince"`
	NextStatusID string    `json:"nextStatusId,omitempty"` // applied when the last contact is cleared
	LastActivity time.Time `json:"lastActivity,omitzero"`  // end of the last contact, or when the agent became available
	LastInbound  time.Time `json:"lastInbound,omitzero"`
	Version      int64     `json:"version"`
}

// SlotState is what an agent is doing with one contact (A2.4, contact states).
type SlotState string

// Slot states. OFFERED is CONNECTING in the Connect API, ACW is ENDED there.
const (
	SlotOffered   SlotState = "OFFERED"
	SlotConnected SlotState = "CONNECTED"
	SlotACW       SlotState = "ACW"
	SlotMissed    SlotState = "MISSED"
	SlotRejected  SlotState = "REJECTED"
	SlotError     SlotState = "ERROR"
)

// Reservation is an agent taken for a contact: the row that makes sure of one offer at a time. It lives from the
// offer to the end of after-contact work (or until a missed offer is dismissed).
type Reservation struct {
	OfferID    string          `json:"offerId"`
	InstanceID string          `json:"instanceId"`
	UserID     string          `json:"userId"`
	ContactID  string          `json:"contactId"`
	QueueID    string          `json:"queueId"`
	Channel    contact.Channel `json:"channel"`
	State      SlotState       `json:"state"`
	Node       string          `json:"node"`
	Since      time.Time       `json:"since"`            // when State was entered
	Shared     bool            `json:"shared,omitempty"` // OFFERED beside others for the same contact (RING_ALL)
}

// Kind is queue.
func (*Queue) Kind() resource.Kind { return resource.KindQueue }

// Refs are the hours, and the outbound flow and number if set.
func (q *Queue) Refs() []resource.Ref {
	refs := []resource.Ref{{Kind: resource.KindHours, ID: q.HoursID}}
	if q.OutboundFlowID != "" {
		refs = append(refs, resource.Ref{Kind: resource.KindFlow, ID: q.OutboundFlowID})
	}
	if q.OutboundCallerNumber != "" {
		refs = append(refs, resource.Ref{Kind: resource.KindPhoneNumber, ID: q.OutboundCallerNumber})
	}
	for _, id := range q.QuickConnects {
		refs = append(refs, resource.Ref{Kind: resource.KindQuickConnect, ID: id})
	}
	return append(refs, q.refs()...)
}

// Kind is operating-hours.
func (*Hours) Kind() resource.Kind { return resource.KindHours }

// Refs are the parents.
func (h *Hours) Refs() []resource.Ref {
	var refs []resource.Ref
	for _, id := range h.Parents {
		refs = append(refs, resource.Ref{Kind: resource.KindHours, ID: id})
	}
	return refs
}

// Kind is routing-profile.
func (*RoutingProfile) Kind() resource.Kind { return resource.KindRoutingProfile }

// Refs are its queues.
func (p *RoutingProfile) Refs() []resource.Ref {
	refs := []resource.Ref{{Kind: resource.KindQueue, ID: p.DefaultOutboundQueueID}}
	for _, q := range p.Queues {
		refs = append(refs, resource.Ref{Kind: resource.KindQueue, ID: q.QueueID})
	}
	for _, q := range p.Manual {
		refs = append(refs, resource.Ref{Kind: resource.KindQueue, ID: q.QueueID})
	}
	return refs
}

// Kind is agent-state.
func (*AgentStatus) Kind() resource.Kind { return resource.KindAgentStatus }

// Refs is empty.
func (*AgentStatus) Refs() []resource.Ref { return nil }

var (
	_ resource.Object = (*Queue)(nil)
	_ resource.Object = (*Hours)(nil)
	_ resource.Object = (*RoutingProfile)(nil)
	_ resource.Object = (*AgentStatus)(nil)
)

// checkName is the rule for names of queues, hours and profiles: 1 to 127 characters.
func checkName(name string) error {
	if n := len([]rune(name)); n < 1 || n > 127 {
		return errs.Field("Name", "must have 1 to 127 characters; has %d", n)
	}
	return nil
}
