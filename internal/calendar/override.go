package calendar

import (
	"fmt"
	"slices"
	"time"

	"ullim/internal/errs"
)

// MaxOverrides is how many overrides hours may have, MaxInterval the longest interval of a recurrence.
const (
	MaxOverrides = 50
	MaxInterval  = 6
)

// rule is an Override made ready to be asked.
type rule struct {
	Override
	from, till Date
	days       [7][]stretchOf // slots by weekday; may run beyond midnight
	whole      bool           // CLOSED without slots: all of each day
	parent     *Parent        // where it comes from; nil: from the hours themselves
}

// stretchOf is a slot in minutes of its day; to may be over a day.
type stretchOf struct {
	from, to int
	slot     Slot
}

// compileOverrides checks overrides. errs.Invalid names the field; prefix is "" for one that stands alone.
func compileOverrides(os []Override, parent *Parent) ([]*rule, error) {
	if len(os) > MaxOverrides {
		return nil, errs.New(errs.Limit, "Overrides: must be at most %d; are %d", MaxOverrides, len(os))
	}
	var rules []*rule
	for i := range os {
		r, err := os[i].compile()
		if err != nil {
			return nil, err
		}
		r.parent = parent
		for _, before := range rules {
			if before.Name == r.Name {
				return nil, errs.New(errs.Duplicate, "Name: another override is called %q", r.Name)
			}
			if r.Type == Standard && before.Type == Standard && r.from <= before.till && before.from <= r.till {
				return nil, errs.Field("EffectiveFrom", "STANDARD override %q has days in common with %q (%s to %s)", r.Name,
					before.Name, before.From, before.Till)
			}
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// Validate checks one override by itself; errs.Invalid names the field as the Connect API does.
func (o *Override) Validate() error {
	_, err := o.compile()
	return err
}

func (o *Override) compile() (*rule, error) {
	r := &rule{Override: *o, whole: o.Type == Closes && len(o.Slots) == 0}
	var err error
	if n := len([]rune(o.Name)); n < 1 || n > 127 {
		return nil, errs.Field("Name", "must have 1 to 127 characters; has %d", n)
	}
	if len([]rune(o.Description)) > 250 {
		return nil, errs.Field("Description", "must have at most 250 characters")
	}
	if r.from, err = ParseDate("EffectiveFrom", o.From); err != nil {
		return nil, err
	}
	if r.till, err = ParseDate("EffectiveTill", o.Till); err != nil {
		return nil, err
	}
	switch {
	case r.till < r.from:
		return nil, errs.Field("EffectiveTill", "must not be before EffectiveFrom")
	case o.Type != Standard && o.Type != Opens && o.Type != Closes:
		return nil, errs.Field("OverrideType", "must be STANDARD, OPEN or CLOSED; is %q", o.Type)
	case o.Type == Opens && len(o.Slots) == 0:
		return nil, errs.Field("Config", "must have an entry: an OPEN override says when it is open")
	case o.Type == Standard && o.Recurrence != nil:
		return nil, errs.Field("RecurrenceConfig", "is for OPEN and CLOSED overrides; a STANDARD one is for every day from EffectiveFrom to EffectiveTill")
	case len(o.Slots) > MaxSlots:
		return nil, errs.Field("Config", "must have at most %d entries; has %d", MaxSlots, len(o.Slots))
	}
	if err = o.Recurrence.validate(o); err != nil {
		return nil, err
	}
	return r, r.place()
}

// place puts the slots on their weekdays. Those of one day must not overlap.
func (r *rule) place() error {
	for i, s := range r.Slots {
		field := fmt.Sprintf("Config[%d]", i)
		named := s
		if s.Day == "" {
			named.Day = "SUNDAY"
		}
		sp, err := named.span(field)
		if err != nil {
			return err
		}
		day := sp.from / minutesOfDay
		piece := stretchOf{sp.from % minutesOfDay, sp.to - day*minutesOfDay, s}
		for w := range r.days {
			if s.Day != "" && w != day {
				continue
			}
			if k := slices.IndexFunc(r.days[w], func(o stretchOf) bool { return piece.from < o.to && o.from < piece.to }); k >= 0 {
				return errs.Field(field, "overlaps another entry of %s", time.Weekday(w))
			}
			r.days[w] = append(r.days[w], piece)
		}
	}
	return nil
}

func (p *Recurrence) validate(o *Override) error {
	const field = "RecurrenceConfig.RecurrencePattern."
	if p == nil {
		return nil
	}
	switch {
	case p.Frequency != Weekly && p.Frequency != Monthly && p.Frequency != Yearly:
		return errs.Field(field+"Frequency", "must be WEEKLY, MONTHLY or YEARLY; is %q", p.Frequency)
	case p.Interval < 1 || p.Interval > MaxInterval:
		return errs.Field(field+"Interval", "must be 1 to %d; is %d", MaxInterval, p.Interval)
	case p.Month != 0 && p.Frequency != Yearly:
		return errs.Field(field+"ByMonth", "is for YEARLY")
	case p.Month < 0 || p.Month > 12:
		return errs.Field(field+"ByMonth", "must be 1 to 12; is %d", p.Month)
	case p.Frequency == Weekly && (p.MonthDay != 0 || p.Occurrence != 0):
		return errs.Field(field+"ByMonthDay", "and ByWeekdayOccurrence are for MONTHLY and YEARLY")
	case p.MonthDay != 0 && p.Occurrence != 0:
		return errs.Field(field+"ByMonthDay", "cannot be used with ByWeekdayOccurrence")
	case p.MonthDay < -1 || p.MonthDay > 31:
		return errs.Field(field+"ByMonthDay", "must be 1 to 31, or -1 for the last day; is %d", p.MonthDay)
	case p.Occurrence < -1 || p.Occurrence > 5:
		return errs.Field(field+"ByWeekdayOccurrence", "must be 1 to 5, or -1 for the last; is %d", p.Occurrence)
	}
	if p.Occurrence != 0 && !slices.ContainsFunc(o.Slots, func(s Slot) bool { return s.Day != "" }) {
		return errs.Field("Config", "must name the Day that ByWeekdayOccurrence counts")
	}
	return nil
}

// about tells whether the override is about a date.
func (r *rule) about(d Date) bool {
	if d < r.from || d > r.till {
		return false
	}
	p := r.Recurrence
	if p == nil {
		return true
	}
	if p.Frequency == Weekly {
		weeks := int(weekOf(d)-weekOf(r.from)) / 7
		return weeks%p.Interval == 0 && (len(r.Slots) > 0 || d.Weekday() == r.from.Weekday())
	}
	y, m, day := d.Civil()
	y0, m0, day0 := r.from.Civil()
	if p.Frequency == Monthly && ((y-y0)*12+int(m)-int(m0))%p.Interval != 0 {
		return false
	}
	if p.Frequency == Yearly {
		want := m0
		if p.Month != 0 {
			want = time.Month(p.Month)
		}
		if m != want || (y-y0)%p.Interval != 0 {
			return false
		}
	}
	switch {
	case p.Occurrence != 0:
		k, ok := nth(y, m, d.Weekday(), p.Occurrence)
		return ok && k == d && len(r.days[d.Weekday()]) > 0
	case p.MonthDay == -1:
		return day == daysIn(y, m)
	case p.MonthDay != 0:
		return day == p.MonthDay
	}
	return day == day0
}

// weekOf is the Sunday on which a date's week begins.
func weekOf(d Date) Date { return d - Date(d.Weekday()) }
