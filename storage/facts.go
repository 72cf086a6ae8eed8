package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/reporting"
)

// factColumns are the columns of a table of facts without its key, and the values of a fact.
func factColumns(table reporting.Table, f *reporting.Fact) (string, []any) {
	var names []string
	var values []any
	for _, d := range table.Dims() {
		names, values = append(names, d.Column()), append(values, clean(f.Dims[d]))
	}
	for _, c := range table.Columns() {
		names, values = append(names, string(c)), append(values, f.Numbers[c])
	}
	return strings.Join(names, ", "), values
}

// factText is where the dialect keeps the statement of insertFacts for a table: it has dozens of columns, and each call needs it.
type factText struct{ table reporting.Table }

func (f factText) write() string {
	names := []string{"instance_id", "at_us", "contact_id"}
	if f.table != reporting.Contacts {
		names = append(names, "n")
	}
	for _, d := range f.table.Dims() {
		names = append(names, d.Column())
	}
	for _, c := range f.table.Columns() {
		names = append(names, string(c))
	}
	return `INSERT INTO ` + string(f.table) + ` (` + strings.Join(names, ", ") + `) VALUES (` + placeholders(1, len(names)) + `)
		ON CONFLICT DO NOTHING`
}

// values are those of a fact, in the order of write.
func (f factText) values(instanceID string, fact *reporting.Fact) []any {
	dims, columns := f.table.Dims(), f.table.Columns()
	list := make([]any, 0, 4+len(dims)+len(columns))
	list = append(list, instanceID, micros(fact.At), clean(fact.ContactID))
	if f.table != reporting.Contacts {
		list = append(list, fact.N)
	}
	for _, d := range dims {
		list = append(list, clean(fact.Dims[d]))
	}
	for _, c := range columns {
		list = append(list, fact.Numbers[c])
	}
	return list
}

// insertFacts stores what a record counts as. A fact that is there stays.
func insertFacts(ctx context.Context, t tx, instanceID string, facts map[reporting.Table][]reporting.Fact) error {
	for _, table := range []reporting.Table{reporting.Contacts, reporting.Offers, reporting.Steps, reporting.Flows} {
		text := factText{table}
		for i := range facts[table] {
			if _, err := t.q.ExecContext(ctx, t.d.made(text, text.write), text.values(instanceID, &facts[table][i])...); err != nil {
				return err
			}
		}
	}
	return nil
}

// countContact counts a record, if it is complete and was not counted before. It is part of every transaction that may complete one.
func countContact(ctx context.Context, t tx, id string) error {
	var open, counted bool
	err := t.row(ctx, `SELECT open, counted FROM contact WHERE id = $1`, id).Scan(&open, &counted)
	if errors.Is(err, sql.ErrNoRows) || err == nil && (open || counted) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := scanContact(t.row(ctx, `SELECT `+contactColumns+` FROM contact WHERE id = $1`, id))
	if err != nil {
		return err
	}
	if a := r.Agent; a != nil && a.AfterContactWorkStart.IsZero() {
		// A call that no queue gave has no after-contact work. What a queue gave is reserved until its work has begun.
		var held bool
		if err = t.row(ctx, `SELECT EXISTS (SELECT 1 FROM reservation WHERE contact_id = $1)`, id).Scan(&held); err != nil {
			return err
		}
		if !held {
			endWork(r)
		}
	}
	return countRecord(ctx, t, r)
}

// countRecord is countContact of a closed record that was not counted.
func countRecord(ctx context.Context, t tx, r *contact.Record) error {
	if !reporting.Complete(r) {
		return nil
	}
	var failed error
	facts := reporting.ContactFacts(r, func(userID string) (string, []contact.Group) {
		m, err := lastMoment(ctx, t, r.InstanceID, userID)
		if err != nil && failed == nil {
			failed = err
		}
		return m.RoutingProfileID, m.HierarchyGroups
	})
	if failed != nil {
		return failed
	}
	if err := insertFacts(ctx, t, r.InstanceID, facts); err != nil {
		return err
	}
	_, err := t.exec(ctx, `UPDATE contact SET counted = TRUE WHERE id = $1`, r.ID)
	return err
}

// lastMoment is what is known of an agent now.
func lastMoment(ctx context.Context, t tx, instanceID, userID string) (m acd.AgentMoment, err error) {
	var body string
	err = t.row(ctx, `SELECT body FROM agent_now WHERE instance_id = $1 AND user_id = $2`, instanceID, clean(userID)).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if err = json.Unmarshal([]byte(body), &m); err != nil {
		return m, fmt.Errorf("storage: body of an event of agent %s: %w", userID, err)
	}
	return m, nil
}

// CountContacts counts closed records that were not counted yet: those of before there were reports, and those whose
// after-contact work no process is left to end (nothing reserves the agent any more; it counts as ended when it began).
// Only those that ended before a time: what ends meanwhile is counted by whoever ends it. At most so many in one commit;
// after is the id to go on behind, empty when there are no more.
func (db *DB) CountContacts(ctx context.Context, before time.Time, behind string, most int) (after string, err error) {
	type line struct {
		id   string
		held bool
	}
	lines, err := read(ctx, db, func(ctx context.Context, t tx) ([]line, error) {
		return collect(ctx, t, func(s scanner) (l line, err error) {
			err = s.Scan(&l.id, &l.held)
			return l, err
		}, `SELECT c.id, EXISTS (SELECT 1 FROM reservation r WHERE r.contact_id = c.id) FROM contact c
			WHERE NOT c.open AND NOT c.counted AND c.disconnected_us < $1 AND c.id > $2 ORDER BY c.id LIMIT $3`, micros(before), behind, most)
	})
	if err != nil || len(lines) == 0 {
		return "", err
	}
	_, err = write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		for _, l := range lines {
			if l.held {
				continue
			}
			r, scanErr := scanContact(t.row(ctx, `SELECT `+contactColumns+` FROM contact WHERE id = $1`, l.id))
			if scanErr != nil {
				return struct{}{}, scanErr
			}
			endWork(r)
			if err = countRecord(ctx, t, r); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return lines[len(lines)-1].id, err
}

// endWork completes a record whose after-contact work nobody will end.
func endWork(r *contact.Record) {
	if r.DisconnectTimestamp.IsZero() {
		r.DisconnectTimestamp = r.LastUpdateTimestamp
	}
	if a := r.Agent; a != nil && !a.ConnectedToAgentTimestamp.IsZero() && a.AfterContactWorkEnd.IsZero() {
		if a.AfterContactWorkStart.IsZero() {
			a.AfterContactWorkStart = r.DisconnectTimestamp
		}
		a.AfterContactWorkEnd = a.AfterContactWorkStart
	}
}

// DeleteFacts deletes facts of an instance from before a time, about an hour of them in one commit; more tells whether
// there are more.
func (db *DB) DeleteFacts(ctx context.Context, instanceID string, before time.Time) (more bool, err error) {
	return write(ctx, db, func(ctx context.Context, t tx) (bool, error) {
		more := false
		for _, table := range []reporting.Table{reporting.Contacts, reporting.Offers, reporting.Steps, reporting.Flows, reporting.Agents} {
			n, err := t.exec(ctx, `DELETE FROM `+string(table)+` WHERE instance_id = $1 AND at_us < $2 AND at_us < COALESCE(
				(SELECT MIN(at_us) + 3600000000 FROM `+string(table)+` WHERE instance_id = $1), 0)`, instanceID, micros(before))
			if err != nil {
				return false, err
			}
			more = more || n > 0
		}
		return more, nil
	})
}
