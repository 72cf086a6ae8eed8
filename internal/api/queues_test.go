package api_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/google/go-cmp/cmp"

	"ullim/internal/resource"
)

func TestQueuesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	created, err := c.CreateQueue(ctx, &awsconnect.CreateQueueInput{
		InstanceId: aws.String(ours), Name: aws.String("상담 1"), Description: aws.String("d"),
		HoursOfOperationId: aws.String(w.hours), MaxContacts: aws.Int32(7), Tags: map[string]string{"a": "b"},
		OutboundCallerConfig: &types.OutboundCallerConfig{OutboundCallerIdName: aws.String("Acme")},
	})
	must(t, err)
	if want := resource.ARN(ours, resource.KindQueue, *created.QueueId); *created.QueueArn != want {
		t.Errorf("ARN %s, want %s", *created.QueueArn, want)
	}
	// Instance and queue by ARN: their slashes arrive as %2F.
	in := &awsconnect.DescribeQueueInput{
		InstanceId: aws.String(resource.ARN(ours, resource.KindInstance, "")), QueueId: created.QueueArn,
	}
	got, err := c.DescribeQueue(ctx, in)
	must(t, err)
	q := got.Queue
	if time.Since(*q.LastModifiedTime) > time.Minute {
		t.Errorf("LastModifiedTime %v", q.LastModifiedTime)
	}
	q.LastModifiedTime = nil
	want := &types.Queue{
		QueueId: created.QueueId, QueueArn: created.QueueArn, Name: aws.String("상담 1"), Description: aws.String("d"),
		HoursOfOperationId: aws.String(w.hours), MaxContacts: aws.Int32(7), Status: types.QueueStatusEnabled,
		OutboundCallerConfig: &types.OutboundCallerConfig{OutboundCallerIdName: aws.String("Acme")},
		Tags:                 map[string]string{"a": "b"}, LastModifiedRegion: aws.String("local"),
	}
	if d := cmp.Diff(want, q, ignoreUnexported()); d != "" {
		t.Error(d)
	}

	id := created.QueueId
	_, err = c.UpdateQueueName(ctx, &awsconnect.UpdateQueueNameInput{
		InstanceId: aws.String(ours), QueueId: id, Name: aws.String("Sales"), Description: aws.String(""),
	})
	must(t, err)
	_, err = c.UpdateQueueMaxContacts(ctx, &awsconnect.UpdateQueueMaxContactsInput{InstanceId: aws.String(ours), QueueId: id})
	must(t, err)
	_, err = c.UpdateQueueStatus(ctx, &awsconnect.UpdateQueueStatusInput{
		InstanceId: aws.String(ours), QueueId: id, Status: types.QueueStatusDisabled,
	})
	must(t, err)
	_, err = c.UpdateQueueOutboundCallerConfig(ctx, &awsconnect.UpdateQueueOutboundCallerConfigInput{
		InstanceId: aws.String(ours), QueueId: id,
		OutboundCallerConfig: &types.OutboundCallerConfig{OutboundFlowId: aws.String(resource.ARN(ours, resource.KindFlow, w.flow))},
	})
	must(t, err)
	hours, err := c.CreateHoursOfOperation(ctx, &awsconnect.CreateHoursOfOperationInput{
		InstanceId: aws.String(ours), Name: aws.String("Always"), TimeZone: aws.String("UTC"), Config: []types.HoursOfOperationConfig{},
	})
	must(t, err)
	_, err = c.UpdateQueueHoursOfOperation(ctx, &awsconnect.UpdateQueueHoursOfOperationInput{
		InstanceId: aws.String(ours), QueueId: id, HoursOfOperationId: hours.HoursOfOperationArn,
	})
	must(t, err)
	in.QueueId = id
	got, err = c.DescribeQueue(ctx, in)
	must(t, err)
	q = got.Queue
	if *q.Name != "Sales" || q.Description != nil || q.MaxContacts != nil || q.Status != types.QueueStatusDisabled ||
		*q.HoursOfOperationId != *hours.HoursOfOperationId || *q.OutboundCallerConfig.OutboundFlowId != w.flow ||
		q.OutboundCallerConfig.OutboundCallerIdName != nil {
		t.Errorf("after the updates: %+v", q)
	}

	list, err := c.ListQueues(ctx, &awsconnect.ListQueuesInput{
		InstanceId: aws.String(ours), QueueTypes: []types.QueueType{types.QueueTypeStandard, types.QueueTypeAgent},
	})
	must(t, err)
	if len(list.QueueSummaryList) != 2 || *list.QueueSummaryList[0].Name != "BasicQueue" ||
		list.QueueSummaryList[1].QueueType != types.QueueTypeStandard {
		t.Errorf("list: %+v", list.QueueSummaryList)
	}
	_, err = c.DeleteQueue(ctx, &awsconnect.DeleteQueueInput{InstanceId: aws.String(ours), QueueId: id})
	must(t, err)
	_, err = c.DescribeQueue(ctx, in)
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("describe after delete: %v", err)
	}
}

