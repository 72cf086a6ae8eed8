package calendar

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
)

func override(tb testing.TB, name string, typ OverrideType, from, till string, r *Recurrence, slots ...string) Override {
	tb.Helper()
	o := Override{ID: name, Name: name, Type: typ, From: from, Till: till, Recurrence: r}
	for _, s := range slots {
		v := slot(tb, s)
		if v.Day == "ANY" {
			v.Day = ""
		}
		o.Slots = append(o.Slots, v)
	}
	return o
}

func TestOverridesWithMistakesAreRefusedByField(t *testing.T) {
	const from, till = "2026-01-01", "2026-12-31"
	tests := []struct {
		name, field string
		o           Override
	}{
		{"a closed day", "", override(t, "x", Closes, from, from, nil)},
		{"no name", "Name", Override{Type: Closes, From: from, Till: till}},
		{"type", "OverrideType", override(t, "x", "SHUT", from, till, nil)},
		{"from", "EffectiveFrom", override(t, "x", Closes, "2026-02-30", till, nil)},
		{"till", "EffectiveTill", override(t, "x", Closes, from, "someday", nil)},
		{"till before from", "EffectiveTill", override(t, "x", Closes, till, from, nil)},
		{"open at no time", "Config", override(t, "x", Opens, from, till, nil)},
		{"slot", "Config[0].Day", override(t, "x", Opens, from, till, nil, "HOLIDAY 09:00-10:00")},
		{"overlap", "Config[1]", override(t, "x", Opens, from, till, nil, "MONDAY 09:00-12:00", "ANY 11:00-13:00")},
		{"standard recurs", "RecurrenceConfig", override(t, "x", Standard, from, till, &Recurrence{Frequency: Weekly, Interval: 1})},
		{"frequency", "RecurrenceConfig.RecurrencePattern.Frequency", override(t, "x", Closes, from, till, &Recurrence{Frequency: "DAILY", Interval: 1})},
		{"interval 0", "RecurrenceConfig.RecurrencePattern.Interval", override(t, "x", Closes, from, till, &Recurrence{Frequency: Weekly})},
		{"interval 7", "RecurrenceConfig.RecurrencePattern.Interval", override(t, "x", Closes, from, till, &Recurrence{Frequency: Weekly, Interval: 7})},
		{"month of a month", "RecurrenceConfig.RecurrencePattern.ByMonth", override(t, "x", Closes, from, till, &Recurrence{Frequency: Monthly, Interval: 1, Month: 2})},
		{"month 13", "RecurrenceConfig.RecurrencePattern.ByMonth", override(t, "x", Closes, from, till, &Recurrence{Frequency: Yearly, Interval: 1, Month: 13})},
		{"day of a week", "RecurrenceConfig.RecurrencePattern.ByMonthDay", override(t, "x", Closes, from, till, &Recurrence{Frequency: Weekly, Interval: 1, MonthDay: 3})},
		{"day 32", "RecurrenceConfig.RecurrencePattern.ByMonthDay", override(t, "x", Closes, from, till, &Recurrence{Frequency: Monthly, Interval: 1, MonthDay: 32})},
		{"both", "RecurrenceConfig.RecurrencePattern.ByMonthDay", override(t, "x", Closes, from, till, &Recurrence{Frequency: Monthly, Interval: 1, MonthDay: 3, Occurrence: 1})},
		{"sixth Monday", "RecurrenceConfig.RecurrencePattern.ByWeekdayOccurrence", override(t, "x", Closes, from, till, &Recurrence{Frequency: Monthly, Interval: 1, Occurrence: 6})},
		{"which weekday", "Config", override(t, "x", Closes, from, till, &Recurrence{Frequency: Monthly, Interval: 1, Occurrence: 2})},
	}
	for _, tt := range tests {
		err := tt.o.Validate()
		if tt.field == "" && err == nil {
			continue
		}
		if !errs.Is(err, errs.Invalid) || !strings.HasPrefix(err.Error(), tt.field+": ") {
			t.Errorf("%s: %v, want an Invalid of %s", tt.name, err, tt.field)
		}
	}
	h := Hours{Zone: "UTC", Overrides: []Override{
		override(t, "a", Standard, "2026-01-01", "2026-01-10", nil), override(t, "b", Standard, "2026-01-10", "2026-01-11", nil),
	}}
	if err := h.Validate(); !errs.Is(err, errs.Invalid) {
		t.Errorf("two STANDARD overrides of one day: %v", err)
	}
	h.Overrides[1].From, h.Overrides[1].Name = "2026-01-11", "a"
	if err := h.Validate(); !errs.Is(err, errs.Duplicate) {
		t.Errorf("two of one name: %v", err)
	}
}

