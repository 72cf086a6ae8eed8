package sip

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/contact"
)

// caller is who a carrier says is calling: from the header that the trunk trusts, else from From. What a header that is
// not trusted says is never used as a number (threat 15).
func (t *Trunk) caller(req *sipgo.Request, normalise func(string) string) contact.Endpoint {
	from := req.From()
	name, user := from.DisplayName, userPart(&from.Address)
	if h := t.Identity.Trust; h != "" && h != IdentityFrom {
		if n, u, ok := identityIn(req, h); ok {
			name, user = n, userPart(&u)
		}
	}
	if hidesNumber(req) || strings.EqualFold(user, "anonymous") || strings.EqualFold(from.Address.Host, "anonymous.invalid") && user == userPart(&from.Address) {
		return contact.Endpoint{Type: contact.TelephoneNumber, Address: "anonymous"}
	}
	return contact.Endpoint{Type: contact.TelephoneNumber, Address: normalise(user), DisplayName: plainText(name, 100)}
}

// calledParty is the number that was called when the Request-URI is our registered Contact. RFC 7315 §4.2.
func calledParty(req *sipgo.Request) string {
	if _, u, ok := identityIn(req, "P-Called-Party-ID"); ok {
		return userPart(&u)
	}
	return userPart(&req.To().Address)
}

// profile is what is known about the media of the carrier.
func (t *Trunk) profile() call.Profile {
	return call.Profile{Codecs: t.Codecs, Encryption: t.Encryption, Digits: t.Digits, Noise: t.Noise}
}

// hidesNumber reports that the caller asked not to be shown. RFC 3323 §4.2, RFC 3325 §9.3.
func hidesNumber(req *sipgo.Request) bool {
	for _, h := range req.GetHeaders("Privacy") {
		for v := range strings.SplitSeq(clip(h.Value(), 200), ";") {
			switch strings.ToLower(strings.TrimSpace(v)) {
			case "id", "user", "header":
				return true
			}
		}
	}
	return false
}

// identityIn reads the first identity with a telephone number: carriers send a SIP and a tel URI, in either order.
func identityIn(req *sipgo.Request, name IdentityHeader) (display string, u sipgo.Uri, ok bool) {
	read := 0
	for _, h := range req.GetHeaders(string(name)) {
		for _, v := range splitValues(clip(h.Value(), 2048)) {
			if read++; read > 4 { // RFC 3325 §9.1 has two at most
				return display, u, ok
			}
			var one sipgo.Uri
			params := sipgo.NewParams()
			text, err := sipgo.ParseAddressValue(v, &one, &params)
			if err != nil || userPart(&one) == "" {
				continue
			}
			if !ok || isNumber(userPart(&one)) && !isNumber(userPart(&u)) {
				display, u, ok = text, one, true
			}
		}
	}
	return display, u, ok
}

// splitValues splits a header field at its commas, but not inside quotes or angle brackets. RFC 3261 §7.3.1.
func splitValues(s string) []string {
	var out []string
	start, quoted, angle := 0, false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == ',' && !angle:
			out = append(out, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[start:]))
}

// Bounds of an Identity header. RFC 8224 sets none; real ones have about 700 bytes.
const (
	maxIdentity   = 8192
	maxPASSporT   = 4096
	maxIdentities = 4
)

// identities are the Identity header fields that may be passed on.
func identities(req *sipgo.Request) []string {
	var out []string
	for _, h := range req.GetHeaders("Identity") {
		if v := h.Value(); len(out) < maxIdentities && isText(v, maxIdentity) {
			out = append(out, v)
		}
	}
	return out
}

// attested is what the caller's carrier says about the number: nil if nothing. It is read and not verified.
func (t *Trunk) attested(req *sipgo.Request) *contact.Attestation {
	var a contact.Attestation
	for i, h := range req.GetHeaders("Identity") {
		a.Identity = true
		if level, orig, ok := readPASSporT(h.Value()); ok && a.Level == "" {
			a.Level, a.OrigID = level, orig
		}
		if i == maxIdentities-1 {
			break
		}
	}
	a.Verstat = verstat(req)
	if a == (contact.Attestation{}) {
		return nil
	}
	return &a
}

// readPASSporT reads attest and origid of a full-form SHAKEN PASSporT. RFC 8224 §4, RFC 8225 §5, RFC 8588 §4.
func readPASSporT(value string) (level, origID string, ok bool) {
	if len(value) > maxIdentity {
		return "", "", false
	}
	token, _, _ := strings.Cut(value, ";")
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 || len(parts[1]) > maxPASSporT || parts[1] == "" { // compact form has no payload: RFC 8225 §7
		return "", "", false
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return "", "", false
	}
	var claims struct {
		Attest string `json:"attest"`
		OrigID string `json:"origid"`
	}
	if json.Unmarshal(body, &claims) != nil {
		return "", "", false
	}
	switch claims.Attest {
	case "A", "B", "C":
		return claims.Attest, strings.Map(printable, clip(claims.OrigID, 64)), true
	default:
		return "", "", false
	}
}

// verstat is the carrier's own verification, in the URI or the header parameters of P-Asserted-Identity or From.
// 3GPP TS 24.229 §7.2A.20.
func verstat(req *sipgo.Request) string {
	values := make([]string, 0, 3)
	for _, h := range req.GetHeaders(string(IdentityPAI)) {
		if len(values) < 2 {
			values = append(values, clip(h.Value(), 2048))
		}
	}
	for _, v := range append(values, clip(req.From().Value(), 2048)) {
		_, after, found := strings.Cut(v, ";verstat=")
		if !found {
			continue
		}
		end := 0
		for end < len(after) && isToken(after[end]) {
			end++
		}
		switch word := after[:end]; word { // only the words of the standard: this is shown to people
		case "TN-Validation-Passed", "TN-Validation-Failed", "No-TN-Validation",
			"TN-Validation-Passed-A", "TN-Validation-Passed-B", "TN-Validation-Passed-C",
			"TN-Validation-Failed-A", "TN-Validation-Failed-B", "TN-Validation-Failed-C":
			return word
		}
	}
	return ""
}
