package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"ullim/sip/siptest"
)

// bucketServer is an S3 server that is stopped and started again with what it had.
type bucketServer struct {
	e      *engine
	dir    string
	child  *child
	client *minio.Client
}

func (e *engine) bucketServer() *bucketServer {
	e.t.Helper()
	s := &bucketServer{e: e, dir: e.t.TempDir()}
	for _, d := range []string{"data", "meta"} {
		if err := os.Mkdir(filepath.Join(s.dir, d), 0o700); err != nil {
			e.t.Fatal(err)
		}
	}
	var err error
	s.client, err = minio.New(s.addr(), &minio.Options{Creds: credentials.NewStaticV4(s3Key, s3Secret, ""), Region: "us-east-1"})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(s.stop)
	return s
}

func (s *bucketServer) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.e.ports.s3()) }

// start starts it, and makes the bucket the first time.
func (s *bucketServer) start() {
	s.e.t.Helper()
	path := os.Getenv("ULLIM_VERSITYGW")
	if path == "" {
		out, err := exec.Command("go", "env", "GOMOD").Output()
		if err != nil {
			s.e.t.Fatal(err)
		}
		path = filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), ".cache", "tools", "versitygw")
	}
	cmd := exec.Command(path, "--port", s.addr(), "--access", s3Key, "--secret", s3Secret, "--quiet", "posix",
		"--sidecar", filepath.Join(s.dir, "meta"), filepath.Join(s.dir, "data"))
	var err error
	if s.child, err = start(cmd); err != nil {
		s.e.t.Fatalf("this test needs the S3 server versitygw: make tools, or set ULLIM_VERSITYGW: %v", err)
	}
	s.e.until("versitygw has the bucket", func() bool {
		err := s.client.MakeBucket(s.e.t.Context(), s3Bucket, minio.MakeBucketOptions{})
		return err == nil || minio.ToErrorResponse(err).Code == minio.BucketAlreadyOwnedByYou
	})
}

// stop kills it.
func (s *bucketServer) stop() {
	if s.child != nil {
		s.child.kill()
		s.child = nil
	}
}

// wantOnce checks that every recording of every contact lies in the bucket once, is what the record says, and that nothing else
// does. It gives how many there are.
func (s *bucketServer) wantOnce(c *center) int {
	c.t.Helper()
	want := map[string]recording{}
	for _, summary := range c.contacts() {
		r := c.contact(*summary.Id)
		if r.AgentInfo == nil || r.AgentInfo.ConnectedToAgentTimestamp == nil {
			continue // nobody talked, so nothing was recorded
		}
		for _, rec := range c.recordings(*summary.Id) {
			if _, twice := want[rec.Location]; twice {
				c.t.Errorf("two recordings lie at %s", rec.Location)
			}
			want[rec.Location] = rec
		}
	}
	found := 0
	for o := range s.client.ListObjects(c.t.Context(), s3Bucket, minio.ListObjectsOptions{Prefix: "connect/ullim/CallRecordings/", Recursive: true}) {
		c.must(o.Err)
		rec, known := want[o.Key]
		if !known {
			c.t.Errorf("nobody knows of the object %s", o.Key)
			continue
		}
		found++
		body, err := s.client.GetObject(c.t.Context(), s3Bucket, o.Key, minio.GetObjectOptions{})
		c.must(err)
		hash := sha256.New()
		n, err := io.Copy(hash, body)
		c.must(err)
		_ = body.Close()
		if sum := hex.EncodeToString(hash.Sum(nil)); sum != rec.Sha256 || n != rec.Bytes {
			c.t.Errorf("%s has %d bytes with the checksum %s; the record says %d and %s", o.Key, n, sum, rec.Bytes, rec.Sha256)
		}
	}
	if found != len(want) {
		c.t.Errorf("%d of %d recordings are in the bucket", found, len(want))
	}
	return found
}

// recordedInBucket is a configuration whose recordings go to the S3 server of a block.
func recordedInBucket(b block, more string) string {
	return fmt.Sprintf(`recordings: {%s store: s3, s3: {endpoint: "127.0.0.1:%d", bucket: %s, access_key: %s, secret_key: "env:E2E_S3_SECRET", tls: false}}`,
		more, b.s3(), s3Bucket, s3Key)
}

