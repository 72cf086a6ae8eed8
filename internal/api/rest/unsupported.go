package rest

import (
	"bytes"

	"github.com/danielgtaylor/huma/v2"
)

// Unsupported is a member of the service model that we do not have. Where it says something the request is refused:
// dropping it in silence would be a lie.
type Unsupported struct{ set bool }

// UnmarshalJSON notes whether the member says something.
func (u *Unsupported) UnmarshalJSON(b []byte) error {
	switch string(bytes.TrimSpace(b)) {
	case "null", "[]", "{}", `""`, "false":
	default:
		u.set = true
	}
	return nil
}

// MarshalJSON writes null.
func (Unsupported) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// Schema describes the member in the OpenAPI document.
func (Unsupported) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "not supported: refused unless empty"}
}
