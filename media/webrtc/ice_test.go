package webrtc

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

var (
	begin  = time.Unix(1_800_000_000, 0)
	here   = netip.MustParseAddrPort("192.0.2.7:4000")
	there  = netip.MustParseAddrPort("[2001:db8::7]:5000")
	ours   = Credentials{"ourufrag", "our-password-of-22-chars"}
	theirs = "them"
)

// check is a check as a browser sends it.
func check(t testing.TB, name, password string, more ...stun.Setter) []byte {
	t.Helper()
	setters := append([]stun.Setter{stun.TransactionID, stun.BindingRequest, stun.NewUsername(name)}, more...)
	setters = append(setters, stun.NewShortTermIntegrity(password), stun.Fingerprint)
	m, err := stun.Build(setters...)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

func attribute(t stun.AttrType, value ...byte) stun.RawAttribute {
	return stun.RawAttribute{Type: t, Length: uint16(len(value)), Value: value}
}

func usual(t testing.TB, more ...stun.Setter) []byte {
	t.Helper()
	return check(t, ours.Ufrag+":"+theirs, ours.Pwd, append([]stun.Setter{
		attribute(stun.AttrPriority, 1, 2, 3, 4), attribute(stun.AttrICEControlling, 1, 2, 3, 4, 5, 6, 7, 8),
	}, more...)...)
}

func decode(t *testing.T, b []byte) *stun.Message {
	t.Helper()
	m := &stun.Message{}
	if err := stun.Decode(b, m); err != nil {
		t.Fatalf("the answer cannot be read: %v", err)
	}
	if err := stun.NewShortTermIntegrity(ours.Pwd).Check(m); err != nil {
		t.Error(err)
	}
	if err := stun.Fingerprint.Check(m); err != nil {
		t.Error(err)
	}
	return m
}

func TestAnAuthenticatedCheckIsAnsweredAndOnlyANominationMovesTheFarEnd(t *testing.T) {
	a := NewAgent(ours, theirs)
	for _, from := range []netip.AddrPort{here, there} {
		request := usual(t)
		m := decode(t, a.Check(request, from, begin))
		var mapped stun.XORMappedAddress
		if err := mapped.GetFrom(m); err != nil || m.Type != stun.BindingSuccess {
			t.Fatal(m.Type, err)
		}
		if ip, _ := netip.AddrFromSlice(mapped.IP); netip.AddrPortFrom(ip.Unmap(), uint16(mapped.Port)) != from {
			t.Errorf("mapped %v, want %s", mapped, from)
		}
		if !bytes.Equal(m.TransactionID[:], request[8:20]) {
			t.Error("the answer is to another request")
		}
	}
	if a.Far().IsValid() || !a.Valid(here) || !a.Valid(there) || a.Reach() != there {
		t.Fatalf("far %v, sent to %v before any nomination", a.Far(), a.Reach())
	}
	a.Check(usual(t, attribute(stun.AttrUseCandidate)), here, begin)
	if a.Far() != here {
		t.Errorf("far %v", a.Far())
	}
	a.Check(usual(t), there, begin)
	if a.Far() != here || a.Reach() != here {
		t.Errorf("a check without nomination moved the far end to %v", a.Far())
	}
	a.Check(usual(t, attribute(stun.AttrUseCandidate)), there, begin)
	if a.Far() != there {
		t.Errorf("far %v", a.Far())
	}
}

func TestStrangersGetNoAnswerAndMoveNobody(t *testing.T) { // threats rows 9 and 11
	a := NewAgent(ours, theirs)
	nominate := attribute(stun.AttrUseCandidate)
	good := usual(t, nominate)
	changed := bytes.Clone(good)
	changed[len(changed)-40] ^= 1
	unsigned, _ := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(ours.Ufrag+":"+theirs), nominate)
	response, _ := stun.Build(stun.TransactionID, stun.BindingSuccess, stun.NewShortTermIntegrity(ours.Pwd))
	for name, packet := range map[string][]byte{
		"wrong password":   check(t, ours.Ufrag+":"+theirs, "another-password-22-chars", nominate),
		"wrong name":       check(t, "another1:"+theirs, ours.Pwd, nominate),
		"the other's name": check(t, ours.Ufrag+":nobody", ours.Pwd, nominate),
		"half a name":      check(t, ours.Ufrag, ours.Pwd, nominate),
		"not signed":       unsigned.Raw,
		"a response":       response.Raw,
		"changed":          changed,
		"cut off":          good[:len(good)-1],
		"nothing":          {0},
		"very long":        append(bytes.Clone(good), make([]byte, 2000)...),
	} {
		before := a.Refused()
		if b := a.Check(packet, here, begin); b != nil {
			t.Errorf("%s: answered", name)
		}
		if a.Refused() != before+1 {
			t.Errorf("%s: not counted", name)
		}
	}
	if a.Far().IsValid() || a.Valid(here) {
		t.Error("a stranger is the far end")
	}
}

