package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"ullim/internal/chat"
	"ullim/internal/errs"
	"ullim/internal/view"
	"ullim/ivr"
)

var _ ivr.Viewer = reader{}

// viewMessage is the interactive message that shows a view. The client reads how it looks with the token (DescribeView); what
// the template is filled with is here.
type viewMessage struct {
	TemplateType string          `json:"templateType"`
	Version      string          `json:"version"`
	Data         viewMessageData `json:"data"`
}

type viewMessageData struct {
	Content viewMessageContent `json:"content"`
}

type viewMessageContent struct {
	Title     string          `json:"title"`
	ViewID    string          `json:"viewId"`
	ViewName  string          `json:"name"`
	ViewARN   string          `json:"arn"`
	Version   int             `json:"version,omitempty"`
	ViewToken string          `json:"viewToken"`
	Actions   []string        `json:"actions"`
	InputData json.RawMessage `json:"inputData"`
}

// ShowView shows a view and waits for what the customer chooses. A client that shows no interactive messages is shown a text with
// numbered choices; a choice may always be typed, by its name or its number.
func (r reader) ShowView(ctx context.Context, v ivr.View) (ivr.ViewReply, error) {
	s := r.c.Snapshot()
	if r.task() || r.views == nil {
		return ivr.ViewReply{}, ivr.ErrNotSupported
	}
	e, err := view.Find(ctx, r.views, s.InstanceID, v.ID, v.Version)
	if err != nil {
		return ivr.ViewReply{}, err
	}
	if err = r.show(ctx, e, v, s.AcceptsType(chat.Interactive)); err != nil {
		return ivr.ViewReply{}, gone(err)
	}
	reply, err := r.answer(ctx, e.Content.Actions, v.Limit)
	if over := r.c.Answered(ctx); err == nil && over != nil {
		return ivr.ViewReply{}, gone(over)
	}
	return reply, err
}

func (r reader) show(ctx context.Context, e *view.Edition, v ivr.View, interactive bool) error {
	title := viewTitle(v.Data, e.View.Name)
	if !interactive {
		return r.SayText(ctx, plainView(title, e.Content.Actions))
	}
	shown := chat.Shown{Token: uuid.NewString(), ViewID: e.ARN(), Version: v.Version}
	if e.Number > 0 { // what is published later is not what was shown
		shown.Version = strconv.Itoa(e.Number)
	}
	message, err := json.Marshal(viewMessage{"ViewResource", "1.0", viewMessageData{viewMessageContent{
		Title: title, ViewID: e.View.ID, ViewName: e.View.Name, ViewARN: e.ARN(), Version: e.Number, ViewToken: shown.Token,
		Actions: e.Content.Actions, InputData: v.Data,
	}}})
	if err != nil {
		return err
	}
	if len(message) > chat.MaxJSON {
		return errs.New(errs.Limit, "the view with its data has %d bytes, a message at most %d", len(message), chat.MaxJSON)
	}
	return r.c.Show(ctx, shown, string(message), v.Hidden)
}

// viewTitle is what the view is called to people: its heading, if it is filled with one.
func viewTitle(data json.RawMessage, name string) string {
	var d struct {
		Heading any `json:"Heading"`
	}
	if json.Unmarshal(data, &d) == nil {
		if text, ok := d.Heading.(string); ok && text != "" {
			return text
		}
	}
	return name
}

// plainView is a view for those who read text alone.
func plainView(title string, actions []string) string {
	var b strings.Builder
	b.WriteString(title)
	for i, a := range actions {
		fmt.Fprintf(&b, "\n%d. %s", i+1, a)
	}
	return b.String()
}

// answer waits for a choice. What is written besides is in the transcript, and does not end the view.
func (r reader) answer(ctx context.Context, actions []string, limit time.Duration) (ivr.ViewReply, error) {
	until := time.Now().Add(limit)
	for {
		left := time.Until(until)
		if left <= 0 {
			return ivr.ViewReply{TimedOut: true}, nil
		}
		said, ok, err := r.c.Next(ctx, left)
		switch {
		case err != nil:
			return ivr.ViewReply{}, ivr.ErrLeft
		case !ok:
			return ivr.ViewReply{TimedOut: true}, nil
		case said.ContentType == chat.InteractiveResponse || said.ContentType == chat.JSON:
			if reply, ok := readViewReply(said.Text); ok {
				return reply, nil
			}
		default:
			if action := typedChoice(said.Text, actions); action != "" {
				return ivr.ViewReply{Action: action}, nil
			}
		}
	}
}

// typedChoice is the action that was typed; "" if it is none.
func typedChoice(text string, actions []string) string {
	text = strings.TrimSpace(text)
	for _, a := range actions {
		if strings.EqualFold(a, text) {
			return a
		}
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(actions) {
		return actions[n-1]
	}
	return ""
}

// readViewReply reads the answer of a client: {"action": "...", "data": {...}}, also inside "data" or "data.content" as the
// answers to other interactive messages are, and with the names that a flow reads (Action, ViewResultData).
func readViewReply(text string) (ivr.ViewReply, bool) {
	for range 3 {
		var m map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &m) != nil {
			return ivr.ViewReply{}, false
		}
		var action string
		for _, key := range []string{"action", "Action", "actionName"} {
			if action == "" && json.Unmarshal(m[key], &action) != nil {
				action = ""
			}
		}
		if action != "" {
			return ivr.ViewReply{Action: action, Data: objectOf(m, "data", "Data", "viewResultData", "ViewResultData", "formData", "output")}, true
		}
		text = cmp.Or(string(m["data"]), string(m["content"]), string(m["Data"]))
	}
	return ivr.ViewReply{}, false
}

// objectOf is the first of the members that is a JSON object; an empty one if none is.
func objectOf(m map[string]json.RawMessage, keys ...string) json.RawMessage {
	for _, k := range keys {
		var o map[string]any
		if json.Unmarshal(m[k], &o) == nil && o != nil {
			return m[k]
		}
	}
	return json.RawMessage(`{}`)
}
