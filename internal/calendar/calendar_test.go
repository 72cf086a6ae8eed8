package calendar

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
)

// slot reads "MONDAY 09:00-18:00".
func slot(tb testing.TB, s string) Slot {
	tb.Helper()
	var v Slot
	day, clock, _ := strings.Cut(s, " ")
	v.Day = day
	if _, err := fmt.Sscanf(clock, "%d:%d-%d:%d", &v.Start.Hour, &v.Start.Minute, &v.End.Hour, &v.End.Minute); err != nil {
		tb.Fatalf("slot %q: %v", s, err)
	}
	return v
}

func hours(tb testing.TB, zone string, slots ...string) Hours {
	tb.Helper()
	h := Hours{Zone: zone}
	for _, s := range slots {
		h.Slots = append(h.Slots, slot(tb, s))
	}
	return h
}

func at(tb testing.TB, zone, wall string) time.Time {
	tb.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := time.ParseInLocation("2006-01-02 15:04:05", wall, loc)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func TestValidateNamesFieldAndRule(t *testing.T) {
	many := Hours{Zone: "UTC"}
	for i := range 101 {
		many.Slots = append(many.Slots, Slot{Day: "MONDAY", Start: Clock{i / 60, i % 60}, End: Clock{(i + 1) / 60, (i + 1) % 60}})
	}
	hundred := Hours{Zone: "UTC", Slots: many.Slots[:100]}
	tests := []struct {
		name, field string
		h           Hours
	}{
		{"no slots are closed hours", "", Hours{Zone: "Asia/Seoul"}},
		{"a hundred slots", "", hundred},
		{"a hundred and one slots", "Config", many},
		{"no zone", "TimeZone", Hours{}},
		{"the machine's zone is no zone", "TimeZone", Hours{Zone: "Local"}},
		{"unknown zone", "TimeZone", Hours{Zone: "Asia/Seul"}},
		{"a path is no zone", "TimeZone", Hours{Zone: "../etc/passwd"}},
		{"day", "Config[0].Day", hours(t, "UTC", "Monday 09:00-18:00")},
		{"start hour", "Config[1].StartTime.Hours", hours(t, "UTC", "MONDAY 09:00-18:00", "TUESDAY 24:00-18:00")},
		{"start minute", "Config[0].StartTime.Minutes", hours(t, "UTC", "MONDAY 09:60-18:00")},
		{"end hour", "Config[0].EndTime.Hours", hours(t, "UTC", "MONDAY 09:00-24:00")},
		{"end minute", "Config[0].EndTime.Minutes", hours(t, "UTC", "MONDAY 09:00-18:75")},
		{"empty slot", "Config[0].EndTime", hours(t, "UTC", "MONDAY 09:00-09:00")},
		{"lunch gap", "", hours(t, "UTC", "MONDAY 09:00-12:00", "MONDAY 13:00-18:00")},
		{"touching", "", hours(t, "UTC", "MONDAY 12:00-18:00", "MONDAY 09:00-12:00")},
		{"overlap names the later entry", "Config[1]", hours(t, "UTC", "MONDAY 09:00-12:01", "MONDAY 12:00-18:00")},
		{"same slot twice", "Config[1]", hours(t, "UTC", "MONDAY 09:00-12:00", "MONDAY 09:00-12:00")},
		{"overlap over midnight", "Config[1]", hours(t, "UTC", "MONDAY 22:00-06:00", "TUESDAY 05:00-09:00")},
		{"overlap over the end of the week", "Config[1]", hours(t, "UTC", "SATURDAY 22:00-06:00", "SUNDAY 05:00-09:00")},
		{"touching over midnight", "", hours(t, "UTC", "MONDAY 22:00-06:00", "TUESDAY 06:00-09:00")},
		{"inside an all-day slot", "Config[1]", hours(t, "UTC", "MONDAY 00:00-00:00", "MONDAY 05:00-09:00")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.h.Validate()
			if tt.field == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if !errs.Is(err, errs.Invalid) || !strings.HasPrefix(err.Error(), tt.field+": ") {
				t.Fatalf("got %v, want an Invalid of field %s", err, tt.field)
			}
		})
	}
}

