package call

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// dialledIn is the target of the only party that effects call.
func dialledIn(t *testing.T, effects []Effect) Target {
	t.Helper()
	var found []Target
	for _, e := range effects {
		if d, ok := e.(dial); ok {
			found = append(found, d.Target)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d are called", len(found))
	}
	return found[0]
}

func TestR29AForwardedCallTellsByWhichNumbersItCame(t *testing.T) {
	in := Inbound{TrunkID: "t1", Diverted: []string{"+8215880000"}, Identity: []string{"signed"}}
	by := []string{"+8215880000", "+8215881111"}
	if got := cameBy(in, "+8215881111"); !cmp.Equal(got.By, by) || len(in.Diverted) != 1 {
		t.Errorf("came by %v", got)
	}
	if got := cameBy(Inbound{Diverted: in.Diverted}, "100"); got.By != nil {
		t.Errorf("a device's call came by %v", got)
	}
	talking := states(t)["Talking"]
	talking.Came = cameBy(in, "+8215881111")
	own := talking.Record.CustomerEndpoint.Address
	for name, c := range map[string]struct {
		callee   Callee
		diverted []string
		identity []string
	}{
		"with the number of the instance": {Callee{Number: "+8225551234", FromNumber: "+8215882222"}, by, nil},
		"with the customer's own":         {Callee{Number: "+8225551234", FromNumber: own}, by, in.Identity},
		"to a colleague":                  {Callee{Person: &Person{ID: "u9", Username: "kim"}}, nil, nil},
		"for help":                        {Callee{Number: "119", FromNumber: own, Emergency: true}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := walk(t, talking, time.Now(), refer(3, "x", nil))
			_, effects := Step(s, resolved{Gen: s.Transfer.Gen, Callee: c.callee}, time.Now())
			target := dialledIn(t, effects)
			if !cmp.Equal(target.Diverted, c.diverted) || !cmp.Equal(target.Identity, c.identity) {
				t.Errorf("dialled %+v", target)
			}
		})
	}
	flow := states(t)["Flow"]
	flow.Came = talking.Came
	_, effects := Step(flow, outwardAsked{Gen: flow.Flow[ofCustomer], Outcall: Outcall{Number: "+8225550000", Limit: time.Minute}}, time.Now())
	if target := dialledIn(t, effects); !cmp.Equal(target.Diverted, by) || !cmp.Equal(target.Identity, in.Identity) {
		t.Errorf("a flow has called %+v", target)
	}
}
