package admin

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/call"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/sip"
)

func (s *service) devices(t *rest.Table) {
	const one = "/devices/{DeviceId}"
	rest.Op(t, "CreateDevice", "POST", "/devices", identity.DevicesEdit, s.createDevice)
	rest.Op(t, "ListDevices", "GET", "/devices", identity.DevicesView, s.listDevices)
	rest.Op(t, "DescribeDevice", "GET", one, identity.DevicesView, s.describeDevice)
	rest.Op(t, "UpdateDevice", "PUT", one, identity.DevicesEdit, s.updateDevice)
	rest.Op(t, "ResetDevicePassword", "POST", one+"/password", identity.DevicesEdit, s.resetDevicePassword)
	rest.Op(t, "DeleteDevice", "DELETE", one, identity.DevicesEdit, s.deleteDevice)
}

type createDeviceInput struct {
	Name          string       `json:"Name"`
	UserID        string       `json:"UserId" ref:"agent"`
	Media         *deviceMedia `json:"Media,omitempty"`
	NotifyWaiting bool         `json:"NotifyWaiting,omitempty"`
}

// deviceMedia is what the phone's audio is like; what is left out is as phones usually are.
type deviceMedia struct {
	Codecs     []string `json:"Codecs,omitempty"`     // PCMU, PCMA, G722, opus, in order of preference
	Encryption string   `json:"Encryption,omitempty"` // optional, sdes, dtls, webrtc
	Digits     string   `json:"Digits,omitempty"`     // info, inband
	Noise      bool     `json:"ComfortNoise,omitempty"`
}

func (m *deviceMedia) profile() sip.DeviceProfile {
	if m == nil {
		return sip.DeviceProfile{}
	}
	return sip.DeviceProfile{Codecs: m.Codecs, Encryption: call.Encryption(m.Encryption), Digits: call.DigitMode(m.Digits), Noise: m.Noise}
}

func mediaOf(p sip.DeviceProfile) *deviceMedia {
	if len(p.Codecs) == 0 && p.Encryption == "" && p.Digits == "" && !p.Noise {
		return nil
	}
	return &deviceMedia{Codecs: p.Codecs, Encryption: string(p.Encryption), Digits: string(p.Digits), Noise: p.Noise}
}

// deviceSecret is shown once: what the phone is set up with.
type deviceSecret struct {
	DeviceID string `json:"DeviceId"`
	Username string `json:"Username"`
	Realm    string `json:"Realm"`
	Password string `json:"Password"`
}

func (s *service) createDevice(ctx context.Context, c *rest.Call, in *createDeviceInput) (*deviceSecret, error) {
	if s.NameFree != nil {
		if err := s.NameFree(ctx, in.Name); err != nil {
			return nil, err
		}
	}
	password, err := identity.NewPassword()
	if err != nil {
		return nil, err
	}
	d := &sip.Device{
		Meta: resource.Meta{InstanceID: c.Instance(), Name: in.Name}, UserID: in.UserID, Profile: in.Media.profile(),
		NotifyWaiting: in.NotifyWaiting,
	}
	d.HA1MD5, d.HA1SHA256 = sip.HA1(d.Name, s.Realm, password)
	if err = s.Devices.Create(ctx, d); err != nil {
		return nil, err
	}
	c.Note("device_id", d.ID)
	c.Note("device_name", d.Name)
	return &deviceSecret{DeviceID: d.ID, Username: d.Name, Realm: s.Realm, Password: password}, nil
}

type registration struct {
	Contact    string    `json:"Contact"`
	Source     string    `json:"Source"`
	Transport  string    `json:"Transport"`
	UserAgent  string    `json:"UserAgent,omitempty"`
	Instance   string    `json:"SipInstance,omitempty"`
	Path       []string  `json:"Path,omitempty"`
	Registered rest.Time `json:"Registered,omitzero"`
	Expires    rest.Time `json:"Expires,omitzero"`
}

