package app

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ullim/internal/config"
)

// healthy is a configuration on loopback with which nothing is wrong.
func healthy(t *testing.T, env ...string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Load("", append([]string{
		"ULLIM_DATA_FOLDER=" + filepath.Join(dir, "data"), "ULLIM_HTTP_LISTEN=127.0.0.1:0", "ULLIM_SIP_UDP=127.0.0.1:0",
		"ULLIM_SIP_TCP=127.0.0.1:0", "ULLIM_SIP_ADVERTISE=203.0.113.7", "ULLIM_SIP_MAX_CALLS=10", "ULLIM_RTP_BIND=127.0.0.1",
		"ULLIM_RTP_PORTS=8200-8399", "ULLIM_LIMITS_DRAIN=10s",
	}, env...))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// examine gives what the doctor prints.
func examine(t *testing.T, cfg *config.Config) (failed int, out string) {
	t.Helper()
	var b bytes.Buffer
	failed = Doctor(t.Context(), cfg, &b)
	return failed, b.String()
}

// wantLine checks for a line of a verdict and a subject that matches.
func wantLine(t *testing.T, out string, v verdict, name, pattern string) {
	t.Helper()
	if !regexp.MustCompile(fmt.Sprintf(`(?m)^%-8s %-14s .*%s`, v, name, pattern)).MatchString(out) {
		t.Errorf("no line %s %s ...%s... in:\n%s", v, name, pattern, out)
	}
}

func TestTheDoctorFindsNothingWrongWhereNothingIs(t *testing.T) {
	cfg := healthy(t)
	failed, out := examine(t, cfg)
	if failed != 0 || strings.Contains(out, string(failure)) {
		t.Errorf("%d failures:\n%s", failed, out)
	}
	wantLine(t, out, well, "configuration", "nothing unusual")
	wantLine(t, out, well, "data folder", "will be made")
	wantLine(t, out, well, "SIP address", "203.0.113.7 is not an address of this machine, so the router must forward")
	wantLine(t, out, well, "RTP ports", "8200-8399 can be opened")
	wantLine(t, out, well, "speech", "speaks English and Korean")
	if _, err := os.Stat(cfg.Data.Folder); !os.IsNotExist(err) {
		t.Errorf("the doctor made the data folder: %v", err)
	}
	for line := range strings.Lines(out) {
		if !regexp.MustCompile(`^(ok|warning|FAILED) {1,8}[A-Za-z ]{14} \S`).MatchString(line) {
			t.Errorf("not aligned: %q", line)
		}
	}
}

func TestTheDoctorTellsWhatToDoAboutTheUsualMistakes(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(dir, "file")
	text(t, file, "not a database, not a folder", 0o600)
	tests := map[string]struct {
		env     []string
		verdict verdict
		name    string
		pattern string
	}{
		"the data folder is a file": {
			[]string{"ULLIM_DATA_FOLDER=" + file}, failure, "data folder", "is not a folder. Remove it",
		},
		"the data folder is below a file": {
			[]string{"ULLIM_DATA_FOLDER=" + file + "/data"}, failure, "data folder", "is not a folder",
		},
		"the data folder is read-only":   {[]string{"ULLIM_DATA_FOLDER=/proc/ullim"}, failure, "data folder", "cannot be written to"},
		"the database is something else": {[]string{"ULLIM_DATABASE_URL=" + file}, failure, "database", "is not a SQLite database"},
		"the database is a folder":       {[]string{"ULLIM_DATABASE_URL=" + dir}, failure, "database", "cannot be opened for writing"},
		"PostgreSQL is away": {
			[]string{"ULLIM_DATABASE_DRIVER=postgres", "ULLIM_DATABASE_URL=postgres://ullim:hush-hush@127.0.0.1:9/ullim"},
			failure, "database",
			"127.0.0.1:9, database ullim does not let us in",
		},
		"the bucket is away": {
			[]string{
				"ULLIM_RECORDINGS_STORE=s3", "ULLIM_RECORDINGS_S3_ENDPOINT=127.0.0.1:9", "ULLIM_RECORDINGS_S3_BUCKET=calls",
				"ULLIM_RECORDINGS_S3_ACCESS_KEY=key", "ULLIM_RECORDINGS_S3_SECRET_KEY=hush-hush", "ULLIM_RECORDINGS_S3_TLS=false",
			}, failure, "recordings", "bucket calls at 127.0.0.1:9: ",
		},
		"the recordings' folder is read-only": {[]string{"ULLIM_RECORDINGS_FOLDER=/proc/ullim"}, failure, "recordings", "cannot be written to"},
		"the SIP port is taken": {
			[]string{"ULLIM_SIP_UDP=" + taken.LocalAddr().String()}, failure, "SIP ports", "is taken by another program. See who has it",
		},
		"the SIP address is another machine's":  {[]string{"ULLIM_SIP_TCP=192.0.2.99:5060"}, failure, "SIP ports", "not an address of this machine"},
		"the HTTP address is another machine's": {[]string{"ULLIM_HTTP_LISTEN=192.0.2.99:8080"}, failure, "HTTP port", "Change http.listen"},
		"the HTTP address is open":              {[]string{"ULLIM_HTTP_LISTEN=0.0.0.0:18080"}, warning, "configuration", "without TLS"},
		"loopback is advertised":                {[]string{"ULLIM_SIP_ADVERTISE=127.0.0.1"}, warning, "SIP address", "from this machine only"},
		"nothing is advertised":                 {[]string{"ULLIM_SIP_ADVERTISE="}, warning, "SIP address", "loopback"},
		"a foreign private address":             {[]string{"ULLIM_SIP_ADVERTISE=10.255.254.253"}, failure, "SIP address", "not one of this machine"},
		"a name that is not there":              {[]string{"ULLIM_SIP_ADVERTISE=nowhere.invalid"}, failure, "SIP address", "not found in the DNS"},
		"the families differ":                   {[]string{"ULLIM_RTP_ADVERTISE=2001:db8::1"}, failure, "RTP address", "both IPv4 or both IPv6"},
		"audio is bound elsewhere":              {[]string{"ULLIM_RTP_BIND=192.0.2.99"}, failure, "RTP ports", "192.0.2.99 is not an address of this machine"},
		"the range is the system's":             {[]string{"ULLIM_RTP_PORTS=40000-41000"}, warning, "RTP ports", "ephemeral"},
		"too few ports for the calls":           {[]string{"ULLIM_SIP_MAX_CALLS=101"}, warning, "RTP ports", "room for 100 call legs"},
		"no espeak":                             {[]string{"ULLIM_SPEECH_COMMAND=no-such-program"}, failure, "speech", "no-such-program was not found"},
		"an espeak that says nothing":           {[]string{"ULLIM_SPEECH_COMMAND=true"}, failure, "speech", "cannot speak en-US"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			failed, out := examine(t, healthy(t, tt.env...))
			if (failed > 0) != (tt.verdict == failure) {
				t.Errorf("%d failures", failed)
			}
			wantLine(t, out, tt.verdict, tt.name, tt.pattern)
			if strings.Contains(out, "hush-hush") {
				t.Error("a secret is printed")
			}
		})
	}
}

