package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/storage"
)

func testFlows(t *testing.T, open Open) {
	t.Helper()
	t.Run("a publication is a version kept, in one step with the flow", func(t *testing.T) { versions(t, open) })
	t.Run("a commit that fails leaves nothing behind", func(t *testing.T) { halfCommits(t, open) })
	t.Run("many publish at once and every version is whole", func(t *testing.T) { publishers(t, open) })
	t.Run("publishers whose contexts end leave whole publications or none", func(t *testing.T) { cutPublishers(t, open) })
}

func mainFlow() *ivr.Flow {
	return &ivr.Flow{Meta: resource.Meta{InstanceID: "i1", Name: "main"}, Type: ivr.TypeInbound, Content: "{}"}
}

// publish sets what a publication sets and gives the version.
func publish(f *ivr.Flow, number int, content string) ivr.Changes {
	f.Content, f.Published, f.PublishedVersion, f.PublishedAt = content, content, number, day()
	return ivr.Changes{Keep: []*ivr.Version{version(number, content)}}
}

func version(number int, content string) *ivr.Version {
	return &ivr.Version{
		Number: number, Content: content, SHA256: ivr.HashOf(content), Description: fmt.Sprintf("버전 %d", number), CreatedAt: day(),
	}
}

func versions(t *testing.T, open Open) {
	t.Helper()
	var seen changes
	db, ctx := open(t, func(o *storage.Options) { o.OnChange = seen.add }), t.Context()
	s := storage.Flows(db, resource.KindFlow)
	f := mainFlow()
	odd := "{\r\n\t\"가\" : \"<&>\u2028\\u0000\" }\n"
	must(t, s.Commit(ctx, f, publish(f, 1, odd)))
	if f.ID == "" || f.Version != 1 || f.CreatedAt.IsZero() {
		t.Fatalf("created: %+v", f.Meta)
	}
	got, err := s.Get(ctx, "i1", f.ID)
	must(t, err)
	if d := cmp.Diff(f, got); d != "" {
		t.Fatalf("the flow (-want +got):\n%s", d)
	}
	for n := 2; n <= 5; n++ {
		must(t, s.Commit(ctx, f, publish(f, n, fmt.Sprintf(`{"n":%d}`, n))))
	}
	again := ivr.Changes{Keep: []*ivr.Version{version(1, "other")}}
	must(t, s.Commit(ctx, f, again)) // kept already: it stays as it is
	v, err := s.FlowVersion(ctx, "i1", f.ID, 1)
	must(t, err)
	if d := cmp.Diff(version(1, odd), v); d != "" {
		t.Fatalf("version 1 (-want +got):\n%s", d)
	}
	list := func(before, limit int) (out []int) {
		t.Helper()
		vs, listErr := s.FlowVersions(ctx, "i1", f.ID, before, limit)
		must(t, listErr)
		for _, v := range vs {
			if v.Content != "" || v.SHA256 == "" || v.Description == "" {
				t.Errorf("in the list: %+v", v)
			}
			out = append(out, v.Number)
		}
		return out
	}
	for _, tt := range []struct {
		before, limit int
		want          []int
	}{{0, 10, []int{5, 4, 3, 2, 1}}, {0, 2, []int{5, 4}}, {4, 2, []int{3, 2}}, {1, 2, nil}} {
		if d := cmp.Diff(tt.want, list(tt.before, tt.limit)); d != "" {
			t.Errorf("before %d, %d: %s", tt.before, tt.limit, d)
		}
	}
	must(t, s.Commit(ctx, f, ivr.Changes{Drop: []int{2, 4}}))
	if d := cmp.Diff([]int{5, 3, 1}, list(0, 10)); d != "" {
		t.Error(d)
	}
	_, err = s.FlowVersion(ctx, "i1", f.ID, 2)
	wantKind(t, err, errs.NotFound)
	_, err = s.FlowVersion(ctx, "i2", f.ID, 1) // of another instance
	wantKind(t, err, errs.NotFound)
	modules := storage.Flows(db, resource.KindFlowModule)
	_, err = modules.FlowVersion(ctx, "i1", f.ID, 1) // of another kind
	wantKind(t, err, errs.NotFound)
	_, err = s.FlowVersions(ctx, "i1", f.ID, 0, 5000)
	wantKind(t, err, errs.Invalid)
	wantKind(t, modules.Commit(ctx, &ivr.Flow{Meta: resource.Meta{InstanceID: "i1", Name: "m"}, Type: "NO_TYPE", Content: "{}"}, ivr.Changes{}), errs.Internal)
	if n := len(seen.take()); n != 7 {
		t.Errorf("%d hints", n)
	}
	must(t, s.Delete(ctx, "i1", f.ID))
	if got := list(0, 10); got != nil {
		t.Errorf("versions outlive their flow: %v", got)
	}
	_, err = s.FlowVersion(ctx, "i1", f.ID, 1)
	wantKind(t, err, errs.NotFound)
}

