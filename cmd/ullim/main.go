// Command ullim is the one binary: the engine, and the tools around it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"ullim/internal/app"
)

// commands are what the binary can do.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the engine. Works with no configuration file at all."`
	Try     tryCommand     `cmd:"" help:"Run the whole system on loopback with a fake carrier and scripted phones, and check five calls."`
	Check   checkCommand   `cmd:"" help:"Check a configuration file: every mistake with its line."`
	Doctor  doctorCommand  `cmd:"" help:"Look for the usual mistakes around ullim: addresses, ports, clock, storage, speech."`
	Migrate migrateCommand `cmd:"" help:"Bring the database up to date and stop."`
	User    userCommand    `cmd:"" help:"Help an administrator who is locked out."`
	Flow    flowCommand    `cmd:"" help:"Work with contact flows as files."`
	Prompts promptsCommand `cmd:"" help:"Work with prompts as files."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

func main() {
	var c commands
	k := kong.Parse(&c, kong.Name("ullim"), kong.UsageOnError(),
		kong.Description("ullim is a contact centre and campaign engine in one binary."))
	if err := k.Run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "ullim:", err)
		os.Exit(1)
	}
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	_, err := fmt.Println("ullim", app.Version())
	return err
}
