package agenttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// Panel is one tab. Its methods may be called from any goroutine.
type Panel struct {
	o    Options
	conn *websocket.Conn
	done chan struct{}
	keys atomic.Uint64

	mu      sync.Mutex
	view    View
	first   string // type of the first frame
	frames  int
	results map[string]Frame
	changed chan struct{} // closed and replaced at each frame
	err     error
}

// Options say where the channel is and who asks.
type Options struct {
	URL    string // http://host:port
	Token  string
	Cursor string // to go on from; then View must be the one of it
	View   *View
	Client *http.Client
	Header http.Header
	Mute   bool // answers no ping
	Keys   string
}

// Open opens a tab and returns when it has its first frame.
func Open(ctx context.Context, o Options) (*Panel, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	u.Path = "/agent/v1/socket"
	if o.Cursor != "" {
		u.RawQuery = url.Values{"cursor": {o.Cursor}}.Encode()
	}
	protocols := []string{"ullim.agent.v1"}
	if o.Token != "" {
		protocols = append(protocols, "token."+o.Token)
	}
	conn, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{ //nolint:bodyclose // the library has read it
		HTTPClient: o.Client, HTTPHeader: o.Header, Subprotocols: protocols,
	})
	if err != nil {
		if resp != nil {
			return nil, fmt.Errorf("%s: %w", resp.Status, err)
		}
		return nil, err
	}
	conn.SetReadLimit(8 << 20)
	p := &Panel{o: o, conn: conn, done: make(chan struct{}), results: map[string]Frame{}, changed: make(chan struct{})}
	if o.View != nil {
		p.view = *o.View
	}
	go p.read() //nolint:contextcheck // the tab outlives the opening of it
	return p, p.Wait(ctx, func(*Panel) bool { return p.frames > 0 })
}

func (p *Panel) read() {
	defer close(p.done)
	for {
		_, data, err := p.conn.Read(context.Background())
		var f Frame
		if err == nil {
			err = json.Unmarshal(data, &f)
		}
		p.mu.Lock()
		if err == nil {
			err = p.take(&f)
		}
		if err != nil {
			p.err = err
		}
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			_ = p.conn.CloseNow()
			return
		}
		if f.Type == "ping" && !p.o.Mute {
			_ = p.write(context.Background(), map[string]string{"type": "pong"})
		}
	}
}

func (p *Panel) take(f *Frame) error {
	if p.frames++; p.frames == 1 {
		p.first = f.Type
	}
	if f.Type == "result" {
		p.results[f.ID] = *f
	}
	return p.view.Apply(f)
}

func (p *Panel) write(ctx context.Context, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return p.conn.Write(ctx, websocket.MessageText, b)
}

// Wait waits until ok, which is asked after every frame. The panel's lock is held meanwhile: use the Locked methods.
func (p *Panel) Wait(ctx context.Context, ok func(*Panel) bool) error {
	for {
		p.mu.Lock()
		good, err, changed := ok(p), p.err, p.changed
		p.mu.Unlock()
		switch {
		case good:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the panel, which shows %s: %w", p.State(), ctx.Err())
		}
	}
}

// WaitView waits until the view is as wanted.
func (p *Panel) WaitView(ctx context.Context, ok func(v *View) bool) error {
	return p.Wait(ctx, func(p *Panel) bool { return p.frames > 0 && ok(&p.view) })
}

// Send sends a frame as it is.
func (p *Panel) Send(ctx context.Context, text string) error {
	return p.conn.Write(ctx, websocket.MessageText, []byte(text))
}

// Key makes a key for a command.
func (p *Panel) Key() string {
	return p.o.Keys + strconv.FormatInt(time.Now().UnixNano(), 36) + "-" + strconv.FormatUint(p.keys.Add(1), 10)
}

// Do sends a command and gives its result; a result that says no is an *Error.
func (p *Panel) Do(ctx context.Context, name, contactID string, args any) (json.RawMessage, error) {
	f, err := p.DoKey(ctx, p.Key(), name, contactID, args)
	if err != nil {
		return nil, err
	}
	if !f.OK {
		return nil, f.Error
	}
	return f.Result, nil
}

// DoKey sends a command with a key and gives the frame that answers it.
func (p *Panel) DoKey(ctx context.Context, key, name, contactID string, args any) (Frame, error) {
	p.mu.Lock()
	delete(p.results, key)
	p.mu.Unlock()
	c := map[string]any{"type": "command", "id": key, "name": name}
	if contactID != "" {
		c["contactId"] = contactID
	}
	if args != nil {
		c["args"] = args
	}
	var f Frame
	if err := p.write(ctx, c); err != nil {
		return f, err
	}
	err := p.Wait(ctx, func(p *Panel) bool {
		var ok bool
		f, ok = p.results[key]
		return ok
	})
	return f, err
}

// State is the folded state.
func (p *Panel) State() json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.view.State()
}

// View is a copy of the view, and the type of the first frame.
func (p *Panel) View() (v View, first string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v = p.view
	v.parts, v.contacts, v.order = clone(v.parts), clone(v.contacts), clone(v.order)
	return v, p.first
}

func clone[V any](m map[string]V) map[string]V {
	out := make(map[string]V, len(m))
	maps.Copy(out, m)
	return out
}

// Drop cuts the connection without a word.
func (p *Panel) Drop() {
	_ = p.conn.CloseNow()
	<-p.done
}

// Closed waits for the end of the connection and gives the code with which the channel closed it; -1: without a word.
func (p *Panel) Closed(ctx context.Context) (int, error) {
	select {
	case <-p.done:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := errors.AsType[websocket.CloseError](p.err); ok {
		return int(e.Code), nil
	}
	return -1, nil
}
