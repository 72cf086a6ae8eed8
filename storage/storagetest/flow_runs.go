package storagetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
)

func testFlowRuns(t *testing.T, open Open) {
	t.Helper()
	t.Run("runs are kept whole, found by each of their marks, and read page by page", func(t *testing.T) { flowRuns(t, open) })
	t.Run("what is old is cleared away, of one instance", func(t *testing.T) { oldRuns(t, open) })
}

func flowRun(i int) ivr.StoredRun {
	r := ivr.StoredRun{ID: fmt.Sprintf("run-%04d", i), ActionRun: ivr.ActionRun{
		InstanceID: "i1", ContactID: fmt.Sprintf("c%d", i%3), FlowID: fmt.Sprintf("f%d", i%2), FlowName: "주문", FlowVersion: 7,
		FlowType: ivr.TypeInbound, ActionID: fmt.Sprintf("a %d", i%5), ActionType: "Compare", Result: "gold", Next: "b",
		Start: day().Add(time.Duration(i/2) * time.Second), Duration: 1500 * time.Microsecond,
	}}
	if i%4 == 0 {
		r.ErrorType, r.Error, r.Result = "NoMatchingError", "no such queue", ""
	}
	return r
}

func flowRuns(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	var all []ivr.StoredRun
	for i := range 60 {
		all = append(all, flowRun(i))
	}
	must(t, db.PutRuns(ctx, all[:40]))
	must(t, db.PutRuns(ctx, all[30:])) // some again, as after a lost answer
	other := flowRun(1)
	other.ID, other.InstanceID, other.FlowName = "run-other", "i2", "nul\x00 \xff"
	must(t, db.PutRuns(ctx, []ivr.StoredRun{other}))
	must(t, db.PutRuns(ctx, nil))
	wantKind(t, db.PutRuns(ctx, []ivr.StoredRun{{}}), errs.Invalid)

	for name, tt := range map[string]struct {
		q    ivr.RunQuery
		fits func(ivr.StoredRun) bool
		up   bool
	}{
		"all":      {ivr.RunQuery{}, func(ivr.StoredRun) bool { return true }, false},
		"contact":  {ivr.RunQuery{ContactID: "c1"}, func(r ivr.StoredRun) bool { return r.ContactID == "c1" }, true},
		"flow":     {ivr.RunQuery{FlowID: "f1"}, func(r ivr.StoredRun) bool { return r.FlowID == "f1" }, false},
		"action":   {ivr.RunQuery{ActionID: "a 3"}, func(r ivr.StoredRun) bool { return r.ActionID == "a 3" }, false},
		"failed":   {ivr.RunQuery{Failed: true, ContactID: "c0"}, func(r ivr.StoredRun) bool { return r.ErrorType != "" && r.ContactID == "c0" }, true},
		"error":    {ivr.RunQuery{ErrorType: "NoMatchingError"}, func(r ivr.StoredRun) bool { return r.ErrorType == "NoMatchingError" }, false},
		"no error": {ivr.RunQuery{ErrorType: "Other"}, func(ivr.StoredRun) bool { return false }, false},
		"type":     {ivr.RunQuery{ActionType: "Loop"}, func(ivr.StoredRun) bool { return false }, false},
		"time": {ivr.RunQuery{From: day().Add(3 * time.Second), To: day().Add(9 * time.Second)}, func(r ivr.StoredRun) bool {
			return !r.Start.Before(day().Add(3*time.Second)) && r.Start.Before(day().Add(9*time.Second))
		}, false},
		"not text": {ivr.RunQuery{ActionID: "\x00"}, func(ivr.StoredRun) bool { return false }, false},
	} {
		tt.q.InstanceID = "i1"
		var want, got []ivr.StoredRun
		for _, r := range all {
			if tt.fits(r) {
				want = append(want, r)
			}
		}
		if !tt.up {
			slices.Reverse(want)
		}
		p := resource.Page{Max: 7}
		for {
			page, next, err := db.Runs(ctx, tt.q, p)
			must(t, err)
			got = append(got, page...)
			if p.Token = next; next == "" {
				break
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	got, _, err := db.Runs(ctx, ivr.RunQuery{InstanceID: "i2"}, resource.Page{})
	must(t, err)
	if len(got) != 1 || strings.ContainsRune(got[0].FlowName, 0) {
		t.Errorf("the other instance has %+v", got)
	}
	_, _, err = db.Runs(ctx, ivr.RunQuery{InstanceID: "i1"}, resource.Page{Token: "!"})
	wantKind(t, err, errs.Invalid)
}

func oldRuns(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	var all []ivr.StoredRun
	for i := range 20 {
		all = append(all, flowRun(i))
	}
	other := flowRun(0)
	other.ID, other.InstanceID = "run-other", "i2"
	must(t, db.PutRuns(ctx, append(all, other)))
	for _, want := range []int{8, 2, 0} { // ten begin before the fifth second
		n, err := db.DeleteRuns(ctx, "i1", day().Add(5*time.Second), 8)
		if must(t, err); n != want {
			t.Errorf("%d are deleted, not %d", n, want)
		}
	}
	left, _, err := db.Runs(ctx, ivr.RunQuery{InstanceID: "i1"}, resource.Page{})
	if must(t, err); len(left) != 10 || left[9].ID != "run-0010" {
		t.Errorf("%d are left: %+v", len(left), left)
	}
	if theirs, _, err := db.Runs(ctx, ivr.RunQuery{InstanceID: "i2"}, resource.Page{}); err != nil || len(theirs) != 1 {
		t.Errorf("the other instance has %d, %v", len(theirs), err)
	}
}
