package storage_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ullim/internal/contact"
	"ullim/reporting"
	"ullim/storage"
)

// cpuTime is what the process has used of the processor: on a busy machine it says more than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHistoricalReport asks for what a report of a month shows, from a million records on SQLite: eight figures by
// queue, by queue and day, and by agent. The promise is two seconds.
func BenchmarkHistoricalReport(b *testing.B) {
	const n = 1_000_000
	db := open(b, storage.Options{URL: filepath.Join(b.TempDir(), "ullim.db"), SyncOff: true})
	begin := time.Now().UTC().Truncate(time.Hour).Add(-31 * 24 * time.Hour)
	step := 30 * 24 * time.Hour / n
	var queues []string
	for i := range 20 {
		queues = append(queues, fmt.Sprintf("7d1f3a52-0000-4000-8000-%012d", i))
	}
	err := storage.FillFacts(b.Context(), db, "i1", n, func(i int) map[reporting.Table][]reporting.Fact {
		at := begin.Add(time.Duration(i) * step)
		wait := time.Duration(i*7919%90_000) * time.Millisecond
		r := &contact.Record{
			ID: fmt.Sprintf("9b2e6f10-0000-4000-8000-%012d", i), InstanceID: "i1", Channel: contact.Voice, InitiationMethod: contact.Inbound,
			InitiationTimestamp: at.Add(-wait - time.Minute), DisconnectTimestamp: at, DisconnectReason: contact.CustomerDisconnect,
			Queue: &contact.QueueInfo{ID: queues[i%len(queues)], EnqueueTimestamp: at.Add(-wait - time.Minute), DequeueTimestamp: at.Add(-time.Minute)},
		}
		if i%10 > 0 {
			r.Agent = &contact.AgentInfo{
				ID: fmt.Sprintf("4c8d0e77-0000-4000-8000-%012d", i*31%200), RoutingProfileID: "4c8d0e77-0000-4000-8000-000000000000",
				ConnectedToAgentTimestamp: at.Add(-time.Minute), AfterContactWorkStart: at, AfterContactWorkEnd: at.Add(time.Second),
			}
		}
		return reporting.ContactFacts(r, nil)
	})
	if err != nil {
		b.Fatal(err)
	}
	metrics := []reporting.Metric{
		{Name: "SERVICE_LEVEL", Threshold: &reporting.Threshold{Seconds: 20}},
		{Name: "CONTACTS_QUEUED"},
		{Name: "CONTACTS_HANDLED"},
		{Name: "CONTACTS_ABANDONED"},
		{Name: "AVG_HANDLE_TIME"},
		{Name: "AVG_QUEUE_ANSWER_TIME"},
		{Name: "AVG_ABANDON_TIME"},
		{Name: "MAX_QUEUED_TIME"},
	}
	for _, c := range []struct {
		name     string
		interval reporting.Interval
		groups   []reporting.Dim
	}{
		{"queue", reporting.Total, []reporting.Dim{reporting.Queue}},
		{"queue-day", reporting.Day, []reporting.Dim{reporting.Queue}},
		{"agent", reporting.Total, []reporting.Dim{reporting.Agent}},
	} {
		b.Run("by="+c.name, func(b *testing.B) {
			q := reporting.Query{
				InstanceID: "i1", From: begin, To: begin.Add(30 * 24 * time.Hour), Interval: c.interval, Groupings: c.groups, Metrics: metrics,
				Filters: []reporting.Filter{{Dim: reporting.Queue, Values: queues}},
			}
			before := cpuTime(b)
			for b.Loop() {
				lines, err := reporting.Compute(b.Context(), db, q)
				if err != nil || len(lines) < len(queues) {
					b.Fatalf("%d lines, %v", len(lines), err)
				}
			}
			b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}
