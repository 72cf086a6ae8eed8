package ivr

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Status says what is done with content that is stored.
type Status string

// Saved keeps a draft, unchecked. Published checks it and makes it what contacts run.
const (
	Saved     Status = "SAVED"
	Published Status = "PUBLISHED"
)

// Service keeps flows. Contacts that are in a flow go on with the version they began with; the next contact gets what
// was published last. Make one with NewService; it is safe for concurrent use.
type Service struct {
	store resource.Store[*Flow]
	live  cache // what contacts run

	mu       sync.Mutex
	defaults map[defaultKey]string // id of the default flow, as a hint
}

type defaultKey struct {
	instanceID string
	t          FlowType
}

var _ Flows = (*Service)(nil)

// NewService makes a Service over a store.
func NewService(store resource.Store[*Flow]) *Service {
	return &Service{store: store, live: cache{store: store}, defaults: make(map[defaultKey]string)}
}

// Create stores a new flow from its Meta (instance, name, tags), Type, Description, Content and Default. With Published
// it is checked first: *ProblemsError, and nothing is stored. errs.Invalid, errs.Duplicate.
func (s *Service) Create(ctx context.Context, f *Flow, status Status) error {
	defer s.live.changed()
	f.Published, f.PublishedAt, f.PublishedVersion = "", time.Time{}, 0
	if err := f.put(f.Content, status); err != nil {
		return err
	}
	return s.store.Create(ctx, f)
}

// CreateDefaults stores the flows that every instance starts with, and leaves alone those that are there already.
func (s *Service) CreateDefaults(ctx context.Context, instanceID, language string) error {
	for _, f := range Defaults(language) {
		f.InstanceID = instanceID
		if err := s.Create(ctx, f, Published); err != nil && !errs.Is(err, errs.Duplicate) {
			return err
		}
	}
	return nil
}

// UpdateContent replaces the draft, and with Published also what contacts run, in one step. *ProblemsError when it cannot
// be published; then nothing has changed, neither the draft.
func (s *Service) UpdateContent(ctx context.Context, instanceID, id, content string, status Status) (*Flow, error) {
	defer s.live.changed()
	return resource.Edit(ctx, s.store, instanceID, id, func(f *Flow) error { return f.put(content, status) })
}

// Publish checks the draft and makes it what contacts run.
func (s *Service) Publish(ctx context.Context, instanceID, id string) (*Flow, error) {
	defer s.live.changed()
	return resource.Edit(ctx, s.store, instanceID, id, func(f *Flow) error { return f.put(f.Content, Published) })
}

// put sets the draft and, if asked, publishes it. The content is kept byte for byte, so what is exported is what was
// imported.
func (f *Flow) put(content string, status Status) error {
	if !slices.Contains(FlowTypes(), f.Type) {
		return errs.Field("Type", "%.40q is not a flow type", string(f.Type))
	}
	switch status {
	case Saved:
		if err := checkDraft(content); err != nil {
			return err
		}
		f.Content = content
		return nil
	case Published:
		if f.Archived {
			return errs.New(errs.InvalidRequest, "flow %q is archived: activate it before publishing", f.Name)
		}
		if err := Check(content, f.Type); err != nil {
			return err
		}
		f.Content = content
		f.Published, f.PublishedAt, f.PublishedVersion = content, time.Now().UTC(), f.PublishedVersion+1
		return nil
	}
	return errs.Field("Status", "must be %s or %s", Saved, Published)
}

// Metadata is what can be changed of a flow beside its content; nil leaves a field as it is. The type never changes.
type Metadata struct {
	Name, Description *string
	Archived          *bool
	Tags              map[string]string // replaces all; nil: as they are
}

// UpdateMetadata changes name, description, state and tags.
func (s *Service) UpdateMetadata(ctx context.Context, instanceID, id string, m Metadata) (*Flow, error) {
	defer s.live.changed()
	return resource.Edit(ctx, s.store, instanceID, id, func(f *Flow) error {
		if m.Name != nil {
			f.Name = *m.Name
		}
		if m.Description != nil {
			f.Description = *m.Description
		}
		if m.Archived != nil {
			f.Archived = *m.Archived
		}
		if m.Tags != nil {
			f.Tags = m.Tags
		}
		return nil
	})
}

