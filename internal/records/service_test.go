package records_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/records"
	"ullim/internal/resource"
	"ullim/storage"
)

// world is a service over a database, with a web service that does what the test says.
type world struct {
	t   *testing.T
	db  *storage.DB
	svc *records.Service

	mu           sync.Mutex
	destinations []*records.Destination
	got          []records.Envelope
	answer       func(item *records.Item) error // nil: takes everything
	objects      map[string]string
}

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t, objects: map[string]string{}}
	var err error
	w.db, err = storage.Open(t.Context(), storage.Options{URL: url, SyncOff: true})
	must(t, err)
	w.svc = records.New(records.Options{
		Node: "n1", Store: w.db, Sender: w, Blobs: w, Dir: t.TempDir(), Agents: eventsOf(w.db),
		Destinations: func(context.Context) ([]*records.Destination, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Clone(w.destinations), nil
		},
	})
	t.Cleanup(func() {
		w.svc.Stop()
		_ = w.db.Close()
	})
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Send is the web service.
func (w *world) Send(_ context.Context, _ *records.Destination, item *records.Item, body []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answer != nil {
		if err := w.answer(item); err != nil {
			return err
		}
	}
	var e records.Envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	w.got = append(w.got, e)
	return nil
}

// PutLines is the blob store.
func (w *world) PutLines(_ context.Context, key string, body []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects[key] = string(body)
	return nil
}

// to adds a destination and starts to serve it.
func (w *world) to(kind string) *records.Destination {
	w.t.Helper()
	d := &records.Destination{Meta: resource.Meta{ID: "d-" + kind, InstanceID: "i1", Name: "crm", Version: 1, CreatedAt: time.Now()}, Type: kind}
	w.mu.Lock()
	w.destinations = append(w.destinations, d)
	w.mu.Unlock()
	must(w.t, w.svc.Sync(w.t.Context()))
	w.svc.Start()
	return d
}

func (w *world) does(answer func(*records.Item) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

// call writes a whole contact.
func (w *world) call(id string) {
	w.t.Helper()
	ctx, at := context.WithoutCancel(w.t.Context()), time.Now().Add(-10*time.Second)
	r := &contact.Record{
		ID: id, InstanceID: "i1", Node: "n1", Channel: contact.Voice, InitiationMethod: contact.Inbound, InitiationTimestamp: at, LastUpdateTimestamp: at,
		ConnectedToSystemTimestamp: at.Add(time.Second),
	}
	must(w.t, w.db.CreateContact(ctx, r))
	r.DisconnectTimestamp, r.DisconnectReason, r.LastUpdateTimestamp = at.Add(2*time.Second), contact.CustomerDisconnect, at.Add(2*time.Second)
	must(w.t, w.db.CloseContact(ctx, r))
}

// story is what came of a contact, in order.
func (w *world) story(contactID string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, e := range w.got {
		var d struct{ EventType, ContactID string }
		if json.Unmarshal(e.Detail, &d) == nil && d.ContactID == contactID {
			if d.EventType == "" {
				d.EventType = "record"
			}
			out = append(out, d.EventType)
		}
	}
	return strings.Join(out, " ")
}

const wholeStory = "INITIATED CONNECTED_TO_SYSTEM DISCONNECTED COMPLETED record"

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) { //nolint:forbidigo // a condition of the outside world
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func TestEveryContactIsToldWholeAndInOrder(t *testing.T) {
	w := newWorld(t, storage.Memory)
	w.to(records.Webhook)
	n := 0
	started := time.Now()
	// A service that fails now and then: the order of each contact is kept.
	w.does(func(*records.Item) error {
		if n++; n%7 == 3 {
			return errs.New(errs.Unavailable, "503")
		}
		return nil
	})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { w.call(fmt.Sprint("c", i)) })
	}
	wg.Wait()
	for i := range 20 {
		id := fmt.Sprint("c", i)
		eventually(t, id+" is told", func() bool {
			story := w.story(id) // it may have gone through in several rounds of the follower; never out of order, never less
			return strings.HasSuffix(story, "record") && strings.HasPrefix(story, "INITIATED")
		})
		if got := w.story(id); got != wholeStory {
			t.Errorf("%s: %s", id, got)
		}
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("a service that fails now and then was left alone for long: %v", took)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := map[string]bool{}
	for _, e := range w.got {
		if ids[e.ID] || e.Sequence == 0 || e.Source != "aws.connect" || len(e.Resources) != 2 {
			t.Errorf("%+v", e)
		}
		ids[e.ID] = true
	}
}

