package config

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ullim.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// lines are the errors, without the folder of the file.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	var out []string
	for _, e := range all {
		if ce, ok := errors.AsType[*Error](e); ok {
			short := *ce
			if short.File != "" {
				short.File = filepath.Base(short.File)
			}
			out = append(out, short.Error())
			continue
		}
		out = append(out, e.Error())
	}
	return out
}

func TestTheDefaultsAreAConfiguration(t *testing.T) {
	c, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Node: Node{Name: "ullim"}, Instance: Instance{Alias: "ullim"}, Data: Data{Folder: "data"}, HTTP: HTTP{Listen: "127.0.0.1:8080"},
		SIP: SIP{
			UDP: []string{"0.0.0.0:5060"}, TCP: []string{"0.0.0.0:5060"}, Realm: "ullim", MaxCalls: 1000, MaxConnections: 4096, RequestsPerSource: 50,
			MinExpires: time.Minute, MaxExpires: time.Hour, SessionExpires: 30 * time.Minute, ContactsPerDevice: 5, KeepAlive: 30 * time.Second, StrangersRate: 2000, BanTime: 10 * time.Minute,
		},
		RTP:      RTP{Ports: PortRange{20000, 29999}, Bind: "0.0.0.0", NeverStarted: time.Minute, Stopped: 5 * time.Minute},
		Database: Database{Driver: "sqlite", MaxConnections: 10},
		Recordings: Recordings{
			Store: "files", S3: S3{Region: "us-east-1", TLS: true}, Format: "wav", Encryption: "none", Workers: 4, SpoolFree: 256 << 20,
			WhenFull: "stop", RetentionEvery: time.Hour,
		},
		Speech: Speech{
			Providers: []string{"espeak"}, Command: "espeak-ng", Timeout: 10 * time.Second, Concurrent: 4, Wait: 2 * time.Second,
			OpenAI: SpeechOpenAI{Model: "tts-1", Voice: "alloy", Format: "pcm", Rate: 24_000}, Polly: SpeechPolly{Engine: "neural"},
		},
		Chat:   Chat{MaxChats: 100, MaxTasks: 2500, KeepDays: 400},
		Egress: Egress{Ports: []string{"443"}, PerInstance: 128, PerHost: 64},
		Trace:  Trace{Memory: 32 << 20, HEPAgent: 2001},
		Log:    Log{Level: "info", Format: "text"},
		Limits: Limits{Drain: time.Minute},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, Default()); diff != "" {
		t.Error(diff)
	}
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("the defaults warn: %v", w)
	}
	if c.DatabasePath() != filepath.Join("data", "ullim.db") || c.RecordingsFolder() != filepath.Join("data", "recordings") {
		t.Errorf("paths %s, %s", c.DatabasePath(), c.RecordingsFolder())
	}
}

func TestTheFileGoesOverTheDefaultsAndTheEnvironmentOverTheFile(t *testing.T) {
	path := write(t, `
node: {name: seoul-1}
sip:
  udp: ["192.0.2.1:5060", "[2001:db8::1]:5060"]
  tcp: []
  advertise: sip.example.com
  requests_per_second_per_source: 12.5
  realm: 123        # a number is a text too
rtp:
  ports: 40000-40029
http:
log: &quiet {level: warn}
limits: {drain: 1m30s}
`)
	c, err := Load(path, []string{
		"ULLIM_NODE_NAME=busan-1", "ULLIM_SIP_TCP=192.0.2.1:5060, 192.0.2.2:5060", "ULLIM_RECORDINGS_S3_TLS=false",
		"ULLIM_SIP_MAX_CALLS=7", "PATH=/bin", "ULLIM_PORT=tcp://10.0.0.1:80", "ULLIM_SIP_SERVICE_HOST=10.0.0.1", "ULLIM_TEST_POSTGRES=x",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Node.Name, want.SIP.Advertise, want.SIP.RequestsPerSource, want.SIP.Realm = "busan-1", "sip.example.com", 12.5, "123"
	want.SIP.UDP = []string{"192.0.2.1:5060", "[2001:db8::1]:5060"}
	want.SIP.TCP = []string{"192.0.2.1:5060", "192.0.2.2:5060"}
	want.SIP.MaxCalls, want.RTP.Ports, want.Log.Level, want.Limits.Drain = 7, PortRange{40000, 40029}, "warn", 90*time.Second
	want.Recordings.S3.TLS = false
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if c.RTPAdvertise() != "sip.example.com" {
		t.Errorf("RTP is advertised as %q", c.RTPAdvertise())
	}
	if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0], "overlaps") {
		t.Errorf("warnings: %v", w)
	}
}

