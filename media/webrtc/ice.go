package webrtc

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/stun/v3"
)

// Consent is how long the far end may leave us without a valid check before it counts as gone (RFC 7675 §5.1).
const Consent = 30 * time.Second

// Limits of what is answered.
const (
	maxCheck    = 1280 // bytes: more than any check has (RFC 8489 §6.1: it fits the smallest path)
	maxPairs    = 16   // addresses that valid checks came from
	knownRate   = 50   // checks a second from addresses that were valid before
	unknownRate = 50   // checks a second from all others together
)

// Credentials are a ufrag with its password (RFC 8445 §5.3).
type Credentials struct{ Ufrag, Pwd string }

// NewCredentials makes random ones: 48 and 144 bits.
func NewCredentials() Credentials {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails
	text := base64.RawStdEncoding.EncodeToString(b)
	return Credentials{Ufrag: text[:8], Pwd: text[8:]}
}

// Agent answers the checks of a full agent. It sends none of its own (RFC 8445 §2.5).
type Agent struct {
	ours    []Credentials // the newest first; one older is still answered while a restart is on its way
	theirs  string        // their ufrag; empty: not known yet
	pairs   [maxPairs]netip.AddrPort
	next    int            // in pairs: the one that is replaced next
	far     netip.AddrPort // nominated
	last    netip.AddrPort // of the pairs: whose check came last
	checked time.Time      // the last valid check from where we send
	known   bucket
	unknown bucket
	refused uint64
}

// NewAgent makes an agent.
func NewAgent(ours Credentials, theirUfrag string) *Agent {
	return &Agent{
		ours: []Credentials{ours}, theirs: theirUfrag,
		known: bucket{rate: knownRate}, unknown: bucket{rate: unknownRate},
	}
}

// Restart takes what a later negotiation said. Other credentials are an ICE restart (RFC 8445 §9): the far end stays
// where it is until it nominates another place.
func (a *Agent) Restart(ours Credentials, theirUfrag string) {
	if a.ours[0] != ours {
		a.ours = []Credentials{ours, a.ours[0]}
	}
	a.theirs = theirUfrag
}

// Far is where the far end proved to be: the address whose check was nominated last. Invalid: none was.
func (a *Agent) Far() netip.AddrPort { return a.far }

// Reach is where to send: where the far end was nominated, until then to where its last valid check came from (RFC 8445
// §12.1: any valid pair may be used). Invalid: there was no check.
func (a *Agent) Reach() netip.AddrPort {
	if a.far.IsValid() {
		return a.far
	}
	return a.last
}

// Valid reports whether a valid check came from an address. The far end may send from there, too (RFC 8445 §12.1): Chromium
// goes over to another pair first and nominates it with its next check, which may be seconds later.
func (a *Agent) Valid(from netip.AddrPort) bool {
	for _, p := range a.pairs {
		if p == from && p.IsValid() {
			return true
		}
	}
	return false
}

// Consents reports whether the far end has shown lately that it wants our packets. It has as long as there was no check.
func (a *Agent) Consents(now time.Time) bool {
	return !a.last.IsValid() || now.Sub(a.checked) < Consent
}

// Refused counts the checks that were no checks of theirs, or too many.
func (a *Agent) Refused() uint64 { return a.refused }

// Check takes a STUN packet and gives the answer to send back to where it came from; nil: none. Strangers get no answer,
// not even an error: RFC 8445 §7.3 would give them one, and make of the port a mirror.
func (a *Agent) Check(packet []byte, from netip.AddrPort, now time.Time) (answer []byte) {
	if len(packet) > maxCheck || !from.IsValid() {
		a.refused++
		return nil
	}
	m := &stun.Message{}
	if err := stun.Decode(packet, m); err != nil || m.Type != stun.BindingRequest {
		if err != nil || m.Type.Class != stun.ClassIndication { // an indication keeps a NAT open and wants nothing
			a.refused++
		}
		return nil
	}
	limit := &a.unknown
	if a.Valid(from) {
		limit = &a.known
	}
	ours, ok := a.named(m) // strangers do not know the name: what they send uses nobody's rate up
	if !ok || !limit.take(now) || stun.NewShortTermIntegrity(ours.Pwd).Check(m) != nil {
		a.refused++
		return nil
	}
	integrity := stun.NewShortTermIntegrity(ours.Pwd)
	if unknown := unknownRequired(m); len(unknown) > 0 { // RFC 8489 §6.3.1
		return build(m, stun.BindingError, stun.CodeUnknownAttribute, unknown, integrity, stun.Fingerprint)
	}
	if m.Contains(stun.AttrICEControlled) {
		// RFC 8445 §7.3.1.1: two that are controlled. A lite agent can be nothing else (§6.1.1): they must change.
		return build(m, stun.BindingError, stun.CodeRoleConflict, integrity, stun.Fingerprint)
	}
	a.valid(from)
	a.last = from
	if m.Contains(stun.AttrUseCandidate) { // RFC 8445 §7.3.1.5, §7.3.2
		a.far = from
	}
	if from == a.Reach() {
		a.checked = now
	}
	mapped := &stun.XORMappedAddress{IP: from.Addr().AsSlice(), Port: int(from.Port())}
	return build(m, stun.BindingSuccess, mapped, integrity, stun.Fingerprint)
}

// named finds the credentials of ours that a check names (RFC 8489 §9.1.3, RFC 8445 §7.2.2).
func (a *Agent) named(m *stun.Message) (Credentials, bool) {
	name, err := m.Get(stun.AttrUsername)
	if err != nil || len(name) > 513 {
		return Credentials{}, false
	}
	ufrag, theirs, ok := strings.Cut(string(name), ":")
	if !ok || a.theirs != "" && theirs != a.theirs {
		return Credentials{}, false
	}
	if m.Contains(stun.AttrFingerprint) && stun.Fingerprint.Check(m) != nil {
		return Credentials{}, false
	}
	for _, c := range a.ours {
		if subtle.ConstantTimeCompare([]byte(c.Ufrag), []byte(ufrag)) == 1 {
			return c, true
		}
	}
	return Credentials{}, false
}

// valid notes where a valid check came from.
func (a *Agent) valid(from netip.AddrPort) {
	if a.Valid(from) {
		return
	}
	if a.pairs[a.next] == a.far { // whoever is nominated stays
		a.next = (a.next + 1) % maxPairs
	}
	a.pairs[a.next] = from
	a.next = (a.next + 1) % maxPairs
}

// unknownRequired are the attributes that must be understood and are not.
func unknownRequired(m *stun.Message) stun.UnknownAttributes {
	var list stun.UnknownAttributes
	for _, attribute := range m.Attributes {
		switch t := attribute.Type; t {
		case stun.AttrUsername, stun.AttrMessageIntegrity, stun.AttrPriority, stun.AttrUseCandidate:
		default:
			if t.Required() && len(list) < 8 {
				list = append(list, t)
			}
		}
	}
	return list
}

func build(request *stun.Message, kind stun.MessageType, rest ...stun.Setter) []byte {
	m, err := stun.Build(append([]stun.Setter{stun.NewTransactionIDSetter(request.TransactionID), kind}, rest...)...)
	if err != nil {
		return nil
	}
	return m.Raw
}

// bucket is a rate limit: so many a second, with as many at once.
type bucket struct {
	rate float64
	left float64
	last time.Time
}

func (b *bucket) take(now time.Time) bool {
	if b.last.IsZero() {
		b.left = b.rate
	}
	b.left = min(b.rate, b.left+now.Sub(b.last).Seconds()*b.rate)
	b.last = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
