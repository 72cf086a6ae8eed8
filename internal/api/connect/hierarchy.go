package connect

import (
	"context"
	"time"

	"github.com/google/uuid"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) hierarchy(t *rest.Table) {
	const (
		all       = "/user-hierarchy-groups/{InstanceId}"
		one       = all + "/{HierarchyGroupId}"
		structure = "/user-hierarchy-structure/{InstanceId}"
	)
	rest.Op(t, "CreateUserHierarchyGroup", "PUT", all, identity.GroupingCreate, s.createGroup)
	rest.Op(t, "DescribeUserHierarchyGroup", "GET", one, identity.GroupingView, s.describeGroup)
	rest.Op(t, "ListUserHierarchyGroups", "GET", "/user-hierarchy-groups-summary/{InstanceId}", identity.GroupingView, s.listGroups)
	rest.Op(t, "UpdateUserHierarchyGroupName", "POST", one+"/name", identity.GroupingEdit, s.updateGroupName)
	rest.Op(t, "DeleteUserHierarchyGroup", "DELETE", one, identity.GroupingDelete, s.deleteGroup)
	rest.Op(t, "SearchUserHierarchyGroups", "POST", "/search-user-hierarchy-groups", identity.GroupingView, s.searchGroups, rest.ReadOnly)
	rest.Op(t, "DescribeUserHierarchyStructure", "GET", structure, identity.GroupingView, s.describeStructure)
	rest.Op(t, "UpdateUserHierarchyStructure", "POST", structure, identity.GroupingEdit, s.updateStructure)
	rest.Op(t, "UpdateUserHierarchy", "POST", "/users/{InstanceId}/{UserId}/hierarchy", identity.UsersEdit, s.updateUserHierarchy)
}

// hierarchyPath is a group with those above it.
type hierarchyPath struct {
	LevelOne   *summary `json:"LevelOne,omitempty"`
	LevelTwo   *summary `json:"LevelTwo,omitempty"`
	LevelThree *summary `json:"LevelThree,omitempty"`
	LevelFour  *summary `json:"LevelFour,omitempty"`
	LevelFive  *summary `json:"LevelFive,omitempty"`
}

// each are the members, the highest level first.
func (b *hierarchyPath) each() []**summary {
	return []**summary{&b.LevelOne, &b.LevelTwo, &b.LevelThree, &b.LevelFour, &b.LevelFive}
}

// hierarchyStructure is the levels of an instance.
type hierarchyStructure struct {
	LevelOne   *hierarchyLevel `json:"LevelOne,omitempty"`
	LevelTwo   *hierarchyLevel `json:"LevelTwo,omitempty"`
	LevelThree *hierarchyLevel `json:"LevelThree,omitempty"`
	LevelFour  *hierarchyLevel `json:"LevelFour,omitempty"`
	LevelFive  *hierarchyLevel `json:"LevelFive,omitempty"`
}

// each are the members, the highest level first.
func (b *hierarchyStructure) each() []**hierarchyLevel {
	return []**hierarchyLevel{&b.LevelOne, &b.LevelTwo, &b.LevelThree, &b.LevelFour, &b.LevelFive}
}

// structureUpdate is the levels as they are to be.
type structureUpdate struct {
	LevelOne   *levelUpdate `json:"LevelOne,omitempty"`
	LevelTwo   *levelUpdate `json:"LevelTwo,omitempty"`
	LevelThree *levelUpdate `json:"LevelThree,omitempty"`
	LevelFour  *levelUpdate `json:"LevelFour,omitempty"`
	LevelFive  *levelUpdate `json:"LevelFive,omitempty"`
}

// each are the members, the highest level first.
func (b *structureUpdate) each() []**levelUpdate {
	return []**levelUpdate{&b.LevelOne, &b.LevelTwo, &b.LevelThree, &b.LevelFour, &b.LevelFive}
}

type createGroupInput struct {
	InstanceID    string            `json:"-" path:"InstanceId" ref:"instance"`
	Name          string            `json:"Name"`
	ParentGroupID string            `json:"ParentGroupId,omitempty" ref:"agent-group"`
	Tags          map[string]string `json:"Tags,omitempty"`
}

type createGroupOutput struct {
	HierarchyGroupARN string `json:"HierarchyGroupArn"`
	HierarchyGroupID  string `json:"HierarchyGroupId"`
}

