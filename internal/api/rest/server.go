package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ullim/internal/audit"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

// Auth tells who sends a request. *identity.Authenticator implements it.
type Auth interface {
	Authenticate(r *http.Request, maxBody int64) (*identity.Principal, error)
}

var _ Auth = (*identity.Authenticator)(nil)

// Options of a Server. Auth is required.
type Options struct {
	Log     *slog.Logger
	Auth    Auth
	MaxBody int64         // largest JSON body; 0 means 2 MiB
	Timeout time.Duration // of a JSON operation; 0 means 30 s
	// Trail keeps who changed what; nil: only the log says it.
	Trail audit.Trail
	// Observe is told of every request: the operation's name ("" for an unknown one), status and duration. May be nil.
	Observe func(operation string, status int, took time.Duration)
}

// Mount puts the operations of a table under a prefix ("", "/connect"). The first mount of a table is the one in the
// OpenAPI document.
type Mount struct {
	Prefix string
	Table  *Table
}

// Server serves operations. It is an http.Handler.
type Server struct {
	o    Options
	root node
	doc  []byte
}

// NewServer builds the tree and the OpenAPI document; it reports mistakes in the registrations.
func NewServer(o Options, mounts ...Mount) (*Server, error) {
	if o.Auth == nil {
		return nil, errors.New("rest: a server needs Auth")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxBody == 0 {
		o.MaxBody = 2 << 20
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	s := &Server{o: o}
	documented := make(map[*Table]bool)
	for _, m := range mounts {
		if m.Table.err != nil {
			return nil, m.Table.err
		}
		for _, op := range m.Table.ops {
			if err := s.root.insert(m.Prefix, op); err != nil {
				return nil, err
			}
			if !documented[m.Table] {
				op.document = m.Prefix
			}
		}
		documented[m.Table] = true
	}
	var err error
	if s.doc, err = document(mounts); err != nil {
		return nil, err
	}
	return s, nil
}

// OpenAPI is the OpenAPI 3.1 document of all operations, as JSON.
func (s *Server) OpenAPI() []byte { return s.doc }

// ServeHTTP serves one request: it is found, authenticated, permitted, performed, audited and logged, and whatever goes
// wrong is answered.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	c := &Call{RequestID: uuid.NewString(), Source: identity.Source(r), Language: language(r)}
	c.Log = s.o.Log.With("request_id", c.RequestID)
	out := &recorder{ResponseWriter: w}
	h := out.Header()
	h.Set("X-Amzn-Requestid", c.RequestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	ctx, entry := audit.Begin(r.Context())
	r = r.WithContext(ctx)
	err := s.guarded(c, out, r)
	if c.permitted && !c.Op.ReadOnly {
		s.audit(ctx, c, err)
		s.enter(ctx, c, entry, start, err)
	}
	if err != nil {
		s.fail(c, out, err)
	}
	s.report(r, c, out, start, err)
}

// guarded turns a panic into an error, so that it ends one request and not the process.
func (s *Server) guarded(c *Call, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler: //nolint:errorlint // the very value, by net/http's contract
			err = fmt.Errorf("rest: handler gave up: %w", http.ErrAbortHandler)
		default:
			err = fmt.Errorf("rest: panic: %v\n%s", v, debug.Stack())
		}
	}()
	return s.serve(c, w, r)
}

func (s *Server) serve(c *Call, w http.ResponseWriter, r *http.Request) error {
	op, labels, err := s.route(w, r)
	if err != nil {
		return err
	}
	c.Op, c.labels = op, labels
	most := op.MaxBody
	if most == 0 {
		most = s.o.MaxBody
	}
	if own := op.table.Authenticate; own != nil {
		c.Principal, c.Who, err = own(op, r)
	} else {
		c.Principal, err = s.o.Auth.Authenticate(r, most)
	}
	if err != nil {
		return err
	}
	c.Log = c.Log.With("instance_id", c.Principal.InstanceID, "user", c.Principal.Username)
	if !c.Principal.Can(op.Permission) {
		return errs.New(errs.Denied, "user %s is not authorised to perform connect:%s (permission %s)",
			c.Principal.Username, op.Name, op.Permission)
	}
	c.permitted = true
	return s.perform(c, w, r, most)
}

