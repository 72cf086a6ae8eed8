package prompts

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/prompts/sound"
)

const someID = "6a4c4d2e-6e35-4d3b-9c8a-0d5a2a1b3c4d"

func TestPromptsAreFoundByARNIdNameAndLanguage(t *testing.T) {
	s := &shelf{
		prompts: []*Prompt{
			prompt("i-1", someID, "Welcome", 1), prompt("i-1", "p-ko", "Welcome@ko-KR", 1), prompt("i-1", "p-de", "Welcome@de", 1),
			prompt("i-1", "p-beep", "Beep.wav", 1),
		},
		files: map[string][]byte{},
	}
	c := NewCatalogue(s, s, encoders(), 0)
	for _, tt := range []struct{ ref, language, want string }{
		{"Welcome", "", someID},
		{"Welcome", "en-US", someID},
		{"Welcome", "ko-KR", "p-ko"},
		{"Welcome", "de-AT", "p-de"},
		{someID, "ko-KR", someID}, // an id means just that one
		{"arn:aws:connect:local:1:instance/i-1/prompt/" + someID, "ko-KR", someID},
		{"Beep.wav", "", "p-beep"}, // an uploaded one replaces the built-in
		{"arn:aws:connect:local:1:instance/i-2/prompt/" + someID, "", ""},
		{"arn:aws:connect:local:1:instance/i-1/queue/" + someID, "", ""},
		{"welcome", "", ""},
		{"", "", ""},
		{"../Welcome", "", ""},
	} {
		p, err := c.Find(t.Context(), "i-1", tt.ref, tt.language)
		switch {
		case tt.want == "" && !errs.Is(err, errs.NotFound):
			t.Errorf("%q: %v, %v", tt.ref, p, err)
		case tt.want != "" && (err != nil || p.ID != tt.want):
			t.Errorf("%q in %q: %v, %v", tt.ref, tt.language, p, err)
		}
	}
	if _, err := c.Find(t.Context(), "i-2", "Welcome", ""); !errs.Is(err, errs.NotFound) {
		t.Errorf("another instance: %v", err)
	}
	s.broken = errBroken
	if _, err := c.Find(t.Context(), "i-1", "Music_Default", ""); !errors.Is(err, errBroken) {
		t.Errorf("a broken store is hidden: %v", err)
	}
}

func TestBuiltInPromptsAreThereWithoutAStore(t *testing.T) {
	c := NewCatalogue(nil, nil, encoders(), 0)
	want := map[string]time.Duration{BeepName: 260 * time.Millisecond, MusicName: 16 * time.Second, SilenceName: 5 * time.Second}
	for _, p := range Builtins("i-1") {
		if _, made := want[p.Name]; !made { // words need somebody who speaks
			if _, err := c.Prompt(t.Context(), "i-1", p.Name, "ko-KR"); !errs.Is(err, errs.NotFound) {
				t.Errorf("%s: %v", p.Name, err)
			}
			continue
		}
		byName, err := c.Prompt(t.Context(), "i-1", p.Name, "ko-KR")
		if err != nil {
			t.Fatal(err)
		}
		byID, err := c.Prompt(t.Context(), "i-1", p.ID, "")
		if err != nil || byID != byName || byName.Name != p.Name {
			t.Errorf("%s: %v", p.Name, err)
		}
		check(t, want[p.Name], byName.Length)
		other, err := c.Prompt(t.Context(), "i-2", p.Name, "")
		if err != nil || other != byName { // one copy for all instances
			t.Errorf("%s: %v", p.Name, err)
		}
		if _, err = c.Prompt(t.Context(), "i-2", p.ID, ""); !errs.Is(err, errs.NotFound) {
			t.Errorf("another instance's id: %v", err)
		}
		check(t, Builtins("i-1")[0].ID, Builtins("i-1")[0].ID)
	}
	check(t, 3, c.Stats().Entries)
}

