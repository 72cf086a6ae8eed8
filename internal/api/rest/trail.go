package rest

import (
	"context"
	"strings"
	"time"

	"ullim/internal/audit"
)

// trailTime is how long an entry may take to be written: the caller waits for it, so that what they are told is done is
// also written down.
const trailTime = 10 * time.Second

// enter writes an operation into the audit trail, with what it touched. The customers of chats are not in it: what they
// say is in the transcript.
func (s *Server) enter(ctx context.Context, c *Call, open *audit.Open, start time.Time, err error) {
	if s.o.Trail == nil || c.Op.table.Authenticate != nil {
		return
	}
	e := audit.Entry{
		InstanceID: c.Principal.InstanceID, At: start, RequestID: c.RequestID, UserID: c.Principal.UserID, Username: c.Principal.Username,
		Source: c.Source, Operation: c.Op.Name, Outcome: audit.Done, Changes: open.Changes(), Labels: map[string]string{},
	}
	if err != nil {
		e.Outcome = c.fault(err).Code
	}
	for _, name := range c.Op.labels {
		e.Labels[name] = shorten(c.labels[name])
		if e.Resource == "" && name != "InstanceId" {
			e.Resource = bare(c.labels[name])
		}
	}
	for _, a := range c.notes {
		e.Labels[a.Key] = shorten(a.Value.String())
		if e.Resource == "" && strings.HasSuffix(a.Key, "_id") {
			e.Resource = bare(a.Value.String())
		}
	}
	if e.Resource == "" && len(e.Changes) > 0 {
		e.Resource = e.Changes[0].ID
	}
	// The caller may be gone; what they did is written down all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), trailTime)
	defer cancel()
	if err = s.o.Trail.AddAudit(ctx, e); err != nil {
		c.Log.Error("audit entry not stored", "operation", c.Op.Name, "error", err)
	}
}

// bare is the id in a reference, which may be an ARN.
func bare(ref string) string {
	if strings.HasPrefix(ref, "arn:") {
		ref = ref[strings.LastIndexByte(ref, '/')+1:]
	}
	return shorten(ref)
}
