package ivr

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/events"
)

// open decrypts a compact JWE as RFC 7516 §5.2 says, by code of its own.
func open(t *testing.T, jwe string, private any) (text, keyID string) {
	t.Helper()
	parts := strings.Split(jwe, ".")
	if len(parts) != 5 {
		t.Fatalf("%d parts: %s", len(parts), jwe)
	}
	raw := make([][]byte, 5)
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			t.Fatal(err)
		}
	}
	var head struct {
		Alg, Enc, Kid string
		Epk           struct{ Kty, Crv, X, Y string }
	}
	if err := json.Unmarshal(raw[0], &head); err != nil {
		t.Fatal(err)
	}
	check(t, "A256GCM", head.Enc)
	var key []byte
	switch private := private.(type) {
	case *rsa.PrivateKey:
		check(t, "RSA-OAEP-256", head.Alg)
		var err error
		if key, err = rsa.DecryptOAEP(sha256.New(), nil, private, raw[1], nil); err != nil {
			t.Fatal(err)
		}
	case *ecdh.PrivateKey:
		check(t, "ECDH-ES", head.Alg)
		check(t, 0, len(raw[1]))
		x, _ := base64.RawURLEncoding.DecodeString(head.Epk.X)
		y, _ := base64.RawURLEncoding.DecodeString(head.Epk.Y)
		theirs, err := private.Curve().NewPublicKey(append(append([]byte{4}, x...), y...))
		if err != nil {
			t.Fatal(err)
		}
		secret, err := private.ECDH(theirs)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		for _, b := range [][]byte{{0, 0, 0, 1}, secret, {0, 0, 0, 7}, []byte("A256GCM"), make([]byte, 8), {0, 0, 1, 0}} {
			h.Write(b)
		}
		key = h.Sum(nil)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gcm.Open(nil, raw[2], append(raw[3], raw[4]...), []byte(parts[0]))
	if err != nil {
		t.Fatal(err)
	}
	return string(plain), head.Kid
}

