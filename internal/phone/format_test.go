package phone

import "testing"

func TestNumbersAreWrittenAsTheyAreDialled(t *testing.T) {
	for _, c := range []struct{ number, region, national, abroad string }{
		{"+821012345678", "KR", "01012345678", "00821012345678"},
		{"+82212345678", "KR", "0212345678", "0082212345678"},
		{"+493012345678", "DE", "03012345678", "00493012345678"},
		{"+493012345678", "KR", "", "00493012345678"},
		{"+12025550123", "US", "2025550123", "0012025550123"},
		{"+821012345678", "US", "", "011821012345678"},
		{"+821012345678", "JP", "", "010821012345678"},
		{"+821012345678", "AU", "", "0011821012345678"},
		{"+12025550123", "KR", "", "0012025550123"},
		{"+390612345678", "IT", "0612345678", "00390612345678"}, // the 0 belongs to the number
		{"+12025550123", "", "", "0012025550123"},
		{"2001", "KR", "", ""},
		{"", "KR", "", ""},
		{"+8210123456ab", "KR", "", ""},
	} {
		national, ok := National(c.number, c.region)
		if national != c.national || ok != (c.national != "") {
			t.Errorf("National(%q, %q) = %q, %v; want %q", c.number, c.region, national, ok, c.national)
		}
		if got, _ := Abroad(c.number, c.region); got != c.abroad {
			t.Errorf("Abroad(%q, %q) = %q, want %q", c.number, c.region, got, c.abroad)
		}
	}
}

func TestEmergencyNumbersOfRegions(t *testing.T) {
	for _, c := range []struct {
		number, region string
		want           bool
	}{
		{"112", "KR", true},
		{"119", "KR", true},
		{"911", "US", true},
		{"999", "GB", true},
		{"110", "DE", true},
		{"110", "JP", true},
		{"119", "JP", true},
		{"112", "", true},
		{"000", "AU", true},
		{"999", "KR", false},
		{"114", "KR", false},
		{"2001", "KR", false},
		{"+821012345678", "KR", false},
		{"", "KR", false},
		{"119", "", false},
		{"11x", "KR", false},
	} {
		if got := IsEmergency(c.number, c.region); got != c.want {
			t.Errorf("IsEmergency(%q, %q) = %v, want %v", c.number, c.region, got, c.want)
		}
	}
}
