package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/internal/wav"
)

// center is a contact centre in an engine, made and looked at through its API only.
type center struct {
	*engine
	aws       *connect.Client // as Amazon ships it: only the endpoint differs
	available string          // id of the status
	agentRole string          // id of the security profile
	hours     string          // always open
}

// newCenter starts an engine, lets the carrier at 127.0.0.1 in, and makes what every test needs.
func newCenter(t testing.TB, extra ...string) *center {
	t.Helper()
	return newCenterAt(t, ports.take(t), extra...)
}

func newCenterAt(t testing.TB, b block, extra ...string) *center {
	t.Helper()
	c := &center{engine: newEngineAt(t, b, extra...)}
	c.aws = connect.New(connect.Options{
		Region: "ap-northeast-2", BaseEndpoint: aws.String(c.url),
		Credentials: credentials.NewStaticCredentialsProvider(c.keyID, c.secret, ""), HTTPClient: c.client,
	})
	c.admin(http.MethodPost, "/trunks", map[string]any{"Name": "carrier", "Addresses": []string{"127.0.0.1/32"}, "Region": "KR"}, nil)
	ctx := t.Context()
	statuses, err := c.aws.ListAgentStatuses(ctx, &connect.ListAgentStatusesInput{InstanceId: &c.instance})
	c.must(err)
	for _, s := range statuses.AgentStatusSummaryList {
		if *s.Name == "Available" {
			c.available = *s.Id
		}
	}
	profiles, err := c.aws.ListSecurityProfiles(ctx, &connect.ListSecurityProfilesInput{InstanceId: &c.instance})
	c.must(err)
	for _, p := range profiles.SecurityProfileSummaryList {
		if *p.Name == "Agent" {
			c.agentRole = *p.Id
		}
	}
	if c.available == "" || c.agentRole == "" {
		t.Fatal("there is no status Available or no security profile Agent")
	}
	var always []types.HoursOfOperationConfig
	for _, day := range types.HoursOfOperationDays("").Values() {
		always = append(always, types.HoursOfOperationConfig{
			Day: day, StartTime: &types.HoursOfOperationTimeSlice{Hours: aws.Int32(0), Minutes: aws.Int32(0)},
			EndTime: &types.HoursOfOperationTimeSlice{Hours: aws.Int32(0), Minutes: aws.Int32(0)},
		})
	}
	hours, err := c.aws.CreateHoursOfOperation(ctx, &connect.CreateHoursOfOperationInput{
		InstanceId: &c.instance, Name: aws.String("Always"), TimeZone: aws.String("Asia/Seoul"), Config: always,
	})
	c.must(err)
	c.hours = *hours.HoursOfOperationId
	return c
}

func (c *center) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// admin calls /admin/v1 with the bearer token.
func (c *center) admin(method, path string, in, out any) {
	c.t.Helper()
	b := c.raw(method, path, in)
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			c.t.Fatalf("%s %s: %v\n%s", method, path, err, b)
		}
	}
}

func (c *center) raw(method, path string, in any) []byte {
	c.t.Helper()
	body, err := json.Marshal(in)
	c.must(err)
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.url+"/admin/v1"+path, bytes.NewReader(body))
	c.must(err)
	if in == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := c.client.Do(req)
	c.must(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	c.must(err)
	if res.StatusCode != http.StatusOK {
		c.t.Fatalf("%s %s: %s\n%s", method, path, res.Status, b)
	}
	return b
}

// queue makes a queue and a routing profile of its agents.
func (c *center) queue(name string) (queueID, profileID string) {
	c.t.Helper()
	ctx := c.t.Context()
	q, err := c.aws.CreateQueue(ctx, &connect.CreateQueueInput{InstanceId: &c.instance, Name: &name, HoursOfOperationId: &c.hours})
	c.must(err)
	p, err := c.aws.CreateRoutingProfile(ctx, &connect.CreateRoutingProfileInput{
		InstanceId: &c.instance, Name: aws.String(name + " agents"), Description: aws.String("serves " + name), DefaultOutboundQueueId: q.QueueId,
		MediaConcurrencies: []types.MediaConcurrency{{Channel: types.ChannelVoice, Concurrency: aws.Int32(1)}},
		QueueConfigs: []types.RoutingProfileQueueConfig{{
			Delay: aws.Int32(0), Priority: aws.Int32(1),
			QueueReference: &types.RoutingProfileQueueReference{Channel: types.ChannelVoice, QueueId: q.QueueId},
		}},
	})
	c.must(err)
	return *q.QueueId, *p.RoutingProfileId
}

