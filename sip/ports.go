package sip

import (
	"context"
	"time"

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
	// RefreshRegistrations replaces stored registrations by what only has new times, in one transaction. One that is no
	// longer stored as it was is left alone: what replaced it is newer.
	RefreshRegistrations(ctx context.Context, rs []RegistrationRefresh) error
	// Registrations are all that are stored, of all instances.
	Registrations(ctx context.Context) ([]Registration, error)
}

// RegistrationRefresh is a stored registration with new times. Was is when the stored one expires; together with the
// device it names the row, to the microsecond.
type RegistrationRefresh struct {
	Was time.Time
	Registration
}
