package call

import (
	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Explanation is what Admit would find for a call, step by step: a dry run.
type Explanation struct {
	Steps      []ExplainedStep // as asked; the last one failed, if any did
	Number     string
	InstanceID string
	FlowID     string
	Nearest    string // the number that would have matched, if one nearly did
}

// ExplainedStep is one rule of Admit.
type ExplainedStep struct {
	Rule   string
	Detail string
	Err    error
}

// Explain asks the rules that Admit asks, in the same order, and changes nothing.
func (m *Manager) Explain(in Inbound) Explanation {
	var e Explanation
	if _, claimed := m.o.Numbers.Lookup(in.TrunkID, in.Called); !claimed && in.DeviceUser != "" {
		return m.explainOut(in)
	}
	n, inst, err := m.match(in, func(rule, detail string, err error) {
		e.Steps = append(e.Steps, ExplainedStep{Rule: rule, Detail: detail, Err: err})
	})
	e.Number, e.FlowID, e.InstanceID = n.Name, n.FlowID, inst.ID
	if err != nil {
		if m.o.Nearest != nil {
			e.Nearest = m.o.Nearest(in.TrunkID, in.Called)
		}
		return e
	}
	if m.o.CheckOffer != nil && in.SDP != nil {
		e.Steps = append(e.Steps, ExplainedStep{Rule: "media", Err: m.o.CheckOffer(in.SDP, in.Profile)})
	}
	return e
}

// explainOut is Explain for what callOut would do.
func (m *Manager) explainOut(in Inbound) Explanation {
	var e Explanation
	step := func(rule, detail string, err error) Explanation {
		e.Steps = append(e.Steps, ExplainedStep{Rule: rule, Detail: detail, Err: err})
		return e
	}
	caller, ok := m.o.People.User(in.DeviceUser)
	if !ok {
		return step("user", "", errs.New(errs.Denied, "the device belongs to no user"))
	}
	e.InstanceID = caller.InstanceID
	step("user", caller.Username+" calls out", nil)
	callee, err := m.o.People.Find(in.DeviceUser, in.Called)
	if err != nil {
		return step("callee", "", err)
	}
	e.Number = callee.Number
	step("callee", "", nil)
	inst, ok := m.o.Instances(caller.InstanceID)
	if callee.Person == nil && !callee.Emergency && (!ok || !inst.Outbound) {
		return step("outbound", "", errs.New(errs.Denied, "the instance of user %s places no calls", caller.Username))
	}
	step("outbound", "", nil)
	if m.o.CheckOffer != nil && in.SDP != nil {
		step("media", "", m.o.CheckOffer(in.SDP, in.Profile))
	}
	return e
}

// match finds whom a call is for. note, if not nil, hears of every rule that was asked.
func (m *Manager) match(in Inbound, note func(rule, detail string, err error)) (Number, Instance, error) {
	if note == nil {
		note = func(string, string, error) {}
	}
	n, ok := m.o.Numbers.Lookup(in.TrunkID, in.Called)
	if !ok {
		err := errs.New(errs.NotFound, "nobody has claimed the number %s", in.Called)
		if m.o.Nearest != nil {
			if near := m.o.Nearest(in.TrunkID, in.Called); near != "" {
				err = errs.New(errs.NotFound, "nobody has claimed the number %s; nearest is %s", in.Called, near)
			}
		}
		note("number", "", err)
		return Number{}, Instance{}, err
	}
	note("number", n.Name+" is claimed", nil)
	if n.FlowID == "" {
		err := errs.New(errs.NotFound, "the number %s is not associated with a flow", in.Called)
		note("flow", "", err)
		return n, Instance{}, err
	}
	if m.o.FlowReady != nil {
		if err := m.o.FlowReady(n.InstanceID, n.FlowID); err != nil {
			note("flow", "", err)
			return n, Instance{}, err
		}
	}
	note("flow", "flow "+n.FlowID, nil)
	inst, ok := m.o.Instances(n.InstanceID)
	if !ok || !inst.Inbound {
		err := errs.New(errs.Denied, "the instance of number %s does not take calls", in.Called)
		note("instance", "", err)
		return n, Instance{}, err
	}
	note("instance", "instance "+inst.Alias+" takes calls", nil)
	return n, inst, nil
}

// Stop ends a contact from outside, whatever it is doing. It reports whether there was one.
func (m *Manager) Stop(contactID, detail string) bool {
	a := m.find(contactID)
	return a != nil && a.post(stopAsked{Reason: contact.Other, Detail: detail})
}
