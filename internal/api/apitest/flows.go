package apitest

import (
	"cmp"
	"context"
	"slices"

	"ullim/internal/errs"
	"ullim/ivr"
)

// FlowStore is an ivr.Store in memory.
type FlowStore struct {
	*Store[*ivr.Flow]

	versions map[string][]ivr.Version // under the lock of the world
}

var _ ivr.Store = (*FlowStore)(nil)

// NewFlowStore makes the store of flows in w, or of modules if t is ivr.TypeModule.
func NewFlowStore(w *World, t ivr.FlowType) *FlowStore {
	return &FlowStore{Store: NewStore(w, func() *ivr.Flow { return &ivr.Flow{Type: t} }), versions: make(map[string][]ivr.Version)}
}

// Commit implements ivr.Store.
func (s *FlowStore) Commit(ctx context.Context, f *ivr.Flow, c ivr.Changes) error {
	write := s.Update
	if f.Version == 0 {
		write = s.Create
	}
	if err := write(ctx, f); err != nil {
		return err
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	for _, v := range c.Keep {
		if !slices.ContainsFunc(s.versions[f.ID], func(o ivr.Version) bool { return o.Number == v.Number }) {
			s.versions[f.ID] = append(s.versions[f.ID], *v)
		}
	}
	s.versions[f.ID] = slices.DeleteFunc(s.versions[f.ID], func(v ivr.Version) bool { return slices.Contains(c.Drop, v.Number) })
	return nil
}

// FlowVersion implements ivr.Store.
func (s *FlowStore) FlowVersion(ctx context.Context, instanceID, flowID string, number int) (*ivr.Version, error) {
	if _, err := s.Get(ctx, instanceID, flowID); err != nil {
		return nil, err
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	for _, v := range s.versions[flowID] {
		if v.Number == number {
			return &v, nil
		}
	}
	return nil, errs.New(errs.NotFound, "%s %s has no version %d", s.kind, flowID, number)
}

// FlowVersions implements ivr.Store.
func (s *FlowStore) FlowVersions(ctx context.Context, instanceID, flowID string, before, limit int) ([]*ivr.Version, error) {
	if _, err := s.Get(ctx, instanceID, flowID); err != nil {
		return nil, nil //nolint:nilerr // a flow that is not there has no versions
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	var out []*ivr.Version
	for _, v := range s.versions[flowID] {
		if before == 0 || v.Number < before {
			v.Content = ""
			out = append(out, &v)
		}
	}
	slices.SortFunc(out, func(a, b *ivr.Version) int { return cmp.Compare(b.Number, a.Number) })
	return out[:min(len(out), limit)], nil
}
