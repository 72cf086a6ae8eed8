// Package phone gives telephone numbers one form. Carriers, phones and people write the same number in many ways; inside
// ullim a number is either E.164 with its plus ("+821012345678") or the digits of a short or private number ("2001").
// Everything that compares, stores or routes by number uses that form and nothing else.
//
// A national number needs the region (ISO 3166) whose dialling rules it follows: that of the trunk it came by, or of the
// instance. Numbers of two to seven digits are taken as internal in every region: a service or extension number has no
// E.164 form, and in the regions whose whole numbers are that short the digits can still be dialled as they are.
package phone

import (
	"errors"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"ullim/internal/errs"
)

// Bounds of a number in digits. E.164 has fifteen at most (ITU-T E.164 §6.2.1).
const (
	minInternal = 2
	maxShort    = 7
	maxDigits   = 15
	maxRaw      = 64 // characters of anything that may be meant as a number
)

// Normalize gives raw its one form. It accepts separators, full-width digits, tel: URIs, an international prefix (that of
// the region, or 00), and numbers with their country code but no plus. The error is errs.Invalid and names the field
// PhoneNumber, or Region when that is not one.
func Normalize(raw, region string) (string, error) {
	if region != "" && phonenumbers.GetCountryCodeForRegion(region) == 0 {
		return "", errs.Field("Region", "must be the two capital letters of a country (ISO 3166); got %q", region)
	}
	plus, digits, err := clean(raw)
	if err != nil {
		return "", errs.Field("PhoneNumber", "%v; got %q", err, cut(raw))
	}
	if plus {
		if n, ok := read("+"+digits, "", false); ok {
			return n, nil
		}
		return "", errs.Field("PhoneNumber", "must be a country code and a number of its length after the +; got %q", cut(raw))
	}
	if len(digits) <= maxShort {
		if len(digits) < minInternal {
			return "", errs.Field("PhoneNumber", "must have at least %d digits; got %q", minInternal, cut(raw))
		}
		return digits, nil
	}
	if n, ok := international(digits, region); ok {
		return n, nil
	}
	if region == "" && len(digits) <= maxDigits {
		return digits, nil
	}
	return "", errs.Field("PhoneNumber", "is not a number as dialled in %q; got %q", region, cut(raw))
}

// international reads digits without a plus. Readings are tried from the surest to the loosest, because prefixes overlap:
// 008 starts an international call in Korea, and 0082 is how half the world writes Korea's country code.
func international(digits, region string) (string, bool) {
	abroad, has00 := strings.CutPrefix(digits, "00")
	for _, valid := range []bool{true, false} {
		if region != "" {
			if n, ok := read(digits, region, valid); ok {
				return n, true
			}
		}
		if has00 {
			if n, ok := read("+"+abroad, "", valid); ok {
				return n, true
			}
		}
		if valid && region != "" && digits[0] != '0' { // a carrier that leaves the plus away
			if n, ok := read("+"+digits, "", valid); ok {
				return n, true
			}
		}
	}
	return "", false
}

// read gives the E.164 form of a number that is valid (assigned), or at least possible (of the right length).
func read(number, region string, valid bool) (string, bool) {
	n, err := phonenumbers.Parse(number, region)
	if err != nil {
		return "", false
	}
	if valid && !phonenumbers.IsValidNumber(n) {
		return "", false
	}
	if phonenumbers.IsPossibleNumberWithReason(n) != phonenumbers.IS_POSSIBLE {
		return "", false
	}
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	if len(e164) < 2 || len(e164) > 1+maxDigits {
		return "", false
	}
	// A reading whose own form reads differently (a trunk prefix left inside) is a misreading.
	if again, err := phonenumbers.Parse(e164, ""); err != nil || phonenumbers.Format(again, phonenumbers.E164) != e164 {
		return "", false
	}
	return e164, true
}

// Country is the region (ISO 3166) of an E.164 number, or "" if it has none: an internal number, or a service of no
// country as +800.
func Country(e164 string) string {
	if !strings.HasPrefix(e164, "+") {
		return ""
	}
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return ""
	}
	region := phonenumbers.GetRegionCodeForNumber(n)
	if region == "" { // not an assigned number, but its country code says enough
		region = phonenumbers.GetRegionCodeForCountryCode(int(n.GetCountryCode()))
	}
	if region == "001" || region == "ZZ" {
		return ""
	}
	return region
}

// clean takes the digits out of raw, and whether a plus stood before them. Letters are an error and not keypad digits: a
// SIP user named "flowers" is not a telephone number.
func clean(raw string) (plus bool, digits string, err error) {
	if len(raw) > 4*maxRaw {
		return false, "", errors.New("must be a telephone number")
	}
	s := telURI(strings.TrimSpace(raw))
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r >= '０' && r <= '９': // full width, as East Asian input methods write
			b.WriteRune(r - '０' + '0')
		case r == '+' || r == '＋':
			if plus || b.Len() > 0 {
				return false, "", errors.New("must have a + only at its beginning")
			}
			plus = true
		case !strings.ContainsRune(" -.()/\u00a0\u2010\u2011\u2012\u2013\u2014\u2212\u3000－", r):
			return false, "", errors.New("must hold digits, an optional + and separators only")
		}
	}
	if b.Len() == 0 || b.Len() > maxRaw {
		return false, "", errors.New("must be a telephone number")
	}
	return plus, b.String(), nil
}

// telURI takes the number out of a tel: URI and completes a local one by its context. RFC 3966 §5.1.5.
func telURI(s string) string {
	if len(s) < 4 || !strings.EqualFold(s[:4], "tel:") {
		return s
	}
	number, params, _ := strings.Cut(s[4:], ";")
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(name, "phone-context") && strings.HasPrefix(value, "+") && !strings.HasPrefix(number, "+") {
			return value + number
		}
	}
	return number
}

// cut keeps an error message short whatever was sent.
func cut(s string) string {
	if r := []rune(s); len(r) > maxRaw {
		return string(r[:maxRaw]) + "…"
	}
	return s
}
