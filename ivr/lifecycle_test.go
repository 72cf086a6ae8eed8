package ivr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/prompts"
)

func hello(text string) string {
	return doc(act("hello", "MessageParticipant", fmt.Sprintf(`"Text":%q`, text), "end"), act("end", "DisconnectParticipant", ""))
}

func stored(t *testing.T, s *Service, name string, kind FlowType, content string, status Status) *Flow {
	t.Helper()
	f := &Flow{Meta: resource.Meta{InstanceID: "i-1", Name: name}, Type: kind, Content: content}
	if err := s.Create(t.Context(), f, status); err != nil {
		t.Fatal(err)
	}
	return f
}

// editions shows what references lead to: "number content" of a version, "draft content", or the kind of the error.
func edition(t *testing.T, s *Service, ref string) string {
	t.Helper()
	e, err := s.Edition(t.Context(), "i-1", ref)
	switch {
	case errors.Is(err, ErrNotPublished):
		return "not published"
	case err != nil:
		return errs.KindOf(err).String()
	case e.Status == Saved:
		return "draft " + e.Content
	}
	return fmt.Sprint(e.Number, " ", e.Content)
}

func numbers(t *testing.T, s *Service, ref string) (out []string) {
	t.Helper()
	p := resource.Page{Max: 2}
	for {
		list, next, err := s.Versions(t.Context(), "i-1", ref, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			out = append(out, strings.TrimSpace(fmt.Sprint(v.Number, " ", v.Description)))
		}
		if p.Token = next; next == "" {
			return out
		}
	}
}

