package app

import (
	"context"
	"fmt"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/events"
	"ullim/internal/trace"
	"ullim/sip"
)

// TraceOptions say what is kept of calls on the wire, and who else is told.
type TraceOptions struct {
	Memory   int // bytes; 0: nothing is kept
	HEP      string
	HEPAgent uint32
	HEPKey   string
}

// openTrace makes the recorder of traces and the exporter to HOMER.
func (a *App) openTrace(context.Context) error {
	if a.o.Trace.Memory > 0 {
		a.trace = trace.New(trace.Options{Memory: a.o.Trace.Memory})
		a.life.onStopDo("traces", a.events.Tap(func(e events.Event) {
			a.trace.Note(e.ContactID, trace.Fact{At: e.At, Text: e.Kind + " " + e.Detail})
		}))
	}
	if a.o.Trace.HEP == "" {
		return nil
	}
	var err error
	a.hep, err = trace.NewExporter(trace.ExporterOptions{
		Address: a.o.Trace.HEP, Agent: a.o.Trace.HEPAgent, Key: a.o.Trace.HEPKey, Correlate: a.correlation,
	})
	if err != nil {
		return err
	}
	a.life.onStopDo("capture", a.hep.Close)
	return nil
}

// onMessage is who wants to see every SIP message; nil: nobody.
func (a *App) onMessage() func(sip.Message) {
	if a.trace == nil && a.hep == nil {
		return nil
	}
	return func(m sip.Message) {
		seen := trace.Message(m)
		a.trace.Add(seen)
		a.hep.Add(seen)
	}
}

// correlation names the contact of a Call-ID.
func (a *App) correlation(callID string) string {
	if id := a.trace.ContactOf(callID); id != "" {
		return id
	}
	return a.names.contactOf(callID)
}

// opened is told of every segment that is stored.
func (a *App) opened(contactID, callID string) {
	a.names.add(contactID, callID)
	a.trace.Bind(callID, contactID)
}

// traceQuality notes at the end of a contact what its audio was like.
func (a *App) traceQuality(r *contact.Record) {
	for peer, q := range map[string]*contact.Quality{"customer": r.CustomerQuality, "agent": r.AgentQuality} {
		if q == nil {
			continue
		}
		a.trace.Note(r.ID, trace.Fact{At: r.DisconnectTimestamp, Peer: peer, Text: fmt.Sprintf(
			"%s %s sent %d, received %d, lost %d, foreign %d, jitter %s, longest gap %s, round trip %s, MOS %.1f", q.Codec, q.Encryption,
			q.Sent, q.Received, q.Lost, q.Foreign, q.Jitter, q.MaxGap, q.RoundTrip, q.MOS)})
	}
}

// traced files the legs that we make with their contact.
type traced struct {
	call.Dialer
	a *App
}

// Dial places a leg.
func (d traced) Dial(t call.Target, offer []byte, events func(call.LegEvent)) call.Leg {
	leg := d.Dialer.Dial(t, offer, events)
	if t.ContactID != "" {
		d.a.trace.Bind(leg.CallID(), t.ContactID)
	}
	return leg
}
