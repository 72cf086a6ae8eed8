package connect

import (
	"context"
	"maps"
	"strings"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
)

// tags of what is named by its ARN. Flows and modules have them so far.
func (s *service) tags(t *rest.Table) {
	const one = "/tags/{resourceArn}"
	rest.Op(t, "ListTagsForResource", "GET", one, identity.FlowsView, s.listTags)
	rest.Op(t, "TagResource", "POST", one, identity.FlowsEdit, s.tagResource)
	rest.Op(t, "UntagResource", "DELETE", one, identity.FlowsEdit, s.untagResource)
}

// tagged finds what an ARN names; permission is what a module needs in the place of the operation's.
func (s *service) tagged(ctx context.Context, c *rest.Call, arn, permission string) (Flows, *ivr.Flow, error) {
	base, _ := ivr.SplitRef(arn)
	missing := errs.New(errs.NotFound, "resource not found")
	if !resource.IsARN(base) {
		return nil, nil, missing
	}
	flows := s.Flows
	switch {
	case strings.Contains(base, "/"+string(resource.KindFlowModule)+"/"):
		if !c.Principal.Can(permission) {
			return nil, nil, errs.New(errs.Denied, "this needs the permission %s", permission)
		}
		flows = s.Modules
	case !strings.Contains(base, "/"+string(resource.KindFlow)+"/"):
		return nil, nil, errs.Field("resourceArn", "must be that of a flow or module: tags of others are not supported yet")
	}
	f, err := flows.Find(ctx, c.Instance(), base)
	if errs.Is(err, errs.NotFound) {
		err = missing
	}
	return flows, f, err
}

type tagsInput struct {
	ARN string `json:"-" path:"resourceArn"`
}

type tagsOutput struct {
	Tags map[string]string `json:"tags"`
}

func (s *service) listTags(ctx context.Context, c *rest.Call, in *tagsInput) (*tagsOutput, error) {
	_, f, err := s.tagged(ctx, c, in.ARN, identity.ModulesView)
	if err != nil {
		return nil, err
	}
	out := &tagsOutput{Tags: map[string]string{}}
	maps.Copy(out.Tags, f.Tags)
	return out, nil
}

type tagResourceInput struct {
	ARN  string            `json:"-" path:"resourceArn"`
	Tags map[string]string `json:"tags"`
}

func (s *service) tagResource(ctx context.Context, c *rest.Call, in *tagResourceInput) (*rest.Empty, error) {
	flows, f, err := s.tagged(ctx, c, in.ARN, identity.ModulesEdit)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(f.Tags)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, in.Tags)
	if _, err = head(c, f.Name, all); err != nil {
		return nil, err
	}
	_, err = flows.UpdateMetadata(ctx, c.Instance(), f.ID, ivr.Metadata{Tags: all})
	return done(err)
}

type untagResourceInput struct {
	ARN     string   `json:"-" path:"resourceArn"`
	TagKeys []string `json:"-" query:"tagKeys"`
}

func (s *service) untagResource(ctx context.Context, c *rest.Call, in *untagResourceInput) (*rest.Empty, error) {
	flows, f, err := s.tagged(ctx, c, in.ARN, identity.ModulesEdit)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	maps.Copy(all, f.Tags)
	for _, key := range in.TagKeys {
		delete(all, key)
	}
	_, err = flows.UpdateMetadata(ctx, c.Instance(), f.ID, ivr.Metadata{Tags: all})
	return done(err)
}
