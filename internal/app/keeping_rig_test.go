package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/jobs"
	"ullim/media/archive"
	"ullim/storage"
	"ullim/storage/blob"
)

// keeper is what keeps recordings, without calls: a database, a spool, and a store.
type keeper struct {
	t      *testing.T
	db     *storage.DB
	stores *stores
	dir    string
	*keeping
}

const keeperInstance = "i1"

func newKeeper(t *testing.T, p *places, format archive.Format) *keeper {
	t.Helper()
	dir := t.TempDir()
	db, err := storage.Open(t.Context(), storage.Options{Driver: storage.SQLite, URL: filepath.Join(dir, "ullim.db"), SyncOff: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err = os.Mkdir(filepath.Join(dir, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	k := &keeper{t: t, db: db, stores: newStores(db), dir: dir}
	k.begin(p, format)
	return k
}

// begin is the start of a process.
func (k *keeper) begin(p *places, format archive.Format) {
	k.t.Helper()
	root, err := os.OpenRoot(filepath.Join(k.dir, "spool"))
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = root.Close() })
	c := &keeping{places: p}
	log := slog.New(slog.DiscardHandler)
	c.uploads = &uploader{
		db: k.db, places: p, configs: k.stores.storage, alias: func(string) (string, bool) { return "acme", true }, spool: root,
		work: filepath.Join(k.dir, "converting"), format: format, log: log, gates: newGates(),
	}
	c.eraser = &eraser{
		db: k.db, uploads: c.uploads, policies: k.stores.retention, instances: func() []string { return []string{keeperInstance} },
		every: time.Hour, log: log, wake: func() { c.slow.Wake() },
	}
	fast := jobs.Backoff{First: 50 * time.Millisecond, Most: 500 * time.Millisecond}
	c.runner = jobs.New(jobs.Options{Store: k.db, Workers: 4, Backoff: fast, Handlers: map[string]jobs.Handler{storage.JobUpload: c.uploads.handle}})
	c.slow = jobs.New(jobs.Options{Store: k.db, Workers: 2, Backoff: fast, Handlers: map[string]jobs.Handler{storage.JobErase: c.eraser.handle}})
	c.uploads.hurry = func() {
		_ = k.db.HurryJobs(context.Background(), storage.JobUpload)
		c.runner.Wake()
	}
	k.keeping = c
	if err = k.db.ReleaseJobs(k.t.Context(), storage.JobUpload); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(c.runner.Stop)
	k.t.Cleanup(c.slow.Stop)
}

// recorded closes a contact with one recording in the spool, of so many frames of noise.
func (k *keeper) recorded(id string, frames int) []byte {
	k.t.Helper()
	pcm := make([]byte, 4*frames)
	random := rand.New(rand.NewPCG(uint64(frames), uint64(len(id))))
	for i := 0; i < len(pcm); i += 2 {
		binary.LittleEndian.PutUint16(pcm[i:], uint16(random.IntN(2000)-1000))
	}
	head := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00\x40\x1f\x00\x00\x00\x7d\x00\x00\x04\x00\x10\x00data\x00\x00\x00\x00")
	binary.LittleEndian.PutUint32(head[4:], uint32(len(head)+len(pcm)-8))
	binary.LittleEndian.PutUint32(head[40:], uint32(len(pcm)))
	file := append(head, pcm...)
	at := time.Now().Add(-time.Hour)
	key := fmt.Sprintf("connect/acme/CallRecordings/2026/11/22/%s_20261122T08:30_UTC.wav", id)
	if err := os.WriteFile(filepath.Join(k.dir, "spool", id), file, 0o600); err != nil {
		k.t.Fatal(err)
	}
	r := &contact.Record{ID: id, InstanceID: keeperInstance, Channel: contact.Voice, InitiationTimestamp: at, DisconnectTimestamp: at.Add(time.Minute), Recordings: []contact.Recording{
		{Location: key, Spool: id, Start: at, Stop: at.Add(time.Minute), Status: contact.RecordingSpooled},
	}}
	if err := k.db.CloseContact(k.t.Context(), r); err != nil {
		k.t.Fatal(err)
	}
	return file
}

func (k *keeper) one(id string) contact.Recording {
	k.t.Helper()
	r, err := k.db.Contact(k.t.Context(), keeperInstance, id)
	if err != nil {
		k.t.Fatal(err)
	}
	return r.Recordings[0]
}

// becomes waits for a status.
func (k *keeper) becomes(id string, want contact.RecordingStatus) contact.Recording {
	k.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		rec := k.one(id)
		if rec.Status == want {
			return rec
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("recording of %s is %+v, want %s", id, rec, want)
		}
	}
}

// content is what is stored, decrypted.
func (k *keeper) content(rec contact.Recording, key string) []byte {
	k.t.Helper()
	store, err := k.places.at(rec.Bucket, "")
	if err != nil {
		k.t.Fatal(err)
	}
	body, _, err := store.Get(k.t.Context(), key)
	if err != nil {
		k.t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		k.t.Fatal(err)
	}
	return b
}

// filePlaces keep files in a folder; more are the buckets offered besides.
func filePlaces(t *testing.T) *places {
	t.Helper()
	files, err := blob.NewFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	return &places{own: files, name: filesBucket, sealed: func(s blob.Store) blob.Store { return s }}
}

// Keys of the S3 server of the tests.
const (
	gatewayKey    = "ullim-test"
	gatewaySecret = "ullim-test-secret"
)

// gateway starts versitygw and gives its address.
func gateway(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("ULLIM_VERSITYGW")
	if bin == "" {
		out, err := exec.Command("go", "env", "GOMOD").Output()
		if err != nil {
			t.Fatal(err)
		}
		bin = filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), ".cache", "tools", "versitygw")
	}
	if _, err := os.Stat(bin); err != nil {
		t.Fatalf("this test needs the S3 server versitygw: make tools, or set ULLIM_VERSITYGW: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	data, meta := t.TempDir(), t.TempDir()
	cmd := exec.Command(bin, "--port", addr, "--access", gatewayKey, "--secret", gatewaySecret, "--quiet", "posix", "--sidecar", meta, data)
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatal("versitygw does not answer")
		}
	}
}

