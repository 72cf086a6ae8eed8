// Package say turns what machines write into what people say, in English and Korean: numbers, ordinals, digits, telephone
// numbers, dates, times, money, durations, and the announcements of a queue. It gives words, never digits, so that every
// voice says the same and none has to guess. It is pure: no clock, no time zone, no I/O.
//
//	english.go, korean.go    how each language counts and names
//	number.go                cardinals, ordinals, decimals, fractions
//	digits.go                digits, characters, telephone numbers
//	clock.go                 dates and times, and the formats in which they are written (A W3C note's: mdy, hms12 ...)
//	money.go, measure.go     amounts with a currency, values with a unit
//	queue.go                 position, waiting, time
//
// Korean has two ways to count. Hours, people and places in a row are counted with native numerals (세 시, 세 명, 세 번째),
// everything else with Sino-Korean ones (삼십 분, 삼 층, 삼천 원); above 99 native numerals end and Sino-Korean ones begin.
// Telephone digits have 공 for zero (공일공), amounts have 영.
//
// A Language other than English and Korean is not guessed at: For says that it is not known, and who asks lets the
// provider of speech do what it can.
package say

import "strings"

// Language is one that this package speaks.
type Language int

// The languages.
const (
	English Language = iota
	Korean
)

// For is the language of a BCP 47 tag; false if this package does not speak it.
func For(tag string) (Language, bool) {
	base, _, _ := strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	switch strings.ToLower(base) {
	case "en":
		return English, true
	case "ko":
		return Korean, true
	}
	return English, false
}
