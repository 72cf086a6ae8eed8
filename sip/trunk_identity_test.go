package sip

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/phone"
	"ullim/internal/resource"
)

// text is an identity as it stands on the wire, one header field a line.
func (o identity) text() string {
	from := &sipgo.FromHeader{DisplayName: o.from.name, Address: o.from.uri}
	to := &sipgo.ToHeader{DisplayName: o.to.name, Address: o.to.uri}
	lines := []string{"INVITE " + o.target.String(), from.String(), to.String()}
	for _, h := range o.headers {
		lines = append(lines, h.Name()+": "+h.Value())
	}
	return strings.Join(lines, "\n")
}

func TestR29IdentityProfiles(t *testing.T) {
	plain := call.Target{Number: "+821012345678", FromNumber: "+82212345678", FromName: `Hong "Gil"`}
	hidden, forwarded, bare := plain, plain, plain
	hidden.Anonymous = true
	forwarded.Diverted = []string{"+8215880000", "+82215881111"}
	bare.FromNumber, bare.FromName = "", ""
	for name, c := range map[string]struct {
		profile IdentityProfile
		target  call.Target
		region  string
		want    string
	}{
		"From alone, E.164 with plus": {IdentityProfile{}, plain, "KR", `INVITE sip:+821012345678@c.example
From: "Hong \"Gil\"" <sip:+82212345678@us.example>
To: <sip:+821012345678@c.example>`},
		"without plus": {IdentityProfile{Numbers: FormatE164NoPlus, Called: FormatE164NoPlus}, plain, "KR", `INVITE sip:821012345678@c.example
From: "Hong \"Gil\"" <sip:82212345678@us.example>
To: <sip:821012345678@c.example>`},
		"national prefix": {IdentityProfile{Numbers: FormatNational, Called: FormatNational}, plain, "KR", `INVITE sip:01012345678@c.example
From: "Hong \"Gil\"" <sip:0212345678@us.example>
To: <sip:01012345678@c.example>`},
		"national in another country": {IdentityProfile{Numbers: FormatNational, Called: FormatNational}, plain, "DE", `INVITE sip:00821012345678@c.example
From: "Hong \"Gil\"" <sip:0082212345678@us.example>
To: <sip:00821012345678@c.example>`},
		"international prefix": {IdentityProfile{Called: FormatInternational}, plain, "US", `INVITE sip:011821012345678@c.example
From: "Hong \"Gil\"" <sip:+82212345678@us.example>
To: <sip:011821012345678@c.example>`},
		"user=phone": {IdentityProfile{UserPhone: true, Assert: IdentityPAI}, plain, "KR", `INVITE sip:+821012345678@c.example;user=phone
From: "Hong \"Gil\"" <sip:+82212345678@us.example;user=phone>
To: <sip:+821012345678@c.example;user=phone>
P-Asserted-Identity: "Hong \"Gil\"" <sip:+82212345678@us.example;user=phone>`},
		"P-Preferred-Identity": {IdentityProfile{Assert: IdentityPPI, Domain: "sip.carrier.example"}, plain, "KR", `INVITE sip:+821012345678@c.example
From: "Hong \"Gil\"" <sip:+82212345678@sip.carrier.example>
To: <sip:+821012345678@c.example>
P-Preferred-Identity: "Hong \"Gil\"" <sip:+82212345678@sip.carrier.example>`},
		"Remote-Party-ID": {IdentityProfile{Assert: IdentityRPID}, plain, "KR", `INVITE sip:+821012345678@c.example
From: "Hong \"Gil\"" <sip:+82212345678@us.example>
To: <sip:+821012345678@c.example>
Remote-Party-ID: "Hong \"Gil\"" <sip:+82212345678@us.example>;party=calling;screen=yes;privacy=off`},
		"the account in From, as sipgate wants": {
			IdentityProfile{FromUser: "1234567e0", Domain: "sipgate.de", Assert: IdentityPPI, Numbers: FormatE164NoPlus},
			plain, "KR",
			`INVITE sip:+821012345678@c.example
From: "Hong \"Gil\"" <sip:1234567e0@sipgate.de>
To: <sip:+821012345678@c.example>
P-Preferred-Identity: "Hong \"Gil\"" <sip:82212345678@sipgate.de>`,
		},
		"anonymous": {IdentityProfile{}, hidden, "KR", `INVITE sip:+821012345678@c.example
From: "Anonymous" <sip:anonymous@anonymous.invalid>
To: <sip:+821012345678@c.example>
Privacy: id`},
		"anonymous, the carrier knows who": {IdentityProfile{Assert: IdentityPAI}, hidden, "KR", `INVITE sip:+821012345678@c.example
From: "Anonymous" <sip:anonymous@anonymous.invalid>
To: <sip:+821012345678@c.example>
P-Asserted-Identity: <sip:+82212345678@us.example>
Privacy: id`},
		"anonymous by Privacy alone": {IdentityProfile{Anonymous: AnonymousPrivacy}, hidden, "KR", `INVITE sip:+821012345678@c.example
From: <sip:+82212345678@us.example>
To: <sip:+821012345678@c.example>
Privacy: id`},
		"anonymous with Remote-Party-ID and an account": {IdentityProfile{Assert: IdentityRPID, FromUser: "acme"}, hidden, "KR", `INVITE sip:+821012345678@c.example
From: <sip:acme@us.example>
To: <sip:+821012345678@c.example>
Remote-Party-ID: <sip:+82212345678@us.example>;party=calling;screen=yes;privacy=full
Privacy: id`},
		"no number of its own": {IdentityProfile{Assert: IdentityPAI}, bare, "KR", `INVITE sip:+821012345678@c.example
From: "Anonymous" <sip:anonymous@anonymous.invalid>
To: <sip:+821012345678@c.example>
Privacy: id`},
		"the trunk's number instead": {IdentityProfile{Assert: IdentityPAI, Default: "+82299999999"}, bare, "KR", `INVITE sip:+821012345678@c.example
From: <sip:+82299999999@us.example>
To: <sip:+821012345678@c.example>
P-Asserted-Identity: <sip:+82299999999@us.example>`},
		"forwarded, not told": {IdentityProfile{}, forwarded, "KR", `INVITE sip:+821012345678@c.example
From: "Hong \"Gil\"" <sip:+82212345678@us.example>
To: <sip:+821012345678@c.example>`},
		"forwarded, Diversion": {IdentityProfile{Diverted: DivertedDiversion, Numbers: FormatNational}, forwarded, "KR", `INVITE sip:+821012345678@c.example
From: "Hong \"Gil\"" <sip:0212345678@us.example>
To: <sip:+821012345678@c.example>
Diversion: <sip:0215881111@us.example>;reason=unconditional
Diversion: <sip:15880000@us.example>;reason=unconditional`},
		"forwarded, History-Info": {IdentityProfile{Diverted: DivertedHistory}, forwarded, "KR", `INVITE sip:+821012345678@c.example
From: "Hong \"Gil\"" <sip:+82212345678@us.example>
To: <sip:+821012345678@c.example>
History-Info: <sip:+8215880000@us.example>;index=1
History-Info: <sip:+82215881111@us.example>;index=1.1;mp=1
History-Info: <sip:+821012345678@c.example>;index=1.1.1;mp=1.1`},
		"not forwarded, History-Info": {IdentityProfile{Diverted: DivertedHistory}, plain, "KR", `INVITE sip:+821012345678@c.example
From: "Hong \"Gil\"" <sip:+82212345678@us.example>
To: <sip:+821012345678@c.example>`},
		"a short number and an extension": {
			IdentityProfile{Called: FormatNational, UserPhone: true}, call.Target{Number: "1588", FromNumber: "2001"}, "KR", `INVITE sip:1588@c.example;user=phone
From: <sip:2001@us.example;user=phone>
To: <sip:1588@c.example;user=phone>`,
		},
		"what would break out of a header": {
			IdentityProfile{Assert: IdentityPAI},
			call.Target{Number: "+821012345678>\r\nX: y", FromNumber: "1;tag=x", FromName: "a\"\r\nb\\"},
			"KR",
			`INVITE sip:+821012345678%3E%0D%0AX%3A%20y@c.example
From: "a\"b\\" <sip:1%3Btag=x@us.example>
To: <sip:+821012345678%3E%0D%0AX%3A%20y@c.example>
P-Asserted-Identity: "a\"b\\" <sip:1%3Btag=x@us.example>`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := &Trunk{Meta: resource.Meta{Name: "t"}, Identity: c.profile, Region: c.region, Gateways: []Gateway{{Host: "c.example"}}}
			if err := k.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := k.present(c.target, sipgo.Uri{Host: "c.example"}, "us.example").text(); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestR29AtMostFiveDiversionsTheFirstAndTheLast(t *testing.T) {
	k := &Trunk{Identity: IdentityProfile{Diverted: DivertedDiversion}}
	c := call.Target{Number: "+821012345678", FromNumber: "+82212345678"}
	for i := range 20 {
		c.Diverted = append(c.Diverted, fmt.Sprintf("%d", 2000+i))
	}
	got := k.present(c, sipgo.Uri{Host: "c.example"}, "us.example")
	if len(got.headers) != maxDiverted || !strings.Contains(got.headers[0].Value(), "2019") ||
		!strings.Contains(got.headers[maxDiverted-1].Value(), "2000") {
		t.Errorf("%s", got.text())
	}
}

func TestR29STIRIdentityIsPassedOrDropped(t *testing.T) {
	c := call.Target{Number: "+821012345678", Identity: []string{"a.b.c;info=<https://x>", "bad\r\nX: y", strings.Repeat("x", maxIdentity+1)}}
	for _, pass := range []bool{false, true} {
		k := &Trunk{Identity: IdentityProfile{PassSTIR: pass}}
		got := k.present(c, sipgo.Uri{Host: "c.example"}, "us.example").text()
		if n := strings.Count(got, "\nIdentity: "); n != map[bool]int{false: 0, true: 1}[pass] || strings.Contains(got, "X: y") {
			t.Errorf("passed %v:\n%s", pass, got)
		}
	}
}

func inviteWith(t *testing.T, headers ...string) *sipgo.Request {
	t.Helper()
	text := "INVITE sip:+82212345678@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKx\r\n" +
		"To: <sip:+82212345678@198.51.100.1>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
	if !strings.Contains(strings.Join(headers, "\n"), "From: ") {
		text += "From: \"Kim\" <sip:01011112222@192.0.2.10>;tag=a\r\n"
	}
	for _, h := range headers {
		text += h + "\r\n"
	}
	m, err := sipgo.ParseMessage([]byte(text + "Content-Length: 0\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	return m.(*sipgo.Request)
}

func TestR29WhoCallsIsTakenFromTheTrustedHeader(t *testing.T) {
	pai := `P-Asserted-Identity: "Lee" <sip:+821099998888@c.example>`
	for name, c := range map[string]struct {
		trust   IdentityHeader
		headers []string
		want    string // address and name
	}{
		"From":                            {"", nil, "+821011112222 Kim"},
		"PAI is not trusted":              {"", []string{pai}, "+821011112222 Kim"},
		"PAI is":                          {IdentityPAI, []string{pai}, "+821099998888 Lee"},
		"PAI is, and is not there":        {IdentityPAI, nil, "+821011112222 Kim"},
		"RPID is not":                     {IdentityPAI, []string{"Remote-Party-ID: <sip:+821077776666@c.example>"}, "+821011112222 Kim"},
		"RPID is":                         {IdentityRPID, []string{"Remote-Party-ID: <sip:01077776666@c.example>;party=calling"}, "+821077776666 "},
		"PPI is":                          {IdentityPPI, []string{"P-Preferred-Identity: <sip:01077776666@c.example>"}, "+821077776666 "},
		"a name and a number, in one":     {IdentityPAI, []string{`P-Asserted-Identity: <sip:lee@c.example>, <tel:+821099998888>`}, "+821099998888 "},
		"two fields":                      {IdentityPAI, []string{`P-Asserted-Identity: "L, <e>e" <sip:lee@c.example>`, "P-Asserted-Identity: <tel:+821099998888>"}, "+821099998888 "},
		"no URI":                          {IdentityPAI, []string{"P-Asserted-Identity: what"}, "+821011112222 Kim"},
		"Privacy hides it":                {IdentityPAI, []string{pai, "Privacy: id"}, "anonymous "},
		"Privacy: none does not":          {IdentityPAI, []string{pai, "Privacy: none"}, "+821099998888 Lee"},
		"anonymous From":                  {"", []string{`From: "Anonymous" <sip:anonymous@anonymous.invalid>;tag=a`}, "anonymous "},
		"anonymous From, asserted number": {IdentityPAI, []string{`From: "Anonymous" <sip:anonymous@anonymous.invalid>;tag=a`, pai}, "+821099998888 Lee"},
		"verstat is no part of it":        {IdentityPAI, []string{"P-Asserted-Identity: <sip:+821099998888;verstat=TN-Validation-Passed@c.example>"}, "+821099998888 "},
	} {
		k := &Trunk{Identity: IdentityProfile{Trust: c.trust}}
		got := k.caller(inviteWith(t, c.headers...), func(user string) string {
			if n, err := phone.Normalize(user, "KR"); err == nil {
				return n
			}
			return user
		})
		if s := got.Address + " " + got.DisplayName; s != c.want || got.Type != contact.TelephoneNumber {
			t.Errorf("%s: %q, want %q", name, s, c.want)
		}
	}
}

func passport(payload string) string {
	b := base64.RawURLEncoding.EncodeToString
	return b([]byte(`{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://c/x"}`)) + "." + b([]byte(payload)) + "." + b([]byte("signature"))
}

func TestR29AttestationIsReadAndBounded(t *testing.T) {
	full := passport(`{"attest":"B","dest":{"tn":["12025550123"]},"iat":1,"orig":{"tn":"12025550100"},"origid":"123e4567-e89b-12d3-a456-426655440000"}`)
	for name, c := range map[string]struct {
		headers []string
		want    *contact.Attestation
	}{
		"nothing":       {nil, nil},
		"a PASSporT":    {[]string{"Identity: " + full + ";info=<https://c/x>;alg=ES256;ppt=shaken"}, &contact.Attestation{Level: "B", OrigID: "123e4567-e89b-12d3-a456-426655440000", Identity: true}},
		"compact form":  {[]string{"Identity: ..sig;info=<https://c/x>"}, &contact.Attestation{Identity: true}},
		"no base64":     {[]string{"Identity: a.!!!.c"}, &contact.Attestation{Identity: true}},
		"no JSON":       {[]string{"Identity: " + passport("[")}, &contact.Attestation{Identity: true}},
		"bad level":     {[]string{"Identity: " + passport(`{"attest":"<b>"}`)}, &contact.Attestation{Identity: true}},
		"too long":      {[]string{"Identity: " + passport(`{"attest":"A","x":"`+strings.Repeat("x", maxPASSporT)+`"}`)}, &contact.Attestation{Identity: true}},
		"div, then own": {[]string{"Identity: " + passport(`{"div":{"tn":"1"}}`), "Identity: " + full}, &contact.Attestation{Level: "B", OrigID: "123e4567-e89b-12d3-a456-426655440000", Identity: true}},
		"verstat of PAI": {
			[]string{"P-Asserted-Identity: <sip:+1202;verstat=TN-Validation-Passed@c.example>"}, &contact.Attestation{Verstat: "TN-Validation-Passed"},
		},
		"verstat of From": {
			[]string{"From: <sip:+12025550100@c.example>;verstat=No-TN-Validation;tag=a"}, &contact.Attestation{Verstat: "No-TN-Validation"},
		},
		"verstat of nobody": {[]string{"P-Asserted-Identity: <sip:+1202;verstat=Trust-Me@c.example>"}, nil},
	} {
		got := (&Trunk{}).attested(inviteWith(t, c.headers...))
		switch {
		case (got == nil) != (c.want == nil):
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		case got != nil && *got != *c.want:
			t.Errorf("%s: %+v, want %+v", name, *got, *c.want)
		}
	}
}

func TestR29ACallThroughTheEndpointBringsItsAttestation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrunkStage(t, &Trunk{
			Meta: resource.Meta{ID: "in", Name: "in"}, Addresses: []string{"192.0.2.10"}, Region: "KR", Identity: IdentityProfile{Trust: IdentityPAI},
			Codecs: []string{"PCMA"}, Encryption: call.EncryptionSDES,
		})
		defer s.close()
		d := s.trunk.dialog("attested")
		s.trunk.send(d.text("INVITE", 1, "a-1", sdpOffer, "P-Asserted-Identity: <sip:+821099998888@c.example>",
			"Identity: "+passport(`{"attest":"A","origid":"x"}`)))
		s.trunk.settle()
		c := s.owner.call(t, 0)
		if a := c.in.Attested; a == nil || a.Level != "A" || len(c.in.Identity) != 1 || c.in.From.Address != "+821099998888" ||
			c.in.Profile.Encryption != call.EncryptionSDES || len(c.in.Profile.Codecs) != 1 {
			t.Errorf("admitted as %+v", c.in)
		}
		c.leg.Reject(486, "Busy Here", 0)
		s.trunk.settle()
	})
}

func FuzzPASSporT(f *testing.F) {
	f.Add(passport(`{"attest":"A","origid":"x"}`) + ";info=<https://x>")
	f.Add("..")
	f.Fuzz(func(t *testing.T, v string) {
		level, orig, ok := readPASSporT(v)
		if ok != (level == "A" || level == "B" || level == "C") || len(orig) > 64 {
			t.Errorf("%q %q %v", level, orig, ok)
		}
	})
}

func FuzzIdentityValues(f *testing.F) {
	f.Add(`"a, b" <sip:x@y>, <tel:+1>`)
	f.Fuzz(func(t *testing.T, v string) {
		if parts := splitValues(v); len(strings.Join(parts, ",")) > len(v) {
			t.Errorf("%q became %q", v, parts)
		}
	})
}
