package ivr

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"ullim/internal/contact"
	"ullim/prompts"
)

// message is what can be played: a stored prompt, text, marked-up text, or a file elsewhere.
type message struct {
	prompt, text, ssml, file value
}

// readMessage reads the parameters that say what is played; exactly one of them if required, else at most one.
func readMessage(p *params, required bool) message {
	m := message{prompt: p.whole("PromptId"), text: p.free("Text"), ssml: p.free("SSML")}
	media := p.group("Media")
	if len(media.m) > 0 {
		media.need("Uri")
		m.file = media.free("Uri")
		media.oneOf("SourceType", "S3")
		media.oneOf("MediaType", "Audio")
	}
	n := 0
	for _, given := range []bool{m.prompt.given(), m.text.given(), m.ssml.given(), m.file.given()} {
		if given {
			n++
		}
	}
	switch {
	case n > 1:
		p.problem("", "has more than one of PromptId, Text, SSML and Media: keep one")
	case n == 0 && required:
		p.problem("", "needs one of PromptId, Text, SSML and Media")
	}
	if m.text.isStatic() && len([]rune(m.text.raw)) > prompts.MaxSpokenText {
		p.problem("Text", "has more than %d characters", prompts.MaxSpokenText)
	}
	return m
}

// words are a message for somebody who reads. Prompts, files and marked-up text are for voice (A1.5).
func (s *session) words(m message) (string, error) {
	if m.prompt.given() || m.ssml.given() || m.file.given() {
		return "", fmt.Errorf("ivr: only Text can be written: %w", ErrNotSupported)
	}
	return s.text(m.text), nil
}

// texter is the participant of a chat.
func (s *session) texter() (Texter, error) {
	t, ok := s.participant.(Texter)
	if err := s.only(contact.Chat); err != nil || !ok {
		return nil, ErrNotSupported
	}
	return t, nil
}

// audio is the sound of a message in the contact's language; nil when there is nothing to say.
func (s *session) audio(ctx context.Context, m message) (*prompts.Audio, error) {
	info := s.info()
	switch {
	case m.file.given():
		if s.engine.Media == nil {
			return nil, fmt.Errorf("ivr: prompts from S3 addresses: %w", ErrNotSupported)
		}
		return s.engine.Media.File(ctx, info.InstanceID, s.text(m.file))
	case m.prompt.given():
		ref := s.text(m.prompt)
		if ref == "" {
			return nil, errors.New("ivr: the attribute with the prompt is empty")
		}
		if s.engine.Prompts == nil {
			return nil, ErrNotSupported
		}
		return s.engine.Prompts.Prompt(ctx, info.InstanceID, ref, info.Language)
	}
	speech := prompts.Speech{Text: s.text(m.text), Language: info.Language, Voice: info.Voice, InstanceID: info.InstanceID}
	if m.ssml.given() {
		// What a caller or another system put into an attribute is text, not mark-up.
		speech.SSML, speech.Text = true, m.ssml.resolve(s.lookup, escapeXML)
	}
	if strings.TrimSpace(speech.Text) == "" {
		return nil, nil //nolint:nilnil // nothing to say is neither sound nor failure
	}
	if s.engine.Speaker == nil {
		return nil, ErrNotSupported
	}
	return s.engine.Speaker.Speak(ctx, speech)
}

func escapeXML(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
