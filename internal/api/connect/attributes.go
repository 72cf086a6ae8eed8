package connect

import (
	"context"
	"strconv"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) instanceAttributes(t *rest.Table) {
	const one = "/instance/{InstanceId}/attribute/{AttributeType}"
	rest.Op(t, "DescribeInstanceAttribute", "GET", one, identity.InstanceView, s.describeAttribute)
	rest.Op(t, "UpdateInstanceAttribute", "POST", one, identity.InstanceEdit, s.updateAttribute)
	rest.Op(t, "ListInstanceAttributes", "GET", "/instance/{InstanceId}/attributes", identity.InstanceView, s.listAttributes)
}

// attribute names a switch of an instance (A8).
type attribute struct {
	Type  string `json:"AttributeType"`
	Value string `json:"Value"`
}

// attributeTypes are those that do something here.
func attributeTypes() []string {
	return []string{"INBOUND_CALLS", "OUTBOUND_CALLS", "CONTACTFLOW_LOGS"}
}

// field is the switch of an instance.
func field(v *identity.Instance, attributeType string) (*bool, error) {
	switch attributeType {
	case "INBOUND_CALLS":
		return &v.InboundCallsEnabled, nil
	case "OUTBOUND_CALLS":
		return &v.OutboundCallsEnabled, nil
	case "CONTACTFLOW_LOGS":
		return &v.FlowLogs, nil
	}
	return nil, errs.New(errs.NotFound, "instance attribute not found: there are %v", attributeTypes())
}

type attributeInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	Type       string `json:"-" path:"AttributeType"`
}

type describeAttributeOutput struct {
	Attribute attribute `json:"Attribute"`
}

func (s *service) describeAttribute(ctx context.Context, c *rest.Call, in *attributeInput) (*describeAttributeOutput, error) {
	v, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return nil, err
	}
	on, err := field(v, in.Type)
	if err != nil {
		return nil, err
	}
	return &describeAttributeOutput{attribute{in.Type, strconv.FormatBool(*on)}}, nil
}

type updateAttributeInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	Type       string `json:"-" path:"AttributeType"`
	Value      string `json:"Value"`
}

func (s *service) updateAttribute(ctx context.Context, c *rest.Call, in *updateAttributeInput) (*rest.Empty, error) {
	value, err := strconv.ParseBool(in.Value)
	if err != nil {
		return nil, errs.Field("Value", "must be true or false; is %q", in.Value)
	}
	_, err = resource.Edit(ctx, s.Instances, c.Instance(), c.Instance(), func(v *identity.Instance) error {
		on, missing := field(v, in.Type)
		if missing == nil {
			*on = value
		}
		return missing
	})
	return done(err)
}

type listAttributesOutput struct {
	Attributes []attribute `json:"Attributes"`
}

func (s *service) listAttributes(ctx context.Context, c *rest.Call, _ *instanceInput) (*listAttributesOutput, error) {
	v, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return nil, err
	}
	out := &listAttributesOutput{}
	for _, name := range attributeTypes() {
		on, missing := field(v, name)
		if missing != nil {
			return nil, missing
		}
		out.Attributes = append(out.Attributes, attribute{name, strconv.FormatBool(*on)})
	}
	return out, nil
}