func TestRecurrenceByTheCalendar(t *testing.T) {
	tests := []struct {
		name string
		o    Override
		want string // the days of 2026 to 2028 on which it is
	}{
		{
			"every second Friday", override(t, "x", Opens, "2026-01-01", "2026-02-20", &Recurrence{Frequency: Weekly, Interval: 2}, "FRIDAY 18:00-20:00"),
			"2026-01-02 2026-01-16 2026-01-30 2026-02-13",
		},
		{
			"the week of From counts, from its Sunday", override(t, "x", Opens, "2026-01-07", "2026-01-25", &Recurrence{Frequency: Weekly, Interval: 2}, "SUNDAY 18:00-20:00", "WEDNESDAY 18:00-20:00"),
			"2026-01-07 2026-01-18 2026-01-21",
		},
		{
			"weekly without slots is the weekday of From", override(t, "x", Closes, "2026-01-07", "2026-01-22", &Recurrence{Frequency: Weekly, Interval: 1}),
			"2026-01-07 2026-01-14 2026-01-21",
		},
		{
			"the 31st is skipped where there is none", override(t, "x", Closes, "2026-01-01", "2026-06-30", &Recurrence{Frequency: Monthly, Interval: 1, MonthDay: 31}),
			"2026-01-31 2026-03-31 2026-05-31",
		},
		{
			"last day of every third month", override(t, "x", Closes, "2026-02-01", "2026-12-31", &Recurrence{Frequency: Monthly, Interval: 3, MonthDay: -1}),
			"2026-02-28 2026-05-31 2026-08-31 2026-11-30",
		},
		{
			"last Friday", override(t, "x", Closes, "2026-01-01", "2026-03-31", &Recurrence{Frequency: Monthly, Interval: 1, Occurrence: -1}, "FRIDAY 15:00-18:00"),
			"2026-01-30 2026-02-27 2026-03-27",
		},
		{
			"second Thursday of April", override(t, "x", Closes, "2026-01-01", "2028-12-31", &Recurrence{Frequency: Yearly, Interval: 1, Month: 4, Occurrence: 2}, "THURSDAY 00:00-00:00"),
			"2026-04-09 2027-04-08 2028-04-13",
		},
		{
			"Christmas Eve every second year", override(t, "x", Closes, "2026-12-24", "2028-12-31", &Recurrence{Frequency: Yearly, Interval: 2}),
			"2026-12-24 2028-12-24",
		},
		{
			"29 February", override(t, "x", Closes, "2026-01-01", "2028-12-31", &Recurrence{Frequency: Yearly, Interval: 1, Month: 2, MonthDay: 29}),
			"2028-02-29",
		},
		{
			"fifth Monday", override(t, "x", Closes, "2026-01-01", "2026-06-30", &Recurrence{Frequency: Monthly, Interval: 1, Occurrence: 5}, "MONDAY 00:00-00:00"),
			"2026-03-30 2026-06-29",
		},
	}
	for _, tt := range tests {
		r, err := tt.o.compile()
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var got []string
		for d := DateOf(2025, 12, 1); d < DateOf(2029, 1, 1); d++ {
			if r.about(d) && (r.whole || len(r.days[d.Weekday()]) > 0) {
				got = append(got, d.String())
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, s, tt.want)
		}
	}
}

