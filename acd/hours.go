package acd

import (
	"slices"

	"ullim/internal/calendar"
	"ullim/internal/errs"
)

// Bounds of inheritance; both are ours.
const (
	MaxParents     = 10 // of one hours object
	maxGenerations = 5
)

// CompileHours makes hours ready to be asked, with what they inherit. find gives other hours of the instance by id; nil
// if they do not exist.
func CompileHours(h *Hours, find func(id string) *Hours) (*calendar.Schedule, error) {
	return calendar.Compile(h.Hours, Inherited(h, find)...)
}

// Inherited are the parents, theirs after them, each once: whoever comes first is preferred.
func Inherited(h *Hours, find func(id string) *Hours) []calendar.Parent {
	var out []calendar.Parent
	seen := map[string]bool{h.ID: true}
	next := h.Parents
	for range maxGenerations {
		var after []string
		for _, id := range next {
			p := find(id)
			if seen[id] || p == nil {
				continue
			}
			seen[id] = true
			out = append(out, calendar.Parent{ID: p.ID, Name: p.Name, Overrides: p.Hours.Overrides, Holidays: p.Hours.Holidays})
			after = append(after, p.Parents...)
		}
		next = after
	}
	return out
}

// CheckParents refuses hours that would inherit from themselves (errs.Invalid) or from too far away (errs.Limit).
func CheckParents(h *Hours, find func(id string) *Hours) error {
	next := h.Parents
	for range maxGenerations {
		var after []string
		for _, id := range next {
			if id == h.ID {
				return errs.Field("ParentHoursOfOperationConfigs", "hours %q would inherit from themselves", h.Name)
			}
			if p := find(id); p != nil {
				after = append(after, p.Parents...)
			}
		}
		if slices.Sort(after); len(after) == 0 {
			return nil
		}
		next = slices.Compact(after)
	}
	return errs.New(errs.Limit, "ParentHoursOfOperationConfigs: must not inherit over more than %d generations", maxGenerations)
}
