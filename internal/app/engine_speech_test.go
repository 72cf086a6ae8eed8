package app

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/errs"
	"ullim/ivr"
	"ullim/media/g711"
	"ullim/prompts"
	"ullim/prompts/sound"
	"ullim/sip/siptest"
)

// dictator speaks with the test voice and takes its time.
type dictator struct {
	prompts.ToneSynthesizer
	takes time.Duration
	begun atomic.Int32
}

func (d *dictator) Synthesize(ctx context.Context, s prompts.Speech) ([]int16, int, error) {
	d.begun.Add(1)
	select {
	case <-time.After(d.takes):
		return d.ToneSynthesizer.Synthesize(ctx, s)
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
}

func TestAnUploadIsPlayedAndALongTextIsHeardWhileItIsSpoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t, siptest.NetworkOptions{Seed: 1})
		defer f.end()
		ctx := t.Context()
		inside := prompts.Speech{Text: `<audio src="https://169.254.169.254/latest.wav"/>`, SSML: true, InstanceID: f.stage.id}
		if _, err := f.app.speaker.Speak(ctx, inside); !errs.Is(err, errs.Denied) {
			t.Errorf("a sound from an address of this network: %v", err)
		}
		voice := &dictator{takes: 2 * time.Second}
		f.app.engine.Speaker = prompts.NewSpeaker(voice, encoders(), prompts.SpeakerOptions{})

		mp3, err := os.ReadFile("../../prompts/sound/testdata/mono44.mp3")
		if err != nil {
			t.Fatal(err)
		}
		shelf := &prompts.Shelf{Store: f.app.stores.prompts, Files: promptAudio{f.app}, Log: f.app.log}
		upload, err := shelf.Check(ctx, "acme", mp3)
		if err != nil {
			t.Fatal(err)
		}
		jingle := &prompts.Prompt{Meta: f.stage.meta("Jingle")}
		jingle.Put("", upload.File)
		if err = shelf.Use(ctx, f.stage.id, upload, func() error { return f.app.stores.prompts.Create(ctx, jingle) }); err != nil {
			t.Fatal(err)
		}
		first := "This is the first sentence of a long text."
		text := first + " " + strings.Repeat("It goes on and on, and nobody wants to wait until all of it has been made. ", 12)
		flow := &ivr.Flow{Meta: f.stage.meta("Long"), Type: ivr.TypeInbound, Content: `{"Version":"2019-10-30","StartAction":"a","Actions":[
			{"Identifier":"a","Type":"MessageParticipant","Parameters":{"PromptId":"Jingle"},"Transitions":{"NextAction":"b","Errors":[{"NextAction":"c","ErrorType":"NoMatchingError"}]}},
			{"Identifier":"b","Type":"MessageParticipant","Parameters":{"Text":"` + text + `"},"Transitions":{"NextAction":"c","Errors":[{"NextAction":"c","ErrorType":"NoMatchingError"}]}},
			{"Identifier":"c","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`}
		if err = f.app.flows.Create(ctx, flow, ivr.Published); err != nil {
			t.Fatal(err)
		}
		if err = f.stage.number(ctx, "+8215880099", flow.ID); err != nil {
			t.Fatal(err)
		}
		if err = f.app.dir.reload(ctx); err != nil {
			t.Fatal(err)
		}

		c, err := f.carrier.Call(ctx, "+8215880099", "01012340001", siptest.CallOptions{Voice: siptest.Voice("caller")})
		if err != nil {
			t.Fatal(err)
		}
		if err = c.WaitAnswered(ctx); err != nil {
			t.Fatal(err)
		}
		// The prompt, two seconds for the first sentence, and its sound: by then it must have been heard, whatever is still to be made.
		time.Sleep(time.Second + voice.takes + 3*time.Second)
		tone, rate, err := voice.ToneSynthesizer.Synthesize(ctx, prompts.Speech{Text: first, Language: "en-US"})
		if err != nil {
			t.Fatal(err)
		}
		file, err := sound.Decode(ctx, mp3, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for name, a := range map[string]*prompts.Audio{
			"the prompt": prompts.NewAudio("", file.PCM, file.Rate, encoders()), "the first sentence": prompts.NewAudio("", tone, rate, encoders()),
		} {
			var want []int16
			for _, frame := range a.Frames("PCMU") {
				pcm := make([]int16, len(frame))
				g711.DecodeULaw(pcm, frame)
				want = append(want, pcm...)
			}
			if !siptest.Contains(c.Heard(), want) {
				t.Errorf("%s was not heard", name)
			}
		}
		begun := voice.begun.Load()
		c.Hangup()
		time.Sleep(time.Minute)
		if n := voice.begun.Load(); n > begun+1 || n >= 8 {
			t.Errorf("%d pieces were begun, %d of them before the caller hung up", n, begun)
		}
	})
}
