package acd

import (
	"sync"
	"sync/atomic"
	"time"
)

// message is work for the actor's goroutine.
type message func(a *actor, now time.Time)

// mailbox brings messages to the actor in order. Putting never blocks, and there is no bound: see the package comment.
type mailbox struct {
	mu     sync.Mutex
	list   []message
	closed bool
	bell   chan struct{} // has one token while list is not empty
}

func newMailbox() *mailbox { return &mailbox{bell: make(chan struct{}, 1)} }

// put adds a message; false once the actor is gone.
func (m *mailbox) put(msg message) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.list = append(m.list, msg)
	select {
	case m.bell <- struct{}{}:
	default:
	}
	return true
}

// take empties the mailbox.
func (m *mailbox) take() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.list
	m.list = nil
	return list
}

// close refuses further messages and drops what is left.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.list = true, nil
}

// request is a question to the actor whose asker may lose patience. Either the actor claims it and answers, or the
// asker cancels it and nothing happens: never both.
type request struct {
	taken  atomic.Bool
	answer chan error // has room for the answer
}

func newRequest() *request { return &request{answer: make(chan error, 1)} }

// take is claimed by the actor or cancelled by the asker, whoever is first.
func (r *request) take() bool { return r.taken.CompareAndSwap(false, true) }

// reply answers; only the first answer counts.
func (r *request) reply(err error) {
	select {
	case r.answer <- err:
	default:
	}
}