func TestQueueErrorsAreTyped(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	create := func(name, hours string, most int32) error {
		_, err := c.CreateQueue(ctx, &awsconnect.CreateQueueInput{
			InstanceId: aws.String(ours), Name: aws.String(name), HoursOfOperationId: aws.String(hours), MaxContacts: aws.Int32(most),
		})
		return err
	}
	wantError[*types.DuplicateResourceException](t, create("BasicQueue", w.hours, 1))
	wantError[*types.InvalidParameterException](t, create("x", "no-such-hours", 1))
	wantError[*types.InvalidParameterException](t, create("x", w.hours, -1))
	wantError[*types.InvalidParameterException](t, create("a\nb", w.hours, 1))
	wantError[*types.ResourceNotFoundException](t, create("x", resource.ARN(theirs, resource.KindHours, "x"), 1))
	_, err := c.DeleteQueue(ctx, &awsconnect.DeleteQueueInput{InstanceId: aws.String(ours), QueueId: aws.String(w.queue)})
	wantError[*types.ResourceInUseException](t, err)
	_, err = c.DeleteQueue(ctx, &awsconnect.DeleteQueueInput{InstanceId: aws.String(ours), QueueId: aws.String("none")})
	wantError[*types.ResourceNotFoundException](t, err)
	_, err = c.CreateQueue(ctx, &awsconnect.CreateQueueInput{
		InstanceId: aws.String(ours), Name: aws.String("x"), HoursOfOperationId: aws.String(w.hours),
		QuickConnectIds: []string{"q"},
	})
	wantError[*types.InvalidParameterException](t, err)
	_, err = c.ListQueues(ctx, &awsconnect.ListQueuesInput{InstanceId: aws.String(ours), MaxResults: aws.Int32(1001)})
	wantError[*types.InvalidParameterException](t, err)
}

func TestListsComeInPages(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	for _, name := range []string{"q1", "q2", "q3", "q4"} {
		_, err := c.CreateQueue(ctx, &awsconnect.CreateQueueInput{
			InstanceId: aws.String(ours), Name: aws.String(name), HoursOfOperationId: aws.String(w.hours),
		})
		must(t, err)
	}
	var names []string
	pages := 0
	p := awsconnect.NewListQueuesPaginator(c, &awsconnect.ListQueuesInput{InstanceId: aws.String(ours), MaxResults: aws.Int32(2)})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		must(t, err)
		pages++
		for _, q := range page.QueueSummaryList {
			names = append(names, *q.Name)
		}
	}
	if d := cmp.Diff([]string{"BasicQueue", "q1", "q2", "q3", "q4"}, names); d != "" || pages != 3 {
		t.Errorf("%d pages: %s", pages, d)
	}
}

// wantError asserts a typed SDK error and gives it.
func wantError[E error](t *testing.T, err error) E {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Errorf("want %T, got %v", e, err)
	}
	return e
}

func ignoreUnexported() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool {
		f, ok := p.Last().(cmp.StructField)
		return ok && f.Name() == "noSmithyDocumentSerde"
	}, cmp.Ignore())
}
