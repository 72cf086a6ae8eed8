package storage_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/storage"
)

// publisherEnv makes the test binary a publisher that is killed: its value is the path of the database.
const publisherEnv = "ULLIM_TEST_CRASH_PUBLISHER"

func crashContent(words string) string {
	return `{"Version":"2019-10-30","StartAction":"e","Actions":[{"Identifier":"e","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}],"Metadata":"` + words + `"}`
}

// publisher publishes until it is killed, four at once, and prints the number of each version after it is acknowledged.
func publisher(path string) {
	ctx := context.Background()
	db, err := storage.Open(ctx, storage.Options{URL: path})
	if err != nil {
		fmt.Println("!", err)
		return
	}
	s := ivr.NewService(storage.Flows(db, resource.KindFlow))
	f := &ivr.Flow{Meta: resource.Meta{InstanceID: "i1", Name: "main"}, Type: ivr.TypeInbound, Content: crashContent("first")}
	if err = s.Create(ctx, f, ivr.Published); err != nil && !errs.Is(err, errs.Duplicate) {
		fmt.Println("!", err)
		return
	}
	if f, err = s.Find(ctx, "i1", "main"); err != nil {
		fmt.Println("!", err)
		return
	}
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				got, err := s.UpdateContent(ctx, "i1", f.ID, crashContent(fmt.Sprint(w, "-", i)), ivr.Published)
				switch {
				case err == nil:
					_, _ = os.Stdout.WriteString(strconv.Itoa(got.PublishedVersion) + "\n")
				case !errs.Is(err, errs.Conflict):
					_, _ = os.Stdout.WriteString("!" + err.Error() + "\n")
				}
			}
		}()
	}
	select {}
}

func TestAPublicationSurvivesKill9WhollyOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ullim.db")
	acknowledged := 0
	for round, acks := range []int{1, 40, 90} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), publisherEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err = cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			number, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Errorf("round %d: %s", round, lines.Text())
			}
			acknowledged = max(acknowledged, number)
			if n == acks {
				_ = cmd.Process.Kill() // and read on: what was printed before it died counts too
			}
		}
		_ = cmd.Wait()
		publishedWhole(t, path, acknowledged)
	}
	if acknowledged < 100 {
		t.Errorf("only %d publications: the test proves little", acknowledged)
	}
}

func publishedWhole(t *testing.T, path string, acknowledged int) {
	t.Helper()
	ctx := t.Context()
	db := open(t, storage.Options{URL: path})
	defer db.Close()
	s := storage.Flows(db, resource.KindFlow)
	f, err := s.GetByName(ctx, "i1", "main")
	if err != nil {
		t.Fatal(err)
	}
	versions, err := s.FlowVersions(ctx, "i1", f.ID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if f.PublishedVersion < acknowledged || len(versions) != f.PublishedVersion || f.Content != f.Published {
		t.Fatalf("version %d was acknowledged, the flow is at %d and has %d versions", acknowledged, f.PublishedVersion, len(versions))
	}
	for i, v := range versions {
		if v.Number != f.PublishedVersion-i {
			t.Errorf("version %d stands at %d", v.Number, i)
		}
	}
	last, err := s.FlowVersion(ctx, "i1", f.ID, f.PublishedVersion)
	if err != nil || last.Content != f.Published || last.SHA256 != ivr.HashOf(f.Published) {
		t.Errorf("half a publication: %v, %v", last, err)
	}
}