// TestTwentyRecordingsArriveOnceThoughTheBucketIsAwayAndTheEngineKilled has five agents and four rounds of calls: the bucket
// is away in the second and the third, and in the second the engine is killed while all of them talk.
func TestTwentyRecordingsArriveOnceThoughTheBucketIsAwayAndTheEngineKilled(t *testing.T) {
	t.Parallel()
	machine.Lock()
	defer machine.Unlock()
	const agents = 5
	b := ports.take(t)
	c := newCenterAt(t, b, recordedInBucket(b, "format: flac,"))
	s := c.bucketServer()
	s.start()
	queueID, profileID := c.queue("Support")
	c.number("+8225550200", queueFlow(queueID))
	desks := make([]*desk, agents)
	for i := range desks {
		desks[i] = c.desk(fmt.Sprintf("agent%02d", i), profileID)
		c.setAvailable(desks[i].userID)
	}
	carrier := c.carrier()
	for round := 1; round <= 4; round++ {
		switch round {
		case 2:
			s.stop()
		case 4:
			c.until("the spool grows while the bucket is away", func() bool { return c.metrics()["ullim_recordings_spooled"] >= agents })
			if away := c.metrics()["ullim_recording_stores_away"]; away != 1 {
				t.Errorf("%g buckets are away, says the engine", away)
			}
			s.start()
		}
		pairs := c.joinAll(carrier, desks)
		talk(t, 2*time.Second)
		if round == 2 {
			c.child.kill()
		}
		for _, p := range pairs {
			p.call.Hangup()
			p.leg.Hangup()
		}
		if round == 2 {
			c.start()
		}
		c.closed(round * agents)
	}
	if n := s.wantOnce(c); n != 4*agents {
		t.Errorf("%d recordings, want %d", n, 4*agents)
	}
	id := *c.closed(4 * agents)[0].Id
	file := c.raw(http.MethodGet, "/contacts/"+id+"/recordings/1/play", nil)
	if !bytes.HasPrefix(file, []byte("fLaC")) {
		t.Errorf("what is played begins with %q", file[:min(len(file), 4)])
	}
	var peaks struct{ Channels, Length int }
	c.admin(http.MethodGet, "/contacts/"+id+"/recordings/1/waveform", nil, &peaks)
	if peaks.Channels != 2 || peaks.Length == 0 {
		t.Errorf("the waveform: %+v", peaks)
	}
	c.atRest()
}

// impatientCaller is a SIPp scenario: a caller who hangs up when it pleases them, wherever they have got to.
var impatientCaller = strings.Replace(benchCall, "<pause/>", `<pause distribution="uniform" min="500" max="20000"/>`, 1)

// TestACentreRecordsWhileTheBucketIsAway is a call centre of 6 agents and 20 callers for 20 seconds, whose bucket is away in the
// middle third. ULLIM_CENTRE=10m makes it 50 agents and 200 callers for that long.
func TestACentreRecordsWhileTheBucketIsAway(t *testing.T) {
	t.Parallel()
	agents, callers, length, env := 6, 20, 20*time.Second, []string{}
	if text := os.Getenv("ULLIM_CENTRE"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("ULLIM_CENTRE: %v", err)
		}
		agents, callers, env = 50, 200, []string{"ULLIM_RTP_PORTS=21000-23999"}
	}
	machine.Lock()
	defer machine.Unlock()
	b := ports.take(t)
	c := newCenterAt(t, b, append(env, recordedInBucket(b, ""), "ULLIM_RTP_NEVER_STARTED=0s")...)
	s := c.bucketServer()
	s.start()
	queueID, profileID := c.queue("Support")
	c.number("+8225550100", queueFlow(queueID))
	var talks atomic.Int64
	var work sync.WaitGroup
	t.Cleanup(work.Wait) // after the phones are closed
	for i := range agents {
		d := c.desk(fmt.Sprintf("agent%02d", i), profileID)
		c.setAvailable(d.userID)
		work.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for {
				leg, err := d.phone.NextCall(t.Context())
				if err != nil {
					return
				}
				talks.Add(1)
				if random.IntN(3) == 0 { // every third is ended by the agent
					time.AfterFunc(time.Duration(1+random.IntN(8))*time.Second, leg.Hangup)
				}
			}
		})
	}
	dir := t.TempDir()
	scenario := filepath.Join(dir, "caller.xml")
	c.must(os.WriteFile(scenario, []byte(impatientCaller), 0o600))
	out := &buffer{}
	cmd := exec.Command(program(t, "sipp", "sip-tester"), c.server, "-sf", scenario, "-s", "+8225550100", "-i", "127.0.0.1", "-bind_local",
		"-p", fmt.Sprint(c.ports.sipp(0)), "-nostdin", "-key", "sink", "9", "-r", fmt.Sprint(max(callers/5, 1)), "-l", fmt.Sprint(callers))
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.Env = append(os.Environ(), "TERM=xterm")
	sipp, err := start(cmd)
	c.must(err)
	t.Cleanup(sipp.kill)

	talk(t, length/3)
	s.stop()
	talk(t, length/3)
	s.start()
	talk(t, length/3)
	sipp.signal(syscall.SIGUSR1) // no new callers; those who are there hang up when it pleases them
	select {
	case <-sipp.ended:
	case <-time.After(patience):
		t.Error("there are callers who do not go")
	}
	c.until("all contacts are closed", func() bool { return c.metrics()["ullim_calls_active"] == 0 })
	n := s.wantOnce(c)
	t.Logf("%d contacts, %d calls to agents, %d recordings", len(c.contacts()), talks.Load(), n)
	if n < agents {
		t.Errorf("%d recordings of %d calls to agents", n, talks.Load())
	}
	c.atRest()
}

