package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"time"

	"ullim/internal/identity"
)

// Command is something that an agent wants. ID is the client's own: the same one again is the same command.
type Command struct {
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	ContactID string          `json:"contactId,omitempty"`
	Args      json.RawMessage `json:"args,omitempty"`
}

// Result is the answer to a command.
type Result struct {
	OK     bool            `json:"ok"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *Fault          `json:"error,omitempty"`
}

func failed(f *Fault) Result { return Result{Error: f} }

// resultFrame is a Result as it goes out.
type resultFrame struct {
	Type     string `json:"type"`
	ID       string `json:"id,omitempty"`
	Seq      uint64 `json:"seq"`                // of the last event that was sent before
	Repeated bool   `json:"repeated,omitempty"` // the answer was given before
	Result
}

// caller is who sends a command.
type caller struct {
	*identity.Principal
	session string // hash of the session's token; empty: an access key
	hub     *hub
	log     *slog.Logger
}

// asked is a command on its way to be done.
type asked struct {
	*Command
	who     *caller
	contact Contact // that it is about, if it needs one
}

// spec says what a command needs.
type spec struct {
	permission string // beside BasicAgentAccess
	contact    bool   // one of the agent's own
	safe       bool   // may be done twice without harm
	do         func(s *Service, ctx context.Context, a *asked) (any, error)
}

// commands are all commands by name.
func commands() map[string]spec {
	all := map[string]spec{}
	for _, some := range []map[string]spec{statusCommands(), callCommands(), moveCommands(), paperCommands(), supervisorCommands()} {
		maps.Copy(all, some)
	}
	return all
}

// maxKey is the longest key of a command.
const maxKey = 128

// check refuses what can be refused without knowing anything.
func (c *Command) check() (spec, *Fault) {
	sp, ok := commands()[c.Name]
	switch {
	case c.ID == "" || len(c.ID) > maxKey:
		f := fault(codeInvalid, "must have 1 to %d characters: the client makes one for each command", maxKey)
		f.Field = "id"
		return sp, f
	case !ok:
		return sp, fault(codeUnknown, "%.64q", c.Name)
	case len(c.ContactID) > maxKey || sp.contact && c.ContactID == "":
		f := fault(codeInvalid, "is needed for %s", c.Name)
		f.Field = "contactId"
		return sp, f
	}
	return sp, nil
}

// obey does a command once, and gives its answer.
func (s *Service) obey(ctx context.Context, who *caller, c *Command) resultFrame {
	f := resultFrame{Type: frameResult, ID: c.ID}
	sp, wrong := c.check()
	if wrong == nil && !who.hub.mayAsk() {
		wrong = fault(codeThrottled, "%d commands a second", int(agentRate))
	}
	if wrong != nil {
		s.counts.CommandsFailed.Add(1)
		f.Result, f.Seq = failed(wrong), who.hub.at()
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, commandFor)
	defer cancel()
	f.Result, f.Repeated = s.journal.once(ctx, who.UserID, c, sp.safe, func() Result { return s.perform(ctx, who, c, sp) })
	s.counts.Commands.Add(1)
	switch {
	case f.Repeated:
		s.counts.Repeated.Add(1)
	case !f.OK:
		s.counts.CommandsFailed.Add(1)
	default:
		_ = who.hub.look(ctx) // what it did is in the events before the answer; if not now, then soon
	}
	f.Seq = who.hub.at()
	return f
}

// perform does a command.
func (s *Service) perform(ctx context.Context, who *caller, c *Command, sp spec) (r Result) {
	began := time.Now()
	defer func() {
		if p := recover(); p != nil {
			s.counts.Panics.Add(1)
			who.log.Error("panic in an agent's command", "command", c.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			r = failed(fault(codeInternal, ""))
		}
		attrs := []any{"command", c.Name, "command_id", c.ID, "contact_id", c.ContactID, "took", time.Since(began)}
		if r.Error != nil {
			attrs = append(attrs, "error", r.Error.Error())
		}
		who.log.Info("agent command", attrs...)
	}()
	for _, need := range []string{identity.BasicAgentAccess, sp.permission} {
		if !who.Can(need) {
			return failed(fault(codeDenied, "this needs the permission %s", need))
		}
	}
	a := &asked{Command: c, who: who}
	if sp.contact {
		var ok bool
		if a.contact, ok = who.hub.has(c.ContactID); !ok {
			if err := who.hub.look(ctx); err != nil { // it may have come this moment
				return failed(faultOf(err))
			}
			if a.contact, ok = who.hub.has(c.ContactID); !ok {
				return failed(fault(codeNotYours, ""))
			}
		}
	}
	v, err := sp.do(s, ctx, a)
	if err != nil {
		f := faultOf(err)
		if f.Code == codeInternal {
			who.log.Error("agent command failed", "command", c.Name, "error", err)
		}
		return failed(f)
	}
	r.OK = true
	if v != nil {
		r.Result = encode(v)
	}
	return r
}

// read decodes the arguments of a command. Unknown ones are refused.
func (a *asked) read(into any) error {
	if len(a.Args) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(a.Args))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		f := fault(codeInvalid, "%v", err)
		f.Field = "args"
		return f
	}
	return nil
}

// missing is the fault of an argument that is not there.
func missing(field string) error {
	f := fault(codeInvalid, "is needed")
	f.Field = "args." + field
	return f
}

// mayAsk counts a command of the agent.
func (h *hub) mayAsk() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rate.take(time.Now())
}
