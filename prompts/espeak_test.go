package prompts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
)

func TestEspeakSpeaksEnglishAndKorean(t *testing.T) {
	e := &Espeak{}
	if v, err := e.Version(t.Context()); err != nil || !strings.Contains(v, "eSpeak NG") {
		t.Fatalf("espeak-ng is needed for this test (apt install espeak-ng): %q, %v", v, err)
	}
	say := func(sp Speech) time.Duration {
		t.Helper()
		pcm, rate, err := e.Synthesize(t.Context(), sp)
		if err != nil {
			t.Fatalf("%+v: %v", sp, err)
		}
		if level := dBFS(pcm); rate < 8000 || level < -40 || level > -3 {
			t.Fatalf("%+v: %d Hz at %.1f dBFS", sp, rate, level)
		}
		return time.Duration(len(pcm)) * time.Second / time.Duration(rate)
	}
	english := say(Speech{Text: "Thank you for calling. Please press one.", Language: "en-US"})
	korean := say(Speech{Text: "전화해 주셔서 감사합니다. 일 번을 눌러 주세요.", Language: "ko-KR"})
	for name, d := range map[string]time.Duration{"English": english, "Korean": korean} {
		if d < 1500*time.Millisecond || d > 8*time.Second {
			t.Errorf("%s takes %v", name, d)
		}
	}
	// The same text in another language must not sound the same, nor must it by the name of another provider's voice.
	text := "1 2 3 4 5"
	if en, ko := say(Speech{Text: text, Language: "en-US"}), say(Speech{Text: text, Language: "ko-KR"}); en == ko {
		t.Errorf("English and Korean both take %v", en)
	} else if amazon := say(Speech{Text: text, Language: "ko-KR", Voice: "Seoyeon"}); amazon != ko {
		t.Errorf("Seoyeon takes %v, Korean %v", amazon, ko)
	}
	// Rate is heard in the length; pauses are the Speaker's, whatever is in the mark-up.
	plain := say(Speech{Text: "one two three four five", Language: "en-US", SSML: true})
	slow := say(Speech{Text: "one two three four five", Language: "en-US", SSML: true, Rate: 0.6})
	if slow < plain*5/4 {
		t.Errorf("at 60%% it takes %v, else %v", slow, plain)
	}
	paused := say(Speech{Text: `<speak>one two three <break time="9s"/>four five</speak>`, Language: "en-US", SSML: true})
	if d := paused - plain; d.Abs() > 700*time.Millisecond {
		t.Errorf("a pause makes it %v longer", d)
	}
}

func TestTextIsNeverAnOptionNorACommand(t *testing.T) {
	e := &Espeak{}
	file := filepath.Join(t.TempDir(), "x.wav")
	for _, text := range []string{"--version", "-w " + file, "-f /etc/passwd", "; touch " + file, "$(touch " + file + ")", "[[hElo]]", "\x00\x1b[2J hello"} {
		pcm, _, err := e.Synthesize(t.Context(), Speech{Text: text, Language: "en-US"})
		if err != nil || len(pcm) == 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the text was obeyed")
	}
	// Mark-up cannot make it read a file: what is heard is only the text.
	sound := filepath.Join(t.TempDir(), "long.wav")
	if err := os.WriteFile(sound, wavFile(22050, 1, make([]int16, 22050*20)), 0o600); err != nil {
		t.Fatal(err)
	}
	pcm, rate, err := e.Synthesize(t.Context(), Speech{Text: `<audio src="` + sound + `">hi</audio>`, Language: "en-US", SSML: true})
	if err != nil || len(pcm) > 5*rate {
		t.Errorf("%d s, %v", len(pcm)/max(rate, 1), err)
	}
}

