package media

import (
	"sync/atomic"

	"ullim/media/record"
)

// RecordHeard spools what one person says, on the left, and what is said to them, on the right: a call that has no agent yet.
// o.Left and o.Right are not looked at. Conditions are those of Record.
func (p *Plane) RecordHeard(o RecordOptions, s *Session) (*Recording, error) {
	o.Left, o.Right = []*Session{s}, nil
	r, err := p.Record(o)
	if err != nil {
		return nil, err
	}
	tap := r.file.Attach(record.Right)
	var stamp uint32
	var over atomic.Bool
	stop, err := s.Listen(ListenOptions{To: true, Frame: func(_ Track, ulaw []byte) {
		if !over.Load() {
			tap.Put(p.o.Now(), stamp, record.ULaw, ulaw)
			stamp += uint32(len(ulaw))
		}
	}})
	if err != nil {
		r.detach()
		r.file.Detach(tap)
		r.file.Discard()
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unheard = func() {
		over.Store(true)
		stop()
	}
	return r, nil
}
