package api_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"ullim/internal/identity"
)

// peopleBodies are bodies, as in bodies, of what is about people.
func peopleBodies() map[string]string {
	return map[string]string{
		"CreateUserHierarchyGroup":     `{"Name":"n"}`,
		"UpdateUserHierarchyGroupName": `{"Name":"n"}`,
		"UpdateUserHierarchyStructure": `{"HierarchyStructure":{}}`,
		"UpdateUserHierarchy":          `{}`,
		"UpdateUserConfig":             `{}`,
		"CreateSecurityProfile":        `{"SecurityProfileName":"n"}`,
		"UpdateSecurityProfile":        `{"Description":"d"}`,
		"SearchUsers":                  `{"InstanceId":"INSTANCE"}`,
		"SearchQueues":                 `{"InstanceId":"INSTANCE"}`,
		"SearchRoutingProfiles":        `{"InstanceId":"INSTANCE"}`,
		"SearchAgentStatuses":          `{"InstanceId":"INSTANCE"}`,
		"SearchSecurityProfiles":       `{"InstanceId":"INSTANCE"}`,
		"SearchUserHierarchyGroups":    `{"InstanceId":"INSTANCE"}`,
	}
}

// newGroup makes a group and gives its id.
func newGroup(t *testing.T, c *awsconnect.Client, name, parent string) string {
	t.Helper()
	in := &awsconnect.CreateUserHierarchyGroupInput{InstanceId: aws.String(ours), Name: aws.String(name)}
	if parent != "" {
		in.ParentGroupId = aws.String(parent)
	}
	out, err := c.CreateUserHierarchyGroup(t.Context(), in)
	must(t, err)
	return *out.HierarchyGroupId
}

func TestTheHierarchyOfAgents(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	structure := func(levels ...string) error {
		up := &types.HierarchyStructureUpdate{}
		for i, to := range []**types.HierarchyLevelUpdate{&up.LevelOne, &up.LevelTwo, &up.LevelThree, &up.LevelFour, &up.LevelFive} {
			if i < len(levels) {
				*to = &types.HierarchyLevelUpdate{Name: aws.String(levels[i])}
			}
		}
		_, err := c.UpdateUserHierarchyStructure(ctx, &awsconnect.UpdateUserHierarchyStructureInput{InstanceId: aws.String(ours), HierarchyStructure: up})
		return err
	}
	if _, err := c.CreateUserHierarchyGroup(ctx, &awsconnect.CreateUserHierarchyGroupInput{InstanceId: aws.String(ours), Name: aws.String("early")}); err == nil {
		t.Error("a group was made on a level that does not exist")
	}
	must(t, structure("Region", "Team"))
	korea := newGroup(t, c, "Korea", "")
	seoul := newGroup(t, c, "Seoul", korea)
	if _, err := c.CreateUserHierarchyGroup(ctx, &awsconnect.CreateUserHierarchyGroupInput{
		InstanceId: aws.String(ours), Name: aws.String("deep"), ParentGroupId: aws.String(seoul),
	}); err == nil {
		t.Error("a group was made below the last level")
	}
	got, err := c.DescribeUserHierarchyGroup(ctx, &awsconnect.DescribeUserHierarchyGroupInput{InstanceId: aws.String(ours), HierarchyGroupId: aws.String(seoul)})
	must(t, err)
	g := got.HierarchyGroup
	if *g.Name != "Seoul" || *g.HierarchyPath.LevelOne.Name != "Korea" || *g.HierarchyPath.LevelTwo.Id != seoul || g.HierarchyPath.LevelThree != nil {
		t.Errorf("group %+v", g)
	}
	before, err := c.DescribeUserHierarchyStructure(ctx, &awsconnect.DescribeUserHierarchyStructureInput{InstanceId: aws.String(ours)})
	must(t, err)
	if *before.HierarchyStructure.LevelTwo.Id != *g.LevelId || *before.HierarchyStructure.LevelTwo.Name != "Team" {
		t.Errorf("levels %+v", before.HierarchyStructure)
	}
	must(t, structure("Region", "Squad", "Pair"))
	after, err := c.DescribeUserHierarchyStructure(ctx, &awsconnect.DescribeUserHierarchyStructureInput{InstanceId: aws.String(ours)})
	must(t, err)
	if *after.HierarchyStructure.LevelTwo.Id != *g.LevelId || *after.HierarchyStructure.LevelTwo.Name != "Squad" || after.HierarchyStructure.LevelThree == nil {
		t.Errorf("levels after renaming %+v", after.HierarchyStructure)
	}
	var inUse *types.ResourceInUseException
	if err = structure("Region"); !errors.As(err, &inUse) {
		t.Errorf("a level with groups went: %v", err)
	}
	_, err = c.UpdateUserHierarchyStructure(ctx, &awsconnect.UpdateUserHierarchyStructureInput{
		InstanceId: aws.String(ours), HierarchyStructure: &types.HierarchyStructureUpdate{LevelTwo: &types.HierarchyLevelUpdate{Name: aws.String("x")}},
	})
	if err == nil {
		t.Error("a second level without a first one was made")
	}
	_, err = c.UpdateUserHierarchyGroupName(ctx, &awsconnect.UpdateUserHierarchyGroupNameInput{
		InstanceId: aws.String(ours), HierarchyGroupId: aws.String(korea), Name: aws.String("대한민국"),
	})
	must(t, err)
	list, err := c.ListUserHierarchyGroups(ctx, &awsconnect.ListUserHierarchyGroupsInput{InstanceId: aws.String(ours)})
	must(t, err)
	var names []string
	for _, one := range list.UserHierarchyGroupSummaryList {
		names = append(names, *one.Name)
	}
	slices.Sort(names)
	if d := cmp.Diff([]string{"Seoul", "대한민국"}, names); d != "" {
		t.Error(d)
	}
	remove := func(id string) error {
		_, goneErr := c.DeleteUserHierarchyGroup(ctx, &awsconnect.DeleteUserHierarchyGroupInput{InstanceId: aws.String(ours), HierarchyGroupId: aws.String(id)})
		return goneErr
	}
	u := w.person(ours, w.routing, "min", w.profile[identity.ProfileAgent])
	join := func(group *string) {
		_, joinErr := c.UpdateUserHierarchy(ctx, &awsconnect.UpdateUserHierarchyInput{InstanceId: aws.String(ours), UserId: aws.String(u.ID), HierarchyGroupId: group})
		must(t, joinErr)
	}
	join(aws.String(seoul))
	if err = remove(korea); !errors.As(err, &inUse) {
		t.Errorf("a group with another below it went: %v", err)
	}
	if err = remove(seoul); !errors.As(err, &inUse) {
		t.Errorf("a group with users went: %v", err)
	}
	user, err := c.DescribeUser(ctx, &awsconnect.DescribeUserInput{InstanceId: aws.String(ours), UserId: aws.String(u.ID)})
	must(t, err)
	if *user.User.HierarchyGroupId != seoul {
		t.Errorf("user %+v", user.User)
	}
	join(nil)
	must(t, remove(seoul))
	must(t, remove(korea))
}

