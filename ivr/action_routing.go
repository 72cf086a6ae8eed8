package ivr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// maxAdjustment is how far a contact can be moved in time, both ways: a year.
const maxAdjustment = 365 * 24 * 3600 // seconds

// routingBehavior changes how urgent the contact is, or how long it counts as having waited (Change routing priority /
// age).
type routingBehavior struct{ priority, adjustment value }

func (a *routingBehavior) read(p *params) {
	a.priority, a.adjustment = p.whole("QueuePriority"), p.whole("QueueTimeAdjustmentSeconds")
	if a.priority.given() == a.adjustment.given() {
		p.problem("", "needs exactly one of QueuePriority and QueueTimeAdjustmentSeconds")
	}
	if a.priority.given() && a.priority.isStatic() {
		if _, ok := priority(a.priority.raw); !ok {
			p.problem("QueuePriority", "must be a whole number from 1, which is the best, to %d", int64(math.MaxInt64))
		}
	}
	if a.adjustment.given() && a.adjustment.isStatic() {
		if _, ok := wholeNumber(a.adjustment.raw, -maxAdjustment, maxAdjustment); !ok {
			p.problem("QueueTimeAdjustmentSeconds", "must be a whole number from %d to %d", -maxAdjustment, maxAdjustment)
		}
	}
}

func priority(s string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return n, err == nil && n > 0
}

func (a *routingBehavior) rules() rules { return rules{next: true} }

func (a *routingBehavior) run(ctx context.Context, s *session) step {
	var u Update
	if a.priority.given() {
		n, ok := priority(s.text(a.priority))
		if !ok {
			return s.lenient(ctx, errors.New("ivr: QueuePriority is not a whole number above 0"))
		}
		u.Priority = &n
	} else {
		n, ok := wholeNumber(s.text(a.adjustment), -maxAdjustment, maxAdjustment)
		if !ok {
			return s.lenient(ctx, errors.New("ivr: QueueTimeAdjustmentSeconds is not a number of seconds"))
		}
		d := time.Duration(n) * time.Second
		u.AgeAdjustment = &d
	}
	if err := s.contact.Update(ctx, u); err != nil {
		return s.lenient(ctx, err)
	}
	return done()
}

// routingCriteria says which agents to prefer, and for how long (Set routing criteria).
type routingCriteria struct{ steps any }

// read takes the object with Steps, or one data path to such an object.
func (a *routingCriteria) read(p *params) {
	at, name := p, "RoutingCriteria"
	if p.has("Steps") && !p.has(name) {
		name = "Steps"
	}
	at.need(name)
	tree, static := at.tree(name)
	a.steps = tree
	if static && p.has(name) {
		s := session{}
		if _, err := readCriteria(s.fill(tree)); err != nil {
			p.problem(name, "%v", err)
		}
	}
}

func (a *routingCriteria) rules() rules {
	return rules{flows: inboundTransferQueue(), next: true, errors: []string{errNoMatch}}
}

func (a *routingCriteria) run(ctx context.Context, s *session) step {
	steps, err := readCriteria(s.fill(a.steps))
	if err != nil {
		return failedBy(fmt.Errorf("ivr: routing criteria: %w", err))
	}
	if err := s.contact.Update(ctx, Update{Criteria: steps}); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}

// callbackNumber chooses which number is called back (Set callback number).
type callbackNumber struct{ number value }

func (a *callbackNumber) read(p *params) {
	a.number = p.whole("CallbackNumber")
	p.need("CallbackNumber")
	if a.number.given() && !a.number.isPath() {
		p.problem("CallbackNumber", "must be one data path, such as $.StoredCustomerInput")
	}
}

func (a *callbackNumber) rules() rules {
	return rules{flows: inboundTransferQueue(), next: true, errors: []string{errBadCallback, errNoCallback}}
}

func (a *callbackNumber) run(ctx context.Context, s *session) step {
	if err := s.only(contact.Voice); err != nil {
		return step{errorType: errBadCallback, why: err}
	}
	number, ok := s.nearNumber(s.text(a.number))
	if !ok {
		return step{errorType: errBadCallback, why: errors.New("ivr: the callback number is not a telephone number")}
	}
	err := s.contact.Update(ctx, Update{CallbackNumber: number})
	switch {
	case err == nil:
		return done()
	case s.left(ctx, err):
		return ended(Left)
	case errs.Is(err, errs.Invalid):
		return step{errorType: errBadCallback, why: err}
	}
	return step{errorType: errNoCallback, why: err}
}

// nearNumber reads a telephone number as somebody writes it who calls our number: without a country code it is of the
// country of that number.
func (s *session) nearNumber(text string) (string, bool) {
	if len(text) > 40 {
		return "", false
	}
	region := ""
	if ours, err := phonenumbers.Parse(s.info().System.Address, ""); err == nil {
		region = phonenumbers.GetRegionCodeForNumber(ours)
	}
	n, err := phonenumbers.Parse(text, region)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
}

// Bounds of routing criteria.
const (
	maxCriteriaSteps = 50
	maxCriteriaParts = 50
	maxCriteriaDeep  = 5
	maxExpiry        = 7 * 24 * 3600 // seconds
)

