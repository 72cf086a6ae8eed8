package acd

import (
	"fmt"
	"slices"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Limits of A2.1 to A2.4.
const (
	MaxProfileQueues = 50   // queue-channel pairs of a routing profile
	MaxPriority      = 99   // of a routing profile's line
	MaxDelay         = 9999 // seconds
	MaxConcurrency   = 10   // contacts at once of a channel other than voice
	MaxDisplayOrder  = 50
	MaxRingSeconds   = 300 // ours
	maxDescription   = 250
	maxCallerIDName  = 255
	maxTags          = 50
	maxTagKey        = 128
	maxTagValue      = 256
)

// Validate checks a queue.
func (q *Queue) Validate() error {
	if err := checkHead(q.Name, q.Description, q.Tags); err != nil {
		return err
	}
	switch {
	case q.HoursID == "":
		return errs.Field("HoursOfOperationId", "is required")
	case q.MaxContacts < 0:
		return errs.Field("MaxContacts", "must not be negative; is %d", q.MaxContacts)
	case q.Status != QueueEnabled && q.Status != QueueDisabled:
		return errs.Field("Status", "must be ENABLED or DISABLED; is %q", q.Status)
	case len([]rune(q.OutboundCallerIDName)) > maxCallerIDName:
		return errs.Field("OutboundCallerConfig.OutboundCallerIdName", "must have at most %d characters", maxCallerIDName)
	case len(q.QuickConnects) > MaxQueueQuickConnects:
		return errs.New(errs.Limit, "QuickConnectIds: a queue has at most %d; would have %d", MaxQueueQuickConnects, len(q.QuickConnects))
	case q.RingSeconds < 0 || q.RingSeconds > MaxRingSeconds:
		return errs.Field("RingSeconds", "must be 0 (the default) to %d; is %d", MaxRingSeconds, q.RingSeconds)
	}
	return q.Routing.Validate()
}

// Validate checks hours.
func (h *Hours) Validate() error {
	if err := checkHead(h.Name, h.Description, h.Tags); err != nil {
		return err
	}
	if len(h.Parents) > MaxParents {
		return errs.New(errs.Limit, "ParentHoursOfOperationConfigs: must be at most %d; are %d", MaxParents, len(h.Parents))
	}
	for i, id := range h.Parents {
		switch {
		case id == h.ID && id != "":
			return errs.Field("ParentHoursOfOperationConfigs", "hours cannot be their own parent")
		case slices.Contains(h.Parents[:i], id):
			return errs.Field("ParentHoursOfOperationConfigs", "must name each parent once; %s appears again", id)
		}
	}
	return h.Hours.Validate()
}

// Validate checks a routing profile.
func (p *RoutingProfile) Validate() error {
	if err := checkHead(p.Name, p.Description, p.Tags); err != nil {
		return err
	}
	if p.DefaultOutboundQueueID == "" {
		return errs.Field("DefaultOutboundQueueId", "is required")
	}
	switch p.AvailabilityTimer {
	case "", SinceLastActivity, SinceLastInbound:
	default:
		return errs.Field("AgentAvailabilityTimer", "must be %s or %s; is %q", SinceLastActivity, SinceLastInbound, p.AvailabilityTimer)
	}
	channels, err := p.checkConcurrencies()
	if err != nil {
		return err
	}
	if err = p.checkQueues(channels); err != nil {
		return err
	}
	if len(p.Manual) > MaxProfileQueues {
		return errs.Field("ManualAssignmentQueueConfigs", "must have at most %d entries; has %d", MaxProfileQueues, len(p.Manual))
	}
	for i, q := range p.Manual {
		field := fmt.Sprintf("ManualAssignmentQueueConfigs[%d].QueueReference", i)
		switch {
		case q.QueueID == "":
			return errs.Field(field+".QueueId", "is required")
		case !channels[q.Channel]:
			return errs.Field(field+".Channel", "%q has no entry in MediaConcurrencies", q.Channel)
		case slices.Contains(p.Manual[:i], q):
			return errs.Field(field, "a queue appears once for each channel; this one appears again")
		}
	}
	return nil
}

// checkConcurrencies gives the channels that the profile has.
func (p *RoutingProfile) checkConcurrencies() (map[contact.Channel]bool, error) {
	if len(p.Concurrencies) == 0 {
		return nil, errs.Field("MediaConcurrencies", "must have at least one entry")
	}
	channels := make(map[contact.Channel]bool)
	for i, c := range p.Concurrencies {
		field := fmt.Sprintf("MediaConcurrencies[%d]", i)
		if err := checkChannel(field+".Channel", c.Channel); err != nil {
			return nil, err
		}
		if channels[c.Channel] {
			return nil, errs.Field(field+".Channel", "must appear once; %s appears again", c.Channel)
		}
		channels[c.Channel] = true
		limit := MaxConcurrency
		if c.Channel == contact.Voice {
			limit = 1
		}
		if c.Limit < 1 || c.Limit > limit {
			return nil, errs.Field(field+".Concurrency", "must be 1 to %d for %s; is %d", limit, c.Channel, c.Limit)
		}
		switch c.CrossChannel {
		case "", CurrentChannelOnly, AnyChannel:
		default:
			return nil, errs.Field(field+".CrossChannelBehavior.BehaviorType", "must be %s or %s; is %q",
				CurrentChannelOnly, AnyChannel, c.CrossChannel)
		}
	}
	return channels, nil
}

// checkQueues checks the lines of the profile.
func (p *RoutingProfile) checkQueues(channels map[contact.Channel]bool) error {
	if len(p.Queues) > MaxProfileQueues {
		return errs.Field("QueueConfigs", "must have at most %d entries; has %d", MaxProfileQueues, len(p.Queues))
	}
	seen := make(map[lineKey]bool)
	for i, q := range p.Queues {
		field := fmt.Sprintf("QueueConfigs[%d]", i)
		if q.QueueID == "" {
			return errs.Field(field+".QueueReference.QueueId", "is required")
		}
		if err := checkChannel(field+".QueueReference.Channel", q.Channel); err != nil {
			return err
		}
		key := lineKey{q.QueueID, q.Channel}
		switch {
		case !channels[q.Channel]:
			return errs.Field(field+".QueueReference.Channel", "%s has no entry in MediaConcurrencies", q.Channel)
		case seen[key]:
			return errs.Field(field+".QueueReference", "a queue appears once for each channel; this one appears again")
		case q.Priority < 1 || q.Priority > MaxPriority:
			return errs.Field(field+".Priority", "must be 1 to %d; is %d", MaxPriority, q.Priority)
		case q.Delay < 0 || q.Delay > MaxDelay:
			return errs.Field(field+".Delay", "must be 0 to %d; is %d", MaxDelay, q.Delay)
		}
		seen[key] = true
	}
	return nil
}

// Validate checks an agent status.
func (s *AgentStatus) Validate() error {
	if err := checkHead(s.Name, s.Description, s.Tags); err != nil {
		return err
	}
	switch s.Type {
	case Routable, Custom, Offline:
	default:
		return errs.Field("Type", "must be ROUTABLE, CUSTOM or OFFLINE; is %q", s.Type)
	}
	if s.DisplayOrder < 0 || s.DisplayOrder > MaxDisplayOrder {
		return errs.Field("DisplayOrder", "must be 1 to %d; is %d", MaxDisplayOrder, s.DisplayOrder)
	}
	if s.Disabled && s.Type != Custom {
		return errs.Field("State", "only a custom status can be DISABLED")
	}
	return nil
}

// checkHead checks what all resources of the package have.
func checkHead(name, description string, tags map[string]string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if n := len([]rune(description)); n > maxDescription {
		return errs.Field("Description", "must have at most %d characters; has %d", maxDescription, n)
	}
	if len(tags) > maxTags {
		return errs.Field("Tags", "must have at most %d entries; has %d", maxTags, len(tags))
	}
	for k, v := range tags {
		if n := len([]rune(k)); n < 1 || n > maxTagKey || len([]rune(v)) > maxTagValue {
			return errs.Field("Tags", "a key has 1 to %d characters and a value at most %d", maxTagKey, maxTagValue)
		}
	}
	return nil
}

// checkChannel checks a channel's name.
func checkChannel(field string, c contact.Channel) error {
	switch c {
	case contact.Voice, contact.Chat, contact.Task:
		return nil
	}
	return errs.Field(field, "must be VOICE, CHAT or TASK; is %q", c)
}
