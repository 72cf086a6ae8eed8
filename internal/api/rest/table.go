package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"

	"ullim/internal/identity"
)

// Operation is one thing that the API does.
type Operation struct {
	Name       string
	Method     string
	Path       string // with {Label} segments, as in the service model
	Permission string // empty: any caller who is known
	ReadOnly   bool   // changes nothing: not audited
	MaxBody    int64  // 0: the server's
	// RequestType and ResponseType are the media types of a Raw operation; empty means JSON.
	RequestType, ResponseType string

	table    *Table
	strict   bool
	labels   []string
	req      reflect.Type
	resp     reflect.Type
	binder   *binder
	typed    func(ctx context.Context, c *Call, in any) (any, error)
	raw      RawHandler
	document string // prefix under which it is documented
}

// RawHandler reads and writes bodies that are not JSON. It returns an error only while nothing was written.
type RawHandler func(c *Call, w http.ResponseWriter, r *http.Request) error

// Table collects operations. Strict tables refuse members that they do not know; the AWS services ignore them.
type Table struct {
	Strict bool
	// Authenticate, if set, tells who calls in the place of the server's Auth. who is handed to the handler as Call.Who.
	Authenticate func(o *Operation, r *http.Request) (p *identity.Principal, who any, err error)
	// Faults, if set, says how errors look on the wire; nil: FaultOf.
	Faults func(error) *Fault

	ops []*Operation
	err error
}

// Option changes an Operation at registration.
type Option func(*Operation)

// ReadOnly marks an operation that changes nothing in spite of its method.
func ReadOnly(o *Operation) { o.ReadOnly = true }

// Audited marks a read that is audited as a change is: what people said to each other.
func Audited(o *Operation) { o.ReadOnly = false }

// Body sets the largest body of an operation.
func Body(most int64) Option { return func(o *Operation) { o.MaxBody = most } }

// Media sets the media types of a Raw operation.
func Media(request, response string) Option {
	return func(o *Operation) { o.RequestType, o.ResponseType = request, response }
}

// Op registers an operation with JSON in and out. Mistakes in the request struct are reported by NewServer.
func Op[Req, Resp any](
	t *Table, name, method, path, permission string, h func(context.Context, *Call, *Req) (*Resp, error), opts ...Option,
) {
	o := t.add(name, method, path, permission, opts)
	o.req, o.resp = reflect.TypeFor[Req](), reflect.TypeFor[Resp]()
	o.typed = func(ctx context.Context, c *Call, in any) (any, error) {
		req, ok := in.(*Req)
		if !ok {
			return nil, fmt.Errorf("rest: %s got %T", name, in)
		}
		return h(ctx, c, req)
	}
	b, err := newBinder(o.req, o.labels)
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("rest: %s: %w", name, err)
	}
	o.binder = b
}

// RawOp registers an operation that reads or writes something other than JSON. Its path labels are in Call.Label, as
// sent.
func RawOp(t *Table, name, method, path, permission string, h RawHandler, opts ...Option) {
	o := t.add(name, method, path, permission, opts)
	o.raw = h
}

func (t *Table) add(name, method, path, permission string, opts []Option) *Operation {
	o := &Operation{
		Name: name, Method: method, Path: path, Permission: permission, ReadOnly: method == http.MethodGet,
		strict: t.Strict, table: t,
	}
	for _, seg := range strings.Split(path, "/")[1:] {
		if label, ok := labelOf(seg); ok {
			o.labels = append(o.labels, label)
		}
	}
	for _, opt := range opts {
		opt(o)
	}
	t.ops = append(t.ops, o)
	return o
}

// Operations are all that were registered.
func (t *Table) Operations() []*Operation { return t.ops }

func labelOf(segment string) (string, bool) {
	if len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}' {
		return segment[1 : len(segment)-1], true
	}
	return "", false
}

// Call is one request, as its handler sees it.
type Call struct {
	Op        *Operation
	RequestID string
	Principal *identity.Principal
	Who       any // of a table with an Authenticate of its own
	Source    string
	Language  string // what Accept-Language asks for first, as sent: "ko-KR"; empty if nothing
	Log       *slog.Logger

	labels    map[string]string
	notes     []slog.Attr
	permitted bool // may do it: from here on a change is audited
}

// fault is an error as the operation's service shows it.
func (c *Call) fault(err error) *Fault {
	if c.Op != nil && c.Op.table.Faults != nil {
		return c.Op.table.Faults(err)
	}
	return FaultOf(err)
}

// Instance is the caller's instance: the only one that they can see.
func (c *Call) Instance() string { return c.Principal.InstanceID }

// Label is a path label of a Raw operation, unescaped.
func (c *Call) Label(name string) string { return c.labels[name] }

// Note adds to the audit line what the change was about.
func (c *Call) Note(key, value string) { c.notes = append(c.notes, slog.String(key, value)) }

// Empty is the request or the answer of an operation that has none.
type Empty struct{}