func TestPeopleAreFoundByWhatTheyAre(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	_, err := c.UpdateUserHierarchyStructure(ctx, &awsconnect.UpdateUserHierarchyStructureInput{
		InstanceId: aws.String(ours), HierarchyStructure: &types.HierarchyStructureUpdate{
			LevelOne: &types.HierarchyLevelUpdate{Name: aws.String("Region")}, LevelTwo: &types.HierarchyLevelUpdate{Name: aws.String("Team")},
		},
	})
	must(t, err)
	korea := newGroup(t, c, "Korea", "")
	seoul := newGroup(t, c, "Seoul", korea)
	make := func(name, first, group string, level float64) {
		u := w.person(ours, w.routing, name, w.profile[identity.ProfileAgent])
		u, getErr := w.o.Connect.Users.Get(ctx, ours, u.ID)
		must(t, getErr)
		u.FirstName, u.HierarchyGroupID, u.Tags = first, group, map[string]string{"floor": name[:1]}
		u.Proficiencies = []identity.Proficiency{{Name: "language", Value: "ko", Level: level}}
		must(t, w.o.Connect.Users.Update(ctx, u))
	}
	make("a-kim", "민수", korea, 2)
	make("b-lee", "서연", seoul, 5)
	make("c-park", "민지", "", 4)
	text := func(field, value string, how types.StringComparisonType) *types.UserSearchCriteria {
		return &types.UserSearchCriteria{StringCondition: &types.StringCondition{FieldName: aws.String(field), Value: aws.String(value), ComparisonType: how}}
	}
	level := func(low int32) *types.UserSearchCriteria {
		return &types.UserSearchCriteria{ListCondition: &types.ListCondition{TargetListType: types.TargetListTypeProficiencies, Conditions: []types.Condition{
			{StringCondition: &types.StringCondition{FieldName: aws.String("attributeName"), Value: aws.String("language"), ComparisonType: types.StringComparisonTypeExact}},
			{NumberCondition: &types.NumberCondition{FieldName: aws.String("level"), MinValue: aws.Int32(low), ComparisonType: types.NumberComparisonTypeGreaterOrEqual}},
		}}}
	}
	in := func(group string, how types.HierarchyGroupMatchType) *types.UserSearchCriteria {
		return &types.UserSearchCriteria{HierarchyGroupCondition: &types.HierarchyGroupCondition{Value: aws.String(group), HierarchyGroupMatchType: how}}
	}
	for _, row := range []struct {
		name   string
		q      *types.UserSearchCriteria
		filter *types.UserSearchFilter
		want   []string
	}{
		{"everybody", nil, nil, []string{"a-kim", "admin", "b-lee", "c-park"}},
		{"first name", text("firstName", "민", types.StringComparisonTypeStartsWith), nil, []string{"a-kim", "c-park"}},
		{"username", text("Username", "LEE", types.StringComparisonTypeContains), nil, []string{"b-lee"}},
		{"security profile", text("securityProfileId", w.profile[identity.ProfileAdmin], types.StringComparisonTypeExact), nil, []string{"admin"}},
		{"group", in(korea, types.HierarchyGroupMatchTypeExact), nil, []string{"a-kim"}},
		{"group and below", in(korea, types.HierarchyGroupMatchTypeWithChildGroups), nil, []string{"a-kim", "b-lee"}},
		{"skill", level(4), nil, []string{"b-lee", "c-park"}},
		{"and", &types.UserSearchCriteria{AndConditions: []types.UserSearchCriteria{*level(4), *text("firstName", "민", types.StringComparisonTypeStartsWith)}}, nil, []string{"c-park"}},
		{"or", &types.UserSearchCriteria{OrConditions: []types.UserSearchCriteria{*level(5), *text("username", "admin", types.StringComparisonTypeExact)}}, nil, []string{"admin", "b-lee"}},
		{"tag", nil, &types.UserSearchFilter{TagFilter: &types.ControlPlaneTagFilter{TagCondition: &types.TagCondition{TagKey: aws.String("floor"), TagValue: aws.String("a")}}}, []string{"a-kim"}},
		{"attributes", nil, &types.UserSearchFilter{UserAttributeFilter: &types.ControlPlaneUserAttributeFilter{
			AndCondition: &types.AttributeAndCondition{
				TagConditions:           []types.TagCondition{{TagKey: aws.String("floor")}},
				HierarchyGroupCondition: &types.HierarchyGroupCondition{Value: aws.String(korea), HierarchyGroupMatchType: types.HierarchyGroupMatchTypeWithChildGroups},
			},
		}}, []string{"a-kim", "b-lee"}},
	} {
		var names []string
		var next *string
		for {
			out, searchErr := c.SearchUsers(ctx, &awsconnect.SearchUsersInput{
				InstanceId: aws.String(ours), SearchCriteria: row.q, SearchFilter: row.filter, MaxResults: aws.Int32(2), NextToken: next,
			})
			must(t, searchErr)
			if *out.ApproximateTotalCount != int64(len(row.want)) {
				t.Errorf("%s: %d in all", row.name, *out.ApproximateTotalCount)
			}
			for _, u := range out.Users {
				names = append(names, *u.Username)
			}
			if next = out.NextToken; next == nil {
				break
			}
		}
		if d := cmp.Diff(row.want, names); d != "" {
			t.Errorf("%s:\n%s", row.name, d)
		}
	}
	for name, q := range map[string]*types.UserSearchCriteria{
		"field": text("height", "x", types.StringComparisonTypeExact), "comparison": text("username", "x", "SOUNDS_LIKE"), "match": in(korea, "NEAR"),
	} {
		if _, err = c.SearchUsers(ctx, &awsconnect.SearchUsersInput{InstanceId: aws.String(ours), SearchCriteria: q}); err == nil {
			t.Errorf("an unknown %s was taken", name)
		}
	}
	found, err := c.SearchUserHierarchyGroups(ctx, &awsconnect.SearchUserHierarchyGroupsInput{
		InstanceId: aws.String(ours), SearchCriteria: &types.UserHierarchyGroupSearchCriteria{
			StringCondition: &types.StringCondition{FieldName: aws.String("parentId"), Value: aws.String(korea), ComparisonType: types.StringComparisonTypeExact},
		},
	})
	must(t, err)
	if len(found.UserHierarchyGroups) != 1 || *found.UserHierarchyGroups[0].HierarchyPath.LevelOne.Id != korea {
		t.Errorf("groups %+v", found.UserHierarchyGroups)
	}
}

