package main

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel lets every sleep of a thread end a little late, so that wake-ups can share an interrupt. Its default of 50 µs
// is too fine for us: Go's monitor thread sleeps for 20 µs again and again as long as a goroutine is in a system call, and
// a call that waits for the disk keeps it awake for milliseconds. That was a fifth of what a call costs at 100 calls a second.
const (
	usualSlack = 50 * time.Microsecond
	ourSlack   = time.Millisecond
)

// relaxTimers gives this process a coarser timer slack. Threads have theirs from the thread that made them, and the monitor
// thread exists before main, so the program begins again, once, in the same process. Audio is not sent by such a sleep: the
// media loop has a timer descriptor, which knows no slack. An operator who has set a slack (systemd's TimerSlackNSec=)
// keeps it. If anything fails, everything works as before.
func relaxTimers() {
	runtime.LockOSThread() // until the end, or of the very thread that becomes the new program
	defer runtime.UnlockOSThread()
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || time.Duration(slack) != usualSlack {
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	if err = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(ourSlack), 0, 0, 0); err != nil {
		return
	}
	_ = syscall.Exec(self, os.Args, os.Environ()) // comes back only if it failed
}
