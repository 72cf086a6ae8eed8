package storage_test

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/resource"
	"ullim/storage"
)

// engines are both databases, as tests that need raw access see them.
type engineUnderTest struct {
	driver, raw, fixture string
	url                  func(t *testing.T) string
	describe             string // a query that lists columns and indexes
}

func engines() []engineUnderTest {
	return []engineUnderTest{
		{
			driver: storage.SQLite, raw: "sqlite3", fixture: "testdata/v1.sqlite.sql", url: file,
			describe: `SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1`,
		},
		{
			driver: storage.Postgres, raw: "pgx", fixture: "testdata/v1.postgres.sql",
			url: postgres,
			describe: `SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || COALESCE(collation_name, '') ||
				' ' || COALESCE(column_default, '') || ' ' || is_identity FROM information_schema.columns WHERE table_schema = 'public'
				UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
				UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
				ORDER BY 1`,
		},
	}
}

func rawDB(t *testing.T, driver, url string) *sql.DB {
	t.Helper()
	raw, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

func describe(t *testing.T, e engineUnderTest, url string) []string {
	t.Helper()
	rows, err := rawDB(t, e.raw, url).Query(e.describe)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
		if err = rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		s = strings.ReplaceAll(s, `"`, "")
		list = append(list, strings.Join(strings.Fields(s), " "))
	}
	if err = rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAnOlderDatabaseIsUpgradedWithAllThatIsInIt(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.driver, func(t *testing.T) {
			dump, err := os.ReadFile(e.fixture)
			if err != nil {
				t.Fatal(err)
			}
			url := e.url(t)
			raw := rawDB(t, e.raw, url)
			if _, err = raw.Exec(string(dump)); err != nil {
				t.Fatal(err)
			}
			_ = raw.Close()
			db := open(t, storage.Options{Driver: e.driver, URL: url})
			checkUpgraded(t, db)
			_ = db.Close()

			fresh := e.url(t)
			_ = open(t, storage.Options{Driver: e.driver, URL: fresh}).Close()
			want, got := describe(t, e, fresh), describe(t, e, url)
			if len(want) < 10 {
				t.Fatalf("the schema is described by %d lines", len(want))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("schema from empty (-) and upgraded (+) differ:\n%s", d)
			}
		})
	}
}

// checkUpgraded reads and changes what the fixture holds.
func checkUpgraded(t *testing.T, db *storage.DB) {
	t.Helper()
	ctx := t.Context()
	instances, err := db.Instances(ctx)
	if err != nil || len(instances) != 1 || instances[0].Name != "acme" || !instances[0].InboundCallsEnabled {
		t.Errorf("instances %+v, %v", instances, err)
	}
	queues := storage.Resources(db, resource.KindQueue, func() *acd.Queue { return &acd.Queue{} })
	q, err := queues.GetByName(ctx, "inst-1", "BasicQueue")
	if err != nil {
		t.Fatal(err)
	}
	want := &acd.Queue{
		Meta: resource.Meta{
			ID: "queue-1", InstanceID: "inst-1", Name: "BasicQueue", Version: 3,
			CreatedAt: time.UnixMicro(1763800000000000).UTC(), ModifiedAt: time.UnixMicro(1763900000000000).UTC(),
		},
		HoursID: "hours-1", Status: acd.QueueEnabled,
	}
	if d := cmp.Diff(want, q); d != "" {
		t.Errorf("queue (-want +got):\n%s", d)
	}
	hours := storage.Resources(db, resource.KindHours, func() *acd.Hours { return &acd.Hours{} })
	if err = hours.Delete(ctx, "inst-1", "hours-1"); err == nil {
		t.Error("hours in use were deleted")
	}
	opened, err := db.OpenContacts(ctx, "node-1")
	if err != nil || len(opened) != 1 || opened[0].CallID != "call-1" {
		t.Errorf("open contacts %+v, %v", opened, err)
	}
	states, err := db.AgentStates(ctx, "inst-1")
	if err != nil || len(states) != 1 || states[0].Version != 7 {
		t.Errorf("states %+v, %v", states, err)
	}
	list, err := db.Reservations(ctx, "inst-1")
	if err != nil || len(list) != 1 || list[0].State != acd.SlotConnected {
		t.Errorf("reservations %+v, %v", list, err)
	}
	regs, err := db.Registrations(ctx)
	if err != nil || len(regs) != 1 || regs[0].CSeq != 5 {
		t.Errorf("registrations %+v, %v", regs, err)
	}
	claimed, err := db.Claim(ctx, []string{storage.JobUpload}, 5, time.Now(), time.Minute)
	if err != nil || len(claimed) != 1 || claimed[0].Attempts != 3 || claimed[0].LastErr != "server away" {
		t.Errorf("jobs %+v, %v", claimed, err)
	}
	// What came after version 1.
	v, err := db.PutSettingOnce(ctx, "nonce", []byte("key"))
	if err != nil || string(v) != "key" {
		t.Errorf("setting %q, %v", v, err)
	}
	if err = db.CloseContact(ctx, segment("new")); err != nil {
		t.Error(err)
	}
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.driver, func(t *testing.T) {
			url := e.url(t)
			_ = open(t, storage.Options{Driver: e.driver, URL: url}).Close()
			raw := rawDB(t, e.raw, url)
			if _, err := raw.Exec(`INSERT INTO schema_migration (version, name, applied_us) VALUES (99, 'future', 0)`); err != nil {
				t.Fatal(err)
			}
			db, err := storage.Open(t.Context(), storage.Options{Driver: e.driver, URL: url})
			if err == nil {
				_ = db.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), "schema version 99") || !strings.Contains(err.Error(), fmt.Sprint(storage.SchemaVersion())) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

func TestManyProcessesMigrateOneDatabaseAtOnce(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.driver, func(t *testing.T) {
			url := e.url(t)
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					db, err := storage.Open(t.Context(), storage.Options{Driver: e.driver, URL: url})
					if err != nil {
						t.Error(err)
						return
					}
					if err = db.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			var n int
			if err := rawDB(t, e.raw, url).QueryRow(`SELECT COUNT(*) FROM schema_migration`).Scan(&n); err != nil || n != storage.SchemaVersion() {
				t.Errorf("%d migrations applied, %v", n, err)
			}
		})
	}
}

func TestPostgreSQLComesBackAfterItsConnectionsAreCut(t *testing.T) {
	url := server.Database(t)
	db := open(t, storage.Options{Driver: storage.Postgres, URL: url})
	if err := db.CreateContact(t.Context(), segment("c1")); err != nil {
		t.Fatal(err)
	}
	raw := rawDB(t, "pgx", url)
	if _, err := raw.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if _, err = db.Contact(t.Context(), "i1", "c1"); err == nil {
			break
		}
	}
	if err != nil {
		t.Errorf("after ten seconds: %v", err)
	}
	if err = db.CreateContact(t.Context(), segment("c2")); err != nil {
		t.Error(err)
	}
}
