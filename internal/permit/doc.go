// Package permit will decide whether a person may be contacted now, on a channel: suppression, consent, calling window in
// the called party's zone, frequency, duplicates. There is no code yet; this is the place.
//
// The design: a chain of stages, one file each, in one visible list. It is the only maker of a Permit, whose fields are not
// exported and which expires after seconds; whoever calls or sends to the outside takes one. So a check that was skipped
// does not compile, and yesterday's check does not send. Emergency numbers get a Permit of their own kind, always.
package permit
