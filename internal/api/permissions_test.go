package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/identity"
	"ullim/internal/resource"
)

func describeAll[T resource.Object](ctx context.Context, s resource.Store[T]) ([]string, error) {
	all, err := resource.All(ctx, s, theirs)
	out := make([]string, 0, len(all))
	for _, v := range all {
		out = append(out, fmt.Sprintf("%s %s %d", v.Kind(), v.Head().Name, v.Head().Version))
	}
	return out, err
}

func member(t *testing.T, answer []byte, name string) string {
	t.Helper()
	var m map[string]any
	must(t, json.Unmarshal(answer, &m))
	s, ok := m[name].(string)
	if !ok || s == "" {
		t.Fatalf("no %s in %s", name, answer)
	}
	return s
}

func TestEveryOperationAsksForItsPermission(t *testing.T) {
	w := newWorld(t)
	w.person(ours, w.routing, "nobody", w.customProfile("Nothing", "ReportSchedules.View"))
	var open []string
	for prefix, ops := range w.operations() {
		for _, op := range ops {
			if op.Permission == "" {
				open = append(open, op.Name)
				continue
			}
			if !slices.Contains(identity.Permissions(), op.Permission) {
				t.Errorf("%s asks for a permission that nobody can have: %s", op.Name, op.Permission)
			}
			path := prefix + fill(op.Path, func(label string) string {
				if label == "InstanceId" {
					return ours
				}
				return "x"
			})
			status, name, _ := w.do("nobody", op.Method, path, w.body(op, ours))
			if status != http.StatusForbidden || name != "AccessDeniedException" {
				t.Errorf("%s without %s: %d %s", op.Name, op.Permission, status, name)
			}
			only := "only " + op.Permission
			if w.keys[only] == nil {
				username := "only-" + op.Permission
				w.person(ours, w.routing, username, w.customProfile(only, op.Permission))
				w.keys[only] = w.keys[username]
			}
			status, name, answer := w.do(only, op.Method, path, "")
			needsMore := op.Name == "CreateUser" || op.Name == "CreateContactFlow" || op.Name == "UpdateContactFlowContent"
			if name == "AccessDeniedException" && !needsMore || status == http.StatusInternalServerError {
				t.Errorf("%s with %s: %d %s %s", op.Name, op.Permission, status, name, answer)
			}
		}
	}
	slices.Sort(open)
	// These decide in the handler: who it is about matters.
	want := []string{
		"AcceptContact", "CompleteContact", "CreateAccessKey", "DeleteAccessKey", "DismissUserContact", "ListAccessKeys", "ListAgentContacts",
		"ListInstances", "PutUserStatus", "RejectContact",
	}
	if d := cmp.Diff(want, slices.Compact(open)); d != "" {
		t.Errorf("operations without a permission: %s", d)
	}
}

func TestWithoutACredentialThereIsNothing(t *testing.T) {
	w := newWorld(t)
	for prefix, ops := range w.operations() {
		for _, op := range ops {
			path := prefix + fill(op.Path, func(string) string { return ours })
			status, name, answer := w.do("", op.Method, path, w.body(op, ours))
			if status != http.StatusForbidden || name != "MissingAuthenticationTokenException" {
				t.Errorf("%s %s: %d %s %s", op.Method, path, status, name, answer)
			}
		}
	}
}
