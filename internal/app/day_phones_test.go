package app

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
)

// dayPhones is telephony without packets: who is called answers by what they are like, who plays audio is finished when
// the audio would be, and who talks with whom is known at every moment. It is what a simulated day is judged by, so it
// takes nothing from the engine but what comes over the ports of package call.
type dayPhones struct {
	d *day

	mu    sync.Mutex
	media map[string]*dayMedia // by the text of its SDP, until closed
	next  int
	dead  bool // the process was killed: what it still does reaches nobody
}

var (
	_ call.MediaPlane = (*dayPhones)(nil)
	_ call.Dialer     = (*dayPhones)(nil)
)

// Open gives audio to a leg.
func (p *dayPhones) Open(o call.MediaOptions) (call.Media, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	m := &dayMedia{p: p, name: "media " + strconv.Itoa(p.next), o: o}
	p.media[m.name] = m
	return m, nil
}

// Join lets two talk.
func (p *dayPhones) Join(a, b call.Media) (func(), error) {
	left, right := a.(*dayMedia), b.(*dayMedia)
	left.stop()
	right.stop()
	p.pair(left, right)
	return func() { p.pair(left, nil); p.pair(right, nil) }, nil
}

// pair notes who hears whom, and lets the people know.
func (p *dayPhones) pair(a, b *dayMedia) {
	p.mu.Lock()
	a.with = b
	if b != nil {
		b.with = a
	}
	dead := p.dead
	p.mu.Unlock()
	if b != nil && !dead {
		p.d.after(0, func() { p.d.hear(a, b) })
	}
}

// Record refuses: the audio of a day is not simulated.
func (p *dayPhones) Record(string, string, call.Media, call.Media) (call.Recording, error) {
	return nil, errs.New(errs.Unavailable, "there is no audio")
}

// Room is a conference, in which all who speak hear each other: the first two are told.
func (p *dayPhones) Room() call.Room { return &dayRoom{p: p} }

// Profile is a usual phone.
func (p *dayPhones) Profile(call.Target) call.Profile { return call.Profile{} }

// Dial calls an agent or a customer.
func (p *dayPhones) Dial(t call.Target, offer []byte, events func(call.LegEvent)) call.Leg {
	p.mu.Lock()
	m := p.media[string(offer)]
	p.mu.Unlock()
	l := &dayLeg{p: p, post: events, media: m, id: string(offer)}
	if m != nil {
		m.leg = l
	}
	if t.UserID != "" {
		p.d.ringAgent(l, t.UserID)
	} else {
		p.d.ringCustomer(l, t.Number)
	}
	return l
}

func (p *dayPhones) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

func (p *dayPhones) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *dayPhones) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.media)
}

// dayLeg is the dialog of one person with the engine.
type dayLeg struct {
	p     *dayPhones
	id    string
	post  func(call.LegEvent)
	media *dayMedia
	who   dayPerson

	mu       sync.Mutex
	answered bool
	over     bool
}

// dayPerson is told what their phone hears.
type dayPerson interface {
	// talks is told that the leg is joined with another one; hungUp that the leg is over, and whether the person ended it.
	talks(l, with *dayLeg)
	hungUp(l *dayLeg, self bool)
}

var _ call.Leg = (*dayLeg)(nil)

// say posts an event as if it came from the network.
func (l *dayLeg) say(e call.LegEvent) {
	if l.p.isDead() {
		return
	}
	l.p.d.after(time.Millisecond, func() {
		if !l.p.isDead() {
			l.mu.Lock()
			post := l.post
			l.mu.Unlock()
			post(e)
		}
	})
}

// end is the end of the dialog: exactly one LegEnded follows.
func (l *dayLeg) end(cause call.LegCause, code int) bool {
	l.mu.Lock()
	was := l.over
	l.over = true
	l.mu.Unlock()
	if was || l.p.isDead() {
		return false
	}
	l.say(call.LegEvent{Kind: call.LegEnded, Cause: cause, Code: code})
	if l.who != nil {
		l.p.d.after(0, func() { l.who.hungUp(l, cause != call.CauseLocal) })
	}
	return true
}

func (l *dayLeg) up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered && !l.over
}

func (l *dayLeg) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// pickUp answers a call that rings here.
func (l *dayLeg) pickUp() bool {
	l.mu.Lock()
	ok := !l.over && !l.answered
	l.answered = l.answered || ok
	l.mu.Unlock()
	if ok {
		l.say(call.LegEvent{Kind: call.LegAnswered, Code: 200, SDP: []byte(l.id), Host: netip.MustParseAddr("10.0.0.9")})
	}
	return ok
}

