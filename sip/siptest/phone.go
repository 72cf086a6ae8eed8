package siptest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Errors.
var (
	// ErrEnded says that the call had ended before what was asked or waited for.
	ErrEnded = errors.New("siptest: the call has ended")
	// ErrClosed says that the phone was closed.
	ErrClosed = errors.New("siptest: the phone is closed")
)

// PhoneOptions describe a phone. Only Server, or for calls in one direction not even that, has no useful default.
type PhoneOptions struct {
	Name     string // user part of its addresses, and its voice; default "phone"
	User     string // for digest; default Name
	Password string
	Domain   string // host of its address of record; default the server's address
	Server   string // "ip:port" of registrar and outbound proxy; default port 5060
	Local    string // "ip:port" to listen on; default "127.0.0.1:0". Media sockets use the same host
	// Listen opens sockets, for signalling and for media: (*Network).Listen, or nil for real UDP.
	Listen func(addr string) (net.PacketConn, error)
	// Transport is UDP, TCP, TLS, WS or WSS; default UDP. A phone on WebSocket is like a browser: it has an address that
	// nobody can reach, and Local, if given, is where its connections come from.
	Transport string
	// Dial and ListenStream open streams: those of a Network, or nil for real TCP.
	Dial         func(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error)
	ListenStream func(addr string) (net.Listener, error)
	TLS          *tls.Config // of TLS and WSS, for both directions
	Origin       string      // of WS and WSS: the page that a browser has loaded
	Codecs       []string    // "PCMU", "PCMA", in order of preference; default both
	Voice        Source      // what it says; default Voice(Name)
	Answer       AnswerBehaviour
	Misbehave    Misbehaviour
	Expires      time.Duration // of the registration, default 5 minutes; refreshed at half time
	KeepHeard    time.Duration // how much of what was heard is kept for each call, default 10 minutes
	UserAgent    string
	// Reliable makes it use PRACK (RFC 3262). SessionExpires makes it use session timers (RFC 4028); Refresher is "uac",
	// "uas" or empty, which leaves it to the other side.
	Reliable       bool
	SessionExpires time.Duration
	Refresher      string
	// Trace sees every message, under the phone's lock: it must not call its methods. Received ones may be damaged.
	Trace func(sent bool, peer net.Addr, b []byte)
	Log   *slog.Logger
}

// AnswerBehaviour is what a phone does with a call that comes in. The zero value rings and answers at once.
type AnswerBehaviour struct {
	After    time.Duration // how long it rings before it answers or refuses
	Reject   int           // status to refuse with, such as 486; 0 answers
	RingOnly bool          // rings and never answers
	NoAnswer bool          // says nothing at all, as if it were switched off
	NoRing   bool          // does not send 180
	Manual   bool          // sends 100 only: the test calls Ring, Answer or Reject
	Early    bool          // sends 183 with SDP instead of 180
	Tags     int           // so many 180 come before, each with a To tag of its own
	Answers  int           // so many 200 more follow, each with a To tag of its own: a fork
	Redirect []string      // with Reject 3xx: the Contacts
}

// Moment is when something is done.
type Moment int

// Moments of an outgoing call.
const (
	Never         Moment = iota
	OnInvite             // counted from the sending of the INVITE
	OnProvisional        // from the first provisional response
	OnAnswer             // from the 200
)

// Misbehaviour is what a phone does wrong, or at least rarely.
type Misbehaviour struct {
	NeverACK     bool          // no 200 is ever acknowledged
	DropACK      int           // so many ACKs are lost, repeated ones included
	AckDelay     time.Duration // the ACK of a 200 comes late
	DropFirst200 bool          // the first 200 to an INVITE is lost
	Repeat200    int           // the 200 is sent so many times more at once
	CancelOn     Moment        // the caller cancels, CancelAfter after that
	CancelAfter  time.Duration
	EarlyCancel  bool // CANCEL does not wait for a provisional response
	ByeOnAnswer  bool // BYE at once when the call is confirmed
	ByeBeforeACK bool // BYE before the ACK was sent (caller) or received (called)
	IgnoreBye    bool // a BYE gets no response
	NoPrack      bool // reliable answers are not acknowledged
	NoRefresh    bool // the session timer is agreed and forgotten
	NoRTP        bool // it never sends audio
	StopRTPAfter time.Duration
}

// Phone is a scripted SIP user agent, for both directions. Its methods may be called from any goroutine.
type Phone struct {
	o      PhoneOptions
	conn   net.PacketConn
	local  netip.AddrPort
	host   string
	sentBy string  // of its Via and Contact
	socket *socket // nil on UDP
	server *net.UDPAddr
	wg     sync.WaitGroup
	calls  chan *Call

	mu        sync.Mutex
	closed    bool
	answer    AnswerBehaviour
	misbehave Misbehaviour
	alarms    map[*alarm]struct{}
	clients   map[string]*clientTx
	servers   map[string]*serverTx
	dialogs   map[string]*Call // by Call-ID and our tag
	reg       registration
}

