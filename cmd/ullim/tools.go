package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"ullim/internal/app"
	"ullim/internal/config"
)

type checkCommand struct {
	File string `arg:"" optional:"" help:"Configuration file; none checks defaults and environment." type:"path"`
}

// Run checks a file as serve would read it.
func (c checkCommand) Run() error {
	if _, err := config.Load(c.File, os.Environ()); err != nil {
		return err
	}
	fmt.Println("the configuration is good")
	return nil
}

type doctorCommand struct{ configFlag }

// Run prints one line for each thing looked at, and fails if one is wrong.
func (c doctorCommand) Run() error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if failed := app.Doctor(context.Background(), cfg, os.Stdout); failed > 0 {
		return fmt.Errorf("%d problems found", failed)
	}
	return nil
}

type migrateCommand struct{ configFlag }

// Run opens the database, which brings it up to date.
func (c migrateCommand) Run() error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	return app.Migrate(context.Background(), cfg, os.Stdout)
}

type userCommand struct {
	configFlag
	Name     string `arg:"" help:"User name."`
	Instance string `help:"Alias of the instance." default:"ullim"`
	NewKey   bool   `help:"Make a new access key and print it once."`
}

// Run gives a user a new access key.
func (c userCommand) Run() error {
	if !c.NewKey {
		return errors.New("nothing to do: give --new-key")
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	return app.NewUserKey(context.Background(), cfg, c.Instance, c.Name, os.Stdout)
}
