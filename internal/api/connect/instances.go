package connect

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) instances(t *rest.Table) {
	rest.Op(t, "DescribeInstance", "GET", "/instance/{InstanceId}", identity.InstanceView, s.describeInstance)
	rest.Op(t, "ListInstances", "GET", "/instance", "", s.listInstances)
}

type instanceInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
}

type instance struct {
	ID                     string                `json:"Id"`
	ARN                    string                `json:"Arn"`
	IdentityManagementType identity.IdentityMode `json:"IdentityManagementType"`
	InstanceAlias          string                `json:"InstanceAlias"`
	CreatedTime            rest.Time             `json:"CreatedTime,omitzero"`
	InstanceStatus         string                `json:"InstanceStatus"`
	InboundCallsEnabled    bool                  `json:"InboundCallsEnabled"`
	OutboundCallsEnabled   bool                  `json:"OutboundCallsEnabled"`
	Tags                   map[string]string     `json:"Tags,omitempty"`
}

func instanceOf(v *identity.Instance) instance {
	return instance{
		ID: v.ID, ARN: resource.ARN(v.ID, resource.KindInstance, v.ID), IdentityManagementType: v.IdentityMode,
		InstanceAlias: v.Name, CreatedTime: rest.At(v.CreatedAt), InstanceStatus: "ACTIVE",
		InboundCallsEnabled: v.InboundCallsEnabled, OutboundCallsEnabled: v.OutboundCallsEnabled,
	}
}

type describeInstanceOutput struct {
	Instance instance `json:"Instance"`
}

func (s *service) describeInstance(ctx context.Context, c *rest.Call, _ *instanceInput) (*describeInstanceOutput, error) {
	v, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return nil, err
	}
	out := instanceOf(v)
	out.Tags = v.Tags
	return &describeInstanceOutput{Instance: out}, nil
}

type listInstancesInput struct {
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type listInstancesOutput struct {
	List      []instance `json:"InstanceSummaryList"`
	NextToken string     `json:"NextToken,omitempty"`
}

// listInstances shows the caller's own instance and nothing of the others.
func (s *service) listInstances(ctx context.Context, c *rest.Call, in *listInstancesInput) (*listInstancesOutput, error) {
	if _, err := pageOf(in.MaxResults, 10, in.NextToken); err != nil {
		return nil, err
	}
	v, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return nil, err
	}
	return &listInstancesOutput{List: []instance{instanceOf(v)}}, nil
}