func (l *dayLeg) CallID() string { return l.id }
func (l *dayLeg) Dialog() call.DialogID {
	return call.DialogID{CallID: l.id, OurTag: "us", TheirTag: "them"}
}
func (l *dayLeg) Ring()               {}
func (l *dayLeg) Progress(sdp []byte) { l.link(sdp) }

// Answer connects a caller; the ACK comes at once.
func (l *dayLeg) Answer(sdp []byte) {
	l.link(sdp)
	l.mu.Lock()
	ok := !l.over && !l.answered
	l.answered = l.answered || ok
	l.mu.Unlock()
	if ok {
		l.say(call.LegEvent{Kind: call.LegAnswered, Code: 200})
	}
}

func (l *dayLeg) link(sdp []byte) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if m := l.p.media[string(sdp)]; m != nil {
		m.leg, l.media = l, m
	}
}

func (l *dayLeg) Reject(code int, _ string, _ time.Duration) { l.end(call.CauseLocal, code) }
func (l *dayLeg) Hangup(string)                              { l.end(call.CauseLocal, 0) }
func (l *dayLeg) AnswerOffer([]byte)                         {}
func (l *dayLeg) Offer([]byte)                               { l.say(call.LegEvent{Kind: call.LegChanged, SDP: []byte(l.id)}) }
func (l *dayLeg) Digit(byte, time.Duration)                  {}

// Notify tells an agent how their transfer goes: once it is done, the phone hangs up.
func (l *dayLeg) Notify(code int, _ string) {
	if code >= 200 && code < 300 {
		l.end(call.CauseBye, 0)
	}
}

// dayMedia is the audio of a leg: time passes while it plays.
type dayMedia struct {
	p    *dayPhones
	name string
	o    call.MediaOptions
	leg  *dayLeg
	with *dayMedia // who is heard, under p.mu

	mu    sync.Mutex
	done  func(bool)
	timer *time.Timer
}

var _ call.Media = (*dayMedia)(nil)

func (m *dayMedia) Offer() ([]byte, error)           { return []byte(m.name), nil }
func (m *dayMedia) Accept([]byte) error              { return nil }
func (m *dayMedia) Answer([]byte) ([]byte, error)    { return []byte(m.name), nil }
func (m *dayMedia) SetHost(netip.Addr)               {}
func (m *dayMedia) Codec() string                    { return "PCMU" }
func (m *dayMedia) Hold(bool)                        {}
func (m *dayMedia) SendDigits(_ string, done func()) { m.p.d.after(time.Second, done) }
func (m *dayMedia) Key(digit byte)                   { m.o.OnDigit(digit) }
func (m *dayMedia) Stats() contact.Quality           { return contact.Quality{Codec: "PCMU"} }
func (m *dayMedia) StopPlay()                        { m.stop() }

// Play takes as long as the audio is.
func (m *dayMedia) Play(list []call.Audio, loop bool, done func(bool)) {
	m.stop()
	var length time.Duration
	for _, a := range list {
		length += time.Duration(len(a.Frames("PCMU"))) * 20 * time.Millisecond
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = done
	if !loop {
		m.timer = time.AfterFunc(max(length, 1), func() { m.finish(true) })
	}
}

func (m *dayMedia) stop() { m.finish(false) }

func (m *dayMedia) finish(whole bool) {
	m.mu.Lock()
	done := m.done
	m.done = nil
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
	m.mu.Unlock()
	if done != nil {
		go done(whole)
	}
}

// Close frees it.
func (m *dayMedia) Close() contact.Quality {
	m.stop()
	m.p.mu.Lock()
	delete(m.p.media, m.name)
	m.p.mu.Unlock()
	return m.Stats()
}

// dayRoom is a conference.
type dayRoom struct {
	p       *dayPhones
	mu      sync.Mutex
	members []*dayMedia
}

func (r *dayRoom) Add(m call.Media, role call.Role, _ call.Media) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.members) == 6 {
		return errs.New(errs.Limit, "six members are in it")
	}
	in := m.(*dayMedia)
	in.stop()
	if role == call.Speaker && len(r.members) > 0 {
		r.p.pair(r.members[0], in)
	}
	r.members = append(r.members, in)
	return nil
}

func (r *dayRoom) Remove(m call.Media) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, in := range r.members {
		if in == m.(*dayMedia) {
			r.members = append(r.members[:i:i], r.members[i+1:]...)
			return
		}
	}
}

func (r *dayRoom) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = nil
}

// lot draws for one person, whatever the others do: a day of one seed has the same people.
func lot(seed uint64, who int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(who))) }
