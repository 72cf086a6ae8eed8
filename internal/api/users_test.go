package api_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

const goodPassword = "Passw0rd-ok"

func (w *world) newUser(name string, profiles ...string) *awsconnect.CreateUserInput {
	return &awsconnect.CreateUserInput{
		InstanceId: aws.String(ours), Username: aws.String(name), Password: aws.String(goodPassword),
		RoutingProfileId: aws.String(w.routing), SecurityProfileIds: profiles,
		PhoneConfig: &types.UserPhoneConfig{PhoneType: types.PhoneTypeSoftPhone, AfterContactWorkTimeLimit: 30},
	}
}

func TestUsersThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	agent := w.profile[identity.ProfileAgent]
	in := w.newUser("anna@example.com", resource.ARN(ours, resource.KindSecurityProfile, agent))
	in.IdentityInfo = &types.UserIdentityInfo{FirstName: aws.String("Anna"), LastName: aws.String("김"), Email: aws.String("a@b.c")}
	created, err := c.CreateUser(ctx, in)
	must(t, err)
	stored, err := w.o.Connect.Users.Get(ctx, ours, *created.UserId)
	must(t, err)
	if !identity.CheckPassword(stored.PasswordHash, goodPassword) {
		t.Error("the password does not fit the hash")
	}
	describe := func() *types.User {
		t.Helper()
		got, derr := c.DescribeUser(ctx, &awsconnect.DescribeUserInput{InstanceId: aws.String(ours), UserId: created.UserArn})
		must(t, derr)
		got.User.LastModifiedTime = nil
		return got.User
	}
	want := &types.User{
		Id: created.UserId, Arn: aws.String(resource.ARN(ours, resource.KindUser, *created.UserId)),
		Username: aws.String("anna@example.com"), IdentityInfo: in.IdentityInfo, PhoneConfig: in.PhoneConfig,
		SecurityProfileIds: []string{agent}, RoutingProfileId: aws.String(w.routing), LastModifiedRegion: aws.String("local"),
	}
	if d := cmp.Diff(want, describe(), ignoreUnexported()); d != "" {
		t.Error(d)
	}
	_, err = c.UpdateUserIdentityInfo(ctx, &awsconnect.UpdateUserIdentityInfoInput{
		InstanceId: aws.String(ours), UserId: created.UserId, IdentityInfo: &types.UserIdentityInfo{FirstName: aws.String("Ann")},
	})
	must(t, err)
	phone := &types.UserPhoneConfig{
		PhoneType: types.PhoneTypeDeskPhone, DeskPhoneNumber: aws.String("+8225550100"), AutoAccept: true,
	}
	_, err = c.UpdateUserPhoneConfig(ctx, &awsconnect.UpdateUserPhoneConfigInput{
		InstanceId: aws.String(ours), UserId: created.UserId, PhoneConfig: phone,
	})
	must(t, err)
	_, err = c.UpdateUserSecurityProfiles(ctx, &awsconnect.UpdateUserSecurityProfilesInput{
		InstanceId: aws.String(ours), UserId: created.UserId,
		SecurityProfileIds: []string{agent, w.profile[identity.ProfileQualityAnalyst]},
	})
	must(t, err)
	_, err = c.UpdateUserRoutingProfile(ctx, &awsconnect.UpdateUserRoutingProfileInput{
		InstanceId: aws.String(ours), UserId: created.UserId, RoutingProfileId: aws.String("none"),
	})
	wantError[*types.InvalidParameterException](t, err)
	_, err = c.UpdateUserRoutingProfile(ctx, &awsconnect.UpdateUserRoutingProfileInput{
		InstanceId: aws.String(ours), UserId: created.UserId, RoutingProfileId: aws.String(w.routing),
	})
	must(t, err)
	want.IdentityInfo = &types.UserIdentityInfo{FirstName: aws.String("Ann")}
	want.PhoneConfig = phone
	want.SecurityProfileIds = append(want.SecurityProfileIds, w.profile[identity.ProfileQualityAnalyst])
	if d := cmp.Diff(want, describe(), ignoreUnexported()); d != "" {
		t.Error(d)
	}
	list, err := c.ListUsers(ctx, &awsconnect.ListUsersInput{InstanceId: aws.String(ours)})
	must(t, err)
	if len(list.UserSummaryList) != 2 || *list.UserSummaryList[1].Username != "anna@example.com" {
		t.Errorf("list: %+v", list.UserSummaryList)
	}

	// A device and an access key go with their user.
	var d struct{ DeviceId string }
	w.admin("admin", "POST", "/devices", `{"Name":"anna","UserId":"`+*created.UserId+`"}`, &d)
	var key struct{ BearerToken string }
	w.admin("admin", "POST", "/users/"+*created.UserId+"/access-keys", "", &key)
	_, err = c.DeleteUser(ctx, &awsconnect.DeleteUserInput{InstanceId: aws.String(ours), UserId: created.UserId})
	must(t, err)
	if _, err = w.o.Connect.Devices.Get(ctx, ours, d.DeviceId); !errs.Is(err, errs.NotFound) {
		t.Errorf("the device outlived its user: %v", err)
	}
	_, err = c.DescribeUser(ctx, &awsconnect.DescribeUserInput{InstanceId: aws.String(ours), UserId: created.UserId})
	wantError[*types.ResourceNotFoundException](t, err)
}

