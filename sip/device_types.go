package sip

import (
	"time"

	"ullim/internal/call"
	"ullim/internal/resource"
)

// Device is a SIP account of a user: what a desk phone or softphone registers with. Its Name is the user part of the
// address of record, unique in the instance and among all instances of one realm.
type Device struct {
	resource.Meta
	UserID    string        `json:"userId"`
	HA1MD5    string        `json:"ha1Md5"`
	HA1SHA256 string        `json:"ha1Sha256"`
	Disabled  bool          `json:"disabled,omitempty"`
	Profile   DeviceProfile `json:"profile,omitzero"`
	// NotifyWaiting: the phone is told of waiting messages (RFC 3842) although it does not subscribe.
	NotifyWaiting bool `json:"notifyWaiting,omitempty"`
}

// DeviceProfile is what the phone's audio is like. The zero value is right for most phones, and for browsers: a
// registration over WebSocket makes an empty Encryption "webrtc".
type DeviceProfile struct {
	Codecs     []string        `json:"codecs,omitempty"` // in order of preference; empty: all of ours
	Encryption call.Encryption `json:"encryption,omitempty"`
	Digits     call.DigitMode  `json:"digits,omitempty"`
	Noise      bool            `json:"comfortNoise,omitempty"`
}

// Registration is where a device can be reached: one Contact of a REGISTER.
type Registration struct {
	DeviceID   string `json:"deviceId"`
	InstanceID string `json:"instanceId"`
	UserID     string `json:"userId"`
	Contact    string `json:"contact"`   // the Contact URI as registered
	Source     string `json:"source"`    // address the REGISTER came from, ip:port: where INVITEs go
	Transport  string `json:"transport"` // UDP, TCP, TLS, WS, WSS
	CallID     string `json:"callId"`
	CSeq       uint32 `json:"cseq"`
	UserAgent  string `json:"userAgent,omitempty"`
	// SIPInstance is the +sip.instance of the phone (RFC 5626), by which it is known after its address changed.
	SIPInstance string `json:"sipInstance,omitempty"`
	// RegID numbers the flows of one phone that keeps several (RFC 5626 §4.2.1); 0: it keeps one.
	RegID uint32 `json:"regId,omitempty"`
	// Path is the way back through proxies, the one next to us first (RFC 3327).
	Path       []string  `json:"path,omitempty"`
	Expires    time.Time `json:"expires"`
	Registered time.Time `json:"registered"`
}

// Kind is device.
func (*Device) Kind() resource.Kind { return resource.KindDevice }

// Refs is the user.
func (d *Device) Refs() []resource.Ref {
	return []resource.Ref{{Kind: resource.KindUser, ID: d.UserID}}
}
