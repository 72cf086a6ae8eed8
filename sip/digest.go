package sip

import (
	"container/list"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The digest rules (RFC 7616, RFC 8760, RFC 3261 §22): a challenge costs no memory, because the nonce carries its own
// proof; memory is spent only on nonces that were answered with the right password (to refuse replays) and on users
// whose password was wrong (to slow guessing). Both tables are bounded.
const (
	nonceLife  = 60 * time.Second // after that the answer is stale, and the phone asks again by itself
	nonceAhead = 5 * time.Second  // a nonce from further in the future was made before the clock was set back

	nonceRandom = 16 // bytes: 128 bits
	nonceMAC    = 16
	nonceBytes  = 8 + nonceRandom + nonceMAC

	maxReplay  = 1 << 16 // answered nonces remembered
	maxGuesses = 1 << 14 // pairs of user and source that had a wrong password

	guessesFree = 10              // wrong passwords before the back-off
	backOffMax  = 5 * time.Minute // the longest pause: 1 s, 2 s, 4 s, ... up to this
	guessMemory = 15 * time.Minute
)

const nonceTooOld = "nonce is too old"

// AuthVerdict is what Check found.
type AuthVerdict int

// The verdicts. Only AuthOK lets a request through; AuthStale asks for the same again with a new nonce (stale=true);
// AuthWrong and AuthMalformed are refused, the first always in the same way, whatever was wrong.
const (
	AuthWrong AuthVerdict = iota
	AuthOK
	AuthStale
	AuthMalformed
)

// String is the verdict as a log value.
func (v AuthVerdict) String() string {
	switch v {
	case AuthOK:
		return "ok"
	case AuthStale:
		return "stale"
	case AuthMalformed:
		return "malformed"
	default:
		return "wrong"
	}
}

// Credentials is what a request brings.
type Credentials struct {
	Method     string
	RequestURI string // as received
	Header     string // value of Authorization
	Source     string // address the request came from, ip:port or ip
}

// Authenticator makes challenges and checks their answers. Its methods may be called at the same time.
type Authenticator struct {
	// Alarm, if set before first use, is told when a user from a source has been wrong often enough to be slowed down,
	// and at every wrong password after that. It must not block.
	Alarm func(username, source string, wrong int)

	realm  string
	secret []byte

	mu      sync.Mutex
	used    map[[nonceRandom]byte]*list.Element // of *usedNonce
	usedAge *list.List                          // oldest first
	floor   int64                               // nonces issued until then (ns) and not in used count as stale
	wrong   map[guessKey]*list.Element          // of *guesses
	wrongLR *list.List                          // least recent first
}

type usedNonce struct {
	random [nonceRandom]byte
	issued int64
	nc     uint32
}

type guessKey struct{ username, source string }

type guesses struct {
	key   guessKey
	count int
	last  time.Time
	until time.Time
}

// NewAuthenticator makes an authenticator for a realm. The secret signs nonces; nodes that share it accept each other's.
// An empty secret is replaced by a random one.
func NewAuthenticator(realm string, secret []byte) *Authenticator {
	if len(secret) == 0 {
		secret = make([]byte, 32)
		_, _ = rand.Read(secret) // never fails: crypto/rand ends the program instead
	}
	return &Authenticator{
		realm: realm, secret: append([]byte(nil), secret...),
		used: make(map[[nonceRandom]byte]*list.Element), usedAge: list.New(),
		wrong: make(map[guessKey]*list.Element), wrongLR: list.New(),
	}
}

// HA1 gives H(username:realm:password) in lower-case hexadecimal for both algorithms: what is stored instead of the
// password. RFC 7616 §3.4.2.
func HA1(username, realm, password string) (md5Hex, sha256Hex string) {
	a1 := username + ":" + realm + ":" + password
	m, s := md5.Sum([]byte(a1)), sha256.Sum256([]byte(a1))
	return hex.EncodeToString(m[:]), hex.EncodeToString(s[:])
}

// Realm is the realm of the challenges.
func (a *Authenticator) Realm() string { return a.realm }

// Challenges gives the WWW-Authenticate values for a 401, the strongest first (RFC 8760 §2.4), for a request from
// source. stale says that the answer just received used an old nonce.
func (a *Authenticator) Challenges(source string, stale bool, now time.Time) []string {
	raw := make([]byte, nonceBytes)
	binary.BigEndian.PutUint64(raw, uint64(now.UnixNano()))
	_, _ = rand.Read(raw[8 : 8+nonceRandom])
	copy(raw[8+nonceRandom:], a.mac(raw[:8+nonceRandom], source))
	nonce := base64.RawURLEncoding.EncodeToString(raw)
	realm := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(a.realm)
	head := `Digest realm="` + realm + `", nonce="` + nonce + `", `
	if stale {
		head += `stale=true, `
	}
	return []string{head + `algorithm=SHA-256, qop="auth"`, head + `algorithm=MD5, qop="auth"`}
}

// Check judges credentials. lookup gives the stored HA1 of a user, of which one may be empty. The username is what the
// credentials say, and only to be believed with AuthOK.
func (a *Authenticator) Check(c Credentials, lookup func(username string) (ha1MD5, ha1SHA256 string, ok bool), now time.Time) (string, AuthVerdict) {
	username, v, _ := a.CheckWhy(c, lookup, now)
	return username, v
}

// CheckWhy is Check with the rule that failed, for the log and never for the peer.
func (a *Authenticator) CheckWhy(c Credentials, lookup func(username string) (ha1MD5, ha1SHA256 string, ok bool), now time.Time) (username string, v AuthVerdict, why string) {
	return a.check(c, lookup, now, false)
}

// check is CheckWhy. A dry one counts and remembers nothing, and takes a nonce of any age: what is pasted is old.
func (a *Authenticator) check(c Credentials, lookup func(username string) (ha1MD5, ha1SHA256 string, ok bool), now time.Time, dry bool) (username string, v AuthVerdict, why string) {
	p, err := parseDigest(c.Header)
	if err != nil {
		return "", AuthMalformed, "authorization: " + err.Error()
	}
	alg, why := p.check()
	if why != "" {
		return p.username, AuthMalformed, why
	}
	if !sameURI(p.uri, c.RequestURI) {
		return p.username, AuthMalformed, "the uri of the credentials is not the Request-URI"
	}
	if p.realm != a.realm { // a phone that remembers an old realm must be told the new one, not refused
		return p.username, AuthStale, "credentials are for another realm"
	}
	n, why := a.readNonce(p.nonce, c.Source, now)
	if why != "" && (!dry || why != nonceTooOld) {
		return p.username, AuthStale, why
	}

	// From here an unknown user, a user without this algorithm and a wrong password take the same path.
	md5Hex, sha256Hex, known := lookup(p.username)
	ha1 := sha256Hex
	if alg.name == "MD5" {
		ha1 = md5Hex
	}
	if !known || len(ha1) != alg.hexLen {
		known, ha1 = false, a.noHA1(p.username, alg)
	}
	want := alg.response(ha1, &p, c.Method)
	right := subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(p.response))) == 1 && known

	if dry {
		switch {
		case right:
			return p.username, AuthOK, ""
		case !known:
			return p.username, AuthWrong, "no such user with a secret for " + alg.name
		}
		return p.username, AuthWrong, "wrong password"
	}
	key := guessKey{username: p.username, source: sourceHost(c.Source)}
	count, slowed := a.guessed(key, right, now)
	switch {
	case slowed:
		return p.username, AuthWrong, "too many wrong passwords from this source for this user"
	case !right:
		if count >= guessesFree && a.Alarm != nil {
			a.Alarm(p.username, key.source, count)
		}
		if !known {
			return p.username, AuthWrong, "no such user with a secret for " + alg.name
		}
		return p.username, AuthWrong, "wrong password"
	case !a.fresh(n, p.nc, now):
		return p.username, AuthStale, "nonce and nc were used before"
	}
	return p.username, AuthOK, ""
}

