package ivr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/prompts"
)

// script is a participant and a contact that write down what a flow does to them, and answer Gather from a list.
type script struct {
	t      *testing.T
	keys   []string // answers to Gather in turn; "" is a timeout
	fail   map[string]error
	info   Info
	did    []string
	gather []Gather
}

func newScript(t *testing.T, keys ...string) *script {
	t.Helper()
	return &script{
		t: t, keys: keys, fail: make(map[string]error),
		info: Info{
			ContactID: "c-1", InitialContactID: "c-0", InstanceID: "i-1", InstanceARN: "arn:aws:connect:local:1:instance/i-1",
			Channel: contact.Voice, InitiationMethod: contact.Inbound,
			Customer: contact.Endpoint{Type: contact.TelephoneNumber, Address: "+821012345678"},
			System:   contact.Endpoint{Type: contact.TelephoneNumber, Address: "+8215881234"},
			Language: "en-US", Attributes: map[string]string{},
			SIPHeaders: map[string]string{"P-Asserted-Identity": "<sip:alice@example.net>"},
		},
	}
}

func (s *script) do(what, format string, args ...any) error {
	s.did = append(s.did, what+" "+fmt.Sprintf(format, args...))
	return s.fail[what]
}

func (s *script) Say(ctx context.Context, a *prompts.Audio) error {
	if err := ctx.Err(); err != nil {
		return ErrLeft
	}
	return s.do("say", "%s", a.Name)
}

func (s *script) Repeat(_ context.Context, list []*prompts.Audio, d time.Duration) error {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.Name
	}
	if err := s.do("repeat", "%s %v", strings.Join(names, "+"), d); err != nil {
		return err
	}
	if d == 0 {
		return ErrLeft
	}
	return nil
}

func (s *script) Gather(_ context.Context, g Gather) (Gathered, error) {
	name := "-"
	if g.Prompt != nil {
		name = g.Prompt.Name
	}
	s.gather = append(s.gather, g)
	if err := s.do("gather", "%s", name); err != nil {
		return Gathered{}, err
	}
	if len(s.keys) == 0 {
		return Gathered{}, ErrLeft
	}
	key := s.keys[0]
	s.keys = s.keys[1:]
	return Gathered{Digits: key, TimedOut: key == ""}, nil
}

func (s *script) Queue(context.Context) error { return s.do("queue", "") }
func (s *script) Hangup(context.Context)      { _ = s.do("hangup", "") }
func (s *script) Info() Info                  { i := s.info; i.Attributes = maps.Clone(i.Attributes); return i }
func (s *script) count(prefix string) (n int) { return len(s.only(prefix)) }
func (s *script) only(prefix string) (l []string) {
	for _, d := range s.did {
		if strings.HasPrefix(d, prefix) {
			l = append(l, d)
		}
	}
	return l
}

func (s *script) SetAttributes(_ context.Context, set map[string]string) error {
	var shown []string
	for _, k := range slices.Sorted(maps.Keys(set)) {
		shown = append(shown, k+"="+set[k])
	}
	if err := s.do("attributes", "%s", strings.Join(shown, ",")); err != nil {
		return err
	}
	maps.Copy(s.info.Attributes, set)
	return nil
}

func (s *script) SetTargetQueue(_ context.Context, q QueueRef) error {
	s.info.Queue = &q
	return s.do("target", "%s", q.Name)
}

func (s *script) SetHook(_ context.Context, h Hook, id string) error {
	return s.do("hook", "%s %s", h, id)
}

func (s *script) SetRecording(_ context.Context, agent, customer bool) error {
	return s.do("record", "agent=%t customer=%t", agent, customer)
}

func (s *script) SetVoice(_ context.Context, voice, language string) error {
	s.info.Voice, s.info.Language = voice, language
	return s.do("voice", "%s %s", voice, language)
}

// house answers what flows ask about the contact centre. Speech and prompts become audio named after themselves.
type house struct {
	open     bool
	failOpen error
	flows    map[string]*Flow
	modules  map[string]*Flow
}

func (h *house) Queue(_ context.Context, _, ref string) (QueueRef, error) {
	if ref == "BasicQueue" || ref == "q-1" {
		return QueueRef{ID: "q-1", ARN: "arn:q-1", Name: "BasicQueue", HoursID: "h-1", OutboundNumber: "+8215880000"}, nil
	}
	return QueueRef{}, errs.New(errs.NotFound, "no queue %q", ref)
}

func (h *house) Open(_ context.Context, _, ref string) (bool, error) {
	if ref != "h-1" {
		return false, errs.New(errs.NotFound, "no hours %q", ref)
	}
	return h.open, h.failOpen
}

func (h *house) Prompt(_ context.Context, _, ref, language string) (*prompts.Audio, error) {
	if ref == "missing" {
		return nil, errs.New(errs.NotFound, "no prompt")
	}
	return &prompts.Audio{Name: "prompt:" + ref + ":" + language, Length: time.Second}, nil
}

