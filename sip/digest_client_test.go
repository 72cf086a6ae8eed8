package sip

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/errs"
)

// TestDigestAnswersOfTheRFCs computes the examples of RFC 7616 §3.9.1, RFC 2617 §3.5 and that one without qop.
func TestDigestAnswersOfTheRFCs(t *testing.T) {
	newer := challenge{realm: "http-auth@example.org", nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", qop: "auth", opaque: "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"}
	sha, md5 := newer, newer
	sha.algorithm, md5.algorithm = "SHA-256", "MD5"
	older := challenge{realm: "testrealm@host.com", nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", qop: "auth"}
	bare := older
	bare.qop = ""
	for name, c := range map[string]struct {
		challenge              challenge
		password, cnonce, want string
	}{
		"RFC 7616 SHA-256": {sha, "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		"RFC 7616 MD5":     {md5, "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "8ca523f5e9506fed4657c9700eebdbec"},
		"RFC 2617":         {older, "Circle Of Life", "0a4f113b", "6629fae49393a05397450978507c4ef1"},
		"RFC 2069":         {bare, "Circle Of Life", "", "670fd8c2df070c60b045671b8b24ff02"},
	} {
		l := &login{username: "Mufasa", password: c.password, cnonce: func() string { return c.cnonce }}
		v := l.credentials(c.challenge, "GET", "/dir/index.html")
		if !strings.Contains(v, `response="`+c.want+`"`) {
			t.Errorf("%s: %s", name, v)
		}
		if c.challenge.opaque != "" && !strings.Contains(v, `opaque="`+c.challenge.opaque+`"`) {
			t.Errorf("%s: opaque is not returned: %s", name, v)
		}
		if strings.Contains(v, "qop=") != (c.challenge.qop != "") {
			t.Errorf("%s: qop in %s", name, v)
		}
	}
}

func challengeWith(req *sipgo.Request, code int, values ...string) *sipgo.Response {
	name := "WWW-Authenticate"
	if code == 407 {
		name = "Proxy-Authenticate"
	}
	res := sipgo.NewResponseFromRequest(req, code, "No", nil)
	for _, v := range values {
		res.AppendHeader(sipgo.NewHeader(name, v))
	}
	return res
}

func registerReq() *sipgo.Request {
	m, err := sipgo.ParseMessage([]byte("REGISTER sip:c.example SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@c.example>;tag=1\r\n" +
		"To: <sip:a@c.example>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"))
	if err != nil {
		return nil
	}
	return m.(*sipgo.Request)
}

func TestDigestServerOfOursTakesWhatTheClientOfOursGives(t *testing.T) {
	auth := NewAuthenticator("a \"quoted\" realm", nil)
	md5Hex, shaHex := HA1("us\"er", "a \"quoted\" realm", "pass:word")
	lookup := func(string) (string, string, bool) { return md5Hex, shaHex, true }
	for which := range 2 {
		l := &login{username: "us\"er", password: "pass:word"}
		req := registerReq()
		for use := 1; use <= 3; use++ { // the same nonce again and again, counted
			var h sipgo.Header
			if use == 1 {
				var err error
				if h, err = l.answer(req, challengeWith(req, 401, auth.Challenges("src", false, time.Now())[which])); err != nil {
					t.Fatal(err)
				}
			} else if h = l.ahead(req); h == nil {
				t.Fatal("nothing to send ahead")
			}
			_, v := auth.Check(Credentials{Method: "REGISTER", RequestURI: "sip:c.example", Header: h.Value(), Source: "src"}, lookup, time.Now())
			if v != AuthOK || !strings.Contains(h.Value(), fmt.Sprintf("nc=%08x", use)) {
				t.Errorf("challenge %d, use %d: %s: %s", which, use, v, h.Value())
			}
		}
	}
}

func TestDigestOfSeveralChallengesTheStrongestOfOurRealm(t *testing.T) {
	for name, c := range map[string]struct {
		realm  string
		code   int
		values []string
		want   string // part of the answer, or of the error after an !
	}{
		"SHA-256 before MD5":    {"", 401, []string{`Digest realm="c", nonce="n1", algorithm=MD5, qop="auth"`, `Digest realm="c", nonce="n2", algorithm=SHA-256, qop="auth,auth-int"`}, `nonce="n2"`},
		"in any order":          {"", 401, []string{`Digest realm="c", nonce="n2", algorithm=SHA-256`, `Digest realm="c", nonce="n1"`}, `nonce="n2"`},
		"one we do not know":    {"", 401, []string{`Digest realm="c", nonce="n2", algorithm=SHA-512-256`, `Digest realm="c", nonce="n1"`}, `nonce="n1"`},
		"our realm only":        {"ours", 407, []string{`Digest realm="c", nonce="n2"`, `Digest realm="ours", nonce="n1"`}, `realm="ours"`},
		"not another's":         {"ours", 401, []string{`Digest realm="c", nonce="n2"`}, `!realm "c" is not the carrier's`},
		"Basic":                 {"", 401, []string{`Basic realm="c"`}, "!not the Digest scheme"},
		"auth-int alone":        {"", 401, []string{`Digest realm="c", nonce="n", qop="auth-int"`}, "!qop without auth"},
		"no nonce":              {"", 401, []string{`Digest realm="c"`}, "!no realm or no nonce"},
		"a realm twice":         {"", 401, []string{`Digest realm="c", realm="d", nonce="n"`}, "!occurs twice"},
		"no challenge":          {"", 401, nil, "!401 without WWW-Authenticate"},
		"the wrong header":      {"", 407, nil, "!407 without Proxy-Authenticate"},
		"a comma at the end":    {"", 401, []string{`Digest realm="c",nonce="n",`}, `nonce="n"`},
		"a very long challenge": {"", 401, []string{`Digest realm="c", nonce="` + strings.Repeat("n", maxAuthorization) + `"`}, "!longer than 4096"},
		"a session":             {"", 401, []string{`Digest realm="c", nonce="n", algorithm=MD5-sess, qop=auth`}, "algorithm=MD5-sess"},
	} {
		l := &login{username: "u", password: "p", realm: c.realm}
		req := registerReq()
		h, err := l.answer(req, challengeWith(req, c.code, c.values...))
		if part, bad := strings.CutPrefix(c.want, "!"); bad {
			if err == nil || !errs.Is(err, errs.Denied) || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %s", name, err, part)
			}
			continue
		}
		if err != nil || !strings.Contains(h.Value(), c.want) || (c.code == 407) != (h.Name() == "Proxy-Authorization") {
			t.Errorf("%s: %v, %v; want %s", name, h, err, c.want)
		}
	}
}

func TestDigestTheFirstRealmOfATrunkIsTheOnlyOne(t *testing.T) {
	pin := &realmPin{}
	req := registerReq()
	mine := &login{username: "u", password: "p", pin: pin}
	if _, err := mine.answer(req, challengeWith(req, 401, `Digest realm="carrier", nonce="n"`)); err != nil {
		t.Fatal(err)
	}
	other := &login{username: "u", password: "p", pin: pin} // the next call, whose called party asks for our password
	if h, err := other.answer(req, challengeWith(req, 401, `Digest realm="phone", nonce="n"`)); err == nil {
		t.Errorf("another party was answered: %s", h.Value())
	}
}

func TestDigestACarrierThatAsksForEverIsNotAnsweredForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &login{username: "u", password: "p"}
		req := registerReq()
		answered := 0
		for i := range 100 {
			if _, err := l.answer(req, challengeWith(req, 401, fmt.Sprintf(`Digest realm="c", nonce="n%d", stale=true`, i))); err == nil {
				answered++
			}
		}
		if answered != maxAnswers {
			t.Errorf("%d answers", answered)
		}
		time.Sleep(answerWindow + time.Second)
		if _, err := l.answer(req, challengeWith(req, 401, `Digest realm="c", nonce="later"`)); err != nil {
			t.Errorf("half a minute later: %v", err)
		}
	})
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Digest realm="c", nonce="n", qop="auth,auth-int", algorithm=SHA-256, stale=TRUE, opaque="o"`)
	f.Add(`Digest realm="c",nonce="n",`)
	f.Fuzz(func(t *testing.T, v string) {
		c, err := parseChallenge(v)
		if err != nil {
			return
		}
		l := &login{username: "u", password: "p"}
		out := l.credentials(c, "INVITE", "sip:a@b")
		if p, perr := parseDigest(out); perr != nil || p.realm != c.realm || p.nonce != c.nonce || strings.ContainsAny(out, "\r\n") {
			t.Errorf("%q: %v", out, perr)
		}
	})
}
