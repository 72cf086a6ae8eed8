package call

import (
	"testing"
	"testing/synctest"

	"ullim/internal/errs"
)

// What the dry run finds is what Admit answers, and asking changes nothing.
func TestR12TheDryRunFindsWhatAdmitAnswers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		called string
		edit   func(*Options)
		rule   string // that fails; empty: none
		kind   errs.Kind
	}{
		{"all is well", "+8215880000", nil, "", errs.Internal},
		{"number", "+8215889999", nil, "number", errs.NotFound},
		{"flow", "+8215880000", func(o *Options) {
			o.FlowReady = func(string, string) error { return errs.New(errs.NotFound, "flow f is archived") }
		}, "flow", errs.NotFound},
		{"instance", "+8215880000", func(o *Options) {
			o.Instances = func(id string) (Instance, bool) { return Instance{ID: id}, true }
		}, "instance", errs.Denied},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.o.Numbers = oneNumber{"+8215880000"}
				b.o.Nearest = func(string, string) string { return "+8215880000" }
				if tc.edit != nil {
					tc.edit(&b.o)
				}
				in := Inbound{CallID: "x", Called: tc.called, SDP: []byte("offer")}
				e := b.Explain(in)
				rule, err := "", error(nil)
				for _, s := range e.Steps {
					if s.Err != nil {
						rule, err = s.Rule, s.Err
					}
				}
				if rule != tc.rule || b.Count() != 0 || b.leg.count("answer") != 0 {
					t.Errorf("rule %q of %+v", rule, e)
				}
				_, live := b.Admit(t.Context(), in, b.leg)
				if (live == nil) != (err == nil) || err != nil && (live.Error() != err.Error() || !errs.Is(live, tc.kind)) {
					t.Errorf("live: %v, dry: %v", live, err)
				}
				synctest.Wait()
				if live == nil && !b.Stop("c1", "over its cap") {
					t.Error("no such call to stop")
				}
				synctest.Wait()
				if b.Count() != 0 || b.Stop("c1", "") {
					t.Error("the call was not stopped")
				}
			})
		})
	}
}

type oneNumber struct{ number string }

func (n oneNumber) Lookup(_, called string) (Number, bool) {
	if called != n.number {
		return Number{}, false
	}
	v, _ := fakeNumbers{}.Lookup("", called)
	return v, true
}
