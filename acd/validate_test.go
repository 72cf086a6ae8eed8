package acd

import (
	"strings"
	"testing"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

func TestValidateNamesFields(t *testing.T) {
	long := strings.Repeat("가", 251)
	pair := func(n int) *RoutingProfile {
		p := profileOf(contact.Voice)
		for i := range n {
			p.Queues = append(p.Queues, ProfileQueue{QueueID: strings.Repeat("q", i+1), Channel: contact.Voice, Priority: 1})
		}
		return p
	}
	profile := func(f func(*RoutingProfile)) *RoutingProfile {
		p := profileOf(contact.Voice, "q 1 0")
		f(p)
		return p
	}
	queue := func(f func(*Queue)) *Queue {
		q := &Queue{HoursID: "h", Status: QueueEnabled}
		q.Name = "q"
		f(q)
		return q
	}
	status := func(f func(*AgentStatus)) *AgentStatus {
		s := &AgentStatus{Type: Custom, DisplayOrder: 50}
		s.Name = "s"
		f(s)
		return s
	}
	tests := []struct {
		field string
		v     interface{ Validate() error }
	}{
		{"", queue(func(q *Queue) { q.Name = strings.Repeat("가", 127); q.Description = long[:750] })},
		{"Name", queue(func(q *Queue) { q.Name = strings.Repeat("가", 128) })},
		{"Name", queue(func(q *Queue) { q.Name = "" })},
		{"Description", queue(func(q *Queue) { q.Description = long })},
		{"HoursOfOperationId", queue(func(q *Queue) { q.HoursID = "" })},
		{"MaxContacts", queue(func(q *Queue) { q.MaxContacts = -1 })},
		{"Status", queue(func(q *Queue) { q.Status = "" })},
		{"OutboundCallerConfig.OutboundCallerIdName", queue(func(q *Queue) { q.OutboundCallerIDName = long + long })},
		{"RingSeconds", queue(func(q *Queue) { q.RingSeconds = 301 })},
		{"Tags", queue(func(q *Queue) { q.Tags = map[string]string{"": "v"} })},
		{"TimeZone", func() *Hours { h := &Hours{}; h.Name = "h"; return h }()},
		{"Name", &Hours{}},
		{"", pair(50)},
		{"QueueConfigs", pair(51)},
		{"DefaultOutboundQueueId", profile(func(p *RoutingProfile) { p.DefaultOutboundQueueID = "" })},
		{"AgentAvailabilityTimer", profile(func(p *RoutingProfile) { p.AvailabilityTimer = "X" })},
		{"MediaConcurrencies", profile(func(p *RoutingProfile) { p.Concurrencies = nil })},
		{"MediaConcurrencies[0].Concurrency", profile(func(p *RoutingProfile) { p.Concurrencies[0].Limit = 2 })},
		{"MediaConcurrencies[1].Concurrency", profile(func(p *RoutingProfile) { p.Concurrencies[1].Limit = 11 })},
		{"MediaConcurrencies[1].Concurrency", profile(func(p *RoutingProfile) { p.Concurrencies[1].Limit = 0 })},
		{"MediaConcurrencies[1].Channel", profile(func(p *RoutingProfile) { p.Concurrencies[1].Channel = contact.Voice })},
		{"MediaConcurrencies[1].Channel", profile(func(p *RoutingProfile) { p.Concurrencies[1].Channel = "FAX" })},
		{"MediaConcurrencies[0].CrossChannelBehavior.BehaviorType", profile(func(p *RoutingProfile) { p.Concurrencies[0].CrossChannel = "X" })},
		{"QueueConfigs[0].Priority", profile(func(p *RoutingProfile) { p.Queues[0].Priority = 100 })},
		{"QueueConfigs[0].Priority", profile(func(p *RoutingProfile) { p.Queues[0].Priority = 0 })},
		{"QueueConfigs[0].Delay", profile(func(p *RoutingProfile) { p.Queues[0].Delay = 10000 })},
		{"QueueConfigs[1].QueueReference", profile(func(p *RoutingProfile) { p.Queues = append(p.Queues, p.Queues[0]) })},
		{"QueueConfigs[0].QueueReference.QueueId", profile(func(p *RoutingProfile) { p.Queues[0].QueueID = "" })},
		{"QueueConfigs[0].QueueReference.Channel", profile(func(p *RoutingProfile) { p.Queues[0].Channel = contact.Task })},
		{"", status(func(*AgentStatus) {})},
		{"Type", status(func(s *AgentStatus) { s.Type = "" })},
		{"DisplayOrder", status(func(s *AgentStatus) { s.DisplayOrder = 51 })},
		{"State", status(func(s *AgentStatus) { s.Type = Routable; s.Disabled = true })},
	}
	for _, tt := range tests {
		err := tt.v.Validate()
		if tt.field == "" && err != nil || tt.field != "" && (!errs.Is(err, errs.Invalid) || !strings.HasPrefix(err.Error(), tt.field+": ")) {
			t.Errorf("%T: %v, want %q", tt.v, err, tt.field)
		}
	}
}
