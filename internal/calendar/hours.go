package calendar

// Hours are weekly opening hours in one IANA time zone. JSON is the stored form.
type Hours struct {
	Zone  string `json:"zone"` // IANA name, "Asia/Seoul"
	Slots []Slot `json:"slots"`
}

// Slot is one opening on one day of the week. An end of 00:00 is the end of that day, so 00:00 to 00:00 is all day; any
// other end before the start is on the next day. An end that equals a start other than 00:00 is refused.
type Slot struct {
	Day   string `json:"day"` // MONDAY ... SUNDAY
	Start Clock  `json:"start"`
	End   Clock  `json:"end"`
}

// Clock is a time of day on the wall: 00:00 to 23:59.
type Clock struct {
	Hour   int `json:"hour"`
	Minute int `json:"minute"`
}
