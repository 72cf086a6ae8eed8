package sip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ullim/internal/call"
	"ullim/internal/errs"
)

// Bounds of what a trunk may be configured with.
const (
	maxGateways = 16
	maxRoutes   = 500
	minProbe    = 10
	maxProbe    = 3600
	minExpires  = 60
	maxExpires  = 86400
)

// validOutgoing checks the outgoing side of a trunk.
func (t *Trunk) validOutgoing() error {
	if len(t.Gateways) > maxGateways {
		return errs.Field("Gateways", "must hold at most %d gateways; has %d", maxGateways, len(t.Gateways))
	}
	for i := range t.Gateways {
		if err := t.Gateways[i].validate(fmt.Sprintf("Gateways[%d]", i)); err != nil {
			return err
		}
	}
	if t.OutboundProxy != nil {
		if err := t.OutboundProxy.validate("OutboundProxy"); err != nil {
			return err
		}
		if len(t.Gateways) == 0 {
			return errs.Field("Gateways", "must hold the carrier's domain when OutboundProxy is set")
		}
	}
	if err := t.validLogin(); err != nil {
		return err
	}
	if err := t.validRegister(); err != nil {
		return err
	}
	if err := t.validMedia(); err != nil {
		return err
	}
	switch {
	case t.ProbeSeconds != 0 && t.ProbeSeconds != -1 && (t.ProbeSeconds < minProbe || t.ProbeSeconds > maxProbe):
		return errs.Field("ProbeSeconds", "must be %d to %d, 0 (60) or -1 (none); got %d", minProbe, maxProbe, t.ProbeSeconds)
	case t.CampaignShare < 0 || t.CampaignShare > 100:
		return errs.Field("CampaignShare", "must be 0 (all) to 100 percent; got %d", t.CampaignShare)
	case t.CampaignShare > 0 && t.MaxChannels == 0 && t.MaxCPS == 0:
		return errs.Field("CampaignShare", "is a share of MaxChannels and MaxCps: set one of them")
	case t.TLSInsecure && !t.usesTLS():
		return errs.Field("TlsInsecure", "needs a gateway with transport TLS: there is no certificate to skip")
	}
	if err := t.Identity.validate(t.Region); err != nil {
		return err
	}
	return t.validRoutes()
}

func (t *Trunk) usesTLS() bool {
	return t.OutboundProxy != nil && t.OutboundProxy.network() == "TLS" ||
		slices.ContainsFunc(t.Gateways, func(g Gateway) bool { return g.network() == "TLS" })
}

func (g *Gateway) network() string {
	if g.Transport == "" {
		return "UDP"
	}
	return g.Transport
}

func (g *Gateway) validate(field string) error {
	switch {
	case !isHost(g.Host):
		return errs.Field(field+".Host", "must be a host name or an IP address without port; got %q", clip(g.Host, 300))
	case g.Port < 0 || g.Port > 65535:
		return errs.Field(field+".Port", "must be 1 to 65535, or 0 for the one that DNS or the transport gives; got %d", g.Port)
	case g.Transport != "" && g.Transport != "UDP" && g.Transport != "TCP" && g.Transport != "TLS":
		return errs.Field(field+".Transport", "must be UDP, TCP or TLS; got %q", g.Transport)
	case g.Priority < 0 || g.Priority > 65535:
		return errs.Field(field+".Priority", "must be 0 to 65535; got %d", g.Priority)
	case g.Weight < 0 || g.Weight > 65535:
		return errs.Field(field+".Weight", "must be 0 to 65535; got %d", g.Weight)
	}
	return nil
}

// isHost reports a host name (letters, digits, hyphens, dots) or an IP address, IPv6 with or without brackets.
func isHost(s string) bool {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast()
	}
	if s == "" || len(s) > 253 {
		return false
	}
	allDigits := true
	for l := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for i := range len(l) {
			c := l[i]
			digit := c >= '0' && c <= '9'
			if !digit && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
				return false
			}
			allDigits = allDigits && digit
		}
	}
	return !allDigits // 192.0.2 is no name
}

func (t *Trunk) validLogin() error {
	l := &t.Login
	switch {
	case l.Username == "" && l.Secret != "":
		return errs.Field("Login.Username", "must be set when there is a password")
	case l.Username == "" && l.Realm != "":
		return errs.Field("Login.Username", "must be set when Realm is")
	case l.Username != "" && l.Secret == "":
		return errs.Field("Login.Password", "must be set when Login.Username is")
	case l.Username != "" && len(t.Gateways) == 0:
		return errs.Field("Gateways", "must hold a gateway when Login is set: there is nobody to log in to")
	case !isText(l.Username, maxName):
		return errs.Field("Login.Username", "must be at most %d bytes of text", maxName)
	case !isText(l.Realm, maxName):
		return errs.Field("Login.Realm", "must be at most %d bytes of text", maxName)
	}
	return nil
}

// isText reports text without control characters, of bounded length.
func isText(s string, most int) bool {
	return len(s) <= most && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) < 0
}

