package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
)

// says is goodFlow with other words.
func says(words string) string { return strings.Replace(goodFlow, "Hello", words, 1) }

func TestVersionsOfFlowsThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	flow := func(ref string) (*types.ContactFlow, error) {
		got, err := c.DescribeContactFlow(ctx, &awsconnect.DescribeContactFlowInput{InstanceId: aws.String(ours), ContactFlowId: aws.String(ref)})
		if err != nil {
			return nil, err
		}
		return got.ContactFlow, nil
	}
	for _, words := range []string{"two", "three"} {
		_, err := c.UpdateContactFlowContent(ctx, &awsconnect.UpdateContactFlowContentInput{
			InstanceId: aws.String(ours), ContactFlowId: aws.String(w.flow), Content: aws.String(says(words)),
		})
		must(t, err)
	}
	arn := resource.ARN(ours, resource.KindFlow, w.flow)
	for ref, want := range map[string]string{w.flow + ":1": goodFlow, arn + ":2": says("two"), w.flow + ":$LATEST": says("three"), w.flow: says("three")} {
		f, err := flow(ref)
		must(t, err)
		if *f.Content != want || *f.FlowContentSha256 != ivr.HashOf(want) || f.Status != types.ContactFlowStatusPublished {
			t.Errorf("%s: %+v", ref, f)
		}
	}
	for _, ref := range []string{w.flow + ":9", w.flow + ":live"} {
		_, err := flow(ref)
		wantError[*types.ResourceNotFoundException](t, err)
	}
	// A version with a description; a hash that is no longer right; back to an old one.
	made, err := c.CreateContactFlowVersion(ctx, &awsconnect.CreateContactFlowVersionInput{
		InstanceId: aws.String(ours), ContactFlowId: aws.String(w.flow), Description: aws.String("설날"),
		FlowContentSha256: aws.String(ivr.HashOf(says("three"))),
	})
	must(t, err)
	if *made.Version != 4 || *made.ContactFlowArn != arn+":4" {
		t.Errorf("%+v", made)
	}
	_, err = c.CreateContactFlowVersion(ctx, &awsconnect.CreateContactFlowVersionInput{
		InstanceId: aws.String(ours), ContactFlowId: aws.String(w.flow), FlowContentSha256: aws.String(ivr.HashOf("x")),
	})
	wantError[*types.InvalidRequestException](t, err)
	made, err = c.CreateContactFlowVersion(ctx, &awsconnect.CreateContactFlowVersionInput{
		InstanceId: aws.String(ours), ContactFlowId: aws.String(w.flow), ContactFlowVersion: aws.Int64(1),
	})
	must(t, err)
	f, err := flow(w.flow)
	must(t, err)
	if *made.Version != 5 || *f.Content != goodFlow || *f.Version != 5 {
		t.Errorf("after the roll-back %+v", f)
	}
	if f, err = flow(w.flow + ":4"); err != nil || *f.VersionDescription != "설날" || *f.Version != 4 {
		t.Errorf("%+v %v", f, err)
	}
	var listed []string
	pages := awsconnect.NewListContactFlowVersionsPaginator(c, &awsconnect.ListContactFlowVersionsInput{
		InstanceId: aws.String(ours), ContactFlowId: aws.String(w.flow), MaxResults: aws.Int32(2),
	})
	for pages.HasMorePages() {
		page, perr := pages.NextPage(ctx)
		must(t, perr)
		for _, v := range page.ContactFlowVersionSummaryList {
			listed = append(listed, fmt.Sprint(*v.Version, aws.ToString(v.VersionDescription), *v.Arn == fmt.Sprint(arn, ":", *v.Version)))
		}
	}
	if got := strings.Join(listed, " "); got != "5true 4설날true 3true 2true 1true" {
		t.Errorf("listed: %s", got)
	}
	drop := func(n int64) error {
		_, derr := c.DeleteContactFlowVersion(ctx, &awsconnect.DeleteContactFlowVersionInput{
			InstanceId: aws.String(ours), ContactFlowId: aws.String(w.flow), ContactFlowVersion: aws.Int64(n),
		})
		return derr
	}
	wantError[*types.InvalidRequestException](t, drop(5))
	must(t, drop(2))
	wantError[*types.ResourceNotFoundException](t, drop(2))
	_, err = c.UpdateContactFlowContent(ctx, &awsconnect.UpdateContactFlowContentInput{
		InstanceId: aws.String(ours), ContactFlowId: aws.String(w.flow + ":3"), Content: aws.String(goodFlow),
	})
	wantError[*types.InvalidParameterException](t, err)
}

