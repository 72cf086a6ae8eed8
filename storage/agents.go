package storage

import (
	"context"
	"errors"
	"time"

	"ullim/acd"
	"ullim/internal/errs"
)

var _ acd.Store = (*DB)(nil)

// stateRinging is how OFFERED is stored of a reservation that is shared: the index that keeps a contact to one live
// reservation does not count it.
const stateRinging = "RINGING"

// storedState is the state of a reservation as stored.
func storedState(r acd.Reservation) string {
	if r.Shared && r.State == acd.SlotOffered {
		return stateRinging
	}
	return string(r.State)
}

// errNotReserved rolls a reservation back that cannot be had.
var errNotReserved = errors.New("storage: not reserved")

// AgentStates implements acd.Store. A row that Reserve made for an agent who never chose a status has an empty StatusID.
func (db *DB) AgentStates(ctx context.Context, instanceID string) ([]acd.AgentState, error) {
	if !storable(instanceID) {
		return nil, nil
	}
	return read(ctx, db, func(ctx context.Context, t tx) ([]acd.AgentState, error) {
		return collect(ctx, t, func(s scanner) (acd.AgentState, error) {
			var a acd.AgentState
			var since, activity, inbound int64
			err := s.Scan(&a.InstanceID, &a.UserID, &a.StatusID, &since, &a.NextStatusID, &activity, &inbound, &a.Version)
			a.StatusSince, a.LastActivity, a.LastInbound = fromMicros(since), fromMicros(activity), fromMicros(inbound)
			return a, err
		}, `SELECT instance_id, user_id, status_id, status_since_us, next_status_id, last_activity_us, last_inbound_us, version
			FROM agent_state WHERE instance_id = $1 ORDER BY user_id`, instanceID)
	})
}

// PutAgentState implements acd.Store.
func (db *DB) PutAgentState(ctx context.Context, s acd.AgentState) (int64, error) {
	if s.InstanceID == "" || s.UserID == "" || !storable(s.InstanceID+s.UserID+s.StatusID+s.NextStatusID) {
		return 0, errs.New(errs.Invalid, "storage: agent state of user %q in instance %q has no usable id", s.UserID, s.InstanceID)
	}
	args := []any{
		s.InstanceID, s.UserID, s.StatusID, micros(s.StatusSince), s.NextStatusID, micros(s.LastActivity),
		micros(s.LastInbound), s.Version,
	}
	query := `UPDATE agent_state SET status_id = $3, status_since_us = $4, next_status_id = $5, last_activity_us = $6,
		last_inbound_us = $7, version = version + 1 WHERE instance_id = $1 AND user_id = $2 AND version = $8`
	if s.Version == 0 {
		query = `INSERT INTO agent_state (instance_id, user_id, status_id, status_since_us, next_status_id, last_activity_us,
			last_inbound_us, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8 + 1) ON CONFLICT DO NOTHING`
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		n, err := t.exec(ctx, query, args...)
		if err == nil && n == 0 {
			err = errs.New(errs.Conflict, "the status of agent %q was changed meanwhile", s.UserID)
		}
		return struct{}{}, err
	})
	if err != nil {
		return 0, err
	}
	return s.Version + 1, nil
}

// Reserve implements acd.Store. The agent's row is changed first: on PostgreSQL its lock makes two reservations of one
// agent wait for each other, so the count below is right. That the contact has one live reservation at most is an index.
func (db *DB) Reserve(ctx context.Context, r acd.Reservation, agentVersion int64, limit int) (int64, bool, error) {
	if r.OfferID == "" || r.InstanceID == "" || r.UserID == "" || r.ContactID == "" ||
		!storable(r.OfferID+r.InstanceID+r.UserID+r.ContactID+r.QueueID+r.Node+string(r.Channel)+string(r.State)) {
		return 0, false, errs.New(errs.Invalid, "storage: reservation %q has no usable ids", r.OfferID)
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		return struct{}{}, reserve(ctx, t, r, agentVersion, limit)
	})
	if errors.Is(err, errNotReserved) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return agentVersion + 1, true, nil
}

