package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/internal/identity"
)

func testSessions(t *testing.T, open Open) {
	t.Helper()
	t.Run("life of a session", func(t *testing.T) { lifeOfSession(t, open) })
	t.Run("a command is begun once", func(t *testing.T) { commandsOnce(t, open) })
}

func sessionOf(token, user string, created time.Time) identity.Session {
	return identity.Session{
		TokenSHA256: token, InstanceID: "i1", UserID: user, Password: "mark", Source: "192.0.2.1", Created: created, Used: created,
	}
}

func lifeOfSession(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	find := func(token string) error {
		_, err := db.FindSession(ctx, token)
		return err
	}
	wantKind(t, find("t0"), errs.NotFound)
	wantKind(t, find("bad\x00"), errs.NotFound)
	wantKind(t, db.AddSession(ctx, sessionOf("", "u1", day()), 3), errs.Invalid)
	for i := range 4 {
		must(t, db.AddSession(ctx, sessionOf(fmt.Sprint("t", i), "u1", day().Add(time.Duration(i)*time.Minute)), 3))
	}
	must(t, db.AddSession(ctx, sessionOf("other", "u2", day()), 3))
	wantKind(t, find("t0"), errs.NotFound) // the oldest made room
	must(t, db.TouchSession(ctx, "t1", day().Add(time.Hour)))
	must(t, db.TouchSession(ctx, "t1", day())) // late: it stays
	got, err := db.FindSession(ctx, "t1")
	must(t, err)
	want := sessionOf("t1", "u1", day().Add(time.Minute))
	want.Used = day().Add(time.Hour)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("session (-want +got):\n%s", d)
	}
	must(t, db.EndSession(ctx, "t1"))
	must(t, db.EndSession(ctx, "t1"))
	wantKind(t, find("t1"), errs.NotFound)
	n, err := db.EndSessionsOfUser(ctx, "i1", "u1")
	if err != nil || n != 2 {
		t.Errorf("%d sessions ended, want 2: %v", n, err)
	}
	must(t, find("other"))
	must(t, db.AddSession(ctx, sessionOf("young", "u3", day().Add(2*time.Hour)), 3))
	must(t, db.EndSessionsBefore(ctx, day().Add(-time.Hour), day().Add(time.Hour))) // idle too long
	wantKind(t, find("other"), errs.NotFound)
	must(t, find("young"))
	must(t, db.EndSessionsBefore(ctx, day().Add(3*time.Hour), day())) // too old
	wantKind(t, find("young"), errs.NotFound)
}

func commandsOnce(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	begin := func(user, id, digest string) (bool, string, string) {
		t.Helper()
		fresh, stored, answer, err := db.BeginCommand(ctx, user, id, digest, day())
		must(t, err)
		return fresh, stored, string(answer)
	}
	for _, row := range []struct {
		user, id, digest string
		finish           string
		fresh            bool
		stored, answer   string
	}{
		{"u1", "k1", "d1", "", true, "d1", ""},
		{"u1", "k1", "d2", "done", false, "d1", ""}, // being done: nobody knows the answer
		{"u1", "k1", "d1", "", false, "d1", "done"},
		{"u2", "k1", "d3", "", true, "d3", ""}, // keys are each user's own
	} {
		fresh, stored, answer := begin(row.user, row.id, row.digest)
		if fresh != row.fresh || stored != row.stored || answer != row.answer {
			t.Errorf("%+v: got %v %q %q", row, fresh, stored, answer)
		}
		if row.finish != "" {
			must(t, db.FinishCommand(ctx, row.user, row.id, []byte(row.finish)))
		}
	}
	_, _, _, err := db.BeginCommand(ctx, "u1", "", "d", day())
	wantKind(t, err, errs.Invalid)
	must(t, db.PurgeCommands(ctx, day()))
	if fresh, _, _ := begin("u1", "k1", "d1"); fresh {
		t.Error("a command was forgotten too early")
	}
	must(t, db.PurgeCommands(ctx, day().Add(time.Microsecond)))
	if fresh, _, _ := begin("u1", "k1", "d1"); !fresh {
		t.Error("a command was not forgotten")
	}
}
