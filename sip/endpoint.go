package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
	"ullim/internal/phone"
)

// RFC 3261 §17.1.1.1.
const (
	timerT1 = 500 * time.Millisecond
	timerT2 = 4 * time.Second
	timerB  = 64 * timerT1 // also F, H, J, L, M
)

// closeGrace is how long Close waits for the peers to answer our last BYE.
const closeGrace = time.Second

// Options of an Endpoint. Trunks, Devices, Registrar, Limits and Admitter must be set.
type Options struct {
	Log       *slog.Logger
	Packets   []net.PacketConn // UDP, bound; the endpoint closes them
	Listeners []net.Listener   // TCP; the endpoint closes them
	Advertise string           // host[:port] for Via and Contact; empty: the local address towards the peer
	Realm     string           // of the digest challenges
	Secret    []byte           // signs nonces; shared by nodes; random if empty
	Trunks    func() *TrunkTable
	Devices   func() *DeviceTable
	Registrar *Registrar
	Limits    *Limits
	Admitter  Admitter
	Auth      *Authenticator // empty: made of Realm and Secret
	Resolver  Resolver       // of the carriers' names; empty: the system's
	// OpenSecret reads the password of a trunk's Login. May be nil if no trunk has one.
	OpenSecret func(*Trunk) (string, error)
	UserAgent  string
	MaxCalls   int // legs at once, of both directions (2000)

	// Region gives the country of an instance, for national numbers from devices and from trunks without a region of
	// their own. May be nil.
	Region func(instanceID string) string
	// OnAnswer is told of every final answer of ours to a request that a transaction was made for, OnRefused of every
	// INVITE that was not admitted: method and status. They must not block; both may be nil.
	OnAnswer  func(method string, status int)
	OnRefused func(status int)
	// OnMessage is told of every whole SIP message that comes in or goes out, for traces and capture. It must not block;
	// may be nil.
	OnMessage func(Message)
}

// Message is a SIP message on the wire. Raw belongs to the socket: whoever keeps it copies it.
type Message struct {
	At            time.Time
	Sent          bool
	Network       string // UDP, TCP, TLS, WS, WSS
	Local, Remote netip.AddrPort
	Raw           []byte
}

// Endpoint is the SIP side of the process: all sockets, all legs.
type Endpoint struct {
	opt    Options
	log    *slog.Logger
	auth   *Authenticator
	secret []byte
	prefix string // of our branches
	host   string // to advertise
	port   int

	parser       *sipgo.Parser
	transports   *sipgo.TransportLayer
	transactions *sipgo.TransactionLayer
	packets      []*packetGuard
	listeners    []*listenGuard
	streams      streams
	index        *index
	carriers     *carriers

	numbers     phone.Cache
	count       counters
	draining    atomic.Bool
	shedAnswers rate
	logRate     rate
	panicRate   rate

	ctx    context.Context //nolint:containedctx // the life of the endpoint
	cancel context.CancelFunc
	wg     sync.WaitGroup
	lifeMu sync.Mutex
	closed bool // nothing may start any more
	start  sync.Once
	stop   sync.Once
}

var _ call.Dialer = (*Endpoint)(nil)

