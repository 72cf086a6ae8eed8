package ivr

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Finder looks up what a reference (ARN, id or name) of one kind leads to. errs.NotFound.
type Finder func(ctx context.Context, instanceID, ref string) (*Target, error)

// FinderOf looks in a store.
func FinderOf[T resource.Object](store resource.Store[T], kind resource.Kind) Finder {
	return func(ctx context.Context, instanceID, ref string) (*Target, error) {
		v, err := lookUp(ctx, store, kind, instanceID, ref)
		if err != nil {
			return nil, err
		}
		t := &Target{ID: v.Head().ID, Name: v.Head().Name}
		t.Flow, _ = any(v).(*Flow)
		return t, nil
	}
}

func lookUp[T resource.Object](ctx context.Context, store resource.Store[T], kind resource.Kind, instanceID, ref string) (T, error) {
	base, _ := SplitRef(ref)
	if strings.HasPrefix(base, "arn:") {
		id, ok := resource.IDInARN(instanceID, kind, base)
		if !ok {
			var none T
			return none, errs.New(errs.NotFound, "there is no %s %.200q in this instance", kind, ref)
		}
		return store.Get(ctx, instanceID, id)
	}
	v, err := store.Get(ctx, instanceID, base)
	if errs.Is(err, errs.NotFound) && uuid.Validate(base) != nil {
		return store.GetByName(ctx, instanceID, base)
	}
	return v, err
}

// known is a Known that asks finders, each reference once. What went wrong is kept: it is for the caller to look at err
// after the inspection.
type known struct {
	ask        func(kind resource.Kind, ref string) (*Target, bool, error)
	instanceID string
	selfID     string
	seen       map[asked]answer
	err        error
}

type asked struct {
	kind resource.Kind
	ref  string
}

type answer struct {
	t       *Target
	checked bool
}

var _ Known = (*known)(nil)

// known is what there is in an instance; self is the id of the flow that is being checked, if it has one.
func (s *Service) known(ctx context.Context, instanceID, self string) *known {
	return &known{
		instanceID: instanceID, selfID: self, seen: make(map[asked]answer),
		ask: func(kind resource.Kind, ref string) (*Target, bool, error) {
			find := s.Finders[kind]
			if find == nil {
				return nil, false, nil
			}
			t, err := find(ctx, instanceID, ref)
			if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Invalid) {
				return nil, true, nil
			}
			return t, true, err
		},
	}
}

// InstanceID implements Known.
func (k *known) InstanceID() string { return k.instanceID }

// Self is the id of the flow that is being checked.
func (k *known) Self() string { return k.selfID }

// Lookup implements Known.
func (k *known) Lookup(kind resource.Kind, ref string) (*Target, bool) {
	key := asked{kind, ref}
	if a, ok := k.seen[key]; ok {
		return a.t, a.checked
	}
	t, checked, err := k.ask(kind, ref)
	if err != nil && k.err == nil {
		k.err = err
	}
	k.seen[key] = answer{t, checked}
	return t, checked
}

// Inspect finds what is wrong with content as a flow of the instance, and what it refers to in vain. self is the id of the
// flow if it is stored already.
func (s *Service) Inspect(ctx context.Context, instanceID, self, content string, t FlowType) (*Report, error) {
	k := s.known(ctx, instanceID, self)
	r := Inspect(content, t, k)
	return r, k.err
}

// publishable is nil, or a *ProblemsError.
func (s *Service) publishable(ctx context.Context, f *Flow, content string) error {
	r, err := s.Inspect(ctx, f.InstanceID, f.ID, content, f.Type)
	if err != nil {
		return err
	}
	if problems := r.Errors(); len(problems) > 0 {
		return &ProblemsError{Problems: problems}
	}
	return nil
}

// link gives content in which references that were made in another instance are those of the same name here. It is what
// contacts run; nothing that is stored or shown is changed by it.
func (s *Service) link(ctx context.Context, instanceID, content string) (string, error) {
	if len(s.Finders) == 0 || !strings.Contains(content, "ActionMetadata") {
		return content, nil
	}
	d, err := Parse(content)
	if err != nil {
		return content, nil //nolint:nilerr // whoever runs it says so
	}
	k := s.known(ctx, instanceID, "")
	var pairs []string
	for _, r := range d.References("") {
		if r.Name == "" {
			continue
		}
		if t, checked := k.Lookup(r.Kind, r.Ref); t != nil || !checked {
			continue
		}
		if t, _ := k.Lookup(r.Kind, r.Name); t != nil {
			pairs = append(pairs, quoted(r.Ref), quoted(resource.ARN(instanceID, r.Kind, t.ID)))
		}
	}
	if k.err != nil {
		return "", k.err
	}
	if len(pairs) == 0 {
		return content, nil
	}
	return strings.NewReplacer(pairs...).Replace(content), nil
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return s // a string always encodes
	}
	return string(b)
}
