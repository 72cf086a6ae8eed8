package sip

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// quickConn is a UDP socket whose packets are read and written by raw system calls. They do not block, because the socket
// does not and the runtime's poller waits for it. Those of package net tell the scheduler all the same, which wakes its
// monitor thread when that sleeps, and so several times a call; and they allocate an address with each packet.
type quickConn struct {
	*net.UDPConn
	raw syscall.RawConn
	six bool // a socket of IPv6, which may be one for IPv4, too
}

// quicken makes a UDP socket a quickConn; others stay what they are.
func quicken(conn net.PacketConn) net.PacketConn {
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return conn
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return conn
	}
	q := &quickConn{UDPConn: udp, raw: raw}
	if cerr := raw.Control(func(fd uintptr) {
		var domain int
		domain, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		q.six = domain == unix.AF_INET6
	}); cerr != nil || err != nil {
		return conn
	}
	return q
}

func (c *quickConn) reader() packetReader {
	r := &quickReader{conn: c}
	r.once = r.try
	return r
}

// quickReader is one reader of a quickConn.
type quickReader struct {
	conn   *quickConn
	once   func(fd uintptr) bool // try; made once, so that a packet allocates nothing
	buf    []byte
	n      int
	source netip.AddrPort
	errno  syscall.Errno
}

var _ packetReader = (*quickReader)(nil)

func (r *quickReader) read(b []byte) (int, netip.AddrPort, error) {
	r.buf = b
	err := r.conn.raw.Read(r.once)
	r.buf = nil
	switch {
	case err != nil:
		return 0, netip.AddrPort{}, err
	case r.errno != 0:
		return 0, netip.AddrPort{}, &net.OpError{
			Op: "read", Net: "udp", Source: r.conn.LocalAddr(), Err: os.NewSyscallError("recvfrom", r.errno),
		}
	}
	return r.n, r.source, nil
}

// try reads a packet, and reports whether it need not be waited for.
func (r *quickReader) try(fd uintptr) bool {
	var sa unix.RawSockaddrAny
	for {
		size := uint32(unsafe.Sizeof(sa))
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&r.buf[0])), uintptr(len(r.buf)),
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)))
		if errno == syscall.EINTR {
			continue
		}
		r.n, r.errno, r.source = int(n), errno, netip.AddrPort{}
		if errno == 0 {
			r.source = cameFrom(&sa)
		}
		return errno != syscall.EAGAIN
	}
}

// cameFrom is where a packet came from.
func cameFrom(sa *unix.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), swapped(in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		addr := netip.AddrFrom16(in.Addr).Unmap()
		if in.Scope_id != 0 && addr.Is6() { // it means something on its link only
			if i, err := net.InterfaceByIndex(int(in.Scope_id)); err == nil {
				addr = addr.WithZone(i.Name)
			}
		}
		return netip.AddrPortFrom(addr, swapped(in.Port))
	}
	return netip.AddrPort{}
}

// swapped turns a port from the order of the network into ours, and back.
func swapped(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// WriteTo sends. What is not IPv4 goes the usual way: it may need a zone.
func (c *quickConn) WriteTo(b []byte, to net.Addr) (int, error) {
	at, ok := addrPort(to)
	if !ok || !at.Addr().Is4() || len(b) == 0 {
		return c.UDPConn.WriteTo(b, to)
	}
	var errno syscall.Errno
	send := func(fd uintptr) bool {
		errno = c.send(int(fd), b, at)
		return errno != syscall.EAGAIN
	}
	if err := c.raw.Write(send); err != nil {
		return 0, err
	}
	if errno != 0 {
		return 0, &net.OpError{Op: "write", Net: "udp", Source: c.LocalAddr(), Addr: to, Err: os.NewSyscallError("sendto", errno)}
	}
	return len(b), nil
}

func (c *quickConn) send(fd int, b []byte, to netip.AddrPort) syscall.Errno {
	in4 := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swapped(to.Port()), Addr: to.Addr().As4()}
	at, size := unsafe.Pointer(&in4), unsafe.Sizeof(in4)
	if c.six {
		in6 := unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: in4.Port, Addr: to.Addr().As16()}
		at, size = unsafe.Pointer(&in6), unsafe.Sizeof(in6)
	}
	for {
		_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(at), size)
		if errno != syscall.EINTR {
			return errno
		}
	}
}
