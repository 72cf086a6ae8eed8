package media_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/media"
)

func TestO03HoldIsOfferedAndResumed(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, to := r.call(4000, "0 101", event)
		defer p.Close()
		direction := func(b []byte) string {
			for _, d := range []string{"sendrecv", "sendonly", "recvonly", "inactive"} {
				if strings.Contains(string(b), "a="+d+"\r\n") {
					return d
				}
			}
			return "none"
		}
		offer := func() string {
			b, err := s.Offer()
			if err != nil {
				t.Fatal(err)
			}
			return direction(b)
		}
		s.Hold(true)
		if got := offer(); got != "sendonly" {
			t.Errorf("held: %s", got)
		}
		if err := s.Accept(p.SDP("0 101", event+"a=recvonly\r\n")); err != nil {
			t.Fatal(err)
		}
		// What comes from the held party is not heard; what is played to it is.
		p.Press(to, 101, 3, 3)
		p.Forget()
		s.Play([]media.Source{sound{0x44, 5}}, false, nil)
		time.Sleep(200 * ms)
		if got := runs(p.Heard()); !strings.Contains(got, "44*5") || r.pressed() != "" {
			t.Errorf("the held party heard %s, and %q of it was heard", got, r.pressed())
		}
		// Both hold at once: nobody sends.
		b, err := s.Answer(p.SDP("0 101", event+"a=sendonly\r\n"))
		if err != nil || direction(b) != "inactive" {
			t.Errorf("both hold: %s %v", direction(b), err)
		}
		p.Forget()
		time.Sleep(100 * ms)
		if n := len(p.Heard()); n > 1 {
			t.Errorf("%d packets while both hold", n)
		}
		s.Hold(false)
		if got := offer(); got != "sendrecv" {
			t.Errorf("resumed: %s", got)
		}
		if err := s.Accept(p.SDP("0 101", event)); err != nil {
			t.Fatal(err)
		}
		p.Forget()
		p.Press(to, 101, 5, 3)
		time.Sleep(100 * ms)
		if r.pressed() != "5" || len(p.Heard()) < 4 {
			t.Errorf("after it: pressed %q, heard %d", r.pressed(), len(p.Heard()))
		}
	})
}

func TestM04BothHalvesOfAPortPairAreHeldOrNeither(t *testing.T) {
	var squatted map[uint16]bool
	var n *rig
	change := func(o *media.Options) {
		o.PortMin, o.PortMax = 20000, 20007
		listen := o.Listen
		o.Listen = func(a netip.AddrPort) (net.PacketConn, error) {
			if squatted[a.Port()] {
				return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
			}
			return listen(a)
		}
	}
	inBubble(t, change, func(r *rig) {
		n = r
		squatted = map[uint16]bool{20001: true, 20005: true} // the odd ones of two pairs
		var open []*media.Session
		for range 2 {
			open = append(open, r.open(media.SessionOptions{}))
		}
		if _, err := r.plane.Open(media.SessionOptions{}); !errs.Is(err, errs.Unavailable) || !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("a third: %v", err)
		}
		if used := n.net.InUse(); used != 4 {
			t.Errorf("%d sockets for two sessions", used)
		}
		p := r.phone(4000)
		defer p.Close()
		answer(t, open[0], p.SDP("0", "a=rtcp-mux\r\n")) // its odd port is not needed any more
		if used := n.net.InUse(); used != 4 {
			t.Errorf("%d sockets: two of one session, one of the other, the phone's", used)
		}
		for _, s := range open {
			s.Close()
		}
		if used := n.net.InUse(); used != 1 {
			t.Errorf("%d sockets are left beside the phone's", used)
		}
		squatted = nil
		time.Sleep(2 * time.Second)
		for range 4 {
			r.open(media.SessionOptions{})
		}
	})
}