// Delete removes a flow. A default flow stays: every instance needs one of each type.
func (s *Service) Delete(ctx context.Context, instanceID, id string) error {
	defer s.live.changed()
	f, err := s.store.Get(ctx, instanceID, id)
	if err != nil {
		return err
	}
	if f.Default {
		return errs.New(errs.InvalidRequest, "%q is a default flow of the instance and cannot be deleted", f.Name)
	}
	return s.store.Delete(ctx, instanceID, id)
}

// Get is a flow by id. errs.NotFound.
func (s *Service) Get(ctx context.Context, instanceID, id string) (*Flow, error) {
	return s.store.Get(ctx, instanceID, id)
}

// List gives a page of flows, of these types only if any are given. A page may then be shorter than asked for; the list
// is at its end when the token is empty.
func (s *Service) List(ctx context.Context, instanceID string, p resource.Page, types ...FlowType) ([]*Flow, string, error) {
	flows, next, err := s.store.List(ctx, instanceID, p)
	if err != nil || len(types) == 0 {
		return flows, next, err
	}
	flows = slices.DeleteFunc(flows, func(f *Flow) bool { return !slices.Contains(types, f.Type) })
	return flows, next, nil
}

// Find is a flow by ARN, id or name. errs.NotFound, also for an ARN of another instance.
func (s *Service) Find(ctx context.Context, instanceID, ref string) (*Flow, error) {
	return s.find(ctx, instanceID, ref, s.store.Get)
}

func (s *Service) find(ctx context.Context, instanceID, ref string, byID func(ctx context.Context, instanceID, id string) (*Flow, error)) (*Flow, error) {
	if strings.HasPrefix(ref, "arn:") {
		id, ok := resource.IDInARN(instanceID, resource.KindFlow, ref)
		id, _, _ = strings.Cut(id, ":") // an alias: which version is not for the caller to choose
		if !ok {
			return nil, errs.New(errs.NotFound, "there is no flow %.200q in this instance", ref)
		}
		return byID(ctx, instanceID, id)
	}
	id, _, _ := strings.Cut(ref, ":$") // "<id>:$LATEST"
	if uuid.Validate(id) == nil {
		return byID(ctx, instanceID, id)
	}
	return s.store.GetByName(ctx, instanceID, ref)
}

// Published is a flow that contacts can run, by ARN, id or name; it is shared and not to be changed. errs.NotFound when
// there is none, when it has not been published, and when it is archived.
func (s *Service) Published(ctx context.Context, instanceID, ref string) (*Flow, error) {
	f, err := s.find(ctx, instanceID, ref, s.live.get)
	switch {
	case err != nil:
		return nil, err
	case f.Published == "":
		return nil, errs.New(errs.NotFound, "flow %q has not been published", f.Name)
	case f.Archived:
		return nil, errs.New(errs.NotFound, "flow %q is archived", f.Name)
	}
	return f, nil
}

// Default is the instance's default flow of a type. errs.NotFound.
func (s *Service) Default(ctx context.Context, instanceID string, t FlowType) (*Flow, error) {
	fits := func(f *Flow) bool { return f.Type == t && f.Default && f.Published != "" }
	key := defaultKey{instanceID, t}
	s.mu.Lock()
	id := s.defaults[key]
	s.mu.Unlock()
	if id != "" {
		f, err := s.live.get(ctx, instanceID, id)
		if err == nil && fits(f) {
			return f, nil
		}
		if err != nil && !errs.Is(err, errs.NotFound) {
			return nil, err
		}
	}
	f, err := s.store.GetByName(ctx, instanceID, DefaultName(t))
	if err != nil && !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	if err != nil || !fits(f) { // it was renamed: look through all
		all, err := resource.All(ctx, s.store, instanceID)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, fits)
		if i < 0 {
			return nil, errs.New(errs.NotFound, "the instance has no default flow of type %s", t)
		}
		f = all[i]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.defaults[key] = f.ID
	return f, nil
}

// ProblemsOf gives the problems that stopped publishing; nil if the error is another.
func ProblemsOf(err error) []Problem {
	if e, ok := errors.AsType[*ProblemsError](err); ok {
		return e.Problems
	}
	return nil
}
