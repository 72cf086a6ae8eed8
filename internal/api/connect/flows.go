package connect

import (
	"context"
	"errors"
	"net/http"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
)

func (s *service) flows(t *rest.Table) {
	const (
		all = "/contact-flows/{InstanceId}"
		one = all + "/{ContactFlowId}"
	)
	rest.Op(t, "CreateContactFlow", "PUT", all, identity.FlowsCreate, s.createFlow)
	rest.Op(t, "DescribeContactFlow", "GET", one, identity.FlowsView, s.describeFlow)
	rest.Op(t, "ListContactFlows", "GET", "/contact-flows-summary/{InstanceId}", identity.FlowsView, s.listFlows)
	rest.Op(t, "UpdateContactFlowContent", "POST", one+"/content", identity.FlowsEdit, s.updateFlowContent)
	rest.Op(t, "UpdateContactFlowMetadata", "POST", one+"/metadata", identity.FlowsEdit, s.updateFlowMetadata)
	rest.Op(t, "UpdateContactFlowName", "POST", one+"/name", identity.FlowsEdit, s.updateFlowName)
	rest.Op(t, "DeleteContactFlow", "DELETE", one, identity.FlowsDelete, s.deleteFlow)
	rest.Op(t, "SearchContactFlows", "POST", "/search-contact-flows", identity.FlowsView, s.searchFlows, rest.ReadOnly)
	rest.Op(t, "CreateContactFlowVersion", "PUT", one+"/version", identity.FlowsPublish, s.createFlowVersion)
	rest.Op(t, "ListContactFlowVersions", "GET", one+"/versions", identity.FlowsView, s.listFlowVersions)
	rest.Op(t, "DeleteContactFlowVersion", "DELETE", one+"/version/{ContactFlowVersion}", identity.FlowsDelete, s.deleteFlowVersion)
}

const (
	active   = "ACTIVE"
	archived = "ARCHIVED"
)

// draftRef tells whether a reference means a draft; id is without the qualifier. Other qualifiers than $SAVED and $LATEST
// name what cannot be changed.
func draftRef(field, ref string) (id string, draft bool, err error) {
	id, qualifier := ivr.SplitRef(ref)
	switch qualifier {
	case "", ivr.QualifierLatest:
		return id, false, nil
	case ivr.QualifierSaved:
		return id, true, nil
	}
	return "", false, errs.Field(field, "names the version or alias %.60q, which cannot be changed: use the id, or the id and :%s", qualifier,
		ivr.QualifierSaved)
}

// flowFault names the problems of a flow that cannot be published, as the service does.
func flowFault(err error) error { return contentFault(err, "InvalidContactFlowException", "problems") }

// contentFault has the problems under the member by which the service model calls them.
func contentFault(err error, code, member string) error {
	problems := ivr.ProblemsOf(err)
	if len(problems) == 0 {
		return err
	}
	list := make([]map[string]string, 0, len(problems))
	for _, p := range problems {
		list = append(list, map[string]string{"message": p.String()})
	}
	return &rest.Fault{
		Status: http.StatusBadRequest, Code: code, Message: err.Error(),
		Members: map[string]any{member: list}, Err: err,
	}
}

func mayPublish(c *rest.Call) error {
	if !c.Principal.Can(identity.FlowsPublish) {
		return errs.New(errs.Denied, "publishing needs the permission %s", identity.FlowsPublish)
	}
	return nil
}

type createFlowInput struct {
	InstanceID  string            `json:"-" path:"InstanceId" ref:"instance"`
	Name        string            `json:"Name"`
	Type        ivr.FlowType      `json:"Type"`
	Description string            `json:"Description,omitempty"`
	Content     string            `json:"Content"`
	Status      ivr.Status        `json:"Status,omitempty"`
	Tags        map[string]string `json:"Tags,omitempty"`
}

type createFlowOutput struct {
	ContactFlowID     string `json:"ContactFlowId"`
	ContactFlowARN    string `json:"ContactFlowArn"`
	FlowContentSha256 string `json:"FlowContentSha256"`
}

