package media

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"ullim/internal/errs"
)

// drain is how long a port stays unused after its session, so that late packets of the old call do not reach a new one
// (RFC 3550 §8).
const drain = 2 * time.Second

// portRange lends the even ports of a range, each with the odd one behind it, in rotating order: the one that has rested longest first.
type portRange struct {
	mu   sync.Mutex
	free []restingPort
	used int
	last map[uint16]uint32 // the stream that was received last on a port
}

type restingPort struct {
	port  uint16
	since time.Time
}

// newPortRange takes the even ports from first to last. With first 0 the kernel chooses, and the range is empty.
func newPortRange(first, last uint16) (*portRange, error) {
	r := &portRange{last: map[uint16]uint32{}}
	if first == 0 && last == 0 {
		return nil, nil //nolint:nilnil // no range is a choice, not a failure
	}
	if first < 1024 || last < first {
		return nil, errs.Field("media.ports", "must go from 1024 or more upwards, got %d to %d", first, last)
	}
	for p := uint32(first + first%2); p < uint32(last); p += 2 { // the odd port behind it is for RTCP
		r.free = append(r.free, restingPort{port: uint16(p)})
	}
	if len(r.free) == 0 {
		return nil, errs.Field("media.ports", "%d to %d holds no even port with the odd one behind it", first, last)
	}
	return r, nil
}

// bind opens the next pair of ports that can be opened: open is told the even one. A port that another program holds goes to the end of the line; any other
// failure would be the same for every port. On failure nothing stays taken.
func (r *portRange) bind(now time.Time, open func(port uint16) error) (uint16, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var failed error
	for range len(r.free) {
		next := r.free[0]
		if now.Sub(next.since) < drain {
			break // the ones behind have rested even less
		}
		r.free = append(r.free[1:], restingPort{port: next.port})
		err := open(next.port)
		if err == nil {
			r.free = r.free[:len(r.free)-1]
			r.used++
			return next.port, nil
		}
		failed = err
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return 0, errs.Wrap(errors.Join(ErrNoPort, failed), errs.Unavailable, "no media port free, %d in use", r.used)
}

// ErrNoPort is in the error of Plane.Open when no port of the range is free.
var ErrNoPort = errors.New("media: port range exhausted")

// stale is the stream that the session before received on a port; 0: none.
func (r *portRange) stale(port uint16) uint32 {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[port]
}

// release puts a port to rest. ssrc is the stream that was received on it.
func (r *portRange) release(port uint16, ssrc uint32, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[port] = ssrc
	r.used--
	r.free = append(r.free, restingPort{port: port, since: now})
}

func (r *portRange) inUse() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

// CheckPorts looks at a port range as the doctor does. The error says that the range cannot be used at all; the warning,
// empty if all is well, that it will fail some day: the system takes ports of its ephemeral range for any outgoing
// connection.
func CheckPorts(first, last uint16) (warning string, err error) {
	return checkPorts(first, last, "/proc/sys/net/ipv4/ip_local_port_range")
}

func checkPorts(first, last uint16, file string) (string, error) {
	r, err := newPortRange(first, last)
	if err != nil {
		return "", err
	}
	if r == nil {
		return "media ports are chosen by the system: a firewall cannot be told which", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", nil //nolint:nilerr // another system; there is nothing to compare with
	}
	var low, high uint16
	if _, err := fmt.Sscan(string(b), &low, &high); err != nil {
		return "", errs.Wrap(err, errs.Internal, "%s cannot be read", file)
	}
	if first <= high && low <= last {
		return fmt.Sprintf("media ports %d-%d overlap the system's ephemeral ports %d-%d: some will be taken by others; "+
			"choose another range or set net.ipv4.ip_local_port_range", first, last, low, high), nil
	}
	return "", nil
}

// listenUDP is the default of Options.Listen. The family is named: 0.0.0.0 must not mean IPv6 as well.
func listenUDP(addr netip.AddrPort) (net.PacketConn, error) {
	network := "udp6"
	if addr.Addr().Is4() {
		network = "udp4"
	}
	return net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
}
