package acd

import (
	"ullim/internal/errs"
	"ullim/internal/phone"
	"ullim/internal/resource"
)

// QuickConnectType says what a quick connect leads to.
type QuickConnectType string

// Types of quick connects, as in the Connect API.
const (
	QuickUser   QuickConnectType = "USER"
	QuickQueue  QuickConnectType = "QUEUE"
	QuickNumber QuickConnectType = "PHONE_NUMBER"
	QuickFlow   QuickConnectType = "FLOW"
)

// Limits of A2.5.
const (
	MaxQuickConnects      = 100 // of an instance
	MaxQueueQuickConnects = 700 // of a queue
	MaxQuickConnectsAsked = 50  // associated or taken away by one request
)

// QuickConnect is a destination that agents find under a name: a user or a queue, with the flow that the transferring
// agent hears, a telephone number, or a contact flow.
type QuickConnect struct {
	resource.Meta
	Description string           `json:"description,omitempty"`
	Type        QuickConnectType `json:"type"`
	UserID      string           `json:"userId,omitempty"`
	QueueID     string           `json:"queueId,omitempty"`
	Number      string           `json:"number,omitempty"` // E.164
	FlowID      string           `json:"flowId,omitempty"` // of USER and QUEUE the transfer flow, of FLOW the destination
}

var _ resource.Object = (*QuickConnect)(nil)

// Kind is transfer-destination.
func (*QuickConnect) Kind() resource.Kind { return resource.KindQuickConnect }

// Refs are the queue and the flow. A user may be deleted all the same, as in Connect: the quick connect then leads to
// nobody until it is changed.
func (q *QuickConnect) Refs() []resource.Ref {
	var refs []resource.Ref
	if q.QueueID != "" {
		refs = append(refs, resource.Ref{Kind: resource.KindQueue, ID: q.QueueID})
	}
	if q.FlowID != "" {
		refs = append(refs, resource.Ref{Kind: resource.KindFlow, ID: q.FlowID})
	}
	return refs
}

// Validate checks a quick connect: it has what its type needs, and nothing else.
func (q *QuickConnect) Validate() error {
	if err := checkHead(q.Name, q.Description, q.Tags); err != nil {
		return err
	}
	members := map[QuickConnectType]struct{ name string }{
		QuickUser: {"UserConfig"}, QuickQueue: {"QueueConfig"}, QuickNumber: {"PhoneConfig"}, QuickFlow: {"FlowConfig"},
	}
	m, known := members[q.Type]
	if !known {
		return errs.Field("QuickConnectConfig.QuickConnectType", "must be USER, QUEUE, PHONE_NUMBER or FLOW; is %.40q", q.Type)
	}
	field := "QuickConnectConfig." + m.name
	switch {
	case (q.UserID != "") != (q.Type == QuickUser), (q.QueueID != "") != (q.Type == QuickQueue), (q.Number != "") != (q.Type == QuickNumber):
		return errs.Field(field, "is required for a quick connect of type %s, and the others must be missing", q.Type)
	case (q.FlowID != "") == (q.Type == QuickNumber):
		return errs.Field(field+".ContactFlowId", "is required for USER, QUEUE and FLOW, and only for them")
	case q.Type != QuickNumber:
		return nil
	}
	if normal, err := phone.Normalize(q.Number, ""); err != nil || normal != q.Number {
		return errs.Field(field+".PhoneNumber", "must be in E.164 form, as +82215778000; is %.40q", q.Number)
	}
	return nil
}
