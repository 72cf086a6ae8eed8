package app

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/events"
	"ullim/internal/trace"
	"ullim/media"
	"ullim/media/g711"
	"ullim/media/g722"
	"ullim/media/opus"
	"ullim/media/resample"
	"ullim/media/sdp"
	"ullim/prompts"
	"ullim/storage/blob"
)

// openMedia makes the media plane, and with it the ports.
func (a *App) openMedia(context.Context) error {
	p, err := media.New(media.Options{
		Listen: a.o.RTPListen, Bind: a.o.RTPBind, Advertise: a.o.RTPAdvertise, PortMin: a.o.RTPFirst, PortMax: a.o.RTPLast,
		SpoolDir: a.spool, Log: a.log, Dead: a.o.Dead, OnClosed: a.legEnded,
	})
	if err != nil {
		return err
	}
	a.life.onStop("media", p.Close)
	a.plane = p
	return nil
}

// plane makes a media.Plane a call.MediaPlane.
type plane struct {
	*media.Plane
	events *events.Recorder
	trace  *trace.Recorder
	room   func() error // refuses recordings while the disk is full
}

var _ call.MediaPlane = plane{}

// Open binds a port for a leg.
func (p plane) Open(o call.MediaOptions) (call.Media, error) {
	var near *media.Session
	if n, ok := o.Near.(session); ok {
		near = n.Session
	}
	s, err := p.Plane.Open(media.SessionOptions{
		ContactID: o.ContactID, Peer: o.Peer, Codecs: preferred(o), OnDigit: o.OnDigit, OnDead: o.OnDead,
		Encryption:       string(o.Profile.Encryption),
		Noise:            o.Profile.Noise,
		SignallingSource: o.Host, Near: near,
	})
	if err != nil {
		return nil, err
	}
	return session{s, p.trace, o.ContactID}, nil
}

// preferred is what may be used, with the codec of the other side first, so that nothing need be transcoded; if nothing is
// said the far end's order counts. Opus is only offered where the other side speaks it, or where this build can transcode it.
func preferred(o call.MediaOptions) []string {
	list := slices.Clone(o.Profile.Codecs)
	for i, c := range list { // names of codecs know no case (RFC 4855 §3)
		if list[i] = strings.ToUpper(c); strings.EqualFold(c, sdp.Opus) {
			list[i] = sdp.Opus
		}
	}
	if len(list) == 0 && o.First != "" {
		list = []string{sdp.PCMU, sdp.PCMA}
		if o.First == sdp.G722 || o.First == sdp.Opus {
			list = append(list, o.First)
		}
	}
	if i := slices.Index(list, o.First); i > 0 {
		list = slices.Insert(slices.Delete(list, i, i+1), 0, o.First)
	}
	if !opus.Available() && o.First != sdp.Opus {
		if rest := slices.DeleteFunc(slices.Clone(list), func(c string) bool { return c == sdp.Opus }); len(rest) > 0 {
			return rest
		}
	}
	return list
}

// Join lets two legs hear each other.
func (p plane) Join(a, b call.Media) (func(), error) {
	left, right, err := both(a, b)
	if err != nil {
		return nil, err
	}
	return media.Join(left, right)
}

// Record spools what two legs say. If the disk takes no more, the call goes on and an event says so.
func (p plane) Record(contactID, key string, left, right call.Media) (call.Recording, error) {
	l, r, err := both(left, right)
	if err != nil {
		return nil, err
	}
	if err = p.room(); err != nil {
		return nil, err
	}
	rec, err := p.Plane.Record(media.RecordOptions{
		ContactID: contactID, Key: key, Left: []*media.Session{l}, Right: []*media.Session{r},
		OnFailed: func(err error) {
			p.events.Record(events.Event{
				At: time.Now(), Kind: "recording", ContactID: contactID, Detail: "failed, the call goes on: " + err.Error(),
			})
		},
	})
	if err != nil {
		return nil, err
	}
	return tape{rec}, nil
}

// Room makes a conference.
func (p plane) Room() call.Room { return conference{p.Conference()} }

// conference makes a media.Conference a call.Room.
type conference struct{ *media.Conference }