func TestEveryPublicationIsAVersionThatCanBeBroughtBack(t *testing.T) {
	ctx, s := t.Context(), NewService(newMemory())
	f := stored(t, s, "main", TypeInbound, "{}", Saved)
	check(t, "not published", edition(t, s, f.ID))
	check(t, "not published", edition(t, s, f.ID+":1"))
	check(t, "draft {}", edition(t, s, f.ID+":$SAVED"))
	check(t, []string(nil), numbers(t, s, f.ID))
	for _, text := range []string{"one", "two", "three"} {
		if _, err := s.UpdateContent(ctx, "i-1", f.ID, hello(text), Published); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.UpdateContent(ctx, "i-1", f.ID, `{"draft":1}`, Saved); err != nil {
		t.Fatal(err)
	}
	arn := resource.ARN("i-1", resource.KindFlow, f.ID)
	for ref, want := range map[string]string{
		f.ID: "3 " + hello("three"), f.ID + ":$LATEST": "3 " + hello("three"), arn + ":2": "2 " + hello("two"),
		f.ID + ":1": "1 " + hello("one"), arn + ":$SAVED": `draft {"draft":1}`, f.ID + ":4": "not_found", f.ID + ":0": "not_found",
		f.ID + ":01": "not_found", f.ID + ":x": "not_found", "main": "3 " + hello("three"), "main:$LATEST": "3 " + hello("three"),
	} {
		check(t, want, edition(t, s, ref))
	}
	// Roll-back: the old content under a new number; it is the draft too.
	got, err := s.PublishVersion(ctx, "i-1", f.ID, 1, HashOf(hello("one")), "as on Monday")
	if err != nil || got.PublishedVersion != 4 || got.Published != hello("one") || got.Content != hello("one") {
		t.Fatal(got, err)
	}
	// A name for what runs now leaves the draft alone.
	if _, err = s.UpdateContent(ctx, "i-1", f.ID, `{"draft":2}`, Saved); err != nil {
		t.Fatal(err)
	}
	if got, err = s.PublishVersion(ctx, "i-1", f.ID, 0, "", "good"); err != nil || got.Content != `{"draft":2}` || got.PublishedVersion != 5 {
		t.Fatal(got, err)
	}
	check(t, []string{"5 good", "4 as on Monday", "3", "2", "1"}, numbers(t, s, f.ID))
	if _, err = s.PublishVersion(ctx, "i-1", f.ID, 0, HashOf("else"), ""); !errs.Is(err, errs.InvalidRequest) {
		t.Errorf("another hash: %v", err)
	}
	if _, err = s.PublishVersion(ctx, "i-1", f.ID, 9, "", ""); !errs.Is(err, errs.NotFound) {
		t.Errorf("a version that is not there: %v", err)
	}
	if _, err = s.PublishVersion(ctx, "i-1", f.ID, 1, "", strings.Repeat("x", 501)); !errs.Is(err, errs.Invalid) {
		t.Errorf("a long description: %v", err)
	}
	if err = s.DeleteVersion(ctx, "i-1", f.ID, 5); !errs.Is(err, errs.InvalidRequest) {
		t.Errorf("what runs is deleted: %v", err)
	}
	if err = s.DeleteVersion(ctx, "i-1", f.ID, 2); err != nil {
		t.Error(err)
	}
	if err = s.DeleteVersion(ctx, "i-1", f.ID, 2); !errs.Is(err, errs.NotFound) {
		t.Errorf("twice: %v", err)
	}
	// Numbers are not used again.
	if got, err = s.UpdateContent(ctx, "i-1", f.ID, hello("six"), Published); err != nil || got.PublishedVersion != 6 {
		t.Fatal(got, err)
	}
	check(t, []string{"6", "5 good", "4 as on Monday", "3", "1"}, numbers(t, s, f.ID))
}

func TestFlowsOfBeforeThereWereVersionsHaveOne(t *testing.T) {
	store := newMemory()
	s := NewService(store)
	f := stored(t, s, "old", TypeInbound, hello("old"), Published)
	store.versions = nil // as an older database has it
	check(t, "1 "+hello("old"), edition(t, s, f.ID+":1"))
	check(t, []string{"1"}, numbers(t, s, f.ID))
	if _, err := s.UpdateContent(t.Context(), "i-1", f.ID, hello("new"), Published); err != nil {
		t.Fatal(err)
	}
	check(t, []string{"2", "1"}, numbers(t, s, f.ID))
	check(t, "1 "+hello("old"), edition(t, s, f.ID+":1"))
}

// interrupted calls something while a message is said.
type interrupted struct {
	*script
	when map[string]func()
}

func (i interrupted) Say(ctx context.Context, a *prompts.Audio) error {
	if f := i.when[a.Name]; f != nil {
		f()
	}
	return i.script.Say(ctx, a)
}

func TestAContactGoesOnWithTheVersionItBeganWith(t *testing.T) {
	s := NewService(newMemory())
	flow := func(version string, next string) string {
		return doc(mark(version+" a", "b"), fmt.Sprintf(`"Identifier":"b","Type":"MessageParticipant","Parameters":{"Text":"%s b"},"Transitions":{"NextAction":"c"}`, version),
			act("c", "TransferToFlow", fmt.Sprintf(`"ContactFlowId":%q`, next), "!NoMatchingError>d"), act("d", "DisconnectParticipant", ""))
	}
	second := stored(t, s, "second", TypeInbound, hello("second old"), Published)
	first := stored(t, s, "first", TypeInbound, flow("old", "second"), Published)
	publish := func(f *Flow, content string) func() {
		return func() {
			if _, err := s.UpdateContent(t.Context(), "i-1", f.ID, content, Published); err != nil {
				t.Error(err)
			}
		}
	}
	p := interrupted{newScript(t), map[string]func(){
		"text:old a:en-US": publish(first, flow("new", "second")),
		"text:old b:en-US": publish(second, hello("second new")),
		// What is said in the second flow is of the version that was taken when the contact came to it.
		"text:second new:en-US": publish(second, hello("second newest")),
	}}
	h := &house{}
	e := h.engine()
	e.Flows = s
	run := func() []string {
		p.did = nil
		f, err := s.Published(t.Context(), "i-1", first.ID)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := e.Run(t.Context(), Run{Flow: f, Participant: p, Contact: p}); err != nil || out != Disconnected {
			t.Fatal(out, err)
		}
		return p.only("say")
	}
	check(t, said("old a", "old b", "second new"), run())
	check(t, said("new a", "new b", "second newest"), run())
	// A reference to one version stays with it.
	publish(first, flow("last", second.ID+":1"))()
	check(t, said("last a", "last b", "second old"), run())
	if err := s.DeleteVersion(t.Context(), "i-1", second.ID, 1); err != nil {
		t.Fatal(err)
	}
	check(t, said("last a", "last b"), run()) // the error branch
}

func TestPublishingIsWholeForWhoeverReadsMeanwhile(t *testing.T) {
	s := NewService(newMemory())
	f := stored(t, s, "main", TypeInbound, hello("0"), Published)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			last := 0
			for {
				select {
				case <-done:
					return
				default:
				}
				got, err := s.Published(t.Context(), "i-1", f.ID)
				if err != nil {
					t.Error(err)
					return
				}
				if want := hello(fmt.Sprint(got.PublishedVersion - 1)); got.Published != want || got.PublishedVersion < last {
					t.Errorf("version %d after %d is %s", got.PublishedVersion, last, got.Published)
					return
				}
				last = got.PublishedVersion
			}
		})
	}
	for i := 1; i <= 100; i++ {
		if _, err := s.UpdateContent(t.Context(), "i-1", f.ID, hello(fmt.Sprint(i)), Published); err != nil {
			t.Error(err)
		}
		got, err := s.Published(t.Context(), "i-1", f.ID)
		if err != nil || got.PublishedVersion != i+1 {
			t.Errorf("after publication %d contacts get version %d, %v", i+1, got.PublishedVersion, err)
		}
	}
	close(done)
	readers.Wait()
}

