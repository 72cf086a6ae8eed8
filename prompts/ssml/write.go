package ssml

import (
	"encoding/xml"
	"slices"
	"strings"
)

// Plain is the text of a part without mark-up.
func (p Part) Plain() string {
	var b strings.Builder
	for _, r := range p.Runs {
		b.WriteString(r.Text)
	}
	return strings.TrimSpace(b.String())
}

// IsPlain reports whether the part is nothing but text.
func (p Part) IsPlain() bool {
	for _, r := range p.Runs {
		if !r.plain() {
			return false
		}
	}
	return true
}

// Dialect is what a provider understands inside a part.
type Dialect struct {
	Emphasis bool
	Prosody  bool // rate
	Pitch    bool
}

// Marked is the part as mark-up in one <speak>. Of prosody there is what the dialect has; gain is never in it.
func (p Part) Marked(d Dialect) string {
	var b strings.Builder
	b.WriteString("<speak>")
	prosody := ""
	if d.Prosody && p.Rate != 1 && p.Rate > 0 {
		prosody += ` rate="` + percent(p.Rate) + `"`
	}
	if d.Pitch && p.Pitch != 1 && p.Pitch > 0 {
		prosody += ` pitch="` + change(p.Pitch) + `"`
	}
	if prosody != "" {
		b.WriteString("<prosody" + prosody + ">")
	}
	for _, r := range p.Runs {
		writeRun(&b, r, d)
	}
	if prosody != "" {
		b.WriteString("</prosody>")
	}
	b.WriteString("</speak>")
	return b.String()
}

func writeRun(b *strings.Builder, r Run, d Dialect) {
	var closing []string
	open := func(tag string, attributes ...string) {
		b.WriteString("<" + tag)
		for i := 0; i < len(attributes); i += 2 {
			if attributes[i+1] != "" {
				b.WriteString(" " + attributes[i] + `="` + escape(attributes[i+1]) + `"`)
			}
		}
		b.WriteString(">")
		closing = append(closing, "</"+tag+">")
	}
	if d.Emphasis && r.Emphasis != "" {
		open("emphasis", "level", r.Emphasis)
	}
	if r.Sound != "" {
		open("phoneme", "alphabet", r.Alphabet, "ph", r.Sound)
	}
	if r.As != "" {
		open("say-as", "interpret-as", r.As, "format", r.Format)
	}
	b.WriteString(escape(r.Text))
	for _, tag := range slices.Backward(closing) {
		b.WriteString(tag)
	}
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
