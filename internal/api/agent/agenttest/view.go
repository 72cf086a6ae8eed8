// Package agenttest is a panel without a face: it opens the socket of the agent channel, folds what comes into a state as
// docs/agents.md says, and sends commands. It shares no code with the channel, so that it shares none of its mistakes.
package agenttest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Frame is anything that the channel sends.
type Frame struct {
	Type     string          `json:"type"`
	ID       string          `json:"id"`
	Seq      uint64          `json:"seq"`
	Cursor   string          `json:"cursor"`
	State    json.RawMessage `json:"state"`
	Changes  []Change        `json:"changes"`
	Missed   int             `json:"missed"`
	OK       bool            `json:"ok"`
	Repeated bool            `json:"repeated"`
	Result   json.RawMessage `json:"result"`
	Error    *Error          `json:"error"`
}

// Change is a part that is different.
type Change struct {
	Part      string          `json:"part"`
	ContactID string          `json:"contactId"`
	What      []string        `json:"what"`
	Value     json.RawMessage `json:"value"`
}

// Error is why a command came to nothing.
type Error struct {
	Code, Key, Message, MessageKo, Field, Detail string
}

// Error is the code with what it says.
func (e *Error) Error() string { return fmt.Sprintf("%s %s: %s", e.Code, e.Field, e.Detail) }

// View is the state as a panel has folded it.
type View struct {
	Cursor   string
	Seq      uint64
	parts    map[string]json.RawMessage
	contacts map[string]json.RawMessage
	order    map[string]string // when each came
}

// Apply folds a frame.
func (v *View) Apply(f *Frame) error {
	switch f.Type {
	case "snapshot":
		return v.begin(f)
	case "resumed":
		if f.Seq != v.Seq {
			return fmt.Errorf("resumed at %d, the view is at %d", f.Seq, v.Seq)
		}
		return nil
	case "event":
	case "ping":
		if f.Seq < v.Seq {
			return fmt.Errorf("a ping says %d, the view is at %d", f.Seq, v.Seq)
		}
		return nil
	case "result":
		return nil
	default:
		return fmt.Errorf("a frame of type %q", f.Type)
	}
	if f.Seq != v.Seq+1 {
		return fmt.Errorf("event %d after %d", f.Seq, v.Seq)
	}
	for _, c := range f.Changes {
		switch {
		case c.Part != "contact" && v.parts[c.Part] == nil:
			return fmt.Errorf("a change of %q", c.Part)
		case c.Part != "contact":
			v.parts[c.Part] = c.Value
		case c.Value == nil:
			if v.contacts[c.ContactID] == nil {
				return fmt.Errorf("contact %s goes, and was not there", c.ContactID)
			}
			delete(v.contacts, c.ContactID)
		default:
			if err := v.contact(c.Value); err != nil {
				return err
			}
		}
	}
	v.Seq, v.Cursor = f.Seq, f.Cursor
	return nil
}

func (v *View) begin(f *Frame) error {
	var s struct {
		Agent, Availability, Setup json.RawMessage
		Contacts                   []json.RawMessage
	}
	if err := json.Unmarshal(f.State, &s); err != nil {
		return err
	}
	if s.Agent == nil || s.Availability == nil || s.Setup == nil {
		return errors.New("a snapshot without its parts")
	}
	v.parts = map[string]json.RawMessage{"agent": s.Agent, "availability": s.Availability, "setup": s.Setup}
	v.contacts, v.order = map[string]json.RawMessage{}, map[string]string{}
	for _, c := range s.Contacts {
		if err := v.contact(c); err != nil {
			return err
		}
	}
	v.Seq, v.Cursor = f.Seq, f.Cursor
	return nil
}

func (v *View) contact(body json.RawMessage) error {
	var c struct{ ContactID, Arrived string }
	if err := json.Unmarshal(body, &c); err != nil || c.ContactID == "" || c.Arrived == "" {
		return fmt.Errorf("a contact that says %s: %w", body, err)
	}
	v.contacts[c.ContactID], v.order[c.ContactID] = body, c.Arrived
	return nil
}

// State is the state in the form of a snapshot's.
func (v *View) State() json.RawMessage {
	ids := make([]string, 0, len(v.contacts))
	for id := range v.contacts {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(v.order[a], v.order[b]), cmp.Compare(a, b)) })
	list := make([]json.RawMessage, 0, len(ids))
	for _, id := range ids {
		list = append(list, v.contacts[id])
	}
	b, err := json.Marshal(struct {
		Agent        json.RawMessage   `json:"agent"`
		Availability json.RawMessage   `json:"availability"`
		Setup        json.RawMessage   `json:"setup"`
		Contacts     []json.RawMessage `json:"contacts"`
	}{v.parts["agent"], v.parts["availability"], v.parts["setup"], list})
	if err != nil {
		return nil
	}
	return b
}

// Contact is what tests look at of a contact.
type Contact struct {
	ContactID, Channel, State, Role, Hears, Recording, Disposition, Notes, ChatParticipantID string
	OwnCall, Ending                                                                          bool
	Me                                                                                       int
	Queue                                                                                    struct{ ID, Name string }
	Customer                                                                                 struct{ Address, DisplayName string }
	Attributes                                                                               map[string]string
	Participants                                                                             []Participant
}

// Participant is somebody in a call.
type Participant struct {
	ID                           int
	Role, State, UserID, Address string
	OnHold, Held, Muted          bool
}

// Contacts are the contacts, by id.
func (v *View) Contacts() map[string]Contact {
	out := make(map[string]Contact, len(v.contacts))
	for id, body := range v.contacts {
		var c Contact
		if json.Unmarshal(body, &c) == nil {
			out[id] = c
		}
	}
	return out
}

// Availability is what tests look at of the availability.
type Availability struct {
	Status     struct{ ID, Name, Type string }
	NextStatus *struct{ ID, Name string }
	Activity   string
	Reachable  bool
}

// Availability is what routing thinks of the agent.
func (v *View) Availability() (a Availability) {
	_ = json.Unmarshal(v.parts["availability"], &a) // empty if it cannot be read: no test wants that
	return a
}

// Setup is a part of the configuration.
func (v *View) Setup(into any) error { return json.Unmarshal(v.parts["setup"], into) }
