package acd

import (
	"strings"
	"testing"

	"ullim/internal/calendar"
	"ullim/internal/errs"
)

func family(links ...string) (map[string]*Hours, func(string) *Hours) {
	all := map[string]*Hours{}
	get := func(id string) *Hours {
		if all[id] == nil {
			all[id] = &Hours{Hours: calendar.Hours{Zone: "UTC"}}
			all[id].ID, all[id].Name = id, id
		}
		return all[id]
	}
	for _, l := range links {
		child, parent, _ := strings.Cut(l, ">")
		get(parent)
		get(child).Parents = append(get(child).Parents, parent)
	}
	return all, func(id string) *Hours { return all[id] }
}

func TestParentsAreInheritedNearestFirstAndOnce(t *testing.T) {
	all, find := family("a>b", "a>c", "b>d", "c>d", "d>a")
	var got []string
	for _, p := range Inherited(all["a"], find) {
		got = append(got, p.ID)
	}
	if s := strings.Join(got, " "); s != "b c d" {
		t.Errorf("inherited %s", s)
	}
}

func TestNobodyInheritsFromThemselvesOrFromTooFar(t *testing.T) {
	for links, kind := range map[string]errs.Kind{
		"a>b b>c":                     -1,
		"a>b b>a":                     errs.Invalid,
		"a>b b>c c>a":                 errs.Invalid,
		"a>b b>c c>d d>e e>f":         -1,
		"a>b b>c c>d d>e e>f f>g g>h": errs.Limit,
	} {
		all, find := family(strings.Fields(links)...)
		err := CheckParents(all["a"], find)
		if kind < 0 && err != nil || kind >= 0 && !errs.Is(err, kind) {
			t.Errorf("%s: %v", links, err)
		}
	}
	all, find := family("a>b", "b>c", "c>d", "d>e", "e>f", "f>a")
	if err := CheckParents(all["a"], find); err == nil {
		t.Error("a ring was taken")
	}
}
