package connect

import (
	"context"
	"slices"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) routingProfiles(t *rest.Table) {
	const (
		all = "/routing-profiles/{InstanceId}"
		one = all + "/{RoutingProfileId}"
	)
	rest.Op(t, "CreateRoutingProfile", "PUT", all, identity.RoutingCreate, s.createRoutingProfile)
	rest.Op(t, "DescribeRoutingProfile", "GET", one, identity.RoutingView, s.describeRoutingProfile)
	rest.Op(t, "ListRoutingProfiles", "GET", "/routing-profiles-summary/{InstanceId}", identity.RoutingView,
		s.listRoutingProfiles)
	rest.Op(t, "UpdateRoutingProfileName", "POST", one+"/name", identity.RoutingEdit, s.updateRoutingName)
	rest.Op(t, "UpdateRoutingProfileConcurrency", "POST", one+"/concurrency", identity.RoutingEdit,
		s.updateRoutingConcurrency)
	rest.Op(t, "UpdateRoutingProfileDefaultOutboundQueue", "POST", one+"/default-outbound-queue", identity.RoutingEdit,
		s.updateRoutingOutbound)
	rest.Op(t, "UpdateRoutingProfileAgentAvailabilityTimer", "POST", one+"/agent-availability-timer",
		identity.RoutingEdit, s.updateRoutingTimer)
	rest.Op(t, "DeleteRoutingProfile", "DELETE", one, identity.RoutingDelete, s.deleteRoutingProfile)
}

type crossChannel struct {
	BehaviorType acd.CrossChannel `json:"BehaviorType"`
}

type mediaConcurrency struct {
	Channel              contact.Channel `json:"Channel"`
	Concurrency          *int            `json:"Concurrency"`
	CrossChannelBehavior *crossChannel   `json:"CrossChannelBehavior,omitempty"`
}

func concurrenciesOf(list []mediaConcurrency) []acd.Concurrency {
	out := make([]acd.Concurrency, 0, len(list))
	for _, m := range list {
		c := acd.Concurrency{Channel: m.Channel, Limit: *m.Concurrency, CrossChannel: acd.CurrentChannelOnly}
		if m.CrossChannelBehavior != nil {
			c.CrossChannel = m.CrossChannelBehavior.BehaviorType
		}
		out = append(out, c)
	}
	return out
}

type createRoutingProfileInput struct {
	InstanceID             string                `json:"-" path:"InstanceId" ref:"instance"`
	Name                   string                `json:"Name"`
	Description            string                `json:"Description"`
	DefaultOutboundQueueID string                `json:"DefaultOutboundQueueId" ref:"queue"`
	MediaConcurrencies     []mediaConcurrency    `json:"MediaConcurrencies"`
	QueueConfigs           []queueConfig         `json:"QueueConfigs,omitempty"`
	AgentAvailabilityTimer acd.AvailabilityTimer `json:"AgentAvailabilityTimer,omitempty"`
	Tags                   map[string]string     `json:"Tags,omitempty"`
	ManualAssignment       []manualQueueConfig   `json:"ManualAssignmentQueueConfigs,omitempty"`
}

type createRoutingProfileOutput struct {
	RoutingProfileARN string `json:"RoutingProfileArn"`
	RoutingProfileID  string `json:"RoutingProfileId"`
}

