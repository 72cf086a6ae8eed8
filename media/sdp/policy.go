package sdp

import (
	"net/netip"
	"slices"
	"strings"

	"ullim/media/srtp"
)

// Policy says how a leg must be protected. The names are those of the configuration.
type Policy string

// Policies. What is required never falls back to plain RTP (R32).
const (
	PlainPolicy  Policy = ""         // plain RTP is offered; a protected offer is taken
	OptionalSRTP Policy = "optional" // SDES is offered in RTP/AVP (RFC 8643), and taken before plain RTP
	RequireSDES  Policy = "sdes"     // RTP/SAVP with SDES is offered; whatever is protected is taken
	RequireDTLS  Policy = "dtls"     // UDP/TLS/RTP/SAVP with DTLS-SRTP is offered; whatever is protected is taken
	Browser      Policy = "webrtc"   // as RequireDTLS, in the shape that browsers want: SAVPF, ICE, BUNDLE, rtcp-mux
)

// requires reports whether plain RTP is out of the question.
func (p Policy) requires() bool { return p != PlainPolicy && p != OptionalSRTP }

// Means is what protects a stream.
type Means int

// Means.
const (
	Plain Means = iota
	SDES
	DTLS
)

// Secrets are our own keys and names for a leg. They are kept from description to description.
type Secrets struct {
	Keys        []srtp.Key  // for SDES: one for each suite that may be taken; those of Offered are offered
	Fingerprint Fingerprint // of our certificate
	Ufrag, Pwd  string      // of ICE
}

// Offered are the suites that we offer: one that is cheap, and one that everybody has. Fewer lines, smaller packets.
func Offered() []srtp.Suite {
	return []srtp.Suite{srtp.AEAD_AES_128_GCM, srtp.AES_CM_128_HMAC_SHA1_80}
}

// key is ours for a suite.
func (s Secrets) key(suite srtp.Suite) (srtp.Key, bool) {
	i := slices.IndexFunc(s.Keys, func(k srtp.Key) bool { return k.Suite() == suite })
	if i < 0 {
		return srtp.Key{}, false
	}
	return s.Keys[i], true
}

// Protection is what was agreed on the protection of the stream.
type Protection struct {
	By      Means
	Secrets Secrets // ours, in force from now on

	Send, Recv srtp.Key // SDES: what we seal and open with
	Tag        uint32   // SDES: of the line that was taken

	Far         Security // theirs
	ICE         bool     // their packets come from where ICE proved; we are lite (RFC 8445 §2.5)
	Client      bool     // DTLS: we begin the handshake
	Association int      // DTLS: counts; another number means another handshake (RFC 8842 §4)
}

// profile is a kind of m-line transport.
type profile int

const (
	otherProfile profile = iota
	plainProfile         // RTP/AVP, RTP/AVPF
	savpProfile          // RTP/SAVP, RTP/SAVPF
	tlsProfile           // UDP/TLS/RTP/SAVP, UDP/TLS/RTP/SAVPF
)

func profileOf(proto string) profile {
	switch strings.ToUpper(proto) {
	case "RTP/AVP", "RTP/AVPF":
		return plainProfile
	case "RTP/SAVP", "RTP/SAVPF":
		return savpProfile
	case "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF":
		return tlsProfile
	}
	return otherProfile
}

// means says how a stream of theirs would be protected if we took it. False: not at all, although it should be.
func (l Local) means(m Media) (Means, bool) {
	_, crypto := l.crypto(m)
	dtls := len(m.Fingerprints) > 0 && l.Secrets.Fingerprint.Value != ""
	prefersDTLS := l.Policy == RequireDTLS || l.Policy == Browser
	switch profileOf(m.Proto) {
	case tlsProfile:
		return DTLS, dtls
	case savpProfile, plainProfile: // keys in RTP/AVP: RFC 8643, and what phones did long before
		switch {
		case dtls && (prefersDTLS || !crypto):
			return DTLS, true
		case crypto:
			return SDES, true
		}
		return Plain, profileOf(m.Proto) == plainProfile && !l.Policy.requires()
	case otherProfile:
	}
	return Plain, false
}

// crypto is the first of their lines that we have a key for (RFC 4568 §5.1.2: the order is their preference).
func (l Local) crypto(m Media) (Crypto, bool) {
	for _, c := range m.Crypto {
		if _, ok := l.Secrets.key(c.Key.Suite()); ok {
			return c, true
		}
	}
	return Crypto{}, false
}