func (s *service) createGroup(ctx context.Context, c *rest.Call, in *createGroupInput) (*createGroupOutput, error) {
	meta, err := head(c, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	g := &identity.HierarchyGroup{Meta: meta, ParentID: in.ParentGroupID, Level: 1}
	if g.ParentID != "" {
		parent, parentErr := s.Groups.Get(ctx, c.Instance(), g.ParentID)
		if errs.Is(parentErr, errs.NotFound) {
			return nil, errs.Field("ParentGroupId", "does not exist")
		}
		if parentErr != nil {
			return nil, parentErr
		}
		g.Level = parent.Level + 1
	}
	instance, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return nil, err
	}
	if g.Level > len(instance.HierarchyLevels) {
		return nil, errs.New(errs.InvalidRequest, "the hierarchy has %d levels: the group would be on level %d", len(instance.HierarchyLevels), g.Level)
	}
	all, err := resource.All(ctx, s.Groups, c.Instance())
	if err != nil {
		return nil, err
	}
	if len(all) >= identity.MaxHierarchyGroups {
		return nil, errs.New(errs.Limit, "there are %d groups already", len(all))
	}
	if err = s.Groups.Create(ctx, g); err != nil {
		return nil, err
	}
	c.Note("hierarchy_group_id", g.ID)
	return &createGroupOutput{resource.ARN(g.InstanceID, g.Kind(), g.ID), g.ID}, nil
}

type groupInput struct {
	InstanceID       string `json:"-" path:"InstanceId" ref:"instance"`
	HierarchyGroupID string `json:"-" path:"HierarchyGroupId" ref:"agent-group"`
}

type hierarchyGroup struct {
	ID                 string            `json:"Id"`
	ARN                string            `json:"Arn"`
	Name               string            `json:"Name"`
	LevelID            string            `json:"LevelId"`
	HierarchyPath      hierarchyPath     `json:"HierarchyPath"`
	Tags               map[string]string `json:"Tags,omitempty"`
	LastModifiedTime   rest.Time         `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string            `json:"LastModifiedRegion"`
}

// groups are all groups of an instance, by id, and its levels.
type groups struct {
	list   []*identity.HierarchyGroup
	byID   map[string]*identity.HierarchyGroup
	levels []identity.HierarchyLevel
}

func (s *service) allGroups(ctx context.Context, c *rest.Call) (*groups, error) {
	instance, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return nil, err
	}
	g := &groups{byID: map[string]*identity.HierarchyGroup{}, levels: instance.HierarchyLevels}
	if g.list, err = resource.All(ctx, s.Groups, c.Instance()); err != nil {
		return nil, err
	}
	for _, one := range g.list {
		g.byID[one.ID] = one
	}
	return g, nil
}

// path is a group with those above it, the highest first.
func (g *groups) path(id string) []*identity.HierarchyGroup {
	return identity.HierarchyPath(id, func(id string) *identity.HierarchyGroup { return g.byID[id] })
}

// within reports whether a group is another one, or below it.
func (g *groups) within(id, other string) bool {
	for _, one := range g.path(id) {
		if one.ID == other {
			return true
		}
	}
	return false
}

func (g *groups) show(one *identity.HierarchyGroup) hierarchyGroup {
	out := hierarchyGroup{
		ID: one.ID, ARN: resource.ARN(one.InstanceID, one.Kind(), one.ID), Name: one.Name, Tags: one.Tags,
		LastModifiedTime: rest.At(one.ModifiedAt), LastModifiedRegion: resource.Region,
	}
	if one.Level <= len(g.levels) {
		out.LevelID = g.levels[one.Level-1].ID
	}
	members := out.HierarchyPath.each()
	for i, p := range g.path(one.ID) {
		line := summaryOf(p)
		*members[i] = &line
	}
	return out
}

type describeGroupOutput struct {
	HierarchyGroup hierarchyGroup `json:"HierarchyGroup"`
}

func (s *service) describeGroup(ctx context.Context, c *rest.Call, in *groupInput) (*describeGroupOutput, error) {
	one, err := s.Groups.Get(ctx, c.Instance(), in.HierarchyGroupID)
	if err != nil {
		return nil, err
	}
	g, err := s.allGroups(ctx, c)
	if err != nil {
		return nil, err
	}
	return &describeGroupOutput{g.show(one)}, nil
}

type listGroupsOutput struct {
	List      []summary `json:"UserHierarchyGroupSummaryList"`
	NextToken string    `json:"NextToken,omitempty"`
}

func (s *service) listGroups(ctx context.Context, c *rest.Call, in *listInput) (*listGroupsOutput, error) {
	list, next, err := page(ctx, s.Groups, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &listGroupsOutput{List: summaries(list), NextToken: next}, nil
}

type updateGroupNameInput struct {
	InstanceID       string `json:"-" path:"InstanceId" ref:"instance"`
	HierarchyGroupID string `json:"-" path:"HierarchyGroupId" ref:"agent-group"`
	Name             string `json:"Name"`
}

func (s *service) updateGroupName(ctx context.Context, c *rest.Call, in *updateGroupNameInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Groups, c.Instance(), in.HierarchyGroupID, func(g *identity.HierarchyGroup) error {
		g.Name = in.Name
		return nil
	})
	return done(err)
}

// deleteGroup removes a group that has no users and no groups below it.
func (s *service) deleteGroup(ctx context.Context, c *rest.Call, in *groupInput) (*rest.Empty, error) {
	return done(s.Groups.Delete(ctx, c.Instance(), in.HierarchyGroupID))
}

type hierarchyLevel struct {
	ID                 string    `json:"Id"`
	ARN                string    `json:"Arn"`
	Name               string    `json:"Name"`
	LastModifiedTime   rest.Time `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string    `json:"LastModifiedRegion"`
}

