package connect

import (
	"context"
	"fmt"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/sip"
)

func (s *service) users(t *rest.Table) {
	const one = "/users/{InstanceId}/{UserId}"
	rest.Op(t, "CreateUser", "PUT", "/users/{InstanceId}", identity.UsersCreate, s.createUser)
	rest.Op(t, "DescribeUser", "GET", one, identity.UsersView, s.describeUser)
	rest.Op(t, "ListUsers", "GET", "/users-summary/{InstanceId}", identity.UsersView, s.listUsers)
	rest.Op(t, "UpdateUserIdentityInfo", "POST", one+"/identity-info", identity.UsersEdit, s.updateUserIdentity)
	rest.Op(t, "UpdateUserPhoneConfig", "POST", one+"/phone-config", identity.UsersEdit, s.updateUserPhone)
	rest.Op(t, "UpdateUserRoutingProfile", "POST", one+"/routing-profile", identity.UsersEdit, s.updateUserRouting)
	rest.Op(t, "UpdateUserSecurityProfiles", "POST", one+"/security-profiles", identity.UsersEditPermission,
		s.updateUserSecurity)
	rest.Op(t, "DeleteUser", "DELETE", one, identity.UsersDelete, s.deleteUser)
}

type userIdentityInfo struct {
	FirstName      string           `json:"FirstName,omitempty"`
	LastName       string           `json:"LastName,omitempty"`
	Email          string           `json:"Email,omitempty"`
	SecondaryEmail rest.Unsupported `json:"SecondaryEmail,omitzero"`
	Mobile         rest.Unsupported `json:"Mobile,omitzero"`
}

func (i *userIdentityInfo) apply(u *identity.User) {
	if i != nil {
		u.FirstName, u.LastName, u.Email = i.FirstName, i.LastName, i.Email
	}
}

type userPhoneConfig struct {
	PhoneType                 string           `json:"PhoneType,omitempty"`
	AutoAccept                bool             `json:"AutoAccept"`
	AfterContactWorkTimeLimit int              `json:"AfterContactWorkTimeLimit"`
	DeskPhoneNumber           string           `json:"DeskPhoneNumber,omitempty"`
	PersistentConnection      rest.Unsupported `json:"PersistentConnection,omitzero"`
}

func (p *userPhoneConfig) config() identity.PhoneConfig {
	if p == nil {
		return identity.PhoneConfig{PhoneType: identity.SoftPhone}
	}
	c := identity.PhoneConfig{
		PhoneType: p.PhoneType, AutoAccept: p.AutoAccept, AfterContactWorkTimeLimit: p.AfterContactWorkTimeLimit,
		DeskPhoneNumber: p.DeskPhoneNumber,
	}
	if c.PhoneType == "" {
		c.PhoneType = identity.SoftPhone
	}
	return c
}

type createUserInput struct {
	InstanceID         string             `json:"-" path:"InstanceId" ref:"instance"`
	Username           string             `json:"Username"`
	Password           string             `json:"Password,omitempty"`
	IdentityInfo       *userIdentityInfo  `json:"IdentityInfo,omitempty"`
	PhoneConfig        *userPhoneConfig   `json:"PhoneConfig,omitempty"`
	SecurityProfileIDs []string           `json:"SecurityProfileIds" ref:"security-profile"`
	RoutingProfileID   string             `json:"RoutingProfileId" ref:"routing-profile"`
	Tags               map[string]string  `json:"Tags,omitempty"`
	DirectoryUserID    rest.Unsupported   `json:"DirectoryUserId,omitzero"`
	HierarchyGroupID   string             `json:"HierarchyGroupId,omitempty" ref:"agent-group"`
	AfterContactWork   []acwConfig        `json:"AfterContactWorkConfigs,omitempty"`
	AutoAccept         []autoAcceptConfig `json:"AutoAcceptConfigs,omitempty"`
	Persistent         rest.Unsupported   `json:"PersistentConnectionConfigs,omitzero"`
	PhoneNumbers       rest.Unsupported   `json:"PhoneNumberConfigs,omitzero"`
	VoiceEnhancement   rest.Unsupported   `json:"VoiceEnhancementConfigs,omitzero"`
}

type createUserOutput struct {
	UserID  string `json:"UserId"`
	UserARN string `json:"UserArn"`
}

