package say

import (
	"strconv"
	"strings"
	"time"
)

// Day is a day of the calendar. What is not known is 0 and is left out.
type Day struct {
	Year, Month, Day int
	Weekday          bool // said, too; only if the day is known in full
}

// Date says a day: "November twenty-second, twenty twenty-six", "이천이십육년 십일월 이십이일".
func Date(l Language, d Day) string {
	var parts []string
	add := func(known bool, words string) {
		if known {
			parts = append(parts, words)
		}
	}
	weekday := ""
	if d.Weekday && d.Year > 0 && d.Month > 0 && d.Day > 0 {
		weekday = weekdayName(l, time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC).Weekday())
	}
	if l == Korean {
		add(d.Year > 0, koreanSino(uint64(max(d.Year, 0)))+"년")
		add(d.Month > 0, koreanMonth(max(d.Month, 1)))
		add(d.Day > 0, koreanSino(uint64(max(d.Day, 0)))+"일")
		add(weekday != "", weekday)
		return strings.Join(parts, " ")
	}
	day := ""
	switch {
	case d.Month > 0 && d.Day > 0:
		day = englishMonth(d.Month) + " " + englishOrdinal(uint64(d.Day))
	case d.Month > 0:
		day = englishMonth(d.Month)
	case d.Day > 0:
		day = "the " + englishOrdinal(uint64(d.Day))
	}
	add(weekday != "", weekday)
	add(day != "", day)
	if d.Year > 0 && d.Day == 0 && d.Month > 0 {
		return day + " " + englishYear(d.Year)
	}
	add(d.Year > 0, englishYear(d.Year))
	return strings.Join(parts, ", ")
}

func weekdayName(l Language, d time.Weekday) string {
	if l == Korean {
		return [...]string{"일", "월", "화", "수", "목", "금", "토"}[d] + "요일"
	}
	return d.String()
}

// DateOf reads a date as it is written and says it. format is one of SSML's: mdy, dmy, ymd, md, dm, ym, my, d, m, y,
// yyyymmdd (with ? for what is not known); empty: a date of ISO 8601, or ymd, or as the language writes it. False if the text
// is no date of that format.
func DateOf(l Language, text, format string) (string, bool) {
	day, ok := readDate(l, strings.TrimSpace(text), strings.ToLower(strings.TrimSpace(format)))
	if !ok {
		return "", false
	}
	return Date(l, day), true
}

func readDate(l Language, text, format string) (Day, bool) {
	switch format {
	case "yyyymmdd", "":
		if d, ok := compactDate(text); ok {
			return d, true
		}
		if format != "" {
			return Day{}, false
		}
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return Day{Year: t.Year(), Month: int(t.Month()), Day: t.Day()}, true
		}
		if d, ok := datedBy(text, "ymd"); ok {
			return d, true
		}
		if l == Korean {
			return datedBy(text, "md")
		}
		return datedBy(text, "mdy")
	case "mdy", "dmy", "ymd", "md", "dm", "ym", "my", "d", "m", "y":
		return datedBy(text, format)
	}
	return Day{}, false
}

// compactDate reads 20261122, in which ? stands for what is not known.
func compactDate(text string) (Day, bool) {
	if len(text) != 8 || strings.Trim(text, "0123456789?") != "" {
		return Day{}, false
	}
	var d Day
	for _, p := range []struct {
		into *int
		text string
	}{{&d.Year, text[:4]}, {&d.Month, text[4:6]}, {&d.Day, text[6:]}} {
		if strings.Trim(p.text, "?") == "" {
			continue
		}
		n, err := strconv.Atoi(p.text)
		if err != nil {
			return Day{}, false
		}
		*p.into = n
	}
	return d, d.exists() && d != Day{}
}

// datedBy reads parts between separators in the order of a format.
func datedBy(text, format string) (Day, bool) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" -/.,년월일", r) })
	if len(parts) != len(format) {
		return Day{}, false
	}
	var d Day
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 {
			return Day{}, false
		}
		switch format[i] {
		case 'y':
			if d.Year = n; len(p) == 2 { // as POSIX has it
				d.Year += map[bool]int{true: 2000, false: 1900}[n < 69]
			}
		case 'm':
			d.Month = n
		case 'd':
			d.Day = n
		}
	}
	return d, d.exists()
}

// exists reports whether the calendar has such a day.
func (d Day) exists() bool {
	if d.Year < 0 || d.Year > 9999 || d.Month < 0 || d.Month > 12 || d.Day < 0 || d.Day > 31 {
		return false
	}
	if d.Month > 0 && d.Day > 0 {
		year := d.Year
		if year == 0 {
			year = 2000 // any leap year: 29 February is a day
		}
		return time.Date(year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC).Day() == d.Day
	}
	return true
}

