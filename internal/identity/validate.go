package identity

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Limits of the Connect API (A2.4, A8 of the specification).
const (
	maxSecurityProfiles = 10
	maxPermissions      = 500
	maxACWSeconds       = 2_000_000
)

// Phone types, as in the Connect API.
const (
	SoftPhone = "SOFT_PHONE"
	DeskPhone = "DESK_PHONE"
)

var (
	_ resource.Object = (*Instance)(nil)
	_ resource.Object = (*User)(nil)
	_ resource.Object = (*SecurityProfile)(nil)
	_ resource.Object = (*AccessKey)(nil)
)

// Validate checks the alias and the modes of an instance.
func (i *Instance) Validate() error {
	if err := CheckAlias(i.Name); err != nil {
		return err
	}
	if i.ID != "" && i.InstanceID != "" && i.ID != i.InstanceID {
		return errs.Field("InstanceId", "an instance belongs to itself: %q is not %q", i.InstanceID, i.ID)
	}
	switch i.IdentityMode {
	case ConnectManaged, ExistingDirectory, SAML:
	default:
		return errs.Field("IdentityManagementType", "must be %s, %s or %s; got %q",
			ConnectManaged, ExistingDirectory, SAML, i.IdentityMode)
	}
	if i.Region != "" && !matches(`^[A-Z]{2}$`, i.Region) {
		return errs.Field("Region", "must be a country of two capital letters (ISO 3166), like KR; got %q", i.Region)
	}
	if i.Language != "" && !matches(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`, i.Language) {
		return errs.Field("Language", "must be a language tag (BCP 47), like ko-KR; got %q", i.Language)
	}
	if i.FlowLogDays < 0 || i.FlowLogDays > 3650 {
		return errs.Field("FlowLogDays", "must be 1 to 3650, or 0 for the default; is %d", i.FlowLogDays)
	}
	if err := checkLevels(i.HierarchyLevels); err != nil {
		return err
	}
	for name, days := range map[string]int{"RecordDays": i.RecordDays, "AuditDays": i.AuditDays} {
		if days < 0 || days > 36500 {
			return errs.Field(name, "must be 1 to 36500, or 0 for the default; is %d", days)
		}
	}
	if len(i.SearchableAttributes) > 20 {
		return errs.Field("SearchableAttributes", "must be at most 20; are %d", len(i.SearchableAttributes))
	}
	for n, name := range i.SearchableAttributes {
		if name == "" || len(name) > 256 || slices.Contains(i.SearchableAttributes[:n], name) {
			return errs.Field("SearchableAttributes", "must be different names of 1 to 256 bytes")
		}
	}
	return checkLength("DisplayName", i.DisplayName, 0, 127)
}

// CheckAlias is the rule for instance aliases: 1 to 45 of a-z, 0-9 and hyphen, a letter or digit at both ends, not
// "d-" at the beginning (which is a directory's id).
func CheckAlias(alias string) error {
	if len(alias) < 1 || len(alias) > 45 {
		return errs.Field("InstanceAlias", "must have 1 to 45 characters; has %d", len(alias))
	}
	if !matches(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`, alias) {
		return errs.Field("InstanceAlias",
			"must be of a-z, 0-9 and hyphen, with a letter or digit at both ends; got %q", alias)
	}
	if strings.HasPrefix(alias, "d-") {
		return errs.Field("InstanceAlias", `must not begin with "d-"`)
	}
	return nil
}

// Validate checks everything about a user but whether their profiles exist.
func (u *User) Validate() error {
	if n := utf8.RuneCountInString(u.Name); n < 1 || n > 100 {
		return errs.Field("Username", "must have 1 to 100 characters; has %d", n)
	}
	if !matches(`^[a-zA-Z0-9_.@-]+$`, u.Name) {
		return errs.Field("Username", "must be of letters, digits and _ - . @; got %q", u.Name)
	}
	for _, f := range []struct{ name, value string }{
		{"IdentityInfo.FirstName", u.FirstName}, {"IdentityInfo.LastName", u.LastName},
	} {
		if err := checkLength(f.name, f.value, 0, 300); err != nil {
			return err
		}
	}
	if u.Email != "" && (len(u.Email) > 320 || !matches(`^[^\s@\x00-\x1f]+@[^\s@\x00-\x1f]+$`, u.Email)) {
		return errs.Field("IdentityInfo.Email", "must be an address like name@example.com")
	}
	if u.RoutingProfileID == "" {
		return errs.Field("RoutingProfileId", "is required")
	}
	if n := len(u.SecurityProfileIDs); n < 1 || n > maxSecurityProfiles {
		return errs.Field("SecurityProfileIds", "must be 1 to %d; are %d", maxSecurityProfiles, n)
	}
	if hasDoubles(u.SecurityProfileIDs) {
		return errs.Field("SecurityProfileIds", "must name each profile once")
	}
	if err := checkProficiencies(u.Proficiencies); err != nil {
		return err
	}
	if err := checkChannels(u); err != nil {
		return err
	}
	return u.Phone.validate()
}

