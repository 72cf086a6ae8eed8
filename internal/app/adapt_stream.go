package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/internal/stream"
	"ullim/internal/webhook"
	"ullim/ivr"
	"ullim/media"
)

var (
	_ ivr.Streamer   = voice{}
	_ ivr.Converser  = voice{}
	_ call.LiveMedia = session{}
	_ stream.Voice   = ear{}
)

// What a program that takes a call over says of where the flow goes on.
const (
	intentQueue = "TransferToQueue"
	intentFlow  = "TransferToFlow"
)

// Types of live audio in a record.
const (
	streamOut = "STREAM"
	streamBot = "AUTOMATED_INTERACTION"
)

// connectTime is how long a flow waits for a program that listens. A call goes on without it.
const connectTime = 3 * time.Second

// headerStream names the stream in the handshake; the signature is over it.
const headerStream = "Ullim-Stream"

// Listen lets somebody hear a leg.
func (s session) Listen(h call.Hearing) (stop func(), err error) {
	return s.Session.Listen(media.ListenOptions{
		From: h.From, To: h.To, Ended: h.Ended, Frame: func(t media.Track, ulaw []byte) { h.Frame(t == media.TrackTo, ulaw) },
	})
}

// liveStream is the live audio of a customer's line.
type liveStream struct {
	s         *stream.Stream
	arn       string
	stop      func() // stops to listen
	forgotten func() // stops to wait for the end of the line; nil: that has not begun
	until     time.Time
}

// StartStream sends the customer's audio to a program while the flow, and the talk after it, go on: ivr.Streamer. A stream
// that runs already is replaced.
func (v voice) StartStream(ctx context.Context, s ivr.Stream) error {
	if v.out == nil {
		return ivr.ErrNotSupported
	}
	line := v.c.CustomerLine()
	if line == nil {
		return ivr.ErrLeft
	}
	r := v.c.Snapshot().Record
	head := stream.Head{InstanceID: r.InstanceID, ContactID: r.ID, From: s.From, To: s.To}
	options, err := v.out.options(ctx, head, s.URL, nil)
	if err != nil {
		return err
	}
	v.out.endStream(line)
	st := stream.Start(options)
	going := contact.MediaStream{Type: streamOut, Destination: v.out.placeName(ctx, r.InstanceID, s.URL), Start: time.Now()}
	waiting, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	if !st.Connected(waiting) {
		st.Stop()
		if ctx.Err() != nil {
			return ivr.ErrLeft
		}
		return errs.New(errs.Unavailable, "the program that is to listen cannot be reached")
	}
	l := &liveStream{s: st, arn: resource.ARN(r.InstanceID, "media-stream", st.ID())}
	if l.stop, err = v.c.ListenToCustomer(call.Hearing{From: s.From, To: s.To, Frame: st.Frame, Ended: st.Stop}); err != nil {
		st.Stop()
		return left(err)
	}
	v.out.mu.Lock()
	v.out.live[line] = l
	v.out.mu.Unlock()
	forgotten, err := v.c.ListenToCustomer(call.Hearing{Frame: func(bool, []byte) {}, Ended: func() { v.out.forget(line, l) }})
	if err != nil {
		v.out.endStream(line)
		return left(err)
	}
	v.out.mu.Lock()
	l.forgotten = forgotten
	v.out.mu.Unlock()
	v.c.NoteStream(going)
	go func() { // also when the program is given up
		<-st.Done()
		l.stop()
		v.out.mu.Lock()
		defer v.out.mu.Unlock()
		if l.until.IsZero() {
			l.until = time.Now()
		}
		going.End = l.until
		v.c.NoteStream(going)
	}()
	return nil
}

// StopStream ends it. Without a stream there is nothing to do.
func (v voice) StopStream(context.Context) error {
	if v.out == nil {
		return ivr.ErrNotSupported
	}
	v.out.mu.Lock()
	l := v.out.live[v.c.CustomerLine()]
	if l != nil && l.until.IsZero() {
		l.until = time.Now()
	}
	v.out.mu.Unlock()
	if l != nil {
		l.stop()
		l.s.Stop()
	}
	return nil
}

// endStream ends and forgets the stream of a line.
func (o *outside) endStream(line any) {
	o.mu.Lock()
	l := o.live[line]
	delete(o.live, line)
	var forgotten func()
	if l != nil {
		forgotten = l.forgotten
	}
	o.mu.Unlock()
	if l == nil {
		return
	}
	l.stop()
	if forgotten != nil {
		forgotten()
	}
	l.s.Stop()
}

// forget drops what is known of a line that has ended.
func (o *outside) forget(line any, l *liveStream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.live[line] == l {
		delete(o.live, line)
	}
}

// stopStreams ends all of them.
func (o *outside) stopStreams() {
	o.mu.Lock()
	all := maps.Clone(o.live)
	o.mu.Unlock()
	for line := range all {
		o.endStream(line)
	}
	for _, l := range all {
		<-l.s.Done()
	}
}

// mediaStream is what flows may read of the live audio of a line; nil: there was none.
func (o *outside) mediaStream(line any) map[string]string {
	if o == nil || line == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.live[line]
	if l == nil {
		return nil
	}
	ms := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	m := map[string]string{"StreamARN": l.arn, "StartTimestamp": ms(l.s.Started()), "StartFragmentNumber": "1"}
	if !l.until.IsZero() {
		m["StopTimestamp"] = ms(l.until)
	}
	return m
}

