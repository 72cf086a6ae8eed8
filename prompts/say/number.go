package say

import "strings"

// Cardinal is a whole number: "forty-two", "사십이".
func Cardinal(l Language, n int64) string {
	minus, size := magnitude(n)
	if l == Korean {
		return signed(minus, "마이너스 ", koreanSino(size))
	}
	return signed(minus, "minus ", englishCardinal(size))
}

// Ordinal is a place in a row: "third", "세 번째". There is none before the first: 0 and less are cardinals.
func Ordinal(l Language, n int64) string {
	switch {
	case n <= 0:
		return Cardinal(l, n)
	case l == Korean:
		return koreanOrdinal(uint64(n)) + " 번째"
	}
	return englishOrdinal(uint64(n))
}

// People is how many people: "three people", "세 명".
func People(l Language, n int64) string {
	_, size := magnitude(max(n, 0))
	if l == Korean {
		return koreanCount(size) + " 명"
	}
	return englishCardinal(size) + " " + plural(size, "person", "people")
}

// Number is a number as it is written, with thousands separators and a decimal point if need be: "1,234.50". False if
// it is none, or longer than numbers have names.
func Number(l Language, text string) (string, bool) {
	d, ok := parseDecimal(text)
	if !ok {
		return "", false
	}
	return d.words(l), true
}

// OrdinalOf is Ordinal of a number as it is written.
func OrdinalOf(l Language, text string) (string, bool) {
	d, ok := parseDecimal(text)
	if !ok || d.minus || d.fraction != "" {
		return "", false
	}
	return Ordinal(l, int64(d.whole)), true
}

// Fraction is a fraction as it is written: "3/4", "2 1/2", "2+1/2". False if it is none.
func Fraction(l Language, text string) (string, bool) {
	text = strings.TrimSpace(text)
	whole, rest, mixed := strings.Cut(text, "+")
	if !mixed {
		if whole, rest, mixed = strings.Cut(text, " "); !mixed {
			rest = text
		}
	}
	over, under, ok := strings.Cut(rest, "/")
	n, nok := parseDecimal(over)
	d, dok := parseDecimal(under)
	if !ok || !nok || !dok || n.fraction != "" || d.fraction != "" || n.minus || d.minus || d.whole == 0 {
		return "", false
	}
	words := fraction(l, n.whole, d.whole)
	if !mixed {
		return words, true
	}
	w, ok := parseDecimal(whole)
	if !ok || w.fraction != "" {
		return "", false
	}
	if l == Korean {
		return and(w.words(l)) + " " + words, true
	}
	return w.words(l) + " and " + words, true
}

func fraction(l Language, n, d uint64) string {
	if l == Korean {
		return koreanSino(d) + "분의 " + koreanSino(n)
	}
	switch {
	case d == 2:
		return englishCardinal(n) + " " + plural(n, "half", "halves")
	case d == 4:
		return englishCardinal(n) + " " + plural(n, "quarter", "quarters")
	case d == 1 || d > 100:
		return englishCardinal(n) + " over " + englishCardinal(d)
	}
	return englishCardinal(n) + " " + englishOrdinal(d) + plural(n, "", "s")
}

// decimal is a number as people write it, exactly.
type decimal struct {
	minus    bool
	whole    uint64
	fraction string // digits after the point
}

// maxWhole is what both languages have names for and an int64 holds.
const maxWhole = 999_999_999_999_999_999

// parseDecimal reads digits with an optional sign, commas between thousands and one point.
func parseDecimal(text string) (decimal, bool) {
	var d decimal
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "-"), strings.HasPrefix(text, "\u2212"):
		d.minus, text = true, strings.TrimPrefix(strings.TrimPrefix(text, "-"), "\u2212")
	default:
		text = strings.TrimPrefix(text, "+")
	}
	whole, fraction, pointed := strings.Cut(text, ".")
	if whole == "" && (!pointed || fraction == "") || len(whole) > 30 || len(fraction) > 18 || !grouped(whole) {
		return d, false
	}
	for _, r := range strings.ReplaceAll(whole, ",", "") {
		if r < '0' || r > '9' || d.whole > maxWhole/10 {
			return d, false
		}
		d.whole = d.whole*10 + uint64(r-'0')
	}
	if strings.Trim(fraction, "0123456789") != "" {
		return d, false
	}
	d.fraction = fraction
	return d, true
}

// grouped reports whether commas, if there are any, stand between groups of three.
func grouped(whole string) bool {
	groups := strings.Split(whole, ",")
	for i, g := range groups {
		if i > 0 && len(g) != 3 || i == 0 && len(groups) > 1 && (len(g) < 1 || len(g) > 3) {
			return false
		}
	}
	return true
}

// words is the number with the digits after the point one by one.
func (d decimal) words(l Language) string {
	var words string
	switch {
	case l == Korean && d.fraction == "":
		words = koreanSino(d.whole)
	case l == Korean:
		words = koreanSino(d.whole) + " 점 " + strings.Join(eachDigit(l, d.fraction, false), "")
	case d.fraction == "":
		words = englishCardinal(d.whole)
	default:
		words = englishCardinal(d.whole) + " point " + strings.Join(eachDigit(l, d.fraction, false), " ")
	}
	if l == Korean {
		return signed(d.minus, "마이너스 ", words)
	}
	return signed(d.minus, "minus ", words)
}

func magnitude(n int64) (minus bool, size uint64) {
	if n < 0 {
		return true, uint64(-(n + 1)) + 1 // the least int64 has no opposite
	}
	return false, uint64(n)
}

func signed(minus bool, word, rest string) string {
	if minus {
		return word + rest
	}
	return rest
}