func pemOf(t *testing.T, kind string, public any) string {
	t.Helper()
	var der []byte
	var err error
	if kind == "RSA PUBLIC KEY" {
		der = x509.MarshalPKCS1PublicKey(public.(*rsa.PublicKey))
	} else if der, err = x509.MarshalPKIXPublicKey(public); err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func certificate(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cards"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestInputIsEncryptedToTheFlowsKey(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	type pair struct {
		public  string
		private any
	}
	public := pemOf(t, "PUBLIC KEY", &rsaKey.PublicKey)
	pairs := map[string]pair{
		"RSA": {public, rsaKey}, "RSA PKCS 1": {pemOf(t, "RSA PUBLIC KEY", &rsaKey.PublicKey), rsaKey},
		"certificate": {certificate(t, rsaKey), rsaKey}, "on one line": {strings.ReplaceAll(public, "\n", " "), rsaKey},
		"with spelled line ends": {strings.ReplaceAll(public, "\n", `\n`), rsaKey},
	}
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		private, err := key.ECDH()
		if err != nil {
			t.Fatal(err)
		}
		pairs[c.Params().Name] = pair{pemOf(t, "PUBLIC KEY", &key.PublicKey), private}
	}
	for name, p := range pairs {
		t.Run(name, func(t *testing.T) {
			w, m := newWorld(t, contact.Voice), NewMemory()
			w.keys = []string{"4111111111111111"}
			w.info.Attributes["pem"], w.info.Attributes["kid"] = p.public, "card key 1"
			var log bytes.Buffer
			w.e.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			w.e.Events = &events.Recorder{}
			feed, stop := w.e.Events.Subscribe(100)
			w.e.Ran = func(a ActionRun) { fmt.Fprintf(&log, "%+v\n", a) }
			out := w.run(t, TypeInbound, doc(
				act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"16"}},
					"InputEncryption":{"EncryptionKeyId":"$.Attributes.kid","Key":"$.Attributes.pem"}`, "keep", "!NoMatchingError>bad"),
				act("keep", "UpdateContactAttributes", `"Attributes":{"card":"$.StoredCustomerInput"}`, "look", "!NoMatchingError>bad"),
				act("look", "Compare", `"ComparisonValue":"$.StoredCustomerInput"`, "=1>bad", "!NoMatchingCondition>end"),
				mark("bad", "end"), theEnd), m)
			check(t, Disconnected, out)
			check(t, true, w.gather[0].Secret)
			card := w.info.Attributes["card"]
			text, keyID := open(t, card, p.private)
			check(t, "4111111111111111", text)
			check(t, "card key 1", keyID)
			stop()
			for e := range feed {
				fmt.Fprintf(&log, "%+v\n", e)
			}
			for _, did := range w.did {
				log.WriteString(did)
			}
			if strings.Contains(log.String(), "4111") || !strings.Contains(log.String(), "GetParticipantInput") {
				t.Error("what was typed is told:\n" + log.String())
			}
		})
	}
}

func TestTheSameInputIsNeverEncryptedTheSameWay(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := usableKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := k.seal("k", "1")
	b, errB := k.seal("k", "1")
	if errA != nil || errB != nil || a == b {
		t.Error(errA, errB, a == b)
	}
}

func TestTheKeyDerivationIsThatOfTheStandard(t *testing.T) {
	// RFC 7518 appendix C: Alice and Bob, A128GCM.
	secret := []byte{
		158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
	}
	got := base64.RawURLEncoding.EncodeToString(concatKDF(secret, "A128GCM", "Alice", "Bob", 16))
	check(t, "VqqN6vgjbSBcIijNcacQGg", got)
}

func TestKeysThatCannotBeUsedAreRefused(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)}))
	for _, tt := range []struct{ key, want string }{
		{"", "not a public key in PEM"},
		{"AAAA", "not a public key in PEM"},
		{strings.Repeat("x", maxKeyText+1), "too long"},
		{"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read"},
		{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"},
		{private, "a public key or a certificate is needed"},
		{pemOf(t, "PUBLIC KEY", &small.PublicKey), "at least 2048"},
		{pemOf(t, "PUBLIC KEY", &p224.PublicKey), "P-256"},
		{pemOf(t, "PUBLIC KEY", edwards), "RSA or an elliptic curve"},
	} {
		if _, err := parseSealKey(tt.key); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40q: %v, want %q", tt.key, err, tt.want)
		}
	}
}

func TestInputThatCannotBeEncryptedIsNeitherAskedForNorStored(t *testing.T) {
	content := doc(act("a", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"16"}},
		"InputEncryption":{"EncryptionKeyId":"k","Key":"$.Attributes.pem"}`, "good", "!NoMatchingError>bad"), mark("good", "end"), mark("bad", "end"), theEnd)
	w, m := newWorld(t, contact.Voice), NewMemory()
	m.store("before")
	w.keys = []string{"4111"}
	w.run(t, TypeInbound, content, m)
	check(t, []string{said("bad")[0], "hangup "}, w.did)

	w = newWorld(t, contact.Chat) // what is typed in a chat is in its transcript
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w.info.Attributes["pem"] = pemOf(t, "PUBLIC KEY", &key.PublicKey)
	w.run(t, TypeInbound, content, m)
	check(t, []string{"write bad", "hangup "}, w.did)
}

func TestABufferThatIsStoppedCanBeStoredEncrypted(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w, m := newWorld(t, contact.Voice), NewMemory()
	w.keys, w.info.Attributes["pem"] = []string{"987"}, pemOf(t, "PUBLIC KEY", &key.PublicKey)
	w.run(t, TypeInbound, doc(act("a", "GetParticipantInput", `"EnableDTMFBuffer":"False","StoreInput":"True",
		"InputEncryption":{"EncryptionKeyId":"k","Key":"$.Attributes.pem"}`, "end", "!NoMatchingError>end"), theEnd), m)
	check(t, []string{"gather -", "drop ", "hangup "}, w.did)
	check(t, []Gather{{Max: 30, FirstDigit: time.Millisecond, Interdigit: time.Millisecond, Secret: true}}, w.gather)
	text, _ := open(t, m.stored, key)
	check(t, "987", text)
}
