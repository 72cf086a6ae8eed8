package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"ullim/internal/app"
	"ullim/internal/config"
)

// configFlag is shared by the commands that read the configuration.
type configFlag struct {
	Config string `short:"c" help:"Configuration file (YAML). Without one, defaults and ULLIM_... variables are used." type:"path"`
}

func (f configFlag) load() (*config.Config, error) { return config.Load(f.Config, os.Environ()) }

type serveCommand struct{ configFlag }

// Run serves until SIGTERM or SIGINT, then drains: new calls are refused, live ones go on until the deadline of
// limits.drain. A second signal ends them at once.
func (s serveCommand) Run() error {
	relaxTimers()
	cfg, err := s.load()
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	if os.Getenv("GOGC") == "" { // the heap is small and the machine is not: collect less often
		debug.SetGCPercent(200)
	}
	server, err := app.Serve(context.Background(), cfg, os.Stdout, os.Stderr)
	if err != nil {
		return err
	}
	select {
	case <-signals:
	case failure := <-server.Failed():
		return errors.Join(failure, server.Shutdown(context.Background()))
	}
	fmt.Fprintf(os.Stderr, "shutting down: new calls are refused, live ones may go on for %s; a second signal ends them at once\n", cfg.Limits.Drain)
	ctx, cancel := context.WithTimeout(context.Background(), cfg.Limits.Drain)
	defer cancel()
	go func() {
		<-signals
		cancel()
	}()
	start := time.Now()
	err = server.Shutdown(ctx)
	fmt.Fprintf(os.Stderr, "shut down after %.1f s\n", time.Since(start).Seconds())
	return err
}

type tryCommand struct {
	Keep     bool   `help:"Stay up, and print how a softphone joins in."`
	Dir      string `help:"Data folder; a new temporary one by default." type:"path"`
	Language string `help:"Language of what is spoken." enum:"en-US,ko-KR" default:"en-US"`
	Verbose  bool   `short:"v" help:"Log to standard error."`
}

// Run plays the five calls.
func (c tryCommand) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return app.Try(ctx, app.TryOptions{
		Out: os.Stdout, Keep: c.Keep, Dir: c.Dir, Language: c.Language, Log: app.VerboseLog(os.Stderr, c.Verbose),
	})
}
