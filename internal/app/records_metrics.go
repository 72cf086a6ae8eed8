package app

import (
	"context"
	"sync/atomic"
	"time"

	"ullim/internal/records"
	"ullim/internal/telemetry"
)

// recordFigures count what became of records.
type recordFigures struct{ expired, missed atomic.Uint64 }

// observeRecords lets Prometheus read how far the streams are.
func (a *App) observeRecords() error {
	each := func(value func(records.Reading) uint64) func() map[string]float64 {
		return func() map[string]float64 {
			out := map[string]float64{}
			for _, r := range a.records.Readings() {
				out[a.streamName(r)] += float64(value(r))
			}
			return out
		}
	}
	count := func(f func() uint64) func() float64 { return func() float64 { return float64(f()) } }
	return a.metrics.ObserveRecords(telemetry.RecordSources{
		Items:     count(func() uint64 { items, _ := a.records.Followed(); return items }),
		Failures:  count(func() uint64 { _, failures := a.records.Followed(); return failures }),
		Expired:   count(a.recordFigures.expired.Load),
		Missed:    count(a.recordFigures.missed.Load),
		Delivered: each(func(r records.Reading) uint64 { return r.Delivered }),
		Failed:    each(func(r records.Reading) uint64 { return r.Failures }),
		Dead:      each(func(r records.Reading) uint64 { return r.Dead }),
		Lag:       a.streamLag,
	})
}

// streamName is a destination in a label: instance and name.
func (a *App) streamName(r records.Reading) string {
	if t, err := a.dir.tenant(r.InstanceID); err == nil {
		return t.instance.Name + "/" + r.Name
	}
	return r.Name
}

// streamLag is the age of the oldest item that a destination has not had, in seconds.
func (a *App) streamLag() map[string]float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	out := map[string]float64{}
	for _, r := range a.records.Readings() {
		s, err := a.db.StreamState(ctx, r.InstanceID, r.ID)
		if err != nil {
			continue
		}
		lag := 0.0
		if !s.Oldest.IsZero() {
			lag = max(time.Since(s.Oldest).Seconds(), 0)
		}
		out[a.streamName(r)] = lag
	}
	return out
}
