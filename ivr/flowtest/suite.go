package flowtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"ullim/internal/calendar"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/ivr"
)

// Bounds of test files.
const (
	MaxFile    = 2 << 20
	MaxTests   = 500
	MaxScript  = 1000
	MaxActions = 5000
	MaxTime    = 14 * 24 * 3600 // seconds

	defaultActions = 500
	defaultTime    = 3600
)

// Suite is a test file: tests of one flow, and what they have in common.
type Suite struct {
	Schema string       `json:"$schema,omitempty"`
	Flow   Source       `json:"flow"`           // the flow that is tested
	Type   ivr.FlowType `json:"type,omitempty"` // CONTACT_FLOW if empty
	Given  World        `json:"given,omitzero"` // for all tests; a test's own is laid over it, entry by entry
	Tests  []Test       `json:"tests"`
}

// Source is a flow document: a file beside the test file, or the document itself.
type Source struct {
	File    string          `json:"file,omitempty"`
	Content json.RawMessage `json:"content,omitempty"`
	Type    ivr.FlowType    `json:"type,omitempty"`
	ID      string          `json:"id,omitempty"` // by which other flows name it, besides its name
}

// UnmarshalJSON reads a file name in place of an object, too.
func (s *Source) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &s.File)
	}
	type plain Source
	return strict(b, (*plain)(s))
}

// Test is one contact and what is expected of it.
type Test struct {
	Name     string            `json:"name"`
	Channels []contact.Channel `json:"channels,omitempty"` // VOICE if empty; the test runs on each
	Now      string            `json:"now,omitempty"`      // RFC 3339: when the contact begins
	Contact  Contact           `json:"contact,omitzero"`
	Given    World             `json:"given,omitzero"`
	Script   []Act             `json:"script,omitempty"`
	Limits   Limits            `json:"limits,omitzero"`
	Expect   Expect            `json:"expect"`
}

// Contact is who the flow runs for.
type Contact struct {
	ID               string                   `json:"id,omitempty"`
	Customer         string                   `json:"customer,omitempty"` // number, or name on chat
	System           string                   `json:"system,omitempty"`   // the number that was called
	InitiationMethod contact.InitiationMethod `json:"initiationMethod,omitempty"`
	Language         string                   `json:"language,omitempty"`
	Voice            string                   `json:"voice,omitempty"`
	Attributes       map[string]string        `json:"attributes,omitempty"`
	Queue            string                   `json:"queue,omitempty"` // target queue when the flow begins
	Agent            *Agent                   `json:"agent,omitempty"`
	SIPHeaders       map[string]string        `json:"sipHeaders,omitempty"`
	Name             string                   `json:"name,omitempty"`
	Description      string                   `json:"description,omitempty"`
	CustomerID       string                   `json:"customerId,omitempty"`
	CallProgress     string                   `json:"callProgress,omitempty"`
	Tags             map[string]string        `json:"tags,omitempty"`
	References       map[string]ivr.Reference `json:"references,omitempty"`
	Input            string                   `json:"storedInput,omitempty"`
}

// Agent is an agent as flows see one.
type Agent struct {
	Username  string `json:"username"`
	FirstName string `json:"firstName,omitempty"`
	LastName  string `json:"lastName,omitempty"`
}

// World is the contact centre around a flow. Everything is by name.
type World struct {
	Flows   map[string]Source `json:"flows,omitempty"`
	Modules map[string]Source `json:"modules,omitempty"`
	Queues  map[string]Queue  `json:"queues,omitempty"`
	Agents  map[string]Queue  `json:"agents,omitempty"` // queues of agents, by user name
	Hours   map[string]Hours  `json:"hours,omitempty"`
	Prompts map[string]Prompt `json:"prompts,omitempty"`
	// Webhooks are the answers of a function, in turn; the last one again and again.
	Webhooks map[string][]Answer `json:"webhooks,omitempty"`
	// Fail makes what the flow asks of the contact centre fail, by the name of the port: "SetHold": "the line is gone".
	Fail map[string]string `json:"fail,omitempty"`
	// ThirdParty, Bots and Views are what happens, in turn; the last one again and again.
	ThirdParty []Call      `json:"thirdParty,omitempty"`
	Bots       []BotAnswer `json:"bots,omitempty"`
	Views      []ViewDone  `json:"views,omitempty"`
	// Undialable are callback numbers that may not be called.
	Undialable []string `json:"undialable,omitempty"`
	// Percent is what DistributeByPercentage draws, in turn: 1 to 100.
	Percent []int `json:"percent,omitempty"`
}

