package acd

import (
	"encoding/json"
	"slices"
	"time"

	"ullim/internal/errs"
)

// Criteria say which agents a contact prefers, and for how long: one step after the other, and when the last one has
// expired any agent of its queue (A2.3).
type Criteria struct {
	Steps []CriteriaStep
	Since time.Time // when the first step began: when the contact was queued, or the criteria changed
}

// CriteriaStep is one step. An Expiry of zero never passes.
type CriteriaStep struct {
	Expression Expression
	Expiry     time.Duration
}

// Expression is a condition on an agent; exactly one field is set. The JSON is that of RoutingCriteria in the Connect API.
type Expression struct {
	AttributeCondition    *AttributeCondition `json:"AttributeCondition,omitempty"`
	NotAttributeCondition *AttributeCondition `json:"NotAttributeCondition,omitempty"`
	AndExpression         []Expression        `json:"AndExpression,omitempty"`
	OrExpression          []Expression        `json:"OrExpression,omitempty"`
}

// AttributeCondition wants a skill of at least a level, or within a range, or one of some agents.
type AttributeCondition struct {
	Name             string         `json:"Name,omitempty"`
	Value            string         `json:"Value,omitempty"`
	ProficiencyLevel float64        `json:"ProficiencyLevel,omitempty"`
	Range            *SkillRange    `json:"Range,omitempty"`
	MatchCriteria    *MatchCriteria `json:"MatchCriteria,omitempty"`
}

// SkillRange is a range of levels, both ends included.
type SkillRange struct {
	MinProficiencyLevel float64 `json:"MinProficiencyLevel"`
	MaxProficiencyLevel float64 `json:"MaxProficiencyLevel"`
}

// MatchCriteria names agents by their id.
type MatchCriteria struct {
	AgentsCriteria struct {
		AgentIDs []string `json:"AgentIds"`
	} `json:"AgentsCriteria"`
}

// Skill is a value of a predefined attribute, as an agent has it at a level from 1 to 5.
type Skill struct{ Name, Value string }

// ParseExpression reads an expression. errs.Invalid.
func ParseExpression(raw []byte) (Expression, error) {
	var e Expression
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, errs.Field("Expression", "cannot be read: %v", err)
	}
	return e, e.check()
}

func (e *Expression) check() error {
	n := 0
	for _, set := range []bool{e.AttributeCondition != nil, e.NotAttributeCondition != nil, len(e.AndExpression) > 0, len(e.OrExpression) > 0} {
		if set {
			n++
		}
	}
	if n != 1 {
		return errs.Field("Expression", "must have exactly one of AttributeCondition, NotAttributeCondition, AndExpression and OrExpression")
	}
	for _, list := range [][]Expression{e.AndExpression, e.OrExpression} {
		for i := range list {
			if err := list[i].check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// holds reports whether an agent satisfies the expression.
func (e *Expression) holds(a *Candidate) bool {
	one := func(x Expression) bool { return x.holds(a) }
	switch {
	case e.AttributeCondition != nil:
		return e.AttributeCondition.holds(a)
	case e.NotAttributeCondition != nil:
		return !e.NotAttributeCondition.holds(a)
	case len(e.AndExpression) > 0:
		return !slices.ContainsFunc(e.AndExpression, func(x Expression) bool { return !one(x) })
	default:
		return slices.ContainsFunc(e.OrExpression, one)
	}
}

func (c *AttributeCondition) holds(a *Candidate) bool {
	if c.MatchCriteria != nil {
		return slices.Contains(c.MatchCriteria.AgentsCriteria.AgentIDs, a.UserID)
	}
	level, has := a.Skills[Skill{c.Name, c.Value}]
	if c.Range != nil {
		return has && level >= c.Range.MinProficiencyLevel && level <= c.Range.MaxProficiencyLevel
	}
	return has && level >= c.ProficiencyLevel
}

// step is the step that is active at a moment, and when the next one begins; nil: any agent will do. A zero time: never.
func (c *Criteria) step(now time.Time) (s *CriteriaStep, until time.Time) {
	if c == nil {
		return nil, time.Time{}
	}
	begins := c.Since
	for i := range c.Steps {
		s = &c.Steps[i]
		if s.Expiry == 0 {
			return s, time.Time{}
		}
		if begins = begins.Add(s.Expiry); begins.After(now) {
			return s, begins
		}
	}
	return nil, time.Time{}
}

// wants reports whether the contact takes an agent at a moment.
func (w *Waiting) wants(a *Candidate, now time.Time) bool {
	s, _ := w.Criteria.step(now)
	return s == nil || s.Expression.holds(a)
}
