//go:build !linux

package media

// newLoops are the loops of a plane: the portable one.
func newLoops() ([]Loop, error) { return []Loop{NewNetLoop()}, nil }
