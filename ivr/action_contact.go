package ivr

import (
	"context"
	"fmt"
	"strings"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/prompts"
)

// contactAttributes sets attributes of the contact, all or none (Set contact attributes).
type contactAttributes struct {
	set     []entry
	related bool
}

func (a *contactAttributes) read(p *params) {
	p.need("Attributes")
	group := p.group("Attributes")
	a.set = group.entries(badKey, fmt.Sprintf("must have 1 to %d characters and no $, . or quote in it, or be one data path", maxPathKey))
	a.related = p.oneOf("TargetContact", "Current", "Related") == "Related"
}

func (a *contactAttributes) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *contactAttributes) run(ctx context.Context, s *session) step {
	set, err := s.entries(a.set, badKey)
	if err != nil {
		return failedBy(err)
	}
	change := s.contact.SetAttributes
	if a.related {
		r, ok := s.contact.(Related)
		if !ok {
			return failedBy(fmt.Errorf("ivr: attributes of a related contact: %w", ErrNotSupported))
		}
		change = r.SetRelatedAttributes
	}
	if err := change(ctx, set); err != nil {
		return s.failure(ctx, err)
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

// run: where nothing is spoken it has no effect, which is no failure (A1.8).
func (a *voice) run(ctx context.Context, s *session) step {
	if s.info().Channel != contact.Voice {
		return done()
	}
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

// contactData changes the contact's own fields (Set contact attributes, system scope).
type contactData struct {
	name, description, language, customer value
	references                            map[string]reference
	related                               bool
	others                                []string
}

func (a *contactData) read(p *params) {
	a.name, a.description = p.free("Name"), p.free("Description")
	a.language, a.customer = p.whole("LanguageCode"), p.whole("CustomerId")
	a.references = readReferences(p)
	a.related = p.oneOf("TargetContact", "Current", "Related") == "Related"
	for _, key := range p.keys() {
		switch key {
		case "Name", "Description", "LanguageCode", "CustomerId", "References", "TargetContact":
		default: // of other products, as WisdomSessionArn
			a.others = append(a.others, key)
		}
	}
}

func (a *contactData) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *contactData) run(ctx context.Context, s *session) step {
	related, ok := s.contact.(Related)
	if a.related && !ok {
		return failedBy(fmt.Errorf("ivr: fields of a related contact: %w", ErrNotSupported))
	}
	d := ContactData{References: s.references(a.references)}
	for _, f := range []struct {
		from value
		to   **string
		most int
		name string
	}{
		{a.name, &d.Name, maxContactName, "Name"},
		{a.description, &d.Description, maxDescription, "Description"},
		{a.customer, &d.CustomerID, maxCustomerID, "CustomerId"},
	} {
		if !f.from.given() {
			continue
		}
		text := s.text(f.from)
		if n := len([]rune(text)); n > f.most {
			return failedBy(errs.New(errs.Limit, "%s has %d characters, at most %d are possible", f.name, n, f.most))
		}
		*f.to = &text
	}
	if language := s.text(a.language); a.related && language != "" {
		d.Language = &language
	}
	if a.related {
		if err := related.UpdateRelated(ctx, d); err != nil {
			return s.failure(ctx, err)
		}
		return a.rest()
	}
	if d.Name != nil || d.Description != nil || d.CustomerID != nil || len(d.References) > 0 {
		if err := s.contact.Update(ctx, Update{Data: &d}); err != nil {
			return s.failure(ctx, err)
		}
	}
	if language := s.text(a.language); language != "" {
		if err := s.contact.SetVoice(ctx, s.info().Voice, language); err != nil {
			return s.failure(ctx, err)
		}
	}
	return a.rest()
}

// rest fails for what is of other products.
func (a *contactData) rest() step {
	if len(a.others) > 0 {
		return failedBy(fmt.Errorf("ivr: setting %v: %w", a.others, ErrNotSupported))
	}
	return done()
}

// Bounds of a contact's own fields (A3), and of tags (A1.6).
const (
	maxContactName = 1024
	maxCustomerID  = 128
	maxTags        = 6
	maxTagKey      = 128
	maxTagValue    = 256
)

// tagContact adds tags to the contact, all or none (Contact tags).
type tagContact struct{ set []entry }

func (a *tagContact) read(p *params) {
	p.need("Tags")
	a.set = p.group("Tags").entries(badTag, fmt.Sprintf("must have 1 to %d characters and must not begin with aws:", maxTagKey))
	if len(a.set) > maxTags {
		p.problem("Tags", "has %d entries, a contact can have %d", len(a.set), maxTags)
	}
}

func badTag(key string) bool {
	n := len([]rune(key))
	return n < 1 || n > maxTagKey || strings.HasPrefix(strings.ToLower(key), "aws:")
}

func (a *tagContact) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *tagContact) run(ctx context.Context, s *session) step {
	set, err := s.entries(a.set, badTag)
	if err != nil {
		return failedBy(err)
	}
	for _, v := range set {
		if len([]rune(v)) > maxTagValue {
			return failedBy(errs.New(errs.Limit, "a tag's value is longer than %d characters", maxTagValue))
		}
	}
	if err := s.contact.Update(ctx, Update{Tag: set}); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}

// untagContact takes tags away (Contact tags).
type untagContact struct{ keys []string }

func (a *untagContact) read(p *params) {
	p.need("TagKeys")
	l, err := list("TagKeys", p.m["TagKeys"])
	if err != nil {
		p.problem("TagKeys", "must be a list")
	}
	for i, v := range l {
		key, ok := v.(string)
		if !ok || badTag(key) || !parseValue(key).isStatic() {
			p.problem(fmt.Sprintf("TagKeys[%d]", i), "must be the fixed key of a tag")
			continue
		}
		a.keys = append(a.keys, key)
	}
}

func (a *untagContact) rules() rules { return rules{next: true, errors: []string{errNoMatch}} }

func (a *untagContact) run(ctx context.Context, s *session) step {
	if err := s.contact.Update(ctx, Update{Untag: a.keys}); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}
