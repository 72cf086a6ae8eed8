package connect

import (
	"context"
	"errors"
	"strconv"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
)

func (s *service) modules(t *rest.Table) {
	const (
		all = "/contact-flow-modules/{InstanceId}"
		one = all + "/{ContactFlowModuleId}"
	)
	rest.Op(t, "CreateContactFlowModule", "PUT", all, identity.ModulesCreate, s.createModule)
	rest.Op(t, "DescribeContactFlowModule", "GET", one, identity.ModulesView, s.describeModule)
	rest.Op(t, "ListContactFlowModules", "GET", "/contact-flow-modules-summary/{InstanceId}", identity.ModulesView, s.listModules)
	rest.Op(t, "SearchContactFlowModules", "POST", "/search-contact-flow-modules", identity.ModulesView, s.searchModules, rest.ReadOnly)
	rest.Op(t, "UpdateContactFlowModuleContent", "POST", one+"/content", identity.ModulesEdit, s.updateModuleContent)
	rest.Op(t, "UpdateContactFlowModuleMetadata", "POST", one+"/metadata", identity.ModulesEdit, s.updateModuleMetadata)
	rest.Op(t, "DeleteContactFlowModule", "DELETE", one, identity.ModulesDelete, s.deleteModule)
	rest.Op(t, "CreateContactFlowModuleVersion", "PUT", one+"/version", identity.FlowsPublish, s.createModuleVersion)
	rest.Op(t, "ListContactFlowModuleVersions", "GET", one+"/versions", identity.ModulesView, s.listModuleVersions)
	rest.Op(t, "DeleteContactFlowModuleVersion", "DELETE", one+"/version/{ContactFlowModuleVersion}", identity.ModulesDelete,
		s.deleteModuleVersion)
}

func isNotPublished(err error) bool { return errors.Is(err, ivr.ErrNotPublished) }

// moduleFault names the problems of a module that cannot be published.
func moduleFault(err error) error {
	return contentFault(err, "InvalidContactFlowModuleException", "Problems")
}

type externalInvocation struct {
	Enabled bool `json:"Enabled"`
}

type createModuleInput struct {
	InstanceID         string              `json:"-" path:"InstanceId" ref:"instance"`
	Name               string              `json:"Name"`
	Description        string              `json:"Description,omitempty"`
	Content            string              `json:"Content"`
	Settings           string              `json:"Settings,omitempty"`
	ClientToken        string              `json:"ClientToken,omitempty"`
	Tags               map[string]string   `json:"Tags,omitempty"`
	ExternalInvocation *externalInvocation `json:"ExternalInvocationConfiguration,omitempty"`
}

type createModuleOutput struct {
	ID  string `json:"Id"`
	ARN string `json:"Arn"`
}

// createModule makes a module and publishes it: the service has no other way, a draft is made by its update.
func (s *service) createModule(ctx context.Context, c *rest.Call, in *createModuleInput) (*createModuleOutput, error) {
	meta, err := head(c, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	if err = mayPublish(c); err != nil {
		return nil, err
	}
	f := &ivr.Flow{
		Meta: meta, Type: ivr.TypeModule, Description: in.Description, Content: in.Content, Settings: in.Settings,
		External: in.ExternalInvocation != nil && in.ExternalInvocation.Enabled,
	}
	if err = s.Modules.Create(ctx, f, ivr.Published); err != nil {
		return nil, moduleFault(err)
	}
	c.Note("contact_flow_module_id", f.ID)
	return &createModuleOutput{ID: f.ID, ARN: resource.ARN(f.InstanceID, f.Kind(), f.ID)}, nil
}

type moduleInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	ModuleID   string `json:"-" path:"ContactFlowModuleId" ref:"flow-module"`
}

type flowModule struct {
	ID                      string              `json:"Id"`
	ARN                     string              `json:"Arn"`
	Name                    string              `json:"Name"`
	Description             string              `json:"Description,omitempty"`
	Content                 string              `json:"Content,omitempty"`
	Settings                string              `json:"Settings,omitempty"`
	State                   string              `json:"State"`
	Status                  ivr.Status          `json:"Status"`
	Tags                    map[string]string   `json:"Tags,omitempty"`
	Version                 int                 `json:"Version,omitempty"`
	VersionDescription      string              `json:"VersionDescription,omitempty"`
	FlowModuleContentSha256 string              `json:"FlowModuleContentSha256,omitempty"`
	ExternalInvocation      *externalInvocation `json:"ExternalInvocationConfiguration,omitempty"`
}