// Clock says a time of day: "two thirty p.m.", "오후 두 시 삼십 분". Twelve is noon or midnight in words, because nobody agrees on
// what 12 a.m. is. Negative seconds are left out.
func Clock(l Language, hour, minute, second int) string {
	if l == Korean {
		return koreanClock(hour, minute, second)
	}
	switch {
	case minute == 0 && second <= 0 && hour == 0:
		return "midnight"
	case minute == 0 && second <= 0 && hour == 12:
		return "noon"
	}
	words := englishCardinal(uint64((hour+11)%12 + 1))
	switch {
	case minute == 0 && second > 0:
		words += " o'clock"
	case minute == 0:
	case minute < 10:
		words += " oh " + englishUnits(int64(minute))
	default:
		words += " " + englishCardinal(uint64(minute))
	}
	if second > 0 {
		words += " and " + englishCardinal(uint64(second)) + " " + plural(uint64(second), "second", "seconds")
	}
	if hour < 12 {
		return words + " a.m."
	}
	return words + " p.m."
}

func koreanClock(hour, minute, second int) string {
	part := "오전"
	switch {
	case hour == 0:
		part = "밤"
	case hour == 12:
		part = "낮"
	case hour > 12:
		part = "오후"
	}
	words := part + " " + koreanNative(uint64((hour+11)%12+1)) + " 시"
	if minute > 0 {
		words += " " + koreanSino(uint64(minute)) + " 분"
	}
	if second > 0 {
		words += " " + koreanSino(uint64(second)) + " 초"
	}
	return words
}

// TimeOf reads a time of day (14:30, 14:30:15, 2:30 pm, 2pm, 1430) or one in a date of ISO 8601, and says it. format hms12 and
// hms24 of SSML are taken and change nothing: both languages say hours of a half day. Text like 1'21" is a duration. False
// if it is none.
func TimeOf(l Language, text string) (string, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if d, ok := minutesAndSeconds(text); ok {
		return Duration(l, d), true
	}
	if t, err := time.Parse(time.RFC3339, strings.ToUpper(text)); err == nil {
		return Clock(l, t.Hour(), t.Minute(), t.Second()), true
	}
	text = strings.NewReplacer("a.m.", "am", "p.m.", "pm", "오전", "am", "오후", "pm").Replace(text)
	half := ""
	for _, h := range []string{"am", "pm"} {
		if rest, ok := strings.CutSuffix(text, h); ok {
			text, half = strings.TrimSpace(rest), h
		} else if rest, ok := strings.CutPrefix(text, h); ok {
			text, half = strings.TrimSpace(rest), h
		}
	}
	if len(text) == 4 && strings.Trim(text, "0123456789") == "" {
		text = text[:2] + ":" + text[2:]
	}
	fields := strings.Split(text, ":")
	if len(fields) > 3 || len(fields) == 1 && half == "" {
		return "", false
	}
	var n [3]int
	limits := [3]int{24, 60, 60}
	for i, f := range fields {
		v, err := strconv.Atoi(f)
		if err != nil || v < 0 || v >= limits[i] || len(f) > 2 || i > 0 && len(f) != 2 {
			return "", false
		}
		n[i] = v
	}
	if half != "" {
		if n[0] < 1 || n[0] > 12 {
			return "", false
		}
		n[0] %= 12
		if half == "pm" {
			n[0] += 12
		}
	}
	return Clock(l, n[0], n[1], n[2]), true
}

// minutesAndSeconds reads 1'21".
func minutesAndSeconds(text string) (time.Duration, bool) {
	m, s, ok := strings.Cut(text, "'")
	if !ok {
		return 0, false
	}
	minutes, err := strconv.Atoi(m)
	if err != nil || minutes < 0 || minutes > 9999 {
		return 0, false
	}
	seconds := 0
	if s = strings.TrimSuffix(strings.TrimSuffix(s, `"`), "''"); s != "" {
		if seconds, err = strconv.Atoi(s); err != nil || seconds < 0 || seconds > 59 {
			return 0, false
		}
	}
	return time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second, true
}

// Duration says how long something takes: "one hour and five minutes", "한 시간 오 분". Below a second nothing is said of it.
func Duration(l Language, d time.Duration) string {
	left := uint64(max(d, 0) / time.Second)
	type unit struct {
		size      uint64
		one, many string
		korean    string
		native    bool
	}
	var parts []string
	for _, u := range []unit{
		{86_400, "day", "days", "일", false},
		{3600, "hour", "hours", " 시간", true},
		{60, "minute", "minutes", " 분", false},
		{1, "second", "seconds", " 초", false},
	} {
		n := left / u.size
		left %= u.size
		if n == 0 && (u.size > 1 || len(parts) > 0) {
			continue
		}
		switch {
		case l == English:
			parts = append(parts, englishCardinal(n)+" "+plural(n, u.one, u.many))
		case u.native:
			parts = append(parts, koreanCount(n)+u.korean)
		default:
			parts = append(parts, koreanSino(n)+u.korean)
		}
	}
	if l == Korean {
		return strings.Join(parts, " ")
	}
	return list(parts)
}
