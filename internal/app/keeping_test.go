package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/jobs"
	"ullim/internal/recording"
	"ullim/internal/resource"
	"ullim/media/archive"
	"ullim/storage/blob"
)

// bucketPlaces are places in buckets of an S3 server, reached through a proxy.
func bucketPlaces(t *testing.T, addr, proxy string, sealed bool) (*places, *minio.Client) {
	t.Helper()
	client, err := minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4(gatewayKey, gatewaySecret, ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"recordings", "acme-calls"} {
		if err = client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	s3, err := blob.NewS3(blob.S3Options{
		Endpoint: proxy, Region: "us-east-1", Bucket: "recordings", AccessKey: gatewayKey, SecretKey: gatewaySecret, PathStyle: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s3.Close() })
	p := &places{name: "recordings", s3: s3, more: []string{"acme-calls", "gone"}, sealed: func(s blob.Store) blob.Store { return s }}
	if sealed {
		ring, err := blob.ParseKeyRing("k1 " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
		if err != nil {
			t.Fatal(err)
		}
		p.sealed = func(s blob.Store) blob.Store { return blob.Seal(s, ring) }
	}
	p.own = p.sealed(s3)
	return p, client
}

// objects are the names in a bucket.
func objects(t *testing.T, c *minio.Client, bucket, prefix string) (names []string) {
	t.Helper()
	for o := range c.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		names = append(names, o.Key)
	}
	return names
}

// TestEveryRecordingArrivesOnceWhateverTheStoreDoes has a store that fails a third of the time, is away in the middle, and
// a process that ends there.
func TestEveryRecordingArrivesOnceWhateverTheStoreDoes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		format archive.Format
		sealed bool
	}{{"WAV", archive.WAV, false}, {"FLAC, encrypted", archive.FLAC, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const calls = 24
			addr := gateway(t)
			net, proxy := newFaults(t, addr, 11)
			p, client := bucketPlaces(t, addr, proxy, tt.sealed)
			k := newKeeper(t, p, tt.format)
			net.often.Store(35)
			k.runner.Start()
			files := map[string][]byte{}
			record := func(from, to int) {
				for i := from; i < to; i++ {
					id := fmt.Sprintf("c%02d", i)
					files[id] = k.recorded(id, 8000+i)
				}
				k.runner.Wake()
			}
			record(0, calls/3)
			k.becomes("c00", contact.RecordingAvailable)
			net.away.Store(true)
			record(calls/3, 2*calls/3)
			for deadline := time.Now().Add(30 * time.Second); k.uploads.gates.count() == 0 && time.Now().Before(deadline); {
				time.Sleep(10 * time.Millisecond)
			}
			k.runner.Stop() // the process ends, and another begins
			k.begin(p, tt.format)
			k.runner.Start()
			record(2*calls/3, calls)
			net.away.Store(false)

			for id := range files {
				k.becomes(id, contact.RecordingAvailable)
			}
			net.often.Store(0) // what is read from here on is what is there
			keys := map[string]bool{}
			for id, file := range files {
				rec := k.one(id)
				b := k.content(rec, rec.Location)
				if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != rec.SHA256 || int64(len(b)) != rec.Bytes || rec.Spool != "" {
					t.Errorf("%s: the object is not what the record says: %+v", id, rec)
				}
				if tt.format == archive.WAV && !bytes.Equal(b, file) {
					t.Errorf("%s: the object is not what was recorded", id)
				}
				if tt.format == archive.FLAC && (!bytes.HasPrefix(b, []byte("fLaC")) || !strings.HasSuffix(rec.Location, "_UTC.flac")) {
					t.Errorf("%s: %s begins with %q", id, rec.Location, b[:4])
				}
				var peaks archive.Peaks
				if err := json.Unmarshal(k.content(rec, rec.Waveform), &peaks); err != nil || peaks.Channels != 2 || peaks.Length == 0 {
					t.Errorf("%s: peaks %+v, %v", id, peaks, err)
				}
				keys[rec.Location] = true
			}
			names := objects(t, client, "recordings", "connect/acme/CallRecordings/")
			for _, name := range names {
				if !keys[name] {
					t.Errorf("an object that no record knows: %s", name)
				}
			}
			if len(names) != calls {
				t.Errorf("%d objects for %d recordings", len(names), calls)
			}
			k.runner.Stop()
			for _, folder := range []string{"spool", "converting"} {
				if left, _ := filepath.Glob(filepath.Join(k.dir, folder, "*")); len(left) != 0 {
					t.Errorf("left behind: %v", left)
				}
			}
		})
	}
}

