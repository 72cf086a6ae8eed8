package egress

import (
	"net/netip"
	"strconv"
	"strings"

	"ullim/internal/errs"
)

// exception is an entry of the operator's list: a network, or a host by its name, with one port or with all.
type exception struct {
	prefix netip.Prefix // invalid: by name
	host   string
	port   uint16 // 0: all
}

// ParseAllow checks an entry of the list: 10.1.0.0/16, 10.1.2.3, 10.1.2.3:8080, [fd00::1]:8080, hooks.internal or
// hooks.internal:8080.
func ParseAllow(text string) error {
	_, err := parseException(text)
	return err
}

func parseException(text string) (exception, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		if p != p.Masked() {
			return exception{}, errs.New(errs.Invalid, "%q has bits after its prefix", text)
		}
		return exception{prefix: p}, nil
	}
	host, port := text, uint16(0)
	if i := strings.LastIndexByte(text, ':'); i >= 0 && (strings.Count(text, ":") == 1 || strings.HasPrefix(text, "[") && text[i-1] == ']') {
		n, err := strconv.ParseUint(text[i+1:], 10, 16)
		if err != nil || n == 0 {
			return exception{}, errs.New(errs.Invalid, "%q has no valid port", text)
		}
		host, port = text[:i], uint16(n)
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		a = a.Unmap()
		return exception{prefix: netip.PrefixFrom(a, a.BitLen()), port: port}, nil
	}
	if host = strings.ToLower(strings.TrimSuffix(host, ".")); !isName(host) {
		return exception{}, errs.New(errs.Invalid, "%q is neither a network, an address nor a host, each with or without a port", text)
	}
	return exception{host: host, port: port}, nil
}

// holds reports whether a place is meant. addr may be invalid: then only the name counts.
func (e exception) holds(host string, addr netip.Addr, port uint16) bool {
	if e.port != 0 && e.port != port {
		return false
	}
	if e.host != "" {
		return e.host == host
	}
	return addr.IsValid() && e.prefix.Contains(addr) // never in the form of IPv4 in IPv6
}
