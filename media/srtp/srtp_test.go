package srtp

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"ullim/internal/errs"
)

// packet is an RTP packet with room behind it.
func packet(ssrc uint32, sequence uint16, payload string) []byte {
	b := make([]byte, 12, 12+len(payload)+Overhead)
	b[0] = 0x80
	binary.BigEndian.PutUint16(b[2:], sequence)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return append(b, payload...)
}

func ends(t testing.TB, k Key) (*Sealer, *Opener) {
	t.Helper()
	s, err := NewSealer(k)
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewOpener(k)
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

func seal(t testing.TB, s *Sealer, p []byte) []byte {
	t.Helper()
	b, ok := s.Seal(p)
	if !ok {
		t.Fatalf("not sealed: %d bytes, room %d", len(p), cap(p)-len(p))
	}
	return b
}

var begin = time.Unix(1_800_000_000, 0)

func TestEverySuiteSealsAndOpensInPlace(t *testing.T) {
	for _, suite := range Suites() {
		s, o := ends(t, NewKey(suite))
		for n := range uint16(3) {
			in := packet(7, n, "the words of a caller")
			sealed := seal(t, s, in)
			if &sealed[0] != &in[0] || len(sealed) <= len(in) || bytes.Contains(sealed, []byte("words")) {
				t.Fatalf("%s: %q", suite, sealed)
			}
			plain, ok := o.Open(sealed)
			if !ok || string(plain[12:]) != "the words of a caller" || &plain[0] != &in[0] {
				t.Fatalf("%s: opened %v %q", suite, ok, plain)
			}
		}
		report := append(make([]byte, 0, 100), 0x80, 201, 0, 1, 0, 0, 0, 7)
		report = append(report, "twelve bytes"...)
		report[3] = 4
		sealed := seal(t, s, report)
		if bytes.Contains(sealed, []byte("twelve")) {
			t.Fatalf("%s: SRTCP in the clear", suite)
		}
		again := bytes.Clone(sealed)
		if plain, ok := o.Open(sealed); !ok || string(plain[8:]) != "twelve bytes" {
			t.Fatalf("%s: SRTCP %v %q", suite, ok, plain)
		}
		if _, ok := o.Open(again); ok {
			t.Errorf("%s: SRTCP was replayed", suite)
		}
	}
}

func TestKeysAreDerivedAsInRFC3711(t *testing.T) {
	// §B.3: a master key with its salt, and the session key and session salt that come of them. They are seen through the
	// keystream: of a packet of zeros, of SSRC 0 and index 0.
	master, _ := hex.DecodeString("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6")
	k, err := keyOf(AES_CM_128_HMAC_SHA1_80, master, "")
	if err != nil {
		t.Fatal(err)
	}
	if k.Inline() != "4fl6DT4Bi+DWT6MsBt5BOQ7Gda1Jiv7rtpYLOqvm" {
		t.Errorf("inline %s", k.Inline())
	}
	s, o := ends(t, k)
	sealed := seal(t, s, packet(0, 0, strings.Repeat("\x00", 16)))
	session, _ := hex.DecodeString("C61E7A93744F39EE10734AFE3FF7A087")
	salt, _ := hex.DecodeString("30CBBC08863D8C85D49DB34A9AE10000")
	block, err := aes.NewCipher(session)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 16)
	block.Encrypt(want, salt)
	if !bytes.Equal(sealed[12:28], want) {
		t.Errorf("keystream %x, want %x", sealed[12:28], want)
	}
	if _, ok := o.Open(sealed); !ok {
		t.Error("not opened")
	}
}

