package stream

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
)

// program is the far end of a connection in memory.
type program struct {
	down   chan []byte // to us
	gone   chan struct{}
	once   sync.Once
	closed websocket.StatusCode // how the program closed; 0: it broke

	mu      sync.Mutex
	heard   []map[string]any
	stuck   atomic.Bool // does not read
	mute    atomic.Bool // does not answer pings
	onHeard func(m map[string]any)
}

func newProgram() *program { return &program{down: make(chan []byte, 100), gone: make(chan struct{})} }

func (p *program) say(format string, args ...any) { p.down <- fmt.Appendf(nil, format, args...) }

func (p *program) media(b []byte) {
	p.say(`{"event":"media","media":{"payload":%q}}`, base64.StdEncoding.EncodeToString(b))
}

func (p *program) hangUp(code websocket.StatusCode) {
	p.once.Do(func() { p.closed = code; close(p.gone) })
}

func (p *program) Read(ctx context.Context) (websocket.MessageType, []byte, error) {
	select {
	case b := <-p.down:
		return websocket.MessageText, b, nil
	default:
	}
	select {
	case b := <-p.down:
		return websocket.MessageText, b, nil
	case <-p.gone:
		if p.closed != 0 {
			return 0, nil, websocket.CloseError{Code: p.closed}
		}
		return 0, nil, errors.New("broken")
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}

func (p *program) Write(ctx context.Context, _ websocket.MessageType, b []byte) error {
	if p.stuck.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-p.gone:
		return errors.New("broken")
	default:
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	p.mu.Lock()
	p.heard = append(p.heard, m)
	p.mu.Unlock()
	if p.onHeard != nil {
		p.onHeard(m)
	}
	return nil
}

func (p *program) Ping(ctx context.Context) error {
	if p.mute.Load() || p.stuck.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (p *program) Close(websocket.StatusCode, string) error { return p.CloseNow() }
func (p *program) CloseNow() error                          { p.hangUp(0); return nil }

// events are what it heard, without sound.
func (p *program) events() (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.heard {
		switch e := m["event"].(string); e {
		case "media":
		case "mark":
			out = append(out, "mark "+m["mark"].(map[string]any)["name"].(string))
		case "dtmf":
			out = append(out, "dtmf "+m["dtmf"].(map[string]any)["digit"].(string))
		default:
			out = append(out, e)
		}
	}
	return out
}

func (p *program) count(event string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.heard {
		if m["event"] == event {
			n++
		}
	}
	return n
}

// person is the voice: a clock that gives and takes 20 ms at a time.
type person struct {
	keys  chan byte
	leave chan struct{}

	mu   sync.Mutex
	got  []byte // the first byte of each frame that they heard
	sent string
	over chan struct{}
}

func newPerson() *person { return &person{keys: make(chan byte, 8), leave: make(chan struct{})} }

func (p *person) Attach(hear func([]byte), fill func([]byte) int) (func(), <-chan struct{}, error) {
	p.over = make(chan struct{})
	over := p.over
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(FrameTime * time.Millisecond)
		defer tick.Stop()
		frame := make([]byte, FrameBytes)
		for {
			select {
			case <-tick.C:
			case <-over:
				return
			}
			hear(make([]byte, FrameBytes))
			b := byte(0)
			if fill(frame) > 0 {
				b = frame[0]
			}
			p.mu.Lock()
			p.got = append(p.got, b)
			p.mu.Unlock()
		}
	}()
	return func() { close(over); <-stopped }, p.leave, nil
}

func (p *person) Digits() <-chan byte { return p.keys }

func (p *person) SendDigits(d string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent += d
}

// heard tells how many frames of a byte they heard.
func (p *person) heard(b byte) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range p.got {
		if v == b {
			n++
		}
	}
	return n
}

// world is a conversation in virtual time.
type world struct {
	*program
	*person
	stats  Stats
	dials  int
	refuse error
	out    Outcome
	err    error
	took   time.Duration
	done   chan struct{}
}

func (w *world) begin(ctx context.Context, limit time.Duration) {
	o := Options{Head: Head{StreamID: "MZ1", ContactID: "c"}, Stats: &w.stats, Dial: func(context.Context) (Conn, error) {
		w.dials++
		if w.refuse != nil {
			return nil, w.refuse
		}
		return w.program, nil
	}}
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		from := time.Now()
		w.out, w.err = Converse(ctx, o, w.person, limit)
		w.took = time.Since(from)
	}()
}

func inTalk(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{program: newProgram(), person: newPerson()}
		f(t, w)
		if w.done != nil {
			<-w.done
		}
		if w.stats.Bots.Load() != 0 {
			t.Error("a conversation is left")
		}
	})
}

