package permit

import (
	"fmt"
	"slices"
	"time"

	"github.com/nyaruka/phonenumbers"

	"ullim/internal/errs"
)

// Request is somebody who is to be called.
type Request struct {
	Number string    // E.164
	At     time.Time // when
	Zone   string    // IANA; empty: where the number lies
}

// Facts are what is known.
type Facts struct {
	Window     Window // in which they may be called, by the clock on their wall
	Suppressed bool   // they do not want to be called
}

// Window is a part of each day, in minutes from midnight; the end is excluded and may lie on the next day. The zero
// Window is always.
type Window struct {
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`
}

// Reason is why somebody may not be called now. Empty: they may.
type Reason string

// Reasons, in the order in which they are looked for.
const (
	Suppressed    Reason = "SUPPRESSED"     // for good
	OutsideWindow Reason = "OUTSIDE_WINDOW" // until NotBefore
)

// Decision is what came of it.
type Decision struct {
	Reason    Reason
	NotBefore time.Time // when to ask again; zero: never
	Zones     []string  // that were looked at
}

// Allowed reports whether the call may be made.
func (d Decision) Allowed() bool { return d.Reason == "" }

// Decide is the chain of stages. A number that may lie in several zones, as a mobile number of a large country may, must
// be within the window in all of them.
func Decide(r Request, f Facts) Decision {
	d := Decision{Zones: zonesOf(r)}
	if f.Suppressed {
		d.Reason = Suppressed
		return d
	}
	if f.Window == (Window{}) {
		return d
	}
	at := r.At
	for range maxLooks { // until all zones agree
		open := true
		for _, name := range d.Zones {
			zone, err := time.LoadLocation(name)
			if err != nil {
				zone = time.UTC
			}
			if next := f.Window.next(at.In(zone)); next.After(at) {
				at, open = next, false
			}
		}
		if open {
			if at.After(r.At) {
				d.Reason, d.NotBefore = OutsideWindow, at
			}
			return d
		}
	}
	d.Reason, d.NotBefore = OutsideWindow, r.At.Add(24*time.Hour) // the zones never agree: somebody has to name one
	return d
}

// maxLooks bounds the search for a moment that suits all zones.
const maxLooks = 64

// zonesOf are the zones that a number may lie in.
func zonesOf(r Request) []string {
	if r.Zone != "" {
		return []string{r.Zone}
	}
	n, err := phonenumbers.Parse(r.Number, "")
	if err != nil {
		return []string{"UTC"}
	}
	zones, err := phonenumbers.GetTimezonesForNumber(n)
	if err != nil || len(zones) == 0 || slices.Contains(zones, phonenumbers.UNKNOWN_TIMEZONE) {
		return []string{"UTC"}
	}
	return zones
}

// next is the first moment from a time on that lies in the window: the time itself, if it does.
func (w Window) next(at time.Time) time.Time {
	minute := at.Hour()*60 + at.Minute()
	inside := minute >= w.From && minute < w.To
	if w.To <= w.From { // over midnight
		inside = minute >= w.From || minute < w.To
	}
	if inside {
		return at
	}
	day := at.Day()
	if minute >= w.From {
		day++
	}
	return time.Date(at.Year(), at.Month(), day, w.From/60, w.From%60, 0, 0, at.Location())
}

// Validate checks a window. errs.Invalid.
func (w Window) Validate() error {
	const day = 24 * 60
	if w != (Window{}) && (w.From < 0 || w.From >= day || w.To < 0 || w.To > day || w.From == w.To) {
		return errs.Field("Window", "From and To are minutes of the day, 0 to %d, and differ; are %d and %d", day, w.From, w.To)
	}
	return nil
}

// String is the window as people write it.
func (w Window) String() string {
	if w == (Window{}) {
		return "always"
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", w.From/60, w.From%60, w.To/60, w.To%60)
}
