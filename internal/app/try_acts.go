package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ullim/internal/events"
	"ullim/sip/siptest"
)

// act is one of the calls: what is set up for it, what happens, and what was found.
type act struct {
	label  string
	title  string
	number string
	from   string
	queue  string
	closed bool
	ring   int // seconds
	agents []string
	play   func(ctx context.Context, t *trial, a *act) error

	call  *siptest.Call // the customer's
	agent *siptest.Call // the agent's who talked

	mu     sync.Mutex
	checks []check
	seen   map[string]time.Time // kind of event -> when it came first
	news   chan struct{}        // closed and made anew at each event
}

// check is one thing that was to be so.
type check struct {
	what   string
	ok     bool
	detail string
}

func acts() []*act {
	list := []*act{
		{
			label: "call 1", title: "greeting, key, queue with music, answered, recorded", number: "+8215880001",
			from: "01012340001", queue: "Sales", ring: 20, agents: []string{"kim"}, play: playAnswered,
		},
		{
			label: "call 2", title: "outside opening hours", number: "+8215880002", from: "01012340002",
			queue: "Night desk", closed: true, ring: 20, play: playClosed,
		},
		{
			label: "call 3", title: "caller hangs up while the agent's phone rings", number: "+8215880003",
			from: "01012340003", queue: "Support", ring: 20, agents: []string{"lee"}, play: playHangupWhileRinging,
		},
		{
			label: "call 4", title: "first agent does not answer, second does", number: "+8215880004",
			from: "01012340004", queue: "Billing", ring: 3, agents: []string{"park", "choi"}, play: playSecondAgent,
		},
		{
			label: "call 5", title: "caller abandons in the queue", number: "+8215880005", from: "01012340005",
			queue: "Complaints", ring: 20, play: playAbandoned,
		},
	}
	for _, a := range list {
		a.seen, a.news = map[string]time.Time{}, make(chan struct{})
	}
	return list
}

func (a *act) check(what string, ok bool, format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.checks = append(a.checks, check{what, ok, fmt.Sprintf(format, args...)})
}

// note remembers an event of the engine.
func (a *act) note(kind string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, old := a.seen[kind]; !old {
		a.seen[kind] = at
	}
	close(a.news)
	a.news = make(chan struct{})
}

// when is when a kind of event came first; zero: it did not.
func (a *act) when(kind string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[kind]
}

// await waits until a kind of event has come.
func (a *act) await(ctx context.Context, kind string) error {
	for {
		a.mu.Lock()
		_, ok := a.seen[kind]
		news := a.news
		a.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q: %w", kind, ctx.Err())
		}
	}
}

// watch prints the engine's events as they come, under the label of their call.
func (t *trial) watch(feed <-chan events.Event) {
	for e := range feed {
		a := t.actOf(e)
		label := ""
		if a != nil {
			label = a.label
			a.note(e.Kind, e.At)
		}
		if line := describe(e); line != "" {
			t.say(label, "%s", line)
		}
	}
}

// actOf finds the act of an event; the first event of a contact names the number called.
func (t *trial) actOf(e events.Event) *act {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Kind == "INITIATED" {
		for _, a := range t.acts {
			if strings.HasSuffix(e.Detail, a.number) {
				t.labels[e.ContactID] = a.label
			}
		}
	}
	i := slices.IndexFunc(t.acts, func(a *act) bool { return a.label == t.labels[e.ContactID] })
	if i < 0 {
		return nil
	}
	return t.acts[i]
}

// describe puts an event in a person's words; empty for those that would only be noise here.
func describe(e events.Event) string {
	switch e.Kind {
	case "INITIATED":
		return e.Detail
	case "CONNECTED_TO_SYSTEM":
		return "answered by the contact flow"
	case "QUEUED":
		return "waits in the queue " + e.Detail
	case "CONNECTED_TO_AGENT":
		return "talks with " + e.Detail
	case "DISCONNECTED":
		return "over: " + e.Detail
	case "flow":
		return describeAction(e.Detail)
	}
	if e.CallID == "" { // the routing's view of what the call tells too
		return ""
	}
	return e.Kind + ": " + e.Detail
}

// describeAction puts what a flow has done with the caller in a person's words.
func describeAction(detail string) string {
	action, result, _ := strings.Cut(detail, ": ")
	kind, name, _ := strings.Cut(action, " ")
	switch {
	case result == "left": // the caller was not there to the end
		return ""
	case kind == "MessageParticipant":
		return "has heard " + name
	case kind == "GetParticipantInput":
		return "has answered " + name + " with " + result
	}
	return ""
}

