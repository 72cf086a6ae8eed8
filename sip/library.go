package sip

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// syscallConn is what net.Dialer shows before connecting.
type syscallConn = syscall.RawConn

// libraryOnce guards sipgo's package variables, which must not change once a listener runs.
var libraryOnce sync.Once //nolint:gochecknoglobals // sipgo's settings are global, so is the note that they are made

// prepareLibrary sets what sipgo only has globally: answers over 1300 bytes must go out over UDP (they are refused
// otherwise), and scanners must not fill the log.
func prepareLibrary() {
	libraryOnce.Do(func() {
		sipgo.UDPMTUSize = maxMessage + 200
		sipgo.SetDefaultLogger(slog.New(newSampler(defaultHandler{})))
	})
}

// neverDialling makes sipgo unable to open connections: a client's address is not a place to connect to, whoever has
// closed his connection is gone, and those to trunks come through a door.
func neverDialling() sipgo.TransportsConfig {
	never := func(net.Addr) net.Dialer {
		return net.Dialer{
			Timeout: time.Millisecond,
			ControlContext: func(context.Context, string, string, syscallConn) error {
				return errors.New("sip: the peer's connection is gone")
			},
		}
	}
	nowhere := func(string) string { return "nowhere://gone" } // sipgo knows no such scheme
	return sipgo.TransportsConfig{
		TCP: &sipgo.TransportTCP{DialerCreate: never},
		TLS: &sipgo.TransportTLS{TransportTCP: &sipgo.TransportTCP{DialerCreate: never}},
		WS:  &sipgo.TransportWS{DialURI: nowhere},
		WSS: &sipgo.TransportWSS{TransportWS: &sipgo.TransportWS{DialURI: nowhere}},
	}
}

// defaultHandler is the process's logger as it is when a line is written.
type defaultHandler struct{}

// Enabled asks it.
func (defaultHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return slog.Default().Enabled(ctx, l)
}

// Handle hands the line to it.
func (defaultHandler) Handle(ctx context.Context, r slog.Record) error {
	return slog.Default().Handler().Handle(ctx, r)
}

// WithAttrs drops them: which part of the library it was is of no use to anybody.
func (h defaultHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup drops it.
func (h defaultHandler) WithGroup(string) slog.Handler { return h }

// sampler lets a few warnings of the library a second through, long values cut, and counts the rest.
type sampler struct {
	next slog.Handler
	rate *rate
}

func newSampler(next slog.Handler) *sampler {
	return &sampler{next: next, rate: &rate{perSecond: 2, burst: 20}}
}

// Enabled is only true for warnings and errors.
func (s *sampler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && s.next.Enabled(ctx, l)
}

// Handle writes the record if the rate allows.
func (s *sampler) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasSuffix(r.Message, "ref went negative") { // a closed connection is let go twice: nothing is wrong
		return nil
	}
	ok, suppressed := s.rate.take(time.Now())
	if !ok {
		return nil
	}
	out := slog.NewRecord(r.Time, r.Level, "sipgo: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if a.Value.Kind() == slog.KindString {
			a.Value = slog.StringValue(clip(a.Value.String(), 200))
		}
		out.AddAttrs(a)
		return true
	})
	if suppressed > 0 {
		out.AddAttrs(slog.Int("suppressed", suppressed))
	}
	return s.next.Handle(ctx, out)
}

// WithAttrs keeps the rate.
func (s *sampler) WithAttrs(as []slog.Attr) slog.Handler {
	return &sampler{next: s.next.WithAttrs(as), rate: s.rate}
}

// WithGroup keeps the rate.
func (s *sampler) WithGroup(name string) slog.Handler {
	return &sampler{next: s.next.WithGroup(name), rate: s.rate}
}

// rate is a token bucket that counts what it refuses.
type rate struct {
	perSecond, burst float64

	mu      sync.Mutex
	tokens  float64
	last    time.Time
	refused int
}

func (r *rate) allow(now time.Time) bool {
	ok, _ := r.take(now)
	return ok
}

// take says whether there is a token, and if so how many asked in vain since the last time.
func (r *rate) take(now time.Time) (ok bool, refused int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch elapsed := now.Sub(r.last); {
	case r.last.IsZero():
		r.tokens = r.burst
		r.last = now
	case elapsed > 0:
		r.tokens = min(r.burst, r.tokens+elapsed.Seconds()*r.perSecond)
		r.last = now
	}
	if r.tokens < 1 {
		r.refused++
		return false, 0
	}
	r.tokens--
	refused, r.refused = r.refused, 0
	return true, refused
}
