//go:build !race

package app

const worldsUnderTest = 60

// raceEnabled says that the race detector slows everything down.
const raceEnabled = false
