package api_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/google/go-cmp/cmp"

	"ullim/internal/resource"
)

func slice(hours, minutes int32) *types.HoursOfOperationTimeSlice {
	return &types.HoursOfOperationTimeSlice{Hours: aws.Int32(hours), Minutes: aws.Int32(minutes)}
}

func TestHoursThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	config := []types.HoursOfOperationConfig{
		{Day: types.HoursOfOperationDaysMonday, StartTime: slice(9, 0), EndTime: slice(12, 30)},
		{Day: types.HoursOfOperationDaysMonday, StartTime: slice(13, 30), EndTime: slice(18, 0)},
		{Day: types.HoursOfOperationDaysSunday, StartTime: slice(0, 0), EndTime: slice(0, 0)},
	}
	created, err := c.CreateHoursOfOperation(ctx, &awsconnect.CreateHoursOfOperationInput{
		InstanceId: aws.String(ours), Name: aws.String("Shop"), TimeZone: aws.String("Asia/Seoul"), Config: config,
	})
	must(t, err)
	describe := func() *types.HoursOfOperation {
		t.Helper()
		got, derr := c.DescribeHoursOfOperation(ctx, &awsconnect.DescribeHoursOfOperationInput{
			InstanceId: aws.String(ours), HoursOfOperationId: created.HoursOfOperationArn,
		})
		must(t, derr)
		return got.HoursOfOperation
	}
	h := describe()
	if d := cmp.Diff(config, h.Config, ignoreUnexported()); d != "" || *h.TimeZone != "Asia/Seoul" || *h.Name != "Shop" ||
		*h.HoursOfOperationArn != resource.ARN(ours, resource.KindHours, *h.HoursOfOperationId) {
		t.Errorf("%+v\n%s", h, d)
	}
	_, err = c.UpdateHoursOfOperation(ctx, &awsconnect.UpdateHoursOfOperationInput{
		InstanceId: aws.String(ours), HoursOfOperationId: created.HoursOfOperationId, Description: aws.String("new"),
		Config: config[:1],
	})
	must(t, err)
	if h = describe(); len(h.Config) != 1 || *h.Description != "new" || *h.Name != "Shop" {
		t.Errorf("after update: %+v", h)
	}
	_, err = c.CreateHoursOfOperation(ctx, &awsconnect.CreateHoursOfOperationInput{
		InstanceId: aws.String(ours), Name: aws.String("Bad"), TimeZone: aws.String("Asia/Nowhere"), Config: config,
	})
	wantError[*types.InvalidParameterException](t, err)
	list, err := c.ListHoursOfOperations(ctx, &awsconnect.ListHoursOfOperationsInput{InstanceId: aws.String(ours)})
	must(t, err)
	if n := len(list.HoursOfOperationSummaryList); n != 2 {
		t.Errorf("%d hours listed", n)
	}
	_, err = c.DeleteHoursOfOperation(ctx, &awsconnect.DeleteHoursOfOperationInput{
		InstanceId: aws.String(ours), HoursOfOperationId: created.HoursOfOperationId,
	})
	must(t, err)
	_, err = c.DeleteHoursOfOperation(ctx, &awsconnect.DeleteHoursOfOperationInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours),
	})
	if err == nil {
		t.Error("hours in use were deleted")
	}
}

func TestRoutingProfilesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	second, err := c.CreateQueue(ctx, &awsconnect.CreateQueueInput{
		InstanceId: aws.String(ours), Name: aws.String("VIP"), HoursOfOperationId: aws.String(w.hours),
	})
	must(t, err)
	line := func(queue string, priority, delay int32) types.RoutingProfileQueueConfig {
		return types.RoutingProfileQueueConfig{
			Priority: aws.Int32(priority), Delay: aws.Int32(delay),
			QueueReference: &types.RoutingProfileQueueReference{QueueId: aws.String(queue), Channel: types.ChannelVoice},
		}
	}
	media := []types.MediaConcurrency{
		{Channel: types.ChannelVoice, Concurrency: aws.Int32(1)},
		{Channel: types.ChannelChat, Concurrency: aws.Int32(3), CrossChannelBehavior: &types.CrossChannelBehavior{
			BehaviorType: types.BehaviorTypeRouteAnyChannel,
		}},
	}
	created, err := c.CreateRoutingProfile(ctx, &awsconnect.CreateRoutingProfileInput{
		InstanceId: aws.String(ours), Name: aws.String("Team"), Description: aws.String("d"),
		DefaultOutboundQueueId: aws.String(w.queue), MediaConcurrencies: media,
		QueueConfigs: []types.RoutingProfileQueueConfig{line(w.queue, 2, 30)},
	})
	must(t, err)
	id := created.RoutingProfileId
	queues := func() []string {
		t.Helper()
		got, lerr := c.ListRoutingProfileQueues(ctx, &awsconnect.ListRoutingProfileQueuesInput{
			InstanceId: aws.String(ours), RoutingProfileId: id,
		})
		must(t, lerr)
		var out []string
		for _, q := range got.RoutingProfileQueueConfigSummaryList {
			out = append(out, fmt.Sprint(*q.QueueName, " ", q.Channel, " ", *q.Priority))
		}
		return out
	}
	want := func(when string, lines ...string) {
		t.Helper()
		if d := cmp.Diff(lines, queues()); d != "" {
			t.Errorf("%s: %s", when, d)
		}
	}
	want("created", "BasicQueue VOICE 2")
	_, err = c.AssociateRoutingProfileQueues(ctx, &awsconnect.AssociateRoutingProfileQueuesInput{
		InstanceId: aws.String(ours), RoutingProfileId: id,
		QueueConfigs: []types.RoutingProfileQueueConfig{line(*second.QueueArn, 1, 0)},
	})
	must(t, err)
	want("associated", "BasicQueue VOICE 2", "VIP VOICE 1")
	_, err = c.UpdateRoutingProfileQueues(ctx, &awsconnect.UpdateRoutingProfileQueuesInput{
		InstanceId: aws.String(ours), RoutingProfileId: id,
		QueueConfigs: []types.RoutingProfileQueueConfig{line(w.queue, 5, 0)},
	})
	must(t, err)
	want("updated", "BasicQueue VOICE 5", "VIP VOICE 1")
	_, err = c.DisassociateRoutingProfileQueues(ctx, &awsconnect.DisassociateRoutingProfileQueuesInput{
		InstanceId: aws.String(ours), RoutingProfileId: id,
		QueueReferences: []types.RoutingProfileQueueReference{{QueueId: aws.String(w.queue), Channel: types.ChannelVoice}},
	})
	must(t, err)
	want("disassociated", "VIP VOICE 1")
	_, err = c.UpdateRoutingProfileQueues(ctx, &awsconnect.UpdateRoutingProfileQueuesInput{
		InstanceId: aws.String(ours), RoutingProfileId: id,
		QueueConfigs: []types.RoutingProfileQueueConfig{line(w.queue, 5, 0)},
	})
	wantError[*types.ResourceNotFoundException](t, err)

	_, err = c.UpdateRoutingProfileName(ctx, &awsconnect.UpdateRoutingProfileNameInput{
		InstanceId: aws.String(ours), RoutingProfileId: id, Name: aws.String("Team 2"),
	})
	must(t, err)
	_, err = c.UpdateRoutingProfileConcurrency(ctx, &awsconnect.UpdateRoutingProfileConcurrencyInput{
		InstanceId: aws.String(ours), RoutingProfileId: id, MediaConcurrencies: media[:1],
	})
	must(t, err)
	_, err = c.UpdateRoutingProfileConcurrency(ctx, &awsconnect.UpdateRoutingProfileConcurrencyInput{
		InstanceId: aws.String(ours), RoutingProfileId: id,
		MediaConcurrencies: []types.MediaConcurrency{{Channel: types.ChannelVoice, Concurrency: aws.Int32(2)}},
	})
	wantError[*types.InvalidParameterException](t, err)
	_, err = c.UpdateRoutingProfileDefaultOutboundQueue(ctx, &awsconnect.UpdateRoutingProfileDefaultOutboundQueueInput{
		InstanceId: aws.String(ours), RoutingProfileId: id, DefaultOutboundQueueId: second.QueueArn,
	})
	must(t, err)
	_, err = c.UpdateRoutingProfileAgentAvailabilityTimer(ctx, &awsconnect.UpdateRoutingProfileAgentAvailabilityTimerInput{
		InstanceId: aws.String(ours), RoutingProfileId: id, AgentAvailabilityTimer: types.AgentAvailabilityTimerTimeSinceLastInbound,
	})
	must(t, err)
	got, err := c.DescribeRoutingProfile(ctx, &awsconnect.DescribeRoutingProfileInput{
		InstanceId: aws.String(ours), RoutingProfileId: created.RoutingProfileArn,
	})
	must(t, err)
	p := got.RoutingProfile
	if *p.Name != "Team 2" || *p.Description != "d" || len(p.MediaConcurrencies) != 1 ||
		p.MediaConcurrencies[0].CrossChannelBehavior.BehaviorType != types.BehaviorTypeRouteCurrentChannelOnly ||
		*p.DefaultOutboundQueueId != *second.QueueId || *p.NumberOfAssociatedQueues != 1 || *p.NumberOfAssociatedUsers != 0 ||
		p.AgentAvailabilityTimer != types.AgentAvailabilityTimerTimeSinceLastInbound || *p.InstanceId != ours {
		t.Errorf("after the updates: %+v", p)
	}
	list, err := c.ListRoutingProfiles(ctx, &awsconnect.ListRoutingProfilesInput{InstanceId: aws.String(ours)})
	must(t, err)
	if n := len(list.RoutingProfileSummaryList); n != 2 {
		t.Errorf("%d profiles listed", n)
	}
	_, err = c.DeleteRoutingProfile(ctx, &awsconnect.DeleteRoutingProfileInput{InstanceId: aws.String(ours), RoutingProfileId: id})
	must(t, err)
	_, err = c.DeleteRoutingProfile(ctx, &awsconnect.DeleteRoutingProfileInput{
		InstanceId: aws.String(ours), RoutingProfileId: aws.String(w.routing),
	})
	wantError[*types.ResourceInUseException](t, err)
}