// faults is a proxy in front of an object store that does what networks and servers do.
type faults struct {
	away  atomic.Bool  // nobody answers
	often atomic.Int64 // of a hundred requests so many go wrong
	seen  atomic.Int64

	mu     sync.Mutex
	random *rand.Rand
	proxy  *httputil.ReverseProxy
}

func newFaults(t *testing.T, addr string, seed uint64) (*faults, string) {
	t.Helper()
	f := &faults{random: rand.New(rand.NewPCG(seed, 7)), proxy: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})}
	f.proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return f, srv.URL
}

func (f *faults) chance(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.random.IntN(n)
}

// ServeHTTP implements http.Handler. http.ErrAbortHandler cuts the connection.
func (f *faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.seen.Add(1)
	if f.away.Load() {
		panic(http.ErrAbortHandler)
	}
	if f.chance(100) >= int(f.often.Load()) {
		f.proxy.ServeHTTP(w, r)
		return
	}
	switch f.chance(5) {
	case 0: // an overloaded server
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader([]int{500, 502, 503, 429}[f.chance(4)])
	case 1: // a connection cut in the middle of what we send
		_, _ = io.CopyN(io.Discard, r.Body, max(r.ContentLength/2, 1))
		panic(http.ErrAbortHandler)
	case 2: // done, and nobody hears of it
		f.proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case 3: // an answer that is cut off
		out := httptest.NewRecorder()
		f.proxy.ServeHTTP(out, r)
		maps.Copy(w.Header(), out.Header())
		w.Header().Set("Content-Length", fmt.Sprint(out.Body.Len()+100))
		w.WriteHeader(out.Code)
		_, _ = io.Copy(w, bytes.NewReader(out.Body.Bytes()))
		panic(http.ErrAbortHandler)
	case 4: // slow
		time.Sleep(time.Duration(f.chance(300)) * time.Millisecond)
		f.proxy.ServeHTTP(w, r)
	}
}
