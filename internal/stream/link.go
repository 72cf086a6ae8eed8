package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/coder/websocket"

	"ullim/internal/errs"
)

// Conn is an open WebSocket. *websocket.Conn is one; its read limit must be MaxMessage.
type Conn interface {
	Read(ctx context.Context) (websocket.MessageType, []byte, error)
	Write(ctx context.Context, typ websocket.MessageType, p []byte) error
	Ping(ctx context.Context) error
	Close(code websocket.StatusCode, reason string) error
	CloseNow() error
}

var _ Conn = (*websocket.Conn)(nil)

// Dial opens a connection to the program.
type Dial func(ctx context.Context) (Conn, error)

// How long a program may take.
const (
	dialTime  = 5 * time.Second
	writeTime = 5 * time.Second
	pingEvery = 10 * time.Second
	pingTime  = 5 * time.Second
	byeTime   = time.Second
	lastWord  = 250 * time.Millisecond
	maxBad    = 20 // messages that are none, in a connection

	readBurst = 4 << 20 // bytes that are taken at once
	readRate  = 1 << 20 // bytes a second after that: the rest waits with the program
)

// Ways in which a connection ends, beside errors of the network.
var (
	errClosed   = errors.New("stream: closed by the program")
	errNonsense = errors.New("stream: too many messages that are none")
	errSilent   = errors.New("stream: no answer to a ping")
	errStuck    = errors.New("stream: nothing is read")
)

// link is one connection. take gets what the program says; it must not wait.
type link struct {
	conn  Conn
	head  Head
	out   *outbox
	stats *Stats
	log   *slog.Logger
	take  func(m Message)
	seq   *uint64 // of the stream; the writer's
}

// run serves the connection until one side ends it. nil: the outbox was closed, and all is sent. The connection is closed
// when it returns, and nothing of it runs any more.
func (l *link) run(ctx context.Context, connection int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := l.greet(ctx, connection); err != nil {
		_ = l.conn.CloseNow()
		return err
	}
	var wg sync.WaitGroup
	heard := make(chan struct{})
	wg.Go(func() { defer close(heard); cancel(l.read(ctx)) })
	wg.Go(func() { cancel(l.beat(ctx)) })
	err := l.write(ctx)
	if err == nil {
		l.bye(ctx)
	} else { // what they said last may say why nothing can be written any more
		t := time.NewTimer(lastWord)
		select {
		case <-heard:
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
	_ = l.conn.CloseNow()
	cancel(err)
	wg.Wait()
	if cause := context.Cause(ctx); err != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// greet says who we are.
func (l *link) greet(ctx context.Context, connection int) error {
	if err := l.send(ctx, connected()); err != nil {
		return err
	}
	*l.seq++
	return l.send(ctx, l.head.start(*l.seq, connection))
}

// write sends what is in the outbox until it is closed and empty.
func (l *link) write(ctx context.Context) error {
	var f frame
	var b []byte
	for {
		w, isWord, isFrame, over := l.out.next(&f)
		switch {
		case isWord:
			*l.seq++
			b = l.head.appendWord(b[:0], *l.seq, w)
		case isFrame:
			*l.seq++
			b = l.head.appendMedia(b[:0], *l.seq, &f)
			l.stats.FramesSent.Add(1)
		case over:
			return nil
		default:
			select {
			case <-l.out.wake:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		if err := l.send(ctx, b); err != nil {
			return err
		}
	}
}

// send writes one message. A program that does not take it in time is stuck.
func (l *link) send(ctx context.Context, b []byte) error {
	bounded, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	err := l.conn.Write(bounded, websocket.MessageText, b)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return errStuck
	}
	return err
}

// bye says that the stream is over. Who does not listen any more misses it.
func (l *link) bye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, byeTime)
	defer cancel()
	*l.seq++
	if l.send(ctx, l.head.appendWord(nil, *l.seq, word{event: EventStop})) == nil {
		closed := make(chan struct{})
		go func() { defer close(closed); _ = l.conn.Close(websocket.StatusNormalClosure, "") }()
		select {
		case <-closed:
		case <-ctx.Done():
			_ = l.conn.CloseNow()
			<-closed
		}
	}
}

// read takes what the program says.
func (l *link) read(ctx context.Context) error {
	bad, budget := 0, bucket{level: readBurst, at: time.Now()}
	for {
		typ, b, err := l.conn.Read(ctx)
		if err != nil {
			if s := websocket.CloseStatus(err); s == websocket.StatusNormalClosure || s == websocket.StatusGoingAway {
				return errClosed
			}
			return err
		}
		m, err := Parse(b)
		if typ != websocket.MessageText {
			err = errs.Field("message", "must be text")
		}
		if err != nil {
			l.stats.BadMessages.Add(1)
			if bad++; bad == 1 {
				l.log.Warn("a program speaks what is not understood", "error", err)
			}
			if bad > maxBad {
				return errNonsense
			}
			continue
		}
		l.take(m)
		if err := budget.spend(ctx, len(b)); err != nil {
			return err
		}
	}
}

// beat asks whether the program is there.
func (l *link) beat(ctx context.Context) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		bounded, cancel := context.WithTimeout(ctx, pingTime)
		err := l.conn.Ping(bounded)
		cancel()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", errSilent, err)
		}
	}
}

// bucket bounds how fast a program is read.
type bucket struct {
	level float64
	at    time.Time
}

// spend takes n bytes, and waits if they are more than there are.
func (b *bucket) spend(ctx context.Context, n int) error {
	now := time.Now()
	b.level = min(readBurst, b.level+now.Sub(b.at).Seconds()*readRate) - float64(n)
	b.at = now
	if b.level >= 0 {
		return nil
	}
	t := time.NewTimer(max(time.Duration(-b.level/readRate*float64(time.Second)), 1))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