func TestEveryMistakeIsNamedWithItsLine(t *testing.T) {
	for _, c := range []struct {
		name, yaml string
		want       []string
	}{
		{"unknown key", "sip:\n  max_call: 5\n", []string{`ullim.yaml:2: sip.max_call: unknown key; did you mean "max_calls"?`}},
		{"unknown section", "trunks: []\n", []string{
			"ullim.yaml:1: trunks: unknown key; known are node, instance, data, http, sip, rtp, database, recordings, speech, prompts, chat, agent, egress, trace, log, limits",
		}},
		{"key twice", "log:\n  level: info\n  level: warn\n", []string{"ullim.yaml:3: log.level: is set twice, first in line 2"}},
		{"text for a number", "sip:\n  max_calls: many\n", []string{`ullim.yaml:2: sip.max_calls: must be a whole number; got "many"`}},
		{"a number in quotes", "sip:\n  max_calls: \"5\"\n", []string{`ullim.yaml:2: sip.max_calls: must not be in quotes; got "5"`}},
		{"a fraction for a whole number", "sip:\n  max_calls: 1.5\n", []string{`ullim.yaml:2: sip.max_calls: must be a whole number; got "1.5"`}},
		{"yes for a boolean", "recordings:\n  s3:\n    tls: yes\n", []string{`ullim.yaml:3: recordings.s3.tls: must be true or false; got "yes"`}},
		{"a boolean for a text", "node:\n  name: true\n", []string{"ullim.yaml:2: node.name: must be text, in quotes; got true"}},
		{"a time without unit", "limits:\n  drain: 60\n", []string{
			`ullim.yaml:2: limits.drain: must be a time with its unit, as 500ms, 60s or 1h30m; got "60"`,
		}},
		{"a list for a text", "sip:\n  realm: [a]\n", []string{"ullim.yaml:2: sip.realm: must be one value, not a list or section"}},
		{"a text for a list", "sip:\n  udp: 0.0.0.0:5060\n", []string{`ullim.yaml:2: sip.udp: must be a list, as ["0.0.0.0:5060"]`}},
		{"a number in a list", "sip:\n  udp:\n    - 5060\n", []string{"ullim.yaml:3: sip.udp[0]: must be text"}},
		{"a text for a section", "log: info\n", []string{"ullim.yaml:1: log: must be a section with keys: level, format"}},
		{"no value", "sip:\n  realm:\n", []string{"ullim.yaml:2: sip.realm: has no value: give it one or remove the key"}},
		{"out of range", "sip:\n  max_calls: 0\n", []string{"ullim.yaml:2: sip.max_calls: must be 1 to 100000; got 0"}},
		{"a time out of range", "speech:\n  timeout: 1h\n", []string{"ullim.yaml:2: speech.timeout: must be 1s to 5m; got 1h0m0s"}},
		{"not a number at all", "sip:\n  requests_per_second_per_source: .nan\n", []string{
			`ullim.yaml:2: sip.requests_per_second_per_source: must be a number; got ".nan"`,
		}},
		{"another choice", "log:\n  format: xml\n", []string{`ullim.yaml:2: log.format: must be text or json; got "xml"`}},
		{"no port", "http:\n  listen: 127.0.0.1\n", []string{
			`ullim.yaml:2: http.listen: must be an IP address and a port, as 0.0.0.0:5060 or [::]:5060; got "127.0.0.1"`,
		}},
		{"second item", "sip:\n  tcp:\n    - 0.0.0.0:5060\n    - localhost:5061\n", []string{
			`ullim.yaml:4: sip.tcp[1]: must be an IP address and a port, as 0.0.0.0:5060 or [::]:5060; got "localhost:5061"`,
		}},
		{"listening twice", "sip:\n  tcp: [\"0.0.0.0:5060\", \"0.0.0.0:5060\"]\n", []string{`ullim.yaml:2: sip.tcp[1]: "0.0.0.0:5060" is named twice`}},
		{"deaf", "sip:\n  udp: []\n  tcp: []\n", []string{
			"ullim.yaml:2: sip.udp: must not be empty while sip.tcp is: nothing could reach the node",
		}},
		{"a key without its certificate", "sip:\n  tls:\n    key: k.pem\n", []string{
			"ullim.yaml:3: sip.tls.certificate: must be set with sip.tls.key",
		}},
		{"a certificate without its key", "http:\n  tls:\n    certificate: c.pem\n", []string{
			"ullim.yaml:3: http.tls.key: must be set with http.tls.certificate",
		}},
		{"TLS without a certificate", "sip:\n  tls:\n    listen: [\"0.0.0.0:5061\"]\n", []string{
			"ullim.yaml:3: sip.tls.certificate: must be set with sip.tls.listen",
		}},
		{"an origin with a path", "sip:\n  websocket_origins: [\"https://a.example/x\"]\n", []string{
			`ullim.yaml:2: sip.websocket_origins[0]: must be a host with an optional port, or http(s):// and these, without a path; got "https://a.example/x"`,
		}},
		{"a mistyped address", "sip:\n  advertise: 192.0.2.300\n", []string{
			`ullim.yaml:2: sip.advertise: must be an IP address or host name without a port; got "192.0.2.300"`,
		}},
		{"an address for nobody", "rtp:\n  advertise: 0.0.0.0\n", []string{
			`ullim.yaml:2: rtp.advertise: must be an address that others can reach; got "0.0.0.0"`,
		}},
		{"a realm with a quote", "sip:\n  realm: 'a\"b'\n", []string{
			"ullim.yaml:2: sip.realm: must be 1 to 63 printable ASCII characters without space, quote, colon, comma, semicolon or backslash; got \"a\\\"b\"",
		}},
		{"ports the wrong way", "rtp:\n  ports: 30000-20000\n", []string{"ullim.yaml:2: rtp.ports: must begin with the lower port; got 30000-20000"}},
		{"one port", "rtp:\n  ports: 20000\n", []string{`ullim.yaml:2: rtp.ports: must be two ports, as 20000-29999; got "20000"`}},
		{"few ports", "rtp:\n  ports: 20000-20001\n", []string{"ullim.yaml:2: rtp.ports: must hold at least 10 ports, one for each call leg; got 2"}},
		{"low ports", "rtp:\n  ports: 80-20000\n", []string{"ullim.yaml:2: rtp.ports: must lie within 1024-65535; got 80-20000"}},
		{"high ports", "rtp:\n  ports: 60000-70000\n", []string{"ullim.yaml:2: rtp.ports: must lie within 1024-65535; got 60000-70000"}},
		{"SIP among the RTP ports", "rtp:\n  ports: 5000-6000\n", []string{"ullim.yaml:2: sip.udp[0]: port 5060 is one of rtp.ports (5000-6000)"}},
		{"lifetimes crossed", "sip:\n  min_expires: 1h\n  max_expires: 10m\n", []string{
			"ullim.yaml:2: sip.min_expires: must be at most sip.max_expires (10m0s); got 1h0m0s",
		}},
		{"PostgreSQL where?", "database:\n  driver: postgres\n", []string{"ullim.yaml:2: database.url: must be set for driver postgres"}},
		{"a password in the URL", "database:\n  driver: postgres\n  url: postgres://u:hunter2@h/d\n", []string{
			"ullim.yaml:3: database.url: must be a file: or env: reference when it holds a password",
		}},
		{"a password in the query", "database:\n  driver: postgres\n  url: postgres://h/d?password=hunter2\n", []string{
			"ullim.yaml:3: database.url: must be a file: or env: reference when it holds a password",
		}},
		{"another scheme", "database:\n  driver: postgres\n  url: mysql://h/d\n", []string{
			"ullim.yaml:3: database.url: must be a URL as postgres://user@host:5432/name",
		}},
		{"a reference for SQLite", "database:\n  url: file:x.db\n", []string{
			"ullim.yaml:2: database.url: must be a path for driver sqlite, not a reference or URI",
		}},
		{"a secret in the file", "recordings:\n  s3:\n    secret_key: hunter2\n", []string{
			"ullim.yaml:3: recordings.s3.secret_key: must be a reference, file:PATH or env:NAME: this file is no place for a secret",
		}},
		{"a secret that is nowhere", "recordings:\n  s3:\n    secret_key: env:NOWHERE\n", []string{
			"ullim.yaml:3: recordings.s3.secret_key: environment variable NOWHERE is not set",
		}},
		{"an empty secret", "recordings:\n  s3:\n    secret_key: env:EMPTY\n", []string{"ullim.yaml:3: recordings.s3.secret_key: env:EMPTY is empty"}},
		{"a secret file that is not there", "recordings:\n  s3:\n    secret_key: file:/nowhere/key\n", []string{
			"ullim.yaml:3: recordings.s3.secret_key: file /nowhere/key: no such file or directory",
		}},
		{"S3 without its keys", "recordings:\n  store: s3\n  s3:\n    endpoint: https://s3.example.com\n", []string{
			"ullim.yaml:2: recordings.s3.bucket: must be set for store s3",
			"ullim.yaml:2: recordings.s3.access_key: must be set for store s3",
			"ullim.yaml:2: recordings.s3.secret_key: must be set for store s3",
			`ullim.yaml:4: recordings.s3.endpoint: must be a host with an optional port, without https:// and without a path; got "https://s3.example.com"`,
		}},
		{"encryption without its keys", "recordings:\n  encryption: envelope\n", []string{
			"ullim.yaml:2: recordings.key_ring: must be set for encryption envelope",
		}},
		{"encryption by a folder", "recordings:\n  encryption: sse-s3\n", []string{
			"ullim.yaml:2: recordings.encryption: sse-s3 is done by an object store: it needs store s3",
		}},
		{"not YAML", "sip:\n  udp: [\n", []string{"ullim.yaml:2: not YAML: did not find expected node content"}},
		{"a second document", "log: {level: info}\n---\nlog: {level: warn}\n", []string{
			"ullim.yaml:2: a second document (---) is not read: put everything into one",
		}},
		{"a list at the top", "- a\n", []string{
			"ullim.yaml:1: must be a section with keys: node, instance, data, http, sip, rtp, database, recordings, speech, prompts, chat, agent, egress, trace, log, limits",
		}},
		{"several at once, in order", "log:\n  level: loud\nnode:\n  name: 'a b'\nspeech:\n  command: ''\n", []string{
			`ullim.yaml:2: log.level: must be debug or info or warn or error; got "loud"`,
			`ullim.yaml:4: node.name: must be 1 to 63 letters, digits, - _ or .; got "a b"`,
			`ullim.yaml:6: speech.command: must not be empty; got ""`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf, err := Load(write(t, c.yaml), []string{"EMPTY="})
			if diff := cmp.Diff(c.want, lines(err)); diff != "" {
				t.Error(diff)
			}
			if conf != nil {
				t.Error("a wrong configuration was returned")
			}
		})
	}
}

