package ssml

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// check notes what is wrong with a tag.
func check(d *Document, n *node, line, column, depth int) {
	bad := func(message string) {
		d.Problems = append(d.Problems, Problem{Line: line, Column: column, Tag: n.tag, Message: message})
	}
	value := func(attribute string, ok func(string) bool, rule string) {
		v, given := n.attr[attribute]
		if given && !strings.Contains(v, "$.") && !ok(v) {
			bad(attribute + " " + rule)
		}
	}
	need := func(attribute string) {
		if strings.TrimSpace(n.attr[attribute]) == "" {
			bad("needs the attribute " + attribute)
		}
	}
	switch n.tag {
	case "p", "s", "w", "mark", "emphasis", "desc":
		if n.tag == "emphasis" {
			value("level", oneOf("strong", "moderate", "reduced", "none"), "must be strong, moderate, reduced or none")
		}
	case "speak":
		if depth > 0 {
			bad("may only be the outermost tag")
		}
	case "break":
		value("time", func(v string) bool { t, ok := duration(v); return ok && t <= maxBreak }, "must be a time up to 10s, as 500ms or 1.5s")
		value("strength", func(v string) bool { _, ok := strength(v); return ok }, "must be none, x-weak, weak, medium, strong or x-strong")
	case "prosody":
		value("rate", func(v string) bool { _, ok := rate(v); return ok }, "must be x-slow, slow, medium, fast, x-fast or 20% to 200%")
		value("pitch", func(v string) bool { _, ok := pitch(v); return ok }, "must be x-low, low, medium, high, x-high, or a change as +10% or -2st")
		value("volume", func(v string) bool { _, ok := volume(v); return ok }, "must be silent, x-soft, soft, medium, loud, x-loud, or a change as +6dB")
	case "say-as":
		need("interpret-as")
		value("interpret-as", oneOf(interpretations()...), "is not one of "+strings.Join(interpretations(), ", "))
	case "lang":
		need("xml:lang")
		value("xml:lang", languageTag, "must be a language, as en-US or ko-KR")
	case "voice":
		need("name")
	case "phoneme":
		need("ph")
		value("alphabet", oneOf("ipa", "x-sampa", "x-amazon-pinyin"), "must be ipa or x-sampa")
	case "sub":
		need("alias")
	case "audio":
		need("src")
		value("src", source, "must be a prompt (prompt:NAME, its ARN or id) or an address that begins with https://")
	default:
		if !strings.HasPrefix(n.tag, "amazon:") {
			bad("is not a tag that can be spoken")
		}
	}
}

// interpretations are the values of interpret-as. Those that begin with ullim: are ours.
func interpretations() []string {
	return []string{
		"characters", "spell-out", "cardinal", "number", "ordinal", "digits", "fraction", "unit", "date", "time", "duration", "telephone", "currency",
		"address", "interjection", "expletive", "ullim:queue-position", "ullim:people-waiting", "ullim:estimated-wait", "ullim:duration", "ullim:people",
	}
}

func oneOf(list ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(list, strings.ToLower(strings.TrimSpace(v))) }
}

// languageTag is the look of a BCP 47 tag.
func languageTag(v string) bool {
	for i, part := range strings.Split(v, "-") {
		if len(part) < 1 || len(part) > 8 || i == 0 && len(part) < 2 {
			return false
		}
		for _, r := range part {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
				return false
			}
		}
	}
	return true
}

// source is a prompt, or an https address without a password in it.
func source(v string) bool {
	if !strings.Contains(v, "://") {
		return strings.TrimSpace(v) != "" && len(v) <= 512
	}
	u, err := url.Parse(v)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && len(v) <= 2048
}

// duration reads 500ms or 1.5s.
func duration(v string) (time.Duration, bool) {
	v = strings.ToLower(strings.TrimSpace(v))
	unit := time.Second
	number, ok := strings.CutSuffix(v, "ms")
	if ok {
		unit = time.Millisecond
	} else if number, ok = strings.CutSuffix(v, "s"); !ok {
		return 0, false
	}
	f, ok := float(number)
	if !ok || f < 0 || f > 3_600_000 {
		return 0, false
	}
	return time.Duration(f * float64(unit)), true
}

// strength is how long a break of a strength is.
func strength(v string) (time.Duration, bool) {
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "none":
		return 0, true
	case "x-weak":
		return 100 * time.Millisecond, true
	case "weak":
		return 200 * time.Millisecond, true
	case "medium", "":
		return 350 * time.Millisecond, true
	case "strong":
		return 600 * time.Millisecond, true
	case "x-strong":
		return time.Second, true
	}
	return 0, false
}

// rate is a factor.
func rate(v string) (float64, bool) {
	switch v = strings.ToLower(strings.TrimSpace(v)); v {
	case "x-slow":
		return 0.5, true
	case "slow":
		return 0.8, true
	case "medium", "default":
		return 1, true
	case "fast":
		return 1.25, true
	case "x-fast":
		return 1.6, true
	}
	number, percent := strings.CutSuffix(v, "%")
	f, ok := float(number)
	switch {
	case !ok:
		return 0, false
	case percent && (number[0] == '+' || number[0] == '-'):
		f = 1 + f/100
	case percent:
		f /= 100
	}
	return f, f >= 0.2 && f <= 2
}

// pitch is a factor.
func pitch(v string) (float64, bool) {
	switch v = strings.ToLower(strings.TrimSpace(v)); v {
	case "x-low":
		return 0.7, true
	case "low":
		return 0.85, true
	case "medium", "default":
		return 1, true
	case "high":
		return 1.2, true
	case "x-high":
		return 1.4, true
	}
	if number, ok := strings.CutSuffix(v, "%"); ok {
		f, ok := float(number)
		return 1 + f/100, ok && f >= -50 && f <= 100
	}
	if number, ok := strings.CutSuffix(v, "st"); ok {
		f, ok := float(number)
		return math.Pow(2, f/12), ok && f >= -12 && f <= 12
	}
	if number, ok := strings.CutSuffix(v, "hz"); ok { // which pitch a voice has is not known
		_, ok := float(number)
		return 1, ok
	}
	return 0, false
}

// volume is a gain in dB.
func volume(v string) (float64, bool) {
	switch v = strings.ToLower(strings.TrimSpace(v)); v {
	case "silent":
		return -100, true
	case "x-soft":
		return -12, true
	case "soft":
		return -6, true
	case "medium", "default":
		return 0, true
	case "loud":
		return 4, true
	case "x-loud":
		return 6, true
	}
	number, ok := strings.CutSuffix(v, "db")
	f, fok := float(number)
	return f, ok && fok && f >= -100 && f <= 12
}

// float reads a decimal number and nothing else that Go takes for one.
func float(v string) (float64, bool) {
	if v == "" || strings.Trim(v, "0123456789.+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(v, 64)
	return f, err == nil
}
