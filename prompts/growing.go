package prompts

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Audio is sound ready to be sent: 20 ms frames per codec, made once, shared by all calls, read-only. One that is Growing gets
// more frames at its end while it is played; whoever has come to the end sends silence until there are more.
type Audio struct {
	Name   string
	Length time.Duration // when it was handed out; a growing one gets longer
	frames map[string][][]byte
	growth *growth // nil: it is whole
}

// growth is the state of an Audio that is still being made. Readers see one state or the next, never a mixture.
type growth struct {
	state  atomic.Pointer[grown]
	cancel context.CancelFunc
	once   sync.Once
	over   chan struct{}
}

type grown struct {
	frames map[string][][]byte
	length time.Duration
	done   bool
}

// Frames gives the frames for a codec by its RTP encoding name (PCMU, PCMA), as many as there are by now; nil for another.
func (a *Audio) Frames(codec string) [][]byte {
	if a.growth != nil {
		return a.growth.state.Load().frames[codec]
	}
	return a.frames[codec]
}

// Growing reports whether more frames may come. Who asks for it first and for Frames then misses none.
func (a *Audio) Growing() bool { return a.growth != nil && !a.growth.state.Load().done }

// Abandon says that nobody listens any more: what is not made yet is not made. It may be called at any time, by anybody who
// played the audio, and never blocks.
func (a *Audio) Abandon() {
	if a.growth != nil {
		a.growth.cancel()
	}
}

// Wait is until all of it is there, or ctx ends. It gives the whole length.
func (a *Audio) Wait(ctx context.Context) (time.Duration, error) {
	if a.growth == nil {
		return a.Length, nil
	}
	select {
	case <-a.growth.over:
		return a.growth.state.Load().length, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// grow makes an Audio of what is there that more can be added to.
func (a *Audio) grow(cancel context.CancelFunc) *Audio {
	g := &growth{cancel: cancel, over: make(chan struct{})}
	g.state.Store(&grown{frames: a.frames, length: a.Length})
	return &Audio{Name: a.Name, Length: a.Length, growth: g}
}

// add puts frames at the end. Only one goroutine adds.
func (a *Audio) add(more *Audio) {
	now := a.growth.state.Load()
	next := &grown{frames: maps.Clone(now.frames), length: now.length + more.Length}
	for codec, frames := range next.frames {
		// Behind the end of what readers have seen there may be room; they never look there.
		next.frames[codec] = append(frames, more.frames[codec]...)
	}
	a.growth.state.Store(next)
}

// finish says that nothing will be added.
func (a *Audio) finish() {
	a.growth.once.Do(func() {
		end := *a.growth.state.Load()
		end.done = true
		a.growth.state.Store(&end)
		close(a.growth.over)
	})
}

// join is several whole sounds one after the other; the frames are shared with them.
func join(name string, list []*Audio) *Audio {
	out := &Audio{Name: name, frames: map[string][][]byte{}}
	size := map[string]int{}
	for _, a := range list {
		out.Length += a.Length
		for codec, frames := range a.frames {
			size[codec] += len(frames)
		}
	}
	for codec, n := range size { // each caller who hears a long text has such a list: it is made in one piece
		all := make([][]byte, 0, n)
		for _, a := range list {
			all = append(all, a.frames[codec]...)
		}
		out.frames[codec] = all
	}
	return out
}
