// Package apitest has what tests of the faces need: resources kept in memory.
//
// A World holds the resources of all kinds, so that references between them are checked as package storage checks
// them; NewStore gives a resource.Store of one kind in it.
package apitest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// World is the memory that the stores of a test share.
type World struct {
	mu      sync.Mutex
	objects map[resource.Kind]map[string]entry
}

type entry struct {
	meta resource.Meta
	refs []resource.Ref
	json []byte
}

// NewWorld is an empty World.
func NewWorld() *World {
	return &World{objects: make(map[resource.Kind]map[string]entry)}
}

// Store is a resource.Store in memory.
type Store[T resource.Object] struct {
	w     *World
	kind  resource.Kind
	fresh func() T
}

// NewStore makes the store of the kind of fresh's value in w.
func NewStore[T resource.Object](w *World, fresh func() T) *Store[T] {
	kind := fresh().Kind()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.objects[kind] == nil {
		w.objects[kind] = make(map[string]entry)
	}
	return &Store[T]{w: w, kind: kind, fresh: fresh}
}

func (s *Store[T]) put(v T) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("apitest: %w", err)
	}
	s.w.objects[s.kind][v.Head().ID] = entry{meta: *v.Head(), refs: v.Refs(), json: body}
	return nil
}

func (s *Store[T]) check(v T) error {
	if err := v.Validate(); err != nil {
		return err
	}
	m := v.Head()
	for id, e := range s.w.objects[s.kind] {
		if id != m.ID && e.meta.InstanceID == m.InstanceID && e.meta.Name == m.Name {
			return errs.New(errs.Duplicate, "%s %q exists already", s.kind, m.Name)
		}
	}
	for _, ref := range v.Refs() {
		if e, ok := s.w.objects[ref.Kind][ref.ID]; !ok || e.meta.InstanceID != m.InstanceID {
			return errs.New(errs.Invalid, "%s %s does not exist", ref.Kind, ref.ID)
		}
	}
	return nil
}

// Create implements resource.Store.
func (s *Store[T]) Create(_ context.Context, v T) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	m := v.Head()
	if m.ID == "" {
		m.ID = uuid.NewString()
	}
	if err := s.check(v); err != nil {
		return err
	}
	m.Version, m.CreatedAt = 1, time.Now().UTC()
	m.ModifiedAt = m.CreatedAt
	return s.put(v)
}

func (s *Store[T]) read(e entry) (T, error) {
	v := s.fresh()
	if err := json.Unmarshal(e.json, v); err != nil {
		return v, fmt.Errorf("apitest: %w", err)
	}
	return v, nil
}

// Get implements resource.Store.
func (s *Store[T]) Get(_ context.Context, instanceID, id string) (T, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	e, ok := s.w.objects[s.kind][id]
	if !ok || e.meta.InstanceID != instanceID {
		var none T
		return none, errs.New(errs.NotFound, "%s %s does not exist", s.kind, id)
	}
	return s.read(e)
}

// GetByName implements resource.Store.
func (s *Store[T]) GetByName(_ context.Context, instanceID, name string) (T, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	for _, e := range s.w.objects[s.kind] {
		if e.meta.InstanceID == instanceID && e.meta.Name == name {
			return s.read(e)
		}
	}
	var none T
	return none, errs.New(errs.NotFound, "%s %q does not exist", s.kind, name)
}

// Update implements resource.Store.
func (s *Store[T]) Update(_ context.Context, v T) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	m := v.Head()
	e, ok := s.w.objects[s.kind][m.ID]
	if !ok || e.meta.InstanceID != m.InstanceID {
		return errs.New(errs.NotFound, "%s %s does not exist", s.kind, m.ID)
	}
	if e.meta.Version != m.Version {
		return errs.New(errs.Conflict, "%s %s was changed by somebody else", s.kind, m.ID)
	}
	if err := s.check(v); err != nil {
		return err
	}
	m.Version++
	m.ModifiedAt = time.Now().UTC()
	return s.put(v)
}

// Delete implements resource.Store.
func (s *Store[T]) Delete(_ context.Context, instanceID, id string) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	e, ok := s.w.objects[s.kind][id]
	if !ok || e.meta.InstanceID != instanceID {
		return errs.New(errs.NotFound, "%s %s does not exist", s.kind, id)
	}
	for kind, others := range s.w.objects {
		for _, other := range others {
			if slices.Contains(other.refs, resource.Ref{Kind: s.kind, ID: id}) {
				return errs.New(errs.InUse, "%s %s is used by %s %q", s.kind, id, kind, other.meta.Name)
			}
		}
	}
	delete(s.w.objects[s.kind], id)
	return nil
}

// List implements resource.Store.
func (s *Store[T]) List(_ context.Context, instanceID string, p resource.Page) ([]T, string, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	var found []entry
	for _, e := range s.w.objects[s.kind] {
		if e.meta.InstanceID == instanceID && e.meta.Name > p.Token {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b entry) int { return strings.Compare(a.meta.Name, b.meta.Name) })
	if p.Max == 0 {
		p.Max = 100
	}
	next := ""
	if len(found) > p.Max {
		found = found[:p.Max]
		next = found[p.Max-1].meta.Name
	}
	out := make([]T, 0, len(found))
	for _, e := range found {
		v, err := s.read(e)
		if err != nil {
			return nil, "", err
		}
		out = append(out, v)
	}
	return out, next, nil
}
