package phone

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// National is an E.164 number as it is dialled inside its region, with the national prefix: "01012345678" for
// "+821012345678" in KR. ok is false for a number of another region, and for what is not E.164.
func National(e164, region string) (digits string, ok bool) {
	n, ok := parsed(e164)
	if !ok || region == "" || int(n.GetCountryCode()) != phonenumbers.GetCountryCodeForRegion(region) {
		return "", false
	}
	digits = onlyDigits(phonenumbers.Format(n, phonenumbers.NATIONAL))
	return digits, digits != ""
}

// Abroad is an E.164 number as it is dialled from another region, with that region's international prefix:
// "00821012345678" from DE, "011821012345678" from US. A region with several prefixes, none preferred, uses 00.
func Abroad(e164, region string) (digits string, ok bool) {
	n, ok := parsed(e164)
	if !ok {
		return "", false
	}
	if region != "" && phonenumbers.GetCountryCodeForRegion(region) != int(n.GetCountryCode()) {
		s := phonenumbers.FormatOutOfCountryCallingNumber(n, region)
		prefix, ends := strings.CutSuffix(onlyDigits(s), e164[1:])
		if ends && len(prefix) >= 2 && len(prefix) <= 5 { // a longer one is a pattern, not a prefix
			return prefix + e164[1:], true
		}
	}
	return "00" + e164[1:], true
}

// IsEmergency reports whether a number as dialled in a region reaches its emergency services: 112 and 119 in KR, 911 in US.
// 112 and 911 are taken as such everywhere: phones from abroad dial them (3GPP TS 22.101 §10.1).
func IsEmergency(number, region string) bool {
	if number == "112" || number == "911" {
		return true
	}
	if len(number) < 3 || len(number) > 6 || strings.Trim(number, "0123456789") != "" || region == "" {
		return false
	}
	return phonenumbers.IsEmergencyNumber(number, region)
}

func parsed(e164 string) (*phonenumbers.PhoneNumber, bool) {
	if len(e164) < 2 || e164[0] != '+' || strings.Trim(e164[1:], "0123456789") != "" {
		return nil, false
	}
	n, err := phonenumbers.Parse(e164, "")
	return n, err == nil
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}
