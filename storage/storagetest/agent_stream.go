package storagetest

import (
	"context"
	"testing"
	"time"

	"ullim/acd"
	"ullim/internal/errs"
	telling "ullim/internal/records"
)

func agentCursors(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	put := func(id string, at time.Time) {
		t.Helper()
		must(t, db.PutAgentEvents(ctx, []acd.AgentEvent{{EventID: id, At: at, InstanceID: "i1", UserID: "u1", Type: acd.AgentLogin}}))
	}
	put("old", day().Add(-time.Minute))
	put("new", day())
	at, err := db.AgentCursor(ctx, "i1", day())
	must(t, err)
	list, err := db.AgentEvents(ctx, "i1", at, 10)
	must(t, err)
	if len(list) != 1 || list[0].EventID != "new" {
		t.Fatalf("told since: %+v", list)
	}
	if again, _ := db.AgentCursor(ctx, "i1", time.Time{}); again != at {
		t.Errorf("the cursor moved by itself: %d, was %d", again, at)
	}
	last := list[0].Seq
	wantKind(t, db.TellAgents(ctx, "n1", "i1", at, last, []telling.Item{item("a")}), errs.Conflict) // nobody leads
	ok, err := db.Lead(ctx, telling.LeadFollower, "n1", time.Now().Add(time.Minute))
	must(t, err)
	if !ok {
		t.Fatal("n1 may not lead")
	}
	bad := item("bad")
	bad.Body = []byte(`{`)
	wantKind(t, db.TellAgents(ctx, "n1", "i1", at, last, []telling.Item{item("a"), bad}), errs.Invalid)
	must(t, db.TellAgents(ctx, "n1", "i1", at, last, []telling.Item{item("a")}))
	wantKind(t, db.TellAgents(ctx, "n1", "i1", at, last, []telling.Item{item("a")}), errs.Conflict) // told already
	if got := itemIDs(t, db, 0); got != "a" {
		t.Errorf("items: %s", got)
	}
	cursor := func(instanceID string) int64 {
		t.Helper()
		seq, cursorErr := db.AgentCursor(context.WithoutCancel(ctx), instanceID, time.Time{})
		must(t, cursorErr)
		return seq
	}
	must(t, db.ForgetAgents(ctx, []string{"i1"}))
	if got := cursor("i1"); got != last {
		t.Errorf("a cursor that is wanted is %d, was %d", got, last)
	}
	must(t, db.ForgetAgents(ctx, nil))
	if got := cursor("i1"); got != 0 {
		t.Errorf("a cursor that was forgotten is %d", got)
	}
}
