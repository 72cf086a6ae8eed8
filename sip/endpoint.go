package sip

import (
	"context"
	"crypto/rand"
	"crypto/tls"
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
	Secure    []net.Listener   // TCP, for TLS; the endpoint closes them
	ServerTLS *tls.Config      // of Secure
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
	// KeepAlive is how often phones behind a NAT on UDP are asked OPTIONS; 0: never.
	KeepAlive time.Duration
	Trust     TrustOptions
	State     StateStore // bans, spending and waiting messages over a restart; nil: they are forgotten
	// OutboundPolicy is what may leave an instance on trunks; nil, or a nil policy, is the strictest.
	OutboundPolicy func(instanceID string) *OutboundPolicy
	// Waiting is how many new and old messages a user has; nil: what SetWaiting said last.
	Waiting func(userID string) (fresh, old int)
	// Explainer is asked by dry runs; may be nil.
	Explainer Explainer
	// OnAlarm is told of what a person should look at. It must not block; may be nil.
	OnAlarm func(Alarm)

	SessionExpires time.Duration // of the session timers that we ask for (30 min); negative: none (RFC 4028)
	MinSE          time.Duration // the shortest that we take (90 s)

	// OnText takes text messages (RFC 3428) of devices and trunks. It must not block; nil: they are refused.
	OnText func(Text)

	MaxStreams int // connections at once (4096); the last eighth is kept for trunks and hosts that have registered
	// ClientCertificate is what we show to a server that asks for a certificate. May be nil.
	ClientCertificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
	// Dial opens a connection to a trunk, from an address of ours if that is valid; nil: TCP.
	Dial func(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error)

	// Region gives the country of an instance, for national numbers from devices and from trunks without a region of
	// their own. May be nil.
	Region func(instanceID string) string
	// OnAnswer is told of every final answer of ours to a request that a transaction was made for, OnRefused of every
	// INVITE that was not admitted. They must not block; both may be nil.
	OnAnswer  func(method string, status int)
	OnRefused func(Refused)
	// OnMessage is told of every whole SIP message that comes in or goes out, for traces and capture. It must not block;
	// may be nil.
	OnMessage func(Message)
}

// Refused is an INVITE that was not admitted.
type Refused struct {
	Status int
	Rule   string // the first that failed, as Decision.Failed has it; empty: it was not looked at that far
	Err    error  // of the owner of calls; nil: it was not asked
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
	prefix string     // of our branches
	host   string     // to advertise
	hostIP netip.Addr // the same, if it is an address
	port   int

	parser       *sipgo.Parser
	transports   *sipgo.TransportLayer
	transactions *sipgo.TransactionLayer
	packets      []*packetGuard
	listeners    []*listenGuard
	doors        map[string]*door
	streams      streams
	index        *index
	pings        pings
	trust        *trust
	fraud        *ledger
	mwi          *waiting
	unwritten    []State // of keep
	carriers     *carriers

	numbers  phone.Cache
	dialMu   sync.Mutex // of the next four
	dials    map[flowKey]*dialing
	lines    expiring[flowKey, hop]         // how peers were connected to
	ways     expiring[dialogKey, way]       // how requests of dialogs may go
	tcpPeers expiring[netip.AddrPort, bool] // whether a UDP peer has TCP

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
	case len(o.Packets)+len(o.Listeners)+len(o.Secure) == 0:
		return nil, errors.New("sip: no socket to serve")
	case len(o.Secure) > 0 && o.ServerTLS == nil:
		return nil, errors.New("sip: ServerTLS must be set for Secure")
	case o.Trunks == nil || o.Devices == nil || o.Registrar == nil || o.Limits == nil || o.Admitter == nil:
		return nil, errors.New("sip: Trunks, Devices, Registrar, Limits and Admitter must be set")
	}
	o.defaults()
	prepareLibrary()
	ep := &Endpoint{
		opt: o, log: o.Log, auth: o.Auth, secret: make([]byte, 32), prefix: branchCookie + newTag()[:8] + "-",
		parser: sipgo.NewParser(), index: newIndex(), streams: newStreams(o.MaxStreams), doors: make(map[string]*door),
		trust: newTrust(o.Trust, o.Trunks), fraud: newLedger(), mwi: newWaiting(),
		dials:       make(map[flowKey]*dialing),
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
	ep.carriers = newCarriers(ep)
	log := slog.New(newSampler(o.Log.Handler()))
	ep.transports = sipgo.NewTransportLayer(net.DefaultResolver, sipgo.NewParser(), nil,
		sipgo.WithTransportLayerLogger(log), sipgo.WithTransportLayerTransports(neverDialling()))
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
		ep.packets = append(ep.packets, &packetGuard{ep: ep, conn: quicken(c), local: local, done: make(chan struct{})})
	}
	for _, l := range o.Listeners {
		ep.listeners = append(ep.listeners, &listenGuard{Listener: l, ep: ep})
	}
	for _, l := range o.Secure {
		ep.listeners = append(ep.listeners, &listenGuard{Listener: l, ep: ep, secure: o.ServerTLS})
	}
	for _, network := range streamNetworks() {
		ep.doors[network] = newDoor(network)
	}
	return ep, nil
}

