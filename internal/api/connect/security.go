package connect

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) securityProfiles(t *rest.Table) {
	rest.Op(t, "ListSecurityProfiles", "GET", "/security-profiles-summary/{InstanceId}", identity.SecurityProfilesView,
		s.listSecurityProfiles)
	rest.Op(t, "DescribeSecurityProfile", "GET", "/security-profiles/{InstanceId}/{SecurityProfileId}",
		identity.SecurityProfilesView, s.describeSecurityProfile)
	rest.Op(t, "ListSecurityProfilePermissions", "GET", "/security-profiles-permissions/{InstanceId}/{SecurityProfileId}",
		identity.SecurityProfilesView, s.listSecurityProfilePermissions)
	rest.Op(t, "CreateSecurityProfile", "PUT", "/security-profiles/{InstanceId}", identity.SecurityProfilesCreate, s.createSecurityProfile)
	rest.Op(t, "UpdateSecurityProfile", "POST", "/security-profiles/{InstanceId}/{SecurityProfileId}", identity.SecurityProfilesEdit, s.updateSecurityProfile)
	rest.Op(t, "DeleteSecurityProfile", "DELETE", "/security-profiles/{InstanceId}/{SecurityProfileId}", identity.SecurityProfilesDelete,
		s.deleteSecurityProfile)
}

type listSecurityProfilesOutput struct {
	List      []summary `json:"SecurityProfileSummaryList"`
	NextToken string    `json:"NextToken,omitempty"`
}

func (s *service) listSecurityProfiles(
	ctx context.Context, c *rest.Call, in *listInput,
) (*listSecurityProfilesOutput, error) {
	ps, next, err := page(ctx, s.SecurityProfiles, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &listSecurityProfilesOutput{List: summaries(ps), NextToken: next}, nil
}

type securityProfileInput struct {
	InstanceID        string `json:"-" path:"InstanceId" ref:"instance"`
	SecurityProfileID string `json:"-" path:"SecurityProfileId" ref:"security-profile"`
}

type securityProfile struct {
	ID                     string            `json:"Id"`
	ARN                    string            `json:"Arn"`
	OrganizationResourceID string            `json:"OrganizationResourceId"`
	SecurityProfileName    string            `json:"SecurityProfileName"`
	Description            string            `json:"Description,omitempty"`
	Tags                   map[string]string `json:"Tags,omitempty"`
	LastModifiedTime       rest.Time         `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion     string            `json:"LastModifiedRegion"`
}

type describeSecurityProfileOutput struct {
	SecurityProfile securityProfile `json:"SecurityProfile"`
}

func (s *service) describeSecurityProfile(
	ctx context.Context, c *rest.Call, in *securityProfileInput,
) (*describeSecurityProfileOutput, error) {
	p, err := s.SecurityProfiles.Get(ctx, c.Instance(), in.SecurityProfileID)
	if err != nil {
		return nil, err
	}
	return &describeSecurityProfileOutput{SecurityProfile: securityProfile{
		ID: p.ID, ARN: resource.ARN(p.InstanceID, p.Kind(), p.ID), OrganizationResourceID: p.InstanceID,
		SecurityProfileName: p.Name, Description: p.Description, Tags: p.Tags, LastModifiedTime: rest.At(p.ModifiedAt),
		LastModifiedRegion: resource.Region,
	}}, nil
}

type listSecurityProfilePermissionsInput struct {
	InstanceID        string `json:"-" path:"InstanceId" ref:"instance"`
	SecurityProfileID string `json:"-" path:"SecurityProfileId" ref:"security-profile"`
	MaxResults        int    `json:"-" query:"maxResults"`
	NextToken         string `json:"-" query:"nextToken"`
}

type listSecurityProfilePermissionsOutput struct {
	Permissions        []string  `json:"Permissions"`
	NextToken          string    `json:"NextToken,omitempty"`
	LastModifiedTime   rest.Time `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string    `json:"LastModifiedRegion"`
}

func (s *service) listSecurityProfilePermissions(
	ctx context.Context, c *rest.Call, in *listSecurityProfilePermissionsInput,
) (*listSecurityProfilePermissionsOutput, error) {
	pg, err := pageOf(in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	p, err := s.SecurityProfiles.Get(ctx, c.Instance(), in.SecurityProfileID)
	if err != nil {
		return nil, err
	}
	list, next, err := window(p.Permissions, pg)
	if err != nil {
		return nil, err
	}
	return &listSecurityProfilePermissionsOutput{
		Permissions: list, NextToken: next, LastModifiedTime: rest.At(p.ModifiedAt), LastModifiedRegion: resource.Region,
	}, nil
}
