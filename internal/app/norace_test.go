//go:build !race

package app

const worldsUnderTest = 120

// raceEnabled says that the race detector slows everything down.
const raceEnabled = false
