package ivr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"ullim/internal/contact"
)

// Defaults of key input (A1.10).
const (
	defaultInputTime  = 5
	defaultInterdigit = 5
	defaultTerminator = "#"
	cancelKey         = '*'
	maxPhoneDigits    = 20
	maxBuffered       = 30
	keys              = "0123456789*#"
	noInput           = "Timeout" // what is stored when no key came and no branch says what to do then
)

// getInput asks for keys: one that chooses a branch (Get customer input), or a number that is stored (Store customer
// input). On chat the keys are typed. A third form says whether keys are kept for later (Set touchtone buffer behavior).
type getInput struct {
	message    message
	store      bool
	buffer     string // True or False in the third form
	firstDigit int
	interdigit value
	terminator string
	noCancel   bool
	phone      bool
	country    string // ISO code for local numbers; empty: E.164
	length     value  // of custom input
	encrypted  bool
	key, keyID value
}

func (a *getInput) read(p *params) {
	a.message = readMessage(p, false)
	p.rename("InputTimeoutSeconds", "InputTimeLimitSeconds")
	a.firstDigit = p.number("InputTimeLimitSeconds", 1, 180, defaultInputTime)
	a.store = p.yes("StoreInput") || a.store && !p.has("StoreInput")
	a.buffer = p.oneOf("EnableDTMFBuffer", "True", "False")
	dtmf := p.group("DTMFConfiguration")
	dtmf.rename("InterdigitTimeoutSeconds", "InterdigitTimeLimitSeconds")
	a.terminator = dtmf.static("InputTerminationSequence")
	a.noCancel = dtmf.yes("DisableCancelKey")
	a.interdigit = dtmf.numberOrPath("InterdigitTimeLimitSeconds", 1, 20)
	switch {
	case len(a.terminator) > 5 || strings.Trim(a.terminator, keys) != "":
		dtmf.problem("InputTerminationSequence", "may have up to 5 of the keys 0 to 9, * and #")
	case strings.Contains(a.terminator, "*") && !a.noCancel && a.store:
		dtmf.problem("InputTerminationSequence", "can have * only when DisableCancelKey is True")
	case a.terminator == "":
		a.terminator = defaultTerminator
	}
	if a.buffer == "" {
		a.readValidation(p)
	}
	a.readEncryption(p)
}

// readEncryption: only what is stored as it is typed can be encrypted.
func (a *getInput) readEncryption(p *params) {
	encryption := p.group("InputEncryption")
	if a.encrypted = a.store && len(encryption.m) > 0; !a.encrypted {
		return // exports carry an unused one in menus; it does nothing
	}
	encryption.need("EncryptionKeyId", "Key")
	a.keyID, a.key = encryption.whole("EncryptionKeyId"), encryption.whole("Key")
	if a.phone {
		p.problem("InputEncryption", "is possible with CustomValidation only")
	}
	if a.key.given() && a.key.isStatic() {
		if _, err := parseSealKey(a.key.raw); err != nil {
			encryption.problem("Key", "%v", err)
		}
	}
}

func (a *getInput) readValidation(p *params) {
	validation := p.group("InputValidation")
	phone, custom := validation.group("PhoneNumberValidation"), validation.group("CustomValidation")
	_, hasPhone := validation.m["PhoneNumberValidation"]
	_, hasCustom := validation.m["CustomValidation"]
	switch {
	case !a.store && (hasPhone || hasCustom):
		// Exports carry an unused validation in menus; it does nothing.
		return
	case !a.store:
		return
	case hasPhone == hasCustom:
		p.problem("InputValidation", "needs exactly one of PhoneNumberValidation and CustomValidation when StoreInput is True")
	case hasCustom:
		custom.need("MaximumLength")
		a.length = custom.numberOrPath("MaximumLength", 1, 128)
	default:
		a.phone = true
		phone.need("NumberFormat")
		if phone.oneOf("NumberFormat", "Local", "E164") == "Local" {
			phone.need("CountryCode")
			a.country = strings.ToUpper(phone.static("CountryCode"))
			if a.country != "" && phonenumbers.GetCountryCodeForRegion(a.country) == 0 {
				phone.problem("CountryCode", "must be a two-letter country code such as US or KR")
			}
		}
	}
}

func (a *getInput) rules() rules {
	r := rules{flows: inboundTransferQueue(), errors: []string{errNoMatch}, pauses: true}
	switch {
	case a.buffer != "":
		r.flows, r.next, r.pauses = append(r.flows, TypeOutboundWhisper), true, false
	case a.store:
		r.next = true
		if a.phone {
			r.errors = append(r.errors, errInvalidPhone)
		}
	default:
		r.errors = append(r.errors, errNoCondition, errInputTime)
		r.conditions = func(w *wiring) { w.keys() }
	}
	return r
}

func (a *getInput) run(ctx context.Context, s *session) step {
	g, err := a.gather(s)
	if err != nil {
		return failedBy(err)
	}
	switch {
	case s.info().Channel != contact.Voice && a.buffer != "":
		return failedBy(ErrNotSupported)
	case s.info().Channel != contact.Voice:
		return a.ask(ctx, s, g)
	case a.buffer != "":
		return a.setBuffer(ctx, s, g)
	}
	if g.Prompt, err = s.audio(ctx, a.message); err != nil {
		return s.failure(ctx, err)
	}
	var got Gathered
	err = s.interact(func() (err error) {
		got, err = s.participant.Gather(ctx, g)
		return err
	})
	switch {
	case err != nil:
		return s.failure(ctx, err)
	case a.store:
		return a.keep(s, got)
	case got.TimedOut || got.Digits == "":
		return failed(errInputTime)
	}
	st := result(got.Digits)
	if !s.takes(st) {
		s.dropKeys() // what was pressed on was meant for a menu that is not reached
	}
	return st
}

