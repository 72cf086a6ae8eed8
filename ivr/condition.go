package ivr

import (
	"math/big"
	"strings"
)

// Operators of conditions (A1.2).
const (
	opEquals        = "Equals"
	opStartsWith    = "TextStartsWith"
	opEndsWith      = "TextEndsWith"
	opContains      = "TextContains"
	opGreater       = "NumberGreaterThan"
	opGreaterEquals = "NumberGreaterOrEqualTo"
	opLess          = "NumberLessThan"
	opLessEquals    = "NumberLessOrEqualTo"
)

// Condition is a test of an action's result. Sub holds operands that are conditions themselves: the language has room
// for them, none of its operators takes them.
type Condition struct {
	Operator string
	Operands []value
	Sub      []*Condition
}

// operator is the name as we write it: one page of the language says Numeric where the others say Number.
func operator(name string) string {
	if rest, ok := strings.CutPrefix(name, "Numeric"); ok {
		return "Number" + rest
	}
	return name
}

func knownOperator(name string) bool {
	switch name {
	case opEquals, opStartsWith, opEndsWith, opContains, opGreater, opGreaterEquals, opLess, opLessEquals:
		return true
	}
	return false
}

// holds tells whether the condition is true of a result.
func (c *Condition) holds(result string, lookup func([]string) (string, bool)) bool {
	if len(c.Operands) != 1 || len(c.Sub) != 0 {
		return false
	}
	operand := c.Operands[0].resolve(lookup, nil)
	switch c.Operator {
	case opEquals:
		return result == operand
	case opStartsWith:
		return strings.HasPrefix(result, operand)
	case opEndsWith:
		return strings.HasSuffix(result, operand)
	case opContains:
		return strings.Contains(result, operand)
	}
	a, okA := number(result)
	b, okB := number(operand)
	if !okA || !okB {
		return false
	}
	order := a.Cmp(b)
	switch c.Operator {
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

// number reads a decimal number exactly: account numbers have more digits than a float. No exponents: "1e999999999"
// would be a very large number of zeros.
func number(s string) (*big.Rat, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 || strings.Trim(s, "0123456789.+-") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}
