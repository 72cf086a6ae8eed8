package app

import (
	"strconv"

	"ullim/internal/telemetry"
	"ullim/sip"
)

// trunkSecret reads the password that a carrier has given us.
func (a *App) trunkSecret(t *sip.Trunk) (string, error) {
	return a.sealer.Open(sip.SecretOwner(t.ID), t.Login.Secret)
}

// trunkState is what a trunk is doing; one that only receives calls has its channels and no more.
func (a *App) trunkState(id string) sip.TrunkState {
	if s, ok := a.sip.TrunkState(id); ok {
		return s
	}
	return sip.TrunkState{ID: id, Channels: a.limits.Channels(id)}
}

// trunkReadings is what Prometheus sees of the trunks.
func (a *App) trunkReadings() []telemetry.TrunkReading {
	states := a.sip.TrunkStates()
	out := make([]telemetry.TrunkReading, 0, len(states))
	for _, s := range states {
		r := telemetry.TrunkReading{
			Trunk: s.Name, Registration: string(s.Registration), Channels: s.Channels, Waiting: s.Waiting,
			Calls: s.Calls, Answered: s.Answered, Short: s.Short, Refused: s.Refused, DelayCount: s.DelayCount,
			DelaySum: s.DelaySum.Seconds(), DelayBuckets: make(map[float64]uint64, len(s.DelayBuckets)),
		}
		if t, err := a.dir.tenant(s.InstanceID); err == nil {
			r.Instance = t.instance.Name
		}
		sum := uint64(0)
		for i, bound := range sip.DelayBounds() {
			sum += s.DelayBuckets[i]
			r.DelayBuckets[bound.Seconds()] = sum
		}
		for i, g := range s.Gateways {
			r.Gateways = append(r.Gateways, telemetry.GatewayReading{Gateway: strconv.Itoa(i+1) + " " + g.Transport + " " + g.Address, Up: g.Up})
		}
		out = append(out, r)
	}
	return out
}