func (h *house) Speak(_ context.Context, s prompts.Speech) (*prompts.Audio, error) {
	if s.Text == "unspeakable" {
		return nil, errors.New("no voice")
	}
	kind := "text:"
	if s.SSML {
		kind = "ssml:"
	}
	return &prompts.Audio{Name: kind + s.Text + ":" + s.Language, Length: time.Second}, nil
}

func (h *house) Published(_ context.Context, _, ref string) (*Flow, error) {
	if f, ok := h.flows[ref]; ok {
		return f, nil
	}
	return nil, errs.New(errs.NotFound, "no flow %q", ref)
}

func (h *house) Default(context.Context, string, FlowType) (*Flow, error) {
	return nil, errs.New(errs.NotFound, "none")
}

func (h *house) engine() *Engine {
	return &Engine{Flows: h, Directory: h, Prompts: h, Speaker: h}
}

func flowOf(t FlowType, content string) *Flow {
	return &Flow{Meta: resource.Meta{ID: "f-" + string(t), Name: "flow"}, Type: t, Content: content, Published: content, PublishedVersion: 1}
}

// doc writes a flow whose actions are given as JSON without the braces; the first is the start.
func doc(actions ...string) string {
	_, rest, _ := strings.Cut(actions[0], `"Identifier":"`)
	start, _, _ := strings.Cut(rest, `"`)
	return fmt.Sprintf(`{"Version":"2019-10-30","StartAction":%q,"Actions":[{%s}]}`, start, strings.Join(actions, "},{"))
}

// act writes one action. Transitions are given as "next", "=result>next" (condition Equals) and "!Error>next".
func act(id, kind, parameters string, transitions ...string) string {
	var next string
	var conditions, failures []string
	for _, t := range transitions {
		left, to, branch := strings.Cut(t, ">")
		switch {
		case !branch:
			next = fmt.Sprintf(`"NextAction":%q,`, t)
		case left[0] == '=':
			conditions = append(conditions, fmt.Sprintf(`{"NextAction":%q,"Condition":{"Operator":"Equals","Operands":[%q]}}`, to, left[1:]))
		default:
			failures = append(failures, fmt.Sprintf(`{"NextAction":%q,"ErrorType":%q}`, to, left[1:]))
		}
	}
	return fmt.Sprintf(`"Identifier":%q,"Type":%q,"Parameters":{%s},"Transitions":{%s"Conditions":[%s],"Errors":[%s]}`,
		id, kind, parameters, next, strings.Join(conditions, ","), strings.Join(failures, ","))
}

// mark is an action that shows in the script that the flow came by.
func mark(id string, next ...string) string {
	return act(id, "MessageParticipant", `"Text":"`+id+`"`, next...)
}

func said(ids ...string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = "say text:" + id + ":en-US"
	}
	return out
}

func check(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
}

// memory is a resource.Store of flows.
type memory struct {
	mu       sync.Mutex
	all      map[string]*Flow
	versions map[string][]*Version // store_test.go
	gets     int
	race     func() // called once inside the next Update, before it looks
}

func newMemory() *memory { return &memory{all: make(map[string]*Flow)} }

func (m *memory) Create(_ context.Context, f *Flow) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := f.Validate(); err != nil {
		return err
	}
	for _, o := range m.all {
		if o.InstanceID == f.InstanceID && o.Name == f.Name {
			return errs.New(errs.Duplicate, "name taken")
		}
	}
	if f.ID == "" {
		f.ID = uuid.NewString()
	}
	f.Version = 1
	c := *f
	m.all[f.ID] = &c
	return nil
}

func (m *memory) Get(_ context.Context, instanceID, id string) (*Flow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets++
	if f, ok := m.all[id]; ok && f.InstanceID == instanceID {
		c := *f
		return &c, nil
	}
	return nil, errs.New(errs.NotFound, "no flow")
}

func (m *memory) GetByName(_ context.Context, instanceID, name string) (*Flow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.all {
		if f.InstanceID == instanceID && f.Name == name {
			c := *f
			return &c, nil
		}
	}
	return nil, errs.New(errs.NotFound, "no flow")
}

func (m *memory) Update(_ context.Context, f *Flow) error {
	if race := m.race; race != nil {
		m.race = nil
		race()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := f.Validate(); err != nil {
		return err
	}
	old, ok := m.all[f.ID]
	if !ok || old.Version != f.Version {
		return errs.New(errs.Conflict, "changed")
	}
	f.Version++
	c := *f
	m.all[f.ID] = &c
	return nil
}

func (m *memory) Delete(_ context.Context, instanceID, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.all[id]; !ok || f.InstanceID != instanceID {
		return errs.New(errs.NotFound, "no flow")
	}
	delete(m.all, id)
	return nil
}

func (m *memory) List(_ context.Context, instanceID string, _ resource.Page) ([]*Flow, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Flow
	for _, f := range m.all {
		if f.InstanceID == instanceID {
			c := *f
			out = append(out, &c)
		}
	}
	slices.SortFunc(out, func(a, b *Flow) int { return strings.Compare(a.Name, b.Name) })
	return out, "", nil
}
