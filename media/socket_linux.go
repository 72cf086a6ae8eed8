package media

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The two calls of the packet path, as they are: the library's forms of them allocate, and tell the scheduler of a wait that
// a socket which does not block never has.

// recvfrom reads a packet of a socket that does not block.
func recvfrom(fd int, b []byte) (int, netip.AddrPort, syscall.Errno) {
	var sa unix.RawSockaddrAny
	size := uint32(unsafe.Sizeof(sa))
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_DONTWAIT|unix.MSG_TRUNC, uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0, netip.AddrPort{}, errno
	}
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(&sa))
		return int(n), netip.AddrPortFrom(netip.AddrFrom4(in.Addr), hostOrder(in.Port)), 0
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(&sa))
		return int(n), netip.AddrPortFrom(netip.AddrFrom16(in.Addr).Unmap(), hostOrder(in.Port)), 0
	}
	return int(n), netip.AddrPort{}, 0
}

// sendto sends a packet, from a socket of IPv6 if six. A full buffer loses it, as the network would.
func sendto(fd int, b []byte, to netip.AddrPort, six bool) syscall.Errno {
	if len(b) == 0 {
		return 0
	}
	var at unsafe.Pointer
	var size uintptr
	var in4 unix.RawSockaddrInet4
	var in6 unix.RawSockaddrInet6
	if six {
		in6 = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: netOrder(to.Port()), Addr: to.Addr().As16()}
		at, size = unsafe.Pointer(&in6), unsafe.Sizeof(in6)
	} else {
		if !to.Addr().Unmap().Is4() {
			return syscall.EAFNOSUPPORT
		}
		in4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: netOrder(to.Port()), Addr: to.Addr().Unmap().As4()}
		at, size = unsafe.Pointer(&in4), unsafe.Sizeof(in4)
	}
	for {
		_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(at), size)
		if errno != syscall.EINTR {
			return errno
		}
	}
}

func hostOrder(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

func netOrder(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}
