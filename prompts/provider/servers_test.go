package provider

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/prompts"
)

const secret = "sk-not-to-be-seen"

// server answers and keeps what it was asked.
type server struct {
	*httptest.Server
	asked  []map[string]any
	header http.Header
	path   string
}

func serve(t *testing.T, answer func(w http.ResponseWriter, n int)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m map[string]any
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		s.asked, s.header, s.path = append(s.asked, m), r.Header, r.URL.Path
		answer(w, len(s.asked))
	}))
	t.Cleanup(s.Close)
	return s
}

func wavBytes(rate int, pcm []int16) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(2*rate))
	b = append(b, "\x02\x00\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(2*len(pcm)))
	for _, v := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

func TestAServerWithOpenAIsProtocolSpeaks(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, _ int) { _, _ = w.Write([]byte{1, 0, 0xff, 0xff, 0, 0x80}) })
	voices, err := ParseVoices([]string{"Seoyeon=nova", "ko=shimmer", "*=alloy"})
	if err != nil {
		t.Fatal(err)
	}
	p := NewOpenAI(OpenAIOptions{URL: srv.URL + "/v1/", Key: secret, Model: "kokoro", Voices: voices})
	pcm, rate, err := p.Synthesize(t.Context(), prompts.Speech{Text: "안녕", Language: "ko-KR", Voice: "Seoyeon", Rate: 1.25})
	if err != nil {
		t.Fatal(err)
	}
	same(t, []int16{1, -1, -32768}, pcm, "samples")
	same(t, 24_000, rate, "rate")
	same(t, map[string]any{"model": "kokoro", "input": "안녕", "voice": "nova", "response_format": "pcm", "speed": 1.25}, srv.asked[0], "the request")
	if srv.path != "/v1/audio/speech" || srv.header.Get("Authorization") != "Bearer "+secret {
		t.Errorf("%s %v", srv.path, srv.header)
	}
	// Mark-up is spoken as its text.
	if _, _, err = p.Synthesize(t.Context(), prompts.Speech{Text: `<speak>a <emphasis level="strong">b</emphasis></speak>`, SSML: true, Language: "ko-KR"}); err != nil {
		t.Fatal(err)
	}
	same(t, map[string]any{"model": "kokoro", "input": "a b", "voice": "shimmer", "response_format": "pcm"}, srv.asked[1], "the second")
}

func TestAnAnswerOfTheWrongKindIsAnErrorWithoutTheKey(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, n int)
		format string
		kind   errs.Kind
	}{
		"a refusal that repeats the key": {func(w http.ResponseWriter, _ int) {
			http.Error(w, "bad key "+secret, http.StatusUnauthorized)
		}, "pcm", errs.Unavailable},
		"a text it does not take": {func(w http.ResponseWriter, _ int) { http.Error(w, "no such voice", http.StatusBadRequest) }, "pcm", errs.Invalid},
		"a redirection": {func(w http.ResponseWriter, _ int) {
			w.Header().Set("Location", "http://192.0.2.1/")
			w.WriteHeader(302)
		}, "pcm", errs.Unavailable},
		"nothing": {func(http.ResponseWriter, int) {}, "pcm", errs.Unavailable},
		"no WAV":  {func(w http.ResponseWriter, _ int) { _, _ = io.WriteString(w, "{}") }, "wav", errs.Unavailable},
		"half an answer": {func(w http.ResponseWriter, _ int) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(make([]byte, 10))
		}, "pcm", errs.Unavailable},
		"too much": {func(w http.ResponseWriter, _ int) {
			for range maxAnswer>>20 + 1 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, "pcm", errs.Unavailable},
	} {
		srv := serve(t, tt.answer)
		_, _, err := NewOpenAI(OpenAIOptions{URL: srv.URL, Key: secret, Format: tt.format}).Synthesize(t.Context(), prompts.Speech{Text: "x"})
		if !errs.Is(err, tt.kind) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	srv := serve(t, func(w http.ResponseWriter, _ int) { _, _ = w.Write(wavBytes(22_050, []int16{5, 6})) })
	pcm, rate, err := NewOpenAI(OpenAIOptions{URL: srv.URL, Format: "wav"}).Synthesize(t.Context(), prompts.Speech{Text: "x"})
	if err != nil || rate != 22_050 || len(pcm) != 2 {
		t.Error(pcm, rate, err)
	}
	gone := NewOpenAI(OpenAIOptions{URL: "http://127.0.0.1:1"})
	if _, _, err = gone.Synthesize(t.Context(), prompts.Speech{Text: "x"}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestPollySpeaksThroughTheSDK(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, n int) {
		if n == 3 {
			w.Header().Set("X-Amzn-ErrorType", "EngineNotSupportedException")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"message":"no neural voice"}`)
			return
		}
		w.Header().Set("Content-Type", "audio/pcm")
		_, _ = w.Write([]byte{7, 0, 8, 0})
	})
	p := NewPolly(PollyOptions{Region: "ap-northeast-2", AccessKey: "AKID", SecretKey: secret, Endpoint: srv.URL})
	say := func(s prompts.Speech, want map[string]any) {
		t.Helper()
		pcm, rate, err := p.Synthesize(t.Context(), s)
		if err != nil || rate != 16_000 || len(pcm) != 2 || pcm[0] != 7 {
			t.Error(pcm, rate, err)
		}
		want["OutputFormat"], want["SampleRate"] = "pcm", "16000"
		same(t, want, srv.asked[len(srv.asked)-1], s.Text)
	}
	say(prompts.Speech{Text: "hello", Language: "en-US", Voice: "Matthew"}, map[string]any{"Text": "hello", "TextType": "text", "VoiceId": "Matthew", "Engine": "neural"})
	// Joanna has no Korean: the voice of the language speaks. Emphasis is not for neural voices.
	say(prompts.Speech{Text: `<speak><emphasis level="strong">안녕</emphasis></speak>`, SSML: true, Language: "ko-KR", Voice: "Joanna", Rate: 0.8},
		map[string]any{"Text": `<speak><prosody rate="80%">안녕</prosody></speak>`, "TextType": "ssml", "VoiceId": "Seoyeon", "Engine": "neural"})
	// A voice without that engine has the standard one, from the first time on.
	for range 2 {
		say(prompts.Speech{Text: "hello", Language: "fr-FR", Pitch: 1.1}, map[string]any{"Text": `<speak><prosody pitch="+10%">hello</prosody></speak>`, "TextType": "ssml", "VoiceId": "Lea", "Engine": "standard"})
	}
	same(t, 5, len(srv.asked), "requests")
	if !strings.HasPrefix(srv.header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKID/") {
		t.Error(srv.header)
	}
	if _, _, err := p.Synthesize(t.Context(), prompts.Speech{Text: "x", Language: "eo"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("Esperanto: %v", err)
	}
	for code, kind := range map[string]errs.Kind{"InvalidSsmlException": errs.Invalid, "ThrottlingException": errs.Unavailable, "ServiceFailureException": errs.Unavailable} {
		bad := serve(t, func(w http.ResponseWriter, _ int) {
			w.Header().Set("X-Amzn-ErrorType", code)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"message":"m"}`)
		})
		p := NewPolly(PollyOptions{Region: "us-east-1", AccessKey: "AKID", SecretKey: secret, Endpoint: bad.URL})
		if _, _, err := p.Synthesize(t.Context(), prompts.Speech{Text: "x", Language: "en-US"}); !errs.Is(err, kind) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "speak")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil { //nolint:gosec // it must run
		t.Fatal(err)
	}
	return path
}

