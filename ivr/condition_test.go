package ivr

import "testing"

func TestOperators(t *testing.T) {
	lookup := func(path []string) (string, bool) { return "42", true }
	tests := []struct {
		op, result, operand string
		want                bool
	}{
		{"Equals", "gold", "gold", true},
		{"Equals", "Gold", "gold", false},
		{"Equals", "", "", true},
		{"Equals", "42", "$.Attributes.x", true},
		{"TextStartsWith", "goldfish", "gold", true},
		{"TextStartsWith", "goldfish", "fish", false},
		{"TextEndsWith", "goldfish", "fish", true},
		{"TextEndsWith", "goldfish", "gold", false},
		{"TextContains", "goldfish", "ldf", true},
		{"TextContains", "goldfish", "LDF", false},
		{"NumberGreaterThan", "10", "9", true},
		{"NumberGreaterThan", "10", "10", false},
		{"NumberGreaterOrEqualTo", "10.0", "10", true},
		{"NumberLessThan", "-1", "0", true},
		{"NumberLessThan", "9", "10", true},
		{"NumericLessThan", "9", "10", true},
		{"NumberLessOrEqualTo", " 10 ", "10", true},
		{"NumberLessOrEqualTo", "10.01", "10", false},
		{"NumberGreaterThan", "9007199254740993", "9007199254740992", true}, // beyond a float
		{"NumberGreaterThan", "ten", "9", false},
		{"NumberLessThan", "ten", "9", false},
		{"NumberLessThan", "", "9", false},
		{"NumberGreaterThan", "1e999999999", "1", false},
		{"NumberGreaterThan", "1/0", "0", false},
		{"NumberGreaterThan", "0x10", "1", false},
		{"NumberGreaterThan", "Inf", "1", false},
		{"Sounds Like", "a", "a", false},
	}
	for _, tt := range tests {
		c := &Condition{Operator: operator(tt.op), Operands: []value{parseWhole(tt.operand)}}
		if got := c.holds(tt.result, lookup); got != tt.want {
			t.Errorf("%q %s %q: %t", tt.result, tt.op, tt.operand, got)
		}
	}
	for _, c := range []*Condition{
		{Operator: "Equals"},
		{Operator: "Equals", Operands: []value{parseWhole("a"), parseWhole("a")}},
		{Operator: "Equals", Operands: []value{parseWhole("a")}, Sub: []*Condition{{Operator: "Equals"}}},
	} {
		if c.holds("a", lookup) {
			t.Errorf("%+v holds", c)
		}
	}
}
