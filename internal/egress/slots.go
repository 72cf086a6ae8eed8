package egress

import (
	"context"
	"sync"
)

// slots bounds how many hold a key at once. What nobody holds takes no memory.
type slots struct {
	most int

	mu   sync.Mutex
	held map[string]*slot
}

type slot struct {
	taken chan struct{}
	users int // who hold it or wait
}

func newSlots(most int) *slots { return &slots{most: most, held: map[string]*slot{}} }

// take waits for a place until ctx ends. The function gives it back.
func (s *slots) take(ctx context.Context, key string) (free func(), err error) {
	s.mu.Lock()
	at := s.held[key]
	if at == nil {
		at = &slot{taken: make(chan struct{}, s.most)}
		s.held[key] = at
	}
	at.users++
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if at.users--; at.users == 0 {
			delete(s.held, key)
		}
	}
	select {
	case at.taken <- struct{}{}:
		return func() { <-at.taken; leave() }, nil
	default:
	}
	select {
	case at.taken <- struct{}{}:
		return func() { <-at.taken; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