// NewPhone opens the phone's socket. Close it.
func NewPhone(o PhoneOptions) (*Phone, error) {
	p := &Phone{
		answer: o.Answer, misbehave: o.Misbehave, calls: make(chan *Call, 1024),
		alarms: map[*alarm]struct{}{}, clients: map[string]*clientTx{}, servers: map[string]*serverTx{},
		dialogs: map[string]*Call{},
	}
	if o.Name == "" {
		o.Name = "phone"
	}
	if o.User == "" {
		o.User = o.Name
	}
	if o.Local == "" {
		o.Local = "127.0.0.1:0"
	}
	if o.Listen == nil {
		o.Listen = listenUDP
	}
	if len(o.Codecs) == 0 {
		o.Codecs = []string{"PCMU", "PCMA"}
	}
	if len(o.Voice) == 0 {
		o.Voice = Voice(o.Name)
	}
	if o.Expires <= 0 {
		o.Expires = 5 * time.Minute
	}
	if o.KeepHeard <= 0 {
		o.KeepHeard = 10 * time.Minute
	}
	if o.UserAgent == "" {
		o.UserAgent = "ullim-siptest"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if o.Server != "" {
		if p.server, err = resolve(o.Server); err != nil {
			return nil, err
		}
		if o.Domain == "" {
			o.Domain = uriHost(p.server.AddrPort().Addr())
		}
	}
	if o.Transport = strings.ToUpper(o.Transport); o.Transport == "" {
		o.Transport = "UDP"
	}
	if o.Transport == "UDP" {
		p.conn, err = o.Listen(o.Local)
	} else if p.socket, err = openSocket(o); err == nil {
		p.conn = p.socket
	}
	if err != nil {
		return nil, err
	}
	if p.local, err = addrPortOf(p.conn.LocalAddr()); err != nil {
		return nil, errors.Join(err, p.conn.Close())
	}
	p.host = p.local.Addr().String()
	p.sentBy = p.local.String()
	if p.browser(o.Transport) {
		p.sentBy = strings.ToLower(sip.GenerateTagN(12)) + ".invalid" // RFC 7118 Appendix B.1
	}
	if o.Domain == "" {
		o.Domain = uriHost(p.local.Addr())
	}
	p.o = o
	p.wg.Go(p.read)
	return p, nil
}

// browser reports a transport on which nobody can reach the phone but over its own connection.
func (*Phone) browser(transport string) bool { return transport == "WS" || transport == "WSS" }

// DropConnections closes the phone's connections without a word, as when its network has changed. The next message opens
// a new one. On UDP there is nothing to close.
func (p *Phone) DropConnections() {
	if p.socket != nil {
		p.socket.drop()
	}
}

// reliable says that nothing has to be sent again: the transport does that.
func (p *Phone) reliable() bool { return p.socket != nil }

// uriHost writes an address as the host of a URI.
func uriHost(a netip.Addr) string {
	if a = a.Unmap(); a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// Addr is where the phone listens.
func (p *Phone) Addr() netip.AddrPort { return p.local }

// Voice is what the phone says.
func (p *Phone) Voice() Source { return p.o.Voice }

// Calls gives the calls that come in, also those that are answered automatically. 1024 wait; more are not given.
func (p *Phone) Calls() <-chan *Call { return p.calls }

// NextCall waits for the next call that comes in.
func (p *Phone) NextCall(ctx context.Context) (*Call, error) {
	select {
	case c, ok := <-p.calls:
		if !ok {
			return nil, ErrClosed
		}
		return c, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// SetAnswer changes what is done with calls that come in from now on.
func (p *Phone) SetAnswer(b AnswerBehaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = b
}

// Misbehave changes what goes wrong with calls that begin from now on.
func (p *Phone) Misbehave(m Misbehaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.misbehave = m
}

// SendRaw sends bytes to the server as they are.
func (p *Phone) SendRaw(b []byte) error {
	if p.server == nil {
		return errors.New("siptest: the phone has no server")
	}
	_, err := p.conn.WriteTo(b, p.server)
	return err
}

// HangupAll ends all calls as their state needs.
func (p *Phone) HangupAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.dialogs {
		c.hangup()
	}
}

// Close ends everything at once and waits for its goroutines, like pulling the plug: nobody is told. Calls that are
// still there end with EndClosed. It is safe twice.
func (p *Phone) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	for _, c := range p.dialogs {
		c.end(Ended{ByUs: true, Kind: EndClosed, Reason: "the phone was closed"})
	}
	for a := range p.alarms {
		a.stop()
	}
	p.closed = true
	p.reg.fail(ErrClosed)
	close(p.calls)
	p.mu.Unlock()
	err := p.conn.Close()
	p.wg.Wait()
	return err
}

func (p *Phone) read() {
	parser := sip.NewParser()
	b := make([]byte, 65536)
	for failures := 0; failures < 100; {
		n, from, err := p.conn.ReadFrom(b)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			failures++
			continue
		}
		failures = 0
		peer, ok := from.(*net.UDPAddr)
		if !ok || n < 20 { // keep-alives
			continue
		}
		data := append([]byte(nil), b[:n]...)
		m, err := parser.ParseSIP(data)
		p.mu.Lock()
		p.received(m, err, peer, data)
		p.mu.Unlock()
	}
}

func (p *Phone) received(m sip.Message, err error, from *net.UDPAddr, data []byte) {
	if p.closed {
		return
	}
	if p.o.Trace != nil {
		p.o.Trace(false, from, data)
	}
	if err != nil || !complete(m) {
		p.o.Log.Warn("not a SIP message", "from", from.String(), "error", err)
		return
	}
	switch m := m.(type) {
	case *sip.Response:
		branch, _ := m.Via().Params.Get("branch")
		if tx := p.clients[branch+string(m.CSeq().MethodName)]; tx != nil {
			tx.response(m)
		}
	case *sip.Request:
		m.SetSource(from.String())
		p.requested(m, from)
	}
}

// requested handles a request.
func (p *Phone) requested(req *sip.Request, from *net.UDPAddr) {
	method := string(req.Method)
	if req.IsAck() {
		method = inviteM // the ACK of a refusal belongs to the INVITE's transaction
	}
	key := serverKey(req, method)
	if tx := p.servers[key]; tx != nil && (!req.IsAck() || tx.last != nil) {
		tx.repeated(req)
		return
	}
	tag := tagOf(req.To().Params)
	call := p.dialogs[dialogKey(req.CallID().Value(), tag)]
	if req.IsAck() {
		if call != nil {
			call.acknowledged(req)
		}
		return
	}
	if req.Method == sip.BYE && call != nil && call.misbehave.IgnoreBye {
		return
	}
	tx := &serverTx{p: p, key: key, req: req, from: from}
	p.servers[key] = tx
	switch {
	case req.IsCancel():
		p.cancelled(tx)
	case tag != "" && call == nil:
		tx.respond(481, "Call/Transaction Does Not Exist", nil)
	case call != nil:
		call.requested(tx)
	case req.IsInvite():
		p.invited(tx)
	case req.Method == sip.OPTIONS:
		tx.respond(200, "OK", nil, sip.NewHeader("Allow", allowed))
	case req.Method == sip.BYE, req.Method == sip.INFO, req.Method == sip.UPDATE:
		tx.respond(481, "Call/Transaction Does Not Exist", nil)
	default:
		tx.respond(405, "Method Not Allowed", nil, sip.NewHeader("Allow", allowed))
	}
}

// cancelled handles a CANCEL. RFC 3261 §9.2.
func (p *Phone) cancelled(tx *serverTx) {
	invite := p.servers[serverKey(tx.req, inviteM)]
	if invite == nil {
		tx.respond(481, "Call/Transaction Does Not Exist", nil)
		return
	}
	if to := invite.req.To(); to != nil {
		if tag := tagOf(to.Params); tag != "" {
			tx.req.To().Params.Add("tag", tag)
		}
	}
	tx.respond(200, "OK", nil)
	if invite.final || invite.call == nil {
		return
	}
	invite.respond(487, "Request Terminated", nil)
	invite.call.end(Ended{Kind: EndCancelled, Code: 487, Reason: reasonOf(tx.req)})
}

func (p *Phone) send(b []byte, to *net.UDPAddr) {
	if p.closed || to == nil {
		return
	}
	if p.o.Trace != nil {
		p.o.Trace(true, to, b)
	}
	if _, err := p.conn.WriteTo(b, to); err != nil {
		p.o.Log.Warn("not sent", "to", to.String(), "error", err)
	}
}

// sendACK sends the ACK of a refusal. Misbehaviour is about those of a 200.
func (p *Phone) sendACK(b []byte, to *net.UDPAddr) { p.send(b, to) }

func dialogKey(callID, tag string) string { return callID + "|" + tag }

func (p *Phone) aor() string { return fmt.Sprintf("sip:%s@%s", p.o.Name, p.o.Domain) }