func (s *Server) perform(c *Call, w http.ResponseWriter, r *http.Request, most int64) error {
	if c.Op.raw != nil {
		return c.Op.raw(c, w, r)
	}
	in, err := c.Op.binder.decode(r, c.labels, c.Instance(), most, c.Op.strict)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.o.Timeout)
	defer cancel()
	resp, err := c.Op.typed(ctx, c, in)
	if err != nil {
		return err
	}
	body, err := json.Marshal(resp)
	if err != nil {
		return fmt.Errorf("rest: %s: %w", c.Op.Name, err)
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err = w.Write(body); err != nil {
		c.Log.Debug("answer not delivered", "error", err)
	}
	return nil
}

// route finds the operation by the path as it was signed.
func (s *Server) route(w http.ResponseWriter, r *http.Request) (*Operation, map[string]string, error) {
	segments, ok := split(identity.RawPath(r))
	if !ok {
		return nil, nil, unknownOperation(http.StatusNotFound)
	}
	at, values := s.root.find(segments)
	if at == nil {
		return nil, nil, unknownOperation(http.StatusNotFound)
	}
	op := at.methods[r.Method]
	if op == nil {
		allowed := make([]string, 0, len(at.methods))
		for m := range at.methods {
			allowed = append(allowed, m)
		}
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return nil, nil, unknownOperation(http.StatusMethodNotAllowed)
	}
	labels := make(map[string]string, len(values))
	for i, name := range op.labels {
		labels[name] = values[i]
	}
	return op, labels, nil
}

func unknownOperation(status int) error {
	return &Fault{Status: status, Code: "UnknownOperationException", Message: "there is no such operation"}
}

// fail answers with the error, if nothing was sent yet.
func (s *Server) fail(c *Call, w *recorder, err error) {
	if w.status != 0 {
		c.Log.Error("failed in the middle of an answer", "error", err)
		return
	}
	f := c.fault(err)
	if f.Status == http.StatusInternalServerError {
		c.Log.Error("request failed", "operation", c.name(), "error", err)
	}
	if werr := f.write(w); werr != nil {
		c.Log.Debug("answer not delivered", "error", werr)
	}
}

// audit says who changed what, and how it came out.
func (s *Server) audit(ctx context.Context, c *Call, err error) {
	outcome := "done"
	if err != nil {
		outcome = FaultOf(err).Code
	}
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs, slog.String("operation", c.Op.Name), slog.String("user_id", c.Principal.UserID),
		slog.String("source", c.Source), slog.String("outcome", outcome))
	for _, name := range c.Op.labels {
		attrs = append(attrs, slog.String(name, shorten(c.labels[name]))) //nolint:sloglint // the model's names
	}
	c.Log.LogAttrs(ctx, slog.LevelInfo, "audit", append(attrs, c.notes...)...)
}

// report writes the access log. Query strings stay out: a presigned one is a credential.
func (s *Server) report(r *http.Request, c *Call, w *recorder, start time.Time, err error) {
	took := time.Since(start)
	if s.o.Observe != nil {
		s.o.Observe(c.name(), w.code(), took)
	}
	attrs := []slog.Attr{
		slog.String("operation", c.name()), slog.String("method", r.Method),
		slog.String("path", shorten(identity.RawPath(r))), slog.Int("status", w.code()),
		slog.Int64("bytes", w.bytes), slog.Duration("took", took), slog.String("source", c.Source),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	c.Log.LogAttrs(r.Context(), slog.LevelInfo, "http", attrs...)
}

func (c *Call) name() string {
	if c.Op == nil {
		return ""
	}
	return c.Op.Name
}

// recorder remembers what was sent.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

// Refuse answers with an error outside any operation.
func (s *Server) Refuse(w http.ResponseWriter, err error) {
	f := FaultOf(err)
	if f.Status == http.StatusInternalServerError {
		s.o.Log.Error("request failed", "error", err)
	}
	if werr := f.write(w); werr != nil {
		s.o.Log.Debug("answer not delivered", "error", werr)
	}
}

// language is the first language of Accept-Language.
func language(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ",")
	first, _, _ = strings.Cut(first, ";")
	if first = strings.TrimSpace(first); len(first) > 35 {
		return ""
	}
	return first
}
