package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/google/go-cmp/cmp"

	"ullim/internal/contact"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func TestContactsAreChangedThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	w.records.records = []*contact.Record{
		{ID: "c1", InstanceID: ours, NextContactID: "c2", DisconnectTimestamp: time.Unix(100, 0), Attributes: map[string]string{"old": "1"}},
		{ID: "c2", InstanceID: ours, InitialContactID: "c1", PreviousContactID: "c1", Attributes: map[string]string{"old": "1"}},
	}
	id := aws.String
	_, err := c.UpdateContact(ctx, &awsconnect.UpdateContactInput{
		InstanceId: id(ours), ContactId: id("c2"), Name: id("An order"), Description: id("of tea"),
		References: map[string]types.Reference{"order": {Type: types.ReferenceTypeUrl, Value: id("https://shop.example/1")}},
	})
	must(t, err)
	_, err = c.UpdateContactAttributes(ctx, &awsconnect.UpdateContactAttributesInput{
		InstanceId: id(ours), InitialContactId: id("c1"), Attributes: map[string]string{"tier": "gold"},
	})
	must(t, err)
	got, err := c.GetContactAttributes(ctx, &awsconnect.GetContactAttributesInput{InstanceId: id(ours), InitialContactId: id("c1")})
	must(t, err)
	if d := cmp.Diff(map[string]string{"old": "1", "tier": "gold"}, got.Attributes); d != "" {
		t.Errorf("attributes of the segment that goes on: %s", d)
	}
	_, err = c.TagContact(ctx, &awsconnect.TagContactInput{InstanceId: id(ours), ContactId: id("c2"), Tags: map[string]string{"a": "1", "b": "2"}})
	must(t, err)
	_, err = c.UntagContact(ctx, &awsconnect.UntagContactInput{InstanceId: id(ours), ContactId: id("c2"), TagKeys: []string{"a"}})
	must(t, err)
	described, err := c.DescribeContact(ctx, &awsconnect.DescribeContactInput{InstanceId: id(ours), ContactId: id("c2")})
	must(t, err)
	if v := described.Contact; *v.Name != "An order" || *v.Description != "of tea" || v.Tags["b"] != "2" || v.Tags["a"] != "" ||
		*v.ContactAssociationId != "c1" {
		t.Errorf("described: %+v", v)
	}
	refs, err := c.ListContactReferences(ctx, &awsconnect.ListContactReferencesInput{
		InstanceId: id(ours), ContactId: id("c2"), ReferenceTypes: []types.ReferenceType{types.ReferenceTypeUrl, types.ReferenceTypeDate},
	})
	must(t, err)
	if len(refs.ReferenceSummaryList) != 1 {
		t.Fatalf("references: %+v", refs.ReferenceSummaryList)
	}
	if url, ok := refs.ReferenceSummaryList[0].(*types.ReferenceSummaryMemberUrl); !ok || *url.Value.Name != "order" {
		t.Errorf("reference: %+v", refs.ReferenceSummaryList[0])
	}
	list, err := c.ListAssociatedContacts(ctx, &awsconnect.ListAssociatedContactsInput{InstanceId: id(ours), ContactId: id("c2"), MaxResults: aws.Int32(1)})
	must(t, err)
	if len(list.ContactSummaryList) != 1 || *list.ContactSummaryList[0].ContactId != "c1" || list.NextToken == nil {
		t.Fatalf("associated: %+v", list.ContactSummaryList)
	}
	list, err = c.ListAssociatedContacts(ctx, &awsconnect.ListAssociatedContactsInput{InstanceId: id(ours), ContactId: id("c2"), NextToken: list.NextToken})
	must(t, err)
	if len(list.ContactSummaryList) != 1 || *list.ContactSummaryList[0].ContactId != "c2" {
		t.Errorf("associated: %+v", list.ContactSummaryList)
	}
	_, err = c.UpdateContactAttributes(ctx, &awsconnect.UpdateContactAttributesInput{
		InstanceId: id(ours), InitialContactId: id("c1"), Attributes: map[string]string{"big": strings.Repeat("x", contact.MaxAttributeBytes)},
	})
	if _, ok := errors.AsType[*types.InvalidParameterException](err); !ok {
		t.Errorf("too many attributes: %v", err)
	}
}

