package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain is also the program that relaxes its timers: begun again, it must come out at the same place, once.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_TIMER_SLACK") == "" {
		os.Exit(m.Run())
	}
	relaxTimers()
	now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	fmt.Println(os.Getpid(), time.Duration(now), err, strings.Join(os.Args[1:], " "))
}

func TestTheProgramBeginsAgainOnceWithCoarserTimers(t *testing.T) {
	for name, c := range map[string]struct{ before, after time.Duration }{
		"as the system starts it": {usualSlack, ourSlack},
		"chosen by the operator":  {70 * time.Microsecond, 70 * time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			// A shell cannot set it, so it comes from the thread that starts the program.
			started := make(chan string, 1)
			go func() { // its thread is not used again: LockOSThread without Unlock
				runtime.LockOSThread()
				if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(c.before), 0, 0, 0); err != nil {
					started <- err.Error()
					return
				}
				cmd := exec.Command(os.Args[0], "serve", "--config", "x")
				cmd.Env = append(os.Environ(), "TEST_TIMER_SLACK=1")
				out, err := cmd.Output()
				if err != nil {
					started <- err.Error()
					return
				}
				started <- strings.TrimSpace(strings.TrimPrefix(string(out), fmt.Sprint(cmd.Process.Pid)))
			}()
			want := fmt.Sprint(c.after, " <nil> serve --config x")
			if got := <-started; got != want {
				t.Errorf("%q, want %q behind its own process id", got, want)
			}
		})
	}
}
