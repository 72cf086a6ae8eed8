package storage_test

import (
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/storage"
)

func TestTheViewsOfReportsCanBeReadOnBothDatabases(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.driver, func(t *testing.T) {
			url := e.url(t)
			db := open(t, storage.Options{Driver: e.driver, URL: url})
			at := time.Date(2026, 11, 22, 8, 30, 0, 0, time.UTC)
			err := db.CloseContact(t.Context(), &contact.Record{
				ID: "c1", InstanceID: "i1", Node: "n", Channel: contact.Voice, InitiationMethod: contact.Inbound, InitiationTimestamp: at,
				Queue:               &contact.QueueInfo{ID: "q1", EnqueueTimestamp: at.Add(time.Second), DequeueTimestamp: at.Add(31500 * time.Millisecond)},
				DisconnectTimestamp: at.Add(time.Minute), DisconnectReason: contact.CustomerDisconnect,
			})
			if err != nil {
				t.Fatal(err)
			}
			raw := rawDB(t, e.raw, url)
			var when string
			var wait float64
			var abandoned int
			err = raw.QueryRow(`SELECT enqueued_at, queue_seconds, abandoned FROM report_contact WHERE contact_id = 'c1'`).Scan(&when, &wait, &abandoned)
			if err != nil || when != "2026-11-22T08:30:01Z" || wait != 30.5 || abandoned != 1 {
				t.Errorf("contact: %s %g %d, %v", when, wait, abandoned, err)
			}
			var day string
			var level, longest float64
			err = raw.QueryRow(`SELECT day, service_level_20, longest_wait_seconds FROM report_queue_day`).Scan(&day, &level, &longest)
			if err != nil || day != "2026-11-22" || level != 0 || longest != 30.5 {
				t.Errorf("queue and day: %s %g %g, %v", day, level, longest, err)
			}
			for _, view := range []string{"report_agent_quarter", "report_agent_event"} {
				var n int
				if err = raw.QueryRow(`SELECT COUNT(*) FROM ` + view).Scan(&n); err != nil || n != 0 {
					t.Errorf("%s: %d, %v", view, n, err)
				}
			}
		})
	}
}
