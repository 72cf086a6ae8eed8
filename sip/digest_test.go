package sip

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icholy/digest"
)

const (
	testRealm  = "ullim"
	testSource = "192.0.2.7:5060"
	testURI    = "sip:ullim.example.com"
)

// authBench is an authenticator with one user, alice/secret, at a fixed time.
type authBench struct {
	*Authenticator
	now  time.Time
	ha1  map[string][2]string
	seen []string // users looked up
}

func newAuthBench() *authBench {
	b := &authBench{
		Authenticator: NewAuthenticator(testRealm, []byte("0123456789abcdef")),
		now:           time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), ha1: map[string][2]string{},
	}
	m, s := HA1("alice", testRealm, "secret")
	b.ha1["alice"] = [2]string{m, s}
	return b
}

func (b *authBench) lookup(u string) (md5Hex, sha256Hex string, ok bool) {
	b.seen = append(b.seen, u)
	h, ok := b.ha1[u]
	return h[0], h[1], ok
}

// challenge gives the parsed challenge for SHA-256 (0) or MD5 (1).
func (b *authBench) challenge(t *testing.T, which int) *digest.Challenge {
	t.Helper()
	c, err := digest.ParseChallenge(b.Challenges(testSource, false, b.now)[which])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer lets the library make the credentials, as a phone would.
func answer(t *testing.T, c *digest.Challenge, user, password, uri string, nc int) *digest.Credentials {
	t.Helper()
	cred, err := digest.Digest(c, digest.Options{Method: "REGISTER", URI: uri, Username: user, Password: password, Count: nc})
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

func (b *authBench) check(header string) (string, AuthVerdict, string) {
	return b.CheckWhy(Credentials{Method: "REGISTER", RequestURI: testURI, Header: header, Source: testSource}, b.lookup, b.now)
}

func (b *authBench) want(t *testing.T, header string, v AuthVerdict, why string) {
	t.Helper()
	user, got, gotWhy := b.check(header)
	if got != v || !strings.Contains(gotWhy, why) {
		t.Errorf("got %q %v %q, want %v %q", user, got, gotWhy, v, why)
	}
}

func TestThePasswordIsAcceptedWithBothAlgorithms(t *testing.T) {
	b := newAuthBench()
	for i, alg := range []string{"SHA-256", "MD5"} {
		c := b.challenge(t, i)
		if c.Algorithm != alg || c.Realm != testRealm || !c.SupportsQOP("auth") || c.Stale {
			t.Errorf("challenge %d: %+v", i, c)
		}
		user, v, why := b.check(answer(t, c, "alice", "secret", testURI, 1).String())
		if user != "alice" || v != AuthOK || why != "" {
			t.Errorf("%s: %q %v %q", alg, user, v, why)
		}
	}
}

func TestANonceIsLongAndNeverTheSame(t *testing.T) {
	b := newAuthBench()
	a, c := b.challenge(t, 0).Nonce, b.challenge(t, 0).Nonce
	if a == c {
		t.Error("two challenges have one nonce")
	}
	if raw, err := base64.RawURLEncoding.DecodeString(a); err != nil || len(raw) < 16 {
		t.Errorf("nonce %q has %d bytes, %v", a, len(raw), err)
	}
	if !strings.Contains(b.Challenges(testSource, true, b.now)[0], "stale=true") {
		t.Error("a stale challenge does not say so")
	}
}

func TestHA1IsWhatTheRFCSays(t *testing.T) {
	// RFC 7616 §3.9.1 has the user Mufasa; the responses there follow from these values.
	m, s := HA1("Mufasa", "http-auth@example.org", "Circle of Life")
	p := digestParams{
		nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", ncText: "00000001",
		cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop: "auth", uri: "/dir/index.html",
	}
	for _, c := range []struct{ alg, ha1, want string }{
		{"MD5", m, "8ca523f5e9506fed4657c9700eebdbec"},
		{"SHA-256", s, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
	} {
		q := p
		q.algorithm, q.username, q.nc, q.response = c.alg, "Mufasa", 1, c.want
		alg, why := q.check()
		if why != "" {
			t.Fatal(why)
		}
		if got := alg.response(c.ha1, &q, "GET"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.alg, got, c.want)
		}
	}
}

func TestANonceEndsAfterAMinute(t *testing.T) {
	b := newAuthBench()
	c := b.challenge(t, 0)
	b.now = b.now.Add(nonceLife - time.Nanosecond)
	b.want(t, answer(t, c, "alice", "secret", testURI, 1).String(), AuthOK, "")
	b.now = b.now.Add(time.Nanosecond)
	b.want(t, answer(t, c, "alice", "secret", testURI, 2).String(), AuthStale, "too old")
	b.now = b.now.Add(-2 * nonceLife)
	b.want(t, answer(t, c, "alice", "secret", testURI, 3).String(), AuthStale, "too old")
}

func TestANonceBelongsToItsSourceAndItsMaker(t *testing.T) {
	b := newAuthBench()
	h := answer(t, b.challenge(t, 0), "alice", "secret", testURI, 1).String()
	c := Credentials{Method: "REGISTER", RequestURI: testURI, Header: h, Source: "192.0.2.8:5060"}
	if _, v := b.Check(c, b.lookup, b.now); v != AuthStale {
		t.Errorf("from another address: %v", v)
	}
	other := NewAuthenticator(testRealm, nil)
	c.Source = testSource
	if _, v := other.Check(c, b.lookup, b.now); v != AuthStale {
		t.Errorf("at another authenticator: %v", v)
	}
	c.Source = "192.0.2.7:6000" // a NAT may give a new port
	if _, v := b.Check(c, b.lookup, b.now); v != AuthOK {
		t.Errorf("from another port: %v", v)
	}
	forged := answer(t, &digest.Challenge{Realm: testRealm, Nonce: "forged", Algorithm: "MD5", QOP: []string{"auth"}}, "alice", "secret", testURI, 1)
	b.want(t, forged.String(), AuthStale, "not ours")
}

func TestNcMustRise(t *testing.T) {
	b := newAuthBench()
	c := b.challenge(t, 0)
	for _, step := range []struct {
		nc int
		v  AuthVerdict
	}{{2, AuthOK}, {2, AuthStale}, {1, AuthStale}, {3, AuthOK}, {9, AuthOK}, {8, AuthStale}} {
		_, v, _ := b.check(answer(t, c, "alice", "secret", testURI, step.nc).String())
		if v != step.v {
			t.Errorf("nc %d: got %v, want %v", step.nc, v, step.v)
		}
	}
}

func TestOneAnswerIsTakenOnceHoweverManyBringIt(t *testing.T) {
	b := newAuthBench()
	h := answer(t, b.challenge(t, 0), "alice", "secret", testURI, 1).String()
	c := Credentials{Method: "REGISTER", RequestURI: testURI, Header: h, Source: testSource}
	lookup := func(u string) (string, string, bool) { return b.ha1[u][0], b.ha1[u][1], true }
	var taken atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, v := b.Check(c, lookup, b.now); v == AuthOK {
				taken.Add(1)
			}
		})
	}
	wg.Wait()
	if taken.Load() != 1 {
		t.Errorf("taken %d times", taken.Load())
	}
}

