package sip

import (
	"net"
	"net/netip"
)

// packetReader reads the packets of one socket for one reader: what it needs for a packet is kept for the next one.
type packetReader interface {
	// read waits for a packet. source is invalid if the system does not tell it.
	read(b []byte) (n int, source netip.AddrPort, err error)
}

// plainReader reads any socket.
type plainReader struct{ net.PacketConn }

var _ packetReader = plainReader{}

func (r plainReader) read(b []byte) (int, netip.AddrPort, error) {
	n, addr, err := r.ReadFrom(b)
	source, _ := addrPort(addr)
	return n, source, err
}

// readerOf is the cheapest way to read a socket.
func readerOf(conn net.PacketConn) packetReader {
	if c, ok := conn.(interface{ reader() packetReader }); ok {
		return c.reader()
	}
	return plainReader{conn}
}

// peerAddr is the address of a source as sipgo takes it. It is made once for each source: sipgo asks for its text with each
// packet.
type peerAddr struct {
	netip.AddrPort
	text string
}

var _ net.Addr = peerAddr{}

func newPeerAddr(source netip.AddrPort) peerAddr { return peerAddr{source, source.String()} }

// Network is that of net.UDPAddr.
func (peerAddr) Network() string { return "udp" }

// String is ip:port.
func (a peerAddr) String() string { return a.text }
