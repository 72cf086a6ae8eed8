package media

import (
	"net"
	"net/netip"
	"runtime"
)

// newLoops are the loops of a plane: one for each processor.
func newLoops() ([]Loop, error) {
	loops := make([]Loop, 0, runtime.GOMAXPROCS(0))
	for range cap(loops) {
		l, err := NewEpollLoop()
		if err != nil {
			for _, made := range loops {
				_ = made.Close()
			}
			return nil, err
		}
		loops = append(loops, l)
	}
	return loops, nil
}

// listenerFor opens sockets in the way that is cheapest for these loops.
func listenerFor(loops []Loop) func(netip.AddrPort) (net.PacketConn, error) {
	for _, l := range loops {
		if _, ok := l.(*EpollLoop); !ok {
			return listenUDP
		}
	}
	return listenRaw
}
