package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"ullim/internal/app"
)

// promptsCommand has what is done with prompts.
type promptsCommand struct {
	Upload promptsUploadCommand `cmd:"" help:"Upload sound files as prompts: WAV, MP3, Ogg Vorbis, FLAC; name@ko-KR.wav, or ko-KR/name.wav in a folder, is a variant for a language."`
}

type promptsUploadCommand struct {
	Paths []string `arg:"" name:"path" help:"Files, or folders with everything in them." type:"path"`
	API   string   `name:"api" help:"Address of a running ullim." default:"http://127.0.0.1:8080"`
	Token string   `env:"ULLIM_TOKEN" required:"" help:"Token of an access key."`
}

// Run uploads; it fails when a file did.
func (c promptsUploadCommand) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	failed, err := app.UploadPrompts(ctx, app.PromptUpload{Paths: c.Paths, API: c.API, Token: c.Token}, os.Stdout)
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d files failed", failed)
	}
	return err
}
