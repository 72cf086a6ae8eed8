package calendar

import (
	"slices"
	"time"
)

// horizon is how far NextChange looks.
const horizon = 10 * 366

// WhyKind says what decided.
type WhyKind string

// What decides whether hours are open.
const (
	NoSlot     WhyKind = "NONE" // nothing says open
	BySlot     WhyKind = "SLOT"
	ByOverride WhyKind = "OVERRIDE"
	ByHoliday  WhyKind = "HOLIDAY"
)

// Why is the reason for being open or closed.
type Why struct {
	Kind     WhyKind
	Slot     *Slot     // BySlot; ByOverride if one of its slots decided
	Override *Override // ByOverride
	Holiday  *Holiday  // ByHoliday
	Parent   *Parent   // where override or holiday is inherited from; nil: it is of the hours themselves
}

// Stretch is a part of a date in minutes since its midnight, To excluded, in which one reason holds.
type Stretch struct {
	From, To int
	Open     bool
	Why      Why
}

// canvas is a date while it is painted, by the minute.
type canvas struct {
	strokes []Stretch // in the order of painting, within 0 to a day
}

func (c *canvas) paint(from, to int, open bool, why Why) {
	if from, to = max(from, 0), min(to, minutesOfDay); from < to {
		c.strokes = append(c.strokes, Stretch{from, to, open, why})
	}
}

// stretches are what is seen in the end, in order: at each place the last stroke.
func (c *canvas) stretches() []Stretch {
	var out []Stretch
	for at := 0; at < minutesOfDay; {
		top, seen := -1, Stretch{To: minutesOfDay, Why: Why{Kind: NoSlot}}
		for i, s := range c.strokes {
			if s.From <= at && at < s.To {
				top, seen = i, s
			}
		}
		seen.From = at
		for _, s := range c.strokes[top+1:] { // what begins above it ends it
			if s.From > at {
				seen.To = min(seen.To, s.From)
			}
		}
		out = append(out, seen)
		at = seen.To
	}
	return out
}

// week paints the slots of a weekday, and what the day before runs into it, each if it happens.
func (s *Schedule) week(w time.Weekday, today, yesterday bool) *canvas {
	c := &canvas{}
	if yesterday {
		for i := range s.slots[(w+6)%7] {
			p := &s.slots[(w+6)%7][i]
			c.paint(p.from-minutesOfDay, p.to-minutesOfDay, true, Why{Kind: BySlot, Slot: &p.slot})
		}
	}
	if today {
		for i := range s.slots[w] {
			p := &s.slots[w][i]
			c.paint(p.from, p.to, true, Why{Kind: BySlot, Slot: &p.slot})
		}
	}
	return c
}

// Day is a whole date, in order. Nobody may write to it.
func (s *Schedule) Day(d Date) []Stretch {
	w := d.Weekday()
	if len(s.rules) == 0 && len(s.holidays) == 0 {
		return s.plain[w]
	}
	standard, standardBefore := s.standard(d), s.standard(d-1)
	if standard != nil {
		return s.governed(standard, d)
	}
	holiday, from, isHoliday := s.holiday(d)
	_, _, holidayBefore := s.holiday(d - 1)
	special := isHoliday || holidayBefore || standardBefore != nil
	for _, r := range s.rules {
		special = special || r.Type != Standard && (r.about(d) || r.about(d-1))
	}
	if !special {
		return s.plain[w]
	}
	c := s.week(w, true, !holidayBefore && standardBefore == nil)
	if standardBefore != nil {
		standardBefore.paint(c, d-1, minutesOfDay, true)
	}
	if isHoliday {
		c.paint(0, minutesOfDay, false, Why{Kind: ByHoliday, Holiday: &holiday, Parent: from})
	}
	s.paintRules(c, d, Opens)
	s.paintRules(c, d, Closes)
	return c.stretches()
}

// standard is the STANDARD override of a date; own ones come first.
func (s *Schedule) standard(d Date) *rule {
	for _, r := range s.rules {
		if r.Type == Standard && r.about(d) {
			return r
		}
	}
	return nil
}

// governed paints a date of a STANDARD override. If the day before is of the same override, its slots run on.
func (s *Schedule) governed(r *rule, d Date) []Stretch {
	c := &canvas{}
	c.paint(0, minutesOfDay, false, Why{Kind: ByOverride, Override: &r.Override, Parent: r.parent})
	if s.standard(d-1) == r {
		r.paint(c, d-1, minutesOfDay, true)
	}
	r.paint(c, d, 0, true)
	return c.stretches()
}

