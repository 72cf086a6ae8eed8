package connect

import (
	"context"
	"slices"
	"strconv"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) quickConnects(t *rest.Table) {
	const (
		all   = "/quick-connects/{InstanceId}"
		one   = all + "/{QuickConnectId}"
		queue = "/queues/{InstanceId}/{QueueId}"
	)
	rest.Op(t, "CreateQuickConnect", "PUT", all, identity.QuickConnectsCreate, s.createQuickConnect)
	rest.Op(t, "DescribeQuickConnect", "GET", one, identity.QuickConnectsView, s.describeQuickConnect)
	rest.Op(t, "ListQuickConnects", "GET", all, identity.QuickConnectsView, s.listQuickConnects)
	rest.Op(t, "SearchQuickConnects", "POST", "/search-quick-connects", identity.QuickConnectsView, s.searchQuickConnects, rest.ReadOnly)
	rest.Op(t, "UpdateQuickConnectConfig", "POST", one+"/config", identity.QuickConnectsEdit, s.updateQuickConnectConfig)
	rest.Op(t, "UpdateQuickConnectName", "POST", one+"/name", identity.QuickConnectsEdit, s.updateQuickConnectName)
	rest.Op(t, "DeleteQuickConnect", "DELETE", one, identity.QuickConnectsDelete, s.deleteQuickConnect)
	rest.Op(t, "AssociateQueueQuickConnects", "POST", queue+"/associate-quick-connects", identity.QueuesEdit, s.associateQuickConnects)
	rest.Op(t, "DisassociateQueueQuickConnects", "POST", queue+"/disassociate-quick-connects", identity.QueuesEdit, s.disassociateQuickConnects)
	rest.Op(t, "ListQueueQuickConnects", "GET", queue+"/quick-connects", identity.QueuesView, s.listQueueQuickConnects)
}

type quickUser struct {
	FlowID string `json:"ContactFlowId" ref:"contact-flow"`
	UserID string `json:"UserId" ref:"agent"`
}

type quickQueue struct {
	FlowID  string `json:"ContactFlowId" ref:"contact-flow"`
	QueueID string `json:"QueueId" ref:"queue"`
}

type quickNumber struct {
	PhoneNumber string `json:"PhoneNumber"`
}

type quickFlow struct {
	FlowID string `json:"ContactFlowId" ref:"contact-flow"`
}

type quickConfig struct {
	Type   acd.QuickConnectType `json:"QuickConnectType"`
	User   *quickUser           `json:"UserConfig,omitempty"`
	Queue  *quickQueue          `json:"QueueConfig,omitempty"`
	Number *quickNumber         `json:"PhoneConfig,omitempty"`
	Flow   *quickFlow           `json:"FlowConfig,omitempty"`
}

// apply replaces what a quick connect leads to.
func (k *quickConfig) apply(q *acd.QuickConnect) error {
	given := 0
	q.Type, q.UserID, q.QueueID, q.Number, q.FlowID = k.Type, "", "", "", ""
	if k.User != nil {
		q.UserID, q.FlowID = k.User.UserID, k.User.FlowID
		given++
	}
	if k.Queue != nil {
		q.QueueID, q.FlowID = k.Queue.QueueID, k.Queue.FlowID
		given++
	}
	if k.Number != nil {
		q.Number = k.Number.PhoneNumber
		given++
	}
	if k.Flow != nil {
		q.FlowID = k.Flow.FlowID
		given++
	}
	if given != 1 {
		return errs.Field("QuickConnectConfig", "must have exactly one of UserConfig, QueueConfig, PhoneConfig and FlowConfig; has %d", given)
	}
	return nil
}

