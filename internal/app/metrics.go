package app

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"ullim/acd"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/telemetry"
	"ullim/media"
	"ullim/sip"
	"ullim/storage"
)

// observe lets Prometheus read what the parts count in atomics of their own.
func (a *App) observe() error {
	count := func(f func() uint64) func() float64 { return func() float64 { return float64(f()) } }
	s := telemetry.Sources{
		ActiveCalls:   func() float64 { return float64(a.calls.Count()) },
		CallsOutgoing: count(a.calls.Stats().Outgoing.Load),
		CallTransfers: count(a.calls.Stats().Transfers.Load),
		CallMoves:     count(a.calls.Stats().Moved.Load),
		SIPLegs:       func() float64 { return float64(a.sip.Stats().Legs) },
		SIPStreams:    func() float64 { return float64(a.sip.Stats().Streams) },
		Registrations: func() float64 { return float64(a.registry.Count()) },
		MediaSessions: func() float64 { return float64(a.plane.Stats().Sessions) },
		MediaPorts:    func() float64 { return float64(a.plane.Stats().PortsInUse) },
		MediaLoops:    a.mediaLoops,
		SpooledBytes:  a.spooledBytes,
		QueueWaiting:  a.queueWaiting,
		Agents:        a.agentsByType,
		JobsAlive:     func() map[string]float64 { alive, _ := a.jobCounts(); return alive },
		JobsBuried:    func() map[string]float64 { _, buried := a.jobCounts(); return buried },

		TraceBytes: func() float64 { return float64(a.trace.Stats().Bytes) },

		HEPSent:    count(func() uint64 { sent, _ := a.hep.Stats(); return sent }),
		HEPDropped: count(func() uint64 { _, dropped := a.hep.Stats(); return dropped }),

		InvitesAdmitted:    count(func() uint64 { return a.sip.Stats().InvitesAdmitted }),
		SIPDropped:         count(func() uint64 { return a.sip.Stats().Dropped }),
		SIPRateLimited:     count(func() uint64 { return a.sip.Stats().RateLimited }),
		SIPStrangers:       count(func() uint64 { return a.sip.Stats().Strangers }),
		RTPReceived:        count(func() uint64 { return a.plane.Stats().PacketsIn }),
		RTPSent:            count(func() uint64 { return a.plane.Stats().PacketsOut }),
		RTPLost:            count(func() uint64 { return a.plane.Stats().Lost }),
		RTPForeign:         count(func() uint64 { return a.plane.Stats().Foreign }),
		RTPLate:            count(func() uint64 { return a.plane.Stats().Late }),
		SRTPRefused:        count(func() uint64 { return a.plane.Stats().Refused }),
		RTCPSent:           count(func() uint64 { return a.plane.Stats().ReportsOut }),
		RecordingsFailed:   count(func() uint64 { return a.plane.Stats().RecordingsFailed }),
		Conferences:        func() float64 { return float64(a.plane.Stats().Conferences) },
		Recordings:         func() float64 { return float64(a.plane.Stats().Recordings) },
		RecordingsUploaded: count(a.keeping.uploads.uploaded.Load),
		UploadFailures:     count(a.keeping.uploads.failed.Load),
		EventsDropped:      count(a.events.Dropped),
		Offers:             a.offers,
		AgentEventsLost:    a.acdSum(func(c *acd.Counts) float64 { return float64(c.EventsLost.Load()) }),
		Estimates:          a.acdSum(func(c *acd.Counts) float64 { return float64(c.Estimates.Count.Load()) }),
		EstimateError:      a.acdSum(func(c *acd.Counts) float64 { return time.Duration(c.Estimates.AbsError.Load()).Seconds() }),
		EstimateBias:       a.acdSum(func(c *acd.Counts) float64 { return time.Duration(c.Estimates.Error.Load()).Seconds() }),
		Panics: func() map[string]float64 {
			acds := 0.0
			a.centers.each(func(_ string, c *acd.Center) { acds += float64(c.Counts().Panics.Load()) })
			return map[string]float64{
				"sip": float64(a.sip.Stats().Panics), "call": float64(a.calls.Stats().Panics.Load()), "acd": acds,
				"job": float64(a.jobs.Stats().Panics + a.outside.runner.Stats().Panics + a.keeping.runner.Stats().Panics + a.keeping.slow.Stats().Panics), "chat": float64(a.chats.Counts().Panics.Load()),
			}
		},
	}
	a.observeTransport(&s)
	return a.metrics.Observe(s)
}

// mediaLoops reads the media loops.
func (a *App) mediaLoops() []telemetry.MediaLoop {
	var out []telemetry.MediaLoop
	for _, l := range a.plane.Stats().Loops {
		reading := telemetry.MediaLoop{
			Ports: float64(l.Ports), Tickers: float64(l.Tickers), Busy: l.Busy, Late: float64(l.Late),
			Wakeups: float64(l.Wakeups), Packets: float64(l.Packets), Steps: l.Steps.Steps,
			StepSeconds: l.Steps.Sum.Seconds(), StepsUpTo: make(map[float64]uint64, len(l.Steps.Up)),
		}
		for i, bound := range media.LatenessBounds() {
			reading.StepsUpTo[bound.Seconds()] = l.Steps.Up[i]
		}
		out = append(out, reading)
	}
	return out
}

