package app

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ullim/media"
)

// isRunning says whether the engine is up where the configuration says: its ports are then rightly taken.
func (d *doctor) isRunning(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	addr, err := netip.ParseAddrPort(d.cfg.HTTP.Listen)
	if err != nil {
		return false
	}
	if addr.Addr().IsUnspecified() {
		addr = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), addr.Port())
	}
	scheme := "http"
	if d.cfg.HTTP.TLS.Certificate != "" {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+addr.String()+"/metrics", nil)
	if err != nil {
		return false
	}
	res, err := (&http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // only whether it is there: no secret is sent
	}}).Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return err == nil && strings.Contains(string(b), "\nullim_")
}

func (d *doctor) httpPort(ctx context.Context) []finding {
	return d.port(ctx, "tcp", d.cfg.HTTP.Listen, "http.listen")
}

func (d *doctor) sipPorts(ctx context.Context) []finding {
	var out []finding
	for _, addr := range d.cfg.SIP.UDP {
		out = append(out, d.port(ctx, "udp", addr, "sip.udp")...)
	}
	for _, addr := range d.cfg.SIP.TCP {
		out = append(out, d.port(ctx, "tcp", addr, "sip.tcp")...)
	}
	for _, addr := range d.cfg.SIP.TLS.Listen {
		out = append(out, d.port(ctx, "tcp", addr, "sip.tls.listen")...)
	}
	return out
}

// port says whether an address can be listened on.
func (d *doctor) port(ctx context.Context, network, addr, key string) []finding {
	err := tryListen(ctx, network, addr)
	switch {
	case err == nil:
		return fine("%s %s is free", network, addr)
	case errors.Is(err, syscall.EADDRINUSE) && d.running:
		return fine("%s %s is taken: ullim is running", network, addr)
	case errors.Is(err, syscall.EADDRINUSE):
		_, port, _ := net.SplitHostPort(addr)
		return fail(fmt.Sprintf("see who has it (ss -%slnp 'sport = :%s'), or change %s", network[:1], port, key),
			"%s %s is taken by another program", network, addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fail("change "+key+" to one of "+strings.Join(ownAddresses(), ", ")+", or to 0.0.0.0", "%s %s: not an address of this machine", network, addr)
	case errors.Is(err, syscall.EACCES):
		return fail("give the program the capability CAP_NET_BIND_SERVICE, or choose a port above 1023", "%s %s: not allowed", network, addr)
	}
	return fail("change "+key, "%s %s: %v", network, addr, err)
}

func tryListen(ctx context.Context, network, addr string) error {
	var lc net.ListenConfig
	if network == "udp" {
		c, err := lc.ListenPacket(ctx, network, addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
	l, err := lc.Listen(ctx, network, addr)
	if err != nil {
		return err
	}
	return l.Close()
}

// ownAddresses are the addresses of this machine.
func ownAddresses() []string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			out = append(out, n.IP.String())
		}
	}
	return out
}

// sipAddress is what carriers and phones are told to answer to.
func (d *doctor) sipAddress(ctx context.Context) []finding {
	if d.cfg.SIP.Advertise != "" {
		return advertised(ctx, d.cfg.SIP.Advertise, "sip.advertise", ownAddresses())
	}
	var bound []netip.Addr
	for _, l := range slices.Concat(d.cfg.SIP.UDP, d.cfg.SIP.TCP) {
		if ap, err := netip.ParseAddrPort(l); err == nil {
			bound = append(bound, ap.Addr())
		}
	}
	return unadvertised(bound, "sip.advertise", ownAddresses())
}

// rtpAddress is where the other side is told to send audio.
func (d *doctor) rtpAddress(ctx context.Context) []finding {
	bind, err := netip.ParseAddr(d.cfg.RTP.Bind)
	if err != nil {
		return fail("correct rtp.bind", "rtp.bind: %v", err)
	}
	addr, err := advertisedAddr(ctx, d.cfg, bind)
	if err != nil {
		return fail("correct the name, or write the IP address", "%v", err)
	}
	if addr.Is4() != bind.Unmap().Is4() {
		return fail("make both IPv4 or both IPv6", "audio sockets are bound to %s, but SDP names %s", bind, addr)
	}
	if host := d.cfg.RTPAdvertise(); host != "" {
		return advertised(ctx, host, "rtp.advertise", ownAddresses())
	}
	return unadvertised([]netip.Addr{addr}, "rtp.advertise", ownAddresses())
}

// advertised judges an address that the configuration names.
func advertised(ctx context.Context, host, key string, own []string) []finding {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	addr, err := netip.ParseAddr(host)
	name := host
	if err != nil {
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil || len(found) == 0 {
			return fail("correct the name, or write the IP address", "%s: %s is not found in the DNS", key, host)
		}
		addr = found[0].Unmap()
		name = fmt.Sprintf("%s (%s)", host, addr)
	}
	mine := slices.Contains(own, addr.String())
	switch {
	case addr.IsLoopback():
		return warn("set "+key+" to the address that carriers and phones use", "%s: %s is reached from this machine only", key, name)
	case isPrivate(addr) && !mine:
		return fail("set "+key+" to the public address of the router, or to one of "+strings.Join(own, ", "),
			"%s: %s is a private address and not one of this machine", key, name)
	case isPrivate(addr):
		return warn("behind a router, set "+key+" to its public address if carriers come from the internet",
			"%s: %s is a private address: only your own network reaches it", key, name)
	case !mine:
		return fine("%s: %s is not an address of this machine, so the router must forward the SIP and RTP ports to it", key, name)
	}
	return fine("%s: %s is an address of this machine", key, name)
}

