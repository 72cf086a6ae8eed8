package app

import (
	"context"
	"strings"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/internal/view"
	"ullim/internal/webhook"
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
		resource.KindView:       viewFinder(s.views),
		resource.KindFunction:   functionFinder(s.functions),
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

// viewFinder finds the views that every instance has too.
func viewFinder(s view.Store) ivr.Finder {
	return func(ctx context.Context, instanceID, ref string) (*ivr.Target, error) {
		e, err := view.Find(ctx, s, instanceID, ref, "")
		if err != nil {
			return nil, err
		}
		return &ivr.Target{ID: e.View.ID, Name: e.View.Name}, nil
	}
}

// functionFinder finds functions as a call would: by the ARN of the Lambda that they stand for, by name, or as a URL.
func functionFinder(s resource.Store[*webhook.Function]) ivr.Finder {
	return func(ctx context.Context, instanceID, ref string) (*ivr.Target, error) {
		list, err := resource.All(ctx, s, instanceID)
		if err != nil {
			return nil, err
		}
		t, err := webhook.NewIndex(instanceID, list).Find(ref)
		if err != nil {
			return nil, err
		}
		if t.Function == nil {
			return &ivr.Target{ID: ref, Name: ref}, nil
		}
		return &ivr.Target{ID: t.Function.ID, Name: t.Function.Name}, nil
	}
}
