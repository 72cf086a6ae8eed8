package media_test

import (
	"net"
	"testing"
	"time"

	"ullim/media"
	"ullim/media/mediatest"
)

func TestEpollLoop(t *testing.T) {
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
