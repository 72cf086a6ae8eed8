package calendar

import (
	"cmp"
	_ "embed" // the data
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ullim/internal/errs"
)

//go:embed holidays.txt
var holidayData string

// Years for which holidays are worked out; where a calendar has dates and no rule (KR), the dates end earlier.
const (
	firstHolidayYear = 2020
	lastHolidayYear  = 2050
)

// Holiday is one day of a national calendar.
type Holiday struct {
	Date       Date
	Name       string // in English
	Local      string // in the country's language
	Substitute bool   // a day off for a holiday on a weekend, or the like
}

// HolidayCalendar is a calendar that Hours can name. Where its law gives dates and not rules, it is complete From and
// Until these years; 0: in every year.
type HolidayCalendar struct {
	Code, Name, Local string
	From, Until       int
}

// nation is a calendar as read.
type nation struct {
	HolidayCalendar
	moves   string
	entries []entry
}

// entry is a line of a calendar.
type entry struct {
	name, local          string
	when                 func(year int) (Date, bool)
	first, last          int
	around               bool
	fromSunday, fromBoth bool // moved
}

// HolidayCalendars lists the calendars, by code.
func HolidayCalendars() ([]HolidayCalendar, error) {
	all, err := readNations(holidayData)
	if err != nil {
		return nil, err
	}
	var out []HolidayCalendar
	for _, code := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[code].HolidayCalendar)
	}
	return out, nil
}

// Holidays are a calendar's holidays of a year, in order. errs.NotFound.
func Holidays(code string, year int) ([]Holiday, error) {
	all, err := readNations(holidayData, code)
	if err != nil {
		return nil, err
	}
	n := all[code]
	if n == nil {
		return nil, errs.New(errs.NotFound, "no holiday calendar %q", code)
	}
	if year < firstHolidayYear || year > lastHolidayYear {
		return nil, errs.Field("Year", "must be %d to %d; is %d", firstHolidayYear, lastHolidayYear, year)
	}
	return n.year(year), nil
}

// book is some calendars, the years of which are worked out when somebody asks for one. It may be shared.
type book struct {
	nations []*nation // the first that has a day names it
	parent  *Parent   // whose calendars they are; nil: of the hours themselves
	years   sync.Map  // year -> map[Date]Holiday
}

// openBook finds calendars; nil if there are none.
func openBook(codes []string, parent *Parent) (*book, error) {
	if len(codes) == 0 {
		return nil, nil //nolint:nilnil // no calendars is no mistake
	}
	all, err := readNations(holidayData, codes...)
	if err != nil {
		return nil, err
	}
	b := &book{parent: parent}
	for i, code := range codes {
		n := all[code]
		if n == nil {
			return nil, errs.Field(fmt.Sprintf("Holidays[%d]", i), "no holiday calendar %q", code)
		}
		b.nations = append(b.nations, n)
	}
	return b, nil
}

// on finds the holiday of a date.
func (b *book) on(d Date) (Holiday, bool) {
	year, _, _ := d.Civil()
	if year < firstHolidayYear || year > lastHolidayYear {
		return Holiday{}, false
	}
	if v, ok := b.years.Load(year); ok {
		h, is := v.(map[Date]Holiday)[d]
		return h, is
	}
	table := make(map[Date]Holiday)
	for _, n := range b.nations {
		for _, h := range n.year(year) {
			if _, taken := table[h.Date]; !taken {
				table[h.Date] = h
			}
		}
	}
	b.years.Store(year, table)
	h, is := table[d]
	return h, is
}