func TestPublishingLooksReferencesUp(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	to := func(queue string) string {
		return `{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a","Type":"UpdateContactTargetQueue","Parameters":{"QueueId":"` + queue +
			`"},"Transitions":{"NextAction":"b","Errors":[{"NextAction":"b","ErrorType":"NoMatchingError"}]}},{"Identifier":"b","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`
	}
	create := func(name, queue string, status types.ContactFlowStatus) error {
		_, err := c.CreateContactFlow(ctx, &awsconnect.CreateContactFlowInput{
			InstanceId: aws.String(ours), Name: aws.String(name), Type: types.ContactFlowTypeContactFlow, Content: aws.String(to(queue)), Status: status,
		})
		return err
	}
	must(t, create("by name", "BasicQueue", types.ContactFlowStatusPublished))
	must(t, create("by id", w.queue, types.ContactFlowStatusPublished))
	must(t, create("by ARN", resource.ARN(ours, resource.KindQueue, w.queue), types.ContactFlowStatusPublished))
	must(t, create("of elsewhere", "arn:aws:connect:us-east-1:1:instance/x/queue/y", types.ContactFlowStatusPublished))
	must(t, create("a draft", "Nowhere", types.ContactFlowStatusSaved))
	e := wantError[*types.InvalidContactFlowException](t, create("wrong", "Nowhere", types.ContactFlowStatusPublished))
	if e != nil && (len(e.Problems) != 1 || !strings.Contains(*e.Problems[0].Message, `queue "Nowhere", which does not exist`)) {
		t.Errorf("%+v", e.Problems)
	}
}

func TestSearchingFlowsAndModulesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	for _, name := range []string{"Sales day", "Sales night", "Service"} {
		_, err := c.CreateContactFlow(ctx, &awsconnect.CreateContactFlowInput{
			InstanceId: aws.String(ours), Name: aws.String(name), Type: types.ContactFlowTypeContactFlow, Content: aws.String(goodFlow),
			Tags: map[string]string{"team": strings.Fields(name)[0]}, Description: aws.String("about " + name),
		})
		must(t, err)
	}
	_, err := c.CreateContactFlow(ctx, &awsconnect.CreateContactFlowInput{
		InstanceId: aws.String(ours), Name: aws.String("Sales wait"), Type: types.ContactFlowTypeCustomerQueue, Content: aws.String("{}"),
		Status: types.ContactFlowStatusSaved,
	})
	must(t, err)
	name := func(kind types.StringComparisonType, value string) *types.StringCondition {
		return &types.StringCondition{FieldName: aws.String("name"), ComparisonType: kind, Value: aws.String(value)}
	}
	for _, tt := range []struct {
		criteria *types.ContactFlowSearchCriteria
		filter   *types.ContactFlowSearchFilter
		want     string
	}{
		{nil, nil, "Main,Sales day,Sales night,Sales wait,Service"},
		{&types.ContactFlowSearchCriteria{StringCondition: name(types.StringComparisonTypeStartsWith, "sales")}, nil, "Sales day,Sales night,Sales wait"},
		{&types.ContactFlowSearchCriteria{StringCondition: name(types.StringComparisonTypeExact, "Service")}, nil, "Service"},
		{&types.ContactFlowSearchCriteria{TypeCondition: types.ContactFlowTypeCustomerQueue}, nil, "Sales wait"},
		{&types.ContactFlowSearchCriteria{StatusCondition: types.ContactFlowStatusSaved}, nil, "Sales wait"},
		{&types.ContactFlowSearchCriteria{StateCondition: types.ContactFlowStateArchived}, nil, ""},
		{&types.ContactFlowSearchCriteria{AndConditions: []types.ContactFlowSearchCriteria{
			{StringCondition: name(types.StringComparisonTypeContains, "ale")}, {TypeCondition: types.ContactFlowTypeContactFlow},
		}}, nil, "Sales day,Sales night"},
		{&types.ContactFlowSearchCriteria{OrConditions: []types.ContactFlowSearchCriteria{
			{StringCondition: name(types.StringComparisonTypeExact, "Main")}, {StringCondition: name(types.StringComparisonTypeContains, "night")},
		}}, nil, "Main,Sales night"},
		{nil, &types.ContactFlowSearchFilter{TagFilter: &types.ControlPlaneTagFilter{TagCondition: &types.TagCondition{TagKey: aws.String("team"), TagValue: aws.String("Service")}}}, "Service"},
	} {
		var got []string
		pages := awsconnect.NewSearchContactFlowsPaginator(c, &awsconnect.SearchContactFlowsInput{
			InstanceId: aws.String(ours), SearchCriteria: tt.criteria, SearchFilter: tt.filter, MaxResults: aws.Int32(2),
		})
		for pages.HasMorePages() {
			page, perr := pages.NextPage(ctx)
			must(t, perr)
			for _, f := range page.ContactFlows {
				got = append(got, *f.Name)
			}
			if tt.want != "" && int(*page.ApproximateTotalCount) != len(strings.Split(tt.want, ",")) {
				t.Errorf("%s: %d in all", tt.want, *page.ApproximateTotalCount)
			}
		}
		if strings.Join(got, ",") != tt.want {
			t.Errorf("found %v, want %s", got, tt.want)
		}
	}
	_, err = c.SearchContactFlows(ctx, &awsconnect.SearchContactFlowsInput{
		InstanceId: aws.String(ours), SearchCriteria: &types.ContactFlowSearchCriteria{StringCondition: &types.StringCondition{FieldName: aws.String("colour")}},
	})
	wantError[*types.InvalidParameterException](t, err)
}

