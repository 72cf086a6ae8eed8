package telemetry

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Sources are read whenever Prometheus asks. They must be quick and safe to call at any time. A nil one is left out.
type Sources struct {
	// Gauges.
	ActiveCalls   func() float64
	SIPLegs       func() float64 // dialogs and attempts
	SIPStreams    func() float64 // open connections over TCP, TLS and WebSocket
	Registrations func() float64
	MediaSessions func() float64
	MediaPorts    func() float64 // in use
	SpooledBytes  func() float64 // recordings waiting on the local disk
	QueueWaiting  func() map[QueueKey]float64
	Agents        func() map[string]float64 // by status type: ROUTABLE, CUSTOM, OFFLINE
	JobsAlive     func() map[string]float64 // by kind
	JobsBuried    func() map[string]float64
	MediaLoops    func() []MediaLoop
	Conferences   func() float64
	Recordings    func() float64 // in progress

	TraceBytes func() float64 // of SIP messages kept for the traces of contacts

	SIPConnections     func() map[string]float64 // by transport
	CertificateSeconds func() map[string]float64 // until it expires, by the section of the configuration

	EstimateBias func() float64 // seconds by which waits were longer than estimated, less what they were shorter

	// Counters: they grow only.
	CallsOutgoing func() float64 // placed for a phone, or by the engine itself
	CallTransfers func() float64
	CallMoves     func() float64 // parties that moved from one call to another

	HEPSent         func() float64 // SIP messages copied to the collector
	HEPDropped      func() float64
	InvitesAdmitted func() float64
	SIPDropped      func() float64 // messages that got no answer
	SIPRateLimited  func() float64
	SIPStrangers    func() float64 // requests in a trunk's dialog that did not come from the trunk

	SIPConnectionFaults func() map[string]float64 // by what it was: closed, handshake, dial, restored

	RTPReceived        func() float64 // packets
	RTPSent            func() float64
	RTPLost            func() float64
	RTPForeign         func() float64 // from an address that was not negotiated
	RTPLate            func() float64 // too late to be decoded
	SRTPRefused        func() float64
	RTCPSent           func() float64
	RecordingsFailed   func() float64
	RecordingsUploaded func() float64
	UploadFailures     func() float64
	EventsDropped      func() float64
	Offers             func() map[string]float64 // by result: answered, missed, rejected, device_failed, caller_left, agent_left, taken, unproven
	AgentEventsLost    func() float64            // events of agents that could not be stored
	Estimates          func() float64            // contacts that were told how long they will wait, and have been answered
	EstimateError      func() float64            // seconds by which those estimates were wrong, either way
	Panics             func() map[string]float64 // by the part that contained them: sip, media, call, flow, acd, job, http
}

// QueueKey names a queue: the alias of its instance and its own name.
type QueueKey struct{ Instance, Queue string }

// maxSeries bounds what one source may give; the rest is added up as "other".
const maxSeries = 2000