// readCriteria checks routing criteria, as in UpdateContactRoutingData of the Connect API, and puts numbers where
// numbers belong.
func readCriteria(tree any) ([]RoutingStep, error) {
	if m, ok := tree.(map[string]any); ok {
		tree = m["Steps"]
	}
	if text, ok := tree.(string); ok { // an attribute that holds JSON
		var m any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			return nil, errors.New("is not an object with Steps")
		}
		if _, again := m.(string); again {
			return nil, errors.New("is not an object with Steps")
		}
		return readCriteria(m)
	}
	list, ok := tree.([]any)
	if !ok || len(list) == 0 || len(list) > maxCriteriaSteps {
		return nil, fmt.Errorf("needs Steps, a list of 1 to %d", maxCriteriaSteps)
	}
	steps := make([]RoutingStep, len(list))
	for i, v := range list {
		m, _ := v.(map[string]any)
		left := maxCriteriaParts
		expression, err := readExpression(m["Expression"], 1, &left)
		if err != nil {
			return nil, fmt.Errorf("Steps[%d].Expression: %w", i, err)
		}
		if steps[i].Expression, err = json.Marshal(expression); err != nil {
			return nil, fmt.Errorf("Steps[%d].Expression: %w", i, err)
		}
		if steps[i].Expiry, err = readExpiry(m["Expiry"]); err != nil {
			return nil, fmt.Errorf("Steps[%d].Expiry.DurationInSeconds: %w", i, err)
		}
	}
	return steps, nil
}

func readExpiry(v any) (time.Duration, error) {
	m, ok := v.(map[string]any)
	if !ok || m["DurationInSeconds"] == nil {
		return 0, nil
	}
	n, ok := wholeNumber(written(m["DurationInSeconds"]), 1, maxExpiry)
	if !ok {
		return 0, fmt.Errorf("must be a whole number from 1 to %d", maxExpiry)
	}
	return time.Duration(n) * time.Second, nil
}

// readExpression checks one expression: a condition, or others joined by and, or, not.
func readExpression(v any, deep int, left *int) (map[string]any, error) {
	m, ok := v.(map[string]any)
	if *left--; !ok || len(m) != 1 {
		return nil, errors.New("must be an object with exactly one of AttributeCondition, AndExpression, OrExpression, NotAttributeCondition")
	}
	if deep > maxCriteriaDeep || *left < 0 {
		return nil, fmt.Errorf("nests more than %d deep or has more than %d parts", maxCriteriaDeep, maxCriteriaParts)
	}
	for key, part := range m {
		switch key {
		case "AttributeCondition", "NotAttributeCondition":
			c, err := readAttributeCondition(part)
			return map[string]any{key: c}, err
		case "AndExpression", "OrExpression":
			list, ok := part.([]any)
			if !ok || len(list) == 0 {
				return nil, fmt.Errorf("%s must be a list of expressions", key)
			}
			out := make([]any, len(list))
			for i, e := range list {
				one, err := readExpression(e, deep+1, left)
				if err != nil {
					return nil, fmt.Errorf("%s[%d]: %w", key, i, err)
				}
				out[i] = one
			}
			return map[string]any{key: out}, nil
		default:
			return nil, fmt.Errorf("%.40q is not a kind of expression", key)
		}
	}
	return nil, errors.New("is empty")
}

// readAttributeCondition checks a condition on an attribute of agents, or a list of agents.
func readAttributeCondition(v any) (map[string]any, error) {
	m, _ := v.(map[string]any)
	out := map[string]any{}
	if criteria, ok := m["MatchCriteria"].(map[string]any); ok {
		agents, _ := criteria["AgentsCriteria"].(map[string]any)
		if ids, ok := agents["AgentIds"].([]any); !ok || len(ids) == 0 || len(ids) > maxCriteriaParts {
			return nil, fmt.Errorf("AgentIds must be a list of 1 to %d", maxCriteriaParts)
		}
		out["MatchCriteria"], out["ComparisonOperator"] = criteria, "Match"
		return out, nil
	}
	for _, key := range []string{"Name", "Value"} {
		text := written(m[key])
		if n := len([]rune(text)); n < 1 || n > 64 {
			return nil, fmt.Errorf("%s must have 1 to 64 characters", key)
		}
		out[key] = text
	}
	operator := written(m["ComparisonOperator"])
	switch operator {
	case "", opGreaterEquals:
		level, ok := proficiency(m["ProficiencyLevel"])
		if !ok {
			return nil, errors.New("ProficiencyLevel must be from 1 to 5")
		}
		out["ProficiencyLevel"], operator = level, opGreaterEquals
	case "Range":
		span, _ := m["Range"].(map[string]any)
		low, okLow := proficiency(span["MinProficiencyLevel"])
		high, okHigh := proficiency(span["MaxProficiencyLevel"])
		if !okLow || !okHigh || low > high {
			return nil, errors.New("a range needs MinProficiencyLevel and MaxProficiencyLevel from 1 to 5")
		}
		out["Range"] = map[string]any{"MinProficiencyLevel": low, "MaxProficiencyLevel": high}
	case "Match":
	default:
		return nil, errors.New("ComparisonOperator must be NumberGreaterOrEqualTo, Range or Match")
	}
	out["ComparisonOperator"] = operator
	return out, nil
}

func proficiency(v any) (float64, bool) {
	n, err := strconv.ParseFloat(written(v), 64)
	return n, err == nil && n >= 1 && n <= 5
}

// ParseCriteria reads routing criteria from JSON as UpdateContactRoutingData has them: an object with Steps.
func ParseCriteria(raw []byte) ([]RoutingStep, error) {
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return readCriteria(tree)
}
