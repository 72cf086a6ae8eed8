// Package calendar answers one question about opening hours: open at this moment, or not, and until when.
//
// # The rule
//
// Hours are open at an instant exactly when the clock on the wall of their zone shows a time within one of their slots.
// Nothing else: no durations are added, so a change of the clocks needs no rule of its own.
//
//   - In the hour that is skipped in spring no wall shows those times. A slot that would begin in it begins when the
//     clocks have jumped over its start; one that lies wholly inside does not happen that day.
//   - The hour that is repeated in autumn is shown twice, and each slot in it counts both times.
//   - A day that a zone leaves out altogether (Samoa, 30 December 2011) has no opening.
//
// A slot begins on its day and includes its start; its end is excluded. End 00:00 is the end of the slot's day, 00:00 to
// 00:00 the whole day, and an end before the start lies on the next day (Sunday runs into Monday). Slots may touch but
// not overlap, also not over midnight: overlapping rules are how people lose track of when they are open.
//
// # How
//
// Compile turns the slots into spans of a ring of 7 x 1440 minutes that begins on Sunday 00:00, merges the ones that
// touch, and loads the zone once. Open looks the wall clock up in the spans. NextChange walks from span edge to span
// edge, and stops at every change of the zone's offset on the way to look again.
//
// The zone data is linked in (time/tzdata), so that a machine without any knows its zones. Nothing here reads the clock.
package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // zones on machines that have no zoneinfo

	"ullim/internal/errs"
)

// MaxSlots is how many slots hours may have (A2.2).
const MaxSlots = 100

const (
	minutesOfDay  = 24 * 60
	minutesOfWeek = 7 * minutesOfDay
	week          = 7 * 24 * time.Hour
)

// span is a part of the week, in minutes from Sunday 00:00; to is excluded. Spans of a Schedule are sorted and do not
// touch, but the last may end where the first begins.
type span struct{ from, to int }

// Schedule is Hours made ready to be asked. It does not change and may be shared.
type Schedule struct {
	loc   *time.Location
	spans []span
}

// Validate says whether the hours can be used; errs.Invalid names the field as the Connect API does.
func (h Hours) Validate() error {
	_, err := Compile(h)
	return err
}

// Compile checks h and makes it ready to be asked. errs.Invalid names field and rule.
func Compile(h Hours) (*Schedule, error) {
	loc, err := location(h.Zone)
	if err != nil {
		return nil, err
	}
	if len(h.Slots) > MaxSlots {
		return nil, errs.Field("Config", "must have at most %d entries; has %d", MaxSlots, len(h.Slots))
	}
	pieces := make([]piece, 0, len(h.Slots))
	for i, s := range h.Slots {
		sp, err := s.span(fmt.Sprintf("Config[%d]", i))
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, cut(sp, i)...)
	}
	slices.SortFunc(pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.slot, b.slot))
	})
	s := &Schedule{loc: loc}
	for i, p := range pieces {
		if i > 0 && p.from < pieces[i-1].to {
			first, second := min(p.slot, pieces[i-1].slot), max(p.slot, pieces[i-1].slot)
			return nil, errs.Field(fmt.Sprintf("Config[%d]", second), "overlaps Config[%d]", first)
		}
		if n := len(s.spans); n > 0 && s.spans[n-1].to == p.from {
			s.spans[n-1].to = p.to
		} else {
			s.spans = append(s.spans, p.span)
		}
	}
	return s, nil
}

// piece is a span, and the slot it comes from.
type piece struct {
	span
	slot int
}

// cut parts a span that runs over the end of the week.
func cut(s span, slot int) []piece {
	if s.to <= minutesOfWeek {
		return []piece{{s, slot}}
	}
	return []piece{{span{s.from, minutesOfWeek}, slot}, {span{0, s.to - minutesOfWeek}, slot}}
}

// location loads an IANA zone. The names that Go gives a meaning of its own ("", "Local") are not zones.
func location(name string) (*time.Location, error) {
	if name == "" {
		return nil, errs.Field("TimeZone", "is required: an IANA name such as Asia/Seoul")
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, errs.Field("TimeZone", "is no IANA time zone: %q", name)
	}
	return loc, nil
}

