package identity

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	vectorSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	emptyHash    = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// The worked example of the AWS documentation ("Signature Version 4 signing process", ListUsers).
func TestDocumentedExample(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?Action=ListUsers&Version=2010-05-08", nil)
	r.Host = "iam.amazonaws.com"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("X-Amz-Date", "20150830T123600Z")
	const signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
	c, err := parseAuthorization("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, " +
		"SignedHeaders=content-type;host;x-amz-date, Signature=" + signature)
	if err != nil {
		t.Fatal(err)
	}
	if err = c.finishHeaderForm(r.Header); err != nil {
		t.Fatal(err)
	}
	canonical, err := canonicalRequest(r, c, r.URL.Query(), emptyHash)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"GET", "/", "Action=ListUsers&Version=2010-05-08", "content-type:application/x-www-form-urlencoded; charset=utf-8",
		"host:iam.amazonaws.com", "x-amz-date:20150830T123600Z", "", "content-type;host;x-amz-date", emptyHash,
	}, "\n")
	if canonical != want {
		t.Errorf("canonical request:\n%s\nwant\n%s", canonical, want)
	}
	if got := hex.EncodeToString(sign(vectorSecret, c, canonical)); got != signature {
		t.Errorf("signature %s, want %s", got, signature)
	}
}

// Cases of the AWS Signature Version 4 test suite (aws-sig-v4-test-suite): region us-east-1, service "service".
func TestSignatureSuite(t *testing.T) {
	tests := []struct{ name, target, signature string }{
		{"get-vanilla", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-query-order-key-case", "/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-utf8", "/%E1%88%B4", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tt.target, nil)
			r.Host = "example.amazonaws.com"
			r.Header.Set("X-Amz-Date", "20150830T123600Z")
			c, err := parseAuthorization("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " +
				"SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64))
			if err != nil {
				t.Fatal(err)
			}
			if err = c.finishHeaderForm(r.Header); err != nil {
				t.Fatal(err)
			}
			canonical, err := canonicalRequest(r, c, r.URL.Query(), emptyHash)
			if err != nil {
				t.Fatal(err)
			}
			if tt.signature == "" {
				// The suite escapes twice, as services other than S3 do.
				if line := strings.Split(canonical, "\n")[1]; line != "/%25E1%2588%25B4" {
					t.Errorf("path %s", line)
				}
				return
			}
			if got := hex.EncodeToString(sign(vectorSecret, c, canonical)); got != tt.signature {
				t.Errorf("signature %s, want %s\n%s", got, tt.signature, canonical)
			}
		})
	}
}

