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

// ErrNotPublished is in the chain of the error for a flow that exists and has only a draft.
var ErrNotPublished = errors.New("ivr: not published")

// Service keeps flows, or modules. Contacts that are in a flow go on with the version they began with; the next contact
// gets what was published last. Make one with NewService; it is safe for concurrent use.
type Service struct {
	// Finders look up what flows refer to, by kind, to check references and to find what an export names by an ARN of
	// elsewhere. Kinds without one are not checked. To be set before use.
	Finders map[resource.Kind]Finder

	store Store
	kind  resource.Kind
	live  cache // what contacts run

	mu       sync.Mutex
	defaults map[defaultKey]string // id of the default flow, as a hint
}

type defaultKey struct {
	instanceID string
	t          FlowType
}

var _ Flows = (*Service)(nil)

// NewService makes a Service over a store of flows.
func NewService(store Store) *Service { return newService(store, resource.KindFlow) }

func newService(store Store, kind resource.Kind) *Service {
	s := &Service{store: store, kind: kind, defaults: make(map[defaultKey]string)}
	s.live = cache{store: store, read: s.readEdition}
	return s
}

// Create stores a new flow from its Meta (instance, name, tags), Type, Description, Content and Default. With Published
// it is checked first: *ProblemsError, and nothing is stored. errs.Invalid, errs.Duplicate.
func (s *Service) Create(ctx context.Context, f *Flow, status Status) error {
	defer s.live.changed()
	f.Published, f.PublishedAt, f.PublishedVersion, f.VersionDescription, f.Aliases = "", time.Time{}, 0, "", nil
	f.Version = 0
	c, err := s.put(ctx, f, f.Content, status, "")
	if err != nil {
		return err
	}
	return s.store.Commit(ctx, f, c)
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
	return s.edit(ctx, instanceID, id, func(f *Flow) (Changes, error) { return s.put(ctx, f, content, status, "") })
}

// Publish checks the draft and makes it what contacts run.
func (s *Service) Publish(ctx context.Context, instanceID, id string) (*Flow, error) {
	return s.edit(ctx, instanceID, id, func(f *Flow) (Changes, error) { return s.put(ctx, f, f.Content, Published, "") })
}

// edits is how often an edit is tried when somebody else is faster each time.
const edits = 10

// edit reads a flow, changes it and commits it with what becomes of its versions, again when somebody else was faster.
func (s *Service) edit(ctx context.Context, instanceID, id string, change func(*Flow) (Changes, error)) (*Flow, error) {
	defer s.live.changed()
	for try := 1; ; try++ {
		f, err := s.store.Get(ctx, instanceID, id)
		if err != nil {
			return nil, err
		}
		c, err := change(f)
		if err != nil {
			return nil, err
		}
		if err = s.store.Commit(ctx, f, c); err == nil {
			return f, nil
		}
		if !errs.Is(err, errs.Conflict) || try == edits {
			return nil, err
		}
	}
}

// put sets the draft and, if asked, publishes it as a new version. The content is kept byte for byte, so what is exported
// is what was imported.
func (s *Service) put(ctx context.Context, f *Flow, content string, status Status, description string) (Changes, error) {
	if f.Kind() != s.kind || s.kind == resource.KindFlow && !slices.Contains(FlowTypes(), f.Type) {
		return Changes{}, errs.Field("Type", "%.40q is not a flow type", string(f.Type))
	}
	switch status {
	case Saved:
		if err := checkDraft(content); err != nil {
			return Changes{}, err
		}
		f.Content = content
		return Changes{}, nil
	case Published:
		if f.Archived {
			return Changes{}, errs.New(errs.InvalidRequest, "%s %q is archived: activate it before publishing", f.what(), f.Name)
		}
		if err := s.publishable(ctx, f, content); err != nil {
			return Changes{}, err
		}
		v, err := newVersion(f.PublishedVersion+1, content, description, time.Now().UTC().Truncate(time.Microsecond))
		if err != nil {
			return Changes{}, err
		}
		c := Changes{Keep: []*Version{v}}
		if f.Published != "" { // may be from before there were versions
			c.Keep = append(c.Keep, f.current())
		}
		f.Content = content
		f.Published, f.PublishedAt, f.PublishedVersion, f.VersionDescription = content, v.CreatedAt, v.Number, description
		return c, nil
	}
	return Changes{}, errs.Field("Status", "must be %s or %s", Saved, Published)
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
	base, _ := SplitRef(ref)
	if strings.HasPrefix(base, "arn:") {
		id, ok := resource.IDInARN(instanceID, s.kind, base)
		if !ok {
			return nil, errs.New(errs.NotFound, "there is no %s %.200q in this instance", s.kind, ref)
		}
		return byID(ctx, instanceID, id)
	}
	if uuid.Validate(base) == nil {
		return byID(ctx, instanceID, base)
	}
	return s.store.GetByName(ctx, instanceID, base)
}

// Published is a flow that contacts can run, by ARN, id or name, with the number of a version if that is meant; it is
// shared and not to be changed. errs.NotFound when there is none, when it has not been published, and when it is
// archived. In what it gives as published, references that an export makes to another instance are replaced by those of
// the same name here; what is stored and exported stays as it is.
func (s *Service) Published(ctx context.Context, instanceID, ref string) (*Flow, error) {
	f, err := s.find(ctx, instanceID, ref, s.live.get)
	switch {
	case err != nil:
		return nil, err
	case f.Published == "":
		return nil, errs.Wrap(ErrNotPublished, errs.NotFound, "%s %q has not been published", f.what(), f.Name)
	case f.Archived:
		return nil, errs.New(errs.NotFound, "%s %q is archived", f.what(), f.Name)
	}
	_, qualifier := SplitRef(ref)
	number, ok := versionNumber(qualifier)
	if a := f.alias(qualifier); a != nil {
		number, ok = a.Version, true
	}
	if !ok && qualifier != "" && s.kind == resource.KindFlowModule && qualifier != QualifierLatest {
		return nil, errs.New(errs.NotFound, "module %q has no version or alias %.60q", f.Name, qualifier)
	}
	return s.live.edition(ctx, f, number)
}

// Relink looks references up anew that exports make by name, after what they may lead to has changed.
func (s *Service) Relink() { s.live.changed() }

// readEdition is a flow as contacts run it: the version of this number (0 is the one published last) with its references
// resolved.
func (s *Service) readEdition(ctx context.Context, f *Flow, number int) (*Flow, error) {
	out := *f
	if number != 0 && number != f.PublishedVersion {
		v, err := s.store.FlowVersion(ctx, f.InstanceID, f.ID, number)
		if err != nil {
			return nil, err
		}
		out.Published, out.PublishedVersion, out.PublishedAt, out.VersionDescription = v.Content, v.Number, v.CreatedAt, v.Description
	}
	var err error
	out.Published, err = s.link(ctx, f.InstanceID, out.Published)
	return &out, err
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
			return s.live.edition(ctx, f, 0)
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
	s.defaults[key] = f.ID
	s.mu.Unlock()
	return s.live.edition(ctx, f, 0)
}

// ProblemsOf gives the problems that stopped publishing; nil if the error is another.
func ProblemsOf(err error) []Problem {
	if e, ok := errors.AsType[*ProblemsError](err); ok {
		return e.Problems
	}
	return nil
}
