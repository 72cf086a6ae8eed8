package ivr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/prompts"
)

// Bounds of calling functions (A1.6).
const (
	maxFunctionTime     = 8 // seconds
	defaultFunctionTime = 3
	maxChain            = 20 * time.Second // for functions in a row, while the participant waits
	maxAnswer           = 32 << 10
)

// invokeFunction asks a web service in the place of AWS Lambda; its answer can be read as $.External until the next call
// (AWS Lambda function).
type invokeFunction struct {
	function   value
	limit      value
	async      bool
	parameters map[string]value
	json       bool  // any JSON object; else text by keys
	waiting    value // ours: a prompt to be heard meanwhile
}

func (a *invokeFunction) read(p *params) {
	p.rename("LambdaFunctionArn", "LambdaFunctionARN")
	p.need("LambdaFunctionARN")
	a.function = p.whole("LambdaFunctionARN")
	a.limit = p.numberOrPath("InvocationTimeLimitSeconds", 1, maxFunctionTime)
	a.async = p.oneOf("InvocationType", "SYNCHRONOUS", "ASYNCHRONOUS") == "ASYNCHRONOUS"
	a.parameters = p.values("LambdaInvocationAttributes")
	a.json = p.group("ResponseValidation").oneOf("ResponseType", "STRING_MAP", "JSON") == "JSON"
	a.waiting = p.whole("Ullim.WaitingPromptId")
}

func (a *invokeFunction) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *invokeFunction) run(ctx context.Context, s *session) step {
	ref := s.text(a.function)
	switch {
	case s.engine.Functions == nil:
		return failedBy(ErrNotSupported)
	case ref == "":
		return failedBy(errors.New("ivr: the attribute with the function is empty"))
	case s.waited >= maxChain:
		return failedBy(fmt.Errorf("ivr: functions have taken %s in a row, the participant waits too long", maxChain))
	}
	limit := defaultFunctionTime * time.Second
	if a.limit.given() {
		n, ok := wholeNumber(s.text(a.limit), 1, maxFunctionTime)
		if !ok {
			return failedBy(fmt.Errorf("ivr: InvocationTimeLimitSeconds is not a number from 1 to %d", maxFunctionTime))
		}
		limit = time.Duration(n) * time.Second
	}
	info := s.info()
	f := Function{
		InstanceID: info.InstanceID, ContactID: info.ContactID, Ref: ref, Event: s.event(a.parameters),
		Limit: min(limit, maxChain-s.waited), Async: a.async,
	}
	if a.async {
		if _, err := s.engine.Functions.Invoke(ctx, f); err != nil {
			return s.failure(ctx, err)
		}
		return done()
	}
	s.memory.answered(nil) // an old answer is not to be taken for that of a call that failed
	answer, err := a.invoke(ctx, s, f)
	if err != nil {
		return s.failure(ctx, err)
	}
	tree, err := readAnswer(answer, a.json)
	if err != nil {
		return failedBy(err)
	}
	s.memory.answered(tree)
	return done()
}

// invoke waits for the answer, and lets the participant hear something meanwhile if the flow says so.
func (a *invokeFunction) invoke(ctx context.Context, s *session, f Function) (json.RawMessage, error) {
	defer s.hold(ctx, a.waiting)()
	start := s.engine.now()
	defer func() { s.waited += s.engine.now().Sub(start) }()
	within, cancel := context.WithTimeout(ctx, f.Limit)
	defer cancel()
	answer, err := s.engine.Functions.Invoke(within, f)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		err = errs.Wrap(err, errs.Unavailable, "the function did not answer within %s", f.Limit)
	}
	return answer, err
}

// hold plays a prompt while the flow waits; the function it gives ends that. What cannot be played is not worth failing.
func (s *session) hold(ctx context.Context, prompt value) (stop func()) {
	b, ok := s.participant.(Background)
	if !ok || !prompt.given() || s.info().Channel != contact.Voice {
		return func() {}
	}
	audio, err := s.audio(ctx, message{prompt: prompt})
	if err != nil || audio == nil || audio.Length == 0 {
		s.log.WarnContext(ctx, "nothing to play while waiting", "action_id", s.node.ID, "error", err)
		return func() {}
	}
	return b.PlayBackground([]*prompts.Audio{audio})
}

// readAnswer checks an answer: a JSON object of at most 32 KB; unless any is allowed, one of plain values.
func readAnswer(answer json.RawMessage, nested bool) (any, error) {
	if len(answer) > maxAnswer {
		return nil, errs.New(errs.Limit, "the answer has %d bytes, at most %d are possible", len(answer), maxAnswer)
	}
	if len(bytes.TrimSpace(answer)) == 0 {
		return map[string]any{}, nil
	}
	dec := json.NewDecoder(bytes.NewReader(answer))
	dec.UseNumber()
	var tree map[string]any
	if err := dec.Decode(&tree); err != nil || tree == nil || dec.More() {
		return nil, errs.New(errs.Invalid, "the answer is not a JSON object")
	}
	if nested {
		return tree, nil
	}
	for key, v := range tree {
		if v == nil {
			delete(tree, key)
			continue
		}
		if _, ok := scalar(v); !ok {
			return nil, errs.New(errs.Invalid, "the answer has more than text under %.40q: set ResponseType to JSON", key)
		}
	}
	return tree, nil
}

// event is the body that a function of Connect gets (A1.6), so that old ones can be used as they are. What was stored as
// input is not in it.
func (s *session) event(parameters map[string]value) json.RawMessage {
	info := s.info()
	endpoint := func(e contact.Endpoint) any {
		if e.Address == "" {
			return nil
		}
		return map[string]any{"Address": e.Address, "Type": e.Type}
	}
	var queue any
	if q := info.Queue; q != nil {
		queue = map[string]any{"ARN": q.ARN, "Name": q.Name}
	}
	references := map[string]any{}
	for name, r := range info.References {
		references[name] = map[string]any{"Type": r.Type, "Value": r.Value}
	}
	given := make(map[string]any, len(parameters))
	for key, v := range parameters {
		given[key] = s.fill(v)
		if given[key] == nil {
			given[key] = ""
		}
	}
	var streams any
	if len(info.MediaStream) > 0 {
		streams = map[string]any{"Customer": map[string]any{"Audio": info.MediaStream}}
	}
	body, err := json.Marshal(map[string]any{
		"Name": "ContactFlowEvent",
		"Details": map[string]any{
			"Parameters": given,
			"ContactData": map[string]any{
				"Attributes": notNil(info.Attributes), "Channel": info.Channel, "ContactId": info.ContactID,
				"CustomerEndpoint": endpoint(info.Customer), "CustomerId": orNull(info.CustomerID),
				"Description": orNull(info.Description), "InitialContactId": info.InitialContactID,
				"InitiationMethod": info.InitiationMethod, "InstanceARN": info.InstanceARN, "LanguageCode": info.Language,
				"MediaStreams": streams, "Name": orNull(info.Name), "PreviousContactId": info.PreviousContactID,
				"Queue": queue, "References": references, "SystemEndpoint": endpoint(info.System), "Tags": notNil(info.Tags),
			},
		},
	})
	if err != nil {
		return json.RawMessage("{}") // cannot be: everything in it came from text
	}
	return body
}

func notNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func orNull(s string) any {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	return s
}
