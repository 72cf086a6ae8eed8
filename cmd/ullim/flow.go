package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"ullim/internal/app"
)

// flowCommand has what is done with flows as files.
type flowCommand struct {
	Check flowCheckCommand `cmd:"" help:"Check flows before they are published: every mistake with its action and what to do."`
	Diff  flowDiffCommand  `cmd:"" help:"Say what differs between two versions of a flow."`
	Test  flowTestCommand  `cmd:"" help:"Run scripted tests of flows without a telephone."`
}

type flowCheckCommand struct {
	Files  []string `arg:"" name:"file" help:"Flows as JSON, as exported." type:"existingfile"`
	Type   string   `help:"Type of the flows (CONTACT_FLOW, CUSTOMER_QUEUE, ... or MODULE), where a file does not say."`
	Lang   string   `help:"Language of the messages: en or ko. The default is the system's." default:"" enum:",en,ko"`
	JSON   bool     `name:"json" help:"Write JSON."`
	Strict bool     `help:"Fail on warnings too."`
	API    string   `name:"api" help:"Address of a running ullim (https://host:port): checks queues, prompts, hours and flows too."`
	Token  string   `env:"ULLIM_TOKEN" help:"Token of an access key, for --api."`
}

// Run checks the files; it fails when there are errors.
func (c flowCheckCommand) Run() error {
	failed, err := app.CheckFlows(context.Background(), app.FlowCheck{
		Files: c.Files, Type: c.Type, Language: languageOr(c.Lang), JSON: c.JSON, API: c.API, Token: c.Token, Strict: c.Strict,
	}, os.Stdout)
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d problems found", failed)
	}
	return err
}

// languageOr is the language that was asked for, or that of the system.
func languageOr(asked string) string {
	for _, l := range []string{asked, os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")} {
		if l != "" {
			return strings.ReplaceAll(l, "_", "-")
		}
	}
	return "en"
}

type flowDiffCommand struct {
	Before string `arg:"" help:"The flow as it was." type:"existingfile"`
	After  string `arg:"" help:"The flow as it is." type:"existingfile"`
	JSON   bool   `name:"json" help:"Write JSON."`
}

// Run writes the difference.
func (c flowDiffCommand) Run() error {
	_, err := app.DiffFlows(c.Before, c.After, c.JSON, os.Stdout)
	return err
}
