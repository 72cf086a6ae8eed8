package reporting

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPeriodsBeginAtTheBordersOfTheZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	from := time.Date(2026, 10, 24, 10, 0, 0, 0, berlin)
	var got []string
	for _, b := range Periods(Day, from, from.AddDate(0, 0, 2), berlin) {
		got = append(got, b.In(berlin).Format("02T15:04"))
	}
	if d := cmp.Diff([]string{"24T10:00", "25T00:00", "26T00:00", "26T10:00"}, got); d != "" {
		t.Error(d)
	}
	b := Periods(Day, from, from.AddDate(0, 0, 2), berlin)
	if n := b[2].Sub(b[1]); n != 25*time.Hour {
		t.Errorf("the day on which clocks are put back has %v", n)
	}
}

func TestASpanIsCutAtQuartersAndLosesNothing(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 10, 0, 1000, time.UTC)
	s := State{UserID: "a", Online: true, Contacts: 2}
	spans := s.Spans(at, at.Add(40*time.Minute))
	var contact, slots int64
	for _, p := range spans {
		contact += p.Numbers[contactUS]
		slots += p.Numbers[slotUS]
	}
	if whole := (40 * time.Minute).Microseconds(); len(spans) != 4 || contact != whole || slots != 2*whole {
		t.Errorf("%d spans, %d, %d", len(spans), contact, slots)
	}
	if idle := (&State{UserID: "a"}).Spans(at, at.Add(time.Hour)); idle != nil {
		t.Errorf("who is offline has %d spans", len(idle))
	}
}
