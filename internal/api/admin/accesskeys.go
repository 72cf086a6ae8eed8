package admin

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) accessKeys(t *rest.Table) {
	const all = "/users/{UserId}/access-keys"
	rest.Op(t, "CreateAccessKey", "POST", all, "", s.createAccessKey)
	rest.Op(t, "ListAccessKeys", "GET", all, "", s.listAccessKeys)
	rest.Op(t, "DeleteAccessKey", "DELETE", all+"/{AccessKeyId}", "", s.deleteAccessKey)
}

// maxKeys is how many access keys a user may have: room to change one for another, little to forget.
const maxKeys = 5

// mayImpersonate: a key is as good as its user, so a key for somebody else takes the right to edit users and every
// permission that they have.
func (s *service) mayImpersonate(ctx context.Context, c *rest.Call, userID string) error {
	if userID == c.Principal.UserID {
		return nil
	}
	if !c.Principal.Can(identity.UsersEdit) {
		return errs.New(errs.Denied, "access keys of others need the permission %s", identity.UsersEdit)
	}
	u, err := s.Users.Get(ctx, c.Instance(), userID)
	if err != nil {
		return err
	}
	for _, id := range u.SecurityProfileIDs {
		p, perr := s.SecurityProfiles.Get(ctx, c.Instance(), id)
		if errs.Is(perr, errs.NotFound) {
			continue
		}
		if perr != nil {
			return perr
		}
		for _, permission := range p.Permissions {
			if !c.Principal.Can(permission) {
				return errs.New(errs.Denied, "user %s has the permission %s, which you do not have", u.Name, permission)
			}
		}
	}
	return nil
}

func (s *service) keysOf(ctx context.Context, c *rest.Call, userID string) ([]*identity.AccessKey, error) {
	all, err := resource.All(ctx, s.AccessKeys, c.Instance())
	if err != nil {
		return nil, err
	}
	var keys []*identity.AccessKey
	for _, k := range all {
		if k.UserID == userID {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

type userInput struct {
	UserID string `json:"-" path:"UserId" ref:"agent"`
}

// newAccessKey is shown once.
type newAccessKey struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string `json:"SecretAccessKey"`
	BearerToken     string `json:"BearerToken"`
}

func (s *service) createAccessKey(ctx context.Context, c *rest.Call, in *userInput) (*newAccessKey, error) {
	if err := s.mayImpersonate(ctx, c, in.UserID); err != nil {
		return nil, err
	}
	keys, err := s.keysOf(ctx, c, in.UserID)
	if err != nil {
		return nil, err
	}
	if len(keys) >= maxKeys {
		return nil, errs.New(errs.Limit, "a user has at most %d access keys", maxKeys)
	}
	k, err := identity.NewAccessKey(s.Sealer, c.Instance(), in.UserID)
	if err != nil {
		return nil, err
	}
	if err = s.AccessKeys.Create(ctx, k.Key); err != nil {
		return nil, err
	}
	c.Note("access_key_id", k.ID)
	return &newAccessKey{AccessKeyID: k.ID, SecretAccessKey: k.Secret, BearerToken: k.Token}, nil
}

type accessKey struct {
	AccessKeyID string    `json:"AccessKeyId"`
	CreatedTime rest.Time `json:"CreatedTime,omitzero"`
	Expires     rest.Time `json:"Expires,omitzero"`
}

type listAccessKeysOutput struct {
	AccessKeys []accessKey `json:"AccessKeys"`
}

func (s *service) listAccessKeys(ctx context.Context, c *rest.Call, in *userInput) (*listAccessKeysOutput, error) {
	if in.UserID != c.Principal.UserID && !c.Principal.Can(identity.UsersView) {
		return nil, errs.New(errs.Denied, "access keys of others need the permission %s", identity.UsersView)
	}
	if _, err := s.Users.Get(ctx, c.Instance(), in.UserID); err != nil {
		return nil, err
	}
	keys, err := s.keysOf(ctx, c, in.UserID)
	if err != nil {
		return nil, err
	}
	out := &listAccessKeysOutput{AccessKeys: make([]accessKey, 0, len(keys))}
	for _, k := range keys {
		out.AccessKeys = append(out.AccessKeys, accessKey{
			AccessKeyID: k.Name, CreatedTime: rest.At(k.CreatedAt), Expires: rest.At(k.Expires),
		})
	}
	return out, nil
}

type accessKeyInput struct {
	UserID      string `json:"-" path:"UserId" ref:"agent"`
	AccessKeyID string `json:"-" path:"AccessKeyId"`
}

func (s *service) deleteAccessKey(ctx context.Context, c *rest.Call, in *accessKeyInput) (*rest.Empty, error) {
	if err := s.mayImpersonate(ctx, c, in.UserID); err != nil {
		return nil, err
	}
	keys, err := s.keysOf(ctx, c, in.UserID)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.Name == in.AccessKeyID {
			return done(s.AccessKeys.Delete(ctx, c.Instance(), k.ID))
		}
	}
	return nil, errs.New(errs.NotFound, "access key not found")
}