// A shop in Seoul with everything: night shift on Fridays, holidays, an early close on the last Friday, an extra Sunday, a
// renovation, and a parent that closes for the company's birthday.
func TestTheReasonIsNamed(t *testing.T) {
	h := hours(t, "Asia/Seoul", "MONDAY 09:00-18:00", "TUESDAY 09:00-18:00", "WEDNESDAY 09:00-18:00", "THURSDAY 09:00-18:00", "FRIDAY 09:00-02:00")
	h.Holidays = []string{"KR"}
	h.Overrides = []Override{
		override(t, "early close", Closes, "2026-01-01", "2026-12-31", &Recurrence{Frequency: Monthly, Interval: 1, Occurrence: -1}, "FRIDAY 15:00-00:00"),
		override(t, "sale", Opens, "2026-05-24", "2026-05-25", nil, "ANY 10:00-14:00"),
		override(t, "renovation", Standard, "2026-08-03", "2026-08-05", nil, "TUESDAY 11:00-12:00"),
	}
	parent := Parent{ID: "p", Name: "Company", Overrides: []Override{override(t, "birthday", Closes, "2026-04-01", "2026-04-01", nil)}}
	s, err := Compile(h, parent)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ at, want string }{
		{"2026-03-03 10:00:00", "true SLOT TUESDAY until 2026-03-03 18:00 NONE"},
		{"2026-03-03 20:00:00", "false NONE until 2026-03-04 09:00 SLOT WEDNESDAY"},
		{"2026-03-07 01:00:00", "true SLOT FRIDAY until 2026-03-07 02:00 NONE"},
		{"2026-03-27 16:00:00", "false OVERRIDE early close until 2026-03-28 00:00 SLOT FRIDAY"},
		{"2026-02-17 10:00:00", "false HOLIDAY Seollal until 2026-02-19 09:00 SLOT THURSDAY"},
		{"2026-05-24 11:00:00", "true OVERRIDE sale until 2026-05-24 14:00 HOLIDAY Buddha's Birthday"},
		{"2026-05-25 15:00:00", "false HOLIDAY Buddha's Birthday (substitute) until 2026-05-26 09:00 SLOT TUESDAY"},
		{"2026-08-03 10:00:00", "false OVERRIDE renovation until 2026-08-04 11:00 OVERRIDE renovation"},
		{"2026-08-04 11:30:00", "true OVERRIDE renovation until 2026-08-04 12:00 OVERRIDE renovation"},
		{"2026-04-01 10:00:00", "false OVERRIDE birthday of Company until 2026-04-02 09:00 SLOT THURSDAY"},
	}
	for _, tt := range tests {
		m := s.Explain(at(t, "Asia/Seoul", tt.at))
		got := fmt.Sprintf("%v %s until %s %s", m.Open, tell(m.Why), m.Next.Format("2006-01-02 15:04"), tell(*m.NextWhy))
		if got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.at, got, tt.want)
		}
	}
}

func tell(w Why) string {
	out := string(w.Kind)
	switch w.Kind {
	case BySlot:
		out += " " + w.Slot.Day
	case ByOverride:
		out += " " + w.Override.Name
	case ByHoliday:
		out += " " + w.Holiday.Name
	case NoSlot:
	}
	if w.Parent != nil {
		out += " of " + w.Parent.Name
	}
	return out
}

// slow is the rule of the package comment, asked for one minute, with recurrences found by walking.
type slow struct {
	h       Hours
	all     []Override // own, then inherited
	days    []map[Date]bool
	holiday map[Date]bool
}

func newSlow(tb testing.TB, h Hours, parents []Parent) *slow {
	tb.Helper()
	s := &slow{h: h, all: h.Overrides, holiday: map[Date]bool{}}
	codes := h.Holidays
	for _, p := range parents {
		s.all = append(slices.Clip(s.all), p.Overrides...)
		codes = append(slices.Clip(codes), p.Holidays...)
	}
	for _, o := range s.all {
		s.days = append(s.days, walk(tb, o))
	}
	for _, c := range codes {
		for y := 2020; y <= 2050; y++ {
			hs, err := Holidays(c, y)
			if err != nil {
				tb.Fatal(err)
			}
			for _, x := range hs {
				s.holiday[x.Date] = true
			}
		}
	}
	return s
}

// walk lists the days of an override by going from From to Till day by day and counting weeks, months and years.
func walk(tb testing.TB, o Override) map[Date]bool {
	tb.Helper()
	from, err := time.Parse(time.DateOnly, o.From)
	if err != nil {
		tb.Fatal(err)
	}
	till, err := time.Parse(time.DateOnly, o.Till)
	if err != nil {
		tb.Fatal(err)
	}
	out := map[Date]bool{}
	weeks, months, years := 0, 0, 0
	for d := from; !d.After(till); d = d.AddDate(0, 0, 1) {
		if d != from {
			if d.Weekday() == time.Sunday {
				weeks++
			}
			if d.Day() == 1 {
				months++
				if d.Month() == 1 {
					years++
				}
			}
		}
		p := o.Recurrence
		if p == nil {
			out[on(d)] = true
			continue
		}
		last := d.AddDate(0, 0, 1).Day() == 1
		nthOf := (d.Day()-1)/7 + 1
		lastOf := d.AddDate(0, 0, 7).Month() != d.Month()
		ok := true
		switch p.Frequency {
		case Weekly:
			ok = weeks%p.Interval == 0 && (len(o.Slots) > 0 || d.Weekday() == from.Weekday())
		case Monthly:
			ok = months%p.Interval == 0
		case Yearly:
			ok = years%p.Interval == 0 && (int(d.Month()) == p.Month || p.Month == 0 && d.Month() == from.Month())
		}
		if ok && p.Frequency != Weekly {
			switch {
			case p.Occurrence == -1:
				ok = lastOf
			case p.Occurrence > 0:
				ok = nthOf == p.Occurrence
			case p.MonthDay == -1:
				ok = last
			case p.MonthDay > 0:
				ok = d.Day() == p.MonthDay
			default:
				ok = d.Day() == from.Day()
			}
		}
		out[on(d)] = ok
	}
	return out
}