func TestAProgramTalksIsInterruptedAndFinishes(t *testing.T) {
	inTalk(t, func(t *testing.T, w *world) {
		t.Helper()
		w.begin(t.Context(), time.Minute)
		time.Sleep(time.Second)
		w.media(slices.Repeat([]byte{1}, 50*FrameBytes)) // a second
		w.say(`{"event":"mark","mark":{"name":"one"}}`)
		w.media(slices.Repeat([]byte{2}, 50*FrameBytes))
		w.say(`{"event":"mark","mark":{"name":"two"}}`)
		time.Sleep(1500 * time.Millisecond)
		w.keys <- '5' // they interrupt
		time.Sleep(10 * time.Millisecond)
		w.say(`{"event":"clear"}`)
		w.media(slices.Repeat([]byte{3}, 50*FrameBytes))
		w.say(`{"event":"dtmf","dtmf":{"digits":"12#"}}`)
		w.say(`{"event":"ullim","ullim":{"action":"finish","intent":"Pay","attributes":{"sum":"12"}}}`)
		w.media(slices.Repeat([]byte{9}, 50*FrameBytes)) // after the end
		<-w.done
		if d := cmp.Diff(Outcome{Action: ActionFinish, Intent: "Pay", Attributes: map[string]string{"sum": "12"}}, w.out); d != "" || w.err != nil {
			t.Fatal(d, w.err)
		}
		if one, two, three := w.person.heard(1), w.person.heard(2), w.person.heard(3); one != 50 || two < 20 || two > 28 || three != 50 || w.person.heard(9) != 0 {
			t.Errorf("heard %d, %d, %d frames", one, two, three)
		}
		if d := cmp.Diff([]string{"connected", "start", "mark one", "dtmf 5", "mark two", "stop"}, w.events()); d != "" {
			t.Error(d)
		}
		if w.sent != "12#" || w.stats.Finished.Load() != 1 {
			t.Errorf("pressed %q, %d finished", w.sent, w.stats.Finished.Load())
		}
		w.mu().Lock()
		defer w.mu().Unlock()
		for i, m := range w.program.heard[1:] {
			if m["sequenceNumber"] != fmt.Sprint(i+1) {
				t.Fatalf("message %d has the number %v", i+1, m["sequenceNumber"])
			}
		}
	})
}

func (w *world) mu() *sync.Mutex { return &w.program.mu }

func TestHowAConversationEnds(t *testing.T) {
	rows := map[string]struct {
		limit  time.Duration
		act    func(w *world, cancel context.CancelFunc)
		out    Outcome
		is     error
		kind   errs.Kind
		within time.Duration
		stat   func(*Stats) *atomic.Uint64
	}{
		"a transfer": {
			act: func(w *world, _ context.CancelFunc) {
				w.say(`{"event":"ullim","ullim":{"action":"transfer","queue":"Sales"}}`)
			},
			out: Outcome{Action: ActionTransfer, Queue: "Sales"}, within: 2 * time.Second,
			stat: func(s *Stats) *atomic.Uint64 { return &s.Transferred },
		},
		"the program closes": {
			act:    func(w *world, _ context.CancelFunc) { w.hangUp(websocket.StatusNormalClosure) },
			within: 2 * time.Second, stat: func(s *Stats) *atomic.Uint64 { return &s.Closed },
		},
		"the program stops": {
			act:    func(w *world, _ context.CancelFunc) { w.say(`{"event":"stop"}`) },
			within: 2 * time.Second, stat: func(s *Stats) *atomic.Uint64 { return &s.Closed },
		},
		"the connection breaks": {
			act:  func(w *world, _ context.CancelFunc) { w.hangUp(0) },
			kind: errs.Unavailable, within: 2 * time.Second, stat: func(s *Stats) *atomic.Uint64 { return &s.Failed },
		},
		"the program dies without a word": {
			act:  func(w *world, _ context.CancelFunc) { w.mute.Store(true) },
			kind: errs.Unavailable, within: 16 * time.Second, stat: func(s *Stats) *atomic.Uint64 { return &s.Failed },
		},
		"the program does not read": {
			act:  func(w *world, _ context.CancelFunc) { w.stuck.Store(true) },
			kind: errs.Unavailable, within: 8 * time.Second, stat: func(s *Stats) *atomic.Uint64 { return &s.Failed },
		},
		"the program speaks nonsense": {
			act: func(w *world, _ context.CancelFunc) {
				for range maxBad + 1 {
					w.say("hello?")
				}
			},
			kind: errs.Unavailable, within: 2 * time.Second, stat: func(s *Stats) *atomic.Uint64 { return &s.Failed },
		},
		"time is over": {
			limit: 5 * time.Second, act: func(*world, context.CancelFunc) {},
			is: ErrTimeOver, within: 8 * time.Second, stat: func(s *Stats) *atomic.Uint64 { return &s.TimeOver },
		},
		"the person leaves": {
			act: func(w *world, _ context.CancelFunc) { close(w.leave) },
			is:  ErrGone, within: 4 * time.Second, stat: func(s *Stats) *atomic.Uint64 { return &s.Left },
		},
		"the contact ends": {
			act: func(_ *world, cancel context.CancelFunc) { cancel() },
			is:  ErrGone, within: 4 * time.Second, stat: func(s *Stats) *atomic.Uint64 { return &s.Left },
		},
		"the contact ends while the program is stuck": {
			act: func(w *world, cancel context.CancelFunc) { w.stuck.Store(true); cancel() },
			is:  ErrGone, within: 4 * time.Second, stat: func(s *Stats) *atomic.Uint64 { return &s.Left },
		},
	}
	for name, r := range rows {
		t.Run(name, func(t *testing.T) {
			inTalk(t, func(t *testing.T, w *world) {
				t.Helper()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w.begin(ctx, r.limit)
				time.Sleep(time.Second)
				r.act(w, cancel)
				<-w.done
				if d := cmp.Diff(r.out, w.out); d != "" {
					t.Error(d)
				}
				failed := r.is != nil || r.kind != 0
				if (w.err != nil) != failed || r.is != nil && !errors.Is(w.err, r.is) || r.kind != 0 && !errs.Is(w.err, r.kind) {
					t.Errorf("ended with %v", w.err)
				}
				if w.took > r.within {
					t.Errorf("took %s", w.took)
				}
				if n := r.stat(&w.stats).Load(); n != 1 {
					t.Errorf("counted %d times", n)
				}
			})
		})
	}
}