func TestContactsAreFoundByDeclaredAttributesOnly(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	ask := func(key string) error {
		_, err := c.SearchContacts(ctx, &awsconnect.SearchContactsInput{
			InstanceId: aws.String(ours), TimeRange: &types.SearchContactsTimeRange{
				Type: types.SearchContactsTimeRangeTypeDisconnectTimestamp, StartTime: aws.Time(time.Unix(0, 0)), EndTime: aws.Time(time.Unix(9, 0)),
			},
			SearchCriteria: &types.SearchCriteria{SearchableContactAttributes: &types.SearchableContactAttributes{
				Criteria: []types.SearchableContactAttributesCriteria{{Key: aws.String(key), Values: []string{"v"}}},
			}},
			Sort: &types.Sort{FieldName: types.SortableFieldNameDisconnectTimestamp, Order: types.SortOrderAscending},
		})
		return err
	}
	if _, ok := errors.AsType[*types.InvalidParameterException](ask("order")); !ok {
		t.Error("an attribute that is not declared is searched by")
	}
	w.admin("admin", "PUT", "/instance", `{"SearchableAttributes":["order"],"RecordDays":90}`, nil)
	must(t, ask("order"))
	v, err := w.o.Connect.Instances.Get(ctx, ours, ours)
	must(t, err)
	if v.RecordDays != 90 {
		t.Errorf("kept for %d days", v.RecordDays)
	}
	w.person(ours, w.routing, "reader", w.only(t, "ContactSearch.View"))
	c = w.client("reader")
	if err = ask("order"); err == nil || !strings.Contains(err.Error(), "AccessDeniedException") {
		t.Errorf("without the permission to see attributes: %v", err)
	}
}

// only makes a security profile with one permission.
func (w *world) only(t *testing.T, permission string) string {
	t.Helper()
	p := &identity.SecurityProfile{Meta: resource.Meta{InstanceID: ours, Name: permission}, Permissions: []string{permission}}
	must(t, w.o.Connect.SecurityProfiles.Create(t.Context(), p))
	return p.ID
}

func TestDispositionsAreChosenFromTheCodesOfTheQueue(t *testing.T) {
	w := newWorld(t)
	other := "other-queue"
	w.records.records = []*contact.Record{{ID: "c1", InstanceID: ours, Queue: &contact.QueueInfo{ID: other}}}
	var made struct {
		DispositionID string `json:"DispositionId"`
	}
	w.admin("admin", "POST", "/dispositions", `{"Code":"sold","Label":"판매","QueueIds":["`+w.queue+`"]}`, &made)
	w.admin("admin", "POST", "/dispositions", `{"Code":"no-answer"}`, nil)
	put := func(body string) int {
		status, _, _ := w.do("admin", "PUT", "/admin/v1/contacts/c1/disposition", body)
		return status
	}
	for body, want := range map[string]int{
		`{"Code":"sold"}`: http.StatusBadRequest, `{"Code":"nothing"}`: http.StatusBadRequest,
		`{"Notes":"` + strings.Repeat("가", 4097) + `"}`: http.StatusBadRequest,
	} {
		if got := put(body); got != want {
			t.Errorf("%.40s: %d", body, got)
		}
	}
	if put(`{"Code":"no-answer","Notes":"모두 세 번"}`) != http.StatusOK {
		t.Error("a code of all queues is not taken")
	}
	w.admin("admin", "PUT", "/dispositions/"+made.DispositionID, `{"Label":"sold"}`, nil)
	if put(`{"Code":"sold"}`) != http.StatusOK || w.records.records[0].Disposition != "sold" {
		t.Errorf("the record: %+v", w.records.records[0])
	}
	// Archived: no longer chosen, and whoever has it may keep it.
	w.admin("admin", "PUT", "/dispositions/"+made.DispositionID, `{"Archived":true}`, nil)
	if put(`{"Code":"sold","Notes":"late"}`) != http.StatusOK || put(`{"Code":"no-answer"}`) != http.StatusOK || put(`{"Code":"sold"}`) != http.StatusBadRequest {
		t.Error("an archived code")
	}
	var choices struct{ Dispositions []struct{ Code string } }
	w.admin("admin", "GET", "/dispositions?queueId="+w.queue, "", &choices)
	if len(choices.Dispositions) != 1 || choices.Dispositions[0].Code != "no-answer" {
		t.Errorf("choices: %+v", choices)
	}
	w.admin("admin", "DELETE", "/dispositions/"+made.DispositionID, "", nil)
}

