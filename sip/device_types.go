package sip

import (
	"time"

	"ullim/internal/resource"
)

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

// Kind is device.
func (*Device) Kind() resource.Kind { return resource.KindDevice }

// Refs is the user.
func (d *Device) Refs() []resource.Ref {
	return []resource.Ref{{Kind: resource.KindUser, ID: d.UserID}}
}
