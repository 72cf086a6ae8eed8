package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// speech counts what was asked of providers of speech.
type speech struct {
	asked *prometheus.CounterVec
	took  *prometheus.HistogramVec
}

func newSpeech() speech {
	return speech{
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ullim_speech_requests_total", Help: "Texts that a provider of speech was asked for, by provider and outcome.",
		}, []string{"provider", "outcome"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ullim_speech_seconds", Help: "Time that a provider of speech took to speak a text, with the wait for a place.",
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}, []string{"provider"}),
	}
}

// Speech counts that a provider was asked, and observes how long it took if it spoke. Providers and outcomes are few: those
// of package prompts/provider.
func (m *Metrics) Speech(provider, outcome string, took time.Duration) {
	if m == nil {
		return
	}
	m.speech.asked.WithLabelValues(provider, outcome).Inc()
	if outcome == "spoken" {
		m.speech.took.WithLabelValues(provider).Observe(took.Seconds())
	}
}