func TestAMistakeInAVariableNamesTheVariable(t *testing.T) {
	_, err := Load("", []string{
		"ULLIM_SIP_MAX_CALLS=lots", "ULLIM_SIP_UDP=0.0.0.0:5060,nowhere", "ULLIM_SIP_MAXCALLS=5", "ULLIM_LOG_LEVEL=",
		"ULLIM_RECORDINGS_S3_SECRET_KEY=env:GONE",
	})
	want := []string{
		`environment variable ULLIM_LOG_LEVEL: log.level: must be debug or info or warn or error; got ""`,
		"environment variable ULLIM_RECORDINGS_S3_SECRET_KEY: recordings.s3.secret_key: environment variable GONE is not set",
		"environment variable ULLIM_SIP_MAXCALLS: no key has this name: see the configuration reference",
		`environment variable ULLIM_SIP_MAX_CALLS: sip.max_calls: must be a whole number; got "lots"`,
		`environment variable ULLIM_SIP_UDP: sip.udp[1]: must be an IP address and a port, as 0.0.0.0:5060 or [::]:5060; got "nowhere"`,
	}
	if diff := cmp.Diff(want, lines(err)); diff != "" {
		t.Error(diff)
	}
}

func TestAMistakeInAVariableIsNotBlamedOnTheFile(t *testing.T) {
	_, err := Load(write(t, "sip:\n  udp: [\"0.0.0.0:5060\"]\n"), []string{"ULLIM_SIP_UDP=nowhere"})
	want := []string{`environment variable ULLIM_SIP_UDP: sip.udp[0]: must be an IP address and a port, as 0.0.0.0:5060 or [::]:5060; got "nowhere"`}
	if diff := cmp.Diff(want, lines(err)); diff != "" {
		t.Error(diff)
	}
}

