package say

import "strings"

// englishUnits are the numbers that have words of their own.
func englishUnits(n int64) string {
	return [...]string{
		"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
		"fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
	}[n]
}

func englishTens(n int64) string {
	return [...]string{"", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"}[n]
}

// englishCardinal is n from zero upwards.
func englishCardinal(n uint64) string {
	if n < 1000 {
		return englishHundreds(int64(n))
	}
	names := [...]string{"", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion"}
	var words []string
	for i := 0; n > 0; i++ {
		if part := n % 1000; part > 0 {
			words = append([]string{strings.TrimSpace(englishHundreds(int64(part)) + " " + names[i])}, words...)
		}
		n /= 1000
	}
	return strings.Join(words, " ")
}

// englishHundreds is n from 0 to 999.
func englishHundreds(n int64) string {
	switch {
	case n < 20:
		return englishUnits(n)
	case n < 100 && n%10 == 0:
		return englishTens(n / 10)
	case n < 100:
		return englishTens(n/10) + "-" + englishUnits(n%10)
	case n%100 == 0:
		return englishUnits(n/100) + " hundred"
	}
	return englishUnits(n/100) + " hundred " + englishHundreds(n%100)
}

// englishOrdinal puts the last word of a cardinal into its ordinal form.
func englishOrdinal(n uint64) string {
	words := englishCardinal(n)
	at := strings.LastIndexAny(words, " -") + 1
	head, last := words[:at], words[at:]
	switch last {
	case "one":
		last = "first"
	case "two":
		last = "second"
	case "three":
		last = "third"
	case "five":
		last = "fifth"
	case "eight":
		last = "eighth"
	case "nine":
		last = "ninth"
	case "twelve":
		last = "twelfth"
	default:
		if stem, ok := strings.CutSuffix(last, "y"); ok {
			last = stem + "ieth"
		} else {
			last += "th"
		}
	}
	return head + last
}

// englishYear is a year as people say it: in two halves, but for the first years of a millennium.
func englishYear(y int) string {
	high, low := int64(y/100), int64(y%100)
	switch {
	case y < 0 || y > 9999 || y < 1000, y%1000 < 10:
		return englishCardinal(uint64(max(y, 0)))
	case low == 0:
		return englishHundreds(high) + " hundred"
	case low < 10:
		return englishHundreds(high) + " oh " + englishUnits(low)
	}
	return englishHundreds(high) + " " + englishHundreds(low)
}

// englishMonth is the name of month 1 to 12.
func englishMonth(m int) string {
	return [...]string{
		"", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
	}[m]
}

// plural is one thing, or several of them.
func plural(n uint64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// list joins parts as a sentence does.
func list(parts []string) string {
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return parts[0]
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
