//go:build !unix

package prompts

import "os/exec"

// leadGroup does nothing: only the child itself is killed.
func leadGroup(*exec.Cmd) {}