// refused counts an INVITE that was not admitted.
func (a *App) refused(r sip.Refused) {
	a.metrics.InviteRefused(refusalOf(r, a.draining.Load()))
}

// refusalOf names what refused an INVITE: an error that is known, else the rule that failed, else what its status stands for.
func refusalOf(r sip.Refused, draining bool) telemetry.Refusal {
	switch {
	case errors.Is(r.Err, media.ErrNoPort):
		return telemetry.RefusedNoPort
	case errors.Is(r.Err, call.ErrNotStored):
		return telemetry.RefusedStorage
	case r.Status == http.StatusServiceUnavailable && draining:
		return telemetry.RefusedDraining
	case r.Status == http.StatusServiceUnavailable && r.Rule == "": // shed before it was looked at
		return telemetry.RefusedRate
	case r.Status == http.StatusServiceUnavailable && r.Rule == "channels":
		return telemetry.RefusedTrunkRate
	}
	byRule := map[string]telemetry.Refusal{
		"form": telemetry.RefusedMalformed, "scanner": telemetry.RefusedMalformed, "body": telemetry.RefusedMalformed,
		"accept": telemetry.RefusedMalformed, "contact": telemetry.RefusedMalformed, "replaces": telemetry.RefusedMalformed,
		"loop": telemetry.RefusedLoop, "draining": telemetry.RefusedDraining, "legs": telemetry.RefusedChannels,
		"channels": telemetry.RefusedChannels, "number": telemetry.RefusedNoNumber, "flow": telemetry.RefusedNoFlow,
		"media": telemetry.RefusedMedia,
	}
	if reason, known := byRule[r.Rule]; known {
		return reason
	}
	byStatus := map[int]telemetry.Refusal{
		400: telemetry.RefusedMalformed, 405: telemetry.RefusedMalformed, 416: telemetry.RefusedMalformed,
		420: telemetry.RefusedMalformed, 483: telemetry.RefusedMalformed, 501: telemetry.RefusedMalformed,
		505: telemetry.RefusedMalformed, 513: telemetry.RefusedMalformed, 401: telemetry.RefusedUnknown,
		403: telemetry.RefusedPermission, 404: telemetry.RefusedNoNumber, 482: telemetry.RefusedLoop,
		486: telemetry.RefusedChannels, 488: telemetry.RefusedMedia, 503: telemetry.RefusedUnavailable,
	}
	if reason, known := byStatus[r.Status]; known {
		return reason
	}
	return telemetry.RefusedOther
}

// offers is how offers came out, of all instances.
func (a *App) offers() map[string]float64 {
	out := map[string]float64{}
	a.centers.each(func(_ string, center *acd.Center) {
		c := center.Counts()
		for name, n := range map[string]*atomic.Uint64{
			"answered": &c.Answered, "missed": &c.Missed, "rejected": &c.Rejected, "device_failed": &c.DeviceFailed,
			"caller_left": &c.CallerLeft, "agent_left": &c.AgentLeft,
			"taken": &c.Taken, "unproven": &c.Unproven,
		} {
			out[name] += float64(n.Load())
		}
	})
	return out
}

// acdSum adds up a figure of all instances.
func (a *App) acdSum(of func(*acd.Counts) float64) func() float64 {
	return func() float64 {
		sum := 0.0
		a.centers.each(func(_ string, center *acd.Center) { sum += of(center.Counts()) })
		return sum
	}
}

func (a *App) spooledBytes() float64 { return float64(readSpool(a.spool).Bytes) }

func (a *App) queueWaiting() map[telemetry.QueueKey]float64 {
	out := map[telemetry.QueueKey]float64{}
	a.centers.each(func(instanceID string, center *acd.Center) {
		t, err := a.dir.tenant(instanceID)
		if err != nil {
			return
		}
		for _, q := range center.Metrics().Queues {
			out[telemetry.QueueKey{Instance: t.instance.Name, Queue: q.QueueName}] = float64(q.ContactsInQueue)
		}
	})
	return out
}

func (a *App) agentsByType() map[string]float64 {
	out := map[string]float64{}
	a.centers.each(func(_ string, center *acd.Center) {
		for _, agent := range center.CurrentAgents() {
			out[string(agent.StatusType)]++
		}
	})
	return out
}

func (a *App) jobCounts() (alive, buried map[string]float64) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	alive, buried = map[string]float64{}, map[string]float64{}
	for _, kind := range []string{storage.JobUpload, storage.JobTranscript, storage.JobErase, jobFunction} {
		n, dead, err := a.db.Count(ctx, kind)
		if err != nil {
			return nil, nil
		}
		alive[kind], buried[kind] = float64(n), float64(dead)
	}
	return alive, buried
}

// legEnded notes how well a leg was heard.
func (a *App) legEnded(q contact.Quality) {
	loss := 0.0
	if all := q.Received + q.Lost; all > 0 {
		loss = float64(q.Lost) / float64(all)
	}
	a.metrics.LegEnded(q.MOS, loss, q.Jitter)
}