func (s *service) createFlow(ctx context.Context, c *rest.Call, in *createFlowInput) (*createFlowOutput, error) {
	meta, err := head(c, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	if in.Status == "" {
		in.Status = ivr.Published
	}
	if in.Status != ivr.Saved {
		if err = mayPublish(c); err != nil {
			return nil, err
		}
	}
	if in.Type == ivr.TypeModule {
		return nil, errs.Field("Type", "%q is not a flow type: use CreateContactFlowModule", in.Type)
	}
	f := &ivr.Flow{Meta: meta, Type: in.Type, Description: in.Description, Content: in.Content}
	if err = s.Flows.Create(ctx, f, in.Status); err != nil {
		return nil, flowFault(err)
	}
	c.Note("contact_flow_id", f.ID)
	return &createFlowOutput{
		ContactFlowID: f.ID, ContactFlowARN: resource.ARN(f.InstanceID, f.Kind(), f.ID), FlowContentSha256: ivr.HashOf(f.Content),
	}, nil
}

type flowInput struct {
	InstanceID    string `json:"-" path:"InstanceId" ref:"instance"`
	ContactFlowID string `json:"-" path:"ContactFlowId" ref:"contact-flow"`
}

type contactFlow struct {
	ID                 string            `json:"Id"`
	ARN                string            `json:"Arn"`
	Name               string            `json:"Name"`
	Type               ivr.FlowType      `json:"Type"`
	State              string            `json:"State"`
	Status             ivr.Status        `json:"Status"`
	Description        string            `json:"Description,omitempty"`
	Content            string            `json:"Content,omitempty"`
	FlowContentSha256  string            `json:"FlowContentSha256,omitempty"`
	Version            int               `json:"Version,omitempty"`
	VersionDescription string            `json:"VersionDescription,omitempty"`
	Tags               map[string]string `json:"Tags,omitempty"`
	LastModifiedTime   rest.Time         `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string            `json:"LastModifiedRegion"`
}

type describeFlowOutput struct {
	ContactFlow contactFlow `json:"ContactFlow"`
}

// describeFlow shows what contacts run; with the qualifier $SAVED the draft, with a number a version.
func (s *service) describeFlow(ctx context.Context, c *rest.Call, in *flowInput) (*describeFlowOutput, error) {
	e, err := s.Flows.Edition(ctx, c.Instance(), in.ContactFlowID)
	if errors.Is(err, ivr.ErrNotPublished) {
		id, _ := ivr.SplitRef(in.ContactFlowID)
		return nil, &rest.Fault{
			Status: http.StatusNotFound, Code: "ContactFlowNotPublishedException", Err: err,
			Message: "The flow has not been published. Describe its draft by " + id + ":" + ivr.QualifierSaved,
		}
	}
	if err != nil {
		return nil, err
	}
	out := flowOf(e.Flow)
	out.Content, out.Status, out.Version, out.VersionDescription = e.Content, e.Status, e.Number, e.Description
	out.FlowContentSha256 = ivr.HashOf(e.Content)
	return &describeFlowOutput{ContactFlow: out}, nil
}

// flowOf is a flow without content.
func flowOf(f *ivr.Flow) contactFlow {
	return contactFlow{
		ID: f.ID, ARN: resource.ARN(f.InstanceID, f.Kind(), f.ID), Name: f.Name, Type: f.Type, State: flowState(f),
		Status: flowStatus(f), Description: f.Description, Tags: f.Tags, LastModifiedTime: rest.At(f.ModifiedAt),
		LastModifiedRegion: resource.Region,
	}
}

func flowStatus(f *ivr.Flow) ivr.Status {
	if f.Published == "" {
		return ivr.Saved
	}
	return ivr.Published
}

func flowState(f *ivr.Flow) string {
	if f.Archived {
		return archived
	}
	return active
}

type listFlowsInput struct {
	InstanceID       string         `json:"-" path:"InstanceId" ref:"instance"`
	ContactFlowTypes []ivr.FlowType `json:"-" query:"contactFlowTypes"`
	MaxResults       int            `json:"-" query:"maxResults"`
	NextToken        string         `json:"-" query:"nextToken"`
}

type flowSummary struct {
	ID                string       `json:"Id"`
	ARN               string       `json:"Arn"`
	Name              string       `json:"Name"`
	ContactFlowType   ivr.FlowType `json:"ContactFlowType"`
	ContactFlowState  string       `json:"ContactFlowState"`
	ContactFlowStatus ivr.Status   `json:"ContactFlowStatus"`
}

type listFlowsOutput struct {
	List      []flowSummary `json:"ContactFlowSummaryList"`
	NextToken string        `json:"NextToken,omitempty"`
}

func (s *service) listFlows(ctx context.Context, c *rest.Call, in *listFlowsInput) (*listFlowsOutput, error) {
	pg, err := pageOf(in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	fs, next, err := s.Flows.List(ctx, c.Instance(), pg, in.ContactFlowTypes...)
	if err != nil {
		return nil, err
	}
	out := &listFlowsOutput{List: []flowSummary{}, NextToken: next}
	for _, f := range fs {
		out.List = append(out.List, flowSummary{
			ID: f.ID, ARN: resource.ARN(f.InstanceID, f.Kind(), f.ID), Name: f.Name, ContactFlowType: f.Type,
			ContactFlowState: flowState(f), ContactFlowStatus: flowStatus(f),
		})
	}
	return out, nil
}

type updateFlowContentInput struct {
	InstanceID    string `json:"-" path:"InstanceId" ref:"instance"`
	ContactFlowID string `json:"-" path:"ContactFlowId" ref:"contact-flow"`
	Content       string `json:"Content"`
}

// updateFlowContent publishes; with the alias $SAVED it replaces the draft only.
func (s *service) updateFlowContent(ctx context.Context, c *rest.Call, in *updateFlowContentInput) (*rest.Empty, error) {
	id, draft, err := draftRef("ContactFlowId", in.ContactFlowID)
	if err != nil {
		return nil, err
	}
	status := ivr.Saved
	if !draft {
		status = ivr.Published
		if err = mayPublish(c); err != nil {
			return nil, err
		}
	}
	_, err = s.Flows.UpdateContent(ctx, c.Instance(), id, in.Content, status)
	return done(flowFault(err))
}

type updateFlowMetadataInput struct {
	InstanceID       string  `json:"-" path:"InstanceId" ref:"instance"`
	ContactFlowID    string  `json:"-" path:"ContactFlowId" ref:"contact-flow"`
	Name             *string `json:"Name,omitempty"`
	Description      *string `json:"Description,omitempty"`
	ContactFlowState string  `json:"ContactFlowState,omitempty"`
}

func (s *service) updateFlowMetadata(ctx context.Context, c *rest.Call, in *updateFlowMetadataInput) (*rest.Empty, error) {
	m := ivr.Metadata{Name: in.Name, Description: in.Description}
	switch in.ContactFlowState {
	case "":
	case active, archived:
		m.Archived = new(in.ContactFlowState == archived)
	default:
		return nil, errs.Field("ContactFlowState", "must be %s or %s; got %q", active, archived, in.ContactFlowState)
	}
	return s.changeFlow(ctx, c, in.ContactFlowID, m)
}

type updateFlowNameInput struct {
	InstanceID    string  `json:"-" path:"InstanceId" ref:"instance"`
	ContactFlowID string  `json:"-" path:"ContactFlowId" ref:"contact-flow"`
	Name          *string `json:"Name,omitempty"`
	Description   *string `json:"Description,omitempty"`
}

func (s *service) updateFlowName(ctx context.Context, c *rest.Call, in *updateFlowNameInput) (*rest.Empty, error) {
	return s.changeFlow(ctx, c, in.ContactFlowID, ivr.Metadata{Name: in.Name, Description: in.Description})
}

func (s *service) changeFlow(ctx context.Context, c *rest.Call, ref string, m ivr.Metadata) (*rest.Empty, error) {
	id, _, err := draftRef("ContactFlowId", ref)
	if err != nil {
		return nil, err
	}
	_, err = s.Flows.UpdateMetadata(ctx, c.Instance(), id, m)
	return done(err)
}

func (s *service) deleteFlow(ctx context.Context, c *rest.Call, in *flowInput) (*rest.Empty, error) {
	id, _, err := draftRef("ContactFlowId", in.ContactFlowID)
	if err != nil {
		return nil, err
	}
	return done(s.Flows.Delete(ctx, c.Instance(), id))
}