type device struct {
	DeviceID         string            `json:"DeviceId"`
	Name             string            `json:"Name"`
	UserID           string            `json:"UserId"`
	Disabled         bool              `json:"Disabled"`
	Tags             map[string]string `json:"Tags,omitempty"`
	LastModifiedTime rest.Time         `json:"LastModifiedTime,omitzero"`
	Registrations    []registration    `json:"Registrations,omitempty"`
	Media            *deviceMedia      `json:"Media,omitempty"`
	NotifyWaiting    bool              `json:"NotifyWaiting,omitempty"`
}

func deviceOf(d *sip.Device) device {
	return device{
		DeviceID: d.ID, Name: d.Name, UserID: d.UserID, Disabled: d.Disabled, Tags: d.Tags,
		LastModifiedTime: rest.At(d.ModifiedAt), Media: mediaOf(d.Profile), NotifyWaiting: d.NotifyWaiting,
	}
}

type listDevicesOutput struct {
	Devices   []device `json:"Devices"`
	NextToken string   `json:"NextToken,omitempty"`
}

func (s *service) listDevices(ctx context.Context, c *rest.Call, in *listInput) (*listDevicesOutput, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	ds, next, err := s.Devices.List(ctx, c.Instance(), p)
	if err != nil {
		return nil, err
	}
	out := &listDevicesOutput{Devices: make([]device, 0, len(ds)), NextToken: next}
	for _, d := range ds {
		out.Devices = append(out.Devices, deviceOf(d))
	}
	return out, nil
}

type deviceInput struct {
	DeviceID string `json:"-" path:"DeviceId" ref:"device"`
}

type describeDeviceOutput struct {
	Device device `json:"Device"`
}

func (s *service) describeDevice(ctx context.Context, c *rest.Call, in *deviceInput) (*describeDeviceOutput, error) {
	d, err := s.Devices.Get(ctx, c.Instance(), in.DeviceID)
	if err != nil {
		return nil, err
	}
	out := deviceOf(d)
	rs, err := s.Registrations.Registrations(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rs {
		if r := &rs[i]; r.DeviceID == d.ID && r.InstanceID == c.Instance() {
			out.Registrations = append(out.Registrations, registration{
				Contact: r.Contact, Source: r.Source, Transport: r.Transport, UserAgent: r.UserAgent,
				Instance: r.SIPInstance, Path: r.Path,
				Registered: rest.At(r.Registered), Expires: rest.At(r.Expires),
			})
		}
	}
	return &describeDeviceOutput{Device: out}, nil
}

type updateDeviceInput struct {
	DeviceID string  `json:"-" path:"DeviceId" ref:"device"`
	UserID   *string `json:"UserId,omitempty" ref:"agent"`
	Disabled *bool   `json:"Disabled,omitempty"`

	Media         *deviceMedia `json:"Media,omitempty"`
	NotifyWaiting *bool        `json:"NotifyWaiting,omitempty"`
}

// updateDevice changes owner and state. The name is part of the password's hash, so it stays.
func (s *service) updateDevice(ctx context.Context, c *rest.Call, in *updateDeviceInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Devices, c.Instance(), in.DeviceID, func(d *sip.Device) error {
		if in.UserID != nil {
			d.UserID = *in.UserID
		}
		if in.Disabled != nil {
			d.Disabled = *in.Disabled
		}
		if in.Media != nil {
			d.Profile = in.Media.profile()
		}
		set(&d.NotifyWaiting, in.NotifyWaiting)
		return nil
	})
	return done(err)
}

func (s *service) resetDevicePassword(ctx context.Context, c *rest.Call, in *deviceInput) (*deviceSecret, error) {
	password, err := identity.NewPassword()
	if err != nil {
		return nil, err
	}
	d, err := resource.Edit(ctx, s.Devices, c.Instance(), in.DeviceID, func(d *sip.Device) error {
		d.HA1MD5, d.HA1SHA256 = sip.HA1(d.Name, s.Realm, password)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &deviceSecret{DeviceID: d.ID, Username: d.Name, Realm: s.Realm, Password: password}, nil
}

func (s *service) deleteDevice(ctx context.Context, c *rest.Call, in *deviceInput) (*rest.Empty, error) {
	return done(s.Devices.Delete(ctx, c.Instance(), in.DeviceID))
}