// span places a slot in the week; it may run over the end of the week.
func (s Slot) span(field string) (span, error) {
	day, ok := weekday(s.Day)
	if !ok {
		return span{}, errs.Field(field+".Day", "must be one of SUNDAY to SATURDAY; is %q", s.Day)
	}
	start, err := s.Start.minutes(field + ".StartTime")
	if err != nil {
		return span{}, err
	}
	end, err := s.End.minutes(field + ".EndTime")
	if err != nil {
		return span{}, err
	}
	switch {
	case end == 0:
		end = minutesOfDay
	case end == start:
		return span{}, errs.Field(field+".EndTime", "must differ from StartTime; a whole day is 00:00 to 00:00")
	case end < start:
		end += minutesOfDay
	}
	return span{int(day)*minutesOfDay + start, int(day)*minutesOfDay + end}, nil
}

// minutes since midnight.
func (c Clock) minutes(field string) (int, error) {
	if c.Hour < 0 || c.Hour > 23 {
		return 0, errs.Field(field+".Hours", "must be 0 to 23; is %d", c.Hour)
	}
	if c.Minute < 0 || c.Minute > 59 {
		return 0, errs.Field(field+".Minutes", "must be 0 to 59; is %d", c.Minute)
	}
	return c.Hour*60 + c.Minute, nil
}

// weekday reads a day's name as the Connect API writes it.
func weekday(name string) (time.Weekday, bool) {
	switch name {
	case "SUNDAY":
		return time.Sunday, true
	case "MONDAY":
		return time.Monday, true
	case "TUESDAY":
		return time.Tuesday, true
	case "WEDNESDAY":
		return time.Wednesday, true
	case "THURSDAY":
		return time.Thursday, true
	case "FRIDAY":
		return time.Friday, true
	case "SATURDAY":
		return time.Saturday, true
	}
	return 0, false
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

// Open says whether the wall clock shows a time within a slot.
func (s *Schedule) Open(at time.Time) bool {
	open, _ := s.look(s.wall(at))
	return open
}

// NextChange is the first instant after at when the answer of Open changes, and the answer from then on. ok is false if
// it never does: no slots, or open around the clock.
func (s *Schedule) NextChange(at time.Time) (change time.Time, open, ok bool) {
	if len(s.spans) == 0 || s.always() {
		return time.Time{}, false, false
	}
	was := s.Open(at)
	// A year has a handful of offset changes and the next edge is at most a week of wall time away, so this ends soon;
	// the bound is for zones that change more often than any zone ever did.
	for t, n := at.In(s.loc), 0; n < 1000; n++ {
		wall := s.wall(t)
		_, edge := s.look(wall)
		next := t.Add(edge - wall)
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

// Zone is where the wall hangs.
func (s *Schedule) Zone() *time.Location { return s.loc }

// always reports whether the spans fill the week.
func (s *Schedule) always() bool {
	return len(s.spans) == 1 && s.spans[0] == span{0, minutesOfWeek}
}

// wall is what the clock shows, as time since Sunday 00:00.
func (s *Schedule) wall(at time.Time) time.Duration {
	t := at.In(s.loc)
	h, m, sec := t.Clock()
	return time.Duration(t.Weekday())*24*time.Hour + time.Duration(h)*time.Hour + time.Duration(m)*time.Minute +
		time.Duration(sec)*time.Second + time.Duration(t.Nanosecond())
}

// look finds a wall time in the spans: open or not, and the next edge, which may be in the week after.
func (s *Schedule) look(wall time.Duration) (open bool, edge time.Duration) {
	if len(s.spans) == 0 {
		return false, week
	}
	minute := int(wall / time.Minute)
	i, _ := slices.BinarySearchFunc(s.spans, minute, func(sp span, m int) int {
		if sp.to <= m {
			return -1
		}
		return 1
	})
	switch {
	case i == len(s.spans):
		return false, week + time.Duration(s.spans[0].from)*time.Minute
	case s.spans[i].from <= minute:
		return true, time.Duration(s.spans[i].to) * time.Minute
	default:
		return false, time.Duration(s.spans[i].from) * time.Minute
	}
}
