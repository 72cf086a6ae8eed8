package acd

import (
	"context"
	"time"
)

// Store remembers what agents do. Every method commits before it returns, so an offer is durable before a phone
// rings. Package storage implements it; storage/storagetest proves it on both databases.
type Store interface {
	// AgentStates are the stored states of all agents of an instance that ever chose a status.
	AgentStates(ctx context.Context, instanceID string) ([]AgentState, error)
	// PutAgentState stores s if the stored Version is still s.Version (0: no row yet) and gives the new version.
	// errs.Conflict if somebody else was faster.
	PutAgentState(ctx context.Context, s AgentState) (version int64, err error)
	// Reserve takes an agent for a contact: in one transaction the agent's version must still be agentVersion (the row
	// is made if it is 0 and missing), the contact must have no live reservation (OFFERED or CONNECTED; one that is
	// Shared may stand beside others that are OFFERED and Shared), and the agent's reservations on the channel (of any state) must be fewer than limit. ok is false, and nothing changed, if
	// one of these is not so. version is the agent's new version.
	Reserve(ctx context.Context, r Reservation, agentVersion int64, limit int) (version int64, ok bool, err error)
	// Reservations are all reservations of an instance.
	Reservations(ctx context.Context, instanceID string) ([]Reservation, error)
	// MoveReservation changes the state of a reservation; errs.NotFound if it has ended.
	MoveReservation(ctx context.Context, offerID string, to SlotState, at time.Time) error
	// EndReservation removes a reservation; ended already is no error.
	EndReservation(ctx context.Context, offerID string) error
	// EndReservationsOfNode removes what a node that died has left, and gives how many.
	EndReservationsOfNode(ctx context.Context, node string) (int, error)
	// PutAfterContactWork writes start and end of after-contact work to a contact's record. A zero end: still at it.
	PutAfterContactWork(ctx context.Context, contactID string, start, end time.Time) error
}
