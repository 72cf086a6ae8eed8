package app

import (
	"sync/atomic"

	"ullim/internal/stream"
	"ullim/internal/telemetry"
)

// observeOutside lets Prometheus read what is counted of functions and live audio.
func (a *App) observeOutside() error {
	o := a.outside
	count := func(n *atomic.Uint64) float64 { return float64(n.Load()) }
	s := &o.streams
	return a.metrics.ObserveOutside(telemetry.OutsideSources{
		Functions: func() map[string]float64 {
			m := make(map[string]float64, len(o.outcomes))
			for name, n := range o.outcomes {
				m[string(name)] = count(n)
			}
			return m
		},
		OpenCircuits: func() float64 { return float64(o.hooks.OpenCircuits()) },
		Streams:      func() float64 { return float64(s.Streams.Load()) },
		Bots:         func() float64 { return float64(s.Bots.Load()) },
		Ended: func() map[string]float64 {
			return map[string]float64{
				"finished": count(&s.Finished), "transferred": count(&s.Transferred), "closed": count(&s.Closed), "failed": count(&s.Failed),
				"time_over": count(&s.TimeOver), "left": count(&s.Left),
			}
		},
		Connections: func() map[string]float64 {
			return map[string]float64{"started": count(&s.Started), "lost": count(&s.Lost), "again": count(&s.Again)}
		},
		FramesSent: func() float64 { return count(&s.FramesSent) },
		Dropped: func() map[string]float64 {
			return map[string]float64{"out": count(&s.FramesDropped), "in": float64(s.BytesRefused.Load() / stream.FrameBytes)}
		},
		BadMessages: func() float64 { return count(&s.BadMessages) },
	})
}
