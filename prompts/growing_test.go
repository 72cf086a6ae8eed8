package prompts

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/errs"
)

// long is a text of five pieces.
func long() string {
	return "Welcome to the hotline. " + strings.Repeat("All our agents are talking to other customers at this very moment of the day. ", 8)
}

func TestALongTextIsHeardBeforeItIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &voiceOf{takes: time.Second}
		s := NewSpeaker(v, encoders(), SpeakerOptions{})
		start := time.Now()
		a, err := s.Speak(t.Context(), Speech{Text: long(), Language: "en-US"})
		if err != nil || time.Since(start) != time.Second || !a.Growing() {
			t.Fatal(err, time.Since(start))
		}
		first := a.Frames("PCMU")
		check(t, true, len(first) > 0 && a.Length >= time.Duration(len(first))*FrameLength)
		time.Sleep(1500 * time.Millisecond)
		more := a.Frames("PCMU")
		if len(more) <= len(first) || !bytes.Equal(first[0], more[0]) || !a.Growing() {
			t.Errorf("%d frames at first, %d when the second piece was there", len(first), len(more))
		}
		whole, err := a.Wait(t.Context())
		if err != nil || a.Growing() || len(a.Frames("PCMU")) != int(whole/FrameLength) || len(a.Frames("PCMA")) != len(a.Frames("PCMU")) {
			t.Errorf("%v: %v of %d frames", err, whole, len(a.Frames("PCMU")))
		}
		// Warm it is there at once and whole, and the same.
		asked := v.calls.Load()
		start = time.Now()
		again, err := s.Speak(t.Context(), Speech{Text: long(), Language: "en-US"})
		if err != nil || again.Growing() || time.Since(start) != 0 || v.calls.Load() != asked {
			t.Fatal(err, time.Since(start))
		}
		check(t, joined(a, "PCMU"), joined(again, "PCMU"))
		check(t, whole, again.Length)
	})
}

func TestWhatNobodyHearsIsNotSpoken(t *testing.T) {
	for name, end := range map[string]func(a *Audio, hangUp func()){
		"abandoned": func(a *Audio, _ func()) { a.Abandon() },
		"hung up":   func(_ *Audio, hangUp func()) { hangUp() },
	} {
		synctest.Test(t, func(t *testing.T) {
			v := &voiceOf{takes: time.Second}
			s := NewSpeaker(v, encoders(), SpeakerOptions{})
			ctx, hangUp := context.WithCancel(t.Context())
			defer hangUp()
			a, err := s.Speak(ctx, Speech{Text: long(), Language: "en-US"})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			end(a, hangUp)
			synctest.Wait()
			if a.Growing() {
				t.Errorf("%s: it grows on", name)
			}
			time.Sleep(time.Minute)
			if n := v.calls.Load(); n != 2 { // the one that had begun is finished, for the next caller
				t.Errorf("%s: %d pieces were spoken", name, n)
			}
		})
	}
}

func TestAFailureInTheMiddleEndsTheAudioAndIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		v := &voiceOf{takes: time.Second}
		n := 0
		v.fail = func(Speech) error {
			if n++; n == 3 {
				return errs.New(errs.Unavailable, "the line is down")
			}
			return nil
		}
		s := NewSpeaker(v, encoders(), SpeakerOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
		a, err := s.Speak(t.Context(), Speech{Text: long(), Language: "en-US"})
		if err != nil {
			t.Fatal(err)
		}
		length, err := a.Wait(t.Context())
		if err != nil || length <= a.Length || a.Growing() {
			t.Error(length, err)
		}
		if !strings.Contains(log.String(), "the line is down") || strings.Contains(log.String(), "agents") {
			t.Errorf("the log: %s", log.String())
		}
		// In the beginning it is the caller's error.
		v.fail = func(Speech) error { return errBroken }
		if _, err = NewSpeaker(v, encoders(), SpeakerOptions{}).Speak(t.Context(), Speech{Text: long()}); !errors.Is(err, errBroken) {
			t.Error(err)
		}
	})
}

func TestReadersOfAGrowingAudioSeeWholeStates(t *testing.T) {
	piece := NewAudio("x", Tone(440, 100*time.Millisecond, -6), Rate, encoders())
	ctx, cancel := context.WithCancel(t.Context())
	a := piece.grow(cancel)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := 0
			for grows := true; grows; {
				grows = a.Growing()
				frames := a.Frames("PCMU")
				if len(frames) < last || len(frames)%5 != 0 {
					t.Errorf("%d frames after %d", len(frames), last)
				}
				last = len(frames)
			}
			if last != 5*101 {
				t.Errorf("%d frames at the end", last)
			}
		})
	}
	for range 100 {
		a.add(piece)
	}
	a.finish()
	a.finish()
	wg.Wait()
	a.Abandon()
	if ctx.Err() == nil {
		t.Error("nobody was told")
	}
}

// fetched answers for an address.
type fetched map[string][]byte

func (f fetched) Fetch(_ context.Context, _, address string, atMost int64) ([]byte, error) {
	if b, ok := f[address]; ok && int64(len(b)) <= atMost {
		return b, nil
	}
	return nil, errs.New(errs.Unavailable, "not there")
}

