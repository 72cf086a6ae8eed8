package e2e

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
)

// Blocks of ports below what Linux gives out by itself, and away from the defaults of the engine.
const (
	blockSize  = 400
	firstBlock = 11000
	lastPort   = 19800
)

// block is a run of ports that one engine and its peers have for themselves.
type block int

// Ports of a block. The engine's audio is at its upper part.
func (b block) sip() int          { return int(b) }
func (b block) http() int         { return int(b) + 1 }
func (b block) s3() int           { return int(b) + 2 }
func (b block) tls() int          { return int(b) + 3 }
func (b block) baresip(n int) int { return int(b) + 10 + 10*n } // it also takes the port above for TLS
func (b block) sipp(n int) int    { return int(b) + 60 + 5*n }  // up to 7; it takes every other of five
func (b block) rtp() (low, high int) {
	return int(b) + 100, int(b) + blockSize - 2
}

// blocks gives blocks out, in turn.
type blocks struct {
	mu   sync.Mutex
	next int
}

// take finds a block of which no port is taken. Its last port stays open as long as the test runs: so that others who run
// these tests on the same machine see that it is taken before the engine has opened anything.
func (bs *blocks) take(t testing.TB) block {
	t.Helper()
	bs.mu.Lock()
	defer bs.mu.Unlock()
	count := (lastPort - firstBlock) / blockSize
	for range count {
		b := block(firstBlock + (os.Getpid()+bs.next)%count*blockSize)
		bs.next++
		mark, err := listenTCP(int(b) + blockSize - 1)
		if err != nil {
			continue
		}
		if b.free() {
			t.Cleanup(func() { _ = mark.Close() })
			return b
		}
		_ = mark.Close()
	}
	t.Fatal("no block of ports is free")
	return 0
}

// free tries every port for UDP, and for TCP those that are for it.
func (b block) free() bool {
	for port := int(b); port < int(b)+blockSize; port++ {
		udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))))
		if err != nil {
			return false
		}
		_ = udp.Close()
	}
	for _, port := range []int{b.sip(), b.http(), b.s3(), b.baresip(0), b.baresip(1), b.sipp(0)} {
		tcp, err := listenTCP(port)
		if err != nil {
			return false
		}
		_ = tcp.Close()
	}
	return true
}

func listenTCP(port int) (*net.TCPListener, error) {
	return net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
}