// Queue is how a queue is.
type Queue struct {
	ID           string `json:"id,omitempty"`
	Hours        string `json:"hours,omitempty"`
	Full         bool   `json:"full,omitempty"`
	Number       string `json:"number,omitempty"` // outbound caller id
	Size         int    `json:"size,omitempty"`
	Oldest       int    `json:"oldestSeconds,omitempty"`
	Online       int    `json:"online,omitempty"`
	Available    int    `json:"available,omitempty"`
	Staffed      int    `json:"staffed,omitempty"`
	Busy         int    `json:"busy,omitempty"`
	AfterContact int    `json:"afterContactWork,omitempty"`
}

// Hours are hours of operation: open or closed, or by the calendar and the clock of the test.
type Hours struct {
	Open *bool `json:"open,omitempty"`
	calendar.Hours
	ID string `json:"id,omitempty"`
}

// UnmarshalJSON reads true and false in place of an object, too.
func (h *Hours) UnmarshalJSON(b []byte) error {
	if s := string(b); s == "true" || s == "false" {
		open := s == "true"
		h.Open = &open
		return nil
	}
	type plain Hours
	return strict(b, (*plain)(h))
}

// Prompt is a stored prompt: how long it sounds.
type Prompt struct {
	Seconds float64 `json:"seconds,omitempty"`
	ID      string  `json:"id,omitempty"`
}

// Answer is what a function answers, after so many seconds.
type Answer struct {
	Answer json.RawMessage `json:"answer,omitempty"`
	Error  string          `json:"error,omitempty"`
	Takes  float64         `json:"takes,omitempty"`
}

// Call is what becomes of a call to somebody else: "answered" if empty, "failed" or "timeout".
type Call struct {
	Result string  `json:"result,omitempty"`
	Rings  float64 `json:"rings,omitempty"`  // seconds before; 5 if 0
	Talks  float64 `json:"talks,omitempty"`  // seconds until the third party leaves; 30 if 0
	Leaves bool    `json:"leaves,omitempty"` // the customer hangs up instead
}

// BotAnswer is how a conversation with a program ends.
type BotAnswer struct {
	Intent     string            `json:"intent,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Error      string            `json:"error,omitempty"`
	Takes      float64           `json:"takes,omitempty"`
}

// ViewDone is what the customer does with a view; no action: nothing, until the time is over.
type ViewDone struct {
	Action string          `json:"action,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
	Takes  float64         `json:"takes,omitempty"`
}

// Act is something that the participant does, or that happens to the contact. With At it happens at that second of the
// contact; with On when something with these words begins to be heard, After seconds later; with neither it answers the
// next question, After seconds (1 if not given) after the question was heard.
type Act struct {
	At     *float64 `json:"at,omitempty"`
	On     string   `json:"on,omitempty"`
	After  *float64 `json:"after,omitempty"`
	Keys   string   `json:"keys,omitempty"`   // pressed; on chat: typed
	Text   string   `json:"text,omitempty"`   // written; on voice it cannot be
	Silent bool     `json:"silent,omitempty"` // nothing, until the time for input is over
	Hangup bool     `json:"hangup,omitempty"`
	Agent  bool     `json:"agent,omitempty"` // an agent takes the contact: a queue or hold flow is interrupted
	Event  string   `json:"event,omitempty"` // CustomerReturned, BotParticipantDisconnected
}

// Limits end a run that would not end.
type Limits struct {
	Actions int     `json:"actions,omitempty"` // 500 if 0
	Seconds float64 `json:"seconds,omitempty"` // of the contact's time; 3600 if 0
}

