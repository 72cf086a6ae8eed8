package media_test

import (
	"net/netip"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/media/mediatest"
	"ullim/media/rtcp"
)

// reporter is a phone that answers RTCP, on the port of RTP or the one behind it.
type reporter struct {
	t *testing.T
	p *mediatest.Phone
}

// read parses what came.
func (x *reporter) read(packets [][]byte, about uint32) []rtcp.Report {
	x.t.Helper()
	var list []rtcp.Report
	for _, b := range packets {
		var r rtcp.Report
		if !rtcp.Parse(b, about, &r) {
			x.t.Errorf("our report cannot be read: %x", b)
			continue
		}
		list = append(list, r)
	}
	return list
}

// answer sends a receiver report about what was heard, as a phone with a clock of its own would.
func (x *reporter) answer(to netip.AddrPort, lost int32, jitter uint32, last rtcp.Report, held time.Duration, conn func([]byte, netip.AddrPort)) {
	x.t.Helper()
	r := rtcp.Report{
		SSRC: x.p.SSRC, CNAME: "phone", HasBlock: true,
		Block: rtcp.Block{
			SSRC: last.SSRC, Lost: lost, Jitter: jitter, Highest: 100,
			LastSR: uint32(last.NTP >> 16), DelaySR: uint32(held * 65536 / time.Second),
		},
	}
	b := make([]byte, 200)
	n := rtcp.Build(b, &r)
	if n == 0 {
		x.t.Fatal("no report")
	}
	conn(b[:n], to)
}

func TestReportsTellWhatWasHeardAndAreHeard(t *testing.T) {
	for _, mux := range []bool{true, false} {
		inBubble(t, nil, func(r *rig) {
			more := ""
			if mux {
				more = "a=rtcp-mux\r\n"
			}
			s, p, to := r.call(4000, "0", more)
			defer p.Close()
			beside, err := r.net.Listen(netip.AddrPortFrom(phoneAddr, 4001))
			if err != nil {
				t.Error(err)
				return
			}
			side := mediatest.NewPhone(beside)
			defer side.Close()
			x := &reporter{t: t, p: p}
			for i := range 1000 { // 20 s, 2 % lost
				if i%50 == 49 {
					p.Sequence++
					p.Stamp += 160
				} else {
					p.Send(to, 0, make([]byte, 160))
				}
				time.Sleep(20 * ms)
			}
			packets, rtcpTo, send := p.Reports(), to, p.SendRaw
			if !mux {
				packets, rtcpTo, send = side.Reports(), netip.AddrPortFrom(to.Addr(), to.Port()+1), side.SendRaw
				if n := len(p.Reports()); n != 0 {
					t.Errorf("%d reports came to the port of RTP", n)
				}
			}
			list := x.read(packets, p.SSRC)
			if n := len(list); n < 2 || n > 9 {
				t.Errorf("mux %v: %d reports in 20 s", mux, n)
				return
			}
			last := list[len(list)-1]
			if !last.Sender || last.Packets < 500 || last.Octets != 160*last.Packets || !last.HasBlock || last.Block.Lost < 8 || last.Block.SSRC != p.SSRC {
				t.Errorf("mux %v: %+v", mux, last)
			}
			// They heard it, waited a second, and report.
			time.Sleep(time.Second)
			now := time.Now()
			sent := time.Unix(int64(last.NTP>>32)-2208988800, int64(uint64(uint32(last.NTP))*1e9>>32))
			x.answer(rtcpTo, 17, 80, last, now.Sub(sent)-5*ms, func(b []byte, to netip.AddrPort) { send(to, b) })
			time.Sleep(20 * ms)
			q := s.Stats()
			if q.RemoteLost != 17 || q.RemoteJitter != 10*ms || q.RoundTrip < 9*ms || q.RoundTrip > 11*ms {
				t.Errorf("mux %v: %+v", mux, q)
			}
			if q.Lost < 19 || q.Lost > 20 || q.MOS < 2 || q.MOS > 4.3 {
				t.Errorf("mux %v: %+v", mux, q)
			}
			final := s.Close()
			if final.RemoteLost != 17 || final.MOS == 0 || final.Codec != "PCMU" {
				t.Errorf("mux %v: %+v", mux, final)
			}
			time.Sleep(20 * ms)
			if packets = p.Reports(); !mux {
				packets = side.Reports()
			}
			if list = x.read(packets, p.SSRC); !list[len(list)-1].Bye {
				t.Errorf("mux %v: the last report is no goodbye", mux)
			}
		})
	}
}

func TestAGoodLineIsToldFromABadOne(t *testing.T) {
	measure := func(loss int, jitter time.Duration) contact.Quality {
		var q contact.Quality
		inBubble(t, nil, func(r *rig) {
			s, p, to := r.call(4000, "0", "")
			defer p.Close()
			n := 0
			r.net.SetFate(func(_ []byte, _, dest netip.AddrPort) []time.Duration {
				if dest != to {
					return []time.Duration{0}
				}
				if n++; loss > 0 && n%(100/loss) == 0 {
					return nil
				}
				return []time.Duration{time.Duration(n%2) * jitter}
			})
			talk(p, to, 0, 0, 500, 160)
			time.Sleep(100 * ms)
			q = s.Close()
		})
		return q
	}
	good, jittery, lossy := measure(0, 0), measure(0, 15*ms), measure(5, 0)
	if good.MOS < 4.2 || good.Jitter > ms {
		t.Errorf("good: %+v", good)
	}
	if jittery.Jitter < 8*ms || jittery.Jitter > 16*ms || jittery.MaxJitter < jittery.Jitter {
		t.Errorf("jittery: %+v", jittery)
	}
	if lossy.MOS >= good.MOS-0.3 || lossy.Lost == 0 {
		t.Errorf("lossy: %+v, good: %+v", lossy, good)
	}
}

func TestStrangersReportsChangeNothing(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, to := r.call(4000, "0", "")
		defer p.Close()
		talk(p, to, 0, 0, 60, 160)
		c, err := r.net.Listen(netip.MustParseAddrPort("198.51.100.9:9"))
		if err != nil {
			t.Error(err)
			return
		}
		stranger := mediatest.NewPhone(c)
		defer stranger.Close()
		x := &reporter{t: t, p: stranger}
		for _, port := range []uint16{to.Port(), to.Port() + 1} {
			x.answer(netip.AddrPortFrom(to.Addr(), port), 999, 8000, rtcp.Report{SSRC: p.SSRC}, 0, func(b []byte, to netip.AddrPort) { stranger.SendRaw(to, b) })
		}
		time.Sleep(20 * ms)
		if q := s.Stats(); q.RemoteLost != 0 || q.Foreign != 2 {
			t.Errorf("%+v", q)
		}
	})
}
