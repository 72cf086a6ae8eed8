package calendar

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
)

// dates are the days of a calendar's year as "01-01 01-28 ...".
func dates(tb testing.TB, code string, year int) string {
	tb.Helper()
	hs, err := Holidays(code, year)
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, h := range hs {
		out = append(out, h.Date.String()[5:])
	}
	return strings.Join(slices.Compact(out), " ")
}

// The years are written down from the calendars that the governments published, not from our rules.
func TestPublishedHolidaysOfWholeYears(t *testing.T) {
	tests := []struct {
		code string
		year int
		want string
	}{
		{"KR", 2025, "01-01 01-27 01-28 01-29 01-30 03-01 03-03 05-05 05-06 06-03 06-06 08-15 10-03 10-05 10-06 10-07 10-08 10-09 12-25"},
		{"KR", 2026, "01-01 02-16 02-17 02-18 03-01 03-02 05-05 05-24 05-25 06-03 06-06 07-17 08-15 08-17 09-24 09-25 09-26 10-03 10-05 10-09 12-25"},
		{"US", 2026, "01-01 01-19 02-16 05-25 06-19 07-03 07-04 09-07 10-12 11-11 11-26 12-25"},
		{"US", 2021, "01-01 01-18 02-15 05-31 06-18 06-19 07-04 07-05 09-06 10-11 11-11 11-25 12-24 12-25 12-31"},
		{"JP", 2025, "01-01 01-13 02-11 02-23 02-24 03-20 04-29 05-03 05-04 05-05 05-06 07-21 08-11 09-15 09-23 10-13 11-03 11-23 11-24"},
		{"JP", 2026, "01-01 01-12 02-11 02-23 03-20 04-29 05-03 05-04 05-05 05-06 07-20 08-11 09-21 09-22 09-23 10-12 11-03 11-23"},
		{"GB", 2026, "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-26 12-28"},
		{"GB", 2027, "01-01 03-26 03-29 05-03 05-31 08-30 12-25 12-26 12-27 12-28"},
		{"GB-SCT", 2026, "01-01 01-02 04-03 05-04 05-25 08-03 11-30 12-25 12-26 12-28"},
		{"GB-NIR", 2026, "01-01 03-17 04-03 04-06 05-04 05-25 07-12 07-13 08-31 12-25 12-26 12-28"},
		{"DE", 2026, "01-01 04-03 04-06 05-01 05-14 05-25 10-03 12-25 12-26"},
		{"DE-SN", 2026, "01-01 04-03 04-06 05-01 05-14 05-25 10-03 10-31 11-18 12-25 12-26"},
		{"DE-BW", 2025, "01-01 01-06 04-18 04-21 05-01 05-29 06-09 06-19 10-03 11-01 12-25 12-26"},
	}
	for _, tt := range tests {
		if got := dates(t, tt.code, tt.year); got != tt.want {
			t.Errorf("%s %d:\n got %s\nwant %s", tt.code, tt.year, got, tt.want)
		}
	}
}

func TestSubstitutesAreNeverOnDaysThatAreOffAnyway(t *testing.T) {
	all, err := HolidayCalendars()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 5+2+16 {
		t.Errorf("%d calendars", len(all))
	}
	for _, c := range all {
		for y := firstHolidayYear; y <= lastHolidayYear; y++ {
			hs, err := Holidays(c.Code, y)
			if err != nil || len(hs) < 5 {
				t.Fatalf("%s %d: %d holidays, %v", c.Code, y, len(hs), err)
			}
			seen := map[Date]int{}
			for _, h := range hs {
				seen[h.Date]++
			}
			for _, h := range hs {
				if h.Name == "" || h.Local == "" {
					t.Errorf("%s %v has no name", c.Code, h.Date)
				}
				if h.Substitute && (weekend(h.Date) && c.Code != "JP" || seen[h.Date] > 1) {
					t.Errorf("%s: substitute %s on %v %v", c.Code, h.Name, h.Date, h.Date.Weekday())
				}
			}
		}
	}
}

