package connect

import (
	"context"
	"slices"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) queues(t *rest.Table) {
	const one = "/queues/{InstanceId}/{QueueId}"
	rest.Op(t, "CreateQueue", "PUT", "/queues/{InstanceId}", identity.QueuesCreate, s.createQueue)
	rest.Op(t, "DescribeQueue", "GET", one, identity.QueuesView, s.describeQueue)
	rest.Op(t, "ListQueues", "GET", "/queues-summary/{InstanceId}", identity.QueuesView, s.listQueues)
	rest.Op(t, "UpdateQueueName", "POST", one+"/name", identity.QueuesEdit, s.updateQueueName)
	rest.Op(t, "UpdateQueueHoursOfOperation", "POST", one+"/hours-of-operation", identity.QueuesEdit, s.updateQueueHours)
	rest.Op(t, "UpdateQueueMaxContacts", "POST", one+"/max-contacts", identity.QueuesEdit, s.updateQueueMaxContacts)
	rest.Op(t, "UpdateQueueStatus", "POST", one+"/status", identity.QueuesEnableAndDisable, s.updateQueueStatus)
	rest.Op(t, "UpdateQueueOutboundCallerConfig", "POST", one+"/outbound-caller-config", identity.QueuesEdit,
		s.updateQueueOutboundCaller)
	rest.Op(t, "DeleteQueue", "DELETE", one, identity.QueuesDelete, s.deleteQueue)
}

type outboundCallerConfig struct {
	Name     string `json:"OutboundCallerIdName,omitempty"`
	NumberID string `json:"OutboundCallerIdNumberId,omitempty" ref:"phone-number"`
	FlowID   string `json:"OutboundFlowId,omitempty" ref:"contact-flow"`
}

func (o *outboundCallerConfig) apply(q *acd.Queue) {
	if o != nil {
		q.OutboundCallerIDName, q.OutboundCallerNumber, q.OutboundFlowID = o.Name, o.NumberID, o.FlowID
	}
}

type createQueueInput struct {
	InstanceID           string                `json:"-" path:"InstanceId" ref:"instance"`
	Name                 string                `json:"Name"`
	Description          string                `json:"Description,omitempty"`
	HoursOfOperationID   string                `json:"HoursOfOperationId" ref:"operating-hours"`
	MaxContacts          int                   `json:"MaxContacts,omitempty"`
	OutboundCallerConfig *outboundCallerConfig `json:"OutboundCallerConfig,omitempty"`
	Tags                 map[string]string     `json:"Tags,omitempty"`
	QuickConnectIDs      []string              `json:"QuickConnectIds,omitempty" ref:"transfer-destination"`
	OutboundEmailConfig  rest.Unsupported      `json:"OutboundEmailConfig,omitzero"`
	EmailAddressesConfig rest.Unsupported      `json:"EmailAddressesConfig,omitzero"`
}

type createQueueOutput struct {
	QueueARN string `json:"QueueArn"`
	QueueID  string `json:"QueueId"`
}

func (s *service) createQueue(ctx context.Context, c *rest.Call, in *createQueueInput) (*createQueueOutput, error) {
	meta, err := head(c, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	q := &acd.Queue{
		Meta: meta, Description: in.Description, HoursID: in.HoursOfOperationID, MaxContacts: in.MaxContacts,
		Status: acd.QueueEnabled, QuickConnects: in.QuickConnectIDs,
	}
	in.OutboundCallerConfig.apply(q)
	if err = s.Queues.Create(ctx, q); err != nil {
		return nil, err
	}
	c.Note("queue_id", q.ID)
	return &createQueueOutput{QueueARN: resource.ARN(q.InstanceID, q.Kind(), q.ID), QueueID: q.ID}, nil
}

type queueInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	QueueID    string `json:"-" path:"QueueId" ref:"queue"`
}

type queue struct {
	QueueID              string                `json:"QueueId"`
	QueueARN             string                `json:"QueueArn"`
	Name                 string                `json:"Name"`
	Description          string                `json:"Description,omitempty"`
	HoursOfOperationID   string                `json:"HoursOfOperationId"`
	MaxContacts          int                   `json:"MaxContacts,omitempty"`
	Status               acd.QueueStatus       `json:"Status"`
	OutboundCallerConfig *outboundCallerConfig `json:"OutboundCallerConfig,omitempty"`
	Tags                 map[string]string     `json:"Tags,omitempty"`
	LastModifiedTime     rest.Time             `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion   string                `json:"LastModifiedRegion"`
}

type describeQueueOutput struct {
	Queue queue `json:"Queue"`
}

func (s *service) describeQueue(ctx context.Context, c *rest.Call, in *queueInput) (*describeQueueOutput, error) {
	q, err := s.Queues.Get(ctx, c.Instance(), in.QueueID)
	if err != nil {
		return nil, err
	}
	return &describeQueueOutput{Queue: queueOf(q)}, nil
}

func queueOf(q *acd.Queue) queue {
	out := queue{
		QueueID: q.ID, QueueARN: resource.ARN(q.InstanceID, q.Kind(), q.ID), Name: q.Name, Description: q.Description,
		HoursOfOperationID: q.HoursID, MaxContacts: q.MaxContacts, Status: q.Status, Tags: q.Tags,
		LastModifiedTime: rest.At(q.ModifiedAt), LastModifiedRegion: resource.Region,
	}
	if q.OutboundCallerIDName != "" || q.OutboundCallerNumber != "" || q.OutboundFlowID != "" {
		out.OutboundCallerConfig = &outboundCallerConfig{
			Name: q.OutboundCallerIDName, NumberID: q.OutboundCallerNumber, FlowID: q.OutboundFlowID,
		}
	}
	return out
}

type listQueuesInput struct {
	InstanceID string   `json:"-" path:"InstanceId" ref:"instance"`
	QueueTypes []string `json:"-" query:"queueTypes"`
	MaxResults int      `json:"-" query:"maxResults"`
	NextToken  string   `json:"-" query:"nextToken"`
}

type queueSummary struct {
	ID                 string    `json:"Id"`
	ARN                string    `json:"Arn"`
	Name               string    `json:"Name,omitempty"`
	LastModifiedTime   rest.Time `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string    `json:"LastModifiedRegion,omitempty"`
	QueueType          string    `json:"QueueType"`
}

