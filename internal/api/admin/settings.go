package admin

import (
	"cmp"
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/call"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
)

func (s *service) settings(t *rest.Table) {
	rest.Op(t, "GetInstanceSettings", "GET", "/instance", identity.InstanceView, s.getInstance)
	rest.Op(t, "UpdateInstanceSettings", "PUT", "/instance", identity.InstanceEdit, s.updateInstance)
	rest.Op(t, "SetPhoneNumberTrunk", "PUT", "/phone-numbers/{PhoneNumberId}/trunk", identity.NumbersEdit,
		s.setNumberTrunk)
	rest.Op(t, "GetSystem", "GET", "/system", identity.SystemView, s.getSystem)
}

type instanceSettings struct {
	InstanceID           string                `json:"InstanceId"`
	InstanceARN          string                `json:"InstanceArn"`
	Alias                string                `json:"Alias"`
	DisplayName          string                `json:"DisplayName,omitempty"`
	IdentityMode         identity.IdentityMode `json:"IdentityMode"`
	InboundCallsEnabled  bool                  `json:"InboundCallsEnabled"`
	OutboundCallsEnabled bool                  `json:"OutboundCallsEnabled"`
	Region               string                `json:"Region,omitempty"`
	Language             string                `json:"Language,omitempty"`
	RecordingsKept       bool                  `json:"RecordingsKept"`
	FlowLogs             bool                  `json:"FlowLogs"`             // every action of every flow is in the run log
	FlowLogDays          int                   `json:"FlowLogDays"`          // for how many days
	SearchableAttributes []string              `json:"SearchableAttributes"` // of contacts: by which SearchContacts finds them
	RecordDays           int                   `json:"RecordDays"`           // how long contact records are kept
	AuditDays            int                   `json:"AuditDays"`            // how long the audit trail is kept
	CreatedTime          rest.Time             `json:"CreatedTime,omitzero"`
	LastModifiedTime     rest.Time             `json:"LastModifiedTime,omitzero"`
}

func (s *service) getInstance(ctx context.Context, c *rest.Call, _ *rest.Empty) (*instanceSettings, error) {
	v, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return nil, err
	}
	return &instanceSettings{
		InstanceID: v.ID, InstanceARN: resource.ARN(v.ID, resource.KindInstance, v.ID), Alias: v.Name,
		DisplayName: v.DisplayName, IdentityMode: v.IdentityMode, InboundCallsEnabled: v.InboundCallsEnabled,
		OutboundCallsEnabled: v.OutboundCallsEnabled, Region: v.Region, Language: v.Language,
		FlowLogs: v.FlowLogs, FlowLogDays: cmp.Or(v.FlowLogDays, ivr.DefaultRunDays),
		SearchableAttributes: append([]string{}, v.SearchableAttributes...),
		RecordDays:           cmp.Or(v.RecordDays, identity.DefaultKeepDays), AuditDays: cmp.Or(v.AuditDays, identity.DefaultKeepDays),
		RecordingsKept: v.RecordingsKept, CreatedTime: rest.At(v.CreatedAt), LastModifiedTime: rest.At(v.ModifiedAt),
	}, nil
}

// updateInstanceInput has what may change. The alias is part of every recording's key, the identity mode is fixed for
// life.
type updateInstanceInput struct {
	DisplayName          *string `json:"DisplayName,omitempty"`
	InboundCallsEnabled  *bool   `json:"InboundCallsEnabled,omitempty"`
	OutboundCallsEnabled *bool   `json:"OutboundCallsEnabled,omitempty"`
	Region               *string `json:"Region,omitempty"`
	Language             *string `json:"Language,omitempty"`
	FlowLogs             *bool   `json:"FlowLogs,omitempty"`
	FlowLogDays          *int    `json:"FlowLogDays,omitempty"`

	SearchableAttributes *[]string `json:"SearchableAttributes,omitempty"`
	RecordDays           *int      `json:"RecordDays,omitempty"`
	AuditDays            *int      `json:"AuditDays,omitempty"`
}

func (s *service) updateInstance(ctx context.Context, c *rest.Call, in *updateInstanceInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Instances, c.Instance(), c.Instance(), func(v *identity.Instance) error {
		set(&v.DisplayName, in.DisplayName)
		set(&v.InboundCallsEnabled, in.InboundCallsEnabled)
		set(&v.OutboundCallsEnabled, in.OutboundCallsEnabled)
		set(&v.Region, in.Region)
		set(&v.Language, in.Language)
		set(&v.FlowLogs, in.FlowLogs)
		set(&v.FlowLogDays, in.FlowLogDays)
		set(&v.SearchableAttributes, in.SearchableAttributes)
		set(&v.RecordDays, in.RecordDays)
		set(&v.AuditDays, in.AuditDays)
		return nil
	})
	return done(err)
}

func set[T any](field *T, sent *T) {
	if sent != nil {
		*field = *sent
	}
}

type setNumberTrunkInput struct {
	PhoneNumberID string `json:"-" path:"PhoneNumberId" ref:"phone-number"`
	TrunkID       string `json:"TrunkId,omitempty" ref:"trunk"` // empty: whatever trunk it comes by
}

func (s *service) setNumberTrunk(ctx context.Context, c *rest.Call, in *setNumberTrunkInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Numbers, c.Instance(), in.PhoneNumberID, func(n *call.Number) error {
		n.TrunkID = in.TrunkID
		return nil
	})
	return done(err)
}

func (s *service) getSystem(ctx context.Context, _ *rest.Call, _ *rest.Empty) (*System, error) {
	v := s.System(ctx)
	return &v, nil
}
