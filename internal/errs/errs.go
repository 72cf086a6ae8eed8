// Package errs gives an error its kind where it is born, so that every face of ullim (the HTTP API, a SIP response, a
// log line, a metric label) says the same thing about it without parsing text.
//
// An error has a kind, a message for a person, and where it helps the field that is wrong. Anything that is not an
// *Error is internal: its text is logged and never shown.
package errs

import (
	"errors"
	"fmt"
)

// Kind is what the receiver of an error can do about it.
type Kind int

// The kinds, with the Amazon Connect error that each becomes on the wire.
const (
	Internal        Kind = iota // InternalServiceException, 500
	Invalid                     // InvalidParameterException, 400: the field and the rule are named
	InvalidRequest              // InvalidRequestException, 400: right fields, impossible in this state
	NotFound                    // ResourceNotFoundException, 404
	Duplicate                   // DuplicateResourceException, 409
	Conflict                    // ResourceConflictException, 409: somebody else changed it first
	InUse                       // ResourceInUseException, 400: named by the resource that uses it
	Denied                      // AccessDeniedException, 403
	Unauthenticated             // UnrecognizedClientException, 403
	Limit                       // LimitExceededException / ServiceQuotaExceededException, 429
	Throttled                   // ThrottlingException, 429
	Unavailable                 // 503: try again later (draining, database away, no port free)
)

// String is the kind as a metric label.
func (k Kind) String() string {
	names := [...]string{
		"internal", "invalid", "invalid_request", "not_found", "duplicate", "conflict", "in_use", "denied",
		"unauthenticated", "limit", "throttled", "unavailable",
	}
	if k < 0 || int(k) >= len(names) {
		return "internal"
	}
	return names[k]
}

// Error is an error with a kind. Field is empty or the path of the offending field ("Config[2].StartTime.Hours").
type Error struct {
	Kind    Kind
	Field   string
	Message string
	Err     error // cause, may be nil; never shown to a client
}

// Error is the message with its field and its cause, for logs.
func (e *Error) Error() string {
	s := e.Message
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an error of a kind.
func New(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// Field makes an Invalid error that names the field and the rule.
func Field(field, format string, args ...any) error {
	return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Wrap gives err a kind and a message for the outside; nil stays nil.
func Wrap(err error, k Kind, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...), Err: err}
}

// KindOf is the kind of the first *Error in err's chain; Internal if there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err has kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
