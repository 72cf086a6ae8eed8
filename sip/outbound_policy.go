package sip

import (
	"fmt"
	"slices"
	"strings"

	"ullim/internal/errs"
	"ullim/internal/phone"
	"ullim/internal/resource"
)

var _ resource.Object = (*OutboundPolicy)(nil)

// OutboundPolicyName is the name of the one policy of an instance.
const OutboundPolicyName = "outbound"

// OutboundPolicy says which calls may leave an instance on its trunks, and how many of them. What is not allowed is
// denied: without a policy, only ordinary numbers of the instance's own region are called. Emergency numbers always are.
type OutboundPolicy struct {
	resource.Meta
	// Countries (ISO 3166) that may be called besides the instance's own; "*" is all of them.
	Countries []string `json:"countries,omitempty"`
	// Types are the kinds of numbers that may be called besides ordinary, toll-free and short ones: shared, premium,
	// personal, global.
	Types []phone.Type `json:"types,omitempty"`
	// Blocked are beginnings of numbers (+8270, 1588) that may not be called, whatever else is allowed.
	Blocked []string `json:"blocked,omitempty"`
	// MaxDiversions is how often a call may have been forwarded or transferred before it leaves (5).
	MaxDiversions int `json:"maxDiversions,omitempty"`

	User     OutboundCaps   `json:"user,omitzero"`    // of each user
	Trunk    OutboundCaps   `json:"trunk,omitzero"`   // of this instance on each trunk
	Country  OutboundCaps   `json:"country,omitzero"` // of this instance to each country but its own
	Instance OutboundCaps   `json:"instance,omitzero"`
	Rates    []OutboundRate `json:"rates,omitempty"` // the longest beginning wins; without one a call costs nothing
}

// OutboundCaps are limits; 0 is the default in brackets for users and countries, and no limit for the rest; -1 is no
// limit anywhere.
type OutboundCaps struct {
	Concurrent     int     `json:"concurrent,omitempty"`     // calls at the same time (user 5, country 20)
	CallsPerMinute int     `json:"callsPerMinute,omitempty"` // begun in any 60 s (user 20, country 60)
	MinutesPerDay  int     `json:"minutesPerDay,omitempty"`  // talked and rung, since midnight UTC (user 1440, country 1440)
	SpendPerDay    float64 `json:"spendPerDay,omitempty"`    // in the currency of the rates, since midnight UTC (no limit)
}

// OutboundRate is what a minute costs to the numbers that begin so: +82, +8210, 1588.
type OutboundRate struct {
	Prefix    string  `json:"prefix"`
	PerMinute float64 `json:"perMinute"`
}

// Kind is outbound-policy.
func (*OutboundPolicy) Kind() resource.Kind { return resource.KindOutboundPolicy }

// Refs is empty.
func (*OutboundPolicy) Refs() []resource.Ref { return nil }

// Validate checks everything.
func (p *OutboundPolicy) Validate() error {
	if p.Name != OutboundPolicyName {
		return errs.Field("Name", "must be %q: an instance has one policy", OutboundPolicyName)
	}
	if len(p.Countries) > 300 || len(p.Blocked) > 1000 || len(p.Rates) > 10000 {
		return errs.Field("Countries", "must hold at most 300 countries, Blocked 1000 beginnings and Rates 10000 rates")
	}
	for i, c := range p.Countries {
		if c != "*" && !isRegion(c) {
			return errs.Field(fmt.Sprintf("Countries[%d]", i), `must be two capital letters (ISO 3166) or "*"; got %q`, c)
		}
	}
	for i, t := range p.Types {
		if !slices.Contains(askedFor(), t) {
			return errs.Field(fmt.Sprintf("Types[%d]", i), "must be shared, premium, personal or global; got %q", t)
		}
	}
	for i, b := range p.Blocked {
		if !numberStart(b) {
			return errs.Field(fmt.Sprintf("Blocked[%d]", i), "must be the beginning of a number, as +8270 or 1588; got %q", b)
		}
	}
	if p.MaxDiversions < 0 || p.MaxDiversions > 20 {
		return errs.Field("MaxDiversions", "must be 0 (5) to 20; got %d", p.MaxDiversions)
	}
	for name, c := range map[string]*OutboundCaps{"User": &p.User, "Trunk": &p.Trunk, "Country": &p.Country, "Instance": &p.Instance} {
		if c.Concurrent < -1 || c.CallsPerMinute < -1 || c.MinutesPerDay < -1 || c.SpendPerDay < -1 ||
			c.CallsPerMinute > maxPerMinute || c.Concurrent > 100_000 {
			return errs.Field(name, "limits must be -1 (none), 0 (the default) or more, CallsPerMinute at most %d", maxPerMinute)
		}
	}
	for i, r := range p.Rates {
		if !numberStart(r.Prefix) || r.PerMinute < 0 || r.PerMinute > 1e6 {
			return errs.Field(fmt.Sprintf("Rates[%d]", i), "must have the beginning of a number and a price of 0 to 1000000")
		}
	}
	return nil
}

// maxPerMinute bounds the list of call times kept for a cap.
const maxPerMinute = 100_000

// askedFor are the types of numbers that are only called if a policy names them.
func askedFor() []phone.Type {
	return []phone.Type{phone.SharedCost, phone.Premium, phone.Personal, phone.Global}
}

func numberStart(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	return digits != "" && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}

// may says whether a number of a class may be called from a region; why names the rule that forbids it and what would
// allow it.
func (p *OutboundPolicy) may(number string, c phone.Class, region string) (why string) {
	for _, b := range p.Blocked {
		if strings.HasPrefix(number, b) {
			return fmt.Sprintf("numbers that begin with %s are blocked by the outbound policy", b)
		}
	}
	if slices.Contains(askedFor(), c.Type) && !slices.Contains(p.Types, c.Type) {
		return fmt.Sprintf("%s numbers are not called unless the outbound policy names %q in Types", c.Type, c.Type)
	}
	if c.Country == "" || c.Country == region || slices.Contains(p.Countries, c.Country) || slices.Contains(p.Countries, "*") {
		return ""
	}
	if region == "" {
		return fmt.Sprintf("calls to %s are not allowed: the instance has no region, and Countries of its outbound policy does not name %s", c.Country, c.Country)
	}
	return fmt.Sprintf("calls from %s to %s are not allowed: Countries of the outbound policy does not name %s", region, c.Country, c.Country)
}

// rate is what a minute to a number costs.
func (p *OutboundPolicy) rate(number string) float64 {
	best, price := 0, 0.0
	for _, r := range p.Rates {
		if len(r.Prefix) > best && strings.HasPrefix(number, r.Prefix) {
			best, price = len(r.Prefix), r.PerMinute
		}
	}
	return price
}

// caps fills the defaults in.
func (c OutboundCaps) or(d OutboundCaps) OutboundCaps {
	pick := func(v, d int) int {
		if v == 0 {
			return d
		}
		return v
	}
	c.Concurrent, c.CallsPerMinute = pick(c.Concurrent, d.Concurrent), pick(c.CallsPerMinute, d.CallsPerMinute)
	c.MinutesPerDay = pick(c.MinutesPerDay, d.MinutesPerDay)
	if c.SpendPerDay == 0 {
		c.SpendPerDay = d.SpendPerDay
	}
	return c
}
