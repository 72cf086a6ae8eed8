package call

import "sync"

// Secret input: while a flow asks for keys that nobody else may learn (card numbers), what is recorded, and what programs
// hear of the customer, is silent. The keys themselves go to that flow alone; they are in no event, log or trace anyway.

// secretSet: a flow begins or ends to ask for such keys. Gen is the flow's: another that has taken its place is not
// affected by its last words.
type secretSet struct {
	Gen int
	On  bool
}

func (secretSet) isEvent() {}

func (s *step) secretSet(e secretSet) {
	was := s.Secret != 0
	switch {
	case e.On:
		s.Secret = e.Gen
	case s.Secret == e.Gen:
		s.Secret = 0
	}
	if on := s.Secret != 0; on != was && s.Taping != "" && !s.Paused {
		s.do(pauseRecording{On: on})
	}
	if on := s.Secret != 0; on != was && s.Heard.ContactID != "" {
		s.do(pauseHeard{On: on})
	}
}

// SetSecret says that the keys that follow are secret, or no longer. It also works for a flow that has been ended, so
// that what it began does not last.
func (c *Control) SetSecret(on bool) error {
	if on {
		return c.change(secretSet{Gen: c.gen, On: true})
	}
	if !c.actor.post(secretSet{Gen: c.gen}) {
		return ErrLeft
	}
	return nil
}

// hushed hands frames on, and silence of the same length for those of the customer while the keys are secret. Like the
// function it wraps it is called by one loop at a time.
func (a *actor) hushed(frame func(to bool, ulaw []byte)) func(to bool, ulaw []byte) {
	var silence []byte
	return func(to bool, ulaw []byte) {
		if to || !a.snapshot.Load().Secret {
			frame(to, ulaw)
			return
		}
		for len(silence) < len(ulaw) {
			silence = append(silence, 0xff) // zero in G.711 mu-law
		}
		frame(to, silence[:len(ulaw)])
	}
}

// DropDigits forgets the keys that nobody has asked for.
func (c *Control) DropDigits() {
	digits := c.Digits()
	for digits != nil {
		select {
		case <-digits:
		default:
			return
		}
	}
}

// keep is something that the flows of a call share; the call does not know what.
type keep struct {
	once sync.Once
	what any
}

// Keep gives what the flows of the call share. The first one to ask makes it.
func (c *Control) Keep(create func() any) any {
	c.actor.keep.once.Do(func() { c.actor.keep.what = create() })
	return c.actor.keep.what
}