func TestWrongPasswordsDoNotUseUpANonce(t *testing.T) {
	b := newAuthBench()
	c := b.challenge(t, 0)
	b.want(t, answer(t, c, "alice", "guess", testURI, 5).String(), AuthWrong, "wrong password")
	b.want(t, answer(t, c, "alice", "secret", testURI, 1).String(), AuthOK, "")
	if len(b.used) != 1 {
		t.Errorf("%d nonces remembered, want 1", len(b.used))
	}
}

func TestAFullReplayTableForgetsNothingThatCouldBeReplayed(t *testing.T) {
	b := newAuthBench()
	var first usedNonce
	for i := range maxReplay + 10 {
		n := usedNonce{issued: b.now.UnixNano() + int64(i)}
		n.random[0], n.random[1], n.random[2] = byte(i), byte(i>>8), byte(i>>16)
		if i == 0 {
			first = n
		}
		if !b.fresh(n, 1, b.now) {
			t.Fatalf("nonce %d refused", i)
		}
	}
	if len(b.used) > maxReplay || b.usedAge.Len() != len(b.used) {
		t.Errorf("table has %d entries, list %d", len(b.used), b.usedAge.Len())
	}
	if b.fresh(first, 1, b.now) || b.fresh(first, 2, b.now) {
		t.Error("a forgotten nonce was taken again")
	}
	late := usedNonce{issued: b.now.Add(time.Minute).UnixNano()}
	late.random[5] = 1
	if !b.fresh(late, 1, b.now.Add(2*time.Minute)) || len(b.used) != 1 {
		t.Errorf("dead nonces stay: %d", len(b.used))
	}
}

