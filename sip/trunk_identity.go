package sip

import (
	"slices"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/phone"
)

// identity is who calls whom, in the words of one carrier (R29).
type identity struct {
	from, to party
	target   sipgo.Uri
	headers  []sipgo.Header
}

// maxDiverted bounds the forwardings that a call tells of.
const maxDiverted = 5

// present writes a call's numbers as a carrier wants them. host is the carrier's, local is ours.
func (t *Trunk) present(c call.Target, host sipgo.Uri, local string) identity {
	p := &t.Identity
	if p.Domain != "" {
		local = p.Domain
	}
	uri := func(number, host string, f NumberFormat) sipgo.Uri {
		u := sipgo.Uri{Scheme: "sip", User: escapeUser(written(number, f, t.Region)), Host: host}
		if p.UserPhone && isNumber(number) { // RFC 3261 §19.1.6
			u.UriParams = sipgo.HeaderParams{{K: "user", V: "phone"}}
		}
		return u
	}
	out := identity{target: uri(c.Number, host.Host, p.Called)}
	out.to = party{uri: *out.target.Clone()}
	out.target.Port = host.Port
	if tr, ok := host.UriParams.Get("transport"); ok {
		out.target.UriParams = append(out.target.UriParams, sipgo.HeaderKV{K: "transport", V: tr})
	}

	number := c.FromNumber
	if number == "" && !c.Anonymous {
		number = p.Default
	}
	name := quotedText(c.FromName, 100)
	caller := uri(number, local, p.Numbers)
	out.from = party{name: name, uri: caller}
	hidden := c.Anonymous || number == ""
	switch {
	case p.FromUser != "": // the account stands in From, the number in the asserted identity
		out.from = party{name: name, uri: sipgo.Uri{Scheme: "sip", User: escapeUser(p.FromUser), Host: local}}
		if hidden {
			out.from.name = ""
		}
	case number == "" || hidden && p.Anonymous == AnonymousRFC3323: // RFC 3323 §4.1.1.3
		out.from = party{name: "Anonymous", uri: sipgo.Uri{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"}}
	case hidden:
		out.from.name = ""
	}
	if hidden {
		name = ""
	}
	out.assert(p, name, caller, number, hidden)
	out.divert(p, c.Diverted, func(n string) sipgo.Uri { return uri(n, local, p.Numbers) })
	if p.PassSTIR { // RFC 8224 §4: more than one is allowed, and each is whole or worth nothing
		for i, v := range c.Identity {
			if i < maxIdentities && len(v) <= maxIdentity && isText(v, maxIdentity) {
				out.headers = append(out.headers, header("Identity", v))
			}
		}
	}
	return out
}

// assert adds the identity header, and Privacy if the number is hidden. RFC 3325 §9.1, §9.3.
func (o *identity) assert(p *IdentityProfile, name string, caller sipgo.Uri, number string, hidden bool) {
	if p.Assert != "" && number != "" {
		v := nameAddr(name, caller)
		if p.Assert == IdentityRPID { // draft-ietf-sip-privacy-04 §5.1
			privacy := "off"
			if hidden {
				privacy = "full"
			}
			v += ";party=calling;screen=yes;privacy=" + privacy
		}
		o.headers = append(o.headers, header(string(p.Assert), v))
	}
	if hidden {
		o.headers = append(o.headers, header("Privacy", "id"))
	}
}

// divert tells by which numbers a forwarded call came, first to last.
func (o *identity) divert(p *IdentityProfile, numbers []string, uri func(string) sipgo.Uri) {
	if n := len(numbers); n > maxDiverted {
		numbers = append([]string{numbers[0]}, numbers[n-maxDiverted+1:]...) // the first and the last are what counts
	}
	switch p.Diverted {
	case DivertedDiversion: // RFC 5806 §4: the most recent first
		for _, n := range slices.Backward(numbers) {
			o.headers = append(o.headers, header("Diversion", nameAddr("", uri(n))+";reason=unconditional"))
		}
	case DivertedHistory: // RFC 7044 §5: in order, the target of the call last; mp: mapped from the entry with that index
		index := ""
		for i, n := range append(append([]string{}, numbers...), "") {
			if len(numbers) == 0 {
				break
			}
			index = strings.TrimPrefix(index+".1", ".")
			u := o.to.uri
			if n != "" {
				u = uri(n)
			}
			v := nameAddr("", u) + ";index=" + index
			if i > 0 {
				v += ";mp=" + strings.TrimSuffix(index, ".1")
			}
			o.headers = append(o.headers, header("History-Info", v))
		}
	case DivertedNone:
	}
}

func nameAddr(name string, u sipgo.Uri) string {
	s := "<" + u.String() + ">"
	if name != "" {
		s = `"` + name + `" ` + s
	}
	return s
}

// written is a number as a carrier writes it. What is not E.164 stays: a short number, an account.
func written(number string, f NumberFormat, region string) string {
	if !strings.HasPrefix(number, "+") {
		return number
	}
	switch f {
	case FormatE164NoPlus:
		return number[1:]
	case FormatNational:
		if n, ok := phone.National(number, region); ok {
			return n
		}
		fallthrough
	case FormatInternational:
		if n, ok := phone.Abroad(number, region); ok {
			return n
		}
	case FormatE164:
	}
	return number
}

func isNumber(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	return digits != "" && strings.Trim(digits, "0123456789*#") == ""
}