// NewEndpoint wires the endpoint; Start begins to serve.
func NewEndpoint(o Options) (*Endpoint, error) {
	switch {
	case len(o.Packets)+len(o.Listeners) == 0:
		return nil, errors.New("sip: no socket to serve")
	case o.Trunks == nil || o.Devices == nil || o.Registrar == nil || o.Limits == nil || o.Admitter == nil:
		return nil, errors.New("sip: Trunks, Devices, Registrar, Limits and Admitter must be set")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.UserAgent == "" {
		o.UserAgent = "ullim"
	}
	if o.MaxCalls <= 0 {
		o.MaxCalls = 2000
	}
	if o.Region == nil {
		o.Region = func(string) string { return "" }
	}
	if o.OnAnswer == nil {
		o.OnAnswer = func(string, int) {}
	}
	if o.OnRefused == nil {
		o.OnRefused = func(int) {}
	}
	prepareLibrary()
	ep := &Endpoint{
		opt: o, log: o.Log, auth: o.Auth, secret: make([]byte, 32), prefix: branchCookie + newTag()[:8] + "-",
		parser: sipgo.NewParser(), index: newIndex(),
		shedAnswers: rate{perSecond: 100, burst: 100},
		logRate:     rate{perSecond: 20, burst: 200},
		panicRate:   rate{perSecond: 1, burst: 10},
	}
	_, _ = rand.Read(ep.secret) // never fails: crypto/rand ends the program instead
	if ep.auth == nil {
		ep.auth = NewAuthenticator(o.Realm, o.Secret)
	}
	if err := ep.advertise(o.Advertise); err != nil {
		return nil, err
	}
	ep.ctx, ep.cancel = context.WithCancel(context.Background())
	key := o.Secret
	if len(key) == 0 {
		key = ep.secret
	}
	ep.carriers = newCarriers(ep, o.Resolver, key)
	log := slog.New(newSampler(o.Log.Handler()))
	ep.transports = sipgo.NewTransportLayer(net.DefaultResolver, sipgo.NewParser(), nil,
		sipgo.WithTransportLayerLogger(log),
		sipgo.WithTransportLayerTransports(sipgo.TransportsConfig{TCP: &sipgo.TransportTCP{DialerCreate: neverDial}}))
	ep.transactions = sipgo.NewTransactionLayer(ep.transports,
		sipgo.WithTransactionLayerLogger(log),
		sipgo.WithTransactionLayerUnhandledResponseHandler(ep.strayResponse),
		sipgo.WithTransactionLayerTerminateOnConnClose())
	ep.transactions.OnRequest(ep.onRequest)
	for _, c := range o.Packets {
		local, ok := addrPort(c.LocalAddr())
		if !ok {
			return nil, fmt.Errorf("sip: local address %s is not ip:port", c.LocalAddr())
		}
		ep.packets = append(ep.packets, &packetGuard{ep: ep, conn: c, local: local, done: make(chan struct{})})
	}
	for _, l := range o.Listeners {
		ep.listeners = append(ep.listeners, &listenGuard{Listener: l, ep: ep})
	}
	return ep, nil
}

func (ep *Endpoint) advertise(text string) error {
	if text == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), ""
	}
	if port != "" {
		if ep.port, err = strconv.Atoi(port); err != nil || ep.port < 1 || ep.port > 65535 {
			return fmt.Errorf("sip: advertised port %q is not 1 to 65535", port)
		}
	}
	if a, ok := hostAddr(host); ok {
		host = uriHost(a)
	} else if host == "" || strings.ContainsAny(host, " \t\r\n;,<>@:\"") {
		return fmt.Errorf("sip: advertised host %q is neither an IP address nor a name", host)
	}
	ep.host = host
	return nil
}

// neverDial makes sipgo unable to open connections: a client's address is not a place to connect to, and whoever has
// closed his connection is gone.
func neverDial(net.Addr) net.Dialer {
	return net.Dialer{
		Timeout: time.Millisecond,
		ControlContext: func(context.Context, string, string, syscallConn) error {
			return errors.New("sip: the peer's connection is gone")
		},
	}
}

// Start begins to serve. It returns when all sockets are read.
func (ep *Endpoint) Start() {
	ep.start.Do(func() {
		for _, g := range ep.packets {
			g.serve()
		}
		for _, g := range ep.listeners {
			ep.spawn(func() {
				if err := ep.transports.ServeTCP(g); !errors.Is(err, net.ErrClosed) {
					ep.log.Error("tcp listener failed", "local", g.Addr().String(), "error", err)
				}
			})
		}
		ep.SyncTrunks()
	})
}

// Drain refuses new calls and pings with 503; what is in a dialog goes on.
func (ep *Endpoint) Drain() { ep.draining.Store(true) }

