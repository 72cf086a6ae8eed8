package flowtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ullim/internal/contact"
	"ullim/ivr"
)

// How long things take in the script's world.
const (
	SpeechPerRune = 70 * time.Millisecond  // spoken text, for each character
	keyPace       = 200 * time.Millisecond // between two keys
	maxText       = 4000                   // of one event
	eventBytes    = 64                     // besides its text
	defaultRoom   = 16 << 20
)

// Event is something that happened in a run, in the order in which it happened.
type Event struct {
	At   float64 `json:"at"`   // seconds since the contact began
	Kind string  `json:"kind"` // said, asked, played, keys, wrote, queued, attributes ...
	Text string  `json:"text"`
}

// due is something of the script with its time.
type due struct {
	at  time.Time
	act Act
	key byte
}

// world is one run's surroundings. One goroutine, that of the flow, uses it.
type world struct {
	given   World
	backing Backing
	channel contact.Channel
	begun   time.Time
	clock   time.Time
	end     time.Time // of the time limit
	cancel  context.CancelFunc

	asking  []Act // answers to questions, in order
	waiting []Act // for words
	dues    []due // by time
	keys    []byte
	inbox   []string
	event   string // that a Wait waits for
	left    bool   // the participant is not there any more
	stopped string // why the run was ended from outside

	info   ivr.Info
	events []Event
	fresh  int // events before this one belong to steps already
	steps  []Step
	limit  int
	room   int            // bytes for events
	turns  map[string]int // of answers that are given in turn
	flows  map[string]*ivr.Flow

	queued    string
	third     string
	hooks     map[string]string
	recording string
	webhooks  []Hook
	callbacks []ivr.Callback
	tasks     []ivr.Task
	updates   []ivr.Update
}

// Hook is a call of a function.
type Hook struct {
	Function string         `json:"function"`
	Event    map[string]any `json:"event"`
	Async    bool           `json:"async,omitempty"`
}

// note writes an event down.
func (w *world) note(kind, format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	if r := []rune(text); len(r) > maxText {
		text = string(r[:maxText]) + "…"
	}
	if w.room -= len(text) + eventBytes; w.room < 0 {
		w.stop("the run says more than there is room for")
		return
	}
	w.events = append(w.events, Event{At: w.seconds(), Kind: kind, Text: text})
}

func (w *world) seconds() float64 {
	return float64(w.clock.Sub(w.begun).Milliseconds()) / 1000
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// schedule puts an act of the script on its time.
func (w *world) schedule(a Act, at time.Time) {
	if a.Keys == "" || w.channel != contact.Voice {
		w.insert(due{at: at, act: a})
		return
	}
	for i := range len(a.Keys) {
		w.insert(due{at: at.Add(time.Duration(i) * keyPace), act: a, key: a.Keys[i]})
	}
}

func (w *world) insert(d due) {
	i, _ := slices.BinarySearchFunc(w.dues, d, func(a, b due) int {
		if a.at.After(b.at) {
			return 1
		}
		return -1 // also for the same time: later ones come after
	})
	w.dues = slices.Insert(w.dues, i, d)
}

// hear writes down what is said or played, and starts what the script does on these words.
func (w *world) hear(kind, text string) {
	w.note(kind, "%s", text)
	w.waiting = slices.DeleteFunc(w.waiting, func(a Act) bool {
		if !strings.Contains(text, a.On) {
			return false
		}
		after := 0.0
		if a.After != nil {
			after = *a.After
		}
		w.schedule(a, w.clock.Add(seconds(after)))
		return true
	})
}

// until lets time pass: to t, or to where wake says so, or the participant leaves. Things of the script happen meanwhile.
func (w *world) until(t time.Time, wake func() bool) {
	if t.After(w.end) {
		t = w.end
	}
	for !w.left {
		if wake != nil && wake() {
			return
		}
		if len(w.dues) == 0 || w.dues[0].at.After(t) {
			if t.After(w.clock) {
				w.clock = t
			}
			if !w.clock.Before(w.end) {
				w.stop("the time limit of the test is over")
			}
			return
		}
		d := w.dues[0]
		w.dues = w.dues[1:]
		if d.at.After(w.clock) {
			w.clock = d.at
		}
		w.happen(d)
	}
}

// happen does one thing of the script.
func (w *world) happen(d due) {
	a := d.act
	switch {
	case d.key != 0:
		w.keys = append(w.keys, d.key)
	case a.Keys != "":
		w.inbox = append(w.inbox, a.Keys)
	case a.Text != "":
		w.inbox = append(w.inbox, a.Text)
	case a.Hangup:
		w.note("left", "the participant leaves")
		w.leave()
	case a.Agent:
		w.note("agent", "an agent takes the contact")
		w.leave()
	case a.Event != "":
		w.event = a.Event
	}
}

func (w *world) leave() {
	w.left = true
	w.cancel()
}

// stop ends the run from outside.
func (w *world) stop(why string) {
	if w.stopped == "" {
		w.stopped = why
	}
	w.leave()
}

// pass lets time pass, whatever happens meanwhile.
func (w *world) pass(d time.Duration) error {
	w.until(w.clock.Add(d), nil)
	if w.left {
		return ivr.ErrLeft
	}
	return nil
}

// answer schedules what the script answers to a question that is heard until heard. Keys that are on their way already,
// because of the words or of the time, are answer enough.
func (w *world) answer(heard, deadline time.Time) {
	coming := slices.ContainsFunc(w.dues, func(d due) bool { return !d.at.After(deadline) && d.act.Keys+d.act.Text != "" })
	if coming || len(w.asking) == 0 {
		return
	}
	a := w.asking[0]
	w.asking = w.asking[1:]
	if a.Silent {
		return
	}
	after := 1.0
	if a.After != nil {
		after = *a.After
	}
	w.schedule(a, heard.Add(seconds(after)))
}

// turn gives which of n answers is next; the last again and again.
func (w *world) turn(of string, n int) int {
	i := min(w.turns[of], n-1)
	w.turns[of]++
	return i
}

// fails tells whether the test makes a port fail.
func (w *world) fails(port string) error {
	why, ok := w.given.Fail[port]
	if !ok {
		return nil
	}
	return failure{why}
}

// failure is an error that a test asked for.
type failure struct{ why string }

func (f failure) Error() string { return f.why }
