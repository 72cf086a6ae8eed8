package sip

import (
	"runtime"
	"testing"
	"weak"
)

// The transactions of a call stay for half a minute after their answers. What the call has in memory must not.
func TestALegThatIsGoneIsNotHeldByItsTransactions(t *testing.T) {
	run(t, func(s *stage) {
		d, c := s.up("brief")
		held := weakly(c)
		if held.Value() == nil {
			s.t.Fatalf("the owner has a %T", c.leg)
		}
		d.send("BYE", 2, "")
		s.trunk.settle()
		same(s.t, "legs", s.ep.Stats().Legs, 0)
		if n := s.ep.count.transactions.Load(); n != 2 {
			s.t.Fatalf("%d transactions are remembered, want those of INVITE and BYE", n)
		}
		c.leg = nil
		for range 3 {
			runtime.GC()
		}
		if held.Value() != nil {
			s.t.Error("the leg is still in memory")
		}
	})
}

func weakly(c *ownedCall) weak.Pointer[Leg] {
	leg, _ := c.leg.(*Leg)
	return weak.Make(leg)
}
