package egress

import "net/netip"

// inside names the networks that are not the internet (IANA special-purpose registries, RFC 6890 and later). What carries
// an IPv4 address in an IPv6 one is among them: it is another way to write a private address.
func inside() []network {
	rows := [][2]string{
		{"unspecified", "0.0.0.0/8"},
		{"private", "10.0.0.0/8"},
		{"carrier-grade NAT", "100.64.0.0/10"},
		{"loopback", "127.0.0.0/8"},
		{"link-local", "169.254.0.0/16"},
		{"private", "172.16.0.0/12"},
		{"reserved", "192.0.0.0/24"},
		{"documentation", "192.0.2.0/24"},
		{"6to4", "192.88.99.0/24"},
		{"private", "192.168.0.0/16"},
		{"benchmarking", "198.18.0.0/15"},
		{"documentation", "198.51.100.0/24"},
		{"documentation", "203.0.113.0/24"},
		{"multicast", "224.0.0.0/4"},
		{"reserved", "240.0.0.0/4"},
		{"Teredo or reserved", "2001::/23"},
		{"documentation", "2001:db8::/32"},
		{"6to4", "2002::/16"},
		{"documentation", "3fff::/20"},
	}
	list := make([]network, len(rows))
	for i, r := range rows {
		list[i] = network{name: r[0], prefix: netip.MustParsePrefix(r[1])}
	}
	return list
}

// network is a part of the address space that has a name.
type network struct {
	name   string
	prefix netip.Prefix
}

// public is where IPv6 gives out addresses; everything beside it (::1, ::/96, 64:ff9b::/96 of NAT64, fc00::/7, fe80::/10,
// ff00::/8 ...) is not the internet.
func public() netip.Prefix { return netip.MustParsePrefix("2000::/3") }

// judge says why an address is not one of the internet; empty: it is.
func (g *guard) judge(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "no address"
	case a.Zone() != "":
		return "link-local"
	case a.Is4In6():
		return "IPv4 in IPv6"
	case a.Is6() && a.IsLoopback():
		return "loopback"
	case a.Is6() && !g.public.Contains(a):
		return "not a public IPv6 address"
	}
	for _, n := range g.inside {
		if n.prefix.Contains(a) {
			return n.name
		}
	}
	return ""
}
