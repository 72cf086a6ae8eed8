package app

import (
	"context"
	"strings"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/prompts"
)

// flowFinders look up what flows refer to.
func flowFinders(s *stores) map[resource.Kind]ivr.Finder {
	return map[resource.Kind]ivr.Finder{
		resource.KindQueue:      ivr.FinderOf(s.queues, resource.KindQueue),
		resource.KindHours:      ivr.FinderOf(s.hours, resource.KindHours),
		resource.KindUser:       ivr.FinderOf(s.users, resource.KindUser),
		resource.KindFlow:       ivr.FinderOf[*ivr.Flow](s.flows, resource.KindFlow),
		resource.KindFlowModule: ivr.FinderOf[*ivr.Flow](s.modules, resource.KindFlowModule),
		resource.KindPrompt:     promptFinder(ivr.FinderOf(s.prompts, resource.KindPrompt)),
	}
}

// promptFinder finds the prompts that are built in too.
func promptFinder(stored ivr.Finder) ivr.Finder {
	return func(ctx context.Context, instanceID, ref string) (*ivr.Target, error) {
		t, err := stored(ctx, instanceID, ref)
		if !errs.Is(err, errs.NotFound) {
			return t, err
		}
		for _, p := range prompts.Builtins(instanceID) {
			if ref == p.Name || ref == p.ID || strings.HasSuffix(ref, "/"+p.ID) {
				return &ivr.Target{ID: p.ID, Name: p.Name}, nil
			}
		}
		return nil, err
	}
}
