package connect

import (
	"context"
	"slices"
	"strconv"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) routingProfileQueues(t *rest.Table) {
	const one = "/routing-profiles/{InstanceId}/{RoutingProfileId}"
	rest.Op(t, "ListRoutingProfileQueues", "GET", one+"/queues", identity.RoutingView, s.listRoutingQueues)
	rest.Op(t, "UpdateRoutingProfileQueues", "POST", one+"/queues", identity.RoutingEdit, s.updateRoutingQueues)
	rest.Op(t, "AssociateRoutingProfileQueues", "POST", one+"/associate-queues", identity.RoutingEdit,
		s.associateRoutingQueues)
	rest.Op(t, "DisassociateRoutingProfileQueues", "POST", one+"/disassociate-queues", identity.RoutingEdit,
		s.disassociateRoutingQueues)
}

type queueReference struct {
	QueueID string          `json:"QueueId" ref:"queue"`
	Channel contact.Channel `json:"Channel"`
}

type queueConfig struct {
	QueueReference *queueReference `json:"QueueReference"`
	Priority       *int            `json:"Priority"`
	Delay          *int            `json:"Delay"`
}

func profileQueuesOf(list []queueConfig) []acd.ProfileQueue {
	out := make([]acd.ProfileQueue, 0, len(list))
	for _, q := range list {
		out = append(out, acd.ProfileQueue{
			QueueID: q.QueueReference.QueueID, Channel: q.QueueReference.Channel, Priority: *q.Priority, Delay: *q.Delay,
		})
	}
	return out
}

type listRoutingQueuesInput struct {
	InstanceID       string `json:"-" path:"InstanceId" ref:"instance"`
	RoutingProfileID string `json:"-" path:"RoutingProfileId" ref:"routing-profile"`
	MaxResults       int    `json:"-" query:"maxResults"`
	NextToken        string `json:"-" query:"nextToken"`
}

type routingQueueSummary struct {
	QueueID   string          `json:"QueueId"`
	QueueARN  string          `json:"QueueArn"`
	QueueName string          `json:"QueueName"`
	Priority  int             `json:"Priority"`
	Delay     int             `json:"Delay"`
	Channel   contact.Channel `json:"Channel"`
}

type listRoutingQueuesOutput struct {
	List               []routingQueueSummary `json:"RoutingProfileQueueConfigSummaryList"`
	NextToken          string                `json:"NextToken,omitempty"`
	LastModifiedTime   rest.Time             `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string                `json:"LastModifiedRegion"`
}

func (s *service) listRoutingQueues(
	ctx context.Context, c *rest.Call, in *listRoutingQueuesInput,
) (*listRoutingQueuesOutput, error) {
	pg, err := pageOf(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	p, err := s.RoutingProfiles.Get(ctx, c.Instance(), in.RoutingProfileID)
	if err != nil {
		return nil, err
	}
	lines, next, err := window(p.Queues, pg)
	if err != nil {
		return nil, err
	}
	out := &listRoutingQueuesOutput{
		List: []routingQueueSummary{}, NextToken: next, LastModifiedTime: rest.At(p.ModifiedAt),
		LastModifiedRegion: resource.Region,
	}
	for _, line := range lines {
		q, qerr := s.Queues.Get(ctx, c.Instance(), line.QueueID)
		if qerr != nil {
			return nil, qerr
		}
		out.List = append(out.List, routingQueueSummary{
			QueueID: q.ID, QueueARN: resource.ARN(q.InstanceID, q.Kind(), q.ID), QueueName: q.Name,
			Priority: line.Priority, Delay: line.Delay, Channel: line.Channel,
		})
	}
	return out, nil
}

// window is a page of a short list; its token is where the next begins.
func window[T any](list []T, p resource.Page) ([]T, string, error) {
	from := 0
	if p.Token != "" {
		var err error
		if from, err = strconv.Atoi(p.Token); err != nil || from < 0 || from > len(list) {
			return nil, "", errs.Field("NextToken", "is not one of ours")
		}
	}
	to := min(len(list), from+p.Max)
	if to == len(list) {
		return list[from:to], "", nil
	}
	return list[from:to], strconv.Itoa(to), nil
}

type routingQueuesInput struct {
	InstanceID       string        `json:"-" path:"InstanceId" ref:"instance"`
	RoutingProfileID string        `json:"-" path:"RoutingProfileId" ref:"routing-profile"`
	QueueConfigs     []queueConfig `json:"QueueConfigs"`
}

type associateRoutingQueuesInput struct {
	InstanceID       string              `json:"-" path:"InstanceId" ref:"instance"`
	RoutingProfileID string              `json:"-" path:"RoutingProfileId" ref:"routing-profile"`
	QueueConfigs     []queueConfig       `json:"QueueConfigs,omitempty"`
	Manual           []manualQueueConfig `json:"ManualAssignmentQueueConfigs,omitempty"`
}

func sameLine(a, b acd.ProfileQueue) bool { return a.QueueID == b.QueueID && a.Channel == b.Channel }

// updateRoutingQueues changes priority and delay of queues that are associated already.
func (s *service) updateRoutingQueues(ctx context.Context, c *rest.Call, in *routingQueuesInput) (*rest.Empty, error) {
	return s.editRouting(ctx, c, in.RoutingProfileID, func(p *acd.RoutingProfile) error {
		for _, line := range profileQueuesOf(in.QueueConfigs) {
			i := slices.IndexFunc(p.Queues, func(q acd.ProfileQueue) bool { return sameLine(q, line) })
			if i < 0 {
				return errs.New(errs.NotFound, "queue %s is not associated for channel %s", line.QueueID, line.Channel)
			}
			p.Queues[i] = line
		}
		return nil
	})
}

func (s *service) associateRoutingQueues(ctx context.Context, c *rest.Call, in *associateRoutingQueuesInput) (*rest.Empty, error) {
	return s.editRouting(ctx, c, in.RoutingProfileID, func(p *acd.RoutingProfile) error {
		for _, q := range manualQueuesOf(in.Manual) {
			if !slices.Contains(p.Manual, q) {
				p.Manual = append(slices.Clone(p.Manual), q)
			}
		}
		for _, line := range profileQueuesOf(in.QueueConfigs) {
			if i := slices.IndexFunc(p.Queues, func(q acd.ProfileQueue) bool { return sameLine(q, line) }); i >= 0 {
				p.Queues[i] = line
				continue
			}
			p.Queues = append(p.Queues, line)
		}
		return nil
	})
}

type disassociateRoutingQueuesInput struct {
	InstanceID       string           `json:"-" path:"InstanceId" ref:"instance"`
	RoutingProfileID string           `json:"-" path:"RoutingProfileId" ref:"routing-profile"`
	QueueReferences  []queueReference `json:"QueueReferences,omitempty"`
	Manual           []queueReference `json:"ManualAssignmentQueueReferences,omitempty"`
}

func (s *service) disassociateRoutingQueues(
	ctx context.Context, c *rest.Call, in *disassociateRoutingQueuesInput,
) (*rest.Empty, error) {
	return s.editRouting(ctx, c, in.RoutingProfileID, func(p *acd.RoutingProfile) error {
		p.Queues = slices.DeleteFunc(p.Queues, func(q acd.ProfileQueue) bool {
			return slices.Contains(in.QueueReferences, queueReference{QueueID: q.QueueID, Channel: q.Channel})
		})
		p.Manual = slices.DeleteFunc(slices.Clone(p.Manual), func(q acd.ManualQueue) bool {
			return slices.Contains(in.Manual, queueReference{QueueID: q.QueueID, Channel: q.Channel})
		})
		return nil
	})
}
