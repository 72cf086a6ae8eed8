package telemetry

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// MediaLoop is what a media loop has counted.
type MediaLoop struct {
	Ports, Tickers, Busy   float64 // now; Busy is a share of one
	Late, Wakeups, Packets float64 // since the start
	Steps                  uint64
	StepSeconds            float64            // how late they were, added up
	StepsUpTo              map[float64]uint64 // steps that were late by at most so many seconds
}

func (m *Metrics) loops(read func() []MediaLoop) error {
	if read == nil {
		return nil
	}
	describe := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, []string{"loop"}, nil) }
	return m.registry.Register(&mediaLoops{
		read:    read,
		ports:   describe("ullim_media_loop_ports", "RTP sockets of a media loop."),
		tickers: describe("ullim_media_loop_streams", "Streams that are sent on the clock of a media loop."),
		busy:    describe("ullim_media_loop_busy_ratio", "Share of the last second in which a media loop worked."),
		late:    describe("ullim_media_loop_frames_late_total", "Frames that were sent late or not at all."),
		wakeups: describe("ullim_media_loop_wakeups_total", "Passes of a media loop over its sockets."),
		packets: describe("ullim_media_loop_packets_total", "Packets read by a media loop; over wake-ups: how many each pass finds."),
		steps:   describe("ullim_media_loop_step_lateness_seconds", "How late the steps of a media clock were."),
	})
}

// mediaLoops collects what the loops have counted.
type mediaLoops struct {
	read                                                func() []MediaLoop
	ports, tickers, busy, late, wakeups, packets, steps *prometheus.Desc
}

var _ prometheus.Collector = (*mediaLoops)(nil)

// Describe gives the descriptions.
func (c *mediaLoops) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.ports, c.tickers, c.busy, c.late, c.wakeups, c.packets, c.steps} {
		ch <- d
	}
}

// Collect reads the values.
func (c *mediaLoops) Collect(ch chan<- prometheus.Metric) {
	for i, l := range c.read() {
		loop := strconv.Itoa(i)
		send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64) {
			ch <- prometheus.MustNewConstMetric(d, kind, v, loop)
		}
		send(c.ports, prometheus.GaugeValue, l.Ports)
		send(c.tickers, prometheus.GaugeValue, l.Tickers)
		send(c.busy, prometheus.GaugeValue, l.Busy)
		send(c.late, prometheus.CounterValue, l.Late)
		send(c.wakeups, prometheus.CounterValue, l.Wakeups)
		send(c.packets, prometheus.CounterValue, l.Packets)
		ch <- prometheus.MustNewConstHistogram(c.steps, l.Steps, l.StepSeconds, l.StepsUpTo, loop)
	}
}
