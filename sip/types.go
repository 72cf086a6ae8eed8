package sip

import (
	"time"

	"ullim/internal/resource"
)

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
}

// Device is a SIP account of a user: what a desk phone or softphone registers with. Its Name is the user part of the
// address of record, unique in the instance and among all instances of one realm.
type Device struct {
	resource.Meta
	UserID    string `json:"userId"`
	HA1MD5    string `json:"ha1Md5"`
	HA1SHA256 string `json:"ha1Sha256"`
	Disabled  bool   `json:"disabled,omitempty"`
}

// Registration is where a device can be reached: one Contact of a REGISTER.
type Registration struct {
	DeviceID   string `json:"deviceId"`
	InstanceID string `json:"instanceId"`
	UserID     string `json:"userId"`
	Contact    string `json:"contact"`   // the Contact URI as registered
	Source     string `json:"source"`    // address the REGISTER came from, ip:port: where INVITEs go
	Transport  string `json:"transport"` // UDP, TCP
	CallID     string `json:"callId"`
	CSeq       uint32 `json:"cseq"`
	UserAgent  string `json:"userAgent,omitempty"`
	// SIPInstance is the +sip.instance of the phone (RFC 5626), by which it is known after its address changed.
	SIPInstance string    `json:"sipInstance,omitempty"`
	Expires     time.Time `json:"expires"`
	Registered  time.Time `json:"registered"`
}

// Kind is trunk.
func (*Trunk) Kind() resource.Kind { return resource.KindTrunk }

// Refs is empty.
func (*Trunk) Refs() []resource.Ref { return nil }

// Kind is device.
func (*Device) Kind() resource.Kind { return resource.KindDevice }

// Refs is the user.
func (d *Device) Refs() []resource.Ref {
	return []resource.Ref{{Kind: resource.KindUser, ID: d.UserID}}
}