// TestAnInstanceChoosesItsBucketAndABucketThatIsGoneHoldsUpNobody has two sorts of places, one of which does not exist.
func TestAnInstanceChoosesItsBucketAndABucketThatIsGoneHoldsUpNobody(t *testing.T) {
	t.Parallel()
	addr := gateway(t)
	_, proxy := newFaults(t, addr, 3)
	p, client := bucketPlaces(t, addr, proxy, false)
	k := newKeeper(t, p, archive.WAV)
	config := &recording.StorageConfig{
		Meta: resource.Meta{InstanceID: keeperInstance, Name: string(recording.CallRecordings)}, Bucket: "gone", Prefix: "calls",
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(k.stores.storage.Create(t.Context(), config))
	k.recorded("c1", 100)
	k.runner.Start()
	for deadline := time.Now().Add(30 * time.Second); k.uploads.gates.count() == 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	config.Bucket = "acme-calls"
	must(k.stores.storage.Update(t.Context(), config))
	k.recorded("c2", 200)
	k.runner.Wake()
	rec := k.becomes("c2", contact.RecordingAvailable)
	const want = "calls/CallRecordings/2026/11/22/c2_20261122T08:30_UTC.wav"
	if rec.Location != want || rec.Bucket != "acme-calls" || len(objects(t, client, "acme-calls", want)) != 1 {
		t.Errorf("it lies at %s %s", rec.Bucket, rec.Location)
	}
	if rec = k.one("c1"); rec.Status != contact.RecordingSpooled || rec.Bucket != "gone" {
		t.Errorf("what was decided for the bucket that is gone: %+v", rec)
	}
	must(client.MakeBucket(t.Context(), "gone", minio.MakeBucketOptions{}))
	k.becomes("c1", contact.RecordingAvailable)
	p.more = nil // the operator offers none any more
	k.recorded("c3", 300)
	k.runner.Wake()
	if rec = k.becomes("c3", contact.RecordingAvailable); rec.Bucket != "" || !strings.HasPrefix(rec.Location, "connect/acme/") {
		t.Errorf("it lies at %s %s", rec.Bucket, rec.Location)
	}
	if b := k.content(k.one("c1"), k.one("c1").Location); len(b) != 44+400 {
		t.Errorf("what lies in a bucket that is no longer offered has %d bytes", len(b))
	}
}

func TestARecordingThatCannotBeConvertedIsKeptAsItIs(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, filePlaces(t), archive.FLAC)
	file := k.recorded("c1", 1000)
	if err := os.WriteFile(filepath.Join(k.dir, "converting"), nil, 0o600); err != nil { // no folder can be made there
		t.Fatal(err)
	}
	k.runner.Start()
	rec := k.becomes("c1", contact.RecordingAvailable)
	if !strings.HasSuffix(rec.Location, ".wav") || !bytes.Equal(k.content(rec, rec.Location), file) {
		t.Errorf("it is kept as %+v", rec)
	}
}

// lockedStore refuses to erase, as a bucket with object lock does.
type lockedStore struct{ blob.Store }

func (lockedStore) Erase(context.Context, string) error {
	return errs.New(errs.Conflict, "the bucket's object lock (COMPLIANCE) keeps it until 2031-01-01T00:00:00Z")
}

// awayStore does not answer.
type awayStore struct{ blob.Store }

func (awayStore) Erase(context.Context, string) error { return errs.New(errs.Unavailable, "away") }

