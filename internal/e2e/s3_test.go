package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"ullim/sip/siptest"
)

// Keys of the S3 server of the tests.
const (
	s3Key    = "ullim-e2e"
	s3Secret = "ullim-e2e-secret"
	s3Bucket = "recordings"
)

// gateway starts versitygw on the engine's port for it, and makes the bucket.
func (e *engine) gateway() *minio.Client {
	e.t.Helper()
	path := os.Getenv("ULLIM_VERSITYGW")
	if path == "" {
		out, err := exec.Command("go", "env", "GOMOD").Output()
		if err != nil {
			e.t.Fatal(err)
		}
		path = filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), ".cache", "tools", "versitygw")
	}
	if _, err := os.Stat(path); err != nil {
		e.t.Fatalf("this test needs the S3 server versitygw: make tools, or set ULLIM_VERSITYGW: %v", err)
	}
	dir := e.t.TempDir()
	data, meta := filepath.Join(dir, "data"), filepath.Join(dir, "meta")
	for _, d := range []string{data, meta} {
		if err := os.Mkdir(d, 0o700); err != nil {
			e.t.Fatal(err)
		}
	}
	addr := fmt.Sprintf("127.0.0.1:%d", e.ports.s3())
	log := &buffer{}
	cmd := exec.Command(path, "--port", addr, "--access", s3Key, "--secret", s3Secret, "--quiet", "posix", "--sidecar", meta, data)
	cmd.Stdout, cmd.Stderr = log, log
	server, err := start(cmd)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(server.kill)
	client, err := minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4(s3Key, s3Secret, ""), Region: "us-east-1"})
	if err != nil {
		e.t.Fatal(err)
	}
	e.until("versitygw has the bucket", func() bool {
		err = client.MakeBucket(e.t.Context(), s3Bucket, minio.MakeBucketOptions{})
		select {
		case <-server.ended:
			e.t.Fatalf("versitygw ended:\n%s", log)
		default:
		}
		return err == nil
	})
	return client
}

// TestARecordingWaitsForTheBucketAndThenArrives starts the S3 server only when the call is over.
func TestARecordingWaitsForTheBucketAndThenArrives(t *testing.T) {
	t.Parallel()
	b := ports.take(t)
	c := newCenterAt(t, b, fmt.Sprintf(
		`recordings: {store: s3, s3: {endpoint: "127.0.0.1:%d", bucket: %s, access_key: %s, secret_key: "env:E2E_S3_SECRET", tls: false}}`,
		b.s3(), s3Bucket, s3Key))
	queueID, profileID := c.queue("Support")
	c.number("+8225550600", queueFlow(queueID))
	d := c.desk("mina", profileID)
	c.setAvailable(d.userID)
	caller := c.answered(c.carrier(), "+8225550600", mobile(6))
	agent := c.ring(d)
	hears(t, agent, siptest.Voice(mobile(6)), "the caller")
	hears(t, caller, siptest.Voice("mina"), "the agent")
	talk(t, 3*time.Second)
	caller.Hangup()
	id := *c.closed(1)[0].Id

	c.until("an upload is tried in vain", func() bool { return strings.Contains(c.log.String(), "recording not uploaded yet") })
	var spooled struct{ Recordings []recording }
	c.admin(http.MethodGet, "/contacts/"+id+"/recordings", nil, &spooled)
	if len(spooled.Recordings) != 1 || spooled.Recordings[0].Status != "SPOOLED" {
		t.Fatalf("the recording is %+v", spooled.Recordings)
	}
	left, right, _ := c.play(id, 1) // from the spool
	wantVoice(t, "left, spooled", last(left, 3*time.Second), siptest.Voice(mobile(6)))
	wantVoice(t, "right, spooled", last(right, 3*time.Second), siptest.Voice("mina"))

	bucket := c.gateway()
	rec := c.recordings(id)[0]
	wantKey(t, rec.Location, id, time.UnixMilli(int64(rec.StartTime*1000)))
	object, err := bucket.StatObject(t.Context(), s3Bucket, rec.Location, minio.StatObjectOptions{})
	c.must(err)
	if object.Size != rec.Bytes || object.UserMetadata["Sha256"] != rec.Sha256 || len(rec.Sha256) != 64 {
		t.Errorf("the object has %d bytes and the checksum %q; the record says %d and %q", object.Size, object.UserMetadata["Sha256"], rec.Bytes, rec.Sha256)
	}
	left, _, _ = c.play(id, 1) // from the bucket
	wantVoice(t, "left, from the bucket", last(left, 3*time.Second), siptest.Voice(mobile(6)))
	if files, _ := filepath.Glob(filepath.Join(c.dir, "spool", "*")); len(files) != 0 {
		t.Errorf("left in the spool: %v", files)
	}
	c.atRest()
}
