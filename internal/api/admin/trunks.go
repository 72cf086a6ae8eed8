package admin

import (
	"context"

	"github.com/google/uuid"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/sip"
)

func (s *service) trunks(t *rest.Table) {
	const one = "/trunks/{TrunkId}"
	rest.Op(t, "CreateTrunk", "POST", "/trunks", identity.TrunksEdit, s.createTrunk)
	rest.Op(t, "ListTrunks", "GET", "/trunks", identity.TrunksView, s.listTrunks)
	rest.Op(t, "DescribeTrunk", "GET", one, identity.TrunksView, s.describeTrunk)
	rest.Op(t, "DescribeTrunkState", "GET", one+"/state", identity.TrunksView, s.describeTrunkState)
	rest.Op(t, "UpdateTrunk", "PUT", one, identity.TrunksEdit, s.updateTrunk)
	rest.Op(t, "DeleteTrunk", "DELETE", one, identity.TrunksEdit, s.deleteTrunk)
}

func (in *trunkConfig) apply(t *sip.Trunk, realm string, sealer *identity.Sealer) error {
	if in.Password != "" && in.Username == "" {
		return errs.Field("Username", "is required with Password")
	}
	if n := len(in.Password); n > 0 && n < 16 {
		return errs.Field("Password", "must have at least 16 characters; leave it out to keep the one there is")
	}
	renamed := in.Username != t.Username
	t.Name, t.Description, t.Addresses, t.Username = in.Name, in.Description, in.Addresses, in.Username
	t.Codecs, t.Region, t.MaxChannels, t.MaxCPS, t.Disabled = in.Codecs, in.Region, in.MaxChannels, in.MaxCPS, in.Disabled
	in.applyOutgoing(t)
	if err := in.applyLogin(t, sealer); err != nil {
		return err
	}
	switch {
	case in.Username == "":
		t.HA1MD5, t.HA1SHA256 = "", ""
	case in.Password != "":
		t.HA1MD5, t.HA1SHA256 = sip.HA1(in.Username, realm, in.Password)
	case renamed:
		return errs.Field("Password", "is required with a new Username: the stored hash covers both")
	}
	return nil
}

type createTrunkOutput struct {
	TrunkID string `json:"TrunkId"`
}

func (s *service) createTrunk(ctx context.Context, c *rest.Call, in *trunkConfig) (*createTrunkOutput, error) {
	id, err := uuid.NewV7() // now, because the password is sealed for it
	if err != nil {
		return nil, err
	}
	t := &sip.Trunk{Meta: resource.Meta{ID: id.String(), InstanceID: c.Instance()}}
	if err := in.apply(t, s.Realm, s.Sealer); err != nil {
		return nil, err
	}
	if err := s.Trunks.Create(ctx, t); err != nil {
		return nil, err
	}
	c.Note("trunk_id", t.ID)
	return &createTrunkOutput{TrunkID: t.ID}, nil
}

type listTrunksOutput struct {
	Trunks    []trunk `json:"Trunks"`
	NextToken string  `json:"NextToken,omitempty"`
}

func (s *service) listTrunks(ctx context.Context, c *rest.Call, in *listInput) (*listTrunksOutput, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	ts, next, err := s.Trunks.List(ctx, c.Instance(), p)
	if err != nil {
		return nil, err
	}
	out := &listTrunksOutput{Trunks: make([]trunk, 0, len(ts)), NextToken: next}
	for _, t := range ts {
		out.Trunks = append(out.Trunks, trunkOf(t))
	}
	return out, nil
}

type trunkInput struct {
	TrunkID string `json:"-" path:"TrunkId" ref:"trunk"`
}

type describeTrunkOutput struct {
	Trunk trunk `json:"Trunk"`
}

func (s *service) describeTrunk(ctx context.Context, c *rest.Call, in *trunkInput) (*describeTrunkOutput, error) {
	t, err := s.Trunks.Get(ctx, c.Instance(), in.TrunkID)
	if err != nil {
		return nil, err
	}
	return &describeTrunkOutput{Trunk: trunkOf(t)}, nil
}

// updateTrunk replaces the whole configuration but the passwords, which stay if none are given.
func (s *service) updateTrunk(ctx context.Context, c *rest.Call, in *updateTrunkInput) (*rest.Empty, error) {
	config := in.config()
	_, err := resource.Edit(ctx, s.Trunks, c.Instance(), in.TrunkID, func(t *sip.Trunk) error {
		return config.apply(t, s.Realm, s.Sealer)
	})
	return done(err)
}

func (s *service) deleteTrunk(ctx context.Context, c *rest.Call, in *trunkInput) (*rest.Empty, error) {
	return done(s.Trunks.Delete(ctx, c.Instance(), in.TrunkID))
}
