package view

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

func good() Content {
	return Content{Actions: []string{"Send", "Skip"}, Template: `{"Head":{},"Body":[{"Props":{"Label":"$.Heading","Rows":["$.Items[0].Name","plain"]}}]}`}
}

func TestOnlyWhatWasPublishedIsShown(t *testing.T) {
	v := &View{Meta: resource.Meta{Name: "Survey"}}
	if err := v.Set(good(), Saved); err != nil {
		t.Fatal(err)
	}
	if _, err := v.edition(""); !errs.Is(err, errs.NotFound) {
		t.Errorf("a draft is shown: %v", err)
	}
	if e, err := v.edition(QualifierSaved); err != nil || e.Status != Saved {
		t.Errorf("the draft: %+v, %v", e, err)
	}
	if _, err := v.AddVersion("", "", time.Now()); !errs.Is(err, errs.InvalidRequest) {
		t.Errorf("a draft became a version: %v", err)
	}
	if err := v.Set(good(), Published); err != nil {
		t.Fatal(err)
	}
	one, err := v.AddVersion(v.Shown.Sum(), "first", time.Now())
	if err != nil || one.Number != 1 {
		t.Fatal(one, err)
	}
	changed := good()
	changed.Actions = append(changed.Actions, "More")
	if err = v.Set(changed, Saved); err != nil || v.Status() != Saved {
		t.Fatal(v.Status(), err)
	}
	if e, latestErr := v.edition(QualifierLatest); latestErr != nil || len(e.Content.Actions) != 2 || e.Number != 1 {
		t.Errorf("a draft changed what is shown: %+v, %v", e, latestErr)
	}
	if e, oneErr := v.edition("1"); oneErr != nil || e.Description != "first" {
		t.Errorf("version 1: %+v, %v", e, oneErr)
	}
	if _, err = v.AddVersion("0000", "", time.Now()); !errs.Is(err, errs.Invalid) {
		t.Errorf("a version of something else: %v", err)
	}
	if err = v.RemoveVersion(1); err != nil || v.Version(1) != nil {
		t.Errorf("version 1 is still there: %v", err)
	}
	if err = v.RemoveVersion(1); !errs.Is(err, errs.NotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestAViewIsCheckedByField(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*View)
		field  string
	}{
		"no name":         {func(v *View) { v.Name = "" }, "Name"},
		"a strange name":  {func(v *View) { v.Name = "a<b" }, "Name"},
		"not JSON":        {func(v *View) { v.Draft.Template = "{" }, "Template"},
		"a list":          {func(v *View) { v.Draft.Template = "[]" }, "Template"},
		"twice":           {func(v *View) { v.Draft.Actions = []string{"A", "A"} }, "Actions"},
		"an empty action": {func(v *View) { v.Draft.Actions = []string{""} }, "Actions"},
		"no actions":      {func(v *View) { v.Shown = &Content{Template: "{}"} }, "Actions"},
		"too long":        {func(v *View) { v.Draft.Template = `{"a":"` + strings.Repeat("x", maxTemplate) + `"}` }, "Template"},
	} {
		v := &View{Meta: resource.Meta{Name: "Survey"}, Draft: good()}
		if err := v.Validate(); err != nil {
			t.Fatal(err)
		}
		c.change(v)
		if err := v.Validate(); err == nil || !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s: %v, want one about %s", name, err, c.field)
		}
	}
}

func TestTheSchemaNamesWhatTheTemplateAsksFor(t *testing.T) {
	c := good()
	var schema struct {
		Properties map[string]any
		Required   []string
	}
	if err := json.Unmarshal([]byte(c.InputSchema()), &schema); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(schema.Required, []string{"Heading", "Items"}) || len(schema.Properties) != 2 {
		t.Errorf("%+v", schema)
	}
}

func TestReferencesAreTakenApart(t *testing.T) {
	for ref, want := range map[string][2]string{
		"Survey":    {"Survey", ""},
		"Survey:3":  {"Survey", "3"},
		"a:b":       {"a:b", ""},
		"id:$SAVED": {"id", "$SAVED"},
		"arn:aws:connect:local:0:instance/i/view/v": {"arn:aws:connect:local:0:instance/i/view/v", ""},
		"arn:aws:connect:us-east-1:aws:view/form:1": {"arn:aws:connect:us-east-1:aws:view/form", "1"},
	} {
		if base, q := split(ref); base != want[0] || q != want[1] {
			t.Errorf("%s: %q %q", ref, base, q)
		}
	}
	for _, v := range Managed() {
		if err := v.Validate(); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		if id, ok := managedID("arn:aws:connect:eu-west-2:aws:view/" + v.ID); !ok || id != v.ID {
			t.Errorf("%s is not found by its ARN", v.ID)
		}
	}
}

func FuzzContent(f *testing.F) {
	f.Add(`{"Body":[{"a":"$.x.y"}]}`, "Send", "v:1")
	f.Add(`{}`, "", "arn:aws:connect:a:aws:view/form:$LATEST")
	f.Fuzz(func(t *testing.T, template, action, ref string) {
		c := Content{Actions: []string{action}, Template: template}
		if !json.Valid([]byte(c.InputSchema())) {
			t.Fatalf("the schema is %s", c.InputSchema())
		}
		_ = c.check(true)
		if base, q := split(ref); q != "" && base+":"+q != ref {
			t.Fatalf("%q is %q and %q", ref, base, q)
		}
		managedID(ref)
	})
}
