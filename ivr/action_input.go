package ivr

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// Defaults of key input (A1.10).
const (
	defaultInputTime  = 5
	defaultInterdigit = 5
	defaultTerminator = "#"
	cancelKey         = '*'
	maxPhoneDigits    = 20
	noInput           = "Timeout" // what is stored when no key came and no branch says what to do then
)

// getInput asks for keys: one that chooses a branch (Get customer input), or a number that is stored (Store customer
// input).
type getInput struct {
	message    message
	store      bool
	firstDigit int
	interdigit value
	terminator string
	noCancel   bool
	phone      bool
	country    string // ISO code for local numbers; empty: E.164
	length     value  // of custom input
}

func (a *getInput) read(p *params) {
	a.message = readMessage(p, false)
	p.rename("InputTimeoutSeconds", "InputTimeLimitSeconds")
	a.firstDigit = p.number("InputTimeLimitSeconds", 1, 180, defaultInputTime)
	a.store = p.yes("StoreInput") || a.store && !p.has("StoreInput")
	dtmf := p.group("DTMFConfiguration")
	dtmf.rename("InterdigitTimeoutSeconds", "InterdigitTimeLimitSeconds")
	a.terminator = dtmf.static("InputTerminationSequence")
	a.noCancel = dtmf.yes("DisableCancelKey")
	a.interdigit = dtmf.numberOrPath("InterdigitTimeLimitSeconds", 1, 20)
	switch {
	case len(a.terminator) > 5 || strings.Trim(a.terminator, "0123456789*#") != "":
		dtmf.problem("InputTerminationSequence", "may have up to 5 of the keys 0 to 9, * and #")
	case strings.Contains(a.terminator, "*") && !a.noCancel && a.store:
		dtmf.problem("InputTerminationSequence", "can have * only when DisableCancelKey is True")
	case a.terminator == "":
		a.terminator = defaultTerminator
	}
	if p.has("InputEncryption") {
		p.problem("InputEncryption", "is not supported by this version: input would be stored in the clear")
	}
	a.readValidation(p)
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
	audio, err := s.audio(ctx, a.message)
	if err != nil {
		return s.failure(ctx, err)
	}
	g := Gather{
		Prompt: audio, Max: 1, FirstDigit: time.Duration(a.firstDigit) * time.Second,
		Interdigit: defaultInterdigit * time.Second,
	}
	if n, ok := wholeNumber(s.text(a.interdigit), 1, 20); ok {
		g.Interdigit = time.Duration(n) * time.Second
	}
	if a.store {
		g.Max, g.Terminator = maxPhoneDigits, a.terminator
		if !a.noCancel {
			g.CancelKey = cancelKey
		}
		if !a.phone {
			var ok bool
			if g.Max, ok = wholeNumber(s.text(a.length), 1, 128); !ok {
				return failedBy(errors.New("ivr: MaximumLength is not a number of keys"))
			}
		}
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
	return result(got.Digits)
}

// keep stores what was typed. Without any key, the older form of the block goes on with "Timeout" as the input; flows
// that have a branch for it get the branch.
func (a *getInput) keep(s *session, got Gathered) step {
	switch {
	case got.TimedOut && s.node.errorTarget(errInputTime) != "":
		return failed(errInputTime)
	case got.TimedOut:
		s.stored = noInput
		return done()
	case !a.phone:
		s.stored = got.Digits
		return done()
	}
	number, ok := dialled(got.Digits, a.country)
	if !ok {
		return failed(errInvalidPhone)
	}
	s.stored = number
	return done()
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