// options are those of a stream or a conversation: where it goes, what is told, and how we show who we are.
func (o *outside) options(ctx context.Context, head stream.Head, ref string, parameters map[string]string) (stream.Options, error) {
	d, err := o.destination(ctx, head.InstanceID, ref)
	if err != nil {
		return stream.Options{}, err
	}
	if head.Parameters = maps.Clone(d.Parameters); head.Parameters == nil {
		head.Parameters = map[string]string{}
	}
	maps.Copy(head.Parameters, parameters)
	if err = stream.CheckParameters(head.Parameters); err != nil {
		return stream.Options{}, err
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the program instead
	head.StreamID = "MZ" + hex.EncodeToString(random)
	secret, token, err := o.unsealed(d)
	if err != nil {
		return stream.Options{}, err
	}
	dial := func(ctx context.Context) (stream.Conn, error) {
		h := http.Header{headerStream: {head.StreamID}}
		if secret != "" {
			h.Set(webhook.HeaderSignature, webhook.Sign([]string{secret}, time.Now(), []byte(head.StreamID)))
		}
		if token != "" {
			h.Set("Authorization", "Bearer "+token)
		}
		conn, err := o.client.WebSocket(ctx, head.InstanceID, d.URL, h)
		if err != nil {
			return nil, err
		}
		conn.SetReadLimit(stream.MaxMessage)
		return conn, nil
	}
	return stream.Options{Head: head, Dial: dial, Log: o.log, Stats: &o.streams}, nil
}

// unsealed are the secrets of a destination, those there are.
func (o *outside) unsealed(d *stream.Destination) (secret, token string, err error) {
	for into, box := range map[*string]string{&secret: d.Secret, &token: d.Token} {
		if box == "" {
			continue
		}
		if *into, err = o.sealer.Open(stream.SecretOwner(d.ID), box); err != nil {
			return "", "", err
		}
	}
	return secret, token, nil
}

func isStreamURL(s string) bool {
	return strings.HasPrefix(s, "wss://") || strings.HasPrefix(s, "ws://")
}

// Converse lets a program talk with the person: ivr.Converser.
func (v voice) Converse(ctx context.Context, b ivr.Bot) (ivr.BotResult, error) {
	if v.out == nil {
		return ivr.BotResult{}, ivr.ErrNotSupported
	}
	r := v.c.Snapshot().Record
	options, err := v.out.options(ctx, stream.Head{InstanceID: r.InstanceID, ContactID: r.ID}, b.URL, b.Parameters)
	if err != nil {
		return ivr.BotResult{}, err
	}
	talk := contact.MediaStream{Type: streamBot, Destination: v.out.placeName(ctx, r.InstanceID, b.URL), Start: time.Now()}
	v.c.NoteStream(talk)
	end, err := stream.Converse(ctx, options, ear{v.c}, b.Limit)
	talk.End = time.Now()
	v.c.NoteStream(talk)
	switch {
	case errors.Is(err, stream.ErrGone):
		return ivr.BotResult{}, ivr.ErrLeft
	case err != nil:
		return ivr.BotResult{}, errs.New(errs.Unavailable, "the program could not finish") // the log says why
	}
	return v.result(r.InstanceID, end)
}

// result is what the flow learns. A queue that the program chose becomes the target queue.
func (v voice) result(instanceID string, end stream.Outcome) (ivr.BotResult, error) {
	out := ivr.BotResult{Intent: end.Intent, Attributes: maps.Clone(end.Attributes)}
	if end.Action != stream.ActionTransfer {
		return out, nil
	}
	if out.Attributes == nil {
		out.Attributes = map[string]string{}
	}
	intent := intentFlow
	if end.Queue != "" {
		q, err := v.out.dir.queue(instanceID, end.Queue)
		if err != nil {
			return ivr.BotResult{}, err
		}
		if err = v.c.SetTarget(call.TargetQueue{ID: q.ID, Name: q.Name}); err != nil {
			return ivr.BotResult{}, left(err)
		}
		intent = intentQueue
		out.Attributes["TransferQueue"] = q.Name
	} else {
		out.Attributes["TransferFlow"] = end.Flow
	}
	if out.Intent == "" {
		out.Intent = intent
	}
	return out, nil
}

// ear makes the person that a flow speaks to a stream.Voice.
type ear struct{ c *call.Control }

// Attach lets the program hear and be heard.
func (e ear) Attach(hear func([]byte), fill func([]byte) int) (detach func(), gone <-chan struct{}, err error) {
	stop, err := e.c.Listen(call.Hearing{From: true, Frame: func(_ bool, ulaw []byte) { hear(ulaw) }})
	if err != nil {
		return nil, nil, err
	}
	if gone, err = e.c.StartLive(fill); err != nil {
		stop()
		return nil, nil, err
	}
	return func() {
		stop()
		select {
		case <-gone:
		default:
			e.c.StopPlay()
		}
	}, gone, nil
}

// Digits are the keys that are pressed.
func (e ear) Digits() <-chan byte { return e.c.Digits() }

// SendDigits presses keys.
func (e ear) SendDigits(digits string) { _ = e.c.SendDigits(digits) } // who has left needs none

// placeName is what a record calls the place that live audio goes to: the name of the destination, else the host. The rest of
// an address may be secret.
func (o *outside) placeName(ctx context.Context, instanceID, ref string) string {
	d, err := o.destination(ctx, instanceID, ref)
	if err != nil {
		return ""
	}
	if d.Name != "" {
		return d.Name
	}
	u, err := url.Parse(d.URL)
	if err != nil {
		return ""
	}
	return u.Host
}
