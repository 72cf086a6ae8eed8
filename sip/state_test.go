package sip

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// memoryStates is a StateStore.
type memoryStates struct {
	mu sync.Mutex
	m  map[[2]string]State
}

func (s *memoryStates) PutStates(_ context.Context, list []State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[[2]string]State{}
	}
	for _, st := range list {
		if s.m[[2]string{st.Kind, st.Key}] = st; st.Body == nil {
			delete(s.m, [2]string{st.Kind, st.Key})
		}
	}
	return nil
}

func (s *memoryStates) States(_ context.Context, kind string) ([]State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []State
	for k, st := range s.m {
		if k[0] == kind {
			out = append(out, st)
		}
	}
	return out, nil
}

func (s *memoryStates) of(kind, key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[[2]string{kind, key}].Body
}

func TestR21BansAndTrustOutliveARestart(t *testing.T) {
	state := &memoryStates{}
	run(t, func(s *stage) {
		if _, err := s.ep.AddBan(netip.MustParsePrefix("203.0.113.128/25"), "nuisance", 0); err != nil {
			s.t.Fatal(err)
		}
		for range 10 {
			s.ep.offence(src(9), wrongPassword, "guess")
		}
		time.Sleep(keepEvery + 1)
		same(s.t, "bans", len(s.ep.Bans()), 2)
	}, func(o *Options) { o.State = state })
	run(t, func(s *stage) {
		same(s.t, "bans after a restart", len(s.ep.Bans()), 2)
		same(s.t, "banned", s.ep.trust.banned(netip.MustParseAddrPort("203.0.113.200:1"), time.Now()), true)
		if err := s.ep.RemoveBan(netip.MustParsePrefix("203.0.113.128/25")); err != nil {
			s.t.Error(err)
		}
	}, func(o *Options) { o.State = state })
	run(t, func(s *stage) {
		same(s.t, "one was removed", s.ep.trust.banned(netip.MustParseAddrPort("203.0.113.200:1"), time.Now()), false)
		s.register("203.0.113.5:40000")
	}, func(o *Options) { o.State = state })
}

func TestR21PhonesThatWereRegisteredAreKnownAfterARestart(t *testing.T) {
	run(t, func(s *stage) {
		same(s.t, "level", s.ep.trust.level(netip.MustParseAddrPort("203.0.113.8:40000"), time.Now()), trustRegistered)
		same(s.t, "another port", s.ep.trust.level(netip.MustParseAddrPort("203.0.113.8:40001"), time.Now()), trustUnknown)
	}, func(o *Options) {
		store := &memoryStore{}
		d, _ := o.Devices().ByName(deviceName)
		res := NewRegistrar(RegistrarOptions{Store: store}).Register(t.Context(), RegisterRequest{
			Device: d, Contacts: contacts("sip:a@10.0.0.1"), CallID: "x", CSeq: 1, Source: "203.0.113.8:40000", Transport: "UDP", Now: time.Now(),
		})
		same(t, "status", res.Status, 200)
		o.Registrar = NewRegistrar(RegistrarOptions{Store: store})
		if err := o.Registrar.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