func (s *service) createUser(ctx context.Context, c *rest.Call, in *createUserInput) (*createUserOutput, error) {
	if !c.Principal.Can(identity.UsersEditPermission) {
		return nil, errs.New(errs.Denied, "giving security profiles needs the permission %s", identity.UsersEditPermission)
	}
	meta, err := head(c, in.Username, in.Tags)
	if err != nil {
		return nil, err
	}
	u := &identity.User{
		Meta: meta, SecurityProfileIDs: in.SecurityProfileIDs, RoutingProfileID: in.RoutingProfileID,
		Phone: in.PhoneConfig.config(), HierarchyGroupID: in.HierarchyGroupID,
	}
	in.IdentityInfo.apply(u)
	applyAutoAccept(u, in.AutoAccept)
	if err = applyACW(u, in.AfterContactWork); err != nil {
		return nil, err
	}
	if err = u.Validate(); err != nil {
		return nil, err
	}
	if err = s.mayGrant(ctx, c, in.SecurityProfileIDs); err != nil {
		return nil, err
	}
	instance, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return nil, err
	}
	switch {
	case instance.IdentityMode == identity.ConnectManaged:
		if err = identity.CheckNewPassword(in.Password); err != nil {
			return nil, err
		}
		if u.PasswordHash, err = identity.HashPassword(in.Password); err != nil {
			return nil, err
		}
	case in.Password != "":
		return nil, errs.Field("Password", "must not be given: this instance's users log in by %s", instance.IdentityMode)
	}
	if err = s.Users.Create(ctx, u); err != nil {
		return nil, err
	}
	c.Note("new_user_id", u.ID)
	c.Note("new_username", u.Name)
	return &createUserOutput{UserID: u.ID, UserARN: resource.ARN(u.InstanceID, u.Kind(), u.ID)}, nil
}

// mayGrant keeps people from giving away what they do not have, above all to themselves.
func (s *service) mayGrant(ctx context.Context, c *rest.Call, profileIDs []string) error {
	for i, id := range profileIDs {
		p, err := s.SecurityProfiles.Get(ctx, c.Instance(), id)
		if errs.Is(err, errs.NotFound) {
			return errs.Field(fmt.Sprintf("SecurityProfileIds[%d]", i), "does not exist")
		}
		if err != nil {
			return err
		}
		for _, permission := range p.Permissions {
			if !c.Principal.Can(permission) {
				return errs.New(errs.Denied, "security profile %s holds %s, which you do not have yourself", p.Name, permission)
			}
		}
	}
	return nil
}

type userInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	UserID     string `json:"-" path:"UserId" ref:"agent"`
}

type user struct {
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
	LastModifiedTime   rest.Time          `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string             `json:"LastModifiedRegion"`
}

type describeUserOutput struct {
	User user `json:"User"`
}

func (s *service) describeUser(ctx context.Context, c *rest.Call, in *userInput) (*describeUserOutput, error) {
	u, err := s.Users.Get(ctx, c.Instance(), in.UserID)
	if err != nil {
		return nil, err
	}
	return &describeUserOutput{User: userOf(u)}, nil
}

func userOf(u *identity.User) user {
	acw, auto := channelsOf(u)
	return user{
		ID: u.ID, ARN: resource.ARN(u.InstanceID, u.Kind(), u.ID), Username: u.Name,
		IdentityInfo: userIdentityInfo{FirstName: u.FirstName, LastName: u.LastName, Email: u.Email},
		PhoneConfig: userPhoneConfig{
			PhoneType: u.Phone.PhoneType, AutoAccept: u.Phone.AutoAccept,
			AfterContactWorkTimeLimit: u.Phone.AfterContactWorkTimeLimit, DeskPhoneNumber: u.Phone.DeskPhoneNumber,
		},
		SecurityProfileIDs: u.SecurityProfileIDs, RoutingProfileID: u.RoutingProfileID, Tags: u.Tags,
		LastModifiedTime: rest.At(u.ModifiedAt), LastModifiedRegion: resource.Region, HierarchyGroupID: u.HierarchyGroupID, AfterContactWork: acw, AutoAccept: auto,
	}
}

type userSummary struct {
	ID                 string    `json:"Id"`
	ARN                string    `json:"Arn"`
	Username           string    `json:"Username"`
	LastModifiedTime   rest.Time `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string    `json:"LastModifiedRegion"`
}

type listUsersOutput struct {
	List      []userSummary `json:"UserSummaryList"`
	NextToken string        `json:"NextToken,omitempty"`
}

