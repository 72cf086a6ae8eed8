package say

import (
	"strings"
	"unicode"
)

// Digits says each digit by itself: "one two", "일이". What stands between groups of them (space, hyphen, dot, bracket) is a
// short pause. False if there is anything else, or no digit.
func Digits(l Language, text string) (string, bool) { return digits(l, text, l == Korean) }

// Telephone says a telephone number: digits in the groups in which they are written; in one piece, in groups as the
// language has them. "+", "*", "#" and an extension ("x12", "ext. 12") have words. False if it is no number.
func Telephone(l Language, text string) (string, bool) {
	text = strings.TrimSpace(text)
	main, extension := cutExtension(text)
	if strings.Trim(main, "0123456789+") == "" {
		main = group(l, main)
	}
	words, ok := digits(l, main, true)
	if !ok {
		return "", false
	}
	if extension != "" {
		more, ok := digits(l, extension, true)
		if !ok {
			return "", false
		}
		words += map[Language]string{English: ", extension ", Korean: ", 내선 "}[l] + more
	}
	return words, true
}

// Characters spells: letters by name, digits one by one, what else is on a keyboard by its word.
func Characters(l Language, text string) string {
	var words []string
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			words = append(words, eachDigit(l, string(r), l == Korean)...)
		case unicode.IsSpace(r):
		default:
			if name := symbol(l, r); name != "" {
				words = append(words, name)
			} else {
				words = append(words, string(unicode.ToUpper(r)))
			}
		}
	}
	return strings.Join(words, ", ")
}

// digits says groups of digits. oh says that Korean zeros are 공.
func digits(l Language, text string, oh bool) (string, bool) {
	var groups, words []string
	flush := func() {
		if len(words) > 0 {
			glue := " "
			if l == Korean {
				glue = ""
			}
			groups, words = append(groups, strings.Join(words, glue)), nil
		}
	}
	any := false
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			any = true
			words = append(words, eachDigit(l, string(r), oh)...)
		case strings.ContainsRune(" -.()/\u2010\u2011\u2012\u2013\u00a0,", r):
			flush()
		case strings.ContainsRune("+*#", r):
			flush()
			words = append(words, symbol(l, r))
			if l == Korean {
				words = append(words, " ")
			}
		default:
			return "", false
		}
	}
	flush()
	return strings.TrimSpace(strings.Join(groups, ", ")), any
}

func eachDigit(l Language, text string, oh bool) []string {
	words := make([]string, 0, len(text))
	for _, r := range text {
		switch {
		case l == English:
			words = append(words, englishUnits(int64(r-'0')))
		case r == '0' && oh:
			words = append(words, "공")
		default:
			words = append(words, koreanDigit(uint64(r-'0')))
		}
	}
	return words
}

// symbol is the name of a character that is no letter; empty: it has none.
func symbol(l Language, r rune) string {
	names := map[rune][2]string{
		'+': {"plus", "플러스"}, '*': {"star", "별표"}, '#': {"pound", "우물정자"}, '-': {"dash", "하이픈"}, '_': {"underscore", "밑줄"},
		'.': {"dot", "점"}, '@': {"at", "골뱅이"}, '/': {"slash", "슬래시"}, ':': {"colon", "콜론"}, ',': {"comma", "쉼표"},
		'&': {"and", "앤드"}, '%': {"percent", "퍼센트"}, '=': {"equals", "이퀄"}, '?': {"question mark", "물음표"}, '!': {"exclamation mark", "느낌표"},
		'\'': {"apostrophe", "작은따옴표"}, '"': {"quote", "따옴표"}, '(': {"open bracket", "여는 괄호"}, ')': {"close bracket", "닫는 괄호"},
	}
	return names[r][l]
}

// cutExtension splits off what stands behind "x", "ext" or "ext.".
func cutExtension(text string) (main, extension string) {
	for _, mark := range []string{"extension", "ext.", "ext", "x", "내선"} {
		for i := 1; i+len(mark) <= len(text); i++ {
			if strings.EqualFold(text[i:i+len(mark)], mark) {
				return strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+len(mark):])
			}
		}
	}
	return text, ""
}

// group cuts a number in one piece into the groups that are spoken: from behind four, and then as the language has it.
func group(l Language, number string) string {
	digits := strings.TrimPrefix(number, "+")
	international := len(digits) < len(number)
	switch {
	case strings.Contains(digits, "+") || digits == "":
		return number
	case international && strings.HasPrefix(digits, "82") && len(digits) >= 10:
		rest := koreanGroups("0" + digits[2:])
		if l == Korean {
			return rest // at home nobody says the code of the country
		}
		return "+82 " + strings.TrimPrefix(rest, "0")
	case international && strings.HasPrefix(digits, "1") && len(digits) == 11:
		return "+1 " + digits[1:4] + " " + digits[4:7] + " " + digits[7:]
	case international:
		return "+" + threes(digits)
	case digits[0] == '0' && len(digits) >= 9 && len(digits) <= 12, len(digits) == 8:
		return koreanGroups(digits)
	case len(digits) == 10:
		return digits[:3] + " " + digits[3:6] + " " + digits[6:]
	case len(digits) == 11 && digits[0] == '1':
		return "1 " + digits[1:4] + " " + digits[4:7] + " " + digits[7:]
	case len(digits) <= 4:
		return number
	}
	return threes(digits)
}

// koreanGroups writes 01012345678 as 010 1234 5678, 0212345678 as 02 1234 5678 and 15881234 as 1588 1234.
func koreanGroups(d string) string {
	if len(d) <= 8 {
		return d[:len(d)-4] + " " + d[len(d)-4:]
	}
	area := 3
	switch {
	case strings.HasPrefix(d, "02"):
		area = 2
	case strings.HasPrefix(d, "050") && len(d) == 12:
		area = 4
	}
	return d[:area] + " " + d[area:len(d)-4] + " " + d[len(d)-4:]
}

// threes cuts into threes from the front; the last group has three to five digits.
func threes(d string) string {
	var groups []string
	for len(d) > 5 {
		groups, d = append(groups, d[:3]), d[3:]
	}
	return strings.Join(append(groups, d), " ")
}