func configOf(q *acd.QuickConnect) quickConfig {
	k := quickConfig{Type: q.Type}
	switch q.Type {
	case acd.QuickUser:
		k.User = &quickUser{FlowID: q.FlowID, UserID: q.UserID}
	case acd.QuickQueue:
		k.Queue = &quickQueue{FlowID: q.FlowID, QueueID: q.QueueID}
	case acd.QuickNumber:
		k.Number = &quickNumber{PhoneNumber: q.Number}
	case acd.QuickFlow:
		k.Flow = &quickFlow{FlowID: q.FlowID}
	}
	return k
}

// userExists is asked because a quick connect does not keep its user from being deleted.
func (s *service) userExists(ctx context.Context, c *rest.Call, q *acd.QuickConnect) error {
	if q.UserID == "" {
		return nil
	}
	_, err := s.Users.Get(ctx, c.Instance(), q.UserID)
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.Invalid, "agent %s does not exist", q.UserID)
	}
	return err
}

type createQuickConnectInput struct {
	InstanceID  string            `json:"-" path:"InstanceId" ref:"instance"`
	Name        string            `json:"Name"`
	Description string            `json:"Description,omitempty"`
	Config      *quickConfig      `json:"QuickConnectConfig"`
	Tags        map[string]string `json:"Tags,omitempty"`
}

type createQuickConnectOutput struct {
	ARN string `json:"QuickConnectARN"`
	ID  string `json:"QuickConnectId"`
}

func (s *service) createQuickConnect(ctx context.Context, c *rest.Call, in *createQuickConnectInput) (*createQuickConnectOutput, error) {
	meta, err := head(c, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	q := &acd.QuickConnect{Meta: meta, Description: in.Description}
	if err = in.Config.apply(q); err != nil {
		return nil, err
	}
	if err = s.userExists(ctx, c, q); err != nil {
		return nil, err
	}
	all, err := resource.All(ctx, s.QuickConnects, c.Instance())
	if err != nil {
		return nil, err
	}
	if len(all) >= acd.MaxQuickConnects {
		return nil, errs.New(errs.Limit, "an instance has at most %d quick connects", acd.MaxQuickConnects)
	}
	if err = s.QuickConnects.Create(ctx, q); err != nil {
		return nil, err
	}
	c.Note("quick_connect_id", q.ID)
	return &createQuickConnectOutput{ARN: resource.ARN(q.InstanceID, q.Kind(), q.ID), ID: q.ID}, nil
}

type quickConnectInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	ID         string `json:"-" path:"QuickConnectId" ref:"transfer-destination"`
}