func TestRefusalsAreNamed(t *testing.T) {
	type edit = func(*digest.Credentials)
	for _, c := range []struct {
		name string
		edit edit
		v    AuthVerdict
		why  string
	}{
		{"a uri that was not requested", func(c *digest.Credentials) { c.URI = "sip:other.example.com" }, AuthMalformed, "Request-URI"},
		{"MD5 claimed for a SHA-256 response", func(c *digest.Credentials) { c.Algorithm = "MD5" }, AuthMalformed, "length"},
		{"no algorithm for a SHA-256 response", func(c *digest.Credentials) { c.Algorithm = "" }, AuthMalformed, "length"},
		{"an algorithm that is not offered", func(c *digest.Credentials) { c.Algorithm = "SHA-512" }, AuthMalformed, "not offered"},
		{"a session algorithm", func(c *digest.Credentials) { c.Algorithm = "SHA-256-sess" }, AuthMalformed, "not offered"},
		{"no qop", func(c *digest.Credentials) { c.QOP = "" }, AuthMalformed, "qop"},
		{"auth-int", func(c *digest.Credentials) { c.QOP = "auth-int" }, AuthMalformed, "qop"},
		{"no cnonce", func(c *digest.Credentials) { c.Cnonce = "" }, AuthMalformed, "cnonce"},
		{"nc zero", func(c *digest.Credentials) { c.Nc = 0 }, AuthMalformed, "nc"},
		{"userhash", func(c *digest.Credentials) { c.Userhash = true }, AuthMalformed, "userhash"},
		{"no username", func(c *digest.Credentials) { c.Username = "" }, AuthMalformed, "username"},
		{"another realm", func(c *digest.Credentials) { c.Realm = "asterisk" }, AuthStale, "realm"},
		{"a changed nc", func(c *digest.Credentials) { c.Nc = 7 }, AuthWrong, "wrong password"},
		{"a changed cnonce", func(c *digest.Credentials) { c.Cnonce = "x" }, AuthWrong, "wrong password"},
		{"another user's name", func(c *digest.Credentials) { c.Username = "bob" }, AuthWrong, "no such user"},
		{"a cut response", func(c *digest.Credentials) { c.Response = c.Response[:10] }, AuthMalformed, "length"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newAuthBench()
			cred := answer(t, b.challenge(t, 0), "alice", "secret", testURI, 1)
			c.edit(cred)
			b.want(t, cred.String(), c.v, c.why)
		})
	}
}

func TestAnotherMethodIsAnotherResponse(t *testing.T) {
	b := newAuthBench()
	h := answer(t, b.challenge(t, 0), "alice", "secret", testURI, 1).String()
	_, v := b.Check(Credentials{Method: "INVITE", RequestURI: testURI, Header: h, Source: testSource}, b.lookup, b.now)
	if v != AuthWrong {
		t.Errorf("got %v", v)
	}
}

