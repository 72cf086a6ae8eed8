package connect

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

type createSecurityProfileInput struct {
	InstanceID  string            `json:"-" path:"InstanceId" ref:"instance"`
	Name        string            `json:"SecurityProfileName"`
	Description string            `json:"Description,omitempty"`
	Permissions []string          `json:"Permissions,omitempty"`
	Tags        map[string]string `json:"Tags,omitempty"`

	// Members that ullim does not have.
	AccessControlTags  rest.Unsupported `json:"AllowedAccessControlTags,omitzero"`
	AccessControlGroup rest.Unsupported `json:"AllowedAccessControlHierarchyGroupId,omitzero"`
	FlowModules        rest.Unsupported `json:"AllowedFlowModules,omitzero"`
	Applications       rest.Unsupported `json:"Applications,omitzero"`
	Granular           rest.Unsupported `json:"GranularAccessControlConfiguration,omitzero"`
	HierarchyResources rest.Unsupported `json:"HierarchyRestrictedResources,omitzero"`
	TagResources       rest.Unsupported `json:"TagRestrictedResources,omitzero"`
}

type createSecurityProfileOutput struct {
	SecurityProfileID  string `json:"SecurityProfileId"`
	SecurityProfileARN string `json:"SecurityProfileArn"`
}

// holds refuses permissions that the caller does not have: nobody makes a profile that is more than they are.
func holds(c *rest.Call, permissions []string) error {
	for _, p := range permissions {
		if !c.Principal.Can(p) {
			return errs.New(errs.Denied, "the profile would hold %s, which you do not have yourself", p)
		}
	}
	return nil
}

func (s *service) createSecurityProfile(
	ctx context.Context, c *rest.Call, in *createSecurityProfileInput,
) (*createSecurityProfileOutput, error) {
	meta, err := head(c, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	p := &identity.SecurityProfile{Meta: meta, Description: in.Description, Permissions: in.Permissions}
	if err = p.Validate(); err != nil {
		return nil, err
	}
	if err = holds(c, p.Permissions); err != nil {
		return nil, err
	}
	if err = s.SecurityProfiles.Create(ctx, p); err != nil {
		return nil, err
	}
	c.Note("security_profile_id", p.ID)
	return &createSecurityProfileOutput{p.ID, resource.ARN(p.InstanceID, p.Kind(), p.ID)}, nil
}

type updateSecurityProfileInput struct {
	InstanceID        string    `json:"-" path:"InstanceId" ref:"instance"`
	SecurityProfileID string    `json:"-" path:"SecurityProfileId" ref:"security-profile"`
	Description       *string   `json:"Description,omitempty"`
	Permissions       *[]string `json:"Permissions,omitempty"`

	// Members that ullim does not have.
	AccessControlTags  rest.Unsupported `json:"AllowedAccessControlTags,omitzero"`
	AccessControlGroup rest.Unsupported `json:"AllowedAccessControlHierarchyGroupId,omitzero"`
	FlowModules        rest.Unsupported `json:"AllowedFlowModules,omitzero"`
	Applications       rest.Unsupported `json:"Applications,omitzero"`
	Granular           rest.Unsupported `json:"GranularAccessControlConfiguration,omitzero"`
	HierarchyResources rest.Unsupported `json:"HierarchyRestrictedResources,omitzero"`
	TagResources       rest.Unsupported `json:"TagRestrictedResources,omitzero"`
}

// updateSecurityProfile changes description and permissions. Who changes a profile has all that it holds before and after:
// taking away from those who are more than oneself is no more allowed than giving.
func (s *service) updateSecurityProfile(ctx context.Context, c *rest.Call, in *updateSecurityProfileInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.SecurityProfiles, c.Instance(), in.SecurityProfileID, func(p *identity.SecurityProfile) error {
		if p.Name == identity.ProfileAdmin && in.Permissions != nil {
			return errs.New(errs.InvalidRequest, "the permissions of %s cannot be changed: somebody must be able to put everything right", p.Name)
		}
		if err := holds(c, p.Permissions); err != nil {
			return err
		}
		set(&p.Description, in.Description)
		set(&p.Permissions, in.Permissions)
		if err := p.Validate(); err != nil {
			return err
		}
		return holds(c, p.Permissions)
	})
	return done(err)
}

// deleteSecurityProfile removes a profile that nobody has.
func (s *service) deleteSecurityProfile(ctx context.Context, c *rest.Call, in *securityProfileInput) (*rest.Empty, error) {
	p, err := s.SecurityProfiles.Get(ctx, c.Instance(), in.SecurityProfileID)
	if err != nil {
		return nil, err
	}
	if p.Name == identity.ProfileAdmin {
		return nil, errs.New(errs.InvalidRequest, "the profile %s cannot be deleted", p.Name)
	}
	if err = holds(c, p.Permissions); err != nil {
		return nil, err
	}
	return done(s.SecurityProfiles.Delete(ctx, c.Instance(), p.ID))
}
