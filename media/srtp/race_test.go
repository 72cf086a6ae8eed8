//go:build race

package srtp

// raceDetector: the race detector throws pooled memory away at random, so allocations cannot be counted.
const raceDetector = true
