package connect

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) peopleSearch(t *rest.Table) {
	rest.Op(t, "SearchUsers", "POST", "/search-users", identity.UsersView, s.searchUsers, rest.ReadOnly)
	rest.Op(t, "SearchQueues", "POST", "/search-queues", identity.QueuesView, s.searchQueues, rest.ReadOnly)
	rest.Op(t, "SearchRoutingProfiles", "POST", "/search-routing-profiles", identity.RoutingView, s.searchRouting, rest.ReadOnly)
	rest.Op(t, "SearchAgentStatuses", "POST", "/search-agent-statuses", identity.AgentStatesView, s.searchStatuses, rest.ReadOnly)
	rest.Op(t, "SearchSecurityProfiles", "POST", "/search-security-profiles", identity.SecurityProfilesView, s.searchSecurity, rest.ReadOnly)
}

// query is what the searches for people and what they work with ask: all of a list, one of a list, conditions. It nests.
// Which fields and conditions a search knows is for the search to say.
type query struct {
	AndConditions           []query         `json:"AndConditions,omitempty"`
	OrConditions            []query         `json:"OrConditions,omitempty"`
	StringCondition         *promptText     `json:"StringCondition,omitempty"`
	ListCondition           *listCondition  `json:"ListCondition,omitempty"`
	HierarchyGroupCondition *groupCondition `json:"HierarchyGroupCondition,omitempty"`
	QueueTypeCondition      string          `json:"QueueTypeCondition,omitempty"`
}

// listCondition is about lists that a user has; TargetListType is PROFICIENCIES. All conditions hold for one entry.
type listCondition struct {
	TargetListType string   `json:"TargetListType,omitempty"`
	Conditions     []listed `json:"Conditions,omitempty"`
}

type listed struct {
	StringCondition *promptText      `json:"StringCondition,omitempty"`
	NumberCondition *numberCondition `json:"NumberCondition,omitempty"`
}

type numberCondition struct {
	FieldName      string `json:"FieldName,omitempty"`
	MinValue       *int   `json:"MinValue,omitempty"`
	MaxValue       *int   `json:"MaxValue,omitempty"`
	ComparisonType string `json:"ComparisonType,omitempty"`
}

type groupCondition struct {
	Value                   string `json:"Value,omitempty"`
	HierarchyGroupMatchType string `json:"HierarchyGroupMatchType,omitempty"`
}

// shown is what something has to show to a query: texts by lower-case field name, and of users more.
type shown struct {
	texts         map[string][]string
	tags          map[string]string
	group         string
	proficiencies []identity.Proficiency
	within        func(id, other string) bool
}

// known is what a search knows.
type known struct {
	texts  []string
	users  bool
	queues bool
}

