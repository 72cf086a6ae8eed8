package records

import (
	"slices"
	"strings"
	"time"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Types of destinations.
const (
	Webhook = "WEBHOOK" // a POST for each item, signed
	File    = "FILE"    // JSON lines on this node's disk
	S3      = "S3"      // JSON lines, an object for each minute, where the node keeps recordings
)

// DefaultGiveUp is how long an item is offered to a destination that is away before it becomes a dead letter.
const DefaultGiveUp = 72 * time.Hour

// Destination is where the items of an instance go.
type Destination struct {
	resource.Meta
	Type   string        `json:"type"`
	Kinds  []Kind        `json:"kinds,omitempty"`  // empty: all
	Paused bool          `json:"paused,omitempty"` // items wait
	GiveUp time.Duration `json:"giveUp,omitempty"` // 0: DefaultGiveUp

	URL            string    `json:"url,omitempty"`            // WEBHOOK
	Secret         string    `json:"secret,omitempty"`         // sealed
	PreviousSecret string    `json:"previousSecret,omitempty"` // sealed; signs too until PreviousUntil
	PreviousUntil  time.Time `json:"previousUntil,omitzero"`

	Prefix string `json:"prefix,omitempty"` // S3: the beginning of each key
}

var _ resource.Object = (*Destination)(nil)

// Kind is KindRecordStream.
func (*Destination) Kind() resource.Kind { return resource.KindRecordStream }

// Refs are none.
func (*Destination) Refs() []resource.Ref { return nil }

// Validate checks all but whether the URL may be called.
func (d *Destination) Validate() error {
	switch {
	case d.Name == "" || len(d.Name) > 64 || strings.ContainsFunc(d.Name, notFileName):
		return errs.Field("Name", "must have 1 to 64 letters, digits, - and _: files are called after it")
	case !slices.Contains([]string{Webhook, File, S3}, d.Type):
		return errs.Field("Type", "must be %s, %s or %s; is %q", Webhook, File, S3, d.Type)
	case d.Type == Webhook && d.URL == "":
		return errs.Field("Url", "must be set for %s", Webhook)
	case d.Type != Webhook && d.URL != "":
		return errs.Field("Url", "must not be set for %s", d.Type)
	case d.Type != S3 && d.Prefix != "":
		return errs.Field("Prefix", "must not be set for %s", d.Type)
	case len(d.Prefix) > 200 || strings.HasPrefix(d.Prefix, "/") || strings.HasSuffix(d.Prefix, "/") || strings.Contains(d.Prefix, "//") ||
		slices.Contains(strings.Split(d.Prefix, "/"), "..") || slices.Contains(strings.Split(d.Prefix, "/"), ".") ||
		strings.ContainsFunc(d.Prefix, func(r rune) bool { return r != '/' && r != '.' && notFileName(r) }):
		return errs.Field("Prefix", "must have at most 200 letters, digits, -, _, dots and single slashes, and no slash at its ends")
	case d.GiveUp < 0 || d.GiveUp > 30*24*time.Hour:
		return errs.Field("GiveUpAfterHours", "must be 0 to 720")
	}
	for i, k := range d.Kinds {
		if !slices.Contains(Kinds(), k) || slices.Contains(d.Kinds[:i], k) {
			return errs.Field("Kinds", "must be different ones of %v", Kinds())
		}
	}
	return nil
}

func notFileName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// Wants reports whether items of a kind go there.
func (d *Destination) Wants(k Kind) bool { return len(d.Kinds) == 0 || slices.Contains(d.Kinds, k) }

// patience is how long an item is offered.
func (d *Destination) patience() time.Duration {
	if d.GiveUp == 0 {
		return DefaultGiveUp
	}
	return d.GiveUp
}

// SecretOwner is for whom the secrets of a destination are sealed.
func SecretOwner(id string) string { return "record-stream:" + id }