const goodModule = `{"Version":"2019-10-30","StartAction":"a","Actions":[
	{"Identifier":"a","Type":"MessageParticipant","Parameters":{"Text":"Hello"},"Transitions":{"NextAction":"b"}},
	{"Identifier":"b","Type":"EndFlowModuleExecution","Parameters":{},"Transitions":{}}]}`

func TestModulesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	_, err := c.CreateContactFlowModule(ctx, &awsconnect.CreateContactFlowModuleInput{
		InstanceId: aws.String(ours), Name: aws.String("Bad"), Content: aws.String(`{"not":"finished"}`),
	})
	if e := wantError[*types.InvalidContactFlowModuleException](t, err); e != nil && len(e.Problems) == 0 {
		t.Error("no problems named")
	}
	m, err := c.CreateContactFlowModule(ctx, &awsconnect.CreateContactFlowModuleInput{
		InstanceId: aws.String(ours), Name: aws.String("Greet"), Content: aws.String(goodModule), Description: aws.String("d"),
		Tags: map[string]string{"a": "b"}, Settings: aws.String(`{"x":1}`),
		ExternalInvocationConfiguration: &types.ExternalInvocationConfiguration{Enabled: true},
	})
	must(t, err)
	describe := func(ref string) *types.ContactFlowModule {
		t.Helper()
		got, derr := c.DescribeContactFlowModule(ctx, &awsconnect.DescribeContactFlowModuleInput{InstanceId: aws.String(ours), ContactFlowModuleId: aws.String(ref)})
		must(t, derr)
		return got.ContactFlowModule
	}
	got := describe(*m.Id)
	if *got.Content != goodModule || *got.Settings != `{"x":1}` || got.Status != types.ContactFlowModuleStatusPublished || *got.Version != 1 ||
		got.State != types.ContactFlowModuleStateActive || got.Tags["a"] != "b" || !got.ExternalInvocationConfiguration.Enabled || *got.Arn != *m.Arn {
		t.Errorf("%+v", got)
	}
	second := strings.Replace(goodModule, "Hello", "Welcome", 1)
	_, err = c.UpdateContactFlowModuleContent(ctx, &awsconnect.UpdateContactFlowModuleContentInput{
		InstanceId: aws.String(ours), ContactFlowModuleId: m.Id, Content: aws.String(second),
	})
	must(t, err)
	_, err = c.UpdateContactFlowModuleContent(ctx, &awsconnect.UpdateContactFlowModuleContentInput{
		InstanceId: aws.String(ours), ContactFlowModuleId: aws.String(*m.Arn + ":$SAVED"), Content: aws.String(`{"draft":1}`), Settings: aws.String(`{}`),
	})
	must(t, err)
	if got = describe(*m.Id + ":$SAVED"); *got.Content != `{"draft":1}` || got.Status != types.ContactFlowModuleStatusSaved {
		t.Errorf("%+v", got)
	}
	v, err := c.CreateContactFlowModuleVersion(ctx, &awsconnect.CreateContactFlowModuleVersionInput{
		InstanceId: aws.String(ours), ContactFlowModuleId: m.Id, Description: aws.String("good"), FlowModuleContentSha256: aws.String(ivr.HashOf(second)),
	})
	must(t, err)
	if *v.Version != 3 || *v.ContactFlowModuleArn != *m.Arn+":3" {
		t.Errorf("%+v", v)
	}
	if got = describe(*m.Arn + ":1"); *got.Content != goodModule {
		t.Errorf("%+v", got)
	}
	list, err := c.ListContactFlowModuleVersions(ctx, &awsconnect.ListContactFlowModuleVersionsInput{InstanceId: aws.String(ours), ContactFlowModuleId: m.Id})
	must(t, err)
	if l := list.ContactFlowModuleVersionSummaryList; len(l) != 3 || *l[0].Version != 3 || *l[0].VersionDescription != "good" {
		t.Errorf("%+v", l)
	}
	moduleAliases(t, c, *m.Id, *m.Arn, goodModule)
	_, err = c.DeleteContactFlowModuleVersion(ctx, &awsconnect.DeleteContactFlowModuleVersionInput{InstanceId: aws.String(ours), ContactFlowModuleId: m.Id, ContactFlowModuleVersion: aws.Int64(2)})
	must(t, err)
	_, err = c.UpdateContactFlowModuleMetadata(ctx, &awsconnect.UpdateContactFlowModuleMetadataInput{
		InstanceId: aws.String(ours), ContactFlowModuleId: m.Id, Name: aws.String("Hi"), State: types.ContactFlowModuleStateArchived,
	})
	must(t, err)
	all, err := c.ListContactFlowModules(ctx, &awsconnect.ListContactFlowModulesInput{InstanceId: aws.String(ours), ContactFlowModuleState: types.ContactFlowModuleStateArchived})
	must(t, err)
	if l := all.ContactFlowModulesSummaryList; len(l) != 1 || *l[0].Name != "Hi" || l[0].State != types.ContactFlowModuleStateArchived {
		t.Errorf("%+v", l)
	}
	found, err := c.SearchContactFlowModules(ctx, &awsconnect.SearchContactFlowModulesInput{
		InstanceId: aws.String(ours), SearchCriteria: &types.ContactFlowModuleSearchCriteria{StateCondition: types.ContactFlowModuleStateActive},
	})
	must(t, err)
	if len(found.ContactFlowModules) != 0 {
		t.Errorf("%+v", found.ContactFlowModules)
	}
	_, err = c.DeleteContactFlowModule(ctx, &awsconnect.DeleteContactFlowModuleInput{InstanceId: aws.String(ours), ContactFlowModuleId: m.Id})
	must(t, err)
	_, err = c.DescribeContactFlowModule(ctx, &awsconnect.DescribeContactFlowModuleInput{InstanceId: aws.String(ours), ContactFlowModuleId: m.Id})
	wantError[*types.ResourceNotFoundException](t, err)
}

