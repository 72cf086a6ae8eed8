package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/audit"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

// AuditTrail is what was written down.
type AuditTrail interface {
	Audit(ctx context.Context, q audit.Query) ([]audit.Entry, error)
	VerifyAudit(ctx context.Context, instanceID string) (audit.ChainState, error)
}

func (s *service) auditTrail(t *rest.Table) {
	rest.Op(t, "SearchAudit", "GET", "/audit", identity.HistoricalChanges, s.searchAudit)
	rest.Op(t, "VerifyAudit", "GET", "/audit/verification", identity.HistoricalChanges, s.verifyAudit)
	rest.RawOp(t, "ExportAudit", "GET", "/audit/export", identity.HistoricalChanges, s.exportAudit,
		rest.Audited, rest.Media("", "application/jsonl"))
}

type searchAuditInput struct {
	From       string `json:"-" query:"from"` // RFC 3339
	To         string `json:"-" query:"to"`
	UserID     string `json:"-" query:"userId" ref:"agent"`
	Operation  string `json:"-" query:"operation"`
	Resource   string `json:"-" query:"resource"` // id
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type auditChange struct {
	Kind   string          `json:"Kind"`
	ID     string          `json:"Id"`
	Name   string          `json:"Name,omitempty"`
	Before json.RawMessage `json:"Before,omitempty"`
	After  json.RawMessage `json:"After,omitempty"`
}

type auditEntry struct {
	Sequence  int64             `json:"Sequence"`
	Time      rest.Time         `json:"Time"`
	RequestID string            `json:"RequestId,omitempty"`
	UserID    string            `json:"UserId"`
	Username  string            `json:"Username,omitempty"`
	Source    string            `json:"Source,omitempty"`
	Operation string            `json:"Operation"`
	Resource  string            `json:"Resource,omitempty"`
	Labels    map[string]string `json:"Labels,omitempty"`
	Outcome   string            `json:"Outcome"`
	Changes   []auditChange     `json:"Changes"`
	Hash      string            `json:"Hash"`
}

type searchAuditOutput struct {
	Entries   []auditEntry `json:"Entries"` // the newest first
	NextToken string       `json:"NextToken,omitempty"`
}

// query reads what is asked for; a page's token is the number of its last entry.
func (in *searchAuditInput) query(instanceID string) (audit.Query, error) {
	q := audit.Query{InstanceID: instanceID, UserID: in.UserID, Operation: in.Operation, Resource: in.Resource}
	for _, t := range []struct {
		name, text string
		to         *time.Time
	}{{"from", in.From, &q.From}, {"to", in.To, &q.To}} {
		if t.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, t.text)
		if err != nil {
			return q, errs.Field(t.name, "must be a time like 2026-11-22T08:30:00Z")
		}
		*t.to = at
	}
	if in.NextToken != "" {
		n, err := strconv.ParseInt(in.NextToken, 10, 64)
		if err != nil || n < 1 {
			return q, errs.Field("nextToken", "is not one of ours")
		}
		q.Before = n
	}
	return q, nil
}

func (s *service) searchAudit(ctx context.Context, c *rest.Call, in *searchAuditInput) (*searchAuditOutput, error) {
	p, err := (&listInput{MaxResults: in.MaxResults}).page()
	if err != nil {
		return nil, err
	}
	q, err := in.query(c.Instance())
	if err != nil {
		return nil, err
	}
	if p.Max == 0 {
		p.Max = 100
	}
	q.Max = p.Max + 1
	list, err := s.AuditTrail.Audit(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &searchAuditOutput{Entries: []auditEntry{}}
	if len(list) > p.Max {
		list = list[:p.Max]
		out.NextToken = strconv.FormatInt(list[p.Max-1].Seq, 10)
	}
	for i := range list {
		out.Entries = append(out.Entries, auditEntryOf(&list[i]))
	}
	return out, nil
}

func auditEntryOf(e *audit.Entry) auditEntry {
	out := auditEntry{
		Sequence: e.Seq, Time: rest.At(e.At), RequestID: e.RequestID, UserID: e.UserID, Username: e.Username, Source: e.Source,
		Operation: e.Operation, Resource: e.Resource, Labels: e.Labels, Outcome: e.Outcome, Changes: []auditChange{}, Hash: e.Hash,
	}
	for _, ch := range e.Changes {
		out.Changes = append(out.Changes, auditChange(ch))
	}
	return out
}

type verifyAuditOutput struct {
	Whole    bool   `json:"Whole"`    // nothing was changed or removed since it was written
	Entries  int64  `json:"Entries"`  // that are kept
	Sequence int64  `json:"Sequence"` // of the newest
	Hash     string `json:"Hash"`     // of the newest: noted down elsewhere, it proves all before it
	Broken   int64  `json:"Broken,omitempty"`
}

func (s *service) verifyAudit(ctx context.Context, c *rest.Call, _ *rest.Empty) (*verifyAuditOutput, error) {
	v, err := s.AuditTrail.VerifyAudit(ctx, c.Instance())
	if err != nil {
		return nil, err
	}
	return &verifyAuditOutput{Whole: v.Broken == 0, Entries: v.Entries, Sequence: v.Seq, Hash: v.Hash, Broken: v.Broken}, nil
}

// exportAudit gives all entries of a time as JSON lines, as they are stored: their hashes can be recomputed. The newest
// come first.
func (s *service) exportAudit(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	in := &searchAuditInput{From: v.Get("from"), To: v.Get("to")}
	q, err := in.query(c.Instance())
	if err != nil {
		return err
	}
	q.Max = 500
	list, err := s.AuditTrail.Audit(r.Context(), q)
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(transferTime))
	w.Header().Set("Content-Type", "application/jsonl")
	w.Header().Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
	w.WriteHeader(http.StatusOK)
	enc := json.NewEncoder(w)
	for len(list) > 0 {
		for i := range list {
			if err = enc.Encode(&list[i]); err != nil {
				return err
			}
		}
		q.Before = list[len(list)-1].Seq
		if list, err = s.AuditTrail.Audit(r.Context(), q); err != nil {
			return err
		}
	}
	return nil
}