func TestVoicesAndLanguagesAreFromAList(t *testing.T) {
	for _, tt := range []struct {
		speech Speech
		want   string // empty: refused
	}{
		{Speech{Language: "en-US"}, "en-us"},
		{Speech{Language: "en_GB"}, "en-gb"},
		{Speech{Language: "en-AU"}, "en-gb"},
		{Speech{Language: "ko-KR"}, "ko"},
		{Speech{Language: "ko"}, "ko"},
		{Speech{Language: "es-MX"}, "es-419"},
		{Speech{Language: "zh-CN"}, "cmn"},
		{Speech{Language: "pt-BR"}, "pt-br"},
		{Speech{Language: "ko-KR", Voice: "ko+f3"}, "ko+f3"},
		{Speech{Language: "ko-KR", Voice: "Joanna"}, "ko"},
		{Speech{Text: "안녕"}, "ko"},
		{Speech{Language: "tlh"}, ""},
		{Speech{Language: "../ko"}, ""},
		{Speech{Voice: "../../x"}, ""},
		{Speech{Voice: "-v"}, ""},
		{Speech{Voice: "--stdout"}, ""},
		{Speech{Voice: "+f3"}, ""},
		{Speech{Voice: "ko x"}, ""},
		{Speech{Voice: "Unknown"}, ""},
		{Speech{Voice: strings.Repeat("a", 41)}, ""},
	} {
		got, err := chooseVoice(tt.speech)
		if got != tt.want || (err != nil) != (tt.want == "") || err != nil && !errs.Is(err, errs.Invalid) {
			t.Errorf("%+v: %q, %v", tt.speech, got, err)
		}
	}
	if _, _, err := (&Espeak{}).Synthesize(t.Context(), Speech{Text: "x", Voice: "nosuchvoice"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a voice that espeak-ng does not have: %v", err)
	}
	if _, _, err := (&Espeak{MaxText: 3}).Synthesize(t.Context(), Speech{Text: "four", Language: "en"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("long text: %v", err)
	}
}

// script makes a program that behaves badly in place of espeak-ng.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "espeak-ng")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil { // it is run
		t.Fatal(err)
	}
	return path
}

func TestABadChildDoesNoHarm(t *testing.T) {
	speech := Speech{Text: "hello", Language: "en-US"}
	_, _, err := (&Espeak{Command: filepath.Join(t.TempDir(), "missing")}).Synthesize(t.Context(), speech)
	if !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "apt install espeak-ng") {
		t.Errorf("missing: %v", err)
	}
	start := time.Now()
	_, _, err = (&Espeak{Command: script(t, "exec sleep 30"), Timeout: 100 * time.Millisecond}).Synthesize(t.Context(), speech)
	if !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("slow: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, _, err = (&Espeak{Command: script(t, "exec sleep 30")}).Synthesize(ctx, speech); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, _, err = (&Espeak{Command: script(t, "exec cat /dev/zero")}).Synthesize(t.Context(), speech); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "MB of sound") {
		t.Errorf("endless: %v", err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("all that took %v", d)
	}
	if _, _, err = (&Espeak{Command: script(t, "echo it is broken >&2; exit 3")}).Synthesize(t.Context(), speech); !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "it is broken") {
		t.Errorf("failing: %v", err)
	}
	if _, _, err = (&Espeak{Command: script(t, "echo no sound")}).Synthesize(t.Context(), speech); err == nil {
		t.Error("text was taken for sound")
	}
	t.Setenv("ULLIM_SECRET", "s3cret")
	if _, _, err = (&Espeak{Command: script(t, "env >&2; exit 3")}).Synthesize(t.Context(), speech); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the environment: %v", err)
	}
}

func TestASpeakerWithEspeakGivesFrames(t *testing.T) {
	s := NewSpeaker(&Espeak{}, encoders(), SpeakerOptions{})
	a, err := s.Speak(t.Context(), Speech{Text: "안녕하세요"})
	if err != nil {
		t.Fatal(err)
	}
	if a.Length < 500*time.Millisecond || len(a.Frames("PCMU")) != int(a.Length/FrameLength) || !strings.HasPrefix(a.Name, "speech/") {
		t.Errorf("%s: %v, %d frames", a.Name, a.Length, len(a.Frames("PCMU")))
	}
}
