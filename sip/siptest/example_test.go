package siptest_test

import (
	"context"
	"fmt"
	"time"

	"ullim/sip/siptest"
)

// A customer calls, an agent's phone answers, and both prove whom they heard. In your test the carrier's Server is the
// engine, and the flow decides who answers.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	agent, err := siptest.NewPhone(siptest.PhoneOptions{Name: "alice"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer agent.Close()
	carrier, err := siptest.NewCarrier(siptest.PhoneOptions{Server: agent.Addr().String()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer carrier.Close()

	call, err := carrier.Call(ctx, "+8225551234", "+821012345678", siptest.CallOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	leg, err := agent.NextCall(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("answered:", call.WaitAnswered(ctx) == nil)
	fmt.Println("heard a second:", call.WaitHeard(ctx, time.Second) == nil && leg.WaitHeard(ctx, time.Second) == nil)
	fmt.Println("the customer heard Alice:", siptest.Contains(call.Heard(), agent.Voice()))
	fmt.Println("Alice heard the customer:", siptest.Contains(leg.Heard(), siptest.Voice("+821012345678")))
	fmt.Println("Alice heard herself:", siptest.Contains(leg.Heard(), agent.Voice()))
	call.Hangup()
	ended, err := leg.WaitEnded(ctx)
	fmt.Println("ended:", ended.Kind, err)
	// Output:
	// answered: true
	// heard a second: true
	// the customer heard Alice: true
	// Alice heard the customer: true
	// Alice heard herself: false
	// ended: BYE <nil>
}
