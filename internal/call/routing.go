package call

import "time"

// RoutingChange is what changes of how a live contact is served; nil is as before.
type RoutingChange struct {
	Priority      *int64
	AgeAdjustment *time.Duration
	Steps         []RoutingStep // they begin anew
}

// Route changes how a live contact is served, also when it waits already. errs.NotFound: it is not live.
func (m *Manager) Route(instanceID, contactID string, r RoutingChange) error {
	a, err := m.live(instanceID, contactID)
	if err != nil {
		return err
	}
	e := routingSet{Age: r.AgeAdjustment != nil}
	if r.Priority != nil {
		e.Routing.Priority = *r.Priority
	}
	if r.AgeAdjustment != nil {
		e.Routing.AgeAdjustment = *r.AgeAdjustment
	}
	if len(r.Steps) > 0 {
		e.Routing.Steps = r.Steps
	}
	a.post(e)
	return nil
}
