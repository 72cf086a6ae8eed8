//go:build !race

package sip

const worldsUnderTest = 60