func TestWhatPeopleWorkWithIsFound(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	text := func(field, value string) *types.StringCondition {
		return &types.StringCondition{FieldName: aws.String(field), Value: aws.String(value), ComparisonType: types.StringComparisonTypeContains}
	}
	q, err := c.SearchQueues(ctx, &awsconnect.SearchQueuesInput{InstanceId: aws.String(ours), SearchCriteria: &types.QueueSearchCriteria{
		StringCondition: text("name", "basic"), QueueTypeCondition: types.SearchableQueueTypeStandard,
	}})
	must(t, err)
	if len(q.Queues) != 1 || *q.Queues[0].QueueId != w.queue || *q.Queues[0].HoursOfOperationId != w.hours {
		t.Errorf("queues %+v", q.Queues)
	}
	r, err := c.SearchRoutingProfiles(ctx, &awsconnect.SearchRoutingProfilesInput{InstanceId: aws.String(ours), SearchCriteria: &types.RoutingProfileSearchCriteria{
		StringCondition: text("associatedQueueId", w.queue),
	}})
	must(t, err)
	if len(r.RoutingProfiles) != 1 || *r.RoutingProfiles[0].RoutingProfileId != w.routing || *r.RoutingProfiles[0].NumberOfAssociatedUsers != 1 {
		t.Errorf("routing profiles %+v", r.RoutingProfiles)
	}
	s, err := c.SearchAgentStatuses(ctx, &awsconnect.SearchAgentStatusesInput{InstanceId: aws.String(ours), SearchCriteria: &types.AgentStatusSearchCriteria{
		StringCondition: text("type", "ROUTABLE"),
	}, SearchFilter: &types.AgentStatusSearchFilter{AttributeFilter: &types.ControlPlaneAttributeFilter{}}})
	must(t, err)
	if len(s.AgentStatuses) != 1 || *s.AgentStatuses[0].AgentStatusId != w.status {
		t.Errorf("statuses %+v", s.AgentStatuses)
	}
	p, err := c.SearchSecurityProfiles(ctx, &awsconnect.SearchSecurityProfilesInput{InstanceId: aws.String(ours), SearchCriteria: &types.SecurityProfileSearchCriteria{
		OrConditions: []types.SecurityProfileSearchCriteria{{StringCondition: text("name", "Agent")}, {StringCondition: text("name", "Quality")}},
	}})
	must(t, err)
	if len(p.SecurityProfiles) != 2 || *p.ApproximateTotalCount != 2 {
		t.Errorf("security profiles %+v", p.SecurityProfiles)
	}
}

