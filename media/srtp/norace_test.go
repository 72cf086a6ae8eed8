//go:build !race

package srtp

// raceDetector: see race_test.go.
const raceDetector = false