func TestPausesSoundsAndLoudnessAreWhatTheMarkUpSays(t *testing.T) {
	store := &shelf{
		prompts: []*Prompt{prompt("i-1", someID, "Jingle", 1)},
		files:   map[string][]byte{"k/" + someID: wavFile(8000, 1, Tone(440, time.Second, -6))},
	}
	s := NewSpeaker(ToneSynthesizer{}, encoders(), SpeakerOptions{
		Sounds:  NewCatalogue(store, store, encoders(), 0),
		Fetcher: fetched{"https://example.com/a.wav": wavFile(8000, 1, Tone(440, 3*time.Second, -6))},
	})
	speak := func(text string) time.Duration {
		t.Helper()
		a, err := s.Speak(t.Context(), Speech{Text: text, SSML: true, Language: "en-US", InstanceID: "i-1"})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		d, err := a.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	word := speak("word") // 200 ms
	for text, want := range map[string]time.Duration{
		`word<break time="2s"/>word`:                                     2*word + 2*time.Second,
		`<audio src="prompt:Jingle"/>`:                                   time.Second,
		`<audio src="Jingle">word</audio><break time="100ms"/>`:          1100 * time.Millisecond,
		`<audio src="prompt:Nothing">word</audio>`:                       word,
		`<audio src="https://example.com/a.wav">word</audio>`:            3 * time.Second,
		`<audio src="https://example.com/b.wav">word</audio>`:            word,
		`<break time="9s"/>`:                                             9 * time.Second,
		`<p>word</p><p>word</p>`:                                         2*word + 600*time.Millisecond,
		`<audio src="https://example.com/a.wav"/><break time="1s"/>word`: 4*time.Second + word,
		`<prosody volume="silent">word</prosody>`:                        word,
	} {
		if got := speak(text); (got - want).Abs() > 60*time.Millisecond {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if _, err := s.Speak(t.Context(), Speech{Text: `<audio src="https://example.com/b.wav"/>`, SSML: true}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("nothing in its place: %v", err)
	}
	loud := func(volume string) []byte {
		a, err := s.Speak(t.Context(), Speech{Text: `<prosody volume="` + volume + `">word</prosody>`, SSML: true, Language: "en-US"})
		if err != nil {
			t.Fatal(err)
		}
		return joined(a, "PCMU")
	}
	peak := func(b []byte) (most int) {
		for _, v := range b {
			most = max(most, int(int8(v)))
		}
		return most
	}
	if at0, at6, silent := peak(loud("medium")), peak(loud("-6dB")), peak(loud("silent")); silent != 0 || at6 < at0*45/100 || at6 > at0*55/100 {
		t.Errorf("peaks of %d, %d and %d", at0, at6, silent)
	}
}

func TestBadMarkUpIsFoundBeforeItIsSpoken(t *testing.T) {
	for text, want := range map[string]string{
		`<speak>hello <break time="1s"/></speak>`:       "",
		"$.Attributes.greeting":                         "",
		`<prosody rate="$.Attributes.rate">a</prosody>`: "",
		"<speak>\n<brake/>hello</speak>":                "line 2, column 1: <brake> is not a tag",
		"<speak>hello":                                  "line 1, column 13: is not well-formed",
		`<break time="1m"/>a<foo/>`:                     "; line 1, column 20: <foo>",
		"<speak/>":                                      "says nothing",
		strings.Repeat("x", MaxText+1):                  "6001 characters",
		strings.Repeat("x", MaxSpokenText+1):            "3001 characters to be spoken",
		"a" + strings.Repeat(`<break time="10s"/>`, 31): "pauses of 5m10s",
	} {
		err := CheckSSML(text)
		if want == "" && err != nil || want != "" && (!errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

func TestSilenceAroundSpeechIsCutToABreath(t *testing.T) {
	speech := Tone(440, 200*time.Millisecond, -6)
	padded := append(append(Silence(time.Second), speech...), Silence(2*time.Second)...)
	if got, want := len(trim(padded, Rate)), len(speech)+2*Rate/50; got < want-40 || got > want {
		t.Errorf("%d samples, want %d", got, want)
	}
	if got := trim(Silence(time.Second), Rate); len(got) > Rate/20 {
		t.Errorf("%d samples of silence", len(got))
	}
	if got := trim(nil, Rate); len(got) != 0 {
		t.Error(got)
	}
}

// BenchmarkFirstAudio is the time until a caller hears the beginning of a long text: cold, when nobody has heard it before, and
// warm. The voice is espeak-ng.
func BenchmarkFirstAudio(b *testing.B) {
	text := "Thank you for calling. " + strings.Repeat("All our agents are busy, please hold the line until the next one is free for you. ", 20)
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			s := NewSpeaker(&Espeak{}, encoders(), SpeakerOptions{})
			a, err := s.Speak(b.Context(), Speech{Text: text, Language: "en-US"})
			if err != nil {
				b.Fatal(err)
			}
			a.Abandon()
		}
	})
	b.Run("cold whole", func(b *testing.B) {
		for b.Loop() {
			s := NewSpeaker(&Espeak{}, encoders(), SpeakerOptions{})
			a, err := s.Speak(b.Context(), Speech{Text: text, Language: "en-US"})
			if err != nil {
				b.Fatal(err)
			}
			if _, err = a.Wait(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("warm", func(b *testing.B) {
		s := NewSpeaker(&Espeak{}, encoders(), SpeakerOptions{})
		speak := func() {
			a, err := s.Speak(b.Context(), Speech{Text: text, Language: "en-US"})
			if err != nil {
				b.Fatal(err)
			}
			if _, err = a.Wait(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		speak()
		for b.Loop() {
			speak()
		}
	})
}
