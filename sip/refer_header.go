package sip

import (
	"strings"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// maxReferTo is the length of a Refer-To that is read: a URI with a Replaces in it.
const maxReferTo = 1024

// parseReferTo reads a Refer-To (RFC 3515 §2.1), with the Replaces that an attended transfer puts into its URI (RFC 3891
// §6.1); number gives what it names its one form. why is the rule that it breaks, empty if it is good.
func parseReferTo(value string, number func(user string) string) (r call.Refer, why string) {
	if len(value) > maxReferTo {
		return r, "Refer-To is too long"
	}
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return r, "Refer-To has a control character"
	}
	if strings.Count(strings.ToLower(value), "replaces=") > 1 { // the parser would keep one of them
		return r, "Refer-To has two Replaces"
	}
	var uri sipgo.Uri
	var params sipgo.HeaderParams
	if _, err := sipgo.ParseAddressValue(value, &uri, &params); err != nil || uri.Wildcard {
		return r, "Refer-To is not an address"
	}
	scheme := strings.ToLower(uri.Scheme)
	if scheme != "sip" && scheme != "sips" && scheme != "tel" {
		return r, "Refer-To has the scheme " + clip(scheme, 20)
	}
	if m, ok := uri.UriParams.Get("method"); ok && !strings.EqualFold(m, "INVITE") { // RFC 3515 §2.4.2: nothing but a call
		return r, "Refer-To asks for " + clip(m, 20)
	}
	for _, h := range uri.Headers {
		if !strings.EqualFold(h.K, "Replaces") {
			continue // RFC 3261 §19.1.5: what else the URI would have us say is not said
		}
		id, ok := parseReplaces(unescape(h.V))
		if !ok {
			return r, "Replaces in Refer-To is not one"
		}
		r.Replaces = &id
	}
	uri.Headers = nil
	r.URI, r.Target = uri.String(), number(userPart(&uri))
	if r.Target == "" {
		return r, "Refer-To names nobody"
	}
	return r, ""
}

// parseReplaces reads a Replaces, in the header field or in a Refer-To. Its tags are those of whoever gets the INVITE:
// to-tag is ours, from-tag is theirs. RFC 3891 §3.
func parseReplaces(value string) (id call.DialogID, ok bool) {
	if len(value) > maxReferTo || strings.ContainsAny(value, ",\r\n") {
		return id, false
	}
	parts := strings.Split(value, ";")
	id.CallID = strings.TrimSpace(parts[0])
	for _, p := range parts[1:] {
		name, v, _ := strings.Cut(p, "=")
		v = strings.TrimSpace(v)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "to-tag":
			if id.OurTag != "" {
				return id, false
			}
			id.OurTag = v
		case "from-tag":
			if id.TheirTag != "" {
				return id, false
			}
			id.TheirTag = v
		case "early-only":
			id.EarlyOnly = true
		}
	}
	return id, id.CallID != "" && id.OurTag != "" && id.TheirTag != ""
}

// forged reports a Replaces that names a call of ours but not its tags: whoever knows a Call-ID only may not take the call.
// A call that is not there is the owner's affair.
func (ep *Endpoint) forged(id *call.DialogID) bool {
	if id == nil {
		return false
	}
	known := false
	for _, l := range ep.index.legs() {
		if l.callID != id.CallID {
			continue
		}
		if known = true; l.localTag == id.OurTag && l.theirTag.Load() == id.TheirTag {
			return false
		}
	}
	return known
}

// replacesOf is the dialog that an INVITE takes the place of. ok is false if it cannot be read. RFC 3891 §3: one at most.
func replacesOf(req *sipgo.Request) (id *call.DialogID, ok bool) {
	hs := req.GetHeaders("Replaces")
	switch len(hs) {
	case 0:
		return nil, true
	case 1:
		d, ok := parseReplaces(hs[0].Value())
		return &d, ok
	default:
		return nil, false
	}
}
