package call

import "ullim/internal/errs"

// LiveMedia is what a Media can do besides, if it can: be heard while the call goes on, and send sound as it is made.
type LiveMedia interface {
	// Listen gives every 20 ms of sound to h until stop, or until the media is closed.
	Listen(h Hearing) (stop func(), err error)
	// PlayLive sends what fill gives, up to 160 bytes of µ-law every 20 ms, instead of what is played now; done as for Play.
	PlayLive(fill func(frame []byte) int, done func(finished bool))
}

// Hearing is what a listener wants. Frame comes from the media loop: it must not block, and the bytes are only lent.
type Hearing struct {
	From, To bool                       // what they say; what is sent to them
	Frame    func(to bool, ulaw []byte) // 160 bytes of µ-law
	Ended    func()                     // the media was closed; not after stop
}

// CustomerLine names the customer's line: the same as long as it is connected, whichever calls and segments it passes
// through. nil: the customer has none.
func (c *Control) CustomerLine() any {
	if m := c.customerMedia(); m != nil {
		return m
	}
	return nil
}

func (c *Control) customerMedia() Media {
	id := int(c.actor.customer.Load())
	for _, l := range c.actor.snapshot.Load().lines {
		if l.id == id {
			return l.media
		}
	}
	return nil
}

// ListenToCustomer lets somebody hear the customer, whoever the flow speaks to; it goes on when the flow is over.
// errs.InvalidRequest: this media cannot be heard.
func (c *Control) ListenToCustomer(h Hearing) (stop func(), err error) {
	m := c.customerMedia()
	if m == nil || c.ctx.Err() != nil {
		return nil, ErrLeft
	}
	h.Frame = c.actor.hushed(h.Frame)
	return listen(m, h)
}

// Listen lets somebody hear the person that the flow speaks to.
func (c *Control) Listen(h Hearing) (stop func(), err error) {
	c.playing.Lock()
	defer c.playing.Unlock()
	if c.ended || c.media == nil {
		return nil, ErrLeft
	}
	return listen(c.media, h)
}

func listen(m Media, h Hearing) (func(), error) {
	live, ok := m.(LiveMedia)
	if !ok {
		return nil, errs.New(errs.InvalidRequest, "this media cannot be heard")
	}
	return live.Listen(h)
}

// StartLive sends what fill gives to the person that the flow speaks to. The channel is closed when something else has
// taken its place, or they have left.
func (c *Control) StartLive(fill func(frame []byte) int) (<-chan struct{}, error) {
	c.playing.Lock()
	defer c.playing.Unlock()
	if c.ended || c.media == nil {
		return nil, ErrLeft
	}
	live, ok := c.media.(LiveMedia)
	if !ok {
		return nil, errs.New(errs.InvalidRequest, "this media cannot play live")
	}
	done := make(chan struct{})
	live.PlayLive(fill, func(bool) { close(done) })
	return done, nil
}

// SendDigits sends keys to the customer, as their far end takes them.
func (c *Control) SendDigits(digits string) error {
	if c.ctx.Err() != nil || !c.actor.post(askDigits{int(c.actor.customer.Load()), digits}) {
		return ErrLeft
	}
	return nil
}

// OfCustomer reports whether the flow speaks to the customer, and not to the agent.
func (c *Control) OfCustomer() bool { return c.who == ofCustomer }
