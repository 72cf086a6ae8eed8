package sip

import (
	"context"
	"time"
)

// StateStore remembers small facts over a restart: bans, what was spent today, who has messages waiting.
type StateStore interface {
	// PutStates stores or, without a Body, deletes, in one transaction.
	PutStates(ctx context.Context, list []State) error
	// States are all of a kind, also those that have ended meanwhile.
	States(ctx context.Context, kind string) ([]State, error)
}

// State is one fact. Until is when it may be forgotten; zero: never.
type State struct {
	Kind, Key string
	Until     time.Time
	Body      []byte
}

// Kinds of State.
const (
	stateBan     = "ban"
	stateSpent   = "spent"
	stateWaiting = "waiting"
)

// keepEvery is how often facts are written: what a crash loses at most.
const keepEvery = 5 * time.Second

// recall reads the facts of the life before.
func (ep *Endpoint) recall(ctx context.Context) {
	now := time.Now()
	ep.opt.Registrar.sources(now, func(source string, until time.Time) {
		if src, ok := parseAddrPort(source); ok {
			ep.trust.promote(src, until, now)
		}
	})
	if ep.opt.State == nil {
		return
	}
	for kind, take := range map[string]func(State, time.Time){
		stateBan: ep.trust.restore, stateSpent: ep.fraud.restore, stateWaiting: ep.mwi.restore,
	} {
		list, err := ep.opt.State.States(ctx, kind)
		if err != nil {
			ep.log.ErrorContext(ctx, "facts of the last run not read", "kind", kind, "error", err)
			continue
		}
		for _, st := range list {
			take(st, now)
		}
	}
}

// keep writes facts, forgets what is over and cuts off what costs too much, until the endpoint closes.
func (ep *Endpoint) keep() {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ep.ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ep.ctx), 5*time.Second)
			ep.writeStates(ctx)
			cancel()
			return
		case now := <-tick.C:
			ep.trust.sweep(now)
			ep.mwi.sweep(ep, now)
			ep.fraud.cut(now, ep.alarm)
			ep.writeStates(ep.ctx)
		}
	}
}

func (ep *Endpoint) writeStates(ctx context.Context) {
	list := append(append(ep.trust.changes(), ep.fraud.changes(time.Now())...), ep.mwi.changes()...)
	list = append(ep.unwritten, list...)
	ep.unwritten = nil
	if ep.opt.State == nil || len(list) == 0 {
		return
	}
	if err := ep.opt.State.PutStates(ctx, list); err != nil {
		ep.log.WarnContext(ctx, "bans and counters not written: tried again", "count", len(list), "error", err)
		if len(list) < maxUnwritten {
			ep.unwritten = list
		}
	}
}

// maxUnwritten bounds what is kept for a store that is away.
const maxUnwritten = 1 << 16

// Alarm is something that a person should look at.
type Alarm struct {
	Kind       string // "ban", "fraud", or AlarmCut
	InstanceID string
	UserID     string
	ContactID  string
	Source     string
	Detail     string
}

// alarm tells it to the owner and the log.
func (ep *Endpoint) alarm(a Alarm) {
	ep.log.Warn("alarm", "kind", a.Kind, "detail", a.Detail, "source", a.Source, "user_id", a.UserID, "contact_id", a.ContactID)
	ep.opt.OnAlarm(a)
}
