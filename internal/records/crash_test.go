package records_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/records"
	"ullim/internal/resource"
	"ullim/storage"
)

// crashEnv makes the test binary a process that writes contacts and tells of them until it is killed: its value is the
// data folder and a prefix.
const crashEnv = "ULLIM_TEST_CRASH_TELLER"

func TestMain(m *testing.M) {
	if arg := os.Getenv(crashEnv); arg != "" {
		folder, prefix, _ := strings.Cut(arg, "|")
		if err := teller(folder, prefix); err != nil {
			fmt.Println("!", err)
		}
		return
	}
	os.Exit(m.Run())
}

// crashDestination is the same in every process.
func crashDestination() *records.Destination {
	return &records.Destination{Meta: resource.Meta{ID: "d1", InstanceID: "i1", Name: "lines", Version: 1}, Type: records.File}
}

func crashService(folder string) (*storage.DB, *records.Service, error) {
	db, err := storage.Open(context.Background(), storage.Options{URL: filepath.Join(folder, "ullim.db")})
	if err != nil {
		return nil, nil, err
	}
	svc := records.New(records.Options{
		Node: "n1", Store: db, Dir: folder, Agents: eventsOf(db),
		Destinations: func(context.Context) ([]*records.Destination, error) {
			return []*records.Destination{crashDestination()}, nil
		},
	})
	if err = svc.Sync(context.Background()); err != nil {
		return nil, nil, err
	}
	svc.Start()
	return db, svc, nil
}

// teller writes contacts, and prints each when it is closed.
func teller(folder, prefix string) error {
	db, _, err := crashService(folder)
	if err != nil {
		return err
	}
	fail := make(chan error)
	go func() { fail <- agentAtWork(db, prefix) }()
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				at := time.Now()
				r := &contact.Record{
					ID: fmt.Sprintf("%s-%d-%d", prefix, w, i), InstanceID: "i1", Node: "n1", Channel: contact.Voice, InitiationTimestamp: at,
					ConnectedToSystemTimestamp: at,
				}
				if err := db.CreateContact(context.Background(), r); err != nil {
					fail <- err
					return
				}
				r.DisconnectTimestamp, r.LastUpdateTimestamp = at.Add(time.Millisecond), time.Now()
				if err := db.CloseContact(context.Background(), r); err != nil {
					fail <- err
					return
				}
				_, _ = os.Stdout.WriteString(r.ID + "\n")
			}
		}()
	}
	return <-fail
}

func TestNothingIsLostWhenTheProcessIsKilled(t *testing.T) {
	folder := t.TempDir()
	closed := map[string]bool{}
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|r%d", crashEnv, folder, round))
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		kill := time.AfterFunc(time.Duration(700+400*round)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "!") {
				t.Fatal(lines.Text())
			}
			closed[lines.Text()] = true
		}
		kill.Stop()
		_ = cmd.Wait() // it was killed
	}
	if len(closed) < 50 {
		t.Fatalf("only %d contacts were closed", len(closed))
	}
	db, svc, err := crashService(folder)
	must(t, err)
	defer func() {
		svc.Stop()
		must(t, db.Close())
	}()
	eventually(t, "everything is delivered", func() bool {
		marks, err := db.Marks(t.Context(), 1)
		must(t, err)
		s, err := db.StreamState(t.Context(), "i1", "d1")
		must(t, err)
		events, last, err := eventsOf(db)(t.Context(), "i1", 0, 1<<20)
		must(t, err)
		at, err := db.AgentCursor(t.Context(), "i1", time.Time{})
		must(t, err)
		return len(marks) == 0 && s.Waiting == 0 && at == last && len(events) > 0
	})
	stories, bodies := readStories(t, filepath.Join(folder, "d1"))
	for id := range closed {
		if event, isEvent := strings.CutPrefix(id, "agent event "); isEvent {
			if bodies[event] == "" {
				t.Errorf("event %s of an agent was not told", event)
			}
			continue
		}
		if stories[id] != wholeStory {
			t.Errorf("%s: %q", id, stories[id])
		}
	}
	t.Logf("%d contacts were closed, %d items told", len(closed), len(bodies))
}

// readStories reads every line. The same id must say the same; it counts once.
func readStories(t *testing.T, dir string) (stories, bodies map[string]string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	must(t, err)
	stories, bodies = map[string]string{}, map[string]string{}
	for _, name := range names { // "current" sorts behind the digits of the others
		f, err := os.Open(name)
		must(t, err)
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var e records.Envelope
			if err = json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatalf("%s: %v: %s", name, err, lines.Text())
			}
			if before, twice := bodies[e.ID]; twice {
				if before != string(e.Detail) {
					t.Errorf("item %s says two things", e.ID)
				}
				continue
			}
			bodies[e.ID] = string(e.Detail)
			var d struct{ EventType, ContactID string }
			must(t, json.Unmarshal(e.Detail, &d))
			if d.EventType == "" {
				d.EventType = "record"
			}
			stories[d.ContactID] = strings.TrimSpace(stories[d.ContactID] + " " + d.EventType)
		}
		must(t, lines.Err())
		must(t, f.Close())
	}
	return stories, bodies
}
