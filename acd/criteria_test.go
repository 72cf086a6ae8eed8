package acd

import (
	"testing"
	"time"
)

func TestRoutingCriteriaPreferAgentsForATime(t *testing.T) {
	p := voiceProfile("q 1 0")
	skilled := func(id string, available int, level float64) Candidate {
		c := idle(id, p, available)
		c.Skills = map[Skill]float64{{"language", "ko"}: level}
		return c
	}
	wants := func(age int, steps ...CriteriaStep) []Waiting {
		w := call("c", "q", age)
		w.Criteria = &Criteria{Steps: steps, Since: w.Since}
		return []Waiting{w}
	}
	step := func(expression string, expiry time.Duration) CriteriaStep {
		e, err := ParseExpression([]byte(expression))
		if err != nil {
			t.Fatal(err)
		}
		return CriteriaStep{Expression: e, Expiry: expiry}
	}
	const korean = `{"AttributeCondition":{"Name":"language","Value":"ko","ProficiencyLevel":3}}`
	agents := []Candidate{idle("none", p, 90), skilled("little", 80, 2), skilled("well", 70, 4)}
	for _, row := range []struct {
		name    string
		waiting []Waiting
		want    string
	}{
		{"the skill at its level", wants(5, step(korean, 0)), "c-well"},
		{"a range", wants(5, step(`{"AttributeCondition":{"Name":"language","Value":"ko","Range":{"MinProficiencyLevel":1,"MaxProficiencyLevel":2}}}`, 0)), "c-little"},
		{"not", wants(5, step(`{"NotAttributeCondition":{"Name":"language","Value":"ko","ProficiencyLevel":1}}`, 0)), "c-none"},
		{"and", wants(5, step(`{"AndExpression":[`+korean+`,{"NotAttributeCondition":{"Name":"language","Value":"ko","ProficiencyLevel":5}}]}`, 0)), "c-well"},
		{"or", wants(5, step(`{"OrExpression":[`+korean+`,{"AttributeCondition":{"Name":"x","Value":"y","ProficiencyLevel":1}}]}`, 0)), "c-well"},
		{"one of some agents", wants(5, step(`{"AttributeCondition":{"MatchCriteria":{"AgentsCriteria":{"AgentIds":["little"]}}}}`, 0)), "c-little"},
		{"nobody yet", wants(5, step(`{"AttributeCondition":{"Name":"language","Value":"ko","ProficiencyLevel":5}}`, 0)), ""},
		{"until the step has expired", wants(29, step(`{"AttributeCondition":{"Name":"language","Value":"ko","ProficiencyLevel":5}}`, 30*time.Second)), ""},
		{"then the next step", wants(30, step(`{"AttributeCondition":{"Name":"language","Value":"ko","ProficiencyLevel":5}}`, 30*time.Second), step(korean, 10*time.Second)), "c-well"},
		{"then anybody", wants(40, step(`{"AttributeCondition":{"Name":"language","Value":"ko","ProficiencyLevel":5}}`, 30*time.Second), step(korean, 10*time.Second)), "c-none"},
	} {
		if got := matches(Pick(row.waiting, agents, t0)); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	soon := wants(29, step(`{"AttributeCondition":{"Name":"x","Value":"y","ProficiencyLevel":1}}`, 30*time.Second))
	if v := Explain("c", soon, agents, t0); v[0].Reason != WhySkills {
		t.Errorf("explained as %v", v)
	}
}

func TestAnExpressionHasOneMeaning(t *testing.T) {
	for _, bad := range []string{
		``, `{}`, `[]`, `{"AndExpression":[]}`, `{"AndExpression":[{}]}`,
		`{"AttributeCondition":{},"OrExpression":[{"AttributeCondition":{}}]}`,
	} {
		if _, err := ParseExpression([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
