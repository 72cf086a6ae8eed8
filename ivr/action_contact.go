package ivr

import (
	"context"
	"fmt"
	"slices"

	"ullim/prompts"
)

// contactAttributes sets attributes of the contact, all or none (Set contact attributes).
type contactAttributes struct {
	set     map[string]value
	related bool
}

func (a *contactAttributes) read(p *params) {
	p.need("Attributes")
	group := p.group("Attributes")
	a.set = make(map[string]value, len(group.m))
	for _, key := range group.keys() {
		if badKey(key) {
			group.problem(key, "must have 1 to %d characters and no $, . or quote in it", maxPathKey)
		}
		a.set[key] = group.free(key)
	}
	a.related = p.oneOf("TargetContact", "Current", "Related") == "Related"
}

func (a *contactAttributes) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *contactAttributes) run(ctx context.Context, s *session) step {
	if a.related {
		return failedBy(fmt.Errorf("ivr: attributes of a related contact: %w", ErrNotSupported))
	}
	set := make(map[string]string, len(a.set))
	for key, v := range a.set {
		set[key] = s.text(v)
	}
	if err := s.contact.SetAttributes(ctx, set); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}

// recordingBehavior chooses who is recorded once an agent is joined (Set recording behavior). The last one set wins.
type recordingBehavior struct{ agent, customer bool }

func (a *recordingBehavior) read(p *params) {
	p.need("RecordingBehavior")
	who := p.group("RecordingBehavior").texts("RecordedParticipants", "Agent", "Customer")
	a.agent, a.customer = slices.Contains(who, "Agent"), slices.Contains(who, "Customer")
}

func (a *recordingBehavior) rules() rules {
	return rules{flows: append(inboundTransferQueue(), TypeOutboundWhisper), next: true}
}

func (a *recordingBehavior) run(ctx context.Context, s *session) step {
	if err := s.contact.SetRecording(ctx, a.agent, a.customer); err != nil {
		if s.left(ctx, err) {
			return ended(Left)
		}
		// There is no error branch, and a contact that goes unrecorded must not go unnoticed.
		s.log.ErrorContext(ctx, "recording behaviour not set", "action_id", s.node.ID, "error", err)
	}
	return done()
}

// voice chooses the voice of spoken text, and with it the language when the voice is one that we know (Set voice).
type voice struct{ voice, language value }

func (a *voice) read(p *params) {
	p.need("TextToSpeechVoice")
	a.voice, a.language = p.whole("TextToSpeechVoice"), p.whole("LanguageCode") // LanguageCode is ours
	p.whole("TextToSpeechEngine")
	p.whole("TextToSpeechStyle")
}

func (a *voice) rules() rules { return rules{next: true} }

func (a *voice) run(ctx context.Context, s *session) step {
	name, language := s.text(a.voice), s.text(a.language)
	if language == "" {
		var known bool
		if language, known = prompts.VoiceLanguage(name); !known {
			language = s.info().Language
		}
	}
	if err := s.contact.SetVoice(ctx, name, language); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}

// contactData changes the contact's own fields; this version has LanguageCode (Set contact attributes, system scope).
type contactData struct {
	language value
	others   []string
}

func (a *contactData) read(p *params) {
	a.language = p.whole("LanguageCode")
	for _, key := range p.keys() {
		if key != "LanguageCode" && key != "TargetContact" {
			a.others = append(a.others, key)
		}
	}
}

func (a *contactData) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *contactData) run(ctx context.Context, s *session) step {
	if language := s.text(a.language); language != "" {
		if err := s.contact.SetVoice(ctx, s.info().Voice, language); err != nil {
			return s.failure(ctx, err)
		}
	}
	if len(a.others) > 0 {
		return failedBy(fmt.Errorf("ivr: setting %v: %w", a.others, ErrNotSupported))
	}
	return done()
}
