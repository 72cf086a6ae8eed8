package siptest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Carrier is a trunk's other end: a Phone without registration that calls in from numbers, and answers what is called
// through it. PhoneOptions.Local is the trunk's address, Server the engine's.
type Carrier struct{ *Phone }

// NewCarrier opens the carrier's socket. Close it.
func NewCarrier(o PhoneOptions) (*Carrier, error) {
	if o.Name == "" {
		o.Name = "carrier"
	}
	p, err := NewPhone(o)
	if err != nil {
		return nil, err
	}
	return &Carrier{Phone: p}, nil
}

// Call calls a number from a number, as carriers do: the caller's number also in P-Asserted-Identity (RFC 3325).
// Unless o says otherwise the caller says Voice(from).
func (c *Carrier) Call(ctx context.Context, number, from string, o CallOptions) (*Call, error) {
	if o.From == "" {
		o.From = from
	}
	if len(o.Voice) == 0 && from != "" {
		o.Voice = Voice(from)
	}
	headers := maps.Clone(o.Headers)
	if headers == nil {
		headers = map[string]string{}
	}
	if _, given := headers["P-Asserted-Identity"]; !given && from != "" {
		headers["P-Asserted-Identity"] = "<sip:" + from + "@" + uriHost(c.local.Addr()) + ">"
	}
	o.Headers = headers
	return c.Invite(ctx, number, o)
}

// CallMany places n calls, one every interval, each in a goroutine of its own: number gives the caller's number of the
// i-th, script does the rest. A call that script leaves behind is hung up. The errors are joined.
func (c *Carrier) CallMany(ctx context.Context, n int, every time.Duration, number string, from func(i int) string,
	script func(ctx context.Context, i int, call *Call) error,
) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	start := time.Now()
	for i := range n {
		if !until(ctx, start.Add(time.Duration(i)*every)) {
			errs[i] = context.Cause(ctx)
			break
		}
		wg.Go(func() {
			call, err := c.Call(ctx, number, from(i), CallOptions{})
			if err != nil {
				errs[i] = fmt.Errorf("call %d: %w", i, err)
				return
			}
			if err = script(ctx, i, call); err != nil {
				errs[i] = fmt.Errorf("call %d: %w", i, err)
			}
			call.Hangup()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// until waits; false if ctx ended before.
func until(ctx context.Context, at time.Time) bool {
	d := time.Until(at)
	if d <= 0 { // see media.talk
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
