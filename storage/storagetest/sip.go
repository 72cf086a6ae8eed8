package storagetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/sip"
)

// refreshedRegistrations: a refresh changes the row that it means and no other, and never brings one back.
func refreshedRegistrations(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	reg := func(device, contact string, left time.Duration) sip.Registration {
		return sip.Registration{
			DeviceID: device, InstanceID: "i1", UserID: "u1", Contact: contact, Source: "127.0.0.1:5062", Transport: "UDP", CallID: "c", CSeq: 1,
			RegID: 2, Path: []string{"sip:p1;lr", "sip:p2;lr"}, Expires: day().Add(left), Registered: day(),
		}
	}
	a, b, c := reg("d1", "sip:a@h", time.Hour), reg("d1", "sip:b@h", time.Hour-time.Microsecond), reg("d2", "sip:c@h", time.Hour)
	must(t, db.PutRegistrations(ctx, "d1", []sip.Registration{a, b}))
	must(t, db.PutRegistrations(ctx, "d2", []sip.Registration{c}))
	later := a
	later.Expires, later.CSeq = a.Expires.Add(time.Minute), 2
	gone := reg("d3", "sip:x@h", time.Hour)
	must(t, db.RefreshRegistrations(ctx, []sip.RegistrationRefresh{{Was: a.Expires, Registration: later}, {Was: gone.Expires, Registration: gone}}))
	want := []sip.Registration{later, b, c}
	got, err := db.Registrations(ctx)
	must(t, err)
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("registrations (-want +got):\n%s", d)
	}
	must(t, db.RefreshRegistrations(ctx, []sip.RegistrationRefresh{{Was: a.Expires, Registration: a}})) // too late: replaced
	if got, err = db.Registrations(ctx); err != nil || !cmp.Equal(want, got) {
		t.Fatalf("an old refresh changed something: %v", cmp.Diff(want, got))
	}
}

func sipStates(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	want := func(kind string, list ...sip.State) {
		t.Helper()
		got, err := db.States(ctx, kind)
		must(t, err)
		if d := cmp.Diff(list, got); d != "" {
			t.Fatalf("%s (-want +got):\n%s", kind, d)
		}
	}
	want("ban")
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	a := sip.State{Kind: "ban", Key: "a", Until: soon, Body: []byte(`{"x":1}`)}
	b := sip.State{Kind: "ban", Key: "b", Body: []byte{0, 255}}
	other := sip.State{Kind: "spent", Key: "a", Body: []byte("y")}
	over := sip.State{Kind: "ban", Key: "over", Until: soon.Add(-2 * time.Hour), Body: []byte("z")}
	must(t, db.PutStates(ctx, []sip.State{b, a, other, over}))
	a.Body = []byte("changed")
	must(t, db.PutStates(ctx, []sip.State{a}))
	want("ban", a, b)
	must(t, db.PutStates(ctx, []sip.State{{Kind: "ban", Key: "b"}}))
	want("ban", a)
	want("spent", other)
	wantKind(t, db.PutStates(ctx, []sip.State{{Kind: "ban"}}), errs.Invalid)
	wantKind(t, db.PutStates(ctx, []sip.State{{Kind: "ban", Key: "\x00", Body: []byte("x")}}), errs.Invalid)
}
