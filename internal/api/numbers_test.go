package api_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/google/go-cmp/cmp"

	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/resource"
)

func TestPhoneNumbersThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	const number = "+82215778000"
	instance := resource.ARN(ours, resource.KindInstance, ours)
	search := func() int {
		t.Helper()
		got, err := c.SearchAvailablePhoneNumbers(ctx, &awsconnect.SearchAvailablePhoneNumbersInput{
			TargetArn: aws.String(instance), PhoneNumberCountryCode: types.PhoneNumberCountryCodeKr,
			PhoneNumberType: types.PhoneNumberTypeDid, PhoneNumberPrefix: aws.String(number),
		})
		must(t, err)
		return len(got.AvailableNumbersList)
	}
	if n := search(); n != 1 {
		t.Errorf("%d available before the claim", n)
	}
	claim := func(number, target string) (*awsconnect.ClaimPhoneNumberOutput, error) {
		return c.ClaimPhoneNumber(ctx, &awsconnect.ClaimPhoneNumberInput{
			PhoneNumber: aws.String(number), TargetArn: aws.String(target), PhoneNumberDescription: aws.String("main"),
		})
	}
	created, err := claim(number, instance)
	must(t, err)
	if n := search(); n != 0 {
		t.Errorf("%d available after the claim", n)
	}
	_, err = claim(number, instance)
	wantCode(t, err, "DuplicateResourceException")
	_, err = claim("+8210abc", instance)
	wantError[*types.InvalidParameterException](t, err)
	_, err = claim("+82215778001", resource.ARN(theirs, resource.KindInstance, ""))
	wantError[*types.ResourceNotFoundException](t, err)
	describe := func() *types.ClaimedPhoneNumberSummary {
		t.Helper()
		got, derr := c.DescribePhoneNumber(ctx, &awsconnect.DescribePhoneNumberInput{PhoneNumberId: created.PhoneNumberArn})
		must(t, derr)
		return got.ClaimedPhoneNumberSummary
	}
	want := &types.ClaimedPhoneNumberSummary{
		PhoneNumberId: created.PhoneNumberId, PhoneNumberArn: aws.String(resource.ARN(ours, resource.KindPhoneNumber, *created.PhoneNumberId)),
		PhoneNumber: aws.String(number), PhoneNumberCountryCode: types.PhoneNumberCountryCodeKr,
		PhoneNumberType: types.PhoneNumberTypeDid, PhoneNumberDescription: aws.String("main"), TargetArn: aws.String(instance),
		InstanceId: aws.String(ours), PhoneNumberStatus: &types.PhoneNumberStatus{Status: types.PhoneNumberWorkflowStatusClaimed},
	}
	if d := cmp.Diff(want, describe(), ignoreUnexported()); d != "" {
		t.Error(d)
	}
	short, err := claim("2001", instance)
	must(t, err)
	_, err = claim("+82800001234", instance)
	must(t, err)

	list, err := c.ListPhoneNumbersV2(ctx, &awsconnect.ListPhoneNumbersV2Input{
		TargetArn: aws.String(instance), PhoneNumberTypes: []types.PhoneNumberType{types.PhoneNumberTypeDid, types.PhoneNumberTypeShortCode},
	})
	must(t, err)
	var got []string
	for _, n := range list.ListPhoneNumbersSummaryList {
		got = append(got, *n.PhoneNumber+" "+string(n.PhoneNumberType))
	}
	if d := cmp.Diff([]string{number + " DID", "2001 SHORT_CODE"}, got); d != "" {
		t.Error(d)
	}
	old, err := c.ListPhoneNumbers(ctx, &awsconnect.ListPhoneNumbersInput{InstanceId: aws.String(ours)})
	must(t, err)
	if len(old.PhoneNumberSummaryList) != 3 {
		t.Errorf("old list: %+v", old.PhoneNumberSummaryList)
	}

	associate := func(number, flow string) error {
		_, aerr := c.AssociatePhoneNumberContactFlow(ctx, &awsconnect.AssociatePhoneNumberContactFlowInput{
			InstanceId: aws.String(ours), PhoneNumberId: aws.String(number), ContactFlowId: aws.String(flow),
		})
		return aerr
	}
	must(t, associate(*created.PhoneNumberArn, resource.ARN(ours, resource.KindFlow, w.flow)))
	wantError[*types.ResourceNotFoundException](t, associate(*created.PhoneNumberId, "none"))
	stored, err := w.o.Connect.Numbers.Get(ctx, ours, *created.PhoneNumberId)
	must(t, err)
	if stored.FlowID != w.flow {
		t.Errorf("flow %q", stored.FlowID)
	}
	_, err = c.DeleteContactFlow(ctx, &awsconnect.DeleteContactFlowInput{InstanceId: aws.String(ours), ContactFlowId: aws.String(w.flow)})
	wantCode(t, err, "ResourceInUseException")
	_, err = c.DisassociatePhoneNumberContactFlow(ctx, &awsconnect.DisassociatePhoneNumberContactFlowInput{
		InstanceId: aws.String(ours), PhoneNumberId: created.PhoneNumberId,
	})
	must(t, err)
	_, err = c.UpdatePhoneNumberMetadata(ctx, &awsconnect.UpdatePhoneNumberMetadataInput{
		PhoneNumberId: created.PhoneNumberId, PhoneNumberDescription: aws.String("changed"),
	})
	must(t, err)
	if stored, err = w.o.Connect.Numbers.Get(ctx, ours, *created.PhoneNumberId); err != nil || stored.FlowID != "" ||
		stored.Description != "changed" {
		t.Errorf("%+v %v", stored, err)
	}

	var trunk struct{ TrunkId string }
	w.admin("admin", "POST", "/trunks", `{"Name":"carrier","Addresses":["192.0.2.1"]}`, &trunk)
	w.admin("admin", "PUT", "/phone-numbers/"+*short.PhoneNumberId+"/trunk", `{"TrunkId":"`+trunk.TrunkId+`"}`, nil)
	if stored, err = w.o.Connect.Numbers.Get(ctx, ours, *short.PhoneNumberId); err != nil || stored.TrunkID != trunk.TrunkId {
		t.Errorf("%+v %v", stored, err)
	}
	_, err = c.ReleasePhoneNumber(ctx, &awsconnect.ReleasePhoneNumberInput{PhoneNumberId: created.PhoneNumberArn})
	must(t, err)
	_, err = c.DescribePhoneNumber(ctx, &awsconnect.DescribePhoneNumberInput{PhoneNumberId: created.PhoneNumberId})
	wantError[*types.ResourceNotFoundException](t, err)
}

func TestContactsThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	at := func(seconds int) time.Time {
		return time.Date(2026, 11, 22, 9, 0, 0, 250e6, time.UTC).Add(time.Duration(seconds) * time.Second)
	}
	full := &contact.Record{
		ID: "c1", InstanceID: ours, InitialContactID: "c0", Channel: contact.Voice, InitiationMethod: contact.Inbound,
		InitiationTimestamp: at(0), ConnectedToSystemTimestamp: at(1), DisconnectTimestamp: at(60), LastUpdateTimestamp: at(70),
		CustomerEndpoint: contact.Endpoint{Type: contact.TelephoneNumber, Address: "+821012345678"},
		SystemEndpoint:   contact.Endpoint{Type: contact.TelephoneNumber, Address: "+82215778000"},
		Queue:            &contact.QueueInfo{ID: w.queue, EnqueueTimestamp: at(5), DequeueTimestamp: at(15)},
		Agent: &contact.AgentInfo{
			ID: "u1", RingStartTimestamp: at(10), AcceptedByAgentTimestamp: at(14), ConnectedToAgentTimestamp: at(15),
			AfterContactWorkStart: at(60), AfterContactWorkEnd: at(70),
		},
		DisconnectReason: contact.CustomerDisconnect, Attributes: map[string]string{"lang": "ko"},
		Recordings: []contact.Recording{
			{Location: "connect/acme/CallRecordings/a.wav", Start: at(15), Stop: at(60), Status: contact.RecordingAvailable},
			{Location: "connect/acme/CallRecordings/b.wav", Status: contact.RecordingSpooled},
		},
	}
	w.records.records = []*contact.Record{
		{ID: "c3", InstanceID: ours, Channel: contact.Voice, InitiationMethod: contact.Inbound, InitiationTimestamp: at(200)},
		{ID: "x", InstanceID: theirs, InitiationTimestamp: at(150)},
		{ID: "c2", InstanceID: ours, Channel: contact.Voice, InitiationMethod: contact.Outbound, InitiationTimestamp: at(100)},
		full,
	}
	got, err := c.DescribeContact(ctx, &awsconnect.DescribeContactInput{InstanceId: aws.String(ours), ContactId: aws.String("c1")})
	must(t, err)
	ptr := func(seconds int) *time.Time { return aws.Time(at(seconds)) }
	want := &types.Contact{
		Arn: aws.String(resource.ARN(ours, rest.KindContact, "c1")), Id: aws.String("c1"), InitialContactId: aws.String("c0"),
		ContactAssociationId: aws.String("c0"),
		SegmentAttributes:    map[string]types.SegmentAttributeValue{"connect:Subtype": {ValueString: aws.String("connect:Telephony")}},
		Channel:              types.ChannelVoice, InitiationMethod: types.ContactInitiationMethodInbound, InitiationTimestamp: ptr(0),
		ConnectedToSystemTimestamp: ptr(1), RingStartTimestamp: ptr(10), DisconnectTimestamp: ptr(60), LastUpdateTimestamp: ptr(70),
		QueueInfo: &types.QueueInfo{Id: aws.String(w.queue), EnqueueTimestamp: ptr(5)},
		AgentInfo: &types.AgentInfo{
			Id: aws.String("u1"), ConnectedToAgentTimestamp: ptr(15), AcceptedByAgentTimestamp: ptr(14),
			AfterContactWorkStartTimestamp: ptr(60), AfterContactWorkEndTimestamp: ptr(70), AfterContactWorkDuration: aws.Int32(10),
		},
		CustomerEndpoint: &types.EndpointInfo{Type: types.EndpointTypeTelephoneNumber, Address: aws.String("+821012345678")},
		SystemEndpoint:   &types.EndpointInfo{Type: types.EndpointTypeTelephoneNumber, Address: aws.String("+82215778000")},
		DisconnectReason: aws.String("CUSTOMER_DISCONNECT"), Attributes: map[string]string{"lang": "ko"},
		Recordings: []types.RecordingInfo{{
			StorageType: types.StorageTypeS3, Location: aws.String("connect/acme/CallRecordings/a.wav"),
			MediaStreamType: types.MediaStreamTypeAudio, ParticipantType: types.ParticipantTypeAll, StartTimestamp: ptr(15),
			StopTimestamp: ptr(60), Status: types.RecordingStatusAvailable,
		}},
	}
	if d := cmp.Diff(want, got.Contact, ignoreUnexported()); d != "" {
		t.Error(d)
	}
	_, err = c.DescribeContact(ctx, &awsconnect.DescribeContactInput{InstanceId: aws.String(ours), ContactId: aws.String("x")})
	wantError[*types.ResourceNotFoundException](t, err)

	search := func(change func(*awsconnect.SearchContactsInput)) []string {
		t.Helper()
		in := &awsconnect.SearchContactsInput{
			InstanceId: aws.String(ours), MaxResults: aws.Int32(2), TimeRange: &types.SearchContactsTimeRange{
				Type: types.SearchContactsTimeRangeTypeInitiationTimestamp, StartTime: ptr(0), EndTime: ptr(200),
			},
		}
		change(in)
		var ids []string
		for p := awsconnect.NewSearchContactsPaginator(c, in); p.HasMorePages(); {
			page, perr := p.NextPage(ctx)
			must(t, perr)
			for _, s := range page.Contacts {
				ids = append(ids, *s.Id)
			}
		}
		return ids
	}
	for name, tt := range map[string]struct {
		change func(*awsconnect.SearchContactsInput)
		want   []string
	}{
		"the end is outside": {func(*awsconnect.SearchContactsInput) {}, []string{"c2", "c1"}},
		"two pages":          {func(in *awsconnect.SearchContactsInput) { in.TimeRange.EndTime = ptr(201) }, []string{"c3", "c2", "c1"}},
		"by method": {func(in *awsconnect.SearchContactsInput) {
			in.SearchCriteria = &types.SearchCriteria{InitiationMethods: []types.ContactInitiationMethod{"INBOUND"}}
		}, []string{"c1"}},
		"by queue and agent": {func(in *awsconnect.SearchContactsInput) {
			in.TimeRange.EndTime = ptr(201)
			in.SearchCriteria = &types.SearchCriteria{QueueIds: []string{w.queue}, AgentIds: []string{"u1"}}
		}, []string{"c1"}},
	} {
		if d := cmp.Diff(tt.want, search(tt.change)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	_, err = c.SearchContacts(ctx, &awsconnect.SearchContactsInput{
		InstanceId: aws.String(ours), TimeRange: &types.SearchContactsTimeRange{
			Type: types.SearchContactsTimeRangeTypeInitiationTimestamp, StartTime: ptr(0), EndTime: ptr(9 * 7 * 24 * 3600),
		},
	})
	wantError[*types.InvalidParameterException](t, err)
}

func TestInstancesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	got, err := c.DescribeInstance(ctx, &awsconnect.DescribeInstanceInput{InstanceId: aws.String(ours)})
	must(t, err)
	if i := got.Instance; *i.InstanceAlias != "acme" || *i.Arn != resource.ARN(ours, resource.KindInstance, ours) ||
		i.InstanceStatus != types.InstanceStatusActive || !*i.InboundCallsEnabled || *i.OutboundCallsEnabled ||
		i.IdentityManagementType != types.DirectoryTypeConnectManaged {
		t.Errorf("%+v", i)
	}
	list, err := c.ListInstances(ctx, &awsconnect.ListInstancesInput{})
	must(t, err)
	if l := list.InstanceSummaryList; len(l) != 1 || *l[0].Id != ours {
		t.Errorf("list: %+v", l)
	}
	_, err = c.DescribeInstance(ctx, &awsconnect.DescribeInstanceInput{InstanceId: aws.String(theirs)})
	wantError[*types.ResourceNotFoundException](t, err)
}
