package storage_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/storage"
)

// crashEnv makes the test binary a writer that is killed: its value is the path of the database and a prefix.
const crashEnv = "ULLIM_TEST_CRASH_WRITER"

func crashRecord(id string) *contact.Record {
	return &contact.Record{
		ID: id, InstanceID: "i1", Node: "n1", Channel: contact.Voice, InitiationTimestamp: time.Now(),
		Recordings: []contact.Recording{{Location: id, Spool: id, Status: contact.RecordingSpooled}},
	}
}

// crashWriter writes contacts until it is killed, and prints each after it is acknowledged: "+id" created, "-id" closed.
func crashWriter(arg string) {
	path, prefix, _ := strings.Cut(arg, "|")
	ctx := context.Background()
	db, err := storage.Open(ctx, storage.Options{URL: path})
	if err != nil {
		fmt.Println("!", err)
		return
	}
	var mu sync.Mutex // a line is one write
	say := func(line string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			line = "!" + err.Error()
		}
		_, _ = os.Stdout.WriteString(line + "\n")
	}
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				r := crashRecord(fmt.Sprintf("%s-%d-%d", prefix, w, i))
				say("+"+r.ID, db.CreateContact(ctx, r))
				r.DisconnectTimestamp = time.Now()
				say("-"+r.ID, db.CloseContact(ctx, r))
			}
		}()
	}
	select {}
}

func TestWhatWasAcknowledgedSurvivesKill9AndNothingIsHalf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ullim.db")
	created, closed := make(map[string]bool), make(map[string]bool)
	for round, acks := range []int{1, 150, 400} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d", crashEnv, path, round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err = cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			line := lines.Text()
			switch line[0] {
			case '+':
				created[line[1:]] = true
			case '-':
				closed[line[1:]] = true
			default:
				t.Errorf("round %d: %s", round, line)
			}
			if n == acks {
				_ = cmd.Process.Kill() // and read on: what was printed before it died counts too
			}
		}
		_ = cmd.Wait()
		checkAfterCrash(t, path, created, closed)
	}
	if len(closed) < 100 {
		t.Errorf("only %d contacts were closed: the test proves little", len(closed))
	}
}

func checkAfterCrash(t *testing.T, path string, created, closed map[string]bool) {
	t.Helper()
	ctx := t.Context()
	db, err := storage.Open(ctx, storage.Options{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if closeErr := db.Close(); closeErr != nil {
			t.Error(closeErr)
		}
	}()
	for id := range created {
		if _, err = db.Contact(ctx, "i1", id); err != nil {
			t.Errorf("%s was acknowledged: %v", id, err)
		}
	}
	opened, err := db.OpenContacts(ctx, "n1")
	if err != nil {
		t.Fatal(err)
	}
	stillOpen := make(map[string]bool)
	for _, r := range opened {
		stillOpen[r.ID] = true
		if closed[r.ID] {
			t.Errorf("closing %s was acknowledged, and it is open", r.ID)
		}
	}
	// The jobs are claimed for no time at all, so that the next round finds them again.
	list, err := db.Claim(ctx, []string{storage.JobUpload}, 1<<20, time.Now().Add(time.Hour), -time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	jobs := make(map[string]bool)
	for _, j := range list {
		id := strings.TrimSuffix(j.Key, "/0")
		jobs[id] = true
		if _, err = db.Contact(ctx, "i1", id); err != nil || stillOpen[id] {
			t.Errorf("half a close: there is a job for %s, which is open or missing: %v", id, err)
		}
	}
	for id := range closed {
		if !jobs[id] {
			t.Errorf("half a close: %s has no job", id)
		}
	}
	if err = db.CreateContact(ctx, crashRecord("after")); err != nil && !errs.Is(err, errs.Duplicate) {
		t.Errorf("after the crash nothing can be written: %v", err)
	}
	if err = db.CloseContact(ctx, crashRecord("after")); err != nil {
		t.Error(err)
	}
}