func moduleOf(text string) string {
	return doc(act("m", "MessageParticipant", fmt.Sprintf(`"Text":%q`, text), "back"), act("back", "EndFlowModuleExecution", ""))
}

func TestModulesHaveVersionsAndAliases(t *testing.T) {
	ctx, s := t.Context(), NewModules(newMemory())
	m := stored(t, s.Service, "greet", TypeModule, moduleOf("one"), Published)
	for _, text := range []string{"two", "three"} {
		if _, err := s.UpdateContent(ctx, "i-1", m.ID, moduleOf(text), Published); err != nil {
			t.Fatal(err)
		}
	}
	live := &Alias{Name: "live", Version: 2}
	if _, err := s.CreateAlias(ctx, "i-1", m.ID, live); err != nil {
		t.Fatal(err)
	}
	arn := resource.ARN("i-1", resource.KindFlowModule, m.ID)
	says := func(ref string) string {
		f, err := s.Module(ctx, "i-1", ref)
		if err != nil {
			return errs.KindOf(err).String()
		}
		_, text, _ := strings.Cut(f.Published, `"Text":"`)
		text, _, _ = strings.Cut(text, `"`)
		return fmt.Sprint(f.PublishedVersion, " ", text)
	}
	for ref, want := range map[string]string{
		m.ID: "3 three", arn: "3 three", "greet": "3 three", arn + ":$LATEST": "3 three", m.ID + ":live": "2 two", arn + ":live": "2 two",
		arn + ":1": "1 one", m.ID + ":gone": "not_found", m.ID + ":9": "not_found", arn + ":" + live.ID: "2 two", "nobody": "not_found",
		resource.ARN("i-1", resource.KindFlow, m.ID): "not_found",
	} {
		if got := says(ref); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
	if err := s.DeleteVersion(ctx, "i-1", m.ID, 2); !errs.Is(err, errs.InvalidRequest) {
		t.Errorf("a version with an alias is deleted: %v", err)
	}
	one := 1
	if _, err := s.UpdateAlias(ctx, "i-1", m.ID, live.ID, AliasChange{Version: &one}); err != nil {
		t.Fatal(err)
	}
	check(t, "1 one", says(m.ID+":live")) // at once
	for name, a := range map[string]Alias{
		"taken": {Name: "live", Version: 1}, "a number": {Name: "12", Version: 1}, "empty": {Version: 1}, "a colon": {Name: "a:b", Version: 1},
		"no version": {Name: "x", Version: 7}, "long": {Name: strings.Repeat("x", 128), Version: 1}, "space": {Name: " x", Version: 1},
	} {
		if _, err := s.CreateAlias(ctx, "i-1", m.ID, &a); err == nil {
			t.Errorf("%s: an alias is made", name)
		}
	}
	if err := s.DeleteAlias(ctx, "i-1", m.ID, live.ID); err != nil {
		t.Fatal(err)
	}
	check(t, "not_found", says(m.ID+":live"))
	if err := s.DeleteAlias(ctx, "i-1", m.ID, live.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("twice: %v", err)
	}
	for range maxAliases {
		if _, err := s.CreateAlias(ctx, "i-1", m.ID, &Alias{Name: fmt.Sprint("a", len(numbers(t, s.Service, m.ID)), s.countAliases(t, m.ID)), Version: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CreateAlias(ctx, "i-1", m.ID, &Alias{Name: "more", Version: 1}); !errs.Is(err, errs.Limit) {
		t.Errorf("aliases without end: %v", err)
	}
}

func (s *ModuleService) countAliases(t *testing.T, id string) int {
	t.Helper()
	f, err := s.Get(t.Context(), "i-1", id)
	if err != nil {
		t.Fatal(err)
	}
	return len(f.Aliases)
}

func TestFlowsAreNotModulesNorModulesFlows(t *testing.T) {
	flows, modules := NewService(newMemory()), NewModules(newMemory())
	for _, tt := range []struct {
		s *Service
		t FlowType
	}{{flows, TypeModule}, {modules.Service, TypeInbound}, {flows, "X"}} {
		f := &Flow{Meta: resource.Meta{InstanceID: "i-1", Name: "x"}, Type: tt.t, Content: "{}"}
		if err := tt.s.Create(t.Context(), f, Saved); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", tt.t, err)
		}
	}
	f := flowOf(TypeInbound, hello("x"))
	f.Aliases = []Alias{{Name: "x", Version: 1}}
	if err := f.Validate(); !errs.Is(err, errs.InvalidRequest) {
		t.Errorf("a flow with an alias: %v", err)
	}
}
