package sip

import "ullim/internal/resource"

// Trunk is a carrier: where its calls come from and what it may use. It is recognised by source address, by digest, or
// both if both are set.
type Trunk struct {
	resource.Meta
	Description string   `json:"description,omitempty"`
	Addresses   []string `json:"addresses,omitempty"` // IP or CIDR the carrier sends from, with an optional :port
	Username    string   `json:"username,omitempty"`  // digest, for a carrier that authenticates to us
	HA1MD5      string   `json:"ha1Md5,omitempty"`    // H(user:realm:password); the password itself is not kept
	HA1SHA256   string   `json:"ha1Sha256,omitempty"`
	Codecs      []string `json:"codecs,omitempty"`      // PCMU, PCMA; empty: both
	Region      string   `json:"region,omitempty"`      // ISO 3166, for numbers without country code
	MaxChannels int      `json:"maxChannels,omitempty"` // calls at once; 0: no limit of its own
	MaxCPS      int      `json:"maxCps,omitempty"`      // new calls a second; 0: no limit of its own
	Disabled    bool     `json:"disabled,omitempty"`

	// AllowRefer lets the carrier transfer calls by REFER. RedirectHosts are the hosts to which a 3xx of it may send a call;
	// none: a 3xx is a refusal.
	AllowRefer    bool     `json:"allowRefer,omitempty"`
	RedirectHosts []string `json:"redirectHosts,omitempty"`
}

// Kind is trunk.
func (*Trunk) Kind() resource.Kind { return resource.KindTrunk }

// Refs is empty.
func (*Trunk) Refs() []resource.Ref { return nil }