// gather says which keys are asked for, without the prompt.
func (a *getInput) gather(s *session) (Gather, error) {
	g := Gather{Max: 1, FirstDigit: time.Duration(a.firstDigit) * time.Second, Interdigit: defaultInterdigit * time.Second}
	if n, ok := wholeNumber(s.text(a.interdigit), 1, 20); ok {
		g.Interdigit = time.Duration(n) * time.Second
	}
	if a.buffer != "" { // what is there already
		g.Max, g.FirstDigit, g.Interdigit, g.Secret = maxBuffered, time.Millisecond, time.Millisecond, a.encrypted
		return g, nil
	}
	if !a.store {
		return g, nil
	}
	g.Max, g.Terminator, g.Secret = maxPhoneDigits, a.terminator, a.encrypted
	if !a.noCancel {
		g.CancelKey = cancelKey
	}
	if !a.phone {
		var ok bool
		if g.Max, ok = wholeNumber(s.text(a.length), 1, 128); !ok {
			return g, errors.New("ivr: MaximumLength is not a number of keys")
		}
	}
	if a.encrypted { // before anybody is asked for what could not be kept safe
		if _, err := parseSealKey(s.text(a.key)); err != nil {
			return g, fmt.Errorf("ivr: the encryption key %w", err)
		}
	}
	return g, nil
}

// setBuffer: keys are always kept here, so that switching it on changes nothing. Switching it off forgets them, and may
// store them first.
func (a *getInput) setBuffer(ctx context.Context, s *session, g Gather) step {
	if a.buffer == "True" {
		return done()
	}
	if a.store {
		got, err := s.participant.Gather(ctx, g)
		if err != nil {
			return s.failure(ctx, err)
		}
		if st := a.put(s, got.Digits); st.errorType != "" {
			return st
		}
	}
	s.dropKeys()
	return done()
}

// ask lets somebody type the keys. What was typed is in the transcript, so encrypted input is not for chat.
func (a *getInput) ask(ctx context.Context, s *session, g Gather) step {
	t, err := s.texter()
	if err == nil && a.encrypted {
		err = fmt.Errorf("ivr: what is typed cannot be kept out of the transcript: %w", ErrNotSupported)
	}
	if err != nil {
		return failedBy(err)
	}
	text, err := s.words(a.message)
	if err != nil {
		return failedBy(err)
	}
	var reply Reply
	err = s.interact(func() (err error) {
		reply, err = t.AskText(ctx, text, g.FirstDigit)
		return err
	})
	typed := strings.TrimSpace(reply.Text)
	switch {
	case err != nil:
		return s.failure(ctx, err)
	case !a.store && (reply.TimedOut || typed == ""):
		return failed(errInputTime)
	case !a.store && len(typed) == 1 && strings.Contains(keys, typed):
		return result(typed)
	case !a.store: // a sentence, which is not for logs
		return secretResult(typed)
	case reply.TimedOut:
		return a.keep(s, Gathered{TimedOut: true})
	}
	typed = strings.TrimSuffix(strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(typed), a.terminator)
	if a.phone {
		typed = strings.TrimPrefix(typed, "+")
	}
	if !a.phone && (strings.Trim(typed, keys) != "" || len(typed) > g.Max) {
		return failedBy(fmt.Errorf("ivr: what was typed is not up to %d keys", g.Max))
	}
	return a.keep(s, Gathered{Digits: typed})
}

// keep stores what was typed. Without any key, the older form of the block goes on with "Timeout" as the input; flows
// that have a branch for it get the branch.
func (a *getInput) keep(s *session, got Gathered) step {
	switch {
	case got.TimedOut && s.node.errorTarget(errInputTime) != "":
		return failed(errInputTime)
	case got.TimedOut:
		s.memory.store(noInput)
		return done()
	case !a.phone:
		return a.put(s, got.Digits)
	}
	number, ok := dialled(got.Digits, a.country)
	if !ok {
		return failed(errInvalidPhone)
	}
	s.memory.store(number)
	return done()
}

// put stores what was typed as it is, or encrypted.
func (a *getInput) put(s *session, typed string) step {
	if a.encrypted {
		key, err := parseSealKey(s.text(a.key))
		if err == nil {
			typed, err = key.seal(s.text(a.keyID), typed)
		}
		if err != nil {
			s.memory.store("")
			return failedBy(fmt.Errorf("ivr: input is not stored, it cannot be encrypted: the key %w", err))
		}
	}
	s.memory.store(typed)
	return done()
}

// takes tells whether a condition of the action holds for a result.
func (s *session) takes(st step) bool {
	return slices.ContainsFunc(s.node.conditions, func(b branch) bool { return b.when.test(st.result, true, s.lookup, s.engine.now()) })
}

// dropKeys forgets what was pressed and nobody has asked for.
func (s *session) dropKeys() {
	if d, ok := s.participant.(KeyDropper); ok {
		d.DropKeys()
	}
}

// dialled is typed digits as an E.164 number; country is empty when the digits begin with a country code.
func dialled(digits, country string) (string, bool) {
	if strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	text := digits
	if country == "" {
		text = "+" + digits
	}
	n, err := phonenumbers.Parse(text, country)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
}
