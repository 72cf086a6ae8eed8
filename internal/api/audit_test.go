package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ullim/internal/audit"
	"ullim/internal/contact"
)

// Every operation of both tables that changes something, or gives what people said, leaves one entry, whatever comes of it.
func TestEveryOperationThatChangesSomethingIsInTheAuditTrail(t *testing.T) {
	w := newWorld(t)
	ids := w.foreign()
	n := 0
	for prefix, ops := range w.operations() {
		if prefix == "/connect" { // the same table as at the root
			continue
		}
		for _, op := range ops {
			newest := func() audit.Entry {
				list, err := w.db.Audit(t.Context(), audit.Query{InstanceID: ours, Max: 1})
				must(t, err)
				if len(list) == 0 {
					return audit.Entry{}
				}
				return list[0]
			}
			before := newest()
			path := prefix + fill(op.Path, func(label string) string {
				if label == "InstanceId" {
					return ours
				}
				return ids[label]
			})
			if op.Name == "DisassociatePhoneNumberContactFlow" {
				path += "?instanceId=" + ours
			}
			status, name, _ := w.do("admin", op.Method, path, w.body(op, ours))
			after := newest()
			if op.ReadOnly {
				if after.Seq != before.Seq {
					t.Errorf("%s only reads, and is in the trail", op.Name)
				}
				continue
			}
			n++
			if after.Seq != before.Seq+1 || after.Operation != op.Name || after.Username != "admin" || after.UserID == "" ||
				after.RequestID == "" || after.Source == "" || after.At.IsZero() {
				t.Errorf("%s: entry %+v after %d", op.Name, after, before.Seq)
			}
			if want := name; status == http.StatusOK && after.Outcome != audit.Done || status != http.StatusOK && after.Outcome != want {
				t.Errorf("%s: answered %d %s, the trail says %s", op.Name, status, name, after.Outcome)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d operations change something: the walk has missed some", n)
	}
	state, err := w.db.VerifyAudit(t.Context(), ours)
	must(t, err)
	if state.Broken != 0 || state.Entries != state.Seq || state.Seq < int64(n) {
		t.Errorf("the chain: %+v", state)
	}
}

func TestTheAuditTrailIsSearchedAndExportedByThoseWhoMay(t *testing.T) {
	w := newWorld(t)
	w.person(ours, w.routing, "agent", w.profile["Agent"])
	for i := range 5 {
		w.admin("admin", "POST", "/dispositions", fmt.Sprintf(`{"Code":"c%d"}`, i), nil)
	}
	w.admin("admin", "PUT", "/instance", `{"DisplayName":"n"}`, nil)
	if status, name, _ := w.do("agent", "GET", "/admin/v1/audit", ""); status != http.StatusForbidden {
		t.Errorf("an agent reads the trail: %d %s", status, name)
	}
	type page struct {
		Entries []struct {
			Sequence            int64
			Operation, Resource string
		}
		NextToken string
	}
	var got []int64
	for token := ""; ; {
		var p page
		w.admin("admin", "GET", "/audit?operation=CreateDisposition&maxResults=2&nextToken="+token, "", &p)
		for _, e := range p.Entries {
			if e.Operation != "CreateDisposition" || e.Resource == "" {
				t.Errorf("found %+v", e)
			}
			got = append(got, e.Sequence)
		}
		if token = p.NextToken; token == "" {
			break
		}
	}
	if len(got) != 5 || got[0] < got[4] {
		t.Errorf("found %v", got)
	}
	var theirsToo page
	w.admin("boss", "GET", "/audit", "", &theirsToo)
	if len(theirsToo.Entries) != 0 {
		t.Errorf("another instance sees %v", theirsToo.Entries)
	}
	status, _, body := w.do("admin", "GET", "/admin/v1/audit/export", "")
	lines := strings.Split(strings.TrimSpace(string(body)), "\n")
	if status != http.StatusOK || len(lines) != 6 {
		t.Fatalf("export: %d, %d lines", status, len(lines))
	}
	entries := make([]audit.Entry, len(lines))
	for i, line := range lines { // the newest first
		must(t, json.Unmarshal([]byte(line), &entries[len(lines)-1-i]))
	}
	if broken, _, err := audit.Verify("", 0, entries); err != nil || broken != 0 {
		t.Errorf("what was exported does not verify: entry %d, %v", broken, err)
	}
	var v struct {
		Whole   bool
		Entries int64
	}
	w.admin("admin", "GET", "/audit/verification", "", &v)
	if !v.Whole || v.Entries != 7 { // the export is in it
		t.Errorf("verification: %+v", v)
	}
	for _, bad := range []string{"from=yesterday", "nextToken=x", "maxResults=-1"} {
		if status, name, _ := w.do("admin", "GET", "/admin/v1/audit?"+bad, ""); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, status, name)
		}
	}
}

func TestWhoeverOpensARecordingIsInTheAuditTrail(t *testing.T) {
	w := newWorld(t)
	w.records.records = []*contact.Record{{
		ID: "c1", InstanceID: ours, Recordings: []contact.Recording{{Location: "k", Status: contact.RecordingDeleted}},
	}}
	w.do("admin", "GET", "/admin/v1/contacts/c1/recordings/1/audio", "")
	list, err := w.db.Audit(t.Context(), audit.Query{InstanceID: ours, Resource: "c1", Max: 10})
	must(t, err)
	if len(list) != 1 || list[0].Operation != "DownloadRecording" || list[0].Outcome != "ResourceNotFoundException" {
		t.Errorf("the trail: %+v", list)
	}
}