// Close ends everything: every leg is hung up and gets a moment to say so, then sockets close. When it returns, no
// goroutine is left. It closes the sockets even if the endpoint was never started.
func (ep *Endpoint) Close() {
	ep.stop.Do(func() {
		ep.Drain()
		deadline := time.After(closeGrace)
		for _, l := range ep.index.legs() {
			l.Hangup("SIP;cause=503;text=\"shutting down\"")
		}
		for _, l := range ep.index.legs() {
			select {
			case <-l.done:
				continue
			case <-deadline:
			}
			break
		}
		ep.carriers.close(closeGrace)
		ep.cancel()
		ep.lifeMu.Lock()
		ep.closed = true
		ep.lifeMu.Unlock()
		for _, l := range ep.index.legs() {
			l.kill()
		}
		ep.transactions.Close()
		for _, g := range ep.packets {
			g.close()
		}
		for _, g := range ep.listeners {
			_ = g.Close() // nobody waits for it any more
		}
		ep.streams.closeAll()
		_ = ep.transports.Close()
		ep.wg.Wait()
	})
}

// spawn starts a goroutine that Close waits for. ok is false if the endpoint is closed: nothing was started.
func (ep *Endpoint) spawn(f func()) (ok bool) {
	ep.lifeMu.Lock()
	defer ep.lifeMu.Unlock()
	if ep.closed {
		return false
	}
	ep.wg.Go(f)
	return true
}

// ownBranch reports whether a branch is one of ours, so that an answer may be to a request of ours.
func (ep *Endpoint) ownBranch(branch string) bool { return strings.HasPrefix(branch, ep.prefix) }

func (ep *Endpoint) newVia(d *dialog) *sipgo.ViaHeader {
	via := &sipgo.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: d.network,
		Host: strings.Trim(d.via.Host, "[]"), Port: d.via.Port,
	}
	via.Params = sipgo.HeaderParams{{K: "branch", V: ep.prefix + newTag()}, {K: "rport"}}
	return via
}

// face is the host and port that a peer should see, for one of our sockets.
func (ep *Endpoint) face(local, peer netip.AddrPort) sipgo.Uri {
	u := sipgo.Uri{Host: ep.host, Port: ep.port}
	if u.Port == 0 {
		u.Port = int(local.Port())
	}
	if u.Host != "" {
		return u
	}
	addr := local.Addr()
	if addr.IsUnspecified() {
		addr = towards(ep.ctx, peer, addr)
	}
	u.Host = uriHost(addr)
	return u
}

// towards is the local address that packets to peer leave from. Nothing is sent.
func towards(ctx context.Context, peer netip.AddrPort, otherwise netip.Addr) netip.Addr {
	c, err := (&net.Dialer{}).DialContext(ctx, "udp", peer.String())
	if err != nil {
		return otherwise
	}
	defer func() { _ = c.Close() }()
	local, ok := addrPort(c.LocalAddr())
	if !ok {
		return otherwise
	}
	return local.Addr()
}

// packetFor is the UDP socket for a peer: the first of its address family.
func (ep *Endpoint) packetFor(peer netip.Addr) *packetGuard {
	for _, g := range ep.packets {
		local := g.local.Addr()
		if local.Is4() == peer.Is4() || local.IsUnspecified() && local.Is6() {
			return g
		}
	}
	return nil
}

// listenPort is the port for a stream peer's Contact: the first listener's.
func (ep *Endpoint) listenPort() uint16 {
	if len(ep.listeners) > 0 {
		if ap, ok := addrPort(ep.listeners[0].Addr()); ok {
			return ap.Port()
		}
	}
	return 0
}

// panicked counts and logs a panic that was contained.
func (ep *Endpoint) panicked(where string, p any) {
	ep.count.panics.Add(1)
	if ep.panicRate.allow(time.Now()) {
		ep.log.Error("panic contained", "where", where, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
}

// strayResponse is an answer whose transaction is over. RFC 3261 §17.1.1.2 has it dropped unless it is a 200 to an
// INVITE, and those come to transactions for 64*T1, long enough.
func (ep *Endpoint) strayResponse(*sipgo.Response) { ep.count.dropped.Add(1) }
