package egress

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ullim/internal/errs"
)

// Resolver finds the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// guard decides which connections may be made, and makes them.
type guard struct {
	allow    []exception
	ports    []uint16
	inside   []network
	public   netip.Prefix
	own      func() []netip.Addr
	resolver Resolver
	dial     Dial
	connect  time.Duration
}

// refusal is why a connection was not made; its text is for the log.
type refusal struct{ why string }

func (r *refusal) Error() string { return "egress: refused: " + r.why }

// refuse is a refusal as callers see it: the same words for every reason.
func refuse(format string, args ...any) error {
	return errs.Wrap(&refusal{fmt.Sprintf(format, args...)}, errs.Denied, "this address may not be called from here")
}

// mostAddresses of a name are looked at.
const mostAddresses = 16

// check judges one place. plain is http without TLS.
func (g *guard) check(host string, addr netip.Addr, port uint16, plain bool) error {
	if g.excepted(host, addr, port) {
		return nil
	}
	switch {
	case plain:
		return refuse("%s: http without TLS", host)
	case !slices.Contains(g.ports, port):
		return refuse("%s: port %d", host, port)
	}
	if why := g.judge(addr); why != "" {
		return refuse("%s is at %s: %s", host, addr, why)
	}
	if slices.Contains(g.own(), addr) {
		return refuse("%s is at %s: this node itself", host, addr)
	}
	return nil
}

func (g *guard) excepted(host string, addr netip.Addr, port uint16) bool {
	return slices.ContainsFunc(g.allow, func(e exception) bool { return e.holds(host, addr, port) })
}

// plainKey marks a context of a request without TLS.
type plainKey struct{}

// open is the DialContext of all transports: it resolves, judges every address, and connects to one that passed.
func (g *guard) open(ctx context.Context, _, address string) (net.Conn, error) {
	plain, _ := ctx.Value(plainKey{}).(bool)
	name, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, refuse("%s: no host and port", address)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, refuse("%s: no port", address)
	}
	port, host := uint16(n), strings.ToLower(strings.TrimSuffix(name, "."))
	ctx, cancel := context.WithTimeout(ctx, g.connect)
	defer cancel()
	addrs, err := g.resolve(ctx, host)
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "the address cannot be found")
	}
	var refused, failed error
	passed := addrs[:0]
	for _, a := range addrs {
		if err := g.check(host, a, port, plain); err != nil {
			refused = err
			continue
		}
		passed = append(passed, a)
	}
	for i, a := range passed {
		conn, err := g.try(ctx, netip.AddrPortFrom(a, port), len(passed)-i)
		if err == nil {
			return conn, nil
		}
		failed = err
		if ctx.Err() != nil {
			break
		}
	}
	if failed != nil {
		return nil, errs.Wrap(failed, errs.Unavailable, "no connection could be made")
	}
	if refused == nil {
		refused = errs.New(errs.Unavailable, "the address cannot be found")
	}
	return nil, refused
}

// try connects to one address, with its share of the time that is left.
func (g *guard) try(ctx context.Context, to netip.AddrPort, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	return g.dial(ctx, "tcp", to.String())
}

// resolve gives the addresses of a host. An address is its own; in the form of IPv4 in IPv6 it stays so, and is refused.
func (g *guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if !isName(host) {
		return nil, errs.New(errs.Invalid, "%q is no host", host)
	}
	addrs, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	addrs = slices.Clone(addrs[:min(len(addrs), mostAddresses)])
	for i, a := range addrs {
		addrs[i] = a.Unmap() // A records may come so from the system's resolver
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return b4(a) - b4(b) })
	return addrs, nil
}

// b4 puts IPv4 first: it is what most servers' IPv6 falls back to.
func b4(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// interfaces are the addresses of this machine, read now and then, and what else is known to lead to it.
type interfaces struct {
	more []netip.Addr

	mu   sync.Mutex
	read time.Time
	list []netip.Addr
}

// rereadAfter is how old the list of addresses may be.
const rereadAfter = 30 * time.Second

func (i *interfaces) addrs() []netip.Addr {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.list != nil && time.Since(i.read) < rereadAfter {
		return i.list
	}
	found, err := net.InterfaceAddrs()
	if err != nil && i.list != nil {
		return i.list
	}
	list := slices.Clone(i.more)
	for _, a := range found {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				list = append(list, ip.Unmap())
			}
		}
	}
	i.list, i.read = list, time.Now()
	return list
}
