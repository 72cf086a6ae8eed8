package agent

import (
	"sync"
	"sync/atomic"
)

// Bounds of what waits for a tab.
const (
	tabFrames = 64
	tabBytes  = 1 << 20
)

// Codes with which a WebSocket is closed, beside the usual ones.
const (
	closeSlow      = 4001 // the tab did not keep up: come back with the cursor
	closeSilent    = 4002 // no pong
	closeSignedOut = 4003 // the session is over
	closeRefused   = 4004 // too many frames
	closeAway      = 1001 // the server stops, or the socket is old: come back with the cursor
)

// tab is one open socket of an agent.
type tab struct {
	session string // hash of the session's token; empty: an access key
	out     chan []byte
	bytes   atomic.Int64

	once sync.Once
	cut  chan struct{} // closed when the socket is to be closed
	code int
	why  string
}

func newTab(session string) *tab {
	return &tab{session: session, out: make(chan []byte, tabFrames), cut: make(chan struct{})}
}

// offer puts a frame into the queue; false if there is no room: then the tab is cut.
func (t *tab) offer(frame []byte) bool {
	if t.bytes.Add(int64(len(frame))) > tabBytes+int64(len(frame)) { // one frame always fits
		t.end(closeSlow, "too slow")
		return false
	}
	select {
	case t.out <- frame:
		return true
	default:
		t.end(closeSlow, "too slow")
		return false
	}
}

// taken notes that a frame has left the queue.
func (t *tab) taken(frame []byte) { t.bytes.Add(-int64(len(frame))) }

// end has the socket closed. The first reason counts.
func (t *tab) end(code int, why string) {
	t.once.Do(func() {
		t.code, t.why = code, why
		close(t.cut)
	})
}