// unadvertised judges what is said when the configuration names no address: that of the socket or of an interface.
func unadvertised(bound []netip.Addr, key string, own []string) []finding {
	reach := bound
	if slices.ContainsFunc(bound, netip.Addr.IsUnspecified) {
		reach = nil
		for _, a := range own {
			if addr, err := netip.ParseAddr(a); err == nil {
				reach = append(reach, addr)
			}
		}
	}
	public := slices.IndexFunc(reach, func(a netip.Addr) bool { return !a.IsLoopback() && !isPrivate(a) })
	private := slices.IndexFunc(reach, isPrivate)
	switch {
	case public >= 0:
		return fine("%s is not set: %s is told", key, reach[public])
	case private >= 0:
		return warn("behind a router, set "+key+" to its public address if carriers come from the internet",
			"%s is not set, and %s is a private address: only your own network reaches it", key, reach[private])
	}
	return warn("set "+key+", and bind to an address that others reach", "only this machine reaches it (loopback)")
}

// isPrivate also knows the shared address space of carriers' NAT (RFC 6598) and link-local addresses.
func isPrivate(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || netip.MustParsePrefix("100.64.0.0/10").Contains(a)
}

// rtpPorts looks at the range, and tries some ports of it.
func (d *doctor) rtpPorts(ctx context.Context) []finding {
	r := d.cfg.RTP.Ports
	hint, err := media.CheckPorts(uint16(r.Low), uint16(r.High)) // config checks the range
	if err != nil {
		return fail("correct rtp.ports", "%v", err)
	}
	const tries = 20
	free, taken := 0, 0
	for i := range tries {
		port := r.Low + (r.Size()-1)*i/(tries-1)
		err := tryListen(ctx, "udp", net.JoinHostPort(d.cfg.RTP.Bind, strconv.Itoa(port)))
		switch {
		case err == nil:
			free++
		case errors.Is(err, syscall.EADDRINUSE):
			taken++
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			return fail("change rtp.bind to one of "+strings.Join(ownAddresses(), ", ")+", or to 0.0.0.0",
				"rtp.bind: %s is not an address of this machine", d.cfg.RTP.Bind)
		default:
			return fail("change rtp.bind or rtp.ports", "udp port %d: %v", port, err)
		}
	}
	if free == 0 {
		return fail("choose another range for rtp.ports", "rtp.ports %s: all of %d ports that were tried are taken", r, tries)
	}
	if hint != "" {
		return warn("", "%s", hint)
	}
	if legs, need := r.Size()/2, 2*d.cfg.SIP.MaxCalls; legs < need { // only even ports are used
		return warn("widen rtp.ports, or lower sip.max_calls",
			"rtp.ports %s has room for %d call legs; sip.max_calls %d may need %d, a caller's and an agent's each", r, legs, d.cfg.SIP.MaxCalls, need)
	}
	if taken > 0 && !d.running {
		return warn("see who has them (ss -ulnp), or choose another range",
			"rtp.ports %s: %d of %d ports that were tried are taken by other programs", r, taken, tries)
	}
	return fine("rtp.ports %s can be opened; let them through the firewall (UDP), with the SIP ports", r)
}

// udpBuffers looks at how much waits in a socket before the kernel drops, and whether it has dropped already.
func (d *doctor) udpBuffers(context.Context) []finding {
	const usual = 212992 // Linux's default
	size, err := readNumber("/proc/sys/net/core/rmem_default")
	if err != nil {
		return fine("not known on this system")
	}
	dropped := droppedDatagrams("/proc/net/snmp")
	switch {
	case size < usual:
		return warn(fmt.Sprintf("sysctl -w net.core.rmem_default=%d", usual), "sockets hold only %d KiB before packets are dropped", size>>10)
	case dropped > 0:
		return warn("if the number grows: sysctl -w net.core.rmem_default=1048576, and see what else burdens this machine",
			"%d datagrams were dropped since the machine started because nobody read them in time", dropped)
	}
	return fine("sockets hold %d KiB, nothing was dropped since the machine started", size>>10)
}

func readNumber(file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// droppedDatagrams reads RcvbufErrors of UDP: a line of names, then a line of numbers.
func droppedDatagrams(file string) int {
	f, err := os.Open(file)
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // only read
	var names []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] != "Udp:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		if i := slices.Index(names, "RcvbufErrors"); i >= 0 && i < len(fields) {
			n, _ := strconv.Atoi(fields[i])
			return n
		}
	}
	return 0
}
