package ssml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// told is a part in short.
func told(parts []Part) []string {
	var out []string
	for _, p := range parts {
		switch {
		case p.Audio != "":
			out = append(out, "audio "+p.Audio+" "+strings.Join(told(p.Else), "|"))
		case len(p.Runs) == 0:
			out = append(out, p.Pause.String())
		default:
			s := p.Language + ": " + p.Plain()
			if !p.IsPlain() {
				s = p.Language + ": " + strings.TrimSuffix(strings.TrimPrefix(p.Marked(Dialect{Emphasis: true}), "<speak>"), "</speak>")
			}
			if p.Voice != "" {
				s += " by " + p.Voice
			}
			if p.Rate != 1 || p.Pitch != 1 || p.Gain != 0 {
				s += fmt.Sprintf(" (%.3g %.3g %+.3g)", p.Rate, p.Pitch, p.Gain)
			}
			out = append(out, s)
		}
	}
	return out
}

func voices(name string) (string, bool) {
	if name == "Seoyeon" {
		return "ko-KR", true
	}
	return "", false
}

func TestADocumentIsTakenApartIntoWhatIsHeard(t *testing.T) {
	for _, tt := range []struct {
		language, in string
		want         []string
	}{
		{"en", "hello", []string{"en: hello"}},
		{"en", " <speak>\n  hello\tthere </speak> ", []string{"en: hello there"}},
		{"en", `<?xml version="1.0"?><speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">hi</speak>`, []string{"en: hi"}},
		{"en", `one<break time="1s"/>two<break/>three<break strength="none"/>four`, []string{"en: one", "1s", "en: two", "350ms", "en: threefour"}},
		{"en", `a<break time="1s"/><break time="500ms"/>b`, []string{"en: a", "1.5s", "en: b"}},
		{"en", `<p>One.</p><p>Two.</p>`, []string{"en: One.", "600ms", "en: Two."}},
		{"en", `<p><s>One.</s><s>Two.</s></p> Three.`, []string{"en: One.", "300ms", "en: Two.", "600ms", "en: Three."}},
		{"en", `<p>One.</p><break time="2s"/><p>Two.</p>`, []string{"en: One.", "2s", "en: Two."}},
		{"en", `<break time="1s"/>late`, []string{"1s", "en: late"}},
		{"en", `a <prosody rate="slow">b <prosody rate="50%" volume="+3dB">c</prosody></prosody> d`, []string{"en: a", "en: b (0.8 1 +0)", "en: c (0.4 1 +3)", "en: d"}},
		{"en", `<prosody pitch="+10%" volume="silent">x</prosody>`, []string{"en: x (1 1.1 -100)"}},
		{"en-US", `Say <lang xml:lang="ko-KR">안녕하세요</lang> now`, []string{"en-US: Say", "ko-KR: 안녕하세요", "en-US: now"}},
		{"en-US", `a <voice name="Seoyeon">나</voice>`, []string{"en-US: a", "ko-KR: 나 by Seoyeon"}},
		{"en", `<emphasis>so</emphasis> good`, []string{`en: <emphasis level="moderate">so</emphasis> good`}},
		{"en", `<phoneme alphabet="ipa" ph="pɪˈkɑːn">pecan</phoneme> pie`, []string{`en: <phoneme alphabet="ipa" ph="pɪˈkɑːn">pecan</phoneme> pie`}},
		{"en", `the <sub alias="World Wide Web Consortium">W3C</sub>`, []string{"en: the World Wide Web Consortium"}},
		{"en", `<w role="amazon:VB">read</w> <mark name="x"/>it`, []string{"en: read it"}},
		{"ko", `순서는 <say-as interpret-as="ordinal">3</say-as>입니다`, []string{"ko: 순서는 세 번째입니다"}},
		{"ko", `<say-as interpret-as="telephone">01012345678</say-as>`, []string{"ko: 공일공, 일이삼사, 오육칠팔"}},
		{"en", `<say-as interpret-as="date" format="mdy">3/1/2026</say-as> at <say-as interpret-as="time">14:30</say-as>`, []string{"en: March first, twenty twenty-six at two thirty p.m."}},
		{"en", `<say-as interpret-as="currency">$12.50</say-as>, <say-as interpret-as="fraction">3/4</say-as>, <say-as interpret-as="unit">10kg</say-as>`, []string{"en: twelve dollars and fifty cents, three quarters, ten kilograms"}},
		{"en", `<say-as interpret-as="characters">ab1</say-as>`, []string{"en: A, B, one"}},
		{"en", `<say-as interpret-as="cardinal">many</say-as>`, []string{"en: many"}},
		{"ko-KR", `<say-as interpret-as="ullim:queue-position">3</say-as> <say-as interpret-as="ullim:estimated-wait">240</say-as>`, []string{"ko-KR: 현재 대기 순서는 세 번째입니다. 예상 대기 시간은 약 사 분입니다."}},
		{"fr", `<say-as interpret-as="date" format="dmy">1/3/2026</say-as>`, []string{`fr: <say-as interpret-as="date" format="dmy">1/3/2026</say-as>`}},
		{"en", `a <say-as interpret-as="expletive">bad</say-as> b`, []string{"en: a", "500ms", "en: b"}},
		{"en", `<audio src="prompt:Jingle">no jingle</audio> hi`, []string{"audio prompt:Jingle en: no jingle", "en: hi"}},
		{"en", `<audio src="https://example.com/a.mp3"/>`, []string{"audio https://example.com/a.mp3 "}},
		{"en", `<audio src="file:///etc/passwd">text</audio><audio src="http://169.254.169.254/">more</audio>`, []string{"en: text", "en: more"}},
		{"en", `<amazon:effect name="whispered">hush</amazon:effect><amazon:auto-breaths>a</amazon:auto-breaths>`, []string{"en: hush (0.9 1 -8)", "en: a"}},
		{"en", `<blink>a</blink>`, []string{"en: a"}},
		{"en", `a &lt;b&gt; &amp; c`, []string{"en: a <b> & c"}},
		{"en", `<!-- x --><![CDATA[<audio src="x"/>]]>`, []string{`en: <audio src="x"/>`}},
		{"en", "a\x7fb", []string{"en: ab"}},
		{"en", "<speak></speak>", nil},
	} {
		doc, err := Parse(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if d := cmp.Diff(tt.want, told(doc.Parts(Options{Language: tt.language, LanguageOf: voices}))); d != "" {
			t.Errorf("%s: want -, got +\n%s", tt.in, d)
		}
	}
}

func TestProblemsNameLineColumnAndTag(t *testing.T) {
	for in, want := range map[string]string{
		"<speak>\n  <brake time=\"1s\"/></speak>":        "line 2, column 3: <brake> is not a tag that can be spoken",
		`<break time="20s"/>`:                            "line 1, column 1: <break> time must be a time up to 10s",
		`<break time="soon"/>`:                           "time must be a time",
		`<break strength="mighty"/>`:                     "strength must be",
		`<prosody rate="500%">a</prosody>`:               "rate must be",
		`<prosody pitch="+900%">a</prosody>`:             "pitch must be",
		`<prosody volume="99">a</prosody>`:               "volume must be",
		`<say-as interpret-as="money">1</say-as>`:        "interpret-as is not one of characters",
		`<say-as>1</say-as>`:                             "needs the attribute interpret-as",
		`<lang xml:lang="korean please">a</lang>`:        "xml:lang must be a language",
		`<phoneme alphabet="abc" ph="x">a</phoneme>`:     "alphabet must be",
		`<phoneme>a</phoneme>`:                           "needs the attribute ph",
		`<sub>a</sub>`:                                   "needs the attribute alias",
		`<voice>a</voice>`:                               "needs the attribute name",
		`<emphasis level="very">a</emphasis>`:            "level must be",
		`<audio src="http://example.com/a.wav"/>`:        "begins with https://",
		`<audio src="https://user:pass@example.com/a"/>`: "begins with https://",
		`<p><speak>a</speak></p>`:                        "outermost",
	} {
		doc, err := Parse(in)
		if err != nil || len(doc.Problems) != 1 || !strings.Contains(doc.Problems[0].String(), want) {
			t.Errorf("%s: %v %v", in, doc, err)
		}
	}
	for _, in := range []string{
		`<break time="$.Attributes.pause"/><prosody rate="$.Attributes.rate">a</prosody>`, `<audio src="$.Attributes.jingle"/>`,
		`<amazon:effect name="drc">a</amazon:effect><amazon:breath/>`, `<prosody rate="x-slow" pitch="x-high" volume="x-loud">a</prosody>`,
		`<prosody rate="+20%" pitch="-2st" volume="-6dB">a</prosody>`,
	} {
		if doc, err := Parse(in); err != nil || len(doc.Problems) > 0 {
			t.Errorf("%s: %v %v", in, doc, err)
		}
	}
	for in, want := range map[string]string{
		"<speak>\n\n <p>a</speak>": "line 3, column", "<p>": "not well-formed", "a</p>": "not well-formed", "<p></s>": "not well-formed",
		"&nbsp;": "not well-formed", `<break time=1s/>`: "not well-formed", strings.Repeat("<p>", 60): "too deep",
		`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><speak>&e;</speak>`: "not well-formed", strings.Repeat("<s/>", 3000): "too many",
	} {
		_, err := Parse(in)
		var p Problem
		if !errors.As(err, &p) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v", in, err)
		}
	}
}

