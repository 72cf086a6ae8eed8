package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/events"
	"ullim/internal/telemetry"
	"ullim/media/sdp"
	"ullim/sip"
)

var _ sip.Explainer = (*call.Manager)(nil)

// alarms counts the alarms of the guard by kind, and acts on those that ask for it.
type alarms struct {
	mu     sync.Mutex
	counts map[string]float64
}

// alarm is what the guard says a person should look at. A call over a cap is ended here: its contact is the call's.
func (a *App) alarm(v sip.Alarm) {
	a.alarms.count(v.Kind)
	a.events.Record(events.Event{
		At: time.Now(), Kind: "alarm", InstanceID: v.InstanceID, ContactID: v.ContactID,
		Detail: strings.TrimSpace(v.Kind + ": " + v.Detail + " " + v.Source),
	})
	if v.Kind == sip.AlarmCut && v.ContactID != "" {
		a.calls.Stop(v.ContactID, v.Detail)
	}
}

// count counts one more.
func (s *alarms) count(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[string]float64{}
	}
	s.counts[kind]++
}

func (s *alarms) read() map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]float64{"ban": 0, "fraud": 0, "spool": 0, sip.AlarmCut: 0}
	maps.Copy(out, s.counts)
	return out
}

func (a *App) observeGuard() error {
	count := func(f func(sip.GuardStats) float64) func() float64 {
		return func() float64 { return f(a.sip.GuardStats()) }
	}
	return a.metrics.ObserveGuard(telemetry.GuardSources{
		KnownSources:  count(func(s sip.GuardStats) float64 { return float64(s.Known) }),
		Bans:          count(func(s sip.GuardStats) float64 { return float64(s.Banned) }),
		Subscriptions: count(func(s sip.GuardStats) float64 { return float64(s.Subscriptions) }),
		Cut:           count(func(s sip.GuardStats) float64 { return float64(s.Cut) }),
		BansMade:      func() float64 { return float64(a.sip.Stats().Bans) },
		DeadContacts:  func() float64 { return float64(a.sip.Stats().DeadContacts) },
		Packets: func() map[string]float64 {
			s := a.sip.GuardStats()
			return map[string]float64{
				"shed": float64(s.Shed), "dropped": float64(s.Dropped), "banned": float64(s.Silent), "oversize": float64(s.Oversize),
			}
		},
		Denied: func() map[string]float64 {
			out := map[string]float64{"destination": 0, "diversions": 0, "concurrent": 0, "calls-per-minute": 0, "minutes": 0, "spend": 0}
			for rule, n := range a.sip.GuardStats().Denied {
				out[rule] = float64(n)
			}
			return out
		},
		Alarms: a.alarms.read,
	})
}

// outboundPolicy is what may leave an instance; nil: nothing was said.
func (d *directory) outboundPolicy(instanceID string) *sip.OutboundPolicy {
	t, err := d.tenant(instanceID)
	if err != nil {
		return nil
	}
	return t.outbound
}

// nearestNumber names the claimed number that is most like one that nobody has claimed, or says what keeps it.
func (d *directory) nearestNumber(trunkID, called string) string {
	snap := d.snap.Load()
	if n := snap.numbers[called]; n != nil {
		return fmt.Sprintf("the same number, which is bound to another trunk than %s", cmp.Or(trunkID, "none"))
	}
	digits := strings.TrimLeft(called, "+0")
	best, most := "", 0
	for name := range snap.numbers {
		n := commonEnd(strings.TrimLeft(name, "+0"), digits)
		if n > most || n == most && n > 0 && name < best {
			best, most = name, n
		}
	}
	if most < 4 {
		return ""
	}
	return best
}

// commonEnd is how many digits at the end are the same: prefixes are what people get wrong.
func commonEnd(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// flowReady refuses a flow that contacts cannot run.
func (a *App) flowReady(instanceID, flowID string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	f, err := a.flows.Published(ctx, instanceID, flowID)
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.NotFound, "the flow %s of the number cannot run: %s", flowID, err.Error())
	}
	if err == nil && asksToRecord(f.Content) {
		return a.keeping.guard.admits()
	}
	return nil // the store is away: the call finds out for itself
}

// checkOffer is an error if nothing in an offer could be answered: the rules of media/sdp, without a port.
func checkOffer(offer []byte, p call.Profile) error {
	return sdp.Check(p.Codecs, sdp.Policy(p.Encryption), offer)
}
