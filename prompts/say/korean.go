package say

import (
	"strings"
	"unicode/utf8"
)

// koreanDigit is a Sino-Korean digit; zero is 영.
func koreanDigit(n uint64) string {
	return [...]string{"영", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구"}[n]
}

// koreanSino counts in Sino-Korean numerals: groups of four digits, a space after each group's name.
func koreanSino(n uint64) string {
	if n == 0 {
		return "영"
	}
	names := [...]string{"", "만", "억", "조", "경"}
	var groups []string
	whole := n
	for i := 0; n > 0; i++ {
		if part := n % 10_000; part > 0 {
			words := koreanThousands(part) + names[i]
			if part == 1 && i == 1 && whole < 20_000 {
				words = names[i] // 만 이천, never 일만 이천; but 일억
			}
			groups = append([]string{words}, groups...)
		}
		n /= 10_000
	}
	return strings.Join(groups, " ")
}

// koreanThousands is n from 1 to 9,999, written together. A one before 천, 백 and 십 is not said.
func koreanThousands(n uint64) string {
	var b strings.Builder
	for _, place := range []struct {
		value uint64
		name  string
	}{{1000, "천"}, {100, "백"}, {10, "십"}, {1, ""}} {
		d := n / place.value % 10
		switch {
		case d == 0:
		case d == 1 && place.value > 1:
			b.WriteString(place.name)
		default:
			b.WriteString(koreanDigit(d) + place.name)
		}
	}
	return b.String()
}

// koreanNative counts in native numerals as they stand before a counter (한, 두, 세 ... 스무), from 1 to 99.
func koreanNative(n uint64) string {
	tens := [...]string{"", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔"}
	ones := [...]string{"", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉"}
	if n == 20 {
		return "스무"
	}
	return tens[n/10] + ones[n%10]
}

// koreanCount is how many of something that is counted with native numerals, as far as those go.
func koreanCount(n uint64) string {
	if n == 0 || n > 99 {
		return koreanSino(n)
	}
	return koreanNative(n)
}

// koreanOrdinal is a place in a row without 번째. From 100 on what is below a hundred stays native: 백두 번째.
func koreanOrdinal(n uint64) string {
	switch rest := n % 100; {
	case n == 1:
		return "첫"
	case n < 100 || rest == 0:
		return koreanCount(n)
	default:
		return koreanSino(n-rest) + koreanNative(rest)
	}
}

// and puts the particle for "and" behind a word: 와 after a vowel, 과 after a consonant.
func and(word string) string {
	last, _ := utf8.DecodeLastRuneInString(word)
	if last >= '가' && last <= '힣' && (last-'가')%28 == 0 { // no final consonant in the syllable
		return word + "와"
	}
	return word + "과"
}

// koreanMonth is the name of month 1 to 12; two of them lose a sound.
func koreanMonth(m int) string {
	switch m {
	case 6:
		return "유월"
	case 10:
		return "시월"
	}
	return koreanSino(uint64(m)) + "월"
}
