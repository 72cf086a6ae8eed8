package phone

import (
	"strconv"
	"testing"
)

func TestCacheSaysWhatNormalizeSays(t *testing.T) {
	var c Cache
	for range 2 {
		for _, raw := range []string{"010-1234-5678", "+82 10 1234 5678", "2001", "", "no number", "+1"} {
			want, werr := Normalize(raw, "KR")
			got, err := c.Normalize(raw, "KR")
			if got != want || (err == nil) != (werr == nil) {
				t.Errorf("%q: %q, %v; want %q, %v", raw, got, err, want, werr)
			}
		}
	}
	if got, _ := c.Normalize("020 7946 0018", "GB"); got != "+442079460018" {
		t.Errorf("another region: %q", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c Cache
	for i := range 5 * cached {
		if _, err := c.Normalize(strconv.Itoa(1000+i%9000), ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.new) + len(c.old); n > 2*cached {
		t.Errorf("%d answers are kept", n)
	}
}
