package stream

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"ullim/internal/errs"
)

// Limits of messages from a program.
const (
	MaxMessage    = 1 << 20 // bytes: a minute and a half of sound
	maxMarkName   = 256
	maxDigits     = 32
	maxIntent     = 256
	maxRef        = 512
	maxAttributes = 128
	maxAttribute  = 32 << 10 // bytes in all
)

// FrameBytes are 20 ms of µ-law, FrameTime their length in milliseconds.
const (
	FrameBytes = 160
	FrameTime  = 20
)

// Event is the sort of a message.
type Event string

// Events. EventUllim is ours: how a program says that it has finished.
const (
	EventConnected Event = "connected"
	EventStart     Event = "start"
	EventMedia     Event = "media"
	EventDTMF      Event = "dtmf"
	EventMark      Event = "mark"
	EventClear     Event = "clear"
	EventStop      Event = "stop"
	EventUllim     Event = "ullim"
)

// Action is what a program asks for in an EventUllim.
type Action string

// Actions.
const (
	ActionFinish   Action = "finish"   // the flow goes on
	ActionTransfer Action = "transfer" // to a queue or a flow
)

// Message is one from a program. Only what belongs to its event is set.
type Message struct {
	Event      Event
	Audio      []byte // µ-law, 8,000 a second
	Mark       string
	Digits     string
	Action     Action
	Intent     string
	Queue      string // id, ARN or name
	Flow       string
	Attributes map[string]string
}

// wire is a message as it is written.
type wire struct {
	Event Event `json:"event"`
	Media *struct {
		Payload string `json:"payload"`
	} `json:"media"`
	Mark *struct {
		Name string `json:"name"`
	} `json:"mark"`
	DTMF *struct {
		Digit  string `json:"digit"`
		Digits string `json:"digits"`
	} `json:"dtmf"`
	Ullim *struct {
		Action     Action            `json:"action"`
		Intent     string            `json:"intent"`
		Queue      string            `json:"queue"`
		Flow       string            `json:"flow"`
		Attributes map[string]string `json:"attributes"`
	} `json:"ullim"`
}

// Parse reads a message from a program. An event that is not known is no error: its Message has no more than the event.
// errs.Invalid names the field and the rule.
func Parse(b []byte) (Message, error) {
	if len(b) > MaxMessage {
		return Message{}, errs.Field("message", "must have at most %d bytes", MaxMessage)
	}
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return Message{}, errs.Wrap(err, errs.Invalid, "message: must be a JSON object of the protocol")
	}
	m := Message{Event: w.Event}
	switch w.Event {
	case EventMedia:
		return m, m.takeMedia(w)
	case EventMark:
		if w.Mark == nil || w.Mark.Name == "" || len(w.Mark.Name) > maxMarkName {
			return m, errs.Field("mark.name", "must have 1 to %d bytes", maxMarkName)
		}
		m.Mark = w.Mark.Name
	case EventDTMF:
		if w.DTMF == nil {
			return m, errs.Field("dtmf.digit", "is required")
		}
		m.Digits = strings.ToUpper(w.DTMF.Digit + w.DTMF.Digits)
		if m.Digits == "" || len(m.Digits) > maxDigits || strings.Trim(m.Digits, "0123456789*#ABCD") != "" {
			return m, errs.Field("dtmf.digit", "must be 1 to %d of 0-9 * # A-D", maxDigits)
		}
	case EventUllim:
		return m, m.takeUllim(w)
	case EventClear, EventStop, EventConnected, EventStart:
	case "":
		return m, errs.Field("event", "is required")
	default:
		m.Event = Event(clip(string(w.Event), 32))
	}
	return m, nil
}

func (m *Message) takeMedia(w wire) (err error) {
	if w.Media == nil || w.Media.Payload == "" {
		return errs.Field("media.payload", "is required")
	}
	if m.Audio, err = base64.StdEncoding.DecodeString(w.Media.Payload); err != nil {
		m.Audio = nil
		return errs.Field("media.payload", "must be base64")
	}
	return nil
}

func (m *Message) takeUllim(w wire) error {
	u := w.Ullim
	if u == nil || u.Action != ActionFinish && u.Action != ActionTransfer {
		return errs.Field("ullim.action", "must be %s or %s", ActionFinish, ActionTransfer)
	}
	if len(u.Intent) > maxIntent || len(u.Queue) > maxRef || len(u.Flow) > maxRef {
		return errs.Field("ullim", "intent must have at most %d bytes, queue and flow %d", maxIntent, maxRef)
	}
	if u.Action == ActionTransfer && (u.Queue == "") == (u.Flow == "") {
		return errs.Field("ullim.queue", "a transfer needs a queue or a flow, and not both")
	}
	total := 0
	for k, v := range u.Attributes {
		total += len(k) + len(v)
	}
	if len(u.Attributes) > maxAttributes || total > maxAttribute {
		return errs.Field("ullim.attributes", "must be at most %d with %d bytes in all", maxAttributes, maxAttribute)
	}
	m.Action, m.Intent, m.Queue, m.Flow, m.Attributes = u.Action, u.Intent, u.Queue, u.Flow, u.Attributes
	return nil
}

