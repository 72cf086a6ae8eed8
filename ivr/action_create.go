package ivr

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of what is made for later (A1.6).
const (
	maxCallDelay    = 259_200 // seconds: three days
	maxAttempts     = 1000
	maxTaskDelay    = 518_400 // seconds: six days
	maxName         = 512
	maxDescription  = 4096
	maxReferences   = 100
	maxOpeningWords = 1024
)

// createCallback makes a contact that calls the customer back (Transfer to queue, callback).
type createCallback struct {
	at                          place
	delay, attempts, retryDelay value
	flow, caller                value
}

func (a *createCallback) read(p *params) {
	a.at = readPlace(p)
	a.delay = p.numberOrPath("InitialCallDelaySeconds", 1, maxCallDelay)
	a.attempts = p.numberOrPath("MaximumConnectionAttempts", 1, maxAttempts)
	a.retryDelay = p.numberOrPath("RetryDelaySeconds", 1, maxCallDelay)
	a.flow = p.whole("ContactFlowId")
	if _, nested := p.m["CallerId"].(map[string]any); nested {
		a.caller = p.group("CallerId").whole("Number")
	} else {
		a.caller = p.whole("CallerId")
	}
}

func (a *createCallback) rules() rules {
	return rules{flows: inboundTransferQueue(), next: true, errors: []string{errNoMatch}}
}

func (a *createCallback) run(ctx context.Context, s *session) step {
	if s.engine.Callbacks == nil {
		return failedBy(ErrNotSupported)
	}
	info := s.info()
	number, _ := s.ofContact([]string{"CustomerCallbackNumber"})
	if !e164(number) {
		return failedBy(errors.New("ivr: there is no number to call back"))
	}
	q, err := a.at.find(ctx, s)
	if err != nil {
		return s.failure(ctx, err)
	}
	c := Callback{
		InstanceID: info.InstanceID, ContactID: info.ContactID, Queue: q, Number: number, Attempts: 1,
		CallerNumber: s.text(a.caller), Attributes: info.Attributes,
	}
	if ref := s.text(a.flow); ref != "" {
		f, err := s.engine.Flows.Published(ctx, info.InstanceID, ref)
		if err != nil {
			return s.failure(ctx, err)
		}
		c.FlowID = f.ID
	}
	for _, n := range []struct {
		v    value
		most int
		set  func(int)
	}{
		{a.delay, maxCallDelay, func(n int) { c.Delay = time.Duration(n) * time.Second }},
		{a.attempts, maxAttempts, func(n int) { c.Attempts = n }},
		{a.retryDelay, maxCallDelay, func(n int) { c.RetryDelay = time.Duration(n) * time.Second }},
	} {
		if !n.v.given() {
			continue
		}
		got, ok := wholeNumber(s.text(n.v), 1, n.most)
		if !ok {
			return failedBy(fmt.Errorf("ivr: %q is not a number from 1 to %d", n.v.raw, n.most))
		}
		n.set(got)
	}
	if c.FlowID != "" {
		c.Delay = 0 // the flow decides when to call (A1.6)
	}
	if err := s.engine.Callbacks.CreateCallback(ctx, c); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}

// createTask makes a contact of the channel TASK (Create task).
type createTask struct {
	flow, name, description value
	template                string
	references              map[string]reference
	attributes              map[string]value
	delay, at               value
}

// reference is one as parameters have it.
type reference struct {
	kind  string
	value value
}

func (a *createTask) read(p *params) {
	a.flow, a.name, a.description = p.whole("ContactFlowId"), p.free("Name"), p.free("Description")
	a.template = p.static("TaskTemplateId")
	p.need("Name")
	if a.flow.given() == (a.template != "") {
		p.problem("", "needs exactly one of ContactFlowId and TaskTemplateId")
	}
	a.references, a.attributes = readReferences(p), p.values("Attributes")
	for key := range a.attributes {
		if badKey(key) {
			p.problem("Attributes", "%.40q cannot be the key of an attribute: no $, . or quote may be in it", key)
		}
	}
	a.delay, a.at = p.numberOrPath("DelaySeconds", 1, maxTaskDelay), p.whole("ScheduledTime")
	if a.delay.given() && a.at.given() {
		p.problem("", "has both DelaySeconds and ScheduledTime: keep one")
	}
	if a.at.given() && a.at.isStatic() {
		if _, ok := date(a.at.raw, time.Time{}); !ok {
			p.problem("ScheduledTime", "must be seconds since 1970 or a date with time, or one data path")
		}
	}
}