func TestUploadedPromptsAreDecodedOncePerVersion(t *testing.T) {
	stereo := make([]int16, 2*16000)
	for i := range 16000 {
		stereo[2*i] = int16(8000 * math.Sin(2*math.Pi*500*float64(i)/16000))
		stereo[2*i+1] = stereo[2*i]
	}
	p := prompt("i-1", someID, "Welcome", 1)
	s := &shelf{prompts: []*Prompt{p}, files: map[string][]byte{p.Key: wavFile(16000, 2, stereo)}}
	c := NewCatalogue(s, s, encoders(), 0)
	var first *Audio
	for range 3 {
		a, err := c.Prompt(t.Context(), "i-1", "Welcome", "")
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = a
		}
		if a != first || a.Length != time.Second || a.Name != "Welcome" {
			t.Fatal(a)
		}
	}
	check(t, 1, s.opened)
	p.Version = 2
	if a, err := c.Prompt(t.Context(), "i-1", "Welcome", ""); err != nil || a == first {
		t.Error("the old version is played", err)
	}
	delete(s.files, p.Key)
	p.Version = 3
	if _, err := c.Prompt(t.Context(), "i-1", "Welcome", ""); !errs.Is(err, errs.NotFound) {
		t.Errorf("a lost file: %v", err)
	}
	s.files[p.Key] = []byte("ID3 this is an mp3")
	if _, err := c.Prompt(t.Context(), "i-1", "Welcome", ""); !errs.Is(err, errs.Invalid) {
		t.Errorf("a broken file: %v", err)
	}
}

// endless is a large file that is not kept in memory by the test.
type endless struct {
	head []byte
	left int
	fail error
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.head)
	e.head = e.head[n:]
	if n == 0 && e.left == 0 {
		if e.fail != nil {
			return 0, e.fail
		}
		return 0, io.EOF
	}
	if n == 0 {
		n = min(len(p), e.left)
		clear(p[:n])
		e.left -= n
	}
	return n, nil
}

