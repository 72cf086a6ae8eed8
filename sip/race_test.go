//go:build race

package sip

// worldsUnderTest is fewer under the race detector, which makes each ten times slower.
const worldsUnderTest = 10
