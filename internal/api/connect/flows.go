package connect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

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
}

const (
	active   = "ACTIVE"
	archived = "ARCHIVED"
	// savedAlias behind a flow's id or ARN means its draft.
	savedAlias = "$SAVED"
)

// splitAlias parts "<id>:$SAVED".
func splitAlias(ref string) (id string, draft bool, err error) {
	id, alias, has := strings.Cut(ref, ":")
	if !has {
		return id, false, nil
	}
	switch alias {
	case savedAlias:
		return id, true, nil
	case "$LATEST":
		return id, false, nil
	default:
		return "", false, errs.Field("ContactFlowId", "may end in :%s; got %q", savedAlias, alias)
	}
}

// flowFault names the problems of a flow that cannot be published, as the service does.
func flowFault(err error) error {
	problems := ivr.ProblemsOf(err)
	if len(problems) == 0 {
		return err
	}
	list := make([]map[string]string, 0, len(problems))
	for _, p := range problems {
		list = append(list, map[string]string{"message": p.String()})
	}
	return &rest.Fault{
		Status: http.StatusBadRequest, Code: "InvalidContactFlowException", Message: err.Error(),
		Members: map[string]any{"problems": list}, Err: err,
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
	f := &ivr.Flow{Meta: meta, Type: in.Type, Description: in.Description, Content: in.Content}
	if err = s.Flows.Create(ctx, f, in.Status); err != nil {
		return nil, flowFault(err)
	}
	c.Note("contact_flow_id", f.ID)
	return &createFlowOutput{
		ContactFlowID: f.ID, ContactFlowARN: resource.ARN(f.InstanceID, f.Kind(), f.ID), FlowContentSha256: hexSum(f.Content),
	}, nil
}

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
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
	Content            string            `json:"Content"`
	FlowContentSha256  string            `json:"FlowContentSha256"`
	Version            int               `json:"Version,omitempty"`
	Tags               map[string]string `json:"Tags,omitempty"`
	LastModifiedTime   rest.Time         `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string            `json:"LastModifiedRegion"`
}

type describeFlowOutput struct {
	ContactFlow contactFlow `json:"ContactFlow"`
}

// describeFlow shows what contacts run; with the alias $SAVED the draft.
func (s *service) describeFlow(ctx context.Context, c *rest.Call, in *flowInput) (*describeFlowOutput, error) {
	id, draft, err := splitAlias(in.ContactFlowID)
	if err != nil {
		return nil, err
	}
	f, err := s.Flows.Get(ctx, c.Instance(), id)
	if err != nil {
		return nil, err
	}
	out := contactFlow{
		ID: f.ID, ARN: resource.ARN(f.InstanceID, f.Kind(), f.ID), Name: f.Name, Type: f.Type, State: flowState(f),
		Description: f.Description, Content: f.Content, Status: ivr.Saved, Tags: f.Tags,
		LastModifiedTime: rest.At(f.ModifiedAt), LastModifiedRegion: resource.Region,
	}
	if !draft {
		if f.Published == "" {
			return nil, &rest.Fault{
				Status: http.StatusNotFound, Code: "ContactFlowNotPublishedException",
				Message: "The flow has not been published. Describe its draft by " + f.ID + ":" + savedAlias,
			}
		}
		out.Content, out.Status, out.Version = f.Published, ivr.Published, f.PublishedVersion
	}
	out.FlowContentSha256 = hexSum(out.Content)
	return &describeFlowOutput{ContactFlow: out}, nil
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
		status := ivr.Saved
		if f.Published != "" {
			status = ivr.Published
		}
		out.List = append(out.List, flowSummary{
			ID: f.ID, ARN: resource.ARN(f.InstanceID, f.Kind(), f.ID), Name: f.Name, ContactFlowType: f.Type,
			ContactFlowState: flowState(f), ContactFlowStatus: status,
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
	id, draft, err := splitAlias(in.ContactFlowID)
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
	id, _, err := splitAlias(ref)
	if err != nil {
		return nil, err
	}
	_, err = s.Flows.UpdateMetadata(ctx, c.Instance(), id, m)
	return done(err)
}

func (s *service) deleteFlow(ctx context.Context, c *rest.Call, in *flowInput) (*rest.Empty, error) {
	id, _, err := splitAlias(in.ContactFlowID)
	if err != nil {
		return nil, err
	}
	return done(s.Flows.Delete(ctx, c.Instance(), id))
}
