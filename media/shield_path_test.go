package media_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"ullim/media"
	"ullim/media/mediatest"
	"ullim/media/srtp"
)

// sealed is two joined sessions with SDES on a bareLoop, and a phone that seals what it sends to the first of them.
type sealed struct {
	loop   *bareLoop
	sealer *srtp.Sealer
	packet [12 + 160]byte
	work   [12 + 160 + media.Room]byte
	from   netip.AddrPort
	now    time.Time
}

func newSealed(tb testing.TB, suite srtp.Suite) *sealed {
	tb.Helper()
	x := &sealed{loop: new(bareLoop), from: netip.AddrPortFrom(phoneAddr, 4000), now: time.Now()}
	p, err := media.New(media.Options{Loop: x.loop, Listen: new(mediatest.Net).Listen, Bind: engineAddr})
	if err != nil {
		tb.Fatal(err)
	}
	key := srtp.NewKey(suite)
	open := func(port uint16) *media.Session {
		s, failed := p.Open(media.SessionOptions{Encryption: "sdes"})
		if failed != nil {
			tb.Fatal(failed)
		}
		if _, failed = s.Answer(cryptoPhone(netip.AddrPortFrom(phoneAddr, port), "RTP/SAVP", cryptoLine(1, key), "a=rtcp-mux")); failed != nil {
			tb.Fatal(failed)
		}
		return s
	}
	if _, err = media.Join(open(4000), open(4002)); err != nil {
		tb.Fatal(err)
	}
	if x.sealer, err = srtp.NewSealer(key); err != nil {
		tb.Fatal(err)
	}
	copy(x.packet[:], append([]byte{0x80, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}, bytes.Repeat([]byte{0x11}, 160)...))
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	return x
}

// seal is the next packet of the phone.
func (x *sealed) seal(tb testing.TB) []byte {
	tb.Helper()
	binary.BigEndian.PutUint16(x.packet[2:], binary.BigEndian.Uint16(x.packet[2:])+1)
	binary.BigEndian.PutUint32(x.packet[4:], binary.BigEndian.Uint32(x.packet[4:])+160)
	x.now = x.now.Add(20 * ms)
	b, ok := x.sealer.Seal(x.work[:copy(x.work[:], x.packet[:])])
	if !ok {
		tb.Fatal("not sealed")
	}
	return b
}

func TestAProtectedPacketIsForwardedWithoutAllocating(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector throws pooled memory away")
	}
	for _, suite := range srtp.Suites() {
		x := newSealed(t, suite)
		step := func() { x.loop.handlers[0].HandlePacket(x.seal(t), x.from, x.now) }
		for range 50 {
			step()
		}
		before := x.loop.sent
		if n := testing.AllocsPerRun(500, step); n != 0 && !raceDetector {
			t.Errorf("%s: %v allocations a packet", suite, n)
		}
		if x.loop.sent < before+500 || bytes.Contains(x.loop.last[:x.loop.size], x.packet[12:40]) {
			t.Errorf("%s: %d packets, or one in the clear", suite, x.loop.sent-before)
		}
	}
}

// BenchmarkForwardSRTP is a packet that is opened, forwarded and sealed, beside one in the clear; the sealing by the phone
// is taken off by measuring it alone.
func BenchmarkForwardSRTP(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		x := newBare(b, "0", "0", "")
		for b.Loop() {
			x.receive()
		}
	})
	for _, suite := range srtp.Suites() {
		b.Run(suite.String(), func(b *testing.B) {
			x := newSealed(b, suite)
			b.ReportAllocs()
			var phone time.Duration
			for b.Loop() {
				began := time.Now()
				p := x.seal(b)
				phone += time.Since(began)
				x.loop.handlers[0].HandlePacket(p, x.from, x.now)
			}
			b.ReportMetric(float64((b.Elapsed()-phone).Nanoseconds())/float64(b.N), "ns/forwarded")
		})
	}
}
