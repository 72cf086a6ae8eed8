package records

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"ullim/internal/contact"
)

// Told is what has been told of a contact. It is stored beside the contact, and changes with the items that tell more.
// Times are microseconds of the timestamps that were told.
type Told struct {
	Items     int64             `json:"n,omitempty"` // told so far
	Initiated bool              `json:"i,omitempty"`
	System    int64             `json:"s,omitempty"`
	Queued    int64             `json:"q,omitempty"`
	Agent     int64             `json:"a,omitempty"`
	Paused    int64             `json:"p,omitempty"`
	Resumed   int64             `json:"r,omitempty"`
	Ended     bool              `json:"e,omitempty"`
	Completed bool              `json:"c,omitempty"`
	Data      map[string]string `json:"d,omitempty"` // digests of what CONTACT_DATA_UPDATED is about
	Record    string            `json:"h,omitempty"` // digest of the record that was told last
}

// happening is an event that is due.
type happening struct {
	t       EventType
	at      time.Time
	updated []string
}

// Follow says what is to be told of a contact as it is now, after what was told before: events in the order of their
// times, then, once it is complete, the record; and the record again whenever it has changed since. working tells whether
// an agent is still at it. waiting is true for a contact that has ended and is not complete.
func Follow(told Told, r *contact.Record, working bool) (items []Item, now Told, waiting bool, err error) {
	now = told
	due := now.happenings(r)
	complete := Complete(r, working)
	if complete && !now.Completed {
		at := r.DisconnectTimestamp
		if r.Agent != nil && r.Agent.AfterContactWorkEnd.After(at) {
			at = r.Agent.AfterContactWorkEnd
		}
		due = append(due, happening{t: Completed, at: at})
		now.Completed = true
	}
	for _, h := range due {
		body, bodyErr := eventOf(h.t, h.at, r, h.updated)
		if bodyErr != nil {
			return nil, told, false, bodyErr
		}
		now.Items++
		items = append(items, Item{
			InstanceID: r.InstanceID, Kind: KindEvent, Key: r.ID, Number: now.Items, Type: string(h.t), At: h.at, Body: body,
			ID: idOf(r.ID + "/" + strconv.FormatInt(now.Items, 10) + "/" + string(h.t)),
		})
	}
	if now.Completed { // also one that an agent has taken up again: it is told as it is
		item, digest, recordErr := RecordItem(r)
		if recordErr != nil {
			return nil, told, false, recordErr
		}
		if digest != now.Record {
			now.Items++
			now.Record, item.Number = digest, now.Items
			items = append(items, item)
		}
	}
	return items, now, !now.Completed && !r.DisconnectTimestamp.IsZero(), nil
}

// RecordItem is the item that tells a record, and the digest of what it says beside when it was updated. Its id follows
// from the contact and its LastUpdateTimestamp.
func RecordItem(r *contact.Record) (Item, string, error) {
	shape := RecordOf(r)
	body, err := json.Marshal(shape)
	if err != nil {
		return Item{}, "", fmt.Errorf("records: record of %s: %w", r.ID, err)
	}
	shape.LastUpdateTimestamp = Stamp{}
	same, err := json.Marshal(shape)
	if err != nil {
		return Item{}, "", fmt.Errorf("records: record of %s: %w", r.ID, err)
	}
	return Item{
		InstanceID: r.InstanceID, Kind: KindRecord, Key: r.ID, At: r.LastUpdateTimestamp.Truncate(time.Microsecond), Body: body,
		ID: idOf(r.ID + "/record/" + strconv.FormatInt(r.LastUpdateTimestamp.UnixMicro(), 10)),
	}, digestOf(same), nil
}

// happenings are the events that are due, but for COMPLETED, and notes them as told.
func (t *Told) happenings(r *contact.Record) []happening {
	var due []happening
	fresh := !t.Initiated
	if fresh {
		t.Initiated = true
		due = append(due, happening{t: Initiated, at: r.InitiationTimestamp})
	}
	step := func(kind EventType, at time.Time, before *int64) {
		if at.IsZero() || at.UnixMicro() == *before {
			return
		}
		*before = at.UnixMicro()
		due = append(due, happening{t: kind, at: at})
	}
	step(ConnectedToSystem, r.ConnectedToSystemTimestamp, &t.System)
	if r.Queue != nil {
		step(Queued, r.Queue.EnqueueTimestamp, &t.Queued)
	}
	if r.Agent != nil {
		step(ConnectedToAgent, r.Agent.ConnectedToAgentTimestamp, &t.Agent)
	}
	step(Paused, r.LastPausedTimestamp, &t.Paused)
	step(Resumed, r.LastResumedTimestamp, &t.Resumed)
	if updated := t.updated(r, fresh); len(updated) > 0 {
		due = append(due, happening{t: ContactDataUpdated, at: r.LastUpdateTimestamp, updated: updated})
	}
	rest := due
	if fresh {
		rest = due[1:] // a callback waits since before it began
	}
	slices.SortStableFunc(rest, func(a, b happening) int { return a.at.Compare(b.at) })
	if !r.DisconnectTimestamp.IsZero() && !t.Ended {
		t.Ended = true
		due = append(due, happening{t: Disconnected, at: r.DisconnectTimestamp})
	}
	return due
}

// updated are the properties that have changed since the last time. What a contact begins with is no change.
func (t *Told) updated(r *contact.Record, fresh bool) []string {
	var out []string
	data := map[string]string{}
	for _, p := range []struct {
		name  string
		value any
		none  bool
	}{
		{"ContactDetails.UserDefinedAttributes", r.Attributes, len(r.Attributes) == 0},
		{"ContactDetails.Name", r.Name, r.Name == ""},
		{"ContactDetails.Description", r.Description, r.Description == ""},
		{"ContactDetails.References", r.References, len(r.References) == 0},
		{"Tags", r.Tags, len(r.Tags) == 0},
		{"CustomerId", r.CustomerID, r.CustomerID == ""},
		{"ScheduledTimestamp", r.ScheduledTimestamp.UnixMicro(), r.ScheduledTimestamp.IsZero()},
		{"RoutingCriteria.Steps", r.Criteria, len(r.Criteria) == 0},
		{"Disposition", r.Disposition + "\n" + r.Notes, r.Disposition+r.Notes == ""},
	} {
		if !p.none {
			b, err := json.Marshal(p.value)
			if err != nil {
				continue // maps and strings always encode
			}
			data[p.name] = digestOf(b)[:16]
		}
		if !fresh && data[p.name] != t.Data[p.name] {
			out = append(out, p.name)
		}
	}
	t.Data = data
	return out
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
