package stream

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// How often a lost connection is made again.
const (
	firstPause  = 500 * time.Millisecond
	longPause   = 8 * time.Second
	steadyAfter = 10 * time.Second // a connection that lasted so long was a good one
	giveUpAfter = time.Minute      // without a connection
	flushTime   = 2 * time.Second  // for what is still to be sent at the end
)

// Options of a Stream, and of a conversation.
type Options struct {
	Head
	Dial  Dial
	Log   *slog.Logger
	Stats *Stats // nil: not counted
}

func (o *Options) complete() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Stats == nil {
		o.Stats = &Stats{}
	}
	o.Log = o.Log.With("contact_id", o.ContactID, "stream_id", o.StreamID)
}

// Stream sends the sound of a person to a program until Stop. A connection that is lost is made again, with the same
// stream id; what was said meanwhile is lost but for the last five seconds.
//
//	connecting ──> connected ── lost ──> pause 0.5, 1, 2, 4, 8 s ──> connecting
//	                                       └── a minute without a connection: over
type Stream struct {
	o     Options
	out   *outbox
	first chan struct{} // closed at the first connection
	done  chan struct{}
	once  sync.Once
	end   context.CancelFunc
	begun time.Time
	seq   uint64
}

// Start begins to connect, and returns at once.
func Start(o Options) *Stream {
	o.complete()
	ctx, cancel := context.WithCancel(context.Background())
	s := &Stream{o: o, out: newOutbox(), first: make(chan struct{}), done: make(chan struct{}), end: cancel, begun: time.Now()}
	o.Stats.Streams.Add(1)
	o.Stats.Started.Add(1)
	go s.run(ctx)
	return s
}

// Frame takes 20 ms of a track, as µ-law. It never waits.
func (s *Stream) Frame(to bool, ulaw []byte) {
	if s.out.frame(to, ulaw) {
		s.o.Stats.FramesDropped.Add(1)
	}
}

// Connected waits for the first connection; false: it did not come before ctx ended, or the stream is over.
func (s *Stream) Connected(ctx context.Context) bool {
	select {
	case <-s.first:
		return true
	case <-s.done:
	case <-ctx.Done():
	}
	return false
}

// Stop ends the stream; the program is told. It returns at once, and may be called again.
func (s *Stream) Stop() {
	s.once.Do(func() {
		s.out.close()
		time.AfterFunc(flushTime, s.end)
		select {
		case <-s.first:
		default:
			s.end() // nobody to tell
		}
	})
}

// Done is closed when the stream is over, whoever ended it.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Started is when it began.
func (s *Stream) Started() time.Time { return s.begun }

// ID is its streamSid.
func (s *Stream) ID() string { return s.o.StreamID }

func (s *Stream) run(ctx context.Context) {
	defer close(s.done)
	defer s.end()
	defer s.o.Stats.Streams.Add(-1)
	defer s.out.close()
	lost, pause := time.Now(), firstPause
	for n := 1; ; n++ {
		conn, err := s.dial(ctx)
		if err == nil {
			if n == 1 {
				close(s.first)
			} else {
				s.o.Stats.Again.Add(1)
			}
			up := time.Now()
			l := &link{conn: conn, head: s.o.Head, out: s.out, stats: s.o.Stats, log: s.o.Log, take: func(Message) {}, seq: &s.seq}
			if err = l.run(ctx, n); err == nil || ctx.Err() != nil {
				return
			}
			s.o.Stats.Lost.Add(1)
			if lost = time.Now(); lost.Sub(up) >= steadyAfter {
				pause = firstPause
			}
		} else {
			n-- // connections are counted, not attempts
		}
		if ctx.Err() != nil {
			return
		}
		if time.Since(lost)+pause > giveUpAfter {
			s.o.Log.Error("live audio given up", "error", err)
			return
		}
		s.o.Log.Warn("live audio interrupted", "error", err, "again_in", pause)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		pause = min(2*pause, longPause)
	}
}

func (s *Stream) dial(ctx context.Context) (Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	return s.o.Dial(ctx)
}
