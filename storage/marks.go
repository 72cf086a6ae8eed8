package storage

import (
	"context"

	"ullim/internal/contact"
)

// streams tells whether a write of a contact leaves a mark.
func (db *DB) streams(instanceID string) bool {
	return db.o.Streams == nil || db.o.Streams(instanceID)
}

// mark says in the transaction of a write that the contact was written. Several writes share one mark, whose generation
// tells them apart. The row is locked until the commit (PostgreSQL), so that the follower cannot remove the mark of a
// write that it has not seen.
func (r contactRow) mark(ctx context.Context, t tx) error {
	if !r.marked {
		return nil
	}
	_, err := t.exec(ctx, `INSERT INTO contact_mark (contact_id, instance_id, gen) VALUES ($1, $2, 1)
		ON CONFLICT (contact_id) DO UPDATE SET gen = contact_mark.gen + 1`, r.id, r.instanceID)
	return err
}

// maxSearchValue bounds a value that is searched by, in bytes: an index of PostgreSQL takes 2,704 a row.
const maxSearchValue = 512

// searchable are the attributes of a contact by which it can be found.
func (db *DB) searchable(r *contact.Record) [][2]string {
	if db.o.Searchable == nil || len(r.Attributes) == 0 || r.DisconnectTimestamp.IsZero() {
		return nil
	}
	var out [][2]string
	for _, name := range db.o.Searchable(r.InstanceID) {
		if v, ok := r.Attributes[name]; ok && len(v) <= maxSearchValue && storable(v) && storable(name) {
			out = append(out, [2]string{name, v})
		}
	}
	return out
}

// indexed writes the searchable attributes of a contact that has ended.
func (r contactRow) indexed(ctx context.Context, t tx) error {
	for _, a := range r.searchable {
		_, err := t.exec(ctx, `INSERT INTO contact_attribute (instance_id, name, value, initiated_us, contact_id)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, r.instanceID, a[0], a[1], r.initiated, r.id)
		if err != nil {
			return err
		}
	}
	return nil
}