// choose finds the stream that we take: the one that we have already, else the best by policy, of equal ones the first.
func (l Local) choose(d Description) (at int, by Means) {
	best := -1
	at = -1
	for i, m := range d.Media {
		means, ok := l.means(m)
		_, codec := l.pick(l.takes(m))
		if m.Kind != "audio" || m.Port == 0 || !ok || !codec {
			continue
		}
		rank := 0
		if l.Policy == OptionalSRTP && means != Plain || l.Policy == RequireSDES && means == SDES {
			rank = 1
		}
		if len(l.Memory.Lines) > 0 && i == l.Memory.At {
			rank = 2
		}
		if rank > best {
			at, by, best = i, means, rank
		}
	}
	return at, by
}

// protect agrees on the protection of a stream of theirs. answering: it is an offer, and we may take new keys.
func (l Local) protect(m Media, by Means, answering bool, remote netip.AddrPort) Protection {
	before := l.Memory.Protection
	p := Protection{By: by, Secrets: l.Secrets, Far: m.Security, Association: before.Association}
	switch by {
	case SDES:
		theirs, _ := l.crypto(m)
		p.Tag, p.Recv = theirs.Tag, theirs.Key
		if answering && before.By == SDES && !theirs.Key.Equal(before.Recv) {
			// Somebody new may be behind their new key, who does not know how often our counter has rolled over: we
			// begin anew, too (RFC 3711 §3.3.1).
			p.Secrets.Keys = l.Next.Keys
		}
		p.Send, _ = p.Secrets.key(theirs.Key.Suite())
	case DTLS:
		p.ICE = m.Ufrag != "" && m.Pwd != "" && !m.Lite && l.Secrets.Ufrag != ""
		if answering && p.ICE && before.ICE && (m.Ufrag != before.Far.Ufrag || m.Pwd != before.Far.Pwd) {
			p.Secrets.Ufrag, p.Secrets.Pwd = l.Next.Ufrag, l.Next.Pwd // RFC 8839 §4.4.1.1.1: they restart ICE, so do we
		}
		p.Client = l.client(m.Setup)
		if !l.sameAssociation(m, p, remote) {
			p.Association++
		}
	case Plain:
	}
	return p
}

// client decides who begins the handshake. Where they leave it to us they do: what they send first opens the way through
// their NAT, and we are the end that can be reached. A role that was agreed stays (RFC 8842 §5; M9).
func (l Local) client(theirs Setup) bool {
	switch theirs {
	case Active:
		return false
	case Passive:
		return true
	case ActPass, NoSetup:
	}
	return l.Memory.Protection.By == DTLS && l.Memory.Protection.Client
}

// sameAssociation reports whether the DTLS association of before goes on (RFC 8842 §4).
func (l Local) sameAssociation(m Media, p Protection, remote netip.AddrPort) bool {
	before := l.Memory.Protection
	if before.By != DTLS || p.Client != before.Client || m.TLSID != before.Far.TLSID ||
		!sameList(m.Fingerprints, before.Far.Fingerprints) {
		return false
	}
	held := !remote.Addr().IsValid() || remote.Addr().IsUnspecified()
	return p.ICE || held || remote == l.Memory.Remote // without ICE another address is another transport
}

// shown are those of our secrets that an offer of this form shows.
func (l Local) shown(f form) Secrets {
	s := l.Secrets
	s.Keys = nil
	if f.crypto {
		for _, suite := range l.offeredSuites() {
			if k, ok := l.Secrets.key(suite); ok {
				s.Keys = append(s.Keys, k)
			}
		}
	}
	if f.by != DTLS {
		s.Fingerprint = Fingerprint{}
	}
	if !f.ice {
		s.Ufrag, s.Pwd = "", ""
	}
	return s
}

// offeredSuites are those of Offered; in a later offer the one that is in use comes first.
func (l Local) offeredSuites() []srtp.Suite {
	list := Offered()
	inUse := l.Memory.Protection.Send.Suite()
	if l.Memory.Protection.By != SDES || inUse == srtp.None {
		return list
	}
	return append([]srtp.Suite{inUse}, slices.DeleteFunc(list, func(s srtp.Suite) bool { return s == inUse })...)
}