func TestUnknownCalendarsAndYearsAreRefused(t *testing.T) {
	if _, err := Holidays("XX", 2026); !errs.Is(err, errs.NotFound) {
		t.Errorf("calendar XX: %v", err)
	}
	if _, err := Holidays("KR", 1900); !errs.Is(err, errs.Invalid) {
		t.Errorf("1900: %v", err)
	}
	err := Hours{Zone: "Asia/Seoul", Holidays: []string{"KR", "KP"}}.Validate()
	if !errs.Is(err, errs.Invalid) || !strings.HasPrefix(err.Error(), "Holidays[1]: ") {
		t.Errorf("hours with calendar KP: %v", err)
	}
}

func TestHolidayDataWithMistakesIsRefusedByLine(t *testing.T) {
	for text, want := range map[string]string{
		"01-01 | a | b":                     "line 1: before the first calendar",
		"[KR] K | k\n13-01 | a | b":         "line 2",
		"[KR] K | k\n01-01 often | a | b":   "unknown option",
		"[KR] K | k\nMOON#1 05 | a | b":     "unknown weekday",
		"[KR] K | k\non 2025-02-30 | a | b": "must be a date",
		"[KR] K | k\ninclude XX":            "not understood",
		"[KR] K | k\n[KR] K | k":            "head of a calendar",
		"[KR] K | k\nlent+3 | a | b":        "unknown rule",
		"[KR] K | k\n01-01 from=x | a | b":  "invalid syntax",
	} {
		if _, err := readNations(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestEasterByTheTables(t *testing.T) {
	for year, want := range map[int]string{
		2000: "2000-04-23", 2008: "2008-03-23", 2011: "2011-04-24", 2024: "2024-03-31", 2025: "2025-04-20", 2026: "2026-04-05",
		2027: "2027-03-28", 2030: "2030-04-21", 2035: "2035-03-25", 2038: "2038-04-25",
	} {
		if got := easter(year).String(); got != want {
			t.Errorf("Easter %d: %s, want %s", year, got, want)
		}
	}
}

// The Korean calendar from the sky: months begin on the day (UTC+9) of a new moon; the month with the winter solstice is
// the eleventh; when there are thirteen between two of those, the first without a principal solar term is a leap month.
func TestLunarDatesOfKoreaByMoonAndSun(t *testing.T) {
	want := map[string][2]int{"Seollal": {1, 1}, "Buddha's Birthday": {4, 8}, "Chuseok": {8, 15}}
	for year := 2025; year <= 2035; year++ {
		hs, err := Holidays("KR", year)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, h := range hs {
			lunar, ok := want[h.Name]
			if !ok {
				continue
			}
			found++
			if got := lunarDate(year, lunar[0], lunar[1]); got != h.Date {
				t.Errorf("%d: %s is on %v, the sky says %v", year, h.Name, h.Date, got)
			}
		}
		if found != 3 {
			t.Errorf("%d: %d of the three lunar holidays", year, found)
		}
	}
}

// lunarDate is a day of a lunar year that begins in a Gregorian year.
func lunarDate(year, month, day int) Date {
	months := lunarMonths(year)
	return months[month] + Date(day-1)
}

// lunarMonths gives the first days of the months 1 to 10 of a lunar year.
func lunarMonths(year int) map[int]Date {
	solstice, next := seoulDay(sunAt(year-1, 270)), seoulDay(sunAt(year, 270))
	var moons []Date // the eleventh month before, up to the eleventh month after
	for k := newMoonNear(year-1) + 8; ; k++ {
		d := seoulDay(newMoon(k))
		if d > next {
			break
		}
		if d <= solstice {
			moons = moons[:0]
		}
		moons = append(moons, d)
	}
	leap := -1
	if len(moons) == 14 { // thirteen months from one eleventh month to the next
		for i := 1; i < 13 && leap < 0; i++ {
			if !hasTerm(moons[i], moons[i+1]) {
				leap = i
			}
		}
	}
	months, number := map[int]Date{}, 11
	for i, d := range moons {
		if i > 0 && i != leap {
			number = number%12 + 1
		}
		if i > 0 && i != leap && number <= 10 {
			months[number] = d
		}
	}
	return months
}

// hasTerm tells whether the sun passes a multiple of 30 degrees in the days from a to b, b excluded.
func hasTerm(a, b Date) bool {
	at := func(d Date) int { return int(math.Floor(sunLongitude(float64(d)+2440587.5-9.0/24) / 30)) }
	return at(a) != at(b)
}

func seoulDay(jd float64) Date { return Date(math.Floor(jd + 9.0/24 - 2440587.5)) }

// sunLongitude is the apparent longitude of the sun (Meeus, Astronomical Algorithms, chapter 25), to 0.01 degrees.
func sunLongitude(jd float64) float64 {
	t := (jd + 70.0/86400 - 2451545) / 36525
	m := rad(357.52911 + 35999.05029*t - 0.0001537*t*t)
	c := (1.914602-0.004817*t-0.000014*t*t)*math.Sin(m) + (0.019993-0.000101*t)*math.Sin(2*m) + 0.000289*math.Sin(3*m)
	l := 280.46646 + 36000.76983*t + 0.0003032*t*t + c - 0.00569 - 0.00478*math.Sin(rad(125.04-1934.136*t))
	return math.Mod(math.Mod(l, 360)+360, 360)
}

// sunAt is when the sun is at a longitude in the second half of a year.
func sunAt(year int, longitude float64) float64 {
	jd := float64(DateOf(year, 12, 1)) + 2440587.5
	for range 20 {
		jd += math.Mod(longitude-sunLongitude(jd)+540, 360) - 180
	}
	return jd
}

func newMoonNear(year int) int { return int(math.Floor((float64(year) - 2000) * 12.3685)) }

// newMoon is the k-th new moon after January 2000 (Meeus, chapter 49), to a few minutes; the terms below 0.0005 days are
// left out.
func newMoon(k int) float64 {
	n := float64(k)
	t := n / 1236.85
	jde := 2451550.09766 + 29.530588861*n + 0.00015437*t*t
	e := 1 - 0.002516*t - 0.0000074*t*t
	m := rad(2.5534 + 29.10535670*n - 0.0000014*t*t)
	mm := rad(201.5643 + 385.81693528*n + 0.0107582*t*t)
	f := rad(160.7108 + 390.67050284*n - 0.0016118*t*t)
	o := rad(124.7746 - 1.56375588*n + 0.0020672*t*t)
	jde += -0.40720*math.Sin(mm) + 0.17241*e*math.Sin(m) + 0.01608*math.Sin(2*mm) + 0.01039*math.Sin(2*f) +
		0.00739*e*math.Sin(mm-m) - 0.00514*e*math.Sin(mm+m) + 0.00208*e*e*math.Sin(2*m) - 0.00111*math.Sin(mm-2*f) -
		0.00057*math.Sin(mm+2*f) + 0.00056*e*math.Sin(2*mm+m) - 0.00042*math.Sin(3*mm) + 0.00042*e*math.Sin(m+2*f) +
		0.00038*e*math.Sin(m-2*f) - 0.00024*e*math.Sin(2*mm-m) - 0.00017*math.Sin(o)
	return jde - 70.0/86400 // dynamical to universal time
}

func rad(deg float64) float64 { return math.Mod(deg, 360) * math.Pi / 180 }

func TestDatesCountLikeTheStandardLibrary(t *testing.T) {
	for at := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2060; at = at.AddDate(0, 0, 1) {
		d := on(at)
		y, m, day := d.Civil()
		if y != at.Year() || m != at.Month() || day != at.Day() || d.Weekday() != at.Weekday() || d.String() != at.Format(time.DateOnly) {
			t.Fatalf("%v is %v %v", at, d, d.Weekday())
		}
	}
}

func BenchmarkCompileWithHolidays(b *testing.B) {
	h := Hours{Zone: "Asia/Seoul", Holidays: []string{"KR"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(h); err != nil {
			b.Fatal(err)
		}
	}
}
