package storage_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ullim/acd"
	"ullim/internal/contact"
	"ullim/storage"
)

// nobody is told of contacts, as with an instance that has no destination of records.
func nobody(string) bool { return false }

// BenchmarkCommits measures single-row writes, each acknowledged after a durable commit (SQLite, WAL, FULL).
func BenchmarkCommits(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			db := open(b, storage.Options{URL: filepath.Join(b.TempDir(), "ullim.db"), Streams: nobody})
			before := db.Stats()
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for {
						i := next.Add(1)
						if i > int64(b.N) {
							return
						}
						if err := db.CreateContact(b.Context(), segment(fmt.Sprint(i))); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			after := db.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			b.ReportMetric(float64(after.Writes-before.Writes)/float64(max(after.Commits-before.Commits, 1)), "writes/commit")
		})
	}
}

// BenchmarkContact is what one call writes: created, an agent reserved and connected, closed with a recording.
func BenchmarkContact(b *testing.B) {
	for _, calls := range []int{1, 64} {
		b.Run(fmt.Sprintf("calls=%d", calls), func(b *testing.B) {
			db := open(b, storage.Options{URL: filepath.Join(b.TempDir(), "ullim.db"), Streams: nobody})
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range calls {
				wg.Go(func() {
					for {
						i := next.Add(1)
						if i > int64(b.N) {
							return
						}
						if err := oneContact(b, db, fmt.Sprint(i)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

func oneContact(b *testing.B, db *storage.DB, id string) error {
	b.Helper()
	ctx := b.Context()
	r := segment(id)
	if err := db.CreateContact(ctx, r); err != nil {
		return err
	}
	offer := acd.Reservation{OfferID: id, InstanceID: "i1", UserID: id, ContactID: id, Channel: contact.Voice, State: acd.SlotOffered, Node: "n1"}
	if _, _, err := db.Reserve(ctx, offer, 0, 1); err != nil {
		return err
	}
	if err := db.MoveReservation(ctx, id, acd.SlotConnected, r.InitiationTimestamp); err != nil {
		return err
	}
	r.Recordings = []contact.Recording{{Location: id, Spool: id, Status: contact.RecordingSpooled}}
	if err := db.CloseContact(ctx, r); err != nil {
		return err
	}
	return db.EndReservation(ctx, id)
}

// BenchmarkClose is the last write of a short call that no agent had, which shares its commit.
func BenchmarkClose(b *testing.B) {
	db := open(b, storage.Options{URL: filepath.Join(b.TempDir(), "ullim.db"), Streams: nobody})
	var wg sync.WaitGroup
	for i := range b.N {
		r := segment(fmt.Sprint(i))
		r.Channel, r.InitiationMethod, r.DisconnectReason = contact.Voice, contact.Inbound, contact.CustomerDisconnect
		r.ConnectedToSystemTimestamp, r.DisconnectTimestamp = r.InitiationTimestamp, r.InitiationTimestamp.Add(time.Second)
		wg.Add(1)
		db.CloseContactLater(r, func(err error) {
			defer wg.Done()
			if err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

// BenchmarkRead is the read of one contact record by its id.
func BenchmarkRead(b *testing.B) {
	db := open(b, storage.Options{URL: filepath.Join(b.TempDir(), "ullim.db")})
	if err := db.CreateContact(b.Context(), segment("c1")); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		if _, err := db.Contact(b.Context(), "i1", "c1"); err != nil {
			b.Fatal(err)
		}
	}
}
