package telemetry

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// GuardSources are what keeps strangers and thieves out, read when Prometheus asks.
type GuardSources struct {
	KnownSources  func() float64            // sockets that authenticated
	Bans          func() float64            // sources banned now
	Subscriptions func() float64            // to waiting messages
	BansMade      func() float64            // bans made, ever
	DeadContacts  func() float64            // registrations that ended because nobody answered
	Packets       func() map[string]float64 // not served, by what became of them: shed, dropped, banned, oversize
	Denied        func() map[string]float64 // outgoing calls not permitted, by rule
	Cut           func() float64            // outgoing calls ended by a cap
	Alarms        func() map[string]float64 // by kind
}

// ObserveGuard registers them.
func (m *Metrics) ObserveGuard(s GuardSources) error {
	const counter = prometheus.CounterValue
	return errors.Join(
		m.GaugeFunc("ullim_sip_sources_known", "Sockets that are trusted because a device authenticated from them.", s.KnownSources),
		m.GaugeFunc("ullim_sip_bans", "Sources that are banned now.", s.Bans),
		m.GaugeFunc("ullim_sip_subscriptions", "Subscriptions to waiting messages.", s.Subscriptions),
		m.CounterFunc("ullim_sip_bans_made_total", "Sources that were banned for what they did.", s.BansMade),
		m.CounterFunc("ullim_sip_contacts_dead_total", "Registrations that ended because nobody answered there.", s.DeadContacts),
		m.byName("ullim_sip_packets_unserved_total", "Messages held back before they were read, by what became of them.", "fate", counter, s.Packets),
		m.byName("ullim_outbound_denied_total", "Outgoing calls that were not permitted, by rule.", "rule", counter, s.Denied),
		m.CounterFunc("ullim_outbound_cut_total", "Outgoing calls that were ended because a cap was reached.", s.Cut),
		m.byName("ullim_alarms_total", "Alarms, by kind.", "kind", counter, s.Alarms),
	)
}
