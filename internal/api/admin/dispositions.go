package admin

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/identity"
	"ullim/internal/records"
	"ullim/internal/resource"
)

// Desk sets dispositions and notes of contacts. *records.Desk is one.
type Desk interface {
	SetDisposition(ctx context.Context, instanceID, contactID, userID, code, notes string) error
	Choices(ctx context.Context, instanceID, queueID string) ([]*records.Disposition, error)
}

func (s *service) dispositions(t *rest.Table) {
	const one = "/dispositions/{DispositionId}"
	rest.Op(t, "CreateDisposition", "POST", "/dispositions", identity.DispositionsEdit, s.createDisposition)
	rest.Op(t, "ListDispositions", "GET", "/dispositions", identity.DispositionsView, s.listDispositions)
	rest.Op(t, "DescribeDisposition", "GET", one, identity.DispositionsView, s.describeDisposition)
	rest.Op(t, "UpdateDisposition", "PUT", one, identity.DispositionsEdit, s.updateDisposition)
	rest.Op(t, "DeleteDisposition", "DELETE", one, identity.DispositionsEdit, s.deleteDisposition)
	rest.Op(t, "SetContactDisposition", "PUT", "/contacts/{ContactId}/disposition", identity.ContactEdit, s.setDisposition)
}

type createDispositionInput struct {
	Code     string   `json:"Code"`
	Label    string   `json:"Label,omitempty"`
	QueueIDs []string `json:"QueueIds,omitempty" ref:"queue"` // empty: all queues
	Order    int      `json:"Order,omitempty"`
	Archived bool     `json:"Archived,omitempty"`
}

type updateDispositionInput struct {
	DispositionID string   `json:"-" path:"DispositionId" ref:"disposition"`
	Label         string   `json:"Label,omitempty"`
	QueueIDs      []string `json:"QueueIds,omitempty" ref:"queue"`
	Order         int      `json:"Order,omitempty"`
	Archived      bool     `json:"Archived,omitempty"`
}

type dispositionInput struct {
	DispositionID string `json:"-" path:"DispositionId" ref:"disposition"`
}

type disposition struct {
	DispositionID    string    `json:"DispositionId"`
	ARN              string    `json:"Arn"`
	Code             string    `json:"Code"`
	Label            string    `json:"Label,omitempty"`
	QueueIDs         []string  `json:"QueueIds"`
	Order            int       `json:"Order,omitempty"`
	Archived         bool      `json:"Archived"`
	LastModifiedTime rest.Time `json:"LastModifiedTime,omitzero"`
}

func dispositionOf(d *records.Disposition) disposition {
	return disposition{
		DispositionID: d.ID, ARN: resource.ARN(d.InstanceID, resource.KindDisposition, d.ID), Code: d.Name, Label: d.Label,
		QueueIDs: append([]string{}, d.QueueIDs...), Order: d.Order, Archived: d.Archived, LastModifiedTime: rest.At(d.ModifiedAt),
	}
}

func (s *service) createDisposition(ctx context.Context, c *rest.Call, in *createDispositionInput) (*dispositionInputID, error) {
	d := &records.Disposition{
		Meta: resource.Meta{InstanceID: c.Instance(), Name: in.Code}, Label: in.Label, QueueIDs: in.QueueIDs, Order: in.Order, Archived: in.Archived,
	}
	if err := s.Dispositions.Create(ctx, d); err != nil {
		return nil, err
	}
	c.Note("disposition_id", d.ID)
	return &dispositionInputID{d.ID}, nil
}

// dispositionInputID is the answer of a creation.
type dispositionInputID struct {
	DispositionID string `json:"DispositionId"`
}

type listDispositionsInput struct {
	QueueID    string `json:"-" query:"queueId" ref:"queue"` // only what may be chosen for its contacts
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type listDispositionsOutput struct {
	Dispositions []disposition `json:"Dispositions"`
	NextToken    string        `json:"NextToken,omitempty"`
}

func (s *service) listDispositions(ctx context.Context, c *rest.Call, in *listDispositionsInput) (*listDispositionsOutput, error) {
	p, err := (&listInput{in.MaxResults, in.NextToken}).page()
	if err != nil {
		return nil, err
	}
	var list []*records.Disposition
	out := &listDispositionsOutput{Dispositions: []disposition{}}
	if in.QueueID != "" {
		list, err = s.Desk.Choices(ctx, c.Instance(), in.QueueID)
	} else {
		list, out.NextToken, err = s.Dispositions.List(ctx, c.Instance(), p)
	}
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		out.Dispositions = append(out.Dispositions, dispositionOf(d))
	}
	return out, nil
}

func (s *service) describeDisposition(ctx context.Context, c *rest.Call, in *dispositionInput) (*disposition, error) {
	d, err := s.Dispositions.Get(ctx, c.Instance(), in.DispositionID)
	if err != nil {
		return nil, err
	}
	out := dispositionOf(d)
	return &out, nil
}

// updateDisposition changes all but the code, which stands in records.
func (s *service) updateDisposition(ctx context.Context, c *rest.Call, in *updateDispositionInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Dispositions, c.Instance(), in.DispositionID, func(d *records.Disposition) error {
		d.Label, d.QueueIDs, d.Order, d.Archived = in.Label, in.QueueIDs, in.Order, in.Archived
		return nil
	})
	return done(err)
}

func (s *service) deleteDisposition(ctx context.Context, c *rest.Call, in *dispositionInput) (*rest.Empty, error) {
	return done(s.Dispositions.Delete(ctx, c.Instance(), in.DispositionID))
}

type setDispositionInput struct {
	ContactID string `json:"-" path:"ContactId" ref:"contact"`
	Code      string `json:"Code,omitempty"` // empty: none
	Notes     string `json:"Notes,omitempty"`
}

func (s *service) setDisposition(ctx context.Context, c *rest.Call, in *setDispositionInput) (*rest.Empty, error) {
	return done(s.Desk.SetDisposition(ctx, c.Instance(), in.ContactID, c.Principal.UserID, in.Code, in.Notes))
}
