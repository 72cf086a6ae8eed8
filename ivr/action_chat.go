package ivr

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Bounds of views.
const (
	maxViewData    = 16 << 10
	maxViewTime    = 7 * 24 * 3600 // seconds
	defaultView    = 400           // seconds
	maxBotTime     = 3600          // seconds
	defaultBotTime = 600
)

// showView shows a form and waits for what is chosen (Show view).
type showView struct {
	id, version value
	data        any
	limit       value
	hidden      bool
}

func (a *showView) read(p *params) {
	p.need("ViewResource")
	resource := p.group("ViewResource")
	a.id, a.version = resource.whole("Id"), resource.whole("Version")
	resource.need("Id")
	p.group("ViewData")
	a.data, _ = p.tree("ViewData")
	a.limit = p.numberOrPath("InvocationTimeLimitSeconds", 1, maxViewTime)
	a.hidden = slices.Contains(p.group("SensitiveDataConfiguration").texts("HideResponseOn", "TRANSCRIPT"), "TRANSCRIPT")
}

func (a *showView) rules() rules {
	return rules{
		flows: []FlowType{TypeInbound, TypeCustomerQueue}, pauses: true,
		errors: []string{errNoMatch, errNoCondition, errTime}, conditions: func(w *wiring) { w.equals() },
	}
}

func (a *showView) run(ctx context.Context, s *session) step {
	viewer, ok := s.participant.(Viewer)
	if err := s.only(contact.Chat); err != nil || !ok {
		return failedBy(ErrNotSupported)
	}
	v := View{ID: s.text(a.id), Version: s.text(a.version), Limit: defaultView * time.Second, Hidden: a.hidden}
	if a.limit.given() {
		n, ok := wholeNumber(s.text(a.limit), 1, maxViewTime)
		if !ok {
			return failedBy(errors.New("ivr: InvocationTimeLimitSeconds is not a number of seconds"))
		}
		v.Limit = time.Duration(n) * time.Second
	}
	data := s.fill(a.data)
	if data == nil {
		data = map[string]any{}
	}
	var err error
	if v.Data, err = json.Marshal(data); err != nil || len(v.Data) > maxViewData {
		return failedBy(errs.New(errs.Limit, "what the view is filled with takes more than %d bytes", maxViewData))
	}
	var reply ViewReply
	err = s.interact(func() (err error) {
		reply, err = viewer.ShowView(ctx, v)
		return err
	})
	switch {
	case err != nil:
		return s.failure(ctx, err)
	case reply.TimedOut:
		return failed(errTime)
	}
	filled, err := readAnswer(reply.Data, true)
	if err != nil {
		return failedBy(err)
	}
	s.memory.viewed(map[string]any{"Action": reply.Action, "ViewResultData": filled})
	return result(reply.Action)
}

// equals allows Equals conditions only, with any fixed text.
func (w *wiring) equals() {
	for _, c := range w.n.conditions {
		if c.when.Operator != opEquals {
			w.problem("Transitions.Conditions", "must be Equals for %s", w.n.Type)
		}
	}
}

// connectBot lets a program talk with the participant: it listens, speaks and says how to go on. It is ours, in the
// place of a Lex bot; what it gives back is read as $.Lex.
type connectBot struct {
	url, limit value
	parameters map[string]value
}

func (a *connectBot) read(p *params) {
	p.need("Url")
	a.url = p.whole("Url")
	a.limit = p.numberOrPath("TimeLimitSeconds", 1, maxBotTime)
	a.parameters = p.values("Parameters")
}

func (a *connectBot) rules() rules {
	return rules{
		flows: inboundTransferQueue(), pauses: true, errors: []string{errNoMatch, errNoCondition},
		conditions: func(w *wiring) { w.equals() },
	}
}

func (a *connectBot) run(ctx context.Context, s *session) step {
	c, ok := s.participant.(Converser)
	if !ok {
		return failedBy(ErrNotSupported)
	}
	b := Bot{URL: s.text(a.url), Limit: defaultBotTime * time.Second, Parameters: make(map[string]string, len(a.parameters))}
	if a.limit.given() {
		n, ok := wholeNumber(s.text(a.limit), 1, maxBotTime)
		if !ok {
			return failedBy(errors.New("ivr: TimeLimitSeconds is not a number of seconds"))
		}
		b.Limit = time.Duration(n) * time.Second
	}
	if b.URL == "" {
		return failedBy(errors.New("ivr: the attribute with the address is empty"))
	}
	for key, v := range a.parameters {
		b.Parameters[key] = s.text(v)
	}
	s.dropKeys() // what was pressed before was not for the program
	s.memory.talked(BotResult{})
	var got BotResult
	err := s.interact(func() (err error) {
		got, err = c.Converse(ctx, b)
		return err
	})
	if err != nil {
		return s.failure(ctx, err)
	}
	s.memory.talked(got)
	return result(got.Intent)
}

// resumeContact ends the pause of a contact (Resume contact).
type resumeContact struct{}

func (resumeContact) read(*params) {}

func (resumeContact) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (resumeContact) run(ctx context.Context, s *session) step {
	r, ok := s.contact.(Resumer)
	if !ok {
		return failedBy(ErrNotSupported)
	}
	if err := r.Resume(ctx); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}

// persistentContact continues a chat from an earlier one (Create persistent contact association).
type persistentContact struct {
	rehydration string
	source      value
}

func (a *persistentContact) read(p *params) {
	p.need("RehydrationType", "SourceContactId")
	a.rehydration = p.oneOf("RehydrationType", "ENTIRE_PAST_SESSION", "FROM_SEGMENT")
	a.source = p.whole("SourceContactId")
}

func (a *persistentContact) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *persistentContact) run(ctx context.Context, s *session) step {
	p, ok := s.contact.(Persistent)
	if err := s.only(contact.Chat); err != nil || !ok {
		return failedBy(ErrNotSupported)
	}
	source := s.text(a.source)
	if source == "" {
		return failedBy(errors.New("ivr: there is no contact to continue"))
	}
	if err := p.Associate(ctx, a.rehydration, source); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}
