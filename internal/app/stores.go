package app

import (
	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/identity"
	"ullim/internal/recording"
	"ullim/internal/records"
	"ullim/internal/resource"
	"ullim/internal/stream"
	"ullim/internal/view"
	"ullim/internal/webhook"
	"ullim/ivr"
	"ullim/prompts"
	"ullim/sip"
	"ullim/storage"
)

// stores is one store for each kind of resource.
type stores struct {
	db        *storage.DB
	instances resource.Store[*identity.Instance]
	users     resource.Store[*identity.User]
	groups    resource.Store[*identity.HierarchyGroup]
	profiles  resource.Store[*identity.SecurityProfile]
	keys      resource.Store[*identity.AccessKey]
	queues    resource.Store[*acd.Queue]
	hours     resource.Store[*acd.Hours]
	routing   resource.Store[*acd.RoutingProfile]
	statuses  resource.Store[*acd.AgentStatus]
	flows     ivr.Store
	modules   ivr.Store
	prompts   resource.Store[*prompts.Prompt]
	numbers   resource.Store[*call.Number]
	trunks    resource.Store[*sip.Trunk]
	devices   resource.Store[*sip.Device]
	outbound  resource.Store[*sip.OutboundPolicy]
	functions resource.Store[*webhook.Function]
	audio     resource.Store[*stream.Destination]
	views     view.Store
	skills    resource.Store[*identity.PredefinedAttribute]
	quick     resource.Store[*acd.QuickConnect]

	streams      resource.Store[*records.Destination]
	dispositions resource.Store[*records.Disposition]
	storage      resource.Store[*recording.StorageConfig]
	retention    resource.Store[*recording.Policy]
}

func newStores(db *storage.DB) *stores {
	return &stores{
		db:        db,
		instances: resourcesOf[identity.Instance](db),
		users:     resourcesOf[identity.User](db),
		groups:    resourcesOf[identity.HierarchyGroup](db),
		profiles:  resourcesOf[identity.SecurityProfile](db),
		keys:      resourcesOf[identity.AccessKey](db),
		queues:    resourcesOf[acd.Queue](db),
		hours:     resourcesOf[acd.Hours](db),
		routing:   resourcesOf[acd.RoutingProfile](db),
		statuses:  resourcesOf[acd.AgentStatus](db),
		flows:     storage.Flows(db, resource.KindFlow),
		modules:   storage.Flows(db, resource.KindFlowModule),
		prompts:   resourcesOf[prompts.Prompt](db),
		numbers:   resourcesOf[call.Number](db),
		trunks:    resourcesOf[sip.Trunk](db),
		devices:   resourcesOf[sip.Device](db),
		outbound:  resourcesOf[sip.OutboundPolicy](db),
		functions: resourcesOf[webhook.Function](db),
		audio:     resourcesOf[stream.Destination](db),
		views:     resourcesOf[view.View](db),
		skills:    resourcesOf[identity.PredefinedAttribute](db),
		quick:     resourcesOf[acd.QuickConnect](db),

		streams:      resourcesOf[records.Destination](db),
		dispositions: resourcesOf[records.Disposition](db),
		storage:      resourcesOf[recording.StorageConfig](db),
		retention:    resourcesOf[recording.Policy](db),
	}
}

// object is the pointer to a resource's struct.
type object[T any] interface {
	*T
	resource.Object
}

func resourcesOf[T any, P object[T]](db *storage.DB) resource.Store[P] {
	return storage.Resources(db, P(new(T)).Kind(), func() P { return new(T) })
}