func (t *Trunk) validRegister() error {
	r := &t.Register
	switch {
	case r.Enabled && len(t.Gateways) == 0:
		return errs.Field("Gateways", "must hold a gateway when Register is enabled: there is nobody to register with")
	case r.Enabled && r.User == "" && t.Login.Username == "":
		return errs.Field("Register.User", "must be set, or Login.Username: it is what is registered")
	case !isText(r.User, maxName):
		return errs.Field("Register.User", "must be at most %d bytes of text", maxName)
	case r.Domain != "" && !isHost(r.Domain):
		return errs.Field("Register.Domain", "must be a host name or an IP address; got %q", clip(r.Domain, 300))
	case r.Expires != 0 && (r.Expires < minExpires || r.Expires > maxExpires):
		return errs.Field("Register.Expires", "must be %d to %d seconds, or 0 for 3600; got %d", minExpires, maxExpires, r.Expires)
	}
	return nil
}

func (t *Trunk) validMedia() error {
	switch t.Encryption {
	case call.EncryptionNone, call.EncryptionOptional, call.EncryptionSDES, call.EncryptionDTLS:
	case call.EncryptionWebRTC:
		return errs.Field("Encryption", "webrtc is for browsers; a carrier wants optional, sdes or dtls")
	default:
		return errs.Field("Encryption", "must be empty, optional, sdes or dtls; got %q", t.Encryption)
	}
	switch t.Digits {
	case call.DigitsAuto, call.DigitsInfo, call.DigitsInBand:
	default:
		return errs.Field("Digits", "must be empty (RFC 4733), info or inband; got %q", t.Digits)
	}
	return nil
}

func (t *Trunk) validRoutes() error {
	if len(t.Routes) > maxRoutes {
		return errs.Field("Routes", "must hold at most %d routes; has %d", maxRoutes, len(t.Routes))
	}
	if len(t.Routes) > 0 && len(t.Gateways) == 0 {
		return errs.Field("Gateways", "must hold a gateway when there are Routes: nothing would carry the numbers")
	}
	for i, r := range t.Routes {
		field := fmt.Sprintf("Routes[%d]", i)
		digits := strings.TrimPrefix(r.Prefix, "+")
		switch {
		case r.Prefix != "" && (digits == "" || len(digits) > 15 || strings.Trim(digits, "0123456789") != ""):
			return errs.Field(field+".Prefix", "must be up to 15 digits, with a + for an international prefix; got %q", clip(r.Prefix, 40))
		case r.Country != "" && !isRegion(r.Country):
			return errs.Field(field+".Country", "must be two capital letters (ISO 3166); got %q", clip(r.Country, 40))
		case r.Prefix != "" && r.Country != "":
			return errs.Field(field, "must have Prefix or Country, not both")
		case r.Priority < 0 || r.Priority > 65535:
			return errs.Field(field+".Priority", "must be 0 to 65535; got %d", r.Priority)
		case r.Weight < 0 || r.Weight > 65535:
			return errs.Field(field+".Weight", "must be 0 to 65535; got %d", r.Weight)
		}
	}
	return nil
}

func (p *IdentityProfile) validate(region string) error {
	formats := []NumberFormat{FormatE164, FormatE164NoPlus, FormatNational, FormatInternational}
	switch {
	case !slices.Contains([]IdentityHeader{"", IdentityPAI, IdentityPPI, IdentityRPID}, p.Assert):
		return errs.Field("Identity.Assert", "must be empty, P-Asserted-Identity, P-Preferred-Identity or Remote-Party-ID; got %q", p.Assert)
	case !slices.Contains([]IdentityHeader{"", IdentityFrom, IdentityPAI, IdentityPPI, IdentityRPID}, p.Trust):
		return errs.Field("Identity.Trust", "must be From, P-Asserted-Identity, P-Preferred-Identity or Remote-Party-ID; got %q", p.Trust)
	case !isText(p.FromUser, maxName):
		return errs.Field("Identity.FromUser", "must be at most %d bytes of text", maxName)
	case p.FromUser != "" && p.Assert == "":
		return errs.Field("Identity.Assert", "must be set when FromUser is: the caller's number would stand nowhere")
	case p.Domain != "" && !isHost(p.Domain):
		return errs.Field("Identity.Domain", "must be a host name or an IP address; got %q", clip(p.Domain, 300))
	case !slices.Contains(formats, p.Numbers):
		return errs.Field("Identity.Numbers", "must be empty (+E.164), digits, national or international; got %q", p.Numbers)
	case !slices.Contains(formats, p.Called):
		return errs.Field("Identity.Called", "must be empty (+E.164), digits, national or international; got %q", p.Called)
	case region == "" && (p.Numbers == FormatNational || p.Called == FormatNational):
		return errs.Field("Region", "must be set when numbers are written as national")
	case p.Default != "" && (len(p.Default) > 32 || strings.Trim(strings.TrimPrefix(p.Default, "+"), "0123456789") != ""):
		return errs.Field("Identity.Default", "must be a number: digits with an optional +; got %q", clip(p.Default, 40))
	case p.Anonymous != AnonymousRFC3323 && p.Anonymous != AnonymousPrivacy:
		return errs.Field("Identity.Anonymous", "must be empty (RFC 3323) or from; got %q", p.Anonymous)
	case p.Diverted != DivertedNone && p.Diverted != DivertedDiversion && p.Diverted != DivertedHistory:
		return errs.Field("Identity.Diverted", "must be empty, Diversion or History-Info; got %q", p.Diverted)
	}
	return nil
}
