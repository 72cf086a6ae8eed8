package storagetest

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/sip"
	"ullim/storage"
)

// accessKeys finds keys of all instances by their id and by their token.
func accessKeys(t *testing.T, db *storage.DB) {
	t.Helper()
	ctx := t.Context()
	users := things(db, resource.KindUser)
	user := newThing("i1", "agent.one")
	user.kind = resource.KindUser
	must(t, users.Create(ctx, user))
	s := storage.Resources(db, resource.KindAccessKey, func() *identity.AccessKey { return &identity.AccessKey{} })
	sealer, err := identity.NewSealer(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	made, err := identity.NewAccessKey(sealer, "i1", user.ID)
	must(t, err)
	key := made.Key
	must(t, s.Create(ctx, key))
	for what, find := range map[string]func() (*identity.AccessKey, error){
		"id":    func() (*identity.AccessKey, error) { return db.FindAccessKey(ctx, made.ID) },
		"token": func() (*identity.AccessKey, error) { return db.FindByTokenHash(ctx, identity.TokenHash(made.Token)) },
	} {
		got, err := find()
		must(t, err)
		if d := cmp.Diff(key, got); d != "" {
			t.Errorf("by %s:\n%s", what, d)
		}
	}
	t.Run("an access key id is unique among all instances", func(t *testing.T) {
		other := newThing("i2", "agent.two")
		other.kind = resource.KindUser
		must(t, users.Create(ctx, other))
		twin := *key
		twin.Meta = resource.Meta{InstanceID: "i2", Name: made.ID}
		twin.UserID, twin.TokenSHA256 = other.ID, ""
		wantKind(t, s.Create(ctx, &twin), errs.Duplicate)
	})
	t.Run("two keys without a token", func(t *testing.T) {
		for range 2 {
			k, err := identity.NewAccessKey(sealer, "i1", user.ID)
			must(t, err)
			k.Key.TokenSHA256 = ""
			must(t, s.Create(ctx, k.Key))
		}
	})
	t.Run("a token that is taken back is not found", func(t *testing.T) {
		key.TokenSHA256 = ""
		must(t, s.Update(ctx, key))
		_, err := db.FindByTokenHash(ctx, identity.TokenHash(made.Token))
		wantKind(t, err, errs.NotFound)
		must(t, s.Delete(ctx, "i1", key.ID))
		_, err = db.FindAccessKey(ctx, made.ID)
		wantKind(t, err, errs.NotFound)
	})
}

func testSmall(t *testing.T, open Open) {
	t.Helper()
	t.Run("registrations", func(t *testing.T) { registrations(t, open) })
	t.Run("refreshed registrations", func(t *testing.T) { refreshedRegistrations(t, open) })
	t.Run("facts of signalling", func(t *testing.T) { sipStates(t, open) })
	t.Run("settings", func(t *testing.T) { settings(t, open) })
}

func registrations(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	reg := func(contact string) sip.Registration {
		return sip.Registration{
			DeviceID: "d1", InstanceID: "i1", UserID: "u1", Contact: contact, Source: "127.0.0.1:5062", Transport: "UDP",
			CallID: "call\x00\xffid", CSeq: 4294967295, UserAgent: "phone", Expires: day().Add(time.Hour), Registered: day(),
		}
	}
	want := func(list ...sip.Registration) {
		t.Helper()
		got, err := db.Registrations(ctx)
		must(t, err)
		for i := range list {
			list[i].CallID = "call\x00\uFFFDid" // what was not UTF-8 is replaced
		}
		if d := cmp.Diff(list, got); d != "" {
			t.Fatalf("registrations (-want +got):\n%s", d)
		}
	}
	want()
	a, b := reg("sip:a@127.0.0.1"), reg("sip:b@127.0.0.1")
	other := reg("sip:c@127.0.0.1")
	other.DeviceID = "d2"
	must(t, db.PutRegistrations(ctx, "d1", []sip.Registration{b, a}))
	must(t, db.PutRegistrations(ctx, "d2", []sip.Registration{other}))
	want(b, a, other)
	must(t, db.PutRegistrations(ctx, "d1", []sip.Registration{a}))
	want(a, other)
	must(t, db.PutRegistrations(ctx, "d1", nil))
	want(other)
	wantKind(t, db.PutRegistrations(ctx, "", nil), errs.Invalid)
	wantKind(t, db.PutRegistrations(ctx, "\x00", nil), errs.Invalid)

	together(8, func(int) {
		for range 5 {
			if err := db.PutRegistrations(ctx, "d1", []sip.Registration{a, b}); err != nil {
				t.Error(err)
			}
		}
	})
	want(a, b, other)

	devices := things(db, resource.KindDevice)
	d := newThing("i1", "1001")
	d.ID, d.kind = "d2", resource.KindDevice
	must(t, devices.Create(ctx, d))
	must(t, devices.Delete(ctx, "i1", "d2")) // and with it what is registered
	want(a, b)
}

func settings(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	_, err := db.Setting(ctx, "key")
	wantKind(t, err, errs.NotFound)
	value := []byte{0, 255, 'a', 0}
	got, err := db.PutSettingOnce(ctx, "key", value)
	must(t, err)
	again, err := db.PutSettingOnce(ctx, "key", []byte("another"))
	must(t, err)
	read, err := db.Setting(ctx, "key")
	must(t, err)
	for _, b := range [][]byte{got, again, read} {
		if !bytes.Equal(b, value) {
			t.Errorf("got %v, want %v", b, value)
		}
	}
	empty, err := db.PutSettingOnce(ctx, "empty", nil)
	must(t, err)
	if len(empty) != 0 {
		t.Errorf("got %v", empty)
	}
	_, err = db.PutSettingOnce(ctx, "", value)
	wantKind(t, err, errs.Invalid)
	_, err = db.Setting(ctx, "\x00")
	wantKind(t, err, errs.NotFound)
	var first atomic.Pointer[string]
	together(16, func(i int) {
		v, err := db.PutSettingOnce(ctx, "contended", []byte{byte(i)})
		if err != nil {
			t.Error(err)
			return
		}
		s := string(v)
		if !first.CompareAndSwap(nil, &s) && *first.Load() != s {
			t.Errorf("nodes have different values: %q and %q", *first.Load(), s)
		}
	})
}
