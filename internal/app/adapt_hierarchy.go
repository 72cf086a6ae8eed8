package app

import (
	"time"

	"ullim/internal/contact"
	"ullim/internal/identity"
)

// hierarchy is where a user stands now, the highest group first.
func (d *directory) hierarchy(instanceID, userID string) []contact.Group {
	t, err := d.tenant(instanceID)
	if err != nil || t.users[userID] == nil {
		return nil
	}
	return t.hierarchy(t.users[userID])
}

func (t *tenant) hierarchy(u *identity.User) []contact.Group {
	if u.HierarchyGroupID == "" {
		return nil
	}
	var out []contact.Group
	for _, g := range identity.HierarchyPath(u.HierarchyGroupID, func(id string) *identity.HierarchyGroup { return t.groups[id] }) {
		out = append(out, contact.Group{ID: g.ID, Name: g.Name})
	}
	return out
}

// acwOf is the after-contact work of a user by channel, where it differs.
func acwOf(u *identity.User) map[contact.Channel]time.Duration {
	if len(u.AfterContactWork) == 0 {
		return nil
	}
	out := make(map[contact.Channel]time.Duration, len(u.AfterContactWork))
	for c, seconds := range u.AfterContactWork {
		out[contact.Channel(c)] = time.Duration(seconds) * time.Second
	}
	return out
}

// autoAcceptOf is what a user accepts without being asked by channel, where it differs.
func autoAcceptOf(u *identity.User) map[contact.Channel]bool {
	if len(u.AutoAccept) == 0 {
		return nil
	}
	out := make(map[contact.Channel]bool, len(u.AutoAccept))
	for c, on := range u.AutoAccept {
		out[contact.Channel(c)] = on
	}
	return out
}
