package say

import "strings"

// currency is how one is named.
type currency struct {
	one, many           string // English
	cent, cents         string // of a hundredth; empty: there is none
	korean, koreanCents string
}

func currencyOf(code string) (currency, bool) {
	switch strings.ToUpper(code) {
	case "KRW", "₩", "￦", "원", "WON":
		return currency{"won", "won", "", "", "원", ""}, true
	case "USD", "$", "US$", "달러":
		return currency{"dollar", "dollars", "cent", "cents", "달러", "센트"}, true
	case "JPY", "¥", "￥", "円", "엔":
		return currency{"yen", "yen", "", "", "엔", ""}, true
	case "EUR", "€", "유로":
		return currency{"euro", "euros", "cent", "cents", "유로", "센트"}, true
	case "GBP", "£", "파운드":
		return currency{"pound", "pounds", "penny", "pence", "파운드", "펜스"}, true
	case "CNY", "RMB", "위안":
		return currency{"yuan", "yuan", "", "", "위안", ""}, true
	}
	return currency{}, false
}

// Money says an amount with its currency by ISO 4217 code or sign: Money(l, "12.50", "USD"). Nothing is rounded: more digits
// than the currency has cents are said as a decimal. False if one of them is not known.
func Money(l Language, amount, code string) (string, bool) {
	d, ok := parseDecimal(amount)
	c, known := currencyOf(code)
	if !ok || !known {
		return "", false
	}
	minus := d.minus
	d.minus = false
	fraction := strings.TrimRight(d.fraction, "0")
	cents, hundredths := uint64(0), len(fraction) <= 2 && c.cents != ""
	if hundredths {
		for _, r := range (fraction + "00")[:2] {
			cents = cents*10 + uint64(r-'0')
		}
	}
	whole := decimal{whole: d.whole}
	if !hundredths {
		whole.fraction = fraction
	}
	var parts []string
	if l == Korean {
		if d.whole > 0 || cents == 0 {
			parts = append(parts, whole.words(l)+" "+c.korean)
		}
		if cents > 0 {
			parts = append(parts, koreanSino(cents)+" "+c.koreanCents)
		}
		return signed(minus, "마이너스 ", strings.Join(parts, " ")), true
	}
	if d.whole > 0 || cents == 0 {
		name := plural(d.whole, c.one, c.many)
		if whole.fraction != "" {
			name = c.many
		}
		parts = append(parts, whole.words(l)+" "+name)
	}
	if cents > 0 {
		parts = append(parts, englishCardinal(cents)+" "+plural(cents, c.cent, c.cents))
	}
	return signed(minus, "minus ", strings.Join(parts, " and ")), true
}

// MoneyOf reads an amount as it is written, with the currency before or behind it: "$12.50", "USD 12.50", "12,300원", "-£3".
func MoneyOf(l Language, text string) (string, bool) {
	text = strings.TrimSpace(text)
	minus := ""
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		minus, text = "-", strings.TrimSpace(rest)
	}
	isAmount := func(r rune) bool { return r >= '0' && r <= '9' || r == '.' || r == ',' || r == '-' }
	first := strings.IndexFunc(text, isAmount)
	if first < 0 {
		return "", false
	}
	last := strings.LastIndexFunc(text, isAmount)
	head, amount, tail := strings.TrimSpace(text[:first]), text[first:last+1], strings.TrimSpace(text[last+1:])
	if (head == "") == (tail == "") {
		return "", false
	}
	return Money(l, minus+amount, head+tail)
}
