package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/acd"
	"ullim/internal/api/admin"
	"ullim/internal/api/connect"
	"ullim/internal/contact"
	"ullim/internal/errs"
)

// fakeRouting knows one contact in line, "c1" of ours.
type fakeRouting struct {
	changes  []connect.RoutingChange
	assigned []string
	edits    []admin.CallbackEdit
	ended    []string
}

var (
	_ connect.Routing = (*fakeRouting)(nil)
	_ admin.Routing   = (*fakeRouting)(nil)
	_ admin.Callbacks = (*fakeRouting)(nil)
)

func (f *fakeRouting) known(instanceID, contactID string) error {
	if instanceID != ours || contactID != "c1" {
		return errs.New(errs.NotFound, "no contact %s", contactID)
	}
	return nil
}

func (f *fakeRouting) Route(_ context.Context, instanceID, contactID string, r connect.RoutingChange) error {
	f.changes = append(f.changes, r)
	return f.known(instanceID, contactID)
}

func (f *fakeRouting) Assign(_ context.Context, instanceID, contactID, userID string) error {
	f.assigned = append(f.assigned, userID)
	return f.known(instanceID, contactID)
}

func (f *fakeRouting) Waiting(instanceID string) []acd.WaitingSnapshot {
	if instanceID != ours {
		return nil
	}
	w := acd.WaitingSnapshot{QueueName: "BasicQueue", Position: 1, EstimatedWait: 90 * time.Second}
	w.ContactID, w.QueueID, w.Channel, w.Since = "c1", "q", contact.Voice, time.Unix(1_700_000_000, 0)
	return []acd.WaitingSnapshot{w}
}

func (f *fakeRouting) Explain(instanceID, contactID string) []acd.Verdict {
	if f.known(instanceID, contactID) != nil {
		return nil
	}
	return []acd.Verdict{{UserID: "a", Reason: acd.WhyNotInProfile}, {UserID: "b", Reason: acd.WhyNotRoutable}}
}

func (f *fakeRouting) Decisions(_ context.Context, instanceID, contactID string) ([]acd.Decision, error) {
	return []acd.Decision{{
		At: time.Unix(1_700_000_000, 0), Serving: 2, Free: 1, Winners: []string{"b"}, Reasons: []acd.Verdict{{UserID: "a", Reason: acd.WhyDelay}},
	}}, f.known(instanceID, contactID)
}

func TestRoutingDataOfAContactThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	w.records.records = append(w.records.records, &contact.Record{ID: "c1", InstanceID: ours})
	_, err := c.UpdateContactRoutingData(ctx, &awsconnect.UpdateContactRoutingDataInput{
		InstanceId: aws.String(ours), ContactId: aws.String("c1"), QueuePriority: aws.Int64(9223372036854775807),
		QueueTimeAdjustmentSeconds: aws.Int32(-60),
		RoutingCriteria: &types.RoutingCriteriaInput{Steps: []types.RoutingCriteriaInputStep{{
			Expiry: &types.RoutingCriteriaInputStepExpiry{DurationInSeconds: aws.Int32(30)},
			Expression: &types.Expression{AttributeCondition: &types.AttributeCondition{
				Name: aws.String("language"), Value: aws.String("ko"), ProficiencyLevel: aws.Float32(3),
				ComparisonOperator: aws.String("NumberGreaterOrEqualTo"),
			}},
		}}},
	})
	must(t, err)
	if len(w.routes.changes) != 1 {
		t.Fatalf("%d changes", len(w.routes.changes))
	}
	r := w.routes.changes[0]
	if *r.Priority != acd.MaxContactPriority || *r.AgeAdjustment != -time.Minute || len(r.Steps) != 1 || r.Steps[0].Expiry != 30*time.Second ||
		!strings.Contains(string(r.Steps[0].Expression), `"language"`) {
		t.Errorf("changed to %+v", r)
	}
	for name, body := range map[string]string{
		"nothing":    `{}`,
		"priority 0": `{"QueuePriority":0}`,
		"no steps":   `{"RoutingCriteria":{"Steps":[]}}`,
	} {
		if status, _, answer := w.do("admin", "POST", "/contacts/"+ours+"/c1/routing-data", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

func TestAContactIsAssignedThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	w.records.records = append(w.records.records, &contact.Record{ID: "c1", InstanceID: ours})
	users, err := c.ListUsers(ctx, &awsconnect.ListUsersInput{InstanceId: aws.String(ours)})
	must(t, err)
	user := users.UserSummaryList[0].Id
	_, err = c.AssociateContactWithUser(ctx, &awsconnect.AssociateContactWithUserInput{
		InstanceId: aws.String(ours), ContactId: aws.String("c1"), UserId: user,
	})
	must(t, err)
	if len(w.routes.assigned) != 1 || w.routes.assigned[0] != *user {
		t.Errorf("assigned to %v", w.routes.assigned)
	}
	reference := &types.RoutingProfileQueueReference{QueueId: aws.String(w.queue), Channel: types.ChannelVoice}
	_, err = c.AssociateRoutingProfileQueues(ctx, &awsconnect.AssociateRoutingProfileQueuesInput{
		InstanceId: aws.String(ours), RoutingProfileId: aws.String(w.routing),
		ManualAssignmentQueueConfigs: []types.RoutingProfileManualAssignmentQueueConfig{{QueueReference: reference}},
	})
	must(t, err)
	list := func() int {
		t.Helper()
		got, listErr := c.ListRoutingProfileManualAssignmentQueues(ctx, &awsconnect.ListRoutingProfileManualAssignmentQueuesInput{
			InstanceId: aws.String(ours), RoutingProfileId: aws.String(w.routing),
		})
		must(t, listErr)
		return len(got.RoutingProfileManualAssignmentQueueConfigSummaryList)
	}
	if n := list(); n != 1 {
		t.Fatalf("%d queues", n)
	}
	_, err = c.DisassociateRoutingProfileQueues(ctx, &awsconnect.DisassociateRoutingProfileQueuesInput{
		InstanceId: aws.String(ours), RoutingProfileId: aws.String(w.routing),
		ManualAssignmentQueueReferences: []types.RoutingProfileQueueReference{*reference},
	})
	must(t, err)
	if n := list(); n != 0 {
		t.Fatalf("%d queues are left", n)
	}
}

func TestRoutingOfAQueueIsSetAndShown(t *testing.T) {
	w := newWorld(t)
	path := "/admin/v1/queues/" + w.queue + "/routing"
	status, _, answer := w.do("admin", "PUT", path,
		`{"RingSeconds":15,"Distribution":"RING_ALL","RingAtOnce":5,"Missed":{"Limit":3,"AgentStatusId":"`+w.status+`"}}`)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	if _, _, got := w.do("admin", "GET", path, ""); string(got) != string(answer) || !strings.Contains(string(got), `"RING_ALL"`) {
		t.Errorf("shown as %s", got)
	}
	for name, body := range map[string]string{
		"a rule of its own": `{"Distribution":"RANDOM"}`,
		"too many phones":   `{"Distribution":"RING_ALL","RingAtOnce":21}`,
		"an unknown user":   `{"Distribution":"WEIGHTED","Weights":{"nobody":2}}`,
		"a limit alone":     `{"Missed":{"Limit":3}}`,
	} {
		if status, _, answer := w.do("admin", "PUT", path, body); status != http.StatusBadRequest && status != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

func TestWhyNobodyRingsIsShown(t *testing.T) {
	w := newWorld(t)
	w.records.records = append(w.records.records, &contact.Record{ID: "c1", InstanceID: ours})
	status, _, answer := w.do("admin", "GET", "/admin/v1/contacts/c1/routing", "")
	for _, want := range []string{`"Waiting":true`, `"Now":[{"UserId":"b","Reason":"STATUS_NOT_ROUTABLE"},{"UserId":"a"`, `"Winners":["b"]`, "DELAY_NOT_REACHED"} {
		if status != http.StatusOK || !strings.Contains(string(answer), want) {
			t.Errorf("%d %s lacks %s", status, answer, want)
		}
	}
	if _, _, answer = w.do("admin", "GET", "/admin/v1/waiting-contacts", ""); !strings.Contains(string(answer), `"EstimatedWaitSeconds":90`) {
		t.Errorf("waiting: %s", answer)
	}
}

func (f *fakeRouting) Callbacks(_ context.Context, instanceID string) ([]admin.Callback, error) {
	if instanceID != ours {
		return nil, nil
	}
	return []admin.Callback{{ID: "b1", QueueID: "q", Number: "+82215880001", State: admin.CallbackInQueue, Since: time.Unix(1_700_000_000, 0), AttemptsLeft: 2}}, nil
}

func (f *fakeRouting) EditCallback(ctx context.Context, instanceID, id string, e admin.CallbackEdit) (admin.Callback, error) {
	list, err := f.Callbacks(ctx, instanceID)
	if len(list) == 0 || id != "b1" {
		return admin.Callback{}, errs.New(errs.NotFound, "no callback %s", id)
	}
	f.edits = append(f.edits, e)
	list[0].Number = e.Number
	return list[0], err
}

func (f *fakeRouting) CancelCallback(_ context.Context, instanceID, id string) error {
	if instanceID != ours || id != "b1" {
		return errs.New(errs.NotFound, "no callback %s", id)
	}
	f.ended = append(f.ended, id)
	return nil
}

func TestCallbacksAreListedEditedAndCancelled(t *testing.T) {
	w := newWorld(t)
	_, _, answer := w.do("admin", "GET", "/admin/v1/callbacks", "")
	for _, want := range []string{`"CallbackId":"b1"`, `"State":"IN_QUEUE"`, `"AttemptsLeft":2`} {
		if !strings.Contains(string(answer), want) {
			t.Errorf("%s lacks %s", answer, want)
		}
	}
	status, _, answer := w.do("admin", "POST", "/admin/v1/callbacks/b1", `{"Number":"+12125550123","Due":1700000060}`)
	if status != http.StatusOK || len(w.routes.edits) != 1 || w.routes.edits[0].Number != "+12125550123" || w.routes.edits[0].Due.Unix() != 1_700_000_060 {
		t.Errorf("%d %s: %+v", status, answer, w.routes.edits)
	}
	if status, _, answer = w.do("admin", "POST", "/admin/v1/callbacks/b1", `{}`); status != http.StatusBadRequest {
		t.Errorf("nothing to change: %d %s", status, answer)
	}
	if status, _, answer = w.do("admin", "DELETE", "/admin/v1/callbacks/b1", ""); status != http.StatusOK || len(w.routes.ended) != 1 {
		t.Errorf("%d %s", status, answer)
	}
	if status, _, answer = w.do("admin", "DELETE", "/admin/v1/callbacks/b2", ""); status != http.StatusNotFound {
		t.Errorf("one that is not there: %d %s", status, answer)
	}
}
