package identity_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func TestInstanceRules(t *testing.T) {
	good := func() *identity.Instance {
		return &identity.Instance{
			Meta: resource.Meta{Name: "acme-1"}, IdentityMode: identity.ConnectManaged, Region: "KR", Language: "ko-KR",
		}
	}
	must(t, good().Validate())
	for _, alias := range []string{"a", "1", "a-b", "a--b", strings.Repeat("a", 45)} {
		must(t, identity.CheckAlias(alias))
	}
	for _, alias := range []string{"", "-a", "a-", "A", "ä", "a b", "a_b", "a/b", "..", "d-1", strings.Repeat("a", 46), "a\n"} {
		if err := identity.CheckAlias(alias); !errs.Is(err, errs.Invalid) {
			t.Errorf("alias %q: %v", alias, err)
		}
	}
	for name, change := range map[string]func(*identity.Instance){
		"mode":         func(i *identity.Instance) { i.IdentityMode = "OTHER" },
		"region":       func(i *identity.Instance) { i.Region = "kr" },
		"language":     func(i *identity.Instance) { i.Language = "korean_KR" },
		"display name": func(i *identity.Instance) { i.DisplayName = strings.Repeat("x", 128) },
		"of another":   func(i *identity.Instance) { i.ID, i.InstanceID = "a", "b" },
	} {
		i := good()
		change(i)
		if err := i.Validate(); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUserRules(t *testing.T) {
	good := func() *identity.User {
		return &identity.User{
			Meta: resource.Meta{Name: "anna.k@example.com"}, RoutingProfileID: "r", SecurityProfileIDs: []string{"s"},
			Phone: identity.PhoneConfig{PhoneType: identity.SoftPhone, AfterContactWorkTimeLimit: 2_000_000},
		}
	}
	must(t, good().Validate())
	ids := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprint(i)
		}
		return out
	}
	for name, tt := range map[string]struct {
		change func(*identity.User)
		field  string
	}{
		"no name":         {func(u *identity.User) { u.Name = "" }, "Username"},
		"long name":       {func(u *identity.User) { u.Name = strings.Repeat("a", 101) }, "Username"},
		"space":           {func(u *identity.User) { u.Name = "a b" }, "Username"},
		"first name":      {func(u *identity.User) { u.FirstName = strings.Repeat("a", 301) }, "IdentityInfo.FirstName"},
		"email":           {func(u *identity.User) { u.Email = "a@b\r\nBcc: c" }, "IdentityInfo.Email"},
		"no routing":      {func(u *identity.User) { u.RoutingProfileID = "" }, "RoutingProfileId"},
		"no profile":      {func(u *identity.User) { u.SecurityProfileIDs = nil }, "SecurityProfileIds"},
		"eleven profiles": {func(u *identity.User) { u.SecurityProfileIDs = ids(11) }, "SecurityProfileIds"},
		"same profile":    {func(u *identity.User) { u.SecurityProfileIDs = []string{"a", "b", "a"} }, "SecurityProfileIds"},
		"phone type":      {func(u *identity.User) { u.Phone.PhoneType = "FAX" }, "PhoneConfig.PhoneType"},
		"desk phone":      {func(u *identity.User) { u.Phone.PhoneType = identity.DeskPhone }, "PhoneConfig.DeskPhoneNumber"},
		"desk number":     {func(u *identity.User) { u.Phone.DeskPhoneNumber = "0215778000" }, "PhoneConfig.DeskPhoneNumber"},
		"acw negative":    {func(u *identity.User) { u.Phone.AfterContactWorkTimeLimit = -1 }, "PhoneConfig.AfterContactWorkTimeLimit"},
		"acw long":        {func(u *identity.User) { u.Phone.AfterContactWorkTimeLimit = 2_000_001 }, "PhoneConfig.AfterContactWorkTimeLimit"},
	} {
		u := good()
		tt.change(u)
		e, ok := errors.AsType[*errs.Error](u.Validate())
		if !ok || e.Kind != errs.Invalid || e.Field != tt.field {
			t.Errorf("%s: %v, want field %s", name, e, tt.field)
		}
	}
	u := good()
	u.SecurityProfileIDs = ids(10)
	must(t, u.Validate())
}

