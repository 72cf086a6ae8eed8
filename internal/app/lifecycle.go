package app

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// lifecycle is what must be undone, last in first out. Every step has a name, so that one that fails can be told.
type lifecycle struct {
	log   *slog.Logger
	steps []step
}

type step struct {
	name string
	stop func() error
}

// onStop adds a step that can fail.
func (l *lifecycle) onStop(name string, stop func() error) {
	l.steps = append(l.steps, step{name, stop})
}

// onStopDo adds a step that cannot.
func (l *lifecycle) onStopDo(name string, stop func()) {
	l.onStop(name, func() error { stop(); return nil })
}

// stop undoes everything, the last first. A step that fails does not keep the others from running.
func (l *lifecycle) stop() error {
	var all []error
	for _, s := range slices.Backward(l.steps) {
		if err := s.stop(); err != nil {
			l.log.Error("stopping failed", "part", s.name, "error", err)
			all = append(all, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	l.steps = nil
	return errors.Join(all...)
}
