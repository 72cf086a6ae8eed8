package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"ullim/internal/errs"
)

// Outcome is how an attempt, or a whole delivery, came out.
type Outcome string

// Outcomes.
const (
	Delivered   Outcome = "ok"
	Throttled   Outcome = "throttled"    // 429
	ServerError Outcome = "server_error" // 5xx
	ClientError Outcome = "client_error" // another status: it will say so again
	Redirected  Outcome = "redirect"     // 3xx: a body goes to whom it was meant for, and to nobody else
	Unreachable Outcome = "unreachable"  // no connection, or it broke
	TimedOut    Outcome = "timeout"
	Refused     Outcome = "refused"    // by the guard
	TooLarge    Outcome = "too_large"  // of an answer
	BadAnswer   Outcome = "bad_answer" // not a JSON object
	Tripped     Outcome = "circuit_open"
	NoAddress   Outcome = "no_address"
	Abandoned   Outcome = "abandoned" // who waited for it is gone
)

// Outcomes are all of them.
func Outcomes() []Outcome {
	return []Outcome{
		Delivered, Throttled, ServerError, ClientError, Redirected, Unreachable, TimedOut, Refused, TooLarge, BadAnswer, Tripped,
		NoAddress, Abandoned,
	}
}

// passing reports whether the same request may do better in a moment.
func (o Outcome) passing() bool { return o == Throttled || o == ServerError || o == Unreachable }

// dead reports whether it says that the service is not well.
func (o Outcome) dead() bool { return o == ServerError || o == Unreachable || o == TimedOut }

// ofStatus judges a status.
func ofStatus(status int) Outcome {
	switch {
	case status >= 200 && status < 300:
		return Delivered
	case status == http.StatusTooManyRequests:
		return Throttled
	case status >= 300 && status < 400:
		return Redirected
	case status >= 500:
		return ServerError
	}
	return ClientError
}

// Failure is why a delivery failed. Its text is for the log.
type Failure struct {
	Outcome  Outcome
	Status   int // of the last answer; 0: there was none
	Attempts int
	err      error
}

// Error implements error.
func (f *Failure) Error() string {
	text := "webhook: " + string(f.Outcome)
	if f.Status != 0 {
		text += ": " + http.StatusText(f.Status)
	}
	if f.err != nil {
		text += ": " + f.err.Error()
	}
	return text
}

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.err }

// OutcomeOf is how a delivery came out that gave this error.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Delivered
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Outcome
	}
	if errs.Is(err, errs.NotFound) {
		return NoAddress
	}
	return Unreachable
}

// Passing reports whether a delivery that failed so may succeed later.
func Passing(err error) bool {
	o := OutcomeOf(err)
	return o.passing() || o == TimedOut || o == Tripped || o == Abandoned
}

// MaxAnswer is the most that a flow takes of an answer.
const MaxAnswer = 32 << 10

// CheckAnswer wants a JSON object of at most MaxAnswer bytes. Nothing at all (204) is an empty one.
func CheckAnswer(body []byte, status int) (json.RawMessage, error) {
	if len(body) == 0 && status == http.StatusNoContent {
		return json.RawMessage("{}"), nil
	}
	if len(body) > MaxAnswer {
		return nil, &Failure{Outcome: TooLarge, Status: status}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil || object == nil {
		return nil, &Failure{Outcome: BadAnswer, Status: status, err: err}
	}
	return json.RawMessage(body), nil
}

// isTimeout reports whether the time was over.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}