func TestAUserWithoutASecretForTheAlgorithmIsWrong(t *testing.T) {
	b := newAuthBench()
	m, _ := HA1("old", testRealm, "secret")
	b.ha1["old"] = [2]string{m, ""}
	b.want(t, answer(t, b.challenge(t, 0), "old", "secret", testURI, 1).String(), AuthWrong, "no such user with a secret for SHA-256")
	b.want(t, answer(t, b.challenge(t, 1), "old", "secret", testURI, 1).String(), AuthOK, "")
}

func TestTheURIMayLackParameters(t *testing.T) {
	for _, c := range []struct {
		uri, request string
		same         bool
	}{
		{"sip:a@h", "sip:a@h", true},
		{"SIP:a@H.Example", "sip:a@h.example", true},
		{"sip:A@h", "sip:a@h", false},
		{"sip:a@h", "sip:a@h;transport=tcp", true},
		{"sip:h:5060", "sip:h:5060;transport=udp?x=y", true},
		{"sip:a@h;transport=tcp", "sip:a@h;transport=tcp", true},
		{"sip:a@h;transport=tcp", "sip:a@h;transport=udp", false},
		{"sip:a@h;transport=tcp", "sip:a@h", false},
		{"sip:a;b@h", "sip:a;b@h;x", true},
		{"sip:a@h", "sip:a;b@h", false},
		{"sip:h:5060", "sip:h", false},
		{"sips:a@h", "sip:a@h", false},
		{"", "sip:h", false},
	} {
		if got := sameURI(c.uri, c.request); got != c.same {
			t.Errorf("sameURI(%q, %q) = %v", c.uri, c.request, got)
		}
	}
}

func TestTenWrongPasswordsSlowOneUserFromOneSource(t *testing.T) {
	b := newAuthBench()
	alarms := 0
	b.Alarm = func(user, source string, wrong int) {
		alarms++
		if user != "alice" || source != "192.0.2.7" || wrong != 9+alarms {
			t.Errorf("alarm %q %q %d", user, source, wrong)
		}
	}
	try := func(password, source string) AuthVerdict {
		t.Helper()
		ch, _ := digest.ParseChallenge(b.Challenges(source, false, b.now)[0])
		h := answer(t, ch, "alice", password, testURI, 1).String()
		_, v := b.Check(Credentials{Method: "REGISTER", RequestURI: testURI, Header: h, Source: source}, b.lookup, b.now)
		return v
	}
	for i := range guessesFree {
		if v := try("guess", testSource); v != AuthWrong {
			t.Fatalf("guess %d: %v", i, v)
		}
	}
	if v := try("secret", testSource); v != AuthWrong {
		t.Errorf("the right password during the pause: %v", v)
	}
	if v := try("secret", "198.51.100.1:5060"); v != AuthOK {
		t.Errorf("a stranger locked the user out: %v", v)
	}
	b.now = b.now.Add(time.Second - time.Nanosecond)
	if v := try("secret", testSource); v != AuthWrong {
		t.Errorf("just before the end of the pause: %v", v)
	}
	b.now = b.now.Add(time.Nanosecond)
	if v := try("guess", testSource); v != AuthWrong || alarms != 2 {
		t.Errorf("the eleventh guess: %v, %d alarms", v, alarms)
	}
	b.now = b.now.Add(time.Second)
	if v := try("secret", testSource); v != AuthWrong {
		t.Errorf("the pause did not double: %v", v)
	}
	b.now = b.now.Add(time.Second)
	if v := try("secret", testSource); v != AuthOK {
		t.Errorf("after the pause: %v", v)
	}
	if len(b.wrong) != 0 {
		t.Error("a right password did not clear the count")
	}
}

