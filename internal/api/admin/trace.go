package admin

import (
	"context"
	"io"
	"net/http"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/trace"
)

// Traces keeps what contacts looked like on the wire. *trace.Recorder is one. errs.NotFound.
type Traces interface {
	Contact(contactID string) (*trace.Trace, error)
}

func (s *service) traces(t *rest.Table) {
	const one = "/contacts/{ContactId}/trace"
	rest.Op(t, "GetContactTrace", "GET", one, identity.TrunksView, s.getContactTrace)
	rest.RawOp(t, "GetContactTraceText", "GET", one+"/text", identity.TrunksView, s.drawTrace("text/plain; charset=utf-8", (*trace.Trace).Text),
		rest.Media("", "text/plain"))
	rest.RawOp(t, "GetContactTraceSvg", "GET", one+"/svg", identity.TrunksView, s.drawTrace("image/svg+xml", (*trace.Trace).SVG),
		rest.Media("", "image/svg+xml"))
}

type traceLeg struct {
	CallID    string `json:"CallId"`
	Direction string `json:"Direction"` // INCOMING, OUTGOING
	Remote    string `json:"Remote"`
	Skipped   int    `json:"Skipped,omitempty"` // messages that are not kept
}

type traceMessage struct {
	Time      string `json:"Time"` // RFC 3339, to the microsecond
	CallID    string `json:"CallId"`
	Direction string `json:"Direction"` // SENT, RECEIVED
	Network   string `json:"Network"`
	Local     string `json:"Local"`
	Remote    string `json:"Remote"`
	Summary   string `json:"Summary"`
	Repeated  bool   `json:"Repeated,omitempty"`
	Text      string `json:"Text,omitempty"` // without secrets; empty for a copy
}

type traceFact struct {
	Time string `json:"Time"`
	Peer string `json:"Peer,omitempty"`
	Text string `json:"Text"`
}

type contactTrace struct {
	ContactID string         `json:"ContactId"`
	Legs      []traceLeg     `json:"Legs"`
	Messages  []traceMessage `json:"Messages"`
	Facts     []traceFact    `json:"Facts"`
}

const microseconds = "2006-01-02T15:04:05.000000Z07:00"

func (s *service) getContactTrace(ctx context.Context, c *rest.Call, in *contactInput) (*contactTrace, error) {
	t, err := s.traceOf(ctx, c.Instance(), in.ContactID)
	if err != nil {
		return nil, err
	}
	stamp := func(at time.Time) string { return at.UTC().Format(microseconds) }
	out := &contactTrace{
		ContactID: in.ContactID, Legs: make([]traceLeg, 0, len(t.Dialogs)), Messages: make([]traceMessage, 0, len(t.Entries)),
		Facts: make([]traceFact, 0, len(t.Facts)),
	}
	for _, d := range t.Dialogs {
		leg := traceLeg{CallID: d.CallID, Direction: "OUTGOING", Remote: d.Remote.String(), Skipped: d.Skipped}
		if d.Incoming {
			leg.Direction = "INCOMING"
		}
		out.Legs = append(out.Legs, leg)
	}
	for _, e := range t.Entries {
		m := traceMessage{
			Time: stamp(e.At), CallID: e.CallID, Direction: "RECEIVED", Network: e.Network, Local: e.Local.String(),
			Remote: e.Remote.String(), Summary: e.Summary, Repeated: e.Repeated, Text: e.Text,
		}
		if e.Sent {
			m.Direction = "SENT"
		}
		out.Messages = append(out.Messages, m)
	}
	for _, f := range t.Facts {
		out.Facts = append(out.Facts, traceFact{Time: stamp(f.At), Peer: f.Peer, Text: f.Text})
	}
	return out, nil
}

// traceOf finds the trace of a contact of the caller's instance; a later segment has that of the first.
func (s *service) traceOf(ctx context.Context, instanceID, contactID string) (*trace.Trace, error) {
	r, err := s.Contacts.Contact(ctx, instanceID, contactID)
	if err != nil {
		return nil, err
	}
	if s.Traces == nil {
		return nil, errs.New(errs.NotFound, "no traces are kept on this node: set trace.memory")
	}
	t, err := s.Traces.Contact(r.ID)
	if errs.Is(err, errs.NotFound) && r.InitialContactID != "" && r.InitialContactID != r.ID {
		return s.Traces.Contact(r.InitialContactID)
	}
	return t, err
}

// drawTrace answers with a diagram.
func (s *service) drawTrace(kind string, draw func(*trace.Trace) string) rest.RawHandler {
	return func(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
		id, err := rest.ResolveRef(c.Instance(), rest.KindContact, c.Label("ContactId"))
		if err != nil {
			return err
		}
		t, err := s.traceOf(r.Context(), c.Instance(), id)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, err = io.WriteString(w, draw(t))
		return err
	}
}