func TestNobodyMakesASecurityProfileThatIsMoreThanTheyAre(t *testing.T) {
	w := newWorld(t)
	admin, ctx := w.client("admin"), t.Context()
	create := func(c *awsconnect.Client, name string, permissions ...string) (string, error) {
		out, err := c.CreateSecurityProfile(ctx, &awsconnect.CreateSecurityProfileInput{
			InstanceId: aws.String(ours), SecurityProfileName: aws.String(name), Description: aws.String("d"), Permissions: permissions,
		})
		if err != nil {
			return "", err
		}
		return *out.SecurityProfileId, nil
	}
	editor, err := create(admin, "Editor", identity.SecurityProfilesView, identity.SecurityProfilesCreate, identity.SecurityProfilesEdit,
		identity.SecurityProfilesDelete, identity.UsersView)
	must(t, err)
	w.person(ours, w.routing, "eddy", editor)
	eddy := w.client("eddy")
	denied := func(err error) bool { // these operations do not name it in the model
		e, ok := errors.AsType[smithy.APIError](err)
		return ok && e.ErrorCode() == "AccessDeniedException"
	}
	if _, err = create(eddy, "More", identity.UsersView, identity.UsersEdit); !denied(err) {
		t.Errorf("more was made: %v", err)
	}
	less, err := create(eddy, "Less", identity.UsersView)
	must(t, err)
	update := func(c *awsconnect.Client, id string, permissions ...string) error {
		_, changeErr := c.UpdateSecurityProfile(ctx, &awsconnect.UpdateSecurityProfileInput{
			InstanceId: aws.String(ours), SecurityProfileId: aws.String(id), Permissions: permissions,
		})
		return changeErr
	}
	if err = update(eddy, less, identity.UsersEdit); !denied(err) {
		t.Errorf("it was raised: %v", err)
	}
	if err = update(eddy, w.profile[identity.ProfileAgent], identity.UsersView); !denied(err) {
		t.Errorf("what others have was taken away: %v", err)
	}
	var bad *types.InvalidRequestException
	if err = update(admin, w.profile[identity.ProfileAdmin], identity.UsersView); !errors.As(err, &bad) {
		t.Errorf("the administrator was deposed: %v", err)
	}
	var invalid *types.InvalidParameterException
	if err = update(admin, less, "Everything"); !errors.As(err, &invalid) {
		t.Errorf("an unknown permission: %v", err)
	}
	must(t, update(admin, less, identity.UsersView, identity.QueuesView))
	list, err := admin.ListSecurityProfilePermissions(ctx, &awsconnect.ListSecurityProfilePermissionsInput{InstanceId: aws.String(ours), SecurityProfileId: aws.String(less)})
	must(t, err)
	if len(list.Permissions) != 2 {
		t.Errorf("permissions %v", list.Permissions)
	}
	remove := func(id string) error {
		_, goneErr := admin.DeleteSecurityProfile(ctx, &awsconnect.DeleteSecurityProfileInput{InstanceId: aws.String(ours), SecurityProfileId: aws.String(id)})
		return goneErr
	}
	var inUse *types.ResourceInUseException
	if err = remove(editor); !errors.As(err, &inUse) {
		t.Errorf("a profile that somebody has went: %v", err)
	}
	must(t, remove(less))
	if err = remove(w.profile[identity.ProfileAdmin]); !errors.As(err, &bad) {
		t.Errorf("Admin went: %v", err)
	}
}

