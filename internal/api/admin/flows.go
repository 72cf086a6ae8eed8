package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/ivr"
)

func (s *service) flows(t *rest.Table) {
	const (
		flow   = "/flows/{ContactFlowId}"
		module = "/flow-modules/{ContactFlowModuleId}"
	)
	rest.Op(t, "CheckFlow", "POST", "/flows/check", identity.FlowsView, s.checkFlow, rest.ReadOnly, rest.Body(maxFlowBody))
	rest.Op(t, "SimulateFlow", "POST", "/flows/simulate", identity.FlowsView, s.simulateFlow, rest.ReadOnly, rest.Body(maxFlowBody))
	rest.Op(t, "DiffFlowVersions", "GET", flow+"/diff", identity.FlowsView, s.diffFlow)
	rest.Op(t, "RollBackFlow", "POST", flow+"/roll-back", identity.FlowsPublish, s.rollBackFlow)
	rest.Op(t, "DiffFlowModuleVersions", "GET", module+"/diff", identity.ModulesView, s.diffModule)
	rest.Op(t, "RollBackFlowModule", "POST", module+"/roll-back", identity.FlowsPublish, s.rollBackModule)
	rest.RawOp(t, "ImportFlows", "POST", "/flows/import", identity.FlowsPublish, s.importFlows, rest.Body(ivr.MaxBundle),
		rest.Media("application/zip", "application/json"))
	rest.RawOp(t, "ExportFlows", "GET", "/flows/export", identity.FlowsView, s.exportFlows, rest.Media("", "application/zip"))
}

// maxFlowBody has room for a flow with every character escaped.
const maxFlowBody = 8 * ivr.MaxContent

type checkFlowInput struct {
	Type          ivr.FlowType `json:"Type,omitempty"`
	Content       string       `json:"Content"`
	ContactFlowID string       `json:"ContactFlowId,omitempty"` // of the flow or module that this would become
	Language      string       `json:"Language,omitempty"`      // ko or en; else what Accept-Language says
}

type checkFlowOutput struct {
	Publishable bool          `json:"Publishable"`
	Type        ivr.FlowType  `json:"Type"`
	Errors      int           `json:"Errors"`
	Warnings    int           `json:"Warnings"`
	Findings    []ivr.Finding `json:"Findings"`
	Unsupported []string      `json:"Unsupported,omitempty"`
	Unresolved  []string      `json:"Unresolved,omitempty"`
}

// checkFlow says what publishing would say, and what is probably not meant, without storing anything.
func (s *service) checkFlow(ctx context.Context, c *rest.Call, in *checkFlowInput) (*checkFlowOutput, error) {
	t := in.Type
	if t == "" {
		if _, _, t = ivr.About(in.Content); t == "" {
			t = ivr.TypeInbound
		}
	}
	if err := t.Validate(); err != nil {
		return nil, err
	}
	base, _ := ivr.SplitRef(in.ContactFlowID)
	content, lost, _, err := ivr.FromDesigner(in.Content)
	if err != nil {
		return nil, err
	}
	r, err := s.Flows.Flows.Inspect(ctx, c.Instance(), base, content, t)
	if err != nil {
		return nil, err
	}
	r.Converted(lost)
	language := in.Language
	if language == "" {
		language = c.Language
	}
	r.Say(language)
	out := &checkFlowOutput{
		Type: t, Errors: r.Count(ivr.Error), Warnings: r.Count(ivr.Warning), Findings: r.Findings, Unsupported: r.Unsupported,
		Unresolved: r.Unresolved,
	}
	out.Publishable = out.Errors == 0
	if out.Findings == nil {
		out.Findings = []ivr.Finding{}
	}
	return out, nil
}

type diffFlowInput struct {
	ContactFlowID string `json:"-" path:"ContactFlowId" ref:"contact-flow"`
	From          string `json:"-" query:"from"` // a number, $LATEST or $SAVED; the default is $LATEST
	To            string `json:"-" query:"to"`   // the default is $SAVED
}

// diffFlow says what has changed between two versions; without any, what publishing the draft would change.
func (s *service) diffFlow(ctx context.Context, c *rest.Call, in *diffFlowInput) (*ivr.Diff, error) {
	return diffOf(ctx, s.Flows.Flows, c, in.ContactFlowID, in.From, in.To)
}

type diffModuleInput struct {
	ModuleID string `json:"-" path:"ContactFlowModuleId" ref:"flow-module"`
	From     string `json:"-" query:"from"`
	To       string `json:"-" query:"to"`
}

func (s *service) diffModule(ctx context.Context, c *rest.Call, in *diffModuleInput) (*ivr.Diff, error) {
	return diffOf(ctx, s.Flows.Modules.Service, c, in.ModuleID, in.From, in.To)
}

func diffOf(ctx context.Context, flows *ivr.Service, c *rest.Call, ref, from, to string) (*ivr.Diff, error) {
	id, _ := ivr.SplitRef(ref)
	if _, err := flows.Get(ctx, c.Instance(), id); err != nil {
		return nil, err
	}
	if from == "" {
		from = ivr.QualifierLatest
	}
	if to == "" {
		to = ivr.QualifierSaved
	}
	a, err := flows.Edition(ctx, c.Instance(), id+":"+from)
	if err != nil {
		return nil, err
	}
	b, err := flows.Edition(ctx, c.Instance(), id+":"+to)
	if err != nil {
		return nil, err
	}
	return ivr.DiffOf(a.Content, b.Content)
}