func TestAnEmptyFileIsAConfiguration(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "sip:\n", "log: {}\n"} {
		c, err := Load(write(t, text), nil)
		if diff := cmp.Diff(Default(), c); diff != "" || err != nil {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	dir := t.TempDir()
	for path, rule := range map[string]string{filepath.Join(dir, "none.yaml"): "no such file", dir: "is a directory"} {
		_, err := Load(path, nil)
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), rule) {
			t.Errorf("%v", err)
		}
	}
	big := write(t, strings.Repeat("# comment\n", 1<<17))
	if _, err := Load(big, nil); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("%v", err)
	}
}

func TestSecretsComeFromReferencesAndAreNeverPrinted(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(write(t, `
database: {driver: postgres, url: "env:DB"}
recordings:
  store: s3
  s3: {endpoint: "s3.example.com:9000", bucket: calls, access_key: ullim, secret_key: "file:`+key+`"}
`), []string{"DB=postgres://u:hunter2@h/d"})
	if err != nil {
		t.Fatal(err)
	}
	s3 := c.Recordings.S3
	if s3.SecretKey.Reveal() != "hunter2" || s3.AccessKey.Reveal() != "ullim" || c.Database.URL.Reveal() != "postgres://u:hunter2@h/d" {
		t.Errorf("secrets: %q %q %q", s3.SecretKey.Reveal(), s3.AccessKey.Reveal(), c.Database.URL.Reveal())
	}
	var b strings.Builder
	y, _ := yaml.Marshal(c)
	j, _ := json.Marshal(c)
	b.Write(y)
	b.Write(j)
	fmt.Fprintf(&b, "%v %+v %#v %s %q", c, c, c, s3.SecretKey, s3.SecretKey)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "conf", c, "key", s3.SecretKey, "s3", s3)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "conf", c, "key", s3.SecretKey)
	if strings.Contains(b.String(), "hunter2") || !strings.Contains(b.String(), redacted) {
		t.Errorf("printed: %s", b.String())
	}
	if fmt.Sprint(Secret("")) != "" {
		t.Error("an empty secret looks set")
	}
	plain, err := Load("", []string{"ULLIM_RECORDINGS_S3_SECRET_KEY=hunter2"})
	if err != nil || plain.Recordings.S3.SecretKey.Reveal() != "hunter2" {
		t.Errorf("a secret in its own variable: %v", err)
	}
}