// algorithm is one of the two hash functions offered.
type algorithm struct {
	name   string
	hexLen int
	make   func() hash.Hash
}

// check applies the rules that need no secret and picks the algorithm. No algorithm means MD5. RFC 7616 §3.4.
func (p *digestParams) check() (algorithm, string) {
	var alg algorithm
	switch strings.ToUpper(p.algorithm) {
	case "", "MD5":
		alg = algorithm{name: "MD5", hexLen: 32, make: md5.New}
	case "SHA-256":
		alg = algorithm{name: "SHA-256", hexLen: 64, make: sha256.New}
	default:
		return alg, "an algorithm that was not offered"
	}
	switch {
	case p.username == "":
		return alg, "username is empty"
	case !strings.EqualFold(p.qop, "auth"):
		return alg, "qop is not auth"
	case p.cnonce == "":
		return alg, "cnonce is missing"
	case p.nc == 0:
		return alg, "nc is missing or zero"
	case len(p.response) != alg.hexLen:
		return alg, "the response does not have the length of its algorithm"
	}
	return alg, ""
}

// response is the request-digest for qop=auth. RFC 7616 §3.4.1.
func (alg algorithm) response(ha1 string, p *digestParams, method string) string {
	h := alg.make()
	sum := func(parts ...string) string {
		h.Reset()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	ha2 := sum(method, p.uri)
	return sum(ha1, p.nonce, p.ncText, p.cnonce, p.qop, ha2)
}

// noHA1 stands in for the secret of a user who does not exist, so that the answer takes the same work.
func (a *Authenticator) noHA1(username string, alg algorithm) string {
	m := hmac.New(sha256.New, a.secret)
	m.Write([]byte("nobody:" + username))
	return hex.EncodeToString(m.Sum(nil))[:alg.hexLen]
}

// readNonce gives the parts of one of our nonces that is still alive.
//
//	0        8                24       40
//	| issued | random         | mac    |   mac = HMAC-SHA-256(secret, issued | random | source ip)[:16]
func (a *Authenticator) readNonce(nonce, source string, now time.Time) (usedNonce, string) {
	var n usedNonce
	raw, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(raw) != nonceBytes {
		return n, "nonce is not ours"
	}
	if !hmac.Equal(raw[8+nonceRandom:], a.mac(raw[:8+nonceRandom], source)) {
		return n, "nonce was not made here for this source"
	}
	n.issued = int64(binary.BigEndian.Uint64(raw))
	copy(n.random[:], raw[8:])
	if age := now.Sub(time.Unix(0, n.issued)); age >= nonceLife || age < -nonceAhead {
		return n, nonceTooOld
	}
	return n, ""
}

func (a *Authenticator) mac(data []byte, source string) []byte {
	m := hmac.New(sha256.New, a.secret)
	m.Write([]byte("nonce:"))
	m.Write(data)
	m.Write([]byte(sourceHost(source)))
	return m.Sum(nil)[:nonceMAC]
}

// fresh reports whether nc is above everything seen with the nonce, and remembers it. When the table is full, the oldest
// entry goes and floor rises to its time: what is forgotten is stale, never replayable.
func (a *Authenticator) fresh(n usedNonce, nc uint32, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e, ok := a.used[n.random]; ok {
		u := e.Value.(*usedNonce)
		if nc <= u.nc {
			return false
		}
		u.nc = nc
		return true
	}
	if n.issued <= a.floor {
		return false
	}
	for e := a.usedAge.Front(); e != nil; e = a.usedAge.Front() {
		u := e.Value.(*usedNonce)
		dead := now.Sub(time.Unix(0, u.issued)) >= nonceLife
		if !dead && len(a.used) < maxReplay {
			break
		}
		a.floor = max(a.floor, u.issued)
		a.usedAge.Remove(e)
		delete(a.used, u.random)
	}
	n.nc = nc
	a.used[n.random] = a.usedAge.PushBack(&n)
	return true
}

// guessed counts a wrong password and forgets after a right one. While slowed, nothing is right and nothing is counted,
// so that a guesser learns nothing and a phone with an old password is heard again after the pause.
func (a *Authenticator) guessed(key guessKey, right bool, now time.Time) (count int, slowed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, ok := a.wrong[key]
	if ok && now.Sub(e.Value.(*guesses).last) >= guessMemory {
		a.wrongLR.Remove(e)
		delete(a.wrong, key)
		ok = false
	}
	if ok && now.Before(e.Value.(*guesses).until) {
		return e.Value.(*guesses).count, true
	}
	if right {
		if ok {
			a.wrongLR.Remove(e)
			delete(a.wrong, key)
		}
		return 0, false
	}
	if !ok {
		if len(a.wrong) >= maxGuesses {
			oldest := a.wrongLR.Front()
			delete(a.wrong, oldest.Value.(*guesses).key)
			a.wrongLR.Remove(oldest)
		}
		e = a.wrongLR.PushBack(&guesses{key: key})
		a.wrong[key] = e
	}
	g := e.Value.(*guesses)
	g.count++
	g.last = now
	a.wrongLR.MoveToBack(e)
	if over := g.count - guessesFree; over >= 0 {
		g.until = now.Add(min(backOffMax, time.Second<<min(over, 10)))
	}
	return g.count, false
}

// sourceHost is the address without the port: a phone's requests may come from several.
func sourceHost(source string) string {
	if ap, err := netip.ParseAddrPort(source); err == nil {
		return ap.Addr().Unmap().WithZone("").String()
	}
	if a, err := netip.ParseAddr(source); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return source
}
