package telemetry

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// OutsideSources are calls to what tenants have outside, read when Prometheus asks.
type OutsideSources struct {
	Functions    func() map[string]float64 // by outcome
	OpenCircuits func() float64            // services that are left alone because they failed again and again
	Streams      func() float64            // live audio now
	Bots         func() float64            // conversations now
	Ended        func() map[string]float64 // conversations, by how they ended
	Connections  func() map[string]float64 // of live audio: started, lost, again
	FramesSent   func() float64            // of 20 ms
	Dropped      func() map[string]float64 // frames that a slow program did not get; seconds that a fast one said too much
	BadMessages  func() float64
}

// ObserveOutside registers them.
func (m *Metrics) ObserveOutside(s OutsideSources) error {
	const counter = prometheus.CounterValue
	return errors.Join(
		m.byName("ullim_functions_total", "Calls of functions by flows, by outcome.", "outcome", counter, s.Functions),
		m.GaugeFunc("ullim_function_circuits_open", "Services that are not called for a while because they failed again and again.", s.OpenCircuits),
		m.GaugeFunc("ullim_audio_streams", "Live audio that is sent now.", s.Streams),
		m.GaugeFunc("ullim_bots", "Callers who talk with a program now.", s.Bots),
		m.byName("ullim_bots_ended_total", "Conversations with programs, by how they ended.", "outcome", counter, s.Ended),
		m.byName("ullim_audio_connections_total", "Connections of live audio: streams started, connections lost and made again.", "event", counter, s.Connections),
		m.CounterFunc("ullim_audio_frames_sent_total", "Frames of 20 ms sent to programs.", s.FramesSent),
		m.byName("ullim_audio_frames_dropped_total", "Frames of 20 ms not delivered: the program was slow (out), or said more than is kept (in).", "direction", counter, s.Dropped),
		m.CounterFunc("ullim_audio_bad_messages_total", "Messages of programs that were not understood.", s.BadMessages),
	)
}
