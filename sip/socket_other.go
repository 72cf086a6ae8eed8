//go:build !linux

package sip

import "net"

// quicken leaves a socket what it is.
func quicken(conn net.PacketConn) net.PacketConn { return conn }
