package call

import (
	"maps"

	"ullim/internal/contact"
)

// MaxTags is how many tags a contact may have (A1.6).
const MaxTags = 6

// Data is what a flow changes of what is known about a contact; nil and empty stay.
type Data struct {
	Name, Description, CustomerID, Language *string
	References                              map[string]contact.Reference
	Tag                                     map[string]string
	Untag                                   []string
	CallbackNumber                          string // E.164
	NextContactID                           string // of a contact that goes on with this one's business
	Callback                                bool   // which is a callback: who waits in a queue leaves it for that
	Logging                                 *bool  // of flows: a later segment has it too
	Stream                                  *contact.MediaStream
}

// dataSet notes what is new.
func (s *step) dataSet(d Data) {
	r := s.edit()
	for to, v := range map[*string]*string{
		&r.Name: d.Name, &r.Description: d.Description, &r.CustomerID: d.CustomerID, &s.Voice.Language: d.Language,
	} {
		if v != nil {
			*to = *v
		}
	}
	if len(d.References) > 0 {
		r.References = merged(r.References, d.References)
	}
	if len(d.Tag) > 0 || len(d.Untag) > 0 {
		r.Tags = merged(r.Tags, d.Tag)
		for _, k := range d.Untag {
			delete(r.Tags, k)
		}
	}
	if d.CallbackNumber != "" {
		s.Callback = d.CallbackNumber
	}
	if d.Stream != nil {
		r.Streams = streamed(r.Streams, *d.Stream)
	}
	if d.NextContactID != "" {
		r.NextContactID = d.NextContactID
	}
	if d.Callback && r.Queue != nil && (r.Agent == nil || r.Agent.ConnectedToAgentTimestamp.IsZero()) {
		r.Callback = true
	}
	if d.Logging != nil {
		s.Logging = d.Logging
	}
	s.save()
}

// merged gives a new map with all of both.
func merged[K comparable, V any](old, more map[K]V) map[K]V {
	out := make(map[K]V, len(old)+len(more))
	maps.Copy(out, old)
	maps.Copy(out, more)
	return out
}

// routingSet changes the order in which the contact is served, also when it waits already.
func (s *step) routingSet(e routingSet) {
	r := e.Routing
	if r.Priority != 0 {
		s.Rank.Priority = r.Priority
	}
	if r.Steps != nil {
		s.Rank.Steps = r.Steps
	}
	if r.AgeAdjustment != 0 || e.Age {
		s.Rank.AgeAdjustment = r.AgeAdjustment
	}
	if s.Phase == PhaseQueued || s.Phase == PhaseRinging {
		now := s.Rank
		now.Steps = r.Steps // steps begin anew only when they are new
		s.do(reorder{ContactID: s.Record.ID, Routing: now})
	}
}
