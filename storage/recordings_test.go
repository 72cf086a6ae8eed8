package storage_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/recording"
	"ullim/storage"
)

// TestContactsFromBeforeThereWasAnIndexOfRecordingsAreFound empties the index, as it is after the migration.
func TestContactsFromBeforeThereWasAnIndexOfRecordingsAreFound(t *testing.T) {
	path := file(t)
	db, err := storage.Open(t.Context(), storage.Options{Driver: storage.SQLite, URL: path, SyncOff: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	at := time.Now().Add(-48 * time.Hour)
	for i := range 1100 { // more than a page
		r := &contact.Record{
			ID: fmt.Sprintf("c%04d", i), InstanceID: "i1", Channel: contact.Voice, InitiationTimestamp: at, DisconnectTimestamp: at,
			Recordings: []contact.Recording{{Location: "x", Status: contact.RecordingAvailable, Stop: at}},
		}
		if err = db.CloseContact(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err = raw.ExecContext(t.Context(), `DELETE FROM recording`); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		list, listErr := db.DueRecordings(t.Context(), "i1", recording.Selection{Channel: contact.Voice, NotQueues: []string{}, Before: time.Now()}, nil, 2000)
		if listErr != nil {
			t.Fatal(listErr)
		}
		return len(list)
	}
	if n := count(); n != 0 {
		t.Fatalf("%d in an empty index", n)
	}
	for range 2 {
		if err = db.IndexOldRecordings(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != 1100 {
			t.Errorf("%d recordings are found, want 1100", n)
		}
	}
}
