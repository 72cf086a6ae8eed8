package identity_test

import (
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"ullim/internal/errs"
	"ullim/internal/identity"
)

func TestRequestsSignedByTheAWSSDKAreAccepted(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 100_000)
	tests := []struct {
		name, method, target, body string
		change                     func(*http.Request)
	}{
		{"plain get", "GET", "http://localhost:8080/queues/i1", "", nil},
		{"no path", "GET", "http://localhost:8080", "", nil},
		{"body", "PUT", "http://localhost:8080/connect/queues/i1", `{"Name":"x"}`, nil},
		{"long body", "PUT", "http://localhost:8080/queues/i1", long, nil},
		{"arn in a label", "GET", "http://h/queues/i1/arn%3Aaws%3Aconnect%3Alocal%3A0%3Ainstance%2Fi1%2Fqueue%2Fq", "", nil},
		{"unicode label", "GET", "http://h/queues/%EC%9A%B8%EB%A6%BC", "", nil},
		{"space and plus", "GET", "http://h/a%20b/c+d/~e/f%2Bg", "", nil},
		{"percent of percent", "GET", "http://h/a%2520b", "", nil},
		{"lower case escapes", "GET", "http://h/a%2fb%c3%a9", "", nil},
		{"colons and at", "GET", "http://h/a:b@c;d=e,f$g!h", "", nil},
		{"trailing slash", "GET", "http://h/queues/", "", nil},
		{"two slashes", "GET", "http://h/queues//x", "", nil},
		{"query", "GET", "http://h/q?maxResults=10&nextToken=a%2Bb%3D%3D", "", nil},
		{"query with several values", "GET", "http://h/q?b=2&a=z&a=a&b=1&A=1", "", nil},
		{"query order after escaping", "GET", "http://h/q?k%3A=1&k1=2&k=%3A&k=1&%7E=3", "", nil},
		{"query without value", "GET", "http://h/q?flag&x=", "", nil},
		{"query with plus as space", "GET", "http://h/q?x=a+b", "", nil},
		{"unicode query", "GET", "http://h/q?x=%ED%95%9C%EA%B8%80", "", nil},
		{"default port", "GET", "http://example.com:80/q", "", nil},
		{"host header", "GET", "http://127.0.0.1:1/q", "", func(r *http.Request) { r.Host = "connect.example.com" }},
		{"header with spaces", "GET", "http://h/q", "", func(r *http.Request) {
			r.Header.Set("X-Odd", "  a   b  ")
			r.Header.Add("X-Two", "1")
			r.Header.Add("X-Two", "2")
		}},
		{"declared hash", "PUT", "http://h/q", "abc", func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", hashOf("abc"))
		}},
		{"declared hash, large", "PUT", "http://h/q", strings.Repeat("y", 3<<20), func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", hashOf(strings.Repeat("y", 3<<20)))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := w.signed(t, tt.method, tt.target, tt.body, tt.change)
			p, err := w.auth.Authenticate(r, maxBody)
			must(t, err)
			if p.InstanceID != "i1" || p.UserID != w.user.ID || p.Username != "anna" || !p.Can(identity.BasicAgentAccess) ||
				p.Can(identity.QueuesView) {
				t.Errorf("wrong principal: %+v", p)
			}
			got, err := io.ReadAll(r.Body)
			must(t, err)
			if string(got) != tt.body {
				t.Errorf("the handler would read another body: %d bytes, want %d", len(got), len(tt.body))
			}
		})
	}
}

func TestPresignedRequestsAreAccepted(t *testing.T) {
	for _, target := range []string{
		"http://h/queues/i1?X-Amz-Expires=60", "http://h/a%2Fb%20c?z=1&a=2&a=1&X-Amz-Expires=604800",
	} {
		w := newWorld(t)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		must(t, err)
		uri, headers, err := v4.NewSigner().PresignHTTP(t.Context(), w.credentials(), r, hashOf(""), "connect", "local", time.Now())
		must(t, err)
		r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, uri, nil)
		must(t, err)
		maps.Copy(r.Header, headers)
		p, err := w.auth.Authenticate(received(t, r), maxBody)
		must(t, err)
		if p.UserID != w.user.ID {
			t.Errorf("wrong principal: %+v", p)
		}
	}
}

func TestPresignedRequestsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://h/q?X-Amz-Expires=600", nil)
		must(t, err)
		uri, _, err := v4.NewSigner().PresignHTTP(t.Context(), w.credentials(), r, hashOf(""), "connect", "local", time.Now())
		must(t, err)
		again := func() error {
			u, perr := url.Parse(uri)
			must(t, perr)
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, u.RequestURI(), nil)
			req.Host = "h"
			_, aerr := w.auth.Authenticate(req, maxBody)
			return aerr
		}
		time.Sleep(600 * time.Second)
		must(t, again())
		time.Sleep(time.Second)
		if err = again(); !errors.Is(err, identity.ErrSkew) {
			t.Errorf("after its time: %v", err)
		}
	})
}