type listQueuesOutput struct {
	QueueSummaryList []queueSummary `json:"QueueSummaryList"`
	NextToken        string         `json:"NextToken,omitempty"`
}

func (s *service) listQueues(ctx context.Context, c *rest.Call, in *listQueuesInput) (*listQueuesOutput, error) {
	for _, kind := range in.QueueTypes {
		if kind != "STANDARD" && kind != "AGENT" {
			return nil, errs.Field("QueueTypes", "must be STANDARD or AGENT; got %q", kind)
		}
	}
	qs, next, err := page(ctx, s.Queues, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listQueuesOutput{QueueSummaryList: []queueSummary{}, NextToken: next}
	if len(in.QueueTypes) > 0 && !slices.Contains(in.QueueTypes, "STANDARD") {
		return out, nil // only the queues of agents, which we do not have
	}
	for _, q := range qs {
		m := summaryOf(q)
		out.QueueSummaryList = append(out.QueueSummaryList, queueSummary{
			ID: m.ID, ARN: m.ARN, Name: m.Name, LastModifiedTime: m.LastModifiedTime,
			LastModifiedRegion: m.LastModifiedRegion, QueueType: "STANDARD",
		})
	}
	return out, nil
}

func (s *service) editQueue(ctx context.Context, c *rest.Call, id string, change func(*acd.Queue) error) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Queues, c.Instance(), id, change)
	return done(err)
}

type updateQueueNameInput struct {
	InstanceID  string  `json:"-" path:"InstanceId" ref:"instance"`
	QueueID     string  `json:"-" path:"QueueId" ref:"queue"`
	Name        *string `json:"Name,omitempty"`
	Description *string `json:"Description,omitempty"`
}

func (s *service) updateQueueName(ctx context.Context, c *rest.Call, in *updateQueueNameInput) (*rest.Empty, error) {
	return s.editQueue(ctx, c, in.QueueID, func(q *acd.Queue) error {
		set(&q.Name, in.Name)
		set(&q.Description, in.Description)
		return nil
	})
}

type updateQueueHoursInput struct {
	InstanceID         string `json:"-" path:"InstanceId" ref:"instance"`
	QueueID            string `json:"-" path:"QueueId" ref:"queue"`
	HoursOfOperationID string `json:"HoursOfOperationId" ref:"operating-hours"`
}

func (s *service) updateQueueHours(ctx context.Context, c *rest.Call, in *updateQueueHoursInput) (*rest.Empty, error) {
	return s.editQueue(ctx, c, in.QueueID, func(q *acd.Queue) error {
		q.HoursID = in.HoursOfOperationID
		return nil
	})
}

type updateQueueMaxContactsInput struct {
	InstanceID  string `json:"-" path:"InstanceId" ref:"instance"`
	QueueID     string `json:"-" path:"QueueId" ref:"queue"`
	MaxContacts int    `json:"MaxContacts,omitempty"` // missing: no limit
}

func (s *service) updateQueueMaxContacts(
	ctx context.Context, c *rest.Call, in *updateQueueMaxContactsInput,
) (*rest.Empty, error) {
	return s.editQueue(ctx, c, in.QueueID, func(q *acd.Queue) error {
		q.MaxContacts = in.MaxContacts
		return nil
	})
}

type updateQueueStatusInput struct {
	InstanceID string          `json:"-" path:"InstanceId" ref:"instance"`
	QueueID    string          `json:"-" path:"QueueId" ref:"queue"`
	Status     acd.QueueStatus `json:"Status"`
}

func (s *service) updateQueueStatus(ctx context.Context, c *rest.Call, in *updateQueueStatusInput) (*rest.Empty, error) {
	return s.editQueue(ctx, c, in.QueueID, func(q *acd.Queue) error {
		q.Status = in.Status
		return nil
	})
}

type updateQueueOutboundCallerInput struct {
	InstanceID           string                `json:"-" path:"InstanceId" ref:"instance"`
	QueueID              string                `json:"-" path:"QueueId" ref:"queue"`
	OutboundCallerConfig *outboundCallerConfig `json:"OutboundCallerConfig"`
}

func (s *service) updateQueueOutboundCaller(
	ctx context.Context, c *rest.Call, in *updateQueueOutboundCallerInput,
) (*rest.Empty, error) {
	return s.editQueue(ctx, c, in.QueueID, func(q *acd.Queue) error {
		in.OutboundCallerConfig.apply(q)
		return nil
	})
}

func (s *service) deleteQueue(ctx context.Context, c *rest.Call, in *queueInput) (*rest.Empty, error) {
	return done(s.Queues.Delete(ctx, c.Instance(), in.QueueID))
}