// Head says what a stream is about; it is told in the start message.
type Head struct {
	StreamID   string // streamSid
	InstanceID string // accountSid
	ContactID  string // callSid
	From, To   bool   // the tracks: inbound is what the person says, outbound what is said to them
	Parameters map[string]string
}

// connected is the first message of a connection.
func connected() []byte {
	return []byte(`{"event":"connected","protocol":"Call","version":"1.0.0"}`)
}

// start is the second one. connection counts from 1: a higher one continues a stream that was cut.
func (h Head) start(sequence uint64, connection int) []byte {
	type format struct {
		Encoding   string `json:"encoding"`
		SampleRate int    `json:"sampleRate"`
		Channels   int    `json:"channels"`
	}
	type body struct {
		AccountSid       string            `json:"accountSid"`
		StreamSid        string            `json:"streamSid"`
		CallSid          string            `json:"callSid"`
		Tracks           []string          `json:"tracks"`
		CustomParameters map[string]string `json:"customParameters"`
		MediaFormat      format            `json:"mediaFormat"`
	}
	tracks := []string{}
	if h.From {
		tracks = append(tracks, inbound)
	}
	if h.To {
		tracks = append(tracks, outbound)
	}
	parameters := h.Parameters
	if parameters == nil {
		parameters = map[string]string{}
	}
	b, _ := json.Marshal(struct { // strings and numbers: it cannot fail
		Event          Event  `json:"event"`
		SequenceNumber string `json:"sequenceNumber"`
		StreamSid      string `json:"streamSid"`
		Start          body   `json:"start"`
		Ullim          any    `json:"ullim"`
	}{
		EventStart, strconv.FormatUint(sequence, 10), h.StreamID, body{
			AccountSid: h.InstanceID, StreamSid: h.StreamID, CallSid: h.ContactID, Tracks: tracks, CustomParameters: parameters,
			MediaFormat: format{"audio/x-mulaw", 8000, 1},
		}, map[string]int{"connection": connection},
	})
	return b
}

// The tracks, by their names in the protocol.
const (
	inbound  = "inbound"
	outbound = "outbound"
)

// appendHead begins a message of ours.
func (h Head) appendHead(b []byte, e Event, sequence uint64) []byte {
	b = append(b, `{"event":"`...)
	b = append(b, e...)
	b = append(b, `","sequenceNumber":"`...)
	b = strconv.AppendUint(b, sequence, 10)
	b = append(b, `","streamSid":"`...)
	b = append(b, h.StreamID...) // ours: hexadecimal
	return append(b, '"')
}

// appendMedia writes a frame.
func (h Head) appendMedia(b []byte, sequence uint64, f *frame) []byte {
	b = h.appendHead(b, EventMedia, sequence)
	b = append(b, `,"media":{"track":"`...)
	if f.to {
		b = append(b, outbound...)
	} else {
		b = append(b, inbound...)
	}
	b = append(b, `","chunk":"`...)
	b = strconv.AppendUint(b, f.chunk, 10)
	b = append(b, `","timestamp":"`...)
	b = strconv.AppendUint(b, (f.chunk-1)*FrameTime, 10)
	b = append(b, `","payload":"`...)
	b = base64.StdEncoding.AppendEncode(b, f.ulaw[:])
	return append(b, `"}}`...)
}

// appendWord writes a key that was pressed, a mark that was reached, or the end.
func (h Head) appendWord(b []byte, sequence uint64, w word) []byte {
	b = h.appendHead(b, w.event, sequence)
	switch w.event {
	case EventDTMF:
		b = append(b, `,"dtmf":{"track":"inbound_track","digit":`...)
		b = appendString(b, w.text)
		b = append(b, '}')
	case EventMark:
		b = append(b, `,"mark":{"name":`...)
		b = appendString(b, w.text)
		b = append(b, '}')
	default:
		b = append(b, `,"stop":{"accountSid":`...)
		b = appendString(b, h.InstanceID)
		b = append(b, `,"callSid":`...)
		b = appendString(b, h.ContactID)
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendString(b []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string: it cannot fail
	return append(b, text...)
}

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}
