package sip

import "context"

// RefreshRegistrations is for RegistrationStore.
func (s *memoryStore) RefreshRegistrations(_ context.Context, rs []RegistrationRefresh) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	refreshRows(s.m, rs)
	return nil
}

// RefreshRegistrations is for RegistrationStore.
func (s *memStore) RefreshRegistrations(_ context.Context, rs []RegistrationRefresh) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.refreshes++
	refreshRows(s.rows, rs)
	return nil
}

func refreshRows(rows map[string][]Registration, rs []RegistrationRefresh) {
	for _, r := range rs {
		for i, row := range rows[r.DeviceID] {
			if row.Expires.UnixMicro() == r.Was.UnixMicro() {
				rows[r.DeviceID][i] = r.Registration
			}
		}
	}
}