// paintRules paints the overrides of a type, each with the morning that its day before runs into. The first in order is
// seen.
func (s *Schedule) paintRules(c *canvas, d Date, t OverrideType) {
	for _, r := range slices.Backward(s.rules) {
		if r.Type != t {
			continue
		}
		if r.about(d-1) && s.standard(d-1) == nil {
			r.paint(c, d-1, minutesOfDay, t == Opens)
		}
		if !r.about(d) {
			continue
		}
		if r.whole {
			c.paint(0, minutesOfDay, false, Why{Kind: ByOverride, Override: &r.Override, Parent: r.parent})
		}
		r.paint(c, d, 0, t == Opens)
	}
}

// paint paints the slots that begin on a date, seen from a day that begins so many minutes later.
func (r *rule) paint(c *canvas, d Date, later int, open bool) {
	for i := range r.days[d.Weekday()] {
		p := &r.days[d.Weekday()][i]
		c.paint(p.from-later, p.to-later, open, Why{Kind: ByOverride, Override: &r.Override, Slot: &p.slot, Parent: r.parent})
	}
}

// at finds the stretch that the wall shows at an instant, and the time since midnight.
func (s *Schedule) at(t time.Time) (Stretch, time.Duration) {
	t = t.In(s.loc)
	h, m, sec := t.Clock()
	since := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second +
		time.Duration(t.Nanosecond())
	day := s.Day(on(t))
	for _, st := range day {
		if h*60+m < st.To {
			return st, since
		}
	}
	return day[len(day)-1], since
}

// Open says whether the wall clock shows a time at which the hours are open.
func (s *Schedule) Open(at time.Time) bool {
	st, _ := s.at(at)
	return st.Open
}

// Zone is where the wall hangs.
func (s *Schedule) Zone() *time.Location { return s.loc }

// NextChange is the first instant after at when the answer of Open changes, and the answer from then on. ok is false if
// it does not within ten years.
func (s *Schedule) NextChange(at time.Time) (change time.Time, open, ok bool) {
	was := s.Open(at)
	if len(s.rules) == 0 && len(s.holidays) == 0 && s.constant() {
		return time.Time{}, false, false
	}
	t := at.In(s.loc)
	// A date has a handful of edges; the second bound is for a date that has a thousand of them.
	for last, n := t.AddDate(0, 0, horizon), 0; t.Before(last) && n < 100*horizon; n++ {
		st, since := s.at(t)
		next := t.Add(time.Duration(st.To)*time.Minute - since)
		if _, end := t.ZoneBounds(); !end.IsZero() && !next.Before(end) {
			next = end // the wall clock jumps here, perhaps over the edge
		}
		t = next.In(s.loc)
		if now := s.Open(t); now != was {
			return t, now, true
		}
	}
	return time.Time{}, false, false
}

// constant reports whether all of the week is open, or nothing is.
func (s *Schedule) constant() bool {
	for _, day := range s.plain {
		for _, st := range day {
			if st.Open != s.plain[0][0].Open {
				return false
			}
		}
	}
	return true
}

// Moment is what happens at an instant.
type Moment struct {
	At   time.Time // on the wall of the hours
	Open bool
	Why  Why
	// Next is when that changes, and NextWhy what will decide then; nil if it does not within ten years.
	Next    *time.Time
	NextWhy *Why
}

// Explain says what happens at an instant, why, and until when.
func (s *Schedule) Explain(at time.Time) Moment {
	st, _ := s.at(at)
	m := Moment{At: at.In(s.loc), Open: st.Open, Why: st.Why}
	if next, _, ok := s.NextChange(at); ok {
		then, _ := s.at(next)
		m.Next, m.NextWhy = &next, &then.Why
	}
	return m
}

// Open says whether h is open at an instant. Who asks often compiles once.
func Open(h Hours, at time.Time) (bool, error) {
	s, err := Compile(h)
	if err != nil {
		return false, err
	}
	return s.Open(at), nil
}

// NextChange is Schedule.NextChange of h; ok is false also if h is invalid.
func NextChange(h Hours, at time.Time) (change time.Time, open, ok bool) {
	s, err := Compile(h)
	if err != nil {
		return time.Time{}, false, false
	}
	return s.NextChange(at)
}
