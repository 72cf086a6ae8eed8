package webhook

import (
	"slices"
	"strings"
	"time"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// CatchAll is the name of the function that stands for all that have no URL of their own. Its URL may hold {name}.
const CatchAll = "*"

// Limits of functions.
const (
	maxARNs       = 20
	maxHeaders    = 16
	minTimeout    = time.Second
	maxTimeout    = 8 * time.Second
	placeholder   = "{name}"
	maxName       = 64
	maxHoldPrompt = 256
)

// How a caller passes the time while a function is awaited, beside the name of a prompt.
const (
	HoldSilence = ""      // nothing, as in Amazon Connect
	HoldMusic   = "music" // the instance's music
)

// Function is a web service that flows call. What is sealed is opened only to make a call.
type Function struct {
	resource.Meta
	Description string        `json:"description,omitempty"`
	ARNs        []string      `json:"arns,omitempty"` // of the Lambda functions that it stands for
	URL         string        `json:"url,omitempty"`  // empty: associated by its ARN, and not mapped yet
	Timeout     time.Duration `json:"timeout,omitempty"`
	HoldAudio   string        `json:"holdAudio,omitempty"` // HoldSilence, HoldMusic, or a prompt by id or name

	Secret         string    `json:"secret,omitempty"`         // sealed; signs
	PreviousSecret string    `json:"previousSecret,omitempty"` // sealed; signs too until PreviousUntil
	PreviousUntil  time.Time `json:"previousUntil,omitzero"`
	HeaderNames    []string  `json:"headerNames,omitempty"`
	HeaderValues   string    `json:"headerValues,omitempty"` // sealed JSON object of names and values
}

var _ resource.Object = (*Function)(nil)

// Kind is KindFunction.
func (*Function) Kind() resource.Kind { return resource.KindFunction }

// Refs are none: a function needs nothing of the instance.
func (*Function) Refs() []resource.Ref { return nil }

// Validate checks all but whether the URL may be called, which is for package egress to say.
func (f *Function) Validate() error {
	switch {
	case f.Name != CatchAll && !isFunctionName(f.Name):
		return errs.Field("Name", "must be %q, or 1 to %d letters, digits, - and _", CatchAll, maxName)
	case len(f.Description) > 250:
		return errs.Field("Description", "must have at most 250 bytes")
	case len(f.ARNs) > maxARNs:
		return errs.Field("FunctionArns", "must be at most %d; are %d", maxARNs, len(f.ARNs))
	case f.Name == CatchAll && (f.URL == "" || len(f.ARNs) > 0):
		return errs.Field("Url", "must be set for %q, which stands for no ARN of its own", CatchAll)
	case f.Name != CatchAll && strings.Contains(f.URL, placeholder):
		return errs.Field("Url", "may hold %s only for the function %q", placeholder, CatchAll)
	case strings.Count(f.URL, placeholder) > 1:
		return errs.Field("Url", "may hold %s once", placeholder)
	case f.Timeout != 0 && (f.Timeout < minTimeout || f.Timeout > maxTimeout):
		return errs.Field("TimeoutSeconds", "must be 1 to 8, or 0 for what the flow says")
	case len(f.HeaderNames) > maxHeaders:
		return errs.Field("Headers", "must be at most %d; are %d", maxHeaders, len(f.HeaderNames))
	case len(f.HoldAudio) > maxHoldPrompt:
		return errs.Field("HoldAudio", "must have at most %d bytes", maxHoldPrompt)
	}
	for i, arn := range f.ARNs {
		if _, ok := LambdaName(arn); !ok {
			return errs.Field("FunctionArns", "%q is not the ARN of a Lambda function", short(arn))
		}
		if slices.Contains(f.ARNs[:i], arn) {
			return errs.Field("FunctionArns", "%s is named twice", arn)
		}
	}
	return nil
}

// SecretOwner is for whom the secrets of a function are sealed.
func SecretOwner(id string) string { return "function:" + id }

// LambdaName takes the function's name out of an ARN of AWS Lambda:
// arn:aws:lambda:REGION:ACCOUNT:function:NAME, perhaps with :ALIAS or :VERSION.
func LambdaName(arn string) (name string, ok bool) {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 || len(parts) > 8 || len(arn) > 300 || parts[0] != "arn" || parts[2] != "lambda" || parts[5] != "function" {
		return "", false
	}
	return parts[6], isFunctionName(parts[6])
}

// unqualified is an ARN without its alias or version.
func unqualified(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) == 8 {
		return strings.Join(parts[:7], ":")
	}
	return arn
}

func isFunctionName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

func short(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}

// Sample is a URL as it will be called, for a check before there is a call.
func Sample(url string) string { return strings.Replace(url, placeholder, "name", 1) }
