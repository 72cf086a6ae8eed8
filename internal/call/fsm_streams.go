package call

import (
	"slices"
	"time"

	"ullim/internal/contact"
)

// streamed is a list with a stream that begins, or without an end for the one that ends with m.
func streamed(list []contact.MediaStream, m contact.MediaStream) []contact.MediaStream {
	list = slices.Clone(list)
	if m.End.IsZero() {
		return append(list, m)
	}
	for i := range list {
		if s := &list[i]; s.Type == m.Type && s.Destination == m.Destination && s.End.IsZero() {
			s.End = m.End
			return list
		}
	}
	return list
}

// endStreams ends what runs when the segment does, and gives what goes on with the next one.
func endStreams(r *contact.Record, at time.Time) (going []contact.MediaStream) {
	for i := range r.Streams {
		if s := &r.Streams[i]; s.End.IsZero() {
			going = append(going, contact.MediaStream{Type: s.Type, Destination: s.Destination, Start: at})
			s.End = at
		}
	}
	return going
}

// NoteStream writes down that live audio begins to go somewhere, or has ended, also when the flow is over.
func (c *Control) NoteStream(m contact.MediaStream) { c.actor.post(dataSet{Data: Data{Stream: &m}}) }