func TestSecurityProfileRulesAndDefaults(t *testing.T) {
	profiles := identity.DefaultSecurityProfiles("i")
	holds := make(map[string][]string)
	for _, p := range profiles {
		must(t, p.Validate())
		holds[p.Name] = p.Permissions
	}
	if len(holds) != 4 || !slices.Contains(holds["Admin"], identity.TrunksEdit) ||
		slices.Contains(holds["CallCenterManager"], identity.TrunksEdit) ||
		!slices.Equal(holds["Agent"], []string{identity.BasicAgentAccess, identity.OutboundCallAccess}) {
		t.Errorf("%v", holds)
	}
	// Nobody below can give what the one above does not have.
	for _, below := range []string{"CallCenterManager", "Agent", "QualityAnalyst"} {
		for _, permission := range holds[below] {
			if !slices.Contains(holds["Admin"], permission) {
				t.Errorf("%s has %s and Admin has not", below, permission)
			}
		}
	}
	for name, permissions := range map[string][]string{"unknown": {"Queues.Explode"}, "twice": {"Queues.View", "Queues.View"}} {
		p := &identity.SecurityProfile{Meta: resource.Meta{Name: "x"}, Permissions: permissions}
		if err := p.Validate(); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list := identity.Permissions(); len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Error("a permission is listed twice")
	}
}

func TestPasswordsAreHashedAndChecked(t *testing.T) {
	hash, err := identity.HashPassword("Geheim-1")
	must(t, err)
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(hash, "Geheim") {
		t.Errorf("hash %s", hash)
	}
	again, err := identity.HashPassword("Geheim-1")
	must(t, err)
	if again == hash {
		t.Error("no salt")
	}
	if !identity.CheckPassword(hash, "Geheim-1") || identity.CheckPassword(hash, "Geheim-2") || identity.CheckPassword(hash, "") {
		t.Error("wrong verdict")
	}
	key := hash[strings.LastIndex(hash, "$")+1:]
	for name, bad := range map[string]string{
		"empty": "", "text": "Geheim-1", "other kind": strings.Replace(hash, "argon2id", "argon2i", 1),
		"much memory": strings.Replace(hash, "m=19456", "m=4000000000", 1), "much time": strings.Replace(hash, "t=2", "t=4000000", 1),
		"no threads": strings.Replace(hash, "p=1", "p=0", 1), "no key": strings.TrimSuffix(hash, key),
		"other version": strings.Replace(hash, "v=19", "v=16", 1),
	} {
		start := time.Now()
		if identity.CheckPassword(bad, "Geheim-1") || identity.CheckPassword(bad, "") {
			t.Errorf("%s: accepted", name)
		}
		if time.Since(start) > 10*time.Second {
			t.Errorf("%s: a stored row decided how long we work", name)
		}
	}
}

