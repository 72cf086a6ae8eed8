//go:build !linux

package media

import (
	"net"
	"net/netip"
)

// newLoops are the loops of a plane: the portable one.
func newLoops() ([]Loop, error) { return []Loop{NewNetLoop()}, nil }

// listenerFor opens sockets as package net does.
func listenerFor([]Loop) func(netip.AddrPort) (net.PacketConn, error) { return listenUDP }
