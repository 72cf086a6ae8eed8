package reporting

import (
	"maps"
	"slices"
)

// unit is what the value of a metric is.
type unit int

const (
	count   unit = iota // the numerator
	average             // numerator / denominator; nothing if the denominator is 0
	seconds             // numerator, which is microseconds, as seconds
	meanSeconds
	percent // numerator / denominator x 100
)

// formula is how a metric comes about: a quotient of two measures of one table, at one time.
type formula struct {
	table     Table
	time      Column // by which it counts; empty: At
	unit      unit
	num, den  Measure
	threshold Column // of the numerator: compared with the threshold that the request must give
	filters   []Dim  // that the request may put on the metric alone
}

// Op is how a Measure sums up.
type Op int

// Operations. Count counts facts; the others are of a column.
const (
	Count Op = iota
	Sum
	Max
	Min
)

// Compare is how a Condition compares.
type Compare int

// Comparisons of a Condition: numbers with Value, the dimension with Values.
const (
	Equal Compare = iota
	AtMost
	Below
	Above
	In
	NotIn
)

// Condition is what a fact must meet.
type Condition struct {
	Column  Column // of a number
	Dim     Dim    // else
	Compare Compare
	Value   int64
	Values  []string
}

// Measure sums up the facts that meet all conditions.
type Measure struct {
	Op     Op
	Column Column
	Where  []Condition
}

func sum(c Column, where ...Condition) Measure { return Measure{Op: Sum, Column: c, Where: where} }
func rows(where ...Condition) Measure          { return Measure{Op: Count, Where: where} }
func is(c Column) Condition                    { return Condition{Column: c, Compare: Equal, Value: 1} }
func some(c Column) Condition                  { return Condition{Column: c, Compare: Above} }

// contacts that were handled are the denominator of most averages.
func perHandled(c Column) formula {
	return formula{table: Contacts, unit: meanSeconds, num: sum(c), den: sum(handled), filters: []Dim{Method, Reason}}
}

func totalOf(t Table, c Column) formula { return formula{table: t, unit: seconds, num: sum(c)} }

func number(m Measure, filters ...Dim) formula {
	return formula{table: Contacts, unit: count, num: m, filters: filters}
}

// average number of something of chats whose messages were counted.
func perChat(c Column) formula {
	return formula{table: Contacts, unit: average, num: sum(c), den: sum(isChat)}
}

// formulas is the catalogue.
func formulas() map[string]formula {
	all := map[string]formula{}
	for _, part := range []map[string]formula{queueFormulas(), handlingFormulas(), agentFormulas(), chatFormulas()} {
		maps.Copy(all, part)
	}
	return all
}

func queueFormulas() map[string]formula {
	within := func(m Measure, c Column) formula {
		return formula{table: Contacts, unit: count, num: m, threshold: c}
	}
	level := within(rows(is(removed)), queueUS)
	level.unit, level.den = percent, sum(queued)
	byEnqueue := number(sum(queued))
	byEnqueue.time = Enqueued
	created := number(rows(), Method)
	created.time = Initiated
	return map[string]formula{
		"SERVICE_LEVEL":                    level,
		"CONTACTS_QUEUED":                  number(sum(queued), Method),
		"CONTACTS_QUEUED_BY_ENQUEUE":       byEnqueue,
		"CONTACTS_CREATED":                 created,
		"CONTACTS_ABANDONED":               number(sum(abandoned), Method),
		"SUM_CONTACTS_ABANDONED_IN_X":      within(rows(is(abandoned)), queueUS),
		"SUM_CONTACTS_ANSWERED_IN_X":       within(rows(is(answered)), answerUS),
		"CONTACTS_REMOVED_FROM_QUEUE_IN_X": within(rows(is(removed)), queueUS),
		"CONTACTS_RESOLVED_IN_X":           within(rows(), resolutionUS),
		"ABANDONMENT_RATE":                 {table: Contacts, unit: percent, num: sum(abandoned), den: sum(queued)},
		"AVG_ABANDON_TIME":                 {table: Contacts, unit: meanSeconds, num: sum(queueUS, is(abandoned)), den: sum(abandoned), filters: []Dim{Method}},
		"AVG_QUEUE_ANSWER_TIME":            {table: Contacts, unit: meanSeconds, num: sum(queueUS, is(answered)), den: sum(answered), filters: []Dim{Method, Reason}},
		"MAX_QUEUED_TIME":                  {table: Contacts, unit: seconds, num: Measure{Op: Max, Column: queueUS, Where: []Condition{is(queued)}}},
		"SUM_CONTACTS_DISCONNECTED":        number(rows(), Reason),
		"SUM_RETRY_CALLBACK_ATTEMPTS":      number(sum(retry)),
		"AVG_CONTACT_DURATION":             {table: Contacts, unit: meanSeconds, num: sum(durationUS), den: rows()},
		"AVG_RESOLUTION_TIME":              {table: Contacts, unit: meanSeconds, num: sum(resolutionUS), den: rows()},
		"SUM_CONTACT_FLOW_TIME":            totalOf(Contacts, flowUS),
		"STEP_CONTACTS_QUEUED":             {table: Steps, unit: count, num: rows()},
		"PERCENT_CONTACTS_STEP_EXPIRED":    {table: Steps, unit: percent, num: sum(stepExpired), den: rows()},
		"PERCENT_CONTACTS_STEP_JOINED":     {table: Steps, unit: percent, num: sum(stepJoined), den: rows()},
	}
}