func text(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestTheDoctorLooksAfterTheServerKey(t *testing.T) {
	key := strings.Repeat("k", 32)
	tests := map[string]struct {
		files   map[string]os.FileMode // with what content is below
		content string
		verdict verdict
		pattern string
	}{
		"before the first start":    {nil, "", well, "will be made at the first start"},
		"all is well":               {map[string]os.FileMode{"ullim.db": 0o600, "server.key": 0o600}, key, well, "in your backup"},
		"lost beside the database":  {map[string]os.FileMode{"ullim.db": 0o600}, key, failure, "missing, but the database is there"},
		"cut short":                 {map[string]os.FileMode{"server.key": 0o600}, "short", failure, "has 5 bytes"},
		"others can read it":        {map[string]os.FileMode{"server.key": 0o644}, key, warning, "chmod 600"},
		"others can read it by law": {map[string]os.FileMode{"server.key": 0o640}, key, warning, "other users"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := &doctor{cfg: healthy(t)}
			for file, mode := range tt.files {
				text(t, filepath.Join(d.cfg.Data.Folder, file), tt.content, mode)
			}
			got := d.serverKey(t.Context())
			if len(got) != 1 || got[0].verdict != tt.verdict || !strings.Contains(got[0].found+got[0].todo, tt.pattern) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestTheDoctorLeavesADatabaseAsItIs(t *testing.T) {
	cfg := healthy(t)
	path := cfg.DatabasePath()
	text(t, path, "SQLite format 3\x00 and so on", 0o600)
	d := &doctor{cfg: cfg}
	if got := d.database(t.Context()); got[0].verdict != well {
		t.Errorf("%+v", got)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "SQLite format 3\x00 and so on" {
		t.Errorf("it is now %q, %v", b, err)
	}
	text(t, path, "SQLite format 3\x00 and so on", 0o644)
	if got := d.database(t.Context()); got[0].verdict != warning || !strings.Contains(got[0].todo, "chmod") {
		t.Errorf("readable by everybody: %+v", got)
	}
}

func TestTheDoctorKnowsThatARunningEngineHasItsPorts(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "# HELP x\nullim_build_info 1\n")
	}))
	defer s.Close()
	addr := strings.TrimPrefix(s.URL, "http://")
	_, out := examine(t, healthy(t, "ULLIM_HTTP_LISTEN="+addr))
	wantLine(t, out, well, "HTTP port", "ullim is running")

	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	failed, out := examine(t, healthy(t, "ULLIM_HTTP_LISTEN="+strings.TrimPrefix(other.URL, "http://")))
	wantLine(t, out, failure, "HTTP port", "taken by another program")
	if failed != 1 {
		t.Errorf("%d failures", failed)
	}
}

func TestTheDoctorJudgesAddresses(t *testing.T) {
	own := []string{"127.0.0.1", "192.168.0.5", "203.0.113.5"}
	tests := []struct {
		name    string
		got     []finding
		verdict verdict
		pattern string
	}{
		{"public, ours", advertised(context.Background(), "203.0.113.5", "sip.advertise", own), well, "is an address of this machine"},
		{"public, the router's", advertised(context.Background(), "203.0.113.6", "sip.advertise", own), well, "must forward"},
		{"private, ours", advertised(context.Background(), "192.168.0.5", "sip.advertise", own), warning, "only your own network"},
		{"private, another's", advertised(context.Background(), "192.168.0.6", "sip.advertise", own), failure, "not one of this machine"},
		{"carrier-grade NAT, another's", advertised(context.Background(), "100.64.3.4", "sip.advertise", own), failure, "not one of this machine"},
		{"link-local, another's", advertised(context.Background(), "169.254.1.1", "sip.advertise", own), failure, "not one of this machine"},
		{"unset, bound to everything", unadvertised(addrs("0.0.0.0"), "sip.advertise", own), well, "203.0.113.5 is told"},
		{"unset, all private", unadvertised(addrs("0.0.0.0"), "sip.advertise", own[:2]), warning, "192.168.0.5 is a private address"},
		{"unset, all loopback", unadvertised(addrs("::"), "sip.advertise", own[:1]), warning, "loopback"},
		{"unset, bound to loopback", unadvertised(addrs("127.0.0.1"), "sip.advertise", own), warning, "loopback"},
	}
	for _, tt := range tests {
		if len(tt.got) != 1 || tt.got[0].verdict != tt.verdict || !strings.Contains(tt.got[0].found, tt.pattern) {
			t.Errorf("%s: %+v", tt.name, tt.got)
		}
	}
}

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func TestTheDoctorJudgesClocks(t *testing.T) {
	now := time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)
	tests := []struct {
		name                string
		now                 time.Time
		jump                time.Duration
		known, synchronised bool
		verdict             verdict
		pattern             string
	}{
		{"kept by NTP", now, time.Millisecond, true, true, well, "kept in step"},
		{"nobody knows", now, 0, false, false, well, "does not tell"},
		{"left alone", now, 0, true, false, warning, "not kept in step"},
		{"1970", time.Unix(0, 0), 0, true, true, failure, "cannot be right"},
		{"a jump forward", now, time.Second, true, true, warning, "jumped by 1s"},
		{"a jump back", now, -time.Second, true, true, warning, "jumped by -1s"},
	}
	for _, tt := range tests {
		got := judgeClock(tt.now, tt.jump, tt.known, tt.synchronised)
		if len(got) != 1 || got[0].verdict != tt.verdict || !strings.Contains(got[0].found, tt.pattern) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func TestTheDoctorCountsFiles(t *testing.T) {
	if got := judgeFiles(1024, 1000); got[0].verdict != failure || !strings.Contains(got[0].todo, "LimitNOFILE=3500") {
		t.Errorf("%+v", got)
	}
	if got := judgeFiles(3500, 1000); got[0].verdict != well {
		t.Errorf("%+v", got)
	}
}

func TestTheDoctorReadsDroppedDatagrams(t *testing.T) {
	file := filepath.Join(t.TempDir(), "snmp")
	text(t, file, "Ip: A B\nIp: 1 2\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\nUdp: 10 20 30 40 50\n", 0o600)
	if n := droppedDatagrams(file); n != 50 {
		t.Errorf("%d", n)
	}
	if n := droppedDatagrams(file + "x"); n != 0 {
		t.Errorf("without the file: %d", n)
	}
}