type rollBackFlowInput struct {
	ContactFlowID string `json:"-" path:"ContactFlowId" ref:"contact-flow"`
	Version       int    `json:"Version"`
	Description   string `json:"Description,omitempty"`
}

type rollBackOutput struct {
	Version int `json:"Version"` // the new one, with the content of the old
}

// rollBackFlow publishes an old version again, as a new one.
func (s *service) rollBackFlow(ctx context.Context, c *rest.Call, in *rollBackFlowInput) (*rollBackOutput, error) {
	return rollBack(ctx, s.Flows.Flows, c, in.ContactFlowID, in.Version, in.Description)
}

type rollBackModuleInput struct {
	ModuleID    string `json:"-" path:"ContactFlowModuleId" ref:"flow-module"`
	Version     int    `json:"Version"`
	Description string `json:"Description,omitempty"`
}

func (s *service) rollBackModule(ctx context.Context, c *rest.Call, in *rollBackModuleInput) (*rollBackOutput, error) {
	return rollBack(ctx, s.Flows.Modules.Service, c, in.ModuleID, in.Version, in.Description)
}

func rollBack(ctx context.Context, flows *ivr.Service, c *rest.Call, ref string, version int, description string) (*rollBackOutput, error) {
	id, _ := ivr.SplitRef(ref)
	if _, err := flows.Get(ctx, c.Instance(), id); err != nil {
		return nil, err
	}
	if version < 1 {
		return nil, errs.Field("Version", "must be the number of a version; is %d", version)
	}
	f, err := flows.PublishVersion(ctx, c.Instance(), id, version, "", description)
	if err != nil {
		return nil, err
	}
	c.Note("version", strconv.Itoa(f.PublishedVersion))
	return &rollBackOutput{Version: f.PublishedVersion}, nil
}

// importItem is a flow in a list. Content is a string, or the document itself; either way every byte of it is kept.
type importItem struct {
	ivr.Item

	Content json.RawMessage `json:"Content"`
}

type importOutput struct {
	Flows []ivr.Imported `json:"Flows"`
}

// importFlows takes a zip of files, or JSON: {"Flows": [{"Name", "Type", "Content", ...}]}.
func (s *service) importFlows(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(transferTime))
	body, err := io.ReadAll(io.LimitReader(r.Body, ivr.MaxBundle+1))
	if err != nil {
		return errs.Wrap(err, errs.InvalidRequest, "the body cannot be read")
	}
	if len(body) > ivr.MaxBundle {
		return errs.Wrap(identity.ErrTooLarge, errs.Invalid, "the body must have at most %d bytes", ivr.MaxBundle)
	}
	items, err := importItems(r.Header.Get("Content-Type"), body)
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return errs.Field("Flows", "is empty: there is nothing to import")
	}
	for _, item := range items {
		need := identity.FlowsCreate
		if item.Type == ivr.TypeModule {
			need = identity.ModulesCreate
		}
		if !c.Principal.Can(need) {
			return errs.New(errs.Denied, "importing %q needs the permission %s", item.Name, need)
		}
	}
	out := importOutput{}
	if out.Flows, err = s.Flows.Import(r.Context(), c.Instance(), items); err != nil {
		return err
	}
	for i := range out.Flows {
		out.Flows[i].Say(c.Language)
	}
	c.Note("flows", strconv.Itoa(len(items)))
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(out)
}

func importItems(contentType string, body []byte) ([]ivr.Item, error) {
	media, _, _ := mime.ParseMediaType(contentType)
	if media != "application/json" && bytes.HasPrefix(body, []byte("PK")) {
		return ivr.ReadBundle(bytes.NewReader(body), int64(len(body)))
	}
	var in struct {
		Flows []importItem `json:"Flows"`
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&in); err != nil {
		return nil, errs.Field("body", "is neither a zip file nor {\"Flows\": [...]}: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errs.Field("body", "has something after the list")
	}
	const most = 2000
	if len(in.Flows) > most {
		return nil, errs.New(errs.Limit, "there are %d flows, at most %d are allowed", len(in.Flows), most)
	}
	var items []ivr.Item
	for _, f := range in.Flows {
		content := string(f.Content)
		if bytes.HasPrefix(f.Content, []byte{'"'}) {
			if err := json.Unmarshal(f.Content, &content); err != nil {
				return nil, errs.Field("Content", "cannot be read: %v", err)
			}
		}
		item := f.Item
		item.Content = content
		if item.Name == "" || item.Type == "" {
			name, _, t := ivr.About(content)
			if item.Name == "" {
				item.Name = name
			}
			if item.Type == "" {
				item.Type = t
			}
		}
		items = append(items, item)
	}
	return items, nil
}

// exportFlows gives a zip of all flows and modules; with ?status=SAVED their drafts.
func (s *service) exportFlows(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
	items, err := s.Flows.Export(r.Context(), c.Instance(), r.URL.Query().Get("status") == string(ivr.Saved))
	if err != nil {
		return err
	}
	var z bytes.Buffer
	if err = ivr.WriteBundle(&z, items); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="flows.zip"`)
	h.Set("Content-Length", strconv.Itoa(z.Len()))
	_, err = w.Write(z.Bytes())
	return err
}
