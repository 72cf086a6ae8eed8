// Package telemetry makes the logger and the metrics of a node. It knows no other part: whoever counts in atomics gives a
// function that reads them (Observe), and what happens now and then is told by a method (InviteRefused, Commit).
//
// Every label has few values: an enumeration, a configured name, or a set that is cut at a bound. A telephone number,
// Call-ID, contact or address is never a label; it belongs in the log.
//
//	log.go     NewLogger
//	metrics.go Metrics: what is told
//	observe.go Sources: what is read when Prometheus asks
//	labels.go  the enumerations, and the bound of the open sets
package telemetry

import (
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the metrics of one node, in a registry of their own. The methods that count may be called at the same time,
// and on a nil Metrics, where they do nothing.
type Metrics struct {
	registry *prometheus.Registry

	sipRequests    *prometheus.CounterVec
	invitesRefused *prometheus.CounterVec
	closed         *prometheus.CounterVec
	flowActions    *prometheus.CounterVec
	flowSteps      *prometheus.CounterVec
	flowRuns       *prometheus.CounterVec
	commits        prometheus.Histogram
	quality        quality
	speech         speech

	actionTypes bounded
	outcomes    bounded
	flows       bounded
}

// New makes the metrics with those of the Go runtime and the process.
func New() *Metrics {
	m := newMetrics()
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	version, commit, goVersion := build()
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "ullim_build_info", Help: "Always 1; the labels say what is running.",
	}, []string{"version", "commit", "goversion"})
	m.registry.MustRegister(info)
	info.WithLabelValues(version, commit, goVersion).Set(1)
	return m
}

func newMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), actionTypes: newBounded(64), outcomes: newBounded(16), flows: newBounded(maxFlowLabels)}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.sipRequests = vec("ullim_sip_requests_total", "SIP requests received, by method and class of the final response.", "method", "class")
	m.invitesRefused = vec("ullim_sip_invites_refused_total", "Calls refused before they were admitted, by the first rule that failed.", "reason")
	m.closed = vec("ullim_contacts_closed_total", "Contacts closed, by disconnect reason.", "reason")
	m.flowSteps = vec("ullim_flow_steps_total", "Flow actions run, by flow and how they ended.", "flow", "outcome")
	m.flowRuns = vec("ullim_flow_log_runs_total", "Runs of actions written to the run log, and dropped.", "result")
	m.flowActions = vec("ullim_flow_actions_total", "Flow actions run, by type and outcome.", "type", "outcome")
	m.commits = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "ullim_db_commit_seconds", Help: "Time of database commits, with the wait for the writer.",
		Buckets: []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10},
	})
	m.quality = newQuality()
	m.speech = newSpeech()
	m.registry.MustRegister(m.commits, m.quality.mos, m.quality.loss, m.quality.jitter, m.speech.asked, m.speech.took)
	m.zero()
	return m
}

// zero shows every value of the enumerations from the start, so that the first increase is seen as one.
func (m *Metrics) zero() {
	for _, r := range refusals() {
		m.invitesRefused.WithLabelValues(string(r))
	}
	for _, r := range disconnectReasons() {
		m.closed.WithLabelValues(string(r))
	}
}

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Registry is where other collectors can be added.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// SIPRequest counts a request that got a final response; status 0 is none, as for ACK.
func (m *Metrics) SIPRequest(method string, status int) {
	if m != nil {
		m.sipRequests.WithLabelValues(sipMethod(method), sipClass(status)).Inc()
	}
}

// InviteRefused counts a call that was not admitted.
func (m *Metrics) InviteRefused(reason Refusal) {
	if m != nil {
		m.invitesRefused.WithLabelValues(string(known(reason, refusals(), RefusedOther))).Inc()
	}
}

// FlowAction counts an action that a flow ran: its type in the flow language, and the name of the branch it took.
func (m *Metrics) FlowAction(actionType, outcome string) {
	if m != nil {
		m.flowActions.WithLabelValues(m.actionTypes.value(actionType), m.outcomes.value(outcome)).Inc()
	}
}

// maxFlowLabels is how many flows are counted by name.
const maxFlowLabels = 200

// FlowStep counts an action by its flow: "ok", how the flow ended, or an error type.
func (m *Metrics) FlowStep(flow, outcome string) {
	if m != nil {
		m.flowSteps.WithLabelValues(m.flows.value(flow), m.outcomes.value(outcome)).Inc()
	}
}

// FlowRuns counts what the run log has written and dropped.
func (m *Metrics) FlowRuns(written, dropped int) {
	if m != nil {
		m.flowRuns.WithLabelValues("written").Add(float64(written))
		m.flowRuns.WithLabelValues("dropped").Add(float64(dropped))
	}
}

// Commit observes how long a commit took.
func (m *Metrics) Commit(d time.Duration) {
	if m != nil {
		m.commits.Observe(d.Seconds())
	}
}

// build reads what the Go tool wrote into the binary.
func build() (version, commit, goVersion string) {
	version, commit, goVersion = "unknown", "unknown", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, commit, goVersion
	}
	version, goVersion = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	return version, commit, goVersion
}
