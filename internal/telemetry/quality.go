package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// quality is how well the legs of calls were heard, leg by leg as they end: no labels, so a fixed number of series.
type quality struct {
	mos    prometheus.Histogram
	loss   prometheus.Histogram
	jitter prometheus.Histogram
}

func newQuality() quality {
	return quality{
		mos: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ullim_leg_mos", Help: "Estimated mean opinion score (ITU-T G.107) of what was heard on a leg, when it ended.",
			Buckets: []float64{2, 2.5, 3, 3.3, 3.6, 3.9, 4.1, 4.2, 4.3, 4.4},
		}),
		loss: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ullim_leg_loss_ratio", Help: "Share of the RTP packets of a leg that never came, when it ended.",
			Buckets: []float64{0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2},
		}),
		jitter: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ullim_leg_jitter_seconds", Help: "Mean interarrival jitter (RFC 3550) of a leg, when it ended.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2},
		}),
	}
}

// LegEnded notes how well a leg was heard: its MOS (0: not enough was heard to say), the share of lost packets, the jitter.
// A leg on which nothing was received tells nothing.
func (m *Metrics) LegEnded(mos, loss float64, jitter time.Duration) {
	if mos <= 0 {
		return
	}
	m.quality.mos.Observe(mos)
	m.quality.loss.Observe(loss)
	m.quality.jitter.Observe(jitter.Seconds())
}
