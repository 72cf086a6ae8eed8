package prompts

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"ullim/internal/errs"
)

// maxChildOutput bounds what a program may write: about twelve minutes of sound, far more than the longest text.
const maxChildOutput = 32 << 20

// Child is a program that speaks: text in on standard input, never on the command line, sound out on standard output.
type Child struct {
	Command   string // name or path
	Arguments []string
	Input     string
	Timeout   time.Duration
	Hint      string // how to get it
}

// RunChild runs it to its end. It is killed, with what it started, when ctx or its time ends and when it writes too much. Its
// complaint is the beginning of what it wrote on standard error. errs.Unavailable if it is not there, takes too long or
// fails.
func RunChild(ctx context.Context, c Child) (out []byte, complaint string, err error) {
	path, err := exec.LookPath(c.Command)
	if err != nil {
		hint := ""
		if c.Hint != "" {
			hint = "; install it (Debian, Ubuntu: " + c.Hint + ")"
		}
		return nil, "", errs.Wrap(err, errs.Unavailable, "text-to-speech is not available: %s was not found%s", c.Command, hint)
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var stdout, stderr capped
	stdout.room, stderr.room = maxChildOutput, 4<<10
	cmd := exec.CommandContext(limited, path, c.Arguments...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.Input), &stdout, &stderr
	cmd.Env = childEnvironment()
	cmd.WaitDelay = time.Second
	leadGroup(cmd)
	err = cmd.Run()
	complaint = stderr.buf.String()
	switch {
	case err == nil:
		return stdout.buf.Bytes(), complaint, nil
	case ctx.Err() != nil:
		return nil, complaint, context.Cause(ctx)
	case limited.Err() != nil:
		return nil, complaint, errs.New(errs.Unavailable, "text-to-speech took longer than %v", c.Timeout)
	case stdout.full:
		return nil, complaint, errs.Field("Text", "becomes more than %d MB of sound", maxChildOutput>>20)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(complaint), "\n")
	return nil, complaint, errs.Wrap(err, errs.Unavailable, "text-to-speech failed: %.200s", line)
}

// childEnvironment keeps what a program needs to start and nothing else: keys and passwords in ours are not its business.
func childEnvironment() []string {
	env := []string{"LC_ALL=C.UTF-8"}
	for _, name := range []string{"PATH", "HOME", "ESPEAK_DATA_PATH", "LD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// capped is a buffer that refuses to grow beyond its room, which ends the child that writes to it. The buffer is not
// embedded: its ReadFrom would go round Write.
type capped struct {
	buf  bytes.Buffer
	room int
	full bool
}

// Write adds p, or fails.
func (c *capped) Write(p []byte) (int, error) {
	if c.buf.Len()+len(p) > c.room {
		c.full = true
		return 0, io.ErrShortWrite
	}
	return c.buf.Write(p)
}
