// Package permit decides whether a person may be contacted now, on a channel. It is pure: Decide reads no clock and asks
// nobody; what must be known comes in as Facts.
//
// It begins with what callbacks need: the hours in which the called party may be called, in the zone that the number
// lies in, and whether the number is on a list of those who do not want to be. Suppression of other channels, consent,
// frequency and duplicates come with campaigns: each is one more stage in the visible list of Decide, in the order in
// which reasons are told. Then whoever contacts the outside will take a Permit, which only this package makes and which
// expires after seconds, so that a check that was skipped does not compile.
package permit
