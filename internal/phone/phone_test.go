package phone

import (
	"errors"
	"strings"
	"testing"

	"ullim/internal/errs"
)

func TestNumbersTakeOneForm(t *testing.T) {
	for _, c := range []struct{ raw, region, want string }{
		// Korea.
		{"010-1234-5678", "KR", "+821012345678"},
		{"02-312-3456", "KR", "+8223123456"},
		{"(02) 2123 4567", "KR", "+82221234567"},
		{"031.123.4567", "KR", "+82311234567"},
		{"070-7123-4567", "KR", "+827071234567"},
		{"0507-1234-5678", "KR", "+8250712345678"},
		{"1588-1234", "KR", "+8215881234"},
		{"080-123-4567", "KR", "+82801234567"},
		{"821012345678", "KR", "+821012345678"},
		{"+82 10 1234 5678", "", "+821012345678"},
		{"+82 (0)10-1234-5678", "US", "+821012345678"},
		{"００１ 44 20 7946 0958", "KR", "+442079460958"}, // Korea's own international prefix
		{"00821012345678", "KR", "+821012345678"},      // 008 is one too, 0082 is meant
		{"00442079460958", "KR", "+442079460958"},
		{"442079460958", "KR", "+442079460958"}, // a carrier without plus
		{"０１０－１２３４－５６７８", "KR", "+821012345678"},
		{"tel:+82-10-1234-5678", "", "+821012345678"},
		{"TEL:010-1234-5678;ext=5", "KR", "+821012345678"},
		{"114", "KR", "114"},
		// United States.
		{"(415) 555-0100", "US", "+14155550100"},
		{"1-415-555-0100", "US", "+14155550100"},
		{"011 82 10 1234 5678", "US", "+821012345678"},
		{"+1 800 555 0199", "KR", "+18005550199"},
		{"tel:863-1234;phone-context=+1-914", "", "+19148631234"},
		{"555-1234", "US", "5551234"}, // seven digits stay internal
		{"911", "US", "911"},
		// United Kingdom.
		{"020 7946 0958", "GB", "+442079460958"},
		{"07700 900123", "GB", "+447700900123"},
		{"0044 20 7946 0958", "GB", "+442079460958"},
		{"999", "GB", "999"},
		// Japan.
		{"03-1234-5678", "JP", "+81312345678"},
		{"090-1234-5678", "JP", "+819012345678"},
		{"0120-123-456", "JP", "+81120123456"},
		{"010 1 415 555 0100", "JP", "+14155550100"},
		// Italy keeps its zero.
		{"06 1234 5678", "IT", "+390612345678"},
		// Without a region.
		{"2001", "", "2001"},
		{"10", "", "10"},
		{"01012345678", "", "01012345678"},
		{"00442079460958", "", "+442079460958"},
		{"tel:2001;phone-context=example.com", "", "2001"},
	} {
		got, err := Normalize(c.raw, c.region)
		if err != nil || got != c.want {
			t.Errorf("%q in %q: got %q, %v; want %q", c.raw, c.region, got, err, c.want)
			continue
		}
		if again, err := Normalize(got, c.region); err != nil || again != got {
			t.Errorf("%q in %q: a second time gives %q, %v", got, c.region, again, err)
		}
	}
}

func TestWhatIsNoNumberIsRefused(t *testing.T) {
	for _, c := range []struct{ raw, region, field string }{
		{"", "KR", "PhoneNumber"},
		{"   ", "", "PhoneNumber"},
		{"+", "", "PhoneNumber"},
		{"5", "KR", "PhoneNumber"},
		{"anonymous", "KR", "PhoneNumber"},
		{"1-800-FLOWERS", "US", "PhoneNumber"},
		{"+1234567890123456", "", "PhoneNumber"},
		{"+99912345678", "", "PhoneNumber"},
		{"+82 10", "", "PhoneNumber"},
		{"++821012345678", "", "PhoneNumber"},
		{"82+1012345678", "", "PhoneNumber"},
		{"010-1234-5678-9999-99", "KR", "PhoneNumber"},
		{"1234567890123456", "", "PhoneNumber"},
		{"010 1234 5678 ext 5", "KR", "PhoneNumber"},
		{"sip:2001@h", "", "PhoneNumber"},
		{"tel:", "", "PhoneNumber"},
		{strings.Repeat("1", 1000), "", "PhoneNumber"},
		{"2001", "kr", "Region"},
		{"2001", "XX", "Region"},
		{"2001", "001", "Region"},
	} {
		got, err := Normalize(c.raw, c.region)
		e, ok := errors.AsType[*errs.Error](err)
		if !ok || e.Kind != errs.Invalid || e.Field != c.field {
			t.Errorf("%q in %q: got %q, %v; want Invalid %s", c.raw, c.region, got, err, c.field)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("the error is %d bytes long", len(err.Error()))
		}
	}
}

func TestCountry(t *testing.T) {
	for number, want := range map[string]string{
		"+821012345678": "KR", "+8215881234": "KR", "+14155550100": "US", "+16135550100": "CA", "+442079460958": "GB",
		"+819012345678": "JP", "+80012345678": "", "+8299999999999": "KR", "2001": "", "": "", "+": "", "+999123": "",
	} {
		if got := Country(number); got != want {
			t.Errorf("Country(%q) = %q, want %q", number, got, want)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"010-1234-5678", "+82 10", "tel:1;phone-context=+1", "００", "0044207946", "1588-1234"} {
		for _, r := range []string{"", "KR", "US"} {
			f.Add(s, r)
		}
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		got, err := Normalize(raw, region)
		if err != nil {
			if errs.KindOf(err) != errs.Invalid {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		digits, plus := strings.CutPrefix(got, "+")
		if len(digits) < 2 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
			t.Fatalf("%q in %q gave %q", raw, region, got)
		}
		if again, err := Normalize(got, region); plus && (err != nil || again != got) {
			t.Fatalf("%q is not stable: %q %v", got, again, err)
		}
		Country(got)
	})
}