func (s *service) createRoutingProfile(
	ctx context.Context, c *rest.Call, in *createRoutingProfileInput,
) (*createRoutingProfileOutput, error) {
	meta, err := head(c, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	p := &acd.RoutingProfile{
		Meta: meta, Description: in.Description, DefaultOutboundQueueID: in.DefaultOutboundQueueID,
		Concurrencies: concurrenciesOf(in.MediaConcurrencies), Queues: profileQueuesOf(in.QueueConfigs),
		AvailabilityTimer: in.AgentAvailabilityTimer, Manual: manualQueuesOf(in.ManualAssignment),
	}
	if p.AvailabilityTimer == "" {
		p.AvailabilityTimer = acd.SinceLastActivity
	}
	if err = s.RoutingProfiles.Create(ctx, p); err != nil {
		return nil, err
	}
	c.Note("routing_profile_id", p.ID)
	return &createRoutingProfileOutput{
		RoutingProfileARN: resource.ARN(p.InstanceID, p.Kind(), p.ID), RoutingProfileID: p.ID,
	}, nil
}

type routingProfileInput struct {
	InstanceID       string `json:"-" path:"InstanceId" ref:"instance"`
	RoutingProfileID string `json:"-" path:"RoutingProfileId" ref:"routing-profile"`
}

type routingProfile struct {
	InstanceID               string                `json:"InstanceId"`
	RoutingProfileID         string                `json:"RoutingProfileId"`
	RoutingProfileARN        string                `json:"RoutingProfileArn"`
	Name                     string                `json:"Name"`
	Description              string                `json:"Description,omitempty"`
	MediaConcurrencies       []mediaConcurrency    `json:"MediaConcurrencies"`
	DefaultOutboundQueueID   string                `json:"DefaultOutboundQueueId"`
	AssociatedQueueIDs       []string              `json:"AssociatedQueueIds"`
	NumberOfAssociatedQueues int                   `json:"NumberOfAssociatedQueues"`
	NumberOfAssociatedUsers  int                   `json:"NumberOfAssociatedUsers"`
	AgentAvailabilityTimer   acd.AvailabilityTimer `json:"AgentAvailabilityTimer"`
	Tags                     map[string]string     `json:"Tags,omitempty"`
	LastModifiedTime         rest.Time             `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion       string                `json:"LastModifiedRegion"`
}

type describeRoutingProfileOutput struct {
	RoutingProfile routingProfile `json:"RoutingProfile"`
}

func (s *service) describeRoutingProfile(
	ctx context.Context, c *rest.Call, in *routingProfileInput,
) (*describeRoutingProfileOutput, error) {
	p, err := s.RoutingProfiles.Get(ctx, c.Instance(), in.RoutingProfileID)
	if err != nil {
		return nil, err
	}
	users, err := resource.All(ctx, s.Users, c.Instance())
	if err != nil {
		return nil, err
	}
	return &describeRoutingProfileOutput{RoutingProfile: routingProfileOf(p, users)}, nil
}

// routingProfileOf shows a profile; users are all of the instance.
func routingProfileOf(p *acd.RoutingProfile, users []*identity.User) routingProfile {
	out := routingProfile{
		InstanceID: p.InstanceID, RoutingProfileID: p.ID, RoutingProfileARN: resource.ARN(p.InstanceID, p.Kind(), p.ID),
		Name: p.Name, Description: p.Description, MediaConcurrencies: []mediaConcurrency{},
		DefaultOutboundQueueID: p.DefaultOutboundQueueID, AssociatedQueueIDs: []string{},
		NumberOfAssociatedQueues: len(p.Queues), AgentAvailabilityTimer: p.AvailabilityTimer, Tags: p.Tags,
		LastModifiedTime: rest.At(p.ModifiedAt), LastModifiedRegion: resource.Region,
	}
	for _, u := range users {
		if u.RoutingProfileID == p.ID {
			out.NumberOfAssociatedUsers++
		}
	}
	for _, m := range p.Concurrencies {
		line := mediaConcurrency{Channel: m.Channel, Concurrency: &m.Limit}
		if m.CrossChannel != "" {
			line.CrossChannelBehavior = &crossChannel{BehaviorType: m.CrossChannel}
		}
		out.MediaConcurrencies = append(out.MediaConcurrencies, line)
	}
	for _, q := range p.Queues {
		if !slices.Contains(out.AssociatedQueueIDs, q.QueueID) {
			out.AssociatedQueueIDs = append(out.AssociatedQueueIDs, q.QueueID)
		}
	}
	return out
}

type listRoutingProfilesOutput struct {
	List      []summary `json:"RoutingProfileSummaryList"`
	NextToken string    `json:"NextToken,omitempty"`
}

func (s *service) listRoutingProfiles(
	ctx context.Context, c *rest.Call, in *listInput,
) (*listRoutingProfilesOutput, error) {
	ps, next, err := page(ctx, s.RoutingProfiles, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &listRoutingProfilesOutput{List: summaries(ps), NextToken: next}, nil
}

func (s *service) editRouting(
	ctx context.Context, c *rest.Call, id string, change func(*acd.RoutingProfile) error,
) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.RoutingProfiles, c.Instance(), id, change)
	return done(err)
}

type updateRoutingNameInput struct {
	InstanceID       string  `json:"-" path:"InstanceId" ref:"instance"`
	RoutingProfileID string  `json:"-" path:"RoutingProfileId" ref:"routing-profile"`
	Name             *string `json:"Name,omitempty"`
	Description      *string `json:"Description,omitempty"`
}

func (s *service) updateRoutingName(ctx context.Context, c *rest.Call, in *updateRoutingNameInput) (*rest.Empty, error) {
	return s.editRouting(ctx, c, in.RoutingProfileID, func(p *acd.RoutingProfile) error {
		set(&p.Name, in.Name)
		set(&p.Description, in.Description)
		return nil
	})
}

type updateRoutingConcurrencyInput struct {
	InstanceID         string             `json:"-" path:"InstanceId" ref:"instance"`
	RoutingProfileID   string             `json:"-" path:"RoutingProfileId" ref:"routing-profile"`
	MediaConcurrencies []mediaConcurrency `json:"MediaConcurrencies"`
}

func (s *service) updateRoutingConcurrency(
	ctx context.Context, c *rest.Call, in *updateRoutingConcurrencyInput,
) (*rest.Empty, error) {
	return s.editRouting(ctx, c, in.RoutingProfileID, func(p *acd.RoutingProfile) error {
		p.Concurrencies = concurrenciesOf(in.MediaConcurrencies)
		return nil
	})
}

type updateRoutingOutboundInput struct {
	InstanceID             string `json:"-" path:"InstanceId" ref:"instance"`
	RoutingProfileID       string `json:"-" path:"RoutingProfileId" ref:"routing-profile"`
	DefaultOutboundQueueID string `json:"DefaultOutboundQueueId" ref:"queue"`
}

func (s *service) updateRoutingOutbound(
	ctx context.Context, c *rest.Call, in *updateRoutingOutboundInput,
) (*rest.Empty, error) {
	return s.editRouting(ctx, c, in.RoutingProfileID, func(p *acd.RoutingProfile) error {
		p.DefaultOutboundQueueID = in.DefaultOutboundQueueID
		return nil
	})
}

type updateRoutingTimerInput struct {
	InstanceID             string                `json:"-" path:"InstanceId" ref:"instance"`
	RoutingProfileID       string                `json:"-" path:"RoutingProfileId" ref:"routing-profile"`
	AgentAvailabilityTimer acd.AvailabilityTimer `json:"AgentAvailabilityTimer"`
}

func (s *service) updateRoutingTimer(ctx context.Context, c *rest.Call, in *updateRoutingTimerInput) (*rest.Empty, error) {
	return s.editRouting(ctx, c, in.RoutingProfileID, func(p *acd.RoutingProfile) error {
		p.AvailabilityTimer = in.AgentAvailabilityTimer
		return nil
	})
}

func (s *service) deleteRoutingProfile(ctx context.Context, c *rest.Call, in *routingProfileInput) (*rest.Empty, error) {
	return done(s.RoutingProfiles.Delete(ctx, c.Instance(), in.RoutingProfileID))
}