type quickConnect struct {
	ARN                string            `json:"QuickConnectARN"`
	ID                 string            `json:"QuickConnectId"`
	Name               string            `json:"Name"`
	Description        string            `json:"Description,omitempty"`
	Config             quickConfig       `json:"QuickConnectConfig"`
	Tags               map[string]string `json:"Tags,omitempty"`
	LastModifiedTime   rest.Time         `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string            `json:"LastModifiedRegion"`
}

func quickConnectOf(q *acd.QuickConnect) quickConnect {
	return quickConnect{
		ARN: resource.ARN(q.InstanceID, q.Kind(), q.ID), ID: q.ID, Name: q.Name, Description: q.Description,
		Config: configOf(q), Tags: q.Tags, LastModifiedTime: rest.At(q.ModifiedAt), LastModifiedRegion: resource.Region,
	}
}

type describeQuickConnectOutput struct {
	QuickConnect quickConnect `json:"QuickConnect"`
}

func (s *service) describeQuickConnect(ctx context.Context, c *rest.Call, in *quickConnectInput) (*describeQuickConnectOutput, error) {
	q, err := s.QuickConnects.Get(ctx, c.Instance(), in.ID)
	if err != nil {
		return nil, err
	}
	return &describeQuickConnectOutput{QuickConnect: quickConnectOf(q)}, nil
}

type quickConnectSummary struct {
	summary
	Type acd.QuickConnectType `json:"QuickConnectType"`
}

func quickSummaryOf(q *acd.QuickConnect) quickConnectSummary {
	return quickConnectSummary{summary: summaryOf(q), Type: q.Type}
}

type listQuickConnectsInput struct {
	InstanceID string                 `json:"-" path:"InstanceId" ref:"instance"`
	Types      []acd.QuickConnectType `json:"-" query:"QuickConnectTypes"`
	MaxResults int                    `json:"-" query:"maxResults"`
	NextToken  string                 `json:"-" query:"nextToken"`
}

type listQuickConnectsOutput struct {
	List      []quickConnectSummary `json:"QuickConnectSummaryList"`
	NextToken string                `json:"NextToken,omitempty"`
}

func (s *service) listQuickConnects(ctx context.Context, c *rest.Call, in *listQuickConnectsInput) (*listQuickConnectsOutput, error) {
	for _, k := range in.Types {
		switch k {
		case acd.QuickUser, acd.QuickQueue, acd.QuickNumber, acd.QuickFlow:
		default:
			return nil, errs.Field("QuickConnectTypes", "must be USER, QUEUE, PHONE_NUMBER or FLOW; is %.40q", k)
		}
	}
	qs, next, err := page(ctx, s.QuickConnects, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listQuickConnectsOutput{List: []quickConnectSummary{}, NextToken: next}
	for _, q := range qs {
		if len(in.Types) == 0 || slices.Contains(in.Types, q.Type) {
			out.List = append(out.List, quickSummaryOf(q))
		}
	}
	return out, nil
}

type searchQuickConnectsInput struct {
	InstanceID     string          `json:"InstanceId" ref:"instance"`
	SearchCriteria *promptCriteria `json:"SearchCriteria,omitempty"`
	SearchFilter   *promptFilter   `json:"SearchFilter,omitempty"`
	MaxResults     int             `json:"MaxResults,omitempty"`
	NextToken      string          `json:"NextToken,omitempty"`
}

type searchQuickConnectsOutput struct {
	QuickConnects         []quickConnect `json:"QuickConnects"`
	NextToken             string         `json:"NextToken,omitempty"`
	ApproximateTotalCount int64          `json:"ApproximateTotalCount"`
}

// searchQuickConnects looks at all of them: there are a hundred at most.
func (s *service) searchQuickConnects(ctx context.Context, c *rest.Call, in *searchQuickConnectsInput) (*searchQuickConnectsOutput, error) {
	p, skip, err := counted(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	if err = in.SearchCriteria.check(0); err != nil {
		return nil, err
	}
	all, err := resource.All(ctx, s.QuickConnects, c.Instance())
	if err != nil {
		return nil, err
	}
	out := &searchQuickConnectsOutput{QuickConnects: []quickConnect{}}
	for _, q := range all {
		if !in.SearchCriteria.match(&q.Meta, q.Description) || !in.SearchFilter.match(q.Tags) {
			continue
		}
		if n := int(out.ApproximateTotalCount); n >= skip && len(out.QuickConnects) < p.Max {
			out.QuickConnects = append(out.QuickConnects, quickConnectOf(q))
		}
		out.ApproximateTotalCount++
	}
	if given := skip + len(out.QuickConnects); int64(given) < out.ApproximateTotalCount {
		out.NextToken = strconv.Itoa(given)
	}
	return out, nil
}

// counted reads a page whose token says how many were given before.
func counted(maxResults, most int, token string) (p resource.Page, skip int, err error) {
	if p, err = pageOf(maxResults, most, token); err != nil || token == "" {
		return p, 0, err
	}
	if skip, err = strconv.Atoi(token); err != nil || skip < 0 {
		return p, 0, errs.Field("NextToken", "is not one of ours")
	}
	return p, skip, nil
}

type updateQuickConnectConfigInput struct {
	InstanceID string       `json:"-" path:"InstanceId" ref:"instance"`
	ID         string       `json:"-" path:"QuickConnectId" ref:"transfer-destination"`
	Config     *quickConfig `json:"QuickConnectConfig"`
}

func (s *service) updateQuickConnectConfig(ctx context.Context, c *rest.Call, in *updateQuickConnectConfigInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.QuickConnects, c.Instance(), in.ID, func(q *acd.QuickConnect) error {
		if err := in.Config.apply(q); err != nil {
			return err
		}
		return s.userExists(ctx, c, q)
	})
	return done(err)
}

type updateQuickConnectNameInput struct {
	InstanceID  string  `json:"-" path:"InstanceId" ref:"instance"`
	ID          string  `json:"-" path:"QuickConnectId" ref:"transfer-destination"`
	Name        *string `json:"Name,omitempty"`
	Description *string `json:"Description,omitempty"`
}

func (s *service) updateQuickConnectName(ctx context.Context, c *rest.Call, in *updateQuickConnectNameInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.QuickConnects, c.Instance(), in.ID, func(q *acd.QuickConnect) error {
		set(&q.Name, in.Name)
		set(&q.Description, in.Description)
		return nil
	})
	return done(err)
}

func (s *service) deleteQuickConnect(ctx context.Context, c *rest.Call, in *quickConnectInput) (*rest.Empty, error) {
	return done(s.QuickConnects.Delete(ctx, c.Instance(), in.ID))
}

type queueQuickConnectsInput struct {
	InstanceID string   `json:"-" path:"InstanceId" ref:"instance"`
	QueueID    string   `json:"-" path:"QueueId" ref:"queue"`
	IDs        []string `json:"QuickConnectIds" ref:"transfer-destination"`
}

func (in *queueQuickConnectsInput) check() error {
	if n := len(in.IDs); n < 1 || n > acd.MaxQuickConnectsAsked {
		return errs.Field("QuickConnectIds", "must be 1 to %d; are %d", acd.MaxQuickConnectsAsked, n)
	}
	return nil
}

func (s *service) associateQuickConnects(ctx context.Context, c *rest.Call, in *queueQuickConnectsInput) (*rest.Empty, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return s.editQueue(ctx, c, in.QueueID, func(q *acd.Queue) error {
		for _, id := range in.IDs {
			if !slices.Contains(q.QuickConnects, id) {
				q.QuickConnects = append(q.QuickConnects, id)
			}
		}
		return nil
	})
}

func (s *service) disassociateQuickConnects(ctx context.Context, c *rest.Call, in *queueQuickConnectsInput) (*rest.Empty, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return s.editQueue(ctx, c, in.QueueID, func(q *acd.Queue) error {
		q.QuickConnects = slices.DeleteFunc(q.QuickConnects, func(id string) bool { return slices.Contains(in.IDs, id) })
		return nil
	})
}

type listQueueQuickConnectsInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	QueueID    string `json:"-" path:"QueueId" ref:"queue"`
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type listQueueQuickConnectsOutput struct {
	List               []quickConnectSummary `json:"QuickConnectSummaryList"`
	NextToken          string                `json:"NextToken,omitempty"`
	LastModifiedTime   rest.Time             `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string                `json:"LastModifiedRegion,omitempty"`
}

func (s *service) listQueueQuickConnects(
	ctx context.Context, c *rest.Call, in *listQueueQuickConnectsInput,
) (*listQueueQuickConnectsOutput, error) {
	p, skip, err := counted(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	q, err := s.Queues.Get(ctx, c.Instance(), in.QueueID)
	if err != nil {
		return nil, err
	}
	out := &listQueueQuickConnectsOutput{
		List: []quickConnectSummary{}, LastModifiedTime: rest.At(q.ModifiedAt), LastModifiedRegion: resource.Region,
	}
	skip = min(skip, len(q.QuickConnects))
	for _, id := range q.QuickConnects[skip:] {
		if len(out.List) == p.Max {
			out.NextToken = strconv.Itoa(skip + len(out.List))
			break
		}
		one, err := s.QuickConnects.Get(ctx, c.Instance(), id)
		if err != nil {
			return nil, err
		}
		out.List = append(out.List, quickSummaryOf(one))
	}
	return out, nil
}
