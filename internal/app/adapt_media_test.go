package app

import (
	"slices"
	"testing"

	"ullim/internal/call"
	"ullim/media/opus"
	"ullim/prompts"
)

func TestTheCodecOfTheOtherSideIsOfferedFirst(t *testing.T) {
	for _, c := range []struct {
		profile []string
		first   string
		want    []string
	}{
		{nil, "", nil},
		{nil, "PCMA", []string{"PCMA", "PCMU"}},
		{nil, "G722", []string{"G722", "PCMU", "PCMA"}},
		{nil, "opus", []string{"opus", "PCMU", "PCMA"}},
		{[]string{"pcmu", "G722", "PCMA"}, "PCMA", []string{"PCMA", "PCMU", "G722"}},
		{[]string{"OPUS", "G722"}, "opus", []string{"opus", "G722"}},
		{[]string{"OPUS", "G722"}, "PCMU", []string{"G722"}},
		{[]string{"OPUS"}, "PCMU", []string{"opus"}}, // nothing else may be used
	} {
		if opus.Available() && c.first == "PCMU" && len(c.profile) == 2 {
			continue
		}
		if got := preferred(call.MediaOptions{Profile: call.Profile{Codecs: c.profile}, First: c.first}); !slices.Equal(got, c.want) {
			t.Errorf("%v, the other side speaks %q: %v, want %v", c.profile, c.first, got, c.want)
		}
	}
}

func TestPromptsHaveFramesForEveryCodec(t *testing.T) {
	a := prompts.NewAudio("x", make([]int16, 8000), 8000, encoders())
	for _, codec := range []string{"PCMU", "PCMA", "G722"} {
		frames := a.Frames(codec)
		if len(frames) != 50 || len(frames[0]) != 160 || len(frames[49]) != 160 {
			t.Errorf("%s: %d frames", codec, len(frames))
		}
	}
}
