package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sipp runs a scenario of testdata against the engine to its end, and fails the test if a call failed. It gives the log
// of messages.
func (e *engine) sipp(place int, name, number string, args ...string) string {
	e.t.Helper()
	log, problem := e.runSIPp(place, name, number, args...)
	if problem != "" {
		e.t.Fatal(problem)
	}
	return log
}

// runSIPp is sipp for any goroutine: it gives what went wrong.
func (e *engine) runSIPp(place int, name, number string, args ...string) (log, problem string) {
	path := program(e.t, "sipp", "sip-tester")
	dir := e.t.TempDir()
	messages, problems := filepath.Join(dir, "messages.log"), filepath.Join(dir, "errors.log")
	port := e.ports.sipp(place)
	all := append([]string{
		e.server, "-sf", scenario(e.t, dir, name), "-s", number, "-i", "127.0.0.1", "-bind_local", "-p", fmt.Sprint(port), "-mp", fmt.Sprint(port + 2),
		"-nostdin", "-timeout", "40s", "-timeout_error",
		"-trace_msg", "-message_file", messages, "-trace_err", "-error_file", problems,
	}, args...)
	ctx, cancel := context.WithTimeout(e.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, all...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=xterm")
	out, err := cmd.CombinedOutput()
	said, _ := os.ReadFile(messages)
	if err != nil {
		complaints, _ := os.ReadFile(problems)
		screen := string(out)
		return "", fmt.Sprintf("sipp %s: %v\n%s\n%s\n%s", name, err, screen[max(0, len(screen)-1000):], complaints[:min(len(complaints), 4000)], said[:min(len(said), 8000)])
	}
	return string(said), ""
}

func TestFiftyCallsOfSIPpHearAMessageAndAreHungUpOn(t *testing.T) {
	t.Parallel()
	c := newCenter(t)
	c.number("+8225550100", messageFlow("Good bye."))
	c.sipp(0, "message", "+8225550100", "-m", "50", "-r", "10")
	for _, r := range c.closed(50) {
		if *r.DisconnectReason != "CONTACT_FLOW_DISCONNECT" {
			t.Errorf("contact %s: %s", *r.Id, *r.DisconnectReason)
		}
		if *r.SystemEndpoint.Address != "+8225550100" || *r.CustomerEndpoint.Address != "+821012345678" {
			t.Errorf("contact %s was from %s to %s", *r.Id, *r.CustomerEndpoint.Address, *r.SystemEndpoint.Address)
		}
	}
	c.atRest()
	if n := c.metrics()["ullim_sip_invites_admitted_total"]; n != 50 {
		t.Errorf("%g calls were admitted", n)
	}
}

func TestSIPpCallersMayHangUpCancelAndUseTCP(t *testing.T) {
	t.Parallel()
	c := newCenter(t)
	c.number("+8225550101", messageFlow(strings.Repeat("This message is longer than the caller's patience. ", 10)))
	calls := 0
	for _, run := range []struct {
		scenario, reason string
		calls            int
		args             []string
	}{
		{"hangup", "CUSTOMER_DISCONNECT", 20, []string{"-r", "10"}},
		{"hangup", "CUSTOMER_DISCONNECT", 20, []string{"-r", "10", "-t", "t1"}},                     // one TCP connection
		{"hangup", "CUSTOMER_DISCONNECT", 5, []string{"-r", "5", "-t", "tn", "-max_socket", "100"}}, // one for each call
		// A 200 that comes before sipp has got to its CANCEL is let go; the engine repeats it.
		{"cancel", "", 10, []string{"-r", "5", "-default_behaviors", "all,-abortunexp"}},
		{"options", "", 0, []string{"-m", "5"}},
		{"options", "", 0, []string{"-m", "5", "-t", "t1"}},
	} {
		args := run.args
		if run.calls > 0 {
			args = append(args, "-m", fmt.Sprint(run.calls))
		}
		c.sipp(0, run.scenario, "+8225550101", args...)
		c.atRest()
		if run.scenario == "cancel" { // whoever is cancelled before the contact is committed leaves no record
			if n := len(c.contacts()); n < calls || n > calls+run.calls {
				t.Errorf("%d contacts after %d calls and %d cancelled ones", n, calls, run.calls)
			}
			calls = len(c.contacts())
			continue
		}
		calls += run.calls
		for _, r := range c.closed(calls) {
			if run.reason != "" && *r.DisconnectReason != run.reason {
				t.Errorf("%s: contact %s: %s", run.scenario, *r.Id, *r.DisconnectReason)
			}
		}
	}
}
