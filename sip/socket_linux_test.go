package sip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestAQuickSocketIsReadAndWrittenAsAnotherOne(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0"} {
		t.Run(listen, func(t *testing.T) {
			plain, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp", listen)
			if err != nil {
				t.Skip("not here: ", err)
			}
			conn, ok := quicken(plain).(*quickConn)
			if !ok {
				t.Fatal("it is not quick")
			}
			host := "127.0.0.1:0"
			if listen == "[::1]:0" {
				host = listen
			}
			phone, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp", host)
			if err != nil {
				t.Fatal(err)
			}
			defer phone.Close()
			at := phone.LocalAddr().(*net.UDPAddr)                                                            //nolint:forcetypeassert // a test
			us := netip.AddrPortFrom(at.AddrPort().Addr(), conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()) //nolint:forcetypeassert // a test
			reader, buf := readerOf(conn), make([]byte, 4)
			for _, text := range []string{"ping", "too long", ""} {
				sent := make(chan error, 1)
				time.AfterFunc(time.Millisecond, func() { // it is waited for
					_, werr := phone.WriteTo([]byte(text), net.UDPAddrFromAddrPort(us))
					sent <- werr
				})
				n, from, err := reader.read(buf)
				if werr := <-sent; werr != nil || err != nil || string(buf[:n]) != text[:min(4, len(text))] || from != at.AddrPort() {
					t.Errorf("%q from %s: %v, %v", buf[:n], from, err, werr)
				}
			}
			if n, err := conn.WriteTo([]byte("pong"), at); n != 4 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			if n, from, err := phone.ReadFrom(buf); string(buf[:n]) != "pong" || from.(*net.UDPAddr).AddrPort() != us || err != nil { //nolint:forcetypeassert // a test
				t.Errorf("%q from %v: %v", buf[:n], from, err)
			}
			over := make(chan error, 1)
			go func() {
				_, _, rerr := reader.read(buf)
				over <- rerr
			}()
			time.Sleep(time.Millisecond)
			_ = conn.Close()
			if err := <-over; !errors.Is(err, net.ErrClosed) {
				t.Errorf("reading a closed socket: %v", err)
			}
			if _, err := conn.WriteTo([]byte("late"), at); !errors.Is(err, net.ErrClosed) {
				t.Errorf("writing to a closed socket: %v", err)
			}
		})
	}
}