func TestWhatIsAwayGetsEverythingWhenItIsBackAndWhatRefusesGetsDeadLetters(t *testing.T) {
	w := newWorld(t, storage.Memory)
	d := w.to(records.Webhook)
	tries := 0
	w.does(func(item *records.Item) error {
		if item.Key == "poison" && item.Type == "DISCONNECTED" {
			tries++
			return errs.New(errs.Invalid, "400: no")
		}
		return nil
	})
	w.call("poison")
	w.call("good")
	eventually(t, "the other contact is told meanwhile", func() bool { return w.story("good") == wholeStory })
	if got := w.story("poison"); got != "INITIATED CONNECTED_TO_SYSTEM" {
		t.Errorf("behind what is refused came %q", got)
	}
	if s, err := w.db.StreamState(t.Context(), "i1", d.ID); err != nil || s.Waiting == 0 || s.Oldest.IsZero() {
		t.Errorf("no lag is seen: %+v %v", s, err)
	}
	w.svc.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	if tries == 0 {
		t.Error("it was never tried")
	}
}

func TestAServiceThatIsKilledTellsTheRestAfterwardsWithTheSameIds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ullim.db")
	w := newWorld(t, path)
	w.to(records.Webhook)
	w.does(func(*records.Item) error { return errs.New(errs.Unavailable, "away") })
	w.call("c1")
	eventually(t, "the items are in the log", func() bool {
		list, err := w.db.Items(t.Context(), "i1", 0, 10)
		return err == nil && len(list) == 5
	})
	before, err := w.db.Items(t.Context(), "i1", 0, 10)
	must(t, err)
	w.svc.Stop()
	w.call("c2") // nobody follows: the mark waits
	must(t, w.db.Close())

	again := newWorld(t, path)
	d := again.to(records.Webhook)
	_ = d
	eventually(t, "all is told", func() bool { return again.story("c1") == wholeStory && again.story("c2") == wholeStory })
	again.mu.Lock()
	for i, l := range before {
		if again.got[i].ID != l.ID {
			t.Errorf("item %d has the id %s, before %s", i, again.got[i].ID, l.ID)
		}
	}
	told := len(again.got)
	again.mu.Unlock()

	// A replay from before everything: the log again, with the same ids.
	must(t, again.db.ReplayStream(t.Context(), "i1", "d-WEBHOOK", time.Now().Add(-time.Hour)))
	again.svc.Wake("i1")
	eventually(t, "the replay", func() bool {
		again.mu.Lock()
		defer again.mu.Unlock()
		return len(again.got) >= 2*told
	})
	again.mu.Lock()
	defer again.mu.Unlock()
	count := map[string]int{}
	for _, e := range again.got {
		count[e.ID]++
	}
	if len(count) != told {
		t.Errorf("%d different ids of %d items", len(count), told)
	}
}

