package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
)

var _ chat.Store = (*DB)(nil)

// JobTranscript is the kind of the job that writes the transcript of a segment that has ended; its payload is a
// TranscriptJob, its key the contact id.
const JobTranscript = "chat.transcript"

// TranscriptJob is the payload of a JobTranscript.
type TranscriptJob struct {
	ContactID  string `json:"contactId"`
	InstanceID string `json:"instanceId"`
	Index      int    `json:"index"` // in contact.Record.Recordings
	Key        string `json:"key"`   // blob key
}

// chatWrite is a chat.Commit ready to be stored: everything that can be wrong with it is found before the transaction.
type chatWrite struct {
	c              chat.Commit
	body           string
	items          []chat.Item
	bodies         []string
	create, update *contactRow
	closed         []closing
}

func (db *DB) encodeChat(c chat.Commit) (*chatWrite, error) {
	s := c.State
	for _, text := range []string{s.ID, s.InstanceID, s.Node, s.ClientToken} {
		if !storable(text) {
			return nil, errs.New(errs.Invalid, "storage: chat %q has an id that cannot be stored", s.ID)
		}
	}
	body, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("storage: encoding chat %s: %w", s.ID, err)
	}
	w := &chatWrite{c: c, body: string(body), items: c.Items}
	for i := range c.Items {
		b, itemErr := json.Marshal(&c.Items[i])
		if itemErr != nil {
			return nil, fmt.Errorf("storage: encoding an item of chat %s: %w", s.ID, itemErr)
		}
		w.bodies = append(w.bodies, string(b))
	}
	for _, r := range []struct {
		from *contact.Record
		to   **contactRow
	}{{c.Create, &w.create}, {c.Update, &w.update}} {
		if r.from == nil {
			continue
		}
		row, rowErr := db.encodeContact(r.from)
		if rowErr != nil {
			return nil, rowErr
		}
		*r.to = &row
	}
	for i := range c.Close {
		row, rowErr := db.encodeClosed(&c.Close[i])
		if rowErr != nil {
			return nil, rowErr
		}
		uploads, rowErr := uploadJobs(&c.Close[i])
		if rowErr != nil {
			return nil, rowErr
		}
		w.closed = append(w.closed, closing{row, uploads})
	}
	return w, nil
}

// closing is a final record with its jobs.
type closing struct {
	row  contactRow
	jobs []jobs.Job
}

// transcriptJob writes the transcript of a segment that has ended.
func transcriptJob(r *contact.Record, i int) (jobs.Job, error) {
	payload, err := json.Marshal(TranscriptJob{ContactID: r.ID, InstanceID: r.InstanceID, Index: i, Key: r.Recordings[i].Location})
	if err != nil {
		return jobs.Job{}, fmt.Errorf("storage: encoding a job: %w", err)
	}
	return jobs.Job{Kind: JobTranscript, Key: r.ID, Payload: payload, Due: now()}, nil
}

// CreateChat implements chat.Store.
func (db *DB) CreateChat(ctx context.Context, c chat.Commit) error {
	w, err := db.encodeChat(c)
	if err != nil {
		return err
	}
	s := c.State
	_, err = write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		n, execErr := t.exec(ctx, `INSERT INTO chat (id, instance_id, node, channel, client_token, version, open, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
			s.ID, s.InstanceID, s.Node, string(s.Channel), s.ClientToken, s.Version, s.Phase != chat.Ended, w.body)
		if execErr == nil && n == 0 {
			execErr = errs.New(errs.Duplicate, "there is a chat %q already, or one of its client token", s.ID)
		}
		if execErr != nil {
			return struct{}{}, execErr
		}
		return struct{}{}, w.rest(ctx, t)
	})
	return err
}

// SaveChat implements chat.Store.
func (db *DB) SaveChat(ctx context.Context, c chat.Commit) error {
	w, err := db.encodeChat(c)
	if err != nil {
		return err
	}
	s := c.State
	_, err = write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		n, execErr := t.exec(ctx, `UPDATE chat SET version = $2, open = $3, body = $4 WHERE id = $1 AND version = $2 - 1`,
			s.ID, s.Version, s.Phase != chat.Ended, w.body)
		if execErr == nil && n == 0 {
			execErr = errs.New(errs.Conflict, "chat %q was changed by somebody else", s.ID)
		}
		if execErr != nil {
			return struct{}{}, execErr
		}
		return struct{}{}, w.rest(ctx, t)
	})
	return err
}

// rest writes what goes with the chat itself.
func (w *chatWrite) rest(ctx context.Context, t tx) error {
	for i := range w.items {
		it := &w.items[i]
		_, err := t.exec(ctx, `INSERT INTO chat_item (chat_id, seq, id, contact_id, at_us, audience, body) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			w.c.State.ID, it.Seq, it.ID, it.ContactID, micros(it.AbsoluteTime.Time), string(it.Audience), w.bodies[i])
		if err != nil {
			return err
		}
	}
	for _, m := range w.c.Marks {
		if err := markItem(ctx, t, w.c.State.ID, m); err != nil {
			return err
		}
	}
	for _, c := range w.closed { // before Create: the new segment follows the old
		if err := closeContact(ctx, t, c.row, c.jobs); err != nil {
			return err
		}
	}
	if w.create != nil {
		if _, err := t.exec(ctx, insertContact, w.create.all(true)...); err != nil {
			return err
		}
		if err := w.create.mark(ctx, t); err != nil {
			return err
		}
	}
	if w.update != nil {
		return updateContact(ctx, t, *w.update)
	}
	return nil
}

