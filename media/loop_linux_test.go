package media_test

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"ullim/media"
	"ullim/media/mediatest"
)

func TestEpollLoop(t *testing.T) {
	epollLoop(t, func(addr netip.AddrPort) (net.PacketConn, error) {
		return net.ListenUDP("udp4", net.UDPAddrFromAddrPort(addr))
	})
}

func TestEpollLoopWithSocketsOfItsOwnKind(t *testing.T) { epollLoop(t, media.ListenRaw) }

func epollLoop(t *testing.T, listen func(netip.AddrPort) (net.PacketConn, error)) {
	t.Helper()
	mediatest.Loop(t, mediatest.Kit{
		New: func() media.Loop {
			l, err := media.NewEpollLoop()
			if err != nil {
				t.Fatal(err)
			}
			return l
		},
		Listen: func(t *testing.T) net.PacketConn {
			t.Helper()
			c, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Bubble: func(t *testing.T, f func(*testing.T)) { t.Helper(); f(t) },
		Slack:  200 * time.Millisecond, // a machine shared with others
	})
}

func TestARawSocketFailsAsAnotherWould(t *testing.T) {
	first, err := media.ListenRaw(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	at := first.LocalAddr().(*net.UDPAddr).AddrPort() //nolint:forcetypeassert // a test
	if at.Port() == 0 {
		t.Error("it does not know its port")
	}
	if _, err = media.ListenRaw(at); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a port that is taken: %v", err)
	}
	if _, err = media.ListenRaw(netip.MustParseAddrPort("192.0.2.1:0")); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("an address that is not ours: %v", err)
	}
	if err = first.Close(); err != nil {
		t.Error(err)
	}
	if err = first.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	again, err := media.ListenRaw(at)
	if err != nil {
		t.Fatalf("a port that is free again: %v", err)
	}
	l, err := media.NewEpollLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Open(again, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Open(again, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("given away twice: %v", err)
	}
}

func TestARawSocketOfIPv6TakesNoIPv4(t *testing.T) {
	six, err := media.ListenRaw(netip.MustParseAddrPort("[::]:0"))
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	defer six.Close()
	port := six.LocalAddr().(*net.UDPAddr).AddrPort().Port() //nolint:forcetypeassert // a test
	four, err := media.ListenRaw(netip.AddrPortFrom(netip.IPv4Unspecified(), port))
	if err != nil {
		t.Fatalf("the same port of IPv4: %v", err)
	}
	_ = four.Close()
}