func TestUploadsAreChecked(t *testing.T) {
	data := wavFile(16000, 2, make([]int16, 32000))
	u, err := CheckUpload(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	check(t, File{
		SHA256: fmt.Sprintf("%x", sha256.Sum256(data)), Format: sound.WAV, Bytes: int64(len(data)), Rate: 16000, Channels: 2, Millis: 1000,
	}, u)
	for name, tt := range map[string]struct {
		r    io.Reader
		want string
	}{
		"an mp3":        {strings.NewReader("ID3\x03 and so on"), "broken mp3"},
		"nothing":       {strings.NewReader(""), "none of WAV"},
		"no sound":      {bytes.NewReader(wavFile(8000, 1, nil)), "no sound"},
		"a slow rate":   {bytes.NewReader(wavFile(1000, 1, make([]int16, 100))), "1000 Hz"},
		"five minutes":  {bytes.NewReader(wavFile(8000, 1, make([]int16, 8000*300))), "longer than 5m"},
		"50 MB":         {&endless{head: wavFile(48000, 2, nil)[:44], left: MaxUpload}, "smaller than 50 MB"},
		"endless sound": {&endless{head: wavFile(48000, 2, nil)[:44], left: 1 << 40}, "smaller than 50 MB"},
	} {
		if _, err := CheckUpload(t.Context(), tt.r); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := CheckUpload(t.Context(), bytes.NewReader(wavFile(8000, 1, make([]int16, 8000*300-1)))); err != nil {
		t.Errorf("just under five minutes: %v", err)
	}
	if _, err := CheckUpload(t.Context(), &endless{head: wavFile(8000, 1, nil), left: 1000, fail: errBroken}); !errors.Is(err, errBroken) || errs.Is(err, errs.Invalid) {
		t.Errorf("a broken connection is the file's fault: %v", err)
	}
}

func TestStoredPromptsAreRefusedWhenTheyBreakARule(t *testing.T) {
	if err := prompt("i-1", someID, "안내 방송", 1).Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Prompt){
		"no name":            func(p *Prompt) { p.Name = "" },
		"a name with spaces": func(p *Prompt) { p.Name = "x " },
		"a name on lines":    func(p *Prompt) { p.Name = "a\nb" },
		"a long name":        func(p *Prompt) { p.Name = strings.Repeat("x", 257) },
		"a long description": func(p *Prompt) { p.Description = strings.Repeat("x", 251) },
		"no file":            func(p *Prompt) { p.Key = "" },
		"a built-in":         func(p *Prompt) { p.Key = "builtin/Beep.wav" },
	} {
		p := prompt("i-1", someID, "Welcome", 1)
		spoil(p)
		if err := p.Validate(); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPromptIsPlayedInTheLanguageOfTheContact(t *testing.T) {
	p := &Prompt{Key: "default", Variants: map[string]File{"ko-KR": {Key: "ko"}, "en-GB": {Key: "gb"}, "en": {Key: "en"}, "de-AT": {Key: "at"}}}
	for language, want := range map[string]string{
		"": "default", "ko-KR": "ko", "KO-kr": "ko", "ko": "ko", "en-US": "en", "en-GB": "gb", "de-DE": "at", "fr-FR": "default",
	} {
		if got := p.Choose(language); got != want {
			t.Errorf("%q gets %q, not %q", language, got, want)
		}
	}
	for in, want := range map[string]string{"ko_kr": "ko-KR", "EN": "en", "zh-hant-tw": "zh-Hant-TW", "es-419": "es-419", "": "", "x": "", "ko-": "", "korean": "", "ko KR": ""} {
		got, err := LanguageTag(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v", in, got, err)
		}
	}
}

func TestAVariantIsHeardAndKeptByItself(t *testing.T) {
	p := prompt("i-1", someID, "Welcome", 1)
	p.Variants = map[string]File{"ko-KR": {Key: "k/ko"}}
	s := &shelf{prompts: []*Prompt{p}, files: map[string][]byte{
		p.Key: wavFile(8000, 1, make([]int16, 8000)), "k/ko": wavFile(8000, 1, make([]int16, 16000)),
	}}
	c := NewCatalogue(s, s, encoders(), 0)
	for language, want := range map[string]time.Duration{"en-US": time.Second, "ko-KR": 2 * time.Second} {
		a, err := c.Prompt(t.Context(), "i-1", "Welcome", language)
		if err != nil || a.Length != want {
			t.Errorf("%s: %v, %v", language, a, err)
		}
	}
}

func TestBuiltInWordsAreSpokenInTheContactsLanguage(t *testing.T) {
	v := &voiceOf{}
	var said []Speech
	v.fail = func(s Speech) error { said = append(said, s); return nil }
	c := NewCatalogue(nil, nil, encoders(), 0)
	c.SpeakWith(NewSpeaker(v, encoders(), SpeakerOptions{}))
	for _, language := range []string{"ko-KR", "en-GB", "fr-FR", ""} {
		if _, err := c.Prompt(t.Context(), "i-1", "PleaseHold", language); err != nil {
			t.Fatal(err)
		}
	}
	check(t, []Speech{
		{Text: "잠시만 기다려 주십시오.", Language: "ko-KR"},
		{Text: "Please hold the line.", Language: "en-GB"},
		{Text: "Please hold the line.", Language: "en-US"},
	}, said)
	names := map[string]bool{}
	for _, p := range Builtins("i-1") {
		if names[p.Name] || p.Description == "" {
			t.Errorf("%q is there twice, or not described", p.Name)
		}
		names[p.Name] = true
	}
	for _, w := range builtinTexts() {
		if w.english == "" || guessLanguage(w.korean) != "ko-KR" || guessLanguage(w.english) != "en-US" {
			t.Errorf("%s is not in both languages", w.name)
		}
	}
}