// readReferences takes both forms: {"order": {"Type": "URL", "Value": "https://..."}} and {"order": "17"}.
func readReferences(p *params) map[string]reference {
	group := p.group("References")
	out := make(map[string]reference, len(group.m))
	if len(group.m) > maxReferences {
		p.problem("References", "has %d entries, at most %d are possible", len(group.m), maxReferences)
	}
	for _, key := range group.keys() {
		if _, nested := group.m[key].(map[string]any); !nested {
			out[key] = reference{"STRING", group.free(key)}
			continue
		}
		one := group.group(key)
		kind := one.oneOf("Type", "URL", "NUMBER", "STRING", "DATE", "EMAIL", "ATTACHMENT", "CONTACT_ANALYSIS", "EMAIL_MESSAGE")
		out[key] = reference{kind, one.free("Value")}
	}
	return out
}

func (s *session) references(from map[string]reference) map[string]Reference {
	if len(from) == 0 {
		return nil
	}
	out := make(map[string]Reference, len(from))
	for key, r := range from {
		out[key] = Reference{Type: r.kind, Value: s.text(r.value)}
	}
	return out
}

func (a *createTask) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *createTask) run(ctx context.Context, s *session) step {
	switch {
	case s.engine.Tasks == nil:
		return failedBy(ErrNotSupported)
	case a.template != "":
		return failedBy(fmt.Errorf("ivr: task templates: %w", ErrNotSupported))
	}
	info := s.info()
	t := Task{
		InstanceID: info.InstanceID, ContactID: info.ContactID, Name: cut(s.text(a.name), maxName),
		Description: cut(s.text(a.description), maxDescription), References: s.references(a.references),
		Attributes: make(map[string]string, len(a.attributes)),
	}
	for key, v := range a.attributes {
		t.Attributes[key] = s.text(v)
	}
	if strings.TrimSpace(t.Name) == "" {
		return failedBy(errors.New("ivr: the task has no name"))
	}
	f, err := s.engine.Flows.Published(ctx, info.InstanceID, s.text(a.flow))
	if err != nil {
		return s.failure(ctx, err)
	}
	t.FlowID = f.ID
	switch n, ok := wholeNumber(s.text(a.delay), 1, maxTaskDelay); {
	case a.delay.given() && !ok:
		return failedBy(errors.New("ivr: DelaySeconds is not a number of seconds"))
	case ok:
		t.At = s.engine.now().Add(time.Duration(n) * time.Second)
	case a.at.given():
		at, ok := date(s.text(a.at), s.engine.now())
		if !ok || at.After(s.engine.now().Add(maxTaskDelay*time.Second)) {
			return failedBy(errors.New("ivr: ScheduledTime is not a time within six days"))
		}
		t.At = at
	}
	id, err := s.engine.Tasks.CreateTask(ctx, t)
	if err != nil {
		return s.failure(ctx, err)
	}
	s.memory.created(id)
	return done()
}

// cut is text of at most n characters.
func cut(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n])
	}
	return text
}

// outboundChat starts a chat with a customer by SMS (Send message).
type outboundChat struct {
	source, destination, flow, words value
	related                          bool
}

func (a *outboundChat) read(p *params) {
	source, destination := p.group("SourceEndpoint"), p.group("DestinationEndpoint")
	source.need("Address")
	destination.need("Address")
	a.source, a.destination = source.whole("Address"), destination.whole("Address")
	source.oneOf("Type", "CONNECT_PHONENUMBER_ARN")
	destination.oneOf("Type", "TELEPHONE_NUMBER")
	p.rename("ContactFlowId", "ContactFlowArn")
	p.need("ContactFlowArn")
	a.flow = p.whole("ContactFlowArn")
	p.oneOf("ContactSubtype", "connect:SMS")
	a.words = p.group("InitialSystemMessage").free("Content")
	if n := len([]rune(a.words.raw)); a.words.isStatic() && n > maxOpeningWords {
		p.problem("InitialSystemMessage.Content", "has "+strconv.Itoa(n)+" characters, at most %d are possible", maxOpeningWords)
	}
	a.related = p.oneOf("RelatedContact", "CURRENT") != ""
}

func (a *outboundChat) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *outboundChat) run(ctx context.Context, s *session) step {
	info := s.info()
	c := OutboundChat{
		InstanceID: info.InstanceID, ContactID: info.ContactID, Source: s.text(a.source), Destination: s.text(a.destination),
		FlowRef: s.text(a.flow), Message: cut(s.text(a.words), maxOpeningWords), Related: a.related,
	}
	switch {
	case s.engine.Chats == nil:
		return failedBy(ErrNotSupported)
	case !e164(c.Destination):
		return failedBy(errors.New("ivr: the destination is not a number with its country code"))
	}
	if _, err := s.engine.Chats.StartOutboundChat(ctx, c); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}
