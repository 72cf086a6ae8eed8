package media

import (
	"net"
	"net/netip"
)

// ListenRaw is listenRaw for the tests of the loops.
func ListenRaw(addr netip.AddrPort) (net.PacketConn, error) { return listenRaw(addr) }
