package identity

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Errors of Authenticate, each inside an *errs.Error.
var (
	// ErrMissing: the request carries no credential.
	ErrMissing = errors.New("identity: no credential")
	// ErrMalformed: the credential cannot be read.
	ErrMalformed = errors.New("identity: malformed credential")
	// ErrSkew: the request was signed at another time: a wrong clock, a replay, or an expired presigned URL.
	ErrSkew = errors.New("identity: signature is of another time")
	// ErrRefused: unknown key, wrong signature, expired key, wrong token: never said which.
	ErrRefused = errors.New("identity: credential refused")
	// ErrTooLarge: the body is larger than allowed.
	ErrTooLarge = errors.New("identity: body too large")
)

const (
	// maxSkew is how far a client's clock may be off.
	maxSkew = 5 * time.Minute
	// maxUndeclared is the largest body read before it is known who sent it. A request that declares its hash in
	// X-Amz-Content-Sha256, or brings a bearer token, is checked first and may then send more.
	maxUndeclared = 2 << 20

	unsignedPayload = "UNSIGNED-PAYLOAD"
	decoyOwner      = "nobody"
)

// Keys finds access keys of all instances.
type Keys interface {
	// FindAccessKey finds by access key id. errs.NotFound.
	FindAccessKey(ctx context.Context, keyID string) (*AccessKey, error)
	// FindByTokenHash finds by the SHA-256 of the bearer token, hexadecimal. errs.NotFound.
	FindByTokenHash(ctx context.Context, sha256hex string) (*AccessKey, error)
}

// AuthOptions are what an Authenticator needs. All but Log are required.
type AuthOptions struct {
	Keys     Keys
	Users    resource.Store[*User]
	Profiles resource.Store[*SecurityProfile]
	Sealer   *Sealer
	Log      *slog.Logger
}

// Authenticator tells who sends an HTTP request: AWS Signature V4 in the header or in the query, or a bearer token.
// It is safe for concurrent use.
type Authenticator struct {
	o       AuthOptions
	backoff Backoff
	decoy   string // the sealed secret of keys that do not exist
}