// Observe registers the sources that are set. It is called once: a source that is there already is an error.
func (m *Metrics) Observe(s Sources) error {
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	return errors.Join(
		m.GaugeFunc("ullim_calls_active", "Calls now.", s.ActiveCalls),
		m.CounterFunc("ullim_calls_outgoing_total", "Calls placed for a phone or by the engine itself.", s.CallsOutgoing),
		m.CounterFunc("ullim_call_transfers_total", "Transfers that were begun.", s.CallTransfers),
		m.CounterFunc("ullim_call_moves_total", "Parties that took a place in another call: attended transfers, pick-ups.", s.CallMoves),
		m.GaugeFunc("ullim_sip_legs", "SIP dialogs and attempts now.", s.SIPLegs),
		m.GaugeFunc("ullim_sip_streams", "SIP connections over TCP, TLS and WebSocket now.", s.SIPStreams),
		m.byName("ullim_sip_connections", "SIP connections, by transport.", "transport", gauge, s.SIPConnections),
		m.byName("ullim_sip_connection_faults_total", "Connections closed by a deadline or limit, failed handshakes and dials, and requests "+
			"sent over another connection than the one that was lost.", "kind", counter, s.SIPConnectionFaults),
		m.byName("ullim_tls_certificate_remaining_seconds", "Until a certificate expires.", "section", gauge, s.CertificateSeconds),
		m.GaugeFunc("ullim_sip_registrations", "Contacts registered now.", s.Registrations),
		m.CounterFunc("ullim_sip_invites_admitted_total", "Calls that were admitted.", s.InvitesAdmitted),
		m.CounterFunc("ullim_sip_messages_dropped_total", "SIP messages that got no answer.", s.SIPDropped),
		m.CounterFunc("ullim_sip_requests_limited_total", "SIP requests above the rate of their source.", s.SIPRateLimited),
		m.CounterFunc("ullim_sip_dialog_strangers_total", "Requests in a dialog with a trunk from an address that is not the trunk's: refused.", s.SIPStrangers),
		m.GaugeFunc("ullim_media_sessions", "Media sessions now.", s.MediaSessions),
		m.GaugeFunc("ullim_media_ports_used", "RTP ports in use.", s.MediaPorts),
		m.CounterFunc("ullim_rtp_packets_received_total", "RTP packets received.", s.RTPReceived),
		m.CounterFunc("ullim_rtp_packets_sent_total", "RTP packets sent.", s.RTPSent),
		m.CounterFunc("ullim_rtp_packets_lost_total", "RTP packets that never came.", s.RTPLost),
		m.CounterFunc("ullim_rtp_packets_foreign_total", "Packets on RTP ports from an address that was not negotiated.", s.RTPForeign),
		m.CounterFunc("ullim_rtp_packets_late_total", "RTP packets that came too late to be heard, where sound is decoded.", s.RTPLate),
		m.CounterFunc("ullim_srtp_packets_refused_total", "SRTP packets that did not authenticate, were replayed, or came before the keys.", s.SRTPRefused),
		m.CounterFunc("ullim_rtcp_reports_sent_total", "RTCP reports sent.", s.RTCPSent),
		m.GaugeFunc("ullim_conferences_active", "Conferences now.", s.Conferences),
		m.GaugeFunc("ullim_recordings_active", "Recordings in progress.", s.Recordings),
		m.CounterFunc("ullim_recordings_failed_total", "Recordings that ended before their call, because the disk took no more.", s.RecordingsFailed),
		m.CounterFunc("ullim_recordings_uploaded_total", "Recordings uploaded and verified.", s.RecordingsUploaded),
		m.CounterFunc("ullim_recording_upload_failures_total", "Uploads of recordings that failed and are tried again.", s.UploadFailures),
		m.GaugeFunc("ullim_recordings_spooled_bytes", "Recordings on the local disk that wait for their upload.", s.SpooledBytes),
		m.CounterFunc("ullim_events_dropped_total", "Events that a slow subscriber did not get.", s.EventsDropped),
		m.GaugeFunc("ullim_trace_bytes", "SIP messages kept for the traces of contacts.", s.TraceBytes),
		m.CounterFunc("ullim_hep_messages_sent_total", "SIP messages copied to the HEP collector.", s.HEPSent),
		m.CounterFunc("ullim_hep_messages_dropped_total", "SIP messages that the HEP collector did not get.", s.HEPDropped),
		m.queues(s.QueueWaiting),
		m.byName("ullim_agents", "Agents, by type of their status.", "status", gauge, s.Agents),
		m.byName("ullim_offers_total", "Contacts offered to agents, by what came of it.", "result", counter, s.Offers),
		m.CounterFunc("ullim_agent_events_lost_total", "Events of agents that were dropped because the store was away for too long.", s.AgentEventsLost),
		m.CounterFunc("ullim_wait_estimates_total", "Contacts that were answered and had an estimate of their wait when they came.", s.Estimates),
		m.CounterFunc("ullim_wait_estimate_error_seconds_total", "By how much those estimates were wrong, either way.", s.EstimateError),
		m.GaugeFunc("ullim_wait_estimate_bias_seconds", "Sum of what waits were longer than estimated, less what they were shorter.", s.EstimateBias),
		m.byName("ullim_jobs_alive", "Jobs to be done, by kind.", "kind", gauge, s.JobsAlive),
		m.byName("ullim_jobs_buried", "Jobs that can never be done, by kind.", "kind", gauge, s.JobsBuried),
		m.loops(s.MediaLoops),
		m.byName("ullim_panics_recovered_total", "Panics that were contained, by the part they happened in.", "part", counter, s.Panics),
	)
}

// GaugeFunc registers a gauge that is read by f; nothing if f is nil.
func (m *Metrics) GaugeFunc(name, help string, f func() float64) error {
	if f == nil {
		return nil
	}
	return m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
}

// CounterFunc registers a counter that is read by f, which must not fall; nothing if f is nil.
func (m *Metrics) CounterFunc(name, help string, f func() float64) error {
	if f == nil {
		return nil
	}
	return m.registry.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
}

func (m *Metrics) queues(f func() map[QueueKey]float64) error {
	if f == nil {
		return nil
	}
	return m.registry.Register(&readings[QueueKey]{
		kind: prometheus.GaugeValue,
		desc: prometheus.NewDesc("ullim_queue_waiting", "Contacts waiting, by queue.", []string{"instance", "queue"}, nil),
		read: f, labels: func(k QueueKey) []string { return []string{label(k.Instance), label(k.Queue)} },
		order: func(a, b QueueKey) int {
			return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Queue, b.Queue))
		},
		other: QueueKey{Instance: "other", Queue: "other"},
	})
}

func (m *Metrics) byName(name, help, labelName string, kind prometheus.ValueType, f func() map[string]float64) error {
	if f == nil {
		return nil
	}
	return m.registry.Register(&readings[string]{
		kind: kind,
		desc: prometheus.NewDesc(name, help, []string{labelName}, nil),
		read: f, labels: func(k string) []string { return []string{label(k)} }, order: cmp.Compare[string], other: "other",
	})
}

// readings is a collector of values that exist only while they are read: a queue that was deleted is gone at once.
type readings[K comparable] struct {
	kind   prometheus.ValueType
	desc   *prometheus.Desc
	read   func() map[K]float64
	labels func(K) []string
	order  func(a, b K) int
	other  K
}

var _ prometheus.Collector = (*readings[string])(nil)

// Describe gives the description.
func (r *readings[K]) Describe(ch chan<- *prometheus.Desc) { ch <- r.desc }

// Collect reads the values. Keys that are the same as labels, or above the bound, are added up.
func (r *readings[K]) Collect(ch chan<- prometheus.Metric) {
	values := r.read()
	sums := make(map[string]float64, len(values))
	texts := make(map[string][]string, len(values))
	for _, k := range slices.SortedFunc(maps.Keys(values), r.order) {
		labels := r.labels(k)
		id := labels[0] + "\x00" + labels[len(labels)-1]
		if _, there := sums[id]; !there && len(sums) >= maxSeries {
			labels = r.labels(r.other)
			id = labels[0] + "\x00" + labels[len(labels)-1]
		}
		sums[id] += values[k]
		texts[id] = labels
	}
	for id, v := range sums {
		m, err := prometheus.NewConstMetric(r.desc, r.kind, v, texts[id]...)
		if err != nil {
			m = prometheus.NewInvalidMetric(r.desc, err)
		}
		ch <- m
	}
}
