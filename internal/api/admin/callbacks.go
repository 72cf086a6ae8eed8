package admin

import (
	"context"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

// States of a callback (A2.5).
const (
	CallbackScheduled = "SCHEDULED" // its delay, or the gap before the next attempt, has not passed
	CallbackInQueue   = "IN_QUEUE"  // waits for an agent
	CallbackCalling   = "CALLING"   // the customer is called, or talks
)

// Callback is a promise to call a customer back that has not been kept yet.
type Callback struct {
	ID               string
	ContactID        string // of the contact that asked
	AttemptContactID string // of the latest attempt; empty: there was none
	QueueID          string
	Number           string
	State            string
	Since            time.Time // the place in line
	Due              time.Time // when it is looked after next
	AttemptsLeft     int
}

// CallbackEdit is what changes of a callback; what is zero stays.
type CallbackEdit struct {
	Number string
	Due    time.Time
}

// Callbacks keeps callbacks.
type Callbacks interface {
	Callbacks(ctx context.Context, instanceID string) ([]Callback, error)
	EditCallback(ctx context.Context, instanceID, id string, e CallbackEdit) (Callback, error)
	CancelCallback(ctx context.Context, instanceID, id string) error
}

func (s *service) callbacks(t *rest.Table) {
	rest.Op(t, "ListCallbacks", "GET", "/callbacks", identity.RealTimeMetrics, s.listCallbacks)
	rest.Op(t, "UpdateCallback", "POST", "/callbacks/{CallbackId}", identity.RealTimeMetrics, s.updateCallback)
	rest.Op(t, "CancelCallback", "DELETE", "/callbacks/{CallbackId}", identity.RealTimeMetrics, s.cancelCallback)
}

type callbackView struct {
	CallbackID       string    `json:"CallbackId"`
	ContactID        string    `json:"ContactId"`
	AttemptContactID string    `json:"AttemptContactId,omitempty"`
	QueueID          string    `json:"QueueId"`
	Number           string    `json:"Number"`
	State            string    `json:"State"` // SCHEDULED, IN_QUEUE, CALLING
	Since            rest.Time `json:"Since"` // the place in line
	Due              rest.Time `json:"Due"`
	AttemptsLeft     int       `json:"AttemptsLeft"`
}

func viewOf(c Callback) callbackView {
	return callbackView{
		CallbackID: c.ID, ContactID: c.ContactID, AttemptContactID: c.AttemptContactID, QueueID: c.QueueID, Number: c.Number, State: c.State,
		Since: rest.At(c.Since), Due: rest.At(c.Due), AttemptsLeft: c.AttemptsLeft,
	}
}

type listCallbacksInput struct {
	QueueID string `json:"-" query:"queueId" ref:"queue"`
}

type listCallbacksOutput struct {
	Callbacks []callbackView `json:"Callbacks"`
}

func (s *service) listCallbacks(ctx context.Context, c *rest.Call, in *listCallbacksInput) (*listCallbacksOutput, error) {
	list, err := s.Callbacks.Callbacks(ctx, c.Instance())
	if err != nil {
		return nil, err
	}
	out := &listCallbacksOutput{Callbacks: []callbackView{}}
	for _, v := range list {
		if in.QueueID == "" || v.QueueID == in.QueueID {
			out.Callbacks = append(out.Callbacks, viewOf(v))
		}
	}
	return out, nil
}

type updateCallbackInput struct {
	CallbackID string    `json:"-" path:"CallbackId"`
	Number     string    `json:"Number,omitempty"`
	Due        rest.Time `json:"Due,omitzero"`
}

func (s *service) updateCallback(ctx context.Context, c *rest.Call, in *updateCallbackInput) (*callbackView, error) {
	if in.Number == "" && in.Due.IsZero() {
		return nil, errs.Field("Number", "or Due is required")
	}
	v, err := s.Callbacks.EditCallback(ctx, c.Instance(), in.CallbackID, CallbackEdit{Number: in.Number, Due: in.Due.Time})
	if err != nil {
		return nil, err
	}
	out := viewOf(v)
	return &out, nil
}

type callbackInput struct {
	CallbackID string `json:"-" path:"CallbackId"`
}

func (s *service) cancelCallback(ctx context.Context, c *rest.Call, in *callbackInput) (*rest.Empty, error) {
	return &rest.Empty{}, s.Callbacks.CancelCallback(ctx, c.Instance(), in.CallbackID)
}
