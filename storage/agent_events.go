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
	"ullim/internal/errs"
	"ullim/reporting"
)

var _ acd.AgentEvents = (*DB)(nil)

// agentNow is an agent's last event, and from when on its time is not counted yet.
type agentNow struct {
	seq, since, seen int64
	eventID          string
	body             string
}

// PutAgentEvents implements acd.AgentEvents. Each event closes the time since the one before it: that is counted in
// agent_span and agent_quarter by the same transaction. A heartbeat counts nothing, it is a sign of life.
func (db *DB) PutAgentEvents(ctx context.Context, events []acd.AgentEvent) error {
	bodies := make([]string, len(events))
	for i, e := range events {
		if e.EventID == "" || e.InstanceID == "" || e.UserID == "" || !storable(e.EventID+e.InstanceID+e.UserID+string(e.Type)) {
			return errs.New(errs.Invalid, "storage: event %q of agent %q has no usable id", e.EventID, e.UserID)
		}
		b, err := json.Marshal(e.After)
		if err != nil {
			return fmt.Errorf("storage: encoding an event of agent %s: %w", e.UserID, err)
		}
		bodies[i] = string(b)
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		known := make(map[string]*agentNow)
		for i := range events {
			if err := putAgentEvent(ctx, t, &events[i], bodies[i], known); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

func putAgentEvent(ctx context.Context, t tx, e *acd.AgentEvent, body string, known map[string]*agentNow) error {
	was := known[e.UserID]
	if was == nil {
		was = &agentNow{}
		err := t.row(ctx, `SELECT seq, event_id, since_us, seen_us, body FROM agent_now WHERE instance_id = $1 AND user_id = $2 /*for-update*/`,
			e.InstanceID, e.UserID).Scan(&was.seq, &was.eventID, &was.since, &was.seen, &was.body)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		known[e.UserID] = was
	}
	at := micros(e.At)
	m := &e.After
	var seq int64
	err := t.row(ctx, `INSERT INTO agent_event (event_id, instance_id, user_id, at_us, type, prev_seq, profile_id, status_id, status_type,
		busy, on_call, ringing, blocked, body) VALUES (`+placeholders(1, 14)+`) ON CONFLICT (event_id) DO NOTHING RETURNING seq`,
		e.EventID, e.InstanceID, e.UserID, at, string(e.Type), was.seq, clean(m.RoutingProfileID), clean(m.StatusID), string(m.StatusType),
		m.Busy(), oneIf(m.OnCall), oneIf(m.Ringing()), oneIf(m.Blocked()), body).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // stored by a try before
	}
	if err != nil {
		return err
	}
	since := at
	switch {
	case was.seq == 0:
	case e.Type == acd.AgentHeartbeat:
		since = was.since
	default:
		if err = countSpan(ctx, t, e.InstanceID, e.UserID, was, at); err != nil {
			return err
		}
	}
	*was = agentNow{seq: seq, since: since, seen: max(at, was.seen), eventID: e.EventID, body: body}
	_, err = t.exec(ctx, `INSERT INTO agent_now (instance_id, user_id, seq, event_id, since_us, seen_us, type, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (instance_id, user_id)
		DO UPDATE SET seq = $3, event_id = $4, since_us = $5, seen_us = $6, type = $7, body = $8`,
		e.InstanceID, e.UserID, was.seq, was.eventID, was.since, was.seen, string(e.Type), body)
	return err
}

func oneIf(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// stateOf is a moment as reports count it.
func stateOf(userID string, m *acd.AgentMoment) reporting.State {
	return reporting.State{
		UserID: userID, RoutingProfileID: m.RoutingProfileID, Groups: m.HierarchyGroups, Online: m.StatusType != acd.Offline,
		Custom: m.StatusType == acd.Custom, Contacts: m.Busy(), OnCall: m.OnCall, Ringing: m.Ringing(), Blocked: m.Blocked(),
	}
}

// countSpan counts the time from an agent's last event to the next.
func countSpan(ctx context.Context, t tx, instanceID, userID string, was *agentNow, to int64) error {
	var m acd.AgentMoment
	if err := json.Unmarshal([]byte(was.body), &m); err != nil {
		return fmt.Errorf("storage: body of an event of agent %s: %w", userID, err)
	}
	s := stateOf(userID, &m)
	for _, p := range s.Spans(fromMicros(was.since), fromMicros(to)) {
		if err := insertSpan(ctx, t, instanceID, &p); err != nil {
			return err
		}
	}
	return nil
}

// insertSpan stores a piece, and adds it to its quarter of an hour.
func insertSpan(ctx context.Context, t tx, instanceID string, p *reporting.Span) error {
	cols, values := factColumns(reporting.Agents, &p.Fact)
	at := micros(p.At)
	_, err := t.exec(ctx, `INSERT INTO agent_span (instance_id, at_us, to_us, `+cols+`) VALUES (`+placeholders(1, 3+len(values))+`)
		ON CONFLICT DO NOTHING`, append([]any{instanceID, at, micros(p.To)}, values...)...)
	if err != nil {
		return err
	}
	var add []string
	for _, c := range reporting.Agents.Columns() {
		add = append(add, fmt.Sprintf("%[1]s = agent_quarter.%[1]s + excluded.%[1]s", c))
	}
	_, err = t.exec(ctx, `INSERT INTO agent_quarter (instance_id, at_us, `+cols+`) VALUES (`+placeholders(1, 2+len(values))+`)
		ON CONFLICT (instance_id, at_us, agent_id, profile_id, level1_id, level2_id, level3_id, level4_id, level5_id) DO UPDATE SET `+strings.Join(add, ", "),
		append([]any{instanceID, micros(p.At.Truncate(reporting.Quarter))}, values...)...)
	return err
}

// LastAgentEvents implements acd.AgentEvents.
func (db *DB) LastAgentEvents(ctx context.Context, instanceID string) ([]acd.AgentEvent, error) {
	if !storable(instanceID) {
		return nil, nil
	}
	return read(ctx, db, func(ctx context.Context, t tx) ([]acd.AgentEvent, error) {
		return collect(ctx, t, func(s scanner) (acd.AgentEvent, error) {
			e := acd.AgentEvent{InstanceID: instanceID}
			var seen int64
			var body string
			if err := s.Scan(&e.EventID, &e.Seq, &seen, &e.UserID, &e.Type, &body); err != nil {
				return e, err
			}
			e.At = fromMicros(seen)
			return e, json.Unmarshal([]byte(body), &e.After)
		}, `SELECT event_id, seq, seen_us, user_id, type, body FROM agent_now WHERE instance_id = $1 ORDER BY user_id`, instanceID)
	})
}

// AgentEvents gives the events of an instance behind seq, in the order in which they were stored: at most so many. It is
// how they are passed on, once each. What retention has deleted is skipped; Before is empty where its event is gone.
func (db *DB) AgentEvents(ctx context.Context, instanceID string, behind int64, most int) ([]acd.AgentEvent, error) {
	if !storable(instanceID) {
		return nil, nil
	}
	return read(ctx, db, func(ctx context.Context, t tx) ([]acd.AgentEvent, error) {
		return collect(ctx, t, func(s scanner) (acd.AgentEvent, error) {
			e := acd.AgentEvent{InstanceID: instanceID}
			var at int64
			var after string
			var before sql.NullString
			if err := s.Scan(&e.Seq, &e.EventID, &e.UserID, &at, &e.Type, &after, &before); err != nil {
				return e, err
			}
			e.At = fromMicros(at)
			if before.Valid {
				if err := json.Unmarshal([]byte(before.String), &e.Before); err != nil {
					return e, err
				}
			}
			return e, json.Unmarshal([]byte(after), &e.After)
		}, `SELECT e.seq, e.event_id, e.user_id, e.at_us, e.type, e.body, b.body FROM agent_event e LEFT JOIN agent_event b ON b.seq = e.prev_seq
			WHERE e.instance_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3`, instanceID, behind, min(max(most, 1), maxPage))
	})
}

// ContactsEnded implements acd.AgentEvents.
func (db *DB) ContactsEnded(ctx context.Context, contactIDs []string) (map[string]time.Time, error) {
	out := make(map[string]time.Time)
	const step = 500
	for len(contactIDs) > 0 {
		n := min(step, len(contactIDs))
		var args []any
		for _, id := range contactIDs[:n] {
			if storable(id) {
				args = append(args, id)
			}
		}
		contactIDs = contactIDs[n:]
		if len(args) == 0 {
			continue
		}
		type end struct {
			id string
			at int64
		}
		ends, err := read(ctx, db, func(ctx context.Context, t tx) ([]end, error) {
			return collect(ctx, t, func(s scanner) (e end, err error) {
				err = s.Scan(&e.id, &e.at)
				return e, err
			}, `SELECT id, disconnected_us FROM contact WHERE NOT open AND disconnected_us > 0 AND id IN (`+placeholders(1, len(args))+`)`, args...)
		})
		if err != nil {
			return nil, err
		}
		for _, e := range ends {
			out[e.id] = fromMicros(e.at)
		}
	}
	return out, nil
}

// DeleteAgentEvents deletes events and the spans that came of them before a time: at most so many of each in one commit. It
// tells how many events. What agent_quarter has counted stays.
func (db *DB) DeleteAgentEvents(ctx context.Context, instanceID string, before time.Time, most int) (int, error) {
	if !storable(instanceID) {
		return 0, nil
	}
	return write(ctx, db, func(ctx context.Context, t tx) (int, error) {
		n, err := t.exec(ctx, `DELETE FROM agent_event WHERE seq IN (SELECT seq FROM agent_event WHERE instance_id = $1 AND at_us < $2
			ORDER BY at_us LIMIT $3)`, instanceID, micros(before), most)
		if err != nil {
			return 0, err
		}
		spans, err := t.exec(ctx, `DELETE FROM agent_span WHERE instance_id = $1 AND at_us < COALESCE((SELECT MIN(at_us) + 3600000000 FROM agent_span
			WHERE instance_id = $1), 0) AND at_us < $2`, instanceID, micros(before))
		return int(max(n, spans)), err
	})
}
