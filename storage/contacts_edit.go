package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"ullim/internal/contact"
)

// EditContact changes attributes and descriptions of a contact that nobody holds any more. change may run twice, on a fresh copy
// each time; its error means that nothing has changed. errs.NotFound, also for another instance's contact.
func (db *DB) EditContact(ctx context.Context, instanceID, id string, change func(*contact.Record) error) error {
	if !storable(id) || !storable(instanceID) {
		return noContact(id)
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		var body string
		err := t.row(ctx, `SELECT body FROM contact WHERE id = $1 AND instance_id = $2 /*for-update*/`, id, instanceID).Scan(&body)
		if errors.Is(err, sql.ErrNoRows) {
			return struct{}{}, noContact(id)
		}
		if err != nil {
			return struct{}{}, err
		}
		var r contact.Record
		if err = json.Unmarshal([]byte(body), &r); err != nil {
			return struct{}{}, fmt.Errorf("storage: body of contact %s: %w", id, err)
		}
		if err = change(&r); err != nil {
			return struct{}{}, err
		}
		changed, err := json.Marshal(&r)
		if err != nil {
			return struct{}{}, fmt.Errorf("storage: encoding contact %s: %w", id, err)
		}
		_, err = t.exec(ctx, `UPDATE contact SET body = $2, touched_us = $3 WHERE id = $1`, id, string(changed), micros(now()))
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, contactRow{id: id, instanceID: instanceID, marked: db.streams(instanceID)}.mark(ctx, t)
	})
	return err
}