// covers tells whether slots that begin on a day, seen from it (yesterday: from the day after), have the minute.
func covers(slots []Slot, begins time.Weekday, minute int, yesterday bool) bool {
	for _, s := range slots {
		if s.Day != "" && s.Day != strings.ToUpper(begins.String()) {
			continue
		}
		start, end := s.Start.Hour*60+s.Start.Minute, s.End.Hour*60+s.End.Minute
		overnight := end != 0 && end < start
		if yesterday && overnight && minute < end || !yesterday && minute >= start && (end == 0 || overnight || minute < end) {
			return true
		}
	}
	return false
}

func (s *slow) standard(day Date) int {
	for i, o := range s.all {
		if o.Type == Standard && s.days[i][day] {
			return i
		}
	}
	return -1
}

func (s *slow) open(t time.Time) bool {
	a := on(t)
	b := a - 1
	today, before := t.Weekday(), (t.Weekday()+6)%7
	minute := t.Hour()*60 + t.Minute()
	now, then := s.standard(a), s.standard(b)
	if now >= 0 {
		return covers(s.all[now].Slots, today, minute, false) || then == now && covers(s.all[now].Slots, before, minute, true)
	}
	for _, typ := range []OverrideType{Closes, Opens} {
		for i, o := range s.all {
			if o.Type != typ {
				continue
			}
			if s.days[i][a] && (len(o.Slots) == 0 || covers(o.Slots, today, minute, false)) ||
				s.days[i][b] && then < 0 && covers(o.Slots, before, minute, true) {
				return typ == Opens
			}
		}
	}
	if s.holiday[a] {
		return false
	}
	if covers(s.h.Slots, today, minute, false) {
		return true
	}
	if then >= 0 {
		return covers(s.all[then].Slots, before, minute, true)
	}
	return !s.holiday[b] && covers(s.h.Slots, before, minute, true)
}

func randomOverrides(tb testing.TB, r *rand.Rand, n int) []Override {
	tb.Helper()
	var out []Override
	for len(out) < n {
		from := DateOf(2015, 1, r.IntN(20*365))
		o := Override{
			Name: fmt.Sprint(len(out)), From: from.String(), Type: []OverrideType{Standard, Opens, Closes}[r.IntN(3)],
			Till: (from + Date(r.IntN(20))).String(),
		}
		o.Slots = randomHours(r, "UTC", 30).Slots
		if r.IntN(3) == 0 {
			o.Slots = o.Slots[:1]
			o.Slots[0].Day = ""
		}
		if o.Type != Standard && r.IntN(2) == 0 {
			o.Till = (from + Date(r.IntN(4000))).String()
			o.Recurrence = &Recurrence{Frequency: []Frequency{Weekly, Monthly, Yearly}[r.IntN(3)], Interval: 1 + r.IntN(6)}
			switch p := o.Recurrence; {
			case p.Frequency == Weekly:
			case r.IntN(2) == 0:
				p.MonthDay = []int{-1, 0, 1, 15, 29, 31}[r.IntN(6)]
			default:
				p.Occurrence = []int{-1, 1, 2, 5}[r.IntN(4)]
			}
			if o.Recurrence.Frequency == Yearly {
				o.Recurrence.Month = r.IntN(13)
			}
		}
		if o.Type == Closes && r.IntN(3) == 0 {
			o.Slots = nil
		}
		if _, err := compileOverrides(append(slices.Clip(out), o), nil); err == nil {
			out = append(out, o)
		}
	}
	return out
}