func TestUserErrorsAreTyped(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	agent := w.profile[identity.ProfileAgent]
	tests := []struct {
		name   string
		change func(*awsconnect.CreateUserInput)
	}{
		{"weak password", func(in *awsconnect.CreateUserInput) { in.Password = aws.String("short") }},
		{"no password", func(in *awsconnect.CreateUserInput) { in.Password = nil }},
		{"bad username", func(in *awsconnect.CreateUserInput) { in.Username = aws.String("a b") }},
		{"no such security profile", func(in *awsconnect.CreateUserInput) { in.SecurityProfileIds = []string{"none"} }},
		{"no such routing profile", func(in *awsconnect.CreateUserInput) { in.RoutingProfileId = aws.String("none") }},
		{"desk phone without number", func(in *awsconnect.CreateUserInput) { in.PhoneConfig.PhoneType = types.PhoneTypeDeskPhone }},
		{"hierarchy", func(in *awsconnect.CreateUserInput) { in.HierarchyGroupId = aws.String("g") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := w.newUser("x", agent)
			tt.change(in)
			_, err := c.CreateUser(ctx, in)
			wantError[*types.InvalidParameterException](t, err)
		})
	}
	_, err := c.CreateUser(ctx, w.newUser("admin", agent))
	wantError[*types.DuplicateResourceException](t, err)
}

func TestNobodyGivesAwayWhatTheyDoNotHave(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	manager := w.person(ours, w.routing, "manager", w.profile[identity.ProfileCallCenterManager])
	boss, err := w.o.Connect.Users.GetByName(ctx, ours, "admin")
	must(t, err)
	c := w.client("manager")
	_, err = c.CreateUser(ctx, w.newUser("fine", w.profile[identity.ProfileAgent], w.profile[identity.ProfileQualityAnalyst]))
	must(t, err)
	_, err = c.CreateUser(ctx, w.newUser("raised", w.profile[identity.ProfileAdmin]))
	wantCode(t, err, "AccessDeniedException")
	for name, id := range map[string]string{"oneself": manager.ID, "an administrator": boss.ID} {
		_, err = c.UpdateUserSecurityProfiles(ctx, &awsconnect.UpdateUserSecurityProfilesInput{
			InstanceId: aws.String(ours), UserId: aws.String(id), SecurityProfileIds: []string{w.profile[identity.ProfileAdmin]},
		})
		if wantCode(t, err, "AccessDeniedException"); t.Failed() {
			t.Log(name)
		}
	}
	_, err = c.UpdateUserSecurityProfiles(ctx, &awsconnect.UpdateUserSecurityProfilesInput{
		InstanceId: aws.String(ours), UserId: aws.String(boss.ID), SecurityProfileIds: []string{w.profile[identity.ProfileAgent]},
	})
	wantCode(t, err, "AccessDeniedException")
	_, err = c.DeleteUser(ctx, &awsconnect.DeleteUserInput{InstanceId: aws.String(ours), UserId: aws.String(boss.ID)})
	wantCode(t, err, "AccessDeniedException")
	if status, name, _ := w.do("manager", "POST", "/admin/v1/users/"+boss.ID+"/access-keys", ""); status != 403 {
		t.Errorf("a manager made an administrator's access key: %d %s", status, name)
	}
}

