package media_test

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"ullim/media"
	"ullim/media/mediatest"
)

var loopback = netip.MustParseAddr("127.0.0.1")

func TestNetLoopInVirtualTime(t *testing.T) {
	n := new(mediatest.Net)
	mediatest.Loop(t, mediatest.Kit{
		New: func() media.Loop { return media.NewNetLoop() },
		Listen: func(t *testing.T) net.PacketConn {
			t.Helper()
			c, err := n.Listen(netip.AddrPortFrom(loopback, 0))
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Bubble: func(t *testing.T, f func(*testing.T)) {
			t.Helper()
			n = new(mediatest.Net) // channels belong to their bubble
			synctest.Test(t, f)
		},
	})
}

func TestNetLoopOnSockets(t *testing.T) {
	mediatest.Loop(t, mediatest.Kit{
		New: func() media.Loop { return media.NewNetLoop() },
		Listen: func(t *testing.T) net.PacketConn {
			t.Helper()
			c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Bubble: func(t *testing.T, f func(*testing.T)) { t.Helper(); f(t) },
		Slack:  200 * time.Millisecond, // a machine shared with others
	})
}
