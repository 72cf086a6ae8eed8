package ivr

import (
	"context"
	"slices"

	"ullim/internal/errs"
)

// Commit implements Store on memory, with the compare-and-set of its Create and Update.
func (m *memory) Commit(ctx context.Context, f *Flow, c Changes) error {
	if err := m.createOrUpdate(ctx, f); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.versions == nil {
		m.versions = make(map[string][]*Version)
	}
	for _, v := range c.Keep {
		if !slices.ContainsFunc(m.versions[f.ID], func(o *Version) bool { return o.Number == v.Number }) {
			own := *v
			m.versions[f.ID] = append(m.versions[f.ID], &own)
		}
	}
	m.versions[f.ID] = slices.DeleteFunc(m.versions[f.ID], func(v *Version) bool { return slices.Contains(c.Drop, v.Number) })
	return nil
}

func (m *memory) createOrUpdate(ctx context.Context, f *Flow) error {
	if f.Version == 0 {
		return m.Create(ctx, f)
	}
	return m.Update(ctx, f)
}

func (m *memory) FlowVersion(_ context.Context, instanceID, flowID string, number int) (*Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.all[flowID]; f != nil && f.InstanceID == instanceID {
		for _, v := range m.versions[flowID] {
			if v.Number == number {
				own := *v
				return &own, nil
			}
		}
	}
	return nil, errs.New(errs.NotFound, "no version")
}

func (m *memory) FlowVersions(_ context.Context, instanceID, flowID string, before, limit int) ([]*Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.all[flowID]; f == nil || f.InstanceID != instanceID {
		return nil, nil
	}
	var out []*Version
	for _, v := range m.versions[flowID] {
		if before == 0 || v.Number < before {
			own := *v
			own.Content = ""
			out = append(out, &own)
		}
	}
	slices.SortFunc(out, func(a, b *Version) int { return b.Number - a.Number })
	return out[:min(len(out), limit)], nil
}