// wantCode asserts an error by its AWS name, where the SDK has no type for it.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != code {
		t.Errorf("want %s, got %v", code, err)
	}
}

func TestAgentStatusesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	created, err := c.CreateAgentStatus(ctx, &awsconnect.CreateAgentStatusInput{
		InstanceId: aws.String(ours), Name: aws.String("Lunch"), State: types.AgentStatusStateEnabled, DisplayOrder: aws.Int32(4),
	})
	must(t, err)
	_, err = c.UpdateAgentStatus(ctx, &awsconnect.UpdateAgentStatusInput{
		InstanceId: aws.String(ours), AgentStatusId: created.AgentStatusARN, Name: aws.String("Break"),
		State: types.AgentStatusStateDisabled, ResetOrderNumber: true,
	})
	must(t, err)
	got, err := c.DescribeAgentStatus(ctx, &awsconnect.DescribeAgentStatusInput{
		InstanceId: aws.String(ours), AgentStatusId: created.AgentStatusId,
	})
	must(t, err)
	if s := got.AgentStatus; *s.Name != "Break" || s.State != types.AgentStatusStateDisabled || s.DisplayOrder != nil ||
		s.Type != types.AgentStatusTypeCustom || *s.AgentStatusARN != resource.ARN(ours, resource.KindAgentStatus, *s.AgentStatusId) {
		t.Errorf("%+v", s)
	}
	list, err := c.ListAgentStatuses(ctx, &awsconnect.ListAgentStatusesInput{
		InstanceId:       aws.String(ours),
		AgentStatusTypes: []types.AgentStatusType{types.AgentStatusTypeCustom, types.AgentStatusTypeRoutable},
	})
	must(t, err)
	var names []string
	for _, s := range list.AgentStatusSummaryList {
		names = append(names, *s.Name)
	}
	if d := cmp.Diff([]string{"Available", "Break"}, names); d != "" {
		t.Error(d)
	}
}

