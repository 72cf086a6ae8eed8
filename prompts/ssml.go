package prompts

import (
	"errors"
	"strings"
	"unicode/utf8"

	"ullim/internal/errs"
	"ullim/prompts/ssml"
)

// CheckSSML says what is wrong with mark-up before anybody hears it: not well-formed, tags and values that cannot be spoken
// (each with line, column and tag), nothing to say, more than is allowed. Data paths in it are taken as they are: what
// they will hold is not known. errs.Invalid.
func CheckSSML(text string) error {
	if n := utf8.RuneCountInString(text); n > MaxText {
		return errs.Field("SSML", "has %d characters, at most %d are allowed", n, MaxText)
	}
	doc, err := parseSSML(text)
	if err != nil {
		return err
	}
	if len(doc.Problems) > 0 {
		lines := make([]string, 0, len(doc.Problems))
		for _, p := range doc.Problems {
			lines = append(lines, p.String())
		}
		return errs.Field("SSML", "%s", strings.Join(lines, "; "))
	}
	parts := doc.Parts(ssml.Options{Language: "en-US", LanguageOf: VoiceLanguage})
	return checkParts(parts)
}

func parseSSML(text string) (*ssml.Document, error) {
	doc, err := ssml.Parse(text)
	if problem, ok := errors.AsType[ssml.Problem](err); ok {
		return nil, errs.Field("SSML", "%s", problem.String())
	}
	return doc, err
}

// checkParts checks that something is heard, and not too much of it.
func checkParts(parts []ssml.Part) error {
	heard, silent := count(parts)
	switch {
	case len(parts) == 0:
		return errs.Field("Text", "says nothing")
	case heard > MaxSpokenText:
		return errs.Field("Text", "has %d characters to be spoken, at most %d are allowed", heard, MaxSpokenText)
	case silent >= MaxLength:
		return errs.Field("Text", "has pauses of %v, they must be under %v", silent, MaxLength)
	}
	return nil
}