func TestAfterContactWorkAndAutoAcceptanceByChannel(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	u := w.person(ours, w.routing, "min", w.profile[identity.ProfileAgent])
	set := func(ch types.Channel, seconds int32, auto bool) error {
		_, err := c.UpdateUserConfig(ctx, &awsconnect.UpdateUserConfigInput{
			InstanceId: aws.String(ours), UserId: aws.String(u.ID),
			AfterContactWorkConfigs: []types.AfterContactWorkConfigPerChannel{{Channel: ch, AfterContactWorkConfig: &types.AfterContactWorkConfig{AfterContactWorkTimeLimit: seconds}}},
			AutoAcceptConfigs:       []types.AutoAcceptConfig{{Channel: ch, AutoAccept: auto}},
		})
		return err
	}
	must(t, set(types.ChannelVoice, 30, true))
	must(t, set(types.ChannelChat, 0, false))
	must(t, set(types.ChannelVoice, 45, true))
	for _, bad := range []error{set("FAX", 1, true), set(types.ChannelVoice, -1, true), set(types.ChannelVoice, 2_000_001, true)} {
		if _, ok := errors.AsType[*types.InvalidParameterException](bad); !ok {
			t.Errorf("taken, or %v", bad)
		}
	}
	got, err := c.DescribeUser(ctx, &awsconnect.DescribeUserInput{InstanceId: aws.String(ours), UserId: aws.String(u.ID)})
	must(t, err)
	acw, auto := got.User.AfterContactWorkConfigs, got.User.AutoAcceptConfigs
	if len(acw) != 2 || acw[0].Channel != types.ChannelVoice || acw[0].AfterContactWorkConfig.AfterContactWorkTimeLimit != 45 ||
		acw[1].AfterContactWorkConfig.AfterContactWorkTimeLimit != 0 || len(auto) != 2 || !auto[0].AutoAccept || auto[1].AutoAccept {
		t.Errorf("%+v %+v", acw, auto)
	}
	made, err := c.CreateUser(ctx, &awsconnect.CreateUserInput{
		InstanceId: aws.String(ours), Username: aws.String("seo"), Password: aws.String("Passw0rd-ok"), RoutingProfileId: aws.String(w.routing),
		SecurityProfileIds: []string{w.profile[identity.ProfileAgent]}, PhoneConfig: &types.UserPhoneConfig{PhoneType: types.PhoneTypeSoftPhone},
		AutoAcceptConfigs: []types.AutoAcceptConfig{{Channel: types.ChannelTask, AutoAccept: true}},
	})
	must(t, err)
	found, err := c.SearchUsers(ctx, &awsconnect.SearchUsersInput{InstanceId: aws.String(ours), SearchCriteria: &types.UserSearchCriteria{
		StringCondition: &types.StringCondition{FieldName: aws.String("resourceId"), Value: made.UserId, ComparisonType: types.StringComparisonTypeExact},
	}})
	must(t, err)
	if len(found.Users) != 1 || len(found.Users[0].AutoAcceptConfigs) != 1 || found.Users[0].AutoAcceptConfigs[0].Channel != types.ChannelTask {
		t.Errorf("%+v", found.Users)
	}
}
