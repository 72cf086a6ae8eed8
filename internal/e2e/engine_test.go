package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the program under test, ports the blocks that tests share. Who needs the whole machine holds machine: fifty calls
// at once, and those whose audio is judged to the sample.
var (
	binary  string
	ports   blocks
	machine sync.Mutex
)

// patience is how long a test waits for what should happen at once: a loaded machine with two cores is slow.
const patience = 60 * time.Second

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if binary = os.Getenv("ULLIM_BIN"); binary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "ullim-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "ullim")
	build := exec.Command("go", "build", "-o", binary, "ullim/cmd/ullim")
	if os.Getenv("CGO_CFLAGS") == "" { // as the Makefile has it: what is measured is what is released
		build.Env = append(os.Environ(), "CGO_CFLAGS=-O2 -g -DHAVE_FDATASYNC=1")
	}
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// engine is a running `ullim serve`.
type engine struct {
	t      testing.TB
	ports  block
	dir    string // data folder
	config string // file
	log    *buffer
	out    *buffer
	child  *child
	env    []string // further variables of the engine

	url, server        string // http(s)://..., and host:port of SIP
	client             *http.Client
	instance           string
	keyID, secret      string
	token              string
	username, password string
}

// buffer is a bytes.Buffer for a writer and readers at once.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// child is a process of ours. It dies with us, whatever happens to us.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // when ended is closed
}

// start starts a process. The kernel kills it when the thread that started it ends, so that thread is kept.
func start(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, ended: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.ended)
		}
	}()
	return c, <-started
}

func (c *child) signal(s os.Signal) { _ = c.cmd.Process.Signal(s) }

// wait waits for the end and gives the exit code, -1 for a signal.
func (c *child) wait(t testing.TB, d time.Duration) int {
	t.Helper()
	select {
	case <-c.ended:
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(d):
		t.Fatalf("%s did not end within %s", c.cmd.Path, d)
		return 0
	}
}

// kill ends the process, and returns when it is gone.
func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	<-c.ended
}

// newEngine starts the engine with a new data folder. extra is YAML that is added to its configuration; what begins with
// ULLIM_ is a variable for its environment instead.
func newEngine(t testing.TB, extra ...string) *engine {
	t.Helper()
	return newEngineAt(t, ports.take(t), extra...)
}

func newEngineAt(t testing.TB, b block, extra ...string) *engine {
	t.Helper()
	dir := t.TempDir()
	e := &engine{
		t: t, ports: b, dir: filepath.Join(dir, "data"), config: filepath.Join(dir, "ullim.yaml"), log: &buffer{},
		client: http.DefaultClient,
	}
	for _, s := range extra {
		if file, ok := strings.CutPrefix(s, "ULLIM_HTTP_TLS_CERTIFICATE="); ok {
			e.client = trusting(t, file)
		}
	}
	low, high := e.ports.rtp()
	yaml := fmt.Sprintf(`
data: {folder: %q}
http: {listen: "127.0.0.1:%d"}
sip: {udp: ["127.0.0.1:%d"], tcp: ["127.0.0.1:%d"], advertise: 127.0.0.1}
rtp: {bind: 127.0.0.1, advertise: 127.0.0.1, ports: %d-%d}
`, e.dir, e.ports.http(), e.ports.sip(), e.ports.sip(), low, high)
	extra = slices.Clone(extra)
	e.env = slices.DeleteFunc(slices.Clone(extra), func(s string) bool { return !strings.HasPrefix(s, "ULLIM_") })
	extra = slices.DeleteFunc(extra, func(s string) bool { return strings.HasPrefix(s, "ULLIM_") })
	if err := os.WriteFile(e.config, []byte(yaml+strings.Join(extra, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if e.child != nil {
			e.child.kill()
		}
		if t.Failed() {
			t.Logf("the engine's log:\n%s", e.tail())
		}
	})
	e.start()
	e.credentials()
	return e
}

// start starts the process and waits until it is ready.
func (e *engine) start() {
	e.t.Helper()
	e.out = &buffer{}
	cmd := exec.Command(binary, "serve", "--config", e.config)
	cmd.Dir = filepath.Dir(e.config)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "E2E_S3_SECRET="+s3Secret)
	cmd.Env = append(cmd.Env, e.env...)
	cmd.Stdout, cmd.Stderr = e.out, e.log
	if os.Getenv("ULLIM_TEST_LOG") != "" {
		cmd.Stderr = io.MultiWriter(e.log, os.Stderr)
	}
	var err error
	if e.child, err = start(cmd); err != nil {
		e.t.Fatal(err)
	}
	banner := regexp.MustCompile(`HTTP on (https?://[0-9.:]+), SIP on udp ([0-9.:]+), SIP on tcp [0-9.:]+(?:, SIP on tls [0-9.:]+)?, data in `)
	e.until("the engine says where it is", func() bool {
		select {
		case <-e.child.ended:
			e.t.Fatalf("the engine ended: %v\n%s", e.child.err, e.tail())
		default:
		}
		m := banner.FindStringSubmatch(e.out.String())
		if m == nil {
			return false
		}
		e.url, e.server = m[1], m[2]
		return true
	})
	e.until("the engine is ready", func() bool { return e.status("/readyz") == http.StatusOK })
}