func (s *service) listUsers(ctx context.Context, c *rest.Call, in *listInput) (*listUsersOutput, error) {
	us, next, err := page(ctx, s.Users, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listUsersOutput{List: make([]userSummary, 0, len(us)), NextToken: next}
	for _, u := range us {
		m := summaryOf(u)
		out.List = append(out.List, userSummary{
			ID: m.ID, ARN: m.ARN, Username: m.Name, LastModifiedTime: m.LastModifiedTime, LastModifiedRegion: resource.Region,
		})
	}
	return out, nil
}

func (s *service) editUser(
	ctx context.Context, c *rest.Call, id string, change func(*identity.User) error,
) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Users, c.Instance(), id, change)
	return done(err)
}

type updateUserIdentityInput struct {
	InstanceID   string            `json:"-" path:"InstanceId" ref:"instance"`
	UserID       string            `json:"-" path:"UserId" ref:"agent"`
	IdentityInfo *userIdentityInfo `json:"IdentityInfo"`
}

func (s *service) updateUserIdentity(ctx context.Context, c *rest.Call, in *updateUserIdentityInput) (*rest.Empty, error) {
	return s.editUser(ctx, c, in.UserID, func(u *identity.User) error {
		in.IdentityInfo.apply(u)
		return nil
	})
}

type updateUserPhoneInput struct {
	InstanceID  string           `json:"-" path:"InstanceId" ref:"instance"`
	UserID      string           `json:"-" path:"UserId" ref:"agent"`
	PhoneConfig *userPhoneConfig `json:"PhoneConfig"`
}

func (s *service) updateUserPhone(ctx context.Context, c *rest.Call, in *updateUserPhoneInput) (*rest.Empty, error) {
	return s.editUser(ctx, c, in.UserID, func(u *identity.User) error {
		u.Phone = in.PhoneConfig.config()
		return nil
	})
}

type updateUserRoutingInput struct {
	InstanceID       string `json:"-" path:"InstanceId" ref:"instance"`
	UserID           string `json:"-" path:"UserId" ref:"agent"`
	RoutingProfileID string `json:"RoutingProfileId" ref:"routing-profile"`
}

func (s *service) updateUserRouting(ctx context.Context, c *rest.Call, in *updateUserRoutingInput) (*rest.Empty, error) {
	return s.editUser(ctx, c, in.UserID, func(u *identity.User) error {
		u.RoutingProfileID = in.RoutingProfileID
		return nil
	})
}

type updateUserSecurityInput struct {
	InstanceID         string   `json:"-" path:"InstanceId" ref:"instance"`
	UserID             string   `json:"-" path:"UserId" ref:"agent"`
	SecurityProfileIDs []string `json:"SecurityProfileIds" ref:"security-profile"`
}

func (s *service) updateUserSecurity(ctx context.Context, c *rest.Call, in *updateUserSecurityInput) (*rest.Empty, error) {
	if err := s.mayGrant(ctx, c, in.SecurityProfileIDs); err != nil {
		return nil, err
	}
	return s.editUser(ctx, c, in.UserID, func(u *identity.User) error {
		// Taking away needs as much as giving: a manager does not depose an administrator.
		if err := s.mayGrant(ctx, c, u.SecurityProfileIDs); err != nil {
			return err
		}
		u.SecurityProfileIDs = in.SecurityProfileIDs
		return nil
	})
}

// deleteUser removes a user with what is theirs alone: access keys and devices. Keys go first, so that a user who is
// half deleted can do nothing any more.
func (s *service) deleteUser(ctx context.Context, c *rest.Call, in *userInput) (*rest.Empty, error) {
	u, err := s.Users.Get(ctx, c.Instance(), in.UserID)
	if err != nil {
		return nil, err
	}
	if err = s.mayGrant(ctx, c, u.SecurityProfileIDs); err != nil {
		return nil, err
	}
	err = deleteAll(ctx, s.AccessKeys, c.Instance(), func(k *identity.AccessKey) bool { return k.UserID == u.ID })
	if err != nil {
		return nil, err
	}
	err = deleteAll(ctx, s.Devices, c.Instance(), func(d *sip.Device) bool { return d.UserID == u.ID })
	if err != nil {
		return nil, err
	}
	return done(s.Users.Delete(ctx, c.Instance(), u.ID))
}

func deleteAll[T resource.Object](ctx context.Context, s resource.Store[T], instanceID string, match func(T) bool) error {
	all, err := resource.All(ctx, s, instanceID)
	if err != nil {
		return err
	}
	for _, v := range all {
		if !match(v) {
			continue
		}
		if err = s.Delete(ctx, instanceID, v.Head().ID); err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return nil
}
