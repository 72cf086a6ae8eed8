package phone

import "testing"

func TestR21NumbersAreClassifiedByWhatTheyCost(t *testing.T) {
	for _, tc := range []struct {
		number, region, country string
		want                    Type
	}{
		{"+821012345678", "KR", "KR", Ordinary},
		{"+82602345678", "KR", "KR", Premium},
		{"+19002530000", "KR", "US", Premium},
		{"+448001111111", "KR", "GB", TollFree},
		{"+33810123456", "KR", "FR", SharedCost},
		{"+447012345678", "KR", "GB", Personal},
		{"+979123456789", "KR", "", Global},
		{"+881612345678", "KR", "", Global},
		{"+88216123456", "KR", "", Global},
		{"+80012345678", "KR", "", TollFree},
		{"119", "KR", "KR", Emergency},
		{"112", "", "", Emergency},
		{"911", "US", "US", Emergency},
		{"2001", "KR", "KR", Short},
		{"15881234", "", "", Short},
	} {
		if got := Classify(tc.number, tc.region); got != (Class{tc.country, tc.want}) {
			t.Errorf("%s in %q: %+v, want %s %s", tc.number, tc.region, got, tc.country, tc.want)
		}
	}
}
