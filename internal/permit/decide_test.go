package permit

import (
	"testing"
	"time"
)

func TestPeopleAreCalledInTheirOwnHours(t *testing.T) {
	office := Window{From: 9 * 60, To: 21 * 60}
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, row := range map[string]struct {
		r      Request
		f      Facts
		reason Reason
		until  string
	}{
		"no window":               {Request{Number: "+82215880001", At: at("2026-03-02T18:00:00Z")}, Facts{}, "", ""},
		"Seoul, nine sharp":       {Request{Number: "+82215880001", At: at("2026-03-02T00:00:00Z")}, Facts{Window: office}, "", ""},
		"Seoul, a minute before":  {Request{Number: "+82215880001", At: at("2026-03-01T23:59:00Z")}, Facts{Window: office}, OutsideWindow, "2026-03-02T00:00:00Z"},
		"Seoul, nine at night":    {Request{Number: "+82215880001", At: at("2026-03-02T12:00:00Z")}, Facts{Window: office}, OutsideWindow, "2026-03-03T00:00:00Z"},
		"New York, early":         {Request{Number: "+12125550123", At: at("2026-01-05T12:00:00Z")}, Facts{Window: office}, OutsideWindow, "2026-01-05T14:00:00Z"},
		"a zone that was named":   {Request{Number: "+12125550123", Zone: "Europe/London", At: at("2026-01-05T12:00:00Z")}, Facts{Window: office}, "", ""},
		"the night clocks change": {Request{Number: "+12125550123", At: at("2026-03-08T06:30:00Z")}, Facts{Window: office}, OutsideWindow, "2026-03-08T13:00:00Z"},
		"over midnight":           {Request{Number: "+82215880001", At: at("2026-03-01T15:30:00Z")}, Facts{Window: Window{From: 22 * 60, To: 6 * 60}}, "", ""},
		"they do not want it":     {Request{Number: "+82215880001", At: at("2026-03-02T00:00:00Z")}, Facts{Suppressed: true, Window: office}, Suppressed, ""},
		"not a number":            {Request{Number: "3001", At: at("2026-03-02T08:00:00Z")}, Facts{Window: office}, OutsideWindow, "2026-03-02T09:00:00Z"},
	} {
		d := Decide(row.r, row.f)
		until := ""
		if !d.NotBefore.IsZero() {
			until = d.NotBefore.UTC().Format(time.RFC3339)
		}
		if d.Reason != row.reason || until != row.until || d.Allowed() != (row.reason == "") {
			t.Errorf("%s: %+v", name, d)
		}
		if d.Reason == OutsideWindow {
			again := row.r
			again.At = d.NotBefore
			if !Decide(again, row.f).Allowed() {
				t.Errorf("%s: not at %s either", name, d.NotBefore)
			}
		}
	}
}

func TestANumberThatMayLieAnywhereIsCalledWhenItSuitsAll(t *testing.T) {
	d := Decide(Request{Number: "+18005550123", At: time.Date(2026, 1, 5, 14, 30, 0, 0, time.UTC)}, Facts{Window: Window{From: 9 * 60, To: 21 * 60}})
	if len(d.Zones) < 2 || d.Allowed() {
		t.Errorf("%+v", d)
	}
}

func TestAWindowIsAPartOfADay(t *testing.T) {
	for w, good := range map[Window]bool{
		{}: true, {540, 1260}: true, {1320, 360}: true, {0, 1440}: true, {540, 540}: false, {-1, 5}: false, {5, 1441}: false, {1440, 5}: false,
	} {
		if err := w.Validate(); (err == nil) != good {
			t.Errorf("%s: %v", w, err)
		}
	}
}
