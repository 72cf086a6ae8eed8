package siptest

import (
	"hash/fnv"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// reorderHold is the longest that a reordered datagram is held back: two RTP packets of 20 ms.
const reorderHold = 40 * time.Millisecond

// faults is what the network does to datagrams, replaced as a whole.
type faults struct {
	o      NetworkOptions
	filter Filter
}

func (f *faults) perfect() bool {
	o := &f.o
	return f.filter == nil && o.Loss <= 0 && o.Duplicate <= 0 && o.Reorder <= 0 && o.Delay <= 0 && o.Jitter <= 0
}

type pairKey struct{ from, to netip.AddrPort }

// pair is one direction between two addresses: its own stream of chances.
type pair struct {
	state   uint64
	lastDue time.Time
}

// chance is a number in [0, 1), by splitmix64.
func (p *pair) chance() float64 {
	p.state += 0x9e3779b97f4a7c15
	z := p.state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64(z>>11) / (1 << 53)
}

func (p *pair) upTo(d time.Duration) time.Duration { return time.Duration(p.chance() * float64(d)) }

func newPair(seed int64, k pairKey) *pair {
	h := fnv.New64a()
	var b [64]byte
	text := k.from.AppendTo(b[:0])
	text = k.to.AppendTo(append(text, '>'))
	_, _ = h.Write(text) // a hash does not fail
	return &pair{state: h.Sum64() ^ uint64(seed)*0x9e3779b97f4a7c15}
}

// faulty sends a datagram through filter and faults.
func (n *Network) faulty(f *faults, from netip.AddrPort, src *net.UDPAddr, to netip.AddrPort, b []byte) {
	var v Verdict
	if f.filter != nil {
		dst := net.UDPAddrFromAddrPort(to)
		if c := n.find(to); c != nil {
			dst = c.addr
		}
		if v = f.filter(src, dst, b); v.Drop {
			n.stats.filtered.Add(1)
			return
		}
	}
	for range max(0, v.Copies) + 1 {
		n.drawn(f, v, pairKey{from, to}, src, b)
	}
}

// drawn draws the chances of one copy. Every copy draws the same number of times, so that the faults of a pair do not
// shift when one rate is changed.
func (n *Network) drawn(f *faults, v Verdict, k pairKey, src *net.UDPAddr, b []byte) {
	o := f.o
	if v.Exempt {
		o.Loss, o.Duplicate, o.Reorder, o.Jitter = 0, 0, 0, 0
	}
	now := time.Now()
	n.pairsMu.Lock()
	p := n.pairs[k]
	if p == nil {
		p = newPair(f.o.Seed, k)
		n.pairs[k] = p
	}
	lost, doubled, held := p.chance() < o.Loss, p.chance() < o.Duplicate, p.chance() < o.Reorder
	jitter, hold := p.upTo(o.Jitter), p.upTo(reorderHold)
	due := now.Add(o.Delay + jitter)
	behind := !p.lastDue.Before(due) // one sent earlier may still be under way
	if behind {
		due = p.lastDue
	}
	fly := behind || held || v.Delay > 0 || due.After(now)
	if fly && !lost && !held && v.Delay <= 0 {
		p.lastDue = due
	}
	n.pairsMu.Unlock()
	if lost {
		n.stats.lost.Add(1)
		return
	}
	if held {
		n.stats.reordered.Add(1)
		due = due.Add(hold)
	}
	due = due.Add(max(0, v.Delay))
	copies := 1
	if doubled {
		n.stats.duplicated.Add(1)
		copies = 2
	}
	for range copies {
		if fly {
			n.flight.add(due, src, k.to, b)
		} else {
			n.arrive(src, k.to, b)
		}
	}
}

// flight is what is under way, with one timer for the earliest.
type flight struct {
	land func(src *net.UDPAddr, to netip.AddrPort, b []byte)

	mu     sync.Mutex
	items  flightHeap
	free   [][]byte
	seq    uint64
	timer  *time.Timer
	next   time.Time // when timer fires; zero: it does not run
	closed bool

	pending atomic.Int64 // len(items), and those that land just now
}

type flying struct {
	due time.Time
	seq uint64
	src *net.UDPAddr
	to  netip.AddrPort
	b   []byte
}

func (f *flight) add(due time.Time, src *net.UDPAddr, to netip.AddrPort, b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	var buf []byte
	if last := len(f.free) - 1; last >= 0 {
		buf, f.free = f.free[last], f.free[:last]
	}
	f.seq++
	f.pending.Add(1)
	f.items.push(flying{due: due, seq: f.seq, src: src, to: to, b: append(buf[:0], b...)})
	f.arm()
}

// arm sets the timer to the earliest datagram; f.mu is held.
func (f *flight) arm() {
	if len(f.items) == 0 || (!f.next.IsZero() && !f.items[0].due.Before(f.next)) {
		return
	}
	f.next = f.items[0].due
	if f.timer == nil {
		f.timer = time.AfterFunc(time.Until(f.next), f.fire)
	} else {
		f.timer.Reset(time.Until(f.next))
	}
}

// fire lands what is due. Landing happens under the lock, so that datagrams stay in order.
func (f *flight) fire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	now := time.Now()
	for len(f.items) > 0 && !f.items[0].due.After(now) {
		it := f.items.pop()
		f.land(it.src, it.to, it.b)
		f.pending.Add(-1)
		f.free = append(f.free, it.b)
	}
	f.next = time.Time{}
	f.arm()
}

func (f *flight) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.items, f.free = nil, nil
	if f.timer != nil {
		f.timer.Stop()
	}
}

// flightHeap has the earliest datagram first; of two for the same instant, the one sent first.
type flightHeap []flying

func (h flightHeap) before(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].seq < h[j].seq
	}
	return h[i].due.Before(h[j].due)
}

func (h *flightHeap) push(it flying) {
	*h = append(*h, it)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.before(i, parent) {
			break
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *flightHeap) pop() flying {
	s := *h
	first, last := s[0], len(s)-1
	s[0], s[last] = s[last], flying{}
	s = s[:last]
	*h = s
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if right := child + 1; right < last && s.before(right, child) {
			child = right
		}
		if !s.before(child, i) {
			break
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
	return first
}