func TestM05LatePacketsOfTheOldCallAreNotHeardInTheNewOne(t *testing.T) {
	one := func(o *media.Options) { o.PortMin, o.PortMax = 20000, 20001 }
	inBubble(t, one, func(r *rig) {
		t := r.t
		s, old, to := r.call(4000, "0 101", event)
		defer old.Close()
		talk(old, to, 0, 0x10, 5, 160)
		s.Close()
		if _, err := r.plane.Open(media.SessionOptions{}); !errs.Is(err, errs.Unavailable) {
			t.Errorf("the port was lent again at once: %v", err)
		}
		time.Sleep(2 * time.Second)
		next, phone, same := r.call(4002, "0 101", event)
		defer phone.Close()
		if same != to {
			t.Fatalf("%s, and then %s", to, same)
		}
		old.Press(to, 101, 7, 3) // the old phone has not understood
		talk(phone, same, 0, 0x30, 5, 160)
		old.Press(to, 101, 8, 3)
		time.Sleep(20 * ms)
		if q := next.Stats(); q.Received != 5 || q.Foreign != 12 || r.pressed() != "" {
			t.Errorf("%+v, pressed %q", q, r.pressed())
		}
		for _, h := range phone.Heard() {
			if h.Data[0] != 0xFF {
				t.Errorf("the new phone heard %#x", h.Data[0])
			}
		}
	})
}

func TestM07ComfortNoiseRTCPAndHoldKeepALegAlive(t *testing.T) {
	policy := media.DeadPolicy{NeverStarted: 5 * time.Second, Stopped: 3 * time.Second, Held: 8 * time.Second}
	for _, c := range []struct {
		name string
		keep func(r *rig, s *media.Session, send func([]byte))
		dies time.Duration // 0: it lives
	}{
		{"nothing ever", nil, 5 * time.Second},
		{"sound that stops", func(_ *rig, _ *media.Session, send func([]byte)) {
			send(append([]byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, make([]byte, 160)...))
		}, 3 * time.Second},
		{"comfort noise", func(_ *rig, _ *media.Session, send func([]byte)) {
			for i := range 10 {
				send([]byte{0x80, 13, 0, byte(i), 0, 0, byte(i), 0, 0, 0, 0, 1, 40})
				time.Sleep(2 * time.Second)
			}
		}, 0},
		{"RTCP", func(_ *rig, _ *media.Session, send func([]byte)) {
			for range 10 {
				send([]byte{0x80, 201, 0, 1, 0, 0, 0, 1})
				time.Sleep(2 * time.Second)
			}
		}, 0},
		{"hold", func(r *rig, s *media.Session, _ func([]byte)) {
			time.Sleep(4 * time.Second)
			if _, err := s.Answer(r.held("a=inactive\r\n")); err != nil {
				r.t.Error(err)
			}
			time.Sleep(7 * time.Second)
			if _, err := s.Answer(r.held("")); err != nil { // resumed: the clock begins anew
				r.t.Error(err)
			}
			time.Sleep(4 * time.Second)
		}, 0},
		{"hold for ever", func(r *rig, s *media.Session, _ func([]byte)) {
			if _, err := s.Answer(r.held("a=inactive\r\n")); err != nil {
				r.t.Error(err)
			}
		}, 8 * time.Second},
	} {
		inBubble(t, func(o *media.Options) { o.Dead = policy }, func(r *rig) {
			s, p, to := r.call(4000, "0 13", "")
			defer p.Close()
			begun := time.Now()
			send := func(b []byte) { p.SendRaw(to, b) }
			if c.keep != nil {
				c.keep(r, s, send)
			}
			if c.dies == 0 {
				if died := r.died(); len(died) != 0 {
					t.Errorf("%s: died after %v: %v", c.name, time.Since(begun), died)
				}
				return
			}
			time.Sleep(c.dies - time.Since(begun) - 30*ms)
			if died := r.died(); len(died) != 0 {
				t.Errorf("%s: died too early: %v", c.name, died)
			}
			time.Sleep(80 * ms)
			if died := r.died(); len(died) != 1 {
				t.Errorf("%s: %v after %v", c.name, died, time.Since(begun))
			}
			time.Sleep(20 * time.Second)
			if died := r.died(); len(died) != 1 {
				t.Errorf("%s: said %d times", c.name, len(died))
			}
			p.Forget()
			time.Sleep(time.Second)
			if n := len(p.Heard()); n < 45 && !strings.HasPrefix(c.name, "hold") {
				t.Errorf("%s: %d packets a second were sent", c.name, n) // R31: we always send while connected
			}
		})
	}
}

// held is what the phone of port 4000 would say.
func (r *rig) held(more string) []byte {
	return []byte("v=0\r\nc=IN IP4 " + phoneAddr.String() + "\r\nm=audio 4000 RTP/AVP 0 13\r\n" + more)
}