func TestAgentsAreSteeredAndWatched(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	anna := w.person(ours, w.routing, "anna", w.profile[identity.ProfileAgent])
	put := func(who, whom, status string) error {
		_, err := w.client(who).PutUserStatus(ctx, &awsconnect.PutUserStatusInput{
			InstanceId: aws.String(ours), UserId: aws.String(whom), AgentStatusId: aws.String(status),
		})
		return err
	}
	boss, err := w.o.Connect.Users.GetByName(ctx, ours, "admin")
	must(t, err)
	must(t, put("anna", anna.ID, w.status))
	must(t, put("admin", anna.ID, resource.ARN(ours, resource.KindAgentStatus, w.status)))
	wantError[*types.AccessDeniedException](t, put("anna", boss.ID, w.status))
	wantError[*types.ResourceNotFoundException](t, put("anna", anna.ID, "none"))
	wantError[*types.ResourceNotFoundException](t, put("admin", "none", w.status))
	_, err = w.client("anna").DismissUserContact(ctx, &awsconnect.DismissUserContactInput{
		InstanceId: aws.String(ours), UserId: aws.String(anna.ID), ContactId: aws.String("c1"),
	})
	must(t, err)
	want := []string{
		"status " + ours + " " + anna.ID + " " + w.status, "status " + ours + " " + anna.ID + " " + w.status,
		"dismiss " + ours + " " + anna.ID + " c1",
	}
	if d := cmp.Diff(want, w.agents.asked); d != "" {
		t.Error(d)
	}
	w.agents.err = errs.New(errs.InvalidRequest, "not now")
	wantError[*types.InvalidRequestException](t, put("anna", anna.ID, w.status))

	since := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	snapshot := func(id string, slots ...acd.Slot) acd.AgentSnapshot {
		return acd.AgentSnapshot{
			Agent: acd.Agent{UserID: id, RoutingProfileID: w.routing}, StatusID: w.status, StatusName: "Available",
			StatusSince: since, Slots: slots, MaxSlots: map[contact.Channel]int{contact.Voice: 1},
			ActiveSlots:    map[contact.Channel]int{contact.Voice: len(slots)},
			AvailableSlots: map[contact.Channel]int{contact.Voice: 1 - len(slots)},
		}
	}
	w.agents.now = []acd.AgentSnapshot{snapshot("u2"), snapshot("u1", acd.Slot{
		ContactID: "c9", QueueID: w.queue, Channel: contact.Voice, State: acd.SlotOffered, Since: since,
	}), {Agent: acd.Agent{UserID: "u0", RoutingProfileID: "another"}}}
	data := func(max int32, token *string) *awsconnect.GetCurrentUserDataOutput {
		t.Helper()
		got, gerr := w.client("admin").GetCurrentUserData(ctx, &awsconnect.GetCurrentUserDataInput{
			InstanceId: aws.String(ours), Filters: &types.UserDataFilters{Queues: []string{w.queue}},
			MaxResults: aws.Int32(max), NextToken: token,
		})
		must(t, gerr)
		return got
	}
	first := data(1, nil)
	if *first.ApproximateTotalCount != 2 || len(first.UserDataList) != 1 || first.NextToken == nil {
		t.Fatalf("first page: %+v", first)
	}
	u := first.UserDataList[0]
	if *u.User.Id != "u1" || *u.Status.StatusName != "Available" || !u.Status.StatusStartTimestamp.Equal(since) ||
		u.ActiveSlotsByChannel["VOICE"] != 1 || u.AvailableSlotsByChannel["VOICE"] != 0 || len(u.Contacts) != 1 ||
		u.Contacts[0].AgentContactState != types.ContactStateConnecting || *u.Contacts[0].Queue.Id != w.queue {
		t.Errorf("%+v", u)
	}
	second := data(1, first.NextToken)
	if len(second.UserDataList) != 1 || *second.UserDataList[0].User.Id != "u2" || second.NextToken != nil {
		t.Errorf("second page: %+v", second)
	}
	_, err = w.client("admin").GetCurrentUserData(ctx, &awsconnect.GetCurrentUserDataInput{
		InstanceId: aws.String(ours), Filters: &types.UserDataFilters{},
	})
	wantError[*types.InvalidParameterException](t, err)
}

func TestSecurityProfilesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	list, err := c.ListSecurityProfiles(ctx, &awsconnect.ListSecurityProfilesInput{InstanceId: aws.String(ours)})
	must(t, err)
	var names []string
	for _, p := range list.SecurityProfileSummaryList {
		names = append(names, *p.Name)
	}
	if d := cmp.Diff([]string{"Admin", "Agent", "CallCenterManager", "QualityAnalyst"}, names); d != "" {
		t.Error(d)
	}
	id := w.profile[identity.ProfileAgent]
	got, err := c.DescribeSecurityProfile(ctx, &awsconnect.DescribeSecurityProfileInput{
		InstanceId: aws.String(ours), SecurityProfileId: aws.String(id),
	})
	must(t, err)
	if p := got.SecurityProfile; *p.SecurityProfileName != "Agent" || *p.Arn != resource.ARN(ours, resource.KindSecurityProfile, id) {
		t.Errorf("%+v", p)
	}
	var permissions []string
	pages := awsconnect.NewListSecurityProfilePermissionsPaginator(c, &awsconnect.ListSecurityProfilePermissionsInput{
		InstanceId: aws.String(ours), SecurityProfileId: aws.String(id), MaxResults: aws.Int32(1),
	})
	for pages.HasMorePages() {
		page, perr := pages.NextPage(ctx)
		must(t, perr)
		permissions = append(permissions, page.Permissions...)
	}
	if !slices.Equal(permissions, []string{"BasicAgentAccess", "OutboundCallAccess"}) {
		t.Errorf("permissions %v", permissions)
	}
}