func TestAStaleNonceNeverCountsAsAGuess(t *testing.T) {
	b := newAuthBench()
	c := b.challenge(t, 0)
	b.now = b.now.Add(time.Hour)
	for i := range 100 {
		b.want(t, answer(t, c, "alice", "secret", testURI, i+1).String(), AuthStale, "")
	}
	if len(b.wrong) != 0 || len(b.seen) != 0 {
		t.Errorf("%d counted, %d looked up", len(b.wrong), len(b.seen))
	}
}

func TestTheGuessTableIsBounded(t *testing.T) {
	b := newAuthBench()
	for i := range maxGuesses + 100 {
		b.guessed(guessKey{username: fmt.Sprint(i), source: "192.0.2.1"}, false, b.now)
	}
	if len(b.wrong) != maxGuesses || b.wrongLR.Len() != maxGuesses {
		t.Errorf("%d and %d entries", len(b.wrong), b.wrongLR.Len())
	}
	key := guessKey{username: "slow", source: "192.0.2.1"}
	for range 60 {
		b.now = b.now.Add(backOffMax)
		if _, slowed := b.guessed(key, false, b.now); slowed {
			t.Fatal("the pause is longer than its bound")
		}
	}
	b.now = b.now.Add(guessMemory)
	if n, _ := b.guessed(key, false, b.now); n != 1 {
		t.Errorf("old guesses still count: %d", n)
	}
}

func TestParseDigestRefuses(t *testing.T) {
	const whole = `username="a", realm="r", nonce="n", uri="u", response="x"`
	if _, err := parseDigest("digest \t" + whole + ` , opaque=tok , unknown="\"q\\"`); err != nil {
		t.Errorf("a lawful header: %v", err)
	}
	for name, h := range map[string]string{
		"empty":             "",
		"basic":             "Basic YTpi",
		"scheme only":       "Digest ",
		"twice":             "Digest " + whole + `, USERNAME="b"`,
		"open quote":        "Digest " + whole + `, x="abc`,
		"open escape":       "Digest " + whole + `, x="abc\`,
		"no comma":          "Digest " + whole + ` x=y`,
		"trailing comma":    "Digest " + whole + `,`,
		"no value":          "Digest " + whole + `, x=`,
		"no equals":         "Digest " + whole + `, x`,
		"control character": "Digest " + whole + ", x=\"a\nb\"",
		"short nc":          "Digest " + whole + `, nc=1`,
		"odd nc":            "Digest " + whole + `, nc=0000000g`,
		"cnonce escape":     "Digest " + whole + `, cnonce="a\\b"`,
		"username*":         "Digest " + whole + `, username*=UTF-8''a`,
		"no response":       `Digest username="a", realm="r", nonce="n", uri="u"`,
		"too long":          "Digest " + whole + `, x="` + strings.Repeat("a", maxAuthorization) + `"`,
	} {
		if p, err := parseDigest(h); err == nil {
			t.Errorf("%s: accepted as %+v", name, p)
		}
	}
}

func FuzzCheck(f *testing.F) {
	b := newAuthBench()
	for i := range 2 {
		ch, err := digest.ParseChallenge(b.Challenges(testSource, false, b.now)[i])
		if err != nil {
			f.Fatal(err)
		}
		cred, err := digest.Digest(ch, digest.Options{Method: "REGISTER", URI: testURI, Username: "alice", Password: "guess"})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(cred.String())
	}
	f.Add(`Digest username="\"", realm="ullim", nonce="", uri="sip:;?@", response=""`)
	f.Fuzz(func(t *testing.T, header string) {
		user, v, why := b.check(header)
		if v == AuthOK {
			t.Fatalf("%q was let in by %q", user, header)
		}
		if why == "" {
			t.Fatal("a refusal without a reason")
		}
		if p, err := parseDigest(header); err == nil && v != AuthMalformed && p.username == "" {
			t.Fatal("a verdict about nobody")
		}
	})
}
