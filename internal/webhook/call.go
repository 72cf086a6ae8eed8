package webhook

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ullim/internal/egress"
	"ullim/internal/errs"
)

// Poster makes a request to outside. *egress.Client is one.
type Poster interface {
	Do(ctx context.Context, r egress.Request) (*egress.Response, error)
}

var _ Poster = (*egress.Client)(nil)

// Caller delivers.
type Caller struct {
	post     Poster
	circuits circuits
	chance   func() float64
}

// NewCaller makes one. chance gives numbers in [0, 1) for jitter; nil: math/rand.
func NewCaller(post Poster, chance func() float64) *Caller {
	if chance == nil {
		chance = rand.Float64
	}
	return &Caller{post: post, circuits: circuits{list: map[string]*circuit{}}, chance: chance}
}

// Delivery is a body for a service.
type Delivery struct {
	ID         string // the same for all attempts
	InstanceID string
	URL        string
	Secrets    []string // the newest first; none: not signed
	Header     http.Header
	Body       []byte        // JSON
	Limit      time.Duration // for all attempts together
	MaxAnswer  int64         // 0: MaxAnswer
}

// Answer is what came back.
type Answer struct {
	Status   int
	Body     []byte
	Attempts int
}

// OpenCircuits is how many services are left alone because they failed again and again.
func (c *Caller) OpenCircuits() int { return c.circuits.open() }

// Post delivers: until a 2xx, or until its attempts or its time are used up. The error is a *Failure.
func (c *Caller) Post(ctx context.Context, d Delivery) (Answer, error) {
	if d.MaxAnswer == 0 {
		d.MaxAnswer = MaxAnswer
	}
	key := d.InstanceID + " " + withoutQuery(d.URL)
	deadline := time.Now().Add(d.Limit)
	for n := 1; ; n++ {
		if !c.circuits.allow(key, time.Now()) {
			return Answer{}, &Failure{Outcome: Tripped, Attempts: n - 1}
		}
		resp, err := c.once(ctx, d, n, time.Until(deadline))
		f := judge(ctx, resp, err)
		if f.Outcome != Abandoned {
			c.circuits.report(key, f.Outcome.dead(), time.Now())
		}
		if f.Outcome == Delivered {
			return Answer{Status: resp.Status, Body: resp.Body, Attempts: n}, nil
		}
		f.Attempts = n
		var header http.Header
		if resp != nil {
			header = resp.Header
		}
		wait, ok := again(n, attempt{f.Outcome, header}, time.Until(deadline), time.Now(), c.chance())
		if !ok {
			return Answer{}, f
		}
		pause := time.NewTimer(max(wait, 1))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			if errors.Is(ctx.Err(), context.Canceled) {
				f.Outcome = Abandoned
			}
			return Answer{}, f
		}
	}
}

// once makes one attempt.
func (c *Caller) once(ctx context.Context, d Delivery, n int, left time.Duration) (*egress.Response, error) {
	if left <= 0 {
		return nil, context.DeadlineExceeded
	}
	h := d.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json")
	h.Set(HeaderDelivery, d.ID)
	h.Set(HeaderAttempt, strconv.Itoa(n))
	if s := Sign(d.Secrets, time.Now(), d.Body); s != "" {
		h.Set(HeaderSignature, s)
	}
	return c.post.Do(ctx, egress.Request{
		InstanceID: d.InstanceID, Method: http.MethodPost, URL: d.URL, Header: h, Body: d.Body, MaxBody: d.MaxAnswer, Timeout: left,
	})
}

// judge says how an attempt came out. Who left is nobody's failure.
func judge(ctx context.Context, resp *egress.Response, err error) *Failure {
	switch {
	case err == nil:
		return &Failure{Outcome: ofStatus(resp.Status), Status: resp.Status}
	case errors.Is(ctx.Err(), context.Canceled):
		return &Failure{Outcome: Abandoned, err: err}
	case errs.Is(err, errs.Denied), errs.Is(err, errs.Invalid):
		return &Failure{Outcome: Refused, err: err}
	case errs.Is(err, errs.Limit):
		return &Failure{Outcome: TooLarge, err: err}
	case isTimeout(err):
		return &Failure{Outcome: TimedOut, err: err}
	}
	return &Failure{Outcome: Unreachable, err: err}
}

func withoutQuery(u string) string {
	u, _, _ = strings.Cut(u, "?")
	return u
}
