package calendar

import "fmt"

// Hours are opening hours in one IANA time zone: a week, and what departs from it. JSON is the stored form.
type Hours struct {
	Zone      string     `json:"zone"` // IANA name, "Asia/Seoul"
	Slots     []Slot     `json:"slots"`
	Overrides []Override `json:"overrides,omitempty"`
	// Holidays names national calendars ("KR", "GB-SCT"); on their days the week's slots do not happen.
	Holidays []string `json:"holidays,omitempty"`
}

// Slot is one opening on one day of the week. An end of 00:00 is the end of that day, so 00:00 to 00:00 is all day; any
// other end before the start is on the next day. An end that equals a start other than 00:00 is refused.
type Slot struct {
	Day   string `json:"day"` // MONDAY ... SUNDAY; in an override also "": whichever day it is about
	Start Clock  `json:"start"`
	End   Clock  `json:"end"`
}

// Clock is a time of day on the wall: 00:00 to 23:59.
type Clock struct {
	Hour   int `json:"hour"`
	Minute int `json:"minute"`
}

// String is "09:30".
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", c.Hour, c.Minute) }

// OverrideType says what an override does to the days that it is about.
type OverrideType string

// Override types (A2.2).
const (
	Standard OverrideType = "STANDARD" // its slots are the hours of these days; no slot for a day: closed
	Opens    OverrideType = "OPEN"     // open in its slots too
	Closes   OverrideType = "CLOSED"   // closed in its slots; without any, the whole day
)

// Override is a departure from the week, from one date to another (both included), on all of those days or as it recurs.
type Override struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Description string       `json:"description,omitempty"`
	Type        OverrideType `json:"type"`
	From        string       `json:"from"` // YYYY-MM-DD
	Till        string       `json:"till"`
	Slots       []Slot       `json:"slots"`
	Recurrence  *Recurrence  `json:"recurrence,omitempty"` // not with STANDARD
}

// Frequency is the unit of a recurrence.
type Frequency string

// Frequencies.
const (
	Weekly  Frequency = "WEEKLY"
	Monthly Frequency = "MONTHLY"
	Yearly  Frequency = "YEARLY"
)

// Recurrence chooses days between From and Till. Weeks (from Sunday), months or years are counted from the one of From,
// and every Interval-th has a day. What is 0 is as in From.
type Recurrence struct {
	Frequency Frequency `json:"frequency"`
	Interval  int       `json:"interval"`           // 1 to 6
	Month     int       `json:"month,omitempty"`    // 1 to 12; YEARLY
	MonthDay  int       `json:"monthDay,omitempty"` // 1 to 31, or -1 for the last; a month without that day has none
	// Occurrence is which of the slots' weekday in the month: 1 to 5, or -1 for the last.
	Occurrence int `json:"occurrence,omitempty"`
}

// Parent is other hours whose overrides and holidays are inherited; their week and zone are not.
type Parent struct {
	ID, Name  string
	Overrides []Override
	Holidays  []string
}
