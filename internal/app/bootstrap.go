package app

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"ullim/acd"
	"ullim/internal/calendar"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

// Names that Amazon Connect gives to what every instance begins with.
const (
	basicQueue    = "BasicQueue"
	basicHours    = "Basic Hours"
	basicProfile  = "Basic routing profile"
	availableName = "Available"
	offlineName   = "Offline"
	adminName     = "admin"
)

// InstanceSpec says what a new instance is to be.
type InstanceSpec struct {
	Alias    string // 1 to 45 of a-z, 0-9, -
	Zone     string // IANA; of the basic hours
	Language string // BCP 47; of the default flows
	Region   string // ISO 3166; of numbers without country code
}

// Credentials are an administrator's, shown once.
type Credentials struct {
	Username, Password       string
	AccessKeyID, SecretKey   string
	Token                    string
	InstanceID, InstanceName string
}

// ensureInstance makes the instance with everything that a first call needs, or completes one whose making was
// interrupted. Credentials are nil if it was complete already.
func (a *App) ensureInstance(ctx context.Context, spec InstanceSpec) (*identity.Instance, *Credentials, error) {
	inst, err := a.findInstance(ctx, spec.Alias)
	if err != nil {
		return nil, nil, err
	}
	if inst == nil {
		id := uuid.NewString()
		inst = &identity.Instance{
			Meta:        resource.Meta{ID: id, InstanceID: id, Name: spec.Alias},
			DisplayName: spec.Alias, IdentityMode: identity.ConnectManaged, InboundCallsEnabled: true,
			OutboundCallsEnabled: true, RecordingsKept: true, Language: spec.Language, Region: spec.Region,
		}
		if err = a.stores.instances.Create(ctx, inst); err != nil {
			return nil, nil, err
		}
	}
	profile, err := a.ensureRouting(ctx, inst.ID, spec.Zone)
	if err != nil {
		return nil, nil, err
	}
	if err = a.flows.CreateDefaults(ctx, inst.ID, spec.Language); err != nil {
		return nil, nil, err
	}
	var admin string
	for _, p := range identity.DefaultSecurityProfiles(inst.ID) {
		p, err = ensure(ctx, a.stores.profiles, p)
		if err != nil {
			return nil, nil, err
		}
		if p.Name == identity.ProfileAdmin {
			admin = p.ID
		}
	}
	creds, err := a.ensureAdmin(ctx, inst, profile.ID, admin)
	return inst, creds, err
}

// findInstance finds an instance by alias; nil if there is none.
func (a *App) findInstance(ctx context.Context, alias string) (*identity.Instance, error) {
	all, err := a.stores.db.Instances(ctx)
	if err != nil {
		return nil, err
	}
	for _, inst := range all {
		if inst.Name == alias {
			return inst, nil
		}
	}
	return nil, nil
}

// ensure creates a resource unless one of its name is there, and gives what is stored.
func ensure[T resource.Object](ctx context.Context, s resource.Store[T], v T) (T, error) {
	h := v.Head()
	old, err := s.GetByName(ctx, h.InstanceID, h.Name)
	if err == nil || !errs.Is(err, errs.NotFound) {
		return old, err
	}
	return v, s.Create(ctx, v)
}

// ensureRouting makes hours, queue, routing profile and statuses.
func (a *App) ensureRouting(ctx context.Context, instanceID, zone string) (*acd.RoutingProfile, error) {
	meta := func(name string) resource.Meta { return resource.Meta{InstanceID: instanceID, Name: name} }
	week := calendar.Hours{Zone: zone}
	for _, day := range []string{"MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"} {
		week.Slots = append(week.Slots, calendar.Slot{Day: day, Start: calendar.Clock{Hour: 9}, End: calendar.Clock{Hour: 17}})
	}
	hours, err := ensure(ctx, a.stores.hours, &acd.Hours{Meta: meta(basicHours), Hours: week})
	if err != nil {
		return nil, err
	}
	queue, err := ensure(ctx, a.stores.queues, &acd.Queue{
		Meta: meta(basicQueue), Description: "A simple, basic voice queue.", HoursID: hours.ID, Status: acd.QueueEnabled,
	})
	if err != nil {
		return nil, err
	}
	for i, st := range []acd.AgentStatus{{Meta: meta(availableName), Type: acd.Routable}, {Meta: meta(offlineName), Type: acd.Offline}} {
		st.DisplayOrder = i + 1
		if _, err = ensure(ctx, a.stores.statuses, &st); err != nil {
			return nil, err
		}
	}
	return ensure(ctx, a.stores.routing, &acd.RoutingProfile{
		Meta: meta(basicProfile), Description: "A simple, basic voice routing profile.", DefaultOutboundQueueID: queue.ID,
		Concurrencies: []acd.Concurrency{
			{Channel: contact.Voice, Limit: 1, CrossChannel: acd.CurrentChannelOnly},
			{Channel: contact.Chat, Limit: 2, CrossChannel: acd.CurrentChannelOnly},
		},
		Queues: []acd.ProfileQueue{
			{QueueID: queue.ID, Channel: contact.Voice, Priority: 1},
			{QueueID: queue.ID, Channel: contact.Chat, Priority: 1},
		},
		AvailabilityTimer: acd.SinceLastActivity,
	})
}

// ensureAdmin makes the administrator with a one-time password and an access key. Both are shown once and not kept.
func (a *App) ensureAdmin(ctx context.Context, inst *identity.Instance, profileID, securityProfileID string) (*Credentials, error) {
	if _, err := a.stores.users.GetByName(ctx, inst.ID, adminName); err == nil || !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	password, err := identity.NewPassword()
	if err != nil {
		return nil, err
	}
	hash, err := identity.HashPassword(password)
	if err != nil {
		return nil, err
	}
	user := &identity.User{
		Meta:      resource.Meta{ID: uuid.NewString(), InstanceID: inst.ID, Name: adminName},
		FirstName: "Instance", LastName: "Administrator", PasswordHash: hash, MustChangePassword: true,
		SecurityProfileIDs: []string{securityProfileID}, RoutingProfileID: profileID,
		Phone: identity.PhoneConfig{PhoneType: "SOFT_PHONE"},
	}
	if err = a.stores.users.Create(ctx, user); err != nil {
		return nil, err
	}
	key, err := a.newKey(ctx, inst.ID, user.ID)
	if err != nil {
		return nil, err
	}
	return &Credentials{
		Username: adminName, Password: password, AccessKeyID: key.ID, SecretKey: key.Secret, Token: key.Token,
		InstanceID: inst.ID, InstanceName: inst.Name,
	}, nil
}

// newKey makes and stores an access key of a user.
func (a *App) newKey(ctx context.Context, instanceID, userID string) (*identity.NewKey, error) {
	key, err := identity.NewAccessKey(a.sealer, instanceID, userID)
	if err != nil {
		return nil, err
	}
	return key, a.stores.keys.Create(ctx, key.Key)
}

// localZone is the machine's time zone by its IANA name, UTC if it cannot be known.
func localZone() string {
	if tz := os.Getenv("TZ"); tz != "" {
		if _, err := time.LoadLocation(tz); err == nil && !strings.HasPrefix(tz, "/") {
			return tz
		}
	}
	if b, err := os.ReadFile("/etc/timezone"); err == nil {
		if tz := strings.TrimSpace(string(b)); tz != "" {
			if _, err := time.LoadLocation(tz); err == nil {
				return tz
			}
		}
	}
	if link, err := os.Readlink("/etc/localtime"); err == nil {
		if _, tz, ok := strings.Cut(link, "zoneinfo/"); ok {
			return tz
		}
	}
	return "UTC"
}
