package app

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ullim/internal/contact"
	"ullim/media/record"
)

// recover puts in order what a process that died under this node's name has left: final records that were spilled,
// recordings that were cut off, contacts that were never closed. Reservations are ended by each acd.Center at its start.
func (a *App) recover(ctx context.Context) error {
	if err := a.readSpilled(ctx); err != nil {
		return err
	}
	found, err := record.Recover(a.spool)
	if err != nil {
		return err
	}
	byKey := make(map[string]record.Recovered, len(found))
	for _, r := range found {
		byKey[r.Location] = r
	}
	open, err := a.db.OpenContacts(ctx, a.o.Node)
	if err != nil {
		return err
	}
	open = slices.DeleteFunc(open, func(r *contact.Record) bool { return r.Channel != contact.Voice }) // they outlive the process
	for _, r := range open {
		closeRecovered(r, byKey, time.Now())
		if err = a.db.CloseContact(ctx, r); err != nil {
			return err
		}
		a.log.Warn("contact closed after a crash", "contact_id", r.ID, "call_id", r.CallID, "recordings", len(r.Recordings))
	}
	if len(open) > 0 || len(found) > 0 {
		a.log.Info("recovered", "contacts", len(open), "recordings", len(found))
	}
	return nil
}

// closeRecovered completes the record of a contact whose process died: when it was last heard of, and its recordings.
func closeRecovered(r *contact.Record, found map[string]record.Recovered, now time.Time) {
	last := r.LastUpdateTimestamp
	for i := range r.Recordings {
		rec := &r.Recordings[i]
		if rec.Status != contact.RecordingSpooled || rec.Spool != "" {
			continue // known to be complete
		}
		f, ok := found[rec.Location]
		if !ok {
			rec.Status, rec.Reason = contact.RecordingFailed, "nothing had been written when the process ended"
			continue
		}
		start := rec.Start
		*rec = f.Recording
		if !start.IsZero() {
			rec.Start = start
		}
		if rec.Stop.After(last) {
			last = rec.Stop
		}
	}
	if last.IsZero() || last.After(now) {
		last = now
	}
	if r.Queue != nil && r.Queue.DequeueTimestamp.IsZero() {
		r.Queue.DequeueTimestamp = last
	}
	if r.Agent != nil && r.Agent.AgentInteractionEndTimestamp.IsZero() {
		r.Agent.AgentInteractionEndTimestamp = last
	}
	r.DisconnectTimestamp, r.LastUpdateTimestamp = last, now
	r.DisconnectReason, r.DisconnectDetail = contact.Other, "the process ended during the contact"
}

func (a *App) spilled() string { return filepath.Join(a.o.DataDir, "spilled") }

// spill keeps a final record that the database does not take.
func (a *App) spill(r *contact.Record) error {
	if err := os.MkdirAll(a.spilled(), 0o750); err != nil {
		return err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := filepath.Join(a.spilled(), r.ID+".json")
	f, err := os.OpenFile(path+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// readSpilled brings spilled records into the database.
func (a *App) readSpilled(ctx context.Context) error {
	entries, err := os.ReadDir(a.spilled())
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		path := filepath.Join(a.spilled(), e.Name())
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var r contact.Record
		if err = json.Unmarshal(b, &r); err != nil {
			a.log.Error("spilled record cannot be read: left where it is", "file", path, "error", err)
			continue
		}
		if err = a.db.CloseContact(ctx, &r); err != nil {
			return err
		}
		if err = os.Remove(path); err != nil {
			return err
		}
		a.log.Warn("spilled record stored", "contact_id", r.ID)
	}
	return nil
}
