package stream

import (
	"strings"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// DefaultDestination is the name of the one that is meant if a flow names none.
const DefaultDestination = "default"

// Destination is where the sound of an instance's calls goes: a program that listens, or one that talks. What is sealed is
// opened only to connect.
type Destination struct {
	resource.Meta
	Description string            `json:"description,omitempty"`
	URL         string            `json:"url"`
	Secret      string            `json:"secret,omitempty"` // sealed; signs the handshake
	Token       string            `json:"token,omitempty"`  // sealed; sent as a bearer token
	Parameters  map[string]string `json:"parameters,omitempty"`
}

var _ resource.Object = (*Destination)(nil)

// Limits of destinations.
const (
	maxParameters     = 32
	maxParameterBytes = 4 << 10
)

// Kind is KindAudioDestination.
func (*Destination) Kind() resource.Kind { return resource.KindAudioDestination }

// Refs are none.
func (*Destination) Refs() []resource.Ref { return nil }

// Validate checks all but whether the URL may be called.
func (d *Destination) Validate() error {
	switch {
	case d.Name == "" || len(d.Name) > 64 || strings.Trim(strings.ToLower(d.Name), "abcdefghijklmnopqrstuvwxyz0123456789-_ ") != "":
		return errs.Field("Name", "must have 1 to 64 letters, digits, spaces, - or _")
	case d.URL == "":
		return errs.Field("Url", "is required")
	case len(d.Description) > 250:
		return errs.Field("Description", "must have at most 250 bytes")
	}
	return CheckParameters(d.Parameters)
}

// CheckParameters bounds what a program is told in the start message.
func CheckParameters(p map[string]string) error {
	total := 0
	for k, v := range p {
		if k == "" || len(k) > 128 {
			return errs.Field("Parameters", "a name must have 1 to 128 bytes")
		}
		total += len(k) + len(v)
	}
	if len(p) > maxParameters || total > maxParameterBytes {
		return errs.Field("Parameters", "must be at most %d with %d bytes in all", maxParameters, maxParameterBytes)
	}
	return nil
}

// SecretOwner is for whom the secrets of a destination are sealed.
func SecretOwner(id string) string { return "audio-destination:" + id }
