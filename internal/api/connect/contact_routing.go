package connect

import (
	"context"
	"encoding/json"
	"time"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
)

// RoutingChange is what changes of how a waiting contact is served; nil is as before.
type RoutingChange struct {
	Priority      *int64
	AgeAdjustment *time.Duration
	Steps         []ivr.RoutingStep
}

// Routing is the live side of contacts in line.
type Routing interface {
	// Route changes how a live contact is served. errs.NotFound: it is not live.
	Route(ctx context.Context, instanceID, contactID string, r RoutingChange) error
	// Assign offers a contact in line to one agent. errs.NotFound, errs.Denied, errs.InvalidRequest.
	Assign(ctx context.Context, instanceID, contactID, userID string) error
}

func (s *service) contactRouting(t *rest.Table) {
	const one = "/contacts/{InstanceId}/{ContactId}"
	rest.Op(t, "UpdateContactRoutingData", "POST", one+"/routing-data", identity.RealTimeMetrics, s.updateContactRoutingData)
	rest.Op(t, "AssociateContactWithUser", "POST", one+"/associate-user", identity.RealTimeMetrics, s.associateContactWithUser)
	rest.Op(t, "ListRoutingProfileManualAssignmentQueues", "GET",
		"/routing-profiles/{InstanceId}/{RoutingProfileId}/manual-assignment-queues", identity.RoutingView, s.listManualQueues)
}

type updateContactRoutingDataInput struct {
	InstanceID                 string          `json:"-" path:"InstanceId" ref:"instance"`
	ContactID                  string          `json:"-" path:"ContactId" ref:"contact"`
	QueuePriority              *int64          `json:"QueuePriority,omitempty"`
	QueueTimeAdjustmentSeconds *int32          `json:"QueueTimeAdjustmentSeconds,omitempty"`
	RoutingCriteria            json.RawMessage `json:"RoutingCriteria,omitempty"`
}

func (s *service) updateContactRoutingData(ctx context.Context, c *rest.Call, in *updateContactRoutingDataInput) (*rest.Empty, error) {
	var r RoutingChange
	if in.QueuePriority != nil {
		if *in.QueuePriority < 1 {
			return nil, errs.Field("QueuePriority", "must be 1, which is the best, to %d; is %d", acd.MaxContactPriority, *in.QueuePriority)
		}
		r.Priority = in.QueuePriority
	}
	if n := in.QueueTimeAdjustmentSeconds; n != nil {
		d := time.Duration(*n) * time.Second
		r.AgeAdjustment = &d
	}
	if len(in.RoutingCriteria) > 0 {
		steps, err := ivr.ParseCriteria(in.RoutingCriteria)
		if err != nil {
			return nil, errs.Field("RoutingCriteria", "%v", err)
		}
		r.Steps = steps
	}
	if r.Priority == nil && r.AgeAdjustment == nil && r.Steps == nil {
		return nil, errs.Field("QueuePriority", "or QueueTimeAdjustmentSeconds or RoutingCriteria is required")
	}
	return &rest.Empty{}, s.Routing.Route(ctx, c.Instance(), in.ContactID, r)
}

type associateContactWithUserInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	ContactID  string `json:"-" path:"ContactId" ref:"contact"`
	UserID     string `json:"UserId" ref:"agent"`
}

// associateContactWithUser lets agents take contacts from the list themselves; others may assign them to anybody.
func (s *service) associateContactWithUser(ctx context.Context, c *rest.Call, in *associateContactWithUserInput) (*rest.Empty, error) {
	if _, err := s.Users.Get(ctx, c.Instance(), in.UserID); err != nil {
		return nil, err
	}
	return &rest.Empty{}, s.Routing.Assign(ctx, c.Instance(), in.ContactID, in.UserID)
}

type manualQueueConfig struct {
	QueueReference *queueReference `json:"QueueReference"`
}

// manualQueuesOf reads what an input names.
func manualQueuesOf(list []manualQueueConfig) []acd.ManualQueue {
	var out []acd.ManualQueue
	for _, q := range list {
		out = append(out, acd.ManualQueue{QueueID: q.QueueReference.QueueID, Channel: q.QueueReference.Channel})
	}
	return out
}

type manualQueueSummary struct {
	QueueID   string `json:"QueueId"`
	QueueARN  string `json:"QueueArn"`
	QueueName string `json:"QueueName"`
	Channel   string `json:"Channel"`
}

type listManualQueuesOutput struct {
	List               []manualQueueSummary `json:"RoutingProfileManualAssignmentQueueConfigSummaryList"`
	NextToken          string               `json:"NextToken,omitempty"`
	LastModifiedTime   rest.Time            `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string               `json:"LastModifiedRegion"`
}

func (s *service) listManualQueues(ctx context.Context, c *rest.Call, in *listRoutingQueuesInput) (*listManualQueuesOutput, error) {
	pg, err := pageOf(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	p, err := s.RoutingProfiles.Get(ctx, c.Instance(), in.RoutingProfileID)
	if err != nil {
		return nil, err
	}
	lines, next, err := window(p.Manual, pg)
	if err != nil {
		return nil, err
	}
	out := &listManualQueuesOutput{
		List: []manualQueueSummary{}, NextToken: next, LastModifiedTime: rest.At(p.ModifiedAt), LastModifiedRegion: resource.Region,
	}
	for _, line := range lines {
		q, err := s.Queues.Get(ctx, c.Instance(), line.QueueID)
		if err != nil {
			return nil, err
		}
		out.List = append(out.List, manualQueueSummary{
			QueueID: q.ID, QueueARN: resource.ARN(q.InstanceID, q.Kind(), q.ID), QueueName: q.Name, Channel: string(line.Channel),
		})
	}
	return out, nil
}