func TestChangedRequestsAreRefused(t *testing.T) {
	w := newWorld(t)
	const target = "http://h/queues/i1?x=1&y=2"
	tests := []struct {
		name   string
		change func(*http.Request)
		want   error
	}{
		{"other body", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"a":2}`)) }, identity.ErrRefused},
		{"other path", func(r *http.Request) { r.RequestURI = "/queues/i2?x=1&y=2" }, identity.ErrRefused},
		{"path escaped otherwise", func(r *http.Request) { r.RequestURI = "/queues/%69%31?x=1&y=2" }, identity.ErrRefused},
		{"other query", func(r *http.Request) { r.URL.RawQuery = "x=1&y=3" }, identity.ErrRefused},
		{"more query", func(r *http.Request) { r.URL.RawQuery = "x=1&y=2&z=3" }, identity.ErrRefused},
		{"other method", func(r *http.Request) { r.Method = "POST" }, identity.ErrRefused},
		{"other host", func(r *http.Request) { r.Host = "evil" }, identity.ErrRefused},
		{"other length", func(r *http.Request) { r.ContentLength++ }, identity.ErrRefused},
		{"signed header gone", func(r *http.Request) { r.Header.Del("X-Amz-Meta") }, identity.ErrMalformed},
		{"signed header changed", func(r *http.Request) { r.Header.Set("X-Amz-Meta", "2") }, identity.ErrRefused},
		{"date moved", func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().UTC().Add(time.Second).Format("20060102T150405Z"))
		}, identity.ErrRefused},
		{"broken query", func(r *http.Request) { r.URL.RawQuery = "x=%zz" }, identity.ErrMalformed},
		{"query with semicolon", func(r *http.Request) { r.URL.RawQuery = "x=1;y=2" }, identity.ErrMalformed},
		{"signature in both places", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Signature=00" }, identity.ErrMalformed},
		{"two authorizations", func(r *http.Request) { r.Header.Add("Authorization", "x") }, identity.ErrMalformed},
		{"none", func(r *http.Request) { r.Header.Del("Authorization") }, identity.ErrMissing},
		{"other scheme", func(r *http.Request) { r.Header.Set("Authorization", "Basic YTpi") }, identity.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := w.signed(t, "PUT", target, `{"a":1}`, func(r *http.Request) { r.Header.Set("X-Amz-Meta", "1") })
			r.RemoteAddr = "192.0.2." + "1:5"
			w.auth = reset(t, w)
			tt.change(r)
			p, err := w.auth.Authenticate(r, maxBody)
			if !errors.Is(err, tt.want) || !errs.Is(err, errs.Unauthenticated) || p != nil {
				t.Errorf("got %v, %v; want %v", p, err, tt.want)
			}
		})
	}
}

// reset gives an Authenticator without memory of failures.
func reset(t *testing.T, w *world) *identity.Authenticator {
	t.Helper()
	a, err := identity.NewAuthenticator(identity.AuthOptions{
		Keys: keyFinder{w.keys}, Users: w.users, Profiles: w.profiles, Sealer: w.sealer,
	})
	must(t, err)
	return a
}

func TestScopeAndClock(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name, service, region string
		shift                 time.Duration
		want                  error
	}{
		{"any region", "connect", "ap-northeast-2", 0, nil},
		{"participant", "execute-api", "local", 0, nil},
		{"campaigns", "connect-campaigns", "local", 0, nil},
		{"pinpoint", "mobiletargeting", "local", 0, nil},
		{"another service", "s3", "local", 0, identity.ErrMalformed},
		{"clock behind", "connect", "local", -4 * time.Minute, nil},
		{"clock ahead", "connect", "local", 4 * time.Minute, nil},
		{"too far behind", "connect", "local", -6 * time.Minute, identity.ErrSkew},
		{"too far ahead", "connect", "local", 6 * time.Minute, identity.ErrSkew},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://h/q", nil)
			must(t, err)
			must(t, v4.NewSigner().SignHTTP(t.Context(), w.credentials(), r, hashOf(""), tt.service, tt.region,
				time.Now().Add(tt.shift)))
			if _, err = w.auth.Authenticate(received(t, r), maxBody); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestUnsignedPayloadNeedsTLSOrLoopback(t *testing.T) {
	w := newWorld(t)
	unsigned := func() *http.Request {
		return w.signed(t, "PUT", "http://h/q", "abc", func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		})
	}
	r := unsigned()
	if _, err := w.auth.Authenticate(r, maxBody); !errors.Is(err, identity.ErrMalformed) {
		t.Errorf("from afar without TLS: %v", err)
	}
	r = unsigned()
	r.RemoteAddr = "127.0.0.1:5"
	_, err := w.auth.Authenticate(r, maxBody)
	must(t, err)
	r = unsigned()
	r.RemoteAddr = "127.0.0.1:5"
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	if _, err = w.auth.Authenticate(r, maxBody); !errors.Is(err, identity.ErrMalformed) {
		t.Errorf("through a proxy on this machine: %v", err)
	}
	r = unsigned()
	r.TLS = new(tls.ConnectionState)
	_, err = w.auth.Authenticate(r, maxBody)
	must(t, err)
}

func TestBodiesAreBounded(t *testing.T) {
	w := newWorld(t)
	big := strings.Repeat("x", 3<<20)
	tests := []struct {
		name   string
		most   int64
		change func(*http.Request)
	}{
		{"over the route's limit", 1000, nil},
		{"over the limit for undeclared bodies", maxBody, nil},
		{"declared", 1000, func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", hashOf(big)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := w.signed(t, "PUT", "http://h/q", big, tt.change)
			if _, err := w.auth.Authenticate(r, tt.most); !errors.Is(err, identity.ErrTooLarge) {
				t.Errorf("with a length: %v", err)
			}
			r = w.signed(t, "PUT", "http://h/q", big, tt.change)
			r.ContentLength = -1 // chunked
			if _, err := w.auth.Authenticate(r, tt.most); !errors.Is(err, identity.ErrTooLarge) {
				t.Errorf("chunked: %v", err)
			}
		})
	}
	r := w.signed(t, "PUT", "http://h/q", "abc", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", hashOf("xyz")) })
	if _, err := w.auth.Authenticate(r, maxBody); !errors.Is(err, identity.ErrMalformed) {
		t.Errorf("body that is not the declared one: %v", err)
	}
}

func bearer(t *testing.T, token string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/q", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestBearerTokensGiveTheSamePrincipal(t *testing.T) {
	w := newWorld(t)
	viaToken, err := w.auth.Authenticate(bearer(t, w.key.Token), maxBody)
	must(t, err)
	viaSignature, err := w.auth.Authenticate(w.signed(t, "GET", "http://h/q", "", nil), maxBody)
	must(t, err)
	if viaToken.UserID != viaSignature.UserID || viaToken.InstanceID != viaSignature.InstanceID ||
		len(viaToken.Permissions) != len(viaSignature.Permissions) {
		t.Errorf("%+v is not %+v", viaToken, viaSignature)
	}
	for _, wrong := range []string{"", "x", w.key.Token + "x", w.key.Secret, strings.Repeat("x", 600), w.key.Key.TokenSHA256} {
		if _, err = w.auth.Authenticate(bearer(t, wrong), maxBody); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("token %q: %v", wrong, err)
		}
	}
}

func TestExpiredAndDeletedKeysAreRefusedAtOnce(t *testing.T) {
	w := newWorld(t)
	key, err := w.keys.Get(t.Context(), "i1", w.key.Key.ID)
	must(t, err)
	key.Expires = time.Now().Add(-time.Second)
	must(t, w.keys.Update(t.Context(), key))
	refused := func(when string) {
		t.Helper()
		for name, r := range map[string]*http.Request{
			"token": bearer(t, w.key.Token), "signature": w.signed(t, "GET", "http://h/q", "", nil),
		} {
			if _, err = w.auth.Authenticate(r, maxBody); !errors.Is(err, identity.ErrRefused) {
				t.Errorf("%s, %s: %v", when, name, err)
			}
		}
	}
	refused("expired")
	must(t, w.keys.Delete(t.Context(), "i1", key.ID))
	refused("deleted")
}

func TestUnknownKeyAndWrongSecretLookTheSame(t *testing.T) {
	w := newWorld(t)
	good := w.key
	good.Secret = strings.Repeat("x", 40)
	_, wrongSecret := w.auth.Authenticate(w.signed(t, "GET", "http://h/q", "", nil), maxBody)
	good.ID = "AKIA" + strings.Repeat("A", 16)
	_, unknown := w.auth.Authenticate(w.signed(t, "GET", "http://h/q", "", nil), maxBody)
	if wrongSecret == nil || unknown == nil || wrongSecret.Error() != unknown.Error() ||
		errs.KindOf(wrongSecret) != errs.KindOf(unknown) {
		t.Errorf("answers differ: %v / %v", wrongSecret, unknown)
	}
}

func TestGuessingIsSlowedForTheGuesserOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		secret := w.key.Secret
		try := func(from, with string) error {
			w.key.Secret = with
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://h/q", nil)
			must(t, err)
			must(t, v4.NewSigner().SignHTTP(t.Context(), w.credentials(), r, hashOf(""), "connect", "local", time.Now()))
			r.RequestURI, r.Host, r.RemoteAddr = "/q", "h", from
			_, err = w.auth.Authenticate(r, maxBody)
			return err
		}
		const stranger, owner = "192.0.2.1:1", "192.0.2.2:1"
		for range 6 {
			if err := try(stranger, "guess"); !errors.Is(err, identity.ErrRefused) {
				t.Fatal(err)
			}
		}
		if err := try(stranger, "guess"); !errs.Is(err, errs.Throttled) {
			t.Errorf("seventh guess: %v", err)
		}
		if err := try(stranger, secret); !errs.Is(err, errs.Throttled) {
			t.Errorf("the right secret during the pause tells the guesser: %v", err)
		}
		must(t, try(owner, secret))
		time.Sleep(time.Second)
		must(t, try(stranger, secret))
		if err := try(stranger, "guess"); !errors.Is(err, identity.ErrRefused) {
			t.Errorf("success did not clear the count: %v", err)
		}
	})
}
