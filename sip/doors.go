package sip

import (
	"errors"
	"net"
	"net/netip"
	"strings"
)

// streamNetworks are the transports that have connections.
func streamNetworks() []string { return []string{"TCP", "TLS", "WS", "WSS"} }

// door is the one listener of a transport that sipgo knows. Connections come to it ready: accepted or opened, counted,
// their TLS and WebSocket handshakes done, with the guard before them. So sipgo never waits for a stranger, and never
// dials.
type door struct {
	network string
	next    chan net.Conn
	closed  chan struct{}
}

func newDoor(network string) *door {
	return &door{network: network, next: make(chan net.Conn), closed: make(chan struct{})}
}

// enter hands a connection over.
func (d *door) enter(c net.Conn) bool {
	select {
	case d.next <- c:
		return true
	case <-d.closed:
		return false
	}
}

// Accept gives sipgo the next connection.
func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.next:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (d *door) Close() error {
	select {
	case <-d.closed:
	default:
		close(d.closed)
	}
	return nil
}

// Addr is of no use, but sipgo wants one.
func (*door) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: 5060} }

// openDoors makes sipgo serve every stream transport.
func (ep *Endpoint) openDoors() {
	for _, d := range ep.doors {
		serve := ep.transports.ServeTCP
		switch d.network {
		case "TLS":
			serve = ep.transports.ServeTLS
		case "WS":
			serve = ep.transports.ServeWS
		case "WSS":
			serve = ep.transports.ServeWSS
		}
		ep.spawn(func() {
			if err := serve(d); !errors.Is(err, net.ErrClosed) {
				ep.log.Error("stream transport failed", "network", d.network, "error", err)
			}
		})
	}
}

// flowAddr is a local address as sipgo sees it: its text is unlike any other, because sipgo finds connections by the
// text of both addresses, and a request to our own address must not come out at whoever has connected last.
type flowAddr struct {
	at netip.AddrPort
	id string
}

// Network is tcp.
func (flowAddr) Network() string { return "tcp" }

// String names the connection.
func (a flowAddr) String() string { return a.at.String() + "#" + a.id }

// AddrPort is the address.
func (a flowAddr) AddrPort() netip.AddrPort { return a.at }

// uriTransport is the transport parameter of a URI that is reached over a network. RFC 7118 §5.2.2 has one for both kinds
// of WebSocket.
func uriTransport(network string) string {
	if network == "WSS" {
		return "ws"
	}
	return strings.ToLower(network)
}
