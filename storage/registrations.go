package storage

import (
	"context"
	"encoding/json"
	"fmt"

	"ullim/internal/errs"
	"ullim/sip"
)

var _ sip.RegistrationStore = (*DB)(nil)

// PutRegistrations implements sip.RegistrationStore. Two at once for one device leave the list of one of them.
func (db *DB) PutRegistrations(ctx context.Context, deviceID string, rs []sip.Registration) error {
	if deviceID == "" || !storable(deviceID) {
		return errs.New(errs.Invalid, "storage: %q is no id of a device", deviceID)
	}
	type line struct {
		expires int64
		body    string
	}
	lines := make([]line, len(rs))
	for i, r := range rs {
		r.DeviceID = deviceID
		body, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("storage: encoding a registration: %w", err)
		}
		lines[i] = line{micros(r.Expires), string(body)}
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		if _, err := t.exec(ctx, `DELETE FROM registration WHERE device_id = $1`, deviceID); err != nil {
			return struct{}{}, err
		}
		for i, l := range lines {
			_, err := t.exec(ctx, `INSERT INTO registration (device_id, position, expires_us, body) VALUES ($1, $2, $3, $4)
				ON CONFLICT (device_id, position) DO UPDATE SET expires_us = $3, body = $4`, deviceID, i, l.expires, l.body)
			if err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// RefreshRegistrations implements sip.RegistrationStore. The device and the old end name a row; if neither is there any
// more, something newer is.
func (db *DB) RefreshRegistrations(ctx context.Context, rs []sip.RegistrationRefresh) error {
	type line struct {
		device       string
		was, expires int64
		body         string
	}
	lines := make([]line, len(rs))
	for i, r := range rs {
		body, err := json.Marshal(r.Registration)
		if err != nil {
			return fmt.Errorf("storage: encoding a registration: %w", err)
		}
		lines[i] = line{r.DeviceID, micros(r.Was), micros(r.Expires), string(body)}
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		for _, l := range lines {
			_, err := t.exec(ctx, `UPDATE registration SET expires_us = $3, body = $4 WHERE device_id = $1 AND expires_us = $2`,
				l.device, l.was, l.expires, l.body)
			if err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// Registrations implements sip.RegistrationStore. What has expired meanwhile is among them: the registrar decides.
func (db *DB) Registrations(ctx context.Context) ([]sip.Registration, error) {
	return read(ctx, db, func(ctx context.Context, t tx) ([]sip.Registration, error) {
		return collect(ctx, t, func(s scanner) (sip.Registration, error) {
			var body string
			var r sip.Registration
			if err := s.Scan(&body); err != nil {
				return r, err
			}
			err := json.Unmarshal([]byte(body), &r)
			return r, err
		}, `SELECT body FROM registration ORDER BY device_id, position`)
	})
}
