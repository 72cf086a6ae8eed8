package connect

import (
	"context"
	"slices"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) agentStatuses(t *rest.Table) {
	const (
		all = "/agent-status/{InstanceId}"
		one = all + "/{AgentStatusId}"
	)
	rest.Op(t, "CreateAgentStatus", "PUT", all, identity.AgentStatesCreate, s.createAgentStatus)
	rest.Op(t, "DescribeAgentStatus", "GET", one, identity.AgentStatesView, s.describeAgentStatus)
	rest.Op(t, "ListAgentStatuses", "GET", all, identity.AgentStatesView, s.listAgentStatuses)
	rest.Op(t, "UpdateAgentStatus", "POST", one, identity.AgentStatesEdit, s.updateAgentStatus)
}

const (
	enabled  = "ENABLED"
	disabled = "DISABLED"
)

func isDisabled(state string) (bool, error) {
	switch state {
	case enabled:
		return false, nil
	case disabled:
		return true, nil
	default:
		return false, errs.Field("State", "must be %s or %s; got %q", enabled, disabled, state)
	}
}

type createAgentStatusInput struct {
	InstanceID   string            `json:"-" path:"InstanceId" ref:"instance"`
	Name         string            `json:"Name"`
	Description  string            `json:"Description,omitempty"`
	State        string            `json:"State"`
	DisplayOrder int               `json:"DisplayOrder,omitempty"`
	Tags         map[string]string `json:"Tags,omitempty"`
}

type createAgentStatusOutput struct {
	AgentStatusARN string `json:"AgentStatusARN"`
	AgentStatusID  string `json:"AgentStatusId"`
}

func (s *service) createAgentStatus(
	ctx context.Context, c *rest.Call, in *createAgentStatusInput,
) (*createAgentStatusOutput, error) {
	meta, err := head(c, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	v := &acd.AgentStatus{Meta: meta, Description: in.Description, Type: acd.Custom, DisplayOrder: in.DisplayOrder}
	if v.Disabled, err = isDisabled(in.State); err != nil {
		return nil, err
	}
	if err = s.AgentStatuses.Create(ctx, v); err != nil {
		return nil, err
	}
	c.Note("agent_status_id", v.ID)
	return &createAgentStatusOutput{AgentStatusARN: resource.ARN(v.InstanceID, v.Kind(), v.ID), AgentStatusID: v.ID}, nil
}

type agentStatusInput struct {
	InstanceID    string `json:"-" path:"InstanceId" ref:"instance"`
	AgentStatusID string `json:"-" path:"AgentStatusId" ref:"agent-state"`
}

type agentStatus struct {
	AgentStatusARN     string            `json:"AgentStatusARN"`
	AgentStatusID      string            `json:"AgentStatusId"`
	Name               string            `json:"Name"`
	Description        string            `json:"Description,omitempty"`
	Type               acd.StatusType    `json:"Type"`
	DisplayOrder       int               `json:"DisplayOrder,omitempty"`
	State              string            `json:"State"`
	Tags               map[string]string `json:"Tags,omitempty"`
	LastModifiedTime   rest.Time         `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string            `json:"LastModifiedRegion"`
}

type describeAgentStatusOutput struct {
	AgentStatus agentStatus `json:"AgentStatus"`
}

func (s *service) describeAgentStatus(
	ctx context.Context, c *rest.Call, in *agentStatusInput,
) (*describeAgentStatusOutput, error) {
	v, err := s.AgentStatuses.Get(ctx, c.Instance(), in.AgentStatusID)
	if err != nil {
		return nil, err
	}
	return &describeAgentStatusOutput{AgentStatus: agentStatusOf(v)}, nil
}

func stateOf(v *acd.AgentStatus) string {
	if v.Disabled {
		return disabled
	}
	return enabled
}

func agentStatusOf(v *acd.AgentStatus) agentStatus {
	return agentStatus{
		AgentStatusARN: resource.ARN(v.InstanceID, v.Kind(), v.ID), AgentStatusID: v.ID, Name: v.Name,
		Description: v.Description, Type: v.Type, DisplayOrder: v.DisplayOrder, State: stateOf(v), Tags: v.Tags,
		LastModifiedTime: rest.At(v.ModifiedAt), LastModifiedRegion: resource.Region,
	}
}

type listAgentStatusesInput struct {
	InstanceID string           `json:"-" path:"InstanceId" ref:"instance"`
	Types      []acd.StatusType `json:"-" query:"AgentStatusTypes"`
	MaxResults int              `json:"-" query:"maxResults"`
	NextToken  string           `json:"-" query:"nextToken"`
}

type agentStatusSummary struct {
	ID                 string         `json:"Id"`
	ARN                string         `json:"Arn"`
	Name               string         `json:"Name"`
	Type               acd.StatusType `json:"Type"`
	LastModifiedTime   rest.Time      `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string         `json:"LastModifiedRegion"`
}

type listAgentStatusesOutput struct {
	List      []agentStatusSummary `json:"AgentStatusSummaryList"`
	NextToken string               `json:"NextToken,omitempty"`
}

func (s *service) listAgentStatuses(
	ctx context.Context, c *rest.Call, in *listAgentStatusesInput,
) (*listAgentStatusesOutput, error) {
	vs, next, err := page(ctx, s.AgentStatuses, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listAgentStatusesOutput{List: []agentStatusSummary{}, NextToken: next}
	for _, v := range vs {
		if len(in.Types) > 0 && !slices.Contains(in.Types, v.Type) {
			continue
		}
		m := summaryOf(v)
		out.List = append(out.List, agentStatusSummary{
			ID: m.ID, ARN: m.ARN, Name: m.Name, Type: v.Type, LastModifiedTime: m.LastModifiedTime,
			LastModifiedRegion: resource.Region,
		})
	}
	return out, nil
}

type updateAgentStatusInput struct {
	InstanceID       string  `json:"-" path:"InstanceId" ref:"instance"`
	AgentStatusID    string  `json:"-" path:"AgentStatusId" ref:"agent-state"`
	Name             *string `json:"Name,omitempty"`
	Description      *string `json:"Description,omitempty"`
	State            *string `json:"State,omitempty"`
	DisplayOrder     *int    `json:"DisplayOrder,omitempty"`
	ResetOrderNumber bool    `json:"ResetOrderNumber,omitempty"`
}

func (s *service) updateAgentStatus(ctx context.Context, c *rest.Call, in *updateAgentStatusInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.AgentStatuses, c.Instance(), in.AgentStatusID, func(v *acd.AgentStatus) error {
		set(&v.Name, in.Name)
		set(&v.Description, in.Description)
		set(&v.DisplayOrder, in.DisplayOrder)
		if in.ResetOrderNumber {
			v.DisplayOrder = 0
		}
		if in.State == nil {
			return nil
		}
		var err error
		v.Disabled, err = isDisabled(*in.State)
		return err
	})
	return done(err)
}