func reserve(ctx context.Context, t tx, r acd.Reservation, agentVersion int64, limit int) error {
	var n int64
	var err error
	if agentVersion == 0 {
		n, err = t.exec(ctx, `INSERT INTO agent_state (instance_id, user_id, status_id, status_since_us, next_status_id,
			last_activity_us, last_inbound_us, version) VALUES ($1, $2, '', 0, '', 0, 0, 1) ON CONFLICT DO NOTHING`,
			r.InstanceID, r.UserID)
	} else {
		n, err = t.exec(ctx, `UPDATE agent_state SET version = version + 1
			WHERE instance_id = $1 AND user_id = $2 AND version = $3`, r.InstanceID, r.UserID, agentVersion)
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return errNotReserved
	}
	var busy int
	err = t.row(ctx, `SELECT COUNT(*) FROM reservation WHERE instance_id = $1 AND user_id = $2 AND channel = $3`,
		r.InstanceID, r.UserID, string(r.Channel)).Scan(&busy)
	if err != nil {
		return err
	}
	if busy >= limit {
		return errNotReserved
	}
	if r.Shared {
		// Nobody but this contact's own call offers it, and it does so one after the other: no lock is needed for the count.
		err = t.row(ctx, `SELECT COUNT(*) FROM reservation WHERE contact_id = $1 AND state IN ($2, $3)`,
			r.ContactID, string(acd.SlotOffered), string(acd.SlotConnected)).Scan(&busy)
	} else {
		err = t.row(ctx, `SELECT COUNT(*) FROM reservation WHERE contact_id = $1 AND state = $2`, r.ContactID, stateRinging).Scan(&busy)
	}
	if err != nil {
		return err
	}
	if busy > 0 {
		return errNotReserved
	}
	n, err = t.exec(ctx, `INSERT INTO reservation
		(offer_id, instance_id, user_id, contact_id, queue_id, channel, state, node, since_us)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
		r.OfferID, r.InstanceID, r.UserID, r.ContactID, r.QueueID, string(r.Channel), storedState(r), r.Node, micros(r.Since))
	if err != nil {
		return err
	}
	if n == 0 {
		return errNotReserved
	}
	return nil
}

// Reservations implements acd.Store.
func (db *DB) Reservations(ctx context.Context, instanceID string) ([]acd.Reservation, error) {
	if !storable(instanceID) {
		return nil, nil
	}
	return read(ctx, db, func(ctx context.Context, t tx) ([]acd.Reservation, error) {
		return collect(ctx, t, func(s scanner) (acd.Reservation, error) {
			var r acd.Reservation
			var since int64
			err := s.Scan(&r.OfferID, &r.InstanceID, &r.UserID, &r.ContactID, &r.QueueID, &r.Channel, &r.State, &r.Node, &since)
			if r.Since = fromMicros(since); r.State == stateRinging {
				r.State, r.Shared = acd.SlotOffered, true
			}
			return r, err
		}, `SELECT offer_id, instance_id, user_id, contact_id, queue_id, channel, state, node, since_us
			FROM reservation WHERE instance_id = $1 ORDER BY since_us, offer_id`, instanceID)
	})
}

// MoveReservation implements acd.Store. errs.Conflict if it would become a second live reservation of its contact.
func (db *DB) MoveReservation(ctx context.Context, offerID string, to acd.SlotState, at time.Time) error {
	gone := errs.New(errs.NotFound, "reservation %q has ended", offerID)
	if !storable(offerID) || !storable(string(to)) {
		return gone
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		n, err := t.exec(ctx, `UPDATE reservation SET state = $2, since_us = $3 WHERE offer_id = $1`, offerID, string(to), micros(at))
		switch {
		case err != nil && t.problem(err) == problemUnique:
			err = errs.New(errs.Conflict, "the contact of reservation %q has another live reservation", offerID)
		case err == nil && n == 0:
			err = gone
		}
		return struct{}{}, err
	})
	return err
}

// EndReservation implements acd.Store.
func (db *DB) EndReservation(ctx context.Context, offerID string) error {
	if !storable(offerID) {
		return nil
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (int64, error) {
		return t.exec(ctx, `DELETE FROM reservation WHERE offer_id = $1`, offerID)
	})
	return err
}

// EndReservationsOfNode implements acd.Store.
func (db *DB) EndReservationsOfNode(ctx context.Context, node string) (int, error) {
	if !storable(node) {
		return 0, nil
	}
	n, err := write(ctx, db, func(ctx context.Context, t tx) (int64, error) {
		return t.exec(ctx, `DELETE FROM reservation WHERE node = $1`, node)
	})
	return int(n), err
}
