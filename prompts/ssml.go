package prompts

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"ullim/internal/errs"
)

// cleanSSML writes mark-up anew with only the elements and attributes that flows may use, inside one <speak>. Everything
// else loses its tags and keeps its text: an <audio> element would make a synthesizer read files of its host, and
// document types could do worse. plain is the text that will be heard.
func cleanSSML(text string) (marked, plain string, err error) {
	dec := xml.NewDecoder(strings.NewReader(text))
	var out, heard strings.Builder
	for {
		t, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", "", errs.Field("SSML", "is not well-formed: %v", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			out.WriteString(openTag(t))
		case xml.EndElement:
			if _, ok := ssmlAttributes(t.Name); ok {
				out.WriteString("</" + t.Name.Local + ">")
			}
		case xml.CharData:
			s := strings.Map(speakable, string(t))
			heard.WriteString(s)
			_ = xml.EscapeText(&out, []byte(s)) // a strings.Builder takes everything
		case xml.Comment, xml.ProcInst, xml.Directive:
		}
	}
	if err := wellFormed(text); err != nil {
		return "", "", err
	}
	if strings.TrimSpace(heard.String()) == "" && !strings.Contains(out.String(), "<break") {
		return "", "", errs.Field("SSML", "says nothing")
	}
	return "<speak>" + out.String() + "</speak>", strings.TrimSpace(heard.String()), nil
}

// wellFormed checks that elements nest; RawToken does not.
func wellFormed(text string) error {
	dec := xml.NewDecoder(strings.NewReader(text))
	for depth := 0; ; {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errs.Field("SSML", "is not well-formed: %v", err)
		}
		switch t.(type) {
		case xml.StartElement:
			if depth++; depth > 50 {
				return errs.Field("SSML", "nests more than 50 deep")
			}
		case xml.EndElement:
			depth--
		}
	}
}

func openTag(t xml.StartElement) string {
	allowed, ok := ssmlAttributes(t.Name)
	if !ok {
		return ""
	}
	var b strings.Builder
	b.WriteString("<" + t.Name.Local)
	for _, a := range t.Attr {
		name := a.Name.Local
		if a.Name.Space != "" {
			name = a.Name.Space + ":" + name
		}
		if !strings.Contains(" "+allowed+" ", " "+name+" ") {
			continue
		}
		b.WriteString(" " + name + `="`)
		_ = xml.EscapeText(&b, []byte(strings.Map(speakable, a.Value)))
		b.WriteString(`"`)
	}
	b.WriteString(">")
	return b.String()
}

// ssmlAttributes says whether an element may be used, and with which attributes. <speak> is ours.
func ssmlAttributes(n xml.Name) (string, bool) {
	if n.Space != "" {
		return "", false
	}
	switch n.Local {
	case "p", "s":
		return "", true
	case "break":
		return "strength time", true
	case "emphasis":
		return "level", true
	case "lang":
		return "xml:lang", true
	case "phoneme":
		return "alphabet ph", true
	case "prosody":
		return "volume rate pitch", true
	case "say-as":
		return "interpret-as format", true
	case "sub":
		return "alias", true
	case "w":
		return "role", true
	}
	return "", false
}