func halfCommits(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := storage.Flows(db, resource.KindFlow)
	f := mainFlow()
	must(t, s.Commit(ctx, f, publish(f, 1, `{"n":1}`)))
	stale := *f
	must(t, s.Commit(ctx, f, publish(f, 2, `{"n":2}`)))
	wantKind(t, s.Commit(ctx, &stale, publish(&stale, 3, `{"n":3}`)), errs.Conflict)
	other := mainFlow()
	wantKind(t, s.Commit(ctx, other, publish(other, 1, "{}")), errs.Duplicate)
	bad := *f
	c := publish(&bad, 3, `{"n":3}`)
	c.Keep[0].Description = "\x00"
	wantKind(t, s.Commit(ctx, &bad, c), errs.Invalid)
	if bad.Version != f.Version {
		t.Error("a refused commit counts the version on")
	}
	vs, err := s.FlowVersions(ctx, "i1", f.ID, 0, 10)
	must(t, err)
	got, err := s.Get(ctx, "i1", f.ID)
	must(t, err)
	if len(vs) != 2 || got.PublishedVersion != 2 || got.Published != `{"n":2}` {
		t.Errorf("%d versions, %+v", len(vs), got)
	}
}

// whole checks that what runs is the newest version and that every version is there.
func whole(t *testing.T, s ivr.Store, id string) int {
	t.Helper()
	f, err := s.Get(t.Context(), "i1", id)
	must(t, err)
	vs, err := s.FlowVersions(t.Context(), "i1", id, 0, 1000)
	must(t, err)
	if len(vs) != f.PublishedVersion || vs[0].Number != f.PublishedVersion || f.Content != f.Published {
		t.Fatalf("%d versions, the flow says %d", len(vs), f.PublishedVersion)
	}
	for i, v := range vs {
		if v.Number != f.PublishedVersion-i {
			t.Fatalf("version %d at %d", v.Number, i)
		}
	}
	v, err := s.FlowVersion(t.Context(), "i1", id, f.PublishedVersion)
	must(t, err)
	if v.Content != f.Published || v.SHA256 != ivr.HashOf(v.Content) {
		t.Fatalf("the flow has %q and its version %q", f.Published, v.Content)
	}
	return f.PublishedVersion
}

func end(name string) string {
	return `{"Version":"2019-10-30","StartAction":"` + name + `","Actions":[{"Identifier":"` + name +
		`","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}],"Metadata":"` + strings.Repeat("x", 3000) + `"}`
}

func publishers(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := storage.Flows(db, resource.KindFlow)
	service := ivr.NewService(s)
	f := mainFlow()
	must(t, service.Create(ctx, f, ivr.Saved))
	const n = 6
	var done atomic.Int64
	together(n, func(i int) {
		for range 3 {
			_, err := service.UpdateContent(ctx, "i1", f.ID, end(fmt.Sprint("a", i)), ivr.Published)
			if err == nil {
				done.Add(1)
			} else if !errs.Is(err, errs.Conflict) { // ten tries and always somebody faster
				t.Error(err)
			}
		}
	})
	if got := whole(t, s, f.ID); got != int(done.Load()) || got < n {
		t.Errorf("%d publications were acknowledged, the flow is at version %d", done.Load(), got)
	}
}

func cutPublishers(t *testing.T, open Open) {
	t.Helper()
	db := open(t, nil)
	s := storage.Flows(db, resource.KindFlow)
	service := ivr.NewService(s)
	f := mainFlow()
	f.Content = end("a")
	must(t, service.Create(t.Context(), f, ivr.Published))
	acknowledged := 0
	for i := range 40 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*50*time.Microsecond)
		_, err := service.UpdateContent(ctx, "i1", f.ID, end(fmt.Sprint("b", i)), ivr.Published)
		cancel()
		if err == nil {
			acknowledged++
		} else if !errors.Is(err, context.DeadlineExceeded) && !errs.Is(err, errs.Unavailable) {
			t.Fatal(err)
		}
	}
	if got := whole(t, s, f.ID); got < acknowledged+1 {
		t.Errorf("%d publications were acknowledged, the flow is at version %d", acknowledged+1, got)
	}
}
