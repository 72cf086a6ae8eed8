package recording

import (
	"slices"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Policy is how long an instance keeps what was recorded. An instance has one at most, with the name PolicyName. Whatever
// no rule speaks of is kept for ever.
type Policy struct {
	resource.Meta
	Rules []Rule `json:"rules"`
}

// PolicyName is the name of the one policy.
const PolicyName = "default"

// Rule is a period. Of several the most particular counts: a queue's before all queues', a channel's before both's.
type Rule struct {
	QueueID string          `json:"queueId,omitempty"` // empty: every queue, and contacts that were in none
	Channel contact.Channel `json:"channel,omitempty"` // VOICE or CHAT; empty: both
	Days    int             `json:"days"`              // from the end of the recording
}

var _ resource.Object = (*Policy)(nil)

// Kind is KindRetentionPolicy.
func (*Policy) Kind() resource.Kind { return resource.KindRetentionPolicy }

// Refs are none: recordings of a queue outlive it.
func (*Policy) Refs() []resource.Ref { return nil }

// Limits of a policy.
const (
	maxRules = 500
	maxDays  = 36500
)

// Validate checks the rules.
func (p *Policy) Validate() error {
	if p.Name != PolicyName {
		return errs.Field("Name", "must be %q", PolicyName)
	}
	if len(p.Rules) > maxRules {
		return errs.Field("Rules", "must be at most %d", maxRules)
	}
	for i, r := range p.Rules {
		switch {
		case r.Days < 1 || r.Days > maxDays:
			return errs.Field("Rules.Days", "must be 1 to %d; is %d", maxDays, r.Days)
		case r.Channel != "" && r.Channel != contact.Voice && r.Channel != contact.Chat:
			return errs.Field("Rules.Channel", "must be VOICE or CHAT, or missing for both; is %q", r.Channel)
		case len(r.QueueID) > 256:
			return errs.Field("Rules.QueueId", "is not an id")
		}
		if slices.ContainsFunc(p.Rules[:i], func(o Rule) bool { return o.QueueID == r.QueueID && o.Channel == r.Channel }) {
			return errs.Field("Rules", "two are for the same queue and channel")
		}
	}
	return nil
}

// Period is how many days a recording is kept; false: for ever.
func (p *Policy) Period(queueID string, channel contact.Channel) (days int, ok bool) {
	best := -1
	for _, r := range p.Rules {
		if r.QueueID != "" && r.QueueID != queueID || r.Channel != "" && r.Channel != channel {
			continue
		}
		rank := 0
		if r.QueueID != "" {
			rank += 2
		}
		if r.Channel != "" {
			rank++
		}
		if rank > best {
			best, days = rank, r.Days
		}
	}
	return days, best >= 0
}

// Selection is recordings of one channel that have been kept long enough: those that ended before Before, of the queue
// QueueID, or, if NotQueues is not nil, of all other queues and of none.
type Selection struct {
	Channel   contact.Channel
	QueueID   string
	NotQueues []string
	Before    time.Time
}

// Selections are what the policy lets go now; no recording is in two of them.
func (p *Policy) Selections(now time.Time) []Selection {
	named := []string{}
	for _, r := range p.Rules {
		if r.QueueID != "" && !slices.Contains(named, r.QueueID) {
			named = append(named, r.QueueID)
		}
	}
	var out []Selection
	for _, ch := range []contact.Channel{contact.Voice, contact.Chat} {
		for _, q := range named {
			if days, ok := p.Period(q, ch); ok {
				out = append(out, Selection{Channel: ch, QueueID: q, Before: now.AddDate(0, 0, -days)})
			}
		}
		if days, ok := p.Period("", ch); ok {
			out = append(out, Selection{Channel: ch, NotQueues: named, Before: now.AddDate(0, 0, -days)})
		}
	}
	return out
}

// Ref names one recording of a contact.
type Ref struct {
	InstanceID string
	ContactID  string
	Index      int       // in contact.Record.Recordings
	Ended      time.Time // in lists: when the recording ended
}