type describeStructureOutput struct {
	HierarchyStructure hierarchyStructure `json:"HierarchyStructure"`
}

func (s *service) describeStructure(ctx context.Context, c *rest.Call, _ *instanceInput) (*describeStructureOutput, error) {
	instance, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return nil, err
	}
	out := &describeStructureOutput{}
	members := out.HierarchyStructure.each()
	for i, l := range instance.HierarchyLevels {
		*members[i] = &hierarchyLevel{
			ID: l.ID, ARN: resource.ARN(c.Instance(), "agent-group-level", l.ID), Name: l.Name,
			LastModifiedTime: rest.At(l.ModifiedAt), LastModifiedRegion: resource.Region,
		}
	}
	return out, nil
}

type levelUpdate struct {
	Name string `json:"Name"`
}

type updateStructureInput struct {
	InstanceID         string           `json:"-" path:"InstanceId" ref:"instance"`
	HierarchyStructure *structureUpdate `json:"HierarchyStructure"`
}

// updateStructure replaces the names of the levels. A level that is not named any more goes, with those below it, unless
// there are groups on it.
func (s *service) updateStructure(ctx context.Context, c *rest.Call, in *updateStructureInput) (*rest.Empty, error) {
	if in.HierarchyStructure == nil {
		return nil, errs.Field("HierarchyStructure", "is required")
	}
	var names []string
	for i, l := range in.HierarchyStructure.each() {
		switch {
		case *l == nil:
		case len(names) < i:
			return nil, errs.Field("HierarchyStructure.Level"+identity.LevelNames()[i], "needs the level above it")
		default:
			names = append(names, (*l).Name)
		}
	}
	all, err := resource.All(ctx, s.Groups, c.Instance())
	if err != nil {
		return nil, err
	}
	for _, g := range all {
		if g.Level > len(names) {
			return nil, errs.New(errs.InUse, "level %d has groups, as %q", g.Level, g.Name)
		}
	}
	_, err = resource.Edit(ctx, s.Instances, c.Instance(), c.Instance(), func(v *identity.Instance) error {
		was := v.HierarchyLevels
		v.HierarchyLevels = make([]identity.HierarchyLevel, len(names))
		for i, name := range names {
			l := identity.HierarchyLevel{ID: uuid.NewString(), Name: name, ModifiedAt: time.Now().UTC()}
			if i < len(was) {
				if l.ID = was[i].ID; was[i].Name == name {
					l = was[i]
				}
			}
			v.HierarchyLevels[i] = l
		}
		return nil
	})
	return done(err)
}

type updateUserHierarchyInput struct {
	InstanceID       string `json:"-" path:"InstanceId" ref:"instance"`
	UserID           string `json:"-" path:"UserId" ref:"agent"`
	HierarchyGroupID string `json:"HierarchyGroupId,omitempty" ref:"agent-group"`
}

// updateUserHierarchy puts a user into a group, or into none.
func (s *service) updateUserHierarchy(ctx context.Context, c *rest.Call, in *updateUserHierarchyInput) (*rest.Empty, error) {
	return s.editUser(ctx, c, in.UserID, func(u *identity.User) error {
		u.HierarchyGroupID = in.HierarchyGroupID
		return nil
	})
}