func TestMalformedCredentialsAreRefused(t *testing.T) {
	const (
		scope = "AKIDEXAMPLE/20150830/us-east-1/connect/aws4_request"
		sig   = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
	)
	form := func(scope, headers, sig string) string {
		return "AWS4-HMAC-SHA256 Credential=" + scope + ", SignedHeaders=" + headers + ", Signature=" + sig
	}
	if _, err := parseAuthorization(form(scope, "host;x-amz-date", sig)); err != nil {
		t.Fatal(err)
	}
	if _, err := parseAuthorization(strings.ReplaceAll(form(scope, "host;x-amz-date", sig), ", ", ",")); err != nil {
		t.Errorf("without spaces: %v", err)
	}
	for name, header := range map[string]string{
		"empty":               "",
		"algorithm only":      "AWS4-HMAC-SHA256 ",
		"other algorithm":     "AWS4-ECDSA-P256-SHA256 Credential=" + scope + ", SignedHeaders=host, Signature=" + sig,
		"no host":             form(scope, "x-amz-date", sig),
		"unsorted headers":    form(scope, "x-amz-date;host", sig),
		"header twice":        form(scope, "host;host;x-amz-date", sig),
		"capital header":      form(scope, "Host;x-amz-date", sig),
		"empty header name":   form(scope, "host;;x-amz-date", sig),
		"short signature":     form(scope, "host;x-amz-date", sig[:62]),
		"signature not hex":   form(scope, "host;x-amz-date", strings.Repeat("g", 64)),
		"part twice":          form(scope, "host;x-amz-date", sig) + ", Signature=" + sig,
		"unknown part":        form(scope, "host;x-amz-date", sig) + ", X=1",
		"no scope":            form("AKIDEXAMPLE", "host;x-amz-date", sig),
		"scope cut":           form("AKIDEXAMPLE/20150830/us-east-1/connect", "host;x-amz-date", sig),
		"other terminator":    form("AKIDEXAMPLE/20150830/us-east-1/connect/aws5_request", "host;x-amz-date", sig),
		"long date":           form("AKIDEXAMPLE/201508300/us-east-1/connect/aws4_request", "host;x-amz-date", sig),
		"line in the key id":  form("AKID\nX/20150830/us-east-1/connect/aws4_request", "host;x-amz-date", sig),
		"empty region":        form("AKIDEXAMPLE/20150830//connect/aws4_request", "host;x-amz-date", sig),
		"very long":           form(scope, "host;"+strings.Repeat("a", 5000), sig),
		"one part without =":  "AWS4-HMAC-SHA256 Credential, SignedHeaders=host, Signature=" + sig,
		"slashes in scope":    form("AKIDEXAMPLE/20150830/us/east/1/connect/aws4_request", "host;x-amz-date", sig),
		"bearer in disguise":  "AWS4-HMAC-SHA256",
		"presigned algorithm": "X-Amz-Algorithm=AWS4-HMAC-SHA256",
	} {
		if c, err := parseAuthorization(header); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestDatesMustAgree(t *testing.T) {
	c := &credential{day: "20150830", signed: []string{"host", "x-amz-date"}}
	for name, h := range map[string]http.Header{
		"another day":    {"X-Amz-Date": {"20150831T123600Z"}},
		"none":           {},
		"two":            {"X-Amz-Date": {"20150830T123600Z", "20150830T123600Z"}},
		"another format": {"X-Amz-Date": {"2015-08-30T12:36:00Z"}},
		"a zone":         {"X-Amz-Date": {"20150830T123600+0900"}},
	} {
		if err := c.finishHeaderForm(h); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := http.Header{"X-Amz-Date": {"20150830T123600Z"}}
	if err := c.finishHeaderForm(good); err != nil {
		t.Error(err)
	}
	c.signed = []string{"host"}
	if err := c.finishHeaderForm(good); !errors.Is(err, ErrMalformed) {
		t.Errorf("unsigned date: %v", err)
	}
}

func TestMalformedPresignedQueriesAreRefused(t *testing.T) {
	good := func() url.Values {
		return url.Values{
			"X-Amz-Algorithm": {algorithm}, "X-Amz-Credential": {"AKID/20150830/r/connect/aws4_request"},
			"X-Amz-Date": {"20150830T123600Z"}, "X-Amz-Expires": {"60"}, "X-Amz-SignedHeaders": {"host"},
			"X-Amz-Signature": {strings.Repeat("0", 64)},
		}
	}
	if c, err := parsePresigned(good()); err != nil || c.expires != time.Minute || !c.presigned {
		t.Fatalf("%+v %v", c, err)
	}
	for name, change := range map[string]func(url.Values){
		"no expiry":       func(q url.Values) { q.Del("X-Amz-Expires") },
		"expiry zero":     func(q url.Values) { q.Set("X-Amz-Expires", "0") },
		"expiry negative": func(q url.Values) { q.Set("X-Amz-Expires", "-1") },
		"over a week":     func(q url.Values) { q.Set("X-Amz-Expires", "604801") },
		"expiry huge":     func(q url.Values) { q.Set("X-Amz-Expires", "99999999999999999999") },
		"signature twice": func(q url.Values) { q.Add("X-Amz-Signature", strings.Repeat("0", 64)) },
		"no algorithm":    func(q url.Values) { q.Del("X-Amz-Algorithm") },
		"another day":     func(q url.Values) { q.Set("X-Amz-Date", "20150831T000000Z") },
		"no credential":   func(q url.Values) { q.Del("X-Amz-Credential") },
	} {
		q := good()
		change(q)
		if c, err := parsePresigned(q); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/connect/aws4_request, SignedHeaders=host;x-amz-date, " +
		"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")
	f.Add("AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=")
	f.Add("AWS4-HMAC-SHA256 ,,,===")
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseAuthorization(header)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		// What was accepted says the same when it is written again.
		again := algorithm + " Credential=" + c.keyID + "/" + c.scope + ",SignedHeaders=" + strings.Join(c.signed, ";") +
			",Signature=" + hex.EncodeToString(c.signature)
		d, err := parseAuthorization(again)
		if err != nil || d.keyID != c.keyID || d.scope != c.scope || string(d.signature) != string(c.signature) {
			t.Fatalf("%q became %q: %v", header, again, err)
		}
		if strings.ContainsAny(c.keyID+c.scope, " \n\r,") {
			t.Fatalf("accepted %q", c.scope)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil)
		if _, err = canonicalRequest(r, c, nil, emptyHash); err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
	})
}

func FuzzCanonicalQuery(f *testing.F) {
	f.Add("a=1&b=2&a=0&X-Amz-Signature=ff")
	f.Add("%7E=+&=&&x")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		text := canonicalQuery(q)
		q.Del("X-Amz-Signature")
		back, err := url.ParseQuery(text)
		if err != nil || canonicalQuery(back) != text || len(back) != len(q) {
			t.Fatalf("%q became %q: %v", raw, text, err)
		}
	})
}