func moduleAliases(t *testing.T, c *awsconnect.Client, id, arn, first string) {
	t.Helper()
	ctx := t.Context()
	create := func(name string, version int64) (*awsconnect.CreateContactFlowModuleAliasOutput, error) {
		return c.CreateContactFlowModuleAlias(ctx, &awsconnect.CreateContactFlowModuleAliasInput{
			InstanceId: aws.String(ours), ContactFlowModuleId: aws.String(id), AliasName: aws.String(name), ContactFlowModuleVersion: aws.Int64(version),
			Description: aws.String("what callers get"),
		})
	}
	live, err := create("live", 1)
	must(t, err)
	_, err = create("live", 2)
	wantError[*types.DuplicateResourceException](t, err)
	_, err = create("next", 7)
	wantError[*types.ResourceNotFoundException](t, err)
	_, err = create("12", 1)
	wantError[*types.InvalidParameterException](t, err)
	got, err := c.DescribeContactFlowModule(ctx, &awsconnect.DescribeContactFlowModuleInput{InstanceId: aws.String(ours), ContactFlowModuleId: aws.String(arn + ":live")})
	must(t, err)
	if *got.ContactFlowModule.Content != first || *live.ContactFlowModuleArn != arn+":live" {
		t.Errorf("%+v", got.ContactFlowModule)
	}
	_, err = c.UpdateContactFlowModuleAlias(ctx, &awsconnect.UpdateContactFlowModuleAliasInput{
		InstanceId: aws.String(ours), ContactFlowModuleId: aws.String(id), AliasId: live.Id, ContactFlowModuleVersion: aws.Int64(3), Name: aws.String("now"),
	})
	must(t, err)
	a, err := c.DescribeContactFlowModuleAlias(ctx, &awsconnect.DescribeContactFlowModuleAliasInput{InstanceId: aws.String(ours), ContactFlowModuleId: aws.String(id), AliasId: live.Id})
	must(t, err)
	if i := a.ContactFlowModuleAlias; *i.Name != "now" || *i.Version != 3 || *i.Description != "what callers get" || *i.ContactFlowModuleId != id {
		t.Errorf("%+v", i)
	}
	_, err = create("later", 1)
	must(t, err)
	var names []string
	pages := awsconnect.NewListContactFlowModuleAliasesPaginator(c, &awsconnect.ListContactFlowModuleAliasesInput{
		InstanceId: aws.String(ours), ContactFlowModuleId: aws.String(id), MaxResults: aws.Int32(1),
	})
	for pages.HasMorePages() {
		page, perr := pages.NextPage(ctx)
		must(t, perr)
		for _, s := range page.ContactFlowModuleAliasSummaryList {
			names = append(names, *s.AliasName)
		}
	}
	if strings.Join(names, ",") != "later,now" {
		t.Errorf("aliases %v", names)
	}
	_, err = c.DeleteContactFlowModuleAlias(ctx, &awsconnect.DeleteContactFlowModuleAliasInput{InstanceId: aws.String(ours), ContactFlowModuleId: aws.String(id), AliasId: live.Id})
	must(t, err)
	_, err = c.DescribeContactFlowModuleAlias(ctx, &awsconnect.DescribeContactFlowModuleAliasInput{InstanceId: aws.String(ours), ContactFlowModuleId: aws.String(id), AliasId: live.Id})
	wantError[*types.ResourceNotFoundException](t, err)
}

