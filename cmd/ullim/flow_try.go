package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"ullim/ivr/flowtest"
)

type flowTestCommand struct {
	Files   []string `arg:"" name:"file" help:"Test files (JSON; docs/flow-testing.md)." type:"existingfile"`
	Verbose bool     `short:"v" help:"Show what happened in tests that pass, too."`
}

// Run runs the tests of the files and writes TAP; it fails when one fails.
func (c flowTestCommand) Run() error {
	failed, ran := 0, 0
	for _, file := range c.Files {
		n, of, err := c.file(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		failed, ran = failed+n, ran+of
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d tests failed", failed, ran)
	}
	return nil
}

func (c flowTestCommand) file(name string) (failed, ran int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, 0, err
	}
	b, err := io.ReadAll(io.LimitReader(f, flowtest.MaxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, 0, err
	}
	suite, err := flowtest.Parse(b)
	if err != nil {
		return 0, 0, err
	}
	r := flowtest.Runner{Suite: suite, Load: flowtest.Beside(name)}
	results, err := r.Run(context.Background())
	if err != nil {
		return 0, 0, err
	}
	failed, err = flowtest.Report(os.Stdout, name, results, c.Verbose)
	return failed, len(results), err
}
