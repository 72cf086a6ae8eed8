package admin

import (
	"context"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/recording"
	"ullim/internal/resource"
)

// Holds keep recordings from being deleted.
type Holds interface {
	PutHold(ctx context.Context, h recording.Hold) error
	DropHold(ctx context.Context, instanceID, contactID string) (*recording.Hold, error)
	Hold(ctx context.Context, instanceID, contactID string) (*recording.Hold, error)
	Holds(ctx context.Context, instanceID string, p resource.Page) ([]*recording.Hold, string, error)
}

func (s *service) retention(t *rest.Table) {
	const one = "/contacts/{ContactId}/legal-hold"
	rest.Op(t, "DescribeRetentionPolicy", "GET", "/retention-policy", identity.InstanceView, s.describeRetention)
	rest.Op(t, "UpdateRetentionPolicy", "PUT", "/retention-policy", identity.InstanceEdit, s.updateRetention)
	rest.Op(t, "PlaceLegalHold", "PUT", one, identity.DeleteRecordings, s.placeHold)
	rest.Op(t, "DescribeLegalHold", "GET", one, identity.ContactSearch, s.describeHold)
	rest.Op(t, "ReleaseLegalHold", "DELETE", one, identity.DeleteRecordings, s.releaseHold)
	rest.Op(t, "ListLegalHolds", "GET", "/legal-holds", identity.ContactSearch, s.listHolds)
}

type retentionRule struct {
	QueueID string          `json:"QueueId,omitempty" ref:"queue"` // missing: every queue, and contacts that were in none
	Channel contact.Channel `json:"Channel,omitempty"`             // VOICE or CHAT; missing: both
	Days    int             `json:"Days"`
}

type retentionPolicy struct {
	Rules            []retentionRule `json:"Rules"` // of several, the most particular counts
	LastModifiedTime rest.Time       `json:"LastModifiedTime,omitzero"`
}

// describeRetention gives the policy; without rules everything is kept for ever.
func (s *service) describeRetention(ctx context.Context, c *rest.Call, _ *rest.Empty) (*retentionPolicy, error) {
	out := &retentionPolicy{Rules: []retentionRule{}}
	p, err := s.RetentionPolicies.GetByName(ctx, c.Instance(), recording.PolicyName)
	if errs.Is(err, errs.NotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for _, r := range p.Rules {
		out.Rules = append(out.Rules, retentionRule{QueueID: r.QueueID, Channel: r.Channel, Days: r.Days})
	}
	out.LastModifiedTime = rest.At(p.ModifiedAt)
	return out, nil
}

type updateRetentionInput struct {
	Rules []retentionRule `json:"Rules,omitempty"` // none: everything is kept for ever
}

// updateRetention replaces all rules.
func (s *service) updateRetention(ctx context.Context, c *rest.Call, in *updateRetentionInput) (*rest.Empty, error) {
	rules := make([]recording.Rule, 0, len(in.Rules))
	for _, r := range in.Rules {
		rules = append(rules, recording.Rule{QueueID: r.QueueID, Channel: r.Channel, Days: r.Days})
	}
	p, err := s.RetentionPolicies.GetByName(ctx, c.Instance(), recording.PolicyName)
	if errs.Is(err, errs.NotFound) {
		return done(s.RetentionPolicies.Create(ctx, &recording.Policy{
			Meta: resource.Meta{InstanceID: c.Instance(), Name: recording.PolicyName}, Rules: rules,
		}))
	}
	if err != nil {
		return nil, err
	}
	_, err = resource.Edit(ctx, s.RetentionPolicies, c.Instance(), p.ID, func(p *recording.Policy) error {
		p.Rules = rules
		return nil
	})
	return done(err)
}

type placeHoldInput struct {
	ContactID string `json:"-" path:"ContactId" ref:"contact"`
	Reason    string `json:"Reason"`
}

// placeHold keeps everything that is recorded of a contact, also what is not stored yet.
func (s *service) placeHold(ctx context.Context, c *rest.Call, in *placeHoldInput) (*rest.Empty, error) {
	if err := checkReason(in.Reason); err != nil {
		return nil, err
	}
	c.Note("reason", in.Reason)
	return done(s.Holds.PutHold(ctx, recording.Hold{
		InstanceID: c.Instance(), ContactID: in.ContactID, Reason: in.Reason, UserID: c.Principal.UserID, Since: time.Now(),
	}))
}

type legalHold struct {
	ContactID string    `json:"ContactId"`
	Reason    string    `json:"Reason"`
	UserID    string    `json:"UserId"`
	Since     rest.Time `json:"Since,omitzero"`
}

func holdOf(h *recording.Hold) legalHold {
	return legalHold{ContactID: h.ContactID, Reason: h.Reason, UserID: h.UserID, Since: rest.At(h.Since)}
}

type describeHoldOutput struct {
	LegalHold legalHold `json:"LegalHold"`
}

func (s *service) describeHold(ctx context.Context, c *rest.Call, in *contactInput) (*describeHoldOutput, error) {
	h, err := s.Holds.Hold(ctx, c.Instance(), in.ContactID)
	if err != nil {
		return nil, err
	}
	return &describeHoldOutput{LegalHold: holdOf(h)}, nil
}

type releaseHoldInput struct {
	ContactID string `json:"-" path:"ContactId" ref:"contact"`
	Reason    string `json:"-" query:"reason"`
}

// releaseHold lets retention and people delete again.
func (s *service) releaseHold(ctx context.Context, c *rest.Call, in *releaseHoldInput) (*rest.Empty, error) {
	if _, err := s.Holds.Hold(ctx, c.Instance(), in.ContactID); err != nil {
		return nil, err
	}
	if err := checkReason(in.Reason); err != nil {
		return nil, err
	}
	c.Note("reason", in.Reason)
	was, err := s.Holds.DropHold(ctx, c.Instance(), in.ContactID)
	if err == nil {
		c.Note("placed_by", was.UserID)
		c.Note("placed_because", was.Reason)
	}
	return done(err)
}

type listHoldsOutput struct {
	LegalHolds []legalHold `json:"LegalHolds"`
	NextToken  string      `json:"NextToken,omitempty"`
}

func (s *service) listHolds(ctx context.Context, c *rest.Call, in *listInput) (*listHoldsOutput, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	list, next, err := s.Holds.Holds(ctx, c.Instance(), p)
	if err != nil {
		return nil, err
	}
	out := &listHoldsOutput{LegalHolds: make([]legalHold, 0, len(list)), NextToken: next}
	for _, h := range list {
		out.LegalHolds = append(out.LegalHolds, holdOf(h))
	}
	return out, nil
}