// credentials reads what the first start prints once.
func (e *engine) credentials() {
	e.t.Helper()
	text := e.out.String()
	for label, to := range map[string]*string{
		`administrator`: &e.username, `one-time password`: &e.password, `access key id`: &e.keyID,
		`secret access key`: &e.secret, `bearer token`: &e.token,
	} {
		m := regexp.MustCompile(`(?m)^  ` + label + ` +(\S+)$`).FindStringSubmatch(text)
		if m == nil {
			e.t.Fatalf("the first start does not print the %s:\n%s", label, text)
		}
		*to = m[1]
	}
	m := regexp.MustCompile(`instance "[^"]+" \(([0-9a-f-]{36})\)`).FindStringSubmatch(text)
	if m == nil {
		e.t.Fatalf("the first start does not print the instance:\n%s", text)
	}
	e.instance = m[1]
}

// tail is the end of the log, without the requests of the test itself that went well.
func (e *engine) tail() string {
	var b strings.Builder
	for line := range strings.Lines(e.log.String()) {
		if !strings.Contains(line, "msg=http") || !strings.Contains(line, "status=200") {
			b.WriteString(line)
		}
	}
	text := b.String()
	if n := len(text) - 20_000; n > 0 {
		text = "...\n" + text[n:]
	}
	return text
}

// until waits for a condition.
func (e *engine) until(what string, ok func() bool) {
	e.t.Helper()
	until(e.t, patience, what, ok)
}

func until(t testing.TB, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(d); ; time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", d, what)
		}
	}
}

// status is the HTTP status of a path, 0 if nobody answers.
func (e *engine) status(path string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+path, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	res, err := e.client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// metrics reads /metrics: the sum of all series of each name, and each series with its labels.
func (e *engine) metrics() map[string]float64 {
	e.t.Helper()
	res, err := e.client.Get(e.url + "/metrics")
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		e.t.Fatalf("metrics: %s, %v", res.Status, err)
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(b)) {
		series, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(series, "#") {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue
		}
		name, _, labelled := strings.Cut(series, "{")
		out[name] += v
		if labelled {
			out[series] = v
		}
	}
	return out
}

// atRest waits until no call, leg, media session or port is left, and nothing is spooled.
func (e *engine) atRest() {
	e.t.Helper()
	var left []string
	ok := func() bool {
		left = nil
		m := e.metrics()
		for _, name := range []string{"ullim_calls_active", "ullim_sip_legs", "ullim_media_sessions", "ullim_media_ports_used", "ullim_recordings_spooled_bytes"} {
			v, known := m[name]
			if !known {
				e.t.Fatalf("there is no metric %s", name)
			}
			if v != 0 {
				left = append(left, fmt.Sprintf("%s %g", name, v))
			}
		}
		if m["ullim_panics_recovered_total"] != 0 {
			e.t.Fatal("a panic was contained")
		}
		return len(left) == 0
	}
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			e.t.Fatalf("the engine is not at rest: %v", left)
		}
	}
}

// tool runs the binary with other arguments to its end.
func tool(t testing.TB, dir string, env []string, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v\n%s", args, err, b)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// program finds a program of somebody else's that the tests need.
func program(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("this test needs %s: apt install %s", name, pkg)
	}
	return path
}
