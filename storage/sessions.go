package storage

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"ullim/internal/errs"
	"ullim/internal/identity"
)

var _ identity.SessionStore = (*DB)(nil)

// AddSession implements identity.SessionStore.
func (db *DB) AddSession(ctx context.Context, s identity.Session, most int) error {
	for _, text := range []string{s.TokenSHA256, s.InstanceID, s.UserID, s.Password, s.Source} {
		if text == "" || !storable(text) {
			return errs.New(errs.Invalid, "storage: a session with a word that cannot be stored")
		}
	}
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		_, err := t.exec(ctx, `INSERT INTO user_session (token_sha256, instance_id, user_id, password, source, created_us, used_us)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			s.TokenSHA256, s.InstanceID, s.UserID, s.Password, s.Source, micros(s.Created), micros(s.Used))
		if err != nil {
			return struct{}{}, err
		}
		_, err = t.exec(ctx, `DELETE FROM user_session WHERE user_id = $1 AND token_sha256 NOT IN (
			SELECT token_sha256 FROM user_session WHERE user_id = $1 ORDER BY created_us DESC, token_sha256 LIMIT $2)`, s.UserID, most)
		return struct{}{}, err
	})
	return err
}

// FindSession implements identity.SessionStore.
func (db *DB) FindSession(ctx context.Context, tokenSHA256 string) (identity.Session, error) {
	s := identity.Session{TokenSHA256: tokenSHA256}
	none := errs.New(errs.NotFound, "there is no such session") // the hash is not for logs
	if !storable(tokenSHA256) {
		return s, none
	}
	s, err := read(ctx, db, func(ctx context.Context, t tx) (identity.Session, error) {
		var created, used int64
		err := t.row(ctx, `SELECT instance_id, user_id, password, source, created_us, used_us FROM user_session WHERE token_sha256 = $1`,
			tokenSHA256).Scan(&s.InstanceID, &s.UserID, &s.Password, &s.Source, &created, &used)
		s.Created, s.Used = fromMicros(created), fromMicros(used)
		return s, err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return s, none
	}
	return s, err
}

// TouchSession implements identity.SessionStore.
func (db *DB) TouchSession(ctx context.Context, tokenSHA256 string, used time.Time) error {
	return db.sessions(ctx, `UPDATE user_session SET used_us = $2 WHERE token_sha256 = $1 AND used_us < $2`, tokenSHA256, micros(used))
}

// EndSession implements identity.SessionStore.
func (db *DB) EndSession(ctx context.Context, tokenSHA256 string) error {
	return db.sessions(ctx, `DELETE FROM user_session WHERE token_sha256 = $1`, tokenSHA256)
}

// EndSessionsBefore implements identity.SessionStore.
func (db *DB) EndSessionsBefore(ctx context.Context, created, used time.Time) error {
	return db.sessions(ctx, `DELETE FROM user_session WHERE created_us < $1 OR used_us < $2`, micros(created), micros(used))
}

func (db *DB) sessions(ctx context.Context, query string, args ...any) error {
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		_, err := t.exec(ctx, query, args...)
		return struct{}{}, err
	})
	return err
}

// EndSessionsOfUser implements identity.SessionStore.
func (db *DB) EndSessionsOfUser(ctx context.Context, instanceID, userID string) (int, error) {
	n, err := write(ctx, db, func(ctx context.Context, t tx) (int64, error) {
		return t.exec(ctx, `DELETE FROM user_session WHERE instance_id = $1 AND user_id = $2`, instanceID, userID)
	})
	return int(n), err
}

// BeginCommand notes that a command of a user is being done, under the key that its client gave it, and a digest of what it
// says. fresh is false if there is one of that key already: then digest and answer are what is stored, the answer empty
// while it is not known.
func (db *DB) BeginCommand(
	ctx context.Context, userID, commandID, digest string, at time.Time,
) (fresh bool, stored string, answer []byte, err error) {
	if userID == "" || commandID == "" || !storable(userID) || !storable(commandID) || !storable(digest) {
		return false, "", nil, errs.New(errs.Invalid, "storage: %q is no key of a command", commandID)
	}
	type row struct {
		fresh  bool
		digest string
		answer []byte
	}
	r, err := write(ctx, db, func(ctx context.Context, t tx) (row, error) {
		n, execErr := t.exec(ctx, `INSERT INTO agent_command (user_id, command_id, digest, at_us, answer) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT DO NOTHING`, userID, commandID, digest, micros(at), []byte{})
		if execErr != nil || n == 1 {
			return row{fresh: true, digest: digest}, execErr
		}
		var r row
		execErr = t.row(ctx, `SELECT digest, answer FROM agent_command WHERE user_id = $1 AND command_id = $2`, userID, commandID).
			Scan(&r.digest, &r.answer)
		return r, execErr
	})
	return r.fresh, r.digest, r.answer, err
}

// FinishCommand keeps the answer of a command.
func (db *DB) FinishCommand(ctx context.Context, userID, commandID string, answer []byte) error {
	return db.sessions(ctx, `UPDATE agent_command SET answer = $3 WHERE user_id = $1 AND command_id = $2`, userID, commandID, answer)
}

// PurgeCommands forgets the commands before a moment.
func (db *DB) PurgeCommands(ctx context.Context, before time.Time) error {
	return db.sessions(ctx, `DELETE FROM agent_command WHERE at_us < $1`, micros(before))
}