func TestWarnings(t *testing.T) {
	c := Default()
	c.RTP.Ports = PortRange{50000, 50099}
	c.HTTP.Listen, c.Limits.Drain = "0.0.0.0:80", 0
	c.Recordings.Store, c.Recordings.S3.TLS = "s3", false
	w := strings.Join(c.Warnings(), "\n")
	for _, want := range []string{"overlaps", "fewer than", "open to other machines", "unencrypted", "cut off"} {
		if !strings.Contains(w, want) {
			t.Errorf("no warning about %q in:\n%s", want, w)
		}
	}
}

func TestEveryKeyIsDocumentedAndHasItsOwnVariable(t *testing.T) {
	seen := make(map[string]string)
	for _, k := range keys(reflect.ValueOf(&Config{}).Elem(), "") {
		if doc := k.field.Tag.Get("doc"); !strings.HasSuffix(doc, ".") || strings.Contains(doc, "|") {
			t.Errorf("%s has doc %q", k.path, doc)
		}
		if other, taken := seen[k.variable()]; taken {
			t.Errorf("%s and %s have one variable", other, k.path)
		}
		seen[k.variable()] = k.path
	}
}

func TestTheReferenceIsCheckedIn(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "configuration.md")
	if *update || os.Getenv("ULLIM_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Reference(), string(got)); diff != "" {
		t.Errorf("docs/configuration.md is old; run: make generate\n%s", diff)
	}
}

