package connect

import (
	"context"
	"fmt"
	"slices"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) proficiencies(t *rest.Table) {
	const one = "/users/{InstanceId}/{UserId}"
	rest.Op(t, "AssociateUserProficiencies", "POST", one+"/associate-proficiencies", identity.UsersEdit, s.associateProficiencies)
	rest.Op(t, "UpdateUserProficiencies", "POST", one+"/proficiencies", identity.UsersEdit, s.updateProficiencies)
	rest.Op(t, "DisassociateUserProficiencies", "POST", one+"/disassociate-proficiencies", identity.UsersEdit, s.disassociateProficiencies)
	rest.Op(t, "ListUserProficiencies", "GET", one+"/proficiencies", identity.UsersView, s.listProficiencies)
}

type proficiency struct {
	Name  string  `json:"AttributeName"`
	Value string  `json:"AttributeValue"`
	Level float64 `json:"Level,omitempty"`
}

type proficienciesInput struct {
	InstanceID    string        `json:"-" path:"InstanceId" ref:"instance"`
	UserID        string        `json:"-" path:"UserId" ref:"agent"`
	Proficiencies []proficiency `json:"UserProficiencies"`
}

// find gives the place of an attribute and value in a list; -1 if it is not there.
func (p proficiency) find(list []identity.Proficiency) int {
	return slices.IndexFunc(list, func(o identity.Proficiency) bool { return o.Name == p.Name && o.Value == p.Value })
}

// changeProficiencies changes all or none.
func (s *service) changeProficiencies(
	ctx context.Context, c *rest.Call, in *proficienciesInput, change func(list []identity.Proficiency, p proficiency, at int) ([]identity.Proficiency, error),
) (*rest.Empty, error) {
	if len(in.Proficiencies) == 0 {
		return nil, errs.Field("UserProficiencies", "must not be empty")
	}
	defined, err := resource.All(ctx, s.Attributes, c.Instance())
	if err != nil {
		return nil, err
	}
	return s.editUser(ctx, c, in.UserID, func(u *identity.User) error {
		list := slices.Clone(u.Proficiencies)
		for i, p := range in.Proficiencies {
			var err error
			if list, err = change(list, p, p.find(list)); err != nil {
				return fmt.Errorf("UserProficiencies[%d]: %w", i, err)
			}
		}
		if err := identity.CheckProficiencies(added(u.Proficiencies, list), defined); err != nil {
			return err
		}
		u.Proficiencies = list
		return nil
	})
}

// added are the proficiencies of new that are not in old: what a user has already is not judged again.
func added(old, list []identity.Proficiency) []identity.Proficiency {
	var out []identity.Proficiency
	for _, p := range list {
		if proficiency(p).find(old) < 0 {
			out = append(out, p)
		}
	}
	return out
}

func (s *service) associateProficiencies(ctx context.Context, c *rest.Call, in *proficienciesInput) (*rest.Empty, error) {
	return s.changeProficiencies(ctx, c, in, func(list []identity.Proficiency, p proficiency, at int) ([]identity.Proficiency, error) {
		if at >= 0 {
			return nil, errs.New(errs.Duplicate, "the user has %s %s already: update its level instead", p.Name, p.Value)
		}
		return append(list, identity.Proficiency(p)), nil
	})
}

func (s *service) updateProficiencies(ctx context.Context, c *rest.Call, in *proficienciesInput) (*rest.Empty, error) {
	return s.changeProficiencies(ctx, c, in, func(list []identity.Proficiency, p proficiency, at int) ([]identity.Proficiency, error) {
		if at < 0 {
			return nil, errs.New(errs.NotFound, "the user has no %s %s", p.Name, p.Value)
		}
		list[at].Level = p.Level
		return list, nil
	})
}

func (s *service) disassociateProficiencies(ctx context.Context, c *rest.Call, in *proficienciesInput) (*rest.Empty, error) {
	return s.changeProficiencies(ctx, c, in, func(list []identity.Proficiency, p proficiency, at int) ([]identity.Proficiency, error) {
		if at < 0 {
			return list, nil
		}
		return slices.Delete(list, at, at+1), nil
	})
}

type listProficienciesInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	UserID     string `json:"-" path:"UserId" ref:"agent"`
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type listProficienciesOutput struct {
	List               []proficiency `json:"UserProficiencyList"`
	LastModifiedTime   rest.Time     `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string        `json:"LastModifiedRegion"`
}

// listProficiencies gives all of them: there are few.
func (s *service) listProficiencies(ctx context.Context, c *rest.Call, in *listProficienciesInput) (*listProficienciesOutput, error) {
	u, err := s.Users.Get(ctx, c.Instance(), in.UserID)
	if err != nil {
		return nil, err
	}
	out := &listProficienciesOutput{LastModifiedTime: rest.At(u.ModifiedAt), LastModifiedRegion: resource.Region, List: []proficiency{}}
	for _, p := range u.Proficiencies {
		out.List = append(out.List, proficiency(p))
	}
	return out, nil
}