func TestWhatAProviderGetsHasOnlyItsTags(t *testing.T) {
	doc, err := Parse(`<prosody rate="80%" pitch="+20%"><emphasis level="strong">a &lt;b&gt;</emphasis> <phoneme ph="&quot;x">c</phoneme></prosody>`)
	if err != nil {
		t.Fatal(err)
	}
	part := doc.Parts(Options{Language: "en"})[0]
	for want, d := range map[string]Dialect{
		`<speak>a &lt;b&gt; <phoneme alphabet="ipa" ph="&#34;x">c</phoneme></speak>`:                                                                                {},
		`<speak><prosody rate="80%" pitch="+20%"><emphasis level="strong">a &lt;b&gt;</emphasis> <phoneme alphabet="ipa" ph="&#34;x">c</phoneme></prosody></speak>`: {Emphasis: true, Prosody: true, Pitch: true},
	} {
		if got := part.Marked(d); got != want {
			t.Errorf("%+v\nwant %s\ngot  %s", d, want, got)
		}
	}
}

func TestSentencesEndWhereTheyEnd(t *testing.T) {
	for in, want := range map[string][]string{
		"One. Two! Three?":                {"One. ", "Two! ", "Three?"},
		"Dr. Kim is here. No. 3 is free.": {"Dr. Kim is here. ", "No. 3 is free."},
		"It costs 3.50. OK.":              {"It costs 3.50. ", "OK."},
		"At 3 p.m. we close. Bye":         {"At 3 p.m. we close. ", "Bye"},
		"안녕하세요. 울림입니다. 무엇을 도와드릴까요?":          {"안녕하세요. ", "울림입니다. ", "무엇을 도와드릴까요?"},
		"こんにちは。元気ですか？":                       {"こんにちは。", "元気ですか？"},
		`He said "Stop." Then left.`:         {`He said "Stop." `, "Then left."},
		"Wait... what?":                      {"Wait... what?"},
		"www.example.com is our site. Done.": {"www.example.com is our site. ", "Done."},
		"":                                   nil,
	} {
		if d := cmp.Diff(want, Sentences(in)); d != "" {
			t.Errorf("%q: want -, got +\n%s", in, d)
		}
	}
}