func TestCheckingComparingAndRollingBackOverTheAdminFace(t *testing.T) {
	w := newWorld(t)
	ask := func(language, content string) (out struct {
		Publishable bool
		Errors      int
		Findings    []ivr.Finding
		Unsupported []string
	},
	) {
		t.Helper()
		body, err := json.Marshal(map[string]string{"Type": "CONTACT_FLOW", "Content": content})
		must(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/admin/v1/flows/check", bytes.NewReader(body))
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+w.keys["admin"].Token)
		req.Header.Set("Accept-Language", language)
		resp, err := w.server.Client().Do(req)
		must(t, err)
		defer resp.Body.Close()
		must(t, json.NewDecoder(resp.Body).Decode(&out))
		return out
	}
	if out := ask("en", goodFlow); !out.Publishable || len(out.Findings) != 0 {
		t.Errorf("%+v", out)
	}
	bad := strings.Replace(goodFlow, `"NextAction":"b","Errors"`, `"NextAction":"lost","Errors"`, 1)
	if out := ask("ko-KR,ko;q=0.9", bad); out.Publishable || out.Errors != 1 || out.Findings[0].Message != `"lost" 동작은 이 흐름에 없습니다` || out.Findings[0].Rule != "unknown-target" {
		t.Errorf("%+v", out)
	}
	if status, name, _ := w.do("admin", "POST", "/admin/v1/flows/check", `{"Type":"X","Content":"{}"}`); status != 400 || name != "InvalidParameterException" {
		t.Errorf("%d %s", status, name)
	}
	w.admin("admin", "POST", "/flows/import", `{"Flows":[{"Name":"Main","Type":"CONTACT_FLOW","Content":`+says("Two")+`}]}`, nil)
	var d ivr.Diff
	w.admin("admin", "GET", "/flows/"+w.flow+"/diff?from=1&to=2", "", &d)
	if d.Same || len(d.Changed) != 1 || d.Changed[0].ActionID != "a" || d.Changed[0].Fields[0].Field != "Parameters.Text" {
		t.Errorf("%+v", d)
	}
	var back struct{ Version int }
	w.admin("admin", "POST", "/flows/"+w.flow+"/roll-back", `{"Version":1,"Description":"back"}`, &back)
	w.admin("admin", "GET", "/flows/"+w.flow+"/diff?from=1", "", &d) // with the draft
	if back.Version != 3 || !d.Same {
		t.Errorf("%+v %+v", back, d)
	}
	if status, name, _ := w.do("admin", "POST", "/admin/v1/flows/"+w.flow+"/roll-back", `{"Version":0}`); status != 400 || name != "InvalidParameterException" {
		t.Errorf("%d %s", status, name)
	}
}