// dial places the act's call and waits for the answer.
func (t *trial) dial(ctx context.Context, a *act) error {
	c, err := t.carrier.Call(ctx, a.number, a.from, siptest.CallOptions{Voice: siptest.Voice("caller " + a.label)})
	if err != nil {
		return err
	}
	a.call = c
	return c.WaitAnswered(ctx)
}

// enterQueue listens to the greeting, presses 1 in the menu and waits until the caller is in line.
func (t *trial) enterQueue(ctx context.Context, a *act) error {
	if err := t.dial(ctx, a); err != nil {
		return err
	}
	if err := a.call.WaitHeard(ctx, 6*time.Second); err != nil {
		return err
	}
	t.say(a.label, "caller presses 1")
	if err := a.call.SendDigits("1"); err != nil {
		return err
	}
	return a.await(ctx, "QUEUED")
}

// pause lets a person talk, listen or think.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *trial) available(ctx context.Context, name string) error {
	return t.stage.status(ctx, t.agents[name].userID, availableName)
}

// talk lets an agent's phone answer, customer and agent talk for a while, and the customer hang up.
func (t *trial) talk(ctx context.Context, a *act, name string) error {
	var err error
	if a.agent, err = t.agents[name].phone.NextCall(ctx); err != nil {
		return err
	}
	if err = a.await(ctx, "CONNECTED_TO_AGENT"); err != nil {
		return err
	}
	if err = pause(ctx, 6*time.Second); err != nil {
		return err
	}
	t.say(a.label, "caller hangs up")
	a.call.Hangup()
	return a.await(ctx, "DISCONNECTED")
}

func playAnswered(ctx context.Context, t *trial, a *act) error {
	t.agents["kim"].phone.SetAnswer(siptest.AnswerBehaviour{After: time.Second})
	if err := t.enterQueue(ctx, a); err != nil {
		return err
	}
	// The agent comes late, so that there is music to be heard.
	if err := pause(ctx, 9*time.Second); err != nil {
		return err
	}
	t.say(a.label, "kim becomes Available")
	if err := t.available(ctx, "kim"); err != nil {
		return err
	}
	return t.talk(ctx, a, "kim")
}

func playClosed(ctx context.Context, t *trial, a *act) error {
	if err := t.dial(ctx, a); err != nil {
		return err
	}
	end, err := a.call.WaitEnded(ctx)
	a.check("released by the flow", err == nil && !end.ByUs, "%s", end)
	return err
}

func playHangupWhileRinging(ctx context.Context, t *trial, a *act) error {
	phone := t.agents["lee"].phone
	phone.SetAnswer(siptest.AnswerBehaviour{RingOnly: true})
	if err := t.available(ctx, "lee"); err != nil {
		return err
	}
	if err := t.enterQueue(ctx, a); err != nil {
		return err
	}
	ringing, err := phone.NextCall(ctx)
	if err != nil {
		return err
	}
	if err = pause(ctx, 2*time.Second); err != nil {
		return err
	}
	t.say(a.label, "caller hangs up")
	gone := time.Now()
	a.call.Hangup()
	end, err := ringing.WaitEnded(ctx)
	took := end.At.Sub(gone)
	a.check("the phone stops ringing", err == nil && took < 300*time.Millisecond, "after %d ms", took.Milliseconds())
	return errors.Join(err, a.await(ctx, "DISCONNECTED"))
}

func playSecondAgent(ctx context.Context, t *trial, a *act) error {
	t.agents["park"].phone.SetAnswer(siptest.AnswerBehaviour{RingOnly: true})
	t.agents["choi"].phone.SetAnswer(siptest.AnswerBehaviour{After: 500 * time.Millisecond})
	for _, name := range []string{"park", "choi"} { // park has been available longer, and is asked first
		if err := errors.Join(t.available(ctx, name), pause(ctx, 10*time.Millisecond)); err != nil {
			return err
		}
	}
	if err := t.enterQueue(ctx, a); err != nil {
		return err
	}
	first, err := t.agents["park"].phone.NextCall(ctx)
	if err != nil {
		return err
	}
	end, err := first.WaitEnded(ctx)
	a.check("the first phone was given up", err == nil && !end.ByUs, "%s", end)
	return errors.Join(err, t.talk(ctx, a, "choi"))
}

func playAbandoned(ctx context.Context, t *trial, a *act) error {
	if err := t.enterQueue(ctx, a); err != nil {
		return err
	}
	if err := pause(ctx, 5*time.Second); err != nil {
		return err
	}
	t.say(a.label, "caller gives up and hangs up")
	a.call.Hangup()
	return a.await(ctx, "DISCONNECTED")
}