// device is what a phone is set up with.
type device struct {
	ID       string `json:"DeviceId"`
	Username string `json:"Username"`
	Realm    string `json:"Realm"`
	Password string `json:"Password"`
}

// agent makes a user with a device. Two seconds of after-contact work.
func (c *center) agent(name, profileID string) (userID string, d device) {
	c.t.Helper()
	return c.agentWith(name, profileID, nil)
}

// agentWith is agent with a media profile of the device.
func (c *center) agentWith(name, profileID string, media map[string]any) (userID string, d device) {
	c.t.Helper()
	u, err := c.aws.CreateUser(c.t.Context(), &connect.CreateUserInput{
		InstanceId: &c.instance, Username: &name, Password: aws.String(agentPassword), RoutingProfileId: &profileID,
		SecurityProfileIds: []string{c.agentRole},
		IdentityInfo:       &types.UserIdentityInfo{FirstName: &name, LastName: aws.String("Agent")},
		PhoneConfig:        &types.UserPhoneConfig{PhoneType: types.PhoneTypeSoftPhone, AfterContactWorkTimeLimit: 2},
	})
	c.must(err)
	in := map[string]any{"Name": name, "UserId": *u.UserId}
	if media != nil {
		in["Media"] = media
	}
	c.admin(http.MethodPost, "/devices", in, &d)
	return *u.UserId, d
}

// setAvailable makes an agent available, by name of the operation that softphones use.
func (c *center) setAvailable(userID string) {
	c.t.Helper()
	_, err := c.aws.PutUserStatus(c.t.Context(), &connect.PutUserStatusInput{InstanceId: &c.instance, UserId: &userID, AgentStatusId: &c.available})
	c.must(err)
}

// number claims a number for a flow.
func (c *center) number(number, flow string) {
	c.t.Helper()
	ctx := c.t.Context()
	f, err := c.aws.CreateContactFlow(ctx, &connect.CreateContactFlowInput{
		InstanceId: &c.instance, Name: aws.String("flow of " + number), Type: types.ContactFlowTypeContactFlow, Content: &flow,
	})
	c.must(err)
	n, err := c.aws.ClaimPhoneNumber(ctx, &connect.ClaimPhoneNumberInput{InstanceId: &c.instance, PhoneNumber: &number})
	c.must(err)
	_, err = c.aws.AssociatePhoneNumberContactFlow(ctx, &connect.AssociatePhoneNumberContactFlowInput{
		InstanceId: &c.instance, PhoneNumberId: n.PhoneNumberId, ContactFlowId: f.ContactFlowId,
	})
	c.must(err)
}

// queueFlow records, and puts the caller into a queue at once.
func queueFlow(queueID string) string {
	return fmt.Sprintf(`{"Version": "2019-10-30", "StartAction": "Record", "Metadata": {}, "Actions": [
		{"Identifier": "Record", "Type": "UpdateContactRecordingBehavior",
			"Parameters": {"RecordingBehavior": {"RecordedParticipants": ["Agent", "Customer"]}}, "Transitions": {"NextAction": "Choose"}},
		{"Identifier": "Choose", "Type": "UpdateContactTargetQueue", "Parameters": {"QueueId": %q},
			"Transitions": {"NextAction": "Wait", "Errors": [{"ErrorType": "NoMatchingError", "NextAction": "End"}]}},
		{"Identifier": "Wait", "Type": "TransferContactToQueue", "Parameters": {}, "Transitions": {"Errors": [
			{"ErrorType": "QueueAtCapacity", "NextAction": "End"}, {"ErrorType": "NoMatchingError", "NextAction": "End"}]}},
		{"Identifier": "End", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}]}`, queueID)
}

// messageFlow says something and hangs up.
func messageFlow(text string) string {
	return fmt.Sprintf(`{"Version": "2019-10-30", "StartAction": "Say", "Metadata": {}, "Actions": [
		{"Identifier": "Say", "Type": "MessageParticipant", "Parameters": {"Text": %q},
			"Transitions": {"NextAction": "End", "Errors": [{"ErrorType": "NoMatchingError", "NextAction": "End"}]}},
		{"Identifier": "End", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}]}`, text)
}