func TestALongTextBeginsWithItsFirstSentence(t *testing.T) {
	sentence := "We are sorry that you have to wait for so long today. "
	doc, err := Parse("Welcome to the hotline of our company. " + strings.Repeat(sentence, 10))
	if err != nil {
		t.Fatal(err)
	}
	parts := Split(doc.Parts(Options{Language: "en"}))
	if parts[0].Plain() != "Welcome to the hotline of our company." || parts[1].Pause != betweenSentences {
		t.Errorf("%v", told(parts))
	}
	for i, p := range parts {
		if n := utf8.RuneCountInString(p.Plain()); i%2 == 0 && n == 0 || n > 2*pieceOf {
			t.Errorf("piece %d has %d characters", i, n)
		}
	}
	short, err := Parse("Hello. How are you? Fine.")
	if err != nil {
		t.Fatal(err)
	}
	if parts := Split(short.Parts(Options{Language: "en"})); len(parts) != 1 {
		t.Errorf("a short text is cut: %v", told(parts))
	}
	endless := Split([]Part{{Voicing: Voicing{Rate: 1, Pitch: 1}, Runs: []Run{{Text: strings.Repeat("가", 2900)}}}})
	if len(endless) < 9 {
		t.Errorf("a sentence without end is cut into %d", len(endless))
	}
}

func FuzzMarkUp(f *testing.F) {
	for _, s := range []string{
		"hello", `<speak><p>a <break time="1s"/></p></speak>`, `<audio src="x">y</audio>`, `<![CDATA[<]]>`, `<sub alias="&lt;">x</sub>`, "<p>\x00</p>",
		`<say-as interpret-as="date">2026-11-22</say-as>`, `<lang xml:lang="ko-KR"><say-as interpret-as="ordinal">3</say-as></lang>`,
		`<phoneme ph="x">y</phoneme><emphasis>z</emphasis>. A. B! ` + strings.Repeat("word ", 100), `<prosody rate="50%" volume="+6dB">a</prosody>`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		doc, err := Parse(in)
		if err != nil {
			return
		}
		parts := doc.Parts(Options{Language: "en-US", LanguageOf: voices})
		whole, split := "", ""
		for _, p := range parts {
			whole += p.Plain()
		}
		for _, p := range Split(parts) {
			split += p.Plain()
			if p.Pause < 0 || p.Pause > time.Hour*12 || len(p.Runs) > 0 && (p.Rate < 0.2 || p.Rate > 2 || p.Pitch < 0.5 || p.Pitch > 2) {
				t.Fatalf("%+v", p)
			}
			// What goes to a provider is well-formed, has our tags only, and says the same when read again.
			marked := p.Marked(Dialect{Emphasis: true, Prosody: true, Pitch: true})
			dec := xml.NewDecoder(strings.NewReader(marked))
			for {
				tok, end := dec.Token()
				if errors.Is(end, io.EOF) {
					break
				}
				if end != nil {
					t.Fatalf("%q gives %q: %v", in, marked, end)
				}
				if e, ok := tok.(xml.StartElement); ok && !strings.Contains(" speak prosody emphasis phoneme say-as ", " "+e.Name.Local+" ") {
					t.Fatalf("%q gives %q", in, marked)
				}
			}
		}
		strip := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if strip(whole) != strip(split) {
			t.Fatalf("%q: whole %q, split %q", in, whole, split)
		}
	})
}
