package connect

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
)

func (s *service) moduleAliases(t *rest.Table) {
	const (
		module = "/contact-flow-modules/{InstanceId}/{ContactFlowModuleId}"
		one    = module + "/alias/{AliasId}"
	)
	rest.Op(t, "CreateContactFlowModuleAlias", "PUT", module+"/alias", identity.ModulesEdit, s.createAlias)
	rest.Op(t, "DescribeContactFlowModuleAlias", "GET", one, identity.ModulesView, s.describeAlias)
	rest.Op(t, "ListContactFlowModuleAliases", "GET", module+"/aliases", identity.ModulesView, s.listAliases)
	rest.Op(t, "UpdateContactFlowModuleAlias", "POST", one, identity.ModulesEdit, s.updateAlias)
	rest.Op(t, "DeleteContactFlowModuleAlias", "DELETE", one, identity.ModulesEdit, s.deleteAlias)
}

// aliasARN names a module by an alias.
func aliasARN(f *ivr.Flow, a *ivr.Alias) string {
	return resource.ARN(f.InstanceID, f.Kind(), f.ID) + ":" + a.Name
}

type createAliasInput struct {
	InstanceID  string `json:"-" path:"InstanceId" ref:"instance"`
	ModuleID    string `json:"-" path:"ContactFlowModuleId" ref:"flow-module"`
	AliasName   string `json:"AliasName"`
	Description string `json:"Description,omitempty"`
	Version     int    `json:"ContactFlowModuleVersion"`
}

type createAliasOutput struct {
	ARN string `json:"ContactFlowModuleArn"`
	ID  string `json:"Id"`
}

func (s *service) createAlias(ctx context.Context, c *rest.Call, in *createAliasInput) (*createAliasOutput, error) {
	a := &ivr.Alias{Name: in.AliasName, Description: in.Description, Version: in.Version}
	f, err := s.Modules.CreateAlias(ctx, c.Instance(), in.ModuleID, a)
	if err != nil {
		return nil, err
	}
	c.Note("alias", a.Name)
	return &createAliasOutput{ARN: aliasARN(f, a), ID: a.ID}, nil
}

type aliasInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	ModuleID   string `json:"-" path:"ContactFlowModuleId" ref:"flow-module"`
	AliasID    string `json:"-" path:"AliasId"`
}

type aliasInfo struct {
	AliasID            string    `json:"AliasId"`
	ARN                string    `json:"ContactFlowModuleArn"`
	ModuleID           string    `json:"ContactFlowModuleId"`
	Name               string    `json:"Name"`
	Description        string    `json:"Description,omitempty"`
	Version            int       `json:"Version"`
	LastModifiedTime   rest.Time `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string    `json:"LastModifiedRegion"`
}

type describeAliasOutput struct {
	Alias aliasInfo `json:"ContactFlowModuleAlias"`
}

func (s *service) describeAlias(ctx context.Context, c *rest.Call, in *aliasInput) (*describeAliasOutput, error) {
	f, a, err := s.Modules.Alias(ctx, c.Instance(), in.ModuleID, in.AliasID)
	if err != nil {
		return nil, err
	}
	return &describeAliasOutput{Alias: aliasInfo{
		AliasID: a.ID, ARN: aliasARN(f, a), ModuleID: f.ID, Name: a.Name, Description: a.Description, Version: a.Version,
		LastModifiedTime: rest.At(a.ModifiedAt), LastModifiedRegion: resource.Region,
	}}, nil
}

type aliasSummary struct {
	AliasID          string    `json:"AliasId"`
	AliasName        string    `json:"AliasName"`
	AliasDescription string    `json:"AliasDescription,omitempty"`
	ARN              string    `json:"Arn"`
	Version          int       `json:"Version"`
	LastModifiedTime rest.Time `json:"LastModifiedTime,omitzero"`
}

type listAliasesOutput struct {
	List      []aliasSummary `json:"ContactFlowModuleAliasSummaryList"`
	NextToken string         `json:"NextToken,omitempty"`
}

// listAliases gives aliases in order of name; the token is the last name.
func (s *service) listAliases(ctx context.Context, c *rest.Call, in *listModuleVersionsInput) (*listAliasesOutput, error) {
	pg, err := pageOf(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	after, err := base64.RawURLEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, errs.Field("NextToken", "is not a token that this list gave")
	}
	f, err := s.Modules.Find(ctx, c.Instance(), in.ModuleID)
	if err != nil {
		return nil, err
	}
	aliases := slices.SortedFunc(slices.Values(f.Aliases), func(a, b ivr.Alias) int { return strings.Compare(a.Name, b.Name) })
	out := &listAliasesOutput{List: []aliasSummary{}}
	for _, a := range aliases {
		if in.NextToken != "" && a.Name <= string(after) {
			continue
		}
		if len(out.List) == pg.Max {
			out.NextToken = base64.RawURLEncoding.EncodeToString([]byte(out.List[pg.Max-1].AliasName))
			break
		}
		out.List = append(out.List, aliasSummary{
			AliasID: a.ID, AliasName: a.Name, AliasDescription: a.Description, ARN: aliasARN(f, &a), Version: a.Version,
			LastModifiedTime: rest.At(a.ModifiedAt),
		})
	}
	return out, nil
}

type updateAliasInput struct {
	InstanceID  string  `json:"-" path:"InstanceId" ref:"instance"`
	ModuleID    string  `json:"-" path:"ContactFlowModuleId" ref:"flow-module"`
	AliasID     string  `json:"-" path:"AliasId"`
	Name        *string `json:"Name,omitempty"`
	Description *string `json:"Description,omitempty"`
	Version     *int    `json:"ContactFlowModuleVersion,omitempty"`
}

func (s *service) updateAlias(ctx context.Context, c *rest.Call, in *updateAliasInput) (*rest.Empty, error) {
	_, err := s.Modules.UpdateAlias(ctx, c.Instance(), in.ModuleID, in.AliasID, ivr.AliasChange{
		Name: in.Name, Description: in.Description, Version: in.Version,
	})
	return done(err)
}

func (s *service) deleteAlias(ctx context.Context, c *rest.Call, in *aliasInput) (*rest.Empty, error) {
	return done(s.Modules.DeleteAlias(ctx, c.Instance(), in.ModuleID, in.AliasID))
}