// TestAFullSpoolCostsRecordingsOrNewCallsAndNeverOneThatIsUp lets the spool grow over its limit while the bucket is away.
func TestAFullSpoolCostsRecordingsOrNewCallsAndNeverOneThatIsUp(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"stop", "refuse"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			b := ports.take(t)
			c := newCenterAt(t, b, recordedInBucket(b, "spool_limit: 60000, when_full: "+policy+","))
			queueID, profileID := c.queue("Support")
			c.number("+8225550700", queueFlow(queueID))
			c.number("+8225550701", messageFlow("Nobody is recorded here."))
			d := c.desk("mina", profileID)
			c.setAvailable(d.userID)
			carrier := c.carrier()
			caller := c.answered(carrier, "+8225550700", mobile(1))
			c.ring(d)
			c.until("the spool is full while they talk", func() bool { return c.metrics()["ullim_recordings_spool_full"] == 1 })
			talk(t, time.Second)
			if !caller.Status().Ended.At.IsZero() {
				t.Fatal("the call that filled the spool is over")
			}
			caller.Hangup()
			c.closed(1)

			contacts := 1
			ctx, cancel := c.soon()
			defer cancel()
			if policy == "refuse" {
				c.until("the engine is not ready", func() bool { return c.status("/readyz") == http.StatusServiceUnavailable })
				call, err := carrier.Call(ctx, "+8225550700", mobile(2), siptest.CallOptions{})
				c.must(err)
				if ended, waitErr := call.WaitEnded(ctx); waitErr != nil || ended.Code != http.StatusServiceUnavailable {
					t.Errorf("a call that would be recorded: %+v, %v", ended, waitErr)
				}
				other := c.answered(carrier, "+8225550701", mobile(3)) // is not recorded, so it is taken
				_, err = other.WaitEnded(ctx)
				c.must(err)
				contacts++
			} else {
				if c.status("/readyz") != http.StatusOK {
					t.Error("the engine is not ready, though it takes calls")
				}
				call := c.answered(carrier, "+8225550700", mobile(2))
				leg := c.ring(d)
				hears(t, leg, siptest.Voice(mobile(2)), "the caller who is not recorded")
				call.Hangup()
				contacts++
				var out struct{ Recordings []recording }
				for _, r := range c.closed(contacts) {
					if *r.CustomerEndpoint.Address == mobile(2) {
						c.admin(http.MethodGet, "/contacts/"+*r.Id+"/recordings", nil, &out)
					}
				}
				if len(out.Recordings) != 1 || out.Recordings[0].Status != "FAILED" || !strings.Contains(out.Recordings[0].Reason, "full") {
					t.Errorf("the recording that was not begun: %+v", out.Recordings)
				}
			}
			if n := c.metrics()["ullim_recordings_no_room_total"]; n == 0 {
				t.Errorf("there was no room %g times", n)
			}
			if n := c.metrics()[`ullim_alarms_total{kind="spool"}`]; n != 1 {
				t.Errorf("%g alarms", n)
			}
			s := c.bucketServer()
			s.start()
			c.until("there is room again", func() bool {
				return c.metrics()["ullim_recordings_spool_full"] == 0 && c.status("/readyz") == http.StatusOK
			})
			caller = c.answered(carrier, "+8225550700", mobile(4))
			c.ring(d)
			talk(t, time.Second)
			caller.Hangup()
			c.closed(contacts + 1)
			c.atRest()
		})
	}
}