// maxProficiencies is how many a user may have.
const maxProficiencies = 20

func checkProficiencies(list []Proficiency) error {
	if len(list) > maxProficiencies {
		return errs.Field("UserProficiencies", "may be %d at most; would be %d", maxProficiencies, len(list))
	}
	for i, p := range list {
		at := fmt.Sprintf("UserProficiencies[%d].", i)
		if err := checkLength(at+"AttributeName", p.Name, 1, 64); err != nil {
			return err
		}
		if err := checkLength(at+"AttributeValue", p.Value, 1, 128); err != nil {
			return err
		}
		if p.Level < 1 || p.Level > 5 {
			return errs.Field(at+"Level", "must be from 1 to 5; is %g", p.Level)
		}
	}
	return nil
}

func (p *PhoneConfig) validate() error {
	switch p.PhoneType {
	case SoftPhone:
	case DeskPhone:
		if p.DeskPhoneNumber == "" {
			return errs.Field("PhoneConfig.DeskPhoneNumber", "is required for %s", DeskPhone)
		}
	default:
		return errs.Field("PhoneConfig.PhoneType", "must be %s or %s; got %q", SoftPhone, DeskPhone, p.PhoneType)
	}
	if p.DeskPhoneNumber != "" && !matches(`^\+[1-9][0-9]{6,14}$`, p.DeskPhoneNumber) {
		return errs.Field("PhoneConfig.DeskPhoneNumber", "must be + and 7 to 15 digits (E.164); got %q", p.DeskPhoneNumber)
	}
	if p.AfterContactWorkTimeLimit < 0 || p.AfterContactWorkTimeLimit > maxACWSeconds {
		return errs.Field("PhoneConfig.AfterContactWorkTimeLimit", "must be 0 to %d seconds; is %d",
			maxACWSeconds, p.AfterContactWorkTimeLimit)
	}
	return nil
}

// Validate checks name, description and permissions of a security profile.
func (p *SecurityProfile) Validate() error {
	if err := checkLength("SecurityProfileName", p.Name, 1, 127); err != nil {
		return err
	}
	if err := checkLength("Description", p.Description, 0, 250); err != nil {
		return err
	}
	if len(p.Permissions) > maxPermissions {
		return errs.Field("Permissions", "must be at most %d; are %d", maxPermissions, len(p.Permissions))
	}
	if hasDoubles(p.Permissions) {
		return errs.Field("Permissions", "must name each permission once")
	}
	known := Permissions()
	for i, name := range p.Permissions {
		if !slices.Contains(known, name) {
			return errs.Field(fmt.Sprintf("Permissions[%d]", i), "unknown permission %q", name)
		}
	}
	return nil
}

// Validate checks the form of an access key. It never quotes the secret.
func (k *AccessKey) Validate() error {
	if !validKeyID(k.Name) {
		return errs.Field("AccessKeyId", "must be AKIA and 16 of A-Z and 2-7")
	}
	if k.UserID == "" {
		return errs.Field("UserId", "is required")
	}
	if !strings.HasPrefix(k.Secret, sealedPrefix) {
		return errs.Field("Secret", "must be sealed before it is stored")
	}
	if k.TokenSHA256 != "" && !matches(`^[0-9a-f]{64}$`, k.TokenSHA256) {
		return errs.Field("TokenSha256", "must be 64 hexadecimal digits")
	}
	return nil
}

func matches(pattern, s string) bool {
	ok, err := regexp.MatchString(pattern, s)
	return err == nil && ok
}

func checkLength(field, s string, least, most int) error {
	if n := utf8.RuneCountInString(s); n < least || n > most {
		return errs.Field(field, "must have %d to %d characters; has %d", least, most, n)
	}
	return nil
}

func hasDoubles(list []string) bool {
	sorted := slices.Sorted(slices.Values(list))
	return len(slices.Compact(sorted)) != len(list)
}
