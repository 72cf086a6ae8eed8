package telemetry

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// RecordSources are figures of contact records and the streams of them, read when Prometheus asks. Names of streams are
// instance/name.
type RecordSources struct {
	Items, Failures, Expired, Missed func() float64
	Delivered, Failed, Dead, Lag     func() map[string]float64
}

// ObserveRecords registers them.
func (m *Metrics) ObserveRecords(s RecordSources) error {
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	return errors.Join(
		m.CounterFunc("ullim_record_items_total", "Contact events and records made for streams.", s.Items),
		m.CounterFunc("ullim_record_follow_failures_total", "Times that changed contacts could not be followed.", s.Failures),
		m.CounterFunc("ullim_records_expired_total", "Contact records removed by age.", s.Expired),
		m.CounterFunc("ullim_record_items_missed_total", "Items removed by age that a stream's destination had not had.", s.Missed),
		m.byName("ullim_stream_delivered_total", "Items that a destination has taken.", "stream", counter, s.Delivered),
		m.byName("ullim_stream_failures_total", "Times that a destination did not take what it was sent.", "stream", counter, s.Failed),
		m.byName("ullim_stream_dead_letters_total", "Items given up for a destination, since the start.", "stream", counter, s.Dead),
		m.byName("ullim_stream_lag_seconds", "Age of the oldest item that a destination has not had.", "stream", gauge, s.Lag),
	)
}
