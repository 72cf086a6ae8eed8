package admin

import (
	"context"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/sip"
)

// trunkState is what a trunk is doing now, on the node that answers.
type trunkState struct {
	TrunkID        string            `json:"TrunkId"`
	Registration   trunkRegistration `json:"Registration"`
	Gateways       []gatewayState    `json:"Gateways"`
	Channels       int               `json:"Channels"`
	Campaigns      int               `json:"Campaigns"`
	CallsPerSecond int               `json:"CallsPerSecond"`
	Waiting        int               `json:"Waiting"`
	Calls          int64             `json:"Calls"`
	Answered       int64             `json:"Answered"`
	Short          int64             `json:"Short"`
	Refused        map[string]int64  `json:"Refused"`
}

// trunkRegistration is where our registration with the carrier stands.
type trunkRegistration struct {
	State           string    `json:"State"` // none, trying, registered, failing, refused, unresolvable
	LastCode        int       `json:"LastCode,omitempty"`
	Reason          string    `json:"Reason,omitempty"`
	Gateway         string    `json:"Gateway,omitempty"`
	RegisteredSince rest.Time `json:"RegisteredSince,omitzero"`
	RegisteredUntil rest.Time `json:"RegisteredUntil,omitzero"`
	NextAttempt     rest.Time `json:"NextAttempt,omitzero"`
}

// gatewayState is one address of the carrier.
type gatewayState struct {
	Host       string    `json:"Host"`
	Transport  string    `json:"Transport"`
	Address    string    `json:"Address"`
	Up         bool      `json:"Up"`
	Reason     string    `json:"Reason,omitempty"`
	AsideUntil rest.Time `json:"AsideUntil,omitzero"`
	LastAnswer rest.Time `json:"LastAnswer,omitzero"`
	Since      rest.Time `json:"Since,omitzero"`
	Unprobed   bool      `json:"Unprobed,omitempty"`
}

type describeTrunkStateOutput struct {
	State trunkState `json:"State"`
}

// describeTrunkState answers for trunks with gateways; a trunk that only receives calls has its channels and no more.
func (s *service) describeTrunkState(ctx context.Context, c *rest.Call, in *trunkInput) (*describeTrunkStateOutput, error) {
	t, err := s.Trunks.Get(ctx, c.Instance(), in.TrunkID)
	if err != nil {
		return nil, err
	}
	if s.TrunkState == nil {
		return nil, errs.New(errs.Unavailable, "signalling does not run here")
	}
	live := s.TrunkState(t.ID)
	return &describeTrunkStateOutput{State: stateOf(t.ID, &live)}, nil
}

func stateOf(id string, live *sip.TrunkState) trunkState {
	out := trunkState{
		TrunkID: id, Channels: live.Channels, Campaigns: live.Campaigns, CallsPerSecond: live.CallsPerSecond,
		Waiting: live.Waiting, Calls: int64(live.Calls), Answered: int64(live.Answered), Short: int64(live.Short),
		Refused: make(map[string]int64, len(live.Refused)), Gateways: make([]gatewayState, 0, len(live.Gateways)),
		Registration: trunkRegistration{
			State: string(live.Registration), LastCode: live.LastCode, Reason: live.Reason, Gateway: live.RegisteredAt,
			RegisteredSince: at(live.RegisteredSince), RegisteredUntil: at(live.RegisteredUntil), NextAttempt: at(live.NextAttempt),
		},
	}
	if live.Registration == sip.EnrolNone {
		out.Registration.State = "none"
	}
	for k, n := range live.Refused {
		out.Refused[k] = int64(n)
	}
	for _, g := range live.Gateways {
		out.Gateways = append(out.Gateways, gatewayState{
			Host: g.Host, Transport: g.Transport, Address: g.Address, Up: g.Up, Reason: g.Reason, AsideUntil: at(g.AsideUntil),
			LastAnswer: at(g.LastAnswer), Since: at(g.Since), Unprobed: g.Unprobed,
		})
	}
	return out
}

// at is rest.At for a time that may not be known.
func at(t time.Time) rest.Time {
	if t.IsZero() {
		return rest.Time{}
	}
	return rest.At(t)
}
