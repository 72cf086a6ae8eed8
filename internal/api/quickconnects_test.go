package api_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/google/go-cmp/cmp"

	"ullim/internal/resource"
)

func TestQuickConnectsThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	user, err := c.ListUsers(ctx, &awsconnect.ListUsersInput{InstanceId: aws.String(ours)})
	must(t, err)
	configs := map[string]*types.QuickConnectConfig{
		"a desk": {QuickConnectType: types.QuickConnectTypeQueue, QueueConfig: &types.QueueQuickConnectConfig{ContactFlowId: aws.String(w.flow), QueueId: aws.String(w.queue)}},
		"a flow": {QuickConnectType: types.QuickConnectTypeFlow, FlowConfig: &types.FlowQuickConnectConfig{ContactFlowId: aws.String(w.flow)}},
		"kim":    {QuickConnectType: types.QuickConnectTypeUser, UserConfig: &types.UserQuickConnectConfig{ContactFlowId: aws.String(w.flow), UserId: user.UserSummaryList[0].Id}},
		"taxi":   {QuickConnectType: types.QuickConnectTypePhoneNumber, PhoneConfig: &types.PhoneNumberQuickConnectConfig{PhoneNumber: aws.String("+82215778000")}},
	}
	ids := map[string]string{}
	for name, config := range configs {
		out, createErr := c.CreateQuickConnect(ctx, &awsconnect.CreateQuickConnectInput{
			InstanceId: aws.String(ours), Name: aws.String(name), QuickConnectConfig: config, Tags: map[string]string{"n": name},
		})
		must(t, createErr)
		ids[name] = *out.QuickConnectId
		if want := resource.ARN(ours, resource.KindQuickConnect, ids[name]); *out.QuickConnectARN != want {
			t.Errorf("ARN %s, want %s", *out.QuickConnectARN, want)
		}
		got, describeErr := c.DescribeQuickConnect(ctx, &awsconnect.DescribeQuickConnectInput{InstanceId: aws.String(ours), QuickConnectId: out.QuickConnectARN})
		must(t, describeErr)
		if d := cmp.Diff(config, got.QuickConnect.QuickConnectConfig, ignoreUnexported()); d != "" || *got.QuickConnect.Name != name {
			t.Errorf("%s: %s", name, d)
		}
	}
	list, err := c.ListQuickConnects(ctx, &awsconnect.ListQuickConnectsInput{
		InstanceId: aws.String(ours), QuickConnectTypes: []types.QuickConnectType{types.QuickConnectTypeUser, types.QuickConnectTypeFlow},
	})
	must(t, err)
	if l := list.QuickConnectSummaryList; len(l) != 2 || *l[0].Name != "a flow" || *l[1].Name != "kim" || l[1].QuickConnectType != types.QuickConnectTypeUser {
		t.Errorf("list %+v", l)
	}
	found, err := c.SearchQuickConnects(ctx, &awsconnect.SearchQuickConnectsInput{
		InstanceId: aws.String(ours), MaxResults: aws.Int32(1),
		SearchCriteria: &types.QuickConnectSearchCriteria{StringCondition: &types.StringCondition{
			FieldName: aws.String("name"), Value: aws.String("A "), ComparisonType: types.StringComparisonTypeStartsWith,
		}},
	})
	must(t, err)
	if len(found.QuickConnects) != 1 || *found.ApproximateTotalCount != 2 || *found.QuickConnects[0].Name != "a desk" || found.NextToken == nil {
		t.Errorf("found %+v", found)
	}
	_, err = c.UpdateQuickConnectName(ctx, &awsconnect.UpdateQuickConnectNameInput{
		InstanceId: aws.String(ours), QuickConnectId: aws.String(ids["taxi"]), Name: aws.String("cab"), Description: aws.String("d"),
	})
	must(t, err)
	_, err = c.UpdateQuickConnectConfig(ctx, &awsconnect.UpdateQuickConnectConfigInput{
		InstanceId: aws.String(ours), QuickConnectId: aws.String(ids["taxi"]), QuickConnectConfig: configs["a desk"],
	})
	must(t, err)
	got, err := c.DescribeQuickConnect(ctx, &awsconnect.DescribeQuickConnectInput{InstanceId: aws.String(ours), QuickConnectId: aws.String(ids["taxi"])})
	must(t, err)
	if q := got.QuickConnect; *q.Name != "cab" || *q.Description != "d" || q.QuickConnectConfig.PhoneConfig != nil || *q.QuickConnectConfig.QueueConfig.QueueId != w.queue {
		t.Errorf("after the updates %+v", q)
	}
}