// Twenty years with overrides, holidays and a parent, in zones that change their clocks in different ways.
func TestTwentyYearsOfOverridesAgreeWithTheSlowReference(t *testing.T) {
	zones := map[string]string{
		"Asia/Seoul": "KR", "America/New_York": "US", "Europe/London": "GB", "Asia/Tokyo": "JP", "Australia/Lord_Howe": "DE-BY",
	}
	from, until := time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC)
	for zone, country := range zones {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(len(zone)), 7))
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			h := randomHours(r, zone, 30)
			h.Overrides, h.Holidays = randomOverrides(t, r, 30), []string{country}
			parents := []Parent{{Name: "p", Overrides: randomOverrides(t, r, 20), Holidays: []string{"DE"}}}
			s, err := Compile(h, parents...)
			if err != nil {
				t.Fatal(err)
			}
			ref := newSlow(t, h, parents)
			days := int(until.Sub(from) / (24 * time.Hour))
			for i := range samples {
				// A moment of every part of the twenty years; every second one beside a clock change or an override.
				at := from.Add(time.Duration(i*days/samples)*24*time.Hour + time.Duration(r.IntN(24*60))*time.Minute)
				if i%2 == 0 {
					at = at.Add(time.Duration(r.IntN(days/samples+1)*24*60) * time.Minute)
				} else if o := ref.all[r.IntN(len(ref.all))]; r.IntN(2) == 0 {
					at = near(t, r, o.From)
				} else if _, end := at.In(loc).ZoneBounds(); !end.IsZero() && end.Before(until) {
					at = end.Add(time.Duration(r.IntN(12*60)-6*60) * time.Minute)
				}
				want := ref.open(at.In(loc))
				if got := s.Open(at); got != want {
					t.Fatalf("Open(%v) = %v, want %v", at.In(loc), got, want)
				}
				change, open, ok := s.NextChange(at)
				if !ok {
					t.Fatalf("no change after %v", at.In(loc))
				}
				if open == want || ref.open(change.In(loc)) != open || ref.open(change.Add(-time.Second).In(loc)) == open {
					t.Fatalf("after %v: %v %v is no change", at.In(loc), change.In(loc), open)
				}
				for range 8 { // and none before
					if between := at.Add(time.Duration(r.Int64N(int64(change.Sub(at))))); ref.open(between.In(loc)) != want {
						t.Fatalf("after %v: %v is called the next change, %v is before it", at.In(loc), change.In(loc), between.In(loc))
					}
				}
			}
		})
	}
}

// samples are the moments that are looked at in each zone.
const samples = 2500

// near is a moment within two days of a date.
func near(tb testing.TB, r *rand.Rand, date string) time.Time {
	tb.Helper()
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		tb.Fatal(err)
	}
	return d.Add(time.Duration(r.IntN(4*24*60)-2*24*60) * time.Minute)
}

func TestSpecialDaysSurviveClockChanges(t *testing.T) {
	h := hours(t, "Europe/Berlin", "SATURDAY 22:00-06:00")
	h.Overrides = []Override{override(t, "open", Opens, "2026-03-29", "2026-03-29", nil, "SUNDAY 01:30-02:30")}
	s, err := Compile(h)
	if err != nil {
		t.Fatal(err)
	}
	m := s.Explain(at(t, "Europe/Berlin", "2026-03-29 01:45:00"))
	if !m.Open || tell(m.Why) != "OVERRIDE open" || m.Next.Format("15:04 MST") != "06:00 CEST" {
		t.Errorf("%v %s until %v", m.Open, tell(m.Why), m.Next)
	}
}

func BenchmarkOpenWithOverrides(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	h := randomHours(r, "Asia/Seoul", 30)
	h.Overrides, h.Holidays = randomOverrides(b, r, 50), []string{"KR"}
	s, err := Compile(h)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 9, 25, 1, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		s.Open(now)
	}
}

func TestANightThatDoesNotBeginDoesNotRunOn(t *testing.T) {
	h := hours(t, "UTC", "MONDAY 20:00-04:00")
	h.Overrides = []Override{
		override(t, "night sale", Opens, "2026-03-02", "2026-03-02", nil, "MONDAY 22:00-06:00"),
		override(t, "stocktaking", Standard, "2026-03-02", "2026-03-02", nil, "MONDAY 23:00-01:00"),
	}
	s, err := Compile(h)
	if err != nil {
		t.Fatal(err)
	}
	for wall, want := range map[string]string{
		"2026-03-02 22:30:00": "false OVERRIDE stocktaking", "2026-03-02 23:30:00": "true OVERRIDE stocktaking",
		"2026-03-03 00:30:00": "true OVERRIDE stocktaking", "2026-03-03 01:00:00": "false NONE", "2026-03-03 03:00:00": "false NONE",
		"2026-03-10 03:00:00": "true SLOT MONDAY",
	} {
		m := s.Explain(at(t, "UTC", wall))
		if got := fmt.Sprintf("%v %s", m.Open, tell(m.Why)); got != want {
			t.Errorf("%s: %s, want %s", wall, got, want)
		}
	}
}
