//go:build unix

package prompts

import (
	"os/exec"
	"syscall"
)

// leadGroup lets a child and what it starts be killed together.
func leadGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
