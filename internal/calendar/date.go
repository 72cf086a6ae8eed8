package calendar

import (
	"fmt"
	"time"

	"ullim/internal/errs"
)

// Date is a day of the Gregorian calendar: days since 1 January 1970.
type Date int

// DateOf is a calendar date; a day or month beyond its end runs on, as in time.Date.
func DateOf(year int, month time.Month, day int) Date {
	t := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return Date(t.Unix() / 86400) // exact: UTC midnights are multiples of a day
}

// ParseDate reads YYYY-MM-DD; errs.Invalid names the field.
func ParseDate(field, text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1970 || t.Year() > 2999 {
		return 0, errs.Field(field, "must be a date YYYY-MM-DD from 1970 to 2999; is %q", text)
	}
	return DateOf(t.Date()), nil
}

// on is the date that a wall clock shows.
func on(t time.Time) Date { return DateOf(t.Date()) }

// Civil gives year, month and day.
func (d Date) Civil() (year int, month time.Month, day int) {
	return time.Unix(int64(d)*86400, 0).UTC().Date()
}

// Weekday of the date; 1 January 1970 was a Thursday.
func (d Date) Weekday() time.Weekday { return time.Weekday(((int(d)+4)%7 + 7) % 7) }

// String is YYYY-MM-DD.
func (d Date) String() string {
	y, m, day := d.Civil()
	return fmt.Sprintf("%04d-%02d-%02d", y, m, day)
}

// daysIn is how many days a month has.
func daysIn(year int, month time.Month) int {
	_, _, day := DateOf(year, month+1, 0).Civil()
	return day
}

// nth is the k-th weekday of a month, counted from its end if k is negative; ok is false if there is none.
func nth(year int, month time.Month, weekday time.Weekday, k int) (Date, bool) {
	if k < 0 {
		last := DateOf(year, month+1, 0)
		d := last - Date((last.Weekday()-weekday+7)%7) + Date(7*(k+1))
		_, m, _ := d.Civil()
		return d, m == month
	}
	first := DateOf(year, month, 1)
	d := first + Date((weekday-first.Weekday()+7)%7) + Date(7*(k-1))
	_, m, _ := d.Civil()
	return d, m == month
}

// easter is Easter Sunday of the western church (the anonymous Gregorian computus).
func easter(year int) Date {
	a, b, c := year%19, year/100, year%100
	h := (19*a + b - b/4 - (b-(b+8)/25+1)/3 + 15) % 30
	l := (32 + 2*(b%4) + 2*(c/4) - h - c%4) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return DateOf(year, time.Month(n/31), n%31+1)
}