func TestM08SRTPCountersRollOverAndSurviveHoldAndResume(t *testing.T) {
	for _, suite := range []Suite{AES_CM_128_HMAC_SHA1_80, AEAD_AES_128_GCM} {
		k := NewKey(suite)
		s, o := ends(t, k)
		now := begin
		for n := range 150_000 { // fifty minutes; every 10,000 packets a re-INVITE that names the same keys
			if n%10_000 == 5_000 {
				if err := s.Change(k); err != nil {
					t.Fatal(err)
				}
				same, _ := ParseKey(suite, k.Inline(), "")
				if err := o.Change(same, now); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(20 * time.Millisecond)
			if n%7 == 3 {
				seal(t, s, packet(9, uint16(n), "lost")) // also around the wrap
				continue
			}
			if _, ok := o.Open(seal(t, s, packet(9, uint16(n), "x"))); !ok {
				t.Fatalf("%s: packet %d cannot be opened", suite, n)
			}
		}
	}
}

func TestM08PacketsOutOfOrderAroundTheRollOver(t *testing.T) {
	s, o := ends(t, NewKey(AEAD_AES_128_GCM))
	var held [][]byte
	for n := 65_000; n < 66_000; n++ {
		b := seal(t, s, packet(9, uint16(n), "x"))
		if n%10 == 9 {
			held = append(held, bytes.Clone(b))
			continue
		}
		if n%10 == 5 && len(held) > 0 { // six late
			if _, ok := o.Open(held[0]); !ok {
				t.Fatalf("the late one before %d was not opened", n)
			}
			held = held[1:]
		}
		if _, ok := o.Open(b); !ok {
			t.Fatalf("packet %d", n)
		}
	}
}

func TestR32ANewKeyTakesOverWithoutLosingWhatIsOnItsWay(t *testing.T) {
	for _, suite := range Suites() {
		before, after := NewKey(suite), NewKey(AES_CM_128_HMAC_SHA1_80)
		s, o := ends(t, before)
		open := func(b []byte, at time.Duration) bool {
			o.Tick(begin.Add(at))
			_, ok := o.Open(b)
			return ok
		}
		if !open(seal(t, s, packet(1, 1, "x")), 0) {
			t.Fatal("the first packet")
		}
		if err := o.Change(after, begin); err != nil {
			t.Fatal(err)
		}
		if err := s.Change(after); err != nil || !s.Pending() {
			t.Fatal(err, s.Pending())
		}
		late := bytes.Clone(seal(t, s, packet(1, 2, "x")))
		tooLate := bytes.Clone(seal(t, s, packet(1, 3, "x")))
		if o.Fresh() || !open(seal(t, s, packet(1, 4, "x")), 10*time.Millisecond) || o.Fresh() {
			t.Errorf("%s: what is sealed with the old key must be opened", suite)
		}
		s.Follow()
		if s.Pending() || s.Suite() != AES_CM_128_HMAC_SHA1_80 {
			t.Error("the new key is not in use")
		}
		if !open(seal(t, s, packet(1, 5, "x")), 20*time.Millisecond) || !o.Fresh() {
			t.Errorf("%s: the new key opens nothing", suite)
		}
		if !open(late, 900*time.Millisecond) {
			t.Errorf("%s: a packet on its way was lost", suite)
		}
		if open(tooLate, 1001*time.Millisecond) {
			t.Errorf("%s: the old key is good for ever", suite)
		}
		if !open(seal(t, s, packet(1, 6, "x")), 2*time.Second) {
			t.Errorf("%s: the new key is lost with the old one", suite)
		}
	}
}

func TestAKeyThatIsTakenBackChangesNothing(t *testing.T) {
	a, b := NewKey(AEAD_AES_128_GCM), NewKey(AEAD_AES_128_GCM)
	s, o := ends(t, a)
	first := seal(t, s, packet(1, 1, "x"))
	_ = s.Change(b)
	_ = s.Change(a)
	if s.Pending() {
		t.Error("a key waits that was taken back")
	}
	o.Open(first)
	_ = o.Change(b, begin)
	_ = o.Change(a, begin)
	if _, ok := o.Open(seal(t, s, packet(1, 2, "x"))); !ok {
		t.Error("the old key does not open any more")
	}
	if _, ok := o.Open(append(first[:0:0], first...)); ok {
		t.Error("replayed")
	}
}

func TestForgedReplayedAndShortPacketsAreRefused(t *testing.T) { // threats row 10
	for _, suite := range Suites() {
		s, o := ends(t, NewKey(suite))
		sealed := seal(t, s, packet(1, 1, "some words"))
		for i := range sealed {
			forged := bytes.Clone(sealed)
			forged[i] ^= 1
			if _, ok := o.Open(forged); ok {
				t.Errorf("%s: opened with byte %d changed", suite, i)
			}
		}
		for n := range sealed {
			if _, ok := o.Open(bytes.Clone(sealed[:n])); ok {
				t.Errorf("%s: opened with %d bytes", suite, n)
			}
		}
		again := bytes.Clone(sealed)
		if _, ok := o.Open(sealed); !ok {
			t.Fatalf("%s: not opened after the forged ones", suite)
		}
		if _, ok := o.Open(again); ok {
			t.Errorf("%s: replayed", suite)
		}
		if _, ok := s.Seal(make([]byte, 100)); ok {
			t.Errorf("%s: sealed without room", suite)
		}
	}
}

func TestNoNumberIsSealedTwice(t *testing.T) { // RFC 3711 §9.1: two packets under one number give both away
	s, _ := ends(t, NewKey(AES_CM_128_HMAC_SHA1_80))
	seal(t, s, packet(1, 65_530, "x"))
	for _, c := range []struct {
		n    int
		want bool
	}{
		{65_530, false},
		{65_533, true},
		{65_532, true},
		{65_532, false},
		{1, true},      // rolled over
		{65_534, true}, // late
		{65_534, false},
		{65_533, false},
		{100, true},
		{36, false}, // too old to know
		{37, true},
		{100, false},
	} {
		if _, ok := s.Seal(packet(1, uint16(c.n), "other words")); ok != c.want {
			t.Errorf("%d: sealed %v", c.n, ok)
		}
	}
	if _, ok := s.Seal(packet(2, 100, "x")); !ok {
		t.Error("another source begins anew")
	}
	_ = s.Change(NewKey(AES_CM_128_HMAC_SHA1_80))
	s.Follow()
	if _, ok := s.Seal(packet(2, 100, "x")); !ok {
		t.Error("another key begins anew")
	}
}

func TestOneKeySpeaksForFewSources(t *testing.T) {
	s, o := ends(t, NewKey(AEAD_AES_128_GCM))
	for ssrc := range uint32(1000) {
		for n := uint32(65_530); n < 65_540; n++ { // each rolls over
			if _, ok := o.Open(seal(t, s, packet(ssrc, uint16(n), "x"))); !ok {
				t.Fatalf("source %d, packet %d", ssrc, n)
			}
		}
	}
	if o.now.known > maxSources {
		t.Errorf("%d sources are kept", o.now.known)
	}
}

func TestAKeyIdentifierIsTakenOff(t *testing.T) {
	k := NewKey(AES_CM_128_HMAC_SHA1_80)
	k.mki = "\x00\x00\x00\x01"
	s, err := NewSealer(k)
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewOpener(k)
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, s, packet(1, 1, "words"))
	if len(sealed) != 12+5+4+10 {
		t.Fatalf("%d bytes", len(sealed))
	}
	if plain, ok := o.Open(sealed); !ok || string(plain[12:]) != "words" {
		t.Errorf("%v %q", ok, plain)
	}
}

