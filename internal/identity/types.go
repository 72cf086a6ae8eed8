package identity

import (
	"time"

	"ullim/internal/resource"
)

// IdentityMode is how an instance's users log in; fixed for the life of the instance.
type IdentityMode string

// Identity modes, as in the Connect API.
const (
	ConnectManaged    IdentityMode = "CONNECT_MANAGED"
	ExistingDirectory IdentityMode = "EXISTING_DIRECTORY"
	SAML              IdentityMode = "SAML"
)

// Instance is a tenant. Its Meta.InstanceID is its own ID; Meta.Name is its alias (1 to 45 of a-z, 0-9, -; unique).
type Instance struct {
	resource.Meta
	DisplayName          string       `json:"displayName"`
	IdentityMode         IdentityMode `json:"identityMode"`
	InboundCallsEnabled  bool         `json:"inboundCallsEnabled"`
	OutboundCallsEnabled bool         `json:"outboundCallsEnabled"`
	Region               string       `json:"region,omitempty"`               // ISO 3166, for numbers without country code
	Language             string       `json:"language,omitempty"`             // BCP 47: of the default flows' spoken text
	RecordingsKept       bool         `json:"recordingsKept"`                 // storage of call recordings is configured
	FlowLogs             bool         `json:"flowLogs,omitempty"`             // every action of every flow is in the run log (CONTACTFLOW_LOGS)
	FlowLogDays          int          `json:"flowLogDays,omitempty"`          // how long the run log is kept; 0: 30 days
	SearchableAttributes []string     `json:"searchableAttributes,omitempty"` // of contacts: by which they are found
	RecordDays           int          `json:"recordDays,omitempty"`           // how long contact records are kept; 0: DefaultKeepDays
	AuditDays            int          `json:"auditDays,omitempty"`            // how long the audit trail is kept; 0: DefaultKeepDays

	HierarchyLevels []HierarchyLevel `json:"hierarchyLevels,omitempty"` // of the agents' hierarchy, the highest first
}

// DefaultKeepDays is 24 months, as Connect keeps contact records.
const DefaultKeepDays = 730

// PhoneConfig is how a user takes calls.
type PhoneConfig struct {
	PhoneType                 string `json:"phoneType"` // SOFT_PHONE or DESK_PHONE
	AutoAccept                bool   `json:"autoAccept"`
	AfterContactWorkTimeLimit int    `json:"afterContactWorkTimeLimit"` // seconds; 0: until cleared
	DeskPhoneNumber           string `json:"deskPhoneNumber,omitempty"`
}

// User is a person who logs in: agent, supervisor, administrator. Meta.Name is the username.
type User struct {
	resource.Meta
	FirstName          string      `json:"firstName,omitempty"`
	LastName           string      `json:"lastName,omitempty"`
	Email              string      `json:"email,omitempty"`
	PasswordHash       string      `json:"passwordHash,omitempty"` // argon2id, encoded
	MustChangePassword bool        `json:"mustChangePassword,omitempty"`
	SecurityProfileIDs []string    `json:"securityProfileIds"` // 1 to 10
	RoutingProfileID   string      `json:"routingProfileId"`
	Phone              PhoneConfig `json:"phone"`

	Proficiencies []Proficiency `json:"proficiencies,omitempty"` // at most 20

	HierarchyGroupID string          `json:"hierarchyGroupId,omitempty"`
	AfterContactWork map[string]int  `json:"afterContactWork,omitempty"` // seconds by channel, where it is not Phone's; 0: until cleared
	AutoAccept       map[string]bool `json:"autoAccept,omitempty"`       // by channel, where it is not Phone's
}

// Proficiency is how well a user masters a value of an attribute ("language", "ko"), from 1 to 5.
type Proficiency struct {
	Name  string  `json:"name"`
	Value string  `json:"value"`
	Level float64 `json:"level"`
}

// SecurityProfile is a named set of permissions ("Queues.View").
type SecurityProfile struct {
	resource.Meta
	Description string   `json:"description,omitempty"`
	Permissions []string `json:"permissions"`
}

// AccessKey authenticates a program as a user: AWS Signature V4 with ID and Secret, or a bearer token. Meta.Name is the
// access key id (AKIA...).
type AccessKey struct {
	resource.Meta
	UserID      string    `json:"userId"`
	Secret      string    `json:"secret"`      // SigV4 needs the secret itself; stored encrypted with the data folder's key
	TokenSHA256 string    `json:"tokenSha256"` // of the bearer token; empty for none
	Expires     time.Time `json:"expires,omitzero"`
}

// Principal is who does something: the same whatever way they authenticated.
type Principal struct {
	InstanceID  string
	UserID      string
	Username    string
	Permissions map[string]bool
}

// Kind is instance.
func (*Instance) Kind() resource.Kind { return resource.KindInstance }

// Refs is empty.
func (*Instance) Refs() []resource.Ref { return nil }

// Kind is agent.
func (*User) Kind() resource.Kind { return resource.KindUser }

// Refs are the routing profile and the security profiles.
func (u *User) Refs() []resource.Ref {
	refs := []resource.Ref{{Kind: resource.KindRoutingProfile, ID: u.RoutingProfileID}}
	for _, id := range u.SecurityProfileIDs {
		refs = append(refs, resource.Ref{Kind: resource.KindSecurityProfile, ID: id})
	}
	if u.HierarchyGroupID != "" {
		refs = append(refs, resource.Ref{Kind: resource.KindHierarchyGroup, ID: u.HierarchyGroupID})
	}
	return refs
}

// Kind is security-profile.
func (*SecurityProfile) Kind() resource.Kind { return resource.KindSecurityProfile }

// Refs is empty.
func (*SecurityProfile) Refs() []resource.Ref { return nil }

// Kind is access-key.
func (*AccessKey) Kind() resource.Kind { return resource.KindAccessKey }

// Refs is the user.
func (k *AccessKey) Refs() []resource.Ref {
	return []resource.Ref{{Kind: resource.KindUser, ID: k.UserID}}
}