// year gives the holidays of a year. A day may be moved over the end of a year, so the next is looked at, too.
func (n *nation) year(year int) []Holiday {
	first, last := DateOf(year, 1, 1), DateOf(year, 12, 31)
	var out []Holiday
	for _, y := range []int{year, year + 1} {
		for _, h := range n.moved(y) {
			if h.Date >= first && h.Date <= last {
				out = append(out, h)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Holiday) int { return cmp.Compare(a.Date, b.Date) })
	return out
}

// day is a holiday on its own date, before anything is moved.
type day struct {
	Holiday
	entry *entry
}

func (n *nation) own(year int) []day {
	var days []day
	for i := range n.entries {
		e := &n.entries[i]
		d, ok := e.when(year)
		if !ok || year < e.first || e.last != 0 && year > e.last {
			continue
		}
		h := Holiday{Date: d, Name: e.name, Local: e.local}
		days = append(days, day{h, e})
		if e.around {
			for _, by := range []Date{-1, 1} {
				beside := h
				beside.Date += by
				beside.Name, beside.Local = h.Name+" holiday", h.Local+" 연휴"
				days = append(days, day{beside, e})
			}
		}
	}
	slices.SortStableFunc(days, func(a, b day) int { return cmp.Compare(a.Date, b.Date) })
	return days
}

// moved is own, with the days that stand in for others.
func (n *nation) moved(year int) []Holiday {
	own := n.own(year)
	taken := make(map[Date]bool, len(own))
	out := make([]Holiday, 0, len(own)+4)
	for _, d := range own {
		taken[d.Date] = true
		out = append(out, d.Holiday)
	}
	add := func(of Holiday, date Date) {
		taken[date] = true
		out = append(out, Holiday{Date: date, Name: of.Name + " (substitute)", Local: of.Local + substituteWord(n.Code), Substitute: true})
	}
	// free is the first day after d that is no holiday, and no weekend unless weekends count as days.
	free := func(d Date, weekends bool) Date {
		for d++; taken[d] || !weekends && weekend(d); d++ {
		}
		return d
	}
	var before *day
	for i := range own {
		d := &own[i]
		w := d.Date.Weekday()
		switch n.moves {
		case "korea":
			twice := before != nil && before.Date == d.Date && !weekend(d.Date) && (d.entry.moves() || before.entry.moves())
			if twice || d.entry.fromBoth && weekend(d.Date) || d.entry.fromSunday && w == time.Sunday {
				add(d.Holiday, free(d.Date, false))
			}
		case "nearest":
			switch w {
			case time.Saturday:
				add(d.Holiday, d.Date-1)
			case time.Sunday:
				add(d.Holiday, d.Date+1)
			case time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday:
			}
		case "next":
			if weekend(d.Date) {
				add(d.Holiday, free(d.Date, false))
			}
		case "japan":
			if w == time.Sunday {
				add(d.Holiday, free(d.Date, true))
			} else if before != nil && d.Date-before.Date == 2 && !taken[d.Date-1] {
				taken[d.Date-1] = true
				out = append(out, Holiday{Date: d.Date - 1, Name: "Citizens' Holiday", Local: "国民の休日", Substitute: true})
			}
		}
		before = d
	}
	return out
}

func (e *entry) moves() bool { return e.fromSunday || e.fromBoth }

func weekend(d Date) bool { w := d.Weekday(); return w == time.Saturday || w == time.Sunday }

func substituteWord(code string) string {
	switch code {
	case "KR":
		return " 대체공휴일"
	case "JP":
		return " 振替休日"
	}
	return " (substitute)"
}

// readNations reads holidays.txt: some calendars, with those of their countries, or all if none are named.
func readNations(text string, codes ...string) (map[string]*nation, error) {
	wanted := func(code string) bool {
		return len(codes) == 0 || slices.ContainsFunc(codes, func(c string) bool { return c == code || strings.HasPrefix(c, code+"-") })
	}
	all := make(map[string]*nation)
	var n *nation
	skip := false
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if code, _, head := strings.Cut(line, "] "); head && line[0] == '[' {
			skip = !wanted(code[1:])
		}
		if skip {
			continue
		}
		bad := func(what string) error { return fmt.Errorf("calendar: holidays.txt line %d: %s: %q", i+1, what, line) }
		cols := strings.Split(line, "|")
		for c := range cols {
			cols[c] = strings.TrimSpace(cols[c])
		}
		words := strings.Fields(cols[0])
		switch {
		case line[0] == '[' && len(cols) == 2:
			code, name, ok := strings.Cut(cols[0][1:], "] ")
			if !ok || all[code] != nil {
				return nil, bad("not the head of a calendar")
			}
			n = &nation{HolidayCalendar: HolidayCalendar{Code: code, Name: name, Local: cols[1]}}
			all[code] = n
		case n == nil:
			return nil, bad("before the first calendar")
		case words[0] == "moves" && len(words) == 2:
			n.moves = words[1]
		case words[0] == "include" && len(words) == 2 && all[words[1]] != nil:
			n.moves, n.entries = all[words[1]].moves, slices.Clone(all[words[1]].entries)
		case len(cols) == 3:
			e, err := readEntry(words)
			if err != nil {
				return nil, bad(err.Error())
			}
			e.local, e.name = cols[1], cols[2]
			n.entries = append(n.entries, e)
			if words[0] == "on" && e.around { // dates of a year, each year: the calendar is as long as they are
				n.From, n.Until = e.first, e.last
			}
		default:
			return nil, bad("not understood")
		}
	}
	return all, nil
}

