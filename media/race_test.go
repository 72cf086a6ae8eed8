//go:build race

package media_test

// raceDetector says that pools forget what they hold at random, so that allocations cannot be counted.
const raceDetector = true