func TestAProgramThatIsNotThereIsSoonGivenUp(t *testing.T) {
	for _, r := range []struct {
		err   error
		dials int
	}{{errs.New(errs.Unavailable, "no answer"), 2}, {errs.New(errs.Denied, "refused"), 1}} {
		inTalk(t, func(t *testing.T, w *world) {
			t.Helper()
			w.refuse = r.err
			w.begin(t.Context(), 0)
			<-w.done
			if !errors.Is(w.err, r.err) || w.dials != r.dials || w.took > 11*time.Second {
				t.Errorf("%v after %d attempts and %s", w.err, w.dials, w.took)
			}
		})
	}
}

func TestASlowProgramLosesTheOldestSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		var stats Stats
		s := Start(Options{Head: Head{StreamID: "MZ1", From: true}, Stats: &stats, Dial: func(context.Context) (Conn, error) { return p, nil }})
		if !s.Connected(t.Context()) {
			t.Fatal("not connected")
		}
		synctest.Wait()
		p.stuck.Store(true)
		for range 2 * outboxFrames { // no time passes for the clock
			s.Frame(false, make([]byte, FrameBytes))
		}
		if n := stats.FramesDropped.Load(); n < outboxFrames-1 || n > outboxFrames {
			t.Errorf("%d frames were dropped", n)
		}
		p.stuck.Store(false)
		s.Stop()
		<-s.Done()
	})
}

func TestAStreamIsMadeAgainAndGivenUpAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stats Stats
		var programs []*program
		down := false
		s := Start(Options{Head: Head{StreamID: "MZ1", From: true}, Stats: &stats, Dial: func(context.Context) (Conn, error) {
			if down {
				return nil, errors.New("nobody there")
			}
			p := newProgram()
			programs = append(programs, p)
			return p, nil
		}})
		clock := time.NewTicker(FrameTime * time.Millisecond)
		defer clock.Stop()
		talk := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); <-clock.C {
				s.Frame(false, make([]byte, FrameBytes))
			}
		}
		talk(20 * time.Second)
		programs[0].hangUp(0)
		talk(20 * time.Second)
		synctest.Wait()
		if len(programs) != 2 || stats.Again.Load() != 1 || stats.Lost.Load() != 1 {
			t.Fatalf("%d connections, %d again", len(programs), stats.Again.Load())
		}
		again := programs[1].heard[1]
		if again["streamSid"] != "MZ1" || again["ullim"].(map[string]any)["connection"] != 2.0 {
			t.Errorf("the second start is %v", again)
		}
		if a, b := programs[0].count("media"), programs[1].count("media"); a+b < 1998 {
			t.Errorf("%d and %d frames of 40 s", a, b)
		}
		down = true
		programs[1].hangUp(0)
		from := time.Now()
		<-s.Done()
		if took := time.Since(from); took < 45*time.Second || took > time.Minute {
			t.Errorf("given up after %s", took)
		}
		s.Frame(false, make([]byte, FrameBytes)) // the call goes on
		s.Stop()
		if stats.Streams.Load() != 0 {
			t.Error("a stream is left")
		}
	})
}

func TestStopTellsTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		s := Start(Options{Head: Head{StreamID: "MZ1", From: true, To: true}, Dial: func(context.Context) (Conn, error) { return p, nil }})
		s.Connected(t.Context())
		s.Frame(false, make([]byte, FrameBytes))
		s.Frame(true, make([]byte, FrameBytes))
		s.Stop()
		s.Stop()
		<-s.Done()
		if got := strings.Join(p.events(), " "); got != "connected start stop" || p.count("media") != 2 {
			t.Errorf("heard %s and %d frames", got, p.count("media"))
		}
		never := Start(Options{Dial: func(ctx context.Context) (Conn, error) { <-ctx.Done(); return nil, ctx.Err() }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if never.Connected(ctx) {
			t.Error("connected to nobody")
		}
		never.Stop()
		<-never.Done()
	})
}

func TestAFastProgramIsReadSlower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bucket{level: readBurst, at: time.Now()}
		from := time.Now()
		for range 14 {
			if err := b.spend(t.Context(), 1<<20); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(from); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("14 MiB in %s", took)
		}
	})
}
