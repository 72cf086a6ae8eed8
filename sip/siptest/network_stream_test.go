package siptest

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestStreamsBehaveAsTCPDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(NetworkOptions{})
		defer n.Close() //nolint:errcheck // in memory
		at, from := netip.MustParseAddrPort("10.0.0.1:5060"), netip.MustParseAddr("10.0.0.2")
		if _, err := n.DialStream(t.Context(), from, at); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
		l, err := n.ListenStream(at.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err = n.ListenStream(at.String()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("listening twice: %v", err)
		}
		pair := func() (near, far net.Conn) {
			t.Helper()
			if near, err = n.DialStream(t.Context(), from, at); err != nil {
				t.Fatal(err)
			}
			if far, err = l.Accept(); err != nil {
				t.Fatal(err)
			}
			return near, far
		}
		near, far := pair()
		if near.RemoteAddr().String() != at.String() || far.RemoteAddr().String() != near.LocalAddr().String() {
			t.Errorf("addresses %s %s %s", near.RemoteAddr(), far.RemoteAddr(), near.LocalAddr())
		}
		_, _ = near.Write([]byte("hel"))
		_, _ = near.Write([]byte("lo"))
		buf := make([]byte, 10)
		if k, rerr := far.Read(buf); string(buf[:k]) != "hello" || rerr != nil {
			t.Errorf("read %q %v", buf[:k], rerr)
		}
		start := time.Now()
		_ = far.SetReadDeadline(start.Add(3 * time.Second))
		if _, rerr := far.Read(buf); !errors.Is(rerr, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("deadline: %v after %v", rerr, time.Since(start))
		}
		_ = far.SetReadDeadline(time.Time{})
		// Whoever does not read holds the writer up, until its deadline.
		_ = near.SetWriteDeadline(time.Now().Add(time.Second))
		_, werr := near.Write(make([]byte, streamWindow))
		if _, again := near.Write([]byte("x")); werr != nil || !errors.Is(again, os.ErrDeadlineExceeded) {
			t.Errorf("writing to who does not read: %v, %v", werr, again)
		}
		_ = near.Close()
		if _, rerr := io.ReadAll(far); rerr != nil {
			t.Errorf("what was written is lost: %v", rerr)
		}
		if _, werr = far.Write([]byte("x")); !errors.Is(werr, syscall.EPIPE) {
			t.Errorf("writing to who is gone: %v", werr)
		}
		_ = far.Close()
		near, far = pair()
		n.Cut(from)
		if _, rerr := near.Read(buf); !errors.Is(rerr, net.ErrClosed) {
			t.Errorf("cut: %v", rerr)
		}
		if _, rerr := far.Read(buf); !errors.Is(rerr, net.ErrClosed) {
			t.Errorf("cut: %v", rerr)
		}
		_ = l.Close()
		if k := n.Streams(); k != 0 {
			t.Errorf("%d ends are left", k)
		}
	})
}