// moduleOf is a module without content.
func moduleOf(f *ivr.Flow, status ivr.Status) flowModule {
	out := flowModule{
		ID: f.ID, ARN: resource.ARN(f.InstanceID, f.Kind(), f.ID), Name: f.Name, Description: f.Description, Settings: f.Settings,
		State: flowState(f), Status: status, Tags: f.Tags,
	}
	if f.External {
		out.ExternalInvocation = &externalInvocation{Enabled: true}
	}
	return out
}

type describeModuleOutput struct {
	Module flowModule `json:"ContactFlowModule"`
}

func (s *service) describeModule(ctx context.Context, c *rest.Call, in *moduleInput) (*describeModuleOutput, error) {
	e, err := s.Modules.Edition(ctx, c.Instance(), in.ModuleID)
	if err != nil {
		return nil, err
	}
	out := moduleOf(e.Flow, e.Status)
	out.Content, out.Version, out.VersionDescription = e.Content, e.Number, e.Description
	out.FlowModuleContentSha256 = ivr.HashOf(e.Content)
	return &describeModuleOutput{Module: out}, nil
}

type listModulesInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	State      string `json:"-" query:"state"`
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type moduleSummary struct {
	ID    string `json:"Id"`
	ARN   string `json:"Arn"`
	Name  string `json:"Name"`
	State string `json:"State"`
}

type listModulesOutput struct {
	List      []moduleSummary `json:"ContactFlowModulesSummaryList"`
	NextToken string          `json:"NextToken,omitempty"`
}

