package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestCheckNamesFileLineFieldAndRuleOfEveryMistake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "bad.yaml")
	write(t, file, "http:\n  listen: nowhere\nsip:\n  max_calls: 0\n  colour: blue\nrtp:\n  ports: 30000-20000\n")
	code, out := tool(t, dir, nil, "check", file)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{
		`bad\.yaml:2: http\.listen: must be an IP address and a port.*"nowhere"`,
		`bad\.yaml:4: sip\.max_calls: must be 1 to 100000; got 0`,
		`bad\.yaml:5: sip\.colour: `,
		`bad\.yaml:7: rtp\.ports: must begin with the lower port`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in:\n%s", want, out)
		}
	}
	if code, out = tool(t, dir, []string{"ULLIM_SIP_MAX_CALLS=many"}, "check"); code != 1 || !strings.Contains(out, "ULLIM_SIP_MAX_CALLS") {
		t.Errorf("a bad variable: exit code %d\n%s", code, out)
	}
	if code, out = tool(t, dir, nil, "serve", "--config", file); code != 1 || !strings.Contains(out, "bad.yaml:4") {
		t.Errorf("serve with a bad file: exit code %d\n%s", code, out)
	}
	write(t, file, "sip: {max_calls: 10}\n")
	if code, out = tool(t, dir, nil, "check", file); code != 0 {
		t.Errorf("a good file: exit code %d\n%s", code, out)
	}
}

func TestTryPlaysItsFiveCalls(t *testing.T) {
	t.Parallel()
	machine.Lock()
	defer machine.Unlock()
	code, out := tool(t, t.TempDir(), nil, "try", "--dir", filepath.Join(t.TempDir(), "try"))
	if code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestDoctorLooksBesideARunningEngineAndWithoutOne(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	dir := filepath.Dir(e.config)
	code, out := tool(t, dir, nil, "doctor", "--config", e.config)
	if code != 0 || strings.Contains(out, "FAILED") || !strings.Contains(out, "ullim is running") {
		t.Errorf("beside a running engine: exit code %d\n%s", code, out)
	}
	e.child.kill()
	code, out = tool(t, dir, []string{"ULLIM_SPEECH_COMMAND=no-such-program", "ULLIM_HTTP_LISTEN=192.0.2.99:8080"}, "doctor", "--config", e.config)
	if code != 1 || !strings.Contains(out, "no-such-program") || !strings.Contains(out, "not an address of this machine") {
		t.Errorf("with mistakes: exit code %d\n%s", code, out)
	}
}

func TestMigrateVersionAndANewKeyForALostOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{{"version"}, {"migrate"}, {"--help"}} {
		if code, out := tool(t, dir, nil, args...); code != 0 || out == "" {
			t.Errorf("%v: exit code %d\n%s", args, code, out)
		}
	}
	e := newEngine(t)
	e.child.kill()
	code, out := tool(t, filepath.Dir(e.config), nil, "user", "--config", e.config, "--new-key", "admin")
	m := regexp.MustCompile(`(?m)^bearer token +(\S+)$`).FindStringSubmatch(out)
	if code != 0 || m == nil {
		t.Fatalf("a new key: exit code %d\n%s", code, out)
	}
	e.start()
	if strings.Contains(e.out.String(), "password") {
		t.Errorf("the second start shows credentials:\n%s", e.out)
	}
	c := &center{engine: e}
	for _, token := range []string{m[1], e.token} { // the lost one still works until it is deleted
		c.token = token
		c.admin("GET", "/system", nil, nil)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
