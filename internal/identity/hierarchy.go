package identity

import (
	"fmt"
	"slices"
	"time"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Limits of the hierarchy of agents (A2.4).
const (
	MaxHierarchyLevels = 5
	MaxHierarchyGroups = 500
)

// HierarchyLevel is a level of the hierarchy of agents: "Region", "Team". The ID stays when it is renamed.
type HierarchyLevel struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	ModifiedAt time.Time `json:"modifiedAt,omitzero"`
}

// HierarchyGroup is a group of agents: on the first level, or below another group. Names are unique in the instance.
type HierarchyGroup struct {
	resource.Meta
	ParentID string `json:"parentId,omitempty"`
	Level    int    `json:"level"` // from 1; of the parent and one more
}

var _ resource.Object = (*HierarchyGroup)(nil)

// Kind is agent-group.
func (*HierarchyGroup) Kind() resource.Kind { return resource.KindHierarchyGroup }

// Refs is the parent.
func (g *HierarchyGroup) Refs() []resource.Ref {
	if g.ParentID == "" {
		return nil
	}
	return []resource.Ref{{Kind: resource.KindHierarchyGroup, ID: g.ParentID}}
}

// Validate checks name and level.
func (g *HierarchyGroup) Validate() error {
	if err := checkLength("Name", g.Name, 1, 100); err != nil {
		return err
	}
	if g.Level < 1 || g.Level > MaxHierarchyLevels || (g.Level == 1) != (g.ParentID == "") {
		return errs.Field("ParentGroupId", "must be a group above level %d; the level would be %d", MaxHierarchyLevels, g.Level)
	}
	return nil
}

// HierarchyPath is a group with those above it, the highest first; empty if there is no such group.
func HierarchyPath(id string, find func(id string) *HierarchyGroup) []*HierarchyGroup {
	var path []*HierarchyGroup
	for g := find(id); g != nil && len(path) < MaxHierarchyLevels; g = find(g.ParentID) {
		path = append(path, g)
	}
	slices.Reverse(path)
	return path
}

func checkLevels(levels []HierarchyLevel) error {
	if len(levels) > MaxHierarchyLevels {
		return errs.Field("HierarchyStructure", "may have %d levels at most", MaxHierarchyLevels)
	}
	names := map[string]bool{}
	for i, l := range levels {
		field := fmt.Sprintf("HierarchyStructure.Level%s.Name", LevelNames()[i])
		if err := checkLength(field, l.Name, 1, 50); err != nil {
			return err
		}
		if names[l.Name] {
			return errs.Field(field, "must not be the name of another level")
		}
		names[l.Name] = true
	}
	return nil
}

// LevelNames are the numbers of levels as the Connect API spells them.
func LevelNames() []string { return []string{"One", "Two", "Three", "Four", "Five"} }

// checkChannels checks what a user has by channel.
func checkChannels(u *User) error {
	for _, c := range slices.Sorted(keysOf(u.AfterContactWork, u.AutoAccept)) {
		if !slices.Contains([]string{"VOICE", "CHAT", "TASK", "EMAIL"}, c) {
			return errs.Field("Channel", "must be VOICE, CHAT, TASK or EMAIL; is %.20q", c)
		}
	}
	for c, seconds := range u.AfterContactWork {
		if seconds < 0 || seconds > maxACWSeconds {
			return errs.Field("AfterContactWorkConfigs.AfterContactWorkTimeLimit", "must be 0 to %d seconds; is %d for %s", maxACWSeconds, seconds, c)
		}
	}
	return nil
}

func keysOf(a map[string]int, b map[string]bool) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range a {
			if !yield(k) {
				return
			}
		}
		for k := range b {
			if !yield(k) {
				return
			}
		}
	}
}
