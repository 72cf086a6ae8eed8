// Command ullim is the one binary: the engine, and the tools around it.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"ullim/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("V") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if err := app.Try(ctx, app.TryOptions{Out: os.Stdout, Language: "en-US", Log: log}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
