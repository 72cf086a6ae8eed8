package siptest

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func listen(t *testing.T, n *Network, addr string) *Conn {
	t.Helper()
	pc, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return pc.(*Conn)
}

func number(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }

// drain reads what is there and in flight until nothing came for a second.
func drain(t *testing.T, c *Conn) (got []int, at []time.Duration) {
	t.Helper()
	b, start := make([]byte, 2000), time.Now()
	for {
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		n, _, err := c.ReadFrom(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return got, at
		}
		if err != nil {
			t.Fatal(err)
		}
		got, at = append(got, int(binary.BigEndian.Uint32(b[:n]))), append(at, time.Since(start))
	}
}

func TestDatagramsArriveInOrderWithRealAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(NetworkOptions{})
		defer n.Close()
		a, b := listen(t, n, "10.0.0.1:5060"), listen(t, n, "10.0.0.2:0")
		for i := range 100 {
			if _, err := a.WriteTo(number(i), b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
		buf := make([]byte, 100)
		for i := range 100 {
			k, from, err := b.ReadFrom(buf)
			if err != nil || from.String() != "10.0.0.1:5060" || int(binary.BigEndian.Uint32(buf[:k])) != i {
				t.Fatalf("datagram %d: %v %v %v", i, buf[:k], from, err)
			}
			if _, ok := from.(*net.UDPAddr); !ok {
				t.Fatalf("%T", from)
			}
		}
		if s := n.Stats(); s.Sent != 100 || s.Delivered != 100 {
			t.Errorf("%+v", s)
		}
	})
}

func TestTheNetworkBehavesAsTheSocketsOfTheSystemDo(t *testing.T) {
	n := NewNetwork(NetworkOptions{})
	defer n.Close()
	for name, open := range map[string]func(string) (net.PacketConn, error){
		"memory": n.Listen,
		"system": func(a string) (net.PacketConn, error) { return net.ListenPacket("udp", a) },
	} {
		t.Run(name, func(t *testing.T) {
			a, err := open("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			b, err := open("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if _, err = open(a.LocalAddr().String()); err == nil {
				t.Error("an address could be opened twice")
			}
			if _, err = a.WriteTo([]byte("hello, you"), b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			short := make([]byte, 5)
			if k, from, rerr := b.ReadFrom(short); rerr != nil || k != 5 || from.String() != a.LocalAddr().String() {
				t.Errorf("a short buffer: %d %v %v", k, from, rerr)
			}
			_ = b.SetReadDeadline(time.Now().Add(-time.Second))
			_, _, err = b.ReadFrom(short)
			var ne net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("after the deadline: %v", err)
			}
			_ = b.SetReadDeadline(time.Time{})
			ended := make(chan error)
			go func() {
				_, _, rerr := b.ReadFrom(short)
				ended <- rerr
			}()
			if err = b.Close(); err != nil {
				t.Error(err)
			}
			if err = <-ended; !errors.Is(err, net.ErrClosed) {
				t.Errorf("a read ended by Close: %v", err)
			}
			if _, err = b.WriteTo(short, a.LocalAddr()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a write after Close: %v", err)
			}
			if err = b.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a second Close: %v", err)
			}
			if _, err = a.WriteTo(make([]byte, 70000), a.LocalAddr()); err == nil {
				t.Error("70000 bytes were sent")
			}
			_ = a.Close()
		})
	}
}

func TestADeadlineEndsAWaitingRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(NetworkOptions{})
		defer n.Close()
		a := listen(t, n, "10.0.0.1:1")
		start := time.Now()
		time.AfterFunc(time.Second, func() { _ = a.SetReadDeadline(start.Add(3 * time.Second)) })
		if _, _, err := a.ReadFrom(nil); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestFaultsComeAtTheirRateAndRepeatWithTheirSeed(t *testing.T) {
	run := func(seed int64) (got []int, stats NetworkStats) {
		synctest.Test(t, func(t *testing.T) {
			n := NewNetwork(NetworkOptions{
				Seed: seed, Loss: 0.2, Duplicate: 0.1, Reorder: 0.1, Delay: 30 * time.Millisecond,
				Jitter: 10 * time.Millisecond, Queue: 5000,
			})
			defer n.Close()
			a, b := listen(t, n, "10.0.0.1:1"), listen(t, n, "10.0.0.2:2")
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := range 2000 {
					_, _ = a.WriteTo(number(i), b.LocalAddr())
					time.Sleep(5 * time.Millisecond)
				}
			})
			wg.Go(func() { // another pair must not change what happens between these
				for range int(seed) * 100 {
					_, _ = b.WriteTo(number(0), &net.UDPAddr{IP: net.IPv4(10, 0, 0, 3), Port: 3})
					time.Sleep(time.Millisecond)
				}
			})
			got, _ = drain(t, b)
			wg.Wait()
			stats = n.Stats()
		})
		return got, stats
	}
	first, stats := run(1)
	again, _ := run(1)
	other, _ := run(2)
	if d := cmp.Diff(first, again); d != "" {
		t.Errorf("the same seed gave another run: %s", d)
	}
	if cmp.Equal(first, other) {
		t.Error("another seed gave the same run")
	}
	overtaken := 0
	for i := 1; i < len(first); i++ {
		if first[i] < first[i-1] {
			overtaken++
		}
	}
	if stats.Lost < 350 || stats.Lost > 480 || stats.Duplicated < 120 || stats.Duplicated > 230 || overtaken < 80 {
		t.Errorf("%+v, overtaken %d", stats, overtaken)
	}
}

func TestDelayAndJitterKeepTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(NetworkOptions{Delay: 50 * time.Millisecond, Jitter: 30 * time.Millisecond})
		defer n.Close()
		a, b := listen(t, n, "10.0.0.1:1"), listen(t, n, "10.0.0.2:2")
		go func() {
			for i := range 200 {
				_, _ = a.WriteTo(number(i), b.LocalAddr())
				if i == 150 { // what is sent without delay now must not overtake what is under way
					n.SetFaults(NetworkOptions{})
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		got, at := drain(t, b)
		for i := range got {
			if got[i] != i {
				t.Fatalf("datagram %d came in place %d", got[i], i)
			}
			late := at[i] - time.Duration(i)*10*time.Millisecond
			if i <= 150 && (late < 50*time.Millisecond || late > 80*time.Millisecond) {
				t.Errorf("datagram %d took %v", i, late)
			}
		}
		if len(got) != 200 {
			t.Errorf("%d arrived", len(got))
		}
	})
}

func TestAFilterDropsDelaysAndDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(NetworkOptions{Loss: 1})
		defer n.Close()
		a, b := listen(t, n, "10.0.0.1:1"), listen(t, n, "10.0.0.2:2")
		n.SetFilter(func(from, to net.Addr, p []byte) Verdict {
			if from.String() != "10.0.0.1:1" || to.String() != "10.0.0.2:2" {
				t.Errorf("%v %v", from, to)
			}
			switch p[3] {
			case 0:
				return Verdict{Drop: true}
			case 1:
				return Verdict{Delay: 100 * time.Millisecond, Exempt: true}
			case 2:
				return Verdict{Copies: 1, Exempt: true}
			}
			return Verdict{}
		})
		for i := range 4 {
			_, _ = a.WriteTo(number(i), b.LocalAddr())
		}
		got, at := drain(t, b)
		if d := cmp.Diff([]int{2, 2, 1}, got); d != "" || at[2] != 100*time.Millisecond {
			t.Error(d, at)
		}
		if s := n.Stats(); s.Filtered != 1 || s.Lost != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAFullQueueDropsAndCounts(t *testing.T) {
	n := NewNetwork(NetworkOptions{Queue: 10})
	defer n.Close()
	a, b := listen(t, n, ":1"), listen(t, n, "0.0.0.0:2")
	for i := range 15 {
		_, _ = a.WriteTo(number(i), b.LocalAddr())
	}
	_, _ = a.WriteTo(number(0), &net.UDPAddr{IP: net.IPv4(9, 9, 9, 9), Port: 9})
	if s := n.Stats(); s.Delivered != 10 || s.Overflowed != 5 || s.Unreachable != 1 {
		t.Errorf("%+v", s)
	}
	if err := n.Inject("1.2.3.4:5", "127.0.0.1:1", []byte("spoofed")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if k, from, err := a.ReadFromUDPAddrPort(buf); err != nil || string(buf[:k]) != "spoofed" ||
		from != netip.MustParseAddrPort("1.2.3.4:5") {
		t.Error(from, err)
	}
	if n.Listening() != 2 {
		t.Error(n.Listening())
	}
	_ = n.Close()
	if n.Listening() != 0 {
		t.Error(n.Listening())
	}
	if _, err := n.Listen(":0"); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestThePacketPathAllocatesNothing(t *testing.T) {
	packet, buf := make([]byte, 172), make([]byte, 1500)
	for name, o := range map[string]NetworkOptions{
		"perfect": {},
		"faulty":  {Loss: 0.1, Duplicate: 0.1},
	} {
		n := NewNetwork(o)
		a, b := listen(t, n, ":1"), listen(t, n, ":2")
		to := b.local
		_ = b.SetReadDeadline(time.Now().Add(time.Minute))
		got := testing.AllocsPerRun(1000, func() {
			for range 3 {
				_, _ = a.WriteToUDPAddrPort(packet, to)
			}
			for b.count > 0 {
				_, _, _ = b.ReadFromUDPAddrPort(buf)
			}
		})
		if got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
		_ = n.Close()
	}
}

func TestTheDelayedPathAllocatesNothingPerDatagram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(NetworkOptions{Delay: time.Millisecond})
		defer n.Close()
		a, b := listen(t, n, ":1"), listen(t, n, ":2")
		packet, buf := make([]byte, 172), make([]byte, 1500)
		got := testing.AllocsPerRun(100, func() {
			for range 50 {
				_, _ = a.WriteToUDPAddrPort(packet, b.local)
			}
			for range 50 {
				_, _, _ = b.ReadFromUDPAddrPort(buf)
			}
		})
		if got > 5 { // one timer for all fifty
			t.Errorf("%v allocations for fifty datagrams", got)
		}
	})
}

func BenchmarkDatagram(b *testing.B) {
	n := NewNetwork(NetworkOptions{})
	defer n.Close()
	pa, _ := n.Listen(":1")
	pb, _ := n.Listen(":2")
	src, dst := pa.(*Conn), pb.(*Conn)
	packet, buf := make([]byte, 172), make([]byte, 1500)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = src.WriteToUDPAddrPort(packet, dst.local)
		_, _, _ = dst.ReadFromUDPAddrPort(buf)
	}
}