func TestRecordsThatAreNoLongerInTheLogAreReplayedFromTheContacts(t *testing.T) {
	w := newWorld(t, storage.Memory)
	w.to(records.Webhook)
	for i := range 5 {
		w.call(fmt.Sprint("c", i))
	}
	for i := range 5 {
		eventually(t, "all is told", func() bool { return w.story(fmt.Sprint("c", i)) == wholeStory })
	}
	ids := map[string]bool{}
	w.mu.Lock()
	for _, e := range w.got {
		ids[e.ID] = true
	}
	w.got = nil
	w.mu.Unlock()
	for removed := 1; removed > 0; {
		var err error
		removed, _, err = w.db.TrimStream(t.Context(), time.Now().Add(time.Minute), time.Now().Add(time.Minute))
		must(t, err)
	}
	// Two that cannot be taken at first, of one page.
	refused := 0
	w.does(func(item *records.Item) error {
		if item.Key == "c2" && refused < 2 {
			refused++
			return errs.New(errs.Unavailable, "503")
		}
		return nil
	})
	must(t, w.db.ReplayStream(t.Context(), "i1", "d-WEBHOOK", time.Now().Add(-time.Hour)))
	w.svc.Wake("i1")
	for i := range 5 {
		id := fmt.Sprint("c", i)
		eventually(t, id+" is told again", func() bool { return strings.Contains(w.story(id), "record") })
	}
	eventually(t, "the replay ends", func() bool {
		s, err := w.db.StreamState(t.Context(), "i1", "d-WEBHOOK")
		return err == nil && s.Cursor.RefillTo.IsZero()
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.got {
		if !ids[e.ID] {
			t.Errorf("a record came with a new id: %s %s", e.ID, e.DetailType)
		}
	}
	if len(w.got) != 5 {
		t.Errorf("%d records came again", len(w.got))
	}
}

func TestLinesAreAppendedWholeAfterACrash(t *testing.T) {
	w := newWorld(t, storage.Memory)
	d := w.to(records.File)
	w.call("c1")
	dir := ""
	read := func() []string {
		matches, err := filepath.Glob(filepath.Join(dir, d.ID, "*.jsonl"))
		must(t, err)
		var out []string
		for _, m := range matches {
			b, err := os.ReadFile(m)
			must(t, err)
			if len(b) > 0 {
				out = append(out, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")...)
			}
		}
		return out
	}
	dir = w.svc.Dir()
	eventually(t, "five lines, and known to be there", func() bool {
		s, err := w.db.StreamState(t.Context(), "i1", d.ID)
		return err == nil && s.Waiting == 0 && len(read()) == 5
	})
	w.svc.Stop()
	// What a process that died has left of a line.
	f, err := os.OpenFile(filepath.Join(dir, d.ID, "current.jsonl"), os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	_, err = f.WriteString(`{"id":"half`)
	must(t, err)
	must(t, f.Close())
	again := records.New(records.Options{
		Node: "n1", Store: w.db, Sender: w, Blobs: w, Dir: dir,
		Destinations: func(context.Context) ([]*records.Destination, error) { return []*records.Destination{d}, nil },
	})
	must(t, again.Sync(t.Context()))
	again.Start()
	defer again.Stop()
	w.call("c2")
	eventually(t, "ten lines", func() bool { return len(read()) == 10 })
	for _, line := range read() {
		if !json.Valid([]byte(line)) {
			t.Errorf("not a line: %s", line)
		}
	}
}

func TestADestinationThatIsPausedOrGoneIsNotServed(t *testing.T) {
	w := newWorld(t, storage.Memory)
	d := w.to(records.Webhook)
	w.call("c1")
	eventually(t, "c1 is told", func() bool { return w.story("c1") == wholeStory })
	paused := *d
	paused.Paused, paused.Version = true, 2
	w.mu.Lock()
	w.destinations = []*records.Destination{&paused}
	w.mu.Unlock()
	must(t, w.svc.Sync(t.Context()))
	w.call("c2")
	eventually(t, "c2 is in the log", func() bool {
		s, err := w.db.StreamState(t.Context(), "i1", d.ID)
		return err == nil && s.Waiting == 5
	})
	if w.story("c2") != "" {
		t.Error("a paused destination was served")
	}
	resumed := *d
	resumed.Version = 3
	w.mu.Lock()
	w.destinations = []*records.Destination{&resumed}
	w.mu.Unlock()
	must(t, w.svc.Sync(t.Context()))
	eventually(t, "c2 is told", func() bool { return w.story("c2") == wholeStory })
	w.mu.Lock()
	w.destinations = nil
	w.mu.Unlock()
	must(t, w.svc.Sync(t.Context()))
	if w.svc.Wants("i1") || len(w.svc.Readings()) != 0 {
		t.Error("nobody is served, and something is wanted")
	}
}
