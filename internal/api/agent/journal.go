package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"

	"ullim/internal/errs"
)

// journal has each command done once. What is being done now it knows itself, what was done the store.
type journal struct {
	store Journal

	mu      sync.Mutex
	running map[string]*running // by user and key
}

// running is a command that is being done.
type running struct {
	digest string
	done   chan struct{}
	answer Result // after done
}

// digestOf is what a command says, without its key.
func digestOf(c *Command) string {
	body := encode(struct {
		Name, ContactID string
		Args            json.RawMessage
	}{c.Name, c.ContactID, c.Args})
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// once does a command, or gives the answer that its key has got before. again is true for the latter. A command that may
// safely be done twice is done also while the store is away.
func (j *journal) once(ctx context.Context, userID string, c *Command, safe bool, do func() Result) (answer Result, again bool) {
	name, digest := userID+" "+c.ID, digestOf(c)
	j.mu.Lock()
	if r := j.running[name]; r != nil {
		j.mu.Unlock()
		return r.wait(ctx, digest), true
	}
	r := &running{digest: digest, done: make(chan struct{})}
	j.running[name] = r
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		delete(j.running, name)
		j.mu.Unlock()
		r.answer = answer
		close(r.done)
	}()
	fresh, stored, old, err := j.store.BeginCommand(ctx, userID, c.ID, digest, time.Now())
	switch {
	case err != nil && safe && !errs.Is(err, errs.Invalid):
		return do(), false
	case err != nil:
		return failed(faultOf(errs.Wrap(err, errs.Unavailable, "the command could not be noted, and was not done"))), false
	case !fresh && stored != digest:
		return failed(fault(codeReused, "")), true
	case !fresh && len(old) == 0:
		return failed(fault(codeOutcomeUnknown, "")), true
	case !fresh:
		if json.Unmarshal(old, &answer) != nil {
			return failed(fault(codeOutcomeUnknown, "")), true
		}
		return answer, true
	}
	answer = do()
	// The command is done, whoever waits for it or not; its answer is kept without them.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	_ = j.store.FinishCommand(keep, userID, c.ID, encode(answer)) // it failed: then the same key has an unknown outcome
	return answer, false
}

// wait gives the answer of a command that another request is doing.
func (r *running) wait(ctx context.Context, digest string) Result {
	if r.digest != digest {
		return failed(fault(codeReused, ""))
	}
	select {
	case <-r.done:
		return r.answer
	case <-ctx.Done():
		return failed(fault(codeTimeout, ""))
	}
}