// markItem adds a receipt to an item; one of an item that is not there is dropped.
func markItem(ctx context.Context, t tx, chatID string, m chat.Mark) error {
	if !storable(m.ItemID) {
		return nil
	}
	it, err := scanChatItem(t.row(ctx, selectItem+` WHERE chat_id = $1 AND id = $2 /*for-update*/`, chatID, m.ItemID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil || it.Type != chat.TypeMessage || !it.Mark(m.Receipt) {
		return err
	}
	body, err := json.Marshal(&it)
	if err != nil {
		return fmt.Errorf("storage: encoding an item of chat %s: %w", chatID, err)
	}
	_, err = t.exec(ctx, `UPDATE chat_item SET body = $3 WHERE chat_id = $1 AND seq = $2`, chatID, it.Seq, string(body))
	return err
}

const selectItem = `SELECT chat_id, seq, audience, body FROM chat_item`

func scanChatItem(s scanner) (chat.Item, error) {
	var it chat.Item
	var body, audience, chatID string
	var seq int64
	if err := s.Scan(&chatID, &seq, &audience, &body); err != nil {
		return it, err
	}
	if err := json.Unmarshal([]byte(body), &it); err != nil {
		return it, fmt.Errorf("storage: body of an item of chat %s: %w", chatID, err)
	}
	it.ChatID, it.Seq, it.Audience = chatID, seq, chat.Role(audience)
	return it, nil
}

func scanChat(s scanner) (*chat.State, error) {
	var body string
	if err := s.Scan(&body); err != nil {
		return nil, err
	}
	state := &chat.State{}
	if err := json.Unmarshal([]byte(body), state); err != nil {
		return nil, fmt.Errorf("storage: body of a chat: %w", err)
	}
	return state, nil
}

func (db *DB) chatBy(ctx context.Context, what, where string, args ...any) (*chat.State, error) {
	s, err := read(ctx, db, func(ctx context.Context, t tx) (*chat.State, error) {
		return scanChat(t.row(ctx, `SELECT body FROM chat WHERE `+where, args...))
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errs.New(errs.NotFound, "there is no chat %q", what)
	}
	return s, err
}

// Chat implements chat.Store.
func (db *DB) Chat(ctx context.Context, id string) (*chat.State, error) {
	if !storable(id) {
		return nil, errs.New(errs.NotFound, "there is no chat %q", id)
	}
	return db.chatBy(ctx, id, `id = $1`, id)
}

// ChatByClientToken implements chat.Store.
func (db *DB) ChatByClientToken(ctx context.Context, instanceID string, channel contact.Channel, token string) (*chat.State, error) {
	if token == "" || !storable(token) || !storable(instanceID) {
		return nil, errs.New(errs.NotFound, "nothing was started with this client token")
	}
	return db.chatBy(ctx, "of this client token", `instance_id = $1 AND channel = $2 AND client_token = $3`, instanceID, string(channel), token)
}

// OpenChats implements chat.Store.
func (db *DB) OpenChats(ctx context.Context, node string) ([]*chat.State, error) {
	if !storable(node) {
		return nil, nil
	}
	return read(ctx, db, func(ctx context.Context, t tx) ([]*chat.State, error) {
		return collect(ctx, t, scanChat, `SELECT body FROM chat WHERE open AND node = $1 ORDER BY id`, node)
	})
}

// ChatItem implements chat.Store.
func (db *DB) ChatItem(ctx context.Context, chatID, id string) (chat.Item, error) {
	none := errs.New(errs.NotFound, "there is no item %q", id)
	if !storable(chatID) || !storable(id) {
		return chat.Item{}, none
	}
	it, err := read(ctx, db, func(ctx context.Context, t tx) (chat.Item, error) {
		return scanChatItem(t.row(ctx, selectItem+` WHERE chat_id = $1 AND id = $2`, chatID, id))
	})
	if errors.Is(err, sql.ErrNoRows) {
		return chat.Item{}, none
	}
	return it, err
}

// ChatItems implements chat.Store. Items are in the order of time, and of seq where times are the same.
func (db *DB) ChatItems(ctx context.Context, q chat.ItemQuery) ([]chat.Item, error) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	var either []string
	for _, s := range q.Sources {
		if !storable(s.ChatID) || !storable(s.ContactID) {
			continue
		}
		cond := "chat_id = " + arg(s.ChatID)
		if s.ContactID != "" {
			cond += " AND contact_id = " + arg(s.ContactID)
		}
		either = append(either, "("+cond+")")
	}
	if len(either) == 0 || q.Limit <= 0 {
		return nil, nil
	}
	where := "(" + strings.Join(either, " OR ") + ") AND audience IN ('', " + arg(string(q.Role)) + ")"
	compare, order := ">", "ASC"
	if q.Backward {
		compare, order = "<", "DESC"
	}
	if q.From != nil {
		if q.Inclusive {
			compare += "="
		}
		if !storable(q.From.ID) {
			return nil, errs.Field("NextToken", "is not a token that this operation gave")
		}
		where += " AND (at_us, seq, id) " + compare + " (" + arg(micros(q.From.At)) + ", " + arg(q.From.Seq) + ", " + arg(q.From.ID) + ")"
	}
	text := selectItem + ` WHERE ` + where + ` ORDER BY at_us ` + order + `, seq ` + order + `, id ` + order + ` LIMIT ` + arg(q.Limit)
	return read(ctx, db, func(ctx context.Context, t tx) ([]chat.Item, error) {
		return collect(ctx, t, scanChatItem, text, args...)
	})
}

// maxTokens is how many tokens of a kind a participant has at once; older ones go. Tokens of files are not limited by
// this: their number is that of files.
const maxTokens = 16

// PutChatToken implements chat.Store.
func (db *DB) PutChatToken(ctx context.Context, k chat.Token) error {
	_, err := write(ctx, db, func(ctx context.Context, t tx) (struct{}, error) {
		_, err := t.exec(ctx, `DELETE FROM chat_token WHERE expires_us <= $1`, micros(now()))
		if err != nil {
			return struct{}{}, err
		}
		_, err = t.exec(ctx, `DELETE FROM chat_token WHERE hash IN (SELECT hash FROM chat_token
			WHERE chat_id = $1 AND participant_id = $2 AND kind = $3 ORDER BY expires_us DESC, hash LIMIT 1000 OFFSET $4)`,
			k.ChatID, k.ParticipantID, string(k.Kind), maxTokens-1)
		if err != nil {
			return struct{}{}, err
		}
		_, err = t.exec(ctx, `INSERT INTO chat_token (hash, kind, chat_id, participant_id, subject, expires_us) VALUES ($1, $2, $3, $4, $5, $6)`,
			k.Hash, string(k.Kind), k.ChatID, k.ParticipantID, k.Subject, micros(k.Expires))
		return struct{}{}, err
	})
	return err
}

func scanToken(s scanner) (chat.Token, error) {
	var k chat.Token
	var kind string
	var expires int64
	err := s.Scan(&k.Hash, &kind, &k.ChatID, &k.ParticipantID, &k.Subject, &expires)
	k.Kind, k.Expires = chat.TokenKind(kind), fromMicros(expires)
	return k, err
}

const tokenColumns = `hash, kind, chat_id, participant_id, subject, expires_us`

// ChatToken implements chat.Store.
func (db *DB) ChatToken(ctx context.Context, hash string, now time.Time) (chat.Token, error) {
	k, err := read(ctx, db, func(ctx context.Context, t tx) (chat.Token, error) {
		return scanToken(t.row(ctx, `SELECT `+tokenColumns+` FROM chat_token WHERE hash = $1 AND expires_us > $2`, hash, micros(now)))
	})
	return k, noToken(err)
}

// TakeChatToken implements chat.Store.
func (db *DB) TakeChatToken(ctx context.Context, hash string, now time.Time) (chat.Token, error) {
	k, err := write(ctx, db, func(ctx context.Context, t tx) (chat.Token, error) {
		list, err := collect(ctx, t, scanToken, `DELETE FROM chat_token WHERE hash = $1 AND expires_us > $2 RETURNING `+tokenColumns, hash, micros(now))
		if err == nil && len(list) == 0 {
			err = sql.ErrNoRows
		}
		if err != nil {
			return chat.Token{}, noToken(err)
		}
		return slices.Clone(list)[0], nil
	})
	return k, err
}

func noToken(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return errs.New(errs.NotFound, "there is no such token")
	}
	return err
}
