package app

import (
	"context"
	"io"
	"net/netip"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/media"
	"ullim/media/g711"
	"ullim/media/sdp"
	"ullim/prompts"
	"ullim/storage/blob"
)

// openMedia makes the media plane, and with it the ports.
func (a *App) openMedia(context.Context) error {
	p, err := media.New(media.Options{
		Listen: a.o.RTPListen, Bind: a.o.RTPBind, Advertise: a.o.RTPAdvertise, PortMin: a.o.RTPFirst, PortMax: a.o.RTPLast,
		SpoolDir: a.spool, Log: a.log, Dead: a.o.Dead,
	})
	if err != nil {
		return err
	}
	a.life.onStop("media", p.Close)
	a.plane = p
	return nil
}

// plane makes a media.Plane a call.MediaPlane.
type plane struct{ *media.Plane }

var _ call.MediaPlane = plane{}

// Open binds a port for a leg.
func (p plane) Open(o call.MediaOptions) (call.Media, error) {
	var near *media.Session
	if n, ok := o.Near.(session); ok {
		near = n.Session
	}
	s, err := p.Plane.Open(media.SessionOptions{
		ContactID: o.ContactID, Peer: o.Peer, Codecs: preferred(o), OnDigit: o.OnDigit, OnDead: o.OnDead,
		SignallingSource: o.Host, Near: near,
	})
	if err != nil {
		return nil, err
	}
	return session{s}, nil
}

// preferred is what may be used, with the codec of the other side first; if nothing is said the far end's order counts.
func preferred(o call.MediaOptions) []string {
	if len(o.Profile.Codecs) > 0 {
		return o.Profile.Codecs
	}
	switch o.First {
	case sdp.PCMU:
		return []string{sdp.PCMU, sdp.PCMA}
	case sdp.PCMA:
		return []string{sdp.PCMA, sdp.PCMU}
	}
	return nil
}

// Join lets two legs hear each other.
func (p plane) Join(a, b call.Media) (func(), error) {
	left, right, err := both(a, b)
	if err != nil {
		return nil, err
	}
	return media.Join(left, right)
}

// Record spools what two legs say.
func (p plane) Record(contactID, key string, left, right call.Media) (call.Recording, error) {
	l, r, err := both(left, right)
	if err != nil {
		return nil, err
	}
	rec, err := p.Plane.Record(contactID, key, l, r)
	if err != nil {
		return nil, err
	}
	return recording{rec}, nil
}

// Room is not there yet.
func (p plane) Room() call.Room { return conference{} }

type conference struct{}

func (conference) Add(call.Media, call.Role, call.Media) error {
	return errs.New(errs.Unavailable, "conferences are not there yet")
}
func (conference) Remove(call.Media) {}
func (conference) Close()            {}

type recording struct{ *media.Recording }

func (recording) Move([]call.Media, []call.Media) {}
func (recording) Pause()                          {}
func (recording) Resume()                         {}

func both(a, b call.Media) (left, right *media.Session, err error) {
	l, lok := a.(session)
	r, rok := b.(session)
	if !lok || !rok {
		return nil, nil, errs.New(errs.Internal, "a leg has no media")
	}
	return l.Session, r.Session, nil
}

// session makes a media.Session a call.Media.
type session struct{ *media.Session }

// SetHost tells where the far end's signalling comes from.
func (s session) SetHost(host netip.Addr) { s.SetSignallingSource(host) }

// Hold is not there yet.
func (s session) Hold(bool) {}

// SendDigits is not there yet.
func (s session) SendDigits(_ string, done func()) { go done() }

// Stats is the quality so far.
func (s session) Stats() contact.Quality { return contact.Quality{} }

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
	return map[string]prompts.Encoder{"PCMU": encode(g711.EncodeULaw), "PCMA": encode(g711.EncodeALaw)}
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
