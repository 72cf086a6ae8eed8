package sip

import (
	"context"

	"ullim/internal/call"
)

// Admitter takes admitted calls (call.Manager implements it).
type Admitter interface {
	// Admit takes over the leg. events is where the leg's events go from now on; until Admit returns, the leg keeps
	// them. An error refuses the call; sip maps its kind to a status (NotFound 404, Limit 486, Unavailable 503 with
	// Retry-After, InvalidRequest 488, else 500).
	Admit(ctx context.Context, in call.Inbound, leg call.Leg) (events func(call.LegEvent), err error)
}

// RegistrationStore remembers registrations, so that a restart keeps the phones.
type RegistrationStore interface {
	// PutRegistrations replaces all registrations of a device (one device may have several contacts), in one
	// transaction; an empty list removes them.
	PutRegistrations(ctx context.Context, deviceID string, rs []Registration) error
	// Registrations are all that are stored, of all instances.
	Registrations(ctx context.Context) ([]Registration, error)
}