func TestOpenAtTheEdges(t *testing.T) {
	const seoul, berlin, york = "Asia/Seoul", "Europe/Berlin", "America/New_York"
	tests := []struct {
		name, zone, wall string
		slots            []string
		want             bool
	}{
		{"a second before opening", seoul, "2026-03-02 08:59:59", []string{"MONDAY 09:00-18:00"}, false},
		{"at opening", seoul, "2026-03-02 09:00:00", []string{"MONDAY 09:00-18:00"}, true},
		{"a second before closing", seoul, "2026-03-02 17:59:59", []string{"MONDAY 09:00-18:00"}, true},
		{"at closing", seoul, "2026-03-02 18:00:00", []string{"MONDAY 09:00-18:00"}, false},
		{"another day", seoul, "2026-03-03 10:00:00", []string{"MONDAY 09:00-18:00"}, false},
		{"end 00:00 is the end of the day", seoul, "2026-03-02 23:59:59", []string{"MONDAY 09:00-00:00"}, true},
		{"and not a second more", seoul, "2026-03-03 00:00:00", []string{"MONDAY 09:00-00:00"}, false},
		{"all day begins at midnight", seoul, "2026-03-02 00:00:00", []string{"MONDAY 00:00-00:00"}, true},
		{"all day ends at midnight", seoul, "2026-03-03 00:00:00", []string{"MONDAY 00:00-00:00"}, false},
		{"not before midnight", seoul, "2026-03-01 23:59:59", []string{"MONDAY 00:00-00:00"}, false},
		{"past midnight, in the evening", seoul, "2026-03-02 23:00:00", []string{"MONDAY 22:00-06:00"}, true},
		{"past midnight, next morning", seoul, "2026-03-03 05:59:59", []string{"MONDAY 22:00-06:00"}, true},
		{"past midnight, over", seoul, "2026-03-03 06:00:00", []string{"MONDAY 22:00-06:00"}, false},
		{"the morning of its own day is not in it", seoul, "2026-03-02 05:00:00", []string{"MONDAY 22:00-06:00"}, false},
		{"Saturday night runs into Sunday", seoul, "2026-03-01 03:00:00", []string{"SATURDAY 22:00-06:00"}, true},
		{"Sunday night runs into Monday", seoul, "2026-03-02 03:00:00", []string{"SUNDAY 22:00-06:00"}, true},
		{"spring: before the jump", berlin, "2026-03-29 01:59:59", []string{"SUNDAY 02:30-10:00"}, false},
		{"spring: opens at the jump over its start", berlin, "2026-03-29 03:00:00", []string{"SUNDAY 02:30-10:00"}, true},
		{"spring: same wall time in summer", berlin, "2026-03-30 09:00:00", []string{"MONDAY 09:00-17:00"}, true},
		{"New York opens by its own clock", york, "2026-03-09 09:00:00", []string{"MONDAY 09:00-17:00"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Open(hours(t, tt.zone, tt.slots...), at(t, tt.zone, tt.wall))
			if err != nil || got != tt.want {
				t.Fatalf("Open = %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestTheRepeatedHourCountsTwice(t *testing.T) {
	// Berlin, 25 October 2026: 02:00 to 03:00 happens twice, first at UTC+2, then at UTC+1.
	s, err := Compile(hours(t, "Europe/Berlin", "SUNDAY 02:15-02:45"))
	if err != nil {
		t.Fatal(err)
	}
	first := time.Date(2026, 10, 25, 0, 15, 0, 0, time.UTC)
	want := []struct {
		at   time.Time
		open bool
	}{
		{first, true},
		{first.Add(30 * time.Minute), false},
		{first.Add(time.Hour), true},
		{first.Add(90 * time.Minute), false},
		{first.Add(7*24*time.Hour + time.Hour), true},
	}
	now := first.Add(-time.Hour)
	for _, w := range want {
		change, open, ok := s.NextChange(now)
		if !ok || !change.Equal(w.at) || open != w.open {
			t.Fatalf("NextChange(%v) = %v %v %v, want %v %v", now.UTC(), change.UTC(), open, ok, w.at, w.open)
		}
		now = change
	}
}

func TestNoChangeIsEverAnnouncedForHoursThatHaveNone(t *testing.T) {
	full := Hours{Zone: "Europe/Berlin"}
	for d := time.Sunday; d <= time.Saturday; d++ {
		full.Slots = append(full.Slots, Slot{Day: strings.ToUpper(d.String())})
	}
	now := at(t, "Europe/Berlin", "2026-03-29 01:00:00")
	if open, err := Open(full, now); err != nil || !open {
		t.Fatalf("around the clock: %v %v", open, err)
	}
	for name, h := range map[string]Hours{"always": full, "never": {Zone: "UTC"}, "invalid": {Zone: "nowhere"}} {
		if change, _, ok := NextChange(h, now); ok {
			t.Errorf("%s: change at %v", name, change)
		}
	}
	if _, err := Open(Hours{Zone: "nowhere"}, now); !errs.Is(err, errs.Invalid) {
		t.Errorf("Open of invalid hours: %v", err)
	}
}

// slowOpen reads the slots as written, without rings and spans.
func slowOpen(h Hours, loc *time.Location, t time.Time) bool {
	t = t.In(loc)
	days := [...]string{"SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"}
	today, yesterday := days[t.Weekday()], days[(t.Weekday()+6)%7]
	m := t.Hour()*60 + t.Minute()
	for _, s := range h.Slots {
		start, end := s.Start.Hour*60+s.Start.Minute, s.End.Hour*60+s.End.Minute
		overnight := end != 0 && end < start
		switch {
		case s.Day == today && m >= start && (end == 0 || overnight || m < end):
			return true
		case s.Day == yesterday && overnight && m < end:
			return true
		}
	}
	return false
}

// randomHours makes valid hours with edges on every so many minutes.
func randomHours(r *rand.Rand, zone string, step int) Hours {
	for {
		h := Hours{Zone: zone}
		for range 1 + r.IntN(8) {
			s := Slot{Day: strings.ToUpper(time.Weekday(r.IntN(7)).String())}
			// With a liking for the small hours, where clocks change.
			s.Start = Clock{r.IntN(24), step * r.IntN(60/step)}
			s.End = Clock{r.IntN(24), step * r.IntN(60/step)}
			if r.IntN(2) == 0 {
				s.Start.Hour, s.End.Hour = r.IntN(4), r.IntN(5)
			}
			if r.IntN(6) == 0 {
				s.End = Clock{}
			}
			h.Slots = append(h.Slots, s)
			if h.Validate() != nil {
				h.Slots = h.Slots[:len(h.Slots)-1]
			}
		}
		if len(h.Slots) > 0 {
			return h
		}
	}
}

// Twenty years in zones that change clocks in different ways: not at all, at 02:00, at 01:00 UTC, by half an hour,
// at midnight, and (Samoa) by leaving a day out.
func TestTwentyYearsAgreeWithTheSlowReference(t *testing.T) {
	zones := []string{
		"Asia/Seoul", "America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia",
	}
	from, until := time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for z, zone := range zones {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(z), 39))
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			h := randomHours(r, zone, 30)
			s, err := Compile(h)
			if err != nil {
				t.Fatal(err)
			}
			// Everything happens on half hours, also the clock changes, so a look every 30 minutes sees all of it.
			was := slowOpen(h, loc, from)
			change, next, ok := s.NextChange(from)
			for at := from.Add(30 * time.Minute); at.Before(until); at = at.Add(30 * time.Minute) {
				want := slowOpen(h, loc, at)
				if got := s.Open(at); got != want {
					t.Fatalf("%v: Open(%v) = %v, want %v", h, at.In(loc), got, want)
				}
				if want == was {
					continue
				}
				was = want
				if !ok || !change.Equal(at) || next != want {
					t.Fatalf("%v: NextChange = %v %v %v, want %v %v", h, change, next, ok, at.In(loc), want)
				}
				change, next, ok = s.NextChange(at)
			}
		})
	}
}

func TestManyHoursAgreeAroundClockChanges(t *testing.T) {
	days := map[string]string{
		"America/New_York": "2026-03-08", "Europe/London": "2026-10-25", "Australia/Lord_Howe": "2026-04-05",
		"America/Sao_Paulo": "2018-11-04", "Pacific/Apia": "2011-12-30", "Asia/Seoul": "2026-05-05",
	}
	r := rand.New(rand.NewPCG(1, 2))
	for zone, day := range days {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		mid, err := time.Parse("2006-01-02", day)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			h := randomHours(r, zone, 5)
			s, err := Compile(h)
			if err != nil {
				t.Fatal(err)
			}
			for at := mid.Add(-48 * time.Hour); at.Before(mid.Add(72 * time.Hour)); at = at.Add(5 * time.Minute) {
				odd := at.Add(time.Duration(r.Int64N(int64(5 * time.Minute))))
				for _, v := range []time.Time{at, odd} {
					if got, want := s.Open(v), slowOpen(h, loc, v); got != want {
						t.Fatalf("%v: Open(%v) = %v, want %v", h, v.In(loc), got, want)
					}
				}
				change, open, ok := s.NextChange(odd)
				if ok && (!change.After(odd) || slowOpen(h, loc, change) != open || slowOpen(h, loc, change.Add(-1)) == open) {
					t.Fatalf("%v: NextChange(%v) = %v %v is no change", h, odd.In(loc), change.In(loc), open)
				}
			}
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s, err := Compile(hours(b, "America/New_York", "MONDAY 09:00-12:00", "MONDAY 13:00-18:00", "FRIDAY 09:00-18:00"))
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 3, 9, 14, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		s.Open(now)
	}
}