// contacts finds all contacts of the last hour.
func (c *center) contacts() []types.ContactSearchSummary {
	c.t.Helper()
	now := time.Now()
	var out []types.ContactSearchSummary
	var token *string
	for {
		page, err := c.aws.SearchContacts(c.t.Context(), &connect.SearchContactsInput{
			InstanceId: &c.instance, MaxResults: aws.Int32(100), NextToken: token,
			TimeRange: &types.SearchContactsTimeRange{
				Type: types.SearchContactsTimeRangeTypeInitiationTimestamp, StartTime: aws.Time(now.Add(-time.Hour)), EndTime: aws.Time(now.Add(time.Hour)),
			},
		})
		c.must(err)
		out = append(out, page.Contacts...)
		if token = page.NextToken; token == nil || *token == "" {
			return out
		}
	}
}

// contact looks a contact up.
func (c *center) contact(id string) *types.Contact {
	c.t.Helper()
	out, err := c.aws.DescribeContact(c.t.Context(), &connect.DescribeContactInput{InstanceId: &c.instance, ContactId: &id})
	c.must(err)
	return out.Contact
}

// closed waits until there are n contacts and all of them are closed, and gives them in full.
func (c *center) closed(n int) []*types.Contact {
	c.t.Helper()
	var all []types.ContactSearchSummary
	c.until(fmt.Sprintf("%d contacts, all closed", n), func() bool {
		all = c.contacts()
		if len(all) < n {
			return false
		}
		for i := range all {
			if all[i].DisconnectTimestamp == nil {
				return false
			}
		}
		return true
	})
	if len(all) != n {
		c.t.Fatalf("there are %d contacts, want %d", len(all), n)
	}
	out := make([]*types.Contact, n)
	for i := range all {
		out[i] = c.contact(*all[i].Id)
		if out[i].DisconnectReason == nil || *out[i].DisconnectReason == "" {
			c.t.Errorf("contact %s ended for no reason", *out[i].Id)
		}
	}
	return out
}

// recording is one of a contact, as /admin/v1 tells it.
type recording struct {
	Number    int
	Location  string
	Status    string
	StartTime float64
	StopTime  float64
	Bytes     int64
	Sha256    string
	Reason    string
}

// recordings waits until all recordings of a contact are uploaded.
func (c *center) recordings(contactID string) []recording {
	c.t.Helper()
	var out struct{ Recordings []recording }
	c.until("the recordings of contact "+contactID+" are available", func() bool {
		c.admin(http.MethodGet, "/contacts/"+contactID+"/recordings", nil, &out)
		for _, r := range out.Recordings {
			if r.Status == "FAILED" {
				c.t.Fatalf("recording %s failed: %s", r.Location, r.Reason)
			}
			if r.Status != "AVAILABLE" {
				return false
			}
		}
		return len(out.Recordings) > 0
	})
	return out.Recordings
}

// play downloads a recording and gives its two channels: everyone but the agent, and the agent.
func (c *center) play(contactID string, number int) (left, right []int16, length time.Duration) {
	c.t.Helper()
	b := c.raw(http.MethodGet, fmt.Sprintf("/contacts/%s/recordings/%d/audio", contactID, number), nil)
	return stereo(c.t, b)
}

func stereo(t testing.TB, file []byte) (left, right []int16, length time.Duration) {
	t.Helper()
	s, err := wav.Decode(bytes.NewReader(file), 64<<20)
	if err != nil {
		t.Fatalf("a recording cannot be played: %v", err)
	}
	if s.Channels != 2 || s.Rate != 8000 {
		t.Fatalf("a recording has %d channels at %d Hz", s.Channels, s.Rate)
	}
	for i := 0; i+1 < len(s.PCM); i += 2 {
		left, right = append(left, s.PCM[i]), append(right, s.PCM[i+1])
	}
	return left, right, s.Length()
}

// wantKey checks the layout of a recording's key.
func wantKey(t testing.TB, key, contactID string, start time.Time) {
	t.Helper()
	want := "connect/ullim/CallRecordings/" + start.UTC().Format("2006/01/02/") + contactID + "_" + start.UTC().Format("20060102T15:04") + "_UTC.wav"
	if key != want && !strings.HasPrefix(key, strings.TrimSuffix(want, "_UTC.wav")) {
		t.Errorf("the key is %s, want %s", key, want)
	}
}
