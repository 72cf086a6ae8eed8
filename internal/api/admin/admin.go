// Package admin is our own face, /admin/v1: what Amazon Connect has no operation for, in the same style. Trunks, SIP
// devices, recordings, access keys, instance settings, prompt audio, the system.
//
// It differs from the Connect face in two ways: the instance is never named, it is always the caller's; and members
// that are not known are refused, because here nobody's older client has to be kept alive. Secrets are shown once, in
// the answer that makes them, and never again.
package admin

import (
	"context"
	"errors"
	"time"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/recording"
	"ullim/internal/records"
	"ullim/internal/resource"
	"ullim/internal/stream"
	"ullim/internal/webhook"
	"ullim/ivr"
	"ullim/ivr/flowtest"
	"ullim/prompts"
	"ullim/sip"
)

// Registrations knows where devices can be reached. sip.RegistrationStore is one.
type Registrations interface {
	Registrations(ctx context.Context) ([]sip.Registration, error)
}

// Contacts looks contact records up.
type Contacts interface {
	Contact(ctx context.Context, instanceID, id string) (*contact.Record, error)
}

// System is what the process says of itself.
type System struct {
	Version string    `json:"Version"`
	Node    string    `json:"Node"`
	Started rest.Time `json:"Started,omitzero"`
	Ready   bool      `json:"Ready"`
	Calls   int       `json:"Calls"` // contacts in progress on this node
}

// Options are what the face works on. All but Traces, NameFree and TrunkState are required.
type Options struct {
	Instances        resource.Store[*identity.Instance]
	Users            resource.Store[*identity.User]
	SecurityProfiles resource.Store[*identity.SecurityProfile]
	AccessKeys       resource.Store[*identity.AccessKey]
	Trunks           resource.Store[*sip.Trunk]
	Devices          resource.Store[*sip.Device]
	Numbers          resource.Store[*call.Number]
	Prompts          resource.Store[*prompts.Prompt]
	OutboundPolicies resource.Store[*sip.OutboundPolicy]
	Hours            resource.Store[*acd.Hours]

	RecordStreams resource.Store[*records.Destination]
	Dispositions  resource.Store[*records.Disposition]
	Desk          Desk
	StreamLog     StreamLog
	Redeliverer   Redeliverer
	AuditTrail    AuditTrail

	Functions         resource.Store[*webhook.Function]
	AudioDestinations resource.Store[*stream.Destination]
	CheckURL          func(url string) error // refuses what may never be called

	Flows    ivr.Library
	FlowRuns ivr.RunReader
	// Simulation answers what tests of flows do not give: the instance as it is. Its parts may be nil.
	Simulation    flowtest.Backing
	Sealer        *identity.Sealer
	Realm         string // of SIP digest
	Registrations Registrations
	Contacts      Contacts
	Calls         Calls
	AgentContacts AgentContacts
	Queues        resource.Store[*acd.Queue]
	Routing       Routing
	Callbacks     Callbacks
	Recordings    Recordings
	Holds         Holds
	// RetentionPolicies has one at most for each instance.
	RetentionPolicies resource.Store[*recording.Policy]
	PromptFiles       *prompts.Shelf
	Guard             Guard
	Waiting           WaitingMessages
	System            func(ctx context.Context) System
	// Traces may be nil: none are kept.
	Traces Traces
	// NameFree refuses (errs.Duplicate) a device name that another instance of the realm has.
	NameFree func(ctx context.Context, name string) error
	// TrunkState is what a trunk is doing on this node.
	TrunkState func(trunkID string) sip.TrunkState
}

func (o *Options) complete() bool {
	return o.Instances != nil && o.Users != nil && o.SecurityProfiles != nil && o.AccessKeys != nil && o.Trunks != nil &&
		o.Devices != nil && o.Numbers != nil && o.Prompts != nil && o.Sealer != nil && o.Realm != "" &&
		o.Registrations != nil && o.Contacts != nil && o.Calls != nil && o.Recordings != nil && o.PromptFiles != nil && o.System != nil &&
		o.OutboundPolicies != nil && o.Guard != nil && o.Waiting != nil && o.Flows.Flows != nil && o.Flows.Modules != nil &&
		o.Functions != nil && o.AudioDestinations != nil && o.CheckURL != nil &&
		o.RecordStreams != nil && o.Dispositions != nil && o.Desk != nil && o.StreamLog != nil && o.Redeliverer != nil && o.AuditTrail != nil &&
		o.Hours != nil && o.FlowRuns != nil && o.AgentContacts != nil &&
		o.Queues != nil && o.Routing != nil && o.Callbacks != nil && o.Holds != nil && o.RetentionPolicies != nil
}

type service struct{ Options }

// transferTime is how long an upload or a download may take, whatever the server's usual limits are.
const transferTime = 10 * time.Minute

// Table registers the operations.
func Table(o Options) (*rest.Table, error) {
	if !o.complete() {
		return nil, errors.New("admin: every store and service is required")
	}
	s := &service{o}
	t := &rest.Table{Strict: true}
	s.trunks(t)
	s.devices(t)
	s.accessKeys(t)
	s.recordings(t)
	s.retention(t)
	s.traces(t)
	s.participants(t)
	s.agentContacts(t)
	s.routing(t)
	s.callbacks(t)
	s.quality(t)
	s.settings(t)
	s.audio(t)
	s.guard(t)
	s.functions(t)
	s.audioDestinations(t)
	s.hours(t)
	s.flows(t)
	s.flowRuns(t)
	s.streams(t)
	s.dispositions(t)
	s.auditTrail(t)
	return t, nil
}

// listInput is the request of a list.
type listInput struct {
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

func (in *listInput) page() (resource.Page, error) {
	if in.MaxResults < 0 || in.MaxResults > 1000 {
		return resource.Page{}, errs.Field("maxResults", "must be 1 to 1000; is %d", in.MaxResults)
	}
	return resource.Page{Max: in.MaxResults, Token: in.NextToken}, nil
}

func done(err error) (*rest.Empty, error) {
	if err != nil {
		return nil, err
	}
	return &rest.Empty{}, nil
}
