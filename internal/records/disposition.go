package records

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ullim/internal/audit"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Disposition is a code by which agents say how a contact came out. Meta.Name is the code.
type Disposition struct {
	resource.Meta
	Label    string   `json:"label,omitempty"` // for people
	QueueIDs []string `json:"queueIds,omitempty"`
	Archived bool     `json:"archived,omitempty"` // no longer chosen; records that have it keep it
	Order    int      `json:"order,omitempty"`
}

var _ resource.Object = (*Disposition)(nil)

// Kind is KindDisposition.
func (*Disposition) Kind() resource.Kind { return resource.KindDisposition }

// Refs are the queues.
func (d *Disposition) Refs() []resource.Ref {
	out := make([]resource.Ref, 0, len(d.QueueIDs))
	for _, id := range d.QueueIDs {
		out = append(out, resource.Ref{Kind: resource.KindQueue, ID: id})
	}
	return out
}

// Validate checks the code, and that queues are named once.
func (d *Disposition) Validate() error {
	switch {
	case d.Name == "" || len(d.Name) > 64 || strings.ContainsFunc(d.Name, notFileName):
		return errs.Field("Code", "must have 1 to 64 letters, digits, - and _")
	case utf8.RuneCountInString(d.Label) > 128:
		return errs.Field("Label", "must have at most 128 characters")
	case len(d.QueueIDs) > 100:
		return errs.Field("QueueIds", "must be at most 100; are %d", len(d.QueueIDs))
	}
	for i, id := range d.QueueIDs {
		if slices.Contains(d.QueueIDs[:i], id) {
			return errs.Field("QueueIds", "%s is named twice", id)
		}
	}
	return nil
}

// fits reports whether the code may be chosen for a contact of a queue ("" for none).
func (d *Disposition) fits(queueID string) bool {
	return !d.Archived && (len(d.QueueIDs) == 0 || slices.Contains(d.QueueIDs, queueID))
}

// Notebook keeps what agents say of contacts. package storage implements it.
type Notebook interface {
	Contact(ctx context.Context, instanceID, id string) (*contact.Record, error)
	// PutNote sets code and notes of a contact, open or closed. errs.NotFound.
	PutNote(ctx context.Context, instanceID, contactID string, n contact.Note) error
}

// Desk sets dispositions. It is what the API and the agents' channel ask.
type Desk struct {
	Codes resource.Store[*Disposition]
	Notes Notebook
	Trail audit.Trail
}

// Choices are the codes that may be chosen for contacts of a queue, in their order.
func (d *Desk) Choices(ctx context.Context, instanceID, queueID string) ([]*Disposition, error) {
	all, err := resource.All(ctx, d.Codes, instanceID)
	if err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(all, func(v *Disposition) bool { return !v.fits(queueID) })
	slices.SortStableFunc(out, func(a, b *Disposition) int { return a.Order - b.Order })
	return out, nil
}

// SetDisposition sets the code and the notes of a contact, during it or at any time after; userID is who says so. An
// empty code takes the code away. errs.NotFound, errs.Invalid (no such code, or not for the contact's queue; notes too
// long). A correction, of what was set before, is in the audit trail, whoever makes it.
func (d *Desk) SetDisposition(ctx context.Context, instanceID, contactID, userID, code, notes string) error {
	if n := utf8.RuneCountInString(notes); n > contact.MaxNotes {
		return errs.Field("Notes", "must have at most %d characters; have %d", contact.MaxNotes, n)
	}
	if !utf8.ValidString(notes) || strings.ContainsRune(notes, 0) {
		return errs.Field("Notes", "must be text")
	}
	r, err := d.Notes.Contact(ctx, instanceID, contactID)
	if err != nil {
		return err
	}
	if code != "" && code != r.Disposition {
		queue := ""
		if r.Queue != nil {
			queue = r.Queue.ID
		}
		v, findErr := d.Codes.GetByName(ctx, instanceID, code)
		if errs.Is(findErr, errs.NotFound) || findErr == nil && !v.fits(queue) {
			return errs.Field("Disposition", "%q is no code for contacts of this queue", code)
		}
		if findErr != nil {
			return findErr
		}
	}
	if code == r.Disposition && notes == r.Notes {
		return nil
	}
	now := contact.Note{Disposition: code, Notes: notes, By: userID, At: time.Now()}
	if err = d.Notes.PutNote(ctx, instanceID, contactID, now); err != nil {
		return err
	}
	return d.corrected(ctx, r, now)
}

// corrected writes down what took the place of what.
func (d *Desk) corrected(ctx context.Context, r *contact.Record, now contact.Note) error {
	before, err := json.Marshal(contact.Note{Disposition: r.Disposition, Notes: r.Notes})
	if err != nil {
		return err
	}
	after, err := json.Marshal(now)
	if err != nil {
		return err
	}
	if audit.Watched(ctx) { // an operation of the API, which writes its entry itself
		audit.Touch(ctx, "contact", r.ID, "", before, after)
		return nil
	}
	if r.Disposition == "" && r.Notes == "" {
		return nil // nothing is corrected: an agent did what agents do
	}
	ctx, open := audit.Begin(ctx)
	audit.Touch(ctx, "contact", r.ID, "", before, after)
	return d.Trail.AddAudit(ctx, audit.Entry{
		InstanceID: r.InstanceID, At: now.At, UserID: now.By, Operation: "SetDisposition", Resource: r.ID, Outcome: audit.Done,
		Changes: open.Changes(),
	})
}