func (s *service) listModules(ctx context.Context, c *rest.Call, in *listModulesInput) (*listModulesOutput, error) {
	pg, err := pageOf(in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	if in.State != "" && in.State != active && in.State != archived {
		return nil, errs.Field("ContactFlowModuleState", "must be %s or %s; is %.60q", active, archived, in.State)
	}
	list, next, err := s.Modules.List(ctx, c.Instance(), pg)
	if err != nil {
		return nil, err
	}
	out := &listModulesOutput{List: []moduleSummary{}, NextToken: next}
	for _, f := range list {
		if in.State == "" || in.State == flowState(f) {
			out.List = append(out.List, moduleSummary{
				ID: f.ID, ARN: resource.ARN(f.InstanceID, f.Kind(), f.ID), Name: f.Name, State: flowState(f),
			})
		}
	}
	return out, nil
}

type searchModulesOutput struct {
	Modules               []flowModule `json:"ContactFlowModules"`
	NextToken             string       `json:"NextToken,omitempty"`
	ApproximateTotalCount int          `json:"ApproximateTotalCount"`
}

func (s *service) searchModules(ctx context.Context, c *rest.Call, in *searchFlowsInput) (*searchModulesOutput, error) {
	found, next, total, err := search(ctx, s.Modules, c, in)
	if err != nil {
		return nil, err
	}
	out := &searchModulesOutput{Modules: []flowModule{}, NextToken: next, ApproximateTotalCount: total}
	for _, f := range found {
		out.Modules = append(out.Modules, moduleOf(f, flowStatus(f)))
	}
	return out, nil
}

type updateModuleContentInput struct {
	InstanceID string  `json:"-" path:"InstanceId" ref:"instance"`
	ModuleID   string  `json:"-" path:"ContactFlowModuleId" ref:"flow-module"`
	Content    *string `json:"Content,omitempty"`
	Settings   *string `json:"Settings,omitempty"`
}

// updateModuleContent publishes; with the qualifier $SAVED it replaces the draft only.
func (s *service) updateModuleContent(ctx context.Context, c *rest.Call, in *updateModuleContentInput) (*rest.Empty, error) {
	id, draft, err := draftRef("ContactFlowModuleId", in.ModuleID)
	if err != nil {
		return nil, err
	}
	if in.Content == nil && in.Settings == nil {
		return nil, errs.Field("Content", "must be given, or Settings")
	}
	change := ivr.ModuleChange{Content: in.Content, Settings: in.Settings, Status: ivr.Saved}
	if !draft && in.Content != nil {
		change.Status = ivr.Published
		if err = mayPublish(c); err != nil {
			return nil, err
		}
	}
	_, err = s.Modules.UpdateModule(ctx, c.Instance(), id, change)
	return done(moduleFault(err))
}

type updateModuleMetadataInput struct {
	InstanceID  string  `json:"-" path:"InstanceId" ref:"instance"`
	ModuleID    string  `json:"-" path:"ContactFlowModuleId" ref:"flow-module"`
	Name        *string `json:"Name,omitempty"`
	Description *string `json:"Description,omitempty"`
	State       string  `json:"State,omitempty"`
}

func (s *service) updateModuleMetadata(ctx context.Context, c *rest.Call, in *updateModuleMetadataInput) (*rest.Empty, error) {
	id, _, err := draftRef("ContactFlowModuleId", in.ModuleID)
	if err != nil {
		return nil, err
	}
	m := ivr.Metadata{Name: in.Name, Description: in.Description}
	switch in.State {
	case "":
	case active, archived:
		m.Archived = new(in.State == archived)
	default:
		return nil, errs.Field("State", "must be %s or %s; is %.60q", active, archived, in.State)
	}
	_, err = s.Modules.UpdateMetadata(ctx, c.Instance(), id, m)
	return done(err)
}

func (s *service) deleteModule(ctx context.Context, c *rest.Call, in *moduleInput) (*rest.Empty, error) {
	id, _, err := draftRef("ContactFlowModuleId", in.ModuleID)
	if err != nil {
		return nil, err
	}
	return done(s.Modules.Delete(ctx, c.Instance(), id))
}

type createModuleVersionInput struct {
	InstanceID              string `json:"-" path:"InstanceId" ref:"instance"`
	ModuleID                string `json:"-" path:"ContactFlowModuleId" ref:"flow-module"`
	Description             string `json:"Description,omitempty"`
	FlowModuleContentSha256 string `json:"FlowModuleContentSha256,omitempty"`
}

type createModuleVersionOutput struct {
	ARN     string `json:"ContactFlowModuleArn"`
	Version int    `json:"Version"`
}

func (s *service) createModuleVersion(ctx context.Context, c *rest.Call, in *createModuleVersionInput) (*createModuleVersionOutput, error) {
	f, err := s.Modules.PublishVersion(ctx, c.Instance(), in.ModuleID, 0, in.FlowModuleContentSha256, in.Description)
	if err != nil {
		return nil, moduleFault(err)
	}
	c.Note("version", strconv.Itoa(f.PublishedVersion))
	return &createModuleVersionOutput{ARN: versionARN(f, f.PublishedVersion), Version: f.PublishedVersion}, nil
}

type listModuleVersionsInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	ModuleID   string `json:"-" path:"ContactFlowModuleId" ref:"flow-module"`
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type listModuleVersionsOutput struct {
	List      []versionSummary `json:"ContactFlowModuleVersionSummaryList"`
	NextToken string           `json:"NextToken,omitempty"`
}

func (s *service) listModuleVersions(ctx context.Context, c *rest.Call, in *listModuleVersionsInput) (*listModuleVersionsOutput, error) {
	list, next, err := versionPage(ctx, s.Modules, c, in.ModuleID, in.MaxResults, in.NextToken)
	return &listModuleVersionsOutput{List: list, NextToken: next}, err
}

type deleteModuleVersionInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	ModuleID   string `json:"-" path:"ContactFlowModuleId" ref:"flow-module"`
	Version    string `json:"-" path:"ContactFlowModuleVersion"`
}

func (s *service) deleteModuleVersion(ctx context.Context, c *rest.Call, in *deleteModuleVersionInput) (*rest.Empty, error) {
	return done(s.Modules.DeleteVersion(ctx, c.Instance(), in.ModuleID, versionLabel(in.Version)))
}