func TestTheExampleInTheReferenceIsTheDefault(t *testing.T) {
	_, text, _ := strings.Cut(Reference(), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	c, err := Load(write(t, text), nil)
	if diff := cmp.Diff(Default(), c); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("sip:\n  udp: [\"0.0.0.0:5060\"]\n", "5")
	f.Add("sip: &a\n  realm: *a\n", "")
	f.Add("a: &a [*a]\n<<: {}\n? [x]\n: y\n", "x")
	f.Add("---\n...\n", "1")
	f.Add("rtp: {ports: 1-2}\nrecordings: {s3: {secret_key: \"env:X\"}}", "99999999999999999999")
	f.Fuzz(func(t *testing.T, text, calls string) {
		c, err := load("f.yaml", []byte(text), []string{"ULLIM_SIP_MAX_CALLS=" + calls})
		if (c == nil) == (err == nil) {
			t.Fatal("neither or both")
		}
		if err == nil {
			return
		}
		for _, line := range lines(err) {
			if !strings.HasPrefix(line, "f.yaml:") && !strings.HasPrefix(line, "environment variable ULLIM_") {
				t.Fatalf("an error without a place: %s", line)
			}
		}
	})
}

func TestBucketsOfPromptsAreNotThoseOfRecordings(t *testing.T) {
	const s3 = "recordings:\n  store: s3\n  s3: {endpoint: s3.example.com, bucket: calls, buckets: [more], access_key: a, secret_key: env:ULLIM_TEST_KEY}\n"
	for text, want := range map[string]string{
		s3 + "prompts: {buckets: [sounds]}\n":     "",
		s3 + "prompts: {buckets: [calls]}\n":      "must not name a bucket of recordings (calls)",
		s3 + "prompts: {buckets: [more]}\n":       "must not name a bucket of recordings (more)",
		"prompts: {buckets: [sounds]}\n":          "recordings.s3.endpoint: must be set",
		s3 + "prompts: {buckets: [\"s/../x\"]}\n": "must be 3 to 63",
	} {
		file := filepath.Join(t.TempDir(), "ullim.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file, []string{"ULLIM_TEST_KEY=secret"})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
