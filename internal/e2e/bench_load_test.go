package e2e

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// benchCall is a SIPp scenario: a caller that stays for the time of -d. Its audio goes to the port given by -key sink.
const benchCall = `<?xml version="1.0" encoding="ISO-8859-1"?>
<scenario name="bench">
  <send retrans="500"><![CDATA[
      INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:01012345678@[local_ip]:[local_port]>;tag=[pid]-[call_number]
      To: <sip:[service]@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      Contact: <sip:carrier@[local_ip]:[local_port]>
      Max-Forwards: 70
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=carrier 1 1 IN IP4 [local_ip]
      s=-
      c=IN IP4 127.0.0.1
      t=0 0
      m=audio [sink] RTP/AVP 0 101
      a=rtpmap:0 PCMU/8000
      a=rtpmap:101 telephone-event/8000
      a=ptime:20
      a=sendrecv

    ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
      ACK [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:01012345678@[local_ip]:[local_port]>;tag=[pid]-[call_number]
      [last_To:]
      Call-ID: [call_id]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0

    ]]></send>
  <pause/>
  <send retrans="500" start_txn="bye"><![CDATA[
      BYE [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:01012345678@[local_ip]:[local_port]>;tag=[pid]-[call_number]
      [last_To:]
      Call-ID: [call_id]
      CSeq: 2 BYE
      Max-Forwards: 70
      Content-Length: 0

    ]]></send>
  <recv response="200" response_txn="bye"/>
</scenario>
`

// load is so many calls at such a rate, each of such a length.
type load struct {
	target string
	calls  int
	rate   int
	hold   time.Duration
	beside bool // another load runs, too
}

// loadResult is what SIPp counted.
type loadResult struct {
	ok, failed, again int
	took              time.Duration
}

func (r loadResult) String() string {
	return fmt.Sprintf("%d calls completed, %d failed, %d messages sent again, in %.1f s", r.ok, r.failed, r.again, r.took.Seconds())
}

// held tells whether the load was carried: less than 0.1 % failed or sent again, and on time.
func (r loadResult) held(l load) bool {
	due := time.Duration(l.calls)*time.Second/time.Duration(l.rate) + l.hold
	return 1000*(r.failed+r.again) < l.calls && r.ok+r.failed == l.calls && r.took < due*11/10+time.Second
}

// loadRun is a SIPp that is at work.
type loadRun struct {
	b     *testing.B
	child *child
	stats string
	out   *buffer
	since time.Time
	limit time.Duration
}

// begin starts SIPp.
func (e *engine) begin(b *testing.B, s *sink, l load) *loadRun {
	b.Helper()
	dir := b.TempDir()
	scenario := filepath.Join(dir, "bench.xml")
	if err := os.WriteFile(scenario, []byte(benchCall), 0o600); err != nil {
		b.Fatal(err)
	}
	limit := time.Duration(l.calls)*time.Second/time.Duration(l.rate) + l.hold + 20*time.Second
	r := &loadRun{b: b, stats: filepath.Join(dir, "stats.csv"), out: &buffer{}, since: time.Now(), limit: limit + 10*time.Second}
	port := e.ports.sipp(0)
	if l.beside {
		port = e.ports.sipp(1)
	}
	cmd := exec.Command(program(b, "sipp", "sip-tester"), l.target, "-sf", scenario, "-s", "+8225550100",
		"-i", "127.0.0.1", "-bind_local", "-p", fmt.Sprint(port), "-nostdin", "-buff_size", "4000000",
		"-key", "sink", fmt.Sprint(s.port), "-d", fmt.Sprint(l.hold.Milliseconds()),
		"-m", fmt.Sprint(l.calls), "-r", fmt.Sprint(l.rate), "-l", fmt.Sprint(l.rate*(3+int(l.hold/time.Second))),
		"-timeout", fmt.Sprintf("%ds", int(limit/time.Second)), "-trace_stat", "-stf", r.stats, "-fd", "1")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, r.out, r.out
	cmd.Env = append(os.Environ(), "TERM=xterm")
	var err error
	if r.child, err = start(cmd); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.child.kill)
	return r
}

// wait waits for SIPp's end. That calls failed is a result, not an error.
func (r *loadRun) wait() loadResult {
	r.b.Helper()
	code := r.child.wait(r.b, r.limit)
	took := time.Since(r.since)
	b, err := os.ReadFile(r.stats)
	if err != nil {
		screen := r.out.String()
		r.b.Fatalf("sipp ended with %d and left no statistics: %v\n%s", code, err, screen[max(0, len(screen)-3000):])
	}
	csv := csv.NewReader(strings.NewReader(string(b)))
	csv.Comma, csv.FieldsPerRecord, csv.LazyQuotes = ';', -1, true
	rows, err := csv.ReadAll()
	if err != nil || len(rows) < 2 {
		r.b.Fatalf("sipp's statistics: %v\n%s", err, b)
	}
	last := map[string]int{}
	for i, name := range rows[0] {
		if i < len(rows[len(rows)-1]) {
			last[name], _ = strconv.Atoi(rows[len(rows)-1][i])
		}
	}
	return loadResult{ok: last["SuccessfulCall(C)"], failed: last["FailedCall(C)"], again: last["Retransmissions(C)"], took: took}
}

// place runs a load to its end.
func (e *engine) place(b *testing.B, s *sink, l load) loadResult {
	b.Helper()
	return e.begin(b, s, l).wait()
}

// answerer is SIPp's built-in scenario that answers and waits for the BYE: the least that answering costs.
type answerer struct {
	b    *testing.B
	addr string
	pid  int
}

func newAnswerer(b *testing.B, port int) *answerer {
	b.Helper()
	cmd := exec.Command(program(b, "sipp", "sip-tester"), "-sn", "uas", "-i", "127.0.0.1", "-bind_local", "-p", fmt.Sprint(port),
		"-mp", fmt.Sprint(port+2), "-nostdin", "-buff_size", "4000000", "-timeout", "300s")
	cmd.Dir = b.TempDir()
	cmd.Env = append(os.Environ(), "TERM=xterm")
	c, err := start(cmd)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.kill)
	return &answerer{b: b, addr: fmt.Sprintf("127.0.0.1:%d", port), pid: cmd.Process.Pid}
}

func (a *answerer) costs(f func()) float64 {
	a.b.Helper()
	return costs(a.b, a.pid, f)
}