func TestWhatHasBeenKeptLongEnoughGoesAndWhatIsHeldStays(t *testing.T) {
	t.Parallel()
	p := filePlaces(t)
	files := p.own
	k := newKeeper(t, p, archive.WAV)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"old", "held", "other"} {
		k.recorded(id, 100)
	}
	k.runner.Start()
	for _, id := range []string{"old", "held", "other"} {
		k.becomes(id, contact.RecordingAvailable)
	}
	policy := &recording.Policy{Meta: resource.Meta{InstanceID: keeperInstance, Name: recording.PolicyName}, Rules: []recording.Rule{{Days: 1}}}
	must(k.stores.retention.Create(ctx, policy))
	retain := func() {
		t.Helper()
		if err := k.eraser.retain(ctx, jobs.Job{}); err == nil || !strings.Contains(err.Error(), "again at") {
			t.Fatal(err)
		}
	}
	retain() // everything is an hour old
	if rec := k.one("old"); rec.Status != contact.RecordingAvailable {
		t.Fatalf("after an hour: %+v", rec)
	}
	// What is there is two days old from now on.
	for _, id := range []string{"old", "held"} {
		must(k.db.MarkRecording(ctx, id, 0, func(r *contact.Recording) { r.Stop = time.Now().AddDate(0, 0, -2) }))
	}
	must(k.db.PutHold(ctx, recording.Hold{InstanceID: keeperInstance, ContactID: "held", Reason: "dispute", UserID: "u", Since: time.Now()}))
	old := k.one("old")
	retain()
	if rec := k.one("old"); rec.Status != contact.RecordingDeleting { // decided, and the process ends here
		t.Fatalf("%+v", rec)
	}
	k.begin(p, archive.WAV)
	k.slow.Start()
	rec := k.becomes("old", contact.RecordingDeleted)
	if !strings.HasPrefix(rec.Reason, "retention policy: ended before ") || rec.SHA256 == "" || rec.Waveform != "" {
		t.Errorf("the record of what is gone: %+v", rec)
	}
	for _, key := range []string{old.Location, old.Waveform} {
		if _, err := files.Stat(ctx, key); !errs.Is(err, errs.NotFound) {
			t.Errorf("%s: %v", key, err)
		}
	}
	for _, id := range []string{"held", "other"} {
		if rec = k.one(id); rec.Status != contact.RecordingAvailable {
			t.Errorf("%s: %+v", id, rec)
		}
	}
	ref := recording.Ref{InstanceID: keeperInstance, ContactID: "held"}
	if _, err := k.eraser.Delete(ctx, ref, "x"); !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "dispute") {
		t.Errorf("somebody deletes what is held: %v", err)
	}

	_, err := k.db.DropHold(ctx, keeperInstance, "held")
	must(err)
	p.own = lockedStore{files}
	if _, err = k.eraser.Delete(ctx, ref, "x"); !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "2031") {
		t.Errorf("of a locked bucket: %v", err)
	}
	if rec = k.one("held"); rec.Status != contact.RecordingAvailable || !strings.Contains(rec.Reason, "object lock") {
		t.Errorf("what is locked: %+v", rec)
	}
	k.slow.Stop() // else the store is left alone for a minute, as it should be
	p.own = awayStore{files}
	if status, err := k.eraser.Delete(ctx, ref, "the customer asked"); err != nil || status != contact.RecordingDeleting {
		t.Errorf("while the store is away: %s, %v", status, err)
	}
	p.own = files
	k.begin(p, archive.WAV)
	k.slow.Start()
	if rec = k.becomes("held", contact.RecordingDeleted); rec.Reason != "the customer asked" {
		t.Errorf("%+v", rec)
	}
	if status, err := k.eraser.Delete(ctx, recording.Ref{InstanceID: keeperInstance, ContactID: "other"}, "by hand"); err != nil || status != contact.RecordingDeleted {
		t.Errorf("by hand: %s, %v", status, err)
	}
}

