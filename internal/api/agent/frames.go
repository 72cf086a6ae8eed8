package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Types of frames to a client.
const (
	frameSnapshot = "snapshot" // everything, as it is
	frameResumed  = "resumed"  // what was missed follows
	frameEvent    = "event"    // what has changed
	frameResult   = "result"   // the answer to a command
	framePing     = "ping"     // to be answered with a pong
)

// Types of frames of a client.
const (
	frameCommand = "command"
	framePong    = "pong"
	frameRefresh = "refresh" // asks for a snapshot
)

// Change is a part of the state that is different now. Value is absent for a contact that the agent does not have any more.
type Change struct {
	Part      string          `json:"part"` // agent, availability, setup or contact
	ContactID string          `json:"contactId,omitempty"`
	What      []string        `json:"what,omitempty"` // of a contact: what happened, as amazon-connect-streams calls it
	Value     json.RawMessage `json:"value,omitempty"`
}

// outFrame is a frame to a client.
type outFrame struct {
	Type    string          `json:"type"`
	Seq     uint64          `json:"seq"`
	Cursor  string          `json:"cursor,omitempty"`
	At      Time            `json:"at,omitzero"`
	State   json.RawMessage `json:"state,omitempty"`
	Changes []Change        `json:"changes,omitempty"`
	Missed  int             `json:"missed,omitempty"` // of resumed: how many events follow
}

// inFrame is a frame of a client.
type inFrame struct {
	Type string `json:"type"`
	Command
}

// readFrame reads a frame of a client. What is not known is refused, so that a mistake is not taken for obedience.
func readFrame(data []byte) (inFrame, error) {
	var f inFrame
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, fault(codeBadFrame, "%v", err)
	}
	if d.More() {
		return f, fault(codeBadFrame, "one JSON object a frame")
	}
	switch f.Type {
	case frameCommand, framePong, frameRefresh:
		return f, nil
	}
	return f, fault(codeBadFrame, "type must be %s, %s or %s", frameCommand, framePong, frameRefresh)
}

// cursor names a number of a hub's life.
func cursor(life string, seq uint64) string { return life + "." + strconv.FormatUint(seq, 10) }

// parseCursor takes one apart; ok is false if it is none.
func parseCursor(text string) (life string, seq uint64, ok bool) {
	life, number, ok := strings.Cut(text, ".")
	if !ok || len(text) > 64 {
		return "", 0, false
	}
	seq, err := strconv.ParseUint(number, 10, 64)
	return life, seq, err == nil
}

// diff is what makes was into is. The order is always the same: the agent's own parts, then contacts that went, then
// contacts that are there.
func diff(was, is parts) []Change {
	var out []Change
	for _, name := range []string{partAgent, partSetup, partAvailability} {
		if !bytes.Equal(was[name].body, is[name].body) {
			out = append(out, Change{Part: name, Value: is[name].body})
		}
	}
	for _, name := range was.contacts() {
		if _, there := is[name]; !there {
			out = append(out, Change{Part: "contact", ContactID: strings.TrimPrefix(name, contactPart), What: []string{"destroyed"}})
		}
	}
	for _, name := range is.contacts() {
		if !bytes.Equal(was[name].body, is[name].body) {
			out = append(out, Change{
				Part: "contact", ContactID: strings.TrimPrefix(name, contactPart), What: happened(was[name].body, is[name].body), Value: is[name].body,
			})
		}
	}
	return out
}

// happened names what happened to a contact between two of its states, most important first. The names are those of the
// events of amazon-connect-streams; refresh is anything else.
func happened(was, is json.RawMessage) []string {
	var a, b Contact
	_ = json.Unmarshal(is, &b) // we wrote both
	if was == nil {
		return []string{map[string]string{
			"CONNECTING": "connecting", "CONNECTED": "connected", "CONNECTED_ONHOLD": "connected", "MISSED": "missed", "REJECTED": "missed",
			"ERROR": "error", "ENDED": "ended",
		}[b.State]}
	}
	_ = json.Unmarshal(was, &a)
	var out []string
	if a.State != b.State {
		switch b.State {
		case "CONNECTED":
			if a.State == "CONNECTED_ONHOLD" {
				out = append(out, "resumed")
			} else {
				out = append(out, "connected")
			}
		case "CONNECTED_ONHOLD":
			out = append(out, "onhold")
		case "MISSED", "REJECTED":
			out = append(out, "missed")
		case "ERROR":
			out = append(out, "error")
		case "ENDED":
			out = append(out, "ended", "acw")
		default:
			out = append(out, strings.ToLower(b.State))
		}
	}
	for _, row := range []struct {
		name      string
		different bool
	}{
		{"participants", !slices.Equal(a.Participants, b.Participants)},
		{"recording", a.Recording != b.Recording},
		{"written", a.Disposition != b.Disposition || a.Notes != b.Notes},
	} {
		if row.different {
			out = append(out, row.name)
		}
	}
	if out == nil {
		out = []string{"refresh"}
	}
	return out
}

// encode writes a frame. What cannot be written is a fault here, and nobody's to handle.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Appendf(nil, `{"type":"fault","message":%q}`, err.Error())
	}
	return b
}

func moment() Time { return at(time.Now()) }
