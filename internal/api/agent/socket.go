package agent

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"ullim/internal/errs"
)

// protocol is the WebSocket sub-protocol; tokenProtocol is before the token of those who cannot send a header.
const (
	protocol      = "ullim.agent.v1"
	tokenProtocol = "token."
)

// socket serves GET /agent/v1/socket.
func (s *Service) socket(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		refuse(w, fault(codeInvalid, "this address is for a WebSocket"))
		return
	}
	who, err := s.caller(r)
	if err != nil {
		s.counts.Refused.Add(1)
		refuse(w, err)
		return
	}
	h, release, err := s.hub(r.Context(), who.InstanceID, who.UserID)
	if err != nil {
		refuse(w, err)
		return
	}
	defer release()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{ //nolint:contextcheck // it has the request
		InsecureSkipVerify: true, Subprotocols: []string{protocol}, // the origin was looked at by caller
	})
	if err != nil {
		return // it has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxFrame)
	who.hub = h
	t := newTab(who.session)
	if err = h.join(t, r.URL.Query().Get("cursor")); err != nil {
		_ = conn.Close(websocket.StatusTryAgainLater, string(faultOf(err).Code))
		return
	}
	defer h.part(t)
	s.counts.Opened.Add(1)
	s.sockets.Add(1)
	defer s.sockets.Add(-1)
	h.nudge() // what happened while the hub was young
	life := tabLife
	if who.session == "" {
		life = keyLife
	}
	ctx, cancel := context.WithTimeout(r.Context(), life)
	defer cancel()
	p := &pump{s: s, t: t, who: who, conn: conn}
	p.heard.Store(time.Now().UnixNano())
	var reading sync.WaitGroup
	reading.Go(func() {
		defer cancel()
		p.read(ctx)
	})
	p.write(ctx)
	cancel()
	reading.Wait()
	p.working.Wait()
}

// pump moves frames between a tab's queue and its WebSocket.
type pump struct {
	s    *Service
	t    *tab
	who  *caller
	conn *websocket.Conn

	heard atomic.Int64 // when the last frame came

	mu      sync.Mutex
	pending []Command
	busy    bool // a goroutine does the pending commands
	working sync.WaitGroup
}

// write sends what is in the queue, and a ping now and then, until the tab is over.
func (p *pump) write(ctx context.Context) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	checked := time.Now()
	for {
		var out []byte
		select {
		case <-ctx.Done():
			_ = p.conn.Close(closeAway, "")
			return
		case <-p.t.cut:
			_ = p.conn.Close(websocket.StatusCode(p.t.code), p.t.why)
			return
		case out = <-p.t.out:
			p.t.taken(out)
		case now := <-ping.C:
			if now.Sub(time.Unix(0, p.heard.Load())) >= silence {
				p.s.counts.Silent.Add(1)
				_ = p.conn.Close(closeSilent, "no pong")
				return
			}
			if time.Since(checked) >= checkEvery {
				checked = time.Now()
				if !p.good(ctx) {
					_ = p.conn.Close(closeSignedOut, "signed out")
					return
				}
			}
			out = encode(outFrame{Type: framePing, Seq: p.who.hub.at(), At: moment()})
		}
		limited, cancel := context.WithTimeout(ctx, writeWait)
		err := p.conn.Write(limited, websocket.MessageText, out)
		cancel()
		if err != nil {
			return
		}
	}
}

// good reports whether the agent may still be here. While nobody can tell, they may.
func (p *pump) good(ctx context.Context) bool {
	_, err := p.s.again(ctx, p.who)
	return !errs.Is(err, errs.Unauthenticated)
}

// read takes frames until the client is gone, silent, or sends too many.
func (p *pump) read(ctx context.Context) {
	rate := bucket{rate: perSecond, burst: burst}
	for {
		kind, data, err := p.conn.Read(ctx)
		p.heard.Store(time.Now().UnixNano())
		switch {
		case err != nil:
			return
		case kind != websocket.MessageText || !rate.take(time.Now()):
			p.t.end(closeRefused, "too many frames, or not text")
			return
		}
		f, err := readFrame(data)
		switch {
		case err != nil:
			p.t.offer(encode(resultFrame{Type: frameResult, ID: f.ID, Result: failed(faultOf(err))}))
		case f.Type == frameRefresh:
			if err = p.who.hub.again(p.t); err != nil {
				p.t.end(closeAway, "no snapshot")
				return
			}
		case f.Type == frameCommand:
			p.queue(ctx, f.Command)
		}
	}
}

// queue has a command done after those before it.
func (p *pump) queue(ctx context.Context, c Command) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) >= queued {
		p.t.offer(encode(resultFrame{Type: frameResult, ID: c.ID, Result: failed(fault(codeThrottled, "%d commands wait", queued))}))
		return
	}
	p.pending = append(p.pending, c)
	if !p.busy {
		p.busy = true
		// What was asked for is done, also when the tab has gone: it learns of it when it asks again.
		p.working.Go(func() { p.obey(context.WithoutCancel(ctx)) })
	}
}

// obey does the pending commands.
func (p *pump) obey(ctx context.Context) {
	for {
		p.mu.Lock()
		if len(p.pending) == 0 {
			p.busy = false
			p.mu.Unlock()
			return
		}
		c := p.pending[0]
		p.pending = p.pending[1:]
		p.mu.Unlock()
		p.t.offer(encode(p.one(ctx, &c)))
	}
}

// one does a command as whom the agent is now: a permission that was taken is gone at once.
func (p *pump) one(ctx context.Context, c *Command) (f resultFrame) {
	defer func() {
		if r := recover(); r != nil {
			p.s.counts.Panics.Add(1)
			p.who.log.Error("panic in the agent channel", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			f = resultFrame{Type: frameResult, ID: c.ID, Result: failed(fault(codeInternal, ""))}
		}
	}()
	now, err := p.s.again(ctx, p.who)
	if err != nil {
		if errs.Is(err, errs.Unauthenticated) {
			p.t.end(closeSignedOut, "signed out")
		}
		return resultFrame{Type: frameResult, ID: c.ID, Result: failed(faultOf(err))}
	}
	return p.s.obey(ctx, now, c)
}
