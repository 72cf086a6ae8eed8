// Package calendar answers one question about opening hours: open at this moment, or not, why, and until when.
//
// # The rule
//
// Hours are open at an instant exactly when the clock on the wall of their zone shows a date and time at which they are
// open. No durations are added, so a change of the clocks needs no rule of its own.
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
// # What departs from the week
//
// A date is painted in layers; a later one covers what it speaks of, and nothing else:
//
//  1. the week's slots, also the morning that the day before runs into;
//  2. a national holiday: closed all day;
//  3. OPEN overrides: open in their slots;
//  4. CLOSED overrides: closed in their slots, or all day;
//  5. a STANDARD override: the whole date anew, open in its slots only.
//
// A slot, also of an override, that runs over midnight belongs to the day on which it begins, and is seen in the morning
// after unless a layer above covers it. On a holiday the week's slots do not begin, so nothing runs into the day after.
// Overrides and holidays of parents are in the same layers; own ones first where only one can be (STANDARD). Two STANDARD
// overrides of the same hours must not share a day. So for each minute there is one reason, and Explain names it.
//
// Of a parent only overrides and holidays are inherited, and they are read on the wall of the child.
//
// # How
//
// Compile checks everything and works out the plain days of the week once. A date without anything special is one of
// these; others are painted when somebody asks. NextChange walks from edge to edge and from date to date, and stops at
// every change of the zone's offset on the way to look again.
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
)

// span is a part of the week, in minutes from Sunday 00:00; to is excluded.
type span struct{ from, to int }

// Schedule is Hours made ready to be asked. It does not change and may be shared.
type Schedule struct {
	loc      *time.Location
	slots    [7][]stretchOf // of the week, by the day on which they begin
	plain    [7][]Stretch   // days without anything special
	rules    []*rule        // overrides: own ones, then those of the parents in order
	holidays []*book        // national calendars, likewise
}

// Validate says whether the hours can be used; errs.Invalid names the field as the Connect API does.
func (h Hours) Validate() error {
	_, err := Compile(h)
	return err
}

// Compile checks h and makes it ready to be asked, with what it inherits. errs.Invalid names field and rule.
func Compile(h Hours, parents ...Parent) (*Schedule, error) {
	loc, err := location(h.Zone)
	if err != nil {
		return nil, err
	}
	s := &Schedule{loc: loc}
	if err = s.addSlots(h.Slots); err != nil {
		return nil, err
	}
	for w := range s.plain {
		s.plain[w] = s.week(time.Weekday(w), true, true).stretches()
	}
	if s.rules, err = compileOverrides(h.Overrides, nil); err != nil {
		return nil, err
	}
	if err = s.addHolidays(h.Holidays, nil); err != nil {
		return nil, err
	}
	for i := range parents {
		if err = s.inherit(&parents[i]); err != nil {
			return nil, fmt.Errorf("calendar: parent %q: %w", parents[i].Name, err)
		}
	}
	return s, nil
}

// addSlots checks the slots of the week.
func (s *Schedule) addSlots(slots []Slot) error {
	if len(slots) > MaxSlots {
		return errs.Field("Config", "must have at most %d entries; has %d", MaxSlots, len(slots))
	}
	pieces := make([]piece, 0, len(slots))
	for i, slot := range slots {
		sp, err := slot.span(fmt.Sprintf("Config[%d]", i))
		if err != nil {
			return err
		}
		pieces = append(pieces, cut(sp, i)...)
		w := sp.from / minutesOfDay
		s.slots[w] = append(s.slots[w], stretchOf{sp.from % minutesOfDay, sp.to - w*minutesOfDay, slot})
	}
	slices.SortFunc(pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.slot, b.slot))
	})
	for i, p := range pieces {
		if i > 0 && p.from < pieces[i-1].to {
			first, second := min(p.slot, pieces[i-1].slot), max(p.slot, pieces[i-1].slot)
			return errs.Field(fmt.Sprintf("Config[%d]", second), "overlaps Config[%d]", first)
		}
	}
	return nil
}

// inherit adds what a parent has.
func (s *Schedule) inherit(p *Parent) error {
	rules, err := compileOverrides(p.Overrides, p)
	if err != nil {
		return err
	}
	s.rules = append(s.rules, rules...)
	return s.addHolidays(p.Holidays, p)
}

func (s *Schedule) addHolidays(codes []string, parent *Parent) error {
	b, err := openBook(codes, parent)
	if b != nil {
		s.holidays = append(s.holidays, b)
	}
	return err
}

// holiday is the holiday of a date, and the parent that it is inherited from.
func (s *Schedule) holiday(d Date) (h Holiday, from *Parent, ok bool) {
	for _, b := range s.holidays {
		if h, ok = b.on(d); ok {
			return h, b.parent, true
		}
	}
	return Holiday{}, nil, false
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
