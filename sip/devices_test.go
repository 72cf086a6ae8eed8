package sip

import (
	"slices"
	"testing"
	"time"

	"ullim/internal/resource"
)

func testDevice(name, userID string) *Device {
	m, s := HA1(name, testRealm, "p")
	return &Device{
		Meta:   resource.Meta{ID: "dev-" + name, InstanceID: "inst", Name: name},
		UserID: userID, HA1MD5: m, HA1SHA256: s,
	}
}

func TestDeviceRules(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(*Device)
		field string
	}{
		"all well":         {func(*Device) {}, ""},
		"no name":          {func(d *Device) { d.Name = "" }, "Name"},
		"a URI as name":    {func(d *Device) { d.Name = "sip:a@b" }, "Name"},
		"a space in name":  {func(d *Device) { d.Name = "a b" }, "Name"},
		"Korean name":      {func(d *Device) { d.Name = "민수" }, "Name"}, // would need escapes on every phone
		"all kinds":        {func(d *Device) { d.Name = "Al.1-x_y+z" }, ""},
		"no user":          {func(d *Device) { d.UserID = "" }, "UserId"},
		"no MD5":           {func(d *Device) { d.HA1MD5 = "" }, "HA1MD5"},
		"no SHA-256":       {func(d *Device) { d.HA1SHA256 = "" }, "HA1SHA256"},
		"plain password":   {func(d *Device) { d.HA1MD5 = "secret" }, "HA1MD5"},
		"not hexadecimals": {func(d *Device) { d.HA1SHA256 = "g" + d.HA1SHA256[1:] }, "HA1SHA256"},
	} {
		t.Run(name, func(t *testing.T) {
			d := testDevice("alice", "u1")
			c.edit(d)
			wantField(t, d.Validate(), c.field)
		})
	}
}

func TestDevicesAreFoundByNameAndID(t *testing.T) {
	first, second, off := testDevice("alice", "u1"), testDevice("alice", "u2"), testDevice("bob", "u3")
	first.ID, second.ID, off.Disabled = "one", "two", true
	second.CreatedAt = time.Unix(2, 0)
	first.CreatedAt = time.Unix(1, 0)
	dt := NewDeviceTable([]*Device{second, first, off})
	first.UserID = "changed"
	if d, ok := dt.ByName("alice"); !ok || d.ID != "one" || d.UserID != "u1" {
		t.Errorf("alice: %+v %v", d, ok)
	}
	if _, ok := dt.ByName("Alice"); ok {
		t.Error("names have a case")
	}
	if _, ok := dt.ByName("bob"); ok {
		t.Error("a disabled device may log in")
	}
	for _, id := range []string{"one", "two", off.ID} {
		if d, ok := dt.ByID(id); !ok || d.ID != id {
			t.Errorf("ByID(%s): %v %v", id, d, ok)
		}
	}
	if _, ok := dt.ByID("three"); ok {
		t.Error("found what is not there")
	}
	if !slices.Equal(dt.Conflicts(), []string{"alice"}) {
		t.Errorf("conflicts: %v", dt.Conflicts())
	}
}
