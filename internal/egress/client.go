package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"ullim/internal/errs"
)

// Options of a Client. Zero values are sensible.
type Options struct {
	Allow       []string       // exceptions; see ParseAllow
	Ports       []uint16       // that may be called elsewhere; empty: 443
	Own         []netip.Addr   // addresses that lead to this node beside those of its interfaces
	Resolver    Resolver       // nil: the system's
	RootCAs     *x509.CertPool // nil: the system's
	Dial        Dial           // nil: TCP of the system
	PerInstance int            // calls of one instance at once; 0: 128
	PerHost     int            // of one instance to one host; 0: 64
	Connect     time.Duration  // longest time to resolve and connect; 0: 5 s
	FirstByte   time.Duration  // longest time from the request to the answer's header; 0: 30 s
	Whole       time.Duration  // longest time of a request, if it says nothing; 0: 30 s
}

// Dial connects to an address that was judged, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Bounds of an answer.
const (
	maxHeader   = 32 << 10
	defaultBody = 1 << 20
	maxHops     = 5
)

// Client makes calls to addresses that tenants have chosen.
type Client struct {
	guard     *guard
	whole     time.Duration
	instances *slots
	hosts     *slots
	http      *http.Transport
	upgrade   *http.Transport // HTTP/1.1 only: what becomes a WebSocket
}

// New makes a Client. errs.Invalid: an exception that is none.
func New(o Options) (*Client, error) {
	orElse := func(d *time.Duration, most time.Duration) {
		if *d <= 0 {
			*d = most
		}
	}
	orElse(&o.Connect, 5*time.Second)
	orElse(&o.FirstByte, 30*time.Second)
	orElse(&o.Whole, 30*time.Second)
	if o.PerInstance <= 0 {
		o.PerInstance = 128
	}
	if o.PerHost <= 0 {
		o.PerHost = 64
	}
	if len(o.Ports) == 0 {
		o.Ports = []uint16{443}
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	own := &interfaces{more: o.Own}
	g := &guard{
		ports: o.Ports, inside: inside(), public: public(), own: own.addrs, resolver: o.Resolver, connect: o.Connect,
	}
	for _, text := range o.Allow {
		e, err := parseException(text)
		if err != nil {
			return nil, err
		}
		g.allow = append(g.allow, e)
	}
	if g.dial = o.Dial; g.dial == nil {
		g.dial = (&net.Dialer{KeepAlive: 30 * time.Second, Control: onlyIP}).DialContext
	}
	c := &Client{guard: g, whole: o.Whole, instances: newSlots(o.PerInstance), hosts: newSlots(o.PerHost)}
	c.http, c.upgrade = c.transport(o, true), c.transport(o, false)
	c.http.MaxConnsPerHost = 4 * o.PerHost // of all instances; what has become a WebSocket is bounded by calls
	return c, nil
}

// onlyIP is the last gate before a socket connects: TCP to an address that was judged, nothing else.
func onlyIP(network, address string, _ syscall.RawConn) error {
	if _, err := netip.ParseAddrPort(address); err != nil || network != "tcp4" && network != "tcp6" {
		return refuse("%s %s: not TCP to an address", network, address)
	}
	return nil
}

func (c *Client) transport(o Options, second bool) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(second)
	return &http.Transport{
		Proxy: nil, DialContext: c.guard.open, Protocols: &protocols, DisableCompression: true,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		TLSHandshakeTimeout: o.Connect, ResponseHeaderTimeout: o.FirstByte, MaxResponseHeaderBytes: maxHeader,
		IdleConnTimeout: 30 * time.Second, MaxIdleConns: 256, MaxIdleConnsPerHost: 8,
	}
}

// Close ends idle connections.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.upgrade.CloseIdleConnections()
}

// Request is one call. InstanceID says whose it is.
type Request struct {
	InstanceID string
	Method     string
	URL        string
	Header     http.Header
	Body       []byte
	MaxBody    int64         // of the answer; 0: 1 MiB
	Timeout    time.Duration // of all of it; 0: Options.Whole
	Redirects  int           // that are followed, at most 5; usually none: a body goes to whom it was meant for
}

// Response is the whole answer.
type Response struct {
	Status int
	Proto  string
	Header http.Header
	Body   []byte
}

// Do makes a call. errs.Invalid: such a URL is never called; errs.Denied: the guard refused it; errs.Limit: the answer
// is too large; errs.Unavailable: nobody answered, or not in time.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	u, err := parse(r.URL, "https", "http")
	if err != nil {
		return nil, err
	}
	if r.Timeout <= 0 {
		r.Timeout = c.whole
	}
	if r.MaxBody <= 0 {
		r.MaxBody = defaultBody
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	free, err := c.place(ctx, r.InstanceID, u.Host)
	if err != nil {
		return nil, err
	}
	defer free()
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "the request cannot be made")
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "ullim")
	}
	client := &http.Client{Transport: gate{c.http}, CheckRedirect: hops(min(r.Redirects, maxHops))}
	resp, err := client.Do(req)
	if err != nil {
		return nil, outside(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, r.MaxBody+1))
	if err != nil {
		return nil, outside(err)
	}
	if int64(len(body)) > r.MaxBody {
		return nil, errs.New(errs.Limit, "the answer has more than %d bytes", r.MaxBody)
	}
	return &Response{Status: resp.StatusCode, Proto: resp.Proto, Header: resp.Header, Body: body}, nil
}

// place waits for a slot of the instance and one of its host.
func (c *Client) place(ctx context.Context, instanceID, host string) (free func(), err error) {
	ofHost, err := c.hosts.take(ctx, instanceID+" "+host)
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "too many calls to this host are under way")
	}
	ofInstance, err := c.instances.take(ctx, instanceID)
	if err != nil {
		ofHost()
		return nil, errs.Wrap(err, errs.Unavailable, "too many calls to outside are under way")
	}
	return func() { ofInstance(); ofHost() }, nil
}

// gate looks at each request of a chain before it is sent, and tells the guard whether it is without TLS.
type gate struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (g gate) RoundTrip(r *http.Request) (*http.Response, error) {
	u, err := parse(r.URL.String(), "https", "http")
	if err != nil {
		return nil, err
	}
	ctx := context.WithValue(r.Context(), plainKey{}, u.Scheme == "http")
	return g.next.RoundTrip(r.WithContext(ctx))
}

// hops follows so many redirects and then gives the redirect itself as the answer. Nothing of a secret goes to another
// host, and nothing goes from TLS to where there is none.
func hops(most int) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		last := via[len(via)-1]
		if len(via) > most || last.URL.Scheme == "https" && next.URL.Scheme != "https" {
			return http.ErrUseLastResponse
		}
		if next.URL.Host != via[0].URL.Host {
			next.Header = http.Header{"User-Agent": next.Header["User-Agent"], "Content-Type": next.Header["Content-Type"]}
		}
		return nil
	}
}

// outside is an error as the caller may see it.
func outside(err error) error {
	if e, ok := errors.AsType[*errs.Error](err); ok {
		return errs.Wrap(err, e.Kind, "%s", e.Message)
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return errs.Wrap(err, errs.Unavailable, "no answer in time")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errs.Wrap(err, errs.Unavailable, "its certificate is not valid")
	}
	return errs.Wrap(err, errs.Unavailable, "no answer")
}
