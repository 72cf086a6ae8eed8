package media

import (
	"ullim/media/g711"
	"ullim/media/sdp"
)

// playing is a list of sounds in the middle of being sent.
type playing struct {
	list   []Source
	loop   bool
	done   func(finished bool)
	at     int // in list
	frame  int // in frames: the next one
	codec  string
	frames [][]byte // of list[at] in codec
	begun  bool
	over   bool
	via    *coder // frames are µ-law, and encoded one by one: prompts are not kept in Opus; nil: they are sent as they are
	pcm    [frameSamples]int16
	live   *liveSound // instead of the list (listen.go)
}

// next is the next frame, nil at the end; first says that it is the very first.
func (p *playing) next(codec string) (frame []byte, first bool) {
	if p.live != nil {
		frame = p.live.next(p, codec)
		first = frame != nil && !p.begun
		p.begun = p.begun || first
		return frame, first
	}
	if codec != p.codec { // also in the middle of a sound: both codecs have frames of the same length
		p.codec = codec
		p.load()
	}
	for range len(p.list) + 1 { // a loop of nothing ends, too
		if p.frame >= len(p.frames) && p.lengthen() && p.frame >= len(p.frames) {
			return nil, false // silence until there is more
		}
		if p.frame < len(p.frames) {
			first = !p.begun
			p.begun = true
			p.frame++
			frame = p.frames[p.frame-1]
			if p.via != nil {
				frame = p.via.encode(kindOpus, p.pcm[:g711.DecodeULaw(p.pcm[:], frame)], narrow)
			}
			return frame, first
		}
		p.frame = 0
		if p.at++; p.at >= len(p.list) {
			if !p.loop {
				break
			}
			p.at = 0
		}
		p.load()
	}
	p.over = true
	return nil, false
}

// lengthen takes the frames that a growing source has got since, and reports whether there may be more.
func (p *playing) lengthen() (growing bool) {
	if p.at >= len(p.list) || p.list[p.at] == nil {
		return false
	}
	g, ok := p.list[p.at].(Growing)
	if !ok {
		return false
	}
	growing = g.Growing() // asked first: what is added between the two is seen next time
	p.load()
	return growing
}

func (p *playing) load() {
	p.frames = nil
	if p.at < len(p.list) && p.list[p.at] != nil {
		p.frames = p.list[p.at].Frames(p.codec)
		if p.frames != nil || p.codec != sdp.Opus {
			p.via = nil
			return
		}
		if p.via == nil {
			p.via = new(coder)
		}
		if p.via.can(kindOpus) {
			p.frames = p.list[p.at].Frames(sdp.PCMU)
		}
	}
}

// finish tells, from another goroutine, how playing ended. nil has nobody to tell.
func (p *playing) finish(finished bool) {
	if p == nil {
		return
	}
	if !finished {
		for _, s := range p.list {
			if g, ok := s.(Growing); ok {
				g.Abandon()
			}
		}
	}
	if p.done != nil {
		go p.done(finished)
	}
}

// stop takes away what is played. The caller holds mu and calls finish afterwards.
func (t *sender) stop() *playing {
	p := t.play
	t.play = nil
	return p
}

// Play sends the sounds one after the other, again and again if loop is set, instead of whatever is played or joined now.
// It begins when something has been agreed. done may be nil; it is called exactly once, from another goroutine: finished
// is false if something else took the place of the list.
func (s *Session) Play(list []Source, loop bool, done func(finished bool)) {
	s.begin(&playing{list: list, loop: loop, done: done})
}

func (s *Session) begin(p *playing) {
	s.tx.mu.Lock()
	old := s.tx.stop()
	closed := s.tx.closed
	if !closed {
		s.tx.play = p
	}
	s.tx.mu.Unlock()
	old.finish(false)
	if closed {
		p.finish(false)
	}
}

// StopPlay ends what is played.
func (s *Session) StopPlay() {
	s.tx.mu.Lock()
	old := s.tx.stop()
	s.tx.mu.Unlock()
	old.finish(false)
}