func TestAGateLetsOneTryAndPutsTheOthersOff(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	g := newGates()
	g.now = func() time.Time { return at }
	if _, ok := g.enter("b"); !ok {
		t.Error("shut from the beginning")
	}
	longest := time.Duration(0)
	for day := at.Add(24 * time.Hour); at.Before(day); {
		until := g.failed("b")
		if wait := until.Sub(at); wait <= 0 || wait > gateMost {
			t.Fatalf("a wait of %s", wait)
		} else {
			longest = max(longest, wait)
		}
		for range 3 {
			again, ok := g.enter("b")
			if ok {
				t.Fatal("another goes in while the gate is shut")
			}
			if wait := again.Sub(at); wait <= 0 || wait > gateMost+gateRange {
				t.Fatalf("put off by %s", wait)
			}
		}
		if _, ok := g.enter("another"); !ok {
			t.Fatal("another bucket is shut, too")
		}
		at = until
		if _, ok := g.enter("b"); !ok {
			t.Fatal("nobody may try")
		}
		if _, ok := g.enter("b"); ok {
			t.Fatal("two try at once")
		}
	}
	if longest < gateMost/2 {
		t.Errorf("the longest wait of a day is %s", longest)
	}
	if !g.works("b") || g.works("b") || g.count() != 0 {
		t.Error("the gate opens once")
	}
}

func TestTheSpoolHasRoomUntilAMarkAndAgainBehindAnother(t *testing.T) {
	t.Parallel()
	o := SpoolOptions{Limit: 1000, Free: 400}
	for _, tt := range []struct {
		was         bool
		bytes, free int64
		want        bool
	}{
		{false, 999, 400, false},
		{false, 1000, 4000, true},
		{false, 0, 399, true},
		{true, 950, 4000, true}, // not before a tenth less
		{true, 899, 4000, false},
		{true, 0, 499, true}, // not before a quarter more
		{true, 0, 500, false},
		{false, 0, -1, false}, // not known
	} {
		if got := o.full(tt.was, spoolReading{Bytes: tt.bytes, Free: tt.free}); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
	if (SpoolOptions{}).full(false, spoolReading{Bytes: 1 << 60, Free: 0}) {
		t.Error("full without a limit")
	}
}

func TestAFullSpoolIsToldOnceAndCostsRecordingsOrNewCalls(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var alarms []string
	now := spoolReading{Free: 1000}
	g := &spoolGuard{
		o: SpoolOptions{Free: 100}, log: slog.New(slog.NewTextHandler(&log, nil)), alarm: func(s string) { alarms = append(alarms, s) },
		read: func(string) spoolReading { return now },
	}
	g.look()
	if g.room() != nil || g.admits() != nil || g.ready() != nil {
		t.Error("no room in an empty spool")
	}
	now.Free = 50
	g.look()
	g.look()
	if !errs.Is(g.room(), errs.Unavailable) || g.admits() != nil || g.ready() != nil {
		t.Error("calls go on unrecorded")
	}
	g.o.Refuse = true
	if !errs.Is(g.admits(), errs.Unavailable) || g.ready() == nil || g.refused.Load() != 2 {
		t.Errorf("calls that would be recorded are refused: %d", g.refused.Load())
	}
	now.Free = 1000
	g.look()
	if g.room() != nil || g.admits() != nil || g.ready() != nil {
		t.Error("there is room again")
	}
	if len(alarms) != 1 || strings.Count(log.String(), "level=ERROR") != 1 || !strings.Contains(log.String(), "has room again") {
		t.Errorf("%v\n%s", alarms, log.String())
	}
}

func TestTheSpoolIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if r := readSpool(dir); r.Files != 0 || r.Bytes != 0 || !r.Oldest.IsZero() || r.Free <= 0 {
		t.Errorf("empty: %+v", r)
	}
	for name, n := range map[string]int{"a": 10, "b": 20, "c.part": 40} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := errors.Join(os.Chtimes(filepath.Join(dir, "b"), old, old), os.Mkdir(filepath.Join(dir, "d"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if r := readSpool(dir); r.Files != 2 || r.Bytes != 70 || !r.Oldest.Equal(old) {
		t.Errorf("%+v", r)
	}
	if r := readSpool(filepath.Join(dir, "nowhere")); r.Files != 0 || r.Free != -1 {
		t.Errorf("nowhere: %+v", r)
	}
}