func readEntry(words []string) (entry, error) {
	var e entry
	rest, err := e.readWhen(words)
	if err != nil {
		return e, err
	}
	for _, w := range rest {
		key, val, _ := strings.Cut(w, "=")
		switch key {
		case "from":
			e.first, err = strconv.Atoi(val)
		case "until":
			e.last, err = strconv.Atoi(val)
		case "around":
			e.around = true
		case "weekend":
			e.fromBoth = true
		case "sunday":
			e.fromSunday = true
		default:
			err = fmt.Errorf("unknown option %q", w)
		}
		if err != nil {
			return e, err
		}
	}
	return e, nil
}

// readWhen reads the rule, and gives the words after it.
func (e *entry) readWhen(words []string) ([]string, error) {
	head, rest := words[0], words[1:]
	if i := strings.IndexAny(head, "+-"); i > 3 && !strings.Contains(head, "#") {
		by, err := strconv.Atoi(strings.TrimPrefix(head[i:], "+"))
		switch head[:i] {
		case "easter":
			e.when = func(y int) (Date, bool) { return easter(y) + Date(by), true }
		case "advent": // the fourth Sunday before Christmas
			e.when = func(y int) (Date, bool) {
				eve := DateOf(y, 12, 24)
				return eve - Date(eve.Weekday()) - 21 + Date(by), true
			}
		default:
			return nil, fmt.Errorf("unknown rule %q", head)
		}
		return rest, err
	}
	switch {
	case head == "vernal":
		e.when = equinox(3, 20.8431)
	case head == "autumnal":
		e.when = equinox(9, 23.2488)
	case head == "on" && len(rest) > 0:
		return rest[1:], e.readDates(rest[0])
	case strings.Contains(head, "#") && len(rest) > 0:
		name, number, _ := strings.Cut(head, "#")
		weekday, ok := weekday(name)
		k, err := strconv.Atoi(number)
		month, err2 := strconv.Atoi(rest[0])
		if !ok || err != nil || err2 != nil {
			return nil, fmt.Errorf("unknown weekday or month %q %q", head, rest[0])
		}
		e.when = func(y int) (Date, bool) { return nth(y, time.Month(month), weekday, k) }
		return rest[1:], nil
	default:
		t, err := time.Parse("01-02", head)
		if err != nil {
			return nil, err
		}
		e.when = func(y int) (Date, bool) { return DateOf(y, t.Month(), t.Day()), true }
	}
	return rest, nil
}

// readDates reads "2025-01-29,2026-02-17".
func (e *entry) readDates(list string) error {
	dates := make(map[int]Date)
	for text := range strings.SplitSeq(list, ",") {
		d, err := ParseDate("on", text)
		if err != nil {
			return err
		}
		y, _, _ := d.Civil()
		dates[y] = d
	}
	years := slices.Sorted(maps.Keys(dates))
	e.first, e.last = years[0], years[len(years)-1]
	e.when = func(y int) (Date, bool) { d, ok := dates[y]; return d, ok }
	return nil
}

// equinox is the formula of the almanacs for the day of an equinox in Japan, from 1980 to 2099.
func equinox(month time.Month, at1980 float64) func(int) (Date, bool) {
	return func(y int) (Date, bool) {
		n := y - 1980
		return DateOf(y, month, int(at1980+0.242194*float64(n))-n/4), true
	}
}
