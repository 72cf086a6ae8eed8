package storage_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/storage"
)

// benchRecords is how many records the search is measured over; ULLIM_BENCH_RECORDS says another number.
const benchRecords = 5_000_000

// fillContacts makes n records that ended within eight weeks: 500 agents, 50 queues, every customer twice. SQL makes them, a
// thousand times as fast as one by one; what searches read of a record is all there.
func fillContacts(b *testing.B, path string, n int, from time.Time) {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal=OFF&_sync=OFF&_cache_size=-400000")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	step := (8 * 7 * 24 * time.Hour).Microseconds() / int64(n)
	indexes := dropIndexes(b, db)
	defer func() { // sorted at once, not entry by entry
		for _, text := range indexes {
			if _, execErr := db.Exec(text); execErr != nil {
				b.Fatal(execErr)
			}
		}
	}()
	// Bad luck for a search that goes by the wrong index: what is rare is spread evenly.
	text := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO contact (id, instance_id, node, channel, queue_id, agent_id, call_id, initiated_us, disconnected_us, body, open, method,
			reason, customer, chain_id, disposition, notes)
		SELECT printf('%%012x', i), 'i1', 'n1', CASE WHEN i %% 20 = 0 THEN 'CHAT' ELSE 'VOICE' END,
			'q' || (i %% 50), CASE WHEN i %% 5 = 0 THEN '' ELSE 'u' || (i * 7919 %% 500) END, '', %d + i * %d, %d + i * %d + 180000000,
			json_object('id', printf('%%012x', i), 'instanceId', 'i1', 'channel', 'VOICE',
				'initiationMethod', 'INBOUND', 'initiationTimestamp', strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', (%d + i * %d) / 1000000.0, 'unixepoch')),
			0, CASE WHEN i %% 100000 = 7 THEN 'CALLBACK' WHEN i %% 3 = 0 THEN 'TRANSFER' ELSE 'INBOUND' END,
			CASE WHEN i %% 250000 = 11 THEN 'EXPIRED' WHEN i %% 2 = 0 THEN 'CUSTOMER_DISCONNECT' ELSE 'AGENT_DISCONNECT' END,
			'+8210' || (i %% %d), '', CASE WHEN i %% 3 = 0 THEN 'code' || (i %% 30) ELSE '' END, ''
		FROM n`, n-1, from.UnixMicro(), step, from.UnixMicro(), step, from.UnixMicro(), step, n/2)
	if _, err = db.Exec(text); err != nil {
		b.Fatal(err)
	}
}

// dropIndexes drops the indexes of contact, and gives the statements that make them again.
func dropIndexes(b *testing.B, db *sql.DB) []string {
	b.Helper()
	rows, err := db.Query(`SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'contact' AND sql IS NOT NULL`)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var names, texts []string
	for rows.Next() {
		var name, text string
		if err = rows.Scan(&name, &text); err != nil {
			b.Fatal(err)
		}
		names, texts = append(names, name), append(texts, text)
	}
	if err = errors.Join(rows.Err(), rows.Close()); err != nil { //nolint:sqlclosecheck // closed here, because the connection is needed; deferred for what fails before
		b.Fatal(err)
	}
	for _, name := range names {
		if _, err = db.Exec(`DROP INDEX ` + name); err != nil {
			b.Fatal(err)
		}
	}
	return texts
}

// BenchmarkSearch is one page of a search over millions of records (SQLite). The figure that counts is the slowest.
func BenchmarkSearch(b *testing.B) {
	n := benchRecords
	if v, err := strconv.Atoi(os.Getenv("ULLIM_BENCH_RECORDS")); err == nil && v > 0 {
		n = v
	}
	path := filepath.Join(b.TempDir(), "ullim.db")
	open(b, storage.Options{URL: path}).Close() //nolint:errcheck // only to make the schema
	from := time.Date(2026, 9, 20, 0, 0, 0, 0, time.UTC)
	begin := time.Now()
	fillContacts(b, path, n, from)
	b.Logf("%d records in %v", n, time.Since(begin).Round(time.Second))
	db := open(b, storage.Options{URL: path})
	eight := contact.Query{InstanceID: "i1", By: contact.ByInitiation, From: from, To: from.Add(8 * 7 * 24 * time.Hour), Max: 100}
	for _, c := range []struct {
		name   string
		change func(*contact.Query)
	}{
		{"time", func(*contact.Query) {}},
		{"time,oldest-first", func(q *contact.Query) { q.Ascending = true }},
		{"disconnect-time", func(q *contact.Query) { q.By = contact.ByDisconnect }},
		{"agent", func(q *contact.Query) { q.AgentIDs = []string{"u3"} }},
		{"agents-100", func(q *contact.Query) {
			for i := range 100 {
				q.AgentIDs = append(q.AgentIDs, fmt.Sprint("u", i*5))
			}
		}},
		{"queue", func(q *contact.Query) { q.QueueIDs = []string{"q7"} }},
		{"queue+agent", func(q *contact.Query) { q.QueueIDs, q.AgentIDs = []string{"q7"}, []string{"u3"} }},
		{"agent-never", func(q *contact.Query) { q.AgentIDs = []string{"u250"} }},
		{"customer", func(q *contact.Query) { q.Customers = []string{"+8210777"} }},
		{"rare-reason", func(q *contact.Query) { q.Reasons = []contact.DisconnectReason{"EXPIRED"} }},
		{"rare-method+channel", func(q *contact.Query) {
			q.Methods, q.Channels = []contact.InitiationMethod{contact.Callback}, []contact.Channel{contact.Voice}
		}},
		{"common-method+reason", func(q *contact.Query) {
			q.Methods, q.Reasons = []contact.InitiationMethod{contact.Inbound}, []contact.DisconnectReason{contact.CustomerDisconnect}
		}},
		{"disposition+queue", func(q *contact.Query) { q.Dispositions, q.QueueIDs = []string{"code3"}, []string{"q3"} }},
		{"channel", func(q *contact.Query) { q.Channels = []contact.Channel{contact.Chat} }},
	} {
		b.Run(c.name, func(b *testing.B) {
			q := eight
			c.change(&q)
			var took []time.Duration
			var tokens int
			for b.Loop() {
				begin := time.Now()
				list, next, err := db.SearchContacts(b.Context(), q)
				took = append(took, time.Since(begin))
				if err != nil {
					b.Fatal(err)
				}
				// On to the next page, or again from the first: what is far behind must be as quick.
				if q.Token = next; next != "" && len(list) == q.Max {
					tokens++
				}
			}
			b.ReportMetric(float64(slices.Max(took).Microseconds())/1000, "ms/slowest")
		})
	}
}
