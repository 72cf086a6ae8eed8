// Package audit is the trail of who changed what: plain data and pure functions.
//
// Every operation of the API that changes something, and every access to what people said, leaves one Entry: who, when,
// from where, which operation, on what, how it came out, and of every resource that it touched what it was before and
// after. The face (internal/api/rest) begins an Entry and carries it in the context; storage adds each resource that it
// writes, without its secrets; the face ends it and hands it to the Trail.
//
//	audit.go   Entry, Change, Query, Trail; Begin and Touch carry an entry through a context
//	redact.go  what is never written down: passwords, secrets, hashes
//	chain.go   each entry's hash is made of the one before, so that a trail that was changed afterwards shows it
//
// An entry is written after the change that it tells of. A process that dies between the two leaves a change without
// an entry: at most one for each request that was being answered. The log line of the same request is then missing too.
package audit

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// Entry is one operation. Seq counts the entries of an instance from 1 without a gap.
type Entry struct {
	Seq        int64             `json:"seq"`
	InstanceID string            `json:"instanceId"`
	At         time.Time         `json:"at"` // whole microseconds
	RequestID  string            `json:"requestId"`
	UserID     string            `json:"userId"`
	Username   string            `json:"username"`
	Source     string            `json:"source"` // address
	Operation  string            `json:"operation"`
	Resource   string            `json:"resource,omitempty"` // id: the first label of the path that names one, else the first change's
	Labels     map[string]string `json:"labels,omitempty"`   // of the path, and what the operation noted
	Outcome    string            `json:"outcome"`            // Done, or the name of the error
	Changes    []Change          `json:"changes,omitempty"`
	Hash       string            `json:"hash"` // hexadecimal SHA-256, see Chain
}

// Done is the Outcome of an operation that succeeded.
const Done = "done"

// Change is one thing that an operation has created (no Before), changed, or deleted (no After).
type Change struct {
	Kind   string          `json:"kind"`
	ID     string          `json:"id"`
	Name   string          `json:"name,omitempty"`
	Before json.RawMessage `json:"before,omitempty"` // without secrets
	After  json.RawMessage `json:"after,omitempty"`
}

// maxChanges bounds what one entry keeps; an operation that touches more says so in a last change without a body.
const maxChanges = 50

// maxBody bounds Before and After together; what is larger is kept without them.
const maxBody = 64 << 10

// Query is a search in the trail of one instance, the newest first.
type Query struct {
	InstanceID string
	From, To   time.Time // zero: open
	UserID     string
	Operation  string
	Resource   string // id of something that was touched first, or of a label
	Before     int64  // entries older than this one; 0: from the newest
	Max        int
}

// Trail keeps entries. package storage implements it.
type Trail interface {
	// AddAudit gives the entry its Seq and Hash and stores it.
	AddAudit(ctx context.Context, e Entry) error
}

// Open is an entry of an operation under way. It is safe for concurrent use.
type Open struct {
	mu      sync.Mutex
	changes []Change
	more    int
}

type key struct{}

// Begin opens an entry; what is done with the returned context is written down in it.
func Begin(ctx context.Context) (context.Context, *Open) {
	o := &Open{}
	return context.WithValue(ctx, key{}, o), o
}

// Touch notes a change in the entry that ctx carries; without one it does nothing. before and after are JSON, or empty.
func Touch(ctx context.Context, kind, id, name string, before, after []byte) {
	o, ok := ctx.Value(key{}).(*Open)
	if !ok {
		return
	}
	c := Change{Kind: kind, ID: id, Name: name}
	if len(before)+len(after) <= maxBody {
		c.Before, c.After = Redact(before, after)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.changes) == maxChanges {
		o.more++
		return
	}
	o.changes = append(o.changes, c)
}

// Watched reports whether ctx carries an entry: whether it is worth while to know what was before.
func Watched(ctx context.Context) bool {
	_, ok := ctx.Value(key{}).(*Open)
	return ok
}

// Changes are what was touched so far.
func (o *Open) Changes() []Change {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := append([]Change{}, o.changes...)
	if o.more > 0 {
		n, err := json.Marshal(o.more)
		if err == nil {
			out = append(out, Change{Kind: "more", After: n})
		}
	}
	return out
}
