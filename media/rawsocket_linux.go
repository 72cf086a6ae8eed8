package media

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawSocket is a UDP socket on its way into an EpollLoop: bound, and nothing more. Package net would put it into the runtime's
// poller, from where the loop would have to take it out again by a copy of the descriptor; together that is a dozen system
// calls a socket, of which two are needed, and a leg has two sockets. Until a loop owns it, it can only be closed.
type rawSocket struct {
	fd   int // -1: closed, or a loop owns it
	addr netip.AddrPort
	six  bool
}

var _ net.PacketConn = (*rawSocket)(nil)

// errNotRead is what a socket says that no loop reads yet.
var errNotRead = errors.New("media: the socket belongs to no loop yet")

// listenRaw is listenUDP for loops that own their descriptors. It does as package net does, but does not allow broadcasts.
func listenRaw(addr netip.AddrPort) (net.PacketConn, error) {
	s := &rawSocket{six: addr.Addr().Is6()}
	family := unix.AF_INET
	if s.six {
		family = unix.AF_INET6
	}
	var err error
	if s.fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return nil, listenError("socket", err)
	}
	if s.six { // the family is named: :: must not mean IPv4 as well
		if err = unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return nil, errors.Join(listenError("setsockopt", err), s.Close())
		}
	}
	if err = bindRaw(s.fd, addr); err != nil {
		return nil, errors.Join(listenError("bind", err), s.Close())
	}
	if s.addr = addr; addr.Port() == 0 {
		if s.addr, err = boundTo(s.fd, addr); err != nil {
			return nil, errors.Join(listenError("getsockname", err), s.Close())
		}
	}
	return s, nil
}

func listenError(call string, err error) error {
	return &net.OpError{Op: "listen", Net: "udp", Err: os.NewSyscallError(call, err)}
}

// bindRaw binds. It does not block, so IPv4, which is what there is most of, goes without telling the scheduler.
func bindRaw(fd int, addr netip.AddrPort) error {
	if addr.Addr().Is4() {
		in4 := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: netOrder(addr.Port()), Addr: addr.Addr().As4()}
		if _, _, errno := syscall.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&in4)), unsafe.Sizeof(in4)); errno != 0 {
			return errno
		}
		return nil
	}
	sa := &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	if zone := addr.Addr().Zone(); zone != "" {
		i, err := net.InterfaceByName(zone)
		if err != nil {
			return err
		}
		sa.ZoneId = uint32(i.Index)
	}
	return unix.Bind(fd, sa)
}

// boundTo is addr with the port that the kernel chose.
func boundTo(fd int, addr netip.AddrPort) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return addr, err
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(addr.Addr(), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(addr.Addr(), uint16(sa.Port)), nil
	}
	return addr, unix.EAFNOSUPPORT
}

// take gives the descriptor away.
func (s *rawSocket) take() (fd int, six bool, err error) {
	if s.fd < 0 {
		return -1, false, net.ErrClosed
	}
	fd, s.fd = s.fd, -1
	return fd, s.six, nil
}

// Close closes the socket, if it is not a loop's.
func (s *rawSocket) Close() error {
	fd, _, err := s.take()
	if err != nil {
		return err
	}
	return closeRaw(fd)
}

// closeRaw closes a socket of UDP, which has nothing to wait for.
func closeRaw(fd int) error {
	if _, _, errno := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// LocalAddr is where it is bound.
func (s *rawSocket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.addr) }

// AddrPort is LocalAddr for those who want no more than that.
func (s *rawSocket) AddrPort() netip.AddrPort { return s.addr }

// ReadFrom cannot be: nobody would wait for a packet.
func (s *rawSocket) ReadFrom([]byte) (int, net.Addr, error) { return 0, nil, s.notRead() }

// WriteTo sends.
func (s *rawSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	if s.fd < 0 {
		return 0, net.ErrClosed
	}
	if errno := sendto(s.fd, b, addrPort(to), s.six); errno != 0 {
		return 0, &net.OpError{Op: "write", Net: "udp", Addr: to, Err: os.NewSyscallError("sendto", errno)}
	}
	return len(b), nil
}

// SetDeadline is of no use, nor are the other two.
func (s *rawSocket) SetDeadline(time.Time) error { return s.notRead() }

// SetReadDeadline is of no use.
func (s *rawSocket) SetReadDeadline(time.Time) error { return s.notRead() }

// SetWriteDeadline is of no use.
func (s *rawSocket) SetWriteDeadline(time.Time) error { return s.notRead() }

func (s *rawSocket) notRead() error {
	if s.fd < 0 {
		return net.ErrClosed
	}
	return errNotRead
}