// NewAuthenticator makes an Authenticator.
func NewAuthenticator(o AuthOptions) (*Authenticator, error) {
	if o.Keys == nil || o.Users == nil || o.Profiles == nil || o.Sealer == nil {
		return nil, errors.New("identity: an authenticator needs keys, users, profiles and a sealer")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	decoy := make([]byte, 20)
	if _, err := rand.Read(decoy); err != nil {
		return nil, fmt.Errorf("identity: random secret: %w", err)
	}
	sealed, err := o.Sealer.Seal(decoyOwner, hex.EncodeToString(decoy))
	if err != nil {
		return nil, err
	}
	return &Authenticator{o: o, decoy: sealed}, nil
}

// Authenticate tells who sends r. A signature covers the body, so the body may be read, maxBody bytes at most, and r
// gets another one with the same bytes. Errors are of kind errs.Unauthenticated and wrap one of the sentinel errors
// above; errs.Throttled while the sender must wait; errs.Invalid with ErrTooLarge for a body that is too large.
func (a *Authenticator) Authenticate(r *http.Request, maxBody int64) (*Principal, error) {
	now := time.Now()
	auth := r.Header.Values("Authorization")
	if len(auth) > 1 {
		return nil, malformed("there must be one Authorization header")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, malformed("the query string cannot be read")
	}
	if len(auth) == 0 {
		if !query.Has("X-Amz-Signature") && !query.Has("X-Amz-Credential") {
			return nil, errs.Wrap(ErrMissing, errs.Unauthenticated, "missing authentication")
		}
		var c *credential
		if c, err = parsePresigned(query); err != nil {
			return nil, err
		}
		return a.signature(r, c, query, now, maxBody)
	}
	if query.Has("X-Amz-Signature") {
		return nil, malformed("a request is signed in the header or in the query, not in both")
	}
	if scheme, token, _ := strings.Cut(auth[0], " "); strings.EqualFold(scheme, "Bearer") {
		return a.bearer(r, strings.TrimSpace(token), now)
	}
	c, err := parseAuthorization(auth[0])
	if err == nil {
		err = c.finishHeaderForm(r.Header)
	}
	if err != nil {
		return nil, err
	}
	return a.signature(r, c, query, now, maxBody)
}

// bearer finds the key of a token. The token's hash is the search key, so nothing is compared byte by byte. A known
// token is never made to wait: it cannot be guessed, and the others from the same address must not lock it out.
func (a *Authenticator) bearer(r *http.Request, token string, now time.Time) (*Principal, error) {
	if token == "" || len(token) > 512 {
		return nil, malformed("the bearer token must have 1 to 512 characters")
	}
	who := "bearer " + Source(r)
	key, err := a.o.Keys.FindByTokenHash(r.Context(), TokenHash(token))
	switch {
	case err == nil && key.TokenSHA256 != "" && !expired(key, now):
		return a.principal(r.Context(), key)
	case err != nil && !errs.Is(err, errs.NotFound):
		return nil, fmt.Errorf("identity: find token: %w", err)
	}
	if wait := a.backoff.Wait(who, now); wait > 0 {
		return nil, tooOften(wait)
	}
	return nil, a.refuse(r, who, "bearer", "unknown or expired token", now)
}

// signature checks a Signature V4, header or query form.
func (a *Authenticator) signature(
	r *http.Request, c *credential, query url.Values, now time.Time, maxBody int64,
) (*Principal, error) {
	switch c.service {
	case "connect", "execute-api", "connect-campaigns", "mobiletargeting":
	default:
		return nil, malformed("the credential is scoped to another service: %s", c.service)
	}
	if err := c.checkTime(now); err != nil {
		return nil, err
	}
	who := c.keyID + " " + Source(r)
	if wait := a.backoff.Wait(who, now); wait > 0 {
		return nil, tooOften(wait)
	}
	payload, check, err := a.payload(r, c, maxBody)
	if err != nil {
		return nil, err
	}
	canonical, err := canonicalRequest(r, c, query, payload)
	if err != nil {
		return nil, err
	}
	key, secret, err := a.secret(r.Context(), c.keyID)
	if err != nil {
		return nil, err
	}
	if good := hmac.Equal(sign(secret, c, canonical), c.signature); !good || key == nil {
		why := "wrong signature"
		if key == nil {
			why = "unknown access key"
		}
		return nil, a.refuse(r, who, c.keyID, why, now)
	}
	if expired(key, now) {
		return nil, a.refuse(r, who, c.keyID, "expired access key", now)
	}
	if check != nil {
		if err = check(); err != nil {
			return nil, err
		}
	}
	a.backoff.Succeed(who)
	return a.principal(r.Context(), key)
}

// checkTime compares the time of the signature with ours.
func (c *credential) checkTime(now time.Time) error {
	ours := now.UTC().Format(amzTime)
	switch {
	case c.date.After(now.Add(maxSkew)):
		return errs.Wrap(ErrSkew, errs.Unauthenticated, "signature not yet current: %s is still later than %s",
			c.date.Format(amzTime), ours)
	case c.presigned && now.After(c.date.Add(c.expires)), !c.presigned && now.After(c.date.Add(maxSkew)):
		return errs.Wrap(ErrSkew, errs.Unauthenticated, "signature expired: %s is too long before %s",
			c.date.Format(amzTime), ours)
	}
	return nil
}

// payload is the hash of the body as the signature has it. Where the client declares a hash, the body is read only
// after the signature has been found good, by check.
func (a *Authenticator) payload(r *http.Request, c *credential, maxBody int64) (hash string, check func() error, err error) {
	declared := r.Header.Values("X-Amz-Content-Sha256")
	switch {
	case len(declared) > 1:
		return "", nil, malformed("X-Amz-Content-Sha256 must be there once")
	case len(declared) == 0:
		hash, err = bufferBody(r, min(maxBody, maxUndeclared))
		return hash, nil, err
	case !slices.Contains(c.signed, "x-amz-content-sha256"):
		return "", nil, malformed("X-Amz-Content-Sha256 must be signed")
	case declared[0] == unsignedPayload:
		if r.TLS == nil && !Loopback(r) {
			return "", nil, malformed("%s needs TLS or the loopback interface", unsignedPayload)
		}
		return unsignedPayload, nil, nil
	case !matches(`^[0-9a-f]{64}$`, declared[0]):
		return "", nil, malformed("X-Amz-Content-Sha256 must be 64 hexadecimal digits or %s", unsignedPayload)
	}
	return declared[0], func() error {
		got, berr := bufferBody(r, maxBody)
		if berr == nil && got != declared[0] {
			berr = malformed("the body is not the one of X-Amz-Content-Sha256")
		}
		return berr
	}, nil
}

// bufferBody reads the body, puts a copy in its place and gives its SHA-256.
func bufferBody(r *http.Request, most int64) (string, error) {
	if r.ContentLength > most {
		return "", errs.Wrap(ErrTooLarge, errs.Invalid, "the body must have at most %d bytes", most)
	}
	var body []byte
	if r.Body != nil && r.Body != http.NoBody {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, most+1)); err != nil {
			return "", errs.Wrap(err, errs.Invalid, "the body cannot be read")
		}
		if int64(len(body)) > most {
			return "", errs.Wrap(ErrTooLarge, errs.Invalid, "the body must have at most %d bytes", most)
		}
		_ = r.Body.Close()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

// secret is the secret of a key; for an unknown one a nil key and a decoy, so that both take the same work.
func (a *Authenticator) secret(ctx context.Context, keyID string) (*AccessKey, string, error) {
	key, err := a.o.Keys.FindAccessKey(ctx, keyID)
	if errs.Is(err, errs.NotFound) {
		secret, derr := a.o.Sealer.Open(decoyOwner, a.decoy)
		return nil, secret, derr
	}
	if err != nil {
		return nil, "", fmt.Errorf("identity: find access key: %w", err)
	}
	secret, err := a.o.Sealer.Open(key.Name, key.Secret)
	if err != nil {
		return nil, "", fmt.Errorf("identity: access key %s: %w", key.Name, err)
	}
	return key, secret, nil
}

// principal reads who owns the key and what they may do.
func (a *Authenticator) principal(ctx context.Context, key *AccessKey) (*Principal, error) {
	return a.Principal(ctx, key.InstanceID, key.UserID)
}

// Principal is a user with what they may do now. errs.Unauthenticated: there is no such user any more.
func (a *Authenticator) Principal(ctx context.Context, instanceID, userID string) (*Principal, error) {
	user, err := a.o.Users.Get(ctx, instanceID, userID)
	if errs.Is(err, errs.NotFound) {
		return nil, errs.Wrap(ErrRefused, errs.Unauthenticated, refusedText)
	}
	if err != nil {
		return nil, fmt.Errorf("identity: user: %w", err)
	}
	p := &Principal{
		InstanceID: user.InstanceID, UserID: user.ID, Username: user.Name, Permissions: make(map[string]bool),
	}
	for _, id := range user.SecurityProfileIDs {
		profile, perr := a.o.Profiles.Get(ctx, user.InstanceID, id)
		if errs.Is(perr, errs.NotFound) {
			continue
		}
		if perr != nil {
			return nil, fmt.Errorf("identity: security profile of %s: %w", user.ID, perr)
		}
		for _, name := range profile.Permissions {
			p.Permissions[name] = true
		}
	}
	return p, nil
}

// refusedText is the one answer to everything that a guesser might try.
const refusedText = "The security token included in the request is invalid."

// refuse counts the failure and gives the answer that says nothing; the log has the reason.
func (a *Authenticator) refuse(r *http.Request, who, keyID, why string, now time.Time) error {
	level := slog.LevelInfo
	msg := "authentication refused"
	if a.backoff.Fail(who, now) {
		level, msg = slog.LevelWarn, "authentication refused again and again: sender must wait from now on"
	}
	a.o.Log.LogAttrs(r.Context(), level, msg, //nolint:sloglint // one of two constants
		slog.String("key_id", keyID), slog.String("source", Source(r)), slog.String("why", why))
	return errs.Wrap(ErrRefused, errs.Unauthenticated, refusedText)
}

func tooOften(wait time.Duration) error {
	return errs.New(errs.Throttled, "too many failures; try again in %s", wait.Round(time.Second)+time.Second)
}

func expired(k *AccessKey, now time.Time) bool { return !k.Expires.IsZero() && now.After(k.Expires) }

// Source is the address that a request comes from, for back-off and logs: an IPv4 address, or the /64 of an IPv6 one.
// Forwarding headers are not believed: anyone can write them.
func Source(r *http.Request) string {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "unknown"
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.Is6() && !addr.IsLoopback() {
		if p, perr := addr.Prefix(64); perr == nil {
			return p.String()
		}
	}
	return addr.String()
}

// Loopback reports whether a request comes from this machine itself, and not through a proxy on it.
func Loopback(r *http.Request) bool {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && ap.Addr().Unmap().IsLoopback() && r.Header.Get("X-Forwarded-For") == "" &&
		r.Header.Get("Forwarded") == "" && r.Header.Get("X-Real-Ip") == ""
}