func TestAProgramSpeaks(t *testing.T) {
	folder := t.TempDir()
	sound := filepath.Join(folder, "sound.wav")
	if err := os.WriteFile(sound, wavBytes(16_000, []int16{1, 2, 3}), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Program{
		Path: script(t, `cat > "`+folder+`/text"; echo "$@" > "`+folder+`/args"; cat "`+sound+`"`), Voices: Voices{"ko": "kss"},
		Arguments: []string{"-v", "{voice}", "-l", "{language}", "-r", "{rate}", "{base}"},
	}
	pcm, rate, err := p.Synthesize(t.Context(), prompts.Speech{Text: "$(id); 안녕", Language: "ko-KR", Rate: 0.9})
	if err != nil {
		t.Fatal(err)
	}
	same(t, []int16{1, 2, 3}, pcm, "samples")
	same(t, 16_000, rate, "rate")
	for file, want := range map[string]string{"text": "$(id); 안녕\n", "args": "-v kss -l ko-KR -r 90 ko\n"} {
		got, rerr := os.ReadFile(filepath.Join(folder, file))
		if rerr != nil || string(got) != want {
			t.Errorf("%s: %q, %v", file, got, rerr)
		}
	}
	if _, _, err = p.Synthesize(t.Context(), prompts.Speech{Text: "x", Voice: "--version"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a voice that is an option: %v", err)
	}
}

func TestAProgramThatMisbehavesIsEndedWithWhatItStarted(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"fails":          "echo no voice >&2; exit 3",
		"says nothing":   "exit 0",
		"says no WAV":    "echo hello",
		"never ends":     "sleep 60",
		"leaves a child": "(sleep 60; touch " + folder + "/late) & sleep 60",
	} {
		p := &Program{Path: script(t, text), Timeout: 300 * time.Millisecond}
		start := time.Now()
		_, _, err := p.Synthesize(t.Context(), prompts.Speech{Text: "x", Language: "en-US"})
		if !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(start); d > 900*time.Millisecond && (name == "never ends" || name == "leaves a child") {
			t.Errorf("%s: ended after %v: what it started held its output open", name, d)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := (&Program{Path: script(t, "sleep 60")}).Synthesize(ctx, prompts.Speech{Text: "x"}); err == nil {
		t.Error("nobody listens, and it speaks")
	}
}

func TestVoicesAreChosenByNameThenByLanguage(t *testing.T) {
	v, err := ParseVoices([]string{" Seoyeon = a", "ko-KR=b", "en=c", "*=d"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ voice, language, want string }{
		{"Seoyeon", "ko-KR", "a"},
		{"seoyeon", "en-US", "a"},
		{"Jihye", "ko-KR", "b"},
		{"", "en-GB", "c"},
		{"", "fr-FR", "d"},
	} {
		if got := v.For(prompts.Speech{Voice: tt.voice, Language: tt.language}, "z"); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
	if got := (Voices{}).For(prompts.Speech{Voice: "onyx"}, "z"); got != "onyx" {
		t.Error(got)
	}
	if got := (Voices{}).For(prompts.Speech{Voice: "Joanna"}, "z"); got != "z" {
		t.Error(got)
	}
	for _, bad := range []string{"", "x", "=y", "x="} {
		if _, err := ParseVoices([]string{bad}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