// Add lets a leg in.
func (c conference) Add(m call.Media, role call.Role, coached call.Media) error {
	s, ok := m.(session)
	if !ok {
		return errs.New(errs.Internal, "a leg has no media")
	}
	var whom *media.Session
	if other, ok := coached.(session); ok {
		whom = other.Session
	}
	roles := map[call.Role]media.Role{call.Speaker: media.Speaker, call.Monitor: media.Monitor, call.Coach: media.Coach}
	return c.Conference.Add(s.Session, roles[role], whom)
}

// Remove lets a leg out.
func (c conference) Remove(m call.Media) {
	if s, ok := m.(session); ok {
		c.Conference.Remove(s.Session)
	}
}

// tape makes a media.Recording a call.Recording.
type tape struct{ *media.Recording }

// Move records others from now on; who cannot be recorded (left meanwhile) is silent.
func (r tape) Move(left, right []call.Media) {
	_ = r.Recording.Move(sessions(left), sessions(right))
}

func sessions(list []call.Media) []*media.Session {
	var out []*media.Session
	for _, m := range list {
		if s, ok := m.(session); ok {
			out = append(out, s.Session)
		}
	}
	return out
}

func both(a, b call.Media) (left, right *media.Session, err error) {
	l, lok := a.(session)
	r, rok := b.(session)
	if !lok || !rok {
		return nil, nil, errs.New(errs.Internal, "a leg has no media")
	}
	return l.Session, r.Session, nil
}

// session makes a media.Session a call.Media. What is agreed on is noted in the trace of the contact.
type session struct {
	*media.Session
	trace     *trace.Recorder
	contactID string
}

// Answer negotiates an offer of theirs.
func (s session) Answer(offer []byte) ([]byte, error) {
	answer, err := s.Session.Answer(offer)
	s.note("their offer", err)
	return answer, err
}

// Accept takes their answer to our offer.
func (s session) Accept(answer []byte) error {
	err := s.Session.Accept(answer)
	s.note("their answer", err)
	return err
}

func (s session) note(what string, err error) {
	if s.trace == nil {
		return
	}
	outcome := "agreed: "
	if err != nil {
		outcome = "refused (" + err.Error() + "): "
	}
	s.trace.Note(s.contactID, trace.Fact{At: time.Now(), Text: what + " " + outcome + s.String()})
}

// SetHost tells where the far end's signalling comes from.
func (s session) SetHost(host netip.Addr) { s.SetSignallingSource(host) }

// SendDigits sends keys; what is no key is left out, so that done always comes.
func (s session) SendDigits(digits string, done func()) {
	if err := s.Session.SendDigits(digits, done); err != nil && done != nil {
		go done()
	}
}

// Play sends prepared audio.
func (s session) Play(list []call.Audio, loop bool, done func(finished bool)) {
	sources := make([]media.Source, len(list))
	for i, a := range list {
		sources[i] = a
	}
	s.Session.Play(sources, loop, done)
}

// encoders turn PCM into the frames of each codec.
func encoders() map[string]prompts.Encoder {
	encode := func(f func(dst []byte, pcm []int16) int) prompts.Encoder {
		return func(pcm []int16) []byte {
			b := make([]byte, len(pcm))
			return b[:f(b, pcm)]
		}
	}
	return map[string]prompts.Encoder{
		sdp.PCMU: encode(g711.EncodeULaw), sdp.PCMA: encode(g711.EncodeALaw), sdp.G722: wideBand,
	}
}

// wideBand gives a byte of G.722 for each sample of 8 kHz, as the prompts want it.
func wideBand(pcm []int16) []byte {
	var up resample.Up
	var enc g722.Encoder
	double := make([]int16, 2*len(pcm))
	b := make([]byte, len(pcm))
	return b[:enc.Encode(b, double[:up.Process(double, pcm)])]
}

// blobReader opens stored files for the prompt catalogue and the API.
type blobReader struct{ blob.Store }

// Open opens a file by key.
func (b blobReader) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, _, err := b.Get(ctx, key)
	return r, err
}

var _ call.Media = session{}

var _ interface {
	Stop(func(contact.Recording, error))
} = (*media.Recording)(nil)
