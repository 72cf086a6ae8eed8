// Package resource is what everything that an operator configures has in common: queues, hours, routing profiles,
// users, flows, prompts, numbers, trunks, devices.
//
// A resource belongs to one instance (tenant), has an id that never changes and a name that is unique for its kind in
// the instance, names the resources that it needs (so that a queue in use cannot be deleted), and carries a version
// that makes every update a compare-and-set. The package that owns a kind declares its type and its rules (Validate);
// package storage keeps all kinds in one table through one implementation of Store.
package resource

import (
	"context"
	"time"

	"ullim/internal/errs"
)

// Kind names a sort of resource, as in its ARN ("queue", "operating-hours", "routing-profile", "agent").
type Kind string

// The kinds, by their name in Amazon Connect ARNs; trunk and those after it are ours.
const (
	KindInstance        Kind = "instance"
	KindQueue           Kind = "queue"
	KindHours           Kind = "operating-hours"
	KindRoutingProfile  Kind = "routing-profile"
	KindAgentStatus     Kind = "agent-state"
	KindUser            Kind = "agent"
	KindSecurityProfile Kind = "security-profile"
	KindFlow            Kind = "contact-flow"
	KindFlowModule      Kind = "flow-module"
	KindPrompt          Kind = "prompt"
	KindPhoneNumber     Kind = "phone-number"
	KindTrunk           Kind = "trunk"
	KindDevice          Kind = "device"
	KindAccessKey       Kind = "access-key"
	KindOutboundPolicy  Kind = "outbound-policy"

	KindQuickConnect     Kind = "transfer-destination"
	KindHierarchyGroup   Kind = "agent-group"
	KindAttribute        Kind = "predefined-attribute"
	KindView             Kind = "view"
	KindDisposition      Kind = "disposition"
	KindStorageConfig    Kind = "storage-config"    // where recordings and records of an instance go
	KindRetentionPolicy  Kind = "retention-policy"  // how long they are kept
	KindFunction         Kind = "function"          // a web service in the place of AWS Lambda
	KindAudioDestination Kind = "audio-destination" // where live audio goes
	KindRecordStream     Kind = "record-stream"     // where records and events go
)

// Meta is the head of every resource. ID is a UUID. Version starts at 1 and grows by one with each update.
type Meta struct {
	ID         string            `json:"id"`
	InstanceID string            `json:"instanceId"`
	Name       string            `json:"name"`
	Version    int64             `json:"version"`
	CreatedAt  time.Time         `json:"createdAt"`
	ModifiedAt time.Time         `json:"modifiedAt"`
	Tags       map[string]string `json:"tags,omitempty"` // at most 50
}

// Head gives the embedded Meta; a type gets it by embedding.
func (m *Meta) Head() *Meta { return m }

// Ref says that a resource needs another of the same instance, which therefore cannot be deleted.
type Ref struct {
	Kind Kind
	ID   string
}

// Object is a resource: a pointer to a struct that embeds Meta and encodes to JSON.
type Object interface {
	Head() *Meta
	Kind() Kind
	// Refs lists what the resource needs; Create and Update fail with errs.Invalid when one does not exist.
	Refs() []Ref
	// Validate checks everything that can be checked without looking elsewhere; errs.Invalid names field and rule.
	Validate() error
}

// Page asks for a part of a list, in order of name. Token is "" or the token of the page before.
type Page struct {
	Max   int // 1 to 1000; 0 means 100
	Token string
}

// Store keeps the resources of one kind. T is the pointer type (*acd.Queue).
type Store[T Object] interface {
	// Create validates and adds v, and sets its Version, CreatedAt and ModifiedAt. An empty ID is filled.
	// errs.Duplicate if the name is taken.
	Create(ctx context.Context, v T) error
	// Get is a private copy. errs.NotFound, also for a resource of another instance.
	Get(ctx context.Context, instanceID, id string) (T, error)
	// GetByName finds by exact name. errs.NotFound.
	GetByName(ctx context.Context, instanceID, name string) (T, error)
	// Update validates and replaces the stored resource if its Version is still v's; errs.Conflict if not.
	Update(ctx context.Context, v T) error
	// Delete removes it. errs.NotFound, errs.InUse naming one user of it.
	Delete(ctx context.Context, instanceID, id string) error
	// List gives a page and the token of the next ("" at the end).
	List(ctx context.Context, instanceID string, p Page) ([]T, string, error)
}

// Change tells that a resource was created, updated or deleted. It is a hint: the store is the truth.
type Change struct {
	Kind       Kind
	InstanceID string
	ID         string
}

// All reads every page of a list.
func All[T Object](ctx context.Context, s Store[T], instanceID string) ([]T, error) {
	var out []T
	p := Page{Max: 1000}
	for {
		vs, next, err := s.List(ctx, instanceID, p)
		if err != nil {
			return nil, err
		}
		out = append(out, vs...)
		if next == "" {
			return out, nil
		}
		p.Token = next
	}
}

// Edit reads a resource, changes it and writes it back, again when somebody else was faster (five times at most).
func Edit[T Object](ctx context.Context, s Store[T], instanceID, id string, change func(T) error) (T, error) {
	var none T
	for try := 0; ; try++ {
		v, err := s.Get(ctx, instanceID, id)
		if err != nil {
			return none, err
		}
		if err = change(v); err != nil {
			return none, err
		}
		if err = s.Update(ctx, v); err == nil {
			return v, nil
		}
		if !errs.Is(err, errs.Conflict) || try == 4 {
			return none, err
		}
	}
}