func TestChecksAreAnsweredAtABoundedRateAndAFloodStarvesNobody(t *testing.T) { // threats row 18
	a := NewAgent(ours, theirs)
	a.Check(usual(t, attribute(stun.AttrUseCandidate)), here, begin)
	bad := check(t, ours.Ufrag+":"+theirs, "another-password-22-chars")
	for n := range 10_000 {
		a.Check(bad, netip.AddrPortFrom(there.Addr(), uint16(n)), begin.Add(time.Duration(n)*time.Microsecond))
	}
	if a.Check(usual(t), here, begin.Add(10*time.Millisecond)) == nil {
		t.Error("a flood keeps the far end from being heard")
	}
	nameless := check(t, "another1:"+theirs, ours.Pwd)
	for range 10_000 {
		a.Check(nameless, here, begin.Add(time.Second))
	}
	if a.Check(usual(t), netip.AddrPortFrom(there.Addr(), 9), begin.Add(time.Second)) == nil {
		t.Error("a flood of strangers keeps a new path from being found")
	}
	answered := 0
	for range 1000 {
		if a.Check(usual(t), here, begin.Add(2*time.Second)) != nil {
			answered++
		}
	}
	if answered > knownRate {
		t.Errorf("%d checks were answered at once", answered)
	}
}

func TestARoleConflictMakesTheBrowserChange(t *testing.T) { // RFC 8445 §7.3.1.1
	a := NewAgent(ours, theirs)
	request := check(t, ours.Ufrag+":"+theirs, ours.Pwd, attribute(stun.AttrICEControlled, 1, 2, 3, 4, 5, 6, 7, 8), attribute(stun.AttrUseCandidate))
	m := decode(t, a.Check(request, here, begin))
	var code stun.ErrorCodeAttribute
	if err := code.GetFrom(m); err != nil || code.Code != stun.CodeRoleConflict || m.Type != stun.BindingError {
		t.Errorf("%v %v %v", m.Type, code, err)
	}
	if a.Far().IsValid() {
		t.Error("it was nominated all the same")
	}
}

func TestAnAttributeThatMustBeUnderstoodIsNamed(t *testing.T) { // RFC 8489 §6.3.1
	a := NewAgent(ours, theirs)
	m := decode(t, a.Check(usual(t, attribute(0x7777, 1)), here, begin))
	var code stun.ErrorCodeAttribute
	var list stun.UnknownAttributes
	if err := code.GetFrom(m); err != nil || code.Code != stun.CodeUnknownAttribute {
		t.Fatal(code, err)
	}
	if err := list.GetFrom(m); err != nil || len(list) != 1 || list[0] != 0x7777 {
		t.Error(list, err)
	}
}

func TestConsentEndsThirtySecondsAfterTheLastValidCheck(t *testing.T) { // RFC 7675
	a := NewAgent(ours, theirs)
	if !a.Consents(begin.Add(time.Hour)) {
		t.Error("it ended before it began")
	}
	a.Check(usual(t, attribute(stun.AttrUseCandidate)), here, begin)
	a.Check(usual(t), here, begin.Add(10*time.Second))
	a.Check(check(t, ours.Ufrag+":"+theirs, "another-password-22-chars"), here, begin.Add(30*time.Second))
	a.Check(usual(t), there, begin.Add(30*time.Second)) // another path is not this one
	if !a.Consents(begin.Add(40*time.Second-1)) || a.Consents(begin.Add(40*time.Second)) {
		t.Error("consent does not end at 30 s")
	}
	a.Check(usual(t), here, begin.Add(50*time.Second))
	if !a.Consents(begin.Add(51 * time.Second)) {
		t.Error("consent does not come back")
	}
}

func TestARestartKeepsTheFarEndUntilItMoves(t *testing.T) { // RFC 8445 §9
	a := NewAgent(ours, theirs)
	a.Check(usual(t, attribute(stun.AttrUseCandidate)), here, begin)
	fresh := Credentials{"fresh123", "fresh-password-of-22-chars"}
	a.Restart(fresh, "they2")
	if a.Far() != here {
		t.Error("a restart loses the far end")
	}
	if a.Check(check(t, fresh.Ufrag+":they2", fresh.Pwd, attribute(stun.AttrUseCandidate)), there, begin) == nil || a.Far() != there {
		t.Errorf("far %v", a.Far())
	}
	a.Restart(fresh, "they2")
	if len(a.ours) != 2 {
		t.Errorf("%d credentials after a negotiation that changed none", len(a.ours))
	}
}

func TestCredentialsAreLongEnough(t *testing.T) { // RFC 8445 §5.3: 24 and 128 bits
	c := NewCredentials()
	if len(c.Ufrag) < 4 || len(c.Pwd) < 22 || c == NewCredentials() {
		t.Errorf("%+v", c)
	}
}

func TestPacketsAreToldApart(t *testing.T) { // RFC 7983 §7
	for first, want := range map[int]Class{
		0: STUN, 3: STUN, 4: Unknown, 19: Unknown, 20: DTLS, 22: DTLS, 63: DTLS, 64: Unknown, 127: Unknown, 128: RTP, 191: RTP, 192: Unknown, 255: Unknown,
	} {
		if got := Classify([]byte{byte(first), 1, 2}); got != want {
			t.Errorf("%d: %d", first, got)
		}
	}
	if Classify(nil) != Unknown {
		t.Error("nothing is something")
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(usual(f))
	f.Add(usual(f, attribute(stun.AttrUseCandidate)))
	f.Add([]byte{0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 6, 0, 3, 'a', ':', 'b', 0})
	f.Add([]byte{22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		a := NewAgent(ours, theirs)
		b := a.Check(in, here, begin)
		if b == nil {
			if a.Far().IsValid() {
				t.Fatal("nominated without an answer")
			}
			return
		}
		m := &stun.Message{Raw: bytes.Clone(in)}
		if Classify(in) != STUN || m.Decode() != nil || stun.NewShortTermIntegrity(ours.Pwd).Check(m) != nil {
			t.Fatalf("%x was answered", in)
		}
		if len(b) > 3*len(in)+100 {
			t.Fatalf("%d bytes were answered with %d", len(in), len(b))
		}
	})
}
