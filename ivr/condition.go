package ivr

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"
)

// Operators of conditions (A1.2), and ours, which begin with "Ullim.".
const (
	opEquals        = "Equals"
	opStartsWith    = "TextStartsWith"
	opEndsWith      = "TextEndsWith"
	opContains      = "TextContains"
	opGreater       = "NumberGreaterThan"
	opGreaterEquals = "NumberGreaterOrEqualTo"
	opLess          = "NumberLessThan"
	opLessEquals    = "NumberLessOrEqualTo"

	opExists     = "Ullim.Exists"
	opIsEmpty    = "Ullim.IsEmpty"
	opIgnoreCase = "Ullim.EqualsIgnoreCase"
	opRegex      = "Ullim.MatchesRegex"
	opBefore     = "Ullim.DateBefore"
	opAfter      = "Ullim.DateAfter"
	opBetween    = "Ullim.DateBetween"
)

// maxPattern is the longest regular expression, in bytes. RE2 takes time in proportion to the text, and the text is an
// attribute: there is no pattern that hangs a flow.
const maxPattern = 512

// Condition is a test of an action's result. Sub holds operands that are conditions themselves: the language has room
// for them, none of its operators takes them.
type Condition struct {
	Operator string
	Operands []value
	Sub      []*Condition

	pattern *regexp.Regexp // of a fixed regular expression
}

// prepare reads what need be read once.
func (c *Condition) prepare() {
	if c.Operator == opRegex && len(c.Operands) == 1 && c.Operands[0].isStatic() {
		c.pattern, _ = compile(c.Operands[0].raw) // what is wrong with it is told when the flow is published
	}
}

func compile(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("the regular expression has %d bytes, at most %d are possible", len(pattern), maxPattern)
	}
	return regexp.Compile(pattern)
}

// operator is the name as we write it: one page of the language says Numeric where the others say Number.
func operator(name string) string {
	if rest, ok := strings.CutPrefix(name, "Numeric"); ok {
		return "Number" + rest
	}
	return name
}

// operands is how many operands an operator takes; false if there is no such operator.
func operands(name string) (least, most int, ok bool) {
	switch name {
	case opEquals, opStartsWith, opEndsWith, opContains, opGreater, opGreaterEquals, opLess, opLessEquals, opIgnoreCase,
		opRegex, opBefore, opAfter:
		return 1, 1, true
	case opExists, opIsEmpty: // True if nothing is said; False turns it round
		return 0, 1, true
	case opBetween:
		return 2, 2, true
	}
	return 0, 0, false
}

// holds tells whether the condition is true of a result.
func (c *Condition) holds(result string, lookup func([]string) (string, bool)) bool {
	return c.test(result, true, lookup, time.Now())
}

// test tells whether the condition is true of a result; exists tells an empty value from none.
func (c *Condition) test(result string, exists bool, lookup func([]string) (string, bool), now time.Time) bool {
	least, most, ok := operands(c.Operator)
	if !ok || len(c.Sub) != 0 || len(c.Operands) < least || len(c.Operands) > most {
		return false
	}
	with := make([]string, 2)
	for i, o := range c.Operands {
		with[i] = o.resolve(lookup, nil)
	}
	operand := with[0]
	switch c.Operator {
	case opEquals:
		return result == operand
	case opStartsWith:
		return strings.HasPrefix(result, operand)
	case opEndsWith:
		return strings.HasSuffix(result, operand)
	case opContains:
		return strings.Contains(result, operand)
	case opIgnoreCase:
		return strings.EqualFold(result, operand)
	case opExists:
		return exists != strings.EqualFold(operand, "False")
	case opIsEmpty:
		return (result == "") != strings.EqualFold(operand, "False")
	case opRegex:
		return c.matches(result, operand)
	case opBefore, opAfter, opBetween:
		return c.dated(result, with, now)
	}
	return compareNumbers(c.Operator, result, operand)
}

func (c *Condition) matches(result, pattern string) bool {
	re := c.pattern
	if re == nil {
		var err error
		if re, err = compile(pattern); err != nil {
			return false
		}
	}
	return re.MatchString(result)
}

// dated compares dates. Between takes in its first operand and leaves out its second, so that ranges can follow each
// other.
func (c *Condition) dated(result string, with []string, now time.Time) bool {
	at, ok := date(result, now)
	from, okFrom := date(with[0], now)
	if !ok || !okFrom {
		return false
	}
	switch c.Operator {
	case opBefore:
		return at.Before(from)
	case opAfter:
		return at.After(from)
	}
	to, okTo := date(with[1], now)
	return okTo && !at.Before(from) && at.Before(to)
}

func compareNumbers(op, result, operand string) bool {
	a, okA := number(result)
	b, okB := number(operand)
	if !okA || !okB {
		return false
	}
	order := a.Cmp(b)
	switch op {
	case opGreater:
		return order > 0
	case opGreaterEquals:
		return order >= 0
	case opLess:
		return order < 0
	case opLessEquals:
		return order <= 0
	}
	return false
}

// wrongOperand says what is wrong with a fixed operand, or nothing.
func wrongOperand(op, operand string) string {
	switch op {
	case opGreater, opGreaterEquals, opLess, opLessEquals:
		if _, ok := number(operand); !ok {
			return fmt.Sprintf("%q is not a number", operand)
		}
	case opExists, opIsEmpty:
		if !strings.EqualFold(operand, "True") && !strings.EqualFold(operand, "False") {
			return fmt.Sprintf("%q must be True or False, or be left out", operand)
		}
	case opRegex:
		if _, err := compile(operand); err != nil {
			return "is not a regular expression (RE2): " + err.Error()
		}
	case opBefore, opAfter, opBetween:
		if _, ok := date(operand, time.Time{}); !ok {
			return fmt.Sprintf("%q is not a date: write 2026-01-31, 2026-01-31T09:00:00+09:00, seconds since 1970, or now", operand)
		}
	}
	return ""
}

// date reads a date: ISO 8601 with a zone, without one (then it is UTC), or a day (its beginning in UTC); seconds or
// milliseconds since 1970; or "now".
func date(s string, now time.Time) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if strings.EqualFold(s, "now") {
		return now, true
	}
	if len(s) > 40 {
		return time.Time{}, false
	}
	if n, ok := wholeNumber(s, -1<<50, 1<<50); ok {
		const year5000 = 95_617_584_000 // more seconds than that are milliseconds
		if n > year5000 || n < -year5000 {
			return time.UnixMilli(int64(n)), true
		}
		return time.Unix(int64(n), 0), true
	}
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05",
		"2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly, "20060102T150405Z",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// number reads a decimal number exactly: account numbers have more digits than a float. No exponents: "1e999999999"
// would be a very large number of zeros.
func number(s string) (*big.Rat, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 || strings.Trim(s, "0123456789.+-") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}
