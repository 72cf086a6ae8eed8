package ivr

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Alias is another name for a version of a module, which can be pointed elsewhere without a change of those who call it.
type Alias struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Version     int       `json:"version"`
	ModifiedAt  time.Time `json:"modifiedAt,omitzero"`
}

// maxAliases bounds the aliases of one module.
const maxAliases = 50

// ModuleService keeps flow modules: parts of flows that are called and come back. Make one with NewModules.
type ModuleService struct{ *Service }

var _ Modules = (*ModuleService)(nil)

// NewModules makes a ModuleService over a store of modules.
func NewModules(store Store) *ModuleService {
	return &ModuleService{newService(store, resource.KindFlowModule)}
}

// Module implements Modules.
func (s *ModuleService) Module(ctx context.Context, instanceID, ref string) (*Flow, error) {
	return s.Published(ctx, instanceID, ref)
}

// ModuleChange is a change of a module's content and settings; nil stays. Status is about the content.
type ModuleChange struct {
	Content, Settings *string
	Status            Status
}

// UpdateModule changes content and settings in one step. *ProblemsError when it cannot be published; then nothing has
// changed.
func (s *ModuleService) UpdateModule(ctx context.Context, instanceID, id string, m ModuleChange) (*Flow, error) {
	return s.edit(ctx, instanceID, id, func(f *Flow) (Changes, error) {
		if m.Settings != nil {
			f.Settings = *m.Settings
		}
		if m.Content == nil {
			return Changes{}, nil
		}
		return s.put(ctx, f, *m.Content, m.Status, "")
	})
}

// alias is the alias that a qualifier names, by name or id; nil if there is none.
func (f *Flow) alias(qualifier string) *Alias {
	if i := slices.IndexFunc(f.Aliases, func(a Alias) bool { return qualifier != "" && (a.Name == qualifier || a.ID == qualifier) }); i >= 0 {
		return &f.Aliases[i]
	}
	return nil
}

func (a *Alias) validate() error {
	name := a.Name
	if n := utf8.RuneCountInString(name); n < 1 || n > 127 || strings.TrimSpace(name) != name || strings.ContainsAny(name, ":/$") ||
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errs.Field("AliasName", "must have 1 to 127 characters, without space at its ends and without : / and $")
	}
	if _, number := versionNumber(name); number || uuid.Validate(name) == nil {
		return errs.Field("AliasName", "must not be a number or an id: it could not be told from a version")
	}
	if n := utf8.RuneCountInString(a.Description); n > maxVersionDescription {
		return errs.Field("Description", "has %d characters, at most %d are allowed", n, maxVersionDescription)
	}
	return nil
}

// validateModule checks what only modules have.
func (f *Flow) validateModule() error {
	if f.Type != TypeModule {
		if len(f.Aliases) > 0 || f.Settings != "" || f.External {
			return errs.New(errs.InvalidRequest, "only modules have aliases and settings")
		}
		return nil
	}
	if utf8.RuneCountInString(f.Settings) > MaxContent || f.Settings != "" && !json.Valid([]byte(f.Settings)) {
		return errs.Field("Settings", "must be JSON of at most %d characters", MaxContent)
	}
	if len(f.Aliases) > maxAliases {
		return errs.New(errs.Limit, "a module has at most %d aliases", maxAliases)
	}
	seen := make(map[string]bool, len(f.Aliases))
	for i := range f.Aliases {
		a := &f.Aliases[i]
		if err := a.validate(); err != nil {
			return err
		}
		if seen[a.Name] {
			return errs.New(errs.Duplicate, "module %q has the alias %q already", f.Name, a.Name)
		}
		seen[a.Name] = true
	}
	return nil
}

// CreateAlias names a version of a module; its ID is filled in. errs.NotFound for a version that does not exist.
func (s *ModuleService) CreateAlias(ctx context.Context, instanceID, ref string, a *Alias) (*Flow, error) {
	a.ID = uuid.NewString()
	return s.editAliases(ctx, instanceID, ref, func(f *Flow) error {
		if _, err := s.version(ctx, f, strconv.Itoa(a.Version)); err != nil {
			return err
		}
		a.ModifiedAt = time.Now().UTC().Truncate(time.Microsecond)
		f.Aliases = append(f.Aliases, *a)
		return nil
	})
}

// AliasChange is what can be changed of an alias; nil stays.
type AliasChange struct {
	Name, Description *string
	Version           *int
}

// UpdateAlias changes an alias; the next contact that comes to it gets the version it names now.
func (s *ModuleService) UpdateAlias(ctx context.Context, instanceID, ref, aliasID string, c AliasChange) (*Flow, error) {
	return s.editAliases(ctx, instanceID, ref, func(f *Flow) error {
		a, err := f.aliasByID(aliasID)
		if err != nil {
			return err
		}
		if c.Name != nil {
			a.Name = *c.Name
		}
		if c.Description != nil {
			a.Description = *c.Description
		}
		if c.Version != nil {
			if _, err := s.version(ctx, f, strconv.Itoa(*c.Version)); err != nil {
				return err
			}
			a.Version = *c.Version
		}
		a.ModifiedAt = time.Now().UTC().Truncate(time.Microsecond)
		return nil
	})
}

// DeleteAlias removes an alias. errs.NotFound.
func (s *ModuleService) DeleteAlias(ctx context.Context, instanceID, ref, aliasID string) error {
	_, err := s.editAliases(ctx, instanceID, ref, func(f *Flow) error {
		a, err := f.aliasByID(aliasID)
		if err != nil {
			return err
		}
		name := a.Name
		f.Aliases = slices.DeleteFunc(f.Aliases, func(a Alias) bool { return a.Name == name })
		return nil
	})
	return err
}

// Alias is one alias of a module, with the module. errs.NotFound.
func (s *ModuleService) Alias(ctx context.Context, instanceID, ref, aliasID string) (*Flow, *Alias, error) {
	f, err := s.Find(ctx, instanceID, ref)
	if err != nil {
		return nil, nil, err
	}
	a, err := f.aliasByID(aliasID)
	return f, a, err
}

func (s *ModuleService) editAliases(ctx context.Context, instanceID, ref string, change func(*Flow) error) (*Flow, error) {
	f, err := s.Find(ctx, instanceID, ref)
	if err != nil {
		return nil, err
	}
	return s.edit(ctx, instanceID, f.ID, func(f *Flow) (Changes, error) { return Changes{}, change(f) })
}

func (f *Flow) aliasByID(id string) (*Alias, error) {
	if i := slices.IndexFunc(f.Aliases, func(a Alias) bool { return a.ID == id }); i >= 0 {
		return &f.Aliases[i], nil
	}
	return nil, errs.New(errs.NotFound, "module %q has no alias %.60q", f.Name, id)
}
