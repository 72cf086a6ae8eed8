package identity_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"ullim/internal/api/apitest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

const maxBody = 4 << 20

// world is an instance with one user, one access key and an Authenticator.
type world struct {
	auth     *identity.Authenticator
	users    resource.Store[*identity.User]
	profiles resource.Store[*identity.SecurityProfile]
	keys     *apitest.Store[*identity.AccessKey]
	sealer   *identity.Sealer
	key      *identity.NewKey
	user     *identity.User
}

// keyFinder finds access keys by scanning: few are enough for a test.
type keyFinder struct {
	store *apitest.Store[*identity.AccessKey]
}

func (k keyFinder) find(ctx context.Context, match func(*identity.AccessKey) bool) (*identity.AccessKey, error) {
	all, err := resource.All(ctx, k.store, "i1")
	if err != nil {
		return nil, err
	}
	for _, key := range all {
		if match(key) {
			return key, nil
		}
	}
	return nil, errs.New(errs.NotFound, "no such key")
}

func (k keyFinder) FindAccessKey(ctx context.Context, id string) (*identity.AccessKey, error) {
	return k.find(ctx, func(a *identity.AccessKey) bool { return a.Name == id })
}

func (k keyFinder) FindByTokenHash(ctx context.Context, sum string) (*identity.AccessKey, error) {
	return k.find(ctx, func(a *identity.AccessKey) bool { return a.TokenSHA256 == sum })
}

type anyObject struct {
	resource.Meta
}

func (*anyObject) Kind() resource.Kind  { return resource.KindRoutingProfile }
func (*anyObject) Refs() []resource.Ref { return nil }
func (*anyObject) Validate() error      { return nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := t.Context()
	mem := apitest.NewWorld()
	w := &world{
		users:    apitest.NewStore(mem, func() *identity.User { return new(identity.User) }),
		profiles: apitest.NewStore(mem, func() *identity.SecurityProfile { return new(identity.SecurityProfile) }),
		keys:     apitest.NewStore(mem, func() *identity.AccessKey { return new(identity.AccessKey) }),
	}
	routing := apitest.NewStore(mem, func() *anyObject { return new(anyObject) })
	must(t, routing.Create(ctx, &anyObject{Meta: resource.Meta{ID: "r1", InstanceID: "i1", Name: "r"}}))
	agent := identity.DefaultSecurityProfiles("i1")[1]
	must(t, w.profiles.Create(ctx, agent))
	w.user = &identity.User{
		Meta: resource.Meta{InstanceID: "i1", Name: "anna"}, RoutingProfileID: "r1",
		SecurityProfileIDs: []string{agent.ID}, Phone: identity.PhoneConfig{PhoneType: identity.SoftPhone},
	}
	must(t, w.users.Create(ctx, w.user))
	var err error
	w.sealer, err = identity.NewSealer(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	w.key, err = identity.NewAccessKey(w.sealer, "i1", w.user.ID)
	must(t, err)
	must(t, w.keys.Create(ctx, w.key.Key))
	w.auth, err = identity.NewAuthenticator(identity.AuthOptions{
		Keys: keyFinder{w.keys}, Users: w.users, Profiles: w.profiles, Sealer: w.sealer,
	})
	must(t, err)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: w.key.ID, SecretAccessKey: w.key.Secret}
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// signed makes a request as a client does and signs it with the signer of the AWS SDK.
func (w *world) signed(t *testing.T, method, target, body string, change func(*http.Request)) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	must(t, err)
	if change != nil {
		change(r)
	}
	hash := hashOf(body)
	if h := r.Header.Get("X-Amz-Content-Sha256"); h != "" {
		hash = h
	}
	must(t, v4.NewSigner().SignHTTP(t.Context(), w.credentials(), r, hash, "connect", "local", time.Now()))
	return received(t, r)
}

// received sends a client's request over the wire format, so that the server sees what net/http makes of it.
func received(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	var b bytes.Buffer
	must(t, r.Write(&b))
	return receivedBytes(t, b.Bytes())
}

func receivedBytes(t *testing.T, wire []byte) *http.Request {
	t.Helper()
	var got *http.Request
	rec := httptest.NewRecorder()
	l := newOneConn(wire)
	done := make(chan struct{})
	s := &http.Server{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			got = r.Clone(t.Context())
			got.Body = io.NopCloser(bytes.NewReader(body))
			close(done)
		}),
		ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = s.Serve(l) }()
	select {
	case <-done:
	case <-l.closed:
	}
	must(t, s.Close())
	if got == nil {
		t.Fatalf("the server refused the request itself: %v\n%s", rec.Code, wire)
	}
	got.RemoteAddr = "192.0.2.7:1234"
	return got
}

// oneConn is a listener with one connection whose client has sent a request and waits.
type oneConn struct {
	conn   net.Conn
	once   sync.Once
	closed chan struct{}
	end    sync.Once
}

func newOneConn(wire []byte) *oneConn {
	l := &oneConn{closed: make(chan struct{})}
	l.conn = &wireConn{r: bytes.NewReader(wire), l: l}
	return l
}

func (l *oneConn) Accept() (net.Conn, error) {
	var c net.Conn
	l.once.Do(func() { c = l.conn })
	if c != nil {
		return c, nil
	}
	<-l.closed
	return nil, io.EOF
}

func (l *oneConn) Close() error   { l.end.Do(func() { close(l.closed) }); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

type wireConn struct {
	r *bytes.Reader
	l *oneConn
}

func (c *wireConn) Read(p []byte) (int, error)  { return c.r.Read(p) }
func (c *wireConn) Write(p []byte) (int, error) { return len(p), nil }
func (c *wireConn) Close() error                { return c.l.Close() }
func (c *wireConn) LocalAddr() net.Addr         { return &net.TCPAddr{} }
func (c *wireConn) RemoteAddr() net.Addr        { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1234} }

func (*wireConn) SetDeadline(time.Time) error      { return nil }
func (*wireConn) SetReadDeadline(time.Time) error  { return nil }
func (*wireConn) SetWriteDeadline(time.Time) error { return nil }
