package acd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ullim/internal/contact"
)

// quickStore does everything at once, and keeps nothing.
type quickStore struct{ Store }

func (quickStore) Reserve(_ context.Context, _ Reservation, v int64, _ int) (int64, bool, error) {
	return v + 1, true, nil
}

func (quickStore) MoveReservation(context.Context, string, SlotState, time.Time) error { return nil }

func (quickStore) EndReservation(context.Context, string) error { return nil }

func (quickStore) PutAfterContactWork(context.Context, string, time.Time, time.Time) error {
	return nil
}

func (quickStore) PutAgentState(_ context.Context, s AgentState) (int64, error) {
	return s.Version + 1, nil
}

// phonesUp says that all phones are there, and keeps what is to ring.
type phonesUp struct{ rung chan Offer }

func (phonesUp) Reachable(string) bool              { return true }
func (phonesUp) OnCall(string) bool                 { return false }
func (phonesUp) Alive(context.Context, string) bool { return true }
func (p phonesUp) Ring(o Offer)                     { p.rung <- o }

// largeCentre is an actor without a goroutine of its own: 500 queues of which each agent serves 20, by 100 profiles, and so
// many agents and contacts.
func largeCentre(b *testing.B, agents, contacts int) (*actor, phonesUp) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	cfg := Config{
		Queues: map[string]*Queue{}, Profiles: map[string]*RoutingProfile{}, Agents: map[string]Agent{},
		Statuses: map[string]*AgentStatus{"on": {Type: Routable}, "off": {Type: Offline}},
	}
	for q := range 500 {
		v := &Queue{Status: QueueEnabled}
		v.ID = fmt.Sprint("q", q)
		cfg.Queues[v.ID] = v
	}
	for i := range 100 {
		p := &RoutingProfile{Concurrencies: []Concurrency{{Channel: contact.Voice, Limit: 1}}}
		for k := range 20 {
			p.Queues = append(p.Queues, ProfileQueue{fmt.Sprint("q", (i*5+k)%500), contact.Voice, 1 + k%4, k % 3 * 20})
		}
		p.ID = fmt.Sprint("p", i)
		cfg.Profiles[p.ID] = p
	}
	for i := range agents {
		id := fmt.Sprint("agent", i)
		cfg.Agents[id] = Agent{UserID: id, RoutingProfileID: fmt.Sprint("p", i%100), ACWTimeout: time.Minute}
	}
	phones := phonesUp{make(chan Offer, 1024)}
	a := newActor(New(Options{InstanceID: "i", Node: "n", Store: quickStore{}, Ringer: phones, Devices: phones}))
	now := time.Now()
	a.configure(cfg, now)
	a.poll(now)
	for i := range contacts {
		w := Waiting{ContactID: fmt.Sprint("c", i), QueueID: fmt.Sprint("q", r.IntN(500)), Since: now.Add(-time.Duration(contacts-i) * time.Millisecond)}
		if r.IntN(10) == 0 {
			w.Priority = int64(1 + r.IntN(9))
		}
		if err := a.enqueue(w, now); err != nil {
			b.Fatal(err)
		}
	}
	a.turn(b.Context(), now)
	return a, phones
}

// BenchmarkDecisions measures what one event costs the actor, decision, bookkeeping and publishing included: agents choose
// statuses, become free, answer, finish, miss; contacts come and leave. The store is memory and answers at once.
func BenchmarkDecisions(b *testing.B) {
	for _, size := range [][2]int{{100, 1000}, {10_000, 100_000}} {
		b.Run(fmt.Sprintf("agents=%d/waiting=%d/queues=500", size[0], size[1]), func(b *testing.B) {
			a, phones := largeCentre(b, size[0], size[1])
			ctx := b.Context()
			a.turn(ctx, time.Now()) // what has become due meanwhile
			r := rand.New(rand.NewPCG(3, 4))
			next, decided := size[1], uint64(0)
			var took []time.Duration
			turn := func() {
				start := time.Now()
				a.turn(ctx, start)
				took = append(took, time.Since(start))
			}
			var busy []Offer
			for i := 0; b.Loop(); i++ {
				now := time.Now()
				switch n := r.IntN(10); {
				case n < 4 || len(a.shown) < size[1]*9/10:
					next++
					w := Waiting{ContactID: fmt.Sprint("c", next), QueueID: fmt.Sprint("q", r.IntN(500)), Since: now}
					a.mail.put(func(a *actor, now time.Time) { _ = a.enqueue(w, now) })
				case n < 5 && len(a.shown) > 0:
					id := a.shown[r.IntN(len(a.shown))].ContactID
					a.mail.put(func(a *actor, now time.Time) { a.leave(id, now) })
				case n < 7 && len(busy) > 0:
					o := busy[0]
					busy = slices.Delete(busy, 0, 1)
					a.mail.put(func(a *actor, now time.Time) {
						a.joined(o.ID, now)
						a.leave(o.ContactID, now)
						_ = a.dismiss(o.Agent.UserID, o.ContactID, now)
					})
				default:
					id := fmt.Sprint("agent", r.IntN(size[0]))
					a.mail.put(func(a *actor, now time.Time) {
						if g := a.agents[id]; len(g.view.Slots) == 0 {
							a.step(g, Event{Kind: EventStatusChosen, StatusID: "on", At: now})
						}
					})
				}
				turn()
				for a.ops.running > 0 || len(a.mail.bell) > 0 {
					a.work.Wait()
					select {
					case <-a.mail.bell:
					default:
					}
					turn()
				}
				for len(phones.rung) > 0 {
					busy = append(busy, <-phones.rung)
				}
			}
			decided = a.counts.Offers.Load()
			var sum time.Duration
			for _, d := range took {
				sum += d
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs/turn")
			b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs/turn")
			b.ReportMetric(float64(sum.Nanoseconds())/float64(len(took)), "mean-ns/turn")
			b.ReportMetric(float64(decided)/sum.Seconds(), "offers/s")
			b.ReportMetric(float64(len(took))/sum.Seconds(), "turns/s")
		})
	}
}
