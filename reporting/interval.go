package reporting

import (
	"time"

	"ullim/internal/errs"
)

// Interval is how long a period of a result is.
type Interval string

// Intervals, as in the Connect API.
const (
	FifteenMin Interval = "FIFTEEN_MIN"
	ThirtyMin  Interval = "THIRTY_MIN"
	Hour       Interval = "HOUR"
	Day        Interval = "DAY"
	Week       Interval = "WEEK"
	Total      Interval = "TOTAL"
)

// The longest ranges, and how far back they may go (A4.3).
const (
	shortRange = 3 * 24 * time.Hour
	longRange  = 35 * 24 * time.Hour
	kept       = 93 * 24 * time.Hour
	clockSkew  = time.Minute // by which a caller's clock may be ahead of ours
)

// checkRange says what is wrong with a range.
func checkRange(i Interval, from, to, now time.Time) error {
	switch {
	case from.IsZero():
		return errs.Field("StartTime", "is required")
	case to.IsZero():
		return errs.Field("EndTime", "is required")
	case !from.Before(to):
		return errs.Field("EndTime", "must be after StartTime")
	case to.After(now.Add(clockSkew)):
		return errs.Field("EndTime", "must not be in the future")
	case from.Before(now.Add(-kept)):
		return errs.Field("StartTime", "must be within the last 3 months")
	}
	switch i {
	case FifteenMin, ThirtyMin, Hour:
		if to.Sub(from) >= shortRange {
			return errs.Field("EndTime", "must be less than 3 days after StartTime with an interval of %s", i)
		}
	case Day, Week, Total:
		if to.Sub(from) > longRange {
			return errs.Field("EndTime", "must be at most 35 days after StartTime with an interval of %s", i)
		}
	default:
		return errs.Field("Interval.IntervalPeriod", "must be FIFTEEN_MIN, THIRTY_MIN, HOUR, DAY, WEEK or TOTAL; is %q", i)
	}
	return nil
}

// Periods are the borders of the periods of a range: period i is borders[i] to borders[i+1]. They begin at the whole
// quarters, hours, midnights or Mondays of a zone; the first and the last are cut by the range.
func Periods(i Interval, from, to time.Time, zone *time.Location) []time.Time {
	borders := []time.Time{from}
	for at := next(i, from.In(zone)); i != Total && at.Before(to); at = next(i, at) {
		borders = append(borders, at)
	}
	return append(borders, to)
}

// next is the first border after a moment.
func next(i Interval, at time.Time) time.Time {
	y, m, d := at.Date()
	switch i {
	case Day:
		return midnight(y, m, d+1, at)
	case Week:
		return midnight(y, m, d+7-(int(at.Weekday())+6)%7, at)
	case FifteenMin, ThirtyMin, Hour, Total:
	}
	length := time.Hour
	switch i {
	case FifteenMin:
		length = Quarter
	case ThirtyMin:
		length = 2 * Quarter
	case Hour, Day, Week, Total:
	}
	// Offsets of zones are multiples of a quarter of an hour, but not of an hour.
	_, offset := at.Zone()
	shift := time.Duration(offset) * time.Second
	border := at.Add(shift).UTC().Truncate(length).Add(length - shift).In(at.Location())
	return border
}

// midnight is when a day begins, after a moment: where clocks are put forward at midnight it begins at one.
func midnight(y int, m time.Month, d int, after time.Time) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, after.Location())
	if !t.After(after) { // a day that does not exist: the date line was crossed
		t = after.Add(24 * time.Hour)
	}
	return t
}
