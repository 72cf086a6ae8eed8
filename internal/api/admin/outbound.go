package admin

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/phone"
	"ullim/internal/resource"
	"ullim/sip"
)

// outboundCaps are limits of one kind; 0 is the default, -1 none.
type outboundCaps struct {
	Concurrent     int     `json:"Concurrent"`
	CallsPerMinute int     `json:"CallsPerMinute"`
	MinutesPerDay  int     `json:"MinutesPerDay"`
	SpendPerDay    float64 `json:"SpendPerDay"`
}

type outboundRate struct {
	Prefix    string  `json:"Prefix"`
	PerMinute float64 `json:"PerMinute"`
}

// outboundPolicy is the whole policy: what is left out has its default.
type outboundPolicy struct {
	Countries     []string       `json:"Countries,omitempty"` // besides the instance's own; "*" is all
	Types         []string       `json:"Types,omitempty"`     // shared, premium, personal, global
	Blocked       []string       `json:"Blocked,omitempty"`
	MaxDiversions int            `json:"MaxDiversions,omitempty"`
	User          *outboundCaps  `json:"User,omitempty"`
	Trunk         *outboundCaps  `json:"Trunk,omitempty"`
	Country       *outboundCaps  `json:"Country,omitempty"`
	Instance      *outboundCaps  `json:"Instance,omitempty"`
	Rates         []outboundRate `json:"Rates,omitempty"`
}

func (s *service) getOutboundPolicy(ctx context.Context, c *rest.Call, _ *rest.Empty) (*outboundPolicy, error) {
	p, err := s.OutboundPolicies.GetByName(ctx, c.Instance(), sip.OutboundPolicyName)
	if errs.Is(err, errs.NotFound) {
		return &outboundPolicy{}, nil
	}
	if err != nil {
		return nil, err
	}
	out := &outboundPolicy{
		Countries: p.Countries, Blocked: p.Blocked, MaxDiversions: p.MaxDiversions, User: capsOf(p.User), Trunk: capsOf(p.Trunk),
		Country: capsOf(p.Country), Instance: capsOf(p.Instance),
	}
	for _, t := range p.Types {
		out.Types = append(out.Types, string(t))
	}
	for _, r := range p.Rates {
		out.Rates = append(out.Rates, outboundRate(r))
	}
	return out, nil
}

func capsOf(c sip.OutboundCaps) *outboundCaps {
	if c == (sip.OutboundCaps{}) {
		return nil
	}
	out := outboundCaps(c)
	return &out
}

// putOutboundPolicy replaces the whole policy. It is in force for the next call.
func (s *service) putOutboundPolicy(ctx context.Context, c *rest.Call, in *outboundPolicy) (*rest.Empty, error) {
	apply := func(p *sip.OutboundPolicy) error {
		p.Countries, p.Blocked, p.MaxDiversions, p.Types, p.Rates = in.Countries, in.Blocked, in.MaxDiversions, nil, nil
		for _, t := range in.Types {
			p.Types = append(p.Types, phone.Type(t))
		}
		for _, r := range in.Rates {
			p.Rates = append(p.Rates, sip.OutboundRate(r))
		}
		p.User, p.Trunk, p.Country, p.Instance = given(in.User), given(in.Trunk), given(in.Country), given(in.Instance)
		return p.Validate()
	}
	there, err := s.OutboundPolicies.GetByName(ctx, c.Instance(), sip.OutboundPolicyName)
	if err == nil {
		_, err = resource.Edit(ctx, s.OutboundPolicies, c.Instance(), there.ID, apply)
		return done(err)
	}
	if !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	p := &sip.OutboundPolicy{Meta: resource.Meta{InstanceID: c.Instance(), Name: sip.OutboundPolicyName}}
	if err = apply(p); err != nil {
		return nil, err
	}
	return done(s.OutboundPolicies.Create(ctx, p))
}

func given(c *outboundCaps) sip.OutboundCaps {
	if c == nil {
		return sip.OutboundCaps{}
	}
	return sip.OutboundCaps(*c)
}

type outboundUsage struct {
	Kind           string  `json:"Kind"` // user, trunk, country, instance
	ID             string  `json:"Id"`
	Concurrent     int     `json:"Concurrent"`
	CallsPerMinute int     `json:"CallsPerMinute"`
	MinutesToday   float64 `json:"MinutesToday"`
	SpentToday     float64 `json:"SpentToday"`
	DeniedToday    int     `json:"DeniedToday"`
}

type outboundUsageOutput struct {
	Usage []outboundUsage `json:"Usage"`
}

func (s *service) getOutboundUsage(_ context.Context, c *rest.Call, _ *rest.Empty) (*outboundUsageOutput, error) {
	out := &outboundUsageOutput{Usage: []outboundUsage{}}
	for _, u := range s.Guard.OutboundUsage(c.Instance()) {
		out.Usage = append(out.Usage, outboundUsage(u))
	}
	return out, nil
}