func TestTheQuickConnectsOfAQueue(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	var ids []string
	for _, name := range []string{"one", "two", "three"} {
		out, err := c.CreateQuickConnect(ctx, &awsconnect.CreateQuickConnectInput{
			InstanceId: aws.String(ours), Name: aws.String(name),
			QuickConnectConfig: &types.QuickConnectConfig{QuickConnectType: types.QuickConnectTypeFlow, FlowConfig: &types.FlowQuickConnectConfig{ContactFlowId: aws.String(w.flow)}},
		})
		must(t, err)
		ids = append(ids, *out.QuickConnectId)
	}
	queue := &awsconnect.ListQueueQuickConnectsInput{InstanceId: aws.String(ours), QueueId: aws.String(w.queue), MaxResults: aws.Int32(2)}
	names := func() (out []string) {
		p := awsconnect.NewListQueueQuickConnectsPaginator(c, queue)
		for p.HasMorePages() {
			l, err := p.NextPage(ctx)
			must(t, err)
			for _, s := range l.QuickConnectSummaryList {
				out = append(out, *s.Name)
			}
		}
		return out
	}
	for range 2 { // associating twice changes nothing
		_, err := c.AssociateQueueQuickConnects(ctx, &awsconnect.AssociateQueueQuickConnectsInput{
			InstanceId: aws.String(ours), QueueId: aws.String(w.queue), QuickConnectIds: ids,
		})
		must(t, err)
	}
	if d := cmp.Diff([]string{"one", "two", "three"}, names()); d != "" {
		t.Error(d)
	}
	_, err := c.DeleteQuickConnect(ctx, &awsconnect.DeleteQuickConnectInput{InstanceId: aws.String(ours), QuickConnectId: aws.String(ids[1])})
	if err == nil || !strings.Contains(err.Error(), "ResourceInUseException") { // which the model does not have for this operation
		t.Errorf("deleted while a queue has it: %v", err)
	}
	_, err = c.DisassociateQueueQuickConnects(ctx, &awsconnect.DisassociateQueueQuickConnectsInput{
		InstanceId: aws.String(ours), QueueId: aws.String(w.queue), QuickConnectIds: ids[1:2],
	})
	must(t, err)
	_, err = c.DeleteQuickConnect(ctx, &awsconnect.DeleteQuickConnectInput{InstanceId: aws.String(ours), QuickConnectId: aws.String(ids[1])})
	must(t, err)
	if d := cmp.Diff([]string{"one", "three"}, names()); d != "" {
		t.Error(d)
	}
	made, err := c.CreateQueue(ctx, &awsconnect.CreateQueueInput{
		InstanceId: aws.String(ours), Name: aws.String("with"), HoursOfOperationId: aws.String(w.hours), QuickConnectIds: ids[:1],
	})
	must(t, err)
	queue.QueueId = made.QueueId
	if d := cmp.Diff([]string{"one"}, names()); d != "" {
		t.Error(d)
	}
}

func TestQuickConnectErrorsAreTyped(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	flow := &types.FlowQuickConnectConfig{ContactFlowId: aws.String(w.flow)}
	for name, config := range map[string]types.QuickConnectConfig{
		"type and member do not fit": {QuickConnectType: types.QuickConnectTypeUser, FlowConfig: flow},
		"two members":                {QuickConnectType: types.QuickConnectTypeFlow, FlowConfig: flow, PhoneConfig: &types.PhoneNumberQuickConnectConfig{PhoneNumber: aws.String("+82215778000")}},
		"nothing":                    {QuickConnectType: types.QuickConnectTypeFlow},
		"no type of ours":            {QuickConnectType: "ELSE", FlowConfig: flow},
		"number is not E.164":        {QuickConnectType: types.QuickConnectTypePhoneNumber, PhoneConfig: &types.PhoneNumberQuickConnectConfig{PhoneNumber: aws.String("02-123-4567")}},
		"no such user":               {QuickConnectType: types.QuickConnectTypeUser, UserConfig: &types.UserQuickConnectConfig{ContactFlowId: aws.String(w.flow), UserId: aws.String("nobody")}},
		"no such queue":              {QuickConnectType: types.QuickConnectTypeQueue, QueueConfig: &types.QueueQuickConnectConfig{ContactFlowId: aws.String(w.flow), QueueId: aws.String("none")}},
	} {
		_, err := c.CreateQuickConnect(ctx, &awsconnect.CreateQuickConnectInput{InstanceId: aws.String(ours), Name: aws.String(name), QuickConnectConfig: &config})
		if wantError[*types.InvalidParameterException](t, err) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	make100 := func(i int) error {
		_, err := c.CreateQuickConnect(ctx, &awsconnect.CreateQuickConnectInput{
			InstanceId: aws.String(ours), Name: aws.String("q" + string(rune('!'+i))), QuickConnectConfig: &types.QuickConnectConfig{QuickConnectType: types.QuickConnectTypeFlow, FlowConfig: flow},
		})
		return err
	}
	for i := range 100 {
		must(t, make100(200+i))
	}
	wantError[*types.LimitExceededException](t, make100(400))
	_, err := c.AssociateQueueQuickConnects(ctx, &awsconnect.AssociateQueueQuickConnectsInput{InstanceId: aws.String(ours), QueueId: aws.String(w.queue), QuickConnectIds: []string{"none"}})
	wantError[*types.InvalidParameterException](t, err)
	_, err = c.DescribeQuickConnect(ctx, &awsconnect.DescribeQuickConnectInput{InstanceId: aws.String(ours), QuickConnectId: aws.String("none")})
	wantError[*types.ResourceNotFoundException](t, err)
}
