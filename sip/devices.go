package sip

import (
	"fmt"
	"slices"
	"strings"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

var _ resource.Object = (*Device)(nil)

// Validate checks everything that can be seen in the device alone.
func (d *Device) Validate() error {
	if err := validName(d.Name); err != nil {
		return err
	}
	if err := validUser("Name", d.Name); err != nil { // it is the user part of sip:name@host
		return err
	}
	if d.UserID == "" {
		return errs.Field("UserId", "must be set")
	}
	if err := d.Profile.validate(); err != nil {
		return err
	}
	return validHA1(d.HA1MD5, d.HA1SHA256, true)
}

// validate keeps to what media knows. A codec that this build does not speak is left out of offers, not refused here.
func (p *DeviceProfile) validate() error {
	known := []string{"PCMU", "PCMA", "G722", "opus"}
	for i, c := range p.Codecs {
		field := fmt.Sprintf("Profile.Codecs[%d]", i)
		if !slices.Contains(known, c) {
			return errs.Field(field, "must be one of %s; got %q", strings.Join(known, ", "), c)
		}
		if slices.Contains(p.Codecs[:i], c) {
			return errs.Field(field, "%s is named twice", c)
		}
	}
	switch p.Encryption {
	case call.EncryptionNone, call.EncryptionOptional, call.EncryptionSDES, call.EncryptionDTLS, call.EncryptionWebRTC:
	default:
		return errs.Field("Profile.Encryption", "must be empty, optional, sdes, dtls or webrtc; got %q", p.Encryption)
	}
	switch p.Digits {
	case call.DigitsAuto, call.DigitsInfo, call.DigitsInBand:
	default:
		return errs.Field("Profile.Digits", "must be empty, info or inband; got %q", p.Digits)
	}
	return nil
}

func validName(name string) error {
	if len(name) == 0 || len(name) > maxName {
		return errs.Field("Name", "must be 1 to %d bytes; has %d", maxName, len(name))
	}
	if strings.TrimSpace(name) != name {
		return errs.Field("Name", "must not begin or end with a space")
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return errs.Field("Name", "must be text without control characters")
		}
	}
	return nil
}

// validUser keeps to the characters that need no escape in a SIP URI and that no phone's screen lacks; above all no
// colon, which would make user:realm:password ambiguous.
func validUser(field, user string) error {
	if len(user) == 0 || len(user) > maxName {
		return errs.Field(field, "must be 1 to %d characters; has %d", maxName, len(user))
	}
	for i := range len(user) {
		c := user[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.+", c) >= 0 {
			continue
		}
		return errs.Field(field, "must hold only letters, digits and - _ . +; got %q", user)
	}
	return nil
}

func validHA1(md5Hex, sha256Hex string, both bool) error {
	if (both || md5Hex != "") && !isHex(md5Hex, 32) {
		return errs.Field("HA1MD5", "must be 32 lower-case hexadecimal digits")
	}
	if (both || sha256Hex != "") && !isHex(sha256Hex, 64) {
		return errs.Field("HA1SHA256", "must be 64 lower-case hexadecimal digits")
	}
	return nil
}

func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

func isRegion(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// DeviceTable finds devices. It is immutable: a change of configuration makes a new one.
type DeviceTable struct {
	byName    map[string]*Device
	byID      map[string]*Device
	off       map[string]*Device // disabled, by name: to say so
	conflicts []string
}

// NewDeviceTable builds a table of copies. Names are unique among all instances; should two enabled devices have the
// same name all the same, the one created first keeps it, and Conflicts names it.
func NewDeviceTable(devices []*Device) *DeviceTable {
	dt := &DeviceTable{byName: make(map[string]*Device, len(devices)), byID: make(map[string]*Device, len(devices)), off: make(map[string]*Device)}
	order := slices.Clone(devices)
	slices.SortStableFunc(order, func(a, b *Device) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for _, orig := range order {
		d := *orig
		dt.byID[d.ID] = &d
		if d.Disabled {
			dt.off[d.Name] = &d
			continue
		}
		if _, taken := dt.byName[d.Name]; taken {
			dt.conflicts = append(dt.conflicts, d.Name)
			continue
		}
		dt.byName[d.Name] = &d
	}
	return dt
}

// ByName finds an enabled device by the user part of its address of record. A disabled one is as unknown as any.
func (dt *DeviceTable) ByName(name string) (*Device, bool) {
	d, ok := dt.byName[name]
	return d, ok
}

// ByID finds a device, enabled or not.
func (dt *DeviceTable) ByID(id string) (*Device, bool) {
	d, ok := dt.byID[id]
	return d, ok
}

// Conflicts lists the names that more than one enabled device has.
func (dt *DeviceTable) Conflicts() []string { return slices.Clone(dt.conflicts) }