// Parse reads a test file. Errors name the place.
func Parse(b []byte) (*Suite, error) {
	if len(b) > MaxFile {
		return nil, errs.New(errs.Limit, "a test file must have at most %d bytes; it has %d", MaxFile, len(b))
	}
	s := new(Suite)
	if err := strict(b, s); err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "the test file cannot be read: %v", err)
	}
	return s, s.check()
}

func (s *Suite) check() error {
	if s.Type == "" {
		s.Type = ivr.TypeInbound
	}
	if len(s.Tests) == 0 || len(s.Tests) > MaxTests {
		return errs.Field("tests", "must be 1 to %d; are %d", MaxTests, len(s.Tests))
	}
	if (s.Flow.File == "") == (len(s.Flow.Content) == 0) {
		return errs.Field("flow", "must be a file name, or an object with either file or content")
	}
	seen := map[string]bool{}
	for i := range s.Tests {
		t := &s.Tests[i]
		at := fmt.Sprintf("tests[%d]", i)
		if t.Name == "" || seen[t.Name] {
			return errs.Field(at+".name", "is required, and each name is used once; is %q", t.Name)
		}
		seen[t.Name] = true
		if err := t.check(at); err != nil {
			return err
		}
	}
	return nil
}

func (t *Test) check(at string) error {
	if len(t.Channels) == 0 {
		t.Channels = []contact.Channel{contact.Voice}
	}
	for _, c := range t.Channels {
		if c != contact.Voice && c != contact.Chat && c != contact.Task {
			return errs.Field(at+".channels", "may be VOICE, CHAT and TASK; has %q", c)
		}
	}
	if _, err := t.begin(); err != nil {
		return errs.Field(at+".now", "must be a time as in RFC 3339, such as 2026-03-02T10:00:00+09:00; is %q", t.Now)
	}
	if t.Limits.Actions < 0 || t.Limits.Actions > MaxActions {
		return errs.Field(at+".limits.actions", "must be 1 to %d; is %d", MaxActions, t.Limits.Actions)
	}
	if !(t.Limits.Seconds >= 0 && t.Limits.Seconds <= MaxTime) {
		return errs.Field(at+".limits.seconds", "must be up to %d; is %g", MaxTime, t.Limits.Seconds)
	}
	if len(t.Script) > MaxScript {
		return errs.Field(at+".script", "must have at most %d entries; has %d", MaxScript, len(t.Script))
	}
	for i, a := range t.Script {
		if err := a.check(); err != nil {
			return errs.Field(fmt.Sprintf("%s.script[%d]", at, i), "%v", err)
		}
	}
	return nil
}

func (a Act) check() error {
	n := 0
	for _, is := range []bool{a.Keys != "", a.Text != "", a.Silent, a.Hangup, a.Agent, a.Event != ""} {
		if is {
			n++
		}
	}
	switch {
	case n != 1:
		return errors.New("must be exactly one of keys, text, silent, hangup, agent and event")
	case a.At != nil && a.On != "":
		return errors.New("has both at and on: keep one")
	case strings.Trim(a.Keys, "0123456789*#") != "":
		return fmt.Errorf("keys may be 0 to 9, * and #; are %q", a.Keys)
	case a.At != nil && (*a.At < 0 || *a.At > MaxTime), a.After != nil && (*a.After < 0 || *a.After > MaxTime):
		return fmt.Errorf("at and after must be 0 to %d seconds", MaxTime)
	case a.Silent && (a.At != nil || a.On != ""):
		return errors.New("silent is the answer to a question: it has neither at nor on")
	case (a.Hangup || a.Agent || a.Event != "") && a.At == nil && a.On == "":
		return errors.New("needs at or on: when it happens")
	}
	return nil
}

// begin is when the contact begins.
func (t *Test) begin() (time.Time, error) {
	if t.Now == "" {
		return time.Date(2026, 3, 2, 10, 0, 0, 0, time.FixedZone("KST", 9*3600)), nil // a Monday in Seoul
	}
	return time.Parse(time.RFC3339, t.Now)
}

// strict decodes JSON that has nothing unknown in it, and nothing after it.
func strict(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the object")
	}
	return nil
}
