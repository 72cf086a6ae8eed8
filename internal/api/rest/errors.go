package rest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"ullim/internal/errs"
	"ullim/internal/identity"
)

// Fault is an error as it goes out: AWS error name, status, message. A handler may return one itself where an
// operation has an error of its own.
type Fault struct {
	Status     int
	Code       string         // ResourceNotFoundException
	Message    string         // for the client
	Members    map[string]any // further members of the body
	RetryAfter time.Duration
	Err        error // cause, for the log
}

// Error is the fault with its cause, for logs.
func (f *Fault) Error() string {
	s := f.Code + ": " + f.Message
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap is the cause.
func (f *Fault) Unwrap() error { return f.Err }

// FaultOf maps an error to what the client sees. The text of anything that is not an *errs.Error stays inside.
func FaultOf(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	f := &Fault{Err: err, Message: err.Error()}
	if e, ok := errors.AsType[*errs.Error](err); ok {
		f.Message = e.Message
		if e.Field != "" {
			f.Message = e.Field + " " + e.Message
		}
	}
	switch {
	case errors.Is(err, identity.ErrTooLarge):
		f.Status, f.Code = http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException"
		return f
	case errors.Is(err, identity.ErrMissing):
		f.Status, f.Code = http.StatusForbidden, "MissingAuthenticationTokenException"
		return f
	case errors.Is(err, identity.ErrMalformed):
		f.Status, f.Code = http.StatusForbidden, "IncompleteSignatureException"
		return f
	case errors.Is(err, identity.ErrSkew):
		// The name by which SDKs know to correct their clock.
		f.Status, f.Code = http.StatusForbidden, "InvalidSignatureException"
		return f
	case errors.Is(err, context.DeadlineExceeded):
		f.Status, f.Code, f.Message = http.StatusServiceUnavailable, "ServiceUnavailableException", "the request took too long"
		return f
	}
	f.Status, f.Code = statusOf(errs.KindOf(err))
	switch f.Status {
	case http.StatusInternalServerError:
		f.Message = "internal error; the server's log has more under this request id"
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		f.RetryAfter = time.Second
	}
	return f
}

func statusOf(k errs.Kind) (int, string) {
	switch k {
	case errs.Invalid:
		return http.StatusBadRequest, "InvalidParameterException"
	case errs.InvalidRequest:
		return http.StatusBadRequest, "InvalidRequestException"
	case errs.NotFound:
		return http.StatusNotFound, "ResourceNotFoundException"
	case errs.Duplicate:
		return http.StatusConflict, "DuplicateResourceException"
	case errs.Conflict:
		return http.StatusConflict, "ResourceConflictException"
	case errs.InUse:
		return http.StatusConflict, "ResourceInUseException"
	case errs.Denied:
		return http.StatusForbidden, "AccessDeniedException"
	case errs.Unauthenticated:
		return http.StatusForbidden, "UnrecognizedClientException"
	case errs.Limit:
		return http.StatusTooManyRequests, "LimitExceededException"
	case errs.Throttled:
		return http.StatusTooManyRequests, "ThrottlingException"
	case errs.Unavailable:
		return http.StatusServiceUnavailable, "ServiceUnavailableException"
	case errs.Internal:
		return http.StatusInternalServerError, "InternalServiceException"
	default:
		return http.StatusInternalServerError, "InternalServiceException"
	}
}

// write sends the fault.
func (f *Fault) write(w http.ResponseWriter) error {
	body := map[string]any{"Message": f.Message}
	maps.Copy(body, f.Members)
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("X-Amzn-Errortype", f.Code)
	h.Set("Content-Type", "application/json")
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(f.Status)
	_, err = w.Write(b)
	return err
}
