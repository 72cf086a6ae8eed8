package media

import (
	"slices"
	"sync"
	"time"

	"ullim/internal/errs"
	"ullim/media/g711"
)

// Track is a direction of a session, as a listener names it.
type Track int

// Tracks.
const (
	TrackFrom Track = iota // what the far end says
	TrackTo                // what is sent to it, whoever says it
)

// ListenOptions are what a listener wants to hear.
type ListenOptions struct {
	From, To bool
	// Frame gets the next 20 ms of a track, as 160 bytes of µ-law, evenly, whatever the network did: losses are concealed, and
	// where nothing was said there is silence. It is called by the media loop and must not block; the bytes are only lent.
	Frame func(t Track, ulaw []byte)
	// Ended is called once, from another goroutine, when the session has been closed; not after stop. It may be nil.
	Ended func()
}

// maxListeners is how many hear one session at once.
const maxListeners = 4

// eavesdropper is one listener. It is an ear for each track: packets go in where they pass, a Frame comes out on the clock.
type eavesdropper struct {
	o ListenOptions

	mu     sync.Mutex // the last lock of all
	tracks [2]*ear
	out    [2][narrow / 50]byte
}

// Listen lets somebody hear the session until stop, or until it is closed. errs.Limit: four do already; errs.InvalidRequest:
// it is closed. Recording, playing and joining go on as if nobody listened.
func (s *Session) Listen(o ListenOptions) (stop func(), err error) {
	l := &eavesdropper{o: o}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errs.New(errs.InvalidRequest, "%s has left", s.o.Peer)
	}
	var list []*eavesdropper
	if now := s.listeners.Load(); now != nil {
		list = *now
	}
	if len(list) >= maxListeners {
		return nil, errs.New(errs.Limit, "at most %d can listen to %s", maxListeners, s.o.Peer)
	}
	list = append(slices.Clone(list), l)
	s.listeners.Store(&list)
	return func() { s.unlisten(l) }, nil
}

func (s *Session) unlisten(l *eavesdropper) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.listeners.Load()
	if now == nil {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(*now), func(o *eavesdropper) bool { return o == l })
	if len(rest) == 0 {
		s.listeners.Store(nil)
		return
	}
	s.listeners.Store(&rest)
}

// deafen ends all listeners of a session that is closed. The caller holds mu.
func (s *Session) deafen() {
	list := s.listeners.Swap(nil)
	if list == nil {
		return
	}
	for _, l := range *list {
		if l.o.Ended != nil {
			go l.o.Ended()
		}
	}
}

// overhear hands a packet to the listeners before it may be changed in place.
func (s *Session) overhear(t Track, p *taken, payload []byte, now time.Time) {
	list := s.listeners.Load()
	if list == nil || !p.kind.audio() && p.kind != kindNoise {
		return
	}
	for _, l := range *list {
		if t == TrackFrom && l.o.From || t == TrackTo && l.o.To {
			l.put(t, p, payload, now)
		}
	}
}

// overhearSent hands what is sent to the listeners. The caller holds the sender's lock.
func (s *Session) overhearSent(packet []byte) {
	if s.listeners.Load() == nil {
		return
	}
	h, ok := parseHeader(packet)
	if a := s.tx.agreement; ok && h.payload == a.Payload {
		s.overhear(TrackTo, &taken{header: h, kind: a.law}, packet[h.from:h.to], s.plane.o.Now())
	}
}

func (l *eavesdropper) put(t Track, p *taken, payload []byte, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.tracks[t]
	if p.kind.audio() && (e == nil || e.kind != p.kind) {
		e = newEar(p.kind)
		l.tracks[t] = e
	}
	if e != nil {
		e.put(p, payload, now)
	}
}

// tellListeners gives the listeners so many frames.
func (s *Session) tellListeners(owed int, now time.Time) {
	list := s.listeners.Load()
	if list == nil {
		return
	}
	for _, l := range *list {
		for range owed {
			if l.o.From {
				l.o.Frame(TrackFrom, l.next(TrackFrom, now))
			}
			if l.o.To {
				l.o.Frame(TrackTo, l.next(TrackTo, now))
			}
		}
	}
}

// next is the next Frame of a track.
func (l *eavesdropper) next(t Track, now time.Time) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.out[t][:]
	n := 0
	if e := l.tracks[t]; e != nil {
		n = copy(out, e.next(kindULaw, now))
	}
	for i := n; i < len(out); i++ {
		out[i] = ulawSilence
	}
	return out
}

// ulawSilence is a sample of nothing (ITU-T G.711).
const ulawSilence = 0xFF

// liveSound is sound that is made while it is played.
type liveSound struct {
	fill func(frame []byte) int
	buf  [narrow / 50]byte
}

// next is the next Frame in a codec; nil: there is nothing to say now.
func (v *liveSound) next(p *playing, codec string) []byte {
	n := v.fill(v.buf[:])
	if n <= 0 {
		return nil
	}
	for i := min(n, len(v.buf)); i < len(v.buf); i++ {
		v.buf[i] = ulawSilence
	}
	k := kindOf(codec)
	if k == kindULaw {
		return v.buf[:]
	}
	if p.via == nil {
		p.via = new(coder)
	}
	if !p.via.can(k) {
		return nil
	}
	return p.via.encode(k, p.pcm[:g711.DecodeULaw(p.pcm[:], v.buf[:])], narrow)
}

// PlayLive sends what fill gives, Frame by Frame, instead of whatever is played or joined now, until something else takes
// its place or StopPlay. fill puts up to 160 bytes of µ-law into the frame and tells how many; 0: silence. It is called by
// the media loop with a lock held: it must not block, and must not call the session. done may be nil; see Play.
func (s *Session) PlayLive(fill func(frame []byte) int, done func(finished bool)) {
	s.begin(&playing{live: &liveSound{fill: fill}, done: done})
}