// defaults fills in what was left out.
func (o *Options) defaults() {
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
	if o.OutboundPolicy == nil {
		o.OutboundPolicy = func(string) *OutboundPolicy { return nil }
	}
	if o.OnAlarm == nil {
		o.OnAlarm = func(Alarm) {}
	}
	if o.OnAnswer == nil {
		o.OnAnswer = func(string, int) {}
	}
	if o.SessionExpires == 0 {
		o.SessionExpires = defaultExpires
	}
	o.MinSE = max(o.MinSE, leastMinSE)
	if o.SessionExpires > 0 {
		o.SessionExpires = max(o.SessionExpires, o.MinSE)
	}
	if o.OnRefused == nil {
		o.OnRefused = func(Refused) {}
	}
	if o.Dial == nil {
		o.Dial = dialTCP
	}
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
		host, ep.hostIP = uriHost(a), a
	} else if host == "" || strings.ContainsAny(host, " \t\r\n;,<>@:\"") {
		return fmt.Errorf("sip: advertised host %q is neither an IP address nor a name", host)
	}
	ep.host = host
	return nil
}

// Start begins to serve. It returns when all sockets are read.
func (ep *Endpoint) Start() {
	ep.start.Do(func() {
		ep.openDoors()
		ep.recall(ep.ctx)
		ep.spawn(ep.keep)
		for _, g := range ep.packets {
			g.serve()
		}
		for _, g := range ep.listeners {
			ep.spawn(g.serve)
		}
		if ep.opt.KeepAlive > 0 {
			ep.spawn(func() { ep.pingPhones(ep.opt.KeepAlive) })
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
		for _, d := range ep.doors {
			_ = d.Close() // nobody enters any more
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

// hold makes Close wait until wg is told that something is done. ok is false if the endpoint is closed.
func (ep *Endpoint) hold() (ok bool) {
	ep.lifeMu.Lock()
	defer ep.lifeMu.Unlock()
	if !ep.closed {
		ep.wg.Add(1)
	}
	return !ep.closed
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

// face is the host and port that a peer should see, for one of our sockets. An advertised address is for peers of its own
// family; others see the socket's.
func (ep *Endpoint) face(local, peer netip.AddrPort) sipgo.Uri {
	u := sipgo.Uri{Host: ep.host, Port: int(local.Port())}
	otherFamily := ep.hostIP.IsValid() && peer.IsValid() && ep.hostIP.Is4() != peer.Addr().Unmap().Is4()
	if u.Host != "" && !otherFamily {
		if ep.port != 0 && local.Port() != ep.listenPort("TLS") {
			u.Port = ep.port
		}
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

// packetFor is the UDP socket for a peer: the first of its address family, else one for both.
func (ep *Endpoint) packetFor(peer netip.Addr) *packetGuard {
	for _, g := range ep.packets {
		if g.local.Addr().Is4() == peer.Is4() {
			return g
		}
	}
	for _, g := range ep.packets {
		if local := g.local.Addr(); local.IsUnspecified() && local.Is6() {
			return g
		}
	}
	return nil
}

// listenPort is the port for a stream peer's Contact: that of the first listener of its kind, 0 if there is none.
func (ep *Endpoint) listenPort(network string) uint16 {
	for _, l := range ep.listeners {
		if ap, ok := addrPort(l.Addr()); ok && (l.secure != nil) == (network == "TLS") {
			return ap.Port()
		}
	}
	return 0
}

// sent tells of a message that goes out.
func (ep *Endpoint) sent(network string, local, remote netip.AddrPort, raw []byte) {
	if ep.opt.OnMessage != nil {
		ep.opt.OnMessage(Message{At: time.Now(), Sent: true, Network: network, Local: local, Remote: remote, Raw: raw})
	}
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
func (ep *Endpoint) strayResponse(res *sipgo.Response) {
	if !ep.ponged(res) {
		ep.count.dropped.Add(1)
	}
}
