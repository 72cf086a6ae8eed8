package sip

import (
	"net/netip"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// How many stream connections there may be. The last eighth is kept for trunks and for hosts where somebody has
// registered or called before, and no host may hold more than maxStreamsSource that have not.
const (
	defaultStreams   = 4096
	maxStreamsSource = 64
	provenLife       = 24 * time.Hour
	maxProven        = 1 << 14
)

// flowKey names a connection by what the peer is.
type flowKey struct {
	network string
	peer    netip.AddrPort
}

// streams are the open connections of every kind, those in the middle of a handshake included.
type streams struct {
	most int

	mu        sync.Mutex
	open      map[*streamConn]struct{}
	byPeer    map[flowKey]*streamConn // that sipgo has
	strangers map[netip.Addr]int
	unknown   int // connections of strangers in all
	proven    expiring[netip.Addr, struct{}]

	registered expiring[flowKey, string] // which registration a connection was used for
	newest     expiring[string, flowKey] // by registration
	moved      chan struct{}             // closed and made anew when newest changes
}

func newStreams(most int) streams {
	if most <= 0 {
		most = defaultStreams
	}
	return streams{
		most: most, open: make(map[*streamConn]struct{}), byPeer: make(map[flowKey]*streamConn),
		strangers: make(map[netip.Addr]int), moved: make(chan struct{}),
	}
}

// add counts a connection, if there is room for it. Connections of ours always find room: they are to trunks.
func (s *streams) add(ep *Endpoint, c *streamConn) bool {
	addr := household(c.src.Addr())
	trunk, _ := ep.opt.Trunks().MatchSource(c.src)
	now := time.Now()
	affordable := trunk != nil || c.pulse.ours
	if !affordable { // a handshake costs as much as some requests
		affordable, _ = ep.opt.Limits.AllowRequest(c.src.Addr(), now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= s.most || ep.ctx.Err() != nil {
		return false
	}
	if trunk != nil || c.pulse.ours {
		c.known.Store(true)
		c.pulse.known, c.pulse.trunk = true, trunk != nil
	} else {
		_, proven := s.proven.get(addr, now)
		if !affordable || s.strangers[addr] >= maxStreamsSource || !proven && s.unknown >= s.most-s.most/8 {
			return false
		}
		s.strangers[addr]++
		s.unknown++
	}
	s.open[c] = struct{}{}
	ep.count.streams.Store(int64(len(s.open)))
	return true
}

// trust takes a connection out of the count of strangers.
func (s *streams) trust(c *streamConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.open[c]; !open {
		return
	}
	s.forget(household(c.src.Addr()))
	s.proven.put(household(c.src.Addr()), struct{}{}, time.Now(), provenLife, maxProven)
}

// household is whom an address belongs to: with IPv6 one has a whole /64.
func household(a netip.Addr) netip.Addr {
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.Addr()
	}
	return a
}

func (s *streams) forget(addr netip.Addr) {
	s.unknown--
	if s.strangers[addr]--; s.strangers[addr] <= 0 {
		delete(s.strangers, addr)
	}
}

// enter makes a connection findable. The same peer's older one is over, whether it knows or not; but one to another
// port of ours keeps its place, because sipgo tells connections apart by the peer's address alone.
func (s *streams) enter(c *streamConn) bool {
	key := flowKey{c.network, c.src}
	s.mu.Lock()
	old := s.byPeer[key]
	if old != nil && old.local != c.local && !old.over() {
		s.mu.Unlock()
		return false
	}
	s.byPeer[key] = c
	s.mu.Unlock()
	if old != nil {
		old.cut()
		old.stop()
	}
	return true
}

func (s *streams) remove(ep *Endpoint, c *streamConn) {
	key := flowKey{c.network, c.src}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.open[c]; !open {
		return
	}
	delete(s.open, c)
	if s.byPeer[key] == c {
		delete(s.byPeer, key)
	}
	if !c.known.Load() {
		s.forget(household(c.src.Addr()))
	}
	ep.count.streams.Store(int64(len(s.open)))
}

// find is the open connection of a peer, nil if there is none.
func (s *streams) find(network string, peer netip.AddrPort) *streamConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.byPeer[flowKey{network, peer}]
	if c == nil || c.over() {
		return nil
	}
	return c
}

func (s *streams) closeAll() {
	s.mu.Lock()
	list := make([]*streamConn, 0, len(s.open))
	for c := range s.open {
		list = append(list, c)
	}
	s.mu.Unlock()
	for _, c := range list {
		c.cut() // the reader notices, and the writer removes it
		c.stop()
	}
}

// The registrations that are remembered, to find where a phone has gone.
const (
	maxRegisteredFlows = 1 << 17
	registeredLife     = 24 * time.Hour
)

// follow notes an accepted REGISTER: from now on, what is meant for an older connection of this registration goes to
// where it came from. So a browser that has lost its socket in a call is found again. RFC 5626 §5.3.
func (ep *Endpoint) follow(req *sipgo.Request) {
	peer, ok := sourceOf(req)
	c := req.Contact()
	if !ok || c == nil || c.Address.Wildcard {
		return
	}
	instance, _ := c.Params.Get("+sip.instance")
	if instance == "" {
		instance = c.Address.User + "@" + c.Address.Host
	}
	ep.streams.follow(userPart(&req.To().Address)+" "+clip(instance, 200), flowKey{sipgo.NetworkToUpper(req.Transport()), peer})
}

func (s *streams) follow(registration string, at flowKey) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registered.put(at, registration, now, registeredLife, maxRegisteredFlows)
	if before, _ := s.newest.get(registration, now); before != at {
		close(s.moved)
		s.moved = make(chan struct{})
	}
	s.newest.put(registration, at, now, registeredLife, maxRegisteredFlows)
}

// successor is where the registration that used a connection is now: known says that there was one, moved is closed when
// another registration has moved.
func (s *streams) successor(network string, peer netip.AddrPort) (at flowKey, known bool, moved <-chan struct{}) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	registration, known := s.registered.get(flowKey{network, peer}, now)
	if known {
		at, known = s.newest.get(registration, now)
	}
	return at, known, s.moved
}

func sourceOf(req *sipgo.Request) (netip.AddrPort, bool) {
	src, err := netip.ParseAddrPort(req.Source())
	return netip.AddrPortFrom(src.Addr().Unmap(), src.Port()), err == nil
}
