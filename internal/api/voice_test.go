package api_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/resource"
)

func TestCallsArePlacedTransferredAndMonitoredThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	id, live, flow := aws.String(ours), aws.String(liveContact), aws.String(w.flow)
	number, err := c.ClaimPhoneNumber(ctx, &awsconnect.ClaimPhoneNumberInput{InstanceId: id, PhoneNumber: aws.String("+82215770000")})
	must(t, err)
	_, err = resource.Edit(ctx, w.o.Connect.Queues, ours, w.queue, func(q *acd.Queue) error {
		q.OutboundCallerNumber, q.OutboundCallerIDName = *number.PhoneNumberId, "Acme"
		return nil
	})
	must(t, err)
	start := awsconnect.StartOutboundVoiceContactInput{
		InstanceId: id, ContactFlowId: flow, DestinationPhoneNumber: aws.String("+821012340001"), QueueId: aws.String(w.queue),
		Attributes: map[string]string{"why": "broken"}, TrafficType: types.TrafficTypeGeneral, RingTimeoutInSeconds: aws.Int32(20),
		ClientToken: aws.String("one"), Name: aws.String("n"), References: map[string]types.Reference{"order": {Type: types.ReferenceTypeString, Value: aws.String("7")}},
	}
	first, err := c.StartOutboundVoiceContact(ctx, &start)
	must(t, err)
	again, err := c.StartOutboundVoiceContact(ctx, &start)
	must(t, err)
	start.ClientToken = aws.String("two")
	other, err := c.StartOutboundVoiceContact(ctx, &start)
	must(t, err)
	if *first.ContactId != *again.ContactId || *first.ContactId == *other.ContactId {
		t.Errorf("contacts %s, %s, %s", *first.ContactId, *again.ContactId, *other.ContactId)
	}
	user, err := w.o.Connect.Users.GetByName(ctx, ours, "admin")
	must(t, err)
	to, err := c.TransferContact(ctx, &awsconnect.TransferContactInput{InstanceId: id, ContactId: live, ContactFlowId: flow, QueueId: aws.String(w.queue)})
	must(t, err)
	if *to.ContactId != "next" || !strings.HasSuffix(*to.ContactArn, "/contact/next") {
		t.Errorf("transferred to %s, %s", *to.ContactId, *to.ContactArn)
	}
	_, err = c.TransferContact(ctx, &awsconnect.TransferContactInput{InstanceId: id, ContactId: live, ContactFlowId: flow, UserId: aws.String(user.ID)})
	must(t, err)
	for _, can := range [][]types.MonitorCapability{nil, {types.MonitorCapabilitySilentMonitor}, {types.MonitorCapabilitySilentMonitor, types.MonitorCapabilityBarge}, {types.MonitorCapabilityBarge}} {
		out, monitorErr := c.MonitorContact(ctx, &awsconnect.MonitorContactInput{InstanceId: id, ContactId: live, UserId: aws.String(user.ID), AllowedMonitorCapabilities: can})
		must(t, monitorErr)
		if *out.ContactId != liveContact {
			t.Errorf("monitored %s", *out.ContactId)
		}
	}
	flows := w.flow
	queued := "hand over {UserID: QueueID:" + w.queue + " Number: FlowID: TransferFlowID:" + flows + "}"
	agent := "hand over {UserID:" + user.ID + " QueueID: Number: FlowID: TransferFlowID:" + flows + "}"
	placed := "originate +821012340001 from +82215770000 Acme by " + flows + " for BasicQueue, map[why:broken] 20s"
	want := []string{
		placed, placed, placed, queued, agent, "invite " + user.ID + " true 1", "invite " + user.ID + " true 1", "invite " + user.ID + " true 1", "invite " + user.ID + " true 0",
	}
	if d := cmp.Diff(want, w.calls.asked); d != "" {
		t.Error(d)
	}
}

func TestCallsThatCannotBeAreRefused(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	id, flow := aws.String(ours), aws.String(w.flow)
	for name, change := range map[string]func(in *awsconnect.StartOutboundVoiceContactInput){
		"no E.164": func(in *awsconnect.StartOutboundVoiceContactInput) {
			in.DestinationPhoneNumber = aws.String("010-1234-0001")
		},
		"no caller":         func(in *awsconnect.StartOutboundVoiceContactInput) { in.SourcePhoneNumber = nil },
		"a caller not ours": func(in *awsconnect.StartOutboundVoiceContactInput) { in.SourcePhoneNumber = aws.String("+82215779999") },
		"a queue without one": func(in *awsconnect.StartOutboundVoiceContactInput) {
			in.SourcePhoneNumber, in.QueueId = nil, aws.String(w.queue)
		},
		"a campaign":     func(in *awsconnect.StartOutboundVoiceContactInput) { in.TrafficType = types.TrafficTypeCampaign },
		"rings too long": func(in *awsconnect.StartOutboundVoiceContactInput) { in.RingTimeoutInSeconds = aws.Int32(61) },
		"machines": func(in *awsconnect.StartOutboundVoiceContactInput) {
			in.AnswerMachineDetectionConfig = &types.AnswerMachineDetectionConfig{EnableAnswerMachineDetection: true}
		},
		"references": func(in *awsconnect.StartOutboundVoiceContactInput) {
			in.References = map[string]types.Reference{"f": {Type: types.ReferenceTypeAttachment}}
		},
	} {
		in := &awsconnect.StartOutboundVoiceContactInput{InstanceId: id, ContactFlowId: flow, DestinationPhoneNumber: aws.String("+821012340001"), SourcePhoneNumber: aws.String("+82215770000")}
		change(in)
		if _, err := c.StartOutboundVoiceContact(ctx, in); wantError[*types.InvalidParameterException](t, err) == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	invalid := func(err error) { // which the model of these operations has not
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "InvalidParameterException") {
			t.Errorf("want it refused, got %v", err)
		}
	}
	_, err := c.TransferContact(ctx, &awsconnect.TransferContactInput{InstanceId: id, ContactId: aws.String(liveContact), ContactFlowId: flow})
	invalid(err)
	_, err = c.TransferContact(ctx, &awsconnect.TransferContactInput{InstanceId: id, ContactId: aws.String("none"), ContactFlowId: flow, QueueId: aws.String(w.queue)})
	wantError[*types.ResourceNotFoundException](t, err)
	_, err = c.MonitorContact(ctx, &awsconnect.MonitorContactInput{
		InstanceId: id, ContactId: aws.String(liveContact), UserId: aws.String("u"), AllowedMonitorCapabilities: []types.MonitorCapability{"WHISPER"},
	})
	invalid(err)
	if len(w.calls.asked) > 0 {
		t.Errorf("asked for %v", w.calls.asked)
	}
}