func handlingFormulas() map[string]formula {
	byAgent := number(sum(handled), Method)
	byAgent.time = AgentJoined
	active := perHandled(handleUS)
	active.num = sum(activeUS)
	inOut := perHandled(talkHoldUS)
	count1 := func(c ...Condition) formula { return number(rows(c...)) }
	heldBy := func(reason string) Condition {
		return Condition{Dim: Reason, Compare: In, Values: []string{reason}}
	}
	connect := formula{
		table: Contacts, unit: meanSeconds, num: sum(connectingUS), den: sum(connecting), filters: []Dim{Method},
	}
	connectSum := totalOf(Contacts, connectingUS)
	connectSum.filters = []Dim{Method}
	return map[string]formula{
		"CONTACTS_HANDLED":                       number(sum(handled), Method, Reason),
		"CONTACTS_HANDLED_BY_CONNECTED_TO_AGENT": byAgent,
		"AVG_HANDLE_TIME":                        perHandled(handleUS),
		"AVG_ACTIVE_TIME":                        active,
		"AVG_AFTER_CONTACT_WORK_TIME":            perHandled(acwUS),
		"AVG_INTERACTION_TIME":                   perHandled(interactionUS),
		"AVG_INTERACTION_AND_HOLD_TIME":          inOut,
		"AVG_AGENT_PAUSE_TIME":                   perHandled(pauseUS),
		"AVG_HOLD_TIME":                          {table: Contacts, unit: meanSeconds, num: sum(holdUS), den: rows(some(holds))},
		"AVG_HOLD_TIME_ALL_CONTACTS":             perHandled(holdUS),
		"AVG_HOLDS":                              {table: Contacts, unit: average, num: sum(holds), den: sum(handled)},
		"SUM_HANDLE_TIME":                        totalOf(Contacts, handleUS),
		"SUM_AFTER_CONTACT_WORK_TIME":            totalOf(Contacts, acwUS),
		"SUM_INTERACTION_TIME":                   totalOf(Contacts, interactionUS),
		"SUM_INTERACTION_AND_HOLD_TIME":          totalOf(Contacts, talkHoldUS),
		"SUM_HOLD_TIME":                          totalOf(Contacts, holdUS),
		"CONTACTS_PUT_ON_HOLD":                   count1(some(holds)),
		"CONTACTS_HOLD_ABANDONS":                 count1(is(heldAtEnd)),
		"CONTACTS_ON_HOLD_AGENT_DISCONNECT":      count1(is(heldAtEnd), heldBy("AGENT_DISCONNECT")),
		"CONTACTS_ON_HOLD_CUSTOMER_DISCONNECT":   count1(is(heldAtEnd), heldBy("CUSTOMER_DISCONNECT")),
		"CONTACTS_TRANSFERRED_OUT":               number(sum(transferred)),
		"CONTACTS_TRANSFERRED_OUT_BY_AGENT":      number(sum(transferred, is(handled))),
		"CONTACTS_TRANSFERRED_OUT_FROM_QUEUE":    number(sum(transferred, is(queued), Condition{Column: handled})),
		"CONTACTS_TRANSFERRED_OUT_EXTERNAL":      number(sum(transferredTo)),
		"CONTACTS_TRANSFERRED_OUT_INTERNAL":      number(sum(transferred, Condition{Column: transferredTo})),
		"AVG_AGENT_CONNECTING_TIME":              connect,
		"SUM_CONNECTING_TIME_AGENT":              connectSum,
	}
}

func agentFormulas() map[string]formula {
	return map[string]formula{
		"AGENT_OCCUPANCY":                              {table: Agents, unit: percent, num: sum(contactUS), den: sum(contactOrIdleUS)},
		"AVG_AGENT_CONCURRENCY":                        {table: Agents, unit: average, num: sum(slotUS), den: sum(contactUS)},
		"SUM_CONTACT_TIME_AGENT":                       totalOf(Agents, contactUS),
		"SUM_IDLE_TIME_AGENT":                          totalOf(Agents, idleUS),
		"SUM_NON_PRODUCTIVE_TIME_AGENT":                totalOf(Agents, customUS),
		"SUM_ONLINE_TIME_AGENT":                        totalOf(Agents, onlineUS),
		"SUM_ERROR_STATUS_TIME_AGENT":                  totalOf(Agents, errorUS),
		"AGENT_ANSWER_RATE":                            {table: Offers, unit: percent, num: sum(offerAnswered), den: rows()},
		"AGENT_NON_RESPONSE":                           {table: Offers, unit: count, num: rows(Condition{Column: offerAnswered})},
		"AGENT_NON_RESPONSE_WITHOUT_CUSTOMER_ABANDONS": {table: Offers, unit: count, num: sum(offerMissed)},
	}
}

func chatFormulas() map[string]formula {
	reply := func(num, den Column) formula {
		return formula{table: Contacts, unit: meanSeconds, num: sum(num), den: sum(den), filters: []Dim{Method, Reason}}
	}
	return map[string]formula{
		"AVG_MESSAGES":                  perChat(allMessages),
		"AVG_MESSAGES_AGENT":            perChat(agentMessages),
		"AVG_MESSAGES_CUSTOMER":         perChat(customerMsgs),
		"AVG_MESSAGES_BOT":              perChat(botMessages),
		"AVG_FIRST_RESPONSE_TIME_AGENT": reply(firstUS, firstKnown),
		"AVG_RESPONSE_TIME_AGENT":       reply(agentReplyUS, agentReplies),
		"AVG_RESPONSE_TIME_CUSTOMER":    reply(custReplyUS, custReplies),
	}
}

// Names are all metrics that there are, in order.
func Names() []string {
	var out []string
	for name := range formulas() {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