func TestABundleGoesOutAndComesInByteForByte(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	odd := "{ \"Version\":\"2019-10-30\",\r\n\"StartAction\":\"b\",\"Metadata\":{\"가\":[1.0e0,\"\\u00e9<&\"]},\"Actions\":[{\"Identifier\":\"b\",\"Type\":\"DisconnectParticipant\",\"Parameters\":{},\"Transitions\":{}}]}\n"
	must(t, w.o.Connect.Flows.Create(ctx, &ivr.Flow{Meta: resource.Meta{InstanceID: ours, Name: "a/b 가"}, Type: ivr.TypeCustomerQueue, Content: odd}, ivr.Saved))
	must(t, w.o.Connect.Modules.Create(ctx, &ivr.Flow{Meta: resource.Meta{InstanceID: ours, Name: "M"}, Type: ivr.TypeModule, Content: goodModule}, ivr.Published))
	status, _, bundle := w.do("admin", "GET", "/admin/v1/flows/export", "")
	if status != 200 || !bytes.HasPrefix(bundle, []byte("PK")) {
		t.Fatalf("%d %.100s", status, bundle)
	}
	status, _, answer := w.do("boss", "POST", "/admin/v1/flows/import", string(bundle)) // the other instance
	var out struct{ Flows []ivr.Imported }
	must(t, json.Unmarshal(answer, &out))
	if status != 200 || len(out.Flows) != 3 {
		t.Fatalf("%d %s", status, answer)
	}
	for _, f := range out.Flows {
		if f.Result == ivr.ImportFailed || f.Error != "" {
			t.Errorf("%+v", f)
		}
	}
	for name, want := range map[string]string{"a/b 가": odd, "Main": goodFlow} {
		e, err := w.o.Connect.Flows.Edition(ctx, theirs, w.idOf(name)+":$SAVED")
		must(t, err)
		if e.Content != want {
			t.Errorf("%s came out as %q", name, e.Content)
		}
	}
	for body, want := range map[string]int{"": 400, "PK": 400, `{"Flows":[]}`: 400, `[]`: 400, `{"Flows":[{"Name":"x"}]}`: 200} {
		if status, _, answer = w.do("admin", "POST", "/admin/v1/flows/import", body); status != want {
			t.Errorf("%q: %d %s", body, status, answer)
		}
	}
	editor := w.customProfile("Publisher", identity.FlowsPublish)
	w.person(ours, w.routing, "publisher", editor)
	if status, name, _ := w.do("publisher", "POST", "/admin/v1/flows/import", string(bundle)); status != 403 || name != "AccessDeniedException" {
		t.Errorf("importing without leave to create: %d %s", status, name)
	}
}

// idOf is the id of a flow of the other instance.
func (w *world) idOf(name string) string {
	w.t.Helper()
	f, err := w.o.Connect.Flows.Find(w.t.Context(), theirs, name)
	must(w.t, err)
	return f.ID
}
