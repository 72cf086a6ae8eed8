package prompts

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"ullim/internal/errs"
)

func TestMarkUpIsWrittenAnewWithWhatIsAllowed(t *testing.T) {
	tests := []struct{ in, marked, plain string }{
		{"hello", "<speak>hello</speak>", "hello"},
		{"<speak>hello</speak>", "<speak>hello</speak>", "hello"},
		{`<?xml version="1.0"?><speak version="1.1" xml:lang="en-US">hi <break time="1s" x="y"/> there</speak>`, `<speak>hi <break time="1s"></break> there</speak>`, "hi  there"},
		{`a &lt;b&gt; &amp; c`, "<speak>a &lt;b&gt; &amp; c</speak>", "a <b> & c"},
		{`<prosody rate="slow" onload="x">a</prosody>`, `<speak><prosody rate="slow">a</prosody></speak>`, "a"},
		{`<say-as interpret-as="digits">12</say-as>`, `<speak><say-as interpret-as="digits">12</say-as></speak>`, "12"},
		{`<audio src="/etc/passwd">b</audio><voice name="../x">c</voice>`, "<speak>bc</speak>", "bc"},
		{`<amazon:effect name="whispered">quiet</amazon:effect>`, "<speak>quiet</speak>", "quiet"},
		{`<x:break time="1s"/>a`, "<speak>a</speak>", "a"},
		{`<lang xml:lang="ko-KR">안녕</lang>`, `<speak><lang xml:lang="ko-KR">안녕</lang></speak>`, "안녕"},
		{`<!-- secret --><![CDATA[<audio src="x"/>]]>`, `<speak>&lt;audio src=&#34;x&#34;/&gt;</speak>`, `<audio src="x"/>`},
		{`<sub alias="&quot;/><audio src='x'/>">W</sub>`, "", ""}, // < in a value
		{`<sub alias="&quot;/&gt;">W</sub>`, `<speak><sub alias="&#34;/&gt;">W</sub></speak>`, "W"},
		{`<p>a`, "", ""},
		{`a</p>`, "", ""},
		{`<p>a</s>`, "", ""},
		{`&nbsp;a`, "", ""},
		{`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><speak>&e;</speak>`, "", ""},
		{strings.Repeat("<p>", 60) + "a" + strings.Repeat("</p>", 60), "", ""},
	}
	for _, tt := range tests {
		marked, plain, err := cleanSSML(tt.in)
		if (err != nil) != (tt.marked == "") || marked != tt.marked || plain != tt.plain {
			t.Errorf("%s\n gives %s\n heard %q, %v", tt.in, marked, plain, err)
		}
		if err != nil && !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", tt.in, err)
		}
	}
}

func FuzzCleanSSML(f *testing.F) {
	for _, s := range []string{"hello", `<speak><p>a <break time="1s"/></p></speak>`, `<audio src="x">y</audio>`, `<![CDATA[<]]>`, `<sub alias="&lt;">x</sub>`, "<p>\x00</p>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		marked, plain, err := cleanSSML(in)
		if err != nil {
			return
		}
		// What comes out must be well-formed, made of allowed elements only, and stay the same when cleaned again.
		dec := xml.NewDecoder(strings.NewReader(marked))
		for {
			tok, end := dec.Token()
			if errors.Is(end, io.EOF) {
				break
			}
			if end != nil {
				t.Fatalf("%q gives %q: %v", in, marked, end)
			}
			if e, ok := tok.(xml.StartElement); ok {
				if _, allowed := ssmlAttributes(e.Name); !allowed && e.Name.Local != "speak" {
					t.Fatalf("%q gives %q", in, marked)
				}
			}
		}
		again, plainAgain, err := cleanSSML(marked)
		if err != nil || again != marked || plainAgain != plain {
			t.Fatalf("%q gives %q, then %q (%v)", in, marked, again, err)
		}
	})
}
