package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/google/go-cmp/cmp"

	"ullim/internal/resource"
	"ullim/ivr"
)

func TestTheRunLogIsSearched(t *testing.T) {
	w := newWorld(t)
	at := time.Date(2026, 3, 2, 1, 2, 3, 4000, time.UTC)
	w.runs = []ivr.StoredRun{{ID: "r1", ActionRun: ivr.ActionRun{
		InstanceID: ours, ContactID: "c1", FlowID: w.flow, FlowName: "Main", FlowVersion: 3, FlowType: ivr.TypeInbound, ActionID: "menu",
		ActionType: "GetParticipantInput", ErrorType: "InputTimeLimitExceeded", Error: "no key", Start: at, Duration: 5 * time.Second, Next: "bye",
	}}}
	var out struct {
		Runs      []map[string]any
		NextToken string
	}
	w.admin("admin", "GET", "/flow-runs?contactId=c1&flowId="+resource.ARN(ours, resource.KindFlow, w.flow)+"&actionId=menu&failed=true"+
		"&errorType=InputTimeLimitExceeded&from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00%2B09:00&maxResults=5&nextToken=t", "", &out)
	want := map[string]any{
		"Id": "r1", "ContactId": "c1", "At": "2026-03-02T01:02:03.000004Z", "Seconds": 5.0, "ContactFlowId": w.flow, "ContactFlowName": "Main",
		"ContactFlowVersion": 3.0, "ContactFlowType": "CONTACT_FLOW", "ActionId": "menu", "ActionType": "GetParticipantInput",
		"ErrorType": "InputTimeLimitExceeded", "Error": "no key", "NextAction": "bye",
	}
	if len(out.Runs) != 1 || out.NextToken != "more" {
		t.Fatalf("%+v", out)
	}
	if d := cmp.Diff(want, out.Runs[0]); d != "" {
		t.Error(d)
	}
	asked := ivr.RunQuery{
		InstanceID: ours, ContactID: "c1", FlowID: w.flow, ActionID: "menu", ErrorType: "InputTimeLimitExceeded", Failed: true,
		From: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC),
	}
	if d := cmp.Diff(asked, w.asked); d != "" || w.askedPage != (resource.Page{Max: 5, Token: "t"}) {
		t.Errorf("%+v %s", w.askedPage, d)
	}
	if status, name, _ := w.do("admin", "GET", "/admin/v1/flow-runs?from=yesterday", ""); status != http.StatusBadRequest {
		t.Errorf("from=yesterday: %d %s", status, name)
	}
}

func TestInstanceAttributesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	_, err := c.UpdateInstanceAttribute(ctx, &awsconnect.UpdateInstanceAttributeInput{
		InstanceId: aws.String(ours), AttributeType: types.InstanceAttributeTypeContactflowLogs, Value: aws.String("true"),
	})
	must(t, err)
	got, err := c.DescribeInstanceAttribute(ctx, &awsconnect.DescribeInstanceAttributeInput{
		InstanceId: aws.String(ours), AttributeType: types.InstanceAttributeTypeContactflowLogs,
	})
	must(t, err)
	if *got.Attribute.Value != "true" {
		t.Errorf("logs are %s", *got.Attribute.Value)
	}
	list, err := c.ListInstanceAttributes(ctx, &awsconnect.ListInstanceAttributesInput{InstanceId: aws.String(ours)})
	must(t, err)
	if len(list.Attributes) != 3 || *list.Attributes[0].Value != "true" {
		t.Errorf("%+v", list.Attributes)
	}
	_, err = c.UpdateInstanceAttribute(ctx, &awsconnect.UpdateInstanceAttributeInput{
		InstanceId: aws.String(ours), AttributeType: types.InstanceAttributeTypeContactflowLogs, Value: aws.String("perhaps"),
	})
	wantError[*types.InvalidParameterException](t, err)
	var settings struct {
		FlowLogs    bool
		FlowLogDays int
	}
	w.admin("admin", "PUT", "/instance", `{"FlowLogDays":7}`, nil)
	w.admin("admin", "GET", "/instance", "", &settings)
	if !settings.FlowLogs || settings.FlowLogDays != 7 {
		t.Errorf("%+v", settings)
	}
	if status, _, answer := w.do("admin", "PUT", "/admin/v1/instance", `{"FlowLogDays":9999}`); status != http.StatusBadRequest {
		t.Errorf("9999 days: %d %s", status, answer)
	}
}
