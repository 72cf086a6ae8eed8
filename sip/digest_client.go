package sip

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/errs"
)

// A server that keeps asking is not answered for ever: so many answers in so much time from one login.
const (
	maxAnswers   = 8
	answerWindow = 32 * time.Second
)

// login is what a carrier has given us to authenticate with. It answers a challenge of that carrier for that realm only,
// never one of a party that is called or calls (threat 7). Its methods may be called at the same time.
type login struct {
	username, password string
	realm              string    // empty: the first that the carrier names
	pin                *realmPin // which one that was, shared by all logins of a trunk; may be nil

	cnonce func() string // for tests; empty: 128 random bits

	mu      sync.Mutex
	first   string // realm, if there is no pin
	nonce   string // of the last answer, to count its uses
	count   uint32
	answers []time.Time
	last    challenge // the last one that was answered: answers ahead of the next challenge
	proxy   bool
}

// realmPin remembers the realm that a carrier has named first: a challenge for another one comes from somebody else.
type realmPin struct {
	mu    sync.Mutex
	realm string
}

func (p *realmPin) holds(realm string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.realm == "" || p.realm == realm
}

func (p *realmPin) set(realm string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.realm == "" {
		p.realm = realm
	}
}

// answer gives the header field to add to req when it is sent again with a new CSeq, in place of an older one of its
// name. The error says why the challenge is not answered. Whether an earlier answer was wrong is for the caller to see: a
// request may have to answer a proxy and a server at once.
func (l *login) answer(req *sipgo.Request, res *sipgo.Response) (sipgo.Header, error) {
	ask, give := "WWW-Authenticate", "Authorization" // RFC 3261 §22.2
	proxy := res.StatusCode == sipgo.StatusProxyAuthRequired
	if proxy { // RFC 3261 §22.3
		ask, give = "Proxy-Authenticate", "Proxy-Authorization"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c, err := l.choose(res, ask)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	kept := l.answers[:0]
	for _, at := range l.answers {
		if now.Sub(at) < answerWindow {
			kept = append(kept, at)
		}
	}
	if l.answers = append(kept, now); len(l.answers) > maxAnswers {
		return nil, errs.New(errs.Denied, "user %q: the carrier asks for the password again and again", l.username)
	}
	value := l.credentials(c, string(req.Method), req.Recipient.String())
	l.settle(c.realm)
	l.last, l.proxy = c, proxy
	return header(give, value), nil
}

// ahead gives credentials for a request of which we know how it will be challenged; nil if we do not.
func (l *login) ahead(req *sipgo.Request) sipgo.Header {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.nonce == "" {
		return nil
	}
	value := l.credentials(l.last, string(req.Method), req.Recipient.String())
	if l.proxy {
		return header("Proxy-Authorization", value)
	}
	return header("Authorization", value)
}

// next takes the nonce of an Authentication-Info. RFC 7616 §3.5.
func (l *login) next(res *sipgo.Response) {
	h := res.GetHeader("Authentication-Info")
	if h == nil || len(h.Value()) > maxAuthorization {
		return
	}
	for rest := h.Value(); rest != ""; {
		name, value, after, err := nextParam(rest)
		if err != nil {
			return
		}
		if name == "nextnonce" && value != "" {
			l.mu.Lock()
			l.last.nonce = value
			l.mu.Unlock()
		}
		rest = strings.TrimLeft(after, " \t,")
	}
}

// choose takes the strongest challenge for the realm that is ours. RFC 8760 §2.4.
func (l *login) choose(res *sipgo.Response, name string) (challenge, error) {
	var best challenge
	var why error
	for _, h := range res.GetHeaders(name) {
		c, err := parseChallenge(h.Value())
		switch {
		case err != nil:
			why = fmt.Errorf("%s: %w", name, err)
		case !l.mine(c.realm):
			why = fmt.Errorf("realm %q is not the carrier's", clip(c.realm, 100))
		case best.nonce == "" || c.realm == best.realm && c.strength() > best.strength():
			best = c
		}
	}
	switch {
	case best.nonce != "":
		return best, nil
	case why != nil:
		return best, errs.Wrap(why, errs.Denied, "challenge not answered")
	default:
		return best, errs.New(errs.Denied, "%d without %s", res.StatusCode, name)
	}
}

func (l *login) mine(realm string) bool {
	switch {
	case l.realm != "":
		return realm == l.realm
	case l.pin != nil:
		return l.pin.holds(realm)
	default:
		return l.first == "" || l.first == realm
	}
}

func (l *login) settle(realm string) {
	if l.first == "" {
		l.first = realm
	}
	if l.pin != nil {
		l.pin.set(realm)
	}
}

// credentials computes the value. RFC 7616 §3.4.
func (l *login) credentials(c challenge, method, uri string) string {
	sum := func(s string) string { m := md5.Sum([]byte(s)); return hex.EncodeToString(m[:]) }
	if c.sha256() {
		sum = func(s string) string { m := sha256.Sum256([]byte(s)); return hex.EncodeToString(m[:]) }
	}
	if l.nonce != c.nonce {
		l.nonce, l.count = c.nonce, 0
	}
	l.count++
	cnonce, nc := "", fmt.Sprintf("%08x", l.count)
	if l.cnonce != nil {
		cnonce = l.cnonce()
	} else {
		cnonce = rand.Text()
	}
	ha1 := sum(l.username + ":" + c.realm + ":" + l.password)
	if strings.HasSuffix(strings.ToLower(c.algorithm), "-sess") {
		ha1 = sum(ha1 + ":" + c.nonce + ":" + cnonce)
	}
	ha2 := sum(method + ":" + uri)
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username="%s", realm="%s", nonce="%s", uri="%s", `,
		escapeQuoted(l.username), escapeQuoted(c.realm), escapeQuoted(c.nonce), escapeQuoted(uri))
	if c.qop != "" {
		fmt.Fprintf(&b, `response="%s", qop=auth, nc=%s, cnonce="%s"`,
			sum(ha1+":"+c.nonce+":"+nc+":"+cnonce+":auth:"+ha2), nc, cnonce)
	} else { // RFC 2617 §3.2.2.1: as RFC 2069
		fmt.Fprintf(&b, `response="%s"`, sum(ha1+":"+c.nonce+":"+ha2))
	}
	if c.algorithm != "" {
		b.WriteString(", algorithm=" + c.algorithm)
	}
	if c.opaque != "" {
		fmt.Fprintf(&b, `, opaque="%s"`, escapeQuoted(c.opaque))
	}
	return b.String()
}

func escapeQuoted(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

// challenge is a parsed WWW-Authenticate or Proxy-Authenticate value.
type challenge struct {
	realm, nonce, opaque, algorithm, qop string
	stale                                bool
}

func (c challenge) sha256() bool { return strings.HasPrefix(strings.ToUpper(c.algorithm), "SHA-256") }

func (c challenge) strength() int {
	if c.sha256() {
		return 2
	}
	return 1
}

// parseChallenge reads a challenge that can be answered: Digest, MD5 or SHA-256, qop auth or none. RFC 7616 §3.3.
func parseChallenge(header string) (challenge, error) {
	var c challenge
	if len(header) > maxAuthorization {
		return c, errors.New("longer than 4096 bytes")
	}
	scheme, rest, found := strings.Cut(strings.TrimLeft(header, " \t"), " ")
	if !found || !strings.EqualFold(scheme, "Digest") {
		return c, errors.New("not the Digest scheme")
	}
	seen := make(map[string]bool, 8)
	hasQop := false
	for {
		name, value, after, err := nextParam(rest)
		if err != nil {
			return c, err
		}
		if seen[name] {
			return c, fmt.Errorf("parameter %q occurs twice", clip(name, 40))
		}
		seen[name] = true
		switch name {
		case "realm":
			c.realm = value
		case "nonce":
			c.nonce = value
		case "opaque":
			c.opaque = value
		case "algorithm":
			c.algorithm = value
		case "stale":
			c.stale = strings.EqualFold(value, "true")
		case "qop":
			hasQop = true
			for q := range strings.SplitSeq(value, ",") {
				if strings.EqualFold(strings.TrimSpace(q), "auth") {
					c.qop = "auth"
				}
			}
		}
		if after = strings.TrimLeft(after, " \t"); after == "" {
			break
		}
		if after[0] != ',' {
			return c, errors.New("no comma between parameters")
		}
		if rest = strings.TrimLeft(after[1:], " \t"); rest == "" { // a comma at the end is seen in the wild
			break
		}
	}
	switch {
	case !seen["realm"] || c.nonce == "":
		return c, errors.New("no realm or no nonce")
	case hasQop && c.qop == "":
		return c, errors.New("qop without auth is not supported")
	}
	switch strings.ToUpper(c.algorithm) {
	case "", "MD5", "MD5-SESS", "SHA-256", "SHA-256-SESS":
		return c, nil
	default:
		return c, fmt.Errorf("algorithm %q is not supported", clip(c.algorithm, 40))
	}
}