func TestRecordStreamsAreSetUpWatchedAndReplayed(t *testing.T) {
	w := newWorld(t)
	var made struct {
		RecordStreamID string `json:"RecordStreamId"`
		Secret         string
	}
	w.admin("admin", "POST", "/record-streams", `{"Name":"crm","Type":"WEBHOOK","Url":"https://hooks.example.com/in","Kinds":["CONTACT_RECORD"]}`, &made)
	if !strings.HasPrefix(made.Secret, "whsec_") {
		t.Fatalf("made %+v", made)
	}
	for _, bad := range []string{
		`{"Name":"x","Type":"KINESIS"}`, `{"Name":"x","Type":"WEBHOOK"}`, `{"Name":"x","Type":"FILE","Url":"https://a.example/"}`,
		`{"Name":"../x","Type":"FILE"}`, `{"Name":"x","Type":"S3","Prefix":"../up"}`, `{"Name":"x","Type":"FILE","Kinds":["X"]}`,
		`{"Name":"x","Type":"FILE","GiveUpAfterHours":1000}`, `{"Name":"x","Type":"WEBHOOK","Url":"ftp://a.example/"}`,
	} {
		if status, name, body := w.do("admin", "POST", "/admin/v1/record-streams", bad); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s %s", bad, status, name, body)
		}
	}
	one := "/record-streams/" + made.RecordStreamID
	letters := []int64{w.letter(t, made.RecordStreamID, "i1"), w.letter(t, made.RecordStreamID, "i2")}
	var v struct {
		Name, URL, Secret string
		Signed            bool
		DeadLetters       int
	}
	status, _, body := w.do("admin", "GET", "/admin/v1"+one, "")
	if status != http.StatusOK || strings.Contains(string(body), made.Secret) || strings.Contains(string(body), "whsec") {
		t.Errorf("described: %d %s", status, body)
	}
	w.admin("admin", "GET", one, "", &v)
	if v.Name != "crm" || !v.Signed || v.DeadLetters != 2 {
		t.Errorf("described: %+v", v)
	}
	var list struct {
		DeadLetters []struct {
			DeadLetterID int64 `json:"DeadLetterId"`
			Reason       string
		}
	}
	w.admin("admin", "GET", one+"/dead-letters?maxResults=1", "", &list)
	if len(list.DeadLetters) != 1 || list.DeadLetters[0].DeadLetterID != letters[0] || list.DeadLetters[0].Reason != "503" {
		t.Errorf("letters: %+v", list)
	}
	var out struct {
		Delivered []int64
		Failed    map[string]string
	}
	again := fmt.Sprintf(`{"DeadLetterIds":[%d,999]}`, letters[0])
	w.refuse = errors.New("still away")
	w.admin("admin", "POST", one+"/dead-letters/redeliver", again, &out)
	if len(out.Delivered) != 0 || len(out.Failed) != 2 {
		t.Errorf("refused: %+v", out)
	}
	w.refuse = nil
	w.admin("admin", "POST", one+"/dead-letters/redeliver", again, &out)
	if d := cmp.Diff([]string{"i1"}, w.redelivered); d != "" || len(out.Delivered) != 1 {
		t.Errorf("delivered %+v: %s", out, d)
	}
	w.admin("admin", "POST", one+"/dead-letters/delete", fmt.Sprintf(`{"DeadLetterIds":[%d]}`, letters[1]), nil)
	w.admin("admin", "POST", one+"/replay", `{"From":"2026-11-01T00:00:00Z"}`, nil)
	state, err := w.db.StreamState(t.Context(), ours, made.RecordStreamID)
	must(t, err)
	if state.DeadLetters != 0 || state.Cursor.RefillFrom.IsZero() {
		t.Errorf("state: %+v", state)
	}
	for _, bad := range []string{`{}`, `{"Cursor":-1}`, `{"Cursor":1,"From":1}`} {
		if status, _, _ := w.do("admin", "POST", "/admin/v1"+one+"/replay", bad); status != http.StatusBadRequest {
			t.Errorf("replay %s: %d", bad, status)
		}
	}
	before := made.Secret
	w.admin("admin", "POST", one+"/secret", "", &made)
	if made.Secret == before || made.Secret == "" {
		t.Error("the secret is the same")
	}
	w.admin("admin", "PUT", one, `{"Name":"crm2","Url":"https://hooks.example.com/in","Paused":true}`, nil)
	w.admin("admin", "DELETE", one, "", nil)
	if _, name, _ := w.do("admin", "GET", "/admin/v1"+one, ""); name != "ResourceNotFoundException" {
		t.Errorf("deleted: %s", name)
	}
}
