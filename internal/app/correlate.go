package app

import (
	"context"
	"log/slog"
	"sync"
)

// correlator is a slog.Handler that puts contact id and Call-ID on every line of a call: the parts of the house know one
// of the two, and whoever reads the log has the other.
type correlator struct {
	slog.Handler
	names           *callNames
	contact, callID string // as given by With, and not inside a group
}

// callNames knows which names the live calls have. The first Call-ID of a contact is the customer's.
type callNames struct {
	mu        sync.RWMutex
	byContact map[string]string
	byCallID  map[string]string
}

const (
	contactKey = "contact_id"
	callIDKey  = "call_id"
)

func newCallNames() *callNames {
	return &callNames{byContact: map[string]string{}, byCallID: map[string]string{}}
}

func (n *callNames) add(contactID, callID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.byContact[contactID], n.byCallID[callID] = callID, contactID
}

// remove forgets a contact. Lines that come later have the one name they were made with.
func (n *callNames) remove(contactID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if callID := n.byContact[contactID]; n.byCallID[callID] == contactID {
		delete(n.byCallID, callID)
	}
	delete(n.byContact, contactID)
}

func (n *callNames) callIDOf(contactID string) string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.byContact[contactID]
}

func (n *callNames) contactOf(callID string) string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.byCallID[callID]
}

// correlate puts a correlator before a logger's handler.
func (n *callNames) correlate(log *slog.Logger) *slog.Logger {
	return slog.New(correlator{Handler: log.Handler(), names: n})
}

// Handle adds the name that is missing.
func (c correlator) Handle(ctx context.Context, r slog.Record) error {
	contact, callID := c.contact, c.callID
	r.Attrs(func(a slog.Attr) bool {
		contact, callID = named(a, contact, callID)
		return true
	})
	switch {
	case contact != "" && callID == "":
		callID = c.names.callIDOf(contact)
		if callID != "" {
			r = r.Clone()
			r.AddAttrs(slog.String(callIDKey, callID))
		}
	case contact == "" && callID != "":
		contact = c.names.contactOf(callID)
		if contact != "" {
			r = r.Clone()
			r.AddAttrs(slog.String(contactKey, contact))
		}
	}
	return c.Handler.Handle(ctx, r)
}

func named(a slog.Attr, contact, callID string) (string, string) {
	switch a.Key {
	case contactKey:
		return a.Value.String(), callID
	case callIDKey:
		return contact, a.Value.String()
	}
	return contact, callID
}

// WithAttrs remembers the names among the attributes.
func (c correlator) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		c.contact, c.callID = named(a, c.contact, c.callID)
	}
	c.Handler = c.Handler.WithAttrs(attrs)
	return c
}

// WithGroup passes the group on; nobody here groups the lines of calls.
func (c correlator) WithGroup(name string) slog.Handler {
	c.Handler = c.Handler.WithGroup(name)
	return c
}
