//go:build race

package app

// worldsUnderTest is fewer under the race detector, which makes each ten times slower; `make test` runs both.
const worldsUnderTest = 4

// raceEnabled says that the race detector slows everything down.
const raceEnabled = true
