package ssml

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sizes of what is spoken in one go, in characters. Short texts stay whole: a voice knows best how its sentences follow each
// other. Of a long one the first sentence comes alone, so that it is heard soon.
const (
	wholeUpTo   = 140
	pieceOf     = 160
	longestRun  = 320
	leastOfOnce = 12
)

// Split cuts long parts between sentences, with a pause where a voice would have made one.
func Split(parts []Part) []Part {
	var out []Part
	for _, p := range parts {
		if size(p.Runs) <= wholeUpTo {
			out = append(out, p)
			continue
		}
		for i, runs := range pieces(p.Runs) {
			if i > 0 {
				out = append(out, Part{Pause: betweenSentences, structural: true})
			}
			out = append(out, Part{Voicing: p.Voicing, Runs: runs})
		}
	}
	return out
}

func size(runs []Run) int {
	n := 0
	for _, r := range runs {
		n += utf8.RuneCountInString(r.Text)
	}
	return n
}

// pieces groups sentences: the first by itself unless it is a mere word, the others up to pieceOf.
func pieces(runs []Run) [][]Run {
	var out [][]Run
	var now []Run
	least := leastOfOnce
	cut := func() {
		if now = squeeze(now); len(now) > 0 {
			out = append(out, now)
		}
		now, least = nil, pieceOf
	}
	for _, r := range runs {
		if !r.plain() {
			now = append(now, r)
			continue
		}
		for _, sentence := range Sentences(r.Text) {
			if n := size(now); n >= leastOfOnce && n+utf8.RuneCountInString(sentence) > 2*pieceOf {
				cut()
			}
			if n := len(now); n > 0 && now[n-1].plain() {
				now[n-1].Text += sentence
			} else {
				now = append(now, Run{Text: sentence})
			}
			if size(now) >= least && ends(sentence) {
				cut()
			}
		}
	}
	cut()
	return out
}

// ends reports whether a piece may be followed by a pause.
func ends(sentence string) bool {
	s := strings.TrimRight(sentence, " \"'”’)」』")
	last, _ := utf8.DecodeLastRuneInString(s)
	return strings.ContainsRune(".!?。！？…,;:、，", last)
}

// Sentences cuts text behind the end of each sentence; one that goes on for ever is cut at a comma or a space. Nothing is
// lost: the pieces together are the text.
func Sentences(text string) []string {
	var out []string
	for start := 0; start < len(text); {
		end := sentenceEnd(text[start:])
		out = append(out, shorten(text[start:start+end])...)
		start += end
	}
	return out
}

// sentenceEnd is where the first sentence is over, with the space behind it.
func sentenceEnd(text string) int {
	for i, r := range text {
		if !strings.ContainsRune(".!?。！？…", r) {
			continue
		}
		j := i + utf8.RuneLen(r)
		for j < len(text) {
			next, n := utf8.DecodeRuneInString(text[j:])
			if !strings.ContainsRune(".!?。！？…\"'”’)」』", next) {
				break
			}
			j += n
		}
		rest := strings.TrimLeft(text[j:], " ")
		full := strings.ContainsRune("。！？", r) // they end a sentence without a space
		if len(rest) < len(text[j:]) || rest == "" || full {
			if next, _ := utf8.DecodeRuneInString(rest); r != '.' || !unicode.IsLower(next) && !abbreviation(text[:i]) {
				return len(text) - len(rest)
			}
		}
	}
	return len(text)
}

// abbreviation reports whether the dot behind a text belongs to its last word.
func abbreviation(text string) bool {
	word := strings.ToLower(text[strings.LastIndexAny(text, " (")+1:])
	if utf8.RuneCountInString(word) == 1 && word >= "a" && word <= "z" {
		return true
	}
	return slices.Contains([]string{"mr", "mrs", "ms", "dr", "st", "no", "vs", "e.g", "i.e", "prof", "jr", "sr", "ext", "tel", "a.m", "p.m"}, word)
}

// shorten cuts a sentence that is too long for one go.
func shorten(sentence string) []string {
	var out []string
	for utf8.RuneCountInString(sentence) > longestRun {
		limit := 0
		for range longestRun {
			_, n := utf8.DecodeRuneInString(sentence[limit:])
			limit += n
		}
		at := strings.LastIndexAny(sentence[:limit], ",;:、，")
		if at >= limit/2 {
			_, n := utf8.DecodeRuneInString(sentence[at:])
			at += n
		} else if at = strings.LastIndexByte(sentence[:limit], ' ') + 1; at < limit/2 {
			at = limit
		}
		out, sentence = append(out, sentence[:at]), sentence[at:]
	}
	return append(out, sentence)
}

func percent(f float64) string { return strconv.Itoa(int(math.Round(f*100))) + "%" }

// change is a factor as a change in percent.
func change(f float64) string {
	n := int(math.Round((f - 1) * 100))
	if n < 0 {
		return strconv.Itoa(n) + "%"
	}
	return "+" + strconv.Itoa(n) + "%"
}
