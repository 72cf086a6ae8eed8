//go:build !race

package app

const worldsUnderTest = 200
