// Package connect is the face that looks like Amazon Connect: its paths, members, errors and ARNs, so that the AWS
// SDKs, the AWS CLI and code written for Connect work unchanged for the operations that are here.
//
// One file a resource; each holds the wire structs of the service model and the handlers between them and the
// resources of acd, ivr, prompts, call and identity. Rules about the resources themselves are in those packages
// (Validate), rules about tenants and permissions in package rest. What is left here is translation.
//
// Where the model has members that ullim does not have, they are of type rest.Unsupported: the request is refused
// rather than half obeyed.
package connect

import (
	"context"
	"errors"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/identity"
	"ullim/internal/recording"
	"ullim/internal/resource"
	"ullim/internal/view"
	"ullim/internal/webhook"
	"ullim/ivr"
	"ullim/prompts"
	"ullim/reporting"
	"ullim/sip"
)

// Flows keeps contact flows. *ivr.Service implements it.
type Flows interface {
	Create(ctx context.Context, f *ivr.Flow, status ivr.Status) error
	UpdateContent(ctx context.Context, instanceID, id, content string, status ivr.Status) (*ivr.Flow, error)
	UpdateMetadata(ctx context.Context, instanceID, id string, m ivr.Metadata) (*ivr.Flow, error)
	Delete(ctx context.Context, instanceID, id string) error
	Find(ctx context.Context, instanceID, ref string) (*ivr.Flow, error)
	Edition(ctx context.Context, instanceID, ref string) (*ivr.Edition, error)
	List(ctx context.Context, instanceID string, p resource.Page, types ...ivr.FlowType) ([]*ivr.Flow, string, error)
	Versions(ctx context.Context, instanceID, ref string, p resource.Page) ([]*ivr.Version, string, error)
	PublishVersion(ctx context.Context, instanceID, ref string, number int, sum, description string) (*ivr.Flow, error)
	DeleteVersion(ctx context.Context, instanceID, ref string, number int) error
}

// Modules keeps flow modules. *ivr.ModuleService implements it.
type Modules interface {
	Flows
	UpdateModule(ctx context.Context, instanceID, id string, c ivr.ModuleChange) (*ivr.Flow, error)
	CreateAlias(ctx context.Context, instanceID, ref string, a *ivr.Alias) (*ivr.Flow, error)
	UpdateAlias(ctx context.Context, instanceID, ref, aliasID string, c ivr.AliasChange) (*ivr.Flow, error)
	DeleteAlias(ctx context.Context, instanceID, ref, aliasID string) error
	Alias(ctx context.Context, instanceID, ref, aliasID string) (*ivr.Flow, *ivr.Alias, error)
}

var (
	_ Flows   = (*ivr.Service)(nil)
	_ Modules = (*ivr.ModuleService)(nil)
)

// Agents is the live side of users.
type Agents interface {
	// SetStatus chooses a status for an agent, at once or when the last contact is cleared.
	SetStatus(ctx context.Context, instanceID, userID, statusID string) error
	// Dismiss clears a contact that the agent missed, rejected or finished.
	Dismiss(ctx context.Context, instanceID, userID, contactID string) error
	// CurrentUsers is what the agents of an instance are doing, by user id.
	CurrentUsers(instanceID string) []acd.AgentSnapshot
}

// Contacts looks contact records up and changes what is known about contacts, whether they go on or have ended.
type Contacts interface {
	Contact(ctx context.Context, instanceID, id string) (*contact.Record, error)
	SearchContacts(ctx context.Context, q contact.Query) ([]*contact.Record, string, error)
	AssociatedContacts(ctx context.Context, instanceID, id string) ([]*contact.Record, error)
	EditContact(ctx context.Context, instanceID, id string, e contact.Edit) error
}

// PromptBuckets are the buckets that prompts may be fetched from.
type PromptBuckets interface {
	// Fetch reads an object. errs.Denied: the operator does not allow the bucket; errs.NotFound.
	Fetch(ctx context.Context, bucket, key string) ([]byte, error)
}

// Options are what the face translates to. All are required.
type Options struct {
	Instances        resource.Store[*identity.Instance]
	Users            resource.Store[*identity.User]
	Groups           resource.Store[*identity.HierarchyGroup]
	SecurityProfiles resource.Store[*identity.SecurityProfile]
	AccessKeys       resource.Store[*identity.AccessKey]
	Devices          resource.Store[*sip.Device]
	Queues           resource.Store[*acd.Queue]
	Hours            resource.Store[*acd.Hours]
	RoutingProfiles  resource.Store[*acd.RoutingProfile]
	AgentStatuses    resource.Store[*acd.AgentStatus]
	Prompts          resource.Store[*prompts.Prompt]
	Numbers          resource.Store[*call.Number]
	Functions        resource.Store[*webhook.Function]
	Views            view.Store
	PromptBuckets    PromptBuckets // nil: no bucket may be read
	Attributes       resource.Store[*identity.PredefinedAttribute]
	QuickConnects    resource.Store[*acd.QuickConnect]
	StorageConfigs   resource.Store[*recording.StorageConfig]
	Places           Places

	Flows       Flows
	Modules     Modules
	Agents      Agents
	PromptFiles *prompts.Shelf
	Contacts    Contacts
	Calls       Calls
	Chats       Chats
	Routing     Routing
	Line        Line
	Reports     reporting.Source
	// StopCall ends a call and tells whether there was one; nil: calls are not ended here.
	StopCall func(contactID, detail string) bool
}

func (o *Options) complete() bool {
	return o.Instances != nil && o.Users != nil && o.Groups != nil && o.SecurityProfiles != nil && o.AccessKeys != nil && o.Devices != nil &&
		o.Queues != nil && o.Hours != nil && o.RoutingProfiles != nil && o.AgentStatuses != nil && o.Prompts != nil && o.Numbers != nil && o.Functions != nil && o.Flows != nil && o.Agents != nil && o.PromptFiles != nil &&
		o.Views != nil && o.Attributes != nil && o.Contacts != nil && o.Calls != nil && o.Modules != nil && o.Chats != nil && o.Routing != nil && o.QuickConnects != nil &&
		o.Line != nil && o.Reports != nil && o.StorageConfigs != nil && o.Places != nil
}

// service has the handlers.
type service struct{ Options }

// Table registers the operations.
func Table(o Options) (*rest.Table, error) {
	if !o.complete() {
		return nil, errors.New("connect: every store and service is required")
	}
	s := &service{o}
	t := &rest.Table{}
	s.instances(t)
	s.instanceAttributes(t)
	s.queues(t)
	s.quickConnects(t)
	s.hours(t)
	s.routingProfiles(t)
	s.routingProfileQueues(t)
	s.contactRouting(t)
	s.users(t)
	s.proficiencies(t)
	s.userConfig(t)
	s.hierarchy(t)
	s.peopleSearch(t)
	s.agentStatuses(t)
	s.agents(t)
	s.securityProfiles(t)
	s.flows(t)
	s.tags(t)
	s.modules(t)
	s.moduleAliases(t)
	s.prompts(t)
	s.numbers(t)
	s.contacts(t)
	s.tapes(t)
	s.voice(t)
	s.chats(t)
	s.lambdas(t)
	s.metrics(t)
	s.storage(t)
	s.views(t)
	s.predefinedAttributes(t)
	return t, nil
}