func (q *query) check(k known, depth int) error {
	if q == nil {
		return nil
	}
	switch {
	case depth > maxCriteria:
		return errs.Field("SearchCriteria", "nests more than %d deep", maxCriteria)
	case len(q.AndConditions)+len(q.OrConditions) > maxSearchCriteria:
		return errs.Field("SearchCriteria", "has more than %d conditions", maxSearchCriteria)
	case !k.users && (q.ListCondition != nil || q.HierarchyGroupCondition != nil):
		return errs.Field("SearchCriteria", "has conditions that are for users")
	case !k.queues && q.QueueTypeCondition != "":
		return errs.Field("SearchCriteria.QueueTypeCondition", "is for queues")
	case q.QueueTypeCondition != "" && q.QueueTypeCondition != "STANDARD":
		return errs.Field("SearchCriteria.QueueTypeCondition", "must be STANDARD; is %.40q", q.QueueTypeCondition)
	}
	if err := q.StringCondition.check(k.texts); err != nil {
		return err
	}
	if err := q.HierarchyGroupCondition.check(); err != nil {
		return err
	}
	if err := q.ListCondition.check(); err != nil {
		return err
	}
	for _, list := range [][]query{q.AndConditions, q.OrConditions} {
		for i := range list {
			if err := list[i].check(k, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *promptText) check(fields []string) error {
	if t == nil {
		return nil
	}
	if !slices.Contains(fields, strings.ToLower(t.FieldName)) {
		return errs.Field("StringCondition.FieldName", "must be one of %s; is %.40q", strings.Join(fields, ", "), t.FieldName)
	}
	if !slices.Contains([]string{"", "STARTS_WITH", "CONTAINS", "EXACT"}, t.ComparisonType) {
		return errs.Field("StringCondition.ComparisonType", "must be STARTS_WITH, CONTAINS or EXACT; is %.40q", t.ComparisonType)
	}
	return nil
}

func (g *groupCondition) check() error {
	if g != nil && !slices.Contains([]string{"", "EXACT", "WITH_CHILD_GROUPS"}, g.HierarchyGroupMatchType) {
		return errs.Field("HierarchyGroupCondition.HierarchyGroupMatchType", "must be EXACT or WITH_CHILD_GROUPS; is %.40q", g.HierarchyGroupMatchType)
	}
	return nil
}

func (l *listCondition) check() error {
	if l == nil {
		return nil
	}
	if l.TargetListType != "PROFICIENCIES" {
		return errs.Field("ListCondition.TargetListType", "must be PROFICIENCIES; is %.40q", l.TargetListType)
	}
	if len(l.Conditions) > maxSearchCriteria {
		return errs.Field("ListCondition.Conditions", "may be %d at most", maxSearchCriteria)
	}
	for _, c := range l.Conditions {
		if err := c.StringCondition.check([]string{"attributename", "attributevalue"}); err != nil {
			return err
		}
		n := c.NumberCondition
		if n == nil {
			continue
		}
		if !strings.EqualFold(n.FieldName, "level") {
			return errs.Field("NumberCondition.FieldName", "must be level; is %.40q", n.FieldName)
		}
		if !slices.Contains([]string{"", "GREATER_OR_EQUAL", "GREATER", "LESSER_OR_EQUAL", "LESSER", "EQUAL", "NOT_EQUAL", "RANGE"}, n.ComparisonType) {
			return errs.Field("NumberCondition.ComparisonType", "is unknown: %.40q", n.ComparisonType)
		}
	}
	return nil
}

func (q *query) match(v *shown) bool {
	if q == nil {
		return true
	}
	for i := range q.AndConditions {
		if !q.AndConditions[i].match(v) {
			return false
		}
	}
	either := len(q.OrConditions) == 0
	for i := range q.OrConditions {
		either = either || q.OrConditions[i].match(v)
	}
	return either && q.StringCondition.among(v.texts) && q.HierarchyGroupCondition.match(v) && q.ListCondition.match(v.proficiencies)
}

// among compares without regard to case with what a field has, one value or several.
func (t *promptText) among(texts map[string][]string) bool {
	if t == nil {
		return true
	}
	value := strings.ToLower(t.Value)
	return slices.ContainsFunc(texts[strings.ToLower(t.FieldName)], func(text string) bool {
		switch text = strings.ToLower(text); t.ComparisonType {
		case "STARTS_WITH":
			return strings.HasPrefix(text, value)
		case "EXACT":
			return text == value
		}
		return strings.Contains(text, value)
	})
}

func (g *groupCondition) match(v *shown) bool {
	switch {
	case g == nil:
		return true
	case g.HierarchyGroupMatchType == "WITH_CHILD_GROUPS":
		return v.group != "" && v.within(v.group, g.Value)
	}
	return v.group == g.Value
}

func (l *listCondition) match(list []identity.Proficiency) bool {
	if l == nil {
		return true
	}
	return slices.ContainsFunc(list, func(p identity.Proficiency) bool {
		texts := map[string][]string{"attributename": {p.Name}, "attributevalue": {p.Value}}
		for _, c := range l.Conditions {
			if !c.StringCondition.among(texts) || !c.NumberCondition.match(p.Level) {
				return false
			}
		}
		return true
	})
}

func (n *numberCondition) match(level float64) bool {
	if n == nil {
		return true
	}
	low, high := n.MinValue, n.MaxValue
	if low == nil && high == nil {
		return true
	}
	one := low // the value of what compares with one
	if one == nil {
		one = high
	}
	v := float64(*one)
	switch n.ComparisonType {
	case "GREATER":
		return level > v
	case "LESSER_OR_EQUAL":
		return level <= v
	case "LESSER":
		return level < v
	case "EQUAL":
		return level == v
	case "NOT_EQUAL":
		return level != v
	case "RANGE":
		return (low == nil || level >= float64(*low)) && (high == nil || level <= float64(*high))
	}
	return level >= v
}

// attributeFilter is the filter of newer searches: tags, by other names.
type attributeFilter struct {
	TagCondition            *promptTag           `json:"TagCondition,omitempty"`
	AndCondition            *attributeCondition  `json:"AndCondition,omitempty"`
	OrConditions            []attributeCondition `json:"OrConditions,omitempty"`
	HierarchyGroupCondition *groupCondition      `json:"HierarchyGroupCondition,omitempty"`
}

type attributeCondition struct {
	TagConditions           []promptTag     `json:"TagConditions,omitempty"`
	HierarchyGroupCondition *groupCondition `json:"HierarchyGroupCondition,omitempty"`
}

func (a *attributeCondition) match(v *shown) bool {
	return a == nil || (&promptFilter{&promptTags{AndConditions: a.TagConditions}}).match(v.tags) && a.HierarchyGroupCondition.match(v)
}

func (f *attributeFilter) match(v *shown) bool {
	if f == nil {
		return true
	}
	either := len(f.OrConditions) == 0
	for i := range f.OrConditions {
		either = either || f.OrConditions[i].match(v)
	}
	return either && f.AndCondition.match(v) && f.HierarchyGroupCondition.match(v) &&
		(f.TagCondition == nil || (&promptFilter{&promptTags{TagCondition: f.TagCondition}}).match(v.tags))
}

type queryFilter struct {
	TagFilter           *promptTags      `json:"TagFilter,omitempty"`
	AttributeFilter     *attributeFilter `json:"AttributeFilter,omitempty"`
	UserAttributeFilter *attributeFilter `json:"UserAttributeFilter,omitempty"`
}

func (f *queryFilter) match(v *shown) bool {
	return f == nil || (&promptFilter{f.TagFilter}).match(v.tags) && f.AttributeFilter.match(v) && f.UserAttributeFilter.match(v)
}

type queryInput struct {
	InstanceID     string       `json:"InstanceId" ref:"instance"`
	SearchCriteria *query       `json:"SearchCriteria,omitempty"`
	SearchFilter   *queryFilter `json:"SearchFilter,omitempty"`
	MaxResults     int          `json:"MaxResults,omitempty"`
	NextToken      string       `json:"NextToken,omitempty"`
}

// seek walks all resources of a kind in order of name, which are hundreds and not millions, and gives a page of those that
// are asked for. The token counts what was given.
func seek[T resource.Object](
	ctx context.Context, c *rest.Call, store resource.Store[T], in *queryInput, k known, most int, show func(T) *shown,
) (out []T, next string, total int64, err error) {
	p, err := pageOf(in.MaxResults, most, in.NextToken)
	if err != nil {
		return nil, "", 0, err
	}
	skip := 0
	if in.NextToken != "" {
		if skip, err = strconv.Atoi(in.NextToken); err != nil || skip < 0 {
			return nil, "", 0, errs.Field("NextToken", "is not one of ours")
		}
	}
	if err = in.SearchCriteria.check(k, 0); err != nil {
		return nil, "", 0, err
	}
	all, err := resource.All(ctx, store, c.Instance())
	if err != nil {
		return nil, "", 0, err
	}
	for _, one := range all {
		v := show(one)
		if !in.SearchCriteria.match(v) || !in.SearchFilter.match(v) {
			continue
		}
		if n := int(total); n >= skip && len(out) < p.Max {
			out = append(out, one)
		}
		total++
	}
	if given := skip + len(out); int64(given) < total {
		next = strconv.Itoa(given)
	}
	return out, next, total, nil
}

// showing is what most resources show.
func showing(m *resource.Meta, description string) *shown {
	return &shown{texts: map[string][]string{"name": {m.Name}, "description": {description}, "resourceid": {m.ID}}, tags: m.Tags}
}

type userSearchSummary struct {
	ID                 string             `json:"Id"`
	ARN                string             `json:"Arn"`
	Username           string             `json:"Username"`
	IdentityInfo       userIdentityInfo   `json:"IdentityInfo"`
	PhoneConfig        userPhoneConfig    `json:"PhoneConfig"`
	SecurityProfileIDs []string           `json:"SecurityProfileIds"`
	RoutingProfileID   string             `json:"RoutingProfileId"`
	HierarchyGroupID   string             `json:"HierarchyGroupId,omitempty"`
	Tags               map[string]string  `json:"Tags,omitempty"`
	AfterContactWork   []acwConfig        `json:"AfterContactWorkConfigs,omitempty"`
	AutoAccept         []autoAcceptConfig `json:"AutoAcceptConfigs,omitempty"`
}

type searchUsersOutput struct {
	Users                 []userSearchSummary `json:"Users"`
	NextToken             string              `json:"NextToken,omitempty"`
	ApproximateTotalCount int64               `json:"ApproximateTotalCount"`
}

func (s *service) searchUsers(ctx context.Context, c *rest.Call, in *queryInput) (*searchUsersOutput, error) {
	g, err := s.allGroups(ctx, c)
	if err != nil {
		return nil, err
	}
	k := known{users: true, texts: []string{"username", "firstname", "lastname", "resourceid", "routingprofileid", "securityprofileid", "name"}}
	found, next, total, err := seek(ctx, c, s.Users, in, k, 500, func(u *identity.User) *shown {
		return &shown{
			texts: map[string][]string{
				"username": {u.Name}, "name": {u.Name}, "firstname": {u.FirstName}, "lastname": {u.LastName}, "resourceid": {u.ID},
				"routingprofileid": {u.RoutingProfileID}, "securityprofileid": u.SecurityProfileIDs,
			},
			tags: u.Tags, group: u.HierarchyGroupID, proficiencies: u.Proficiencies, within: g.within,
		}
	})
	if err != nil {
		return nil, err
	}
	out := &searchUsersOutput{Users: []userSearchSummary{}, NextToken: next, ApproximateTotalCount: total}
	for _, u := range found {
		one := userOf(u)
		one.IdentityInfo.Email = "" // the summary has names alone
		out.Users = append(out.Users, userSearchSummary{
			ID: one.ID, ARN: one.ARN, Username: one.Username, IdentityInfo: one.IdentityInfo, PhoneConfig: one.PhoneConfig,
			SecurityProfileIDs: one.SecurityProfileIDs, RoutingProfileID: one.RoutingProfileID, HierarchyGroupID: one.HierarchyGroupID,
			Tags: one.Tags, AfterContactWork: one.AfterContactWork, AutoAccept: one.AutoAccept,
		})
	}
	return out, nil
}

type searchQueuesOutput struct {
	Queues                []queue `json:"Queues"`
	NextToken             string  `json:"NextToken,omitempty"`
	ApproximateTotalCount int64   `json:"ApproximateTotalCount"`
}

func (s *service) searchQueues(ctx context.Context, c *rest.Call, in *queryInput) (*searchQueuesOutput, error) {
	k := known{queues: true, texts: []string{"name", "description", "resourceid"}}
	found, next, total, err := seek(ctx, c, s.Queues, in, k, 500, func(q *acd.Queue) *shown { return showing(&q.Meta, q.Description) })
	if err != nil {
		return nil, err
	}
	out := &searchQueuesOutput{Queues: []queue{}, NextToken: next, ApproximateTotalCount: total}
	for _, q := range found {
		out.Queues = append(out.Queues, queueOf(q))
	}
	return out, nil
}

type searchRoutingOutput struct {
	RoutingProfiles       []routingProfile `json:"RoutingProfiles"`
	NextToken             string           `json:"NextToken,omitempty"`
	ApproximateTotalCount int64            `json:"ApproximateTotalCount"`
}

func (s *service) searchRouting(ctx context.Context, c *rest.Call, in *queryInput) (*searchRoutingOutput, error) {
	k := known{texts: []string{"name", "description", "resourceid", "associatedqueueid"}}
	found, next, total, err := seek(ctx, c, s.RoutingProfiles, in, k, 500, func(p *acd.RoutingProfile) *shown {
		v := showing(&p.Meta, p.Description)
		for _, q := range p.Queues {
			v.texts["associatedqueueid"] = append(v.texts["associatedqueueid"], q.QueueID)
		}
		return v
	})
	if err != nil {
		return nil, err
	}
	users, err := resource.All(ctx, s.Users, c.Instance())
	if err != nil {
		return nil, err
	}
	out := &searchRoutingOutput{RoutingProfiles: []routingProfile{}, NextToken: next, ApproximateTotalCount: total}
	for _, p := range found {
		out.RoutingProfiles = append(out.RoutingProfiles, routingProfileOf(p, users))
	}
	return out, nil
}

type searchStatusesOutput struct {
	AgentStatuses         []agentStatus `json:"AgentStatuses"`
	NextToken             string        `json:"NextToken,omitempty"`
	ApproximateTotalCount int64         `json:"ApproximateTotalCount"`
}

func (s *service) searchStatuses(ctx context.Context, c *rest.Call, in *queryInput) (*searchStatusesOutput, error) {
	k := known{texts: []string{"name", "description", "resourceid", "type", "state"}}
	found, next, total, err := seek(ctx, c, s.AgentStatuses, in, k, 100, func(v *acd.AgentStatus) *shown {
		out := showing(&v.Meta, v.Description)
		out.texts["type"], out.texts["state"] = []string{string(v.Type)}, []string{stateOf(v)}
		return out
	})
	if err != nil {
		return nil, err
	}
	out := &searchStatusesOutput{AgentStatuses: []agentStatus{}, NextToken: next, ApproximateTotalCount: total}
	for _, v := range found {
		out.AgentStatuses = append(out.AgentStatuses, agentStatusOf(v))
	}
	return out, nil
}

type securitySummary struct {
	ID                     string            `json:"Id"`
	ARN                    string            `json:"Arn"`
	OrganizationResourceID string            `json:"OrganizationResourceId"`
	SecurityProfileName    string            `json:"SecurityProfileName"`
	Description            string            `json:"Description,omitempty"`
	Tags                   map[string]string `json:"Tags,omitempty"`
}

type searchSecurityOutput struct {
	SecurityProfiles      []securitySummary `json:"SecurityProfiles"`
	NextToken             string            `json:"NextToken,omitempty"`
	ApproximateTotalCount int64             `json:"ApproximateTotalCount"`
}

func (s *service) searchSecurity(ctx context.Context, c *rest.Call, in *queryInput) (*searchSecurityOutput, error) {
	k := known{texts: []string{"name", "description", "resourceid", "securityprofilename"}}
	found, next, total, err := seek(ctx, c, s.SecurityProfiles, in, k, 100, func(p *identity.SecurityProfile) *shown {
		v := showing(&p.Meta, p.Description)
		v.texts["securityprofilename"] = v.texts["name"]
		return v
	})
	if err != nil {
		return nil, err
	}
	out := &searchSecurityOutput{SecurityProfiles: []securitySummary{}, NextToken: next, ApproximateTotalCount: total}
	for _, p := range found {
		out.SecurityProfiles = append(out.SecurityProfiles, securitySummary{
			p.ID, resource.ARN(p.InstanceID, p.Kind(), p.ID), p.InstanceID, p.Name, p.Description, p.Tags,
		})
	}
	return out, nil
}

type searchGroupsOutput struct {
	UserHierarchyGroups   []hierarchyGroup `json:"UserHierarchyGroups"`
	NextToken             string           `json:"NextToken,omitempty"`
	ApproximateTotalCount int64            `json:"ApproximateTotalCount"`
}

func (s *service) searchGroups(ctx context.Context, c *rest.Call, in *queryInput) (*searchGroupsOutput, error) {
	g, err := s.allGroups(ctx, c)
	if err != nil {
		return nil, err
	}
	k := known{texts: []string{"name", "parentid", "levelid", "resourceid"}}
	found, next, total, err := seek(ctx, c, s.Groups, in, k, 100, func(v *identity.HierarchyGroup) *shown {
		out := showing(&v.Meta, "")
		out.texts["parentid"], out.texts["levelid"] = []string{v.ParentID}, []string{g.show(v).LevelID}
		return out
	})
	if err != nil {
		return nil, err
	}
	out := &searchGroupsOutput{UserHierarchyGroups: []hierarchyGroup{}, NextToken: next, ApproximateTotalCount: total}
	for _, v := range found {
		out.UserHierarchyGroups = append(out.UserHierarchyGroups, g.show(v))
	}
	return out, nil
}
