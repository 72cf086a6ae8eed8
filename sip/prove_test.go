package sip

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

func TestAPhoneProvesThatItIsThereBeforeItRings(t *testing.T) {
	phones(t, func(s *stage) {
		t := s.t
		p := s.phone("203.0.113.5:40001")
		var answer atomic.Bool
		answer.Store(true)
		p.on = func(m sipgo.Message) {
			if req, ok := m.(*sipgo.Request); ok && answer.Load() {
				p.send(sipgo.NewResponseFromRequest(req, 404, "Not Found", nil).String())
			}
		}
		prove := func() (alive bool, took time.Duration) {
			start := time.Now()
			alive = s.ep.ProveAlive(t.Context(), contactUser)
			return alive, time.Since(start)
		}
		same(t, "nobody registered", s.ep.ProveAlive(t.Context(), contactUser), false)
		s.bind(deviceName+"a", func(q *RegisterRequest) {
			q.Source, q.Contacts = "203.0.113.5:40001", contacts("sip:a@203.0.113.5:40001 3600")
		})
		alive, took := prove()
		same(t, "just registered", alive && took == 0, true)
		same(t, "asked", len(p.requests(sipgo.OPTIONS)), 0)
		time.Sleep(time.Minute)
		alive, _ = prove() // never asked before: rung, and asked for the next time
		same(t, "not known to answer", alive, true)
		synctest.Wait()
		same(t, "asked", len(p.requests(sipgo.OPTIONS)), 1)
		time.Sleep(time.Minute)
		alive, took = prove()
		same(t, "answers", alive && took < proveAgain, true)
		same(t, "asked", len(p.requests(sipgo.OPTIONS)), 2)
		alive, took = prove()
		same(t, "heard of a moment ago", alive && took == 0, true)
		time.Sleep(time.Minute)
		answer.Store(false)
		alive, took = prove()
		same(t, "silent", alive, false)
		same(t, "waited", took, proveTime)
		time.AfterFunc(time.Second, func() { answer.Store(true) })
		alive, _ = prove() // the first question was lost
		same(t, "late", alive || s.ep.ProveAlive(t.Context(), contactUser), true)
	})
}

func TestAnOpenConnectionIsProofEnough(t *testing.T) {
	var in *pipes
	phones(t, func(s *stage) {
		t := s.t
		c := in.dial(t, "203.0.113.5:50000")
		if _, err := c.Write([]byte("\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.bind(deviceName+"a", func(q *RegisterRequest) { q.Transport, q.Source = "TCP", "203.0.113.5:50000" })
		same(t, "open", s.ep.ProveAlive(t.Context(), contactUser), true)
		_ = c.Close()
		synctest.Wait()
		same(t, "closed", s.ep.ProveAlive(t.Context(), contactUser), false)
	}, func(o *Options) { in = newPipes(); o.Listeners = []net.Listener{in} })
}
