package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
)

// TrunkReading is what one trunk with gateways counts. The counters grow only.
type TrunkReading struct {
	Instance, Trunk string // alias and configured name
	Registration    string // state; empty: it does not register
	Gateways        []GatewayReading
	Channels        int // calls now
	Waiting         int // calls that wait for a place

	Calls, Answered, Short uint64
	Refused                map[string]uint64 // by class
	DelayBuckets           map[float64]uint64
	DelaySum               float64
	DelayCount             uint64
}

// GatewayReading is one address of a trunk, as configured or as its name gave it.
type GatewayReading struct {
	Gateway string
	Up      bool
}

// maxTrunks bounds the trunks that are shown, and maxGatewaysShown the addresses of each.
const (
	maxTrunks        = 200
	maxGatewaysShown = 16
)

// registrationStates are all that a registration can be in: one of them is 1, the others 0.
func registrationStates() []string {
	return []string{"trying", "registered", "failing", "refused", "unresolvable"}
}

// trunks collects what read gives. A trunk that was deleted is gone at once.
type trunks struct {
	read func() []TrunkReading

	registered, gateway, channels, waiting, calls, answered, short, refused, delay *prometheus.Desc
}

var _ prometheus.Collector = (*trunks)(nil)

// ObserveTrunks registers the metrics of trunks.
func (m *Metrics) ObserveTrunks(read func() []TrunkReading) error {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"instance", "trunk"}, labels...), nil)
	}
	return m.registry.Register(&trunks{
		read:       read,
		registered: desc("ullim_trunk_registration", "1 for the state that the registration with the carrier is in.", "state"),
		gateway:    desc("ullim_trunk_gateway_up", "Whether an address of the carrier is believed to be alive.", "gateway"),
		channels:   desc("ullim_trunk_channels", "Calls on the trunk now, both directions."),
		waiting:    desc("ullim_trunk_waiting", "Outgoing calls that wait for a place on the trunk."),
		calls:      desc("ullim_trunk_calls_total", "Outgoing calls begun."),
		answered:   desc("ullim_trunk_calls_answered_total", "Outgoing calls that were answered and are over; divided by calls: the answer ratio."),
		short:      desc("ullim_trunk_calls_short_total", "Answered outgoing calls of less than 6 seconds."),
		refused:    desc("ullim_trunk_calls_refused_total", "Outgoing calls that did not come about, by class.", "class"),
		delay:      desc("ullim_trunk_post_dial_delay_seconds", "Time from an outgoing call to its first ringing or answer."),
	})
}

// Describe gives the descriptions.
func (c *trunks) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.registered, c.gateway, c.channels, c.waiting, c.calls, c.answered, c.short, c.refused, c.delay,
	} {
		ch <- d
	}
}

// Collect reads the trunks. Of two with the same labels, and above the bound, the later ones are left out.
func (c *trunks) Collect(ch chan<- prometheus.Metric) {
	seen := make(map[[2]string]bool)
	for _, r := range c.read() {
		id := [2]string{label(r.Instance), label(r.Trunk)}
		if seen[id] || len(seen) >= maxTrunks {
			continue
		}
		seen[id] = true
		c.one(ch, r, id)
	}
}

func (c *trunks) one(ch chan<- prometheus.Metric, r TrunkReading, id [2]string) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, more ...string) {
		m, err := prometheus.NewConstMetric(d, kind, v, append(id[:], more...)...)
		if err != nil {
			m = prometheus.NewInvalidMetric(d, err)
		}
		ch <- m
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	if r.Registration != "" {
		for _, s := range registrationStates() {
			send(c.registered, gauge, bit(s == r.Registration), s)
		}
	}
	shown := make(map[string]bool)
	for _, g := range r.Gateways {
		if name := label(g.Gateway); !shown[name] && len(shown) < maxGatewaysShown {
			shown[name] = true
			send(c.gateway, gauge, bit(g.Up), name)
		}
	}
	send(c.channels, gauge, float64(r.Channels))
	send(c.waiting, gauge, float64(r.Waiting))
	send(c.calls, counter, float64(r.Calls))
	send(c.answered, counter, float64(r.Answered))
	send(c.short, counter, float64(r.Short))
	for class, n := range r.Refused {
		send(c.refused, counter, float64(n), label(class))
	}
	h, err := prometheus.NewConstHistogram(c.delay, r.DelayCount, r.DelaySum, r.DelayBuckets, id[:]...)
	if err != nil {
		h = prometheus.NewInvalidMetric(c.delay, err)
	}
	ch <- h
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
