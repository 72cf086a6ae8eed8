package storage

import (
	"context"
	"time"

	"ullim/internal/chat"
)

// EndedChats gives chats and tasks of an instance that have ended, and whose first segment began in [from, before), the oldest
// first.
func (db *DB) EndedChats(ctx context.Context, instanceID string, from, before time.Time, most int) ([]*chat.State, error) {
	if !storable(instanceID) {
		return nil, nil
	}
	return read(ctx, db, func(ctx context.Context, t tx) ([]*chat.State, error) {
		return collect(ctx, t, scanChat, `SELECT c.body FROM contact k JOIN chat c ON c.id = k.id
			WHERE k.instance_id = $1 AND k.initiated_us >= $2 AND k.initiated_us < $3 AND NOT c.open
			ORDER BY k.initiated_us, k.id LIMIT $4`, instanceID, micros(from), micros(before), most)
	})
}

// DeleteChat forgets a chat that has ended, with everything that was written in it. Its records stay.
func (db *DB) DeleteChat(ctx context.Context, id string) error {
	if !storable(id) {
		return nil
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		_, err := t.exec(ctx, `DELETE FROM chat WHERE id = $1 AND NOT open`, id)
		return struct{}{}, err
	})
	return err
}
