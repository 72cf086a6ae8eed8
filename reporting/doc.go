// Package reporting computes what reports show: historical metrics, by the formulas of Amazon Connect, from contact
// records and from the timeline of agents.
//
// # Layout
//
//	fact.go      what a contact record counts as, when it is complete: one line of numbers (pure)
//	span.go      what a piece of an agent's timeline counts as (pure)
//	table.go     the tables of facts: their dimensions and numbers
//	metric.go    the catalogue: each metric's formula as a quotient of two measures
//	query.go     a question and its limits; interval.go: its periods
//	plan.go      a question as aggregations, and their rows as results
//	memory.go    a Source over facts in memory: the same question without a database
//
// # How a figure comes about
//
// Facts are written once, by the transaction that makes a record complete, and never change. A metric is a quotient of two
// sums, counts or maxima over facts with conditions. Compute turns a question into a few aggregations, one for each table
// and time that it needs, a Source (package storage: one SQL statement each) answers them, and the quotients are taken at
// the end. So nothing is rounded on the way: all times are microseconds, and sums are integers.
//
// # When something counts
//
// A contact counts when its record is complete, that is when it has ended and its after-contact work too, and it counts in
// the period in which it was disconnected. CONTACTS_CREATED, CONTACTS_QUEUED_BY_ENQUEUE and
// CONTACTS_HANDLED_BY_CONNECTED_TO_AGENT count the same records by other times. What agents do counts when it is done,
// cut at the borders of the period. docs/metrics.md has each metric.
package reporting