func TestNewPasswordsAreLongAndDifferent(t *testing.T) {
	seen := make(map[string]bool)
	for range 200 {
		p, err := identity.NewPassword()
		must(t, err)
		if len(p) < 20 || seen[p] || identity.CheckNewPassword(p) != nil || strings.ContainsAny(p, "0O1lI") {
			t.Fatalf("%q", p)
		}
		seen[p] = true
	}
	for _, bad := range []string{"", "Ab1", "abcdefg1", "ABCDEFG1", "Abcdefgh", "Abcdef 1", strings.Repeat("Ab1", 22)} {
		if identity.CheckNewPassword(bad) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestSealedSecretsOpenForTheirOwnerOnly(t *testing.T) {
	s, err := identity.NewSealer(bytes.Repeat([]byte{1}, 32))
	must(t, err)
	other, err := identity.NewSealer(bytes.Repeat([]byte{2}, 32))
	must(t, err)
	sealed, err := s.Seal("AKIA1", "secret")
	must(t, err)
	if strings.Contains(sealed, "secret") {
		t.Error("not sealed")
	}
	if got, oerr := s.Open("AKIA1", sealed); oerr != nil || got != "secret" {
		t.Errorf("%q %v", got, oerr)
	}
	if twice, _ := s.Seal("AKIA1", "secret"); twice == sealed {
		t.Error("a nonce was used twice")
	}
	_, err = s.Open("AKIA2", sealed)
	if !errors.Is(err, identity.ErrSealed) {
		t.Errorf("another owner: %v", err)
	}
	if _, err = other.Open("AKIA1", sealed); !errors.Is(err, identity.ErrSealed) {
		t.Errorf("another key: %v", err)
	}
	for _, damaged := range []string{"", "secret", sealed[:20], sealed + "A", strings.Replace(sealed, "v1", "v2", 1)} {
		if _, err = s.Open("AKIA1", damaged); !errors.Is(err, identity.ErrSealed) {
			t.Errorf("%q: %v", damaged, err)
		}
	}
	if _, err = identity.NewSealer(make([]byte, 31)); err == nil {
		t.Error("a short key was taken")
	}
}

func TestAccessKeysHaveTheFormOfAWS(t *testing.T) {
	s, err := identity.NewSealer(bytes.Repeat([]byte{1}, 32))
	must(t, err)
	k, err := identity.NewAccessKey(s, "i", "u")
	must(t, err)
	must(t, k.Key.Validate())
	if len(k.ID) != 20 || !strings.HasPrefix(k.ID, "AKIA") || len(k.Secret) != 40 || len(k.Token) < 40 ||
		k.Key.TokenSHA256 != identity.TokenHash(k.Token) || strings.Contains(k.Key.Secret, k.Secret) {
		t.Errorf("%+v", k)
	}
	for name, change := range map[string]func(*identity.AccessKey){
		"id": func(a *identity.AccessKey) { a.Name = "x" }, "user": func(a *identity.AccessKey) { a.UserID = "" },
		"bare secret": func(a *identity.AccessKey) { a.Secret = k.Secret }, "hash": func(a *identity.AccessKey) { a.TokenSHA256 = "xyz" },
	} {
		bad := *k.Key
		change(&bad)
		verr := bad.Validate()
		if !errs.Is(verr, errs.Invalid) || strings.Contains(verr.Error(), k.Secret) {
			t.Errorf("%s: %v", name, verr)
		}
	}
}

func TestBackoffGrowsAndForgets(t *testing.T) {
	var b identity.Backoff
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var waits []time.Duration
	alarms := 0
	for range 20 {
		if b.Fail("a", now) {
			alarms++
		}
		wait := b.Wait("a", now)
		waits = append(waits, wait)
		now = now.Add(wait)
	}
	want := []time.Duration{0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300, 300, 300}
	for i := range want {
		if want[i] *= time.Second; waits[i] != want[i] {
			t.Errorf("after failure %d: %v, want %v", i+1, waits[i], want[i])
		}
	}
	if alarms != 1 {
		t.Errorf("%d alarms", alarms)
	}
	if b.Wait("b", now) != 0 {
		t.Error("another key waits")
	}
	now = now.Add(16 * time.Minute)
	if b.Fail("a", now); b.Wait("a", now) != 0 {
		t.Error("old failures are not forgotten")
	}
}

func TestBackoffHasBoundedMemoryAndKeepsTheBusiest(t *testing.T) {
	var b identity.Backoff
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 10 {
		b.Fail("guesser", now)
	}
	for i := range 8500 { // more than there is room for, each once
		now = now.Add(time.Millisecond)
		b.Fail(fmt.Sprint("other ", i), now)
		if i%100 == 0 {
			b.Fail("guesser", now)
		}
	}
	if b.Wait("guesser", now) == 0 {
		t.Error("a flood of names made the table forget the guesser")
	}
}
