package ssml

import (
	"strconv"
	"strings"
	"time"

	"ullim/prompts/say"
)

// sayAs turns what a say-as holds into words, if this house speaks the language; else the provider may try.
func (w *walker) sayAs(n *node, s state) {
	text := strings.TrimSpace(flat(n))
	as, format := strings.ToLower(strings.TrimSpace(n.attr["interpret-as"])), n.attr["format"]
	if as == "expletive" {
		w.pause(500*time.Millisecond, false)
		return
	}
	l, known := say.For(s.Language)
	if ours := strings.HasPrefix(as, "ullim:"); !known && !ours {
		w.say(Run{Text: text, Emphasis: s.emphasis, As: as, Format: format}, s)
		return
	}
	words, ok := interpret(l, as, format, text)
	if !ok {
		words = text
	}
	w.say(Run{Text: words, Emphasis: s.emphasis}, s)
}

// interpret is the words of a value; false if it is not one of that kind.
func interpret(l say.Language, as, format, text string) (string, bool) {
	switch as {
	case "characters", "spell-out":
		return say.Characters(l, text), true
	case "cardinal", "number":
		return say.Number(l, text)
	case "ordinal":
		return say.OrdinalOf(l, text)
	case "digits":
		return say.Digits(l, text)
	case "fraction":
		return say.Fraction(l, text)
	case "unit":
		return say.Measure(l, text)
	case "date":
		return say.DateOf(l, text, format)
	case "time", "duration":
		return say.TimeOf(l, text)
	case "telephone":
		return say.Telephone(l, text)
	case "currency":
		return say.MoneyOf(l, text)
	case "ullim:queue-position", "ullim:people-waiting", "ullim:estimated-wait", "ullim:duration", "ullim:people":
		f, err := strconv.ParseInt(text, 10, 64)
		if err != nil || f < 0 || f > 10_000_000 {
			return "", false
		}
		return announce(l, as, f), true
	}
	return "", false
}

// announce is a sentence of the queue's, or a part of one.
func announce(l say.Language, as string, n int64) string {
	switch as {
	case "ullim:queue-position":
		return say.Position(l, n)
	case "ullim:people-waiting":
		return say.Waiting(l, n)
	case "ullim:estimated-wait":
		return say.Wait(l, time.Duration(n)*time.Second)
	case "ullim:people":
		return say.People(l, n)
	}
	return say.Duration(l, time.Duration(n)*time.Second)
}
