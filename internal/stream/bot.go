package stream

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"ullim/internal/errs"
)

// Voice is the person that a program talks with.
type Voice interface {
	// Attach gives every 20 ms of what they say to hear, and sends them what fill gives, until detach. gone is closed when
	// they have left, or hear something else. Both functions come from the media clock.
	Attach(hear func(ulaw []byte), fill func(frame []byte) int) (detach func(), gone <-chan struct{}, err error)
	// Digits gives the keys that they press.
	Digits() <-chan byte
	// SendDigits presses keys for them.
	SendDigits(digits string)
}

// Outcome is how a conversation ended.
type Outcome struct {
	Action     Action // empty: the program closed the connection, or stopped
	Intent     string
	Queue      string
	Flow       string
	Attributes map[string]string
}

// Errors of Converse.
var (
	// ErrGone: the person has left.
	ErrGone = errors.New("stream: the person has left")
	// ErrTimeOver: the program has not finished in the time that it had.
	ErrTimeOver = errors.New("stream: time is over")
)

// Converse lets a program talk with a person until it has finished: by EventUllim, by EventStop, or by closing the
// connection. What it had said before is played to the end. It is called once, and its connection is not made again: who
// has lost it does not know any more what was said. errs.Unavailable: the program cannot be reached, died or speaks
// nonsense; ErrTimeOver after limit, if that is not 0; ErrGone.
func Converse(ctx context.Context, o Options, v Voice, limit time.Duration) (Outcome, error) {
	o.complete()
	o.From, o.To = true, false
	o.Stats.Bots.Add(1)
	defer o.Stats.Bots.Add(-1)
	out, err := converse(ctx, o, v, limit)
	switch {
	case errors.Is(err, ErrGone):
		o.Stats.Left.Add(1)
	case errors.Is(err, ErrTimeOver):
		o.Stats.TimeOver.Add(1)
	case err != nil:
		o.Stats.Failed.Add(1)
		o.Log.Warn("a program cannot talk with the caller", "error", err)
	case out.Action == ActionTransfer:
		o.Stats.Transferred.Add(1)
	case out.Action == ActionFinish:
		o.Stats.Finished.Add(1)
	default:
		o.Stats.Closed.Add(1)
	}
	return out, err
}

// dialAttempts of a conversation; a person waits.
const dialAttempts = 2

func converse(ctx context.Context, o Options, v Voice, limit time.Duration) (Outcome, error) {
	var over <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		over = t.C
	}
	conn, err := dialBot(ctx, o)
	if ctx.Err() != nil {
		if err == nil {
			_ = conn.CloseNow()
		}
		return Outcome{}, ErrGone
	}
	if err != nil {
		return Outcome{}, err
	}
	t := newTalk(o, v)
	detach, gone, err := v.Attach(t.hear, t.play.fill)
	if err != nil {
		_ = conn.CloseNow()
		return Outcome{}, ErrGone
	}
	defer detach()
	linkCtx, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	t.ended = make(chan struct{})
	go func() {
		defer close(t.ended)
		var seq uint64
		l := &link{conn: conn, head: o.Head, out: t.out, stats: o.Stats, log: o.Log, take: t.take, seq: &seq}
		t.broken = l.run(linkCtx, 1)
	}()
	result, err := t.wait(ctx, gone, over)
	t.out.close() // what is still there is sent, and the stop
	flushed := time.AfterFunc(flushTime, cut)
	defer flushed.Stop()
	<-t.ended
	return result, err
}

func dialBot(ctx context.Context, o Options) (conn Conn, err error) {
	for range dialAttempts {
		bounded, cancel := context.WithTimeout(ctx, dialTime)
		conn, err = o.Dial(bounded)
		cancel()
		if err == nil || ctx.Err() != nil || !errs.Is(err, errs.Unavailable) {
			return conn, err
		}
	}
	return nil, err
}

// talk is one conversation.
type talk struct {
	o        Options
	v        Voice
	out      *outbox
	play     *playout
	finished chan Outcome // the first thing that the program says of the end
	said     atomic.Bool  // it has said it
	ended    chan struct{}
	broken   error // how the connection ended, once ended is closed
}

func newTalk(o Options, v Voice) *talk {
	t := &talk{o: o, v: v, out: newOutbox(), finished: make(chan Outcome, 1)}
	t.play = newPlayout(func(name string) { t.out.word(word{EventMark, name}) })
	return t
}

func (t *talk) hear(ulaw []byte) {
	if t.out.frame(false, ulaw) {
		t.o.Stats.FramesDropped.Add(1)
	}
}

// take does what the program says.
func (t *talk) take(m Message) {
	if t.said.Load() { // the end is the end
		return
	}
	switch m.Event {
	case EventMedia:
		if n := t.play.add(m.Audio); n > 0 && t.o.Stats.BytesRefused.Add(uint64(n)) == uint64(n) {
			t.o.Log.Warn("a program said more than is kept", "bytes", n)
		}
	case EventMark:
		if !t.play.mark(m.Mark) {
			t.o.Stats.BadMessages.Add(1)
		}
	case EventClear:
		t.play.clear()
	case EventDTMF:
		t.v.SendDigits(m.Digits)
	case EventUllim:
		t.finish(Outcome{Action: m.Action, Intent: m.Intent, Queue: m.Queue, Flow: m.Flow, Attributes: m.Attributes})
	case EventStop:
		t.finish(Outcome{})
	case EventConnected, EventStart:
	}
}

func (t *talk) finish(o Outcome) {
	if !t.said.Swap(true) {
		t.finished <- o
	}
}

// wait is until the conversation is over. Keys go to the program meanwhile.
func (t *talk) wait(ctx context.Context, gone <-chan struct{}, over <-chan time.Time) (Outcome, error) {
	for {
		select {
		case d := <-t.v.Digits():
			t.out.word(word{EventDTMF, string(rune(d))})
		case result := <-t.finished:
			return t.drain(ctx, result, gone, over)
		case <-t.ended:
			select {
			case result := <-t.finished: // said in the same moment
				return t.drain(ctx, result, gone, over)
			default:
			}
			if !errors.Is(t.broken, errClosed) {
				return Outcome{}, errs.Wrap(t.broken, errs.Unavailable, "the program has been lost")
			}
			t.said.Store(true)
			return t.drain(ctx, Outcome{}, gone, over)
		case <-over:
			return Outcome{}, ErrTimeOver
		case <-gone:
			return Outcome{}, ErrGone
		case <-ctx.Done():
			return Outcome{}, ErrGone
		}
	}
}

// drain plays what was said before the end.
func (t *talk) drain(ctx context.Context, result Outcome, gone <-chan struct{}, over <-chan time.Time) (Outcome, error) {
	select {
	case <-t.play.drained():
	case <-over: // it has said what it wanted, if not all of it was heard
	case <-gone:
		return Outcome{}, ErrGone
	case <-ctx.Done():
		return Outcome{}, ErrGone
	}
	return result, nil
}
