package admin

import (
	"context"

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
	rest.Op(t, "UpdateTrunk", "PUT", one, identity.TrunksEdit, s.updateTrunk)
	rest.Op(t, "DeleteTrunk", "DELETE", one, identity.TrunksEdit, s.deleteTrunk)
}

// trunkConfig is what a trunk is set up with. The password is written and never read.
type trunkConfig struct {
	Name        string   `json:"Name"`
	Description string   `json:"Description,omitempty"`
	Addresses   []string `json:"Addresses,omitempty"`
	Username    string   `json:"Username,omitempty"`
	Password    string   `json:"Password,omitempty"`
	Codecs      []string `json:"Codecs,omitempty"`
	Region      string   `json:"Region,omitempty"`
	MaxChannels int      `json:"MaxChannels,omitempty"`
	MaxCPS      int      `json:"MaxCps,omitempty"`
	Disabled    bool     `json:"Disabled,omitempty"`

	AllowRefer    bool     `json:"AllowRefer,omitempty"`
	RedirectHosts []string `json:"RedirectHosts,omitempty"`
}

func (in *trunkConfig) apply(t *sip.Trunk, realm string) error {
	if in.Password != "" && in.Username == "" {
		return errs.Field("Username", "is required with Password")
	}
	if n := len(in.Password); n > 0 && n < 16 {
		return errs.Field("Password", "must have at least 16 characters; leave it out to keep the one there is")
	}
	renamed := in.Username != t.Username
	t.Name, t.Description, t.Addresses, t.Username = in.Name, in.Description, in.Addresses, in.Username
	t.Codecs, t.Region, t.MaxChannels, t.MaxCPS, t.Disabled = in.Codecs, in.Region, in.MaxChannels, in.MaxCPS, in.Disabled
	t.AllowRefer, t.RedirectHosts = in.AllowRefer, in.RedirectHosts
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

type trunk struct {
	TrunkID          string            `json:"TrunkId"`
	Name             string            `json:"Name"`
	Description      string            `json:"Description,omitempty"`
	Addresses        []string          `json:"Addresses"`
	Username         string            `json:"Username,omitempty"`
	Codecs           []string          `json:"Codecs"`
	Region           string            `json:"Region,omitempty"`
	MaxChannels      int               `json:"MaxChannels"`
	MaxCPS           int               `json:"MaxCps"`
	Disabled         bool              `json:"Disabled"`
	AllowRefer       bool              `json:"AllowRefer"`
	RedirectHosts    []string          `json:"RedirectHosts,omitempty"`
	Tags             map[string]string `json:"Tags,omitempty"`
	LastModifiedTime rest.Time         `json:"LastModifiedTime,omitzero"`
}

func trunkOf(t *sip.Trunk) trunk {
	return trunk{
		TrunkID: t.ID, Name: t.Name, Description: t.Description, Addresses: append([]string{}, t.Addresses...),
		Username: t.Username, Codecs: append([]string{}, t.Codecs...), Region: t.Region, MaxChannels: t.MaxChannels,
		MaxCPS: t.MaxCPS, Disabled: t.Disabled, Tags: t.Tags, LastModifiedTime: rest.At(t.ModifiedAt),
		AllowRefer: t.AllowRefer, RedirectHosts: t.RedirectHosts,
	}
}

type createTrunkOutput struct {
	TrunkID string `json:"TrunkId"`
}

func (s *service) createTrunk(ctx context.Context, c *rest.Call, in *trunkConfig) (*createTrunkOutput, error) {
	t := &sip.Trunk{Meta: resource.Meta{InstanceID: c.Instance()}}
	if err := in.apply(t, s.Realm); err != nil {
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

type updateTrunkInput struct {
	TrunkID     string   `json:"-" path:"TrunkId" ref:"trunk"`
	Name        string   `json:"Name"`
	Description string   `json:"Description,omitempty"`
	Addresses   []string `json:"Addresses,omitempty"`
	Username    string   `json:"Username,omitempty"`
	Password    string   `json:"Password,omitempty"` // missing: as it is
	Codecs      []string `json:"Codecs,omitempty"`
	Region      string   `json:"Region,omitempty"`
	MaxChannels int      `json:"MaxChannels,omitempty"`
	MaxCPS      int      `json:"MaxCps,omitempty"`
	Disabled    bool     `json:"Disabled,omitempty"`

	AllowRefer    bool     `json:"AllowRefer,omitempty"`
	RedirectHosts []string `json:"RedirectHosts,omitempty"`
}

// updateTrunk replaces the whole configuration but the password, which stays if none is given.
func (s *service) updateTrunk(ctx context.Context, c *rest.Call, in *updateTrunkInput) (*rest.Empty, error) {
	config := &trunkConfig{
		Name: in.Name, Description: in.Description, Addresses: in.Addresses, Username: in.Username, Password: in.Password,
		Codecs: in.Codecs, Region: in.Region, MaxChannels: in.MaxChannels, MaxCPS: in.MaxCPS, Disabled: in.Disabled,
		AllowRefer: in.AllowRefer, RedirectHosts: in.RedirectHosts,
	}
	_, err := resource.Edit(ctx, s.Trunks, c.Instance(), in.TrunkID, func(t *sip.Trunk) error {
		return config.apply(t, s.Realm)
	})
	return done(err)
}

func (s *service) deleteTrunk(ctx context.Context, c *rest.Call, in *trunkInput) (*rest.Empty, error) {
	return done(s.Trunks.Delete(ctx, c.Instance(), in.TrunkID))
}