func TestKeysHideFromEverythingThatPrints(t *testing.T) {
	k := NewKey(AES_CM_128_HMAC_SHA1_80)
	holder := struct {
		K Key
		k Key
		p *Key
	}{k, k, &k}
	j, _ := json.Marshal(holder)
	text := fmt.Sprintf("%v %+v %#v %v %#v %s", k, holder, holder, &holder, &k, j)
	raw := k.bytes()
	for _, form := range []string{
		k.Inline(), hex.EncodeToString(raw), strings.Trim(fmt.Sprintf("%d", raw), "[]"), string(raw),
	} {
		if strings.Contains(text, form[:8]) {
			t.Errorf("the key is in %s", text)
		}
	}
}

func TestKeysOfTheWrongLengthAreRefused(t *testing.T) {
	for _, text := range []string{"", "AAAA", "!!!!", strings.Repeat("A", 200)} {
		if _, err := ParseKey(AES_CM_128_HMAC_SHA1_80, text, ""); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", text, err)
		} else if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the key is in the error: %v", err)
		}
	}
	if _, _, err := DTLSKeys(AES_CM_128_HMAC_SHA1_80, make([]byte, 3)); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
	if _, _, err := DTLSKeys(Suite(0x99), nil); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
	if _, err := NewSealer(Key{}); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
}

func TestSealingAndOpeningAllocateNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector throws pooled memory away")
	}
	for _, suite := range Suites() {
		s, o := ends(t, NewKey(suite))
		buf := make([]byte, 12+160, 300)
		var n uint16
		allocs := testing.AllocsPerRun(500, func() {
			n++
			p := buf[:172]
			p[0], p[1] = 0x80, 0
			binary.BigEndian.PutUint16(p[2:], n)
			b, _ := s.Seal(p)
			if _, ok := o.Open(b); !ok {
				t.Fatal("not opened")
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations a packet", suite, allocs)
		}
	}
}

func BenchmarkSealAndOpen(b *testing.B) {
	for _, suite := range Suites() {
		b.Run(suite.String(), func(b *testing.B) {
			s, o := ends(b, NewKey(suite))
			buf := make([]byte, 12+160, 300)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				p := buf[:172]
				p[0], p[1] = 0x80, 0
				binary.BigEndian.PutUint16(p[2:], uint16(n))
				sealed, _ := s.Seal(p)
				if _, ok := o.Open(sealed); !ok {
					b.Fatal("not opened")
				}
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	k, _ := ParseKey(AEAD_AES_128_GCM, strings.Repeat("A", 38), "")
	c, _ := ParseKey(AES_CM_128_HMAC_SHA1_80, strings.Repeat("A", 40), "ab")
	s, _ := NewSealer(k)
	sealed, _ := s.Seal(packet(1, 2, "x"))
	f.Add(sealed)
	f.Add([]byte{0x90, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0xC0, 0xDE, 0, 1, 1, 2, 3, 4})
	f.Add([]byte{0x80, 200, 0, 1, 0, 0, 0, 9, 0x80, 0, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, key := range []Key{k, c} {
			_, o := ends(t, key)
			_ = o.Change(NewKey(AEAD_AES_256_GCM), begin)
			if plain, ok := o.Open(bytes.Clone(in)); ok && (len(plain) >= len(in) || !bytes.Equal(plain[:8], in[:8])) {
				t.Fatalf("%x opened as %x", in, plain)
			}
		}
	})
}
